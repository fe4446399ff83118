/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules with a log-on: what can be one, and what they say of a channel. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "policy/policy_build.h"

static const struct endpoint mx = { { [15] = 1 }, 25 };

static struct logon logon_of(enum auth_mech m, const char *account)
{
	return (struct logon){ .mech = m,
			       .account = span_str(account),
			       .min_bits = LOGON_BITS };
}

static struct policy_rule rule_of(enum level l, enum auth_mech m)
{
	static const uint8_t pin[32];
	struct policy_rule r = { .name = SPAN_LIT("p.example"),
				 .line = 3,
				 .level = l,
				 .min_tls = 0x0303,
				 .logon = logon_of(m, "hub") };

	if (l == LEVEL_PIN) {
		r.pin[0] = pin;
		r.pin_n = 1;
	}
	return r;
}

/* --- the builder ------------------------------------------------------------------ */
static int built(const struct policy_rule *r, struct policy_rule *got)
{
	static uint8_t mem[4096];
	const struct settings s = { .intercept = { 25 }, .intercept_n = 1 };
	struct policy_build b;
	struct policy p;
	uint32_t first;
	size_t n;
	int e;

	assert_int_equal(policy_build_begin(&b, mem, sizeof(mem), 1, 0, mem),
			 OK);
	e = policy_build_rule(&b, r, &first);
	if (e != OK)
		return e;
	assert_int_equal(policy_build_end(&b, &s, &n), OK);
	assert_int_equal(policy_open(&p, (struct span){ mem, n }), OK);
	assert_true(policy_protects(&p) == (r->level > LEVEL_MAY));
	return policy_lookup(&p, r->name, got);
}

/* PLAIN and LOGIN where the server has proved who it is, no log-on where it has
 * proved nothing, and a seal only with NTLM. */
static void which_can_be(void **state)
{
	static const char *const want[] = {
		/* none plain login cram scram1 scram256 ntlm */
		[LEVEL_CLEAR] = "y......",     [LEVEL_MAY] = "y......",
		[LEVEL_NTLM_SEAL] = "......y", [LEVEL_ENCRYPT] = "y..yyyy",
		[LEVEL_VERIFY] = "yyyyyyy",    [LEVEL_PIN] = "yyyyyyy",
	};
	struct policy_rule got;

	(void)state;
	for (enum level l = LEVEL_CLEAR; l < LEVELS; l++)
		for (enum auth_mech m = AUTH_NONE; m < AUTH_MECHS; m++) {
			struct policy_rule r = rule_of(l, m);

			assert_int_equal(built(&r, &got),
					 want[l][m] == 'y' ? OK : E_CONF);
		}
}

static void what_cannot_be(void **state)
{
	char name[LOGON_ACCOUNT_MAX + 2];
	struct policy_rule r = rule_of(LEVEL_VERIFY, AUTH_PLAIN), got;

	(void)state;
	r.name = SPAN_LIT("default");
	r.match[0] = SPAN_LIT("mx.example");
	r.match_n = 1;
	assert_int_equal(built(&r, &got), E_CONF);
	memset(name, 'n', sizeof(name));
	r = rule_of(LEVEL_VERIFY, AUTH_PLAIN);
	r.logon.account = (struct span){ (uint8_t *)name, 0 };
	assert_int_equal(built(&r, &got), E_CONF);
	r.logon.account.n = LOGON_ACCOUNT_MAX + 1;
	assert_int_equal(built(&r, &got), E_CONF);
	r.logon.account.n = LOGON_ACCOUNT_MAX;
	assert_int_equal(built(&r, &got), OK);
	assert_int_equal(got.logon.account.n, LOGON_ACCOUNT_MAX);
	r = rule_of(LEVEL_NTLM_SEAL, AUTH_NTLM);
	r.logon.min_bits = 64;
	assert_int_equal(built(&r, &got), E_CONF);
}

