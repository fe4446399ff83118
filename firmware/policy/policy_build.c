/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_build - see policy_build.h; the layout is in policy_format.h. Room for
 * the slots and the order is set aside at the beginning, the heap grows behind
 * it, and nothing is ever moved.
 */
#include "policy/policy_build.h"
#include "policy/policy_format.h"

/* More than half of the slots stay empty, so that a miss is short. */
static uint32_t slots_for(uint32_t rules_n)
{
	uint32_t n = 4;

	while (n < 1u << 30 && n / 2 <= rules_n)
		n *= 2;
	return n;
}

static uint64_t table_size(uint32_t n)
{
	return (uint64_t)slots_for(n) * SLOT_SIZE + (uint64_t)n * 4;
}

size_t policy_build_size(uint32_t rules_n, uint32_t inbound_n, size_t strings_n)
{
	/* per rule: its fixed part, a route, the dot, an octet per match, a
	 * log-on; and one more rule for a default that nobody named */
	const uint64_t each = RULE_FIXED + ROUTE_SIZE + 1 + POLICY_MATCH_MAX +
			      LOGON_FIXED;
	uint64_t n = HEADER_SIZE + table_size(rules_n) + table_size(inbound_n) +
		     each * ((uint64_t)rules_n + 1) +
		     (uint64_t)IN_FIXED * inbound_n + 16;

	if (rules_n > 1u << 29 || inbound_n > 1u << 29 ||
	    strings_n > UINT32_MAX || n + strings_n > UINT32_MAX)
		return SIZE_MAX;
	return (size_t)n + strings_n;
}

int policy_build_begin(struct policy_build *b, uint8_t *mem, size_t size,
		       uint32_t rules_n, uint32_t inbound_n,
		       const uint8_t hash_key[16])
{
	uint64_t second = HEADER_SIZE + table_size(rules_n);
	uint64_t heap = second + table_size(inbound_n);

	if (size > UINT32_MAX)
		size = UINT32_MAX;
	if (rules_n > 1u << 29 || inbound_n > 1u << 29 || heap > size)
		return E_FULL;
	*b = (struct policy_build){ .p = mem, .size = size };
	b->table[TABLE_OUTBOUND] = (struct policy_build_table){
		HEADER_SIZE, slots_for(rules_n), rules_n, 0
	};
	b->table[TABLE_INBOUND] = (struct policy_build_table){
		(size_t)second, slots_for(inbound_n), inbound_n, 0
	};
	b->heap = (size_t)heap;
	memset(mem, 0, b->heap);
	memcpy(mem + H_KEY, hash_key, 16);
	return OK;
}

static bool logon_can_be(const struct policy_rule *r, bool is_default)
{
	const struct logon *l = &r->logon;
	bool shown = l->mech == AUTH_PLAIN || l->mech == AUTH_LOGIN;

	if (l->mech == AUTH_NONE)
		return r->level != LEVEL_NTLM_SEAL;
	/* An account is for a partner, not for the world; a password for a
	 * server that has proved who it is. */
	return l->mech < AUTH_MECHS && !is_default && l->account.n > 0 &&
	       l->account.n <= LOGON_ACCOUNT_MAX &&
	       (l->min_bits == 40 || l->min_bits == 56 ||
		l->min_bits == LOGON_BITS) &&
	       r->level >= (shown ? LEVEL_VERIFY : LEVEL_NTLM_SEAL) &&
	       (r->level != LEVEL_NTLM_SEAL || l->mech == AUTH_NTLM);
}

/* With TLS that is not the rule's own, and keys that it does not name. */
static bool learn_can_be(const struct policy_rule *r)
{
	return !r->learn || r->level == LEVEL_MAY ||
	       r->level == LEVEL_ENCRYPT || r->level == LEVEL_VERIFY;
}

