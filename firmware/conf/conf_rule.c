/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_rule - "default LEVEL ..." and "domain NAME LEVEL ...".
 *
 * A list of values (names, pins) ends at the next attribute or at the end of
 * the line. What a level cannot use is an error: a person who wrote it thinks
 * that it does something.
 */
#include "conf/conf_parse.h"
#include "conf/conf_value.h"

const char conf_not_a_pin[] =
	"not a pin; sha256: and 64 hexadecimal digits, or "
	"base64 of 32 octets";

/* The rule under construction and where its attributes stand (0: not). */
struct state {
	struct policy_rule r;
	size_t level_at;
	size_t at[CONF_RULE_ATTRS];
};

static enum conf_rule_attr attr_of(const struct conf_word *w)
{
	return (enum conf_rule_attr)conf_attr_of(w, conf_rule_attrs,
						 CONF_RULE_ATTRS);
}

/* Is there a value at i, not the next attribute or the end? */
static bool value_at(const struct conf_parse *p, size_t i)
{
	return i < p->words.n && attr_of(&p->words.word[i]) == CONF_RULE_ATTRS;
}

/* Normalise word i into p->names; an empty span after an error. */
static struct span name_at(struct conf_parse *p, size_t i)
{
	uint8_t *to = p->names + p->names_n;
	size_t n;
	const char *why = conf_name(p->words.word[i].text, to, &n);

	if (why) {
		conf_error_at(p, i, why);
		return (struct span){ NULL, 0 };
	}
	p->names_n += n;
	return (struct span){ to, n };
}

static size_t take_match(struct conf_parse *p, struct policy_rule *r, size_t i)
{
	if (!value_at(p, i)) {
		conf_error_at(p, i, "match needs at least one name");
		return i;
	}
	for (; value_at(p, i); i++) {
		struct span name;

		if (r->match_n == POLICY_MATCH_MAX) {
			conf_error_at(p, i, "more than 16 names to match");
			while (value_at(p, i))
				i++;
			return i;
		}
		name = name_at(p, i);
		if (name.n > 0)
			r->match[r->match_n++] = name;
	}
	return i;
}

static size_t take_pins(struct conf_parse *p, struct policy_rule *r, size_t i)
{
	size_t first = i;

	for (; value_at(p, i); i++) {
		if (r->pin_n == POLICY_PINS_MAX) {
			conf_error_at(p, i, "more than 8 pins");
			while (value_at(p, i))
				i++;
			return i;
		}
		if (conf_pin(p->words.word[i].text, p->pins[r->pin_n])) {
			r->pin[r->pin_n] = p->pins[r->pin_n];
			r->pin_n++;
			continue;
		}
		conf_error_at(p, i, conf_not_a_pin);
	}
	if (i == first)
		conf_error_at(p, i, "pin needs at least one sha256:...");
	return i;
}

/* Which of the words of an attribute, from 0; -1 after an error. */
static int take_choice(struct conf_parse *p, size_t i, enum conf_rule_attr a)
{
	const char *words = conf_rule_attrs[a].value;
	struct text *t;
	int n = 0;

	for (const char *w = words; value_at(p, i) && w; n++) {
		const char *bar = strchr(w, '|');
		size_t len = bar ? (size_t)(bar - w) : strlen(w);

		if (conf_word_is(&p->words.word[i],
				 (struct span){ (const uint8_t *)w, len }))
			return n;
		w = bar ? bar + 1 : NULL;
	}
	t = conf_error_begin(p, i);
	text_str(t, "one of: ");
	for (; *words; words++)
		text_span(t,
			  *words == '|'
				  ? SPAN_LIT(" ")
				  : (struct span){ (const uint8_t *)words, 1 });
	conf_error_end(p, t);
	return -1;
}

/* What is said of a log-on; it is checked when the line has been read. */
static size_t take_logon(struct conf_parse *p, struct policy_rule *r,
			 enum conf_rule_attr a, size_t i)
{
	static const uint16_t bits[] = { 40, 56, 128 };
	struct logon *l = &r->logon;
	int c;

	if (a == CONF_LEGACY) {
		l->legacy = true;
		return i;
	}
	if (a == CONF_WITH_ACCOUNT) { /* any word: it may be a keyword */
		l->account = conf_account_used(p, CONF_OURS, i);
		return i < p->words.n ? i + 1 : i;
	}
	c = take_choice(p, i, a);
	if (c >= 0 && a == CONF_AUTH)
		l->mech = (enum auth_mech)(AUTH_PLAIN + c);
	if (c >= 0 && a == CONF_MIN_BITS)
		l->min_bits = bits[c];
	if (a == CONF_FRAMING)
		l->framing.little_endian = c == 1;
	if (a == CONF_SIGNATURE)
		l->framing.signature_last = c == 1;
	return value_at(p, i) ? i + 1 : i;
}

