/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_gate_in - see smtp_gate_in.h: the doors of the gate. What commands and
 * replies mean is in smtp_gate_in_{client,server}.c.
 */
#include "base/bug.h"
#include "base/wipe.h"
#include "proto/smtp_gate_in_state.h"

enum {
	MINUTE = 60000,
	SESSION_MS = 12 * 60 * MINUTE, /* nobody holds us for ever */
	PROGRESS_BYTES = 1024,	       /* in a minute, of a message */
};

size_t smtp_gate_in_size(void)
{
	return sizeof(struct smtp_gate_in);
}

struct smtp_gate_in *smtp_gate_in_init(void *mem, const struct policy *pol,
				       const struct gate_in_start *s)
{
	struct smtp_gate_in *g = mem;

	/* The buffers behind are not touched before they are used. */
	memset(g, 0, offsetof(struct smtp_gate_in, line_mem));
	g->policy = pol;
	g->can_tls = s->can_tls;
	g->tls_only = s->tls_only;
	g->start_ms = g->now_ms = s->now_ms;
	smtp_line_init(&g->line, g->line_mem, sizeof(g->line_mem));
	smtp_reply_init(&g->reply, g->reply_mem, sizeof(g->reply_mem));
	buf_init(&g->out_c, g->out_c_mem, sizeof(g->out_c_mem));
	buf_init(&g->out_s, g->out_s_mem, sizeof(g->out_s_mem));
	gin_wait(g, GIN_GREETING);
	return g;
}

void smtp_gate_in_set_policy(struct smtp_gate_in *g, const struct policy *pol,
			     bool can_tls)
{
	g->policy = pol;
	g->can_tls = can_tls;
}

/* --- small things that the other files use ----------------------------------- */

void gin_answer(struct smtp_gate_in *g, uint16_t code, const char *status,
		const char *text)
{
	if ((g->shown & EHLO_ENHANCED) == 0)
		status = NULL;
	if (smtp_reply_put(&g->out_c, code, status, span_str(text)) != OK)
		gin_end(g, GATE_ABORT);
}

void gin_pass(struct smtp_gate_in *g)
{
	if (buf_put(&g->out_c, smtp_reply_raw(&g->reply)) != OK)
		gin_end(g, GATE_ABORT);
}

void gin_tell(struct smtp_gate_in *g, struct span line, enum gin_phase wait)
{
	if (buf_put(&g->out_s, line) != OK ||
	    buf_put(&g->out_s, SPAN_LIT("\r\n")) != OK)
		gin_end(g, GATE_ABORT);
	gin_wait(g, wait);
}

/* RFC 5321 4.5.3.2, in minutes. */
static uint64_t patience(enum gin_phase phase)
{
	switch (phase) {
	case GIN_GREETING:
	case GIN_EHLO:
	case GIN_HELO:
	case GIN_OLD_HELO:
	case GIN_MAIL:
	case GIN_RSET:
	case GIN_OTHER:
	case GIN_QUIT: return 5;
	case GIN_AUTH:
	case GIN_ANSWER:
	case GIN_HOLD:
	case GIN_SEAL: return 1;
	case GIN_TLS:
	case GIN_DATA: return 2;
	case GIN_BODY:
	case GIN_SWALLOW: return 3;
	case GIN_READY:
	case GIN_DOT:
	case GIN_RAW: return 10;
	case GIN_END: return 1;
	}
	return 1;
}

void gin_wait(struct smtp_gate_in *g, enum gin_phase phase)
{
	if (g->phase == GIN_END)
		return;
	g->phase = phase;
	g->deadline_ms = g->now_ms + patience(phase) * MINUTE;
}

void gin_end(struct smtp_gate_in *g, enum gate_wish how)
{
	/* What a client logs on with is not for whoever gets the memory next. */
	if (g->phase == GIN_AUTH || g->phase == GIN_ANSWER) {
		wipe(g->line_mem, sizeof(g->line_mem));
		g->heard.text = (struct span){ NULL, 0 };
	}
	gin_wait(g, GIN_END);
	if (g->wish != GATE_ABORT)
		g->wish = how;
}

void gin_held(struct smtp_gate_in *g)
{
	gin_answer(g, g->held.code, g->held.status, g->held.text);
	if (g->held.code == 421)
		gin_end(g, GATE_CLOSE);
	else
		gin_wait(g, GIN_READY);
}

void gin_hold(struct smtp_gate_in *g, uint32_t wait_ms)
{
	if (wait_ms == 0) {
		gin_held(g);
		return;
	}
	gin_wait(g, GIN_HOLD);
	g->deadline_ms = g->now_ms + wait_ms;
}

