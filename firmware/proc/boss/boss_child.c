/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_child - start the programs, join them, start again what dies or hangs.
 *
 * Who talks to whom is the table `pairs`. When a program starts, it and every
 * running program it talks to get the two ends of a fresh socket pair; so the
 * first start and a restart are the same thing.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proc/boss/boss.h"

static const struct {
	enum role a, b;
} pairs[] = {
	{ ROLE_WIRE, ROLE_RELAY },	{ ROLE_CONFD, ROLE_WIRE },
	{ ROLE_CONFD, ROLE_RELAY },	{ ROLE_CONFD, ROLE_CONSOLE },
	{ ROLE_CONFD, ROLE_KEYS },	{ ROLE_FLASHD, ROLE_CONSOLE },
	{ ROLE_WITNESS, ROLE_WIRE },	{ ROLE_WITNESS, ROLE_RELAY },
	{ ROLE_WITNESS, ROLE_CONSOLE }, { ROLE_RELAY, ROLE_KEYS },
	{ ROLE_RELAY, ROLE_CONSOLE },
};

enum {
	CHILD_FD = 3,
	CHILD_FILES = 32768,
	QUEUE = 16 << 20, /* what every session may say at once, as the kernel
			   * counts it: about 1 KiB for a message */
};

static bool talk(enum role x, enum role y)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((pairs[i].a == x && pairs[i].b == y) ||
		    (pairs[i].a == y && pairs[i].b == x))
			return true;
	return false;
}

struct child *boss_child_find(struct boss *b, enum role role, uint32_t index)
{
	for (uint32_t i = 0; i < b->child_n; i++)
		if (b->child[i].role == role && b->child[i].index == index)
			return &b->child[i];
	return NULL;
}

int boss_child_add(struct boss *b, enum role role, uint32_t index)
{
	struct child *c = &b->child[b->child_n];

	if (b->child_n == BOSS_CHILDREN)
		return E_FULL;
	*c = (struct child){ .role = role, .index = index, .boss = b };
	c->ctrl.fd = -1;
	if (stats_create(&c->stats_fd) != OK)
		return E_IO;
	b->child_n++;
	return OK;
}

void boss_child_say(struct boss *b, struct child *c, const struct ipc_msg *m)
{
	int r;

	if (c->pid == 0)
		return;
	r = ipc_send(c->ctrl.fd, ROLE_BOSS, c->role, m);
	if (r == OK || r == E_PEER_GONE)
		return; /* gone: the tick will see it */
	boss_log(b, SEV_WARNING, "event=child-deaf program=%s error=%s",
		 role_name(c->role), err_name(r));
	kill(c->pid, SIGKILL);
}

void boss_child_give(struct boss *b, struct child *c, struct ipc_msg m, int fd)
{
	m.fd[0] = fd;
	m.fd_n = 1;
	boss_child_say(b, c, &m);
}

/* In the child, after fork: nothing of boss is left but the one socket. */
static void become(const struct boss *b, const struct child *c, int sock)
{
	char path[320], index[12];
	char *argv[] = { path, index, NULL };
	char *envp[] = { NULL };
	uint32_t who = b->conf.uid_base + (uint32_t)c->role +
		       (c->role == ROLE_RELAY ? 16 + c->index : 0);
	struct rlimit files, none = { 0, 0 };
	sigset_t all;

	snprintf(path, sizeof(path), "%s/%s", b->conf.bin_dir,
		 role_name(c->role));
	snprintf(index, sizeof(index), "%u", c->index);
	sigemptyset(&all);
	/* As many as it may have: a container's limit may be lower. */
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max > CHILD_FILES)
		files.rlim_max = CHILD_FILES;
	files.rlim_cur = files.rlim_max;
	if (dup2(sock, CHILD_FD) != CHILD_FD ||
	    /* musl has no function for it */
	    syscall(SYS_close_range, CHILD_FD + 1, ~0u, 0) != 0 ||
	    setrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0 ||
	    sigprocmask(SIG_SETMASK, &all, NULL) != 0 ||
	    setgroups(0, NULL) != 0 || setresgid(who, who, who) != 0 ||
	    setresuid(who, who, who) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    /* after the change of uid, which clears it */
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
		fprintf(stderr, "boss: %s: %s\n", path, strerror(errno));
		_exit(1);
	}
	execve(path, argv, envp);
	fprintf(stderr, "boss: %s: %s\n", path, strerror(errno));
	_exit(1);
}

