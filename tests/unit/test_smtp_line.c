/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines: where they end, where they are too long, and that no cut matters. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "feed.h"
#include "proto/smtp_line.h"

struct cutter {
	struct smtp_line line;
	size_t max;
	uint8_t mem[2048];
};

static void begin(void *state)
{
	struct cutter *c = state;

	/* The memory ends where the line may end. */
	smtp_line_init(&c->line, c->mem + sizeof(c->mem) - c->max, c->max);
}

static void take(void *state, struct span in, struct feed_log *log)
{
	struct cutter *c = state;
	bool broken = c->line.err != OK;

	for (;;) {
		struct span line;
		size_t used;
		int r = smtp_line_feed(&c->line, in, &used, &line);

		assert_true(used <= in.n);
		in = span_skip(in, used);
		if (r == 1)
			feed_bytes(log, line);
		if (r != 0 && !broken)
			feed_mark(log, 'r', r);
		if (r == E_PEER_EOL || r == 0) {
			assert_true(r == E_PEER_EOL || in.n == 0);
			return;
		}
	}
}

/* Lines joined by {r1}, {r-103} (too long), {r-102} (bare CR or LF). */
static void gives(size_t max, struct span in, const char *want)
{
	static struct cutter c;
	const struct feed_engine e = { &c, begin, take };
	struct span out;
	long at;

	c.max = max;
	at = feed_every_cut(&e, in, &out);
	if (at != FEED_SAME)
		fail_msg("%s: cut at %ld", want, at);
	if (!span_eq(out, span_str(want)))
		fail_msg("%.*s instead of %s", (int)out.n, (const char *)out.p,
			 want);
}

static void only_crlf_ends_a_line(void **state)
{
	(void)state;
	gives(512, SPAN_LIT("NOOP\r\n"), "NOOP{r1}");
	gives(512, SPAN_LIT("\r\n\r\n"), "{r1}{r1}");
	gives(512, SPAN_LIT("a\r\nb\r\nc"), "a{r1}b{r1}");
	gives(512, SPAN_LIT("a\r"), "");
	gives(512, SPAN_LIT(""), "");
	gives(512,
	      SPAN_LIT("a\x85"
		       "b\x0b\x0c\xe2\x80\xa8\r\n"),
	      "a\x85"
	      "b\x0b\x0c\xe2\x80\xa8{r1}");
}

static void bare_cr_and_lf_end_the_conversation(void **state)
{
	static const char *const bad[] = {
		"a\nb\r\n",	   "\n",   "a\rb\r\n",	   "\ra",
		"a\r\rb\r\n",	   "\r\r", "a\r\r\nb\r\n", "\n\r\n",
		"\ra\r\nQUIT\r\n", "a\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		gives(512, span_str(bad[i]), "{r-102}");
	gives(512, SPAN_LIT("good\r\nb\nc\r\n"), "good{r1}{r-102}");
	gives(512, SPAN_LIT("good\r\n\r\n\r\r\n"), "good{r1}{r1}{r-102}");
	gives(512, SPAN_LIT("a\r\0\n\r\n"), "{r-102}");
}

static void nul_is_an_octet_of_the_line(void **state)
{
	static struct cutter c;
	struct span in = SPAN_LIT("a\0b\r\n\0\r\n"), out;
	const struct feed_engine e = { &c, begin, take };

	(void)state;
	c.max = 512;
	assert_int_equal(feed_every_cut(&e, in, &out), FEED_SAME);
	assert_true(span_eq(out, SPAN_LIT("a\0b{r1}\0{r1}")));
}

/* n octets, CRLF, and a line that must come out whole in any case. */
static void length(size_t max, size_t n)
{
	static char in[2100], want[2100];

	memset(in, 'x', n);
	memcpy(in + n, "\r\nQUIT\r\n", 9);
	if (n > max)
		strcpy(want, "{r-103}QUIT{r1}");
	else
		snprintf(want, sizeof(want), "%.*s{r1}QUIT{r1}", (int)n, in);
	gives(max, span_str(in), want);
}

static void limits_are_exact(void **state)
{
	(void)state;
	/* RFC 5321 4.5.3.1: 512 and 1000 with their CRLF */
	for (size_t n = 508; n <= 514; n++)
		length(510, n);
	for (size_t n = 510; n <= 514; n++)
		length(512, n);
	for (size_t n = 996; n <= 1002; n++)
		length(998, n);
	for (size_t n = 998; n <= 1002; n++)
		length(1000, n);
	for (size_t n = 0; n <= 9; n++)
		length(4, n);
}

static void a_long_line_is_thrown_away_whole(void **state)
{
	(void)state;
	gives(4, SPAN_LIT("12345\r\nabcd\r\n123456789\r\n\r\n"),
	      "{r-103}abcd{r1}{r-103}{r1}");
	/* and its tail is no command */
	gives(4, SPAN_LIT("xxxxxQUIT\r\nNOOP\r\n"), "{r-103}NOOP{r1}");
	gives(4, SPAN_LIT("xxxxxQU\nIT\r\n"), "{r-102}");
	gives(4, SPAN_LIT("xxxxxQU\rIT\r\n"), "{r-102}");
	/* CR is not counted, whatever follows it */
	gives(4, SPAN_LIT("abcd\re\r\n"), "{r-102}");
}

static void an_error_stays(void **state)
{
	uint8_t mem[8];
	struct smtp_line l;
	struct span line;
	size_t used;

	(void)state;
	smtp_line_init(&l, mem, sizeof(mem));
	assert_int_equal(smtp_line_feed(&l, SPAN_LIT("a\nb"), &used, &line),
			 E_PEER_EOL);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			smtp_line_feed(&l, SPAN_LIT("QUIT\r\n"), &used, &line),
			E_PEER_EOL);
		assert_int_equal(used, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_ends_a_line),
		cmocka_unit_test(bare_cr_and_lf_end_the_conversation),
		cmocka_unit_test(nul_is_an_octet_of_the_line),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(a_long_line_is_thrown_away_whole),
		cmocka_unit_test(an_error_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
