/* SPDX-License-Identifier: BSD-2-Clause */
/* Every level against every kind of channel. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy/policy.h"

static const uint8_t good_pin[32] = "the right key", bad_pin[32] = "another";
static const struct endpoint mx = { { [15] = 1 }, 25 },
			     route = { { [15] = 2 }, 2525 },
			     other = { { [15] = 3 }, 25 };

enum channel_kind {
	CLEAR_NEVER_TRIED, /* and STARTTLS is not offered */
	CLEAR_OFFERED,
	CLEAR_FAILED, /* the handshake */
	TLS_GOOD,
	TLS_OLD_GOOD, /* TLS 1.2 */
	TLS_OTHER_NAME,
	TLS_NO_NAME,
	TLS_EXPIRED,
	TLS_UNTRUSTED,
	TLS_ODD,
	TLS_OTHER_KEY,
	KINDS
};

static void set_name(struct channel *c, const char *name)
{
	c->names_n = strlen(name) + 1;
	c->names[0] = (uint8_t)strlen(name);
	memcpy(c->names + 1, name, strlen(name));
}

static struct channel channel_of(enum channel_kind k, bool *offers)
{
	struct channel c = { .tls = true, .version = 0x0304, .server = mx };

	*offers = k == CLEAR_OFFERED;
	memcpy(c.spki_sha256, good_pin, 32);
	set_name(&c, "mx.p.example");
	switch (k) {
	case CLEAR_NEVER_TRIED:
	case CLEAR_OFFERED: c = (struct channel){ .server = mx }; break;
	case CLEAR_FAILED:
		c = (struct channel){ .server = mx,
				      .missing = TLS_VALIDATION_FAILURE };
		break;
	case TLS_OLD_GOOD: c.version = 0x0303; break;
	case TLS_OTHER_NAME: set_name(&c, "mx.q.example"); break;
	case TLS_NO_NAME: c.names_n = 0; break;
	case TLS_EXPIRED: c.chain = TLS_CERTIFICATE_EXPIRED; break;
	case TLS_UNTRUSTED: c.chain = TLS_CERTIFICATE_NOT_TRUSTED; break;
	case TLS_ODD: c.chain = TLS_VALIDATION_FAILURE; break;
	case TLS_OTHER_KEY: memcpy(c.spki_sha256, bad_pin, 32); break;
	case TLS_GOOD:
	case KINDS: break;
	}
	return c;
}

static struct policy_rule rule_of(enum level l)
{
	struct policy_rule r = { .name = SPAN_LIT("p.example"),
				 .level = l,
				 .min_tls = 0x0303 };

	if (l == LEVEL_VERIFY) {
		r.match[0] = SPAN_LIT("p.example");
		r.match[1] = SPAN_LIT(".p.example");
		r.match_n = 2;
	}
	if (l == LEVEL_PIN) {
		r.pin[0] = bad_pin + 0;
		r.pin[1] = good_pin;
		r.pin_n = 2;
	}
	if (l == LEVEL_NTLM_SEAL)
		r.logon = (struct logon){ .mech = AUTH_NTLM,
					  .account = SPAN_LIT("hub"),
					  .min_bits = 128 };
	return r;
}

/* What every cell must be, when no more chance by SNI is left. P: pass,
 * S: STARTTLS, A: a log-on (test_policy_logon.c), else refused: lower case 4xx, upper
 * case 5xx; n not offered, f failed, H host, E expired, T not trusted, V validation. */
static const char *const want[] = {
	/*		  never offered failed good 1.2 name none exp untr odd key */
	[LEVEL_CLEAR] = "PPPPPPPPPPP",	   [LEVEL_MAY] = "PPPPPPPPPPP",
	[LEVEL_NTLM_SEAL] = "ASAAAAAAAAA", [LEVEL_ENCRYPT] = "nSfPPPPPPPP",
	[LEVEL_VERIFY] = "nSfPPHHETVP",	   [LEVEL_PIN] = "nSfPPPPPPPT",
};

