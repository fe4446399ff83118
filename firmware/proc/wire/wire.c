/* SPDX-License-Identifier: BSD-2-Clause */
/* wire - see wire.h. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proc/wire/wire.h"
#include "proto/canary.h"

struct wire W;

enum { TABLE_SLOTS = 16384 };

bool wire_intercepts(uint16_t port)
{
	for (size_t i = 0; i < W.policy.settings.intercept_n; i++)
		if (W.policy.settings.intercept[i] == port)
			return true;
	return false;
}

void wire_count(enum counter c)
{
	stats_add(W.prog.stats, c, 1);
}

static void on_port(struct watch *w, uint32_t events)
{
	enum port p = w == &W.port_watch[INSIDE] ? INSIDE : OUTSIDE;
	unsigned n;

	(void)events;
	/* Bounded, so that one port cannot keep the other waiting. */
	for (int turns = 0; turns < 4; turns++) {
		n = port_receive(&W.io[p]);
		for (unsigned i = 0; i < n; i++)
			wire_frame(p, &W.io[p].frame[i]);
		if (n < PORT_BATCH)
			break;
	}
}

/* --- settings ---------------------------------------------------------------- */

static int take_snapshot(struct ipc_msg *m)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	struct policy fresh;
	struct stat st;
	void *p;
	int r;

	if ((fcntl(m->fd[0], F_GET_SEALS) & seals) != seals ||
	    fstat(m->fd[0], &st) != 0)
		return E_CORRUPT;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, m->fd[0], 0);
	if (p == MAP_FAILED)
		return E_IO;
	r = policy_open(&fresh, (struct span){ p, (size_t)st.st_size });
	if (r != OK) {
		munmap(p, (size_t)st.st_size);
		return r;
	}
	if (W.snapshot)
		munmap(W.snapshot, W.snapshot_n);
	W.snapshot = p;
	W.snapshot_n = (size_t)st.st_size;
	if (!endpoint_eq(&W.policy.settings.inbound_address,
			 &fresh.settings.inbound_address))
		W.address_in_use = false;
	W.policy = fresh;
	W.have_policy = true;
	W.prog.stats->snapshot = m->number;
	return OK;
}

static void on_confd(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r, fd;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_CONFD, ROLE_WIRE, &m)) == OK ||
	       r == E_FULL) {
		struct ipc_msg ack = { .type = IPC_SNAPSHOT_ACK,
				       .number = m.number,
				       .error = r };

		if (r == OK) {
			ack.error = take_snapshot(&m);
			close(m.fd[0]);
		}
		r = ipc_send(w->fd, ROLE_WIRE, ROLE_CONFD, &ack);
		if (r != OK)
			break;
	}
	if (r == E_AGAIN)
		return;
	if (r != E_PEER_GONE) /* rather than miss what comes next */
		program_die(&W.prog, "message of confd: %s", err_name(r));
	fd = w->fd;
	loop_del(&W.prog.loop, w);
	close(fd);
	program_peer_lost(&W.prog, ROLE_CONFD);
}

/* witness asks for a frame; without witness mail goes on. */
static void on_witness(struct watch *w, uint32_t events)
{
	const struct virtio_net_hdr plain = { 0 };
	struct ipc_msg m;
	int r, fd;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_WITNESS, ROLE_WIRE, &m)) == OK)
		port_push(&W.io[OUTSIDE],
			  canary_write(port_room(&W.io[OUTSIDE]), m.number).n,
			  &plain);
	if (r == E_AGAIN)
		return;
	fd = w->fd;
	loop_del(&W.prog.loop, w);
	close(fd);
}

static void new_filter(const struct ipc_msg *m)
{
	const struct classifier_own own = { (uint16_t)m->number,
					    CLASSIFIER_SOCKET_PASS };
	static struct classifier c;

	if (classifier_build(&c, m->ports, m->ports_n, own,
			     CLASSIFIER_SOCKET_TAKE,
			     CLASSIFIER_SOCKET_PASS) != OK ||
	    port_filter(&W.io[INSIDE], &c) != OK ||
	    port_filter(&W.io[OUTSIDE], &c) != OK)
		program_die(&W.prog, "classifier on the packet sockets");
}

static void join(struct watch *w, struct ipc_msg *m,
		 void (*ready)(struct watch *, uint32_t))
{
	int old = w->fd;

	if (old >= 0) {
		loop_del(&W.prog.loop, w);
		close(old);
	}
	if (loop_add(&W.prog.loop, w, m->fd[0], EPOLLIN, ready) != OK)
		program_die(&W.prog, "cannot watch %s", role_name(m->role));
	m->fd_n = 0;
}

static void on_boss(struct program *p, struct ipc_msg *m)
{
	(void)p;
	if (m->type == IPC_PEER && m->role == ROLE_RELAY) {
		wire_relay_add(m);
	} else if (m->type == IPC_PEER && m->role == ROLE_CONFD) {
		join(&W.confd, m, on_confd);
	} else if (m->type == IPC_PEER && m->role == ROLE_WITNESS) {
		join(&W.witness, m, on_witness);
	} else if (m->type == IPC_INTERCEPTED && m->error == OK) {
		new_filter(m);
	} else if (m->type == IPC_PORTS) {
		for (int i = 0; i < PORTS; i++)
			if (port_init(&W.io[i], m->fd[i]) != OK ||
			    loop_add(&W.prog.loop, &W.port_watch[i], m->fd[i],
				     EPOLLIN, on_port) != OK)
				program_die(p, "no memory for the ports");
		W.asks_fd = m->fd[PORTS];
		m->fd_n = 0;
	}
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

static void start(char **argv)
{
	W.confd.fd = W.witness.fd = -1;
	for (int i = 0; i < IPC_RELAYS_MAX; i++)
		W.relay[i].watch.fd = -1;
	program_start(&W.prog, ROLE_WIRE, argv);
	W.now = now_ms();
	if (getrandom(W.key, sizeof(W.key), 0) != (ssize_t)sizeof(W.key))
		program_die(&W.prog, "no randomness");
	if (ip_start(W.key, TABLE_SLOTS, wire_output, W.now) != OK)
		program_die(&W.prog, "no memory for the flow table");
	W.prog.on_boss = on_boss;
	for (uint32_t i = 0; i < W.prog.given_n; i++)
		on_boss(&W.prog, &W.prog.given[i]);
	if (!W.io[OUTSIDE].in)
		program_die(&W.prog, "no ports were given");
	stats_set(W.prog.stats, CNT_FLOWS_NOW, 0);
	stats_set(W.prog.stats, CNT_HALF_OPEN_NOW, 0);
	program_sandbox(&W.prog);
}

int main(int argc, char **argv)
{
	uint64_t tick = 0;
	bool owing = false;

	(void)argc;
	start(argv);
	for (;;) {
		struct ip_side *s;

		program_turn(&W.prog, owing	? IP_ACK_MS
				      : W.flows ? IP_TICK_MS
						: -1);
		W.now = now_ms();
		ip_tick(W.now);
		while ((s = ip_next_event()) != NULL)
			wire_flow_event((struct flow_side *)s);
		if (W.now - tick >= IP_TICK_MS) {
			tick = W.now;
			wire_flow_tick();
		}
		wire_asks_look();
		owing = ip_acknowledge();
		for (int p = 0; p < PORTS; p++)
			port_flush(&W.io[p]);
		stats_set(W.prog.stats, CNT_FRAMES_DROPPED_QUEUE,
			  W.io[INSIDE].dropped + W.io[OUTSIDE].dropped);
	}
}
