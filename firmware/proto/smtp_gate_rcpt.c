/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_rcpt - may this recipient's mail leave on this channel?
 *
 *	route by name:  where is that host? Then
 *	policy_decide:  PASS      MAIL (if still held) and RCPT go to the server
 *	                STARTTLS  start it on this connection, decide again
 *	                DIAL      another connection, decide again
 *	                AUTH      the log-on of the rule, decide again
 *	                REFUSE    a reply that says why
 *
 * A transaction that has begun on a channel keeps it: a recipient that needs
 * another gets 452 and the client brings it again.
 */
#include "policy/learned.h"
#include "proto/smtp_gate_state.h"

struct code {
	uint16_t code;
	const char *status;
};

/* The reply to a recipient whose rule is not met. */
static struct code code_of(const struct smtp_gate_out *g,
			   const struct verdict *v)
{
	bool missing = v->result == TLS_STARTTLS_NOT_SUPPORTED;

	if (v->result == TLS_LOGON_FAILED) { /* RFC 4954 6 */
		if (!v->permanent)
			return (struct code){ 454, "4.7.0" };
		if (g->ch.logon_failed.result == LOGON_WEAK)
			return (struct code){ 534, "5.7.9" };
		return (struct code){ 535, "5.7.8" };
	}
	if (v->permanent)
		return (struct code){ 550, missing ? "5.7.4" : "5.7.5" };
	return (struct code){ 451, missing ? "4.7.4" : "4.7.5" };
}

/* What was asked for, and what came of it. */
static void say_rule(const struct smtp_gate_out *g, struct text *t,
		     const struct policy_rule *rule, const struct verdict *v)
{
	const char *domain = g->rcpt.domain_n > 0 ? g->rcpt.domain
						  : "this address";

	if (v->result == TLS_LOGON_FAILED) {
		text_str(t, auth_mech_word(rule->logon.mech));
		text_str(t, " authentication failed for ");
		text_str(t, domain);
		text_str(t, ", account ");
		text_span(t, rule->logon.account);
		return;
	}
	text_str(t, domain);
	text_str(t, rule->learned ? " had TLS before, which its policy learns"
				  : " requires ");
	text_str(t, rule->learned ? "" : level_name(rule->level));
	if (rule->min_tls == 0x0304)
		text_str(t, " with TLS 1.3");
	text_str(t, ": ");
	text_str(t, tls_result_name(v->result));
}

/* The last words of a refusal: where to look. */
static void say_line(const struct smtp_gate_out *g, struct text *t,
		     const struct policy_rule *rule)
{
	text_str(t, "; nothing was sent (policy for ");
	text_span(t, rule->name);
	text_str(t, ", line ");
	text_u64(t, rule->line);
	if (g->start.session != 0) {
		text_str(t, "; explain ");
		text_u64(t, g->start.session);
	}
	text_str(t, ")");
}

/* server: whose fault it is. */
static void refuse(struct smtp_gate_out *g, const struct policy_rule *rule,
		   const struct verdict *v, const struct endpoint *server)
{
	struct code c = code_of(g, v);
	struct gate_event *ev = gate_note(g, GATE_EV_RCPT_REFUSED);
	bool detail = !g->ch.tls || v->result == TLS_LOGON_FAILED;
	char line[1000];
	struct text t;

	text_init(&t, line, sizeof(line));
	say_rule(g, &t, rule, v);
	text_str(&t, "; server ");
	text_ip(&t, server->ip);
	text_str(&t, ": ");
	text_str(&t, v->why ? v->why : "not acceptable");
	if (detail && g->ch.why[0] != '\0' &&
	    !(v->why && strcmp(g->ch.why, v->why) == 0)) {
		text_str(&t, " (");
		text_clean(&t, span_str(g->ch.why));
		text_str(&t, ")");
	}
	say_line(g, &t, rule);
	ev->server = *server;
	ev->result = v->result;
	ev->code = c.code;
	ev->learned = rule->learned;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, v->why ? v->why : "");
	gate_answer(g, c.code, c.status, line);
}

/* The rule has a route to a host of which it is not known where it is. Always for
 * another try: that is no fault of the partner's, and a resolver can be mended or
 * lied to. */
static void refuse_unrouted(struct smtp_gate_out *g,
			    const struct policy_rule *rule)
{
	struct gate_event *ev = gate_note(g, GATE_EV_RCPT_REFUSED);
	char line[1000];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, g->rcpt.domain_n > 0 ? g->rcpt.domain : "this address");
	text_str(&t, " has the route ");
	text_span(&t, rule->route_name);
	text_str(&t, ": ");
	text_str(&t, g->route_why);
	say_line(g, &t, rule);
	ev->result = TLS_VALIDATION_FAILURE;
	ev->unrouted = true;
	ev->code = 451;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, "its route: ");
	text_str(&t, g->route_why);
	gate_answer(g, ev->code, "4.4.3", line); /* RFC 3463 3.5 */
}