static void hang_up(struct child *c)
{
	int sock = c->ctrl.fd;

	loop_del(&c->boss->loop, &c->ctrl);
	if (sock >= 0)
		close(sock);
}

/* There was no room for what came with m. Of the text that is in force now that means:
 * what we keep is an older one. The newest that is stored is better. */
static void no_descriptor(struct child *c, const struct ipc_msg *m)
{
	struct boss *b = c->boss;

	boss_log(b, SEV_ALARM, "event=no-descriptor program=%s",
		 role_name(c->role));
	if (m->type != IPC_CONF_KEEP || b->kept_conf_fd < 0)
		return;
	close(b->kept_conf_fd);
	b->kept_conf_fd = -1;
}

static void on_ctrl(struct watch *w, uint32_t events)
{
	struct child *c = (struct child *)((char *)w -
					   offsetof(struct child, ctrl));
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(c->ctrl.fd, c->role, ROLE_BOSS, &m)) == OK ||
	       r == E_FULL) {
		c->alive_ms = now_ms();
		if (r == OK)
			boss_on_message(c->boss, c, &m);
		else
			no_descriptor(c, &m);
	}
	if (r == E_AGAIN)
		return;
	if (r != E_PEER_GONE)
		boss_log(c->boss, SEV_ALARM,
			 "event=bad-message program=%s error=%s",
			 role_name(c->role), err_name(r));
	kill(c->pid, SIGKILL);
	hang_up(c);
}

/* Without one of its peers a program would be there and of no use. */
static int join(struct boss *b, struct child *c)
{
	for (uint32_t i = 0; i < b->child_n; i++) {
		struct child *o = &b->child[i];
		struct ipc_msg m = { .type = IPC_PEER };
		int s[2];

		if (o == c || o->pid == 0 || !talk(c->role, o->role))
			continue;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s)) {
			boss_log(b, SEV_ALARM, "event=no-socket error=%s",
				 strerror(errno));
			return E_IO;
		}
		for (int k = 0; k < 2; k++)
			if (setsockopt(s[k], SOL_SOCKET, SO_SNDBUFFORCE,
				       &(int){ QUEUE }, sizeof(int)) != 0)
				boss_log(b, SEV_WARNING,
					 "event=short-queue error=\"%s\"",
					 strerror(errno));
		m.role = o->role;
		m.index = o->index;
		boss_child_give(b, c, m, s[0]);
		m.role = c->role;
		m.index = c->index;
		boss_child_give(b, o, m, s[1]);
		close(s[0]);
		close(s[1]);
	}
	return OK;
}

static void give_file(struct boss *b, struct child *c, const char *path,
		      uint32_t index)
{
	struct ipc_msg m = { .type = IPC_CONF_FILE,
			     .role = ROLE_CONFD,
			     .index = index };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		boss_log(b, SEV_ALARM, "event=no-file path=%s error=\"%s\"",
			 path, strerror(errno));
		return;
	}
	boss_child_give(b, c, m, fd);
	close(fd);
}

