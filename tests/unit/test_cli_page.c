/* SPDX-License-Identifier: BSD-2-Clause */
/* --More--: what is on the screen after which keys. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "cli/cli_page.h"
#include "terminal.h"

static struct terminal term;
static struct cli_page page;

/* Until it stops, in pieces of room octets. */
static enum cli_page_state go(size_t room)
{
	static char mem[8192];
	enum cli_page_state s = page.state;

	while (s == CLI_PAGE_GO) {
		struct text out;

		text_init(&out, mem, room);
		s = cli_page_next(&page, &out);
		assert_false(out.cut);
		term_put(&term, text_done(&out));
	}
	return s;
}

static enum cli_page_state key(uint8_t k)
{
	char mem[CLI_PAGE_OUT];
	struct text out;

	text_init(&out, mem, sizeof(mem));
	cli_page_key(&page, k, &out);
	assert_false(out.cut);
	term_put(&term, text_done(&out));
	return go(300);
}

static void numbers(char *to, unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		to += snprintf(to, 16, "line %u\n", i);
}

static void begin(const char *text, unsigned rows)
{
	term_init(&term);
	cli_page_init(&page, span_str(text), rows);
}

#define ROW(row, s) assert_string_equal(term_row(&term, row), s)

static void one_screen_after_the_other(void **state)
{
	char text[2000];

	(void)state;
	numbers(text, 100);
	for (size_t room = CLI_PAGE_OUT + 1; room < 2000; room += 333) {
		begin(text, 24);
		assert_int_equal(go(room), CLI_PAGE_MORE);
		ROW(0, "line 1");
		ROW(22, "line 23");
		ROW(23, "--More--");
		assert_int_equal(key(' '), CLI_PAGE_MORE);
		ROW(0, "line 24");
		ROW(22, "line 46");
		ROW(23, "--More--");
		assert_int_equal(key('\r'), CLI_PAGE_MORE);
		assert_int_equal(key('\n'), CLI_PAGE_MORE); /* of the same */
		ROW(22, "line 47");
		assert_int_equal(key('\n'), CLI_PAGE_MORE);
		ROW(22, "line 48");
		assert_int_equal(key('x'), CLI_PAGE_MORE);
		assert_int_equal(key(0x1b), CLI_PAGE_MORE);
		assert_int_equal(key('q'), CLI_PAGE_END);
		ROW(23, "");
		assert_int_equal(term.column, 0);
	}
}

static void what_fits_does_not_stop(void **state)
{
	char text[2000];

	(void)state;
	numbers(text, 23);
	begin(text, 24);
	assert_int_equal(go(500), CLI_PAGE_END);
	ROW(22, "line 23");
	numbers(text, 100);
	begin(text, 0);
	assert_int_equal(go(500), CLI_PAGE_END);
	ROW(22, "line 100");
	begin("", 24);
	assert_int_equal(go(500), CLI_PAGE_END);
	begin("no line end", 24);
	assert_int_equal(go(500), CLI_PAGE_END);
	ROW(0, "no line end");
	assert_int_equal(term.row, 1);
}

static void wide_lines_count_as_their_rows(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'x', 79 * 5);
	text[79 * 5] = '\0';
	begin(text, 4);
	assert_int_equal(go(500), CLI_PAGE_MORE);
	ROW(3, "--More--");
	assert_int_equal(strlen(term_row(&term, 2)), 79);
	assert_int_equal(key(' '), CLI_PAGE_END);
	assert_int_equal(strlen(term_row(&term, 4)), 79);
	/* exactly one row is one row */
	strcpy(text + 79, "\nend\n");
	begin(text, 0);
	assert_int_equal(go(500), CLI_PAGE_END);
	ROW(1, "end");
}

static void nothing_steers_the_terminal(void **state)
{
	(void)state;
	begin("a\x1b[2J\a\b\x7f\xff\xc2\x9b"
	      "b\xe2\x80\xae\r\tz \xc3\xa4\n",
	      24);
	assert_int_equal(go(500), CLI_PAGE_END);
	ROW(0, "a?[2J??????b?? z #");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_screen_after_the_other),
		cmocka_unit_test(what_fits_does_not_stop),
		cmocka_unit_test(wide_lines_count_as_their_rows),
		cmocka_unit_test(nothing_steers_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
