/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_client - a command of the client: answered here, held, or sent on.
 * What is not understood is never sent on.
 */
#include "proto/smtp_gate_state.h"

void gate_error(struct smtp_gate_out *g, uint16_t code, const char *status,
		const char *text)
{
	if (++g->errors > GATE_ERRORS) {
		gate_answer(g, 421, "4.7.0", "too many errors");
		gate_end(g, GATE_CLOSE);
		return;
	}
	gate_answer(g, code, status, text);
}

/* A name that can be said again: printable, no space. */
static bool good_name(struct span s)
{
	if (s.n == 0 || s.n > DOMAIN_MAX + 2)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	return true;
}

static void hello(struct smtp_gate_out *g, struct span name, bool esmtp)
{
	if (!good_name(name)) {
		gate_error(g, 501, "5.5.4",
			   "the name after EHLO is not a host name");
		return;
	}
	gate_clear_transaction(g);
	memcpy(g->helo, name.p, name.n);
	g->helo[name.n] = '\0';
	g->esmtp = esmtp;
	g->owed = OWE_EHLO;
	if (!g->connected) {
		gate_ready(g);
		return;
	}
	gate_tell(g, "EHLO ", g->helo);
	gate_wait(g, PH_EHLO);
}

static void bad_path(struct smtp_gate_out *g, enum smtp_path_error e)
{
	struct smtp_path_reply r = smtp_path_reply(e);

	gate_error(g, r.code, r.status, r.text);
}

static const struct {
	const char *key;
	bool mail;
	unsigned needs;
} params[] = {
	{ "SIZE", true, EHLO_SIZE },	     { "BODY", true, EHLO_8BITMIME },
	{ "SMTPUTF8", true, EHLO_SMTPUTF8 }, { "RET", true, EHLO_DSN },
	{ "ENVID", true, EHLO_DSN },	     { "NOTIFY", false, EHLO_DSN },
	{ "ORCPT", false, EHLO_DSN },
};

/* The capabilities that the parameters need. False: one that was not offered,
 * and it has been said. */
static bool check_params(struct smtp_gate_out *g, const struct smtp_path *p,
			 bool mail, unsigned *needs)
{
	const size_t n = sizeof(params) / sizeof(params[0]);

	*needs = 0;
	for (size_t i = 0; i < p->param_n; i++) {
		const struct smtp_param *q = &p->param[i];
		size_t k = 0;

		while (k < n &&
		       !(params[k].mail == mail &&
			 span_eq_nocase(q->key, span_str(params[k].key))))
			k++;
		if (k == n || (params[k].needs & ~g->shown) != 0 ||
		    (params[k].needs == EHLO_8BITMIME &&
		     span_eq_nocase(q->value, SPAN_LIT("BINARYMIME")))) {
			gate_error(g, 555, "5.5.4",
				   "a parameter that was not offered");
			return false;
		}
		*needs |= params[k].needs;
	}
	return true;
}

static void build(char *to, const char *verb, const struct smtp_path *p)
{
	struct text t;

	text_init(&t, to, GATE_LINE + 16);
	text_str(&t, verb);
	text_str(&t, p->text);
	for (size_t i = 0; i < p->param_n; i++) {
		text_str(&t, " ");
		text_span(&t, p->param[i].key);
		if (p->param[i].value.n > 0) {
			text_str(&t, "=");
			text_span(&t, p->param[i].value);
		}
	}
}

static bool has_utf8(const struct smtp_path *p)
{
	for (size_t i = 0; i < p->param_n; i++)
		for (size_t k = 0; k < p->param[i].value.n; k++)
			if (p->param[i].value.p[k] >= 0x80)
				return true;
	return p->utf8;
}

static void mail(struct smtp_gate_out *g, struct span arg)
{
	enum smtp_path_error e;
	struct smtp_path p;

	if (!g->helo_done || g->mail_held) {
		gate_error(g, 503, "5.5.1",
			   g->mail_held ? "MAIL was said already"
					: "say EHLO first");
		return;
	}
	e = smtp_path_parse(&p, arg, true);
	if (e != PATH_OK) {
		bad_path(g, e);
		return;
	}
	if (!check_params(g, &p, true, &g->mail_needs))
		return;
	g->smtputf8 = g->mail_needs & EHLO_SMTPUTF8;
	if (has_utf8(&p) && !g->smtputf8) {
		gate_error(g, 550, "5.6.7",
			   "an address in UTF-8 needs SMTPUTF8");
		return;
	}
	build(g->mail_line, "MAIL FROM:", &p);
	g->mail_held = true;
	gate_answer(g, 250, "2.1.0", "ok");
}

