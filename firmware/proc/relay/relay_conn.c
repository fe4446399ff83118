/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_conn - one session: bytes between its engine and its two sockets, and
 * what is told about it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/text.h"
#include "proc/relay/relay.h"

static struct relay_snapshot *current(void)
{
	return &R.snapshot[R.current];
}

static void count(enum counter c, uint64_t n)
{
	stats_add(R.prog.stats, c, n);
}

void relay_copy(char *to, size_t size, const char *from)
{
	size_t n = from ? strlen(from) : 0;

	if (n > size - 1)
		n = size - 1;
	if (n > 0)
		memcpy(to, from, n);
	to[n] = '\0';
}

static void mark(struct conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = R.dirty;
	R.dirty = c;
}

struct conn *relay_conn_find(uint32_t flow)
{
	struct conn *c = R.flow[flow % 4096];

	while (c && c->flow != flow)
		c = c->by_flow;
	return c;
}

static void close_side(struct conn *c, enum side side)
{
	int fd = c->watch[side].fd;

	if (fd < 0)
		return;
	loop_del(&R.prog.loop, &c->watch[side]);
	close(fd);
}

static void say(const struct ipc_msg *m)
{
	if (R.wire.fd >= 0 &&
	    ipc_send(R.wire.fd, ROLE_RELAY, ROLE_WIRE, m) != OK)
		program_log(&R.prog, SEV_WARNING, "event=wire-deaf");
}

static void finish(uint32_t flow, enum side side)
{
	struct ipc_msg m = { .type = IPC_FLOW_FINISH,
			     .flow = flow,
			     .side = side };

	say(&m);
}

static void die(struct conn *c, bool rst_client, bool rst_server)
{
	const bool rst[SIDES] = {
		[CLIENT] = rst_client, [SERVER] = rst_server
	};

	if (c->dead)
		return;
	c->dead = true;
	mark(c);
	for (enum side s = CLIENT; s < SIDES; s++) {
		if (!rst[s] && c->watch[s].fd >= 0)
			finish(c->flow, s);
		close_side(c, s);
	}
}

/* --- what is told ------------------------------------------------------------ */

/* The server of an event; empty if the log is not to have addresses. */
static const char *server_of(const struct gate_event *ev)
{
	static char ip[48];
	struct text t;

	text_init(&t, ip, sizeof(ip));
	if (current()->policy.settings.log_addresses)
		text_ip(&t, ev->server.ip);
	return ip;
}

static void refusal(const struct conn *c, const struct gate_event *ev)
{
	const char *server = server_of(ev);
	char line[STATS_TEXT];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, ev->domain[0] ? ev->domain : "(no domain)");
	text_str(&t, " ");
	text_u64(&t, ev->code);
	text_str(&t, " ");
	text_str(&t, tls_result_name(ev->result));
	text_str(&t, ": ");
	text_str(&t, ev->why);
	text_str(&t, server[0] ? " (server " : "");
	text_str(&t, server);
	text_str(&t, server[0] ? ")" : "");
	stats_refusal(R.prog.stats, now_unix_ms(), text_done(&t));
	count(ev->code >= 500 ? CNT_RCPT_REFUSED : CNT_RCPT_DEFERRED, 1);
	program_log(&R.prog, SEV_NOTICE,
		    "event=recipient-refused session=%u domain=%s code=%u "
		    "result=%s server=%s",
		    c->flow, ev->domain, ev->code, tls_result_name(ev->result),
		    server);
}

static void protocol_error(const struct gate_event *ev)
{
	char line[80];

	count(ev->side == CLIENT ? CNT_PROTOCOL_CLIENT : CNT_PROTOCOL_SERVER,
	      1);
	snprintf(line, sizeof(line), "event=protocol-error side=%s error=%s",
		 ev->side == CLIENT ? "client" : "server", err_name(ev->error));
	program_log_why(&R.prog, SEV_NOTICE, line, span_str(ev->why));
}

static void logon(const struct gate_event *ev, bool good)
{
	char line[STATS_TEXT];
	struct text t;

	count(good ? CNT_LOGONS : CNT_LOGONS_FAILED, 1);
	text_init(&t, line, sizeof(line));
	text_str(&t,
		 good ? "event=logon domain=" : "event=logon-failed domain=");
	text_str(&t, ev->domain);
	text_str(&t, " server=");
	text_str(&t, server_of(ev));
	program_log_why(&R.prog, good ? SEV_INFO : SEV_WARNING, line,
			span_str(ev->why));
}

