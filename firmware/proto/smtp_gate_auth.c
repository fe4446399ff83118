/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_auth - the log-on that a recipient needs (RFC 4954). What is said is
 * the caller's business; here is who says it when.
 *
 *	wish BEGIN -> AUTH MECH [text] -> 334 -> wish CHALLENGE -> text -> 334 ...
 *	                                  235 -> wish DONE -> decide again
 *	                                  4xx, 5xx -> decide again, which refuses
 *	a wish that fails: "*", and whatever the server says to that
 */
#include "proto/smtp_gate_state.h"

static void wish(struct smtp_gate_out *g, enum gate_auth_step step)
{
	g->auth_step = step;
	g->auth_turn++;
	gate_wait(g, PH_AUTH);
	g->wish = GATE_AUTH;
}

/* It is over, and the recipient is judged by what is known now. */
static void failed(struct smtp_gate_out *g, enum logon_result why)
{
	struct channel_logon *f = &g->ch.logon_failed;
	struct gate_event *ev;
	struct text t;

	*f = (struct channel_logon){ .mech = g->logon.mech, .result = why };
	memcpy(f->account, g->account, g->logon.account.n);
	ev = gate_note(g, GATE_EV_LOGON_FAILED);
	ev->result = TLS_LOGON_FAILED;
	ev->code = g->reply.code;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, auth_mech_word(g->logon.mech));
	text_str(&t, " ");
	text_span(&t, g->logon.account);
	text_str(&t, ": ");
	text_str(&t, logon_why(why));
	gate_raise_failed(g);
}

void gate_auth_begin(struct smtp_gate_out *g, const struct policy_rule *rule)
{
	const struct logon *l = &rule->logon;

	g->owed = OWE_RCPT;
	g->logon = *l;
	/* The rule is the snapshot's, which may go. */
	memcpy(g->account, l->account.p, l->account.n);
	g->logon.account.p = (const uint8_t *)g->account;
	g->auth_seal = rule->level == LEVEL_NTLM_SEAL;
	g->ch.why[0] = '\0';
	/* Exchange 5.5 takes NTLM and does not say so. */
	if ((g->mechs & (1u | 1u << EHLO_AUTH_PLUS) << l->mech) == 0 &&
	    !l->legacy)
		failed(g, LOGON_NOT_OFFERED);
	else
		wish(g, GATE_AUTH_BEGIN);
}

struct gate_auth smtp_gate_out_auth(const struct smtp_gate_out *g)
{
	unsigned plus = 1u << g->logon.mech << EHLO_AUTH_PLUS;

	return (struct gate_auth){ .turn = g->auth_turn,
				   .step = g->auth_step,
				   .logon = g->logon,
				   .seal = g->auth_seal,
				   .plus = (g->mechs & plus) != 0,
				   .text = g->challenge };
}

/* The reply that a log-on waits for, in the words of the server. */
static void quote(struct smtp_gate_out *g)
{
	struct span raw = smtp_reply_raw(&g->reply), line;
	struct text t;

	text_init(&t, g->ch.why, sizeof(g->ch.why));
	text_str(&t, "it said ");
	text_u64(&t, g->reply.code);
	if (smtp_reply_line(&raw, &line) && line.n > 0) {
		text_str(&t, " ");
		text_clean(&t, line);
	}
}

static void challenged(struct smtp_gate_out *g)
{
	struct span raw = smtp_reply_raw(&g->reply), more;

	g->challenge = (struct span){ NULL, 0 };
	(void)smtp_reply_line(&raw, &g->challenge);
	/* RFC 4954 4: one line */
	if (smtp_reply_line(&raw, &more)) {
		gate_broken(g, SERVER, E_PEER_SYNTAX,
			    "a challenge of two lines");
		return;
	}
	wish(g, GATE_AUTH_CHALLENGE);
}

static void cancelled(struct smtp_gate_out *g)
{
	/* Logged on all the same: whoever that is, nothing more is said. */
	if (g->reply.code / 100 == 2) {
		g->connected = false;
		g->caps = g->mechs = 0;
	}
	failed(g, g->ch.logon_failed.result);
}

