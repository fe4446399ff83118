/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf - see conf.h.
 *
 *	text -> conf_lines -> conf_words -> schema -> value, rule, certificate
 *	                                      |
 *	                                      +-> settings, policy_build
 */
#include "conf/conf.h"
#include "conf/conf_parse.h"
#include "conf/conf_value.h"

/* --- errors ------------------------------------------------------------- */
struct text *conf_error(struct conf_parse *p, uint32_t line, uint32_t column,
			struct span word)
{
	const size_t most = 64;
	struct text *t = p->report;

	p->errors++;
	word.n = p->secret ? 0 : word.n;
	if (!t || p->errors > CONF_ERRORS_MAX) {
		text_init(&p->sink, p->sink_memory, sizeof(p->sink_memory));
		return &p->sink;
	}
	text_str(t, "line ");
	text_u64(t, line);
	text_str(t, ", column ");
	text_u64(t, column);
	text_str(t, ": ");
	if (word.n > 0) {
		text_str(t, "\"");
		text_clean(t, (struct span){ word.p,
					     word.n < most ? word.n : most });
		text_str(t, word.n > most ? "...\": " : "\": ");
	}
	return t;
}

void conf_error_end(struct conf_parse *p, struct text *t)
{
	(void)p;
	text_str(t, "\n");
}

struct text *conf_error_begin(struct conf_parse *p, size_t i)
{
	struct span none = { NULL, 0 };
	const struct conf_word *w = p->words.word, *last;
	uint32_t column = 1;

	if (i < p->words.n)
		return conf_error(p, p->lines.number, w[i].column, w[i].text);
	if (i > 0) { /* one blank behind the last word */
		last = &w[p->words.n - 1];
		column = last->column + 1;
		for (size_t k = 0; k < last->text.n; k++)
			column += (last->text.p[k] & 0xc0) != 0x80;
		column += last->quoted ? 2 : 0;
	}
	return conf_error(p, p->lines.number, column, none);
}

void conf_error_at(struct conf_parse *p, size_t i, const char *why)
{
	struct text *t = conf_error_begin(p, i);

	text_str(t, why);
	conf_error_end(p, t);
}

void conf_error_at_mark(struct conf_parse *p, const struct conf_mark *m,
			const char *why)
{
	struct text *t = conf_error(p, m->line, m->column, m->word);

	text_str(t, why);
	conf_error_end(p, t);
}

void conf_error_at_setting(struct conf_parse *p, size_t at, const char *why)
{
	size_t i = 0;

	while (conf_schema[i].at != at)
		i++;
	conf_error_at_mark(p, &p->set[i], why);
}

/* --- attributes --------------------------------------------------------- */
size_t conf_attr_of(const struct conf_word *w, const struct conf_attr *attrs,
		    size_t n)
{
	size_t i = 0;

	while (i < n && !conf_word_is(w, span_str(attrs[i].word)))
		i++;
	return i;
}

void conf_attr_unknown(struct conf_parse *p, size_t i,
		       const struct conf_attr *attrs, size_t n)
{
	struct text *t = conf_error_begin(p, i);

	text_str(t, "unknown attribute; one of:");
	for (size_t k = 0; k < n; k++) {
		text_str(t, " ");
		text_str(t, attrs[k].word);
	}
	conf_error_end(p, t);
}

/* --- settings ----------------------------------------------------------- */
static void *member(struct conf_parse *p, const struct conf_setting *c)
{
	return (char *)&p->settings + c->at;
}

static void take_ports(struct conf_parse *p, size_t at)
{
	struct settings *s = &p->settings;
	uint64_t v;

	s->intercept_n = 0;
	for (size_t i = at; i < p->words.n; i++) {
		size_t k = 0;

		if (!conf_number(p->words.word[i].text, 1, 65535, &v)) {
			conf_error_at(p, i, "not a port; 1..65535");
			continue;
		}
		while (k < s->intercept_n && s->intercept[k] != v)
			k++;
		if (k < s->intercept_n)
			conf_error_at(p, i, "twice in one line");
		else if (k == POLICY_PORTS_MAX)
			conf_error_at(p, i, "more than 16 ports");
		else
			s->intercept[s->intercept_n++] = (uint16_t)v;
	}
	if (at == p->words.n)
		conf_error_at(p, at, "at least one port must follow; 1..65535");
}

