/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_in_client - a command of the client: sent on as it came, or answered
 * here. What is not understood is never sent on: a server that understood it
 * would see another conversation than we do.
 */
#include "proto/smtp_gate_in_state.h"

static void close_421(struct smtp_gate_in *g)
{
	gin_answer(g, 421, "4.7.0", "too many errors");
	gin_end(g, GATE_CLOSE);
}

void gin_error(struct smtp_gate_in *g, uint16_t code, const char *status,
	       const char *text)
{
	if (++g->errors > GIN_ERRORS)
		close_421(g);
	else
		gin_answer(g, code, status, text);
}

void gin_garbage(struct smtp_gate_in *g, const char *text)
{
	if (++g->garbage >= GIN_GARBAGE)
		close_421(g);
	else
		gin_error(g, 500, "5.5.2", text);
}

void gin_foreign(struct smtp_gate_in *g)
{
	struct gate_event *ev = gin_note(g, GATE_EV_PROTOCOL);
	struct text t;

	ev->side = CLIENT;
	ev->error = E_PEER_SYNTAX;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, "another protocol than SMTP");
	gin_answer(g, 521, NULL, "this is SMTP");
	gin_end(g, GATE_CLOSE);
}

static void hello(struct smtp_gate_in *g, struct span line, struct span name,
		  enum gin_phase wait)
{
	struct text t;

	/* Said again if the server knows no EHLO. */
	text_init(&t, g->helo, sizeof(g->helo));
	text_span(&t, name);
	g->helo_done = false;
	g->mail = false;
	gin_tell(g, line, wait);
}

static void starttls(struct smtp_gate_in *g, struct span arg)
{
	if (arg.n > 0) {
		gin_error(g, 501, "5.5.4", "STARTTLS takes no parameter");
	} else if (g->ch.tls) {
		gin_error(g, 503, "5.5.1", "this is TLS already");
	} else if (g->ch.logon.bits > 0) {
		gin_error(g, 503, "5.5.1", "not within a seal");
	} else if (!g->can_tls) {
		gin_error(g, 502, "5.5.1", "command not offered");
	} else if (g->mail) {
		gin_error(g, 503, "5.5.1", "not within a mail transaction");
	} else {
		gin_answer(g, 220, "2.0.0", "ready to start TLS");
		gin_wait(g, GIN_TLS);
		if (g->wish == GATE_NOTHING)
			g->wish = GATE_STARTTLS;
	}
}

static void refuse(struct smtp_gate_in *g, const struct inbound_rule *rule,
		   enum tls_result result, const char *why)
{
	struct gate_event *ev = gin_note(g, GATE_EV_MAIL_REFUSED);
	/* It cannot say STARTTLS if we cannot: that will be mended. */
	bool ours = result == TLS_STARTTLS_NOT_SUPPORTED && !g->can_tls;
	struct text t;

	if (ours)
		why = "STARTTLS cannot be offered at the moment";
	ev->code = ours ? 454 : 530;
	ev->result = result;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, why);
	text_init(&t, g->refusal_mem, sizeof(g->refusal_mem));
	text_str(&t, "mail from ");
	text_str(&t, g->domain);
	text_str(&t, " must come ");
	inbound_say(rule, &t);
	text_str(&t, ": ");
	text_str(&t, why);
	text_str(&t, " (policy for ");
	text_span(&t, rule->name);
	text_str(&t, ", line ");
	text_u64(&t, rule->line);
	text_str(&t, ")");
	g->held = (struct gin_refusal){ ev->code, ours ? "4.7.0" : "5.7.0",
					g->refusal_mem };
	gin_hold(g, g->wait_ms);
}

/* May mail from this sender come on this channel? False: it has been told. */
static bool judge(struct smtp_gate_in *g, struct span arg)
{
	enum smtp_path_error e;
	struct inbound_rule rule;
	enum tls_result result;
	struct smtp_path p;
	const char *why;

	/* Strict only where something depends on it. */
	if (g->policy->inbound_n == 0)
		return true;
	e = smtp_path_parse(&p, arg, true);
	/* Completed by the server, it may be one of those that are named. */
	if (e == PATH_OK && p.domain_n > 0 && !strchr(p.domain, '.'))
		e = PATH_DOMAIN;
	if (e != PATH_OK) {
		struct smtp_path_reply r = smtp_path_reply(e);

		gin_error(g, r.code, r.status, r.text);
		return false;
	}
	memcpy(g->domain, p.domain, p.domain_n + 1);
	if (inbound_lookup(g->policy,
			   (struct span){ (uint8_t *)p.domain, p.domain_n },
			   &rule) != OK) {
		gin_answer(g, 451, "4.3.0", "the list of domains is damaged");
		return false;
	}
	why = inbound_lacks(&rule, &g->ch, &result);
	if (why)
		refuse(g, &rule, result, why);
	return why == NULL;
}

