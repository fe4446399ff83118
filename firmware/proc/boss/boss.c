/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss - see boss.h. The order of a start is the promise that nothing leaks:
 *
 *	confd, console      -> the list of ports to intercept
 *	classifier on both ports, read back, then the ports up
 *	keys, wire, relays  -> mail flows
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "proc/boss/boss.h"
#include "proc/sandbox.h"

#define IMAGE CONFIG_VERSION ", built for " CONFIG_BOARD

void boss_log(struct boss *b, enum severity sev, const char *fmt, ...)
{
	char line[STATS_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (b->stats)
		stats_log(b->stats, sev, now_unix_ms(), span_str(line));
	fprintf(stderr, "boss: %s: %s\n", severity_name(sev), line);
}

void boss_alarm(struct boss *b, enum alarm a, bool on, const char *what)
{
	if (stats_alarm_stands(b->stats, a, on, now_unix_ms(), span_str(what)))
		boss_log(b, SEV_ALARM, "event=alarm alarm=%s why=\"%s\"",
			 alarm_name[a], what);
}

/* After the first INTERCEPT: everything that moves mail. */
static void start_mail(struct boss *b)
{
	b->ports_ready = true;
	boss_log(b, SEV_NOTICE, "event=forwarding after-ms=%llu",
		 (unsigned long long)now_ms());
	boss_port_watch(b);
	for (uint32_t i = 0; i < b->child_n; i++) {
		struct child *c = &b->child[i];

		if (c->pid == 0 && c->restart_ms == 0)
			boss_child_start(b, c);
	}
}

static void intercept(struct boss *b, struct child *confd,
		      const struct ipc_msg *m)
{
	struct child *wire = boss_child_find(b, ROLE_WIRE, 0);
	struct child *witness = boss_child_find(b, ROLE_WITNESS, 0);
	struct ipc_msg done = { .type = IPC_INTERCEPTED, .number = m->number };

	done.error = boss_port_intercept(b, m->ports, m->ports_n,
					 (uint16_t)m->number);
	done.ports_n = b->intercept_n;
	memcpy(done.ports, b->intercept, sizeof(done.ports));
	boss_child_say(b, confd, &done);
	if (done.error != OK)
		return;
	b->stats->intercepting = 1;
	if (wire)
		boss_child_say(b, wire, &done);
	if (witness)
		boss_child_say(b, witness, &done);
	if (!b->ports_ready)
		start_mail(b);
}

static void done(struct boss *b, struct child *c, int error)
{
	const struct ipc_msg m = { .type = IPC_DONE, .error = error };

	boss_child_say(b, c, &m);
}

void boss_on_message(struct boss *b, struct child *c, struct ipc_msg *m)
{
	if (m->type == IPC_READY) {
		c->ready = true;
		boss_log(b, SEV_NOTICE,
			 "event=program-ready program=%s index=%u",
			 role_name(c->role), c->index);
	} else if (m->type == IPC_INTERCEPT) {
		intercept(b, c, m);
	} else if (m->type == IPC_CONF_KEEP) {
		if (b->kept_conf_fd >= 0)
			close(b->kept_conf_fd);
		b->kept_conf_fd = m->fd[0];
		m->fd_n = 0;
	} else if (m->type == IPC_MANAGE) {
		const struct management want = { m->client, m->via, m->server,
						 (uint16_t)m->number };

		boss_manage_set(b, &want);
	} else if (m->type == IPC_NTP) {
		boss_ntp_set(b, m);
	} else if (m->type == IPC_RELOAD) {
		boss_reload_ask(b, m->number);
		done(b, c, OK);
	} else if (m->type == IPC_CARRY) {
		boss_port_carry(b, m->number != 0);
	} else if (m->type == IPC_FETCH) {
		boss_fetch(b, m->fd[0]);
	} else if (m->type == IPC_SEND) {
		boss_send(b, m->fd[0], m->fd[1]);
	} else if (m->type == IPC_CLOCK_SET) {
		done(b, c, boss_clock_set(b, m->number));
	} else if (m->type == IPC_BREACH) {
		b->breach = true;
	} else if (m->type == IPC_EXPIRY) {
		b->expiry = m->number != 0;
	} else if (m->type == IPC_SLOT_MODE) {
		b->mode = (enum slot_mode)m->number;
	} /* ALIVE: being heard was all */
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

static void on_signal(struct watch *w, uint32_t events)
{
	struct boss *b = (struct boss *)((char *)w -
					 offsetof(struct boss, signals));
	struct signalfd_siginfo si;

	(void)events;
	while (read(w->fd, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo != SIGCHLD)
			b->loop.stop = true;
}

static int watch_signals(struct boss *b)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return E_IO;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return E_IO;
	return loop_add(&b->loop, &b->signals, fd, EPOLLIN, on_signal);
}

/* The console's door on the host: whoever may enter the run folder. */
static int open_listen(struct boss *b)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/console.sock",
			 b->conf.run_dir);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(a.sun_path)) {
		fprintf(stderr, "boss: %s: path too long\n", b->conf.run_dir);
		return E_CONF;
	}
	if (mkdir(b->conf.run_dir, 0700) != 0 && errno != EEXIST) {
		fprintf(stderr, "boss: %s: %s\n", b->conf.run_dir,
			strerror(errno));
		return E_IO;
	}
	unlink(a.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, 8) != 0) {
		fprintf(stderr, "boss: %s: %s\n", a.sun_path, strerror(errno));
		return E_IO;
	}
	b->listen_fd = fd;
	return OK;
}