/* What comes back from there has to be taken by the classifier. */
static void note_port(struct conf_parse *p, size_t i, uint16_t port)
{
	size_t k = 0;

	while (k < p->route_ports_n && p->route_ports[k] != port)
		k++;
	if (k < p->route_ports_n || k > POLICY_PORTS_MAX)
		return; /* known, or too many already */
	p->route_ports[p->route_ports_n++] = port;
	p->route = (struct conf_mark){ p->lines.number, p->words.word[i].column,
				       p->words.word[i].text };
}

/* Is it meant as the name of a host? Letters beyond those of an address, and not
 * two colons. */
static bool names_host(struct span s)
{
	bool letters = false;
	unsigned colons = 0;

	for (size_t i = 0; i < s.n && s.p[i] != ':'; i++) {
		uint8_t c = ascii_lower(s.p[i]);

		letters = letters || (c >= 'a' && c <= 'z') || c >= 0x80;
	}
	for (size_t i = 0; i < s.n; i++)
		colons += s.p[i] == ':';
	return letters && colons < 2;
}

/* NAME[:PORT] at word i. */
static void take_route_name(struct conf_parse *p, struct policy_rule *r,
			    size_t i)
{
	uint8_t *to = p->names + p->names_n;
	struct span name;
	const char *why;
	size_t n;

	if (!conf_host_port(p->words.word[i].text, 25, &name, &r->route_port)) {
		conf_error_at(p, i, "not a port; 1..65535");
		return;
	}
	why = conf_name(name, to, &n);
	if (!why && (to[0] == '.' || !memchr(to, '.', n)))
		why = "not the whole name of a host";
	if (!why && (r->route_name.n > 0 || r->route[0].port != 0 ||
		     r->route[1].port != 0))
		why = "a name stands alone";
	if (why) {
		conf_error_at(p, i, why);
		return;
	}
	p->names_n += n;
	r->route_name = (struct span){ to, n };
	if (p->route_name.line == 0)
		p->route_name = (struct conf_mark){ p->lines.number,
						    p->words.word[i].column,
						    p->words.word[i].text };
	note_port(p, i, r->route_port);
}

static size_t take_route(struct conf_parse *p, struct policy_rule *r, size_t i)
{
	const char *why = "route needs an address or the name of a host";
	struct endpoint e;
	bool v6;

	r->has_route = true;
	if (!value_at(p, i))
		conf_error_at(p, i, why);
	for (; value_at(p, i); i++) {
		if (names_host(p->words.word[i].text)) {
			take_route_name(p, r, i);
			continue;
		}
		if (!conf_endpoint(p->words.word[i].text, 25, &e, &why)) {
			conf_error_at(p, i, why);
			continue;
		}
		if (r->route_name.n > 0) {
			conf_error_at(p, i, "a name stands alone");
			continue;
		}
		v6 = !ip_is_v4(e.ip);
		if (r->route[v6].port != 0)
			conf_error_at(p, i,
				      "one IPv4 and one IPv6 address, no more");
		r->route[v6] = e;
		note_port(p, i, e.port);
	}
	return i;
}

static size_t take_attr(struct conf_parse *p, struct policy_rule *r,
			enum conf_rule_attr a, size_t i)
{
	int c;

	switch (a) {
	case CONF_AUTH:
	case CONF_WITH_ACCOUNT:
	case CONF_MIN_BITS:
	case CONF_LEGACY:
	case CONF_FRAMING:
	case CONF_SIGNATURE: return take_logon(p, r, a, i);
	case CONF_MATCH: return take_match(p, r, i);
	case CONF_MIN_TLS:
		c = take_choice(p, i, a);
		r->min_tls = c == 1 ? 0x0304 : 0x0303;
		break;
	case CONF_ON_FAIL:
		c = take_choice(p, i, a);
		r->on_fail = c == 1 ? ON_FAIL_DEFER : ON_FAIL_REJECT;
		break;
	case CONF_LEARN: r->learn = true; return i;
	case CONF_ROUTE: return take_route(p, r, i);
	case CONF_RULE_ATTRS: break;
	}
	return value_at(p, i) ? i + 1 : i;
}

static bool take_level(struct conf_parse *p, struct state *s, size_t i)
{
	s->level_at = i;
	if (i == p->words.n) {
		conf_error_at(p, i,
			      "a policy level must follow; one of: clear "
			      "may ntlm-seal encrypt verify pin");
		return false;
	}
	for (enum level l = LEVEL_CLEAR; l < LEVELS; l++) {
		if (!conf_word_is(&p->words.word[i], span_str(level_name(l))))
			continue;
		s->r.level = l;
		return true;
	}
	conf_error_at(p, i,
		      "unknown policy level; one of: clear may ntlm-seal "
		      "encrypt verify pin");
	return false;
}

