/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_relay - one ordinary stream socket per TCP side, to a relay.
 *
 * The kernel's socket buffer between us is the back-pressure: what relay does
 * not read stays in lwIP, so the peer's window closes; what the peer does not
 * take stays in the socket, so relay cannot write.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proc/wire/wire.h"

static struct flow_side *of_watch(struct watch *w)
{
	return (struct flow_side *)((char *)w -
				    offsetof(struct flow_side, watch));
}

static void watch_for(struct flow_side *s)
{
	uint32_t ev = (s->want_in ? (uint32_t)EPOLLIN : 0) |
		      (s->want_out ? (uint32_t)EPOLLOUT : 0);

	loop_mod(&W.prog.loop, &s->watch, ev);
}

void wire_relay_close(struct flow_side *s)
{
	int fd = s->watch.fd;

	if (fd < 0)
		return;
	loop_del(&W.prog.loop, &s->watch);
	close(fd);
	s->eof = true;
}

/* What the peer sent, to relay. */
static void to_relay(struct flow_side *s)
{
	struct span in;

	s->want_out = false;
	while ((in = ip_side_read(&s->ip)).n > 0) {
		ssize_t n = send(s->watch.fd, in.p, in.n,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			ip_side_read_done(&s->ip, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			s->want_out = true;
			return;
		}
		ip_side_read_done(&s->ip, in.n); /* relay reads no more */
	}
	if (s->ip.fin_in && !s->shut) {
		shutdown(s->watch.fd, SHUT_WR);
		s->shut = true;
	}
}

/* relay is done with s: all that it will say is in the stream. Who does not take it
 * must not keep the flow for ever. */
static void last_words(struct flow_side *s)
{
	s->orderly = true;
	wire_flow_last(s->flow);
}

/* What relay says. E_AGAIN: that was all for now. */
static int hear(struct relay_peer *r)
{
	struct ipc_msg m;
	int e;

	while ((e = ipc_recv(r->watch.fd, ROLE_RELAY, ROLE_WIRE, &m)) == OK) {
		struct flow *f = wire_flow_find(m.flow);

		if (m.type == IPC_PROBE_DIAL) {
			wire_probe_dial(r, &m);
			continue;
		}
		if (!f || f->relay != r)
			continue; /* it ended before this was said */
		if (m.type == IPC_FLOW_DIAL)
			wire_flow_dial(f, &m.server);
		else
			last_words(&f->side[m.side]);
	}
	return e;
}

/* relay's end of the stream is closed. Half a message must never look whole:
 * only an end that was announced is a FIN. */
static void end(struct flow_side *s)
{
	if (s->orderly)
		ip_side_finish(&s->ip);
	else
		ip_side_abort(&s->ip);
}

/* relay has closed its end. What it said before is there by now, though epoll
 * may name the stream first. A break does not wait for room. */
static void hung_up(struct flow_side *s)
{
	if (s->orderly)
		return;
	(void)hear(s->flow->relay);
	if (s->watch.fd >= 0 && !s->orderly) {
		s->eof = true;
		end(s);
	}
}

/* What was taken could not be sent: the stream has a hole, so it must end, and
 * relay must know (gone). */
static void broken(struct flow_side *s)
{
	ip_side_abort(&s->ip);
	s->ip.error = E_FULL;
}

/* What relay sent, to the peer. A stream that gave less than was asked for is
 * empty: asking once more would cost as much as a small command does. */
static void from_relay(struct flow_side *s)
{
	static uint8_t b[65536];
	size_t room;

	while (!s->quiet && !s->eof && (room = ip_side_room(&s->ip)) > 0) {
		size_t most = room < sizeof(b) ? room : sizeof(b);
		ssize_t n = recv(s->watch.fd, b, most, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			s->eof = true;
			break;
		}
		s->quiet = n < (ssize_t)most;
		if (n > 0 &&
		    ip_side_write(&s->ip, (struct span){ b, (size_t)n }) != OK)
			broken(s);
		if (n > 0 && s->orderly)
			wire_flow_last(s->flow);
	}
	if (s->eof)
		hung_up(s);
	if (s->eof)
		end(s);
	if (s->eof)
		s->want_in = false;
	else if (s->quiet)
		s->want_in = true;
}

static void say(struct relay_peer *r, const struct ipc_msg *m)
{
	if (!r || r->watch.fd < 0)
		return;
	/* A full queue means a relay that hangs; boss will see to it. */
	if (ipc_send(r->watch.fd, ROLE_WIRE, ROLE_RELAY, m) != OK)
		wire_count(CNT_SYN_DROPPED_RELAY);
}

/* The peer has reset the connection, or is not there any more. */
static void gone(struct flow_side *s)
{
	struct ipc_msg m = { .type = IPC_FLOW_GONE,
			     .flow = s->flow->id,
			     .side = s == &s->flow->side[CLIENT] ? CLIENT
								 : SERVER,
			     .error = s->ip.error };

	if (s->watch.fd < 0 || s->gone || ip_side_read(&s->ip).n > 0)
		return;
	s->gone = true;
	say(s->flow->relay, &m);
	wire_relay_close(s);
}

void wire_relay_move(struct flow_side *s)
{
	if (s->watch.fd < 0) {
		/* relay has let go: what still comes is for nobody. */
		struct span in;

		while ((in = ip_side_read(&s->ip)).n > 0)
			ip_side_read_done(&s->ip, in.n);
		end(s);
		return;
	}
	to_relay(s);
	from_relay(s);
	if (s->eof) /* relay closes both halves at once */
		wire_relay_close(s);
	else
		watch_for(s);
	if (ip_side_over(&s->ip) && s->ip.error != OK)
		gone(s);
}

static void on_stream(struct watch *w, uint32_t events)
{
	struct flow_side *s = of_watch(w);

	if ((events & ~(uint32_t)EPOLLOUT) != 0) {
		/* Known already, and there was no room: stop saying it. */
		if (!s->quiet)
			s->want_in = false;
		s->quiet = false;
	}
	if ((events & EPOLLHUP) != 0)
		hung_up(s);
	wire_flow_event(s);
}

/* A pair: ours is watched, the other is returned for relay; -1: not now. */
static int stream_pair(struct flow_side *s)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       fd) != 0)
		return -1;
	if (loop_add(&W.prog.loop, &s->watch, fd[0], EPOLLIN, on_stream)) {
		close(fd[0]);
		close(fd[1]);
		return -1;
	}
	s->want_in = true;
	s->want_out = s->quiet = false;
	return fd[1];
}