static void give_conf(struct boss *b, struct child *c)
{
	struct ipc_msg m = { .type = IPC_CONF_FILE, .role = ROLE_CONFD };
	int fd[] = { [CONF_FILE_KEPT] = b->kept_conf_fd,
		     [CONF_FILE_STORE] = b->store_fd,
		     [CONF_FILE_SECRET] = b->secret_fd };

	give_file(b, c, b->conf.conf_file, CONF_FILE_FACTORY);
	if (b->conf.ca_file[0] != '\0')
		give_file(b, c, b->conf.ca_file, CONF_FILE_CA);
	for (m.index = CONF_FILE_KEPT; m.index <= CONF_FILE_SECRET; m.index++)
		if (fd[m.index] >= 0)
			boss_child_give(b, c, m, fd[m.index]);
}

static void give_console(struct boss *b, struct child *c)
{
	struct ipc_msg listen_ = { .type = IPC_LISTEN };
	struct ipc_msg of = { .type = IPC_STATS_OF, .role = ROLE_BOSS };

	struct ipc_msg tty = { .type = IPC_TTY, .role = ROLE_CONSOLE };

	boss_child_give(b, c, listen_, b->listen_fd);
	for (; tty.index < b->conf.ttys; tty.index++)
		boss_child_give(b, c, tty, b->tty_fd[tty.index]);
	boss_child_give(b, c, of, b->stats_fd);
	for (uint32_t i = 0; i < b->child_n; i++) {
		of.role = b->child[i].role;
		of.index = b->child[i].index;
		boss_child_give(b, c, of, b->child[i].stats_fd);
	}
	boss_manage_give(b, c);
}

static int give_ports(struct boss *b, struct child *c)
{
	struct ipc_msg m = { .type = IPC_PORTS, .fd_n = PORTS + 1 };
	int r = boss_port_open(b, m.fd);

	if (r != OK)
		return r;
	boss_child_say(b, c, &m);
	/* Ours would only fill up with frames that nobody reads. */
	while (m.fd_n > 0)
		close(m.fd[--m.fd_n]);
	return OK;
}

static int give_taps(struct boss *b, struct child *c)
{
	static const enum port of[] = { OUTSIDE, INSIDE, OUTSIDE };
	struct ipc_msg taps = { .type = IPC_TAP };
	struct ipc_msg ports = { .type = IPC_INTERCEPTED,
				 .number = b->vlan,
				 .ports_n = b->intercept_n };
	int r = OK;

	while (r == OK && taps.fd_n < sizeof(of) / sizeof(of[0])) {
		r = boss_port_tap(b, of[taps.fd_n], &taps.fd[taps.fd_n]);
		taps.fd_n += r == OK;
	}
	if (r == OK)
		boss_child_say(b, c, &taps);
	while (taps.fd_n > 0)
		close(taps.fd[--taps.fd_n]);
	memcpy(ports.ports, b->intercept, sizeof(ports.ports));
	boss_child_say(b, c, &ports);
	return r;
}

static void give_all(struct boss *b, struct child *c)
{
	struct ipc_msg stats = { .type = IPC_STATS }, go = { .type = IPC_GO };

	boss_child_give(b, c, stats, c->stats_fd);
	if (c->role == ROLE_CONFD) {
		give_conf(b, c);
		boss_clock_give(b, c);
	}
	if (c->role == ROLE_CONSOLE)
		give_console(b, c);
	if (c->role == ROLE_FLASHD)
		boss_flash_give(b, c);
	if (c->role == ROLE_WIRE && give_ports(b, c) != OK)
		kill(c->pid, SIGKILL); /* tried again by the tick */
	if (c->role == ROLE_WITNESS && give_taps(b, c) != OK)
		kill(c->pid, SIGKILL);
	if (join(b, c) != OK)
		kill(c->pid, SIGKILL);
	boss_child_say(b, c, &go);
}

