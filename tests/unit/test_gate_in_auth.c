/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inbound gate: partners that log on. What is offered when, who is asked what,
 * what the server inside never hears; and clients that do as they like.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "gate_in_talk.h"

#define AUTH_CLEAR                                       \
	"250-in.example says hello\r\n250-SIZE 1000\r\n" \
	"250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n"    \
	"250-AUTH NTLM SCRAM-SHA-256 CRAM-MD5\r\n250 PIPELINING\r\n"
#define AUTH_TLS(mechs)                                  \
	"250-in.example says hello\r\n250-SIZE 1000\r\n" \
	"250-ENHANCEDSTATUSCODES\r\n250-AUTH " mechs "\r\n250 PIPELINING\r\n"
#define HELLO(shown)                                                 \
	{ C, "EHLO c.example\r\n" }, { TO_S, "EHLO c.example\r\n" }, \
		{ S, CAPS },                                         \
	{                                                            \
		TO_C, shown                                          \
	}
#define BEGUN GREETED, HELLO(AUTH_CLEAR)
#define TLS_BEGUN(how, mechs)                                               \
	BEGUN, { C, "STARTTLS\r\n" },                                       \
		{ TO_C, "220 2.0.0 ready to start TLS\r\n" }, { TLS, how }, \
		{ EVENT, "tls up " }, HELLO(AUTH_TLS(mechs))

static void partner(const struct step *s)
{
	run_on(s, &partners, true);
}

static void in_one_line_inside_tls(void **state)
{
	static const struct step s[] = {
		TLS_BEGUN("1.2", "NTLM SCRAM-SHA-256 CRAM-MD5 PLAIN"),
		{ C, "auth plain AGRvdWcAc2VjcmV0\r\n" },
		{ HEARD, "PLAIN AGRvdWcAc2VjcmV0" },
		{ IN, "doug" },
		{ TO_S, "" },
		{ TO_C, "235 2.7.0 logged on\r\n" },
		{ EVENT, "log-on " },
		{ WISH, "nothing" },
		ENVELOPE("doug.example"),
		{ C, TEXT ".\r\n" },
		{ TO_S, TEXT ".\r\n" },
		{ S, "250 2.0.0 taken\r\n" },
		{ TO_C, "250 2.0.0 taken\r\n" },
		{ EVENT, "message doug.exampleprotected" },
		/* RFC 4954 4: once */
		{ C, "AUTH PLAIN AGRvdWcAc2VjcmV0\r\n" },
		{ TO_C, "503 5.5.1 somebody has logged on already\r\n" },
		HELLO(SHOWN_TLS),
		{ TO_S, "" },
		{ END, NULL },
	};

	(void)state;
	partner(s);
}

static void in_three_steps(void **state)
{
	static const struct step s[] = {
		BEGUN,
		{ C, "AUTH NTLM\r\n" },
		{ HEARD, "NTLM" },
		{ ASKS, "" },
		{ TO_C, "334 \r\n" },
		{ C, "TlRMTQ==\r\n" },
		{ HEARD, "TlRMTQ==" },
		{ ASKS, "QUJD" },
		{ TO_C, "334 QUJD\r\n" },
		{ C, "\r\n" },
		{ HEARD, "" },
		{ IN, "doug" },
		{ TO_C, "235 2.7.0 logged on\r\n" },
		{ EVENT, "log-on " },
		ASK("MAIL FROM:<a@auth.example>\r\n", "250 ok\r\n"),
		{ END, NULL },
	};

	(void)state;
	partner(s);
}

