/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random configurations made from the schema: each compiles, and what is printed
 * is the same configuration, which is printed the same. A setting that is added
 * to the schema is in here at once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/hash.h"
#include "conf/conf_diff.h"
#include "conf/conf_edit.h"
#include "conf/conf_schema.h"
#include "conf_play.h"

enum { RUNS = 3000, TEXT = 1 << 18, NAMES = 40 };

static struct play first, second;
static char text_mem[TEXT], printed_mem[2][TEXT], more_mem[TEXT];
static struct text t;
static uint64_t seed;

/* xorshift64* */
static uint32_t any(uint32_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static void put(const char *s)
{
	text_str(&t, s);
}

/* Keywords in any case, any blanks between words. */
static void put_words(const char *s)
{
	for (; *s; s++) {
		bool up = *s >= 'a' && *s <= 'z' && any(8) == 0;
		char c[2] = { (char)(up ? *s - 32 : *s), 0 };

		put(*s == ' ' && any(8) == 0 ? " \t" : c);
	}
}

static void put_number(uint64_t n)
{
	text_u64(&t, n);
}

/* --- values --------------------------------------------------------------------- */
static void put_domain(bool dot)
{
	static const char *const tops[] = { "example", "test", "Example.Org",
					    "co.uk", "xn--bcher-kva.example" };
	char line[80];

	snprintf(line, sizeof(line), "%s%s%u.%s", dot ? "." : "",
		 any(3) == 0 ? "MX" : "d", any(NAMES), tops[any(5)]);
	put(line);
}

static void put_pin(void)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	put(" sha256:");
	for (int i = 0; i < 64; i++)
		text_span(&t,
			  (struct span){ (const uint8_t *)hex + any(22), 1 });
}

/* level: a rule of which others could say where it leads has no name. */
static enum level level;
static bool resolves; /* there is somebody to ask */

static void put_route(void)
{
	static const char *const all[] = { "192.0.2.7", "192.0.2.7:2525",
					   "2001:db8::7", "[2001:db8::7]",
					   "[2001:db8:0:0::7]:26" };

	unsigned i = any(5);

	if (resolves && level >= LEVEL_VERIFY && any(2) == 0) {
		put_domain(false);
		put(any(2) == 0 ? ":2525" : "");
		return;
	}
	put(all[i]);
	if (any(2) == 0) {
		put(" ");
		put(all[i < 2 ? 2 + any(3) : any(2)]);
	}
}

/* One of "a|b". */
static void put_choice(const char *words)
{
	size_t n = strcspn(words, "|");

	if (words[n] == '|' && any(2) == 0)
		words += n + 1;
	text_span(&t,
		  (struct span){ (const uint8_t *)words, strcspn(words, "|") });
}

/* Of this configuration; rules log on as one of them. */
static uint32_t accounts, partners;

static void put_attribute(enum conf_rule_attr a)
{
	put(" ");
	put_words(conf_rule_attrs[a].word);
	switch (a) {
	case CONF_MATCH:
		for (uint32_t n = 1 + any(4); n > 0; n--) {
			put(" ");
			put_domain(any(2) == 0);
		}
		break;
	case CONF_ROUTE:
		put(" ");
		put_route();
		break;
	case CONF_MIN_TLS:
	case CONF_ON_FAIL:
	case CONF_MIN_BITS:
	case CONF_FRAMING:
	case CONF_SIGNATURE:
	case CONF_AUTH:
	case CONF_RULE_ATTRS:
		put(" ");
		put_choice(conf_rule_attrs[a].value);
		break;
	case CONF_WITH_ACCOUNT:
		put(" ");
		put_words("N");
		put_number(any(accounts));
		break;
	case CONF_LEGACY:
	case CONF_LEARN: break;
	}
}

/* What belongs together: a mechanism, an account, and what NTLM can have. */
static void put_logon(enum level l)
{
	static const char *const mechs[] = { " auth cram-md5",
					     " auth scram-sha-256",
					     " auth ntlm", " auth login" };
	bool seal = l == LEVEL_NTLM_SEAL;
	uint32_t m = any(l == LEVEL_ENCRYPT ? 3 : 4);

	put_attribute(CONF_WITH_ACCOUNT);
	if (!seal)
		put(mechs[m]);
	if (seal && any(2) == 0)
		put_attribute(CONF_MIN_BITS);
	if ((seal || m == 2) && any(2) == 0) {
		put_attribute(CONF_LEGACY);
		if (seal && any(2) == 0)
			put_attribute(CONF_FRAMING);
		if (seal && any(2) == 0)
			put_attribute(CONF_SIGNATURE);
	}
}

