/* SPDX-License-Identifier: BSD-2-Clause */
/* The outbound gate by scripts: "default clear" beside domains at "may", which have
 * TLS where it can be had. */
#define GATE_CONFIG              \
	"default clear\n"        \
	"domain m.example may\n" \
	"domain enc.example encrypt\n"
#include "gate_script.h"

#define OFFERED                                                       \
	{ S, "220 mx\r\n" }, { C, "EHLO c\r\n" }, { S, CAPS_TLS },    \
		{ TO_S, "EHLO c\r\n" }, { TO_C, "220 mx\r\n" SHOWN }, \
		{ C, "MAIL FROM:<a@c.example>\r\n" },                 \
	{                                                             \
		TO_C, "250 ok\r\n"                                    \
	}
#define BEGUN                                                         \
	{ C, "RCPT TO:<b@m.example>\r\n" }, { TO_S, "STARTTLS\r\n" }, \
	{                                                             \
		TO_C, ""                                              \
	}
#define LEAVES                                                            \
	{ TO_S, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@m.example>\r\n" }, \
		{ S, "250 s\r\n250 r\r\n" },                              \
	{                                                                 \
		TO_C, "250 r\r\n"                                         \
	}

static void it_begins_at_the_recipient(void **state)
{
	static const struct step s[] = {
		OFFERED,
		BEGUN,
		{ S, "220 go\r\n" },
		{ TLS, "none" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_CLEAR },
		LEAVES,
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* It protects from nobody, so what fails leaves in clear. */
static void it_fails(void **state)
{
	static const struct step handshake[] = {
		OFFERED,
		BEGUN,
		{ S, "220 go\r\n" },
		{ FAIL, NULL },
		{ EV, " failed 192.0.2.1 fallback 192.0.2.1" },
		{ DIAL, "192.0.2.1" },
		{ S, "220 mx\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		LEAVES,
		{ END, NULL },
	};
	static const struct step refused[] = {
		OFFERED,
		BEGUN,
		{ S, "454 not now\r\n" },
		{ TO_S, "EHLO c\r\n" },
		{ S, CAPS_TLS },
		LEAVES,
		{ END, NULL },
	};

	(void)state;
	run(handshake);
	run(refused);
}

static void it_failed_lately(void **state)
{
	static const struct step s[] = {
		OFFERED,
		{ C, "RCPT TO:<b@m.example>\r\n" },
		LEAVES,
		{ END, NULL },
	};

	(void)state;
	run_after(s, 65536, &(struct gate_start){ .tls_failed_before = true });
	run_after(s, 1, &(struct gate_start){ .tls_failed_before = true });
}

/* What has begun in clear goes on so: there is nothing to wait for. */
static void another_recipient_came_before(void **state)
{
	static const struct step s[] = {
		OFFERED,
		{ C, "RCPT TO:<b@o.example>\r\n" },
		{ TO_S,
		  "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@o.example>\r\n" },
		{ S, "250 s\r\n250 r\r\n" },
		{ TO_C, "250 r\r\n" },
		{ C, "RCPT TO:<b@m.example>\r\n" },
		{ TO_S, "RCPT TO:<b@m.example>\r\n" },
		{ S, "250 r\r\n" },
		{ TO_C, "250 r\r\n" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

/* It says 220 before it can have been asked, and is gone: nobody may wait for a
 * handshake with it. */
static void it_answers_too_soon_and_goes(void **state)
{
	static const struct step s[] = {
		OFFERED,
		{ DEAF, NULL },
		{ C, "RCPT TO:<b@enc.example>\r\n" },
		{ S, "220 go\r\n" },
		{ GONE, NULL },
		{ WISH, "nothing" },
		{ C, "QUIT\r\n" },
		{ WISH, "close" },
		{ END, NULL },
	};

	(void)state;
	run(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_at_the_recipient),
		cmocka_unit_test(it_fails),
		cmocka_unit_test(it_answers_too_soon_and_goes),
		cmocka_unit_test(it_failed_lately),
		cmocka_unit_test(another_recipient_came_before),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