static void sealed(void **state)
{
	static const struct step s[] = {
		BEGUN,
		{ C, "AUTH NTLM TlRMTQ==\r\n" },
		{ HEARD, "NTLM TlRMTQ==" },
		{ IN, "doug seal" },
		{ WISH, "seal" },
		{ TO_C, "235 2.7.0 logged on\r\n" },
		{ SEAL, "yes" },
		{ EVENT, "log-on " },
		{ WISH, "nothing" },
		/* RFC 4954 4: nothing that was said before counts */
		{ C, "MAIL FROM:<a@seal.example>\r\n" },
		{ TO_C, "503 5.5.1 say EHLO first\r\n" },
		HELLO(SHOWN_TLS), /* no STARTTLS within a seal */
		{ C, "STARTTLS\r\n" },
		{ TO_C, "503 5.5.1 not within a seal\r\n" },
		ENVELOPE("seal.example"),
		{ C, TEXT ".\r\n" },
		{ TO_S, TEXT ".\r\n" },
		{ S, "250 2.0.0 taken\r\n" },
		{ TO_C, "250 2.0.0 taken\r\n" },
		{ EVENT, "message seal.exampleprotected" },
		{ END, NULL },
	};
	static const struct step half[] = {
		BEGUN,
		{ C, "AUTH NTLM TlRMTQ==\r\n" },
		{ IN, "doug half" },
		{ TO_C, "235 2.7.0 logged on\r\n" },
		{ SEAL, "yes" },
		{ EVENT, "log-on " },
		ASK("MAIL FROM:<a@seal.example>\r\n", "250 ok\r\n"),
		{ END, NULL },
	};
	static const struct step no_memory[] = {
		BEGUN,
		{ C, "AUTH NTLM TlRMTQ==\r\n" },
		{ IN, "doug seal" },
		{ SEAL, "no" },
		{ WISH, "abort" },
		{ END, NULL },
	};

	(void)state;
	partner(s);
	partner(half);
	partner(no_memory);
}

static void what_is_offered(void **state)
{
	static const struct step with_binding[] = {
		TLS_BEGUN("1.3", "NTLM SCRAM-SHA-256-PLUS SCRAM-SHA-256 "
				 "CRAM-MD5 PLAIN"),
		{ C, "AUTH SCRAM-SHA-256-PLUS\r\n" },
		{ HEARD, "SCRAM-SHA-256-PLUS" },
		{ END, NULL },
	};
	static const struct step in_clear[] = {
		BEGUN,
		{ C, "AUTH PLAIN AGRvdWcAc2VjcmV0\r\n" },
		{ TO_C, "538 5.7.11 only inside TLS\r\n" },
		{ C, "AUTH LOGIN\r\n" },
		{ TO_C, "538 5.7.11 only inside TLS\r\n" },
		{ C, "AUTH SCRAM-SHA-256-PLUS\r\n" },
		{ TO_C, "504 5.5.4 mechanism not offered\r\n" },
		{ C, "AUTH SCRAM-SHA-1\r\n" },
		{ TO_C, "504 5.5.4 mechanism not offered\r\n" },
		{ C, "AUTH GSSAPI YQ==\r\n" },
		{ TO_C, "504 5.5.4 mechanism not offered\r\n" },
		{ C, "AUTH\r\n" },
		{ TO_C, "501 5.5.4 a mechanism must follow\r\n" },
		ASK("MAIL FROM:<a@o.example>\r\n", "250 ok\r\n"),
		{ C, "AUTH NTLM\r\n" },
		{ TO_C, "503 5.5.1 not within a mail transaction\r\n" },
		{ WISH, "nothing" },
		{ TO_S, "" },
		{ END, NULL },
	};
	static const struct step not_login_in_tls[] = {
		TLS_BEGUN("1.2", "NTLM SCRAM-SHA-256 CRAM-MD5 PLAIN"),
		{ C, "AUTH LOGIN\r\n" },
		{ TO_C, "504 5.5.4 mechanism not offered\r\n" },
		{ END, NULL },
	};
	static const struct step too_early[] = {
		GREETED,
		{ C, "AUTH NTLM\r\n" },
		{ TO_C, "503 say EHLO first\r\n" },
		{ END, NULL },
	};
	static const struct step nobody[] = {
		IN_CLEAR,
		{ C, "AUTH NTLM\r\n" },
		{ TO_C, "502 5.5.1 command not offered\r\n" },
		{ END, NULL },
	};
	static const struct step old_server[] = {
		GREETED,
		{ C, "EHLO c.example\r\n" },
		{ TO_S, "EHLO c.example\r\n" },
		{ S, "502 what\r\n" },
		{ TO_S, "HELO c.example\r\n" },
		{ S, "250 in.example\r\n" },
		{ TO_C, "250-in.example\r\n250-STARTTLS\r\n"
			"250-AUTH NTLM SCRAM-SHA-256 CRAM-MD5\r\n"
			"250 PIPELINING\r\n" },
		{ END, NULL },
	};

	(void)state;
	partner(with_binding);
	partner(in_clear);
	partner(not_login_in_tls);
	partner(too_early);
	partner(old_server);
	run(nobody);
}

