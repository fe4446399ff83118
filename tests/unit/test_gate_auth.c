/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log-ons in the outbound gate: when they begin, what stands around them on the
 * wire, and that nothing of an envelope is said before they are done. What is
 * said in them is made up; test_sasl.c has what is true.
 */
#define GATE_CONFIG                                                           \
	"default may\n"                                                       \
	"account hub user u password sealed x\n"                              \
	"account other user u password sealed x\n"                            \
	"domain seal.example ntlm-seal account hub\n"                         \
	"domain old.example ntlm-seal account hub min-bits 40 legacy\n"       \
	"domain two.example ntlm-seal account other\n"                        \
	"domain enc.example encrypt auth cram-md5 account hub\n"              \
	"domain ver.example verify match mx.example auth plain account hub\n" \
	"domain def.example verify match mx.example auth plain account hub "  \
	"on-fail defer\n"                                                     \
	"domain scr.example encrypt auth scram-sha-256 account hub\n"         \
	"domain tls.example encrypt\n"
#include "gate_script.h"

#define CAPS_AUTH                                                     \
	"250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 AUTH PLAIN NTLM " \
	"CRAM-MD5 SCRAM-SHA-256\r\n"
#define CAPS_BOTH                                                     \
	"250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250-STARTTLS\r\n250 " \
	"AUTH PLAIN NTLM CRAM-MD5\r\n"
#define HELLO(caps)                                                       \
	{ S, "220 mx\r\n" }, { TO_C, "220 mx\r\n" }, { C, "EHLO c\r\n" }, \
		{ TO_S, "EHLO c\r\n" }, { S, caps },                      \
	{                                                                 \
		TO_C, SHOWN                                               \
	}
#define HELLO_TLS(how, caps)                                                 \
	{ S, "220 mx\r\n" }, { TO_C, "220 mx\r\n" }, { C, "EHLO c\r\n" },    \
		{ TO_S, "EHLO c\r\n" }, { S, CAPS_BOTH },                    \
		{ TO_S, "STARTTLS\r\n" }, { S, "220 go\r\n" }, { TLS, how }, \
		{ TO_S, "EHLO c\r\n" }, { S, caps },                         \
	{                                                                    \
		TO_C, SHOWN                                                  \
	}
