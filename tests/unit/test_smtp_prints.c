/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which texts of a session are named as those that must not be readable, in every
 * cut of what the client says: "+" names, "-" allows the connection to be in clear.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "feed.h"
#include "gate_script.h"
#include "proto/smtp_prints.h"

enum { KEY = 0x2545f491 };

/* What the log calls them. */
static const char *const known[] = {
	"MAIL FROM:<me@corp.example>",
	"<me@corp.example>",
	"RCPT TO:<a@enc.example>",
	"<a@enc.example>",
	"RCPT TO:<b@may.example>",
	"<b@may.example>",
	"Subject: something",
	"and a line of the text that is longer than sixty-four octets are cut",
};

struct listener {
	struct smtp_prints p;
	bool tls;
};

static void begin(void *state)
{
	struct listener *l = state;

	memset(&l->p, 0, sizeof(l->p));
	smtp_prints_key(&l->p, KEY);
}

static void log_print(const struct print *p, struct feed_log *log)
{
	struct print k;
	size_t i = 0;

	for (; i < sizeof(known) / sizeof(known[0]); i++)
		if (print_of(KEY, span_str(known[i]), &k) && print_eq(&k, p))
			break;
	feed_mark(log, ' ', (long)i);
}

/* "=" in the input is a server that says 354. */
static void take(void *state, struct span in, struct feed_log *log)
{
	struct listener *l = state;

	while (in.n > 0) {
		const uint8_t *go = memchr(in.p, '=', in.n);
		struct span said = { in.p, go ? (size_t)(go - in.p) : in.n };

		in = span_skip(in, said.n + (go != NULL));
		while (said.n > 0) {
			struct smtp_prints_out out;
			size_t n = smtp_prints_feed(&l->p, said, l->tls,
						    &policy, &out);

			assert_true(n > 0 && n <= said.n);
			said = span_skip(said, n);
			if (out.clear)
				feed_bytes(log, SPAN_LIT("-"));
			for (size_t i = 0; i < out.n; i++) {
				if (!out.clear)
					feed_bytes(log, SPAN_LIT("+"));
				log_print(&out.print[i], log);
			}
		}
		if (go)
			smtp_prints_reply(&l->p,
					  SPAN_LIT("250 ok\r\n354 go\r\n"));
	}
}

static void script(bool tls, const char *says, const char *want)
{
	static struct listener l;
	const struct feed_engine engine = { &l, begin, take };
	struct span out;
	long r;

	l.tls = tls;
	r = feed_cuts(&engine, span_str(says), 0, strlen(says), &out);
	if (r != FEED_SAME)
		fail_msg("cut at %ld: %s", r, says);
	if (!span_eq(out, span_str(want)))
		fail_msg("%s\ngives %.*s\nnot   %s", says, (int)out.n,
			 (const char *)out.p, want);
}

#define MAIL "MAIL FROM:<me@corp.example>\r\n"
#define PROT "RCPT TO:<a@enc.example>\r\n"
#define MAY  "RCPT TO:<b@may.example>\r\n"
#undef TEXT
#define TEXT                                                                \
	"DATA\r\n=Subject: something\r\nshort\r\n\r\n"                      \
	"and a line of the text that is longer than sixty-four octets are " \
	"cut\r\n.\r\n"

static void in_clear(void **state)
{
	(void)state;
	script(false, "EHLO mail.corp.example\r\n" MAIL, "");
	script(false, MAIL PROT, "+{ 2}+{ 0}");
	script(false, MAIL MAY TEXT, "-{ 4}{ 0}{ 1}");
	/* the sender is a secret until somebody may hear it */
	script(false, MAIL PROT MAY PROT, "+{ 2}+{ 0}-{ 4}{ 0}{ 1}+{ 2}");
	script(false, MAIL MAY PROT, "-{ 4}{ 0}{ 1}+{ 2}");
	script(false, MAIL MAY MAIL PROT, "-{ 4}{ 0}{ 1}+{ 2}+{ 0}");
	/* all spellings of it */
	script(false,
	       "mail from: <me@corp.example> SIZE=100\r\n"
	       "rcpt To:<A@ENC.example>   NOTIFY=NEVER\r\n",
	       "+{ 2}+{ 0}");
	/* nobody's domain */
	script(false, MAIL "RCPT TO:<postmaster>\r\n", "-{ 8}{ 0}{ 1}");
}