void smtp_gate_in_slow(struct smtp_gate_in *g, uint32_t wait_ms)
{
	g->wait_ms = wait_ms;
}

struct gate_event *gin_note(struct smtp_gate_in *g, enum gate_event_type type)
{
	struct gate_event *ev = gate_events_add(&g->events, type);

	memcpy(ev->domain, g->domain, sizeof(ev->domain));
	return ev;
}

void gin_swallow(struct smtp_gate_in *g, uint16_t code, const char *status,
		 const char *text)
{
	g->swallow_code = code;
	g->swallow_status = status;
	g->swallow_text = text;
	/* What the server has not got yet it will not get. */
	smtp_message_refuse(&g->message, &g->out_s);
	g->cut = true;
	gin_wait(g, GIN_SWALLOW);
}

void gin_broken(struct smtp_gate_in *g, enum side side, int error_,
		const char *text)
{
	struct gate_event *ev = gin_note(g, GATE_EV_PROTOCOL);
	char line[200];
	struct text t;

	ev->side = side;
	ev->error = error_;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, text);
	if (g->phase == GIN_END)
		return;
	if (side == SERVER && g->phase == GIN_BODY) {
		gin_swallow(g, 451, "4.5.0", "the server broke the protocol");
		return;
	}
	if (!g->greeted) {
		gin_end(g, GATE_ABORT);
		return;
	}
	text_init(&t, line, sizeof(line));
	text_str(&t, side == SERVER ? "the server broke the protocol: "
				    : "protocol error: ");
	text_str(&t, text);
	gin_answer(g, 421, "4.5.0", line);
	gin_end(g, GATE_CLOSE);
}

/* Is the client waiting for an answer? */
static bool client_waits(const struct smtp_gate_in *g)
{
	return g->phase != GIN_READY && g->phase != GIN_TLS &&
	       g->phase != GIN_ANSWER && g->phase != GIN_SEAL &&
	       g->phase != GIN_RAW;
}

static void server_lost(struct smtp_gate_in *g, const char *text)
{
	g->server_gone = true;
	if (g->phase == GIN_SWALLOW || g->phase == GIN_END)
		return;
	if (g->phase == GIN_BODY) {
		gin_swallow(g, 451, "4.4.2",
			    "the connection to the server was lost");
		return;
	}
	if (!g->greeted) {
		gin_end(g, GATE_ABORT);
		return;
	}
	if (client_waits(g))
		gin_answer(g, 421, "4.4.2", text);
	gin_end(g, GATE_CLOSE);
}

/* --- octets in ---------------------------------------------------------------- */

/* A piece of the message. Returns what was taken. */
static size_t body(struct smtp_gate_in *g, struct span in)
{
	size_t taken;
	int r = smtp_message_take(&g->message, &g->out_s, in, &taken);

	if (r == 1)
		gin_wait(g, GIN_DOT);
	if (r < 0) {
		struct gate_event *ev = gin_note(g, GATE_EV_PROTOCOL);

		ev->side = CLIENT;
		ev->error = r;
		gin_swallow(g, 550, "5.6.0", smtp_message_fault(r));
	}
	return taken;
}

/* The rest of a refused message. */
static size_t swallow(struct smtp_gate_in *g, struct span in)
{
	size_t taken;

	if (smtp_message_swallow(&g->message, &g->out_s, in, &taken)) {
		gin_answer(g, g->swallow_code, g->swallow_status,
			   g->swallow_text);
		gin_end(g, GATE_CLOSE);
	}
	return taken;
}

static size_t commands(struct smtp_gate_in *g, struct span in)
{
	size_t used;
	struct span line;
	int r;

	if (g->line_n == 0 && smtp_cmd_is_tls(in)) {
		gin_foreign(g); /* its record has no line end to wait for */
		return in.n;
	}
	r = smtp_line_feed(&g->line, in, &used, &line);
	g->line_n = r == 0 ? g->line_n + used : 0;
	if (r == 1)
		gin_command(g, line);
	else if (r == E_PEER_LONG && g->phase == GIN_ANSWER)
		gin_auth_long(g);
	else if (r == E_PEER_LONG)
		gin_garbage(g, "line too long");
	else if (r == E_PEER_EOL)
		gin_broken(g, CLIENT, r, "bare CR or LF in a command");
	else if (g->line_n > GIN_LINE_FLOOD)
		gin_broken(g, CLIENT, E_PEER_LONG, "a line without an end");
	return used;
}