static int init(struct boss *b, int argc, char **argv)
{
	int r = boss_conf_read(&b->conf, argc, argv);
	bool bitten = false;

	b->kept_conf_fd = b->syslog_fd = b->ntp.fd = -1;
	if (r == OK)
		r = loop_init(&b->loop);
	if (r == OK)
		r = watch_signals(b);
	if (r == OK)
		r = stats_create(&b->stats_fd);
	if (r == OK)
		r = stats_map(b->stats_fd, true, &b->stats);
	if (r == OK)
		r = open_listen(b);
	if (r == OK)
		boss_health_open(b, &bitten);
	if (r == OK)
		r = boss_keep_open(b);
	if (r == OK)
		r = boss_flash_open(b, bitten);
	if (r == OK)
		r = boss_child_add(b, ROLE_CONFD, 0);
	if (r == OK)
		r = boss_child_add(b, ROLE_CONSOLE, 0);
	if (r == OK)
		r = boss_child_add(b, ROLE_KEYS, 0);
	if (r == OK)
		r = boss_child_add(b, ROLE_WIRE, 0);
	for (uint32_t i = 0; r == OK && i < b->conf.relays; i++)
		r = boss_child_add(b, ROLE_RELAY, i);
	if (r == OK)
		r = boss_child_add(b, ROLE_WITNESS, 0);
	if (r == OK && b->conf.flash)
		r = boss_child_add(b, ROLE_FLASHD, 0);
	return r;
}

int main(int argc, char **argv)
{
	static struct boss b;
	uint64_t watched_ms = 0;

	if (sandbox_enter(ROLE_BOSS) != OK) {
		fprintf(stderr, "boss: this kernel has no seccomp filters\n");
		return 1;
	}
	if (init(&b, argc, argv) != OK)
		return 1;
	b.argv = argv;
	b.stats->pid = (uint32_t)getpid();
	b.stats->started_ms = b.tick_ms = now_ms();
	memcpy(b.stats->image, IMAGE, sizeof(IMAGE));
	boss_clock_open(&b);
	boss_port_find(&b);
	boss_child_start(&b, boss_child_find(&b, ROLE_CONFD, 0));
	boss_child_start(&b, boss_child_find(&b, ROLE_CONSOLE, 0));
	if (b.conf.flash)
		boss_child_start(&b, boss_child_find(&b, ROLE_FLASHD, 0));
	while (!b.loop.stop) {
		uint64_t now;

		loop_turn(&b.loop, BOSS_TICK_MS);
		now = now_ms();
		boss_child_tick(&b, now);
		boss_health_tick(&b, now);
		boss_fetch_tick(&b, now);
		boss_ntp_tick(&b, now);
		boss_reload_tick(&b, now);
		if (now - watched_ms < BOSS_WATCH_MS)
			continue;
		watched_ms = now;
		boss_keep_watch(&b);
		if (b.ports_ready)
			boss_port_watch(&b);
	}
	boss_log(&b, SEV_NOTICE, "event=stopping");
	boss_port_down(&b);
	boss_child_stop_all(&b);
	return 0;
}