static void elsewhere(struct smtp_gate_out *g)
{
	gate_answer(g, 452, "4.5.3",
		    "this recipient needs another channel than the recipients "
		    "before it; send it again separately");
}

/* Parameters that this server does not know (another than the one whose
 * capabilities the client was shown). */
static bool lacks(const struct smtp_gate_out *g)
{
	return ((g->mail_needs | g->rcpt_needs) & ~g->caps) != 0;
}

static bool unknown_params(struct smtp_gate_out *g)
{
	if (!lacks(g))
		return false;
	gate_answer(g, 451, "4.5.4",
		    "the server for this recipient does not offer an extension "
		    "that this message needs");
	return true;
}

void gate_send_rcpt(struct smtp_gate_out *g)
{
	gate_tell(g, g->rcpt_line, NULL);
	gate_expect(g, EX_RCPT);
	g->rcpt_waits = false;
}

/* The channel would do, but there is none any more. A connection made for this
 * recipient may have been lost to a handshake: one more, in clear. */
static void connect_again(struct smtp_gate_out *g)
{
	if (g->dials == 2 || (g->dials == 1 && !g->tls_barred)) {
		gate_answer(g, 451, "4.4.1", "the server cannot be reached");
		return;
	}
	if (g->tls_barred)
		gate_note(g, GATE_EV_FALLBACK);
	g->dials++;
	g->owed = OWE_RCPT;
	gate_dial_to(g, &g->ch.server, (struct span){ NULL, 0 },
		     !g->tls_barred);
}

/* For show domain: of less weight than all other events. */
static void note_passed(struct smtp_gate_out *g)
{
	const struct gate_events *e = &g->events;
	const struct gate_event *last;

	last = &e->event[(e->at + e->n + GATE_EVENTS - 1) % GATE_EVENTS];
	if (e->n > GATE_EVENTS / 2 ||
	    (e->n > 0 && last->type == GATE_EV_RCPT_PASSED &&
	     strcmp(last->domain, g->domain) == 0))
		return;
	gate_note(g, GATE_EV_RCPT_PASSED);
}

/* The server is told that this is a box, where it says so itself inside TLS. Not
 * behind a line that may then be longer than a box takes. */
static bool says_box(const struct smtp_gate_out *g)
{
	return g->ch.tls && (g->caps & EHLO_BOX) != 0 &&
	       g->policy->settings.inbound && g->policy->settings.peers &&
	       strlen(g->mail_line) < GATE_LINE / 2;
}

/* What we add to MAIL ourselves. */
static const char *own_params(const struct smtp_gate_out *g)
{
	/* RFC 4954 5: we log on for the box, not for who sent this. */
	bool auth = g->ch.logon.mech != AUTH_NONE && (g->caps & EHLO_AUTH);

	if (says_box(g))
		return auth ? " AUTH=<> " EHLO_BOX_WORD : " " EHLO_BOX_WORD;
	return auth ? " AUTH=<>" : NULL;
}

static void pass(struct smtp_gate_out *g)
{
	if (!g->connected) {
		connect_again(g);
		return;
	}
	if (unknown_params(g))
		return;
	note_passed(g);
	if (g->swept) {
		gate_send_rcpt(g);
		return;
	}
	gate_tell(g, g->mail_line, own_params(g));
	gate_expect(g, EX_MAIL);
	g->swept = true;
	if (g->caps & EHLO_PIPELINING)
		gate_send_rcpt(g);
	else
		g->rcpt_waits = true;
}

/* A literal, or <Postmaster>: whose mailbox that is, only the server knows, and
 * it may be one of a listed domain. A default that protects nothing cannot
 * decide that when something is protected. */
static bool homeless(const struct smtp_gate_out *g,
		     const struct policy_rule *rule)
{
	return g->rcpt.domain_n == 0 && rule->level <= LEVEL_MAY &&
	       policy_protects(g->policy);
}

static void say_homeless(struct smtp_gate_out *g)
{
	gate_answer(g, 553, "5.1.3",
		    "an address without a domain may belong to a protected "
		    "one; write user@domain");
}

