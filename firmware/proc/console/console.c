/* SPDX-License-Identifier: BSD-2-Clause */
/* console - see console.h. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "proc/console/console.h"

struct console K;

static void on_listen(struct watch *w, uint32_t events)
{
	static const char full[] = "too many consoles\n.\nerror\n";
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return; /* it left again, or no descriptor: epoll calls again */
	for (size_t i = 0; i < CONSOLE_CLIENTS; i++) {
		if (K.client[i].s.used)
			continue;
		client_start(&K.client[i], fd);
		return;
	}
	if (send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		program_log(&K.prog, SEV_INFO, "event=console-left");
	close(fd);
}

static void add_source(const struct ipc_msg *m)
{
	_Static_assert(8 + IPC_RELAYS_MAX <= STATS_PROGRAMS, "one for each");
	struct source *s = &K.source[K.source_n];

	if (K.source_n == sizeof(K.source) / sizeof(K.source[0]))
		return;
	*s = (struct source){ .role = m->role, .index = m->index };
	if (stats_map(m->fd[0], false, &s->stats) == OK)
		K.source_n++;
}

static void on_boss(struct program *prog, struct ipc_msg *m)
{
	(void)prog;
	if (m->type == IPC_PEER && m->role == ROLE_CONFD) {
		confd_attach(m->fd[0]);
		m->fd_n = 0;
	} else if (m->type == IPC_PEER && m->role == ROLE_FLASHD) {
		flash_attach(m->fd[0]);
		m->fd_n = 0;
	} else if (m->type == IPC_PEER && m->role == ROLE_WITNESS) {
		verify_attach(m->fd[0]);
		m->fd_n = 0;
	} else if (m->type == IPC_PEER && m->role == ROLE_RELAY) {
		if (m->index == 0) { /* one is enough */
			probe_attach(m->fd[0]);
			m->fd_n = 0;
		}
	} else if (m->type == IPC_FETCHED) {
		if (file_answered(m->error, m->fd[0]))
			m->fd_n = 0;
	} else if (m->type == IPC_STATS_OF) {
		add_source(m);
	} else if (m->type == IPC_LISTEN && K.listen.fd < 0 &&
		   loop_add(&K.prog.loop, &K.listen, m->fd[0], EPOLLIN,
			    on_listen) == OK) {
		m->fd_n = 0;
	} else if (m->type == IPC_DONE) {
		boss_answered(m->error);
	} else if (m->type == IPC_SYSLOG) {
		syslog_attach(m->fd[0]);
		m->fd_n = 0;
	} else if (m->type == IPC_SYSLOG_OFF) {
		syslog_off();
	} else if (m->type == IPC_TTY) {
		tty_start(m->index, m->fd[0]);
		m->fd_n = 0;
	}
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

void session_done(struct session *s, bool ok)
{
	if (s->tty)
		tty_done((struct tty *)s, ok);
	else
		client_done((struct client *)s, ok);
}

void session_told(struct session *s, int error, struct span report)
{
	(void)report;
	tty_told((struct tty *)s, error);
}

/* Lines of the log for those who want them. */
static void tell_log(void)
{
	const struct log_line *lines;
	bool wanted = false;
	size_t n;

	for (size_t i = 0; i < CONSOLE_TTYS; i++)
		wanted = wanted || K.tty[i].logged_in;
	n = log_new(wanted, &lines);
	for (size_t i = 0; n > 0 && i < CONSOLE_TTYS; i++)
		live_lines(&K.tty[i], lines, n);
}

static void kernel(void)
{
	struct utsname u;
	struct text t;

	text_init(&t, K.kernel, sizeof(K.kernel));
	if (uname(&u) != 0)
		return;
	text_str(&t, u.sysname);
	text_str(&t, " ");
	text_str(&t, u.release);
	text_str(&t, " ");
	text_str(&t, u.machine);
}

int main(int argc, char **argv)
{
	(void)argc;
	K.listen.fd = K.confd.fd = K.flashd.fd = K.witness.fd = -1;
	K.relay.fd = -1;
	program_start(&K.prog, ROLE_CONSOLE, argv);
	K.answer_mem = malloc(CONSOLE_ANSWER_MAX);
	if (!K.answer_mem)
		program_die(&K.prog, "no memory");
	words_init();
	box_init();
	kernel();
	K.prog.on_boss = on_boss;
	for (uint32_t i = 0; i < K.prog.given_n; i++)
		on_boss(&K.prog, &K.prog.given[i]);
	figures_tick();
	if (K.listen.fd < 0)
		program_die(&K.prog, "no door was given");
	program_sandbox(&K.prog);
	for (;;) {
		uint64_t now;

		program_turn(&K.prog, -1);
		now = now_ms();
		confd_tick(now);
		syslog_tick(now);
		figures_tick();
		for (size_t i = 0; i < CONSOLE_CLIENTS; i++)
			client_tick(&K.client[i], now);
		tell_log();
		for (size_t i = 0; i < CONSOLE_TTYS; i++)
			tty_tick(&K.tty[i], now);
	}
}
