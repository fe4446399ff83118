/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a message: one place, whoever looks. What leaves has no second
 * end in the eyes of any receiver, or it does not leave.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "feed.h"
#include "mail_end.h"
#include "proto/smtp_data.h"

struct scanner {
	struct smtp_data data;
	bool strict, end;
	uint8_t held[8];
	size_t held_n;
};

static void begin(void *state)
{
	struct scanner *s = state;

	smtp_data_init(&s->data, s->strict);
	s->held_n = 0;
	s->end = false;
}

/* Logs what is released, {e0} at the end or {r..} for an error, then nothing
 * more: what follows is somebody else's. */
static void take(void *state, struct span in, struct feed_log *log)
{
	struct scanner *s = state;
	uint8_t both[4096];
	struct span all = { both, s->held_n + in.n };
	size_t safe;
	bool end;
	int e;

	if (s->end || s->data.err != OK)
		return;
	memcpy(both, s->held, s->held_n);
	if (in.n > 0)
		memcpy(both + s->held_n, in.p, in.n);
	all = pk_guard(all);
	e = smtp_data_scan(&s->data, all, &safe, &end);
	assert_true(safe <= all.n);
	feed_bytes(log, (struct span){ all.p, safe });
	if (e != OK) {
		assert_false(end);
		feed_mark(log, 'r', e);
		return;
	}
	if (end) {
		s->end = true;
		feed_mark(log, 'e', 0);
		return;
	}
	s->held_n = all.n - safe;
	assert_true(s->held_n <= 4);
	memcpy(s->held, all.p + safe, s->held_n);
}

static struct span released(struct span in, bool strict)
{
	static struct scanner s;
	const struct feed_engine e = { &s, begin, take };
	struct span out;
	long at;

	s.strict = strict;
	at = feed_every_cut(&e, in, &out);
	if (at != FEED_SAME)
		fail_msg("a cut at %ld changes what is released", at);
	return out;
}

static void gives(struct span in, bool strict, struct span want)
{
	struct span out = released(in, strict);

	if (!span_eq(out, want))
		fail_msg("%.*s gives %.*s", (int)in.n, (const char *)in.p,
			 (int)out.n, (const char *)out.p);
}

#define GIVES(in, want) gives(SPAN_LIT(in), true, SPAN_LIT(want))

static void only_crlf_dot_crlf_ends(void **state)
{
	(void)state;
	GIVES(".\r\n", ".\r\n{e0}");
	GIVES("a\r\n.\r\nQUIT\r\n", "a\r\n.\r\n{e0}");
	GIVES("a\r\n.\r\n.\r\n", "a\r\n.\r\n{e0}");
	GIVES("\r\n.\r\n", "\r\n.\r\n{e0}");
	GIVES("a.\r\n.\r\n", "a.\r\n.\r\n{e0}");
	GIVES("a\r\n. \r\nb", "a\r\n. \r\nb");
	GIVES("a\r\n .\r\nb", "a\r\n .\r\nb");
	/* held until it is known what it is */
	GIVES("a\r\n.\r", "a\r\n");
	GIVES("a\r\n.", "a\r\n");
	GIVES("a\r", "a");
	GIVES(".", "");
	GIVES("", "");
}

static void stuffed_dots_stay(void **state)
{
	(void)state;
	GIVES("..\r\n.\r\n", "..\r\n.\r\n{e0}");
	GIVES("a\r\n..b\r\n...\r\n.\r\n", "a\r\n..b\r\n...\r\n.\r\n{e0}");
	/* not stuffed, not the end: a broken client, told as it came */
	GIVES(".b\r\n.\r\n", ".b\r\n.\r\n{e0}");
	GIVES("..\r\n..\r\n", "..\r\n..\r\n");
}

static void bare_cr_and_lf_stop_before_they_leave(void **state)
{
	(void)state;
	GIVES("a\nb", "a{r-102}");
	GIVES("\n", "{r-102}");
	GIVES("a\r\n\nb", "a\r\n{r-102}");
	GIVES("a\rb", "a{r-102}");
	GIVES("a\r\rb", "a{r-102}");
	GIVES("a\r\r\n.\r\n", "a{r-102}");
	GIVES("a\n.\n", "a{r-102}");
	GIVES("a\n.\r\n", "a{r-102}");
	GIVES("a\r\n.\n", "a\r\n.{r-102}");
	GIVES("a\r\n.\rb", "a\r\n.{r-102}");
	GIVES("a\r\n.\r\rb", "a\r\n.{r-102}");
	GIVES("a\r\n.\r.\r\n", "a\r\n.{r-102}");
	GIVES("a\r.\r\n", "a{r-102}");
	GIVES("a\r.\r", "a{r-102}");
}

/* Some receivers drop NUL, others end a line there: next to the dot that
 * begins a line it makes another end of data. */
static void nul_may_not_hide_a_dot(void **state)
{
	(void)state;
	GIVES("a\r\n\0.\r\nb", "a\r\n{r-100}");
	GIVES("a\r\n\0\0.\r\nb", "a\r\n{r-100}");
	GIVES("a\r\n.\0\r\nb", "a\r\n{r-100}");
	GIVES("a\r\n.\0x\r\nb", "a\r\n{r-100}");
	GIVES("\0.\r\nb", "{r-100}");
	GIVES("a\r\0\n.\r\nb", "a{r-102}");
	/* elsewhere it is an octet as any other */
	GIVES("a\0b\r\nx\0.\r\n.x\0\r\n.\r\n",
	      "a\0b\r\nx\0.\r\n.x\0\r\n.\r\n{e0}");
	GIVES("a\r\n..\0\r\n.\r\n", "a\r\n..\0\r\n.\r\n{e0}");
}

