/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_REASS_H
#define PROTO_REASS_H

#include "proto/frame.h"

/*
 * reass - put fragments of TCP datagrams together (RFC 791, RFC 8200 4.5), so
 * that no mail session can hide in them.
 *
 * Strict where hosts differ, because what we see must be what they see: any
 * overlap (RFC 5722), a first fragment without a whole TCP header, or one that
 * would begin inside it (RFC 1858, RFC 3128) throws the datagram away. Memory
 * and time are bounded. The fragments themselves are kept, so what turns out
 * not to be mail can go on as it came. Pure; time is an argument.
 */
enum {
	REASS_DATAGRAMS = 32,
	REASS_SLOTS = 128, /* fragments in all datagrams together */
	/* Octets of one: a jumbo frame of MTU 9216 with all its tags. */
	REASS_FRAGMENT = 9216 + FRAME_L2_MAX,
	REASS_PARTS = 64, /* fragments in one datagram */
	REASS_MS = 4000,
	/* The headers of the first fragment, however long its IPv6 chain. */
	REASS_DATA = 65535 + REASS_FRAGMENT,
};

enum reass_verdict {
	REASS_WAIT,  /* kept; more are missing */
	REASS_DROP,  /* this fragment and its datagram are thrown away */
	REASS_WHOLE, /* see struct reass_out */
};

/* Valid until the next reass_add. */
struct reass_out {
	struct frame frame; /* the datagram, as frame_parse would give it */
	struct span frames[REASS_PARTS]; /* what it came in, in that order */
	unsigned frames_n;
};

struct reass_datagram {
	bool used, v6;
	enum port port;
	uint8_t src[16], dst[16];
	uint32_t id, have, total; /* total 0: the last is not here yet */
	uint64_t since_ms;
	unsigned n;
	uint8_t slot[REASS_PARTS];
	uint32_t off[REASS_PARTS], len[REASS_PARTS];
};

struct reass {
	struct reass_datagram datagram[REASS_DATAGRAMS];
	bool taken[REASS_SLOTS];
	uint16_t slot_n[REASS_SLOTS];
	uint8_t slot[REASS_SLOTS][REASS_FRAGMENT];
	uint8_t whole[REASS_DATA];
};

/* All zero is an empty one. f: of class FRAME_FRAGMENT. */
enum reass_verdict reass_add(struct reass *r, enum port port,
			     const struct frame *f, uint64_t now_ms,
			     struct reass_out *out);

#endif