static bool takes_commands(const struct smtp_gate_in *g)
{
	return (g->phase == GIN_READY || g->phase == GIN_ANSWER) &&
	       g->wish == GATE_NOTHING && buf_left(&g->out_c) >= 2048 &&
	       buf_left(&g->out_s) >= GIN_LINE + 16;
}

/* Octets where none may be. All of them are taken, whatever they are. */
static size_t too_early(struct smtp_gate_in *g, struct span in)
{
	bool tls = g->phase == GIN_TLS;
	struct gate_event *ev = gin_note(g, GATE_EV_PROTOCOL);
	struct text t;

	ev->side = CLIENT;
	ev->error = E_PEER_EARLY;
	text_init(&t, ev->why, sizeof(ev->why));
	text_str(&t, tls ? "it spoke in clear where TLS had to begin"
			 : "it spoke before it was greeted");
	if (tls)
		gin_answer(g, 554, "5.7.0", "nothing may follow STARTTLS");
	else
		gin_answer(g, 521, NULL, "you spoke before you were greeted");
	gin_end(g, GATE_CLOSE);
	return in.n;
}

static size_t raw(struct buf *to, struct span in)
{
	if (in.n > buf_left(to))
		in.n = buf_left(to);
	return buf_put(to, in) == OK ? in.n : 0;
}

static size_t take_client(struct smtp_gate_in *g, struct span in)
{
	size_t n = 0;

	if (g->phase == GIN_GREETING || g->phase == GIN_TLS)
		return too_early(g, in);
	if (g->phase == GIN_RAW) {
		gin_wait(g, GIN_RAW);
		return raw(&g->out_s, in);
	}
	if (g->phase == GIN_BODY)
		n = body(g, in);
	/* Also when body() has just found something wrong: nobody asks again
	 * after nothing was taken. */
	if (g->phase == GIN_SWALLOW && g->wish == GATE_NOTHING && n < in.n)
		n += swallow(g, span_skip(in, n));
	else if (n == 0 && takes_commands(g))
		n = commands(g, in);
	return n;
}

static size_t take_server(struct smtp_gate_in *g, struct span in)
{
	size_t used;
	int r;

	if (!smtp_gate_in_hungry(g, SERVER))
		return 0;
	if (g->phase == GIN_RAW) {
		gin_wait(g, GIN_RAW);
		return raw(&g->out_c, in);
	}
	r = smtp_reply_feed(&g->reply, in, &used);
	if (r == 1)
		gin_reply(g);
	else if (r < 0)
		gin_broken(g, SERVER, r, "malformed reply");
	return used;
}

size_t smtp_gate_in_feed(struct smtp_gate_in *g, enum side from, struct span in)
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

bool smtp_gate_in_hungry(const struct smtp_gate_in *g, enum side from)
{
	if (from == CLIENT && g->phase == GIN_TLS)
		return g->wish == GATE_STARTTLS;
	if (g->wish != GATE_NOTHING)
		return false;
	if (g->phase == GIN_RAW)
		return buf_left(from == CLIENT ? &g->out_s : &g->out_c) > 0;
	if (from == SERVER)
		return !g->server_gone && g->phase != GIN_END &&
		       buf_left(&g->out_c) >= GIN_REPLY + 1024;
	if (g->phase == GIN_BODY || g->phase == GIN_SWALLOW)
		return buf_left(&g->out_s) > 0;
	return g->phase == GIN_GREETING || takes_commands(g);
}

/* --- octets out ----------------------------------------------------------------- */

struct span smtp_gate_in_out(const struct smtp_gate_in *g, enum side to)
{
	return to == CLIENT ? buf_span(&g->out_c)
			    : smtp_message_ready(&g->message, &g->out_s);
}

void smtp_gate_in_sent(struct smtp_gate_in *g, enum side to, size_t n)
{
	buf_drop(to == CLIENT ? &g->out_c : &g->out_s, n);
}

/* --- ends ------------------------------------------------------------------------ */

static void client_ends(struct smtp_gate_in *g, bool orderly)
{
	if (g->phase == GIN_END)
		return;
	/* Half a message must not look whole: no dot, no orderly end. After
	 * the dot the server decides alone; the client will send it again. */
	if (!orderly || g->phase == GIN_BODY || g->phase == GIN_DOT ||
	    g->phase == GIN_SWALLOW)
		gin_end(g, GATE_ABORT);
	else
		gin_end(g, GATE_CLOSE);
}

void smtp_gate_in_eof(struct smtp_gate_in *g, enum side from)
{
	if (from == CLIENT)
		client_ends(g, true);
	else
		server_lost(g, "the server inside closed the connection");
}

