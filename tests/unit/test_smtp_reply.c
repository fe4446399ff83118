/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies: whole or not at all; what is broken stays broken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "feed.h"
#include "proto/smtp_reply.h"

struct reader {
	struct smtp_reply reply;
	size_t max;
	uint8_t mem[1 << 16];
};

static void begin(void *state)
{
	struct reader *r = state;

	/* The memory ends where the reply may end. */
	smtp_reply_init(&r->reply, r->mem + sizeof(r->mem) - r->max, r->max);
}

/* Each reply as it came with its code behind it; {r..} when broken. */
static void take(void *state, struct span in, struct feed_log *log)
{
	struct reader *r = state;
	bool broken = r->reply.err != OK;

	for (;;) {
		size_t used;
		int e = smtp_reply_feed(&r->reply, in, &used);

		assert_true(used <= in.n);
		in = span_skip(in, used);
		if (e == 1) {
			feed_bytes(log, smtp_reply_raw(&r->reply));
			feed_mark(log, 'c', r->reply.code);
			continue;
		}
		if (e < 0 && !broken)
			feed_mark(log, 'r', e);
		assert_true(e < 0 || in.n == 0);
		return;
	}
}

static struct reader reader;
static const struct feed_engine engine = { &reader, begin, take };

static void gives(size_t max, struct span in, struct span want)
{
	struct span out;
	long at;

	reader.max = max;
	at = feed_every_cut(&engine, in, &out);
	if (at != FEED_SAME)
		fail_msg("%.*s: cut at %ld", (int)in.n, (const char *)in.p, at);
	if (!span_eq(out, want))
		fail_msg("%.*s gives %.*s", (int)in.n, (const char *)in.p,
			 (int)out.n, (const char *)out.p);
}

#define GIVES(in, want) gives(512, SPAN_LIT(in), SPAN_LIT(want))

static void one_line_and_many(void **state)
{
	(void)state;
	GIVES("250 ok\r\n", "250 ok\r\n{c250}");
	GIVES("250\r\n", "250\r\n{c250}");
	GIVES("250 \r\n", "250 \r\n{c250}");
	GIVES("250-a\r\n250-\r\n250 c\r\n", "250-a\r\n250-\r\n250 c\r\n{c250}");
	GIVES("250-a\r\n250\r\n", "250-a\r\n250\r\n{c250}");
	GIVES("220 a\r\n554 b\r\n", "220 a\r\n{c220}554 b\r\n{c554}");
	GIVES("299 x\r\n599 x\r\n", "299 x\r\n{c299}599 x\r\n{c599}");
	GIVES("250 \xc3\xa4\t\x01\r\n", "250 \xc3\xa4\t\x01\r\n{c250}");
	/* not complete: nothing */
	GIVES("250-a\r\n", "");
	GIVES("250 a\r", "");
	GIVES("250 a", "");
	GIVES("250-a\r\n250", "");
	GIVES("", "");
}

static void broken_codes(void **state)
{
	static const char *const bad[] = {
		"\r\n",
		"2\r\n",
		"25\r\n",
		"2500 a\r\n",
		"ok\r\n",
		" 250 a\r\n",
		"150 a\r\n",
		"050 a\r\n",
		"650 a\r\n",
		"2a0 a\r\n",
		"25a a\r\n",
		"250a\r\n",
		"250\ta\r\n",
		"250_a\r\n",
		"250.a\r\n",
		"+OK\r\n",
		"SSH-2.0-x\r\n",
		"250--\r\n25\r\n",
		"250-a\r\n251 a\r\n",
		"250-a\r\n550 a\r\n",
		"250-a\r\n\r\n",
		"250-a\r\nb\r\n",
		"250-a\r\n 250 b\r\n",
		"354-a\r\n250 b\r\n",
		"HTTP/1.1 200 OK\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		gives(512, span_str(bad[i]), SPAN_LIT("{r-100}"));
	GIVES("220 a\r\n25\r\n250 b\r\n", "220 a\r\n{c220}{r-100}");
}

static void bare_cr_and_lf(void **state)
{
	(void)state;
	GIVES("250 a\n", "{r-102}");
	GIVES("\n", "{r-102}");
	GIVES("250-a\n250 b\r\n", "{r-102}");
	GIVES("250 a\rb\r\n", "{r-102}");
	GIVES("250 a\r\r\n", "{r-102}");
	GIVES("250-a\r\n\n250 b\r\n", "{r-102}");
	GIVES("250 a\r\n\n", "250 a\r\n{c250}{r-102}");
	GIVES("250 a\r250 b\r\n", "{r-102}");
}

static void nul_breaks_a_reply(void **state)
{
	(void)state;
	GIVES("250 a\0b\r\n", "{r-100}");
	GIVES("250\0\r\n", "{r-100}");
	GIVES("250-a\r\n250 \0\r\n", "{r-100}");
	GIVES("\0\r\n", "{r-100}");
	GIVES("250 a\r\0\n", "{r-102}");
}

static void an_error_stays(void **state)
{
	size_t used;

	(void)state;
	reader.max = 512;
	begin(&reader);
	assert_int_equal(
		smtp_reply_feed(&reader.reply, SPAN_LIT("x\r\n"), &used),
		E_PEER_SYNTAX);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(smtp_reply_feed(&reader.reply,
						 SPAN_LIT("250 a\r\n"), &used),
				 E_PEER_SYNTAX);
		assert_int_equal(used, 0);
	}
}

/* "250 xxx" of n octets with CRLF */
static struct span long_reply(char *to, size_t n)
{
	memcpy(to, "250 ", 4);
	memset(to + 4, 'x', n - 6);
	memcpy(to + n - 2, "\r\n", 2);
	return (struct span){ (uint8_t *)to, n };
}

