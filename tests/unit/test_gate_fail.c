/* SPDX-License-Identifier: BSD-2-Clause */
/* The outbound gate by scripts: servers that fail, and what is remembered of
 * them. */
#include <string.h>
#include "gate_script.h"

/* What is remembered of one server must not be told of another: the memory of
 * the server that the client called says nothing about a route, and what the
 * route does nothing about that server. */
static void each_server_has_its_own_past(void **state)
{
	static const struct step s[] = {
		IN_TLS("good"),
		{ EV, " up 192.0.2.1" },
		{ C, "MAIL FROM:<a@c.example>\r\n"
		     "RCPT TO:<b@route.example>\r\n" },
		{ DIAL, NULL },
		{ S, "220 other\r\n" },
		{ S, CAPS_CLEAR },
		{ EV, "" },
		{ END, NULL },
	};
	static const struct step fails[] = {
		IN_TLS("good"),
		{ EV, " up 192.0.2.1" },
		{ C, "MAIL FROM:<a@c.example>\r\n"
		     "RCPT TO:<b@route.example>\r\n" },
		{ DIAL, NULL },
		{ S, "220 other\r\n" },
		{ S, CAPS_TLS },
		{ S, "220 go\r\n" },
		{ FAIL, NULL },
		{ EV, " failed 192.0.2.9 fallback 192.0.2.9" },
		{ END, NULL },
	};

	(void)state;
	run_in(s, 65536, true);
	run_in(s, 1, true);
	run_in(fails, 65536, true);
}

/* A route is as good as the client's own server: `may` means clear as well. */
static void a_route_whose_tls_fails(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\n"
		     "RCPT TO:<b@route.example>\r\n" },
		{ TO_C, "250 ok\r\n" },
		{ DIAL, "192.0.2.9" },
		{ S, "220 other\r\n" },
		{ S, CAPS_TLS },
		{ S, "220 go\r\n" },
		{ TO_S, "EHLO c\r\nSTARTTLS\r\n" },
		{ FAIL, NULL },
		{ DIAL, "192.0.2.9" },
		{ S, "220 other\r\n" },
		{ S, CAPS_TLS },
		{ TO_S, "EHLO c\r\nMAIL FROM:<a@c.example>\r\n"
			"RCPT TO:<b@route.example>\r\n" },
		{ S, "250 s\r\n250 r\r\n" },
		{ TO_C, "250 r\r\n" },
		{ END, NULL },
	};
	static const struct step gone[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\n"
		     "RCPT TO:<b@route.example>\r\n" },
		{ TO_C, "250 ok\r\n" },
		{ DIAL, "192.0.2.9" },
		{ S, "220 other\r\n" },
		{ S, CAPS_TLS },
		{ S, "220 go\r\n" },
		{ FAIL, NULL },
		{ DIAL, "192.0.2.9" },
		{ GONE, NULL },
		{ TO_C, "451 the server cannot be reached\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(gone);
}

/* A handshake that never ends has failed: some firewalls let STARTTLS through
 * and swallow what comes then. */
