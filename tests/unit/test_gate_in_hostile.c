/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inbound gate between ends that lie, hang, vanish and speak what is no
 * SMTP: nothing is smuggled in, no message looks whole that is not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "gate_in_talk.h"
#include "mail_end.h"

/* --- what is not SMTP (ALPACA, A24) ----------------------------------------------- */

static void another_protocol_is_told_and_left(void **state)
{
	static const char *const first[] = {
		"GET / HTTP/1.1\r\nHost: mail.example\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 400\r\n\r\nMAIL FROM:<a@b>"
		"\r\n",
		"SSH-2.0-OpenSSH_9.2p1\r\n",
		"\x16\x03\x01\x02\x05\x01 a hello without a line end",
		"Host: x\r\n",
		"PRI * HTTP/2.0\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		const struct step s[] = {
			GREETED,
			{ C, first[i] },
			{ TO_C, "521 this is SMTP\r\n" },
			{ TO_S, "" },
			{ EVENT, "protocol client peer-syntax" },
			{ WISH, "close" },
			{ END, NULL },
		};
		const struct step inside[] = {
			IN_TLS("1.3"),
			{ C, first[i] },
			{ TO_C, "521 this is SMTP\r\n" },
			{ TO_S, "" },
			{ WISH, "close" },
			{ END, NULL },
		};

		run(s);
		run(inside);
	}
}

