/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor: keys in, lines and a screen out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "cli/cli_edit.h"
#include "terminal.h"

static struct cli_edit e;
static struct terminal term;

static void start(unsigned flags)
{
	char mem[CLI_EDIT_OUT + 1];
	struct text out;

	cli_edit_init(&e);
	term_init(&term);
	text_init(&out, mem, sizeof(mem));
	cli_edit_begin(&e, "box# ", flags);
	cli_edit_show(&e, &out);
	term_put(&term, text_done(&out));
}

/* Feed until something happens or all is taken. */
static enum cli_edit_event feed(struct span *in)
{
	char mem[CLI_EDIT_OUT + 1];
	enum cli_edit_event ev;
	struct text out;
	size_t used;

	text_init(&out, mem, sizeof(mem));
	ev = cli_edit_feed(&e, *in, &used, &out);
	assert_false(out.cut);
	term_put(&term, text_done(&out));
	*in = span_skip(*in, used);
	return ev;
}

static enum cli_edit_event keys(const char *s)
{
	struct span in = span_str(s);
	enum cli_edit_event ev = feed(&in);

	assert_int_equal(in.n, 0);
	return ev;
}

static void show(void)
{
	char mem[CLI_EDIT_OUT + 1];
	struct text out;

	text_init(&out, mem, sizeof(mem));
	cli_edit_show(&e, &out);
	term_put(&term, text_done(&out));
}

static void again(unsigned flags)
{
	cli_edit_begin(&e, "box# ", flags);
	show();
}

#define LINE(s)	    assert_true(span_eq(cli_edit_line(&e), span_str(s)))
#define ROW(row, s) assert_string_equal(term_row(&term, row), s)

/* Keys, the line they make, and the column of the cursor in it. */
static const struct {
	const char *keys, *line;
	unsigned cursor;
} scripts[] = {
	{ "show", "show", 4 },
	{ "show\x01", "show", 0 },
	{ "show\x01\x05", "show", 4 },
	{ "how\x01s", "show", 1 },
	{ "shoow\b\bw", "show", 4 },
	{ "shoow\x7f\x7fw", "show", 4 },
	{ "abc\x02\x02\x04", "ac", 1 },
	{ "abc\x01\x06\x0b", "a", 1 },
	{ "abc def\x15", "", 0 },
	{ "abc def\x02\x15", "f", 0 },
	{ "abc def\x17", "abc ", 4 },
	{ "abc def  \x17\x17", "", 0 },
	{ "abc def\x17\x19\x19", "abc defdef", 10 },
	{ "ab\x14", "ba", 2 },
	{ "abc\x02\x14", "acb", 3 },
	{ "a\x14", "a", 1 },
	{ "abc\x1b[D\x1b[DX", "aXbc", 2 },
	{ "abc\x1bOD\x1bOC\x1bOCX", "abcX", 4 },
	{ "abc\x1b[HX\x1b[FY", "XabcY", 5 },
	{ "abc\x1bOHX\x1bOFY", "XabcY", 5 },
	{ "abc\x1b[1~X\x1b[4~Y", "XabcY", 5 },
	{ "abc\x1b[7~X\x1b[8~Y", "XabcY", 5 },
	{ "abc\x1b[D\x1b[3~", "ab", 2 },
	{ "ab cd\x1b[1;5DX", "ab Xcd", 4 },
	{ "ab cd\x01\x1b[1;5CX", "abX cd", 3 },
	{ "ab cd\x1b"
	  "bX\x1b"
	  "fY",
	  "ab XcdY", 7 },
	{ "ab cd\x01\x1b"
	  "d",
	  " cd", 0 },
	/* sequences without a meaning, cut off by CR or not at all */
	{ "a\x1b[200~b\x1b[201~", "ab", 2 },
	{ "a\x1b[[Ab\x1b[24~c\x1bOPd\x1bxe", "abcde", 5 },
	{ "a\x1b[1234567890123456789012345b", "a89012345b", 10 },
	{ "a\x11\x13\x16\x18\x12\x1c\x1d\x1e\x1f", "a", 1 },
	/* UTF-8: whole characters, wide ones, marks */
	{ "\xc3\xa4\xc3\xb6\x02\x02X", "X\xc3\xa4\xc3\xb6", 1 },
	{ "\xe4\xbe\x8b\xe3\x81\x88X", "\xe4\xbe\x8b\xe3\x81\x88X", 5 },
	{ "\xe4\xbe\x8b\xe3\x81\x88\b", "\xe4\xbe\x8b", 2 },
	{ "ae\xcc\x81\bX", "aX", 2 },
	{ "ae\xcc\x81"
	  "b\x02\x02X",
	  "aXe\xcc\x81"
	  "b",
	  2 },
	{ "\xc3\xa4\xc3\xb6\x14", "\xc3\xb6\xc3\xa4", 2 },
	/* noise */
	{ "a\xff\xfe\x80\xc3(b\xed\xa0\x80\xf5\x90", "a(b", 3 },
	{ "a\xc3\x1b[Db\xa4", "ba", 1 },
	{ "a\xe2\x80\xae"
	  "b\xef\xbb\xbf"
	  "c\xc2\x85",
	  "abc", 3 },
	/* a question mark that is text */
	{ "say \"why?\" \\", "say \"why?\" \\", 12 },
	{ "say \"a\\\"?", "say \"a\\\"?", 9 },
	{ "! why?", "! why?", 6 },
	{ "a # why?", "a # why?", 8 },
};