static void take_choice(struct conf_parse *p, const struct conf_setting *c,
			size_t at)
{
	struct text *t;

	for (unsigned i = 0; at < p->words.n && i < 2; i++) {
		if (!conf_word_is(&p->words.word[at], span_str(c->choices[i])))
			continue;
		*(bool *)member(p, c) = i == 1;
		return;
	}
	if (at == p->words.n) {
		conf_error_at(p, at, "one word more is needed here");
		return;
	}
	t = conf_error(p, p->lines.number, p->words.word[at].column,
		       p->words.word[at].text);
	text_str(t, "one of: ");
	text_str(t, c->choices[0]);
	text_str(t, " ");
	text_str(t, c->choices[1]);
	conf_error_end(p, t);
}

static void take_number(struct conf_parse *p, const struct conf_setting *c,
			size_t at)
{
	struct text *t;
	uint64_t v;

	if (at < p->words.n &&
	    conf_number(p->words.word[at].text, c->min, c->max, &v)) {
		*(uint32_t *)member(p, c) = (uint32_t)v;
		return;
	}
	if (at == p->words.n) {
		conf_error_at(p, at, "a number must follow");
		return;
	}
	t = conf_error(p, p->lines.number, p->words.word[at].column,
		       p->words.word[at].text);
	text_str(t, "not a number from ");
	text_u64(t, c->min);
	text_str(t, " to ");
	text_u64(t, c->max);
	conf_error_end(p, t);
}

static void take_time(struct conf_parse *p, const struct conf_setting *c,
		      size_t at)
{
	if (at == p->words.n ||
	    !conf_time(p->words.word[at].text, member(p, c)))
		conf_error_at(p, at,
			      "not a time; 2026-01-01 or "
			      "2026-01-01T00:00:00Z");
}

/* Words behind a setting that takes `takes` of them. */
static void no_more(struct conf_parse *p, size_t at)
{
	if (at < p->words.n)
		conf_error_at(p, at, "nothing more is expected here");
}

static void take_value(struct conf_parse *p, const struct conf_setting *c,
		       size_t at)
{
	switch (c->type) {
	case CONF_CHOICE: take_choice(p, c, at); break;
	case CONF_NUMBER: take_number(p, c, at); break;
	case CONF_TIME: take_time(p, c, at); break;
	case CONF_NAME:
	case CONF_TEXT:
	case CONF_PREFIX:
	case CONF_VLAN:
	case CONF_ADDRESS:
	case CONF_HOST: conf_box_value(p, c, at); break;
	case CONF_HOSTS: conf_box_hosts(p, c, at); return;
	case CONF_PORTS: take_ports(p, at); return;
	case CONF_DEFAULT: conf_rule(p, true, at); return;
	case CONF_DOMAIN: conf_rule(p, false, at); return;
	case CONF_ACCOUNT: conf_account(p, CONF_OURS, at); return;
	case CONF_PARTNER: conf_account(p, CONF_THEIRS, at); return;
	case CONF_INBOUND: conf_inbound(p, at); return;
	case CONF_PEM:
		no_more(p, at);
		conf_ca(p);
		return;
	}
	no_more(p, at + 1);
}

/* --- commands ------------------------------------------------------------- */
/* Word number depth of a setting; empty when it has fewer. */
static struct span word_of(const struct conf_setting *c, size_t depth)
{
	const char *list = c->words;
	struct span s = conf_words_next(&list);

	while (depth-- > 0)
		s = conf_words_next(&list);
	return s;
}

/* Do the first depth words of the line name c so far? */
static bool begins(const struct conf_parse *p, const struct conf_setting *c,
		   size_t depth)
{
	for (size_t i = 0; i < depth; i++) {
		struct span k = word_of(c, i);

		if (k.n == 0 || !conf_word_is(&p->words.word[i], k))
			return false;
	}
	return true;
}

/* What could have stood at word depth. */
static void unknown(struct conf_parse *p, size_t depth)
{
	struct span none = { NULL, 0 }, last = none;
	const struct conf_word *w = &p->words.word[depth];
	struct text *t;

	if (depth < p->words.n)
		t = conf_error(p, p->lines.number, w->column, w->text);
	else
		t = conf_error(p, p->lines.number, (w - 1)->column,
			       (w - 1)->text);
	text_str(t, depth == 0		 ? "unknown command; one of:"
		    : depth < p->words.n ? "unknown; one of:"
					 : "more must follow; one of:");
	for (size_t i = 0; i < conf_schema_n; i++) {
		struct span k = word_of(&conf_schema[i], depth);

		if (!begins(p, &conf_schema[i], depth) || k.n == 0 ||
		    span_eq(k, last))
			continue;
		text_str(t, " ");
		text_span(t, k);
		last = k;
	}
	conf_error_end(p, t);
}