static void comes_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct policy_rule r = rule_of(LEVEL_NTLM_SEAL, AUTH_NTLM), got;

		r.logon.min_bits = 56;
		r.logon.legacy = (i & 1) != 0;
		r.logon.framing.little_endian = (i & 2) != 0;
		r.logon.framing.signature_last = (i & 4) != 0;
		r.has_route = (i & 1) != 0;
		r.route[1] = mx;
		assert_int_equal(built(&r, &got), OK);
		assert_int_equal(got.level, LEVEL_NTLM_SEAL);
		assert_int_equal(got.logon.mech, AUTH_NTLM);
		assert_true(span_eq(got.logon.account, SPAN_LIT("hub")));
		assert_int_equal(got.logon.min_bits, 56);
		assert_int_equal(got.logon.legacy, r.logon.legacy);
		assert_int_equal(got.logon.framing.little_endian,
				 r.logon.framing.little_endian);
		assert_int_equal(got.logon.framing.signature_last,
				 r.logon.framing.signature_last);
		assert_int_equal(got.has_route, r.has_route);
	}
}

/* --- the decision ----------------------------------------------------------------- */
static struct channel tls(void)
{
	struct channel c = { .tls = true, .version = 0x0304, .server = mx };

	c.names_n = 10;
	memcpy(c.names, "\011p.example", 10);
	return c;
}

static struct channel_logon on(enum auth_mech m, const char *account,
			       uint16_t bits, bool v2)
{
	struct channel_logon l = { .mech = m, .bits = bits, .ntlm_v2 = v2 };

	memcpy(l.account, account, strlen(account));
	return l;
}

static struct verdict decide(const struct policy_rule *r,
			     const struct channel *c, bool can_tls)
{
	return policy_decide(r, c, can_tls, SPAN_LIT("p.example"), &mx);
}

static struct policy_rule rule_with(enum level l, enum auth_mech m)
{
	struct policy_rule r = rule_of(l, m);

	r.match[0] = SPAN_LIT("p.example");
	r.match_n = l == LEVEL_VERIFY;
	return r;
}

/* First all that the level asks of TLS, then the log-on. */
static void after_tls(void **state)
{
	static const enum level levels[] = { LEVEL_ENCRYPT, LEVEL_VERIFY,
					     LEVEL_PIN };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct policy_rule r = rule_with(levels[i], AUTH_SCRAM_SHA_256);
		struct channel c = { .server = mx };

		assert_int_equal(decide(&r, &c, true).decision,
				 DECISION_STARTTLS);
		assert_int_equal(decide(&r, &c, false).decision,
				 DECISION_REFUSE);
		c = tls();
		assert_int_equal(decide(&r, &c, false).decision, DECISION_AUTH);
		c.version = 0x0302;
		assert_int_equal(decide(&r, &c, false).decision,
				 DECISION_REFUSE);
		c = tls();
		c.names[1] = 'q';
		c.spki_sha256[0] = 1;
		c.chain = TLS_CERTIFICATE_NOT_TRUSTED;
		assert_int_equal(decide(&r, &c, false).decision,
				 levels[i] == LEVEL_ENCRYPT ? DECISION_AUTH
							    : DECISION_REFUSE);
	}
}