static void put_rule(bool is_default)
{
	enum level l = (enum level)any(LEVELS);
	bool routed = any(4) == 0;
	unsigned done = 0;

	if (l == LEVEL_NTLM_SEAL && (is_default || accounts == 0))
		l = LEVEL_MAY;
	level = l;
	put(" ");
	put_words(level_name(l));
	if (l == LEVEL_PIN)
		for (uint32_t n = 1 + any(3); n > 0; n--)
			put_pin();
	if (is_default && l == LEVEL_VERIFY) {
		put_attribute(CONF_MATCH);
		done |= 1u << CONF_MATCH;
	}
	for (unsigned i = 0; i < 6; i++) {
		enum conf_rule_attr a = (enum conf_rule_attr)any(
			CONF_RULE_ATTRS);

		if ((done & 1u << a) || !conf_attr_fits(a, l, routed) ||
		    conf_rule_attrs[a].partner)
			continue;
		if (a == CONF_ROUTE && !routed)
			continue;
		done |= 1u << a;
		put_attribute(a);
	}
	if (routed && !(done & 1u << CONF_ROUTE))
		put_attribute(CONF_ROUTE);
	if (l == LEVEL_NTLM_SEAL ||
	    (l > LEVEL_NTLM_SEAL && !is_default && accounts > 0 && any(2) == 0))
		put_logon(l);
}

static void put_partner(uint32_t i)
{
	bool seal = any(2) == 0, bound = any(2) == 0;

	put(" p");
	put_number(i);
	put(any(2) == 0 ? " nt-domain CORP" : "");
	put(" auth");
	put(any(2) == 0 && !bound ? " plain login" : "");
	put(any(2) == 0 && !bound ? " cram-md5 scram-sha-1" : "");
	put(seal ? " NTLM-seal" : " ntlm scram-sha-256");
	if (seal && any(2) == 0) {
		put(" min-bits ");
		put_choice(conf_partner_attrs[CONF_PARTNER_BITS].value);
	}
	put(any(2) == 0 ? " legacy" : "");
	put(bound ? " bound" : "");
	put(" password sealed x:p");
	put_number(i);
}

static void put_inbound(uint32_t i)
{
	put(any(3) == 0 ? " .I" : " I");
	put_number(i);
	put(".example");
	switch (partners > 0 ? any(4) : any(2)) {
	case 0: put(" tls"); break;
	case 1: put(" TLS"); break;
	case 2: put(" auth"); break;
	case 3:
		put(" seal");
		if (any(2) == 0) {
			put(" min-bits ");
			put_choice(conf_inbound_attrs[CONF_FROM_BITS].value);
		}
	}
	if (partners > 0 && any(2) == 0) {
		put(" account p");
		put_number(any(partners));
	}
	if (any(2) == 0) {
		put(" min-tls ");
		put_choice(conf_inbound_attrs[CONF_FROM_TLS].value);
	}
	if (any(3) == 0) {
		put(" client-cert");
		for (uint32_t n = 1 + any(3); n > 0; n--)
			put_pin();
	}
}

static void put_account(uint32_t i)
{
	static const char *const users[] = { "bob",
					     "\"a b\"",
					     "CORP\\bob",
					     "\"#\"",
					     "\"a \\\"q\\\" \\\\ z\"",
					     "user",
					     "bob@corp.example",
					     "\xc3\xa4\xc3\xb6",
					     "x!y",
					     "sealed" };
	const char *user = users[any(10)];
	char line[200];

	snprintf(line, sizeof(line), " N%u%s user %s password sealed p%u:n%u",
		 i,
		 any(3) == 0 && !strchr(user, '\\') ? " nt-domain \"D d\"" : "",
		 user, any(1000), i);
	put(line);
}

/* The addresses of one configuration belong together. */
static bool managed, v6;
/* A server that is left alone can require nothing. */
static bool passes;