const struct conf_setting *conf_setting_of(const struct conf_parse *p,
					   size_t *at)
{
	const struct conf_setting *best = NULL;

	*at = 0;
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_setting *c = &conf_schema[i];
		size_t n = 0;

		while (word_of(c, n).n > 0)
			n++;
		if (n > *at && n <= p->words.n && begins(p, c, n)) {
			best = c;
			*at = n;
		}
	}
	return best;
}

void conf_setting_unknown(struct conf_parse *p)
{
	bool known = false;
	size_t depth = 0;

	do {
		known = false;
		for (size_t i = 0; i < conf_schema_n; i++)
			known |= begins(p, &conf_schema[i], depth + 1);
	} while (known && ++depth < p->words.n);
	unknown(p, depth);
}

void conf_command(struct conf_parse *p)
{
	size_t at;
	const struct conf_setting *c = conf_setting_of(p, &at);
	struct conf_mark *set;

	p->commands++;
	if (!c) {
		conf_setting_unknown(p);
		return;
	}
	if (conf_setting_named(c) || c->type == CONF_PEM ||
	    c->type == CONF_DEFAULT) {
		/* they know their duplicates */
		take_value(p, c, at);
		return;
	}
	set = &p->set[c - conf_schema];
	if (set->line != 0) {
		struct text *t = conf_error(p, p->lines.number,
					    p->words.word[0].column,
					    span_str(c->words));

		text_str(t, "is already set, in line ");
		text_u64(t, set->line);
		conf_error_end(p, t);
		return;
	}
	*set = (struct conf_mark){ p->lines.number, p->words.word[0].column,
				   span_str(c->words) };
	take_value(p, c, at);
}

/* --- the whole text ------------------------------------------------------- */
static void set_defaults(struct conf_parse *p)
{
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_setting *c = &conf_schema[i];

		if (!c->dflt || c->type == CONF_DEFAULT)
			continue;
		p->words.n = 1;
		p->words.word[0] = (struct conf_word){ span_str(c->dflt), 1,
						       false };
		take_value(p, c, 0);
	}
}

/* A session that is left to the server inside is not looked into; where nobody has
 * an account nobody logs on. */
static void check_inbound(struct conf_parse *p)
{
	if (p->settings.inbound_pass && p->require.line != 0)
		conf_error_at_mark(
			p, &p->require,
			"cannot be seen to with \"inbound tls pass\", which "
			"leaves sessions to the server inside");
	if (p->logon.line != 0 && p->settings.inbound_mechs == 0)
		conf_error_at_mark(p, &p->logon,
				   "nobody can log on: there is no inbound "
				   "account");
}

static bool intercepted(const struct settings *s, uint32_t port)
{
	for (size_t i = 0; i < s->intercept_n; i++)
		if (s->intercept[i] == port)
			return true;
	return false;
}

/* What the classifier does not take, wire does not see: what comes to the port, and
 * what the server inside answers from its own. */
static void check_inbound_port(struct conf_parse *p)
{
	const size_t at = offsetof(struct settings, inbound_port);
	const struct settings *s = &p->settings;

	if (s->inbound_port == 0)
		return;
	if (!intercepted(s, s->inbound_port))
		conf_error_at_setting(p, at, "is not among \"intercept port\"");
	else if (s->inbound_port == 25)
		conf_error_at_setting(p, at, "is the port for all");
	else if (!intercepted(s, 25))
		conf_error_at_setting(p, at,
				      "leads to port 25, which is not among "
				      "\"intercept port\"");
	else if (s->inbound_pass)
		conf_error_at_setting(
			p, at,
			"cannot be seen to with \"inbound tls pass\", which "
			"leaves sessions to the server inside");
}

