/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_in_auth - a partner logs on (RFC 4954). What is said is judged by the
 * caller; here is who says it when. The server inside hears nothing of it.
 *
 *	READY --AUTH--> AUTH (wish) --ask--> ANSWER --line--> AUTH ...
 *	                            --known--> READY, or SEAL (wish) -> READY
 *	                            --unknown--> HOLD --time--> READY
 */
#include "base/wipe.h"
#include "proto/smtp_gate_in_state.h"

/* Bits of enum auth_mech. */
static uint32_t offered(const struct smtp_gate_in *g)
{
	uint32_t m = g->policy->settings.inbound_mechs;

	for (enum auth_mech i = AUTH_PLAIN; i < AUTH_MECHS; i++)
		if (logon_shows_password(i) && !g->ch.tls)
			m &= ~(1u << i);
	return g->ch.logon.mech == AUTH_NONE ? m : 0;
}

void gin_auth_offer(const struct smtp_gate_in *g, struct text *out)
{
	uint32_t mechs = offered(g);

	if (mechs == 0)
		return;
	text_str(out, "AUTH");
	for (enum auth_mech i = AUTH_MECHS - 1; i > AUTH_NONE; i--) {
		const char *plus = auth_mech_name(i, true);
		const char *name = auth_mech_name(i, false);

		if ((mechs & 1u << i) == 0)
			continue;
		if (g->ch.binding.exporter_there && strcmp(plus, name) != 0) {
			text_str(out, " ");
			text_str(out, plus);
		}
		text_str(out, " ");
		text_str(out, name);
	}
}

/* --- what the client says --------------------------------------------------------- */

static void ask(struct smtp_gate_in *g, bool first, struct span text)
{
	g->heard.turn++;
	g->heard.first = first;
	g->heard.text = text;
	gin_wait(g, GIN_AUTH);
	if (g->wish == GATE_NOTHING)
		g->wish = GATE_AUTH;
}

/* What is over, for whatever reason, and what the client hears of it. */
static void over(struct smtp_gate_in *g, struct gin_refusal r, const char *why)
{
	struct gate_event *ev = gin_note(g, GATE_EV_LOGON_FAILED);
	struct text t;

	ev->code = r.code;
	ev->result = TLS_LOGON_FAILED;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, auth_mech_word(g->heard.mech));
	text_str(&t, ": ");
	text_str(&t, why);
	/* What is no wrong password is an error like others, but costs more. */
	if (r.code == 535 ? ++g->logons_failed >= GIN_LOGONS
			  : ++g->errors > GIN_ERRORS)
		r = (struct gin_refusal){ 421, "4.7.0",
					  "too many failed log-ons" };
	g->held = r;
}

void gin_auth(struct smtp_gate_in *g, struct span arg)
{
	struct span name = arg, text;
	bool plus;

	name.n = 0;
	while (name.n < arg.n && arg.p[name.n] != ' ')
		name.n++;
	text = span_skip(arg, name.n);
	while (text.n > 0 && text.p[0] == ' ')
		text = span_skip(text, 1);
	g->heard.mech = auth_mech_of(name, &plus);
	g->heard.plus = plus;
	g->heard.initial = text.n > 0;
	if (g->policy->settings.inbound_mechs == 0)
		gin_error(g, 502, "5.5.1", "command not offered");
	else if (!g->helo_done)
		gin_error(g, 503, "5.5.1", "say EHLO first");
	else if (g->ch.logon.mech != AUTH_NONE)
		gin_error(g, 503, "5.5.1", "somebody has logged on already");
	else if (g->mail)
		gin_error(g, 503, "5.5.1", "not within a mail transaction");
	else if (name.n == 0)
		gin_error(g, 501, "5.5.4", "a mechanism must follow");
	else if (logon_shows_password(g->heard.mech) && !g->ch.tls)
		gin_error(g, 538, "5.7.11", "only inside TLS");
	else if ((offered(g) & 1u << g->heard.mech) == 0 ||
		 (plus && !g->ch.binding.exporter_there))
		gin_error(g, 504, "5.5.4", "mechanism not offered");
	else
		ask(g, true, text);
}

void gin_auth_line(struct smtp_gate_in *g, struct span line)
{
	if (!span_eq(line, SPAN_LIT("*"))) {
		ask(g, false, line);
		return;
	}
	over(g, (struct gin_refusal){ 501, "5.7.0", "log-on given up" },
	     "the client gave it up");
	gin_held(g);
}