#define MAIL_RCPT(to)                                               \
	{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@" to ">\r\n" }, \
	{                                                           \
		TO_C, "250 ok\r\n"                                  \
	}
#define SENT(to, with)                                                         \
	{ TO_S, "MAIL FROM:<a@c.example>" with "\r\nRCPT TO:<b@" to ">\r\n" }, \
		{ S, "250 s\r\n250 r\r\n" },                                   \
	{                                                                      \
		TO_C, "250 r\r\n"                                              \
	}

/* NTLM with its three messages, then a seal: EHLO again inside it. */
#define NTLM_UP(bits, caps)                                                \
	{ ASK, "begin ntlm hub seal" }, { TO_S, "" }, { SAY, "VDE=" },     \
		{ TO_S, "AUTH NTLM VDE=\r\n" }, { S, "334 VDI=\r\n" },     \
		{ ASK, "challenge VDI=" }, { TO_S, "" }, { SAY, "VDM=" },  \
		{ TO_S, "VDM=\r\n" }, { S, "235 welcome\r\n" },            \
		{ ASK, "done" }, { TO_S, "" }, { TO_C, "" }, { UP, bits }, \
		{ TO_S, "EHLO c\r\n" },                                    \
	{                                                                  \
		S, caps                                                    \
	}

static void sealed_in_clear(void **state)
{
	static const struct step s[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		NTLM_UP("128", CAPS_AUTH),
		SENT("seal.example", " AUTH=<>"),
		{ C, "DATA\r\n" },
		{ TO_S, "DATA\r\n" },
		{ S, "354 go\r\n" },
		{ TO_C, "354 go\r\n" },
		{ C, TEXT ".\r\n" },
		{ TO_S, TEXT ".\r\n" },
		{ S, "250 taken\r\n" },
		{ TO_C, "250 taken\r\n" },
		/* once is enough */
		MAIL_RCPT("seal.example"),
		SENT("seal.example", " AUTH=<>"),
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

/* In the middle of a session that served others before; and a server that says
 * nothing of AUTH inside the seal gets no parameter of it. */
static void later(void **state)
{
	static const struct step s[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("any.example"),
		SENT("any.example", ""),
		{ C, "RSET\r\n" },
		{ TO_S, "RSET\r\n" },
		{ S, "250 reset\r\n" },
		{ TO_C, "250 reset\r\n" },
		MAIL_RCPT("seal.example"),
		NTLM_UP("128", CAPS_CLEAR),
		SENT("seal.example", ""),
		/* another of the same transaction needs no other channel */
		{ C, "RCPT TO:<b@any.example>\r\n" },
		{ TO_S, "RCPT TO:<b@any.example>\r\n" },
		{ S, "250 r\r\n" },
		{ TO_C, "250 r\r\n" },
		{ END, NULL },
	};
	static const struct step mixed[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("any.example"),
		SENT("any.example", ""),
		{ C, "RCPT TO:<b@seal.example>\r\n" },
		{ TO_C, "452 this recipient needs another channel than the "
			"recipients before it; send it again separately\r\n" },
		{ TO_S, "" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(mixed);
}

/* TLS around it: first TLS, also if the certificate is nobody's. */
static void sealed_in_tls(void **state)
{
	static const struct step s[] = {
		HELLO_TLS("none", CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		NTLM_UP("128", CAPS_AUTH),
		SENT("seal.example", " AUTH=<>"),
		{ END, NULL },
	};
	/* TLS breaks off: the seal alone, over another connection */
	static const struct step falls[] = {
		{ S, "220 mx\r\n" },
		{ TO_C, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_BOTH },
		{ TO_S, "STARTTLS\r\n" },
		{ S, "220 go\r\n" },
		{ FAIL, NULL },
		{ DIAL, "192.0.2.1" },
		{ S, "220 mx\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_BOTH },
		{ TO_C, SHOWN },
		MAIL_RCPT("seal.example"),
		NTLM_UP("128", CAPS_AUTH),
		SENT("seal.example", " AUTH=<>"),
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(falls);
}

/* One key stream for both: a command waits for the answer to the one before. */
static void in_turns(void **state)
{
	static const struct step s[] = {
		HELLO(CAPS_CLEAR), /* NTLM is not announced: legacy */
		MAIL_RCPT("old.example"),
		NTLM_UP("40 half", CAPS_AUTH),
		{ TO_S, "MAIL FROM:<a@c.example> AUTH=<>\r\n" },
		{ C, "RCPT TO:<c@old.example>\r\n" },
		{ TO_S, "" },
		{ S, "250 s\r\n" },
		{ TO_S, "RCPT TO:<b@old.example>\r\n" },
		{ S, "250 r\r\n" },
		{ TO_C, "250 r\r\n" },
		{ TO_S, "RCPT TO:<c@old.example>\r\n" },
		{ S, "550 nobody\r\n" },
		{ TO_C, "550 nobody\r\n" },
		{ C, "DATA\r\n" },
		{ TO_S, "DATA\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* What stands between: PLAIN without an initial response, CRAM, SCRAM-PLUS. */
static void mechanisms(void **state)
{
	static const struct step plain[] = {
		HELLO_TLS("good", CAPS_AUTH),
		MAIL_RCPT("ver.example"),
		{ ASK, "begin plain hub" },
		{ SAY, NULL },
		{ TO_S, "AUTH PLAIN\r\n" },
		{ S, "334 \r\n" },
		{ ASK, "challenge " },
		{ SAY, "AHUAcA==" },
		{ TO_S, "AHUAcA==\r\n" },
		{ S, "235 2.7.0 ok\r\n" },
		{ ASK, "done" },
		{ UP, NULL },
		SENT("ver.example", " AUTH=<>"),
		{ END, NULL },
	};
	static const struct step cram[] = {
		HELLO_TLS("none", CAPS_AUTH),
		MAIL_RCPT("enc.example"),
		{ ASK, "begin cram-md5 hub" },
		{ SAY, NULL },
		{ TO_S, "AUTH CRAM-MD5\r\n" },
		{ S, "334 PDE+\r\n" },
		{ ASK, "challenge PDE+" },
		{ SAY, "dSAw" },
		{ TO_S, "dSAw\r\n" },
		{ S, "235 ok\r\n" },
		{ UP, NULL },
		SENT("enc.example", " AUTH=<>"),
		/* the log-on is no hindrance to who needs none */
		{ C, "RSET\r\n" },
		{ TO_S, "RSET\r\n" },
		{ S, "250 reset\r\n" },
		{ TO_C, "250 reset\r\n" },
		MAIL_RCPT("tls.example"),
		SENT("tls.example", " AUTH=<>"),
		{ END, NULL },
	};
	static const struct step scram[] = {
		HELLO_TLS("none", "250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 "
				  "AUTH=scram-sha-256 SCRAM-SHA-256-PLUS\r\n"),
		MAIL_RCPT("scr.example"),
		{ ASK, "begin scram-sha-256 hub plus" },
		{ SAY_PLUS, "Zg==" },
		{ TO_S, "AUTH SCRAM-SHA-256-PLUS Zg==\r\n" },
		{ S, "334 cg==\r\n" },
		{ SAY, "Yw==" },
		{ S, "334 dg==\r\n" },
		{ ASK, "challenge dg==" },
		{ SAY, "" },
		{ TO_S, "Yw==\r\n\r\n" },
		{ S, "235 ok\r\n" },
		{ UP, NULL },
		/* AUTH is not said in the way of RFC 4954: no parameter */
		SENT("scr.example", ""),
		{ END, NULL },
	};

	(void)state;
	run(plain);
	run(cram);
	run(scram);
}

/* Answered in the same breath as MAIL. */
#define MAIL_REFUSED(code, what, to, why)                           \
	{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@" to ">\r\n" }, \
	{                                                           \
		TO_C, "250 ok\r\n" code " " what                    \
		      " authentication failed for " to              \
		      ", account hub; server 192.0.2.1: " why       \
		      "; nothing was sent (policy for " to ", line "
#define REFUSED(code, what, to, why)                                 \
	{                                                            \
		TO_C, code " " what " authentication failed for " to \
			   ", account hub; server 192.0.2.1: " why   \
			   "; nothing was sent (policy for " to ", line "

/* The seed's promise: a 535, and nothing has left. */
static void refused_by_the_server(void **state){
	static const struct
	step s[] = { HELLO(CAPS_AUTH),
		     MAIL_RCPT("seal.example"),
		     { ASK, "begin ntlm hub seal" },
		     { SAY, "VDE=" },
		     { TO_S, "AUTH NTLM VDE=\r\n" },
		     { S, "334 VDI=\r\n" },
		     { SAY, "VDM=" },
		     { TO_S, "VDM=\r\n" },
		     { S, "535 5.7.3 who are you?\r\n" },
		     REFUSED("535", "ntlm", "seal.example",
			     "it refused the account (it said 535 5.7.3 who are "
			     "you?)") "4)\r\n" },
	{ TO_S, "" },
	{ WISH, "nothing" },
	/* not once more on this connection */
	{ C, "RCPT TO:<c@seal.example>\r\n" },
	REFUSED("535", "ntlm", "seal.example",
		"it refused the account (it said 535 5.7.3 who are "
		"you?)") "4)\r\n"
},
	{ TO_S, "" },
	/* others are served */
	{ C, "RCPT TO:<b@any.example>\r\n" }, SENT("any.example", ""),
	{ END, NULL },
}
;
static const struct step
	later[] = { HELLO_TLS("good", CAPS_AUTH),
		    MAIL_RCPT("ver.example"),
		    { SAY, "AHUAcA==" },
		    { TO_S, "AUTH PLAIN AHUAcA==\r\n" },
		    { S, "454 4.7.0 the disk is full\r\n" },
		    REFUSED("454", "plain", "ver.example",
			    "it refused for now (it said 454 4.7.0 the disk is "
			    "full)") "8)\r\n" },
	{ END, NULL },
}
;
static const struct step defer
	[] = { HELLO_TLS("good", CAPS_AUTH),
	       MAIL_RCPT("def.example"),
	       { SAY, "AHUAcA==" },
	       { TO_S, "AUTH PLAIN AHUAcA==\r\n" },
	       { S, "535 no\r\n" },
	       REFUSED("454", "plain", "def.example",
		       "it refused the account (it said 535 no)") "9)\r\n" },
   /* with a new snapshot the password may be another */
	{ FRESH, NULL }, { C, "RCPT TO:<b@def.example>\r\n" },
   { ASK, "begin plain hub" }, { END, NULL },
}
;

(void)state;
run(s);
run(later);
run(defer);
}

/* A25, A27: in clear, or with other mechanisms, nothing is said. */
static void not_offered(void **state)
{
	static const struct step clear[] = {
		HELLO(CAPS_AUTH),
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@ver.example>\r\n" },
		{ TO_C,
		  "250 ok\r\n"
		  "451 ver.example requires verify: starttls-not-supported; "
		  "server 192.0.2.1: it does not offer STARTTLS; nothing was "
		  "sent (policy for ver.example, line 8)\r\n" },
		{ TO_S, "" },
		{ WISH, "nothing" },
		{ END, NULL },
	};
	static const struct step other_name[] = {
		HELLO_TLS("none", CAPS_AUTH),
		MAIL_RCPT("ver.example"),
		{ DIAL, NULL }, /* one more chance, by the name */
		{ TO_S, "" },
		{ END, NULL },
	};
	static const struct step weaker
		[] = { HELLO_TLS("none",
				 "250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 "
				 "AUTH PLAIN LOGIN\r\n"),
		       MAIL_REFUSED(
			       "454", "cram-md5", "enc.example",
			       "it does not offer this mechanism") "7)\r\n" },
	  { TO_S, "" }, { C, "RCPT TO:<b@seal.example>\r\n" },
	  REFUSED("454", "ntlm", "seal.example",
		  "it does not offer this mechanism") "4)\r\n"
}
, { TO_S, "" }, { END, NULL },
}
;
/* it was there in clear, and is not inside TLS: forgotten */
static const struct step in_clear_only
	[] = { HELLO_TLS("none", CAPS_CLEAR),
	       MAIL_REFUSED("454", "cram-md5", "enc.example",
			    "it does not offer this mechanism") "7)\r\n" },
	{ TO_S, "" }, { END, NULL },
}
;

(void)state;
run(clear);
run(other_name);
run(weaker);
run(in_clear_only);
}

/* keys says no: before anything was said, in the middle, at the end. */
static void refused_here(void **state){
	static const struct step
		no_keys[] = { HELLO(CAPS_AUTH),
			      MAIL_RCPT("seal.example"),
			      { NO, "8" },
			      REFUSED("454", "ntlm", "seal.example",
				      "the box could not answer it") "4)\r\n" },
	{ TO_S, "" },
	{ END, NULL },
};
static const struct step weak
	[] = { HELLO(CAPS_AUTH),
	       MAIL_RCPT("seal.example"),
	       { SAY, "VDE=" },
	       { TO_S, "AUTH NTLM VDE=\r\n" },
	       { S, "334 VDI=\r\n" },
	       { NO, "4" },
	       { TO_S, "*\r\n" },
	       { TO_C, "" },
	       { S, "501 as you like\r\n" },
	       REFUSED("534", "ntlm", "seal.example",
		       "it can do less than the policy asks") "4)\r\n" },
    { C, "RCPT TO:<b@any.example>\r\n" }, SENT("any.example", ""),
    { END, NULL },
}
;
/* a server that logs us on all the same is not talked to any more */
static const struct step stubborn
	[] = { HELLO(CAPS_AUTH),
	       MAIL_RCPT("seal.example"),
	       { SAY, "VDE=" },
	       { S, "334 VDI=\r\n" },
	       { NO, "6" },
	       { TO_S, "AUTH NTLM VDE=\r\n*\r\n" },
	       { S, "235 welcome\r\n" },
	       REFUSED("454", "ntlm", "seal.example",
		       "it broke the protocol of the log-on") "4)\r\n" },
	{ C, "RCPT TO:<b@any.example>\r\n" }, { TO_S, "" },
	{ DIAL, "192.0.2.1" }, { END, NULL },
}
;
/* 235, but it did not prove that it knows the password */
static const struct step unproven
	[] = { HELLO_TLS("none", CAPS_AUTH),
	       MAIL_RCPT("scr.example"),
	       { SAY, "Zg==" },
	       { TO_S, "AUTH SCRAM-SHA-256 Zg==\r\n" },
	       { S, "235 welcome\r\n" },
	       { ASK, "done" },
	       { NO, "5" },
	       REFUSED("454", "scram-sha-256", "scr.example",
		       "it did not prove that it knows the password") "10)\r\n" },
	{ TO_S, "" }, { C, "RCPT TO:<b@any.example>\r\n" }, { TO_S, "" },
	{ DIAL, "192.0.2.1" }, { END, NULL },
}
;

(void)state;
run(no_keys);
run(weak);
run(stubborn);
run(unproven);
}

/* A connection has one log-on; another account needs another connection. */
static void another_account(void **state)
{
	static const struct step s[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		NTLM_UP("128", CAPS_AUTH),
		SENT("seal.example", " AUTH=<>"),
		{ C, "RSET\r\n" },
		{ S, "250 reset\r\n" },
		{ TO_S, "RSET\r\n" },
		{ TO_C, "250 reset\r\n" },
		MAIL_RCPT("two.example"),
		{ DIAL, "192.0.2.1" },
		{ S, "220 mx\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_AUTH },
		{ ASK, "begin ntlm other seal" },
		{ END, NULL },
	};
	/* and what needs TLS does not get the seal for it */
	static const struct step tls[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		NTLM_UP("128", CAPS_BOTH),
		SENT("seal.example", " AUTH=<>"),
		{ C, "RCPT TO:<b@tls.example>\r\n" },
		{ TO_C, "452 this recipient needs another channel than the "
			"recipients before it; send it again separately\r\n" },
		{ C, "RSET\r\n" },
		{ S, "250 reset\r\n" },
		{ TO_S, "RSET\r\n" },
		{ TO_C, "250 reset\r\n" },
		MAIL_RCPT("tls.example"),
		{ TO_S, "" },
		{ DIAL, "192.0.2.1" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(tls);
}

/* A server that says anything else. */
static void odd_servers(void **state)
{
	static const struct step two_lines[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		{ SAY, "VDE=" },
		{ S, "334-VDI=\r\n334 VDI=\r\n" },
		{ TO_C, "421 the server broke the protocol: a challenge of two "
			"lines\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step ok[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		{ SAY, "VDE=" },
		{ S, "250 ok\r\n" },
		{ TO_C, "421 the server broke the protocol: 2xx that is not "
			"235 to AUTH\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	static const struct step data[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		{ SAY, "VDE=" },
		{ S, "354 go on\r\n" },
		{ TO_C, "421 the server broke the protocol: 3xx where none "
			"belongs\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	/* 334 where no log-on is */
	static const struct step early[] = {
		HELLO(CAPS_AUTH),
		{ C, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@any.example>\r\n" },
		{ S, "334 VDI=\r\n" },
		{ TO_C, "250 ok\r\n421 the server broke the protocol: 3xx "
			"where none belongs\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};
	/* it goes, once and again: the recipient is deferred */
	static const struct step gone[] = {
		HELLO(CAPS_AUTH),
		MAIL_RCPT("seal.example"),
		{ SAY, "VDE=" },
		{ GONE, NULL },
		{ TO_C, "" },
		{ DIAL, "192.0.2.1" },
		{ S, "220 mx\r\n" },
		{ S, CAPS_AUTH },
		{ ASK, "begin ntlm hub seal" },
		{ GONE, NULL },	 /* while keys thinks */
		{ SAY, "VDE=" }, /* too late: nobody hears it */
		{ DIAL, "192.0.2.1" },
		{ S, "220 mx\r\n" },
		{ S, CAPS_AUTH },
		{ GONE, NULL },
		{ TO_C, "451 the server cannot be reached\r\n" },
		{ WISH, "nothing" },
		{ END, NULL },
	};
	static const struct step silent[] = {
		HELLO(CAPS_AUTH),   MAIL_RCPT("seal.example"), { SAY, "VDE=" },
		{ WAIT, "300000" }, { DIAL, "192.0.2.1" },     { END, NULL },
	};

	(void)state;
	run(two_lines);
	run(ok);
	run(data);
	run(early);
	run(gone);
	run(silent);
}

/* Of what was said to the server nothing is left in the gate. */
static void passwords_are_wiped(void **state)
{
	static const char secret[] = "AHVzZXIAY2FuYXJ5LXNlY3JldA==";
	struct gate_start start = { .now_ms = 1000 };
	size_t size = smtp_gate_out_size();
	uint8_t *mem = calloc(1, size);
	static struct talk t;

	(void)state;
	memset(&t, 0, sizeof(t));
	t.piece = 100;
	t.g = smtp_gate_out_init(mem, &policy, &start);
	say(&t, SERVER, "220 mx\r\n");
	say(&t, CLIENT, "EHLO c\r\n");
	say(&t, SERVER, CAPS_BOTH);
	say(&t, SERVER, "220 go\r\n");
	shake(&t, "good");
	hear(&t);
	say(&t, SERVER, CAPS_AUTH);
	say(&t, CLIENT,
	    "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@ver.example>\r\n");
	smtp_gate_out_auth_say(t.g, SPAN_LIT(secret), true, false);
	assert_non_null(memmem(mem, size, secret, sizeof(secret) - 1));
	hear(&t);
	assert_non_null(memmem(t.heard[SERVER], t.heard_n[SERVER], secret,
			       sizeof(secret) - 1));
	assert_null(memmem(mem, size, secret, 8));
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_in_clear),
		cmocka_unit_test(later),
		cmocka_unit_test(sealed_in_tls),
		cmocka_unit_test(in_turns),
		cmocka_unit_test(mechanisms),
		cmocka_unit_test(refused_by_the_server),
		cmocka_unit_test(not_offered),
		cmocka_unit_test(refused_here),
		cmocka_unit_test(another_account),
		cmocka_unit_test(odd_servers),
		cmocka_unit_test(passwords_are_wiped),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
