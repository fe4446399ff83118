/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inbound gate: conversations as they should be, STARTTLS, and senders who
 * must come protected.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "gate_in_talk.h"

/* --- a conversation --------------------------------------------------------------- */

static void a_message_in_clear(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ C, TEXT ".\r\n" },
		{ TO_S, TEXT ".\r\n" },
		{ TO_C, "" },
		{ S, "250-2.0.0 taken\r\n250 2.0.0 queued\r\n" },
		{ TO_C, "250-2.0.0 taken\r\n250 2.0.0 queued\r\n" },
		{ EVENT, "message o.example" },
		ASK("QUIT\r\n", "221 2.0.0 bye\r\n"),
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

static void a_message_in_tls(void **state)
{
	static const struct step s[] = {
		IN_TLS("1.2"),
		ENVELOPE("tls.example"),
		{ C, TEXT ".\r\n" },
		{ TO_S, TEXT ".\r\n" },
		{ S, "451 4.3.0 later\r\n" },
		{ TO_C, "451 4.3.0 later\r\n" },
		{ EVENT, "message refused tls.exampleprotected" },
		ENVELOPE("o.example"),
		{ C, TEXT ".\r\n" },
		{ TO_S, TEXT ".\r\n" },
		{ S, "250 2.0.0 taken\r\n" },
		{ TO_C, "250 2.0.0 taken\r\n" },
		{ EVENT, "message o.exampleprotected" },
		{ WISH, "nothing" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* Whatever the client says at once, the server hears one command at a time, and
 * the message only after it was asked for. */
static void a_client_that_does_not_wait(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<>\r\n" },
		{ TO_S, "MAIL FROM:<>\r\n" },
		{ S, "250 1\r\n" },
		{ C, "NOOP\r\n" },
		{ TO_S, "NOOP\r\n" },
		{ S, "250 2\r\n" },
		{ C, "RCPT TO:<b@in.example>\r\n" },
		{ TO_S, "RCPT TO:<b@in.example>\r\n" },
		{ S, "550 5.1.1 nobody\r\n" },
		{ TO_C, "250 1\r\n250 2\r\n550 5.1.1 nobody\r\n" },
		ASK("DATA\r\n", "554 5.5.1 no recipient\r\n"),
		ASK("RSET\r\n", "250 2.0.0 ok\r\n"),
		ASK("VRFY b\r\n", "252 2.0.0 try\r\n"),
		ASK("EXPN b\r\n", "502 5.5.1 no\r\n"),
		ASK("HELP\r\n", "214-so\r\n214 it is\r\n"),
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* Commands that come while the reply to another is awaited are not taken. */
static void one_command_at_a_time(void **state)
{
	void *mem = malloc(smtp_gate_in_size());
	struct gate_in_start start = { .now_ms = 1 };
	static const char both[] = "NOOP\r\nRSET\r\nQUIT\r\n";
	struct smtp_gate_in *g = smtp_gate_in_init(mem, &plain, &start);
	struct span s = SPAN_LIT(both);

	(void)state;
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("220 in\r\n"));
	assert_int_equal(smtp_gate_in_feed(g, CLIENT, s), 6);
	assert_false(smtp_gate_in_hungry(g, CLIENT));
	assert_int_equal(smtp_gate_in_feed(g, CLIENT, span_skip(s, 6)), 0);
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("250 ok\r\n"));
	assert_int_equal(smtp_gate_in_feed(g, CLIENT, span_skip(s, 6)), 6);
	assert_true(span_eq(smtp_gate_in_out(g, SERVER),
			    SPAN_LIT("NOOP\r\nRSET\r\n")));
	free(mem);
}

static void a_server_without_ehlo_gets_tls_all_the_same(void **state)
{
	static const struct step s[] = {
		GREETED,
		{ C, "EHLO c.example\r\n" },
		{ TO_S, "EHLO c.example\r\n" },
		{ S, "500 what\r\n" },
		{ TO_C, "" },
		{ TO_S, "HELO c.example\r\n" },
		{ S, "250 in.example\r\n" },
		{ TO_C,
		  "250-in.example\r\n250-STARTTLS\r\n250 PIPELINING\r\n" },
		{ C, "STARTTLS\r\n" },
		{ TO_C, "220 ready to start TLS\r\n" },
		{ TLS, "1.3" },
		{ C, "EHLO c.example\r\n" },
		{ S, "500 what\r\n" },
		{ S, "250 in.example\r\n" },
		{ TO_C, "250-in.example\r\n250 PIPELINING\r\n" },
		{ END, NULL },
	};
	static const struct step refused[] = {
		GREETED,
		{ C, "EHLO c.example\r\n" },
		{ S, "550 5.7.1 not you\r\n" },
		{ S, "550 5.7.1 not you either\r\n" },
		{ TO_C, "550 5.7.1 not you either\r\n" },
		{ C, "MAIL FROM:<a@o.example>\r\n" },
		{ TO_C, "503 say EHLO first\r\n" },
		{ END, NULL },
	};
	static const struct step helo[] = {
		GREETED,
		ASK("HELO c.example\r\n", "250 in.example\r\n"),
		ASK("MAIL FROM:<a@o.example>\r\n", "250 ok\r\n"),
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(refused);
	run(helo);
}

/* --- the port for protected sessions ---------------------------------------------- */
static void no_mail_in_clear_on_its_port(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@any.example>\r\n" },
		{ TO_C, "530 5.7.0 on this port mail must come inside TLS; say "
			"STARTTLS first\r\n" },
		{ C, "RCPT TO:<b@in.example>\r\n" },
		{ TO_S, "RCPT TO:<b@in.example>\r\n" },
		{ END, NULL },
	};
	static const struct step tls[] = {
		IN_TLS("1.3"),
		ENVELOPE("any.example"),
		{ END, NULL },
	};

	(void)state;
	tls_only = true;
	run(s);
	run_on(s, &plain, true);
	/* The port was taken away since, and "inbound tls pass" is new. */
	run_on(s, &passing, true);
	run(tls);
	tls_only = false;
}

/* --- other boxes ------------------------------------------------------------------ */
#define CAPS_BOX "250-in.example\r\n250-XSEALWIRE\r\n250 SIZE\r\n"

/* Inside TLS the client is told that this is a box, and never what the server
 * inside says of itself. */
static void a_box_says_so_inside_tls_alone(void **state)
{
	static const struct step s[] = {
		GREETED,
		{ C, "EHLO c.example\r\n" },
		{ S, CAPS_BOX },
		{ TO_C, "250-in.example\r\n250-SIZE\r\n250-STARTTLS\r\n"
			"250 PIPELINING\r\n" },
		{ C, "STARTTLS\r\n" },
		{ TO_C, "220 ready to start TLS\r\n" },
		{ TLS, "1.3" },
		{ C, "EHLO c.example\r\n" },
		{ TO_S, "EHLO c.example\r\nEHLO c.example\r\n" },
		{ S, CAPS_BOX },
		{ TO_C, "250-in.example\r\n250-SIZE\r\n250-XSEALWIRE\r\n"
			"250 PIPELINING\r\n" },
		{ C, "EHLO c.example\r\n" },
		{ S, "500 what\r\n" },
		{ S, "250 in.example\r\n" },
		{ TO_C, "250-in.example\r\n250-XSEALWIRE\r\n"
			"250 PIPELINING\r\n" },
		{ C, "XSEALWIRE\r\n" },
		{ TO_C, "502 command not offered\r\n" },
		{ END, NULL },
	};
	static const struct step off[] = {
		IN_TLS("1.3"),
		{ C, "EHLO c.example\r\n" },
		{ S, CAPS_BOX },
		{ TO_C, "250-in.example\r\n250-SIZE\r\n250 PIPELINING\r\n" },
		{ END, NULL },
	};

	(void)state;
	run_on(s, &boxes, true);
	run(off);
}

#define BOX_IN_TLS                                                      \
	GREETED, { C, "STARTTLS\r\n" },                                 \
		{ TO_C, "220 ready to start TLS\r\n" }, { TLS, "1.3" }, \
		{ EVENT, "tls up " }, { C, "EHLO c.example\r\n" },      \
		{ TO_S, "EHLO c.example\r\n" }, { S, CAPS_BOX },        \
	{                                                               \
		TO_C, "250-in.example\r\n250-SIZE\r\n250-XSEALWIRE\r\n" \
		      "250 PIPELINING\r\n"                              \
	}

/* What it says is for us: the server inside hears the rest of the line. */
static void another_box_calls(void **state)
{
	static const struct step s[] = {
		BOX_IN_TLS,
		{ C, "MAIL FROM:<a@B.example> XSEALWIRE SIZE=9\r\n" },
		{ EVENT, "box calls b.example" },
		{ TO_S, "MAIL FROM:<a@B.example> SIZE=9\r\n" },
		{ S, "250 ok\r\n" },
		{ TO_C, "250 ok\r\n" },
		ASK("RSET\r\n", "250 ok\r\n"),
		{ C, "MAIL FROM:<> xsealwire\r\n" },
		{ EVENT, "box calls " },
		{ TO_S, "MAIL FROM:<>\r\n" },
		{ END, NULL },
	};

	(void)state;
	run_on(s, &boxes, true);
}

/* It is a word of its own, without a value, behind a path that can be read; who says
 * it otherwise is nobody. */
static void what_is_no_box(void **state)
{
	static const struct {
		const char *mail, *passed;
	} row[] = {
		{ "MAIL FROM:<a@b.example>", "MAIL FROM:<a@b.example>" },
		{ "MAIL FROM:<a@b.example> XSEALWIRES",
		  "MAIL FROM:<a@b.example> XSEALWIRES" },
		{ "MAIL FROM:<a@b.example> XSEALWIRE=1",
		  "MAIL FROM:<a@b.example> XSEALWIRE=1" },
		{ "MAIL FROM:<\" XSEALWIRE \"@b.example>",
		  "MAIL FROM:<\" XSEALWIRE \"@b.example>" },
		{ "MAIL FROM:<a@b.example> XSEALWIRE XSEALWIRE",
		  "MAIL FROM:<a@b.example>" },
		{ "MAIL FROM:<a%c@b.example> XSEALWIRE",
		  "MAIL FROM:<a%c@b.example>" },
	};
	static const struct step clear[] = {
		IN_CLEAR,
		{ TO_S, "" },
		{ C, "MAIL FROM:<a@b.example> XSEALWIRE\r\n" },
		{ TO_S, "MAIL FROM:<a@b.example> XSEALWIRE\r\n" },
		{ S, "555 5.5.4 what\r\n" },
		{ EVENT, NULL },
		{ END, NULL },
	};

	(void)state;
	run_on(clear, &boxes, true);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char said[200], passed[200];
		const struct step s[] = {
			BOX_IN_TLS,	     { C, said },     { TO_S, passed },
			{ S, "250 ok\r\n" }, { EVENT, NULL }, { END, NULL },
		};

		snprintf(said, sizeof(said), "%s\r\n", row[i].mail);
		snprintf(passed, sizeof(passed), "%s\r\n", row[i].passed);
		run_on(s, &boxes, true);
	}
}

/* The word was shown, so it may be said; that others count by now is not for the
 * server inside. */
static void shown_and_then_turned_off(void **state)
{
	void *mem = malloc(smtp_gate_in_size());
	struct gate_in_start start = { .now_ms = 1, .can_tls = true };
	struct smtp_gate_in *g = smtp_gate_in_init(mem, &boxes, &start);
	struct channel ch = { .tls = true, .version = 0x0304 };
	struct span out;

	(void)state;
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("220 in\r\n"));
	smtp_gate_in_feed(g, CLIENT, SPAN_LIT("STARTTLS\r\n"));
	smtp_gate_in_sent(g, CLIENT, smtp_gate_in_out(g, CLIENT).n);
	smtp_gate_in_tls_up(g, &ch);
	smtp_gate_in_feed(g, CLIENT, SPAN_LIT("EHLO c\r\n"));
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("250 in\r\n"));
	smtp_gate_in_set_policy(g, &plain, true);
	smtp_gate_in_sent(g, SERVER, smtp_gate_in_out(g, SERVER).n);
	smtp_gate_in_feed(g, CLIENT,
			  SPAN_LIT("MAIL FROM:<a@b.example> XSEALWIRE\r\n"));
	out = smtp_gate_in_out(g, SERVER);
	assert_true(span_eq(out, SPAN_LIT("MAIL FROM:<a@b.example>\r\n")));
	free(mem);
}