static void put_setting(const struct conf_setting *c)
{
	if (c->type != CONF_PEM)
		put_words(c->words);
	switch (c->type) {
	case CONF_CHOICE: {
		uint32_t i = any(2);

		passes = passes || strcmp(c->choices[i], "pass") == 0;
		put(" ");
		put_words(c->choices[i]);
		break;
	}
	case CONF_NUMBER:
		put(" ");
		/* an inbound port has to be an intercepted one */
		if (c->at == offsetof(struct settings, inbound_port))
			put_number(0);
		else
			put_number(c->min +
				   any((uint32_t)(c->max - c->min + 1)));
		break;
	case CONF_PORTS:
		/* with three of routes, 16 */
		for (uint32_t n = 1 + any(13), i = 0; i < n; i++) {
			put(" ");
			put_number(1 + any(4000) * 16 + i);
		}
		break;
	case CONF_TIME: {
		put(" ");
		text_time(&t, any(1u << 31));
		break;
	}
	case CONF_NAME: put(any(2) == 0 ? " gw-1.Corp.example" : " x"); break;
	case CONF_TEXT:
		put(any(2) == 0 ? " \"a \\\"b\\\" \\\\ c\"" : " none");
		break;
	case CONF_PREFIX:
		managed = true;
		put(v6 ? " 2001:DB8:0::5/64" : " 192.0.2.5/24");
		break;
	case CONF_VLAN: put(!managed || any(2) == 0 ? " none" : " 4094"); break;
	case CONF_ADDRESS:
		if (c->at == offsetof(struct settings, resolver)) {
			resolves = any(4) != 0;
			put(resolves ? " 2001:db8::53" : " none");
			break;
		}
		/* it leads to a server, or it is none */
		if (c->at == offsetof(struct settings, inbound_address)) {
			put(passes || any(2) == 0
				    ? " none"
				    : " 192.0.2.9\ninbound server 192.0.2.8");
			break;
		}
		put(!managed ? " none" : v6 ? " 2001:db8::1" : " 192.0.2.1");
		break;
	case CONF_HOSTS:
		put(!managed	  ? " none"
		    : any(2) == 0 ? v6 ? " 2001:db8::7" : " 192.0.2.7"
		    : v6	  ? " 2001:db8::7 2001:db8:0::8 2001:db8::9"
				  : " 192.0.2.9 192.0.2.8 192.0.2.7");
		break;
	case CONF_HOST:
		put(!managed ? " none"
		    : v6     ? " [2001:db8::9]"
			     : " 192.0.2.9:5514");
		break;
	case CONF_PEM:
		for (uint32_t n = any(4); n > 0; n--)
			put("ca certificate\n"
			    "-----BEGIN CERTIFICATE-----\r\n"
			    "MAgEBgECAwQF \t\nBg==\n"
			    "-----END CERTIFICATE-----\n");
		break;
	case CONF_DEFAULT: put_rule(true); break;
	case CONF_DOMAIN:
	case CONF_INBOUND:
	case CONF_PARTNER:
	case CONF_ACCOUNT: break; /* many, below */
	}
}

static const struct conf_setting *of_type(enum conf_type type)
{
	size_t i = 0;

	while (conf_schema[i].type != type)
		i++;
	return &conf_schema[i];
}

/* --- a configuration -------------------------------------------------------------- */
static void comment(void)
{
	if (any(6) == 0)
		put(any(2) == 0 ? "\r\n! a word\n" : " \t# another\n\n");
}

static void make_text(void)
{
	bool verify_needs_ca = true;

	accounts = any(6);

	managed = passes = resolves = false;
	v6 = any(2) == 0;
	text_init(&t, text_mem, sizeof(text_mem));
	put("default may\n");
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_setting *c = &conf_schema[i];

		comment();
		if (conf_setting_named(c) || c->type == CONF_DEFAULT ||
		    any(2) == 0)
			continue;
		/* comes with what leads to it */
		if (c->at == offsetof(struct settings, inbound_server))
			continue;
		/* so that there is always somebody to verify with */
		if (verify_needs_ca && strcmp(c->words, "ca") == 0)
			continue;
		put_setting(c);
		put("\n");
	}
	for (uint32_t i = 0; i < accounts; i++) {
		put_words(of_type(CONF_ACCOUNT)->words);
		put_account(i);
		put("\n");
	}
	partners = passes ? 0 : any(4);
	for (uint32_t i = 0; i < partners; i++) {
		put_words(of_type(CONF_PARTNER)->words);
		put_partner(i);
		put("\n");
	}
	for (uint32_t n = passes ? 0 : any(6); n > 0; n--) {
		put_words(of_type(CONF_INBOUND)->words);
		put_inbound(n);
		put("\n");
	}
	for (uint32_t n = any(30); n > 0; n--) {
		put_words(of_type(CONF_DOMAIN)->words);
		put(" ");
		put_domain(any(3) == 0);
		put_rule(false);
		put("\n");
		comment();
	}
	assert_false(t.cut);
}

/* Not every random text is one: domains repeat. */
static bool only_contradicts(const char *report)
{
	return strstr(report, "is already there, in line ");
}

static struct span print(const struct play *p, int which)
{
	struct text out;

	text_init(&out, printed_mem[which], TEXT);
	assert_int_equal(conf_print(&p->policy, &p->secrets, &out), OK);
	assert_false(out.cut);
	return text_done(&out);
}