static bool can_be(const struct policy_rule *r, bool is_default)
{
	if (r->name.n == 0 || r->name.n > POLICY_DOMAIN_MAX + 1 ||
	    r->match_n > POLICY_MATCH_MAX || r->pin_n > POLICY_PINS_MAX ||
	    r->level >= LEVELS || r->on_fail > ON_FAIL_DEFER ||
	    !logon_can_be(r, is_default) || !learn_can_be(r))
		return false;
	for (size_t i = 0; i < r->match_n; i++)
		if (r->match[i].n == 0 || r->match[i].n > POLICY_DOMAIN_MAX + 1)
			return false;
	if (r->level == LEVEL_VERIFY && is_default && r->match_n == 0)
		return false;
	if (r->route_name.n > 0 &&
	    (r->level < LEVEL_VERIFY || r->route_port == 0 || !r->has_route ||
	     r->route_name.n > POLICY_DOMAIN_MAX))
		return false;
	return r->level != LEVEL_PIN || r->pin_n > 0;
}

static size_t route_size(const struct policy_rule *r)
{
	if (r->route_name.n > 0)
		return ROUTE_NAME_FIXED + r->route_name.n;
	return r->has_route ? ROUTE_SIZE : 0;
}

static size_t rule_size(const struct policy_rule *r)
{
	size_t n = RULE_FIXED + 1 + r->name.n + PIN_SIZE * r->pin_n +
		   route_size(r);

	for (size_t i = 0; i < r->match_n; i++)
		n += 1 + r->match[i].n;
	if (r->logon.mech != AUTH_NONE)
		n += LOGON_FIXED + r->logon.account.n;
	return n;
}

static void write_logon(uint8_t *p, const struct logon *l)
{
	p[L_MECH] = (uint8_t)l->mech;
	p[L_MIN_BITS] = (uint8_t)l->min_bits;
	p[L_FLAGS] = (uint8_t)((l->legacy ? LF_LEGACY : 0) |
			       (l->framing.little_endian ? LF_LE : 0) |
			       (l->framing.signature_last ? LF_LAST : 0));
	p[L_ACCOUNT_N] = (uint8_t)l->account.n;
	memcpy(p + LOGON_FIXED, l->account.p, l->account.n);
}

static void put_endpoint(uint8_t *p, const struct endpoint *e)
{
	memcpy(p, e->ip, 16);
	put_le16(p + 16, e->port);
}

static void write_route(uint8_t *p, const struct policy_rule *r)
{
	if (r->route_name.n > 0) {
		put_le16(p, r->route_port);
		p[2] = (uint8_t)r->route_name.n;
		memcpy(p + ROUTE_NAME_FIXED, r->route_name.p, r->route_name.n);
	} else if (r->has_route) {
		put_endpoint(p, &r->route[0]);
		put_endpoint(p + ROUTE_SIZE / 2, &r->route[1]);
	}
}

static void write_rule(uint8_t *p, const struct policy_rule *r)
{
	bool self = r->level == LEVEL_VERIFY && r->match_n == 0;
	bool by_name = r->route_name.n > 0;

	put_le32(p + R_LINE, r->line);
	p[R_LEVEL] = (uint8_t)r->level;
	p[R_ON_FAIL] = (uint8_t)r->on_fail;
	p[R_FLAGS] = (uint8_t)((by_name	       ? RULE_ROUTE_NAME
				: r->has_route ? RULE_ROUTE
					       : 0) |
			       (self ? RULE_MATCH_SELF : 0) |
			       (r->learn ? RULE_LEARN : 0) |
			       (r->logon.mech != AUTH_NONE ? RULE_LOGON : 0));
	p[R_MATCH_N] = (uint8_t)r->match_n;
	p[R_PIN_N] = (uint8_t)r->pin_n;
	p[R_NAME_N] = (uint8_t)r->name.n;
	put_le16(p + R_MIN_TLS, r->min_tls);
	p += RULE_FIXED;
	write_route(p, r);
	p += route_size(r);
	*p++ = '.';
	memcpy(p, r->name.p, r->name.n);
	p += r->name.n;
	for (size_t i = 0; i < r->match_n; i++) {
		*p++ = (uint8_t)r->match[i].n;
		memcpy(p, r->match[i].p, r->match[i].n);
		p += r->match[i].n;
	}
	for (size_t i = 0; i < r->pin_n; i++, p += PIN_SIZE)
		memcpy(p, r->pin[i], PIN_SIZE);
	if (r->logon.mech != AUTH_NONE)
		write_logon(p, &r->logon);
}

