/* SPDX-License-Identifier: BSD-2-Clause */
/* A command line: which verb, what follows, and what is no command at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "packet.h"
#include "proto/smtp_cmd.h"

static struct smtp_cmd parsed(struct span line)
{
	struct span s = pk_guard(line);
	struct smtp_cmd c = smtp_cmd_parse(s);

	assert_true(c.arg.p >= s.p && c.arg.p + c.arg.n <= s.p + s.n);
	return c;
}

static void is(const char *line, enum smtp_verb verb, const char *arg)
{
	struct smtp_cmd c = parsed(span_str(line));

	if (c.verb != verb)
		fail_msg("\"%s\" is verb %d, not %d", line, c.verb, verb);
	if (!span_eq(c.arg, span_str(arg)))
		fail_msg("\"%s\": \"%.*s\"", line, (int)c.arg.n,
			 (const char *)c.arg.p);
}

static void verbs(void **state)
{
	static const struct {
		const char *word;
		enum smtp_verb verb;
	} known[] = {
		{ "EHLO", VERB_EHLO },	       { "HELO", VERB_HELO },
		{ "MAIL", VERB_MAIL },	       { "RCPT", VERB_RCPT },
		{ "DATA", VERB_DATA },	       { "BDAT", VERB_BDAT },
		{ "RSET", VERB_RSET },	       { "NOOP", VERB_NOOP },
		{ "QUIT", VERB_QUIT },	       { "VRFY", VERB_VRFY },
		{ "EXPN", VERB_EXPN },	       { "HELP", VERB_HELP },
		{ "STARTTLS", VERB_STARTTLS }, { "AUTH", VERB_AUTH },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char line[32];

		/* in every mixture of cases */
		for (unsigned mask = 0; mask < 256; mask++) {
			strcpy(line, known[i].word);
			for (size_t k = 0; line[k] != '\0'; k++)
				if (mask >> k & 1)
					line[k] = (char)(line[k] | 32);
			is(line, known[i].verb, "");
		}
		/* one letter less, one more, is another word */
		line[strlen(line) - 1] = '\0';
		is(line, VERB_UNKNOWN, "");
		strcpy(line, known[i].word);
		strcat(line, "X");
		is(line, VERB_UNKNOWN, "");
	}
}

static void arguments(void **state)
{
	(void)state;
	is("EHLO a.example", VERB_EHLO, "a.example");
	is("EHLO   a.example   ", VERB_EHLO, "a.example");
	is("MAIL FROM:<> SIZE=1", VERB_MAIL, "FROM:<> SIZE=1");
	is("DATA ", VERB_DATA, "");
	is("BDAT 100 LAST", VERB_BDAT, "100 LAST");
	is("NOOP \xc3\xa4", VERB_NOOP, "\xc3\xa4");
}

static void what_is_not_ours_is_unknown(void **state)
{
	static const char *const lines[] = {
		"TURN",
		"ATRN",
		"ETRN x",
		"XEXCH50 2 2",
		"X-ANONYMOUSTLS",
		"BURL imap://x LAST",
		"XCLIENT NAME=x",
		"XFORWARD",
		"SEND",
		"SAML",
		"SOML",
		"X-LINK2STATE",
		"",
		"DATA.",
		"QUIT;",
		"MAIL\tFROM:<>",
		"RCPT\tTO:<u@d.example>",
		"DATA\t",
		"MAILFROM:<>",
		"EHLO,",
		"\xc3\xa4",
		"D\xc2\xa0TA",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parsed(span_str(lines[i])).verb != VERB_UNKNOWN)
			fail_msg("%s", lines[i]);
	/* a blank before the verb: no server takes it the same */
	assert_int_equal(parsed(SPAN_LIT(" QUIT")).verb, VERB_UNKNOWN);
}

static void other_protocols_are_foreign(void **state)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1",
		"POST /x HTTP/1.1",
		"PUT / HTTP/1.0",
		"HEAD /",
		"OPTIONS *",
		"CONNECT a:25 HTTP/1.1",
		"DELETE /",
		"PATCH /",
		"TRACE /",
		"PRI * HTTP/2.0",
		"get /",
		"USER x",
		"Host: a.example",
		"HOST:",
		"SSH-2.0-x",
		"SSH-",
		"\x16\x03\x01\x02",
		"\x16",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parsed(span_str(lines[i])).verb != VERB_FOREIGN)
			fail_msg("%s", lines[i]);
	assert_int_equal(parsed(SPAN_LIT("\x16\x03\x01\0\0")).verb,
			 VERB_FOREIGN);
}

static void controls_are_garbage(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t line[] = "NOOP abcd";
		enum smtp_verb want = VERB_NOOP;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			want = VERB_GARBAGE;
		for (size_t at = 5; at < sizeof(line) - 1; at++) {
			memcpy(line, "NOOP abcd", 9);
			line[at] = (uint8_t)c;
			if (parsed((struct span){ line, 9 }).verb != want)
				fail_msg("octet %02x at %zu", c, at);
		}
	}
	assert_int_equal(parsed(SPAN_LIT("DATA\0")).verb, VERB_GARBAGE);
	assert_int_equal(parsed(SPAN_LIT("\0QUIT")).verb, VERB_GARBAGE);
	assert_int_equal(parsed(SPAN_LIT("QUIT\r")).verb, VERB_GARBAGE);
	assert_int_equal(parsed(SPAN_LIT("GET / \x01")).verb, VERB_GARBAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs),
		cmocka_unit_test(arguments),
		cmocka_unit_test(what_is_not_ours_is_unknown),
		cmocka_unit_test(other_protocols_are_foreign),
		cmocka_unit_test(controls_are_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
