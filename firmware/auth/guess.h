/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_GUESS_H
#define AUTH_GUESS_H

#include "base/span.h"

/*
 * guess - how many wrong passwords came from where, so that nobody can try many.
 * Each makes the answer to it later, 1, 2, 4, then 8 seconds; after GUESS_MAX of
 * them nothing more is tried from there until one is forgotten, which takes
 * GUESS_BACK_MS each.
 *
 * A source is an IPv4 address, or 64 bits of an IPv6 address, since one host has
 * so many. Who has a whole network has 65536 of those, so 48 bits are counted
 * too, up to GUESS_WIDE_MAX. A source from which somebody has logged on is held
 * to its own count alone: what its neighbours guess does not lock it out.
 *
 * Room is for GUESS_ROWS * GUESS_WAYS counts, each source's in the row that a keyed
 * hash of it says. In a row that is full the least one gives way, and who comes
 * takes its count over (Metwally 2005, "Space-Saving"): nobody is counted for
 * less than he has tried, and guessing from here and there alternately wins
 * nothing. All zeros but the key is a good beginning.
 */
enum {
	GUESS_ROWS = 512, /* a power of two */
	GUESS_WAYS = 8,
	GUESS_KNOWN = 256, /* sources that logged on; a power of two */
	GUESS_MAX = 10,
	GUESS_WIDE_MAX = 40,
	GUESS_BACK_MS = 5 * 60 * 1000,
	GUESS_WAIT_MS = 1000,
	GUESS_WAIT_MAX_MS = 8000,
};

struct guess_count {
	uint64_t who;	  /* keyed hash of the source */
	uint64_t free_ms; /* when all is forgotten */
};

struct guess {
	uint8_t key[16];
	struct guess_count row[GUESS_ROWS][GUESS_WAYS];
	uint64_t known[GUESS_KNOWN];
};

/* May another one come from there? ip: as in struct endpoint. */
bool guess_may(const struct guess *g, const uint8_t ip[16], uint64_t now_ms);

/* How many milliseconds the answer has to wait after n that were wrong before. */
uint32_t guess_wait_ms(unsigned n);

/* It was wrong. Returns how many milliseconds the answer has to wait. */
uint32_t guess_wrong(struct guess *g, const uint8_t ip[16], uint64_t now_ms);

/* How many were wrong, of those that are not forgotten; at most GUESS_MAX. */
unsigned guess_count(const struct guess *g, const uint8_t ip[16],
		     uint64_t now_ms);

/* It was right. */
void guess_right(struct guess *g, const uint8_t ip[16]);

#endif
