/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_run - a program for one task, which nobody talks to and which ends by itself:
 * with a uid of its own, no right, no descriptor but those it is to have. What it
 * leaves in them is worth nothing until somebody has looked at it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "proc/boss/boss.h"

/* As 0, 1, ...: by way of numbers above these, for some may be in the way. */
static bool place(const int fd[RUN_FDS], unsigned n)
{
	int copy[RUN_FDS];

	for (unsigned i = 0; i < n; i++) {
		copy[i] = fcntl(fd[i], F_DUPFD, RUN_FDS);
		if (copy[i] < 0)
			return false;
	}
	for (unsigned i = 0; i < n; i++)
		if (dup2(copy[i], (int)i) < 0)
			return false;
	/* musl has no function for it */
	return syscall(SYS_close_range, n, ~0u, 0) == 0;
}

/* In the child: nothing of boss is left. */
static void become(const struct boss *b, const struct run *r)
{
	const struct rlimit size = { r->file_max, r->file_max };
	const struct rlimit none = { 0, 0 };
	uint32_t who = b->conf.uid_base + r->uid;
	char *envp[] = { NULL };
	sigset_t all;
	int fd[RUN_FDS];

	for (unsigned i = 0; i < r->fd_n; i++)
		fd[i] = r->fd[i] < 0 ? open("/dev/null", O_RDWR) : r->fd[i];
	sigemptyset(&all);
	if (!place(fd, r->fd_n) || setrlimit(RLIMIT_FSIZE, &size) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0 ||
	    sigprocmask(SIG_SETMASK, &all, NULL) != 0 ||
	    setgroups(0, NULL) != 0 || setresgid(who, who, who) != 0 ||
	    setresuid(who, who, who) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		_exit(1);
	execve(r->path, r->argv, envp);
	fprintf(stderr, "%s: %s\n", r->path, strerror(errno));
	_exit(1);
}

pid_t boss_run(const struct boss *b, const struct run *r)
{
	pid_t pid = fork();

	if (pid == 0)
		become(b, r);
	return pid;
}