/* The name of the rule at r. */
static struct span name_of(enum policy_table t, const uint8_t *r)
{
	size_t at = RULE_FIXED + 1;

	if (t == TABLE_INBOUND)
		return (struct span){ r + IN_FIXED, r[I_NAME_N] };
	if (r[R_FLAGS] & RULE_ROUTE)
		at += ROUTE_SIZE;
	if (r[R_FLAGS] & RULE_ROUTE_NAME)
		at += ROUTE_NAME_FIXED + (size_t)r[RULE_FIXED + 2];
	return (struct span){ r + at, r[R_NAME_N] };
}

/* The slot of name: where it is, or the empty one where it belongs. */
static uint8_t *find_slot(const struct policy_build *b, enum policy_table t,
			  struct span name, uint32_t *tag)
{
	const struct policy_build_table *in = &b->table[t];
	uint64_t h = policy_hash(b->p, name);
	uint32_t i = (uint32_t)h & (in->slots - 1);

	*tag = (uint32_t)(h >> 32);
	for (;; i = (i + 1) & (in->slots - 1)) {
		uint8_t *slot = b->p + in->at + (size_t)i * SLOT_SIZE;
		uint32_t off = get_le32(slot + 4);

		if (off == 0 || (get_le32(slot) == *tag &&
				 span_eq(name_of(t, b->p + off), name)))
			return slot;
	}
}

/* Room for a rule of n octets that goes into a table (not the default). */
static bool room_for(const struct policy_build *b, enum policy_table t,
		     size_t n)
{
	return b->ca == 0 && n <= b->size - b->heap &&
	       b->table[t].n < b->table[t].most;
}

/* What has just been written at the heap is a rule of n octets: into its slot
 * and the order. */
static void enter(struct policy_build *b, enum policy_table t, uint8_t *slot,
		  uint32_t tag, size_t n)
{
	struct policy_build_table *in = &b->table[t];
	uint8_t *order = b->p + in->at + (size_t)in->slots * SLOT_SIZE;

	put_le32(slot, tag);
	put_le32(slot + 4, (uint32_t)b->heap);
	put_le32(order + (size_t)in->n++ * 4, (uint32_t)b->heap);
	b->heap += n;
}

static int build_default(struct policy_build *b, const struct policy_rule *rule,
			 uint32_t *first_line)
{
	size_t n = rule_size(rule);

	if (b->dflt != 0) {
		*first_line = get_le32(b->p + b->dflt + R_LINE);
		return E_CONF;
	}
	if (b->ca != 0 || n > b->size - b->heap)
		return E_FULL;
	write_rule(b->p + b->heap, rule);
	b->dflt = (uint32_t)b->heap;
	b->heap += n;
	return OK;
}

static int build_domain(struct policy_build *b, const struct policy_rule *rule,
			uint32_t *first_line)
{
	uint32_t tag, there;
	uint8_t *slot = find_slot(b, TABLE_OUTBOUND, rule->name, &tag);
	size_t n = rule_size(rule);

	there = get_le32(slot + 4);
	if (there != 0) {
		*first_line = get_le32(b->p + there + R_LINE);
		return E_CONF;
	}
	if (!room_for(b, TABLE_OUTBOUND, n))
		return E_FULL;
	write_rule(b->p + b->heap, rule);
	enter(b, TABLE_OUTBOUND, slot, tag, n);
	return OK;
}

int policy_build_rule(struct policy_build *b, const struct policy_rule *rule,
		      uint32_t *first_line)
{
	bool is_default = span_eq(rule->name, SPAN_LIT("default"));
	int r;

	*first_line = 0;
	if (!can_be(rule, is_default))
		return E_CONF;
	r = is_default ? build_default(b, rule, first_line)
		       : build_domain(b, rule, first_line);
	if (r == OK && rule->level > LEVEL_MAY)
		b->flags |= HF_PROTECTS;
	return r;
}