static void lines_and_screens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct span in = span_str(scripts[i].keys);

		start(0);
		assert_int_equal(keys(scripts[i].keys), CLI_EDIT_NONE);
		LINE(scripts[i].line);
		assert_int_equal(term.column, 5 + scripts[i].cursor);
		/* and octet by octet */
		start(0);
		for (size_t k = 0; k < in.n; k++) {
			struct span one = { in.p + k, 1 };

			assert_int_equal(feed(&one), CLI_EDIT_NONE);
		}
		LINE(scripts[i].line);
		assert_int_equal(term.column, 5 + scripts[i].cursor);
	}
	ROW(0, "box# a # why?");
}

static void every_line_end_ends_once(void **state)
{
	static const char text[] = "a\rb\nc\r\nd\n\ne\r\r\n";
	static const char *const want[] = { "a", "b", "c", "d", "", "e", "" };

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		size_t line = 0;

		start(0);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t n = sizeof(text) - 1 - at;
			struct span in = { (const uint8_t *)text + at,
					   n < piece ? n : piece };

			while (in.n > 0) {
				if (feed(&in) != CLI_EDIT_ENTER)
					continue;
				LINE(want[line]);
				line++;
				again(0);
			}
		}
		assert_int_equal(line, 7);
	}
	ROW(2, "box# c");
}

static void events(void **state)
{
	struct span in;

	(void)state;
	start(0);
	assert_int_equal(keys("sh\t"), CLI_EDIT_TAB);
	assert_true(span_eq(cli_edit_before(&e), SPAN_LIT("sh")));
	cli_edit_insert(&e, SPAN_LIT("ow "));
	show();
	ROW(0, "box# show");
	assert_int_equal(keys("?"), CLI_EDIT_HELP);
	LINE("show ");
	assert_int_equal(keys("\x04"), CLI_EDIT_NONE);
	assert_int_equal(term.bells, 1);
	assert_int_equal(keys("\x03"), CLI_EDIT_CANCEL);
	assert_int_equal(term.row, 1);
	again(0);
	assert_int_equal(keys("\x04"), CLI_EDIT_LEAVE);
	again(0);
	assert_int_equal(keys("x\x1a"), CLI_EDIT_END);
	/* ^C and CR work in the middle of anything */
	again(0);
	assert_int_equal(keys("\x1b[12\x03"), CLI_EDIT_CANCEL);
	again(0);
	assert_int_equal(keys("\x1b[12;\r"), CLI_EDIT_ENTER);
	again(0);
	assert_int_equal(keys("\xe4\xbe\r"), CLI_EDIT_ENTER);
	LINE("");
	again(0);
	in = SPAN_LIT("one\rtwo\r");
	assert_int_equal(feed(&in), CLI_EDIT_ENTER);
	assert_int_equal(in.n, 4);
}

