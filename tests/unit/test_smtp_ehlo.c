/* SPDX-License-Identifier: BSD-2-Clause */
/* What a server offers, and the little of it that a client is shown. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "packet.h"
#include "proto/smtp_ehlo.h"

static uint8_t mem[16384];

static struct span shown(struct span raw, bool limits)
{
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(
		smtp_ehlo_write(&b, pk_guard(raw),
				limits ? "LIMITS RCPTDOMAINMAX=1" : NULL),
		OK);
	return buf_span(&b);
}

static unsigned caps(struct span raw)
{
	return smtp_ehlo_parse(pk_guard(raw));
}

static void shows(const char *raw, const char *want)
{
	struct span got = shown(span_str(raw), false);

	if (!span_eq(got, span_str(want)))
		fail_msg("%s gives\n%.*s", raw, (int)got.n,
			 (const char *)got.p);
}

static const struct {
	const char *line;
	unsigned bit;
	bool shown;
} offers[] = {
	{ "STARTTLS", EHLO_STARTTLS, false },
	{ "SIZE", EHLO_SIZE, true },
	{ "SIZE 10485760", EHLO_SIZE, true },
	{ "8BITMIME", EHLO_8BITMIME, true },
	{ "SMTPUTF8", EHLO_SMTPUTF8, true },
	{ "DSN", EHLO_DSN, true },
	{ "ENHANCEDSTATUSCODES", EHLO_ENHANCED, true },
	{ "PIPELINING", EHLO_PIPELINING, false }, /* always, and last */
	{ "HELP", EHLO_HELP, true },
	{ "CHUNKING", EHLO_CHUNKING, false },
	{ "BINARYMIME", EHLO_BINARYMIME, false },
	{ "AUTH", EHLO_AUTH, false },
	{ "AUTH PLAIN LOGIN", EHLO_AUTH, false },
	{ "LIMITS RCPTMAX=5", EHLO_LIMITS, false },
	{ "REQUIRETLS", EHLO_REQUIRETLS, false },
	{ "AUTH=PLAIN", 0, false },
	{ "BURL imap", 0, false },
	{ "XEXCH50", 0, false },
	{ "X-ANONYMOUSTLS", 0, false },
	{ "XSEALWIRE", EHLO_BOX, false },
	{ "XSEALWIRE 1", EHLO_BOX, false },
	{ "XSEALWIRES", 0, false },
	{ "XCLIENT NAME", 0, false },
	{ "VRFY", 0, false },
	{ "ETRN", 0, false },
	{ "ATRN", 0, false },
	{ "FUTURERELEASE 1 2", 0, false },
	{ "DELIVERBY", 0, false },
	{ "MT-PRIORITY", 0, false },
	{ "SIZE=5", 0, false },
	{ "SIZE\t5", 0, false },
	{ " SIZE 5", 0, false },
	{ "SIZES", 0, false },
	{ "SIZ", 0, false },
	{ "", 0, false },
	{ "XX STARTTLS", 0, false },
	{ "-SIZE", 0, false },
};

/* Alone, in both cases, as the middle and as the last line. */
static void each_offer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
		for (int form = 0; form < 4; form++) {
			char raw[200], want[300], line[64];

			strcpy(line, offers[i].line);
			for (size_t k = 0; form >= 2 && line[k] != '\0'; k++)
				line[k] = (char)ascii_lower((uint8_t)line[k]);
			snprintf(raw, sizeof(raw),
				 form % 2 ? "250-mx\r\n250-%s\r\n250 X\r\n"
					  : "250-mx\r\n250 %s\r\n",
				 line);
			if (caps(span_str(raw)) != offers[i].bit)
				fail_msg("%s", raw);
			snprintf(want, sizeof(want),
				 "250-mx\r\n%s%s%s250 PIPELINING\r\n",
				 offers[i].shown ? "250-" : "",
				 offers[i].shown ? line : "",
				 offers[i].shown ? "\r\n" : "");
			shows(raw, want);
		}
}

