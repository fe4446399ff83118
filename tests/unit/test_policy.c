/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The snapshot: what is put in comes out, the longest match wins, damage is an
 * error. Compared with a reference that walks through a list.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "policy/policy.h"
#include "policy/policy_build.h"
#include "policy/policy_format.h"

static const uint8_t key[16] = "0123456789abcdef";

/* As settings stand when nothing was said. */
static const struct settings plain = {
	.number = 7,
	.intercept = { 25, 587 },
	.intercept_n = 2,
	.sessions_max = 100,
	.sessions_per_source = 10,
	.half_open_max = 50,
	.half_open_per_source = 5,
	.fallback_s = 3600,
	.clock_floor_s = 1234567890,
	.log_addresses = true,
};

static struct policy_rule rule(const char *name, enum level l, uint32_t line)
{
	return (struct policy_rule){ .name = span_str(name),
				     .level = l,
				     .line = line,
				     .min_tls = 0x0303 };
}

static int add(struct policy_build *b, const char *name, enum level l,
	       uint32_t line)
{
	struct policy_rule r = rule(name, l, line);
	uint32_t first;

	return policy_build_rule(b, &r, &first);
}

static uint8_t *begin(struct policy_build *b, uint32_t rules, size_t strings)
{
	size_t n = policy_build_size(rules, 0, strings);
	uint8_t *mem = malloc(n);

	assert_non_null(mem);
	assert_int_equal(policy_build_begin(b, mem, n, rules, 0, key), OK);
	return mem;
}

static void finish(struct policy_build *b, struct policy *p)
{
	size_t n;

	assert_int_equal(policy_build_end(b, &plain, &n), OK);
	assert_int_equal(policy_open(p, (struct span){ b->p, n }), OK);
}

static void check(const struct policy *p, const char *domain, const char *want)
{
	struct policy_rule r;

	assert_int_equal(policy_lookup(p, span_str(domain), &r), OK);
	if (!span_eq(r.name, span_str(want)))
		fail_msg("%s: rule %.*s, not %s", domain, (int)r.name.n,
			 r.name.p, want);
}

static void longest_match(void **state)
{
	struct policy_build b;
	struct policy p;
	uint8_t *mem = begin(&b, 6, 200);

	(void)state;
	assert_int_equal(add(&b, "partner.example", LEVEL_ENCRYPT, 1), OK);
	assert_int_equal(add(&b, ".partner.example", LEVEL_VERIFY, 2), OK);
	assert_int_equal(add(&b, ".eu.partner.example", LEVEL_CLEAR, 3), OK);
	assert_int_equal(add(&b, "mx.eu.partner.example", LEVEL_MAY, 4), OK);
	assert_int_equal(add(&b, ".org", LEVEL_ENCRYPT, 5), OK);
	assert_int_equal(add(&b, "localhost", LEVEL_CLEAR, 6), OK);
	assert_int_equal(add(&b, "default", LEVEL_MAY, 9), OK);
	finish(&b, &p);
	check(&p, "partner.example", "partner.example");
	check(&p, "a.partner.example", ".partner.example");
	check(&p, "a.b.partner.example", ".partner.example");
	check(&p, "xpartner.example", "default");
	check(&p, "example", "default");
	check(&p, "eu.partner.example", ".partner.example");
	check(&p, "x.eu.partner.example", ".eu.partner.example");
	check(&p, "mx.eu.partner.example", "mx.eu.partner.example");
	check(&p, "y.mx.eu.partner.example", ".eu.partner.example");
	check(&p, "a.org", ".org");
	check(&p, "org", "default");
	check(&p, "localhost", "localhost");
	check(&p, "", "default");
	check(&p, "[192.0.2.1]", "default");
	check(&p, "default", "default");
	assert_true(policy_protects(&p));
	free(mem);
}

static void nothing_said(void **state)
{
	struct policy_build b;
	struct policy p;
	struct policy_rule r;
	uint8_t *mem = begin(&b, 0, 0);

	(void)state;
	finish(&b, &p);
	assert_int_equal(policy_lookup(&p, SPAN_LIT("x.example"), &r), OK);
	assert_int_equal(r.level, LEVEL_MAY);
	assert_false(policy_protects(&p));
	assert_int_equal(p.rules_n, 0);
	free(mem);
}

