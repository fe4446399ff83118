/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of a session that is watched: the switch to TLS, what is cut, whom a
 * client names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "packet.h"
#include "proto/watch.h"

static struct watch_view v;
static char row[WATCH_ROWS][WATCH_ROW];

static unsigned show(enum port port, bool client, struct span data)
{
	unsigned n;

	memset(row, 'z', sizeof(row));
	n = watch_show(&v, port, client, pk_guard(data), row);
	assert_true(n <= WATCH_ROWS);
	for (unsigned i = 0; i < n; i++)
		assert_true(strnlen(row[i], WATCH_ROW) < WATCH_ROW);
	return n;
}

static void both_sides(void **state)
{
	(void)state;
	v.tls = false;
	assert_int_equal(show(INSIDE, true, SPAN_LIT("EHLO a\r\n")), 1);
	assert_string_equal(row[0], "> EHLO a                             |");
	assert_int_equal(show(OUTSIDE, false, SPAN_LIT("250-a\r\n250 b\r\n")),
			 2);
	assert_string_equal(row[0],
			    "                                     | < 250-a");
	assert_string_equal(row[1],
			    "                                     | < 250 b");
	assert_int_equal(show(INSIDE, false, SPAN_LIT("")), 0);
	/* what would steer a terminal */
	show(INSIDE, true, SPAN_LIT("a\x1b[2J\r\n"));
	assert_string_equal(row[0], "> a?[2J                              |");
}

static void the_switch(void **state)
{
	static const uint8_t hello[] = { 0x16, 3, 1, 0, 200, 1, 2, 3, 4, 5 };

	(void)state;
	v.tls = false;
	assert_int_equal(show(OUTSIDE, true, SPAN_LIT("STARTTLS\r\n")), 1);
	assert_int_equal(
		show(OUTSIDE, true, (struct span){ hello, sizeof(hello) }), 2);
	assert_non_null(strstr(row[0], "-+-- from here on TLS --"));
	assert_string_equal(row[1],
			    "                                     | > 16 "
			    "03 01 00 c8 01 02 03 ... 10 octets");
	/* only once, and text is octets now */
	assert_int_equal(show(OUTSIDE, false, SPAN_LIT("250 ok")), 1);
	assert_string_equal(row[0],
			    "                                     | < 32 "
			    "35 30 20 6f 6b ");
	assert_int_equal(show(INSIDE, true, SPAN_LIT("MAIL\r\n")), 1);
	assert_string_equal(row[0], "> MAIL                               |");
}

static void what_is_long(void **state)
{
	static char line[100], many[40 * 3];

	(void)state;
	v.tls = false;
	memset(line, 'x', sizeof(line));
	show(INSIDE, true, (struct span){ (uint8_t *)line, sizeof(line) });
	assert_int_equal(strlen(row[0]), 38);
	assert_int_equal(row[0][35], '~');
	for (size_t i = 0; i < sizeof(many); i += 3)
		memcpy(many + i, "a\r\n", 3);
	assert_int_equal(show(INSIDE, true,
			      (struct span){ (uint8_t *)many, sizeof(many) }),
			 WATCH_ROWS);
	assert_memory_equal(row[WATCH_ROWS - 1], "> ... 51 octets more", 20);
}

static bool names(const char *says, const char *domain)
{
	return watch_names(pk_guard(span_str(says)), span_str(domain));
}

static void whom_a_client_names(void **state)
{
	(void)state;
	assert_true(names("RCPT TO:<a@b.example>\r\n", "b.example"));
	assert_true(names("MAIL FROM:<x@y>\r\nrcpt to:<a@B.Example> X=1",
			  "b.example"));
	assert_false(names("MAIL FROM:<a@b.example>\r\n", "b.example"));
	assert_false(names("RCPT TO:<a@b.example.org>\r\n", "b.example"));
	assert_false(names("RCPT TO:<a@ab.example>\r\n", "b.example"));
	assert_false(names("RCPT TO:<a@b.example", "b.example"));
	assert_false(names("RCPT TO:<a>\r\n", "b.example"));
	assert_false(names("RCPT TO:<a@b.example>\r\n", ""));
	assert_false(names("RCPT", "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides),
		cmocka_unit_test(the_switch),
		cmocka_unit_test(what_is_long),
		cmocka_unit_test(whom_a_client_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