static void a_whole_offer(void **state)
{
	(void)state;
	shows("250-mx.example at your service\r\n250-SIZE 100\r\n"
	      "250-STARTTLS\r\n250-AUTH PLAIN\r\n250-8BITMIME\r\n"
	      "250-CHUNKING\r\n250-BINARYMIME\r\n250-PIPELINING\r\n"
	      "250-LIMITS RCPTMAX=9\r\n250-DSN\r\n250 SMTPUTF8\r\n",
	      "250-mx.example at your service\r\n250-SIZE 100\r\n"
	      "250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n"
	      "250 PIPELINING\r\n");
	shows("250 mx\r\n", "250-mx\r\n250 PIPELINING\r\n");
	shows("250\r\n", "250-\r\n250 PIPELINING\r\n");
	/* the first line is a name, whatever it says */
	shows("250-STARTTLS\r\n250 DSN\r\n",
	      "250-STARTTLS\r\n250-DSN\r\n250 PIPELINING\r\n");
	assert_int_equal(caps(SPAN_LIT("250-STARTTLS\r\n250 DSN\r\n")),
			 EHLO_DSN);
	assert_int_equal(caps(SPAN_LIT("250 STARTTLS\r\n")), 0);
}

static void limits_are_ours(void **state)
{
	(void)state;
	assert_true(span_eq(
		shown(SPAN_LIT("250-mx\r\n250-LIMITS RCPTMAX=9\r\n250 DSN\r\n"),
		      true),
		SPAN_LIT("250-mx\r\n250-DSN\r\n250-LIMITS RCPTDOMAINMAX=1\r\n"
			 "250 PIPELINING\r\n")));
}

static void odd_octets_are_not_repeated(void **state)
{
	(void)state;
	shows("250-m\xc3\xa4\x01x\r\n250-SIZE \xff\r\n250-DSN \x1b[2J\r\n"
	      "250 HELP\r\n",
	      "250-m???x\r\n250-HELP\r\n250 PIPELINING\r\n");
}

static void a_long_name_is_cut(void **state)
{
	static char raw[2048];
	struct span out;

	(void)state;
	strcpy(raw, "250-");
	memset(raw + 4, 'm', 1500);
	strcpy(raw + 1504, "\r\n250 DSN\r\n");
	out = shown(span_str(raw), false);
	assert_int_equal((const uint8_t *)memchr(out.p, '\n', out.n) - out.p +
				 1,
			 4 + 499 + 2);
}

static void no_room_no_half_reply(void **state)
{
	struct span raw = SPAN_LIT("250-mx\r\n250-SIZE 9\r\n250 DSN\r\n");
	size_t need = shown(raw, true).n;
	struct buf b;

	(void)state;
	for (size_t room = 3; room <= need + 3; room++) {
		buf_init(&b, mem, room);
		assert_int_equal(buf_put(&b, SPAN_LIT("xyz")), OK);
		assert_int_equal(
			smtp_ehlo_write(&b, raw, "LIMITS RCPTDOMAINMAX=1"),
			room < need + 3 ? E_FULL : OK);
		assert_int_equal(buf_span(&b).n,
				 room < need + 3 ? 3 : need + 3);
	}
}

static void mechanisms(void **state)
{
	enum { PLUS = EHLO_AUTH_PLUS };
	static const struct {
		const char *raw;
		unsigned want;
	} all[] = {
		{ "250 mx\r\n", 0 },
		{ "250-mx\r\n250 AUTH\r\n", 0 },
		{ "250-mx\r\n250 AUTH \r\n", 0 },
		{ "250-mx\r\n250 AUTHX PLAIN\r\n", 0 },
		{ "250-mx AUTH PLAIN\r\n250 DSN\r\n", 0 },
		{ "250-mx\r\n250 auth plain LOGIN\r\n",
		  1 << AUTH_PLAIN | 1 << AUTH_LOGIN },
		{ "250-mx\r\n250 AUTH=LOGIN NTLM\r\n",
		  1 << AUTH_LOGIN | 1 << AUTH_NTLM },
		{ "250-mx\r\n250-AUTH  CRAM-MD5  DIGEST-MD5 \r\n250 "
		  "AUTH=SCRAM-SHA-1\r\n",
		  1 << AUTH_CRAM_MD5 | 1 << AUTH_SCRAM_SHA_1 },
		{ "250-mx\r\n250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 "
		  "XPLAIN PLAINX\r\n",
		  1 << AUTH_SCRAM_SHA_256 | 1 << AUTH_SCRAM_SHA_256 << PLUS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(smtp_ehlo_auth(span_str(all[i].raw)),
				 all[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_offer),
		cmocka_unit_test(a_whole_offer),
		cmocka_unit_test(limits_are_ours),
		cmocka_unit_test(odd_octets_are_not_repeated),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(no_room_no_half_reply),
		cmocka_unit_test(mechanisms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
