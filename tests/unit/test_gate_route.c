/* SPDX-License-Identifier: BSD-2-Clause */
/* The outbound gate by scripts: rules whose route is the name of a host, which
 * somebody else has to find. */
#define GATE_CONFIG                                                         \
	"default may\n"                                                     \
	"resolver 192.0.2.53\n"                                             \
	"domain ver.example verify match mx.example "                       \
	"route mx.route.example:26\n"                                       \
	"domain too.example verify match mx.example on-fail reject "        \
	"route mx.route.example:26\n"                                       \
	"domain pin.example pin sha256:"                                    \
	"0000000000000000000000000000000000000000000000000000000000000001 " \
	"route mx.pin.example\n"
#include <string.h>
#include "gate_script.h"

#define TO_ROUTE(to)                                                     \
	IN_CLEAR, { C, "MAIL FROM:<a@c.example>\r\n" },                  \
		{ TO_C, "250 ok\r\n" }, { C, "RCPT TO:<b@" to ">\r\n" }, \
	{                                                                \
		TO_S, ""                                                 \
	}
#define LIFTED                                                        \
	{ S, "220 mx\r\n" }, { TO_S, "EHLO c\r\n" }, { S, CAPS_TLS }, \
		{ TO_S, "STARTTLS\r\n" }, { S, "220 go\r\n" },        \
		{ TLS, "good" }, { TO_S, "EHLO c\r\n" },              \
	{                                                             \
		S, CAPS_CLEAR                                         \
	}
#define UNKNOWN(to, line)                                             \
	"451 " to                                                     \
	" has the route mx.route.example: nobody knows; nothing was " \
	"sent (policy for " to ", line " line ")\r\n"

/* Asked once for a recipient, whatever has to be done on the way; the next one of
 * the transaction goes the same way. */
static void the_host_is_found(void **state)
{
	static const struct step s[] = {
		TO_ROUTE("ver.example"),
		{ WHERE, "mx.route.example 192.0.2.9" },
		{ DIAL, "192.0.2.9" },
		LIFTED,
		{ TO_S,
		  "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@ver.example>\r\n" },
		{ S, "250 s\r\n250 r\r\n" },
		{ TO_C, "250 r\r\n" },
		{ C, "RCPT TO:<c@too.example>\r\n" },
		{ TO_S, "RCPT TO:<c@too.example>\r\n" },
		{ S, "250 r\r\n" },
		{ TO_C, "250 r\r\n" },
		{ C, "RSET\r\n" },
		{ S, "250 reset\r\n" },
		{ TO_C, "250 reset\r\n" },
		{ TO_S, "RSET\r\n" },
		/* another transaction, and it is elsewhere by now */
		{ C, "MAIL FROM:<a@c.example>\r\n" },
		{ TO_C, "250 ok\r\n" },
		{ C, "RCPT TO:<b@ver.example>\r\n" },
		{ WHERE, "mx.route.example 192.0.2.8" },
		{ DIAL, "192.0.2.8" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* Not the client's own server instead, never for ever, and the next try asks. */
static void nobody_knows(void **state)
{
	static const struct step s[] = {
		TO_ROUTE("ver.example"),
		{ NOWHERE, "mx.route.example" },
		{ TO_C, UNKNOWN("ver.example", "3") },
		{ C, "RCPT TO:<b@too.example>\r\n" },
		{ NOWHERE, "mx.route.example" },
		{ TO_C, UNKNOWN("too.example", "4") },
		{ C, "RCPT TO:<b@ver.example>\r\n" },
		{ WHERE, "mx.route.example 192.0.2.9" },
		{ DIAL, "192.0.2.9" },
		{ TO_S, "" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

static void nobody_answers(void **state)
{
	static const struct step s[] = {
		TO_ROUTE("ver.example"),
		{ WAIT, "59000" },
		{ TO_C, "" },
		{ WAIT, "1001" },
		{ TO_C, "451 ver.example has the route mx.route.example: the "
			"resolver does not answer; nothing was sent (policy "
			"for ver.example, line 3)\r\n" },
		{ WISH, "nothing" },
		{ C, "QUIT\r\n" },
		{ TO_S, "QUIT\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* Who lies about the address gets the connection, and no mail. */
static void somebody_lies(void **state)
{
	static const struct step clear[] = {
		TO_ROUTE("ver.example"),
		{ WHERE, "mx.route.example 192.0.2.66" },
		{ DIAL, "192.0.2.66" },
		{ S, "220 mx\r\n" },
		{ S, CAPS_CLEAR },
		{ TO_S, "EHLO c\r\n" },
		{ TO_C, "451 ver.example requires verify: "
			"starttls-not-supported; server 192.0.2.66: it does "
			"not offer STARTTLS; nothing was sent (policy for "
			"ver.example, line 3)\r\n" },
		{ END, NULL },
	};
	static const struct step other[] = {
		TO_ROUTE("pin.example"),
		{ WHERE, "mx.pin.example 192.0.2.66" },
		{ DIAL, "192.0.2.66" },
		LIFTED,
		{ TO_S, "" },
		{ TO_C,
		  "550 pin.example requires pin: "
		  "certificate-not-trusted; server 192.0.2.66: its public "
		  "key is not a pinned one; nothing was sent (policy for "
		  "pin.example, line 5)\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(clear);
	run(other);
}

/* The server in use goes away while it is asked. */
static void who_leaves_meanwhile(void **state)
{
	static const struct step server[] = {
		TO_ROUTE("ver.example"),
		{ GONE, NULL },
		{ WHERE, "mx.route.example 192.0.2.9" },
		{ DIAL, "192.0.2.9" },
		{ END, NULL },
	};

	(void)state;
	run(server);
}

/* Answers in the order of the questions, though the client did not wait. */
static void in_a_row(void **state)
{
	static const struct step s[] = {
		IN_CLEAR,
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ TO_S,
		  "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ C, "RCPT TO:<b@ver.example>\r\n" },
		{ WISH, "nothing" },
		{ S, "250 s\r\n250 r\r\n" },
		{ NOWHERE, "mx.route.example" },
		{ TO_C, "250 ok\r\n250 r\r\n" UNKNOWN("ver.example", "3") },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_host_is_found, set_up),
		cmocka_unit_test_setup(nobody_knows, set_up),
		cmocka_unit_test_setup(nobody_answers, set_up),
		cmocka_unit_test_setup(somebody_lies, set_up),
		cmocka_unit_test_setup(who_leaves_meanwhile, set_up),
		cmocka_unit_test_setup(in_a_row, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
