/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy - see policy.h; the layout is in policy_format.h. What is read here
 * was written by confd, but it comes through memory that others could have
 * touched: nothing is believed before it is compared with the length.
 */
#include "policy/policy.h"
#include "policy/policy_format.h"

const char *level_name(enum level l)
{
	switch (l) {
	case LEVEL_CLEAR: return "clear";
	case LEVEL_MAY: return "may";
	case LEVEL_NTLM_SEAL: return "ntlm-seal";
	case LEVEL_ENCRYPT: return "encrypt";
	case LEVEL_VERIFY: return "verify";
	case LEVEL_PIN: return "pin";
	case LEVELS: break;
	}
	return "?";
}

const char *tls_result_name(enum tls_result r)
{
	switch (r) {
	case TLS_RESULT_OK: return "successful";
	case TLS_STARTTLS_NOT_SUPPORTED: return "starttls-not-supported";
	case TLS_CERTIFICATE_HOST_MISMATCH: return "certificate-host-mismatch";
	case TLS_CERTIFICATE_EXPIRED: return "certificate-expired";
	case TLS_CERTIFICATE_NOT_TRUSTED: return "certificate-not-trusted";
	case TLS_VALIDATION_FAILURE: return "validation-failure";
	case TLS_LOGON_FAILED: return "logon-failed";
	case TLS_RESULTS: break;
	}
	return "?";
}

/* Slots and order of a table take so many octets. */
static uint64_t table_size(const uint8_t *p, enum policy_table t)
{
	bool in = t == TABLE_INBOUND;

	return (uint64_t)get_le32(p + (in ? H_INBOUND_SLOTS : H_SLOTS)) *
		       SLOT_SIZE +
	       (uint64_t)get_le32(p + (in ? H_INBOUND : H_RULES)) * 4;
}

/* At most the length of the snapshot, or the header is wrong. */
uint64_t policy_heap(const uint8_t *p)
{
	return get_le32(p + H_INBOUND_AT) + table_size(p, TABLE_INBOUND);
}

static uint32_t slots_of(const uint8_t *p, enum policy_table t)
{
	return get_le32(p + (t == TABLE_INBOUND ? H_INBOUND_SLOTS : H_SLOTS));
}

static const uint8_t *table_at(const uint8_t *p, enum policy_table t)
{
	return p + (t == TABLE_INBOUND ? get_le32(p + H_INBOUND_AT)
				       : (uint32_t)HEADER_SIZE);
}