static struct relay_peer *choose(void)
{
	struct relay_peer *best = NULL;

	for (int i = 0; i < IPC_RELAYS_MAX; i++)
		if (W.relay[i].watch.fd >= 0 &&
		    (!best || W.relay[i].flows < best->flows))
			best = &W.relay[i];
	return best;
}

bool wire_relay_offer(struct flow *f)
{
	struct relay_peer *r = choose();
	struct ipc_msg m = { .type = IPC_FLOW_OPEN,
			     .flow = f->id,
			     .client_port = f->client_port,
			     .client = f->client,
			     .server = f->server,
			     .tls_only = f->tls_only,
			     .fd_n = SIDES };
	int e = E_AGAIN;

	if (!r)
		return false;
	m.fd[CLIENT] = stream_pair(&f->side[CLIENT]);
	m.fd[SERVER] = stream_pair(&f->side[SERVER]);
	if (m.fd[CLIENT] >= 0 && m.fd[SERVER] >= 0)
		e = ipc_send(r->watch.fd, ROLE_WIRE, ROLE_RELAY, &m);
	for (int i = 0; i < SIDES; i++) {
		if (m.fd[i] >= 0)
			close(m.fd[i]);
		if (e != OK) {
			wire_relay_close(&f->side[i]);
			f->side[i].eof = false;
		}
	}
	if (e != OK)
		return false;
	f->relay = r;
	r->flows++;
	for (int i = 0; i < SIDES; i++)
		wire_relay_move(&f->side[i]);
	return true;
}

void wire_relay_dialed(struct flow *f, int error)
{
	struct ipc_msg m = { .type = IPC_FLOW_DIAL_FAILED,
			     .flow = f->id,
			     .error = error };

	if (error == OK) {
		m.type = IPC_FLOW_DIALED;
		m.fd[0] = stream_pair(&f->side[SERVER]);
		m.fd_n = 1;
		if (m.fd[0] < 0) {
			m.type = IPC_FLOW_DIAL_FAILED;
			m.error = E_FULL;
			m.fd_n = 0;
		}
	}
	say(f->relay, &m);
	if (m.fd_n > 0)
		close(m.fd[0]);
}

/* A relay that restarts, or hangs and was killed: what it carried is lost, and
 * nobody may believe otherwise. */
static void relay_lost(struct relay_peer *r)
{
	struct flow *next;
	int fd = r->watch.fd;

	loop_del(&W.prog.loop, &r->watch);
	close(fd);
	for (struct flow *f = W.flows; f; f = next) {
		next = f->next;
		if (f->relay != r)
			continue;
		if (f->state == FLOW_ENDING) /* which it had finished */
			f->relay = NULL;
		else
			wire_flow_end(f);
	}
}

static void on_relay(struct watch *w, uint32_t events)
{
	struct relay_peer *r = (struct relay_peer *)((char *)w -
						     offsetof(struct relay_peer,
							      watch));

	(void)events;
	if (hear(r) != E_AGAIN)
		relay_lost(r);
}

void wire_relay_add(struct ipc_msg *m)
{
	struct relay_peer *r = &W.relay[m->index];

	if (r->watch.fd >= 0)
		relay_lost(r);
	r->index = m->index;
	r->flows = 0;
	if (loop_add(&W.prog.loop, &r->watch, m->fd[0], EPOLLIN, on_relay) ==
	    OK)
		m->fd_n = 0;
}