/* The address is the server's by another name. */
static void check_inbound_address(struct conf_parse *p)
{
	const size_t address = offsetof(struct settings, inbound_address);
	const size_t server = offsetof(struct settings, inbound_server);
	const struct settings *s = &p->settings;
	const struct endpoint *a = &s->inbound_address, *b = &s->inbound_server;

	if (a->port == 0 && b->port == 0)
		return;
	if (a->port == 0)
		conf_error_at_setting(p, server,
				      "there is no \"inbound address\" that "
				      "leads to it");
	else if (b->port == 0)
		conf_error_at_setting(p, address,
				      "there is no \"inbound server\" that it "
				      "leads to");
	else if (ip_is_v4(a->ip) != ip_is_v4(b->ip))
		conf_error_at_setting(p, address,
				      "is not of the same kind (IPv4, IPv6) as "
				      "\"inbound server\"");
	else if (endpoint_eq(a, b))
		conf_error_at_setting(p, address, "is the address for all");
	else if (s->inbound_pass)
		conf_error_at_setting(
			p, address,
			"cannot be seen to with \"inbound tls pass\", which "
			"leaves sessions to the server inside");
}

enum { ALL_PORTS = 2 * POLICY_PORTS_MAX + 1 };

static size_t all_ports(const struct conf_parse *p, uint16_t ports[ALL_PORTS])
{
	const struct settings *s = &p->settings;
	size_t n = s->intercept_n;

	memcpy(ports, s->intercept, n * sizeof(ports[0]));
	for (size_t i = 0; i < p->route_ports_n; i++) {
		size_t k = 0;

		while (k < n && ports[k] != p->route_ports[i])
			k++;
		if (k == n)
			ports[n++] = p->route_ports[i];
	}
	return n;
}

static void check_ports(struct conf_parse *p)
{
	uint16_t ports[ALL_PORTS];

	if (all_ports(p, ports) > POLICY_PORTS_MAX)
		conf_error_at_mark(p, &p->route,
				   "one port too many: with \"intercept port\" "
				   "there can be 16");
}

/* What only the whole text can contradict. */
static void check_all(struct conf_parse *p)
{
	struct settings *s = &p->settings;
	struct text *t;

	if (p->commands == 0) {
		t = conf_error(p, 1, 1, (struct span){ NULL, 0 });
		text_str(t, "no command in the whole text; \"default may\" is "
			    "the least there can be");
		conf_error_end(p, t);
	}
	conf_account_check(p);
	conf_box_check(p);
	check_inbound(p);
	check_inbound_port(p);
	check_inbound_address(p);
	check_ports(p);
	if (p->route_name.line != 0 && s->resolver.port == 0)
		conf_error_at_mark(p, &p->route_name,
				   "there is no \"resolver\" to ask where it "
				   "is");
	if (p->verify.line == 0 || p->ca_n > 0 ||
	    (s->ca_builtin && p->in->builtin_ca.n > 0))
		return;
	t = conf_error(p, p->verify.line, p->verify.column, p->verify.word);
	text_str(t,
		 s->ca_builtin
			 ? "there is no CA list to verify with: none is built "
			   "in and there is no \"ca certificate\""
			 : "there is no CA to verify with: \"ca none\" and no "
			   "\"ca certificate\"");
	conf_error_end(p, t);
}

static void parse_begin(struct conf_parse *p, const struct conf_input *in)
{
	p->in = in;
	set_defaults(p);
	conf_lines_init(&p->lines, in->text);
}

/* Up to max lines, or to a sealed password; true when it was the last one. */
static bool parse_some(struct conf_parse *p, size_t max)
{
	struct span line;

	while (max-- > 0 && !p->sealed_waits) {
		p->secret = false;
		if (!conf_lines_next(&p->lines, &line)) {
			check_all(p);
			if (p->settings.ca_builtin)
				p->strings_n += p->in->builtin_ca.n + 1;
			return true;
		}
		if (conf_words_cut(&p->words, line) != OK) {
			struct text *t = conf_error(p, p->lines.number,
						    p->words.why_column,
						    (struct span){ NULL, 0 });

			text_str(t, p->words.why);
			conf_error_end(p, t);
			p->commands++;
		} else if (p->words.n > 0) {
			conf_command(p);
		}
	}
	return false;
}

static int store_ca(struct conf_parse *p)
{
	struct span builtin = p->in->builtin_ca;
	int r = OK;

	if (p->settings.ca_builtin && builtin.n > 0) {
		r = policy_build_ca(p->build, builtin);
		p->settings.ca_builtin_n = builtin.n;
		if (r == OK && builtin.p[builtin.n - 1] != '\n') {
			r = policy_build_ca(p->build, SPAN_LIT("\n"));
			p->settings.ca_builtin_n++;
		}
	}
	for (size_t i = 0; r == OK && i < p->ca_n; i++) {
		r = policy_build_ca(p->build, p->ca[i]);
		if (r == OK)
			r = policy_build_ca(p->build, SPAN_LIT("\n"));
	}
	return r;
}