static void tls_up(const struct gate_event *ev)
{
	count(CNT_TLS_UP, 1);
	count(CNT_TLS_TRUSTED, ev->result == TLS_RESULT_OK);
	peer_memory_offered(R.peers, &ev->server);
	peer_memory_tls_up(R.peers, &ev->server);
}

static void tls_failed(const struct gate_event *ev)
{
	uint64_t forget =
		R.now + (uint64_t)current()->policy.settings.fallback_s * 1000;
	char line[160];

	count(CNT_TLS_FAILED, 1);
	peer_memory_offered(R.peers, &ev->server);
	peer_memory_tls_failed(R.peers, &ev->server, R.now, forget);
	snprintf(line, sizeof(line), "event=tls-failed server=%s result=%s",
		 server_of(ev), tls_result_name(ev->result));
	program_log_why(&R.prog, SEV_NOTICE, line, span_str(ev->why));
}

static void starttls_vanished(const struct gate_event *ev)
{
	count(CNT_STARTTLS_VANISHED, 1);
	program_log(&R.prog, SEV_ALARM, "event=starttls-vanished server=%s",
		    server_of(ev));
	(void)stats_alarm(R.prog.stats, ALARM_STARTTLS_VANISHED, now_unix_ms(),
			  span_str(server_of(ev)));
}

static void rcpt_passed(struct conn *c, const struct gate_event *ev)
{
	struct gate_status st;

	session_status(c->session, &st);
	relay_domain_taken(ev->domain, st.channel);
	relay_learn_seen(ev->domain, st.channel);
	if (st.box)
		relay_peers_called(ev->domain, st.channel);
	relay_verify_judged(c, ev);
}

static void rcpt_refused(struct conn *c, const struct gate_event *ev)
{
	struct gate_status st;

	session_status(c->session, &st);
	relay_domain_refused(ev, st.channel);
	if (st.box)
		relay_peers_called(ev->domain, st.channel);
	relay_explain_refused(c, ev, st.channel);
	relay_verify_judged(c, ev);
	refusal(c, ev);
}

static void told(struct conn *c, const struct gate_event *ev)
{
	relay_explain_step(c, ev);
	switch (ev->type) {
	case GATE_EV_TLS_UP: tls_up(ev); break;
	case GATE_EV_TLS_FAILED: tls_failed(ev); break;
	case GATE_EV_STARTTLS_VANISHED: starttls_vanished(ev); break;
	case GATE_EV_FALLBACK:
		count(CNT_FALLBACKS, 1);
		program_log(&R.prog, SEV_NOTICE,
			    "event=fallback-to-clear server=%s", server_of(ev));
		break;
	case GATE_EV_RCPT_PASSED: rcpt_passed(c, ev); break;
	case GATE_EV_RCPT_REFUSED: rcpt_refused(c, ev); break;
	case GATE_EV_MAIL_REFUSED:
	case GATE_EV_BOX_CALLS: break; /* inbound */
	case GATE_EV_MESSAGE:
		count(ev->protected_ ? CNT_MESSAGES_PROTECTED
				     : CNT_MESSAGES_CLEAR,
		      1);
		count(CNT_MESSAGE_BYTES, ev->bytes);
		break;
	case GATE_EV_LOGON: logon(ev, true); break;
	case GATE_EV_LOGON_FAILED:
		logon(ev, false);
		relay_logon_end(c);
		break;
	case GATE_EV_MESSAGE_REFUSED: count(CNT_MESSAGES_REFUSED, 1); break;
	case GATE_EV_PROTOCOL: protocol_error(ev); break;
	}
}

static void tell(struct conn *c, const struct gate_event *ev)
{
	if (c->inbound)
		relay_inbound_told(c, ev);
	else
		told(c, ev);
}

static void show(const struct conn *c)
{
	struct stats_session *s;
	struct gate_status st;

	if (c->slot == STATS_SESSIONS)
		return;
	s = &R.prog.stats->session[c->slot];
	session_status(c->session, &st);
	s->messages = st.messages;
	memcpy(s->octets, c->octets, sizeof(s->octets));
	s->tls_version = st.channel->tls ? st.channel->version : 0;
	s->chain = c->inbound ? TLS_RESULTS : (uint16_t)st.channel->chain;
	relay_copy(s->suite, sizeof(s->suite), st.channel->suite);
	s->bits = st.channel->logon.bits;
	relay_logon_text(&st.channel->logon, s->logon, sizeof(s->logon));
	relay_copy(s->phase, sizeof(s->phase), st.phase);
	relay_copy(s->domain, sizeof(s->domain), st.domain);
}