/* All after the level. */
static void take_attrs(struct conf_parse *p, struct state *s, size_t i)
{
	while (i < p->words.n) {
		enum conf_rule_attr a = attr_of(&p->words.word[i]);

		if (a == CONF_RULE_ATTRS) {
			conf_attr_unknown(p, i, conf_rule_attrs,
					  CONF_RULE_ATTRS);
			return;
		}
		if (s->at[a] != 0) {
			conf_error_at(p, i, "twice in one line");
			return;
		}
		s->at[a] = i;
		i = take_attr(p, &s->r, a, i + 1);
	}
}

/* Is what is said of a log-on one? */
static void check_logon(struct conf_parse *p, struct state *s)
{
	struct logon *l = &s->r.logon;
	bool seal = s->r.level == LEVEL_NTLM_SEAL;
	size_t auth = s->at[CONF_AUTH], account = s->at[CONF_WITH_ACCOUNT];

	if (seal)
		l->mech = AUTH_NTLM;
	if (auth == 0 && account != 0 && !seal)
		conf_error_at(p, account, "auth and a mechanism must be said");
	if ((auth != 0 || seal) && account == 0)
		conf_error_at(p, p->words.n,
			      "account and its name must follow");
	if (auth != 0 && s->r.level == LEVEL_ENCRYPT &&
	    (l->mech == AUTH_PLAIN || l->mech == AUTH_LOGIN))
		conf_error_at(p, auth,
			      "it would show the password to whoever answers; "
			      "only verify and pin take plain and login");
	if (l->legacy && l->mech != AUTH_NTLM)
		conf_error_at(p, s->at[CONF_LEGACY],
			      conf_rule_attrs[CONF_LEGACY].unused);
	for (enum conf_rule_attr a = CONF_FRAMING; a <= CONF_SIGNATURE; a++)
		if (s->at[a] != 0 && !l->legacy)
			conf_error_at(p, s->at[a], "only with legacy");
}

/* Contradictions within the line. */
static void check(struct conf_parse *p, struct state *s, bool is_default)
{
	for (enum conf_rule_attr a = CONF_MATCH; a < CONF_RULE_ATTRS; a++)
		if (s->at[a] != 0 &&
		    !conf_attr_fits(a, s->r.level, s->r.has_route))
			conf_error_at(p, s->at[a], conf_rule_attrs[a].unused);
		else if (s->at[a] != 0 && is_default &&
			 conf_rule_attrs[a].partner)
			conf_error_at(p, s->at[a],
				      "an account is for one partner: not for "
				      "default");
	if (s->r.route_name.n > 0 && s->r.level < LEVEL_VERIFY)
		conf_error_at(
			p, s->at[CONF_ROUTE],
			"where a name leads, anybody on the way can say; "
			"only verify and pin see who is there, and take a "
			"name");
	if (is_default && s->r.level == LEVEL_NTLM_SEAL)
		conf_error_at(p, s->level_at,
			      "an account is for one partner: not for default");
	else if (!is_default)
		check_logon(p, s);
	if (s->r.level != LEVEL_VERIFY)
		return;
	if (is_default && s->at[CONF_MATCH] == 0)
		conf_error_at(p, s->level_at,
			      "for default, verify needs match: there is no "
			      "domain to take the name from");
	if (p->verify.line == 0)
		p->verify = (struct conf_mark){
			p->lines.number, p->words.word[s->level_at].column,
			p->words.word[s->level_at].text
		};
}

static void add(struct conf_parse *p, const struct state *s, size_t name_at_)
{
	uint32_t first;
	int r;

	if (s->r.logon.mech != AUTH_NONE)
		conf_account_uses(p, s->r.logon.account, s->r.logon.mech);
	p->rules_n++;
	p->strings_n += p->names_n + 7 + 32 * s->r.pin_n + s->r.logon.account.n;
	if (!p->build)
		return;
	r = policy_build_rule(p->build, &s->r, &first);
	if (r == E_CONF && first != 0) {
		const struct conf_word *w = &p->words.word[name_at_];
		struct text *t = conf_error(p, p->lines.number, w->column,
					    w->text);

		text_str(t, "is already there, in line ");
		text_u64(t, first);
		conf_error_end(p, t);
	} else if (r != OK) {
		p->full = true;
	}
}

void conf_rule(struct conf_parse *p, bool is_default, size_t at)
{
	struct state s = { .r = { .name = SPAN_LIT("default"),
				  .line = p->lines.number,
				  .min_tls = 0x0303,
				  .logon.min_bits = LOGON_BITS } };
	uint32_t errors = p->errors;
	size_t name = is_default ? at - 1 : at;

	p->names_n = 0;
	if (!is_default) {
		if (at == p->words.n) {
			conf_error_at(p, at,
				      "the name of a domain must follow");
			return;
		}
		s.r.name = name_at(p, at++);
	}
	if (!take_level(p, &s, at))
		return;
	at++;
	if (s.r.level == LEVEL_PIN)
		at = take_pins(p, &s.r, at);
	take_attrs(p, &s, at);
	check(p, &s, is_default);
	if (p->errors == errors)
		add(p, &s, name);
}
