/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd - see confd.h. A configuration that is wrong at the start leaves the
 * box closed: the ports are taken, nobody gets a snapshot, mail waits, and the
 * rest of the traffic passes.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proc/confd/confd.h"

struct confd C;

/* --- the console ------------------------------------------------------------ */
static void lose_console(void)
{
	int fd = C.console.fd;

	if (fd < 0)
		return;
	loop_del(&C.prog.loop, &C.console);
	close(fd);
	C.console_waits = false;
	confd_keys_console_gone();
}

void confd_reply(int error, uint64_t number, int fd)
{
	struct ipc_msg m = { .type = IPC_CONF_RESULT,
			     .error = error,
			     .number = number,
			     .fd = { fd },
			     .fd_n = 1 };

	if (fd < 0)
		m.fd[0] = confd_report_fd(text_done(&C.report));
	/* Rather no console than one that waits for what will not come. */
	if (C.console.fd >= 0 &&
	    (m.fd[0] < 0 ||
	     ipc_send(C.console.fd, ROLE_CONFD, ROLE_CONSOLE, &m) != OK)) {
		program_log(&C.prog, SEV_WARNING, "event=console-deaf");
		lose_console();
	}
	if (m.fd[0] >= 0)
		close(m.fd[0]);
}

void confd_answer(int error, uint64_t number)
{
	if (C.console_waits)
		confd_reply(error, number,
			    confd_report_fd(text_done(&C.outcome)));
	C.console_waits = false;
}

static void log_report(void)
{
	struct span s = text_done(&C.report);

	while (s.n > 0) {
		const uint8_t *lf = memchr(s.p, '\n', s.n);
		size_t n = lf ? (size_t)(lf - s.p) : s.n;

		program_log_why(&C.prog, SEV_ALARM, "event=configuration-error",
				(struct span){ s.p, n });
		s = span_skip(s, n + (lf ? 1u : 0u));
	}
}

/* Check a text, or check it and put it into force. */
static void request(const struct ipc_msg *m)
{
	bool load = m->type == IPC_CONF_LOAD;
	struct snapshot s = NO_SNAPSHOT;
	char *text = NULL;
	size_t n = 0;
	int r;

	if (load && C.phase != PHASE_IDLE) {
		text_init(&C.report, C.report_mem, sizeof(C.report_mem));
		text_str(&C.report, "another configuration is being loaded\n");
		confd_reply(E_AGAIN, 0, -1);
		return;
	}
	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	r = confd_read(m->fd[0], &text, &n);
	if (r != OK)
		text_str(&C.report, "the text cannot be read\n");
	else
		r = confd_compile(&s, (struct span){ (uint8_t *)text, n },
				  load);
	free(text);
	if (r != OK && load)
		stats_add(C.prog.stats, CNT_COMMITS_REFUSED, 1);
	if (r != OK || !load) {
		confd_reply(r, s.number, -1);
		return;
	}
	C.trial_s = 0;
	C.console_waits = true;
	confd_commit(&s);
}

static void on_console(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_CONSOLE, ROLE_CONFD, &m)) == OK ||
	       r == E_FULL) {
		if (r == E_FULL) {
			text_init(&C.report, C.report_mem,
				  sizeof(C.report_mem));
			text_str(&C.report, "no descriptor is free\n");
			confd_reply(r, 0, -1);
			continue;
		}
		if (m.type == IPC_CONF_ASK)
			confd_on_ask(&m);
		else
			request(&m);
		close(m.fd[0]);
	}
	if (r != E_AGAIN)
		lose_console();
}

/* --- keys, wire and the relays ---------------------------------------------------- */
void confd_hang_up(struct peer *p)
{
	int fd = p->watch.fd;

	if (fd < 0)
		return;
	loop_del(&C.prog.loop, &p->watch);
	close(fd);
	p->owed = false;
	if (p->role == ROLE_KEYS)
		confd_keys_lost();
}

static void on_peer(struct watch *w, uint32_t events)
{
	struct peer *p = (struct peer *)((char *)w -
					 offsetof(struct peer, watch));
	struct ipc_msg m;
	int r = OK;

	(void)events;
	while (w->fd >= 0 &&
	       ((r = ipc_recv(w->fd, p->role, ROLE_CONFD, &m)) == OK ||
		r == E_FULL)) {
		if (m.type == IPC_LEARNED)
			confd_on_learned(p, &m);
		else if (m.type == IPC_KEY_RESULT)
			confd_on_key_result(&m, r);
		else
			confd_on_ack(p, &m);
		while (m.fd_n > 0)
			close(m.fd[--m.fd_n]);
	}
	if (r == E_AGAIN)
		return;
	confd_hang_up(p);
	confd_on_peer(p);
}

/* keys has new accounts before a relay asks for them. */
enum { FIRST_RELAY = 2 };

static struct peer *peer_of(enum role role, uint32_t index)
{
	if (role == ROLE_KEYS)
		return &C.peer[0];
	return &C.peer[role == ROLE_WIRE ? 1 : FIRST_RELAY + index];
}