static uint32_t take_slot(const struct conn *c)
{
	static uint32_t hint;
	struct stats_session *all = R.prog.stats->session;

	for (uint32_t i = 0; i < STATS_SESSIONS; i++) {
		uint32_t k = (hint + i) % STATS_SESSIONS;

		if (all[k].used)
			continue;
		hint = k + 1;
		all[k] = (struct stats_session){ .flow = c->flow,
						 .inbound = c->inbound,
						 .client = c->client,
						 .server = c->server,
						 .since_ms = R.now };
		__atomic_store_n(&all[k].used, 1, __ATOMIC_RELEASE);
		return k;
	}
	return STATS_SESSIONS;
}

/* --- bytes --------------------------------------------------------------------- */

/* Give the session what was read. True: all was taken. */
static bool push_in(struct conn *c, enum side side)
{
	struct conn_in *in = &c->in[side];

	while (in->n > in->at) {
		size_t n = session_feed(
			c->session, side,
			(struct span){ in->p + in->at, in->n - in->at });

		if (n == 0)
			return false;
		in->at += n;
	}
	free(in->p);
	in->p = NULL;
	in->n = in->at = 0;
	return true;
}

/* How much to ask for. Before the server has said a word the session takes nothing
 * of the client, but a client that leaves must be seen: its server may be silent
 * for minutes. What it says too early is kept, so a little is enough. */
static size_t wants(const struct conn *c, enum side side)
{
	if (session_hungry(c->session, side))
		return RELAY_READ;
	return side == CLIENT && c->octets[SERVER] == 0 ? 256 : 0;
}

static void read_side(struct conn *c, enum side side)
{
	struct conn_in *in = &c->in[side];
	static uint8_t b[RELAY_READ];
	size_t most, took;

	while (c->watch[side].fd >= 0 && !in->eof && push_in(c, side) &&
	       !in->quiet && (most = wants(c, side)) > 0) {
		ssize_t n = recv(c->watch[side].fd, b, most, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			c->octets[side] += (uint64_t)n;
		/* Less than was asked for: empty, no need to ask again. */
		in->quiet = n < (ssize_t)most;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			in->eof = true;
			break;
		}
		if (side == CLIENT && !c->inbound)
			relay_verify_said(c, (struct span){ b, (size_t)n });
		took = session_feed(c->session, side,
				    (struct span){ b, (size_t)n });
		if (took == (size_t)n)
			continue;
		in->p = malloc((size_t)n - took);
		if (!in->p) {
			die(c, true, true);
			return;
		}
		in->n = (size_t)n - took;
		in->at = 0;
		memcpy(in->p, b + took, in->n);
	}
	if (in->eof && !in->told && in->n == in->at) {
		in->told = true;
		if (in->hup)
			session_gone(c->session, side);
		else
			session_eof(c->session, side);
	}
}

/* Has the client got the last words, or can it not get them any more? */
static bool farewell(const struct conn *c)
{
	return c->watch[CLIENT].fd < 0 ||
	       session_out(c->session, CLIENT).n == 0;
}

