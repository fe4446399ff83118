/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program that was taken over may still ask the kernel for: nothing of
 * this, whichever program it is; and of boss, which has to be able to start the
 * others, nothing of a shorter list. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#undef __SANITIZE_ADDRESS__ /* the list of the device, not that of tests */
#include "proc/sandbox.c"

static const struct call {
	const char *name;
	long nr, a, b, c;
	unsigned but; /* roles that may */
} forbidden[] = {
	{ "execve", __NR_execve, 0, 0, 0, 0 },
	{ "execveat", __NR_execveat, -1, 0, 0, 0 },
	{ "clone", __NR_clone, SIGCHLD, 0, 0, 0 },
	{ "ptrace", __NR_ptrace, 0, 0, 0, 0 },
	{ "process_vm_readv", __NR_process_vm_readv, 1, 0, 0, 0 },
	{ "kill", __NR_kill, 1, 0, 0, 0 },
	{ "openat", __NR_openat, AT_FDCWD, 0, 0, R(CONFD) },
	{ "socket inet", __NR_socket, AF_INET, SOCK_STREAM, 0, 0 },
	{ "socket packet", __NR_socket, AF_PACKET, SOCK_RAW, 0, 0 },
	{ "socket netlink", __NR_socket, AF_NETLINK, SOCK_RAW, 0, 0 },
	{ "socketpair inet", __NR_socketpair, AF_INET, SOCK_STREAM, 0, 0 },
	{ "connect", __NR_connect, 0, 0, 0, 0 },
	{ "bind", __NR_bind, 0, 0, 0, 0 },
	{ "listen", __NR_listen, 0, 0, 0, 0 },
	{ "mmap exec", __NR_mmap, 0, 4096, PROT_READ | PROT_EXEC, 0 },
	{ "mprotect exec", __NR_mprotect, 0, 4096, PROT_EXEC, 0 },
	{ "setresuid", __NR_setresuid, 0, 0, 0, 0 },
	{ "mount", __NR_mount, 0, 0, 0, 0 },
	{ "unshare", __NR_unshare, CLONE_NEWUSER, 0, 0, 0 },
	{ "bpf", __NR_bpf, 0, 0, 0, 0 },
	{ "perf_event_open", __NR_perf_event_open, 0, 0, 0, 0 },
	{ "io_uring_setup", __NR_io_uring_setup, 1, 0, 0, 0 },
	{ "init_module", __NR_init_module, 0, 0, 0, 0 },
	{ "reboot", __NR_reboot, 0, 0, 0, 0 },
	{ "prctl", __NR_prctl, PR_GET_DUMPABLE, 0, 0, 0 },
	{ "no such call", 5000, 0, 0, 0, 0 },
};

/* What became of a child that made the call within the sandbox. */
static int in_sandbox(enum role role, const struct call *c)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = sandbox_enter(role);

		if (c)
			syscall(c->nr, c->a, c->b, c->c, 0, 0, 0);
		/* not _exit(): the sanitizer would do work of its own */
		syscall(__NR_exit_group, r != OK);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void each_is_fatal_to_each(void **state)
{
	(void)state;
	for (enum role r = ROLE_WIRE; r < ROLES; r++) {
		int status = in_sandbox(r, NULL);

		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]);
		     i++) {
			if (forbidden[i].but & 1u << r)
				continue;
			status = in_sandbox(r, &forbidden[i]);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("%s may %s", role_name(r),
					 forbidden[i].name);
		}
	}
}

