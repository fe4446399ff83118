/* SPDX-License-Identifier: BSD-2-Clause */
/* Log-ons in the domain list: what can be written, what it becomes, and what keys
 * is told of an account. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "conf_play.h"

#define ACCOUNTS                                             \
	"account hub user CORP\\hub password sealed x:hub\n" \
	"account legacy user b password sealed x:legacy\n"   \
	"account c user c password sealed x:c\n"

static struct play play;
static char out_mem[1 << 16];

static struct policy_rule rule(const char *attrs)
{
	char text[1024];
	struct policy_rule r;

	snprintf(text, sizeof(text), ACCOUNTS "domain p.example %s\n", attrs);
	play_compile(&play, span_str(text));
	if (play.r != OK)
		fail_msg("%s: %s", attrs, play.report);
	assert_int_equal(policy_lookup(&play.policy, SPAN_LIT("p.example"), &r),
			 OK);
	return r;
}

static void bad(const char *line, const char *report)
{
	char text[1024], want[1024];

	snprintf(text, sizeof(text), ACCOUNTS "%s\n", line);
	snprintf(want, sizeof(want), "line 4, column %s\n", report);
	play_compile(&play, span_str(text));
	assert_string_equal(play.report, want);
}

static void every_mechanism(void **state)
{
	static const char *const words[] = { "plain",	      "login",
					     "cram-md5",      "scram-sha-1",
					     "scram-sha-256", "ntlm" };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		char line[100];
		struct policy_rule r;

		snprintf(line, sizeof(line), "verify auth %s account HUB",
			 words[i]);
		r = rule(line);
		assert_int_equal(r.logon.mech, AUTH_PLAIN + i);
		assert_true(span_eq(r.logon.account, SPAN_LIT("hub")));
		assert_int_equal(r.logon.min_bits, LOGON_BITS);
		assert_false(r.logon.legacy);
	}
}

static void seal(void **state)
{
	struct policy_rule r = rule("ntlm-seal account hub");

	(void)state;
	assert_int_equal(r.level, LEVEL_NTLM_SEAL);
	assert_int_equal(r.logon.mech, AUTH_NTLM);
	assert_int_equal(r.logon.min_bits, 128);
	r = rule("ntlm-seal signature last min-bits 40 framing le32 legacy "
		 "account hub on-fail defer route 192.0.2.9");
	assert_int_equal(r.logon.min_bits, 40);
	assert_true(r.logon.legacy && r.logon.framing.little_endian &&
		    r.logon.framing.signature_last && r.has_route);
	assert_int_equal(r.on_fail, ON_FAIL_DEFER);
	/* an account can be called what it likes */
	r = rule("ntlm-seal account legacy legacy");
	assert_true(span_eq(r.logon.account, SPAN_LIT("legacy")));
	assert_true(r.logon.legacy);
	r = rule("ntlm-seal account legacy");
	assert_false(r.logon.legacy);
}

static void printed_again(void **state)
{
	static const char *const lines[] = {
		"domain a.example ntlm-seal account hub\n",
		"domain b.example ntlm-seal account legacy min-bits 40 legacy "
		"framing le32 signature last on-fail reject route "
		"192.0.2.9:25\n",
		"domain c.example verify match mx.example min-tls 1.3 auth "
		"plain account c\n",
		"domain d.example encrypt auth ntlm account hub legacy\n",
		"domain e.example encrypt auth scram-sha-256 account hub\n",
	};
	char text[2048] = ACCOUNTS;
	struct text out;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		strcat(text, lines[i]);
	play_compile(&play, span_str(text));
	assert_string_equal(play.report, "");
	text_init(&out, out_mem, sizeof(out_mem));
	assert_int_equal(conf_print(&play.policy, &play.secrets, &out), OK);
	for (size_t i = 0; i < 5; i++)
		if (!strstr(out_mem, lines[i]))
			fail_msg("%s not in %s", lines[i], out_mem);
}

