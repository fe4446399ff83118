/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_server - what a reply of the server means, by phase.
 *
 *	GREETING -220-> [client says EHLO] -> EHLO -> STARTTLS -> TLS -> EHLO
 *	                                       |         |
 *	                                       +---------+--> READY
 *	READY: replies to MAIL, RCPT, RSET, NOOP in the order of the queue
 *	DATA -354-> BODY -> DOT -> READY
 */
#include "proto/smtp_gate_state.h"

static bool positive(const struct smtp_gate_out *g)
{
	return g->reply.code / 100 == 2;
}

static void greeting(struct smtp_gate_out *g)
{
	if (g->owed != OWE_NOTHING) { /* a connection that we made */
		if (g->reply.code == 220) {
			gate_tell(g, "EHLO ", g->helo);
			gate_wait(g, PH_EHLO);
		} else {
			gate_server_lost(g, "it greeted with a refusal");
		}
		return;
	}
	gate_pass(g);
	g->greeted = true;
	if (g->reply.code == 220)
		gate_wait(g, PH_READY);
	else
		gate_end(g, GATE_CLOSE);
}

static void no_starttls(struct smtp_gate_out *g, const char *why)
{
	struct text t;

	g->tls_barred = true;
	g->ch.missing = TLS_STARTTLS_NOT_SUPPORTED;
	text_init(&t, g->ch.why, sizeof(g->ch.why));
	text_str(&t, why);
	/* What is remembered is of the server that the client called. */
	if (g->start.starttls_before &&
	    endpoint_eq(&g->ch.server, &g->start.server)) {
		struct gate_event *ev = gate_note(g, GATE_EV_STARTTLS_VANISHED);

		ev->result = TLS_STARTTLS_NOT_SUPPORTED;
		g->start.starttls_before = false; /* said once */
	}
}

/* Can one recipient need another channel than the next? */
static bool domains_differ(const struct smtp_gate_out *g)
{
	struct policy_rule r;

	return g->policy->rules_n > 0 ||
	       (policy_rule_at(g->policy, g->policy->rules_n, &r) == OK &&
		r.learn);
}

/* EHLO was answered with what the client may know. */
static void show_caps(struct smtp_gate_out *g)
{
	int e;

	g->shown = g->caps & EHLO_SHOWN;
	/* RFC 9422: who knows it does not mix domains in one transaction. */
	e = smtp_ehlo_write(&g->out_c, smtp_reply_raw(&g->reply),
			    domains_differ(g) ? "LIMITS RCPTDOMAINMAX=1"
					      : NULL);
	if (e != OK)
		gate_broken(g, SERVER, E_PEER_LONG, "capability list");
}

/* HELO, or no server: one line is all there is to say. */
static void show_name(struct smtp_gate_out *g)
{
	struct span raw = smtp_reply_raw(&g->reply), line = { NULL, 0 };
	char name[400];
	struct text t;

	text_init(&t, name, sizeof(name));
	if (g->connected && smtp_reply_line(&raw, &line))
		text_clean(&t, line);
	else
		text_ip(&t, g->start.server.ip);
	if (!g->esmtp || g->connected) {
		g->shown = 0;
		gate_answer(g, 250, NULL, name);
		return;
	}
	g->shown = EHLO_ENHANCED;
	if (buf_put(&g->out_c, SPAN_LIT("250-")) != OK ||
	    buf_put(&g->out_c, text_done(&t)) != OK ||
	    buf_put(&g->out_c, SPAN_LIT("\r\n250-ENHANCEDSTATUSCODES\r\n"
					"250 PIPELINING\r\n")) != OK)
		gate_end(g, GATE_ABORT);
}

void gate_ready(struct smtp_gate_out *g)
{
	enum gate_owed owed = g->owed;

	g->owed = OWE_NOTHING;
	gate_wait(g, PH_READY);
	switch (owed) {
	case OWE_NOTHING: break;
	case OWE_EHLO:
		g->helo_done = true;
		if (g->esmtp && g->connected && positive(g))
			show_caps(g);
		else
			show_name(g);
		break;
	case OWE_RCPT: (void)gate_decide(g); break;
	}
}

