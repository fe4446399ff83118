/* SPDX-License-Identifier: BSD-2-Clause */
/* conf_print - see conf.h: a snapshot as the commands that make it. */
#include "conf/conf.h"
#include "conf/conf_schema.h"
#include "conf/conf_value.h"

/* A name that a reader could take for a keyword is quoted. */
static void name(struct text *out, struct span s)
{
	bool plain = memchr(s.p, '.', s.n) != NULL;

	text_str(out, plain ? " " : " \"");
	text_span(out, s);
	text_str(out, plain ? "" : "\"");
}

/* The names that verify takes when none is written. */
static bool match_is_default(const struct policy_rule *r)
{
	struct span bare = r->name;

	if (bare.n > 0 && bare.p[0] == '.')
		bare = span_skip(bare, 1);
	return r->match_n == 2 && span_eq(r->match[0], bare) &&
	       r->match[1].n == bare.n + 1 && r->match[1].p[0] == '.' &&
	       span_eq(span_skip(r->match[1], 1), bare);
}

static void endpoint(struct text *out, const struct endpoint *e)
{
	bool v4 = ip_is_v4(e->ip);

	text_str(out, v4 ? "" : "[");
	text_ip(out, e->ip);
	text_str(out, v4 ? ":" : "]:");
	text_u64(out, e->port);
}

/* At ntlm-seal the mechanism says itself. */
static void logon(struct text *out, const struct policy_rule *r)
{
	const struct logon *l = &r->logon;

	if (l->mech == AUTH_NONE)
		return;
	if (r->level != LEVEL_NTLM_SEAL) {
		text_str(out, " auth ");
		text_str(out, auth_mech_word(l->mech));
	}
	text_str(out, " account ");
	text_span(out, l->account);
	if (l->min_bits != LOGON_BITS) {
		text_str(out, " min-bits ");
		text_u64(out, l->min_bits);
	}
	text_str(out, l->legacy ? " legacy" : "");
	text_str(out, l->framing.little_endian ? " framing le32" : "");
	text_str(out, l->framing.signature_last ? " signature last" : "");
}

void conf_print_rule(const struct policy_rule *r, struct text *out)
{
	bool is_default = span_eq(r->name, SPAN_LIT("default"));

	text_str(out, is_default ? "default" : "domain");
	if (!is_default)
		name(out, r->name);
	text_str(out, " ");
	text_str(out, level_name(r->level));
	for (size_t i = 0; i < r->pin_n; i++) {
		text_str(out, " sha256:");
		text_hex(out, (struct span){ r->pin[i], 32 });
	}
	if (r->match_n > 0 && (is_default || !match_is_default(r))) {
		text_str(out, " match");
		for (size_t i = 0; i < r->match_n; i++)
			name(out, r->match[i]);
	}
	if (r->min_tls == 0x0304)
		text_str(out, " min-tls 1.3");
	logon(out, r);
	text_str(out, r->learn ? " learn" : "");
	if (r->on_fail != ON_FAIL_AUTO)
		text_str(out, r->on_fail == ON_FAIL_REJECT ? " on-fail reject"
							   : " on-fail defer");
	text_str(out, r->has_route ? " route" : "");
	if (r->route_name.n > 0) {
		text_str(out, " ");
		text_span(out, r->route_name);
		text_str(out, ":");
		text_u64(out, r->route_port);
	}
	for (size_t i = 0; r->has_route && i < 2; i++) {
		if (r->route[i].port == 0)
			continue;
		text_str(out, " ");
		endpoint(out, &r->route[i]);
	}
}

static void quoted(struct text *out, struct span s)
{
	text_str(out, "\"");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			text_str(out, "\\");
		text_span(out, (struct span){ s.p + i, 1 });
	}
	text_str(out, "\"");
}

/* A word that can hold anything. */
static void word(struct text *out, struct span s)
{
	bool plain = s.n > 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = ascii_lower(s.p[i]);

		plain = plain &&
			((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			 c == '.' || c == '_' || c == '-' || c == '@');
	}
	text_str(out, " ");
	if (plain)
		text_span(out, s);
	else
		quoted(out, s);
}

/* What an account of a partner has in place of a user. */
static void terms(const struct logon_terms *t, struct text *out)
{
	text_str(out, " auth");
	for (enum auth_mech m = AUTH_PLAIN; m < AUTH_MECHS; m++) {
		if ((t->mechs & 1u << m) == 0)
			continue;
		text_str(out, " ");
		text_str(out, auth_mech_word(m));
		text_str(out, m == AUTH_NTLM && t->seal ? "-seal" : "");
	}
	if (t->min_bits != LOGON_BITS) {
		text_str(out, " min-bits ");
		text_u64(out, t->min_bits);
	}
	text_str(out, t->legacy ? " legacy" : "");
	text_str(out, t->bound ? " bound" : "");
}

void conf_print_account(const struct secret_account *a, struct text *out)
{
	text_str(out, a->partner ? "inbound account " : "account ");
	text_span(out, a->name);
	if (a->nt_domain.n > 0) {
		text_str(out, " nt-domain");
		word(out, a->nt_domain);
	}
	if (a->partner) {
		terms(&a->terms, out);
	} else {
		text_str(out, " user");
		word(out, a->user);
	}
	text_str(out, " password sealed ");
	text_span(out, a->sealed);
}

static void accounts(const struct secret_table *s, bool partners,
		     struct text *out)
{
	uint32_t n = !s ? 0 : partners ? s->partners_n : s->accounts_n;

	for (uint32_t i = 0; i < n; i++) {
		struct secret_account a;

		if (partners)
			secret_table_partner(s, i, &a);
		else
			secret_table_account(s, i, &a);
		conf_print_account(&a, out);
		text_str(out, "\n");
	}
}