static void a_handshake_that_hangs(void **state)
{
	static const struct step may[] = {
		{ S, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		{ TO_S, "EHLO c\r\nSTARTTLS\r\n" },
		{ S, "220 go\r\n" },
		{ WAIT, "119000" },
		{ EV, "" },
		{ WAIT, "1001" },
		{ EV, " failed 192.0.2.1 fallback 192.0.2.1" },
		{ DIAL, "192.0.2.1" },
		{ S, "220 mx\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		{ TO_C, "220 mx\r\n" SHOWN },
		ENVELOPE("o.example"),
		{ END, NULL },
	};
	static const struct step protected[] = {
		{ S, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		{ S, "220 go\r\n" },
		{ WAIT, "120001" },
		{ DIAL, "192.0.2.1" },
		{ S, "220 mx\r\n" },
		{ S, CAPS_TLS },
		{ TO_S, "EHLO c\r\nSTARTTLS\r\nEHLO c\r\n" },
		{ TO_C, "220 mx\r\n" SHOWN },
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@enc.example>\r\n" },
		{ TO_S, "" },
		{ TO_C,
		  "250 ok\r\n"
		  "451 enc.example requires encrypt: validation-failure; "
		  "server 192.0.2.1: TLS with it failed (handshake: no answer "
		  "in time); nothing was sent (policy for enc.example, line "
		  "2)\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(may);
	run(protected);
}

/* We had no memory: no fault of the server, no try in clear, and nothing that
 * would be remembered. */
static void no_memory_for_a_handshake(void **state)
{
	static const struct step s[] = {
		{ S, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		{ S, "220 go\r\n" },
		{ TO_S, "EHLO c\r\nSTARTTLS\r\n" },
		{ NO_ROOM, NULL },
		{ TO_C,
		  "220 mx\r\n421 the connection to the server was lost: no "
		  "memory or key for TLS\r\n" },
		{ WISH, "close" },
		{ EV, "" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* A refusal of the sender may be longer than a line; pipelined, it has to wait
 * for the RCPT that it answers. */
static void a_long_refusal_of_the_sender(void **state)
{
	static char refusal[3000], mail_refused[4000];
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n"
		     "RCPT TO:<c@o.example>\r\n" },
		{ TO_C, "250 ok\r\n" },
		{ S, refusal },
		{ S, "503 no MAIL\r\n503 no MAIL\r\n" },
		{ TO_C, mail_refused },
		{ WISH, "nothing" },
		{ END, NULL },
	};

	(void)state;
	for (int i = 0; i < 20; i++)
		strcat(refusal, "550-5.7.1 The reason is long, and says where "
				"one can read more about it.\r\n");
	strcat(refusal, "550 5.7.1 no\r\n");
	strcat(strcat(mail_refused, refusal), refusal);
	run(s);
}

/* Who talks is not idle, though the server hears nothing of it. */
static void a_client_that_talks_to_us_is_not_idle(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ WAIT, "500000" },
		{ C, "HELP\r\n" },
		{ WAIT, "500000" },
		{ WISH, "nothing" },
		{ C, "MAIL FROM:<a@c.example>\r\n" },
		{ WAIT, "599000" },
		{ WISH, "nothing" },
		{ WAIT, "1001" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* A server that refuses in the middle of a message, because it is too large: that
 * is what the client must hear, or it would try again for days. */
static void a_refusal_before_the_end(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ C, "half\r\n" },
		{ S, "552-5.3.4 too big\r\n552 5.3.4 really\r\n" },
		{ TO_C, "" },
		{ C, "the other half\r\n.\r\n" },
		{ TO_C, "552-5.3.4 too big\r\n552 5.3.4 really\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* Twelve hours are the most, but what is said last has a minute to be heard. */
static void a_session_without_end(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ WAIT, "43200000" },
		{ TO_C, "421 idle for too long\r\n" },
		{ WISH, "close" },
		{ WAIT, "59000" },
		{ WISH, "close" },
		{ WAIT, "1000" },
		{ WISH, "abort" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* RFC 5321 4.5.3.2.5: the server takes no more of the message. The client is
 * told so at its end, and the server gets no end. */
static void a_server_that_stops_reading(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		ENVELOPE("o.example"),
		{ DEAF, NULL },
		{ C, TEXT },
		{ WAIT, "180001" },
		{ WISH, "nothing" },
		{ C, TEXT ".\r\n" },
		{ TO_C, "451 the server did not take the message in time\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_server_has_its_own_past),
		cmocka_unit_test(a_route_whose_tls_fails),
		cmocka_unit_test(a_handshake_that_hangs),
		cmocka_unit_test(no_memory_for_a_handshake),
		cmocka_unit_test(a_long_refusal_of_the_sender),
		cmocka_unit_test(a_client_that_talks_to_us_is_not_idle),
		cmocka_unit_test(a_refusal_before_the_end),
		cmocka_unit_test(a_session_without_end),
		cmocka_unit_test(a_server_that_stops_reading),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
