/* SPDX-License-Identifier: BSD-2-Clause */
/* "| include ..." and its kind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "cli/cli_pipe.h"

static const char answer[] = "ports         inside up\n"
			     "sessions      now 3\n"
			     "last refusals\n"
			     "  a.example   Verify failed\n"
			     "  b.example   no STARTTLS\n"
			     "ca certificate\n"
			     "-----BEGIN CERTIFICATE-----\n"
			     "up/AAAA\n"
			     "-----END CERTIFICATE-----\n"
			     "domain up.example may";

static const struct {
	const char *line, *command, *out;
} good[] = {
	{ "show status", "show status", answer },
	{ "show | include now", "show ", "sessions      now 3\n" },
	{ "show | i VERIFY", "show ", "  a.example   Verify failed\n" },
	{ "show | inc \"E   v\" ", "show ", "  a.example   Verify failed\n" },
	{ "show | include last | count", "show ", "1 line\n" },
	{ "show | count", "show ", "10 lines\n" },
	{ "show | include now | xm", "show ", "sessions      now 3\n" },
	{ "show | count nothing", "show ", "0 lines\n" },
	{ "show | begin END", "show ",
	  "-----END CERTIFICATE-----\ndomain up.example may" },
	{ "show | section refusals", "show ",
	  "last refusals\n  a.example   Verify failed\n"
	  "  b.example   no STARTTLS\n" },
	{ "show | section ca cert", "show ",
	  "ca certificate\n-----BEGIN CERTIFICATE-----\nup/AAAA\n"
	  "-----END CERTIFICATE-----\n" },
	{ "show | section last | exclude a.ex | exclude last", "show ",
	  "  b.example   no STARTTLS\n" },
	/* a bar that is text */
	{ "show \"a | b\"", "show \"a | b\"", answer },
	{ "show a|b", "show a|b", answer },
	{ "show | include \"a | b\"", "show ", "" },
};

static const struct {
	const char *line, *why;
} bad[] = {
	{ "show |",
	  "column 7: one of: include exclude begin section count xmodem" },
	{ "show | foo x",
	  "column 8: \"foo\": one of: include exclude begin section count "
	  "xmodem" },
	{ "show | include", "column 15: the text to look for must follow" },
	{ "show | include \"\"",
	  "column 18: the text to look for must follow" },
	{ "show | count a | include b",
	  "column 18: \"include\": nothing can follow count or xmodem" },
	{ "show | xmodem | count",
	  "column 17: \"count\": nothing can follow count or xmodem" },
	{ "show | xmodem now",
	  "column 15: \"now\": nothing can follow xmodem" },
	{ "show | i a | i a | i a | i a | i a",
	  "column 32: \"i\": more than four" },
};

static void what_comes_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char *mem = malloc(sizeof(answer) + 32), w[200];
		struct text out, why;
		struct span command;
		struct cli_pipe p;

		assert_non_null(mem);
		text_init(&why, w, sizeof(w));
		text_init(&out, mem, sizeof(answer) + 32);
		assert_int_equal(cli_pipe_cut(span_str(good[i].line), &command,
					      &p, &why),
				 OK);
		assert_true(span_eq(command, span_str(good[i].command)));
		cli_pipe_run(&p, span_str(answer), &out);
		assert_string_equal(mem, good[i].out);
		free(mem);
	}
}

static void what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct span command;
		struct cli_pipe p;
		struct text why;
		char w[200];

		text_init(&why, w, sizeof(w));
		assert_int_equal(
			cli_pipe_cut(span_str(bad[i].line), &command, &p, &why),
			E_CONF);
		assert_string_equal(w, bad[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_out),
		cmocka_unit_test(what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
