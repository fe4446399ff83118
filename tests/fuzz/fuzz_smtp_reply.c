/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replies of a server, memory as the first octet says: the same in every cut.
 * Each complete one is taken for the answer to EHLO: what the client is shown
 * is one good reply with nothing in it but what may be shown. Whatever we say
 * ourselves is one good reply, too.
 */
#include "base/bug.h"
#include "feed.h"
#include "proto/smtp_ehlo.h"
#include "proto/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct smtp_reply reply;
static uint8_t mem[4096];
static size_t max;

static void begin(void *state)
{
	(void)state;
	smtp_reply_init(&reply, mem + sizeof(mem) - max, max);
}

/* raw is one complete reply with this code and nothing behind it. */
static void good(struct span raw, uint16_t code)
{
	static uint8_t room[16384];
	struct smtp_reply r;
	size_t used;

	smtp_reply_init(&r, room, sizeof(room));
	BUG_ON(smtp_reply_feed(&r, raw, &used) != 1 || used != raw.n);
	BUG_ON(r.code != code || !span_eq(smtp_reply_raw(&r), raw));
}

static void capabilities(struct span raw)
{
	static uint8_t room[8192];
	unsigned offered = smtp_ehlo_parse(raw), shown;
	struct buf b;

	buf_init(&b, room, sizeof(room));
	BUG_ON(smtp_ehlo_write(&b, raw, raw.n % 2 ? "STARTTLS" : NULL) != OK);
	good(buf_span(&b), 250);
	shown = smtp_ehlo_parse(buf_span(&b));
	BUG_ON(!(shown & EHLO_PIPELINING));
	BUG_ON(!!(shown & EHLO_STARTTLS) != raw.n % 2);
	shown &= ~(unsigned)(EHLO_PIPELINING | EHLO_STARTTLS);
	BUG_ON(shown & ~(offered & EHLO_SHOWN));
	for (size_t i = 0; i < buf_span(&b).n; i++)
		BUG_ON(room[i] > 0x7e);
	/* too small by one: nothing */
	buf_init(&b, room, buf_span(&b).n - 1);
	BUG_ON(smtp_ehlo_write(&b, raw, raw.n % 2 ? "STARTTLS" : NULL) !=
	       E_FULL);
	BUG_ON(buf_span(&b).n != 0);
}

static void take(void *state, struct span in, struct feed_log *log)
{
	bool broken = reply.err != OK;

	(void)state;
	for (;;) {
		size_t used;
		int e = smtp_reply_feed(&reply, in, &used);

		BUG_ON(used > in.n);
		in = span_skip(in, used);
		if (e == 1) {
			BUG_ON(reply.code < 200 || reply.code > 599);
			good(smtp_reply_raw(&reply), reply.code);
			if (log->n < 64)
				capabilities(smtp_reply_raw(&reply));
			feed_bytes(log, smtp_reply_raw(&reply));
			feed_mark(log, 'c', reply.code);
			continue;
		}
		if (e < 0 && !broken)
			feed_mark(log, 'r', e);
		BUG_ON(e >= 0 && in.n > 0);
		return;
	}
}

static void ours(struct span text)
{
	static uint8_t room[16384];
	struct buf b;

	buf_init(&b, room, sizeof(room));
	BUG_ON(smtp_reply_put(&b, 550, text.n % 2 ? "5.7.5" : NULL, text) !=
	       OK);
	good(buf_span(&b), 550);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct feed_engine engine = { NULL, begin, take };
	struct span out;

	if (n < 1 || n > 2048)
		return 0;
	max = 1 + p[0] * 16u;
	BUG_ON(feed_cuts(&engine, (struct span){ p + 1, n - 1 }, 0, 100,
			 &out) != FEED_SAME);
	ours((struct span){ p, n });
	return 0;
}