static void write_inbound(uint8_t *p, const struct inbound_rule *r)
{
	put_le32(p + I_LINE, r->line);
	p[I_NEED] = (uint8_t)r->need;
	p[I_PIN_N] = (uint8_t)r->pin_n;
	p[I_NAME_N] = (uint8_t)r->name.n;
	p[I_ACCOUNT_N] = (uint8_t)r->account.n;
	put_le16(p + I_MIN_TLS, r->min_tls);
	p[I_MIN_BITS] = (uint8_t)r->min_bits;
	p += IN_FIXED;
	memcpy(p, r->name.p, r->name.n);
	p += r->name.n;
	for (size_t i = 0; i < r->pin_n; i++, p += PIN_SIZE)
		memcpy(p, r->pin[i], PIN_SIZE);
	if (r->account.n > 0)
		memcpy(p, r->account.p, r->account.n);
}

int policy_build_inbound(struct policy_build *b,
			 const struct inbound_rule *rule, uint32_t *first_line)
{
	size_t n = IN_FIXED + rule->name.n + PIN_SIZE * rule->pin_n +
		   rule->account.n;
	uint32_t tag, there;
	uint8_t *slot;

	*first_line = 0;
	if (rule->need == INBOUND_NOTHING || rule->need > INBOUND_SEAL ||
	    rule->account.n > LOGON_ACCOUNT_MAX || rule->min_bits > 128 ||
	    rule->name.n == 0 || rule->name.n > POLICY_DOMAIN_MAX + 1 ||
	    rule->pin_n > POLICY_PINS_MAX)
		return E_CONF;
	slot = find_slot(b, TABLE_INBOUND, rule->name, &tag);
	there = get_le32(slot + 4);
	if (there != 0) {
		*first_line = get_le32(b->p + there + I_LINE);
		return E_CONF;
	}
	if (!room_for(b, TABLE_INBOUND, n))
		return E_FULL;
	write_inbound(b->p + b->heap, rule);
	enter(b, TABLE_INBOUND, slot, tag, n);
	if (rule->pin_n > 0)
		b->flags |= HF_INBOUND_ASKS;
	return OK;
}

static int add_may(struct policy_build *b)
{
	static const struct policy_rule may = {
		.name = { (const uint8_t *)"default", 7 },
		.level = LEVEL_MAY,
		.min_tls = 0x0303,
	};
	uint32_t line;

	return policy_build_rule(b, &may, &line);
}

int policy_build_ca(struct policy_build *b, struct span pem)
{
	int r = b->dflt == 0 ? add_may(b) : OK;

	if (r != OK)
		return r;
	if (pem.n > b->size - b->heap)
		return E_FULL;
	if (b->ca == 0)
		b->ca = b->heap;
	if (pem.n > 0)
		memcpy(b->p + b->heap, pem.p, pem.n);
	b->heap += pem.n;
	return OK;
}

static void write_box(uint8_t *p, const struct box *b)
{
	size_t name_n = strnlen(b->name, BOX_NAME);
	size_t banner_n = strnlen(b->banner, BOX_BANNER);

	put_le32(p + H_IDLE, b->idle_s);
	put_endpoint(p + H_MANAGEMENT, &b->management);
	put_le32(p + H_VLAN, b->vlan);
	put_endpoint(p + H_GATEWAY, &b->gateway);
	put_endpoint(p + H_SYSLOG, &b->syslog);
	for (size_t i = 0; i < BOX_NTP; i++)
		put_endpoint(p + H_NTP + 18 * i, &b->ntp[i]);
	p[H_NAME_N] = (uint8_t)name_n;
	memcpy(p + H_NAME, b->name, name_n);
	put_le16(p + H_BANNER_N, (uint16_t)banner_n);
	memcpy(p + H_BANNER, b->banner, banner_n);
}