static void ordinary_work_is_not(void **state)
{
	static const struct call allowed[] = {
		{ "read", __NR_read, -1, 0, 0, 0 },
		{ "write", __NR_write, -1, 0, 0, 0 },
		{ "recvmsg", __NR_recvmsg, -1, 0, 0, 0 },
		{ "sendmsg", __NR_sendmsg, -1, 0, 0, 0 },
		{ "epoll_ctl", __NR_epoll_ctl, -1, 0, 0, 0 },
		{ "getrandom", __NR_getrandom, 0, 0, 0, 0 },
		{ "mmap", __NR_mmap, 0, 0, PROT_READ, 0 },
		{ "close", __NR_close, -1, 0, 0, 0 },
	};

	(void)state;
	for (enum role r = ROLE_WIRE; r < ROLE_NTP; r++)
		for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]);
		     i++) {
			int status = in_sandbox(r, &allowed[i]);

			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				fail_msg("%s may not %s", role_name(r),
					 allowed[i].name);
		}
}

/* It has two kinds of descriptors, and no way to say where its octets go. */
static void ntp_may_less(void **state)
{
	static const struct call more[] = {
		{ "sendto", __NR_sendto, 3, 0, 0, 0 },
		{ "sendmsg", __NR_sendmsg, 3, 0, 0, 0 },
		{ "recvmsg", __NR_recvmsg, 3, 0, 0, 0 },
		{ "setsockopt", __NR_setsockopt, 3, 0, 0, 0 },
		{ "memfd_create", __NR_memfd_create, 0, 0, 0, 0 },
		{ "clock_settime", __NR_clock_settime, 0, 0, 0, 0 },
		{ "adjtimex", __NR_adjtimex, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		int status = in_sandbox(ROLE_NTP, &more[i]);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("ntp may %s", more[i].name);
	}
}

/* --- boss -------------------------------------------------------------------- */

enum { CHILD_SIGNAL = SIGCHLD };

/* What the kernel says to boss: 0, or the error. */
static int boss_hears(const struct call *c)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = sandbox_enter(ROLE_BOSS) == OK ? 0 : 255;

		if (r == 0 && syscall(c->nr, c->a, c->b, c->c, 0, 0, 0) < 0)
			r = errno;
		syscall(__NR_exit_group, r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("boss dies of %s", c->name);
	return WEXITSTATUS(status);
}

static void boss_may_not(void **state)
{
	static const struct call calls[] = {
		{ "ptrace", __NR_ptrace, 0, 0, 0, 0 },
		{ "process_vm_readv", __NR_process_vm_readv, 1, 0, 0, 0 },
		{ "process_vm_writev", __NR_process_vm_writev, 1, 0, 0, 0 },
		{ "pidfd_getfd", __NR_pidfd_getfd, -1, 0, 0, 0 },
		{ "init_module", __NR_init_module, 0, 0, 0, 0 },
		{ "finit_module", __NR_finit_module, -1, 0, 0, 0 },
		{ "kexec_load", __NR_kexec_load, 0, 0, 0, 0 },
		{ "bpf", __NR_bpf, 0, 0, 0, 0 },
		{ "perf_event_open", __NR_perf_event_open, 0, 0, 0, 0 },
		{ "io_uring_setup", __NR_io_uring_setup, 1, 0, 0, 0 },
		{ "userfaultfd", __NR_userfaultfd, 0, 0, 0, 0 },
		{ "keyctl", __NR_keyctl, 0, 0, 0, 0 },
		{ "add_key", __NR_add_key, 0, 0, 0, 0 },
		{ "mount", __NR_mount, 0, 0, 0, 0 },
		{ "umount2", __NR_umount2, 0, 0, 0, 0 },
		{ "pivot_root", __NR_pivot_root, 0, 0, 0, 0 },
		{ "move_mount", __NR_move_mount, -1, 0, -1, 0 },
		{ "chroot", __NR_chroot, 0, 0, 0, 0 },
		{ "swapon", __NR_swapon, 0, 0, 0, 0 },
		{ "mknodat", __NR_mknodat, -1, 0, 0, 0 },
		{ "unshare", __NR_unshare, CLONE_NEWUSER, 0, 0, 0 },
		{ "setns", __NR_setns, -1, 0, 0, 0 },
		{ "clone newuser", __NR_clone, CHILD_SIGNAL | CLONE_NEWUSER, 0,
		  0, 0 },
		{ "clone newnet", __NR_clone, CHILD_SIGNAL | CLONE_NEWNET, 0, 0,
		  0 },
		{ "clone3", __NR_clone3, 0, 0, 0, 0 },
		{ "execveat", __NR_execveat, -1, 0, 0, 0 },
		{ "open_by_handle_at", __NR_open_by_handle_at, -1, 0, 0, 0 },
		{ "socket raw", __NR_socket, AF_INET, SOCK_RAW, 1, 0 },
		{ "socket raw 6", __NR_socket, AF_INET6,
		  SOCK_RAW | SOCK_CLOEXEC, 58, 0 },
		{ "socket stream", __NR_socket, AF_INET, SOCK_STREAM, 0, 0 },
		{ "socket alg", __NR_socket, AF_ALG, SOCK_SEQPACKET, 0, 0 },
		{ "ioctl of type-ahead", __NR_ioctl, -1, TIOCSTI, 0, 0 },
		{ "sched_setscheduler", __NR_sched_setscheduler, -1, SCHED_FIFO,
		  0, 0 },
		{ "no such call", 5000, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (boss_hears(&calls[i]) != ENOSYS)
			fail_msg("boss may %s", calls[i].name);
}

static void boss_may(void **state)
{
	static const struct call calls[] = {
		{ "socket packet", __NR_socket, AF_PACKET, -1, 0, 0 },
		{ "socket netlink", __NR_socket, AF_NETLINK, SOCK_RAW, 0, 0 },
		{ "socket unix", __NR_socket, AF_UNIX, SOCK_STREAM, 0, 0 },
		{ "socket dgram", __NR_socket, AF_INET,
		  SOCK_DGRAM | SOCK_CLOEXEC, 0, 0 },
		{ "socketpair", __NR_socketpair, AF_UNIX, -1, 0, 0 },
		{ "ioctl of addresses", __NR_ioctl, -1, SIOCSIFADDR, 0, 0 },
		{ "ioctl of the watchdog", __NR_ioctl, -1, WDIOC_KEEPALIVE, 0,
		  0 },
		{ "kill", __NR_kill, 0, 0, 0, 0 },
		{ "be patient", __NR_sched_setscheduler, -1, SCHED_BATCH, 0,
		  0 },
		{ "mmap exec", __NR_mmap, 0, 0, PROT_READ | PROT_EXEC, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (boss_hears(&calls[i]) == ENOSYS)
			fail_msg("boss may not %s", calls[i].name);
}

/* As boss does it: its list, a child, another program, which may do no more; and
 * boss again in the place of itself. The program is this one. */
static void what_it_starts_inherits_it(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		char *argv[] = { (char[]){ "again" }, NULL };
		char *envp[] = { (char[]){ "ASAN_OPTIONS=use_sigaltstack=0:"
					   "detect_leaks=0" },
				 NULL };

		if (sandbox_enter(ROLE_BOSS) == OK)
			execve("/proc/self/exe", argv, envp);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int begun_again(void)
{
	const long nr = __NR_mount;
	int status = 99;
	pid_t pid;

	if (!boss_entered() || sandbox_enter(ROLE_BOSS) != OK ||
	    syscall(nr, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS)
		return 1;
	pid = fork();
	if (pid == 0) {
		int r = sandbox_enter(ROLE_NTP) == OK ? 0 : 98;

		syscall(__NR_exit_group, r);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_fatal_to_each),
		cmocka_unit_test(ordinary_work_is_not),
		cmocka_unit_test(ntp_may_less),
		cmocka_unit_test(boss_may_not),
		cmocka_unit_test(boss_may),
		cmocka_unit_test(what_it_starts_inherits_it),
	};

	if (argc > 0 && strcmp(argv[0], "again") == 0)
		return begun_again();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