void gate_auth_reply(struct smtp_gate_out *g)
{
	if (g->phase == PH_CANCEL) {
		cancelled(g);
		return;
	}
	switch (g->reply.code) {
	case 334: challenged(g); return;
	case 235: wish(g, GATE_AUTH_DONE); return;
	}
	if (g->reply.code / 100 == 2) {
		gate_broken(g, SERVER, E_PEER_ORDER,
			    "2xx that is not 235 to AUTH");
		return;
	}
	quote(g);
	failed(g, g->reply.code == 504	     ? LOGON_NOT_OFFERED
		  : g->reply.code / 100 == 4 ? LOGON_REFUSED_NOW
					     : LOGON_REFUSED);
}

/* --- what the caller answers ------------------------------------------------------ */

static bool asked(const struct smtp_gate_out *g)
{
	return g->phase == PH_AUTH && g->wish == GATE_AUTH;
}

void smtp_gate_out_auth_say(struct smtp_gate_out *g, struct span text,
			    bool said, bool plus)
{
	bool first = g->auth_step == GATE_AUTH_BEGIN;

	if (!asked(g))
		return;
	gate_granted(g, GATE_AUTH);
	if ((first &&
	     (buf_put(&g->out_s, SPAN_LIT("AUTH ")) != OK ||
	      buf_put(&g->out_s,
		      span_str(auth_mech_name(g->logon.mech, plus))) != OK)) ||
	    (first && said && buf_put(&g->out_s, SPAN_LIT(" ")) != OK) ||
	    (said && buf_put(&g->out_s, text) != OK) ||
	    buf_put(&g->out_s, SPAN_LIT("\r\n")) != OK) {
		gate_end(g, GATE_ABORT);
		return;
	}
	g->secret_n = g->out_s.tail;
	gate_wait(g, PH_AUTH);
}

void smtp_gate_out_auth_failed(struct smtp_gate_out *g, enum logon_result why)
{
	if (!asked(g))
		return;
	gate_granted(g, GATE_AUTH);
	switch (g->auth_step) {
	case GATE_AUTH_BEGIN: failed(g, why); break;
	case GATE_AUTH_CHALLENGE:
		g->ch.logon_failed.result = why;
		gate_tell(g, "*", NULL);
		gate_wait(g, PH_CANCEL);
		break;
	case GATE_AUTH_DONE:
		/* It takes us for logged on, and is not who it must be. */
		g->connected = false;
		g->caps = g->mechs = 0;
		failed(g, why);
		break;
	}
}

static void note_up(struct smtp_gate_out *g)
{
	struct gate_event *ev = gate_note(g, GATE_EV_LOGON);
	struct text t;

	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, auth_mech_word(g->logon.mech));
	text_str(&t, " ");
	text_span(&t, g->logon.account);
	if (g->ch.logon.bits > 0) {
		text_str(&t, " sealed ");
		text_u64(&t, g->ch.logon.bits);
	}
}

void smtp_gate_out_auth_up(struct smtp_gate_out *g,
			   const struct channel_logon *l)
{
	struct channel_logon *own = &g->ch.logon;

	if (!asked(g) || g->auth_step != GATE_AUTH_DONE)
		return;
	gate_granted(g, GATE_AUTH);
	*own = *l;
	own->mech = g->logon.mech;
	own->result = LOGON_OK;
	memset(own->account, 0, sizeof(own->account));
	memcpy(own->account, g->account, g->logon.account.n);
	note_up(g);
	if (own->bits == 0) {
		gate_ready(g);
		return;
	}
	/* RFC 4954 4: forget what was said before the layer. */
	g->caps = g->mechs = 0;
	smtp_reply_init(&g->reply, g->reply_mem, sizeof(g->reply_mem));
	gate_tell(g, "EHLO ", g->helo);
	gate_wait(g, PH_EHLO);
}