static void all_that_a_rule_holds(void **state)
{
	static const uint8_t pin_a[32] = { 1, 2 }, pin_b[32] = { 3 };
	struct policy_rule r = rule("p.example", LEVEL_PIN, 77), got;
	struct policy_build b;
	struct policy p;
	uint8_t *mem = begin(&b, 4, 400);
	uint32_t first;

	(void)state;
	r.on_fail = ON_FAIL_DEFER;
	r.min_tls = 0x0304;
	r.pin[0] = pin_a;
	r.pin[1] = pin_b;
	r.pin_n = 2;
	r.match[0] = SPAN_LIT("mx.example");
	r.match[1] = SPAN_LIT(".example");
	r.match_n = 2;
	r.has_route = true;
	memset(r.route[0].ip, 0x42, 16);
	r.route[0].port = 2525;
	memset(r.route[1].ip, 0x43, 16);
	r.route[1].port = 26;
	assert_int_equal(policy_build_rule(&b, &r, &first), OK);
	r.name = SPAN_LIT("n.example");
	r.route_name = SPAN_LIT("mx.route.example");
	r.route_port = 27;
	assert_int_equal(policy_build_rule(&b, &r, &first), OK);
	r.level = LEVEL_ENCRYPT; /* nobody would see who is there */
	r.name = SPAN_LIT("e.example");
	assert_int_equal(policy_build_rule(&b, &r, &first), E_CONF);
	assert_int_equal(add(&b, "v.example", LEVEL_VERIFY, 78), OK);
	assert_int_equal(add(&b, ".v.example", LEVEL_VERIFY, 79), OK);
	finish(&b, &p);

	assert_int_equal(policy_rule_at(&p, 0, &got), OK);
	assert_int_equal(got.line, 77);
	assert_int_equal(got.level, LEVEL_PIN);
	assert_int_equal(got.on_fail, ON_FAIL_DEFER);
	assert_int_equal(got.min_tls, 0x0304);
	assert_int_equal(got.pin_n, 2);
	assert_memory_equal(got.pin[0], pin_a, 32);
	assert_memory_equal(got.pin[1], pin_b, 32);
	assert_int_equal(got.match_n, 2);
	assert_true(span_eq(got.match[1], SPAN_LIT(".example")));
	assert_true(got.has_route && endpoint_eq(&got.route[0], &r.route[0]));
	assert_true(endpoint_eq(&got.route[1], &r.route[1]));
	assert_int_equal(got.route_name.n, 0);

	/* a name has no address */
	assert_int_equal(policy_rule_at(&p, 1, &got), OK);
	assert_true(got.has_route && span_eq(got.route_name, r.route_name));
	assert_int_equal(got.route_port, 27);
	assert_int_equal(got.route[0].port + got.route[1].port, 0);
	assert_true(span_eq(got.name, SPAN_LIT("n.example")));
	assert_memory_equal(got.pin[1], pin_b, 32);
	assert_int_equal(policy_lookup(&p, SPAN_LIT("n.example"), &got), OK);
	assert_int_equal(got.route_port, 27);

	/* no match named: the domain and all below it, in both forms */
	for (uint32_t i = 2; i <= 3; i++) {
		assert_int_equal(policy_rule_at(&p, i, &got), OK);
		assert_int_equal(got.match_n, 2);
		assert_true(span_eq(got.match[0], SPAN_LIT("v.example")));
		assert_true(span_eq(got.match[1], SPAN_LIT(".v.example")));
	}
	assert_int_equal(policy_rule_at(&p, 4, &got), OK);
	assert_true(span_eq(got.name, SPAN_LIT("default")));
	assert_int_equal(policy_rule_at(&p, 5, &got), E_CORRUPT);
	free(mem);
}

static void settings_come_back(void **state)
{
	struct settings s = plain;
	struct policy_build b;
	struct policy p;
	uint8_t *mem = begin(&b, 0, 100);
	size_t n;

	(void)state;
	assert_int_equal(policy_build_ca(&b, SPAN_LIT("builtin\n")), OK);
	s.ca_pem = SPAN_LIT("own\n");
	s.ca_builtin = true;
	s.ca_builtin_n = 8;
	s.bare_eol_pass = true;
	assert_int_equal(policy_build_end(&b, &s, &n), OK);
	assert_int_equal(policy_open(&p, (struct span){ mem, n }), OK);
	assert_int_equal(p.settings.number, 7);
	assert_int_equal(p.settings.intercept_n, 2);
	assert_int_equal(p.settings.intercept[1], 587);
	assert_int_equal(p.settings.sessions_max, 100);
	assert_int_equal(p.settings.sessions_per_source, 10);
	assert_int_equal(p.settings.half_open_max, 50);
	assert_int_equal(p.settings.half_open_per_source, 5);
	assert_int_equal(p.settings.fallback_s, 3600);
	assert_int_equal(p.settings.clock_floor_s, 1234567890);
	assert_true(p.settings.bare_eol_pass);
	assert_true(p.settings.log_addresses);
	assert_true(span_eq(p.settings.ca_pem, SPAN_LIT("builtin\nown\n")));
	assert_int_equal(p.settings.ca_builtin_n, 8);
	free(mem);
}

