/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a sender's domain must bring with it: which rule applies, beside a domain
 * list of the same names, and what a channel lacks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "policy/policy_build.h"

static const uint8_t key[16] = { 3 }, pin_a[32] = { 1 }, pin_b[32] = { 2 };

enum { MANY = 20000 };

static int add(struct policy_build *b, const char *name, uint32_t line,
	       const uint8_t *pin, uint32_t *first)
{
	struct inbound_rule r = { .name = span_str(name),
				  .line = line,
				  .need = INBOUND_TLS,
				  .min_tls = 0x0303,
				  .pin = { pin },
				  .pin_n = pin != NULL };

	return policy_build_inbound(b, &r, first);
}

static void add_domain(struct policy_build *b, const char *name)
{
	struct policy_rule r = { .name = span_str(name),
				 .level = LEVEL_ENCRYPT,
				 .min_tls = 0x0303 };
	uint32_t first;

	assert_int_equal(policy_build_rule(b, &r, &first), OK);
}

static uint8_t *begin(struct policy_build *b, uint32_t rules, uint32_t inbound,
		      size_t strings)
{
	size_t n = policy_build_size(rules, inbound, strings);
	uint8_t *mem = malloc(n);

	assert_non_null(mem);
	assert_int_equal(policy_build_begin(b, mem, n, rules, inbound, key),
			 OK);
	return mem;
}

static void end(struct policy_build *b, struct policy *p)
{
	static const struct settings s = { .intercept = { 25 },
					   .intercept_n = 1 };
	size_t len;

	assert_int_equal(policy_build_end(b, &s, &len), OK);
	assert_int_equal(policy_open(p, (struct span){ b->p, len }), OK);
}

/* The line of the rule that applies; 0: none. */
static uint32_t line_of(const struct policy *p, const char *domain)
{
	struct inbound_rule r;

	assert_int_equal(inbound_lookup(p, span_str(domain), &r), OK);
	assert_int_equal(r.need == INBOUND_NOTHING, r.line == 0);
	return r.line;
}

static void the_longest_match_applies(void **state)
{
	struct policy_build b;
	struct policy p;
	struct policy_rule out;
	uint32_t first;
	uint8_t *mem = begin(&b, 4, 3, 200);

	(void)state;
	/* one more is announced than comes, as with a default that is named */
	add_domain(&b, "a.example");
	add_domain(&b, ".b.example");
	add_domain(&b, "default");
	assert_int_equal(add(&b, "a.example", 7, NULL, &first), OK);
	assert_int_equal(add(&b, ".a.example", 8, pin_a, &first), OK);
	assert_int_equal(add(&b, ".x.a.example", 9, NULL, &first), OK);
	end(&b, &p);
	assert_int_equal(p.inbound_n, 3);
	assert_int_equal(p.rules_n, 2);
	assert_int_equal(line_of(&p, "a.example"), 7);
	assert_int_equal(line_of(&p, "b.a.example"), 8);
	assert_int_equal(line_of(&p, "x.a.example"), 8);
	assert_int_equal(line_of(&p, "y.x.a.example"), 9);
	assert_int_equal(line_of(&p, "ba.example"), 0);
	assert_int_equal(line_of(&p, "example"), 0);
	assert_int_equal(line_of(&p, ""), 0);
	/* neither list is seen through the other */
	assert_int_equal(line_of(&p, "b.b.example"), 0);
	assert_int_equal(policy_lookup(&p, SPAN_LIT("z.b.example"), &out), OK);
	assert_true(span_eq(out.name, SPAN_LIT(".b.example")));
	assert_int_equal(policy_lookup(&p, SPAN_LIT("x.a.example"), &out), OK);
	assert_true(span_eq(out.name, SPAN_LIT("default")));
	free(mem);
}

static void without_a_rule_nothing_is_asked(void **state)
{
	struct policy_build b;
	struct policy p;
	struct inbound_rule r;
	uint8_t *mem = begin(&b, 0, 0, 0);

	(void)state;
	end(&b, &p);
	assert_int_equal(p.inbound_n, 0);
	assert_false(inbound_asks_certificate(&p));
	assert_int_equal(line_of(&p, "a.example"), 0);
	assert_int_equal(inbound_rule_at(&p, 0, &r), E_CORRUPT);
	free(mem);
}

