/* SPDX-License-Identifier: BSD-2-Clause */
/* witness - see witness.h. */
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "drivers/tap.h"
#include "proc/witness/witness.h"

struct witness W;

bool witness_watches(uint16_t port)
{
	for (unsigned i = 0; i < W.ports_n; i++)
		if (W.ports[i] == port)
			return true;
	return false;
}

/* From now on. */
static void watch_port(uint16_t port)
{
	if (witness_watches(port))
		return;
	if (W.ports_n == sizeof(W.ports) / sizeof(W.ports[0])) {
		program_log(&W.prog, SEV_WARNING,
			    "event=not-watched port=%u why=\"too many\"", port);
		return;
	}
	W.ports[W.ports_n++] = port;
	if (W.tap.fd >= 0 &&
	    tap_ports(W.tap.fd, TAP_LEAVES, W.ports, W.ports_n) != OK)
		program_die(&W.prog, "filter on the tap");
	capture_ports();
}

static void hang_up(struct watch *w)
{
	int fd = w->fd;

	loop_del(&W.prog.loop, w);
	close(fd);
}

/* A relay that is gone cannot say any more what may be in clear. */
static void relay_lost(struct watch *w)
{
	hang_up(w);
	verify_reset();
	program_peer_lost(&W.prog, ROLE_RELAY);
}

static void hear_relay(struct watch *w)
{
	struct ipc_msg m;
	int r;

	while ((r = ipc_recv(w->fd, ROLE_RELAY, ROLE_WITNESS, &m)) == OK) {
		if (m.type == IPC_JUDGED) {
			capture_judged(&m);
			continue;
		}
		watch_port(m.server.port);
		if (m.type == IPC_PROTECT)
			verify_protect(&m);
		else
			verify_expose(&m);
	}
	if (r != E_AGAIN)
		relay_lost(w);
}

static void hear_relays(void)
{
	for (int i = 0; i < IPC_RELAYS_MAX; i++)
		if (W.relay[i].fd >= 0)
			hear_relay(&W.relay[i]);
}

static void on_relay(struct watch *w, uint32_t events)
{
	(void)events;
	hear_relay(w);
}

static void on_tap(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	W.nap = !verify_frames(hear_relays);
}

static void on_capture(struct watch *w, uint32_t events)
{
	(void)events;
	capture_frames(w == &W.capture[INSIDE] ? INSIDE : OUTSIDE);
}

/* wire says nothing. */
static void on_wire(struct watch *w, uint32_t events)
{
	(void)events;
	hang_up(w);
	program_peer_lost(&W.prog, ROLE_WIRE);
}

static void hear_console(struct ipc_msg *m)
{
	if (m->type == IPC_CAPTURE)
		capture_ask(m);
	else if (m->type == IPC_WATCH)
		watch_ask(m);
	else
		verify_ask(true);
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

static void on_console(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_CONSOLE, ROLE_WITNESS, &m)) == OK)
		hear_console(&m);
	if (r != E_AGAIN) /* it comes back, or does not ask */
		hang_up(w);
}

static void watch_fd(struct watch *w, int fd,
		     void (*ready)(struct watch *, uint32_t))
{
	if (w->fd >= 0)
		hang_up(w);
	if (loop_add(&W.prog.loop, w, fd, EPOLLIN, ready) != OK)
		program_die(&W.prog, "cannot watch a descriptor");
}

static void attach(struct watch *w, struct ipc_msg *m,
		   void (*ready)(struct watch *, uint32_t))
{
	watch_fd(w, m->fd[0], ready);
	m->fd_n = 0;
}

static void take_taps(struct ipc_msg *m)
{
	watch_fd(&W.tap, m->fd[0], on_tap);
	watch_fd(&W.capture[INSIDE], m->fd[1], on_capture);
	watch_fd(&W.capture[OUTSIDE], m->fd[2], on_capture);
	m->fd_n = 0;
}

static void join_relay(struct ipc_msg *m)
{
	struct ipc_msg key = { .type = IPC_PRINT_KEY, .number = W.key };
	struct watch *w = &W.relay[m->index];

	if (w->fd >= 0)
		relay_lost(w);
	attach(w, m, on_relay);
	W.prog.lost_ms[ROLE_RELAY] = 0;
	if (ipc_send(w->fd, ROLE_WITNESS, ROLE_RELAY, &key) != OK)
		relay_lost(w);
}

static void on_boss(struct program *p, struct ipc_msg *m)
{
	(void)p;
	if (m->type == IPC_PEER && m->role == ROLE_RELAY)
		join_relay(m);
	else if (m->type == IPC_PEER && m->role == ROLE_WIRE)
		attach(&W.wire, m, on_wire);
	else if (m->type == IPC_PEER && m->role == ROLE_CONSOLE)
		attach(&W.console, m, on_console);
	else if (m->type == IPC_TAP)
		take_taps(m);
	else if (m->type == IPC_INTERCEPTED)
		for (uint32_t i = 0; i < m->ports_n; i++)
			watch_port(m->ports[i]);
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

static void start(char **argv)
{
	W.wire.fd = W.console.fd = W.tap.fd = -1;
	W.capture[INSIDE].fd = W.capture[OUTSIDE].fd = -1;
	for (int i = 0; i < IPC_RELAYS_MAX; i++)
		W.relay[i].fd = -1;
	program_start(&W.prog, ROLE_WITNESS, argv);
	W.now = now_ms();
	W.prog.stats->capture = (struct stats_capture){ .running = 0 };
	W.prog.stats->watch.state = WATCH_OFF;
	verify_init();
	W.prog.on_boss = on_boss;
	for (uint32_t i = 0; i < W.prog.given_n; i++)
		on_boss(&W.prog, &W.prog.given[i]);
	if (W.tap.fd < 0)
		program_die(&W.prog, "no tap was given");
	program_sandbox(&W.prog);
}

/* To be woken for each frame and each print costs whoever sends it, and us, more than
 * to look at it: what comes within the next moment is looked at together. */
static void nap(void)
{
	const struct timespec t = { .tv_nsec = WITNESS_NAP_MS * 1000000L };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	W.nap = false;
}

int main(int argc, char **argv)
{
	(void)argc;
	start(argv);
	for (;;) {
		program_turn(&W.prog, WITNESS_TICK_MS);
		if (W.nap)
			nap();
		W.now = now_ms();
		verify_tick();
		capture_tick();
		watch_tick();
	}
}