/* Every rule, as a lookup finds it, is in the other one too. */
static void same_rules(void)
{
	assert_int_equal(first.policy.rules_n, second.policy.rules_n);
	for (uint32_t i = 0; i <= first.policy.rules_n; i++) {
		struct policy_rule a, b;
		char mem[2][2048];
		struct text one, two;

		assert_int_equal(policy_rule_at(&first.policy, i, &a), OK);
		if (i < first.policy.rules_n && a.name.p[0] != '.')
			assert_int_equal(
				policy_lookup(&second.policy, a.name, &b), OK);
		else
			assert_int_equal(policy_rule_at(&second.policy, i, &b),
					 OK);
		text_init(&one, mem[0], sizeof(mem[0]));
		text_init(&two, mem[1], sizeof(mem[1]));
		conf_print_rule(&a, &one);
		conf_print_rule(&b, &two);
		assert_string_equal(mem[0], mem[1]);
	}
}

static void printed_is_the_same(void **state)
{
	unsigned compiled = 0;

	(void)state;
	for (uint64_t run = 1; run <= RUNS; run++) {
		struct span a, b;

		seed = run * 0x9e3779b97f4a7c15ull;
		make_text();
		play_compile(&first, text_done(&t));
		if (first.r != OK && !only_contradicts(first.report))
			fail_msg("run %u: %s%s", (unsigned)run, first.report,
				 text_mem);
		if (first.r != OK)
			continue;
		compiled++;
		a = print(&first, 0);
		play_compile(&second, a);
		if (second.r != OK)
			fail_msg("run %u: printed\n%s%s", (unsigned)run,
				 printed_mem[0], second.report);
		b = print(&second, 1);
		assert_true(span_eq(a, b));
		same_rules();
	}
	assert_true(compiled > RUNS / 3);
}

/* --- line by line ----------------------------------------------------------------- */
static struct span edit(struct span base, struct span lines, char *out)
{
	static char report_mem[CONF_REPORT_MAX];
	uint8_t key[16] = { 9 };
	void *mem = malloc(conf_edit_size(lines));
	struct text report;
	struct conf_edit *j;
	size_t n;
	int r;

	text_init(&report, report_mem, sizeof(report_mem));
	j = conf_edit_init(mem, base, lines, key, (uint8_t *)out, &report);
	do
		r = conf_edit_step(j, 3, &n);
	while (r == E_AGAIN);
	free(mem);
	if (r != OK)
		fail_msg("%.*s\n%s", (int)lines.n, (const char *)lines.p,
			 report_mem);
	return (struct span){ (uint8_t *)out, n };
}

/* How many lines do. */
static size_t differ(struct span a, struct span b)
{
	const uint8_t key[16] = { 1 };
	void *mem = malloc(conf_diff_size(a, b));
	char line[2048];
	struct conf_diff *d;
	struct text out;
	size_t n;

	text_init(&out, line, sizeof(line));
	d = conf_diff_init(mem, a, b, key, &out);
	while (conf_diff_step(d, 7, &n) == E_AGAIN)
		;
	free(mem);
	return n;
}

/* All of what is printed, merged into nothing or into itself, is the same; a
 * domain taken away and brought back too. */
static void edited_is_the_same(void **state)
{
	(void)state;
	for (uint64_t run = 1; run <= RUNS / 10; run++) {
		struct policy_rule rule;
		struct span a, b;
		char line[2048];
		struct text l;

		seed = run * 0x9e3779b97f4a7c15ull;
		make_text();
		play_compile(&first, text_done(&t));
		if (first.r != OK || first.policy.rules_n == 0 ||
		    strstr(text_mem, "CERTIFICATE"))
			continue;
		a = print(&first, 0);
		b = edit(SPAN_LIT(""), a, printed_mem[1]);
		assert_true(span_eq(a, b));
		b = edit(a, a, printed_mem[1]);
		assert_true(span_eq(a, b));
		assert_int_equal(policy_rule_at(&first.policy,
						any(first.policy.rules_n),
						&rule),
				 OK);
		text_init(&l, line, sizeof(line));
		text_str(&l, "no domain ");
		text_span(&l, rule.name);
		b = edit(a, text_done(&l), more_mem);
		assert_int_equal(differ(a, b), 1);
		text_init(&l, line, sizeof(line));
		conf_print_rule(&rule, &l);
		b = edit(b, text_done(&l), printed_mem[1]);
		assert_int_equal(differ(a, b), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printed_is_the_same),
		cmocka_unit_test(edited_is_the_same),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	play_drop(&first);
	play_drop(&second);
	return failed;
}