/* True: something was written. */
static bool write_side(struct conn *c, enum side side)
{
	bool moved = false;
	struct span out;

	while (c->watch[side].fd >= 0 &&
	       (out = session_out(c->session, side)).n > 0) {
		ssize_t n = send(c->watch[side].fd, out.p, out.n,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			break;
		if (n <= 0) {
			close_side(c, side);
			if (!c->in[side].told) {
				c->in[side].told = c->in[side].eof = true;
				session_gone(c->session, side);
			}
			return true;
		}
		if (side == CLIENT && !c->inbound)
			relay_verify_answered(
				c, (struct span){ out.p, (size_t)n });
		session_sent(c->session, side, (size_t)n);
		moved = true;
	}
	return moved;
}

static void watch_for(struct conn *c, enum side side)
{
	uint32_t ev = 0;

	/* Not hungry, and nothing there: it need not be taken out yet. */
	if (!c->in[side].eof && !c->in[side].p &&
	    (c->in[side].quiet || wants(c, side) > 0))
		ev |= EPOLLIN;
	if (session_out(c->session, side).n > 0)
		ev |= EPOLLOUT;
	loop_mod(&R.prog.loop, &c->watch[side], ev);
}

static void dial(struct conn *c)
{
	struct ipc_msg m = { .type = IPC_FLOW_DIAL, .flow = c->flow };

	m.server = c->dialed = session_dial(c->session);
	relay_verify_moved(c);
	say(&m); /* before the stream closes: RST, not FIN, to the old server */
	close_side(c, SERVER);
	free(c->in[SERVER].p);
	c->in[SERVER] = (struct conn_in){ .quiet = true };
	c->sign_turn = 0;
	c->dialing = true;
}

/* Deadlines are counted from now, not from the last one that passed. And one turn
 * may be a lot of handshakes: boss must hear from us meanwhile. */
void relay_conn_time(struct conn *c)
{
	program_alive(&R.prog);
	R.now = now_ms();
	session_tick(c->session, R.now);
}

void relay_conn_run(struct conn *c)
{
	struct gate_event ev;
	bool again = true;

	relay_conn_time(c);
	while (again && !c->dead) {
		again = false;
		for (enum side s = CLIENT; s < SIDES && !c->dead; s++)
			read_side(c, s);
		for (enum side s = CLIENT; s < SIDES && !c->dead; s++)
			again = write_side(c, s) || again;
		if (c->dead)
			break;
		while (session_event(c->session, &ev)) {
			tell(c, &ev);
			again = true; /* it takes nothing while many wait */
		}
		switch (session_wish(c->session)) {
		case SESSION_NOTHING: break;
		case SESSION_DIAL:
			if (!c->dialing) {
				dial(c);
				again = true;
			}
			break;
		case SESSION_ROUTE:
			again = relay_names_answer(c) || again;
			break;
		case SESSION_AUTH: again = relay_logon_ask(c) || again; break;
		case SESSION_SIGN: relay_sign_ask(c); break;
		case SESSION_CLOSE:
			if (farewell(c))
				die(c, false, false);
			break;
		case SESSION_CUT:
			if (farewell(c))
				die(c, false, true);
			break;
		case SESSION_ABORT: die(c, true, true); break;
		}
	}
	if (c->dead)
		return;
	for (enum side s = CLIENT; s < SIDES; s++)
		watch_for(c, s);
	mark(c);
}

static void on_side(struct conn *c, enum side side, uint32_t events)
{
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		c->in[side].quiet = false;
	if ((events & EPOLLHUP) != 0)
		c->in[side].hup = true;
	relay_conn_run(c);
}

static void on_client(struct watch *w, uint32_t events)
{
	on_side((struct conn *)((char *)w -
				offsetof(struct conn, watch[CLIENT])),
		CLIENT, events);
}

static void on_server(struct watch *w, uint32_t events)
{
	on_side((struct conn *)((char *)w -
				offsetof(struct conn, watch[SERVER])),
		SERVER, events);
}

/* --- begin and end ---------------------------------------------------------------- */

static struct session *new_session(const struct ipc_msg *m)
{
	struct peer_facts known = peer_memory_get(R.peers, &m->server, R.now);
	struct gate_start start = {
		.client = m->client,
		.server = m->server,
		.tls_failed_before = known.tls_failed_lately,
		.starttls_before = known.starttls_before,
		.learned = R.learned,
		.session = m->flow,
		.now_ms = R.now
	};

	if (m->client_port == OUTSIDE)
		return relay_inbound_session(m);
	return session_new(&current()->policy, current()->trust, R.identity,
			   &start);
}

/* NULL: no room. The descriptors of m are ours if there was. */
static struct conn *new_conn(struct ipc_msg *m)
{
	struct conn *c = NULL;

	if (m->fd_n == SIDES && R.have_policy &&
	    R.conns_n < CONFIG_MAX_SESSIONS)
		c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->watch[CLIENT].fd = c->watch[SERVER].fd = -1;
	c->in[CLIENT].quiet = c->in[SERVER].quiet = true;
	c->inbound = m->client_port == OUTSIDE;
	c->session = new_session(m);
	if (c->session &&
	    loop_add(&R.prog.loop, &c->watch[CLIENT], m->fd[CLIENT], EPOLLIN,
		     on_client) == OK &&
	    loop_add(&R.prog.loop, &c->watch[SERVER], m->fd[SERVER], EPOLLIN,
		     on_server) == OK) {
		m->fd_n = 0;
		return c;
	}
	loop_del(&R.prog.loop, &c->watch[CLIENT]);
	session_free(c->session);
	free(c);
	return NULL;
}

static void open_conn(struct ipc_msg *m)
{
	struct conn *c = new_conn(m);

	if (!c) {
		count(CNT_SESSIONS_REFUSED, 1);
		return; /* its streams are closed without a word: RST */
	}
	c->flow = m->flow;
	c->client = m->client;
	c->server = m->server;
	c->by_flow = R.flow[c->flow % 4096];
	R.flow[c->flow % 4096] = c;
	c->next = R.conns;
	if (R.conns)
		R.conns->prev = c;
	R.conns = c;
	c->slot = take_slot(c);
	relay_verify_judged(c, NULL);
	count(CNT_SESSIONS, 1);
	stats_set(R.prog.stats, CNT_SESSIONS_NOW, ++R.conns_n);
	if (R.conns_n > stats_get(R.prog.stats, CNT_SESSIONS_PEAK))
		stats_set(R.prog.stats, CNT_SESSIONS_PEAK, R.conns_n);
	relay_conn_run(c);
}

static void free_conn(struct conn *c)
{
	struct conn **at = &R.flow[c->flow % 4096];
	struct gate_event ev;

	while (session_event(c->session, &ev))
		tell(c, &ev);
	while (*at != c)
		at = &(*at)->by_flow;
	*at = c->by_flow;
	if (c->prev)
		c->prev->next = c->next;
	else
		R.conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (c->slot < STATS_SESSIONS)
		__atomic_store_n(&R.prog.stats->session[c->slot].used, 0,
				 __ATOMIC_RELEASE);
	stats_set(R.prog.stats, CNT_SESSIONS_NOW, --R.conns_n);
	relay_logon_end(c);
	session_free(c->session);
	for (int s = 0; s < SIDES; s++)
		free(c->in[s].p);
	free(c->trail);
	free(c);
}

/* The answer to a dial. The session may have given up waiting, and may want
 * another server by now: a connection to this one is none of its business. */
static void dialed(struct conn *c, struct ipc_msg *m)
{
	struct endpoint want = session_dial(c->session);

	if (!c->dialing)
		return;
	c->dialing = false;
	if (session_wish(c->session) != SESSION_DIAL ||
	    !endpoint_eq(&want, &c->dialed))
		return;
	if (m->type == IPC_FLOW_DIALED && m->fd_n == 1 &&
	    loop_add(&R.prog.loop, &c->watch[SERVER], m->fd[0], EPOLLIN,
		     on_server) == OK) {
		m->fd_n = 0;
		session_dialed(c->session);
	} else {
		relay_names_unreached(&c->dialed);
		session_dial_failed(c->session);
	}
}

void relay_conn_message(struct ipc_msg *m)
{
	struct conn *c;

	if (m->type == IPC_FLOW_OPEN) {
		open_conn(m);
		return;
	}
	c = relay_conn_find(m->flow);
	if (!c || c->dead)
		return;
	relay_conn_time(c);
	if (m->type == IPC_FLOW_DIALED || m->type == IPC_FLOW_DIAL_FAILED) {
		dialed(c, m);
	} else if (m->type == IPC_FLOW_GONE &&
		   !(m->side == SERVER && c->dialing) && !c->in[m->side].told) {
		/* What it sent before is still in the socket. */
		c->in[m->side].quiet = false;
		c->in[m->side].told = true;
		read_side(c, m->side);
		c->in[m->side].eof = true;
		session_gone(c->session, m->side);
	}
	relay_conn_run(c);
}

void relay_conn_lost(void)
{
	for (struct conn *c = R.conns; c; c = c->next)
		die(c, true, true);
}

void relay_conn_routes(void)
{
	for (struct conn *c = R.conns; c; c = c->next)
		if (!c->dead && session_wish(c->session) == SESSION_ROUTE)
			relay_conn_run(c);
}

void relay_conn_set_policy(const struct relay_snapshot *s)
{
	for (struct conn *c = R.conns; c; c = c->next)
		session_set_policy(c->session, &s->policy, s->trust);
}

void relay_conn_set_identity(struct tls_identity *id)
{
	for (struct conn *c = R.conns; c; c = c->next)
		session_set_identity(c->session, id);
}

void relay_conn_turn(void)
{
	struct conn *next;

	if (R.now - R.ticked >= RELAY_TICK_MS) {
		R.ticked = R.now;
		for (struct conn *c = R.conns; c; c = c->next)
			if (!c->dead &&
			    (R.now >= session_deadline(c->session) ||
			     relay_sign_due(c) || relay_logon_late(c)))
				relay_conn_run(c);
	}
	for (struct conn *c = R.dirty; c; c = next) {
		next = c->next_dirty;
		c->dirty = false;
		if (c->dead)
			free_conn(c);
		else
			show(c);
	}
	R.dirty = NULL;
}
