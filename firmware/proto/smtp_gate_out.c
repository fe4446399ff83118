/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_out - see smtp_gate_out.h: the doors of the gate. What commands,
 * replies and recipients mean is in smtp_gate_{client,server,rcpt}.c.
 */
#include "base/bug.h"
#include "base/wipe.h"
#include "proto/smtp_gate_state.h"

enum {
	MINUTE = 60000,
	SESSION_MS = 12 * 60 * MINUTE, /* nobody holds us for ever */
	PROGRESS_BYTES = 1024,	       /* in a minute, of a message */
};

size_t smtp_gate_out_size(void)
{
	return sizeof(struct smtp_gate_out);
}

enum level gate_default_level(const struct smtp_gate_out *g)
{
	struct policy_rule r;

	/* A damaged list: no clear channel. */
	if (policy_rule_at(g->policy, g->policy->rules_n, &r) != OK)
		return LEVEL_PIN;
	return r.level;
}

struct smtp_gate_out *smtp_gate_out_init(void *mem, const struct policy *pol,
					 const struct gate_start *s)
{
	struct smtp_gate_out *g = mem;

	/* The buffers behind are not touched before they are used. */
	memset(g, 0, offsetof(struct smtp_gate_out, line_mem));
	g->policy = pol;
	g->start = *s;
	g->now_ms = s->now_ms;
	g->connected = true;
	g->ch.server = s->server;
	smtp_line_init(&g->line, g->line_mem, sizeof(g->line_mem));
	smtp_reply_init(&g->reply, g->reply_mem, sizeof(g->reply_mem));
	buf_init(&g->out_c, g->out_c_mem, sizeof(g->out_c_mem));
	buf_init(&g->out_s, g->out_s_mem, sizeof(g->out_s_mem));
	/* A peer whose TLS failed lately is asked in clear at once, but only
	 * where that would be the second try anyway. */
	g->tls_later = s->tls_failed_before &&
		       gate_default_level(g) <= LEVEL_MAY;
	gate_wait(g, PH_GREETING);
	return g;
}

void smtp_gate_out_set_policy(struct smtp_gate_out *g, const struct policy *pol)
{
	g->policy = pol;
	/* A password may be another one now. */
	g->ch.logon_failed = (struct channel_logon){ 0 };
}

/* --- small things that the other files use ----------------------------------- */

void gate_answer(struct smtp_gate_out *g, uint16_t code, const char *enhanced,
		 const char *text)
{
	if ((g->shown & EHLO_ENHANCED) == 0)
		enhanced = NULL;
	if (smtp_reply_put(&g->out_c, code, enhanced, span_str(text)) != OK)
		gate_end(g, GATE_ABORT);
}

void gate_pass(struct smtp_gate_out *g)
{
	if (buf_put(&g->out_c, smtp_reply_raw(&g->reply)) != OK)
		gate_end(g, GATE_ABORT);
}

void gate_tell(struct smtp_gate_out *g, const char *verb, const char *arg)
{
	if (buf_put(&g->out_s, span_str(verb)) != OK ||
	    (arg && buf_put(&g->out_s, span_str(arg)) != OK) ||
	    buf_put(&g->out_s, SPAN_LIT("\r\n")) != OK)
		gate_end(g, GATE_ABORT);
}

/* RFC 5321 4.5.3.2, in minutes. */
static uint64_t patience(enum gate_phase phase, bool replies)
{
	switch (phase) {
	case PH_GREETING: return 5;
	case PH_READY: return replies ? 5 : 10;
	case PH_EHLO:
	case PH_HELO:
	case PH_STARTTLS:
	case PH_AUTH:
	case PH_CANCEL:
	case PH_QUIT: return 5;
	case PH_ROUTE: return 1;
	case PH_TLS:
	case PH_DIAL: return 2;
	case PH_DATA: return 2;
	case PH_BODY:
	case PH_SWALLOW: return 3;
	case PH_DOT: return 10;
	case PH_END: return 1;
	}
	return 1;
}