/* --- STARTTLS --------------------------------------------------------------------- */

static void starttls_where_it_does_not_belong(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "STARTTLS now\r\n" },
		{ TO_C, "501 5.5.4 STARTTLS takes no parameter\r\n" },
		ASK("MAIL FROM:<a@o.example>\r\n", "250 2.1.0 ok\r\n"),
		{ C, "STARTTLS\r\n" },
		{ TO_C, "503 5.5.1 not within a mail transaction\r\n" },
		ASK("RSET\r\n", "250 2.0.0 ok\r\n"),
		{ C, "starttls  \r\n" },
		{ TO_C, "220 2.0.0 ready to start TLS\r\n" },
		{ TO_S, "" },
		{ TLS, "1.3" },
		/* what was said in clear does not count any more */
		{ C, "MAIL FROM:<a@o.example>\r\n" },
		{ TO_C, "503 say EHLO first\r\n" },
		{ C, "EHLO c\r\n" },
		{ S, CAPS },
		{ TO_C, SHOWN_TLS },
		{ C, "STARTTLS\r\n" },
		{ TO_C, "503 5.5.1 this is TLS already\r\n" },
		{ END, NULL },
	};
	static const struct step without[] = {
		GREETED,
		{ C, "EHLO c.example\r\n" },
		{ S, CAPS },
		{ TO_C, SHOWN_TLS },
		{ C, "STARTTLS\r\n" },
		{ TO_C, "502 5.5.1 command not offered\r\n" },
		{ TO_S, "EHLO c.example\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run_on(without, &plain, false);
}

/* CVE-2011-0411: nothing that came in clear is heard inside TLS. */
static void what_follows_starttls_ends_the_session(void **state)
{
	static const char *const behind[] = {
		"\r\n",
		"RSET\r\n",
		"EHLO c\r\nMAIL FROM:<a@o.example>\r\n",
		"\x16\x03\x01",
		"x",
		"STARTTLS\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		char line[100];
		const struct step s[] = {
			IN_CLEAR,
			{ TO_S, "" },
			{ C, line },
			{ TO_C, "220 2.0.0 ready to start TLS\r\n"
				"554 5.7.0 nothing may follow STARTTLS\r\n" },
			{ TO_S, "" },
			{ EVENT, "protocol client peer-early" },
			{ WISH, "close" },
			{ END, NULL },
		};
		const struct step later[] = {
			IN_CLEAR,
			{ C, "STARTTLS\r\n" },
			{ WISH, "starttls" },
			{ C, behind[i] },
			{ WISH, "close" },
			{ TO_S, "" },
			{ END, NULL },
		};

		snprintf(line, sizeof(line), "STARTTLS\r\n%s", behind[i]);
		run(s);
		run(later);
	}
}

static void a_handshake_that_fails(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,	   { C, "STARTTLS\r\n" },
		{ FAIL, NULL },	   { EVENT, "tls failed " },
		{ WISH, "close" }, { END, NULL },
	};
	static const struct step slow[] = {
		IN_CLEAR,	    { C, "STARTTLS\r\n" },
		{ WAIT, "119000" }, { WISH, "starttls" },
		{ WAIT, "1001" },   { WISH, "abort" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(slow);
}

static void starttls_of_the_server_inside(void **state)
{
	static const struct step s[] = {
		GREETED,
		{ C, "EHLO c.example\r\n" },
		{ S, CAPS },
		/* as it came, and from here on all of it */
		{ TO_C, CAPS },
		{ TO_S, "EHLO c.example\r\n" },
		{ C, "STARTTLS\r\nanything\n at all" },
		{ TO_S, "STARTTLS\r\nanything\n at all" },
		{ S, "\x16\x03\x03\x01"
		     "250" },
		{ TO_C, "\x16\x03\x03\x01"
			"250" },
		{ WAIT, "599000" },
		{ C, "x" },
		{ WAIT, "599000" },
		{ WISH, "nothing" },
		{ EOF_, "server" },
		{ WISH, "close" },
		{ END, NULL },
	};
	/* It offers none: ours is offered. */
	static const struct step none[] = {
		GREETED,
		{ C, "EHLO c.example\r\n" },
		{ S, "250-in.example\r\n250 SIZE\r\n" },
		{ TO_C, "250-in.example\r\n250-SIZE\r\n250-STARTTLS\r\n"
			"250 PIPELINING\r\n" },
		{ END, NULL },
	};

	(void)state;
	run_on(s, &passing, true);
	run_on(none, &passing, true);
}

/* --- what a sender must bring ----------------------------------------------------- */

#define REFUSED_TLS                                                         \
	"530 5.7.0 mail from tls.example must come inside TLS: it came in " \
	"clear; say STARTTLS first (policy for tls.example, line 3)\r\n"

static void a_sender_who_must_come_inside_tls(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ TO_S, "" },
		{ C, "MAIL FROM:<a@tls.example>\r\n" },
		{ TO_C, REFUSED_TLS },
		{ EVENT, "mail refused tls.example" },
		{ C, "mail from: <a@TLS.Example.> SIZE=5\r\n" },
		{ TO_C, REFUSED_TLS },
		{ TO_S, "" },
		/* and whoever is not on the list is welcome */
		ASK("MAIL FROM:<a@x.tls.example>\r\n", "250 2.1.0 ok\r\n"),
		ASK("RSET\r\n", "250 2.0.0 ok\r\n"),
		ASK("MAIL FROM:<>\r\n", "250 2.1.0 ok\r\n"),
		{ END, NULL },
	};
	static const struct step tls[] = {
		IN_TLS("1.2"),
		ASK("MAIL FROM:<a@tls.example>\r\n", "250 2.1.0 ok\r\n"),
		ASK("RSET\r\n", "250 2.0.0 ok\r\n"),
		{ C, "MAIL FROM:<a@x.new.example>\r\n" },
		{ TO_C,
		  "530 5.7.0 mail from x.new.example must come inside TLS 1.3: "
		  "its TLS version is too low (policy for .new.example, line "
		  "4)\r\n" },
		{ EVENT, "mail refused x.new.example" },
		{ C, "MAIL FROM:<a@pin.example>\r\n" },
		{ TO_C,
		  "530 5.7.0 mail from pin.example must come inside TLS with a "
		  "pinned client certificate: no client certificate was shown "
		  "(policy for pin.example, line 5)\r\n" },
		{ TO_S, "" },
		{ END, NULL },
	};
	static const struct step other_key[] = {
		IN_TLS("key"),
		{ C, "MAIL FROM:<a@pin.example>\r\n" },
		{ TO_C,
		  "530 5.7.0 mail from pin.example must come inside TLS with a "
		  "pinned client certificate: the key of its client certificate "
		  "is not a pinned one (policy for pin.example, line 5)\r\n" },
		ASK("MAIL FROM:<a@x.new.example>\r\n", "250 2.1.0 ok\r\n"),
		{ END, NULL },
	};
	static const struct step right_key[] = {
		IN_TLS("pin"),
		ASK("MAIL FROM:<a@pin.example>\r\n", "250 2.1.0 ok\r\n"),
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(tls);
	run(other_key);
	run(right_key);
}

/* Where something depends on the sender's domain, all must read it alike; else
 * whatever it is passes. */
static void a_sender_that_cannot_be_read(void **state)
{
	static const struct {
		const char *mail, *answer;
	} row[] = {
		{ "MAIL FROM:a@tls.example\r\n",
		  "501 5.1.3 the address is not <local@domain>\r\n" },
		{ "MAIL FROM:<a@tls.example\r\n",
		  "501 5.1.3 the address is not <local@domain>\r\n" },
		{ "MAIL FROM:<@x.example:a@tls.example>\r\n",
		  "553 5.1.3 an address that routes through another host is "
		  "not taken\r\n" },
		{ "MAIL FROM:<a%tls.example@o.example>\r\n",
		  "553 5.1.3 an address that routes through another host is "
		  "not taken\r\n" },
		{ "MAIL FROM:<a@tls.exampl\xc3\x89>\r\n",
		  "553 5.1.2 the domain is not certain; write it whole, and in "
		  "lower case or as A-labels (xn--)\r\n" },
		{ "MAIL FROM:<a@tls>\r\n", /* and ".example" of the server */
		  "553 5.1.2 the domain is not certain; write it whole, and in "
		  "lower case or as A-labels (xn--)\r\n" },
		{ "MAIL FROM:<a>\r\n",
		  "501 5.1.3 the address is not <local@domain>\r\n" },
		{ "MAIL FROM:<a@o.example> =\r\n",
		  "501 5.5.4 a parameter is malformed or repeated\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct step s[] = {
			IN_CLEAR,	    { TO_S, "" },
			{ C, row[i].mail }, { TO_C, row[i].answer },
			{ TO_S, "" },	    { END, NULL },
		};
		const struct step loose[] = {
			IN_CLEAR,
			ASK(row[i].mail, "501 5.1.7 what\r\n"),
			{ END, NULL },
		};

		run(s);
		run_on(loose, &plain, true);
	}
}

/* Who goes on with what is refused waits for the answer; what he says meanwhile waits,
 * too, and other senders do not. */
static void a_refusal_that_comes_late(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ TO_S, "" },
		{ EVENT, NULL },
		{ SLOW, "2000" },
		{ C, "MAIL FROM:<a@tls.example>\r\n" },
		{ EVENT, "mail refused tls.example" },
		{ TO_C, "" },
		{ WAIT, "1999" },
		{ TO_C, "" },
		{ WAIT, "1" },
		{ TO_C, "530 5.7.0 mail from tls.example must come inside TLS: "
			"it came in clear; say STARTTLS first (policy for "
			"tls.example, line 3)\r\n" },
		{ TO_S, "" },
		ASK("MAIL FROM:<a@o.example>\r\n", "250 ok\r\n"),
		{ END, NULL },
	};
	static const struct step leaves[] = {
		IN_CLEAR,
		{ SLOW, "2000" },
		{ C, "MAIL FROM:<a@tls.example>\r\n" },
		{ EOF_, "client" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step lost[] = {
		IN_CLEAR,
		{ SLOW, "2000" },
		{ C, "MAIL FROM:<a@tls.example>\r\n" },
		{ GONE, "server" },
		{ TO_C, "421 4.4.2 the connection to the server inside was "
			"lost\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(leaves);
	run(lost);
}

static void a_new_list_counts_from_the_next_sender(void **state)
{
	void *mem = malloc(smtp_gate_in_size());
	struct gate_in_start start = { .now_ms = 1 };
	struct smtp_gate_in *g = smtp_gate_in_init(mem, &plain, &start);
	const struct span mail = SPAN_LIT("MAIL FROM:<a@tls.example>\r\n");
	struct span out;

	(void)state;
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("220 in\r\n"));
	smtp_gate_in_feed(g, CLIENT, SPAN_LIT("EHLO c\r\n"));
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("250 in\r\n"));
	smtp_gate_in_feed(g, CLIENT, mail);
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("250 ok\r\n"));
	smtp_gate_in_feed(g, CLIENT, SPAN_LIT("RSET\r\n"));
	smtp_gate_in_set_policy(g, &ruled, true);
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("250 ok\r\n"));
	smtp_gate_in_sent(g, SERVER, smtp_gate_in_out(g, SERVER).n);
	smtp_gate_in_sent(g, CLIENT, smtp_gate_in_out(g, CLIENT).n);
	smtp_gate_in_feed(g, CLIENT, mail);
	out = smtp_gate_in_out(g, CLIENT);
	assert_int_equal(smtp_gate_in_out(g, SERVER).n, 0);
	assert_memory_equal(out.p, "530 ", 4);
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mail_in_clear_on_its_port),
		cmocka_unit_test(a_box_says_so_inside_tls_alone),
		cmocka_unit_test(another_box_calls),
		cmocka_unit_test(what_is_no_box),
		cmocka_unit_test(shown_and_then_turned_off),
		cmocka_unit_test(a_message_in_clear),
		cmocka_unit_test(a_message_in_tls),
		cmocka_unit_test(a_client_that_does_not_wait),
		cmocka_unit_test(one_command_at_a_time),
		cmocka_unit_test(a_server_without_ehlo_gets_tls_all_the_same),
		cmocka_unit_test(starttls_where_it_does_not_belong),
		cmocka_unit_test(what_follows_starttls_ends_the_session),
		cmocka_unit_test(a_handshake_that_fails),
		cmocka_unit_test(starttls_of_the_server_inside),
		cmocka_unit_test(a_sender_who_must_come_inside_tls),
		cmocka_unit_test(a_sender_that_cannot_be_read),
		cmocka_unit_test(a_refusal_that_comes_late),
		cmocka_unit_test(a_new_list_counts_from_the_next_sender),
	};

	return cmocka_run_group_tests(tests, talk_set_up, NULL);
}