static void rules_in_their_order(void **state)
{
	static const char *const names[] = { ".b.example", "a.example", "c" };
	struct policy_build b;
	struct policy p;
	struct inbound_rule r;
	uint32_t first;
	uint8_t *mem = begin(&b, 0, 3, 100);

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(
			add(&b, names[i], i + 1, i == 2 ? pin_b : NULL, &first),
			OK);
	assert_int_equal(add(&b, "a.example", 9, NULL, &first), E_CONF);
	assert_int_equal(first, 2);
	assert_int_equal(add(&b, "d.example", 9, NULL, &first), E_FULL);
	end(&b, &p);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(inbound_rule_at(&p, i, &r), OK);
		assert_true(span_eq(r.name, span_str(names[i])));
		assert_int_equal(r.line, i + 1);
	}
	assert_int_equal(r.pin_n, 1);
	assert_memory_equal(r.pin[0], pin_b, 32);
	assert_true(inbound_asks_certificate(&p));
	free(mem);
}

static void what_cannot_be_a_rule(void **state)
{
	struct inbound_rule r = { .name = SPAN_LIT("a.example"),
				  .need = INBOUND_TLS };
	struct policy_build b;
	uint32_t first = 5;
	char name[300];
	uint8_t *mem = begin(&b, 0, 9, 3000);

	(void)state;
	r.need = INBOUND_NOTHING;
	assert_int_equal(policy_build_inbound(&b, &r, &first), E_CONF);
	assert_int_equal(first, 0);
	r.need = (enum inbound_need)(INBOUND_SEAL + 1);
	assert_int_equal(policy_build_inbound(&b, &r, &first), E_CONF);
	r.need = INBOUND_TLS;
	memset(name, 'a', sizeof(name));
	r.account = (struct span){ (uint8_t *)name, LOGON_ACCOUNT_MAX + 1 };
	assert_int_equal(policy_build_inbound(&b, &r, &first), E_CONF);
	r.account.n = 0;
	r.min_bits = 129;
	assert_int_equal(policy_build_inbound(&b, &r, &first), E_CONF);
	r.min_bits = 0;
	r.pin_n = POLICY_PINS_MAX + 1;
	assert_int_equal(policy_build_inbound(&b, &r, &first), E_CONF);
	r.pin_n = 0;
	memset(name, 'a', sizeof(name));
	r.name = (struct span){ (uint8_t *)name, POLICY_DOMAIN_MAX + 2 };
	assert_int_equal(policy_build_inbound(&b, &r, &first), E_CONF);
	r.name.n = 0;
	assert_int_equal(policy_build_inbound(&b, &r, &first), E_CONF);
	free(mem);
}

static void a_long_list(void **state)
{
	struct policy_build b;
	struct policy p;
	uint32_t first;
	char name[32];
	uint8_t *mem = begin(&b, 1, MANY, MANY * 20);

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "d%u.example", i);
		assert_int_equal(add(&b, name, i + 1, NULL, &first), OK);
	}
	end(&b, &p);
	for (uint32_t i = 0; i < MANY; i += 7) {
		snprintf(name, sizeof(name), "d%u.example", i);
		assert_int_equal(line_of(&p, name), i + 1);
		snprintf(name, sizeof(name), "e%u.example", i);
		assert_int_equal(line_of(&p, name), 0);
	}
	free(mem);
}