void gate_wait(struct smtp_gate_out *g, enum gate_phase phase)
{
	if (g->phase == PH_END)
		return;
	g->phase = phase;
	g->deadline_ms = g->now_ms + patience(phase, g->expect_n > 0) * MINUTE;
}

void gate_end(struct smtp_gate_out *g, enum gate_wish how)
{
	gate_wait(g, PH_END);
	if (g->wish != GATE_ABORT)
		g->wish = how;
}

struct gate_event *gate_note(struct smtp_gate_out *g, enum gate_event_type type)
{
	struct gate_event *ev = gate_events_add(&g->events, type);

	ev->server = g->ch.server;
	memcpy(ev->domain, g->domain, sizeof(ev->domain));
	return ev;
}

void gate_expect(struct smtp_gate_out *g, enum gate_expect what)
{
	BUG_ON(g->expect_n == GATE_EXPECT);
	g->expect[(g->expect_at + g->expect_n++) % GATE_EXPECT] = (uint8_t)what;
	gate_wait(g, PH_READY);
}

void gate_clear_transaction(struct smtp_gate_out *g)
{
	g->mail_held = g->swept = g->rcpt_waits = false;
	g->accepted = 0;
	g->mail_needs = g->rcpt_needs = g->smtputf8 = 0;
	g->mail_refusal_n = 0;
}

void gate_swallow(struct smtp_gate_out *g, uint16_t code, const char *enhanced,
		  const char *text)
{
	g->swallow_code = code;
	g->swallow_status = enhanced;
	g->swallow_text = text;
	g->swallow_n = 0;
	/* What the server has not got yet it will not get. */
	smtp_message_refuse(&g->message, &g->out_s);
	g->cut = true;
	gate_wait(g, PH_SWALLOW);
}

/* Is the client waiting for an answer? (421 without a question is RFC 5321
 * 3.8, but old clients take it for the answer to their next command.) */
static bool client_waits(const struct smtp_gate_out *g)
{
	return g->phase != PH_READY || g->expect_n > 0 ||
	       g->owed != OWE_NOTHING;
}

void gate_broken(struct smtp_gate_out *g, enum side side, int error_,
		 const char *text)
{
	struct gate_event *ev = gate_note(g, GATE_EV_PROTOCOL);
	char line[200];
	struct text t;

	ev->side = side;
	ev->error = error_;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, text);
	if (g->phase == PH_END)
		return;
	if (side == SERVER && g->phase == PH_BODY) {
		gate_swallow(g, 451, "4.5.0", "the server broke the protocol");
		return;
	}
	if (!g->greeted) {
		gate_end(g, GATE_ABORT);
		return;
	}
	text_init(&t, line, sizeof(line));
	text_str(&t, side == SERVER ? "the server broke the protocol: "
				    : "protocol error: ");
	text_str(&t, text);
	gate_answer(g, 421, "4.5.0", line);
	gate_end(g, GATE_CLOSE);
}

void gate_server_lost(struct smtp_gate_out *g, const char *text)
{
	struct text t;

	g->connected = false;
	if (g->wish == GATE_AUTH || g->wish == GATE_STARTTLS)
		g->wish = GATE_NOTHING;
	if (g->owed == OWE_RCPT) {
		g->ch.tls = false;
		g->ch.logon = (struct channel_logon){ 0 };
		g->caps = g->mechs = 0;
		if (g->ch.missing == TLS_RESULT_OK)
			g->ch.missing = TLS_VALIDATION_FAILURE;
		text_init(&t, g->ch.why, sizeof(g->ch.why));
		text_str(&t, text);
		gate_raise_failed(g);
		return;
	}
	if (g->phase == PH_BODY) {
		gate_swallow(g, 451, "4.4.2",
			     "the connection to the server was lost");
		return;
	}
	if (g->phase == PH_SWALLOW || g->phase == PH_END)
		return;
	if (g->greeted && client_waits(g)) {
		char line[200];

		text_init(&t, line, sizeof(line));
		text_str(&t, "the connection to the server was lost: ");
		text_str(&t, text);
		gate_answer(g, 421, "4.4.2", line);
		gate_end(g, GATE_CLOSE);
		return;
	}
	gate_end(g, g->greeted ? GATE_CLOSE : GATE_ABORT);
}