/* In TLS all that was before is forgotten. */
static void forgotten_in_tls(void **state)
{
	static const struct step s[] = {
		BEGUN,
		{ C, "AUTH NTLM YQ==\r\n" },
		{ IN, "doug" },
		{ TO_C, "235 2.7.0 logged on\r\n" },
		{ EVENT, "log-on " },
		{ C, "STARTTLS\r\n" },
		{ TO_C, "220 2.0.0 ready to start TLS\r\n" },
		{ TLS, "1.2" },
		{ EVENT, "tls up " },
		HELLO(AUTH_TLS("NTLM SCRAM-SHA-256 CRAM-MD5 PLAIN")),
		{ C, "MAIL FROM:<a@auth.example>\r\n" },
		{ TO_C, "530 5.7.0 mail from auth.example must come logged on: "
			"nobody has logged on; say AUTH first (policy for "
			"auth.example, line 6)\r\n" },
		{ END, NULL },
	};

	(void)state;
	partner(s);
}

static void refused(void **state)
{
	static const struct step s[] = {
		BEGUN,
		{ C, "AUTH CRAM-MD5\r\n" },
		{ ASKS, "PDE+" },
		{ TO_C, "334 PDE+\r\n" },
		{ C, "ZG91ZyAx\r\n" },
		{ HEARD, "ZG91ZyAx" },
		{ OUT, "refused 1000" },
		{ TO_C, "" },
		{ WAIT, "999" },
		{ TO_C, "" },
		{ WAIT, "1" },
		{ TO_C, "535 5.7.8 log-on refused\r\n" },
		{ EVENT, "log-on failed " },
		{ C, "AUTH NTLM YQ==\r\n" },
		{ OUT, "weak" },
		{ TO_C, "534 5.7.9 less than what is asked for here\r\n" },
		{ EVENT, "log-on failed " },
		{ C, "AUTH NTLM YQ==\r\n" },
		{ OUT, "bad" },
		{ TO_C, "501 5.5.2 that is not this mechanism\r\n" },
		{ EVENT, "log-on failed " },
		{ C, "AUTH NTLM YQ==\r\n" },
		{ OUT, "keys" },
		{ TO_C, "454 4.7.0 no log-on is possible just now\r\n" },
		{ EVENT, "log-on failed " },
		{ C, "AUTH NTLM YQ==\r\n" },
		{ OUT, "later" },
		{ TO_C, "454 4.7.0 too many failed log-ons from there; try "
			"again later\r\n" },
		{ EVENT, "log-on failed " },
		{ C, "AUTH NTLM YQ==\r\n" },
		{ OUT, "refused 2000" },
		{ WAIT, "2000" },
		{ TO_C, "535 5.7.8 log-on refused\r\n" },
		{ EVENT, "log-on failed " },
		{ C, "AUTH NTLM YQ==\r\n" },
		{ OUT, "refused 4000" },
		{ WAIT, "4000" },
		{ TO_C, "421 4.7.0 too many failed log-ons\r\n" },
		{ WISH, "close" },
		{ TO_S, "" },
		{ END, NULL },
	};

	(void)state;
	partner(s);
}

static void given_up(void **state)
{
	static const struct step s[] = {
		BEGUN,
		{ C, "AUTH CRAM-MD5\r\n" },
		{ ASKS, "PDE+" },
		{ TO_C, "334 PDE+\r\n" },
		{ C, "*\r\n" },
		{ TO_C, "501 5.7.0 log-on given up\r\n" },
		{ EVENT, "log-on failed " },
		/* and what looks like one, or a command, is an answer */
		{ C, "AUTH CRAM-MD5\r\n" },
		{ ASKS, "PDE+" },
		{ TO_C, "334 PDE+\r\n" },
		{ C, "MAIL FROM:<a@o.example>\r\n" },
		{ HEARD, "MAIL FROM:<a@o.example>" },
		{ OUT, "bad" },
		{ TO_C, "501 5.5.2 that is not this mechanism\r\n" },
		{ EVENT, "log-on failed " },
		{ TO_S, "" },
		ASK("MAIL FROM:<a@o.example>\r\n", "250 ok\r\n"),
		{ END, NULL },
	};

	(void)state;
	partner(s);
}