static void errors(void **state)
{
	(void)state;
	/* who does not log on, or not so */
	bad("domain a.example may auth plain account hub",
	    "22: \"auth\": only encrypt, verify and pin use auth\n"
	    "line 4, column 33: \"account\": nobody logs on at this level");
	bad("domain a.example clear account hub",
	    "24: \"account\": nobody logs on at this level\n"
	    "line 4, column 24: \"account\": auth and a mechanism must be said");
	bad("domain a.example ntlm-seal auth ntlm account hub",
	    "28: \"auth\": only encrypt, verify and pin use auth");
	bad("domain a.example encrypt auth plain account hub",
	    "26: \"auth\": it would show the password to whoever answers; only "
	    "verify and pin take plain and login");
	bad("domain a.example encrypt auth login account hub",
	    "26: \"auth\": it would show the password to whoever answers; only "
	    "verify and pin take plain and login");
	bad("domain a.example verify min-bits 40 auth ntlm account hub",
	    "25: \"min-bits\": only ntlm-seal uses min-bits");
	bad("domain a.example verify legacy auth plain account hub",
	    "25: \"legacy\": only a log-on with ntlm uses legacy");
	bad("domain a.example verify legacy",
	    "25: \"legacy\": only a log-on with ntlm uses legacy");
	bad("domain a.example ntlm-seal account hub framing be32",
	    "40: \"framing\": only with legacy");
	bad("domain a.example ntlm-seal account hub signature first",
	    "40: \"signature\": only with legacy");
	bad("domain a.example verify framing le32 auth ntlm account hub legacy",
	    "25: \"framing\": only ntlm-seal uses framing");
	/* not for the world */
	bad("default ntlm-seal account hub",
	    "19: \"account\": an account is for one partner: not for default\n"
	    "line 4, column 9: \"ntlm-seal\": an account is for one partner: "
	    "not for default");
	bad("default encrypt auth ntlm account hub",
	    "17: \"auth\": an account is for one partner: not for default\n"
	    "line 4, column 27: \"account\": an account is for one partner: "
	    "not for default");
	/* halves */
	bad("domain a.example verify auth plain",
	    "36: account and its name must follow");
	bad("domain a.example ntlm-seal",
	    "28: account and its name must follow");
	bad("domain a.example verify account hub",
	    "25: \"account\": auth and a mechanism must be said");
	bad("domain a.example verify auth",
	    "30: one of: plain login cram-md5 scram-sha-1 scram-sha-256 ntlm\n"
	    "line 4, column 30: account and its name must follow");
	bad("domain a.example verify auth digest-md5 account hub",
	    "30: \"digest-md5\": one of: plain login cram-md5 scram-sha-1 "
	    "scram-sha-256 ntlm");
	bad("domain a.example ntlm-seal account hub min-bits 64",
	    "49: \"64\": one of: 40 56 128");
	bad("domain a.example ntlm-seal account",
	    "36: the name of an account must follow");
	bad("domain a.example ntlm-seal account nobody",
	    "36: \"nobody\": there is no account of this name");
	bad("domain a.example ntlm-seal account hub account hub",
	    "40: \"account\": twice in one line");
}

/* keys gives an account away only as rules use it; also when the rules come
 * first. */
static void what_an_account_is_for(void **state)
{
	static const char text[] =
		"domain a.example verify auth plain account hub\n"
		"domain b.example encrypt auth scram-sha-256 account hub\n" ACCOUNTS
		"domain c.example ntlm-seal account legacy\n";
	struct secret_account a;

	(void)state;
	play_compile(&play, span_str(text));
	assert_string_equal(play.report, "");
	assert_true(
		secret_table_find_account(&play.secrets, SPAN_LIT("hub"), &a));
	assert_int_equal(a.uses, 1u << AUTH_PLAIN | 1u << AUTH_SCRAM_SHA_256);
	assert_true(secret_table_find_account(&play.secrets, SPAN_LIT("legacy"),
					      &a));
	assert_int_equal(a.uses, 1u << AUTH_NTLM);
	assert_true(
		secret_table_find_account(&play.secrets, SPAN_LIT("c"), &a));
	assert_int_equal(a.uses, 0);
	play_drop(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism),
		cmocka_unit_test(seal),
		cmocka_unit_test(printed_again),
		cmocka_unit_test(errors),
		cmocka_unit_test(what_an_account_is_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