/* What wire gets. */
static void settings_alone(void **state)
{
	static uint8_t mem[POLICY_BUILD_SETTINGS_MAX];
	struct settings s = plain;
	struct policy_rule r;
	struct policy p;
	size_t n;

	(void)state;
	s.ca_pem = SPAN_LIT("own\n");
	s.ca_builtin_n = 1;
	assert_int_equal(policy_build_settings(mem, &s, &n), OK);
	assert_int_equal(policy_open(&p, (struct span){ mem, n }), OK);
	assert_int_equal(p.settings.number, plain.number);
	assert_int_equal(p.settings.intercept[1], plain.intercept[1]);
	assert_int_equal(p.settings.sessions_max, plain.sessions_max);
	assert_int_equal(p.settings.ca_pem.n + p.settings.ca_builtin_n, 0);
	assert_int_equal(p.rules_n + p.inbound_n, 0);
	assert_int_equal(policy_lookup(&p, SPAN_LIT("a.example"), &r), OK);
	assert_int_equal(r.level, LEVEL_MAY);
}

static void builder_refuses(void **state)
{
	struct policy_build b;
	struct policy_rule r;
	uint8_t *mem = begin(&b, 2, 30);
	uint32_t first;

	(void)state;
	assert_int_equal(add(&b, "a.example", LEVEL_MAY, 3), OK);
	r = rule("a.example", LEVEL_ENCRYPT, 8);
	assert_int_equal(policy_build_rule(&b, &r, &first), E_CONF);
	assert_int_equal(first, 3);
	assert_int_equal(add(&b, "default", LEVEL_MAY, 4), OK);
	r = rule("default", LEVEL_ENCRYPT, 8);
	assert_int_equal(policy_build_rule(&b, &r, &first), E_CONF);
	assert_int_equal(first, 4);
	assert_int_equal(add(&b, "", LEVEL_MAY, 5), E_CONF);
	assert_int_equal(add(&b, "p.example", LEVEL_PIN, 5), E_CONF);
	assert_int_equal(add(&b, "b.example", LEVEL_MAY, 5), OK);
	assert_int_equal(add(&b, "c.example", LEVEL_MAY, 6), E_FULL);
	free(mem);

	mem = begin(&b, 1, 0);
	assert_int_equal(add(&b, "default", LEVEL_VERIFY, 5), E_CONF);
	assert_int_equal(policy_build_begin(&b, mem, 100, 50, 0, key), E_FULL);
	free(mem);
	assert_true(policy_build_size(UINT32_MAX, 0, 0) == SIZE_MAX);
	assert_true(policy_build_size(1, 0, SIZE_MAX - 5) == SIZE_MAX);
}

/* --- against a list ---------------------------------------------------- */
enum { MANY = 100000 };

static char (*many_names)[24];

static uint32_t next(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

/* few labels, so that many names are below each other */
static void make_name(uint32_t *x, char *to, size_t size, bool dot)
{
	static const char *const tld[] = { "com", "example", "de", "net" };
	unsigned depth = next(x) % 3;
	int n = 0;

	if (dot)
		n += snprintf(to, size, ".");
	for (unsigned i = 0; i < depth; i++)
		n += snprintf(to + n, size - (size_t)n, "%c.",
			      'a' + (char)(next(x) % 6));
	snprintf(to + n, size - (size_t)n, "h%u.%s", next(x) % 50000,
		 tld[next(x) % 4]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char(*)[24])a, *(const char(*)[24])b);
}

static bool listed(const char *name)
{
	char k[24];

	if (strlen(name) >= sizeof(k))
		return false;
	strcpy(k, name);
	return bsearch(k, many_names, MANY, sizeof(*many_names), by_name);
}

static const char *reference(const char *domain)
{
	if (listed(domain))
		return domain;
	for (const char *d = strchr(domain, '.'); d; d = strchr(d + 1, '.'))
		if (listed(d))
			return d;
	return "default";
}