void gin_auth_long(struct smtp_gate_in *g)
{
	over(g, (struct gin_refusal){ 500, "5.5.6", "line too long" },
	     "line too long");
	gin_held(g);
}

/* --- what the caller answers ------------------------------------------------------ */

struct gate_heard smtp_gate_in_heard(const struct smtp_gate_in *g)
{
	return g->heard;
}

/* Does anybody wait for it? Then what the client said can be forgotten. */
static bool granted(struct smtp_gate_in *g, enum gin_phase phase,
		    enum gate_wish wish)
{
	if (g->phase != phase || g->wish != wish)
		return false;
	g->wish = GATE_NOTHING;
	if (phase == GIN_AUTH) {
		wipe(g->line_mem, sizeof(g->line_mem));
		g->heard.text = (struct span){ NULL, 0 };
	}
	return true;
}

void smtp_gate_in_auth_ask(struct smtp_gate_in *g, struct span text)
{
	if (!granted(g, GIN_AUTH, GATE_AUTH))
		return;
	if (buf_put(&g->out_c, SPAN_LIT("334 ")) != OK ||
	    buf_put(&g->out_c, text) != OK ||
	    buf_put(&g->out_c, SPAN_LIT("\r\n")) != OK)
		gin_end(g, GATE_ABORT);
	gin_wait(g, GIN_ANSWER);
}

void smtp_gate_in_auth_known(struct smtp_gate_in *g, struct span account,
			     const struct channel_logon *l)
{
	struct channel_logon *own = &g->ch.logon;
	struct gate_event *ev;
	struct text t;

	if (!granted(g, GIN_AUTH, GATE_AUTH))
		return;
	*own = *l;
	own->mech = g->heard.mech;
	own->result = LOGON_OK;
	text_init(&t, own->account, sizeof(own->account));
	text_clean(&t, account);
	ev = gin_note(g, GATE_EV_LOGON);
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, auth_mech_word(own->mech));
	text_str(&t, " ");
	text_str(&t, own->account);
	if (own->bits > 0) {
		text_str(&t, " sealed ");
		text_u64(&t, own->bits);
	}
	gin_answer(g, 235, "2.7.0", "logged on");
	if (own->bits == 0) {
		gin_wait(g, GIN_READY);
		return;
	}
	gin_wait(g, GIN_SEAL);
	if (g->wish == GATE_NOTHING)
		g->wish = GATE_SEAL;
}

static struct gin_refusal refusal_of(enum logon_result why)
{
	switch (why) {
	case LOGON_REFUSED:
		return (struct gin_refusal){ 535, "5.7.8", "log-on refused" };
	case LOGON_REFUSED_NOW:
		return (struct gin_refusal){ 454, "4.7.0",
					     "too many failed log-ons from "
					     "there; try again later" };
	case LOGON_WEAK:
		return (struct gin_refusal){ 534, "5.7.9",
					     "less than what is asked for "
					     "here" };
	case LOGON_MALFORMED:
		return (struct gin_refusal){ 501, "5.5.2",
					     "that is not this mechanism" };
	case LOGON_OK:
	case LOGON_NOT_OFFERED:
	case LOGON_UNPROVEN:
	case LOGON_ACCOUNT:
	case LOGON_NO_KEYS:
	case LOGON_RESULTS: break;
	}
	return (struct gin_refusal){ 454, "4.7.0",
				     "no log-on is possible just now" };
}

void smtp_gate_in_auth_unknown(struct smtp_gate_in *g, enum logon_result why,
			       uint32_t wait_ms)
{
	struct gin_refusal r = refusal_of(why);

	if (!granted(g, GIN_AUTH, GATE_AUTH))
		return;
	over(g, r, r.text);
	gin_hold(g, wait_ms);
}

void smtp_gate_in_sealed(struct smtp_gate_in *g, bool ok)
{
	if (!granted(g, GIN_SEAL, GATE_SEAL))
		return;
	if (!ok) { /* the client will not understand anything else */
		gin_end(g, GATE_ABORT);
		return;
	}
	/* RFC 4954 4: forget what was said before the layer. But NT 4, which
	 * seals with one key stream, does not say EHLO again. */
	g->helo_done = g->ch.logon.half_duplex;
	g->errors = g->garbage = 0;
	gin_wait(g, GIN_READY);
}