/* The certificates that are not built in, each behind its command. CR is
 * dropped: the printed text has one kind of line end. */
static void own_ca(const struct settings *s, struct text *out)
{
	const struct span begin = SPAN_LIT("-----BEGIN");
	struct span rest = span_skip(s->ca_pem, s->ca_builtin_n);

	while (rest.n > 0) {
		const uint8_t *lf = memchr(rest.p, '\n', rest.n);
		size_t n = lf ? (size_t)(lf - rest.p) : rest.n;
		struct span line = { rest.p, n };

		while (line.n > 0 && (line.p[line.n - 1] == '\r' ||
				      line.p[line.n - 1] == ' ' ||
				      line.p[line.n - 1] == '\t'))
			line.n--;
		if (line.n >= begin.n && memcmp(line.p, begin.p, begin.n) == 0)
			text_str(out, "ca certificate\n");
		text_span(out, line);
		text_str(out, "\n");
		rest = span_skip(rest, n + (lf ? 1u : 0u));
	}
}

/* ADDRESS, ADDRESS/LENGTH or ADDRESS:PORT; none if its port is 0. */
static void address(enum conf_type type, const struct endpoint *e,
		    struct text *out)
{
	if (e->port == 0) {
		text_str(out, "none");
	} else if (type == CONF_HOST) {
		endpoint(out, e);
	} else {
		text_ip(out, e->ip);
		if (type != CONF_PREFIX)
			return;
		text_str(out, "/");
		text_u64(out, e->port);
	}
}

static void hosts(const struct endpoint *e, struct text *out)
{
	text_str(out, e->port == 0 ? "none" : "");
	for (size_t i = 0; i < BOX_NTP && e[i].port != 0; i++) {
		text_str(out, i > 0 ? " " : "");
		text_ip(out, e[i].ip);
	}
}

void conf_print_inbound(const struct inbound_rule *r, struct text *out)
{
	text_str(out, "inbound require");
	name(out, r->name);
	text_str(out, r->need == INBOUND_SEAL	? " seal"
		      : r->need == INBOUND_AUTH ? " auth"
						: " tls");
	if (r->min_tls == 0x0304)
		text_str(out, " min-tls 1.3");
	else if (r->need != INBOUND_TLS && r->min_tls != 0)
		text_str(out, " min-tls 1.2");
	for (size_t i = 0; i < r->pin_n; i++) {
		text_str(out, i == 0 ? " client-cert sha256:" : " sha256:");
		text_hex(out, (struct span){ r->pin[i], 32 });
	}
	if (r->account.n > 0) {
		text_str(out, " account ");
		text_span(out, r->account);
	}
	if (r->need == INBOUND_SEAL && r->min_bits != LOGON_BITS) {
		text_str(out, " min-bits ");
		text_u64(out, r->min_bits);
	}
}

static int inbound(const struct policy *p, struct text *out)
{
	struct inbound_rule r;

	for (uint32_t i = 0; i < p->inbound_n; i++) {
		if (inbound_rule_at(p, i, &r) != OK)
			return E_CORRUPT;
		conf_print_inbound(&r, out);
		text_str(out, "\n");
	}
	return OK;
}

static void value(const struct settings *s, const struct conf_setting *c,
		  struct text *out)
{
	const void *at = (const char *)s + c->at;

	switch ((int)c->type) {
	case CONF_CHOICE: text_str(out, c->choices[*(const bool *)at]); break;
	case CONF_NUMBER: text_u64(out, *(const uint32_t *)at); break;
	case CONF_NAME: text_str(out, at); break;
	case CONF_TEXT:
		if (*(const char *)at == '\0')
			text_str(out, "none");
		else
			quoted(out, span_str(at));
		break;
	case CONF_HOSTS: hosts(at, out); break;
	case CONF_VLAN:
		if (*(const uint32_t *)at == 0)
			text_str(out, "none");
		else
			text_u64(out, *(const uint32_t *)at);
		break;
	case CONF_PREFIX:
	case CONF_ADDRESS:
	case CONF_HOST: address(c->type, at, out); break;
	default: text_time(out, *(const uint64_t *)at); break;
	}
}

static void setting(const struct settings *s, const struct conf_setting *c,
		    struct text *out)
{
	text_str(out, c->words);
	if (c->type == CONF_PORTS) {
		for (size_t i = 0; i < s->intercept_n; i++) {
			text_str(out, " ");
			text_u64(out, s->intercept[i]);
		}
	} else {
		text_str(out, " ");
		value(s, c, out);
	}
	text_str(out, "\n");
}

int conf_print_settings(const struct policy *p, const struct secret_table *s,
			struct text *out)
{
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_setting *c = &conf_schema[i];
		int r = OK;

		if (c->type == CONF_PEM)
			own_ca(&p->settings, out);
		else if (c->type == CONF_ACCOUNT || c->type == CONF_PARTNER)
			accounts(s, c->type == CONF_PARTNER, out);
		else if (c->type == CONF_INBOUND)
			r = inbound(p, out);
		else if (c->type != CONF_DEFAULT && c->type != CONF_DOMAIN)
			setting(&p->settings, c, out);
		if (r != OK)
			return r;
	}
	return OK;
}

int conf_print_line(const struct policy *p, uint32_t i, struct text *out)
{
	struct policy_rule r;

	/* the default first, which is behind the last domain */
	if (policy_rule_at(p, i == 0 ? p->rules_n : i - 1, &r) != OK)
		return E_CORRUPT;
	conf_print_rule(&r, out);
	text_str(out, "\n");
	return OK;
}
