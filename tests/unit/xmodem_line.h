/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_XMODEM_LINE_H
#define TESTS_UNIT_XMODEM_LINE_H

#include <stdlib.h>
#include "cli/xmodem.h"

/*
 * line - a sender and a receiver, and between them a line that does to every
 * message what the test says. Time passes only when nothing moves.
 */
enum line_way { LINE_TO_IN, LINE_TO_OUT };

struct line;
/* Message number k (from 0, of one way): the line may change it, make it longer
 * (there is room for as much again) or take it away. */
typedef size_t line_fault(struct line *l, enum line_way way, unsigned k,
			  uint8_t *b, size_t n);

struct line {
	struct xmodem_in in;
	struct xmodem_out out;
	uint64_t now;
	unsigned sent[2];
	line_fault *fault; /* NULL: a good line */
	unsigned long arg[4];
	uint8_t *got;
	size_t got_n, got_max;
	bool in_off, out_off; /* that end is not there */
};

static inline void line_to_in(struct line *l, struct span s)
{
	struct span data, answer;
	uint8_t b[2 * XMODEM_FRAME];

	while (s.n > 0 && !l->in_off &&
	       xmodem_in_end(&l->in) == XMODEM_GOES_ON) {
		size_t n = xmodem_in_feed(&l->in, s, l->now, &data);

		s = span_skip(s, n);
		if (data.n > l->got_max - l->got_n)
			abort();
		if (data.n > 0)
			memcpy(l->got + l->got_n, data.p, data.n);
		l->got_n += data.n;
		/* what is left waits in the caller's buffer until it is written */
		answer = xmodem_in_out(&l->in);
		if (answer.n == 0)
			continue;
		memcpy(b, answer.p, answer.n);
		n = answer.n;
		xmodem_in_sent(&l->in, n);
		if (l->fault)
			n = l->fault(l, LINE_TO_OUT, l->sent[LINE_TO_OUT], b,
				     n);
		l->sent[LINE_TO_OUT]++;
		if (!l->out_off)
			xmodem_out_feed(&l->out, (struct span){ b, n }, l->now);
	}
}

/* True: something moved. */
static inline bool line_move(struct line *l)
{
	uint8_t b[2 * XMODEM_FRAME];
	struct span s = xmodem_in_out(&l->in);
	bool moved = false;
	size_t n;

	if (s.n > 0 && !l->in_off) {
		memcpy(b, s.p, s.n);
		n = s.n;
		xmodem_in_sent(&l->in, n);
		if (l->fault)
			n = l->fault(l, LINE_TO_OUT, l->sent[LINE_TO_OUT], b,
				     n);
		l->sent[LINE_TO_OUT]++;
		if (!l->out_off)
			xmodem_out_feed(&l->out, (struct span){ b, n }, l->now);
		moved = true;
	}
	s = xmodem_out_out(&l->out);
	if (s.n > 0 && !l->out_off) {
		memcpy(b, s.p, s.n);
		n = s.n;
		xmodem_out_sent(&l->out, n);
		if (l->fault)
			n = l->fault(l, LINE_TO_IN, l->sent[LINE_TO_IN], b, n);
		l->sent[LINE_TO_IN]++;
		line_to_in(l, (struct span){ b, n });
		moved = true;
	}
	return moved;
}

static inline bool line_over(const struct line *l)
{
	return (l->in_off || xmodem_in_end(&l->in) != XMODEM_GOES_ON) &&
	       (l->out_off || xmodem_out_end(&l->out) != XMODEM_GOES_ON);
}

/* Send file until both ends have ended. False: that took too long. */
static inline bool line_run(struct line *l, struct span file)
{
	l->now = 1000;
	l->got_n = 0;
	l->sent[0] = l->sent[1] = 0;
	xmodem_in_init(&l->in, l->now);
	xmodem_out_init(&l->out, file, l->now);
	for (unsigned i = 0; i < 100000 && !line_over(l); i++) {
		uint64_t a = xmodem_in_deadline(&l->in);
		uint64_t b = xmodem_out_deadline(&l->out);

		if (line_move(l))
			continue;
		if (l->in_off || xmodem_in_end(&l->in) != XMODEM_GOES_ON)
			a = b;
		if (l->out_off || xmodem_out_end(&l->out) != XMODEM_GOES_ON)
			b = a;
		l->now = a < b ? a : b;
		xmodem_in_tick(&l->in, l->now);
		xmodem_out_tick(&l->out, l->now);
	}
	return line_over(l);
}

/* What came is the file, and behind it only padding. */
static inline bool line_same(const struct line *l, struct span file)
{
	if (l->got_n < file.n || l->got_n - file.n > XMODEM_LONG ||
	    (file.n > 0 && memcmp(l->got, file.p, file.n) != 0))
		return false;
	for (size_t i = file.n; i < l->got_n; i++)
		if (l->got[i] != XMODEM_PAD)
			return false;
	return true;
}

#endif
