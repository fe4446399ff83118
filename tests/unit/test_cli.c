/* SPDX-License-Identifier: BSD-2-Clause */
/* The matcher: abbreviations, arguments, modes, what it says about mistakes, and
 * what could come next. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/cli_match.h"

enum { A = 1, B = 2 };

static const struct cli_command rows[] = {
	{ "show", 0, A, "see", 0, 0, NULL },
	{ "show status", 1, A | B, "one screen", 0, 0, NULL },
	{ "show sessions", 2, A | B, "who", 0, 0, NULL },
	{ "show domain NAME", 3, A, "which line applies", 0, 0, NULL },
	{ "commit", 4, A | B, "do it", 0, 0, NULL },
	{ "commit confirmed", 5, A, "do it for now", 0, 0, NULL },
	{ "commit confirmed MINUTES", 6, A, "so long", 1, 1440, NULL },
	{ "help", 7, A, "this", 0, 0, NULL },
	{ "domain NAME may", 8, B, "a policy", 0, 0, NULL },
	{ "domain NAME verify ATTRIBUTES...", 9, B, "a stronger one", 0, 0,
	  "match min-tls on-fail" },
	{ "do COMMAND...", 10, B, "from here", 0, 0, NULL },
	{ "NAME", 0, 0, "a domain", 0, 0, NULL },
	{ "log", 11, A, "a word that begins another", 0, 0, NULL },
	{ "logout", 12, A, "", 0, 0, NULL },
	{ "com", 13, A, NULL, 0, 0, NULL }, /* not listed */
};
static const struct cli_table table = { rows, sizeof(rows) / sizeof(rows[0]) };

static const struct {
	const char *line;
	unsigned mode;
	int id; /* 0: nothing */
	const char *spelled;
} right[] = {
	{ "show status", A, 1, "show status" },
	{ "  sh \t STAT  ", A, 1, "show status" },
	{ "sh se", A, 2, "show sessions" },
	{ "s d a.example", A, 3, "show domain a.example" },
	{ "s d \"a  \\\" b\"", A, 3, "show domain \"a  \\\" b\"" },
	{ "c", A, 4, "commit" },
	{ "com", A, 13, "com" },
	{ "comm con", A, 5, "commit confirmed" },
	{ "comm con 1440", A, 6, "commit confirmed 1440" },
	{ "h", A, 7, "help" },
	{ "log", A, 11, "log" },
	{ "logo", A, 12, "logout" },
	{ "help ! not a word", A, 7, "help" },
	{ "s st #x", A, 1, "show status" },
	{ "", A, 0, "" },
	{ "  \t", A, 0, "" },
	{ "! comment", A, 0, "" },
	{ "dom a.example m", B, 8, "domain a.example may" },
	{ "dom a.example v", B, 9, "domain a.example verify" },
	{ "dom may v  match a  b ! c ", B, 9,
	  "domain may verify match a  b ! c" },
	{ "do", B, 10, "do" },
	{ "do show foo", B, 10, "do show foo" },
	{ "show status", B, 1, "show status" },
};

static const struct {
	const char *line;
	unsigned mode;
	size_t column;
	const char *why;
} wrong[] = {
	{ "show s", A, 6, "\"s\": could be several; one of: status sessions" },
	{ "show foo", A, 6,
	  "\"foo\": unknown; one of: status sessions domain" },
	{ "shoe status", A, 1,
	  "\"shoe\": unknown; one of: show commit help log logout" },
	{ "show", A, 5, "more must follow; one of: status sessions domain" },
	{ "show status now", A, 13, "\"now\": nothing more is expected here" },
	{ "show domain", A, 12, "more must follow; one of: NAME" },
	{ "show domain a b", A, 15, "\"b\": nothing more is expected here" },
	{ "comm con 0", A, 10, "\"0\": not a number from 1 to 1440" },
	{ "comm con 1441", A, 10, "\"1441\": not a number from 1 to 1440" },
	{ "comm con -1", A, 10, "\"-1\": not a number from 1 to 1440" },
	{ "comm con 99999999999999999999", A, 10,
	  "\"99999999999999999999\": not a number from 1 to 1440" },
	{ "help", B, 1, "\"help\": unknown; one of: show commit domain do" },
	{ "\"show\" status", A, 1,
	  "\"\"show\"\": unknown; one of: show commit help log logout" },
	{ "\xc3\xa4 x", A, 1,
	  "\"??\": unknown; one of: show commit help log logout" },
	{ "show domain \xc3\xa4 x", A, 15,
	  "\"x\": nothing more is expected here" },
	{ "show domain \"a b", A, 0, "" }, /* an open quote is one word */
};

static int match(const char *s, unsigned mode, struct cli_matched *m, char *mem)
{
	size_t n = strlen(s);
	uint8_t *line = malloc(n + 1); /* not a NUL behind it */
	char spelled[200];
	struct text why, out;
	int r;

	assert_non_null(line);
	memcpy(line, s, n);
	text_init(&why, mem, 300);
	text_init(&out, spelled, sizeof(spelled));
	r = cli_match(&table, mode, (struct span){ line, n }, m, &why);
	assert_true(r == OK ? why.n == 0 : why.n > 0);
	cli_spell(m, &out);
	if (r == OK)
		strcpy(mem, spelled);
	free(line);
	return r;
}

