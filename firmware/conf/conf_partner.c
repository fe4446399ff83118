/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_partner - "inbound account NAME [nt-domain D] auth MECHANISM... [min-bits
 * 40|56|128] [legacy] [bound] password P": who may log on to the box from outside.
 */
#include "conf/conf_parse.h"

static bool is(const struct conf_parse *p, size_t i, const char *word)
{
	return i < p->words.n &&
	       conf_word_is(&p->words.word[i], span_str(word));
}

static enum conf_partner_attr attr_at(const struct conf_parse *p, size_t i)
{
	if (i >= p->words.n)
		return CONF_PARTNER_ATTRS;
	return (enum conf_partner_attr)conf_attr_of(
		&p->words.word[i], conf_partner_attrs, CONF_PARTNER_ATTRS);
}

static enum auth_mech mech_at(const struct conf_parse *p, size_t i)
{
	enum auth_mech m = AUTH_PLAIN;

	if (is(p, i, "ntlm-seal"))
		return AUTH_NTLM;
	while (m < AUTH_MECHS && !is(p, i, auth_mech_word(m)))
		m++;
	return m;
}

static size_t take_mechs(struct conf_parse *p, size_t i)
{
	struct logon_terms *t = &p->account.terms;

	for (; i < p->words.n && attr_at(p, i) == CONF_PARTNER_ATTRS; i++) {
		enum auth_mech m = mech_at(p, i);

		if (m == AUTH_MECHS || (t->mechs & 1u << m) != 0) {
			conf_error_at(p, i,
				      m == AUTH_MECHS
					      ? "one of: plain login cram-md5 "
						"scram-sha-1 scram-sha-256 "
						"ntlm ntlm-seal"
				      : m == AUTH_NTLM
					      ? "ntlm or ntlm-seal, once"
					      : "twice in one line");
			return p->words.n;
		}
		t->mechs |= 1u << m;
		t->seal = t->seal || is(p, i, "ntlm-seal");
	}
	if (t->mechs == 0)
		conf_error_at(p, i, "auth needs a mechanism");
	return i;
}

static size_t take_bits(struct conf_parse *p, size_t i)
{
	static const char *const word[] = { "40", "56", "128" };
	static const uint16_t bits[] = { 40, 56, 128 };

	for (size_t k = 0; k < 3; k++) {
		if (!is(p, i, word[k]))
			continue;
		p->account.terms.min_bits = bits[k];
		return i + 1;
	}
	conf_error_at(p, i, "one of: 40 56 128");
	return p->words.n;
}

static size_t take_attr(struct conf_parse *p, enum conf_partner_attr a,
			size_t i)
{
	switch (a) {
	case CONF_PARTNER_DOMAIN:
		p->account.nt_domain = conf_account_text(p, i);
		return i + 1;
	case CONF_PARTNER_AUTH: return take_mechs(p, i);
	case CONF_PARTNER_BITS: return take_bits(p, i);
	case CONF_PARTNER_LEGACY: p->account.terms.legacy = true; return i;
	case CONF_PARTNER_BOUND: p->account.terms.bound = true; return i;
	case CONF_PARTNER_PASSWORD: return conf_account_password(p, i);
	case CONF_PARTNER_ATTRS: break;
	}
	return p->words.n;
}

/* Is there a mechanism that cannot be bound? */
static bool unbound(const struct logon_terms *t)
{
	for (enum auth_mech m = AUTH_PLAIN; m < AUTH_MECHS; m++)
		if ((t->mechs & 1u << m) != 0 && !logon_can_bind(m))
			return true;
	return false;
}

/* Contradictions within the line, and what is not there; at: of each, or 0. */
static void check(struct conf_parse *p, const size_t at[CONF_PARTNER_ATTRS])
{
	const struct logon_terms *t = &p->account.terms;

	if (at[CONF_PARTNER_BITS] > 0 && !t->seal)
		conf_error_at(p, at[CONF_PARTNER_BITS],
			      "only ntlm-seal uses min-bits");
	if (t->legacy && (t->mechs & 1u << AUTH_NTLM) == 0)
		conf_error_at(p, at[CONF_PARTNER_LEGACY],
			      "only ntlm and ntlm-seal use legacy");
	if (t->bound && unbound(t))
		conf_error_at(p, at[CONF_PARTNER_BOUND],
			      "plain, login and cram-md5 cannot be bound");
	if (at[CONF_PARTNER_AUTH] == 0)
		conf_error_at(p, p->words.n, "auth must follow");
	else if (at[CONF_PARTNER_PASSWORD] == 0)
		conf_error_at(p, p->words.n, "password must follow");
}

void conf_partner_attributes(struct conf_parse *p, size_t i)
{
	size_t have[CONF_PARTNER_ATTRS + 1] = { 0 };
	uint32_t errors = p->errors;

	p->account.terms.min_bits = LOGON_BITS;
	if (p->require.line == 0)
		p->require = (struct conf_mark){ p->lines.number,
						 p->words.word[0].column,
						 SPAN_LIT("inbound account") };
	while (i < p->words.n) {
		enum conf_partner_attr a = attr_at(p, i);

		if (a == CONF_PARTNER_ATTRS && have[CONF_PARTNER_PASSWORD]) {
			conf_error_at(p, i,
				      "nothing more is expected here; a "
				      "password with blanks stands in quotes");
			return;
		}
		if (a == CONF_PARTNER_ATTRS) {
			conf_attr_unknown(p, i, conf_partner_attrs,
					  CONF_PARTNER_ATTRS);
			return;
		}
		if (have[a]) {
			conf_error_at(p, i, "twice in one line");
			return;
		}
		have[a] = i;
		i = take_attr(p, a, i + 1);
	}
	if (p->errors == errors)
		check(p, have);
}