static void history(void **state)
{
	char big[5000];

	(void)state;
	start(0);
	cli_edit_remember(&e, SPAN_LIT("one"));
	cli_edit_remember(&e, SPAN_LIT("two"));
	cli_edit_remember(&e, SPAN_LIT("two"));
	cli_edit_remember(&e, SPAN_LIT(""));
	again(0);
	keys("new\x10");
	LINE("two");
	keys("\x1b[A");
	LINE("one");
	keys("\x10");
	assert_int_equal(term.bells, 1);
	LINE("one");
	keys("!\x1bOB");
	LINE("two");
	keys("\x0e");
	LINE("new");
	keys("\x0e");
	assert_int_equal(term.bells, 2);
	/* what does not fit pushes the oldest out; what never fits is not
	 * kept */
	memset(big, 'x', sizeof(big));
	cli_edit_remember(&e, (struct span){ (uint8_t *)big, 5000 });
	cli_edit_remember(&e, (struct span){ (uint8_t *)big, 4000 });
	again(0);
	keys("\x10");
	assert_int_equal(cli_edit_line(&e).n, 4000);
	keys("\x10");
	assert_int_equal(cli_edit_line(&e).n, 4000);
	cli_edit_forget(&e);
	again(0);
	keys("\x10\x19");
	LINE("");
}

static bool holds(struct span secret)
{
	const uint8_t *p = (const uint8_t *)&e;

	for (size_t i = 0; i + secret.n <= sizeof(e); i++)
		if (memcmp(p + i, secret.p, secret.n) == 0)
			return true;
	return false;
}

static void secrets_leave_no_trace(void **state)
{
	(void)state;
	start(CLI_EDIT_SECRET);
	cli_edit_remember(&e, SPAN_LIT("old"));
	assert_int_equal(keys("tops\tecret?\x10\x02\x0b\x19t\x15\x19"),
			 CLI_EDIT_NONE);
	LINE("");
	ROW(0, "box#");
	assert_int_equal(keys("topsecret?"), CLI_EDIT_NONE);
	ROW(0, "box#");
	assert_int_equal(keys("\r"), CLI_EDIT_ENTER);
	LINE("topsecret?");
	again(0);
	assert_false(holds(SPAN_LIT("psecr")));
	ROW(0, "box#");
	ROW(1, "box#");
	assert_int_equal(keys("\x10"), CLI_EDIT_NONE);
	LINE("old");
}