static void check(enum level l, enum channel_kind k, enum on_fail on_fail)
{
	static const struct {
		char c;
		enum tls_result result;
	} letters[] = {
		{ 'n', TLS_STARTTLS_NOT_SUPPORTED },
		{ 'f', TLS_VALIDATION_FAILURE },
		{ 'H', TLS_CERTIFICATE_HOST_MISMATCH },
		{ 'E', TLS_CERTIFICATE_EXPIRED },
		{ 'T', TLS_CERTIFICATE_NOT_TRUSTED },
		{ 'V', TLS_VALIDATION_FAILURE },
	};
	struct policy_rule r = rule_of(l);
	bool offers, permanent;
	struct channel c = channel_of(k, &offers);
	char w = want[l][k];
	struct verdict v;

	if (l == LEVEL_PIN)
		r.pin[0] = good_pin, r.pin_n = 1;
	r.on_fail = on_fail;
	v = policy_decide(&r, &c, offers, SPAN_LIT("p.example"), &mx);
	if (w == 'P' || w == 'S' || w == 'A') {
		assert_int_equal(v.decision, w == 'P'	? DECISION_PASS
					     : w == 'S' ? DECISION_STARTTLS
							: DECISION_AUTH);
		return;
	}
	assert_int_equal(v.decision, DECISION_REFUSE);
	assert_true(v.why && v.why[0] != '\0');
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].c == w)
			assert_int_equal(v.result, letters[i].result);
	permanent = w >= 'A' && w <= 'Z';
	if (on_fail != ON_FAIL_AUTO)
		permanent = on_fail == ON_FAIL_REJECT;
	assert_int_equal(v.permanent, permanent);
}

static void every_cell(void **state)
{
	(void)state;
	for (enum level l = LEVEL_CLEAR; l <= LEVEL_PIN; l++) {
		assert_int_equal(strlen(want[l]), KINDS);
		for (enum channel_kind k = 0; k < KINDS; k++)
			for (enum on_fail f = 0; f <= ON_FAIL_DEFER; f++)
				check(l, k, f);
	}
}

static void second_of_two_pins(void **state)
{
	bool offers;
	struct channel c = channel_of(TLS_UNTRUSTED, &offers);
	struct policy_rule r = rule_of(LEVEL_PIN);

	(void)state;
	memcpy(c.spki_sha256, good_pin, 32);
	assert_int_equal(
		policy_decide(&r, &c, false, SPAN_LIT(""), &mx).decision,
		DECISION_PASS);
}

static void by_a_clock_that_is_not_set(void **state)
{
	bool offers;
	struct channel c = channel_of(TLS_EXPIRED, &offers);
	struct policy_rule r = rule_of(LEVEL_VERIFY);
	struct verdict v;

	(void)state;
	r.clock_unset = true;
	v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
	assert_int_equal(v.decision, DECISION_REFUSE);
	assert_int_equal(v.result, TLS_CERTIFICATE_EXPIRED);
	assert_false(v.permanent);
	assert_non_null(strstr(v.why, "by a clock here that is not set"));
	/* no other result depends on it, and no pin */
	c = channel_of(TLS_UNTRUSTED, &offers);
	v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
	assert_true(v.permanent);
	assert_null(strstr(v.why, "clock"));
	r = rule_of(LEVEL_PIN);
	r.clock_unset = true;
	c = channel_of(TLS_EXPIRED, &offers);
	v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
	assert_int_equal(v.decision, DECISION_PASS);
}

static void min_tls(void **state)
{
	(void)state;
	for (enum level l = LEVEL_ENCRYPT; l <= LEVEL_PIN; l++) {
		bool offers;
		struct channel c = channel_of(TLS_OLD_GOOD, &offers);
		struct policy_rule r = rule_of(l);
		struct verdict v;

		r.min_tls = 0x0304;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, DECISION_REFUSE);
		assert_int_equal(v.result, TLS_VALIDATION_FAILURE);
		assert_true(v.permanent);
		c.version = 0x0304;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, DECISION_PASS);
		/* below 1.2 is never good enough, whatever the rule says */
		c.version = 0x0302;
		r.min_tls = 0;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, DECISION_REFUSE);
	}
}

/* A certificate that does not match gets one more chance with a name. */
static void by_sni(void **state)
{
	static const enum channel_kind bad[] = { TLS_OTHER_NAME, TLS_UNTRUSTED,
						 TLS_EXPIRED, TLS_NO_NAME };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy_rule r = rule_of(LEVEL_VERIFY);
		bool offers;
		struct channel c = channel_of(bad[i], &offers);
		struct verdict v;

		v = policy_decide(&r, &c, false, SPAN_LIT(""), &mx);
		assert_int_equal(v.decision, DECISION_DIAL);
		assert_true(endpoint_eq(&v.dial, &mx));
		assert_true(span_eq(v.sni, SPAN_LIT("p.example")));
		v = policy_decide(&r, &c, false, SPAN_LIT("q.example"), &mx);
		assert_int_equal(v.decision, DECISION_DIAL);
		v = policy_decide(&r, &c, false, v.sni, &mx);
		assert_int_equal(v.decision, DECISION_REFUSE);
		/* no host among the names: nothing to offer */
		r.match[0] = SPAN_LIT(".p.example");
		r.match_n = 1;
		v = policy_decide(&r, &c, false, SPAN_LIT(""), &mx);
		assert_int_equal(v.decision, DECISION_REFUSE);
	}
}

