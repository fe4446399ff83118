/* SPDX-License-Identifier: BSD-2-Clause */
/* inbound - see inbound.h; the layout is in policy_format.h. */
#include "policy/inbound.h"
#include "policy/policy_format.h"

static int read_rule(const struct policy *p, uint64_t off,
		     struct inbound_rule *r)
{
	struct span s = p->blob;
	const uint8_t *f, *name;

	if (off < policy_heap(s.p) || off >= s.n)
		return E_CORRUPT;
	s = span_skip(s, (size_t)off);
	f = policy_take(&s, IN_FIXED);
	if (!f || f[I_NEED] == INBOUND_NOTHING || f[I_NEED] > INBOUND_SEAL ||
	    f[I_ACCOUNT_N] > LOGON_ACCOUNT_MAX ||
	    f[I_PIN_N] > POLICY_PINS_MAX || f[I_NAME_N] == 0 ||
	    f[I_NAME_N] > POLICY_DOMAIN_MAX + 1)
		return E_CORRUPT;
	name = policy_take(&s, f[I_NAME_N]);
	*r = (struct inbound_rule){
		.name = { name, f[I_NAME_N] },
		.line = get_le32(f + I_LINE),
		.need = (enum inbound_need)f[I_NEED],
		.min_tls = get_le16(f + I_MIN_TLS),
		.min_bits = f[I_MIN_BITS],
		.pin_n = f[I_PIN_N],
	};
	for (size_t i = 0; i < r->pin_n; i++)
		r->pin[i] = policy_take(&s, PIN_SIZE);
	r->account.p = policy_take(&s, f[I_ACCOUNT_N]);
	r->account.n = f[I_ACCOUNT_N];
	return s.p ? OK : E_CORRUPT;
}

/* 1: found, *r is it; 0: not there; or E_CORRUPT. */
static int find(const struct policy *p, struct span name,
		struct inbound_rule *r)
{
	struct policy_probe probe = policy_probe(p->blob.p, TABLE_INBOUND,
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

int inbound_lookup(const struct policy *p, struct span domain,
		   struct inbound_rule *rule)
{
	size_t i = 0;
	int r = 0;

	while (p->inbound_n > 0 && domain.n <= POLICY_DOMAIN_MAX &&
	       i < domain.n && r == 0) {
		r = find(p, span_skip(domain, i), rule);
		for (i++; i < domain.n && domain.p[i] != '.'; i++)
			;
	}
	if (r == 0)
		*rule = (struct inbound_rule){ .need = INBOUND_NOTHING };
	return r < 0 ? r : OK;
}

int inbound_rule_at(const struct policy *p, uint32_t i,
		    struct inbound_rule *rule)
{
	if (i >= p->inbound_n)
		return E_CORRUPT;
	return read_rule(p, policy_order(p->blob.p, TABLE_INBOUND, i), rule);
}

bool inbound_asks_certificate(const struct policy *p)
{
	return (get_le32(p->blob.p + H_FLAGS) & HF_INBOUND_ASKS) != 0;
}

static bool pinned(const struct inbound_rule *rule, const struct channel *ch)
{
	for (size_t i = 0; i < rule->pin_n; i++)
		if (memcmp(rule->pin[i], ch->spki_sha256, 32) == 0)
			return true;
	return rule->pin_n == 0;
}

/* What TLS lacks; NULL: nothing. */
static const char *tls_lacks(const struct inbound_rule *rule,
			     const struct channel *ch, enum tls_result *result)
{
	if (!ch->tls) {
		*result = TLS_STARTTLS_NOT_SUPPORTED;
		return "it came in clear; say STARTTLS first";
	}
	*result = TLS_VALIDATION_FAILURE;
	if (ch->version < 0x0303 || ch->version < rule->min_tls)
		return "its TLS version is too low";
	*result = TLS_CERTIFICATE_NOT_TRUSTED;
	if (rule->pin_n > 0 && !ch->certificate)
		return "no client certificate was shown";
	if (!pinned(rule, ch))
		return "the key of its client certificate is not a pinned one";
	return NULL;
}

static const char *logon_lacks(const struct inbound_rule *rule,
			       const struct channel_logon *l)
{
	if (l->mech == AUTH_NONE)
		return "nobody has logged on; say AUTH first";
	if (rule->account.n > 0 &&
	    !span_eq(span_str(l->account), rule->account))
		return "another account has logged on";
	if (rule->need == INBOUND_SEAL && l->bits == 0)
		return "the session is not sealed";
	if (rule->need == INBOUND_SEAL && l->bits < rule->min_bits)
		return "the key of its seal is too short";
	return NULL;
}

static bool asks_tls(const struct inbound_rule *rule)
{
	return rule->need == INBOUND_TLS || rule->min_tls > 0 ||
	       rule->pin_n > 0;
}

static bool asks_logon(const struct inbound_rule *rule)
{
	return rule->need >= INBOUND_AUTH || rule->account.n > 0;
}

void inbound_say(const struct inbound_rule *rule, struct text *out)
{
	if (asks_tls(rule))
		text_str(out, "inside TLS");
	if (rule->min_tls == 0x0304)
		text_str(out, " 1.3");
	if (rule->pin_n > 0)
		text_str(out, " with a pinned client certificate");
	if (!asks_logon(rule))
		return;
	text_str(out, asks_tls(rule) ? " and " : "");
	text_str(out, rule->account.n > 0 ? "logged on as " : "logged on");
	text_span(out, rule->account);
	if (rule->need != INBOUND_SEAL)
		return;
	text_str(out, ", sealed with ");
	text_u64(out, rule->min_bits);
	text_str(out, " bits");
}

const char *inbound_lacks(const struct inbound_rule *rule,
			  const struct channel *ch, enum tls_result *result)
{
	const char *why = NULL;

	*result = TLS_RESULT_OK;
	if (rule->need == INBOUND_NOTHING)
		return NULL;
	if (asks_tls(rule))
		why = tls_lacks(rule, ch, result);
	if (why)
		return why;
	*result = TLS_LOGON_FAILED;
	if (asks_logon(rule))
		why = logon_lacks(rule, &ch->logon);
	if (!why)
		*result = TLS_RESULT_OK;
	return why;
}