static void garbage_is_borne_three_times(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ TO_S, "" },
		{ C, "\x01\x02\x03\r\n" },
		{ TO_C, "500 5.5.2 not a command\r\n" },
		{ C, "MAIL\x7f\r\n" },
		{ TO_C, "500 5.5.2 not a command\r\n" },
		{ C, "\x80\x01\r\nNOOP\r\n" },
		{ TO_C, "421 4.7.0 too many errors\r\n" },
		{ TO_S, "" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step unknown[] = {
		IN_CLEAR,
		{ TO_S, "" },
		{ C,
		  "TURN\r\nATRN\r\nETRN x\r\nXEXCH50 5\r\nX-ANONYMOUSTLS\r\n"
		  "BURL x\r\nXCLIENT A=B\r\nAUTH PLAIN AGEAYQ==\r\nLHLO x\r\n"
		  "SOML FROM:<a@b>\r\n" },
		{ C, "SEND FROM:<a@b>\r\n" },
		{ TO_S, "" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step bdat[] = {
		IN_CLEAR,
		ASK("MAIL FROM:<a@o.example>\r\n", "250 2.1.0 ok\r\n"),
		{ C, "BDAT 18446744073709551615 LAST\r\nRCPT TO:<x@y>\r\n" },
		{ TO_C, "503 5.5.1 BDAT is not offered\r\n" },
		{ TO_S, "" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(unknown);
	run(bdat);
}

/* RFC 5321 4.5.3.1.4; what is longer is thrown away whole. */
static void long_lines(void **state)
{
	static const size_t size[] = {
		510,  511,  512,  513,	514,  998,  999,
		1000, 2046, 2047, 2048, 2049, 2050, 12288
	};
	static char line[70000], told[70000];

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		const struct step takes[] = {
			GREETED,
			{ C, line },
			{ TO_S, told },
			{ END, NULL },
		};
		const struct step refuses[] = {
			GREETED,	   { C, line },
			{ TO_S, "" },	   { TO_C, "500 line too long\r\n" },
			{ C, "NOOP\r\n" }, { TO_S, "NOOP\r\n" },
			{ END, NULL },
		};

		memset(line, 'x', size[i]);
		memcpy(line, "NOOP ", 5);
		strcpy(line + size[i], "\r\n");
		strcpy(told, line);
		run(size[i] <= 2048 ? takes : refuses);
	}
	memset(line, 'A', 66000);
	line[66000] = '\0';
	{
		const struct step s[] = {
			GREETED,
			{ C, line },
			{ TO_S, "" },
			{ TO_C, "421 protocol error: a line without an end\r\n" },
			{ WISH, "close" },
			{ END, NULL },
		};

		run_in(s, 65536, &plain, true);
		run_in(s, 20, &plain, true);
	}
}

static void who_speaks_before_the_greeting(void **state)
{
	static const struct step s[] = {
		{ C, "EHLO c\r\nMAIL FROM:<a@b>\r\n" },
		{ TO_C, "521 you spoke before you were greeted\r\n" },
		{ TO_S, "" },
		{ EVENT, "protocol client peer-early" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* --- where a message ends (smuggling, A14) ---------------------------------------- */

#define SMUGGLED                                                            \
	"MAIL FROM:<x@y>\r\nRCPT TO:<z@in.example>\r\nDATA\r\nSMUGGLED\r\n" \
	".\r\n"

static void a_message_within_a_message(void **state)
{
	static const char *const end[] = {
		"\n.\n",   "\n.\r\n", "\r\n.\n",   "\r.\r",
		"\r.\r\n", "\r\n.\r", "\n\n.\r\n", "\r\n.\rx\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++) {
		char text[400];
		const struct step s[] = {
			IN_CLEAR,
			ENVELOPE("o.example"),
			{ C, text },
			{ TO_C,
			  "550 5.6.0 the message has a bare CR or LF, which "
			  "mail servers understand differently\r\n" },
			{ WISH, "cut" },
			{ END, NULL },
		};

		snprintf(text, sizeof(text), "text%s" SMUGGLED ".\r\n", end[i]);
		run(s);
	}
}

/* What the server hears never has an end for it that we do not see. */
static void no_receiver_sees_another_end(void **state)
{
	static const char alphabet[] = "\r\n.x";
	char text[16] = "a\r\n";

	(void)state;
	for (unsigned n = 0; n < 4 * 4 * 4 * 4 * 4; n++) {
		static const struct step begin[] = { IN_CLEAR,
						     ENVELOPE("o.example"),
						     { END, NULL } };
		struct gate_in_start start = { .now_ms = 1 };
		void *mem = malloc(smtp_gate_in_size());
		static struct talk t;
		unsigned v = n;

		for (int i = 0; i < 5; i++, v /= 4)
			text[3 + i] = alphabet[v % 4];
		strcpy(text + 8, "\r\n");
		memset(&t, 0, sizeof(t));
		t.piece = 3;
		t.g = smtp_gate_in_init(mem, &plain, &start);
		start.can_tls = true;
		smtp_gate_in_set_policy(t.g, &plain, true);
		for (const struct step *s = begin; s->op != END; s++)
			step(&t, s);
		t.heard_n[SERVER] = 0;
		smtp_gate_in_feed(t.g, CLIENT, span_str(text));
		hear(&t);
		for (unsigned r = 0; r < RECEIVERS; r++) {
			long at = mail_end(
				(struct span){ (uint8_t *)t.heard[SERVER],
					       t.heard_n[SERVER] },
				r);

			assert_true(at == MAIL_NO_END ||
				    at == (long)t.heard_n[SERVER]);
		}
		free(mem);
	}
}

static void bare_line_ends_in_commands(void **state)
{
	static const char *const line[] = { "MAIL FROM:<a@b>\n", "NOOP\rx",
					    "\n", "RSET\n.\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
		const struct step s[] = {
			IN_CLEAR,
			{ TO_S, "" },
			{ C, line[i] },
			{ TO_C, "421 4.5.0 protocol error: bare CR or LF in a "
				"command\r\n" },
			{ TO_S, "" },
			{ WISH, "close" },
			{ END, NULL },
		};

		run(s);
	}
}

/* --- ends (A18, A19) -------------------------------------------------------------- */

static void half_a_message_never_looks_whole(void **state)
{
	static const enum op how[] = { EOF_, GONE };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct step in_text[] = {
			IN_CLEAR,
			ENVELOPE("o.example"),
			{ C, "text\r\n." },
			{ how[i], "client" },
			{ TO_S, "text\r\n" },
			{ WISH, "abort" },
			{ END, NULL },
		};
		const struct step after_dot[] = {
			IN_CLEAR,
			ENVELOPE("o.example"),
			{ C, "text\r\n.\r\n" },
			{ how[i], "client" },
			{ WISH, "abort" },
			{ END, NULL },
		};
		const struct step idle[] = {
			IN_CLEAR,
			{ how[i], "client" },
			{ WISH, how[i] == EOF_ ? "close" : "abort" },
			{ END, NULL },
		};

		run(in_text);
		run(after_dot);
		run(idle);
	}
}

static void a_server_that_is_lost(void **state)
{
	static const enum op how[] = { EOF_, GONE };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *lost =
			how[i] == EOF_
				? "421 4.4.2 the server inside closed the "
				  "connection\r\n"
				: "421 4.4.2 the connection to the server "
				  "inside was lost\r\n";
		const struct step in_text[] = {
			IN_CLEAR,
			ENVELOPE("o.example"),
			{ C, "text\r\n" },
			{ how[i], "server" },
			{ TO_C, "" },
			{ C, "more\r\n..\r\n.\r\n" },
			{ TO_C, "451 4.4.2 the connection to the server was "
				"lost\r\n" },
			{ WISH, "cut" },
			{ END, NULL },
		};
		const struct step after_dot[] = {
			IN_CLEAR,
			ENVELOPE("o.example"),
			{ C, "text\r\n.\r\n" },
			{ how[i], "server" },
			{ TO_C, lost },
			{ WISH, "close" },
			{ END, NULL },
		};
		const struct step idle[] = {
			IN_CLEAR,
			{ how[i], "server" },
			{ TO_C, "" },
			{ WISH, how[i] == EOF_ ? "close" : "abort" },
			{ END, NULL },
		};
		const struct step first[] = {
			{ how[i], "server" },
			{ TO_C, "" },
			{ WISH, "abort" },
			{ END, NULL },
		};

		run(in_text);
		run(after_dot);
		run(idle);
		run(first);
	}
}

/* --- servers that lie (A20) ------------------------------------------------------- */

static void replies_that_do_not_belong(void **state)
{
	static const struct {
		const char *says, *heard;
	} row[] = {
		{ "250 unasked\r\n",
		  "421 4.5.0 the server broke the protocol: a reply that nobody "
		  "asked for\r\n" },
		{ "354 go\r\n",
		  "421 4.5.0 the server broke the protocol: 3xx where none "
		  "belongs\r\n" },
		{ "421 4.3.2 I go\r\n", "421 4.3.2 I go\r\n" },
		{ "what\r\n",
		  "421 4.5.0 the server broke the protocol: malformed reply\r\n" },
		{ "250 ok\n",
		  "421 4.5.0 the server broke the protocol: malformed reply\r\n" },
		{ "250-a\r\n251 b\r\n",
		  "421 4.5.0 the server broke the protocol: malformed reply\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct step s[] = {
			IN_CLEAR,
			{ S, row[i].says },
			{ TO_C, row[i].heard },
			{ WISH, "close" },
			{ END, NULL },
		};

		run(s);
	}
}

static void replies_to_a_message(void **state)
{
	static const struct step early[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ C, "text\r\n" },
		{ S, "250 2.0.0 taken\r\n" },
		{ TO_C, "" },
		{ C, "more\r\n.\r\n" },
		{ TO_C, "451 4.5.0 the server answered before the end of the "
			"message\r\n" },
		{ WISH, "cut" },
		{ END, NULL },
	};
	static const struct step to_data[] = {
		IN_CLEAR,
		ASK("MAIL FROM:<a@o.example>\r\n", "250 2.1.0 ok\r\n"),
		{ C, "DATA\r\n" },
		{ S, "250 2.0.0 taken already\r\n" },
		{ TO_C,
		  "421 4.5.0 the server broke the protocol: 2xx to DATA\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step no[] = {
		IN_CLEAR,
		{ C, "DATA\r\n" },
		{ S, "503 5.5.1 no\r\n" },
		{ TO_C, "503 5.5.1 no\r\n" },
		/* what would have been text is a command, and none at all */
		{ C, "NOOP\r\n" },
		{ TO_S, "DATA\r\nNOOP\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(early);
	run(to_data);
	run(no);
}

/* A 2xx is the client's only when all of the message has left. */
static void taken_before_it_was_sent(void **state)
{
	void *mem = malloc(smtp_gate_in_size());
	struct gate_in_start start = { .now_ms = 1 };
	struct smtp_gate_in *g = smtp_gate_in_init(mem, &plain, &start);
	struct span out;

	(void)state;
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("220 in\r\n"));
	smtp_gate_in_feed(g, CLIENT, SPAN_LIT("DATA\r\n"));
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("354 go\r\n"));
	smtp_gate_in_sent(g, SERVER, smtp_gate_in_out(g, SERVER).n);
	smtp_gate_in_feed(g, CLIENT, SPAN_LIT("text\r\n.\r\n"));
	smtp_gate_in_sent(g, CLIENT, smtp_gate_in_out(g, CLIENT).n);
	smtp_gate_in_sent(g, SERVER, 8); /* all but the last octet */
	smtp_gate_in_feed(g, SERVER, SPAN_LIT("250 taken\r\n"));
	out = smtp_gate_in_out(g, CLIENT);
	assert_memory_equal(out.p, "421 ", 4);
	assert_int_equal(smtp_gate_in_wish(g), GATE_CLOSE);
	assert_true(smtp_gate_in_cut(g));
	free(mem);
}

static void a_greeting_that_is_none(void **state)
{
	static const struct step refusal[] = {
		{ S, "554 5.3.2 not now\r\n" },
		{ TO_C, "554 5.3.2 not now\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step garbage[] = {
		{ S, "hello\r\n" },
		{ TO_C, "" },
		{ EVENT, "protocol server peer-syntax" },
		{ WISH, "abort" },
		{ END, NULL },
	};

	(void)state;
	run(refusal);
	run(garbage);
}

/* --- time (A21) ------------------------------------------------------------------- */

#define TOO_LATE "421 4.4.2 the server did not answer in time\r\n"

static void a_server_that_hangs(void **state)
{
	static const struct step greeting[] = {
		{ WAIT, "299999" }, { WISH, "nothing" }, { WAIT, "1" },
		{ WISH, "abort" },  { TO_C, "" },	 { END, NULL },
	};
	static const struct step command[] = {
		IN_CLEAR,	    { C, "MAIL FROM:<a@o.example>\r\n" },
		{ WAIT, "299999" }, { WISH, "nothing" },
		{ WAIT, "1" },	    { TO_C, TOO_LATE },
		{ WISH, "close" },  { WAIT, "60000" },
		{ WISH, "abort" },  { END, NULL },
	};
	static const struct step data[] = {
		IN_CLEAR,	    { C, "DATA\r\n" },
		{ WAIT, "119999" }, { WISH, "nothing" },
		{ WAIT, "1" },	    { TO_C, TOO_LATE },
		{ END, NULL },
	};
	static const struct step dot[] = {
		IN_CLEAR,	    ENVELOPE("o.example"), { C, "x\r\n.\r\n" },
		{ WAIT, "599999" }, { WISH, "nothing" },   { WAIT, "1" },
		{ TO_C, TOO_LATE }, { END, NULL },
	};

	(void)state;
	run(greeting);
	run(command);
	run(data);
	run(dot);
}

static void a_client_that_hangs(void **state)
{
	static const struct step idle[] = {
		IN_CLEAR,
		{ WAIT, "599999" },
		{ WISH, "nothing" },
		{ WAIT, "1" },
		{ TO_C, "421 4.4.2 idle for too long\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step text[] = {
		IN_CLEAR,	    ENVELOPE("o.example"), { C, "some\r\n" },
		{ WAIT, "180000" }, { WISH, "abort" },	   { END, NULL },
	};

	(void)state;
	run(idle);
	run(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_protocol_is_told_and_left),
		cmocka_unit_test(garbage_is_borne_three_times),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(who_speaks_before_the_greeting),
		cmocka_unit_test(a_message_within_a_message),
		cmocka_unit_test(no_receiver_sees_another_end),
		cmocka_unit_test(bare_line_ends_in_commands),
		cmocka_unit_test(half_a_message_never_looks_whole),
		cmocka_unit_test(a_server_that_is_lost),
		cmocka_unit_test(replies_that_do_not_belong),
		cmocka_unit_test(replies_to_a_message),
		cmocka_unit_test(taken_before_it_was_sent),
		cmocka_unit_test(a_greeting_that_is_none),
		cmocka_unit_test(a_server_that_hangs),
		cmocka_unit_test(a_client_that_hangs),
	};

	return cmocka_run_group_tests(tests, talk_set_up, NULL);
}