/* A connection has one log-on: the right one, or another connection. */
static void only_its_own(void **state)
{
	static const struct {
		enum auth_mech m;
		const char *account;
		bool v2, legacy;
		enum decision want;
	} all[] = {
		{ AUTH_NTLM, "hub", true, false, DECISION_PASS },
		{ AUTH_NTLM, "hub", true, true, DECISION_PASS },
		{ AUTH_NTLM, "hub", false, true, DECISION_PASS },
		{ AUTH_NTLM, "hub", false, false, DECISION_DIAL },
		{ AUTH_NTLM, "hubb", true, false, DECISION_DIAL },
		{ AUTH_NTLM, "hu", true, false, DECISION_DIAL },
		{ AUTH_PLAIN, "hub", true, false, DECISION_DIAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct policy_rule r = rule_with(LEVEL_VERIFY, AUTH_NTLM);
		struct channel c = tls();
		struct verdict v;

		r.logon.legacy = all[i].legacy;
		c.logon = on(all[i].m, all[i].account, 0, all[i].v2);
		v = decide(&r, &c, false);
		assert_int_equal(v.decision, all[i].want);
		if (v.decision == DECISION_DIAL)
			assert_true(endpoint_eq(&v.dial, &mx));
	}
}

/* Who asks for no log-on takes any channel that is good enough otherwise. */
static void nobody_asked(void **state)
{
	struct channel c = tls();

	(void)state;
	c.logon = on(AUTH_PLAIN, "hub", 0, false);
	for (enum level l = LEVEL_CLEAR; l < LEVELS; l++) {
		struct policy_rule r = rule_with(l, AUTH_NONE);

		if (l == LEVEL_NTLM_SEAL)
			continue;
		assert_int_equal(decide(&r, &c, false).decision, DECISION_PASS);
	}
}

/* RC4 is not TLS, whatever its bits. */
static void a_seal_is_not_tls(void **state)
{
	struct channel c = { .server = mx };

	(void)state;
	c.logon = on(AUTH_NTLM, "hub", 128, true);
	for (enum level l = LEVEL_CLEAR; l < LEVELS; l++) {
		struct policy_rule r = rule_with(
			l, l == LEVEL_NTLM_SEAL ? AUTH_NTLM : AUTH_NONE);
		struct verdict v = decide(&r, &c, true);

		assert_int_equal(v.decision, l > LEVEL_NTLM_SEAL
						     ? DECISION_DIAL
						     : DECISION_PASS);
		if (l <= LEVEL_MAY)
			continue;
		r.logon = logon_of(AUTH_NTLM, "hub");
		assert_int_equal(decide(&r, &c, false).decision,
				 l > LEVEL_NTLM_SEAL ? DECISION_DIAL
						     : DECISION_PASS);
	}
}

static void seal(void **state)
{
	static const uint16_t bits[] = { 40, 56, 128 };
	struct policy_rule r = rule_with(LEVEL_NTLM_SEAL, AUTH_NTLM);
	struct channel c = { .server = mx };

	(void)state;
	/* TLS around it if it is to be had, in whatever state it is; else none */
	assert_int_equal(decide(&r, &c, true).decision, DECISION_STARTTLS);
	assert_int_equal(decide(&r, &c, false).decision, DECISION_AUTH);
	c.missing = TLS_VALIDATION_FAILURE;
	assert_int_equal(decide(&r, &c, false).decision, DECISION_AUTH);
	c = tls();
	c.chain = TLS_CERTIFICATE_NOT_TRUSTED;
	assert_int_equal(decide(&r, &c, false).decision, DECISION_AUTH);
	/* a log-on without a seal is none */
	c.logon = on(AUTH_NTLM, "hub", 0, true);
	assert_int_equal(decide(&r, &c, false).decision, DECISION_DIAL);
	for (size_t want = 0; want < 3; want++)
		for (size_t have = 0; have < 3; have++) {
			r.logon.min_bits = bits[want];
			c.logon = on(AUTH_NTLM, "hub", bits[have], true);
			assert_int_equal(decide(&r, &c, false).decision,
					 have >= want ? DECISION_PASS
						      : DECISION_DIAL);
		}
	/* a rule that asks for a seal and says not whose: nothing */
	r.logon.mech = AUTH_NONE;
	assert_int_equal(decide(&r, &c, false).decision, DECISION_REFUSE);
}

/* What failed is not tried again on this connection, for this account. */
static void failures(void **state)
{
	(void)state;
	for (enum logon_result f = LOGON_NOT_OFFERED; f < LOGON_RESULTS; f++)
		for (enum on_fail o = ON_FAIL_AUTO; o <= ON_FAIL_DEFER; o++) {
			struct policy_rule r = rule_with(LEVEL_VERIFY,
							 AUTH_PLAIN);
			struct channel c = tls();
			struct verdict v;
			bool permanent = !logon_mendable(f);

			if (o != ON_FAIL_AUTO)
				permanent = o == ON_FAIL_REJECT;
			r.on_fail = o;
			c.logon_failed = on(AUTH_PLAIN, "hub", 0, false);
			c.logon_failed.result = f;
			v = decide(&r, &c, false);
			assert_int_equal(v.decision, DECISION_REFUSE);
			assert_int_equal(v.result, TLS_LOGON_FAILED);
			assert_int_equal(v.permanent, permanent);
			assert_string_equal(v.why, logon_why(f));
			r.logon.account = SPAN_LIT("other");
			assert_int_equal(decide(&r, &c, false).decision,
					 DECISION_AUTH);
			r.logon = logon_of(AUTH_LOGIN, "hub");
			assert_int_equal(decide(&r, &c, false).decision,
					 DECISION_AUTH);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_can_be),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(after_tls),
		cmocka_unit_test(only_its_own),
		cmocka_unit_test(nobody_asked),
		cmocka_unit_test(a_seal_is_not_tls),
		cmocka_unit_test(seal),
		cmocka_unit_test(failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
