/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_in_server - what a reply of the server means, by phase. It goes to
 * the client as it came; only the list of capabilities is made anew.
 *
 *	GREETING -220-> READY <-- EHLO, HELO, MAIL, RSET, OTHER
 *	                READY --> DATA -354-> BODY -> DOT -> READY
 */
#include "proto/smtp_gate_in_state.h"

static bool positive(const struct smtp_gate_in *g)
{
	return g->reply.code / 100 == 2;
}

static void greeting(struct smtp_gate_in *g)
{
	gin_pass(g);
	g->greeted = true;
	if (g->reply.code == 220)
		gin_wait(g, GIN_READY);
	else
		gin_end(g, GATE_CLOSE);
}

static bool offers_tls(const struct smtp_gate_in *g)
{
	return g->can_tls && !g->ch.tls && g->ch.logon.bits == 0;
}

enum { OURS = 200 };

/* What the box has itself, with \n between the lines; NULL: nothing. */
static const char *our_caps(struct smtp_gate_in *g, char mem[OURS])
{
	struct text t;
	size_t n;

	text_init(&t, mem, OURS);
	text_str(&t, offers_tls(g) ? "STARTTLS\n" : "");
	n = t.n;
	gin_auth_offer(g, &t);
	text_str(&t, t.n > n ? "\n" : "");
	g->box_shown = g->ch.tls && g->policy->settings.peers;
	text_str(&t, g->box_shown ? EHLO_BOX_WORD "\n" : "");
	if (t.n > 0)
		mem[t.n - 1] = '\0';
	return t.n > 0 ? mem : NULL;
}

/* EHLO was answered with what the client may know. */
static void capabilities(struct smtp_gate_in *g)
{
	unsigned caps = smtp_ehlo_parse(smtp_reply_raw(&g->reply));
	char ours[OURS];

	/* Not on the port for protected sessions, whatever the settings have
	 * become since: what is passed on is not looked into. */
	if (g->policy->settings.inbound_pass && !g->ch.tls && !g->tls_only &&
	    (caps & EHLO_STARTTLS) != 0) {
		gin_pass(g);
		gin_wait(g, GIN_RAW);
		return;
	}
	g->helo_done = true;
	g->shown = caps & EHLO_SHOWN;
	if (smtp_ehlo_write(&g->out_c, smtp_reply_raw(&g->reply),
			    our_caps(g, ours)) != OK)
		gin_broken(g, SERVER, E_PEER_LONG, "capability list");
	else
		gin_wait(g, GIN_READY);
}

static void ehlo(struct smtp_gate_in *g)
{
	char line[sizeof("HELO ") + sizeof(g->helo)];
	struct text t;

	if (positive(g)) {
		capabilities(g);
		return;
	}
	/* A mail server of before 1995 has no capabilities; we have one. */
	if (g->reply.code / 100 == 5 &&
	    (offers_tls(g) || g->ch.tls ||
	     g->policy->settings.inbound_mechs != 0)) {
		text_init(&t, line, sizeof(line));
		text_str(&t, "HELO ");
		text_str(&t, g->helo);
		gin_tell(g, text_done(&t), GIN_HELO);
		return;
	}
	gin_pass(g);
	gin_wait(g, GIN_READY);
}

/* Our HELO, in place of an EHLO: its one line and what we have ourselves. */
static void helo(struct smtp_gate_in *g)
{
	struct span raw = smtp_reply_raw(&g->reply), line;
	char first[500], ours[OURS];
	struct text t;

	if (!positive(g)) {
		gin_pass(g);
		gin_wait(g, GIN_READY);
		return;
	}
	text_init(&t, first, sizeof(first));
	text_str(&t, "250 ");
	if (smtp_reply_line(&raw, &line))
		text_clean(&t, line);
	text_str(&t, "\r\n");
	g->helo_done = true;
	g->shown = 0;
	if (smtp_ehlo_write(&g->out_c, text_done(&t), our_caps(g, ours)) != OK)
		gin_end(g, GATE_ABORT);
	gin_wait(g, GIN_READY);
}