static void limits_are_exact(void **state)
{
	static char in[1024];
	struct span out;

	(void)state;
	reader.max = 512;
	for (size_t n = 508; n <= 516; n++) {
		assert_int_equal(
			feed_every_cut(&engine, long_reply(in, n), &out),
			FEED_SAME);
		if (n > 512)
			assert_true(span_eq(out, SPAN_LIT("{r-103}")));
		else
			assert_int_equal(out.n, n + 6);
	}
}

static void a_reply_of_64_kib_and_an_endless_one(void **state)
{
	static char in[(1 << 16) + 4096];
	struct span out, s = { (uint8_t *)in, 1 << 16 };

	(void)state;
	reader.max = 1 << 16;
	/* 1023 lines of 64 and the last */
	for (size_t i = 0; i < sizeof(in); i += 64) {
		long_reply(in + i, 64);
		in[i + 3] = '-';
	}
	in[(1 << 16) - 64 + 3] = ' ';
	assert_int_equal(feed_cuts(&engine, s, 65000, 65100, &out), FEED_SAME);
	assert_int_equal(out.n, (1 << 16) + 6);
	/* one octet more does not fit, and "250-" for ever does not either */
	reader.max = (1 << 16) - 1;
	assert_true(span_eq(feed_whole(&engine, s), SPAN_LIT("{r-103}")));
	reader.max = 1 << 16;
	in[(1 << 16) - 64 + 3] = '-';
	s.n = sizeof(in);
	assert_int_equal(
		feed_cuts(&engine, s, (1 << 16) - 2, (1 << 16) + 2, &out),
		FEED_SAME);
	assert_true(span_eq(out, SPAN_LIT("{r-103}")));
	/* and without a line end */
	memset(in, '2', sizeof(in));
	assert_true(span_eq(feed_whole(&engine, s), SPAN_LIT("{r-103}")));
}

static void lines_of_a_reply(void **state)
{
	struct span raw = SPAN_LIT("250-a b\r\n250-\r\n250\r\n"), text;

	(void)state;
	assert_true(smtp_reply_line(&raw, &text));
	assert_true(span_eq(text, SPAN_LIT("a b")));
	assert_true(smtp_reply_line(&raw, &text));
	assert_int_equal(text.n, 0);
	assert_true(smtp_reply_line(&raw, &text));
	assert_int_equal(text.n, 0);
	assert_false(smtp_reply_line(&raw, &text));
}

static struct span put(uint16_t code, const char *enhanced, struct span text)
{
	static uint8_t mem[8192];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(smtp_reply_put(&b, code, enhanced, text), OK);
	return buf_span(&b);
}

static void our_own(void **state)
{
	(void)state;
	assert_true(span_eq(put(250, "2.0.0", SPAN_LIT("ok")),
			    SPAN_LIT("250 2.0.0 ok\r\n")));
	assert_true(span_eq(put(421, NULL, SPAN_LIT("bye")),
			    SPAN_LIT("421 bye\r\n")));
	assert_true(
		span_eq(put(250, NULL, SPAN_LIT("")), SPAN_LIT("250 \r\n")));
	/* nobody speaks through us */
	assert_true(span_eq(put(550, NULL, SPAN_LIT("a\r\n250 b\0\xc3\x7f")),
			    SPAN_LIT("550 a??250 b???\r\n")));
}

/* Whatever text, however long: it parses back, with its words. */
static void our_own_fold(void **state)
{
	static char text[2000];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		for (unsigned width = 7; width < 1200; width += 391) {
			struct span raw, line;
			size_t words = 0, got = 0;

			for (size_t i = 0; i < n; i++) {
				text[i] = i % width == width - 1 ? ' ' : 'w';
				words += text[i] == 'w';
			}
			raw = put(550, "5.7.5",
				  (struct span){ (uint8_t *)text, n });
			reader.max = sizeof(reader.mem);
			begin(&reader);
			assert_int_equal(smtp_reply_feed(&reader.reply, raw,
							 &(size_t){ 0 }),
					 1);
			raw = smtp_reply_raw(&reader.reply);
			assert_int_equal(reader.reply.code, 550);
			while (smtp_reply_line(&raw, &line)) {
				assert_true(line.n + 6 <= 512);
				assert_memory_equal(line.p, "5.7.5 ", 6);
				for (size_t i = 6; i < line.n; i++)
					got += line.p[i] == 'w';
			}
			assert_int_equal(got, words);
		}
	}
}

static void our_own_fits_whole_or_not_at_all(void **state)
{
	static char text[1500];
	static uint8_t mem[2048];
	size_t need;
	struct buf b;

	(void)state;
	memset(text, 'w', sizeof(text));
	need = put(550, "5.7.5", (struct span){ (uint8_t *)text, 1500 }).n;
	for (size_t room = 0; room <= need; room++) {
		buf_init(&b, mem, room);
		assert_int_equal(
			smtp_reply_put(&b, 550, "5.7.5",
				       (struct span){ (uint8_t *)text, 1500 }),
			room < need ? E_FULL : OK);
		assert_int_equal(buf_span(&b).n, room < need ? 0 : need);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_and_many),
		cmocka_unit_test(broken_codes),
		cmocka_unit_test(bare_cr_and_lf),
		cmocka_unit_test(nul_breaks_a_reply),
		cmocka_unit_test(an_error_stays),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(a_reply_of_64_kib_and_an_endless_one),
		cmocka_unit_test(lines_of_a_reply),
		cmocka_unit_test(our_own),
		cmocka_unit_test(our_own_fold),
		cmocka_unit_test(our_own_fits_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
