/* SPDX-License-Identifier: BSD-2-Clause */
/* The outbound gate tells a box that it is one, too: inside TLS, behind MAIL, and
 * nobody else. */
#define GATE_CONFIG                              \
	"default may\n"                          \
	"inbound on\n"                           \
	"account hub user u password sealed x\n" \
	"domain cram.example encrypt auth cram-md5 account hub\n"
#include <stdio.h>
#include "gate_script.h"

#define CAPS_BOX "250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 XSEALWIRE\r\n"
#define CAPS_BOX_AUTH                                                      \
	"250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250-AUTH CRAM-MD5\r\n250 " \
	"XSEALWIRE\r\n"
#define HELLO(caps)                                                \
	{ S, "220 mx\r\n" }, { C, "EHLO c\r\n" }, { S, CAPS_TLS }, \
		{ S, "220 go\r\n" }, { TLS, "none" }, { S, caps }, \
		{ TO_S, "EHLO c\r\nSTARTTLS\r\nEHLO c\r\n" },      \
	{                                                          \
		TO_C, "220 mx\r\n" SHOWN                           \
	}

static void a_box_is_told(void **state)
{
	static const struct step s[] = {
		HELLO(CAPS_BOX),
		{ C, "MAIL FROM:<a@c.example> RET=HDRS\r\n"
		     "RCPT TO:<b@o.example>\r\n" },
		{ TO_S, "MAIL FROM:<a@c.example> RET=HDRS XSEALWIRE\r\n"
			"RCPT TO:<b@o.example>\r\n" },
		{ END, NULL },
	};
	static const struct step logged_on[] = {
		HELLO(CAPS_BOX_AUTH),
		{ C,
		  "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@cram.example>\r\n" },
		{ ASK, "begin cram-md5 hub" },
		{ SAY, NULL },
		{ TO_S, "AUTH CRAM-MD5\r\n" },
		{ S, "334 VDI=\r\n" },
		{ ASK, "challenge VDI=" },
		{ SAY, "VDM=" },
		{ TO_S, "VDM=\r\n" },
		{ S, "235 welcome\r\n" },
		{ ASK, "done" },
		{ UP, NULL },
		{ TO_S, "MAIL FROM:<a@c.example> AUTH=<> XSEALWIRE\r\n"
			"RCPT TO:<b@cram.example>\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
	run(logged_on);
}

#define IS_NOT_TOLD(from)                                               \
	{ C, "MAIL FROM:" from "\r\nRCPT TO:<b@o.example>\r\n" },       \
	{                                                               \
		TO_S, "MAIL FROM:" from "\r\nRCPT TO:<b@o.example>\r\n" \
	}

static void nobody_else_is(void **state)
{
	static const struct step server[] = {
		HELLO(CAPS_CLEAR),
		IS_NOT_TOLD("<a@c.example>"),
		{ END, NULL },
	};
	static const struct step clear[] = {
		{ S, "220 mx\r\n" },
		{ C, "EHLO c\r\n" },
		{ S, CAPS_BOX },
		{ TO_S, "EHLO c\r\n" },
		IS_NOT_TOLD("<a@c.example>"),
		{ END, NULL },
	};

	(void)state;
	run(server);
	run(clear);
}

/* A box takes 2048 octets; what was a line before must stay one. */
static void a_long_line_stays_as_it_is(void **state)
{
	char param[1020], said[1200], passed[1200];
	const struct step s[] = {
		HELLO(CAPS_BOX),
		{ C, said },
		{ TO_S, passed },
		{ END, NULL },
	};

	(void)state;
	memset(param, 'x', sizeof(param) - 1);
	param[sizeof(param) - 1] = '\0';
	snprintf(passed, sizeof(passed),
		 "MAIL FROM:<a@c.example> ENVID=%s\r\n"
		 "RCPT TO:<b@o.example>\r\n",
		 param);
	memcpy(said, passed, sizeof(said));
	run(s);
}

/* With "peers off", nobody is. */
static void turned_off(void **state)
{
	static const struct step s[] = {
		HELLO(CAPS_BOX),
		IS_NOT_TOLD("<a@c.example>"),
		{ END, NULL },
	};

	(void)state;
	policy.settings.peers = false;
	run(s);
	policy.settings.peers = true;
	policy.settings.inbound = false;
	run(s);
	policy.settings.inbound = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_box_is_told),
		cmocka_unit_test(nobody_else_is),
		cmocka_unit_test(a_long_line_stays_as_it_is),
		cmocka_unit_test(turned_off),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