static void right_lines(void **state)
{
	char mem[300];
	struct cli_matched m;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_int_equal(match(right[i].line, right[i].mode, &m, mem),
				 OK);
		assert_int_equal(m.command ? m.command->id : 0, right[i].id);
		assert_string_equal(mem, right[i].spelled);
		/* what is spelled out means the same */
		match(right[i].spelled, right[i].mode, &m, mem);
		assert_int_equal(m.command ? m.command->id : 0, right[i].id);
		assert_string_equal(mem, right[i].spelled);
	}
}

static void wrong_lines(void **state)
{
	char mem[300];
	struct cli_matched m;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int r = match(wrong[i].line, wrong[i].mode, &m, mem);

		if (wrong[i].column == 0) {
			assert_int_equal(r, OK);
			continue;
		}
		assert_int_equal(r, E_CONF);
		assert_null(m.command);
		assert_string_equal(mem, wrong[i].why);
		assert_int_equal(m.column, wrong[i].column);
	}
}

/* Any unique abbreviation of every keyword is that keyword. */
static void abbreviations(void **state)
{
	char mem[300], line[100];
	struct cli_matched m;

	(void)state;
	for (size_t i = 0; i < table.n; i++) {
		const char *w = rows[i].words, *sp = strchr(w, ' ');
		int first = sp ? (int)(sp - w) : (int)strlen(w);

		if (rows[i].id == 0 || rows[i].id == 6 || !rows[i].help)
			continue;
		for (int cut = 4; cut <= first; cut++) {
			snprintf(line, sizeof(line), "%.*s%s", cut, w,
				 sp ? sp : "");
			assert_int_equal(
				match(line, rows[i].modes & A ? A : B, &m, mem),
				OK);
			assert_int_equal(m.command->id, rows[i].id);
		}
	}
}

static void long_lines(void **state)
{
	static char line[5000];
	char mem[300];
	struct cli_matched m;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(match(line, A, &m, mem), E_CONF);
	for (size_t i = 0; i < sizeof(line) - 1; i += 2)
		line[i] = ' ';
	assert_int_equal(match(line, A, &m, mem), E_CONF);
}

/* What is before the cursor, what could stand there, and what TAB adds. */
static const struct {
	const char *before;
	unsigned mode;
	const char *options; /* * in front: complete */
	const char *tab;
} next[] = {
	{ "", A, "show commit help log logout", "" },
	{ "s", A, "show", "how " },
	{ "S", A, "show", "how " },
	{ "lo", A, "log logout", "g" },
	{ "log", A, "log logout", "" },
	{ "show", A, "show", " " },
	{ "show ", A, "status sessions domain", "" },
	{ "show s", A, "status sessions", "" },
	{ "show se", A, "sessions", "ssions " },
	{ "sh  st", A, "status", "atus " },
	{ "show status ", A, "*", "" },
	{ "show status x", A, "", "" },
	{ "foo ", A, "", "" },
	{ "foo", A, "", "" },
	{ "show domain ", A, "NAME", "" },
	{ "show domain a", A, "NAME", " " },
	{ "commit ", A, "*confirmed", "confirmed " },
	{ "commit confirmed ", A, "*MINUTES", "" },
	{ "", B, "show commit domain do", "" },
	{ "d", B, "domain do", "o" },
	{ "domain a.example ", B, "may verify", "" },
	{ "domain a.example ver", B, "verify", "ify " },
	{ "domain a.example verify ", B, "*ATTRIBUTES... match min-tls on-fail",
	  "" },
	{ "domain a.example verify m", B, "*ATTRIBUTES... match min-tls", "" },
	{ "domain a.example verify match", B, "*ATTRIBUTES... match", " " },
	{ "domain a.example verify match a.b on", B, "*ATTRIBUTES... on-fail",
	  "-fail " },
	{ "domain a.example verify match a.b", B, "*ATTRIBUTES...", " " },
};

static void what_could_come_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		static struct cli_options o;
		char mem[300], tab[100];
		struct text t, add;

		cli_options(&table, next[i].mode, span_str(next[i].before), &o);
		text_init(&t, mem, sizeof(mem));
		text_init(&add, tab, sizeof(tab));
		text_str(&t, o.complete ? "*" : "");
		for (size_t k = 0; k < o.n; k++) {
			text_str(&t, k > 0 ? " " : "");
			text_span(&t, o.option[k].word);
		}
		assert_string_equal(mem, next[i].options);
		cli_complete(&o, &add);
		assert_string_equal(tab, next[i].tab);
	}
}

static void help_is_that_of_the_word(void **state)
{
	static struct cli_options o;
	char mem[1000];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	cli_options(&table, A, SPAN_LIT("s"), &o);
	cli_print_options(&o, &t);
	cli_options(&table, A, SPAN_LIT("show d"), &o);
	cli_print_options(&o, &t);
	cli_options(&table, A, SPAN_LIT("show domain "), &o);
	cli_print_options(&o, &t);
	cli_options(&table, A, SPAN_LIT("commit confirmed "), &o);
	cli_print_options(&o, &t);
	assert_string_equal(mem, "  show               see\n"
				 "  domain             which line applies\n"
				 "  NAME               a domain\n"
				 "  MINUTES            so long, 1..1440\n"
				 "  <Enter>            \n");
	text_init(&t, mem, sizeof(mem));
	cli_print_commands(&table, B, &t);
	assert_non_null(strstr(mem, "  domain NAME may    a policy\n"));
	assert_null(strstr(mem, "help"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_lines),
		cmocka_unit_test(wrong_lines),
		cmocka_unit_test(abbreviations),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(what_could_come_next),
		cmocka_unit_test(help_is_that_of_the_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