void gate_offer_name(struct smtp_gate_out *g, struct span sni)
{
	g->sni_n = sni.n <= DOMAIN_MAX ? sni.n : 0;
	if (g->sni_n > 0)
		memcpy(g->sni, sni.p, g->sni_n);
}

void gate_dial_to(struct smtp_gate_out *g, const struct endpoint *to,
		  struct span sni, bool tls)
{
	g->dial = *to;
	gate_offer_name(g, sni);
	g->tls_barred = !tls;
	g->connected = false;
	g->caps = g->mechs = 0;
	buf_drop(&g->out_s, buf_span(&g->out_s).n);
	gate_wait(g, PH_DIAL);
	g->wish = GATE_DIAL;
}

/* --- bytes in ----------------------------------------------------------------- */

/* A piece of the message. Returns what was taken. */
static size_t body(struct smtp_gate_out *g, struct span in)
{
	size_t taken;
	int r = smtp_message_take(&g->message, &g->out_s, in, &taken);

	if (r == 1)
		gate_wait(g, PH_DOT);
	if (r < 0) {
		struct gate_event *ev = gate_note(g, GATE_EV_PROTOCOL);

		ev->side = CLIENT;
		ev->error = r;
		gate_swallow(g, 550, "5.6.0", smtp_message_fault(r));
	}
	return taken;
}

static void answer_refused(struct smtp_gate_out *g)
{
	struct span own = { g->refusal, g->swallow_n };

	if (own.n == 0)
		gate_answer(g, g->swallow_code, g->swallow_status,
			    g->swallow_text);
	else if (buf_put(&g->out_c, own) != OK)
		gate_end(g, GATE_ABORT);
}

/* The rest of a refused message. */
static size_t swallow(struct smtp_gate_out *g, struct span in)
{
	size_t taken;

	if (smtp_message_swallow(&g->message, &g->out_s, in, &taken)) {
		answer_refused(g);
		gate_end(g, GATE_CLOSE);
	}
	return taken;
}

/* The line that is there. False: not now, replies must come first. */
static bool command(struct smtp_gate_out *g)
{
	if (g->stalled_long && g->expect_n > 0)
		return false;
	if (g->stalled_long)
		gate_error(g, 500, "5.5.2", "line too long");
	else if (!gate_command(g, g->stalled_line))
		return false;
	if (g->phase == PH_READY && g->expect_n == 0)
		gate_wait(g, PH_READY); /* answered here: not idle */
	return true;
}

static size_t commands(struct smtp_gate_out *g, struct span in)
{
	size_t used;
	struct span line;
	int r = smtp_line_feed(&g->line, in, &used, &line);

	if (r == 1 || r == E_PEER_LONG) {
		g->stalled_long = r == E_PEER_LONG;
		g->stalled_line = line;
		g->stalled = !command(g);
	} else if (r == E_PEER_EOL) {
		gate_broken(g, CLIENT, r, "bare CR or LF in a command");
	}
	return used;
}

static bool takes_commands(const struct smtp_gate_out *g)
{
	return g->phase == PH_READY && g->wish == GATE_NOTHING && g->greeted &&
	       g->owed == OWE_NOTHING && !g->stalled &&
	       g->events.n <= GATE_EVENTS / 2 && buf_left(&g->out_c) >= 2048 &&
	       buf_left(&g->out_s) >= 2 * (GATE_LINE + 16);
}

static size_t take_client(struct smtp_gate_out *g, struct span in)
{
	size_t n = 0;

	if (g->phase == PH_BODY)
		n = body(g, in);
	/* Also when body() has just found something wrong: nobody asks again
	 * after nothing was taken. */
	if (g->phase == PH_SWALLOW && g->wish == GATE_NOTHING && n < in.n)
		n += swallow(g, span_skip(in, n));
	else if (n == 0 && takes_commands(g))
		n = commands(g, in);
	return n;
}