/* Where the route of the rule leads. False: it is not asked yet. */
static bool routed(struct smtp_gate_out *g, struct policy_rule *rule)
{
	struct span name = rule->route_name;
	bool v6 = !ip_is_v4(g->route_ip);

	if (name.n == 0)
		return true;
	if (!g->route_asked || !span_eq(smtp_gate_out_route(g), name)) {
		g->route_asked = false;
		memcpy(g->route_name, name.p, name.n);
		g->route_name_n = name.n;
		return false;
	}
	if (g->route_known) {
		memcpy(rule->route[v6].ip, g->route_ip, 16);
		rule->route[v6].port = rule->route_port;
	}
	return true;
}

static void ask_route(struct smtp_gate_out *g)
{
	g->owed = OWE_RCPT;
	gate_wait(g, PH_ROUTE);
	g->wish = GATE_ROUTE;
}

/* What is said, or asked, before the channel counts. False: nothing. */
static bool first_of_all(struct smtp_gate_out *g, struct policy_rule *rule,
			 struct span key)
{
	bool there = policy_lookup(g->policy, key, rule) == OK;
	bool home = there && !homeless(g, rule);
	bool way = home && routed(g, rule);

	if (way && (rule->route_name.n == 0 || g->route_known))
		return false;
	/* Replies before this one must be known, or answers change places. */
	if (g->expect_n > 0)
		return true;
	if (!there)
		gate_answer(g, 451, "4.3.0", "the domain list is damaged");
	else if (!home)
		say_homeless(g);
	else if (!way)
		ask_route(g);
	else
		refuse_unrouted(g, rule);
	return true;
}

static void dial(struct smtp_gate_out *g, const struct policy_rule *rule,
		 struct verdict *v)
{
	if (g->swept) {
		elsewhere(g);
	} else if (g->dials > 0) {
		v->result = TLS_VALIDATION_FAILURE;
		v->permanent = false;
		v->why = "another connection did not help";
		refuse(g, rule, v, &v->dial);
	} else {
		g->dials++;
		g->owed = OWE_RCPT;
		gate_dial_to(g, &v->dial, v->sni, true);
	}
}

static void starttls(struct smtp_gate_out *g, const struct verdict *v)
{
	if (g->swept) {
		elsewhere(g);
		return;
	}
	g->owed = OWE_RCPT;
	gate_offer_name(g, v->sni);
	gate_tell(g, "STARTTLS", NULL);
	gate_wait(g, PH_STARTTLS);
}

static void log_on(struct smtp_gate_out *g, const struct policy_rule *rule)
{
	if (g->swept)
		elsewhere(g);
	else if (!g->connected)
		connect_again(g);
	else
		gate_auth_begin(g, rule);
}

/* "may" asks for nothing, but has TLS where it can be had. With "default clear" it
 * was not begun at EHLO. Not in a transaction that has begun without. */
static bool may_begin(const struct smtp_gate_out *g,
		      const struct policy_rule *rule, bool can_tls)
{
	return rule->level == LEVEL_MAY && can_tls && !g->tls_later &&
	       !g->swept;
}

bool gate_decide(struct smtp_gate_out *g)
{
	struct span key = { (const uint8_t *)g->rcpt.domain, g->rcpt.domain_n };
	struct span used = { (const uint8_t *)g->sni, g->sni_n };
	bool can_tls = g->connected && !g->ch.tls && !g->tls_barred &&
		       g->ch.logon.mech == AUTH_NONE &&
		       (g->caps & EHLO_STARTTLS) != 0;
	struct policy_rule rule;
	struct verdict v;

	memcpy(g->domain, g->rcpt.domain, g->rcpt.domain_n + 1);
	if (first_of_all(g, &rule, key))
		return g->expect_n == 0;
	rule.learned = g->start.learned &&
		       learned_requires(g->start.learned, &rule, key);
	v = policy_decide(&rule, &g->ch, can_tls, used, &g->start.server);
	if (v.decision == DECISION_PASS && may_begin(g, &rule, can_tls))
		v.decision = DECISION_STARTTLS;
	if (g->expect_n > 0 && (v.decision != DECISION_PASS ||
				!(g->caps & EHLO_PIPELINING) || lacks(g)))
		return false;
	switch (v.decision) {
	case DECISION_PASS: pass(g); break;
	case DECISION_STARTTLS: starttls(g, &v); break;
	case DECISION_DIAL: dial(g, &rule, &v); break;
	case DECISION_AUTH: log_on(g, &rule); break;
	case DECISION_REFUSE: refuse(g, &rule, &v, &g->ch.server); break;
	}
	return true;
}

void gate_raise_failed(struct smtp_gate_out *g)
{
	g->owed = OWE_NOTHING;
	gate_wait(g, PH_READY);
	(void)gate_decide(g);
}