/* Log-ons that are begun and given up, or are none, are not for ever either. */
static void given_up_again_and_again(void **state)
{
	enum { EACH = 4, TIMES = 11 };
	static const struct step begin[] = { BEGUN };
	static struct step
		s[sizeof(begin) / sizeof(begin[0]) + EACH * TIMES + 2];
	size_t n = sizeof(begin) / sizeof(begin[0]);

	(void)state;
	memcpy(s, begin, sizeof(begin));
	for (unsigned i = 0; i < TIMES; i++) {
		s[n++] = (struct step){ C, "AUTH NTLM YQ==\r\n" };
		s[n++] = (struct step){ OUT, i % 2 ? "bad" : "weak" };
		s[n++] = (struct step){ TO_C,
					i == TIMES - 1
						? "421 4.7.0 too many failed "
						  "log-ons\r\n"
					: i % 2 ? "501 5.5.2 that is not this "
						  "mechanism\r\n"
						: "534 5.7.9 less than what is "
						  "asked for here\r\n" };
		s[n++] = (struct step){ EVENT, "log-on failed " };
	}
	s[n++] = (struct step){ WISH, "close" };
	s[n] = (struct step){ END, NULL };
	partner(s);
}

/* A line of 4096 octets, and of one more. */
static void long_lines(void **state)
{
	static char fits[4100], over[4100];
	const struct step s[] = {
		BEGUN,
		{ C, "AUTH CRAM-MD5\r\n" },
		{ ASKS, "PDE+" },
		{ TO_C, "334 PDE+\r\n" },
		{ C, fits },
		{ OUT, "bad" },
		{ TO_C, "501 5.5.2 that is not this mechanism\r\n" },
		{ EVENT, "log-on failed " },
		{ C, "AUTH CRAM-MD5\r\n" },
		{ ASKS, "PDE+" },
		{ TO_C, "334 PDE+\r\n" },
		{ C, over },
		{ TO_C, "500 5.5.6 line too long\r\n" },
		{ EVENT, "log-on failed " },
		ASK("NOOP\r\n", "250 ok\r\n"),
		/* no other command is longer than it was */
		{ C, fits },
		{ TO_C, "500 5.5.2 line too long\r\n" },
		{ TO_S, "" },
		{ END, NULL },
	};

	(void)state;
	memset(fits, 'A', 4096);
	strcpy(fits + 4096, "\r\n");
	memset(over, 'A', 4097);
	strcpy(over + 4097, "\r\n");
	partner(s);
}

static void who_leaves_meanwhile(void **state)
{
	static const char *const who[] = { "client", "server" };
	static const enum op how[] = { EOF_, GONE };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const struct step while_asked[] = {
			BEGUN,
			{ C, "AUTH NTLM YQ==\r\n" },
			{ how[i / 2], who[i % 2] },
			{ IN, "doug seal" }, /* nobody waits any more */
			{ OUT, "refused 1000" },
			{ ASKS, "QUJD" },
			{ TO_S, "" },
			{ END, NULL },
		};
		const struct step while_held[] = {
			BEGUN,
			{ C, "AUTH NTLM YQ==\r\n" },
			{ OUT, "refused 1000" },
			{ how[i / 2], who[i % 2] },
			{ WAIT, "1000" },
			{ TO_S, "" },
			{ END, NULL },
		};

		partner(while_asked);
		partner(while_held);
	}
}