/* A command that waited for replies may go on now. */
static void unstall(struct smtp_gate_out *g)
{
	if (g->stalled && g->phase == PH_READY && g->wish == GATE_NOTHING &&
	    g->owed == OWE_NOTHING) {
		g->stalled = false;
		g->stalled = !command(g);
	}
}

static size_t take_server(struct smtp_gate_out *g, struct span in)
{
	size_t used;
	int r;

	if (!smtp_gate_out_hungry(g, SERVER))
		return 0;
	r = smtp_reply_feed(&g->reply, in, &used);
	if (r == 1)
		gate_reply(g);
	else if (r < 0)
		gate_broken(g, SERVER, r, "malformed reply");
	unstall(g);
	return used;
}

size_t smtp_gate_out_feed(struct smtp_gate_out *g, enum side from,
			  struct span in)
{
	size_t taken = 0, n;

	do {
		struct span rest = span_skip(in, taken);

		if (rest.n == 0)
			break;
		n = from == CLIENT ? take_client(g, rest)
				   : take_server(g, rest);
		taken += n;
	} while (n > 0);
	return taken;
}

bool smtp_gate_out_hungry(const struct smtp_gate_out *g, enum side from)
{
	if (g->wish != GATE_NOTHING)
		return false;
	if (from == SERVER)
		return g->connected && g->phase != PH_END &&
		       buf_left(&g->out_c) >= GATE_REPLY + 1024;
	if (g->phase == PH_BODY || g->phase == PH_SWALLOW)
		return buf_left(&g->out_s) > 0;
	return takes_commands(g);
}

/* --- bytes out ------------------------------------------------------------------ */

struct span smtp_gate_out_out(const struct smtp_gate_out *g, enum side to)
{
	return to == CLIENT ? buf_span(&g->out_c)
			    : smtp_message_ready(&g->message, &g->out_s);
}

void smtp_gate_out_sent(struct smtp_gate_out *g, enum side to, size_t n)
{
	buf_drop(to == CLIENT ? &g->out_c : &g->out_s, n);
	if (to == SERVER && g->secret_n > 0 && buf_span(&g->out_s).n == 0) {
		wipe(g->out_s_mem, g->secret_n);
		g->secret_n = 0;
	}
}

/* --- ends ------------------------------------------------------------------------ */

static void client_ends(struct smtp_gate_out *g, bool orderly)
{
	if (g->phase == PH_END)
		return;
	/* Half a message must not look whole: no dot, no orderly end. */
	if (!orderly || g->phase == PH_BODY || g->phase == PH_DOT ||
	    g->phase == PH_SWALLOW) {
		/* After the dot the server decides alone; nobody is there to
		 * be told. The client will send it again. */
		gate_end(g, GATE_ABORT);
		return;
	}
	gate_end(g, GATE_CLOSE);
}

void smtp_gate_out_eof(struct smtp_gate_out *g, enum side from)
{
	if (from == CLIENT)
		client_ends(g, true);
	else if (g->connected)
		gate_server_lost(g, "it closed");
}

void smtp_gate_out_gone(struct smtp_gate_out *g, enum side from)
{
	if (from == CLIENT) {
		client_ends(g, false);
	} else if (g->connected) {
		if (!client_waits(g) || !g->greeted)
			gate_end(g, GATE_ABORT);
		else
			gate_server_lost(g, "it was reset or timed out");
	}
}

/* --- wishes ---------------------------------------------------------------------- */

bool smtp_gate_out_cut(const struct smtp_gate_out *g)
{
	return g->cut;
}

enum gate_wish smtp_gate_out_wish(const struct smtp_gate_out *g)
{
	return g->wish;
}

struct span smtp_gate_out_sni(const struct smtp_gate_out *g)
{
	return (struct span){ (const uint8_t *)g->sni, g->sni_n };
}

struct endpoint smtp_gate_out_dial(const struct smtp_gate_out *g)
{
	return g->dial;
}

void gate_granted(struct smtp_gate_out *g, enum gate_wish w)
{
	BUG_ON(g->wish != w);
	g->wish = GATE_NOTHING;
}