static void lenient_passes_all_but_the_end(void **state)
{
	(void)state;
	gives(SPAN_LIT("a\nb\rc\r\r\nd\r\n.\r\n"), false,
	      SPAN_LIT("a\nb\rc\r\r\nd\r\n.\r\n{e0}"));
	gives(SPAN_LIT("a\n.\r\nb\n.\nc\r.\r"), false,
	      SPAN_LIT("a\n.\r\nb\n.\nc\r."));
	gives(SPAN_LIT("a\r\n\0.\r\n.\0\r\n.\r\n"), false,
	      SPAN_LIT("a\r\n\0.\r\n.\0\r\n.\r\n{e0}"));
	gives(SPAN_LIT("a\r\n.\n.\r\n\r\n.\r\n"), false,
	      SPAN_LIT("a\r\n.\n.\r\n\r\n.\r\n{e0}"));
}

static void an_error_stays(void **state)
{
	struct smtp_data d;
	size_t safe;
	bool end;

	(void)state;
	smtp_data_init(&d, true);
	assert_int_equal(smtp_data_scan(&d, SPAN_LIT("a\nb"), &safe, &end),
			 E_PEER_EOL);
	assert_int_equal(safe, 1);
	assert_int_equal(smtp_data_scan(&d, SPAN_LIT(".\r\n"), &safe, &end),
			 E_PEER_EOL);
	assert_int_equal(safe, 0);
	assert_false(end);
}

/* What left of in: for each receiver the end is where we say, or nowhere. */
static void unambiguous(struct span in)
{
	struct span out = released(in, true);
	long want = MAIL_NO_END;

	if (out.n >= 4 && memcmp(out.p + out.n - 4, "{e0}", 4) == 0)
		want = (long)(out.n -= 4);
	else if (out.n >= 7 && memcmp(out.p + out.n - 7, "{r-10", 5) == 0)
		out.n -= 7;
	if (!span_eq(out, (struct span){ in.p, out.n }))
		fail_msg("released other octets than came in");
	for (unsigned r = 0; r < RECEIVERS; r++)
		if (mail_end(out, r) != want)
			fail_msg("receiver %u: end at %ld, not %ld of %zu", r,
				 mail_end(out, r), want, out.n);
}

/* Every string of five of these, at three places of a message. */
static void no_string_has_two_ends(void **state)
{
	static const char octet[] = { '\r', '\n', '.', '\0', 'x' };
	static const struct {
		const char *before, *after;
	} place[] = {
		{ "a\r\n", "b\r\n.\r\nQUIT\r\n" },
		{ "a", "\r\n.\r\nQUIT\r\n" },
		{ "", ".\r\nMAIL FROM:<>\r\n.\r\n" },
	};

	(void)state;
	for (unsigned k = 0; k < 3 * 3125; k++) {
		uint8_t in[64];
		size_t n = strlen(place[k % 3].before);
		unsigned v = k / 3;

		memcpy(in, place[k % 3].before, n);
		for (int i = 0; i < 5; i++, v /= 5)
			in[n++] = (uint8_t)octet[v % 5];
		memcpy(in + n, place[k % 3].after, strlen(place[k % 3].after));
		n += strlen(place[k % 3].after);
		unambiguous((struct span){ in, n });
	}
}

/* The receivers of mail_end.h are as lenient as they say, or the test above
 * proves nothing. */
static void receivers_differ(void **state)
{
	static const char lf[] = "a\n.\nb", lf_crlf[] = "a\n.\r\nb",
			  cr[] = "a\r.\rb", nul[] = "a\r\n\0.\r\nb",
			  nul2[] = "a\r\n.\0x\r\nb", nul3[] = "a\r\0\n.\r\n";

	(void)state;
#define END(s, r) mail_end(SPAN_LIT(s), r)
	for (unsigned r = 0; r < RECEIVERS; r++)
		assert_int_equal(END("a\r\n.\r\nb", r), 6);
	assert_int_equal(END(lf, 0), MAIL_NO_END);
	assert_int_equal(END(lf, SEES_LF), 4);
	assert_int_equal(END(lf_crlf, 0), MAIL_NO_END);
	assert_int_equal(END(lf_crlf, SEES_LF), 5);
	assert_int_equal(END(cr, SEES_LF), MAIL_NO_END);
	assert_int_equal(END(cr, SEES_CR), 4);
	assert_int_equal(END(nul, 0), MAIL_NO_END);
	assert_int_equal(END(nul, NUL_DROPS), 7);
	assert_int_equal(END(nul2, NUL_DROPS), MAIL_NO_END);
	assert_int_equal(END(nul2, NUL_CUTS), 8);
	assert_int_equal(END(nul3, NUL_DROPS), 7);
}

static void long_messages(void **state)
{
	static uint8_t in[3000];
	struct span out;

	(void)state;
	memset(in, 'x', sizeof(in));
	for (size_t i = 70; i + 10 < sizeof(in); i += 72)
		memcpy(in + i, "\r\n", 2);
	memcpy(in + sizeof(in) - 5, "\r\n.\r\n", 5);
	out = released((struct span){ in, sizeof(in) }, true);
	assert_int_equal(out.n, sizeof(in) + 4);
	assert_memory_equal(out.p, in, sizeof(in));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_dot_crlf_ends),
		cmocka_unit_test(stuffed_dots_stay),
		cmocka_unit_test(bare_cr_and_lf_stop_before_they_leave),
		cmocka_unit_test(nul_may_not_hide_a_dot),
		cmocka_unit_test(lenient_passes_all_but_the_end),
		cmocka_unit_test(an_error_stays),
		cmocka_unit_test(no_string_has_two_ends),
		cmocka_unit_test(receivers_differ),
		cmocka_unit_test(long_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
