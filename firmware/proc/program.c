/* SPDX-License-Identifier: BSD-2-Clause */
/* program - see program.h. */
#include <poll.h>
#include <stdarg.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/text.h"
#include "proc/program.h"
#include "proc/sandbox.h"

enum {
	BOSS_FD = 3,
	ORPHAN_MS = 10000, /* without a peer that has not come back */
};

static struct program *of_boss(struct watch *w)
{
	return (struct program *)((char *)w - offsetof(struct program, boss));
}

void program_die(struct program *p, const char *fmt, ...)
{
	char line[STATS_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	program_log(p, SEV_ALARM, "event=died why=\"%s\"", line);
	_exit(1);
}

void program_log(struct program *p, enum severity sev, const char *fmt, ...)
{
	char line[STATS_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (p->stats)
		stats_log(p->stats, sev, now_unix_ms(), span_str(line));
	if (sev >= SEV_WARNING)
		fprintf(stderr, "%s[%u] %s: %s\n", role_name(p->role), p->index,
			severity_name(sev), line);
}

void program_log_why(struct program *p, enum severity sev, const char *line,
		     struct span says)
{
	char mem[STATS_TEXT];
	struct text t;

	text_init(&t, mem, sizeof(mem) - 1); /* cut, it still ends in a quote */
	text_str(&t, line);
	text_str(&t, " why=");
	text_quoted(&t, says);
	if (t.cut) {
		mem[t.n] = '"';
		mem[t.n + 1] = '\0';
	}
	program_log(p, sev, "%s", mem);
}

/* Say something short to boss. A full queue is not worth dying for: it has
 * more than it can read, so it knows that we live. */
static void tell_boss(struct program *p, enum ipc_type type)
{
	struct ipc_msg m = { .type = type };
	int r = ipc_send(BOSS_FD, p->role, ROLE_BOSS, &m);

	if (r == E_PEER_GONE)
		_exit(0);
	if (r != OK && r != E_AGAIN)
		program_die(p, "message to boss: %s", err_name(r));
}

static void log_alarm(struct program *p, enum alarm a, struct span what)
{
	char line[80];

	snprintf(line, sizeof(line), "event=alarm alarm=%s", alarm_name[a]);
	program_log_why(p, SEV_ALARM, line, what);
}

void program_alarm(struct program *p, enum alarm a, struct span what)
{
	if (stats_alarm(p->stats, a, now_unix_ms(), what))
		log_alarm(p, a, what);
}

void program_alarm_stands(struct program *p, enum alarm a, bool on,
			  struct span what)
{
	if (stats_alarm_stands(p->stats, a, on, now_unix_ms(), what))
		log_alarm(p, a, what);
}

static void on_boss(struct watch *w, uint32_t events)
{
	struct program *p = of_boss(w);
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(BOSS_FD, ROLE_BOSS, p->role, &m)) == OK) {
		if (m.type == IPC_PEER)
			p->lost_ms[m.role] = 0;
		if (p->on_boss) {
			p->on_boss(p, &m);
			continue;
		}
		while (m.fd_n > 0)
			close(m.fd[--m.fd_n]);
	}
	if (r == E_PEER_GONE)
		_exit(0);
	if (r != E_AGAIN)
		program_die(p, "message from boss: %s", err_name(r));
}

/* Receive until IPC_GO; statistics are mapped, the rest is kept for main. */
static void take_given(struct program *p)
{
	const size_t room = sizeof(p->given) / sizeof(p->given[0]);
	struct pollfd pfd = { BOSS_FD, POLLIN, 0 };

	for (;;) {
		struct ipc_msg m;
		int r = ipc_recv(BOSS_FD, ROLE_BOSS, p->role, &m);

		if (r == E_AGAIN) {
			poll(&pfd, 1, -1);
			continue;
		}
		if (r == E_PEER_GONE)
			_exit(0);
		if (r != OK)
			program_die(p, "message from boss: %s", err_name(r));
		if (m.type == IPC_GO)
			return;
		if (m.type == IPC_STATS) {
			r = stats_map(m.fd[0], true, &p->stats);
			close(m.fd[0]);
			if (r != OK)
				program_die(p, "statistics: %s", err_name(r));
			continue;
		}
		if (p->given_n == room)
			program_die(p, "more given than there is room for");
		p->given[p->given_n++] = m;
	}
}

/* Who wakes one of us goes on with what it is at: so frames, and what they carry, pass
 * from program to program in batches, instead of one at a time. boss stays as it is, and
 * has the processor when it wants it. (musl has the function, but it does nothing.) */
static void be_patient(void)
{
	const struct sched_param none = { .sched_priority = 0 };

	(void)syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
}

void program_start(struct program *p, enum role role, char **argv)
{
	/* The C library opens its time zone at first use: later it may not. */
	setenv("TZ", "UTC0", 1);
	tzset();
	memset(p, 0, sizeof(*p));
	p->role = role;
	p->index = argv[1] ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	if (loop_init(&p->loop) != OK)
		program_die(p, "no epoll");
	be_patient();
	take_given(p);
	if (!p->stats)
		program_die(p, "no statistics memory was given");
	p->stats->pid = (uint32_t)getpid();
	p->stats->started_ms = now_ms();
	p->stats->snapshot = 0;
	memset(p->stats->notice, 0, sizeof(p->stats->notice));
	if (role == ROLE_RELAY)
		memset(p->stats->session, 0, sizeof(p->stats->session));
	if (loop_add(&p->loop, &p->boss, BOSS_FD, EPOLLIN, on_boss) != OK)
		program_die(p, "cannot watch boss");
}

void program_sandbox(struct program *p)
{
	if (sandbox_enter(p->role) != OK)
		program_die(p, "no seccomp in this kernel");
	tell_boss(p, IPC_READY);
	p->alive_ms = now_ms();
}

void program_alive(struct program *p)
{
	uint64_t now = now_ms();

	if (now - p->alive_ms < IPC_ALIVE_MS)
		return;
	p->alive_ms = now;
	tell_boss(p, IPC_ALIVE);
}

void program_peer_lost(struct program *p, enum role role)
{
	p->lost_ms[role] = now_ms();
}

static void look_for_peers(struct program *p)
{
	for (enum role r = ROLE_BOSS; r < ROLES; r++)
		if (p->lost_ms[r] != 0 && now_ms() - p->lost_ms[r] > ORPHAN_MS)
			program_die(p, "%s does not talk to us", role_name(r));
}

void program_turn(struct program *p, int64_t timeout_ms)
{
	uint64_t since = now_ms() - p->alive_ms;
	int64_t left = since < IPC_ALIVE_MS ? IPC_ALIVE_MS - (int64_t)since : 0;

	if (timeout_ms < 0 || timeout_ms > left)
		timeout_ms = left;
	loop_turn(&p->loop, (int)timeout_ms);
	program_alive(p);
	look_for_peers(p);
}