static void write_settings(const struct policy_build *b,
			   const struct settings *s)
{
	uint8_t *p = b->p;
	uint32_t flags = b->flags;

	flags |= s->bare_eol_pass ? HF_BARE_EOL_PASS : 0u;
	flags |= s->log_addresses ? HF_LOG_ADDRESSES : 0u;
	flags |= s->inbound ? HF_INBOUND : 0u;
	flags |= s->inbound_pass ? HF_INBOUND_PASS : 0u;
	flags |= s->peers ? HF_PEERS : 0u;
	flags |= s->ca_builtin ? HF_CA_BUILTIN : 0u;
	flags |= s->clock_unset ? HF_CLOCK_UNSET : 0u;
	flags |= s->box.carry ? HF_CARRY : 0u;
	put_le32(p + H_FLAGS, flags);
	put_le64(p + H_NUMBER, s->number);
	put_le64(p + H_FLOOR, s->clock_floor_s);
	put_le64(p + H_FLOOR_SET, s->clock_floor_set_s);
	put_le64(p + H_CA_BUILTIN_N, s->ca_builtin_n);
	put_le32(p + H_SESSIONS, s->sessions_max);
	put_le32(p + H_SESSIONS_SOURCE, s->sessions_per_source);
	put_le32(p + H_HALF_OPEN, s->half_open_max);
	put_le32(p + H_HALF_OPEN_SOURCE, s->half_open_per_source);
	put_le32(p + H_FALLBACK, s->fallback_s);
	put_le32(p + H_MECHS, s->inbound_mechs);
	put_le32(p + H_INBOUND_PORT, s->inbound_port);
	put_le32(p + H_PORTS_N, (uint32_t)s->intercept_n);
	put_endpoint(p + H_RESOLVER, &s->resolver);
	put_endpoint(p + H_INBOUND_ADDRESS, &s->inbound_address);
	put_endpoint(p + H_INBOUND_SERVER, &s->inbound_server);
	write_box(p, &s->box);
	for (size_t i = 0; i < s->intercept_n; i++)
		put_le16(p + H_PORTS + 2 * i, s->intercept[i]);
}

int policy_build_end(struct policy_build *b, const struct settings *s,
		     size_t *len)
{
	int r;

	if (s->intercept_n > POLICY_PORTS_MAX)
		return E_CONF;
	r = policy_build_ca(b, s->ca_pem);
	if (r != OK)
		return r;
	memcpy(b->p + H_MAGIC, POLICY_MAGIC, 8);
	put_le32(b->p + H_FORMAT, POLICY_FORMAT);
	put_le32(b->p + H_HEADER, HEADER_SIZE);
	put_le64(b->p + H_LENGTH, b->heap);
	put_le32(b->p + H_RULES, b->table[TABLE_OUTBOUND].n);
	put_le32(b->p + H_SLOTS, b->table[TABLE_OUTBOUND].slots);
	put_le32(b->p + H_INBOUND, b->table[TABLE_INBOUND].n);
	put_le32(b->p + H_INBOUND_SLOTS, b->table[TABLE_INBOUND].slots);
	put_le32(b->p + H_INBOUND_AT, (uint32_t)b->table[TABLE_INBOUND].at);
	put_le32(b->p + H_DEFAULT, b->dflt);
	put_le32(b->p + H_CA, (uint32_t)b->ca);
	put_le64(b->p + H_CA_N, b->heap - b->ca);
	write_settings(b, s);
	put_le64(b->p + H_SUM,
		 policy_hash(b->p, (struct span){ b->p + SUM_FROM,
						  b->heap - SUM_FROM }));
	*len = b->heap;
	return OK;
}

int policy_build_settings(uint8_t *mem, const struct settings *s, size_t *len)
{
	static const uint8_t no_names[16];
	struct policy_build b;
	struct settings alone = *s;
	int r = policy_build_begin(&b, mem, POLICY_BUILD_SETTINGS_MAX, 0, 0,
				   no_names);

	alone.ca_pem = (struct span){ NULL, 0 };
	alone.ca_builtin_n = 0;
	return r == OK ? policy_build_end(&b, &alone, len) : r;
}