static void a_channel_is_enough_or_lacks_something(void **state)
{
	static struct channel clear,
		old = { .tls = true, .version = 0x0303 },
		new = { .tls = true, .version = 0x0304 },
		shown = { .tls = true,
			  .version = 0x0303,
			  .certificate = true,
			  .spki_sha256 = { 2 } },
		ancient = { .tls = true, .version = 0x0302 };
	static const uint8_t zero[32];
	struct inbound_rule r = { .need = INBOUND_NOTHING, .min_tls = 0x0303 };
	enum tls_result why;

	(void)state;
	assert_null(inbound_lacks(&r, &clear, &why));
	assert_int_equal(why, TLS_RESULT_OK);
	r.need = INBOUND_TLS;
	assert_string_equal(inbound_lacks(&r, &clear, &why),
			    "it came in clear; say STARTTLS first");
	assert_int_equal(why, TLS_STARTTLS_NOT_SUPPORTED);
	assert_null(inbound_lacks(&r, &old, &why));
	assert_null(inbound_lacks(&r, &shown, &why));
	assert_int_equal(why, TLS_RESULT_OK);
	assert_string_equal(inbound_lacks(&r, &ancient, &why),
			    "its TLS version is too low");
	r.min_tls = 0x0304;
	assert_string_equal(inbound_lacks(&r, &old, &why),
			    "its TLS version is too low");
	assert_int_equal(why, TLS_VALIDATION_FAILURE);
	assert_null(inbound_lacks(&r, &new, &why));
	/* no certificate has no key, not even one of zeros */
	r.min_tls = 0x0303;
	r.pin[0] = zero;
	r.pin_n = 1;
	assert_string_equal(inbound_lacks(&r, &old, &why),
			    "no client certificate was shown");
	assert_int_equal(why, TLS_CERTIFICATE_NOT_TRUSTED);
	assert_string_equal(
		inbound_lacks(&r, &shown, &why),
		"the key of its client certificate is not a pinned one");
	r.pin[1] = pin_b;
	r.pin_n = 2;
	assert_null(inbound_lacks(&r, &shown, &why));
	assert_string_equal(inbound_lacks(&r, &clear, &why),
			    "it came in clear; say STARTTLS first");
}

/* What is asked of who logs on, with TLS and without. */
static void a_log_on_is_enough_or_not(void **state)
{
	static struct channel ch, tls = { .tls = true, .version = 0x0303 };
	struct inbound_rule r = { .name = SPAN_LIT("a.example"),
				  .line = 1,
				  .need = INBOUND_AUTH,
				  .min_bits = 128 },
			    back;
	struct policy_build b;
	struct policy p;
	uint8_t *mem = begin(&b, 0, 1, 100);
	enum tls_result why;
	char text[200];
	struct text t;
	uint32_t first;

	(void)state;
	assert_string_equal(inbound_lacks(&r, &ch, &why),
			    "nobody has logged on; say AUTH first");
	assert_int_equal(why, TLS_LOGON_FAILED);
	ch.logon.mech = AUTH_CRAM_MD5;
	strcpy(ch.logon.account, "eve");
	assert_null(inbound_lacks(&r, &ch, &why));
	assert_int_equal(why, TLS_RESULT_OK);
	r.account = SPAN_LIT("doug");
	assert_string_equal(inbound_lacks(&r, &ch, &why),
			    "another account has logged on");
	strcpy(ch.logon.account, "doug");
	assert_null(inbound_lacks(&r, &ch, &why));
	r.need = INBOUND_SEAL;
	assert_string_equal(inbound_lacks(&r, &ch, &why),
			    "the session is not sealed");
	ch.logon.bits = 56;
	assert_string_equal(inbound_lacks(&r, &ch, &why),
			    "the key of its seal is too short");
	ch.logon.bits = 128;
	assert_null(inbound_lacks(&r, &ch, &why));
	r.min_tls = 0x0303;
	assert_string_equal(inbound_lacks(&r, &ch, &why),
			    "it came in clear; say STARTTLS first");
	tls.logon = ch.logon;
	assert_null(inbound_lacks(&r, &tls, &why));
	text_init(&t, text, sizeof(text));
	inbound_say(&r, &t);
	assert_string_equal(text, "inside TLS and logged on as doug, sealed "
				  "with 128 bits");
	/* and it is the same when it has been in a snapshot */
	assert_int_equal(policy_build_inbound(&b, &r, &first), OK);
	end(&b, &p);
	assert_int_equal(inbound_rule_at(&p, 0, &back), OK);
	assert_int_equal(back.need, INBOUND_SEAL);
	assert_int_equal(back.min_bits, 128);
	assert_true(span_eq(back.account, r.account));
	assert_int_equal(back.min_tls, 0x0303);
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_match_applies),
		cmocka_unit_test(without_a_rule_nothing_is_asked),
		cmocka_unit_test(rules_in_their_order),
		cmocka_unit_test(what_cannot_be_a_rule),
		cmocka_unit_test(a_long_list),
		cmocka_unit_test(a_channel_is_enough_or_lacks_something),
		cmocka_unit_test(a_log_on_is_enough_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