/* False: replies must come before the answer to this one. */
static bool rcpt(struct smtp_gate_out *g, struct span arg)
{
	enum smtp_path_error e;

	if (!g->mail_held) {
		if (g->expect_n > 0)
			return false;
		gate_error(g, 503, "5.5.1", "say MAIL first");
		return true;
	}
	if (g->expect_n + 2 >= GATE_EXPECT || g->rcpt_waits)
		return false;
	e = smtp_path_parse(&g->rcpt, arg, false);
	if (e == PATH_OK && has_utf8(&g->rcpt) && !g->smtputf8)
		e = PATH_DOMAIN;
	if (e != PATH_OK) {
		if (g->expect_n > 0)
			return false;
		bad_path(g, e);
		return true;
	}
	if (g->expect_n > 0 && g->rcpt.param_n > 0)
		return false;
	if (!check_params(g, &g->rcpt, false, &g->rcpt_needs))
		return true;
	build(g->rcpt_line, "RCPT TO:", &g->rcpt);
	g->dials = 0;
	if (!g->swept) /* one transaction goes one way */
		g->route_asked = false;
	return gate_decide(g);
}

static void data(struct smtp_gate_out *g)
{
	if (!g->swept || g->accepted == 0) {
		gate_error(g, 503, "5.5.1", "no recipient was accepted");
		return;
	}
	gate_tell(g, "DATA", NULL);
	gate_wait(g, PH_DATA);
}

static void rset(struct smtp_gate_out *g)
{
	bool swept = g->swept;

	gate_clear_transaction(g);
	if (!swept) {
		gate_answer(g, 250, "2.0.0", "ok");
		return;
	}
	gate_tell(g, "RSET", NULL);
	gate_expect(g, EX_RSET);
	gate_wait(g, PH_READY);
}

static void noop(struct smtp_gate_out *g)
{
	if (!g->connected) {
		gate_answer(g, 250, "2.0.0", "ok");
		return;
	}
	gate_tell(g, "NOOP", NULL);
	gate_expect(g, EX_NOOP);
	gate_wait(g, PH_READY);
}

static void quit(struct smtp_gate_out *g)
{
	if (!g->connected) {
		gate_answer(g, 221, "2.0.0", "bye");
		gate_end(g, GATE_CLOSE);
		return;
	}
	gate_tell(g, "QUIT", NULL);
	gate_wait(g, PH_QUIT);
}

bool gate_command(struct smtp_gate_out *g, struct span line)
{
	struct smtp_cmd c = smtp_cmd_parse(line);

	if (c.verb == VERB_RCPT)
		return rcpt(g, c.arg);
	if (g->expect_n > 0)
		return false; /* answers stay in order */
	switch (c.verb) {
	case VERB_EHLO: hello(g, c.arg, true); break;
	case VERB_HELO: hello(g, c.arg, false); break;
	case VERB_MAIL: mail(g, c.arg); break;
	case VERB_RCPT: break;
	case VERB_DATA: data(g); break;
	case VERB_RSET: rset(g); break;
	case VERB_NOOP: noop(g); break;
	case VERB_QUIT: quit(g); break;
	case VERB_BDAT:
		/* Its octets follow at once and must never be read as
		 * commands. */
		gate_answer(g, 503, "5.5.1", "BDAT is not offered");
		gate_end(g, GATE_CLOSE);
		break;
	case VERB_VRFY:
		gate_answer(g, 252, "2.1.5",
			    "cannot verify; send mail and see");
		break;
	case VERB_HELP:
		gate_answer(g, 214, "2.0.0",
			    "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT");
		break;
	case VERB_EXPN:
	case VERB_STARTTLS:
	case VERB_AUTH:
	case VERB_UNKNOWN:
		gate_error(g, 502, "5.5.1", "command not offered");
		break;
	case VERB_GARBAGE:
		g->errors += GATE_GARBAGE;
		gate_error(g, 500, "5.5.2", "not a command");
		break;
	case VERB_FOREIGN:
		gate_answer(g, 521, NULL, "this is SMTP");
		gate_end(g, GATE_CLOSE);
		break;
	}
	return true;
}
