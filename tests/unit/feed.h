/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_FEED_H
#define TESTS_UNIT_FEED_H

/*
 * The same octets in every cut. An engine is given its input whole, in two
 * pieces for every place to cut, and octet by octet, each piece ending where
 * memory ends (pk_guard); what it says into the log must not depend on it.
 */
#include <stdio.h>
#include "packet.h"

struct feed_log {
	uint8_t b[1 << 18];
	size_t n;
};

/* take() is given one piece, takes all of it, and logs what came of it: what
 * it hands out and what it answers, never how much at once. A sticky error is
 * logged once. */
struct feed_engine {
	void *state;
	void (*begin)(void *state);
	void (*take)(void *state, struct span piece, struct feed_log *log);
};

enum { FEED_SAME = -1 };

static inline void feed_bytes(struct feed_log *l, struct span s)
{
	if (s.n > sizeof(l->b) - l->n)
		abort();
	if (s.n > 0)
		memcpy(l->b + l->n, s.p, s.n);
	l->n += s.n;
}

/* An event, as "{r-102}": tests read it. */
static inline void feed_mark(struct feed_log *l, char what, long v)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "{%c%ld}", what, v);

	feed_bytes(l, (struct span){ (const uint8_t *)text, (size_t)n });
}

/* In pieces of step octets, the first one of first octets. */
static inline void feed_pieces(const struct feed_engine *e, struct span in,
			       size_t first, size_t step, struct feed_log *log)
{
	size_t n = first < in.n ? first : in.n;

	log->n = 0;
	e->begin(e->state);
	for (;;) {
		e->take(e->state, pk_guard((struct span){ in.p, n }), log);
		in = span_skip(in, n);
		if (in.n == 0)
			break;
		n = step < in.n ? step : in.n;
	}
}

static inline struct span feed_whole(const struct feed_engine *e,
				     struct span in)
{
	static struct feed_log whole;

	feed_pieces(e, in, in.n, in.n, &whole);
	return (struct span){ whole.b, whole.n };
}

/* FEED_SAME, or where a cut between from and to changes what comes out;
 * in.n: octet by octet does. *out: what comes out of the whole. */
static inline long feed_cuts(const struct feed_engine *e, struct span in,
			     size_t from, size_t to, struct span *out)
{
	static struct feed_log cut;

	*out = feed_whole(e, in);
	for (size_t i = from; i <= to && i < in.n; i++) {
		feed_pieces(e, in, i, in.n, &cut);
		if (!span_eq(*out, (struct span){ cut.b, cut.n }))
			return (long)i;
	}
	feed_pieces(e, in, 1, 1, &cut);
	return span_eq(*out, (struct span){ cut.b, cut.n }) ? FEED_SAME
							    : (long)in.n;
}

static inline long feed_every_cut(const struct feed_engine *e, struct span in,
				  struct span *out)
{
	return feed_cuts(e, in, 0, in.n, out);
}

#endif
