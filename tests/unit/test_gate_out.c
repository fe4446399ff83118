/* SPDX-License-Identifier: BSD-2-Clause */
/* The outbound gate by scripts: what it does when all goes as it should, and
 * what it says when not. */
#include "gate_script.h"

static void a_message_in_clear(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ C, TEXT ".\r\n" },
		{ TO_S, TEXT ".\r\n" },
		{ TO_C, "" },
		{ S, "250 taken\r\n" },
		{ TO_C, "250 taken\r\n" },
		{ C, "QUIT\r\n" },
		{ TO_S, "QUIT\r\n" },
		{ S, "221 bye\r\n" },
		{ TO_C, "221 bye\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

static void a_message_in_tls(void **state)
{
	static const struct step s[] = {
		IN_TLS("good"),		ENVELOPE("ver.example"),
		{ C, TEXT ".\r\n" },	{ TO_S, TEXT ".\r\n" },
		{ S, "250 taken\r\n" }, { TO_C, "250 taken\r\n" },
		{ WISH, "nothing" },	{ END, NULL },
	};
	static const struct step any[] = {
		IN_TLS("none"),	     ENVELOPE("enc.example"),
		{ C, TEXT ".\r\n" }, { TO_S, TEXT ".\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(any);
}

/* What a server says of itself is believed inside TLS alone, and is not for the
 * client. */
static void another_box(void **state)
{
	static const struct step s[] = {
		{ S, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ TO_C, "220 mx\r\n" },
		{ S, "250-mx\r\n250-XSEALWIRE\r\n250 STARTTLS\r\n" },
		{ BOX, "no" },
		{ S, "220 go\r\n" },
		{ TLS, "none" },
		{ S, "250-mx\r\n250-XSEALWIRE\r\n250 DSN\r\n" },
		{ BOX, "yes" },
		{ TO_C, SHOWN },
		{ END, NULL },
	};
	static const struct step clear[] = {
		{ S, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ TO_C, "220 mx\r\n" },
		{ S, "250-mx\r\n250-XSEALWIRE\r\n250 DSN\r\n" },
		{ BOX, "no" },
		{ TO_C, SHOWN },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(clear);
}

/* Nothing of the envelope is said before the rule is met. */
static void refused_without_tls(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@enc.example>\r\n" },
		{ TO_C,
		  "250 ok\r\n"
		  "451 enc.example requires encrypt: starttls-not-supported; "
		  "server 192.0.2.1: it does not offer STARTTLS; nothing was "
		  "sent (policy for enc.example, line 2)\r\n" },
		{ TO_S, "" },
		{ C, "RCPT TO:<b@rej.example>\r\n" },
		{ TO_C,
		  "550 rej.example requires encrypt: starttls-not-supported; "
		  "server 192.0.2.1: it does not offer STARTTLS; nothing was "
		  "sent (policy for rej.example, line 4)\r\n" },
		{ TO_S, "" },
		{ C, "DATA\r\n" },
		{ TO_C, "503 no recipient was accepted\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

static void refused_for_its_certificate(void **state)
{
	static const struct step s[] = {
		IN_TLS("other"),
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@ver.example>\r\n" },
		{ TO_C, "250 ok\r\n" },
		/* once more, with the name that the rule expects */
		{ DIAL, NULL },
		{ S, "220 mx\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		{ TO_S, "STARTTLS\r\n" },
		{ S, "220 go\r\n" },
		{ TLS, "other" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_CLEAR },
		{ TO_S, "" },
		{ TO_C,
		  "550 ver.example requires verify: certificate-host-mismatch; "
		  "server 192.0.2.1: its certificate is for another name; "
		  "nothing was sent (policy for ver.example, line 3)\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

static void handshake_fails_and_may_goes_on_in_clear(void **state)
{
	static const struct step s[] = {
		{ S, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		{ TO_S, "EHLO c\r\nSTARTTLS\r\n" },
		{ S, "220 go\r\n" },
		{ FAIL, NULL },
		{ DIAL, NULL },
		{ S, "220 mx\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		{ TO_C, "220 mx\r\n" SHOWN },
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@enc.example>\r\n" },
		{ TO_S, "" },
		{ TO_C,
		  "250 ok\r\n"
		  "451 enc.example requires encrypt: validation-failure; "
		  "server 192.0.2.1: TLS with it failed (handshake: alert); "
		  "nothing was sent (policy for enc.example, line 2)\r\n" },
		{ C, "RCPT TO:<b@o.example>\r\n" },
		{ TO_S,
		  "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

static void a_route_is_dialled(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\n"
		     "RCPT TO:<b@route.example>\r\n" },
		{ TO_S, "" },
		{ DIAL, NULL },
		{ S, "220 other\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_CLEAR },
		{ TO_S,
		  "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@route.example>\r\n" },
		{ S, "250 s\r\n250 r\r\n" },
		{ TO_C, "250 ok\r\n250 r\r\n" },
		{ C, "RCPT TO:<b@o.example>\r\n" },
		{ TO_S, "" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* What was answered in another order before: see the commits. */
static void answers_stay_in_order(void **state)
{
	static char line[2600] = "RCPT TO:<";
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ C, line },
		{ TO_C, "250 ok\r\n" },
		{ S, "250 s\r\n550 r\r\n" },
		{ TO_C, "550 r\r\n500 line too long\r\n" },
		{ END, NULL },
	};

	(void)state;
	memset(line + 9, 'x', 2500);
	memcpy(line + 2509, "\r\n", 3);
	run(s);
}

static void early_and_odd_replies(void **state)
{
	static const struct step early[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ C, "half\r\n" },
		{ S, "250 taken\r\n" },
		{ C, ".\r\n" },
		{ TO_C,
		  "451 the server answered before the end of the message\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step to_data[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ S, "250 s\r\n250 r\r\n" },
		{ C, "DATA\r\n" },
		{ TO_C, "250 ok\r\n250 r\r\n" },
		{ S, "250 ok\r\n" },
		{ TO_C, "421 the server broke the protocol: 2xx to DATA\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step to_rcpt[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ S, "250 s\r\n" },
		{ TO_C, "250 ok\r\n" },
		{ S, "354 go\r\n" },
		{ TO_C, "421 the server broke the protocol: 3xx where none "
			"belongs\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(early);
	run(to_data);
	run(to_rcpt);
}

/* What no mail server says ends the session sooner than what one may say. */
static void garbage_is_the_end(void **state)
{
	static const struct step garbage[] = {
		IN_CLEAR,
		{ C, "\x02\x03\r\nNOOP\x01\r\n" },
		{ TO_C, "500 not a command\r\n500 not a command\r\n" },
		{ WISH, "nothing" },
		{ C, "\x7f\r\n" },
		{ TO_C, "421 too many errors\r\n" },
		{ WISH, "close" },
		{ TO_S, "" },
		{ END, NULL },
	};
	static const struct step unknown[] = {
		IN_CLEAR,
		{ C, "A\r\nB\r\nC\r\nD\r\nE\r\nF\r\nG\r\nH\r\nI\r\n" },
		{ WISH, "nothing" },
		{ C, "J\r\n" },
		{ WISH, "nothing" },
		{ C, "K\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(garbage);
	run(unknown);
}

static void a_bare_cr_is_refused_at_the_end(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ C, "\rx\r\n.\r\n" },
		{ TO_C, "550 the message has a bare CR or LF, which mail "
			"servers understand differently\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* RFC 5321 4.5.3.2: what a silent server makes of each state. */
static void a_silent_server(void **state)
{
	static const struct step greeting[] = {
		{ WAIT, "299000" }, { WISH, "nothing" }, { WAIT, "1001" },
		{ WISH, "abort" },  { END, NULL },
	};
	static const struct step rcpt[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ TO_C, "250 ok\r\n" },
		{ WAIT, "299000" },
		{ TO_C, "" },
		{ WAIT, "1001" },
		{ TO_C, "421 the server did not answer in time\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step dot[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ C, TEXT ".\r\n" },
		{ WAIT, "599000" },
		{ TO_C, "" },
		{ WAIT, "1001" },
		{ TO_C, "421 the server did not answer in time\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step body[] = {
		IN_CLEAR,	    ENVELOPE("o.example"), { C, "half\r\n" },
		{ WAIT, "179000" }, { WISH, "nothing" },   { WAIT, "1001" },
		{ WISH, "abort" },  { END, NULL },
	};
	/* nobody reads the last words */
	static const struct step closing[] = {
		IN_CLEAR,	   { C, "BDAT 5\r\n" }, { WISH, "close" },
		{ WAIT, "60001" }, { WISH, "abort" },	{ END, NULL },
	};

	(void)state;
	run(greeting);
	run(rcpt);
	run(dot);
	run(body);
	run(closing);
}

/* The server dies before its 2xx is complete: no 2xx for the client. */
static void death_before_the_last_octet(void **state)
{
	static const char answer[] = "250-taken\r\n250 as 42\r\n";
	char part[sizeof(answer)];

	(void)state;
	for (size_t n = 0; n < sizeof(answer) - 1; n++) {
		const struct step s[] = {
			IN_CLEAR,
			ENVELOPE("o.example"),
			{ C, TEXT ".\r\n" },
			{ S, part },
			{ TO_C, "" },
			{ GONE, NULL },
			{ TO_C, "421 the connection to the server was lost: it "
				"was reset or timed out\r\n" },
			{ WISH, "close" },
			{ END, NULL },
		};

		memcpy(part, answer, n);
		part[n] = '\0';
		run(s);
	}
}

static void starttls_vanished_is_an_alarm(void **state)
{
	static const struct step s[] = { IN_CLEAR,
					 { EV, " vanished 192.0.2.1" },
					 { END, NULL } };
	static const struct step never[] = { IN_CLEAR,
					     { EV, "" },
					     { END, NULL } };

	(void)state;
	run_in(s, 65536, true);
	run_in(s, 1, true);
	run(never);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_box),
		cmocka_unit_test(a_message_in_clear),
		cmocka_unit_test(a_message_in_tls),
		cmocka_unit_test(refused_without_tls),
		cmocka_unit_test(refused_for_its_certificate),
		cmocka_unit_test(handshake_fails_and_may_goes_on_in_clear),
		cmocka_unit_test(a_route_is_dialled),
		cmocka_unit_test(answers_stay_in_order),
		cmocka_unit_test(early_and_odd_replies),
		cmocka_unit_test(garbage_is_the_end),
		cmocka_unit_test(a_bare_cr_is_refused_at_the_end),
		cmocka_unit_test(a_silent_server),
		cmocka_unit_test(death_before_the_last_octet),
		cmocka_unit_test(starttls_vanished_is_an_alarm),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
