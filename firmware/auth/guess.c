/* SPDX-License-Identifier: BSD-2-Clause */
/* guess - see guess.h. A count is one number, a time: each wrong password moves it
 * on. */
#include "auth/guess.h"
#include "base/addr.h"
#include "base/hash.h"

enum { V4_OCTETS = 16, V6_OCTETS = 8, WIDE_OCTETS = 6 };

/* The length is part of what is hashed, so a source and its network differ. */
static uint64_t who_of(const struct guess *g, const uint8_t ip[16], size_t n)
{
	uint8_t b[17] = { (uint8_t)n };

	memcpy(b + 1, ip, n);
	return siphash(g->key, (struct span){ b, sizeof(b) });
}

static uint64_t source_of(const struct guess *g, const uint8_t ip[16])
{
	return who_of(g, ip, ip_is_v4(ip) ? V4_OCTETS : V6_OCTETS);
}

static bool is_known(const struct guess *g, uint64_t who)
{
	return g->known[who & (GUESS_KNOWN - 1)] == who;
}

/* Where in its row who is counted, or would be: the least. */
static size_t way_of(const struct guess *g, uint64_t who)
{
	const struct guess_count *row = g->row[who & (GUESS_ROWS - 1)];
	size_t least = 0;

	for (size_t i = 0; i < GUESS_WAYS; i++) {
		if (row[i].who == who)
			return i;
		if (row[i].free_ms < row[least].free_ms)
			least = i;
	}
	return least;
}

/* How many are not forgotten yet. */
static uint64_t counted(const struct guess_count *c, uint64_t now_ms)
{
	if (c->free_ms <= now_ms)
		return 0;
	return (c->free_ms - now_ms + GUESS_BACK_MS - 1) / GUESS_BACK_MS;
}

static const struct guess_count *find(const struct guess *g, uint64_t who)
{
	return &g->row[who & (GUESS_ROWS - 1)][way_of(g, who)];
}

bool guess_may(const struct guess *g, const uint8_t ip[16], uint64_t now_ms)
{
	uint64_t who = source_of(g, ip);
	const struct guess_count *own = find(g, who);

	if (is_known(g, who))
		return own->who != who || counted(own, now_ms) < GUESS_MAX;
	if (counted(own, now_ms) >= GUESS_MAX)
		return false;
	return ip_is_v4(ip) || counted(find(g, who_of(g, ip, WIDE_OCTETS)),
				       now_ms) < GUESS_WIDE_MAX;
}

/* One more of who. Returns how many there were. */
static uint64_t add(struct guess *g, uint64_t who, uint64_t most,
		    uint64_t now_ms)
{
	struct guess_count *c = &g->row[who & (GUESS_ROWS - 1)][way_of(g, who)];
	uint64_t n = counted(c, now_ms);

	c->who = who;
	if (n < most)
		c->free_ms = (n == 0 ? now_ms : c->free_ms) + GUESS_BACK_MS;
	return n;
}

uint32_t guess_wait_ms(unsigned n)
{
	uint32_t wait = GUESS_WAIT_MS;

	while (n-- > 0 && wait < GUESS_WAIT_MAX_MS)
		wait *= 2;
	return wait;
}

uint32_t guess_wrong(struct guess *g, const uint8_t ip[16], uint64_t now_ms)
{
	uint64_t n = add(g, source_of(g, ip), GUESS_MAX, now_ms);

	if (!ip_is_v4(ip))
		(void)add(g, who_of(g, ip, WIDE_OCTETS), GUESS_WIDE_MAX,
			  now_ms);
	return guess_wait_ms((unsigned)n);
}

unsigned guess_count(const struct guess *g, const uint8_t ip[16],
		     uint64_t now_ms)
{
	uint64_t who = source_of(g, ip);
	const struct guess_count *own = find(g, who);

	return own->who == who ? (unsigned)counted(own, now_ms) : 0;
}

void guess_right(struct guess *g, const uint8_t ip[16])
{
	uint64_t who = source_of(g, ip);

	g->known[who & (GUESS_KNOWN - 1)] = who;
}