static void new_peer(struct ipc_msg *m)
{
	struct peer *p = peer_of(m->role, m->index);

	confd_hang_up(p);
	if (loop_add(&C.prog.loop, &p->watch, m->fd[0], EPOLLIN, on_peer) != OK)
		program_die(&C.prog, "cannot watch %s", role_name(p->role));
	m->fd_n = 0;
	confd_on_peer(p);
}

static void on_boss(struct program *prog, struct ipc_msg *m)
{
	(void)prog;
	if (m->type == IPC_INTERCEPTED)
		confd_on_intercepted(m);
	if (m->type == IPC_CLOCK)
		confd_on_clock(m, true);
	if (m->type == IPC_PEER &&
	    (m->role == ROLE_KEYS || m->role == ROLE_WIRE ||
	     m->role == ROLE_RELAY))
		new_peer(m);
	if (m->type == IPC_PEER && m->role == ROLE_CONSOLE) {
		lose_console();
		if (loop_add(&C.prog.loop, &C.console, m->fd[0], EPOLLIN,
			     on_console) == OK) {
			m->fd_n = 0;
			confd_tell_console();
		}
	}
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

/* --- start ------------------------------------------------------------------- */
static void init(void)
{
	C.console.fd = -1;
	C.now = C.next = C.before = NO_SNAPSHOT;
	for (uint32_t i = 0; i < CONFD_PEERS; i++) {
		C.peer[i].watch.fd = -1;
		C.peer[i].role = i == 0	  ? ROLE_KEYS
				 : i == 1 ? ROLE_WIRE
					  : ROLE_RELAY;
		C.peer[i].index = i < FIRST_RELAY ? 0 : i - FIRST_RELAY;
	}
	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
}

/* E_AGAIN: boss gave none. */
static int take_file(enum conf_file index, char **text, size_t *n)
{
	for (uint32_t i = 0; i < C.prog.given_n; i++) {
		struct ipc_msg *m = &C.prog.given[i];
		int r;

		if (m->type != IPC_CONF_FILE || m->index != index ||
		    m->fd_n == 0)
			continue;
		r = confd_read(m->fd[0], text, n);
		close(m->fd[0]);
		m->fd_n = 0;
		return r;
	}
	return E_AGAIN;
}

/* The port of mail and what of the broken text can be read: better too many
 * than one that was meant to be watched and passes in clear. */
static void closed(const struct snapshot *s)
{
	uint16_t ports[POLICY_PORTS_MAX + 1] = { 25 };
	size_t n = 1;

	for (size_t i = 0; i < s->ports_n; i++)
		if (s->ports[i] != 25 && n < POLICY_PORTS_MAX)
			ports[n++] = s->ports[i];
	log_report();
	program_log(&C.prog, SEV_ALARM,
		    "event=no-configuration why=\"the text is wrong; no mail "
		    "passes until one is loaded\"");
	confd_intercept(ports, n, s->box.vlan);
}

/* What was in force when confd died, else the newest that is stored, else what
 * a new box begins with. */
static int first_text(char **text, size_t *n)
{
	int r = take_file(CONF_FILE_KEPT, text, n);

	if (r == E_AGAIN)
		r = confd_store_newest(text, n);
	if (r != E_AGAIN)
		return r;
	*text = malloc(C.factory_n + 1);
	if (!*text)
		return E_FULL;
	memcpy(*text, C.factory, C.factory_n);
	*n = C.factory_n;
	return C.factory ? OK : E_IO;
}

static void first_configuration(void)
{
	struct snapshot s = NO_SNAPSHOT;
	char *text = NULL;
	size_t n = 0;
	int r = first_text(&text, &n);

	if (r != OK)
		text_str(&C.report, "the configuration cannot be read\n");
	else
		r = confd_compile(&s, (struct span){ (uint8_t *)text, n },
				  true);
	free(text);
	if (r == OK) {
		s.stored = true;
		confd_commit(&s);
	} else {
		closed(&s);
	}
}

int main(int argc, char **argv)
{
	(void)argc;
	init();
	program_start(&C.prog, ROLE_CONFD, argv);
	C.prog.on_boss = on_boss;
	confd_store_start();
	program_sandbox(&C.prog);
	if (take_file(CONF_FILE_FACTORY, &C.factory, &C.factory_n) != OK)
		C.factory = NULL;
	if (take_file(CONF_FILE_CA, &C.ca, &C.ca_n) != OK)
		program_log(&C.prog, SEV_NOTICE, "event=no-builtin-ca-list");
	confd_keys_start();
	confd_clock_start();
	confd_learn_start();
	for (uint32_t i = 0; i < C.prog.given_n; i++)
		if (C.prog.given[i].type == IPC_CLOCK)
			confd_on_clock(&C.prog.given[i], false);
	first_configuration();
	for (uint32_t i = 0; i < C.prog.given_n; i++)
		if (C.prog.given[i].type != IPC_CLOCK)
			on_boss(&C.prog, &C.prog.given[i]);
	for (;;) {
		program_turn(&C.prog, C.phase == PHASE_IDLE ? 200 : 20);
		confd_tick(now_ms());
		confd_trial_tick(now_ms());
		confd_clock_tick();
		confd_keys_tick(now_ms());
		confd_learn_tick(now_ms());
	}
}
