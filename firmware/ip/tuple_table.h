/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IP_TUPLE_TABLE_H
#define IP_TUPLE_TABLE_H

#include <stddef.h>
#include "base/addr.h"

/*
 * tuple_table - which TCP connection does a segment belong to? A keyed hash
 * over (port, remote, local), so the cost does not grow with the number of
 * connections and nobody outside can choose what collides.
 *
 * Intrusive: a tuple lives in what it names; the table owns nothing.
 */
enum tuple_kind {
	TUPLE_SIDE,	 /* struct ip_side: a living connection */
	TUPLE_TIME_WAIT, /* struct ip_tw: a finished one (RFC 9293 3.6.1) */
	TUPLE_PASS,	 /* struct ip_tw: not ours, goes through as on a wire */
};

struct tuple {
	struct endpoint remote, local; /* who sends to whom, seen from us */
	enum port port;		       /* where its segments come in */
	enum tuple_kind kind;
	bool linked;
	struct tuple *next;
};

struct tuple_table {
	uint8_t key[16];
	struct tuple **slot;
	size_t slots; /* a power of two */
};

/* slot: room for slots pointers, all NULL. */
void tuple_table_init(struct tuple_table *t, const uint8_t key[16],
		      struct tuple **slot, size_t slots);
struct tuple *tuple_find(const struct tuple_table *t, enum port port,
			 const struct endpoint *remote,
			 const struct endpoint *local);
/* t must not hold the same tuple already. */
void tuple_add(struct tuple_table *t, struct tuple *u);
/* Harmless when it is not in the table. */
void tuple_remove(struct tuple_table *t, struct tuple *u);

#endif