static void routes(void **state)
{
	(void)state;
	for (enum level l = LEVEL_CLEAR; l <= LEVEL_PIN; l++) {
		bool offers;
		struct channel c = channel_of(TLS_GOOD, &offers);
		struct policy_rule r = rule_of(l);
		struct verdict v;

		/* on somebody else's route: back to the client's own server */
		c.server = other;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, DECISION_DIAL);
		assert_true(endpoint_eq(&v.dial, &mx));
		/* to the route */
		r.has_route = true;
		r.route[l % 2] = route;
		c.server = mx;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, DECISION_DIAL);
		assert_true(endpoint_eq(&v.dial, &route));
		assert_int_equal(v.sni.n > 0, l == LEVEL_VERIFY);
		/* there; the same address with another port is not there */
		c.server = route;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, l == LEVEL_NTLM_SEAL
						     ? DECISION_AUTH
						     : DECISION_PASS);
		c.server.port = 25;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, DECISION_DIAL);
	}
}

/* One of each kind: the one that the client's own server has. */
static void routes_of_two_kinds(void **state)
{
	static const struct endpoint
		v4 = { { [10] = 0xff, [11] = 0xff, [15] = 9 }, 2525 },
		v6 = { { 0x20, [15] = 9 }, 26 },
		mx4 = { { [10] = 0xff, [11] = 0xff, [15] = 1 }, 25 },
		mx6 = { { 0x20, [15] = 1 }, 25 };
	struct policy_rule r = rule_of(LEVEL_ENCRYPT);

	(void)state;
	assert_ptr_equal(policy_way(&r, &mx4), &mx4);
	r.has_route = true;
	r.route[0] = v4;
	assert_true(endpoint_eq(policy_way(&r, &mx4), &v4));
	assert_true(endpoint_eq(policy_way(&r, &mx6), &v4));
	r.route[1] = v6;
	assert_true(endpoint_eq(policy_way(&r, &mx4), &v4));
	assert_true(endpoint_eq(policy_way(&r, &mx6), &v6));
	r.route[0].port = 0;
	assert_true(endpoint_eq(policy_way(&r, &mx4), &v6));
}

/* To a host of which nobody knows where it is: not on the client's own way instead,
 * however good that is, and never for ever. */
static void a_route_that_is_not_known(void **state)
{
	bool offers;
	struct channel c = channel_of(TLS_GOOD, &offers);

	(void)state;
	for (enum on_fail f = ON_FAIL_AUTO; f <= ON_FAIL_DEFER; f++) {
		struct policy_rule r = rule_of(LEVEL_VERIFY);
		struct verdict v;

		r.has_route = true;
		r.route_name = SPAN_LIT("mx.example");
		r.route_port = 25;
		r.on_fail = f;
		v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
		assert_int_equal(v.decision, DECISION_REFUSE);
		assert_false(v.permanent);
	}
}

static void damaged_names(void **state)
{
	struct policy_rule r = rule_of(LEVEL_VERIFY);
	bool offers;
	struct channel c = channel_of(TLS_GOOD, &offers);
	struct verdict v;

	(void)state;
	c.names[0] = 200; /* longer than there is */
	v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
	assert_int_equal(v.decision, DECISION_REFUSE);
	c.names_n = CHANNEL_NAMES_MAX + 1;
	v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
	assert_int_equal(v.decision, DECISION_REFUSE);
	r.level = (enum level)17;
	v = policy_decide(&r, &c, false, SPAN_LIT("p.example"), &mx);
	assert_int_equal(v.decision, DECISION_REFUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell),
		cmocka_unit_test(second_of_two_pins),
		cmocka_unit_test(by_a_clock_that_is_not_set),
		cmocka_unit_test(min_tls),
		cmocka_unit_test(by_sni),
		cmocka_unit_test(routes),
		cmocka_unit_test(routes_of_two_kinds),
		cmocka_unit_test(a_route_that_is_not_known),
		cmocka_unit_test(damaged_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
