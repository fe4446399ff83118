/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message, strict (first octet odd) or not: what is released is the same in
 * every cut and is what came in; the end is where a strict receiver sees it,
 * and when we are strict no receiver sees another.
 */
#include "base/bug.h"
#include "feed.h"
#include "mail_end.h"
#include "proto/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct smtp_data data;
static bool strict, ended;
static uint8_t held[8];
static size_t held_n;

static void begin(void *state)
{
	(void)state;
	smtp_data_init(&data, strict);
	held_n = 0;
	ended = false;
}

static void take(void *state, struct span in, struct feed_log *log)
{
	static uint8_t both[4096];
	size_t safe;
	bool end;

	(void)state;
	if (ended || data.err != OK)
		return;
	memcpy(both, held, held_n);
	if (in.n > 0)
		memcpy(both + held_n, in.p, in.n);
	in = pk_guard((struct span){ both, held_n + in.n });
	(void)!smtp_data_scan(&data, in, &safe, &end);
	BUG_ON(safe > in.n || (end && data.err != OK));
	feed_bytes(log, (struct span){ in.p, safe });
	ended = end;
	if (end || data.err != OK)
		return;
	held_n = in.n - safe;
	BUG_ON(held_n > 4);
	memcpy(held, in.p + safe, held_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct feed_engine engine = { NULL, begin, take };
	struct span in, out;

	if (n < 1 || n > 2048)
		return 0;
	strict = p[0] & 1;
	in = (struct span){ p + 1, n - 1 };
	BUG_ON(feed_cuts(&engine, in, 0, 200, &out) != FEED_SAME);
	BUG_ON(!span_eq(out, (struct span){ in.p, out.n }));
	BUG_ON(!strict && data.err != OK);
	BUG_ON(!strict && ended != (mail_end(in, 0) != MAIL_NO_END));
	for (unsigned r = 0; r < (strict ? RECEIVERS : 1); r++)
		BUG_ON(mail_end(out, r) != (ended ? (long)out.n : MAIL_NO_END));
	return 0;
}
