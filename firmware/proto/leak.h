/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_LEAK_H
#define PROTO_LEAK_H

#include "base/addr.h"
#include "base/print.h"

/*
 * leak - look for text that must not be readable in frames that leave.
 *
 * It knows nothing of the gate, of TLS, or of the parser that the wire uses
 * (proto/frame.h), so that none of their faults is shared. What to look for it
 * is told as prints (base/print.h), for a while each; where, is every octet of
 * every frame, also over the end of a TCP segment when the next one follows it.
 *
 *	protect   this text must not leave readable
 *	allow     this connection is in clear, and may be: texts of others, of
 *	          which the same message in another session may be one, do not
 *	          count in it; its own still do
 *
 * A connection is known by its client, whose address and port the box borrows.
 *
 * Who looks may be late: a text that is protected now may have left before, and been
 * none then, as the same MAIL of an earlier message. So a frame that was seen before
 * a text was said does not count for it. Both times are microseconds of one clock; if
 * that was set back meanwhile, so that they are further apart than LEAK_LATE_US, it
 * counts.
 * Pure; fixed memory: of too many prints the oldest gives way.
 */
enum {
	LEAK_PRINTS = 8192,
	LEAK_CLEAR = 16384, /* connections in clear */
	LEAK_PRINT_MS = 300000,
	LEAK_CLEAR_MS = 600000, /* without a frame */
	/* A connection that is protected now was in clear a moment ago. */
	LEAK_GRACE_MS = 2000,
	LEAK_LATE_US = 10000000,
};

struct leak;
size_t leak_size(void);
/* mem: leak_size() octets, aligned for any type. seed: for the hash tables. */
struct leak *leak_init(void *mem, uint64_t key, const uint8_t seed[16]);

/* said_us: when it was said. */
void leak_protect(struct leak *l, const struct endpoint *client,
		  const struct print *p, uint64_t now_ms, uint64_t said_us);
/* It may leave after all, as far as this client is concerned. */
void leak_forget(struct leak *l, const struct endpoint *client,
		 const struct print *p);
void leak_allow(struct leak *l, const struct endpoint *client, uint64_t now_ms);
/* From now on nothing of it may be readable. */
void leak_disallow(struct leak *l, const struct endpoint *client,
		   uint64_t now_ms);

struct leak_hit {
	bool tcp; /* the frame was understood: client and server are its ends */
	struct endpoint client, server;
};

/* Look at a frame from its Ethernet header on, which was seen at seen_us. True:
 * something was readable that must not be; *hit says where. */
bool leak_look(struct leak *l, struct span frame, uint64_t now_ms,
	       uint64_t seen_us, struct leak_hit *hit);

/* The number of texts that are looked for. */
unsigned leak_prints(const struct leak *l);

#endif
