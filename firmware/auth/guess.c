/* SPDX-License-Identifier: BSD-2-Clause */
/* guess - see guess.h. A cell is one number: each wrong password moves it on. */
#include "auth/guess.h"
#include "base/addr.h"
#include "base/hash.h"

static size_t cell_of(const struct guess *g, const uint8_t ip[16])
{
	return (size_t)siphash(g->key,
			       (struct span){ ip, ip_is_v4(ip) ? 16 : 8 }) &
	       (GUESS_CELLS - 1);
}

/* How many are not forgotten yet. */
static uint64_t counted(const struct guess *g, const uint8_t ip[16],
			uint64_t now_ms)
{
	uint64_t until = g->free_ms[cell_of(g, ip)];

	return until <= now_ms
		       ? 0
		       : (until - now_ms + GUESS_BACK_MS - 1) / GUESS_BACK_MS;
}

bool guess_may(const struct guess *g, const uint8_t ip[16], uint64_t now_ms)
{
	return counted(g, ip, now_ms) < GUESS_MAX;
}

uint32_t guess_wrong(struct guess *g, const uint8_t ip[16], uint64_t now_ms)
{
	uint64_t n = counted(g, ip, now_ms),
		 *until = &g->free_ms[cell_of(g, ip)];
	uint32_t wait = GUESS_WAIT_MS;

	if (n < GUESS_MAX)
		*until = (n == 0 ? now_ms : *until) + GUESS_BACK_MS;
	while (n-- > 0 && wait < GUESS_WAIT_MAX_MS)
		wait *= 2;
	return wait;
}