/* The server knows no EHLO: a mail server of before 1995, or a firewall that
 * speaks for it. */
static void ehlo_refused(struct smtp_gate_out *g)
{
	if (g->reply.code / 100 == 4) {
		if (g->owed == OWE_RCPT) {
			gate_server_lost(g, "it refused EHLO for now");
			return;
		}
		g->owed = OWE_NOTHING;
		gate_pass(g);
		gate_wait(g, PH_READY);
		return;
	}
	if (!g->ch.tls && g->ch.logon.mech == AUTH_NONE)
		no_starttls(g, "it does not know EHLO");
	if (g->owed == OWE_EHLO && g->esmtp) {
		g->owed = OWE_NOTHING;
		gate_pass(g); /* the client will say HELO */
		gate_wait(g, PH_READY);
		return;
	}
	gate_tell(g, "HELO ", g->helo);
	gate_wait(g, PH_HELO);
}

static void ehlo(struct smtp_gate_out *g)
{
	bool tls_here, wanted;

	if (!positive(g)) {
		ehlo_refused(g);
		return;
	}
	g->caps = smtp_ehlo_parse(smtp_reply_raw(&g->reply));
	g->mechs = smtp_ehlo_auth(smtp_reply_raw(&g->reply));
	if (g->ch.logon.half_duplex)
		g->caps &= ~(unsigned)EHLO_PIPELINING;
	if (g->ch.tls || g->ch.logon.mech != AUTH_NONE) {
		gate_ready(g);
		return;
	}
	tls_here = (g->caps & EHLO_STARTTLS) != 0;
	wanted = (gate_default_level(g) != LEVEL_CLEAR && !g->tls_later) ||
		 g->owed == OWE_RCPT;
	if (!tls_here && !g->tls_barred)
		no_starttls(g, "it does not offer STARTTLS");
	if (tls_here && wanted && !g->tls_barred) {
		gate_tell(g, "STARTTLS", NULL);
		gate_wait(g, PH_STARTTLS);
		return;
	}
	gate_ready(g);
}

static void starttls(struct smtp_gate_out *g)
{
	char why[40];
	struct text t;

	if (g->reply.code == 220) {
		gate_wait(g, PH_TLS);
		g->wish = GATE_STARTTLS;
		return;
	}
	text_init(&t, why, sizeof(why));
	text_str(&t, "it answered ");
	text_u64(&t, g->reply.code);
	text_str(&t, " to STARTTLS");
	no_starttls(g, why);
	if (positive(g)) {
		gate_broken(g, SERVER, E_PEER_ORDER, why);
		return;
	}
	/* Once more, for a capability list to show. */
	gate_tell(g, "EHLO ", g->helo);
	gate_wait(g, PH_EHLO);
}

static void mail_answered(struct smtp_gate_out *g)
{
	struct span raw = smtp_reply_raw(&g->reply);

	g->mail_refusal_n = 0;
	if (positive(g)) {
		if (g->rcpt_waits)
			gate_send_rcpt(g);
		return;
	}
	/* It answers the RCPT that made us say MAIL. */
	g->swept = false;
	if (g->rcpt_waits) {
		g->rcpt_waits = false;
		gate_pass(g);
		return;
	}
	memcpy(g->refusal, raw.p, raw.n);
	g->mail_refusal_n = raw.n;
}

static void rcpt_answered(struct smtp_gate_out *g)
{
	if (g->mail_refusal_n > 0 && !positive(g)) {
		struct span s = { g->refusal, g->mail_refusal_n };

		if (buf_put(&g->out_c, s) != OK)
			gate_end(g, GATE_ABORT);
		return;
	}
	if (g->mail_refusal_n > 0) {
		gate_broken(g, SERVER, E_PEER_ORDER,
			    "it refused MAIL and took RCPT");
		return;
	}
	if (positive(g))
		g->accepted++;
	gate_pass(g);
}