static void passwords_are_stars(void **state)
{
	static const struct {
		const char *keys, *row;
	} rows[] = {
		{ "account a user u password hush!",
		  "account a user u password *****" },
		{ "acc a PASSWD \"h u\"", "acc a PASSWD *****" },
		{ "pasword h", "pasword *" },
		{ "password", "password" },
		{ "password  ", "password" },
		{ "password \xe5\xad\x97\xc3\xa4\x01\x06\x06", "password ***" },
		{ "password sealed", "password ******" },
		{ "password sealed AQ", "password sealed AQ" },
		{ "password sealed AQ password x",
		  "password sealed AQ password *" },
		{ "domain mypassword.example may",
		  "domain mypassword.example may" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[100] = "box# ";

		start(0);
		assert_int_equal(keys(rows[i].keys), CLI_EDIT_NONE);
		strcat(want, rows[i].row);
		ROW(0, want);
	}
	/* the cursor is where the character is, and what is typed is the line */
	start(0);
	keys("x password abc\x02\x02\x7fz");
	ROW(0, "box# x password ***");
	assert_int_equal(term.column, 5 + 12);
	LINE("x password zbc");
}

static void text_mode(void **state)
{
	(void)state;
	start(CLI_EDIT_TEXT);
	assert_int_equal(keys("a\tb?\x10"), CLI_EDIT_NONE);
	LINE("a b?");
	assert_int_equal(term.bells, 1);
}

static void overlong_lines_are_refused(void **state)
{
	static char big[CLI_EDIT_LINE + 2];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	start(0);
	big[CLI_EDIT_LINE] = '\0';
	assert_int_equal(keys(big), CLI_EDIT_NONE);
	assert_int_equal(term.bells, 0);
	assert_int_equal(keys("yy"), CLI_EDIT_NONE);
	assert_int_equal(term.bells, 1);
	/* taking one away does not make it whole */
	assert_int_equal(keys("\b\r"), CLI_EDIT_TOO_LONG);
	again(0);
	keys(big);
	keys("y\x15ok");
	assert_int_equal(keys("\r"), CLI_EDIT_ENTER);
	LINE("ok");
}

static void scrolls_sideways(void **state)
{
	(void)state;
	start(0);
	for (unsigned i = 0; i < 30; i++) {
		char part[8];

		snprintf(part, sizeof(part), "w%03u ", i);
		keys(part);
		assert_int_equal(term.row, 0);
	}
	assert_true(term_row(&term, 0)[5] == '<');
	assert_non_null(strstr(term_row(&term, 0), "w029"));
	keys("\x01");
	assert_int_equal(term.column, 5);
	assert_ptr_equal(strstr(term_row(&term, 0), "w000"),
			 term_row(&term, 0) + 5);
	assert_true(term_row(&term, 0)[78] == '>');
	for (int i = 0; i < 150; i++) {
		size_t at = e.at;

		/* the character under the cursor is the one it is on */
		assert_true(term.cell[0][term.column] ==
			    (at < e.n ? e.line[at] : ' '));
		keys("\x06");
	}
	for (int i = 0; i < 150; i++) {
		keys("\x02");
		assert_true(term.cell[0][term.column] == e.line[e.at]);
	}
}

static void messages_while_typing(void **state)
{
	char mem[CLI_EDIT_OUT + 1];
	struct text out;

	(void)state;
	start(0);
	keys("show st\x02");
	text_init(&out, mem, sizeof(mem));
	cli_edit_hide(&e, &out);
	text_str(&out, "the link is down\r\n");
	cli_edit_show(&e, &out);
	term_put(&term, text_done(&out));
	ROW(0, "the link is down");
	ROW(1, "box# show st");
	assert_int_equal(term.column, 11);
	text_init(&out, mem, sizeof(mem));
	cli_edit_leave(&e, &out);
	text_str(&out, "help\r\n");
	cli_edit_show(&e, &out);
	term_put(&term, text_done(&out));
	ROW(1, "box# show st");
	ROW(2, "help");
	ROW(3, "box# show st");
	assert_int_equal(term.column, 11);
	keys("\x0c");
	ROW(0, "box# show st");
	ROW(1, "");
	assert_int_equal(term.row, 0);
}

/* A paste costs about as much to show as it is long, however long the lines. */
static void paste_is_cheap(void **state)
{
	static char text[400000];
	struct span in = { (const uint8_t *)text, sizeof(text) };
	char mem[CLI_EDIT_OUT + 1];
	size_t written = 0, lines = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 4000; i < sizeof(text); i += 4000)
		text[i] = '\r';
	start(0);
	while (in.n > 0) {
		struct text out;
		size_t used, n = in.n < 512 ? in.n : 512;

		text_init(&out, mem, sizeof(mem));
		if (cli_edit_feed(&e, (struct span){ in.p, n }, &used, &out) ==
		    CLI_EDIT_ENTER) {
			lines++;
			cli_edit_begin(&e, "box# ", 0);
		}
		written += out.n;
		in = span_skip(in, used);
	}
	assert_int_equal(lines, 99);
	assert_true(written < sizeof(text) / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_and_screens),
		cmocka_unit_test(every_line_end_ends_once),
		cmocka_unit_test(events),
		cmocka_unit_test(history),
		cmocka_unit_test(secrets_leave_no_trace),
		cmocka_unit_test(passwords_are_stars),
		cmocka_unit_test(text_mode),
		cmocka_unit_test(overlong_lines_are_refused),
		cmocka_unit_test(scrolls_sideways),
		cmocka_unit_test(messages_while_typing),
		cmocka_unit_test(paste_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