void smtp_gate_out_tls_up(struct smtp_gate_out *g, const struct channel *ch,
			  bool pending)
{
	struct endpoint server = g->ch.server;
	struct gate_event *ev;

	if (g->wish == GATE_ABORT || g->phase != PH_TLS)
		return;
	gate_granted(g, GATE_STARTTLS);
	if (pending) {
		gate_broken(g, SERVER, E_PEER_EARLY,
			    "it spoke where TLS had to begin");
		return;
	}
	g->ch = *ch;
	g->ch.server = server;
	ev = gate_note(g, GATE_EV_TLS_UP);
	ev->result = ch->chain;
	/* RFC 3207 4.2: forget all that was said in clear. */
	g->caps = g->mechs = 0;
	smtp_reply_init(&g->reply, g->reply_mem, sizeof(g->reply_mem));
	gate_tell(g, "EHLO ", g->helo);
	gate_wait(g, PH_EHLO);
}

void smtp_gate_out_tls_failed(struct smtp_gate_out *g, const struct channel *ch)
{
	struct endpoint server = g->ch.server;
	struct gate_event *ev;

	if (g->wish == GATE_ABORT || g->phase != PH_TLS)
		return;
	gate_granted(g, GATE_STARTTLS);
	if (ch->no_room) {
		gate_server_lost(g, "no memory or key for TLS");
		return;
	}
	g->ch = *ch;
	g->ch.tls = false;
	g->ch.server = server;
	g->connected = false;
	g->tls_barred = true;
	g->caps = g->mechs = 0;
	ev = gate_note(g, GATE_EV_TLS_FAILED);
	ev->result = ch->missing;
	memcpy(ev->why, ch->why, sizeof(ev->why));
	smtp_reply_init(&g->reply, g->reply_mem, sizeof(g->reply_mem));
	if (g->owed == OWE_RCPT) {
		gate_raise_failed(g);
	} else if (gate_default_level(g) <= LEVEL_MAY) {
		gate_note(g, GATE_EV_FALLBACK);
		gate_dial_to(g, &server, (struct span){ NULL, 0 }, false);
	} else {
		/* No channel in clear may exist: the client talks to us, and
		 * every recipient is told why. */
		gate_ready(g);
	}
}

void smtp_gate_out_dialed(struct smtp_gate_out *g)
{
	enum tls_result missing = g->ch.missing;
	char why[CHANNEL_WHY_MAX];

	if (g->wish == GATE_ABORT || g->phase != PH_DIAL)
		return;
	gate_granted(g, GATE_DIAL);
	memcpy(why, g->ch.why, sizeof(why));
	memset(&g->ch, 0, sizeof(g->ch));
	g->ch.server = g->dial;
	if (g->tls_barred) { /* the second try: remember why there is no TLS */
		g->ch.missing = missing;
		memcpy(g->ch.why, why, sizeof(why));
	}
	g->connected = true;
	smtp_reply_init(&g->reply, g->reply_mem, sizeof(g->reply_mem));
	gate_wait(g, PH_GREETING);
}

void smtp_gate_out_dial_failed(struct smtp_gate_out *g)
{
	if (g->wish == GATE_ABORT || g->phase != PH_DIAL)
		return;
	gate_granted(g, GATE_DIAL);
	gate_server_lost(g, "it cannot be reached");
}

struct span smtp_gate_out_route(const struct smtp_gate_out *g)
{
	return (struct span){ (const uint8_t *)g->route_name, g->route_name_n };
}

void smtp_gate_out_routed(struct smtp_gate_out *g, const uint8_t ip[16])
{
	if (g->wish == GATE_ABORT || g->phase != PH_ROUTE)
		return;
	gate_granted(g, GATE_ROUTE);
	g->route_asked = g->route_known = true;
	memcpy(g->route_ip, ip, 16);
	gate_raise_failed(g);
}

void smtp_gate_out_unrouted(struct smtp_gate_out *g, const char *why)
{
	struct text t;

	if (g->wish == GATE_ABORT || g->phase != PH_ROUTE)
		return;
	gate_granted(g, GATE_ROUTE);
	g->route_asked = true;
	g->route_known = false;
	text_init(&t, g->route_why, sizeof(g->route_why));
	text_str(&t, why);
	gate_raise_failed(g);
}