void boss_child_start(struct boss *b, struct child *c)
{
	int s[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) != 0) {
		boss_log(b, SEV_ALARM, "event=no-socket error=\"%s\"",
			 strerror(errno));
		c->restart_ms = now_ms() + 1000;
		return;
	}
	pid = fork();
	if (pid == 0)
		become(b, c, s[1]);
	close(s[1]);
	if (pid < 0 || loop_add(&b->loop, &c->ctrl, s[0], EPOLLIN, on_ctrl)) {
		boss_log(b, SEV_ALARM, "event=no-process error=\"%s\"",
			 strerror(errno));
		close(s[0]);
		if (pid > 0)
			kill(pid, SIGKILL);
		c->restart_ms = now_ms() + 1000;
		return;
	}
	c->pid = pid;
	c->ready = false;
	c->alive_ms = now_ms();
	give_all(b, c);
}

static enum counter restarts_of(enum role r)
{
	switch (r) {
	case ROLE_WIRE: return CNT_RESTARTS_WIRE;
	case ROLE_RELAY: return CNT_RESTARTS_RELAY;
	case ROLE_CONFD: return CNT_RESTARTS_CONFD;
	case ROLE_KEYS: return CNT_RESTARTS_KEYS;
	case ROLE_FLASHD: return CNT_RESTARTS_FLASHD;
	case ROLE_WITNESS: return CNT_RESTARTS_WITNESS;
	case ROLE_CONSOLE:
	case ROLE_BOSS:
	case ROLE_NTP:
	case ROLES: break;
	}
	return CNT_RESTARTS_CONSOLE;
}

/* The first restarts come at once, those of a crash loop once a second. */
static void dead(struct boss *b, struct child *c, int status, uint64_t now)
{
	boss_log(b, b->stopping ? SEV_INFO : SEV_ALARM,
		 "event=program-died program=%s index=%u %s=%d%s",
		 role_name(c->role), c->index,
		 WIFSIGNALED(status) ? "signal" : "exit",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		 WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
			 ? " why=system-call-not-allowed"
			 : "");
	hang_up(c);
	c->pid = 0;
	c->quick_deaths = c->ready ? 0 : c->quick_deaths + 1;
	c->restart_ms = now + (c->quick_deaths < 3 ? 0 : 1000);
	stats_add(b->stats, restarts_of(c->role), 1);
}

static void reap(struct boss *b, uint64_t now)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (boss_fetch_ended(b, pid, status) ||
		    boss_ntp_ended(b, pid, status))
			continue;
		for (uint32_t i = 0; i < b->child_n; i++)
			if (b->child[i].pid == pid)
				dead(b, &b->child[i], status, now);
	}
}

static uint64_t hung_ms(enum role r)
{
	return r == ROLE_FLASHD ? BOSS_FLASH_MS : BOSS_HUNG_MS;
}

void boss_child_tick(struct boss *b, uint64_t now)
{
	/* If we ourselves were late, so was everybody: not hung, starved. */
	uint64_t late = now - b->tick_ms;

	b->tick_ms = now;
	reap(b, now);
	for (uint32_t i = 0; i < b->child_n && !b->stopping; i++) {
		struct child *c = &b->child[i];
		uint64_t limit = c->ready ? hung_ms(c->role) : BOSS_START_MS;

		if (c->pid == 0 && c->restart_ms != 0 && now >= c->restart_ms)
			boss_child_start(b, c);
		if (c->pid == 0)
			continue;
		if (late > 2 * BOSS_TICK_MS)
			c->alive_ms += late;
		if (now > c->alive_ms && now - c->alive_ms > limit) {
			boss_log(b, SEV_ALARM, "event=program-hung program=%s",
				 role_name(c->role));
			kill(c->pid, SIGKILL);
			c->alive_ms = now;
		}
	}
}

void boss_child_stop_all(struct boss *b)
{
	b->stopping = true;
	boss_fetch_tick(b, UINT64_MAX);
	boss_ntp_tick(b, UINT64_MAX);
	for (uint32_t i = 0; i < b->child_n; i++)
		if (b->child[i].pid > 0)
			kill(b->child[i].pid, SIGKILL);
	for (uint32_t i = 0; i < b->child_n; i++)
		if (b->child[i].pid > 0)
			waitpid(b->child[i].pid, NULL, 0);
}