static void queued(struct smtp_gate_out *g)
{
	enum gate_expect what;

	if (g->expect_n == 0) {
		if (g->reply.code == 421 && g->greeted) {
			gate_pass(g);
			gate_end(g, GATE_CLOSE);
		} else {
			gate_broken(g, SERVER, E_PEER_ORDER,
				    "a reply that nobody asked for");
		}
		return;
	}
	what = (enum gate_expect)g->expect[g->expect_at];
	g->expect_at = (g->expect_at + 1) % GATE_EXPECT;
	g->expect_n--;
	gate_wait(g, PH_READY);
	switch (what) {
	case EX_MAIL: mail_answered(g); break;
	case EX_RCPT: rcpt_answered(g); break;
	case EX_RSET:
	case EX_NOOP: gate_pass(g); break;
	}
}

static void data_answered(struct smtp_gate_out *g)
{
	if (positive(g)) {
		gate_broken(g, SERVER, E_PEER_ORDER, "2xx to DATA");
		return;
	}
	gate_pass(g);
	if (g->reply.code == 354) {
		smtp_message_begin(&g->message,
				   !g->policy->settings.bare_eol_pass);
		gate_wait(g, PH_BODY);
	} else {
		gate_wait(g, PH_READY);
	}
}

static void message_answered(struct smtp_gate_out *g)
{
	struct gate_event *ev;

	/* It cannot have taken what it has not got. */
	if (positive(g) && buf_span(&g->out_s).n > 0) {
		g->cut = true;
		gate_broken(g, SERVER, E_PEER_ORDER,
			    "it answered before the end of the message");
		return;
	}
	ev = gate_note(g,
		       positive(g) ? GATE_EV_MESSAGE : GATE_EV_MESSAGE_REFUSED);
	ev->code = g->reply.code;
	ev->protected_ = g->ch.tls || g->ch.logon.bits > 0;
	ev->bytes = g->message.bytes;
	if (positive(g))
		g->messages++;
	gate_pass(g);
	gate_clear_transaction(g);
	gate_wait(g, PH_READY);
}

/* An answer before the end of the message: a refusal is one, and what the server
 * says to the client when all is read (552: too big). Anything else is none. */
static void early(struct smtp_gate_out *g)
{
	struct span raw = smtp_reply_raw(&g->reply);

	gate_swallow(g, 451, "4.5.0",
		     "the server answered before the end of the message");
	if (g->reply.code < 400)
		return;
	memcpy(g->refusal, raw.p, raw.n);
	g->swallow_n = raw.n;
}

void gate_reply(struct smtp_gate_out *g)
{
	/* To a client it could be the word to send a message, which would be
	 * read as commands here. */
	if (g->reply.code / 100 == 3 &&
	    !(g->phase == PH_DATA && g->reply.code == 354) &&
	    !(g->phase == PH_AUTH && g->reply.code == 334) &&
	    g->phase != PH_BODY && g->phase != PH_SWALLOW) {
		gate_broken(g, SERVER, E_PEER_ORDER, "3xx where none belongs");
		return;
	}
	/* The server goes (RFC 5321 3.8): so do we, after what it said. */
	if (g->reply.code == 421 && g->greeted && g->phase != PH_QUIT &&
	    g->phase != PH_BODY && g->phase != PH_SWALLOW &&
	    g->phase != PH_READY) {
		if (g->owed == OWE_RCPT) {
			gate_server_lost(g, "it closed with 421");
			return;
		}
		gate_pass(g);
		gate_end(g, GATE_CLOSE);
		return;
	}
	switch (g->phase) {
	case PH_GREETING: greeting(g); break;
	case PH_READY: queued(g); break;
	case PH_EHLO: ehlo(g); break;
	case PH_HELO:
		if (positive(g)) {
			g->caps = g->mechs = 0;
			gate_ready(g);
		} else {
			gate_server_lost(g, "it refused HELO");
		}
		break;
	case PH_STARTTLS: starttls(g); break;
	case PH_AUTH:
	case PH_CANCEL: gate_auth_reply(g); break;
	case PH_DATA: data_answered(g); break;
	case PH_DOT: message_answered(g); break;
	case PH_QUIT:
		gate_pass(g);
		gate_end(g, GATE_CLOSE);
		break;
	case PH_BODY: early(g); break;
	case PH_TLS:
	case PH_DIAL:
	case PH_ROUTE:
	case PH_SWALLOW:
	case PH_END: break;
	}
}