/* The message stands still. If the server is to blame, the client can be told
 * at the end of it. */
static void message_late(struct smtp_gate_out *g)
{
	if (g->message.progress >= PROGRESS_BYTES * 3 &&
	    g->now_ms < g->start.now_ms + SESSION_MS) {
		g->message.progress = 0;
		gate_wait(g, g->phase);
		return;
	}
	gate_note(g, GATE_EV_PROTOCOL)->error = E_PEER_TIME;
	if (smtp_gate_out_out(g, SERVER).n > 0)
		gate_swallow(g, 451, "4.4.2",
			     "the server did not take the message in time");
	else
		gate_end(g, GATE_ABORT);
}

static void handshake_late(struct smtp_gate_out *g)
{
	static const struct channel late = {
		.missing = TLS_VALIDATION_FAILURE,
		.why = "handshake: no answer in time",
	};

	smtp_gate_out_tls_failed(g, &late);
}

void smtp_gate_out_tick(struct smtp_gate_out *g, uint64_t now_ms)
{
	bool late = now_ms >= smtp_gate_out_deadline(g);

	g->now_ms = now_ms;
	if (!late)
		return;
	if (g->phase == PH_END) { /* the last words are not read */
		g->wish = GATE_ABORT;
		return;
	}
	if (g->phase == PH_BODY || g->phase == PH_SWALLOW) {
		message_late(g);
		return;
	}
	if (g->phase == PH_TLS) {
		handshake_late(g);
		return;
	}
	if (g->phase == PH_ROUTE) {
		smtp_gate_out_unrouted(g, "the resolver does not answer");
		return;
	}
	gate_note(g, GATE_EV_PROTOCOL)->error = E_PEER_TIME;
	if (!g->greeted) {
		gate_end(g, GATE_ABORT);
		return;
	}
	if (g->owed == OWE_RCPT) {
		g->wish = GATE_NOTHING;
		gate_server_lost(g, "it did not answer in time");
		return;
	}
	gate_answer(g, 421, "4.4.2",
		    client_waits(g) ? "the server did not answer in time"
				    : "idle for too long");
	gate_end(g, GATE_CLOSE);
}

uint64_t smtp_gate_out_deadline(const struct smtp_gate_out *g)
{
	uint64_t most = g->start.now_ms + SESSION_MS;

	/* The end has its own time, or its last words would not be heard. */
	return g->deadline_ms < most || g->phase == PH_END ? g->deadline_ms
							   : most;
}

bool smtp_gate_out_event(struct smtp_gate_out *g, struct gate_event *ev)
{
	return gate_events_take(&g->events, ev);
}

static const char *phase_name(const struct smtp_gate_out *g)
{
	switch (g->phase) {
	case PH_GREETING: return "greeting";
	case PH_READY:
		return g->expect_n > 0 ? "envelope"
		       : g->mail_held  ? "envelope"
		       : g->connected  ? "idle"
				       : "no server";
	case PH_EHLO:
	case PH_HELO: return "ehlo";
	case PH_STARTTLS: return "starttls";
	case PH_TLS: return "handshake";
	case PH_DIAL: return "dialing";
	case PH_ROUTE: return "resolving";
	case PH_AUTH:
	case PH_CANCEL: return "log-on";
	case PH_DATA: return "data";
	case PH_BODY: return "message";
	case PH_DOT: return "waiting";
	case PH_SWALLOW: return "refusing";
	case PH_QUIT: return "quit";
	case PH_END: return "closing";
	}
	return "?";
}

void smtp_gate_out_status(const struct smtp_gate_out *g, struct gate_status *st)
{
	st->phase = phase_name(g);
	st->channel = &g->ch;
	st->box = g->ch.tls && (g->caps & EHLO_BOX) != 0;
	st->messages = g->messages;
	memcpy(st->domain, g->domain, sizeof(st->domain));
}
