/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of a limit that the first octet says: the same in every cut, and the
 * same as found by looking at all at once. Each line is taken for a command:
 * its argument lies in it, and octets that no command may have are told.
 */
#include "base/bug.h"
#include "feed.h"
#include "proto/smtp_cmd.h"
#include "proto/smtp_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct smtp_line line;
static uint8_t mem[1024];
static size_t max;

static void begin(void *state)
{
	(void)state;
	smtp_line_init(&line, mem + sizeof(mem) - max, max);
}

static void command(struct span s)
{
	struct smtp_cmd c = smtp_cmd_parse(s);
	bool control = false;

	for (size_t i = 0; i < s.n; i++)
		control = control || (s.p[i] < 0x20 && s.p[i] != '\t') ||
			  s.p[i] == 0x7f;
	BUG_ON(control && c.verb != VERB_GARBAGE && c.verb != VERB_FOREIGN);
	BUG_ON(!control && c.verb == VERB_GARBAGE);
	BUG_ON(c.arg.p < s.p || c.arg.p + c.arg.n > s.p + s.n);
	BUG_ON(c.arg.n > 0 &&
	       (c.arg.p[0] == ' ' || c.arg.p[c.arg.n - 1] == ' '));
}

static void take(void *state, struct span in, struct feed_log *log)
{
	(void)state;
	for (;;) {
		bool broken = line.err != OK;
		struct span s;
		size_t used;
		int r = smtp_line_feed(&line, in, &used, &s);

		BUG_ON(used > in.n);
		in = span_skip(in, used);
		if (r == 1) {
			command(s);
			feed_bytes(log, s);
		}
		if (r != 0 && !broken)
			feed_mark(log, 'r', r);
		BUG_ON(r == 0 && in.n > 0);
		if (r == 0 || r == E_PEER_EOL)
			return;
	}
}

/* The same by another way. */
static void model(struct span in, struct feed_log *log)
{
	size_t from = 0;

	log->n = 0;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n' ||
		    (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] != '\n')) {
			feed_mark(log, 'r', E_PEER_EOL);
			return;
		}
		if (in.p[i] != '\r' || i + 1 == in.n)
			continue;
		if (i - from <= max)
			feed_bytes(log, (struct span){ in.p + from, i - from });
		feed_mark(log, 'r', i - from <= max ? 1 : E_PEER_LONG);
		from = ++i + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct feed_engine engine = { NULL, begin, take };
	static struct feed_log want;
	struct span in, out;

	if (n < 1 || n > 1024)
		return 0;
	max = p[0] + 1u;
	in = (struct span){ p + 1, n - 1 };
	BUG_ON(feed_cuts(&engine, in, 0, 200, &out) != FEED_SAME);
	model(in, &want);
	BUG_ON(!span_eq(out, (struct span){ want.b, want.n }));
	return 0;
}