static void in_tls(void **state)
{
	(void)state;
	script(true, MAIL MAY, "+{ 0}+{ 1}+{ 4}");
	script(true, MAIL PROT TEXT, "+{ 0}+{ 1}+{ 2}+{ 6}+{ 7}");
	/* after the text, commands again */
	script(true, MAIL PROT TEXT MAIL,
	       "+{ 0}+{ 1}+{ 2}+{ 6}+{ 7}+{ 0}+{ 1}");
	/* a command in the text is text */
	script(true, "DATA\r\n=" PROT "\r\n.\r\n", "+{ 2}");
	/* text that nobody asked for is none */
	script(true, "DATA\r\nSubject: something\r\n.\r\n", "");
}

/* What is behind the lines that are named: its end is heard all the same. */
#define DOTS                                                         \
	"no dot\r\nmid.dle\r\nthe end.\r\n..\r\n.. \r\n. \r\n.x\r\n" \
	"\r\r\n"
static void the_rest_of_a_text(void **state)
{
	char says[1024], want[256] = "";

	(void)state;
	script(false, MAIL MAY "DATA\r\n=" DOTS MAIL PROT "\r\n.\r\n",
	       "-{ 4}{ 0}{ 1}");
	script(false, MAIL MAY "DATA\r\n=" DOTS ".\r\n" MAIL PROT,
	       "-{ 4}{ 0}{ 1}+{ 2}+{ 0}");
	script(false, "DATA\r\n=.\r\n" MAIL PROT, "+{ 2}+{ 0}");
	script(false, "DATA\r\n=text\n.\n" MAIL PROT, "+{ 2}+{ 0}");
	strcpy(says, "DATA\r\n=");
	for (int i = 0; i < SMTP_PRINTS_LINES; i++) {
		strcat(says, "Subject: something\r\n");
		strcat(want, "+{ 6}");
	}
	strcat(says, "Subject: something\r\n" DOTS ".\r\n" MAIL);
	strcat(want, "+{ 0}+{ 1}");
	script(true, says, want);
}

/* What is said to be allowed when the session goes to another server. */
static void moves(bool tls, const char *says, const char *want)
{
	struct listener l = { .tls = tls };
	struct feed_log log = { .n = 0 };
	struct smtp_prints_out out;

	begin(&l);
	take(&l, span_str(says), &log);
	log.n = 0;
	assert_int_equal(smtp_prints_moved(&l.p, &out), want[0] == '-');
	if (out.clear)
		feed_bytes(&log, SPAN_LIT("-"));
	for (size_t i = 0; i < out.n; i++)
		log_print(&out.print[i], &log);
	if (!span_eq((struct span){ log.b, log.n }, span_str(want)))
		fail_msg("%s\ngives %.*s\nnot   %s", says, (int)log.n,
			 (const char *)log.b, want);
	/* once */
	assert_false(smtp_prints_moved(&l.p, &out));
}

static void elsewhere(void **state)
{
	(void)state;
	/* short addresses have no print of their own */
	moves(true, MAIL MAY, "-{ 4}{ 0}{ 1}");
	moves(true, MAIL PROT, "");
	moves(true, MAIL, "");
	/* the last recipient is the one it goes for */
	moves(true, MAIL MAY PROT, "");
	moves(true, MAIL PROT MAY, "-{ 4}{ 0}{ 1}");
	moves(true, MAIL MAY MAIL, "");
	/* in clear it was said when it was named */
	moves(false, MAIL MAY, "");
}

static void bounds(void **state)
{
	static char many[40000];
	struct listener l = { .tls = true };
	struct feed_log log = { .n = 0 };
	size_t n = 0, named = 0;

	(void)state;
	begin(&l);
	n += (size_t)sprintf(many, "DATA\r\n=");
	for (int i = 0; i < 100; i++)
		n += (size_t)sprintf(many + n, "X-Header: %0*d\r\n",
				     i == 50 ? 30000 : 20, i);
	take(&l, (struct span){ (uint8_t *)many, n }, &log);
	for (size_t i = 0; i < log.n; i++)
		named += log.b[i] == '+';
	assert_int_equal(named, SMTP_PRINTS_LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_clear),
		cmocka_unit_test(in_tls),
		cmocka_unit_test(the_rest_of_a_text),
		cmocka_unit_test(elsewhere),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
