/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any octets at a receiver and at a sender: the same for every cut, no octet
 * outside, and both end in bounded time; and the two of them over a line that
 * loses and alters as the input says: what was taken whole is the file.
 */
#include "base/bug.h"
#include "xmodem_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct span plan;
static uint8_t file[3000], got[6000];

static void same(struct xmodem_in *x, struct xmodem_in *y)
{
	BUG_ON(x->state != y->state || x->number != y->number);
	BUG_ON(x->ending != y->ending || x->bad != y->bad);
}

static void take(struct xmodem_in *x, struct span s, uint64_t now)
{
	while (s.n > 0 && xmodem_in_end(x) == XMODEM_GOES_ON) {
		struct span out, block;
		size_t used = xmodem_in_feed(x, s, now, &block);

		BUG_ON(block.n > XMODEM_LONG);
		out = xmodem_in_out(x);
		BUG_ON(used == 0 && out.n == 0);
		BUG_ON(used > s.n || out.n > sizeof(x->out));
		xmodem_in_sent(x, out.n);
		s = span_skip(s, used);
	}
}

static void any_octets_in(struct span s)
{
	static struct xmodem_in x, y;
	uint64_t now = 0;

	xmodem_in_init(&x, now);
	xmodem_in_init(&y, now);
	take(&x, s, now);
	for (size_t i = 0; i < s.n; i++)
		take(&y, (struct span){ s.p + i, 1 }, now);
	same(&x, &y);
	for (int i = 0; xmodem_in_end(&x) == XMODEM_GOES_ON; i++) {
		BUG_ON(i > 100);
		now = xmodem_in_deadline(&x);
		xmodem_in_tick(&x, now);
		take(&x, (struct span){ s.p, s.n < 7 ? s.n : 7 }, now);
	}
	BUG_ON(now > 600000);
}

static void any_octets_out(struct span s)
{
	static struct xmodem_out x;
	uint64_t now = 0;

	xmodem_out_init(&x, (struct span){ file, sizeof(file) }, now);
	for (size_t i = 0; i < s.n; i++) {
		struct span out = xmodem_out_out(&x);

		BUG_ON(out.n > XMODEM_FRAME);
		xmodem_out_sent(&x, out.n < s.p[i] ? out.n : s.p[i]);
		xmodem_out_feed(&x, (struct span){ s.p + i, 1 }, now);
	}
	for (int i = 0; xmodem_out_end(&x) == XMODEM_GOES_ON; i++) {
		BUG_ON(i > 50);
		now = xmodem_out_deadline(&x);
		xmodem_out_tick(&x, now);
	}
}

/* Two octets of the plan for each message: what, and where. */
static size_t by_plan(struct line *l, enum line_way way, unsigned k, uint8_t *b,
		      size_t n)
{
	uint8_t what, where;

	(void)l, (void)k;
	if (plan.n < 2)
		return n;
	what = plan.p[0];
	where = plan.p[1];
	plan = span_skip(plan, 2);
	switch (what % 8) {
	case 1: return 0;
	case 2: /* shorter; an answer is lost or whole */
		return n * where / 256;
	case 3:
		if (way == LINE_TO_IN && n > 1)
			b[where % n] ^= what | 8;
		return n;
	case 4: /* noise behind it, which is no EOT or answer */
		memset(b + n, way == LINE_TO_IN ? what | 0x80 : 0, n);
		return 2 * n;
	default: return n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct line l = { .fault = by_plan, .got = got };
	struct span f = { file, n > 0 ? data[0] * 11u : 0 };

	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7 + i / 251);
	any_octets_in((struct span){ data, n });
	any_octets_out((struct span){ data, n });
	plan = (struct span){ data, n };
	l.got_max = sizeof(got);
	BUG_ON(!line_run(&l, f));
	BUG_ON(xmodem_in_end(&l.in) == XMODEM_DONE && !line_same(&l, f));
	return 0;
}