static bool power_of_two(uint32_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static bool header_ok(struct span blob)
{
	const uint8_t *p = blob.p;
	uint64_t ca, ca_n;

	if (blob.n < HEADER_SIZE || memcmp(p, POLICY_MAGIC, 8) != 0 ||
	    get_le32(p + H_FORMAT) != POLICY_FORMAT ||
	    get_le32(p + H_HEADER) != HEADER_SIZE ||
	    get_le64(p + H_LENGTH) != blob.n)
		return false;
	ca = get_le32(p + H_CA);
	ca_n = get_le64(p + H_CA_N);
	return power_of_two(slots_of(p, TABLE_OUTBOUND)) &&
	       power_of_two(slots_of(p, TABLE_INBOUND)) &&
	       HEADER_SIZE + table_size(p, TABLE_OUTBOUND) <=
		       get_le32(p + H_INBOUND_AT) &&
	       policy_heap(p) <= blob.n && ca <= blob.n &&
	       ca_n <= blob.n - ca && get_le64(p + H_CA_BUILTIN_N) <= ca_n &&
	       get_le32(p + H_PORTS_N) <= POLICY_PORTS_MAX &&
	       p[H_NAME_N] <= BOX_NAME &&
	       get_le16(p + H_BANNER_N) <= BOX_BANNER &&
	       (get_le32(p + H_FLAGS) & ~(uint32_t)HF_ALL) == 0;
}

static void get_endpoint(const uint8_t *p, struct endpoint *e)
{
	memcpy(e->ip, p, 16);
	e->port = get_le16(p + 16);
}

/* The texts were zeroed by the caller. */
static void read_box(const uint8_t *p, struct box *b)
{
	b->idle_s = get_le32(p + H_IDLE);
	b->carry = (get_le32(p + H_FLAGS) & HF_CARRY) != 0;
	get_endpoint(p + H_MANAGEMENT, &b->management);
	b->vlan = get_le32(p + H_VLAN);
	get_endpoint(p + H_GATEWAY, &b->gateway);
	get_endpoint(p + H_SYSLOG, &b->syslog);
	for (size_t i = 0; i < BOX_NTP; i++)
		get_endpoint(p + H_NTP + 18 * i, &b->ntp[i]);
	memcpy(b->name, p + H_NAME, p[H_NAME_N]);
	memcpy(b->banner, p + H_BANNER, get_le16(p + H_BANNER_N));
}

static void read_settings(const uint8_t *p, struct settings *s)
{
	uint32_t flags = get_le32(p + H_FLAGS);

	*s = (struct settings){
		.number = get_le64(p + H_NUMBER),
		.intercept_n = get_le32(p + H_PORTS_N),
		.sessions_max = get_le32(p + H_SESSIONS),
		.sessions_per_source = get_le32(p + H_SESSIONS_SOURCE),
		.half_open_max = get_le32(p + H_HALF_OPEN),
		.half_open_per_source = get_le32(p + H_HALF_OPEN_SOURCE),
		.fallback_s = get_le32(p + H_FALLBACK),
		.inbound_mechs = get_le32(p + H_MECHS),
		.clock_floor_s = get_le64(p + H_FLOOR),
		.clock_floor_set_s = get_le64(p + H_FLOOR_SET),
		.clock_unset = (flags & HF_CLOCK_UNSET) != 0,
		.bare_eol_pass = (flags & HF_BARE_EOL_PASS) != 0,
		.log_addresses = (flags & HF_LOG_ADDRESSES) != 0,
		.inbound = (flags & HF_INBOUND) != 0,
		.inbound_pass = (flags & HF_INBOUND_PASS) != 0,
		.inbound_port = get_le32(p + H_INBOUND_PORT),
		.peers = (flags & HF_PEERS) != 0,
		.ca_builtin = (flags & HF_CA_BUILTIN) != 0,
		.ca_builtin_n = (size_t)get_le64(p + H_CA_BUILTIN_N),
		.ca_pem = { p + get_le32(p + H_CA),
			    (size_t)get_le64(p + H_CA_N) },
	};
	for (size_t i = 0; i < s->intercept_n; i++)
		s->intercept[i] = get_le16(p + H_PORTS + 2 * i);
	get_endpoint(p + H_RESOLVER, &s->resolver);
	get_endpoint(p + H_INBOUND_ADDRESS, &s->inbound_address);
	get_endpoint(p + H_INBOUND_SERVER, &s->inbound_server);
	read_box(p, &s->box);
}

int policy_open(struct policy *p, struct span blob)
{
	if (!header_ok(blob) ||
	    policy_hash(blob.p, span_skip(blob, SUM_FROM)) !=
		    get_le64(blob.p + H_SUM))
		return E_CORRUPT;
	p->blob = blob;
	p->rules_n = get_le32(blob.p + H_RULES);
	p->inbound_n = get_le32(blob.p + H_INBOUND);
	read_settings(blob.p, &p->settings);
	return OK;
}

const uint8_t *policy_take(struct span *s, size_t n)
{
	const uint8_t *p = s->p;

	if (!p || n > s->n) {
		s->p = NULL;
		return NULL;
	}
	*s = span_skip(*s, n);
	return p;
}

static void take_lists(struct span *s, unsigned flags, struct policy_rule *r)
{
	for (size_t i = 0; i < r->match_n; i++) {
		const uint8_t *n = policy_take(s, 1);
		const uint8_t *name = n ? policy_take(s, *n) : NULL;

		if (!name || *n == 0)
			s->p = NULL;
		else
			r->match[i] = (struct span){ name, *n };
	}
	for (size_t i = 0; i < r->pin_n; i++)
		r->pin[i] = policy_take(s, PIN_SIZE);
	if (!s->p || (flags & RULE_MATCH_SELF) == 0)
		return;
	/* name - 1 is the dot that is stored in front of it */
	r->match_n = 2;
	r->match[0] = r->name;
	r->match[1] = (struct span){ r->name.p - 1, r->name.n + 1 };
	if (r->name.p[0] == '.') {
		r->match[0] = span_skip(r->name, 1);
		r->match[1] = r->name;
	}
}

static void take_route(struct span *s, unsigned flags, struct policy_rule *r)
{
	const uint8_t *p;

	r->has_route = (flags & (RULE_ROUTE | RULE_ROUTE_NAME)) != 0;
	if (flags & RULE_ROUTE) {
		p = policy_take(s, ROUTE_SIZE);
		for (size_t i = 0; p && i < 2; i++)
			get_endpoint(p + i * ROUTE_SIZE / 2, &r->route[i]);
	}
	if (flags & RULE_ROUTE_NAME) {
		p = policy_take(s, ROUTE_NAME_FIXED);
		if (!p || p[2] == 0)
			s->p = NULL;
		else
			r->route_port = get_le16(p);
		r->route_name.n = p ? p[2] : 0;
		r->route_name.p = policy_take(s, r->route_name.n);
	}
}

static void take_logon(struct span *s, struct logon *l)
{
	const uint8_t *f = policy_take(s, LOGON_FIXED);
	const uint8_t *name = f ? policy_take(s, f[L_ACCOUNT_N]) : NULL;

	if (!name || f[L_MECH] == AUTH_NONE || f[L_MECH] >= AUTH_MECHS ||
	    f[L_ACCOUNT_N] == 0 || f[L_ACCOUNT_N] > LOGON_ACCOUNT_MAX) {
		s->p = NULL;
		return;
	}
	*l = (struct logon){
		.mech = (enum auth_mech)f[L_MECH],
		.account = { name, f[L_ACCOUNT_N] },
		.min_bits = f[L_MIN_BITS],
		.legacy = (f[L_FLAGS] & LF_LEGACY) != 0,
		.framing = { .little_endian = (f[L_FLAGS] & LF_LE) != 0,
			     .signature_last = (f[L_FLAGS] & LF_LAST) != 0 },
	};
}

static int read_rule(const struct policy *p, uint64_t off,
		     struct policy_rule *r)
{
	struct span s = p->blob;
	const uint8_t *f, *name;
	unsigned flags;

	if (off < policy_heap(s.p) || off >= s.n)
		return E_CORRUPT;
	s = span_skip(s, (size_t)off);
	f = policy_take(&s, RULE_FIXED);
	if (!f || f[R_LEVEL] >= LEVELS || f[R_ON_FAIL] > ON_FAIL_DEFER ||
	    f[R_MATCH_N] > POLICY_MATCH_MAX || f[R_PIN_N] > POLICY_PINS_MAX ||
	    f[R_NAME_N] == 0 || f[R_NAME_N] > POLICY_DOMAIN_MAX + 1)
		return E_CORRUPT;
	flags = f[R_FLAGS];
	*r = (struct policy_rule){
		.clock_unset = p->settings.clock_unset,
		.line = get_le32(f + R_LINE),
		.level = (enum level)f[R_LEVEL],
		.on_fail = (enum on_fail)f[R_ON_FAIL],
		.min_tls = get_le16(f + R_MIN_TLS),
		.match_n = f[R_MATCH_N],
		.pin_n = f[R_PIN_N],
		.learn = (flags & RULE_LEARN) != 0,
	};
	take_route(&s, flags, r);
	name = policy_take(&s, f[R_NAME_N] + 1u);
	if (!name)
		return E_CORRUPT;
	r->name = (struct span){ name + 1, f[R_NAME_N] };
	take_lists(&s, flags, r);
	if (flags & RULE_LOGON)
		take_logon(&s, &r->logon);
	/* Nobody may read over a log-on that is asked for. */
	if (r->level == LEVEL_NTLM_SEAL && r->logon.mech != AUTH_NTLM)
		return E_CORRUPT;
	return s.p ? OK : E_CORRUPT;
}

struct policy_probe policy_probe(const uint8_t *p, enum policy_table t,
				 struct span name)
{
	uint64_t h = policy_hash(p, name);
	uint32_t slots = slots_of(p, t);

	return (struct policy_probe){ .slots = table_at(p, t),
				      .mask = slots - 1,
				      .at = (uint32_t)h,
				      .tag = (uint32_t)(h >> 32),
				      .left = slots };
}

uint32_t policy_probe_next(struct policy_probe *p)
{
	while (p->left > 0) {
		const uint8_t *slot = p->slots +
				      (size_t)(p->at & p->mask) * SLOT_SIZE;
		uint32_t off = get_le32(slot + 4);

		if (off == 0)
			return 0;
		p->at++;
		p->left--;
		if (get_le32(slot) == p->tag)
			return off;
	}
	return 0;
}

uint32_t policy_order(const uint8_t *p, enum policy_table t, uint32_t i)
{
	const uint8_t *order = table_at(p, t) +
			       (size_t)slots_of(p, t) * SLOT_SIZE;

	return get_le32(order + (size_t)i * 4);
}

/* 1: found, *r is it; 0: not there; or E_CORRUPT. */
static int find(const struct policy *p, struct span name, struct policy_rule *r)
{
	struct policy_probe probe = policy_probe(p->blob.p, TABLE_OUTBOUND,
						 name);
	uint32_t off;

	while ((off = policy_probe_next(&probe)) != 0) {
		if (read_rule(p, off, r) != OK)
			return E_CORRUPT;
		if (span_eq(r->name, name))
			return 1;
	}
	return probe.left > 0 ? 0 : E_CORRUPT;
}

int policy_lookup(const struct policy *p, struct span domain,
		  struct policy_rule *rule)
{
	size_t i = 0;
	int r;

	if (domain.n > 0 && domain.n <= POLICY_DOMAIN_MAX && p->rules_n > 0) {
		while (i < domain.n) {
			r = find(p, span_skip(domain, i), rule);
			if (r != 0)
				return r < 0 ? r : OK;
			for (i++; i < domain.n && domain.p[i] != '.'; i++)
				;
		}
	}
	return read_rule(p, get_le32(p->blob.p + H_DEFAULT), rule);
}

int policy_rule_at(const struct policy *p, uint32_t i, struct policy_rule *rule)
{
	if (i > p->rules_n)
		return E_CORRUPT;
	if (i == p->rules_n)
		return read_rule(p, get_le32(p->blob.p + H_DEFAULT), rule);
	return read_rule(p, policy_order(p->blob.p, TABLE_OUTBOUND, i), rule);
}

bool policy_protects(const struct policy *p)
{
	return (get_le32(p->blob.p + H_FLAGS) & HF_PROTECTS) != 0;
}