void smtp_gate_in_gone(struct smtp_gate_in *g, enum side from)
{
	if (from == CLIENT)
		client_ends(g, false);
	else if (client_waits(g))
		server_lost(g, "the connection to the server inside was lost");
	else
		gin_end(g, GATE_ABORT);
}

/* --- wishes ---------------------------------------------------------------------- */

bool smtp_gate_in_cut(const struct smtp_gate_in *g)
{
	return g->cut;
}

enum gate_wish smtp_gate_in_wish(const struct smtp_gate_in *g)
{
	return g->wish;
}

void smtp_gate_in_tls_up(struct smtp_gate_in *g, const struct channel *ch)
{
	if (g->phase != GIN_TLS)
		return;
	BUG_ON(g->wish != GATE_STARTTLS);
	g->wish = GATE_NOTHING;
	g->ch = *ch;
	gin_note(g, GATE_EV_TLS_UP)->result = ch->chain;
	/* RFC 3207 4.2: forget all that was said in clear. */
	g->helo_done = g->box_shown = false;
	g->shown = 0;
	g->errors = g->garbage = 0;
	gin_wait(g, GIN_READY);
}

void smtp_gate_in_tls_failed(struct smtp_gate_in *g, const struct channel *ch)
{
	struct gate_event *ev;

	if (g->phase != GIN_TLS)
		return;
	BUG_ON(g->wish != GATE_STARTTLS);
	ev = gin_note(g, GATE_EV_TLS_FAILED);
	ev->result = ch->missing;
	memcpy(ev->why, ch->why, sizeof(ev->why));
	/* What the client heard in clear is not worth more than before, and
	 * it does not know where it is. */
	gin_end(g, GATE_CLOSE);
}

/* --- time ------------------------------------------------------------------------ */

void smtp_gate_in_tick(struct smtp_gate_in *g, uint64_t now_ms)
{
	bool late = now_ms >= smtp_gate_in_deadline(g);

	g->now_ms = now_ms;
	if (!late)
		return;
	if (g->phase == GIN_END) { /* the last words are not read */
		g->wish = GATE_ABORT;
		return;
	}
	if ((g->phase == GIN_BODY || g->phase == GIN_SWALLOW) &&
	    g->message.progress >= PROGRESS_BYTES * 3 &&
	    now_ms < g->start_ms + SESSION_MS) {
		g->message.progress = 0;
		gin_wait(g, g->phase);
		return;
	}
	if (g->phase == GIN_HOLD) {
		gin_held(g);
		return;
	}
	gin_note(g, GATE_EV_PROTOCOL)->error = E_PEER_TIME;
	if (!g->greeted || g->phase == GIN_BODY || g->phase == GIN_SWALLOW ||
	    g->phase == GIN_TLS || g->phase == GIN_SEAL ||
	    g->phase == GIN_RAW) {
		gin_end(g, GATE_ABORT);
		return;
	}
	gin_answer(g, 421, "4.4.2",
		   client_waits(g) ? "the server did not answer in time"
				   : "idle for too long");
	gin_end(g, GATE_CLOSE);
}

uint64_t smtp_gate_in_deadline(const struct smtp_gate_in *g)
{
	uint64_t most = g->start_ms + SESSION_MS;

	/* The end has its own time, or it would never come. */
	return g->deadline_ms < most || g->phase == GIN_END ? g->deadline_ms
							    : most;
}

bool smtp_gate_in_event(struct smtp_gate_in *g, struct gate_event *ev)
{
	return gate_events_take(&g->events, ev);
}

static const char *phase_name(const struct smtp_gate_in *g)
{
	switch (g->phase) {
	case GIN_GREETING: return "greeting";
	case GIN_READY: return g->mail ? "envelope" : "idle";
	case GIN_EHLO:
	case GIN_HELO:
	case GIN_OLD_HELO: return "ehlo";
	case GIN_MAIL:
	case GIN_OTHER:
	case GIN_RSET: return "envelope";
	case GIN_TLS: return "handshake";
	case GIN_AUTH:
	case GIN_ANSWER:
	case GIN_SEAL: return "log-on";
	case GIN_DATA: return "data";
	case GIN_BODY: return "message";
	case GIN_DOT: return "waiting";
	case GIN_HOLD:
	case GIN_SWALLOW: return "refusing";
	case GIN_QUIT: return "quit";
	case GIN_RAW: return "left alone";
	case GIN_END: return "closing";
	}
	return "?";
}

void smtp_gate_in_status(const struct smtp_gate_in *g, struct gate_status *st)
{
	st->phase = phase_name(g);
	st->channel = &g->ch;
	st->box = false;
	st->messages = g->messages;
	memcpy(st->domain, g->domain, sizeof(st->domain));
}