/* --- the job ---------------------------------------------------------------- */
struct conf_job {
	struct conf_input in;
	struct conf_parse parse;
	struct policy_build build;
	uint32_t uses[SECRET_ACCOUNTS_MAX]; /* from measuring */
	struct text *report;
	size_t need;
	size_t len;
};

size_t conf_job_size(void)
{
	return sizeof(struct conf_job);
}

struct conf_job *conf_job_init(void *mem, const struct conf_input *in)
{
	struct conf_job *j = mem;

	memset(j, 0, sizeof(*j));
	j->in = *in;
	parse_begin(&j->parse, &j->in);
	return j;
}

int conf_job_measure(struct conf_job *j, size_t lines)
{
	if (!parse_some(&j->parse, lines))
		return E_AGAIN;
	j->need = policy_build_size(j->parse.rules_n, j->parse.inbound_n,
				    j->parse.strings_n);
	return OK;
}

size_t conf_job_need(const struct conf_job *j)
{
	return j->need;
}

const struct settings *conf_job_settings(const struct conf_job *j)
{
	return &j->parse.settings;
}

size_t conf_job_ports(const struct conf_job *j,
		      uint16_t ports[POLICY_PORTS_MAX])
{
	uint16_t all[ALL_PORTS];
	size_t n = all_ports(&j->parse, all);

	if (n > POLICY_PORTS_MAX)
		n = POLICY_PORTS_MAX;
	memcpy(ports, all, n * sizeof(all[0]));
	return n;
}

static int no_room(struct text *report)
{
	text_str(report, "there is not enough memory for this configuration\n");
	return E_FULL;
}

size_t conf_job_need_secrets(const struct conf_job *j, uint32_t *entries)
{
	*entries = j->parse.accounts_n;
	return j->parse.secrets_n;
}

int conf_job_build(struct conf_job *j, uint8_t *mem, size_t size,
		   struct secret_build *secrets, struct text *report)
{
	uint32_t rules_n = j->parse.rules_n, inbound_n = j->parse.inbound_n;

	j->report = report;
	if (j->need > size ||
	    policy_build_begin(&j->build, mem, size, rules_n, inbound_n,
			       j->in.hash_key) != OK)
		return no_room(report);
	/* Read again, names come in the same order. */
	for (size_t i = 0; i < j->parse.named_n[CONF_OURS]; i++)
		j->uses[i] = j->parse.named[CONF_OURS][i].mechs;
	memset(&j->parse, 0, sizeof(j->parse));
	j->parse.uses = j->uses;
	j->parse.build = &j->build;
	j->parse.secrets = secrets;
	j->parse.report = report;
	parse_begin(&j->parse, &j->in);
	return OK;
}

int conf_errors_done(struct conf_parse *p)
{
	if (p->errors > CONF_ERRORS_MAX) {
		text_str(p->report, "and ");
		text_u64(p->report, p->errors - CONF_ERRORS_MAX);
		text_str(p->report, " more\n");
	}
	return p->errors > 0 ? E_CONF : OK;
}

static int finish(struct conf_job *j)
{
	struct conf_parse *p = &j->parse;
	int r = conf_errors_done(p);

	if (r != OK)
		return r;
	p->settings.number = j->in.number;
	p->settings.clock_unset = j->in.clock_unset;
	p->settings.clock_floor_s = p->settings.clock_floor_set_s;
	if (p->settings.clock_floor_s < j->in.floor_s)
		p->settings.clock_floor_s = j->in.floor_s;
	r = p->full ? E_FULL : store_ca(p);
	if (r == OK)
		r = policy_build_end(&j->build, &p->settings, &j->len);
	return r == OK ? OK : no_room(j->report);
}

bool conf_job_sealed(const struct conf_job *j, struct secret_account *a)
{
	*a = j->parse.account;
	return j->parse.sealed_waits;
}

void conf_job_opened(struct conf_job *j, int error, struct span password)
{
	if (j->parse.sealed_waits)
		conf_account_opened(&j->parse, error, password);
}

int conf_job_step(struct conf_job *j, size_t lines, size_t *len)
{
	int r;

	*len = 0;
	/* nobody could open it: it is wrong */
	conf_job_opened(j, E_IO, (struct span){ NULL, 0 });
	if (!parse_some(&j->parse, lines))
		return E_AGAIN;
	r = finish(j);
	*len = j->len;
	return r;
}