static void nobody_waits_for_ever(void **state)
{
	static const struct step for_keys[] = {
		BEGUN,
		{ C, "AUTH NTLM YQ==\r\n" },
		{ WAIT, "60000" },
		{ TO_C, "421 4.4.2 the server did not answer in time\r\n" },
		{ WISH, "close" },
		{ IN, "doug" },
		{ TO_C, "" },
		{ END, NULL },
	};
	static const struct step for_the_client[] = {
		BEGUN,
		{ C, "AUTH NTLM YQ==\r\n" },
		{ ASKS, "QUJD" },
		{ TO_C, "334 QUJD\r\n" },
		{ WAIT, "60000" },
		{ TO_C, "421 4.4.2 idle for too long\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step the_server_speaks[] = {
		BEGUN,
		{ C, "AUTH NTLM YQ==\r\n" },
		{ ASKS, "QUJD" },
		{ TO_C, "334 QUJD\r\n" },
		{ S, "250 what\r\n" },
		{ TO_C, "421 4.5.0 the server broke the protocol: a reply that "
			"nobody asked for\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	partner(for_keys);
	partner(for_the_client);
	partner(the_server_speaks);
}

/* A session that ends in the middle of a log-on leaves nothing of it behind. */
static void forgotten_at_the_end(void **state)
{
	static const char secret[] = "AGRvdWcAc2VjcmV0";
	static const struct step whole[] = {
		TLS_BEGUN("1.2", "NTLM SCRAM-SHA-256 CRAM-MD5 PLAIN"),
		{ C, "AUTH PLAIN AGRvdWcAc2VjcmV0\r\n" },
		{ GONE, "client" },
		{ END, NULL },
	};
	static const struct step half[] = {
		TLS_BEGUN("1.2", "NTLM SCRAM-SHA-256 CRAM-MD5 PLAIN"),
		{ C, "AUTH PLAIN\r\n" },
		{ HEARD, "PLAIN" },
		{ ASKS, "" },
		{ C, "AGRvdWcAc2VjcmV0" },
		{ WAIT, "60000" },
		{ END, NULL },
	};
	static const struct step *const both[] = { whole, half };
	static struct talk t;
	const struct gate_in_start start = { .now_ms = 1000, .can_tls = true };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t *mem = calloc(1, smtp_gate_in_size());

		memset(&t, 0, sizeof(t));
		t.piece = 65536;
		t.now = 1000;
		t.g = smtp_gate_in_init(mem, &partners, &start);
		for (const struct step *s = both[i]; s->op != END; s++)
			step(&t, s);
		for (size_t k = 0; k + 8 <= smtp_gate_in_size(); k++)
			assert_memory_not_equal(mem + k, secret, 8);
		free(mem);
	}
}

/* Whose mail it may be. */
static void senders(void **state)
{
	static const struct step s[] = {
		BEGUN,
		{ C, "MAIL FROM:<a@doug.example>\r\n" },
		{ TO_C, "530 5.7.0 mail from doug.example must come logged on "
			"as doug: nobody has logged on; say AUTH first (policy "
			"for doug.example, line 6)\r\n" },
		{ EVENT, "mail refused doug.example" },
		{ C, "AUTH NTLM YQ==\r\n" },
		{ IN, "eve" },
		{ TO_C, "235 2.7.0 logged on\r\n" },
		{ EVENT, "log-on doug.example" },
		{ C, "MAIL FROM:<a@doug.example>\r\n" },
		{ TO_C, "530 5.7.0 mail from doug.example must come logged on "
			"as doug: another account has logged on (policy for "
			"doug.example, line 6)\r\n" },
		{ C, "MAIL FROM:<a@seal.example>\r\n" },
		{ TO_C, "530 5.7.0 mail from seal.example must come logged on "
			"as doug, sealed with 128 bits: another account has "
			"logged on (policy for seal.example, line 6)\r\n" },
		/* AUTH= is between the client and us */
		{ C, "MAIL FROM:<a@auth.example> SIZE=9 auth=a+3Db\r\n" },
		{ S, "501 no\r\n" },
		{ TO_S, "MAIL FROM:<a@auth.example> SIZE=9\r\n" },
		{ TO_C, "501 no\r\n" },
		/* but what only looks like it is part of the address: without
		 * it, this would be mail from "x X=y"@doug.example */
		{ C, "MAIL FROM:<\"x AUTH=\"@free.example> X=y\"@doug.example>"
		     " AUTH=<>\r\n" },
		{ S, "501 no\r\n" },
		{ TO_S,
		  "MAIL FROM:<\"x AUTH=\"@free.example> X=y\"@doug.example>"
		  "\r\n" },
		{ TO_C, "501 no\r\n" },
		{ C, "MAIL FROM:<\"\\\" AUTH=\"@free.example> AUTH=<> "
		     "SIZE=9\r\n" },
		{ S, "501 no\r\n" },
		{ TO_S, "MAIL FROM:<\"\\\" AUTH=\"@free.example> SIZE=9\r\n" },
		{ END, NULL },
	};

	(void)state;
	partner(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_one_line_inside_tls),
		cmocka_unit_test(in_three_steps),
		cmocka_unit_test(sealed),
		cmocka_unit_test(what_is_offered),
		cmocka_unit_test(forgotten_in_tls),
		cmocka_unit_test(refused),
		cmocka_unit_test(given_up),
		cmocka_unit_test(given_up_again_and_again),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(who_leaves_meanwhile),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(forgotten_at_the_end),
		cmocka_unit_test(senders),
	};

	return cmocka_run_group_tests(tests, talk_set_up, NULL);
}
