/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_PEER_MEMORY_H
#define POLICY_PEER_MEMORY_H

#include "base/addr.h"
#include <stddef.h>
#include "base/err.h"

/*
 * peer_memory - what a remote server did before, by its address: whether it
 * ever offered STARTTLS, and whether TLS with it failed lately. A fixed number
 * of peers; the one not seen for longest gives way. Time is an argument.
 */
enum { PEER_MEMORY_SLOTS = 1024 };

struct peer_memory;
size_t peer_memory_size(void);
/* mem: peer_memory_size() bytes, aligned for any type. */
struct peer_memory *peer_memory_init(void *mem, const uint8_t key[16]);

struct peer_facts {
	bool starttls_before;	/* it offered STARTTLS at some time */
	bool tls_failed_lately; /* until the time given to _tls_failed */
};

struct peer_facts peer_memory_get(struct peer_memory *m,
				  const struct endpoint *peer, uint64_t now_ms);
void peer_memory_offered(struct peer_memory *m, const struct endpoint *peer,
			 uint64_t now_ms);
void peer_memory_tls_failed(struct peer_memory *m, const struct endpoint *peer,
			    uint64_t now_ms, uint64_t until_ms);
/* A handshake went well: forget the failure. */
void peer_memory_tls_up(struct peer_memory *m, const struct endpoint *peer,
			uint64_t now_ms);

#endif