static void hundred_thousand(void **state)
{
	struct policy_build b;
	struct policy p;
	uint8_t *mem = begin(&b, MANY, MANY * 24);
	uint32_t x = 1, dups = 0;
	struct timespec t0, t1;
	long ms;

	(void)state;
	many_names = calloc(MANY, sizeof(*many_names));
	assert_non_null(many_names);
	for (uint32_t i = 0; i < MANY; i++)
		make_name(&x, many_names[i], 24, next(&x) % 3 == 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (uint32_t i = 0; i < MANY; i++) {
		static const enum level levels[] = { LEVEL_CLEAR, LEVEL_MAY,
						     LEVEL_ENCRYPT };
		int r = add(&b, many_names[i], levels[i % 3], i + 1);

		dups += r == E_CONF;
		assert_true(r == OK || r == E_CONF);
	}
	finish(&b, &p);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	ms = (t1.tv_sec - t0.tv_sec) * 1000 +
	     (t1.tv_nsec - t0.tv_nsec) / 1000000;
	print_message("%u rules in %ld ms, %zu bytes each\n", p.rules_n, ms,
		      p.blob.n / p.rules_n);
	assert_int_equal(p.rules_n, MANY - dups);
	assert_true(dups > 0 && p.rules_n > MANY / 2);
	assert_true(ms < 5000); /* with sanitizers; a tenth without */
	assert_true(p.blob.n / p.rules_n < 100);

	qsort(many_names, MANY, sizeof(*many_names), by_name);
	for (uint32_t i = 0; i < MANY; i++) {
		char d[40];

		make_name(&x, d, sizeof(d), false);
		if (i % 4 == 0) /* certainly listed */
			strcpy(d, many_names[i] + (many_names[i][0] == '.'));
		check(&p, d, reference(d));
	}
	free(many_names);
	free(mem);
}

/* --- damage ------------------------------------------------------------ */
static void look_at_all(const struct policy *p)
{
	struct policy_rule r;

	for (uint32_t i = 0; i <= p->rules_n && i < 20; i++)
		if (policy_rule_at(p, i, &r) == OK)
			(void)!policy_lookup(p, r.name, &r);
	(void)!policy_lookup(p, SPAN_LIT("mx.a.example"), &r);
	(void)!policy_lookup(p, SPAN_LIT("b.example"), &r);
}

static size_t small(uint8_t **mem)
{
	static const uint8_t pin[32];
	struct policy_rule r = rule("p.example", LEVEL_PIN, 3);
	struct policy_build b;
	uint32_t first;
	size_t n;

	*mem = begin(&b, 3, 300);
	assert_int_equal(add(&b, "a.example", LEVEL_ENCRYPT, 1), OK);
	assert_int_equal(add(&b, ".a.example", LEVEL_VERIFY, 2), OK);
	r.pin[0] = pin;
	r.pin_n = 1;
	r.match[0] = SPAN_LIT("m.example");
	r.match_n = 1;
	r.has_route = true;
	assert_int_equal(policy_build_rule(&b, &r, &first), OK);
	assert_int_equal(policy_build_end(&b, &plain, &n), OK);
	return n;
}

static void every_octet_counts(void **state)
{
	uint8_t *mem;
	size_t n = small(&mem);
	struct policy p;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			mem[i] ^= (uint8_t)(1u << bit);
			assert_int_equal(
				policy_open(&p, (struct span){ mem, n }),
				E_CORRUPT);
			mem[i] ^= (uint8_t)(1u << bit);
		}
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(policy_open(&p, (struct span){ mem, i }),
				 E_CORRUPT);
	assert_int_equal(policy_open(&p, (struct span){ mem, n }), OK);
	free(mem);
}

/* Damage after the sum was checked: errors, and never a read elsewhere. */
static void damaged_later(void **state)
{
	uint8_t *mem, *exact;
	size_t n = small(&mem);
	struct policy p;

	(void)state;
	exact = malloc(n); /* so that the sanitizer knows where it ends */
	assert_non_null(exact);
	memcpy(exact, mem, n);
	assert_int_equal(policy_open(&p, (struct span){ exact, n }), OK);
	for (size_t i = HEADER_SIZE; i < n; i++) {
		static const uint8_t with[] = { 0, 1, 0x7f, 0x80, 0xff };

		for (size_t k = 0; k < sizeof(with); k++) {
			exact[i] = with[k];
			look_at_all(&p);
		}
		exact[i] = mem[i];
	}
	/* a table with every slot taken ends too */
	for (size_t i = HEADER_SIZE; i < HEADER_SIZE + 8 * SLOT_SIZE; i++)
		exact[i] = 0xff;
	assert_int_equal(policy_lookup(&p, SPAN_LIT("a.example"),
				       &(struct policy_rule){ 0 }),
			 E_CORRUPT);
	free(exact);
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_match),
		cmocka_unit_test(nothing_said),
		cmocka_unit_test(all_that_a_rule_holds),
		cmocka_unit_test(settings_come_back),
		cmocka_unit_test(settings_alone),
		cmocka_unit_test(builder_refuses),
		cmocka_unit_test(hundred_thousand),
		cmocka_unit_test(every_octet_counts),
		cmocka_unit_test(damaged_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
