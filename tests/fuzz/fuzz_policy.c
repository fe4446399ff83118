/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A snapshot with damage: the input is a list of (offset, octet) that is put
 * into a good one after policy_open, as if shared memory had changed; and the
 * input itself is opened as a snapshot.
 */
#include <stdlib.h>
#include "base/bug.h"
#include "policy/policy_build.h"
#include "policy/policy_format.h"

enum { ROOM = 4096 };

static const uint8_t pin[32] = { 7 };
static uint8_t good[ROOM];
static size_t good_n;

static void add(struct policy_build *b, const char *name, enum level l)
{
	struct policy_rule r = { .name = span_str(name),
				 .level = l,
				 .min_tls = 0x0303,
				 .pin = { pin },
				 .pin_n = l == LEVEL_PIN,
				 .has_route = l == LEVEL_PIN };
	uint32_t first;

	if (l == LEVEL_PIN || l == LEVEL_NTLM_SEAL)
		r.logon = (struct logon){ .mech = AUTH_NTLM,
					  .account = SPAN_LIT("hub"),
					  .min_bits = 40,
					  .legacy = true };
	BUG_ON(policy_build_rule(b, &r, &first) != OK);
}

static void add_inbound(struct policy_build *b, const char *name, size_t pins)
{
	struct inbound_rule r = { .name = span_str(name),
				  .need = INBOUND_TLS,
				  .min_tls = 0x0303,
				  .pin = { pin },
				  .pin_n = pins };
	uint32_t first;

	BUG_ON(policy_build_inbound(b, &r, &first) != OK);
}

static void build(void)
{
	struct settings s = { .intercept = { 25 }, .intercept_n = 1 };
	struct policy_build b;

	BUG_ON(policy_build_begin(&b, good, sizeof(good), 5, 2, pin) != OK);
	add(&b, "a.example", LEVEL_ENCRYPT);
	add(&b, ".a.example", LEVEL_VERIFY);
	add(&b, "p.example", LEVEL_PIN);
	add(&b, "seal.example", LEVEL_NTLM_SEAL);
	add(&b, "default", LEVEL_MAY);
	add_inbound(&b, "a.example", 0);
	add_inbound(&b, ".p.example", 1);
	s.ca_pem = SPAN_LIT("pem");
	BUG_ON(policy_build_end(&b, &s, &good_n) != OK);
}

static unsigned sum(struct span s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i];
	return n;
}

/* Touch all that a rule points to. */
static unsigned touch(const struct policy_rule *r)
{
	unsigned n = sum(r->name);

	for (size_t i = 0; i < r->match_n; i++)
		n += sum(r->match[i]);
	for (size_t i = 0; i < r->pin_n; i++)
		n += sum((struct span){ r->pin[i], 32 });
	n += sum(r->logon.account);
	BUG_ON(r->level == LEVEL_NTLM_SEAL && r->logon.mech != AUTH_NTLM);
	return n;
}

static unsigned use_inbound(const struct policy *p, const char *const *names,
			    size_t names_n)
{
	struct inbound_rule r;
	unsigned n = inbound_asks_certificate(p);

	for (uint32_t i = 0; i <= p->inbound_n && i < 10; i++)
		if (inbound_rule_at(p, i, &r) == OK)
			n += sum(r.name) + (unsigned)r.pin_n;
	for (size_t i = 0; i < names_n; i++)
		if (inbound_lookup(p, span_str(names[i]), &r) == OK)
			for (size_t k = 0; k < r.pin_n; k++)
				n += sum((struct span){ r.pin[k], 32 });
	return n;
}

static void use(const struct policy *p)
{
	static const char *const names[] = { "a.example", "x.y.a.example",
					     "p.example", "seal.example",
					     "q",	  "" };
	struct policy_rule r;
	unsigned n = 0;

	for (uint32_t i = 0; i <= p->rules_n && i < 10; i++)
		if (policy_rule_at(p, i, &r) == OK)
			n += touch(&r);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (policy_lookup(p, span_str(names[i]), &r) == OK)
			n += touch(&r);
	n += use_inbound(p, names, sizeof(names) / sizeof(names[0]));
	n += policy_protects(p);
	__asm__ volatile("" : : "r"(n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct policy p;
	uint8_t *copy;

	if (good_n == 0)
		build();
	if (policy_open(&p, (struct span){ data, n }) == OK)
		use(&p);
	copy = malloc(good_n);
	memcpy(copy, good, good_n);
	BUG_ON(policy_open(&p, (struct span){ copy, good_n }) != OK);
	/* length and number of rules are in p or were checked with it; what
	 * lies behind the fixed part is checked when it is used */
	for (size_t i = 0; i + 3 <= n; i += 3)
		copy[HEADER_SIZE +
		     get_le16(data + i) % (good_n - HEADER_SIZE)] = data[i + 2];
	use(&p);
	free(copy);
	return 0;
}
