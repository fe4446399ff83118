/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server says to a probe, in every cut the same; whatever it says, nothing
 * but the five words of a probe leaves, and the report is clean and whole.
 */
#include "base/bug.h"
#include "feed.h"
#include "probe/probe_report.h"
#include "probe/probe_talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct probe_facts facts;
static struct probe_talk talk;
static enum probe_kind kind;
static bool shakes;

static void begin(void *state)
{
	static const uint8_t random_[32];

	(void)state;
	facts = (struct probe_facts){ .tried = 0 };
	probe_talk_init(&talk, kind, &facts, SPAN_LIT("[192.0.2.1]"),
			SPAN_LIT("a.example"), random_, 0);
}

static void said(struct span s)
{
	static const char *const word[] = { "EHLO ", "HELO ",	 "STARTTLS\r\n",
					    "NOOP ", "QUIT\r\n", "\x16\x03" };
	bool known = false;

	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		known = known || (s.n >= strlen(word[i]) &&
				  memcmp(s.p, word[i], strlen(word[i])) == 0);
	BUG_ON(!known);
}

static void take(void *state, struct span in, struct feed_log *log)
{
	(void)state;
	/* as relay does: out is empty before TLS begins */
	for (size_t i = 0; i < in.n; i++) {
		struct span out;

		probe_talk_feed(&talk, (struct span){ in.p + i, 1 });
		out = probe_talk_out(&talk);
		if (out.n > 0)
			said(out);
		feed_bytes(log, out);
		probe_talk_sent(&talk, out.n);
		if (shakes && probe_talk_wish(&talk) == PROBE_TLS) {
			probe_talk_shaken(&talk, SHAKE_UP);
			feed_bytes(log, probe_talk_out(&talk));
			probe_talk_sent(&talk, probe_talk_out(&talk).n);
		}
	}
}

static void words(void)
{
	static char mem[16384];
	const struct probe_about about = { .domain = SPAN_LIT("a.example"),
					   .host = SPAN_LIT("mx.a.example") };
	struct text t;

	text_init(&t, mem, sizeof(mem));
	probe_report(&t, &facts, &about);
	BUG_ON(t.cut);
	for (size_t i = 0; i < t.n; i++)
		BUG_ON(mem[i] != '\n' && (mem[i] < ' ' || mem[i] > '~'));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct feed_engine engine = { NULL, begin, take };
	struct hello_answer a;
	struct span out;

	if (n < 1 || n > 1024)
		return 0;
	kind = (enum probe_kind)(p[0] % PROBE_KINDS);
	shakes = (p[0] & 0x80) != 0;
	hello_read(&a, pk_guard((struct span){ p + 1, n - 1 }));
	BUG_ON(feed_cuts(&engine, (struct span){ p + 1, n - 1 }, 0, 40, &out) !=
	       FEED_SAME);
	probe_talk_gone(&talk);
	BUG_ON(probe_talk_wish(&talk) != PROBE_CLOSE);
	words();
	return 0;
}
