/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message through a buffer that is smaller than it, in every cut: what leaves
 * is what came, up to its end and not beyond; what is refused leaves no further.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "feed.h"
#include "proto/smtp_message.h"

enum { ROOM = 11 };

struct stream {
	struct smtp_message m;
	struct buf out;
	uint8_t mem[ROOM];
	bool strict, refuse_at_once, over;
	const char *most; /* no more than this may leave, when refused */
	size_t left_n;
};

static void begin(void *state)
{
	struct stream *s = state;

	smtp_message_begin(&s->m, s->strict);
	buf_init(&s->out, s->mem, sizeof(s->mem));
	s->over = false;
	s->left_n = 0;
	if (s->refuse_at_once)
		smtp_message_refuse(&s->m, &s->out);
}

/* How much of a message that is refused has left already depends on how it
 * came; what it is does not. */
static void leaves(struct stream *s, struct feed_log *log)
{
	struct span ready = smtp_message_ready(&s->m, &s->out);

	if (s->most) {
		assert_true(ready.n <= strlen(s->most) - s->left_n);
		assert_memory_equal(ready.p, s->most + s->left_n, ready.n);
		s->left_n += ready.n;
	} else {
		feed_bytes(log, ready);
	}
	buf_drop(&s->out, ready.n);
}

static size_t text(struct stream *s, struct span in, struct feed_log *log)
{
	size_t taken;
	int r = smtp_message_take(&s->m, &s->out, in, &taken);

	leaves(s, log);
	if (r == 1) {
		s->over = true;
		assert_int_equal(buf_span(&s->out).n, 0);
		feed_mark(log, 'e', 0);
	} else if (r < 0) {
		feed_mark(log, 'r', r);
		smtp_message_refuse(&s->m, &s->out);
	} else {
		assert_true(taken > 0);
	}
	return taken;
}

/* Logs what leaves, {e0} at the end, {r..} when it has to be refused. */
static void take(void *state, struct span in, struct feed_log *log)
{
	struct stream *s = state;

	while (in.n > 0 && !s->over) {
		size_t taken;

		if (!s->m.swallowing) {
			in = span_skip(in, text(s, in, log));
			continue;
		}
		s->over = smtp_message_swallow(&s->m, &s->out, in, &taken);
		assert_true(taken > 0);
		in = span_skip(in, taken);
		if (s->over)
			feed_mark(log, 'e', 0);
	}
	assert_int_equal(smtp_message_ready(&s->m, &s->out).n, 0);
}

static void run(struct stream *s, const char *in, const char *want)
{
	const struct feed_engine e = { s, begin, take };
	struct span out;
	long at = feed_every_cut(&e, span_str(in), &out);

	if (at != FEED_SAME)
		fail_msg("a cut at %ld changes what leaves", at);
	assert_int_equal(out.n, strlen(want));
	assert_memory_equal(out.p, want, out.n);
}

static void gives(const char *in, bool strict, bool refused, const char *want)
{
	static struct stream s;

	s = (struct stream){ .strict = strict, .refuse_at_once = refused };
	run(&s, in, want);
}

static void refuses(const char *in, const char *most, const char *want)
{
	static struct stream s;

	s = (struct stream){ .strict = true, .most = most };
	run(&s, in, want);
}

static void what_came_leaves_up_to_the_end(void **state)
{
	(void)state;
	gives(".\r\n", true, false, ".\r\n{e0}");
	gives("a\r\n.\r\nQUIT\r\n", true, false, "a\r\n.\r\n{e0}");
	gives("a long line of text\r\n..\r\n\r\n.x\r\n.\r\n.\r\n", true, false,
	      "a long line of text\r\n..\r\n\r\n.x\r\n.\r\n{e0}");
	gives("never an end\r\n.", true, false, "never an end\r\n");
	gives("a\n.\nb\r\n.\r\n", false, false, "a\n.\nb\r\n.\r\n{e0}");
}

static void what_is_refused_leaves_no_further(void **state)
{
	(void)state;
	refuses("text\n.\r\nQUIT\r\n", "text", "{r-102}");
	refuses("text\n.\r\nmore\r\n.\r\nQUIT\r\n", "text", "{r-102}{e0}");
	refuses("text\r\n.\rx\r\n.\r\n", "text\r\n.", "{r-102}{e0}");
	refuses("a\rb\r\n.\r\n", "a", "{r-102}{e0}");
}

static void a_refused_message_is_taken_to_its_end(void **state)
{
	(void)state;
	gives("text\r\nof several lines\r\n..\r\n.\r\nQUIT\r\n", true, true,
	      "{e0}");
	gives("a\n.\nb\r\n.\r\n", true, true, "{e0}");
	gives("never an end\r\n.", true, true, "");
}

static void octets_are_counted(void **state)
{
	static struct stream s;
	size_t taken;

	(void)state;
	s.strict = true;
	begin(&s);
	assert_int_equal(
		smtp_message_take(&s.m, &s.out, SPAN_LIT("ab\r\n."), &taken),
		0);
	assert_int_equal(taken, 5);
	assert_int_equal(s.m.bytes, 4);
	assert_int_equal(s.m.progress, 5);
	assert_int_equal(
		smtp_message_take(&s.m, &s.out, SPAN_LIT("\r\nRSET"), &taken),
		1);
	assert_int_equal(taken, 2);
	assert_int_equal(s.m.bytes, 7);
	assert_int_equal(smtp_message_ready(&s.m, &s.out).n, 7);
	/* a full buffer takes nothing */
	begin(&s);
	assert_int_equal(smtp_message_take(&s.m, &s.out,
					   SPAN_LIT("0123456789abcdef"),
					   &taken),
			 0);
	assert_int_equal(taken, ROOM);
	assert_int_equal(smtp_message_take(&s.m, &s.out, SPAN_LIT("x"), &taken),
			 0);
	assert_int_equal(taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_leaves_up_to_the_end),
		cmocka_unit_test(what_is_refused_leaves_no_further),
		cmocka_unit_test(a_refused_message_is_taken_to_its_end),
		cmocka_unit_test(octets_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