static void data(struct smtp_gate_in *g)
{
	if (positive(g)) {
		gin_broken(g, SERVER, E_PEER_ORDER, "2xx to DATA");
		return;
	}
	gin_pass(g);
	if (g->reply.code != 354) {
		gin_wait(g, GIN_READY);
		return;
	}
	smtp_message_begin(&g->message, !g->policy->settings.bare_eol_pass);
	gin_wait(g, GIN_BODY);
}

static void message(struct smtp_gate_in *g)
{
	struct gate_event *ev;

	/* It cannot have taken what it has not got. */
	if (positive(g) && buf_span(&g->out_s).n > 0) {
		g->cut = true;
		gin_broken(g, SERVER, E_PEER_ORDER,
			   "it answered before the end of the message");
		return;
	}
	ev = gin_note(g,
		      positive(g) ? GATE_EV_MESSAGE : GATE_EV_MESSAGE_REFUSED);
	ev->code = g->reply.code;
	ev->protected_ = g->ch.tls || g->ch.logon.bits > 0;
	ev->bytes = g->message.bytes;
	if (positive(g))
		g->messages++;
	g->mail = false;
	gin_pass(g);
	gin_wait(g, GIN_READY);
}

/* Replies that do not belong where they come. True: it was one, and the session
 * is over or knows what to do. */
static bool out_of_place(struct smtp_gate_in *g)
{
	uint16_t code = g->reply.code;

	if (g->phase == GIN_BODY || g->phase == GIN_SWALLOW)
		return false;
	/* To a client it could be the word to send a message, which would be
	 * read as commands here. */
	if (code / 100 == 3 && !(g->phase == GIN_DATA && code == 354)) {
		gin_broken(g, SERVER, E_PEER_ORDER, "3xx where none belongs");
		return true;
	}
	/* The server goes (RFC 5321 3.8): so do we, after what it said. */
	if (code == 421 && g->greeted) {
		gin_pass(g);
		gin_end(g, GATE_CLOSE);
		return true;
	}
	if (g->phase == GIN_READY || g->phase == GIN_ANSWER ||
	    g->phase == GIN_HOLD) {
		gin_broken(g, SERVER, E_PEER_ORDER,
			   "a reply that nobody asked for");
		return true;
	}
	return false;
}

void gin_reply(struct smtp_gate_in *g)
{
	if (out_of_place(g))
		return;
	switch (g->phase) {
	case GIN_GREETING: greeting(g); break;
	case GIN_EHLO: ehlo(g); break;
	case GIN_HELO: helo(g); break;
	case GIN_OLD_HELO:
		g->helo_done = positive(g);
		g->box_shown = false;
		g->shown = 0;
		gin_pass(g);
		gin_wait(g, GIN_READY);
		break;
	case GIN_MAIL:
		g->mail = positive(g);
		gin_pass(g);
		gin_wait(g, GIN_READY);
		break;
	case GIN_RSET:
		g->mail = false;
		gin_pass(g);
		gin_wait(g, GIN_READY);
		break;
	case GIN_OTHER:
		gin_pass(g);
		gin_wait(g, GIN_READY);
		break;
	case GIN_DATA: data(g); break;
	case GIN_DOT: message(g); break;
	case GIN_QUIT:
		gin_pass(g);
		gin_end(g, GATE_CLOSE);
		break;
	case GIN_BODY:
		gin_swallow(
			g, 451, "4.5.0",
			"the server answered before the end of the message");
		break;
	case GIN_READY:
	case GIN_TLS:
	case GIN_AUTH:
	case GIN_ANSWER:
	case GIN_HOLD:
	case GIN_SEAL:
	case GIN_SWALLOW:
	case GIN_RAW:
	case GIN_END: break;
	}
}
