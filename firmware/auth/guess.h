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
 * so many. It is found by a keyed hash: two may share a cell, and what it allows.
 * All zeros but the key is a good beginning.
 */
enum {
	GUESS_CELLS = 4096, /* a power of two */
	GUESS_MAX = 10,
	GUESS_BACK_MS = 5 * 60 * 1000,
	GUESS_WAIT_MS = 1000,
	GUESS_WAIT_MAX_MS = 8000,
};

struct guess {
	uint8_t key[16];
	uint64_t free_ms[GUESS_CELLS]; /* when all is forgotten */
};

/* May another one come from there? ip: as in struct endpoint. */
bool guess_may(const struct guess *g, const uint8_t ip[16], uint64_t now_ms);

/* It was wrong. Returns how many milliseconds the answer has to wait. */
uint32_t guess_wrong(struct guess *g, const uint8_t ip[16], uint64_t now_ms);

#endif