static bool begins(struct span s, struct span word)
{
	return s.n >= word.n &&
	       span_eq_nocase((struct span){ s.p, word.n }, word);
}

/* Is this a parameter, and the blank before it, for who offered it: us? What was
 * shown counts, whatever the settings have become since: the server inside would
 * refuse a word that it does not know. */
static bool for_us(const struct smtp_gate_in *g, struct span s)
{
	const struct span box = SPAN_LIT(" " EHLO_BOX_WORD);

	if (g->policy->settings.inbound_mechs != 0 &&
	    begins(s, SPAN_LIT(" AUTH=")))
		return true;
	return g->box_shown && begins(s, box) &&
	       (s.n == box.n || s.p[box.n] == ' ');
}

/* A line without those. Written to mem, which has room for any line. Within the
 * quotes of a path nothing is a parameter: who could take octets out there would name
 * one sender to us and another to the server. */
static struct span without_ours(const struct smtp_gate_in *g, struct span line,
				uint8_t *mem)
{
	bool path = true, quoted = false;
	size_t n = 0, i = 0;

	while (i < line.n) {
		if (!quoted && for_us(g, span_skip(line, i))) {
			for (i++; i < line.n && line.p[i] != ' '; i++)
				;
			continue;
		}
		if (quoted && line.p[i] == '\\' && i + 1 < line.n)
			mem[n++] = line.p[i++];
		else if (path && line.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && line.p[i] == '>')
			path = false;
		mem[n++] = line.p[i++];
	}
	return (struct span){ mem, n };
}

/* Does the client say that it is a box, and whose mail does it bring? */
static void recognise(struct smtp_gate_in *g, struct span arg)
{
	struct smtp_path p;
	size_t i = 0;

	if (!g->box_shown || smtp_path_parse(&p, arg, true) != PATH_OK)
		return;
	while (i < p.param_n &&
	       !(p.param[i].value.n == 0 &&
		 span_eq_nocase(p.param[i].key, span_str(EHLO_BOX_WORD))))
		i++;
	if (i < p.param_n)
		memcpy(gin_note(g, GATE_EV_BOX_CALLS)->domain, p.domain,
		       p.domain_n + 1);
}

static void mail(struct smtp_gate_in *g, struct span line, struct span arg)
{
	uint8_t mem[GIN_COMMAND];

	/* After STARTTLS the server has an EHLO that does not count. */
	if (!g->helo_done) {
		gin_error(g, 503, "5.5.1", "say EHLO first");
	} else if (g->mail) {
		gin_error(g, 503, "5.5.1", "MAIL was said already");
	} else if (g->tls_only && !g->ch.tls) {
		gin_error(
			g, 530, "5.7.0",
			"on this port mail must come inside TLS; say STARTTLS "
			"first");
	} else {
		recognise(g, arg);
		if (judge(g, arg))
			gin_tell(g, without_ours(g, line, mem), GIN_MAIL);
	}
}

void gin_command(struct smtp_gate_in *g, struct span line)
{
	struct smtp_cmd c = smtp_cmd_parse(line);

	if (g->phase == GIN_ANSWER) {
		gin_auth_line(g, line);
		return;
	}
	if (line.n > GIN_COMMAND && c.verb != VERB_AUTH) {
		gin_garbage(g, "line too long");
		return;
	}
	switch (c.verb) {
	case VERB_EHLO: hello(g, line, c.arg, GIN_EHLO); break;
	case VERB_HELO: hello(g, line, c.arg, GIN_OLD_HELO); break;
	case VERB_STARTTLS: starttls(g, c.arg); break;
	case VERB_MAIL: mail(g, line, c.arg); break;
	case VERB_DATA: gin_tell(g, line, GIN_DATA); break;
	case VERB_RSET: gin_tell(g, line, GIN_RSET); break;
	case VERB_QUIT: gin_tell(g, line, GIN_QUIT); break;
	case VERB_RCPT:
	case VERB_NOOP:
	case VERB_VRFY:
	case VERB_EXPN:
	case VERB_HELP: gin_tell(g, line, GIN_OTHER); break;
	case VERB_BDAT:
		/* Its octets follow at once and must never be read as
		 * commands. */
		gin_answer(g, 503, "5.5.1", "BDAT is not offered");
		gin_end(g, GATE_CLOSE);
		break;
	case VERB_AUTH: gin_auth(g, c.arg); break;
	case VERB_UNKNOWN:
		gin_error(g, 502, "5.5.1", "command not offered");
		break;
	case VERB_GARBAGE: gin_garbage(g, "not a command"); break;
	case VERB_FOREIGN: gin_foreign(g); break;
	}
}
