/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_inbound - "inbound require NAME tls|auth|seal [min-tls 1.2|1.3]
 * [client-cert PIN...] [account A] [min-bits 40|56|128]": what a sender's domain
 * must bring with it.
 */
#include "conf/conf_parse.h"
#include "conf/conf_value.h"

static bool is(const struct conf_parse *p, size_t i, const char *word)
{
	return i < p->words.n &&
	       conf_word_is(&p->words.word[i], span_str(word));
}

static enum conf_inbound_attr attr_at(const struct conf_parse *p, size_t i)
{
	if (i >= p->words.n)
		return CONF_INBOUND_ATTRS;
	return (enum conf_inbound_attr)conf_attr_of(
		&p->words.word[i], conf_inbound_attrs, CONF_INBOUND_ATTRS);
}

static size_t take_pins(struct conf_parse *p, struct inbound_rule *r, size_t i)
{
	for (; i < p->words.n && attr_at(p, i) == CONF_INBOUND_ATTRS; i++) {
		if (r->pin_n == POLICY_PINS_MAX) {
			conf_error_at(p, i, "more than 8 pins");
			return p->words.n;
		}
		if (!conf_pin(p->words.word[i].text, p->pins[r->pin_n])) {
			conf_error_at(p, i, conf_not_a_pin);
			return p->words.n;
		}
		r->pin[r->pin_n] = p->pins[r->pin_n];
		r->pin_n++;
	}
	if (r->pin_n == 0)
		conf_error_at(p, i,
			      "client-cert needs at least one sha256:...");
	return i;
}

static size_t take_min_tls(struct conf_parse *p, struct inbound_rule *r,
			   size_t i)
{
	if (is(p, i, "1.2") || is(p, i, "1.3")) {
		r->min_tls = is(p, i, "1.3") ? 0x0304 : 0x0303;
		return i + 1;
	}
	conf_error_at(p, i, "one of: 1.2 1.3");
	return p->words.n;
}

static size_t take_min_bits(struct conf_parse *p, struct inbound_rule *r,
			    size_t i)
{
	static const char *const word[] = { "40", "56", "128" };
	static const uint16_t bits[] = { 40, 56, 128 };

	if (r->need != INBOUND_SEAL) {
		conf_error_at(p, i - 1, "only seal uses min-bits");
		return p->words.n;
	}
	for (size_t k = 0; k < 3; k++) {
		if (!is(p, i, word[k]))
			continue;
		r->min_bits = bits[k];
		return i + 1;
	}
	conf_error_at(p, i, "one of: 40 56 128");
	return p->words.n;
}

static size_t take_attr(struct conf_parse *p, struct inbound_rule *r,
			enum conf_inbound_attr a, size_t i)
{
	switch (a) {
	case CONF_FROM_TLS: return take_min_tls(p, r, i);
	case CONF_FROM_CERT: return take_pins(p, r, i);
	case CONF_FROM_BITS: return take_min_bits(p, r, i);
	case CONF_FROM_ACCOUNT:
		r->account = conf_account_used(p, CONF_THEIRS, i);
		return i < p->words.n ? i + 1 : i;
	case CONF_INBOUND_ATTRS: break;
	}
	return p->words.n;
}

static void take_attrs(struct conf_parse *p, struct inbound_rule *r, size_t i)
{
	bool have[CONF_INBOUND_ATTRS + 1] = { false };

	while (i < p->words.n) {
		enum conf_inbound_attr a = attr_at(p, i);

		if (a == CONF_INBOUND_ATTRS) {
			conf_attr_unknown(p, i, conf_inbound_attrs,
					  CONF_INBOUND_ATTRS);
			return;
		}
		if (have[a]) {
			conf_error_at(p, i, "twice in one line");
			return;
		}
		have[a] = true;
		i = take_attr(p, r, a, i + 1);
	}
}

static void add(struct conf_parse *p, const struct inbound_rule *r, size_t at)
{
	uint32_t first;
	int e;

	p->inbound_n++;
	p->strings_n += r->name.n + 32 * r->pin_n + r->account.n;
	if (!p->build)
		return;
	e = policy_build_inbound(p->build, r, &first);
	if (e == E_CONF && first != 0) {
		const struct conf_word *w = &p->words.word[at];
		struct text *t = conf_error(p, p->lines.number, w->column,
					    w->text);

		text_str(t, "is already there, in line ");
		text_u64(t, first);
		conf_error_end(p, t);
	} else if (e != OK) {
		p->full = true;
	}
}

void conf_inbound(struct conf_parse *p, size_t at)
{
	struct inbound_rule r = { .line = p->lines.number,
				  .min_bits = LOGON_BITS };
	uint32_t errors = p->errors;
	const char *why;

	if (p->require.line == 0)
		p->require = (struct conf_mark){ p->lines.number,
						 p->words.word[0].column,
						 SPAN_LIT("inbound require") };
	if (at == p->words.n) {
		conf_error_at(p, at, "the domain of a sender must follow");
		return;
	}
	why = conf_name(p->words.word[at].text, p->names, &r.name.n);
	r.name.p = p->names;
	if (why)
		conf_error_at(p, at, why);
	r.need = is(p, at + 1, "tls")	 ? INBOUND_TLS
		 : is(p, at + 1, "auth") ? INBOUND_AUTH
		 : is(p, at + 1, "seal") ? INBOUND_SEAL
					 : INBOUND_NOTHING;
	if (r.need == INBOUND_NOTHING) {
		conf_error_at(p, at + 1, "one of: tls auth seal");
		return;
	}
	if (r.need == INBOUND_TLS)
		r.min_tls = 0x0303;
	else if (p->logon.line == 0)
		p->logon = (struct conf_mark){ p->lines.number,
					       p->words.word[at + 1].column,
					       p->words.word[at + 1].text };
	take_attrs(p, &r, at + 2);
	if (p->errors == errors)
		add(p, &r, at);
}
