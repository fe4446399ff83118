/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox - see sandbox.h. The filter is: right architecture? then one compare
 * per row of the list; rows with a condition look at one argument as well.
 * musl and glibc use different calls for the same function, so the lists name
 * both (epoll_wait and epoll_pwait, and so on). The kernel remembers for which
 * calls the answer is yes whatever their arguments are, so two filters cost no
 * more than one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/rtc.h>
#include <linux/sockios.h>
#include <linux/watchdog.h>
#include <mtd/mtd-user.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "proc/sandbox.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "sandbox: add the AUDIT_ARCH of this machine"
#endif

#ifdef __SANITIZE_ADDRESS__
/* A report is written without starting a symbolizer, which it may not. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void)
{
	return "symbolize=0:detect_leaks=0:abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
	return "symbolize=0:print_stacktrace=1";
}
#endif

#define R(x) (1u << ROLE_##x)
#define SEVEN                                                               \
	(R(WIRE) | R(RELAY) | R(CONFD) | R(CONSOLE) | R(KEYS) | R(FLASHD) | \
	 R(WITNESS))
/* ntp, which has all it will ever have when it begins, is not one of them. */
#define ALSO_NTP (SEVEN | R(NTP))

/* of the type of a socket, without its flags */
#define SOCK_KIND 15u

/* A new program gets no namespaces of its own (CLONE_NEWTIME is a signal's bit). */
#define NAMESPACES                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* A row allows call nr to roles; with mask, only if (argument arg & mask) is
 * equal to value. boss has its own rows, and those of all others that have no
 * condition: they inherit its filter. */
static const struct row {
	unsigned nr, roles, arg, mask, value;
} rows[] = {
/* sleeping and the clock */
#ifdef __NR_epoll_wait
	{ __NR_epoll_wait, SEVEN, 0, 0, 0 },
#endif
#ifdef __NR_poll
	{ __NR_poll, R(CONSOLE) | R(NTP), 0, 0, 0 },
#endif
	{ __NR_epoll_pwait, SEVEN, 0, 0, 0 },
	{ __NR_ppoll, R(CONSOLE) | R(NTP), 0, 0, 0 },
	{ __NR_epoll_ctl, SEVEN, 0, 0, 0 },
	{ __NR_clock_gettime, ALSO_NTP, 0, 0, 0 },
	{ __NR_gettimeofday, SEVEN, 0, 0, 0 },
	{ __NR_restart_syscall, ALSO_NTP, 0, 0, 0 },
	{ __NR_clock_nanosleep, R(WITNESS), 0, 0, 0 },
	/* bytes on descriptors it was given */
	{ __NR_read, ALSO_NTP, 0, 0, 0 },
	{ __NR_write, ALSO_NTP, 0, 0, 0 },
	{ __NR_writev, SEVEN, 0, 0, 0 },
	{ __NR_recvmsg, SEVEN, 0, 0, 0 },
	{ __NR_sendmsg, SEVEN, 0, 0, 0 },
	{ __NR_recvfrom, SEVEN, 0, 0, 0 },
	{ __NR_sendto, SEVEN, 0, 0, 0 },
	{ __NR_recvmmsg, R(WIRE), 0, 0, 0 },
	{ __NR_sendmmsg, R(WIRE), 0, 0, 0 },
	{ __NR_shutdown, SEVEN, 0, 0, 0 },
	{ __NR_close, SEVEN, 0, 0, 0 },
	{ __NR_fcntl, SEVEN, 0, 0, 0 },
	{ __NR_fstat, SEVEN, 0, 0, 0 },
	{ __NR_lseek, SEVEN, 0, 0, 0 },
	{ __NR_pread64,
	  R(CONFD) | R(CONSOLE) | R(KEYS) | R(FLASHD) | R(WITNESS), 0, 0, 0 },
	/* flash: written, and erased by the one ioctl it needs */
	{ __NR_pwrite64, R(FLASHD), 0, 0, 0 },
	{ __NR_ioctl, R(FLASHD), 1, ~0u, MEMERASE },
	/* what a serial line has lost */
	{ __NR_ioctl, R(CONSOLE), 1, ~0u, TIOCGICOUNT },
	/* files of the store: relative to its folder, which is all that Landlock
	 * leaves */
	{ __NR_openat, R(CONFD), 0, 0, 0 },
	{ __NR_unlinkat, R(CONFD), 0, 0, 0 },
	{ __NR_getdents64, R(CONFD), 0, 0, 0 },
	{ __NR_fsync, R(CONFD), 0, 0, 0 },
	{ __NR_fadvise64, R(CONFD), 0, 0, 0 },
	{ __NR_accept4, R(CONSOLE), 0, 0, 0 },
	/* a local pair, and options of a socket */
	{ __NR_socketpair, R(WIRE) | R(BOSS), 0, ~0u, AF_UNIX },
	{ __NR_setsockopt, R(WIRE) | R(WITNESS), 0, 0, 0 },
	{ __NR_getsockopt, R(WIRE) | R(RELAY) | R(WITNESS), 0, 0, 0 },
	/* memory, never executable */
	{ __NR_mmap, ALSO_NTP, 2, PROT_EXEC, 0 },
	{ __NR_mprotect, ALSO_NTP, 2, PROT_EXEC, 0 },
	{ __NR_munmap, ALSO_NTP, 0, 0, 0 },
	{ __NR_mremap, ALSO_NTP, 0, 0, 0 },
	{ __NR_madvise, ALSO_NTP, 0, 0, 0 },
	{ __NR_brk, ALSO_NTP, 0, 0, 0 },
	{ __NR_memfd_create,
	  R(CONFD) | R(CONSOLE) | R(KEYS) | R(FLASHD) | R(WITNESS), 0, 0, 0 },
	{ __NR_ftruncate, R(CONFD) | R(CONSOLE), 0, 0, 0 },
	{ __NR_getrandom, SEVEN, 0, 0, 0 },
	{ __NR_futex, ALSO_NTP, 0, 0, 0 },
	/* dying */
	{ __NR_rt_sigreturn, ALSO_NTP, 0, 0, 0 },
	{ __NR_rt_sigprocmask, ALSO_NTP, 0, 0, 0 },
	{ __NR_rt_sigaction, ALSO_NTP, 0, 0, 0 },
	{ __NR_getpid, ALSO_NTP, 0, 0, 0 },
	{ __NR_gettid, ALSO_NTP, 0, 0, 0 },
	{ __NR_tgkill, ALSO_NTP, 0, 0, 0 },
	{ __NR_exit, ALSO_NTP, 0, 0, 0 },
	{ __NR_exit_group, ALSO_NTP, 0, 0, 0 },
	/* boss: programs, each with a uid and limits of its own; the first half of
	 * their lives, until they enter their own lists, is theirs */
	{ __NR_clone, R(BOSS), 0, NAMESPACES, 0 },
#ifdef __NR_fork
	{ __NR_fork, R(BOSS), 0, 0, 0 },
#endif
#ifdef __NR_vfork
	{ __NR_vfork, R(BOSS), 0, 0, 0 },
#endif
	{ __NR_execve, R(BOSS), 0, 0, 0 },
	{ __NR_wait4, R(BOSS), 0, 0, 0 },
	{ __NR_kill, R(BOSS), 0, 0, 0 },
	{ __NR_prctl, R(BOSS), 0, 0, 0 },
	{ __NR_prlimit64, R(BOSS), 0, 0, 0 },
	{ __NR_setgroups, R(BOSS), 0, 0, 0 },
	{ __NR_setresgid, R(BOSS), 0, 0, 0 },
	{ __NR_setresuid, R(BOSS), 0, 0, 0 },
	{ __NR_sched_setscheduler, R(BOSS), 1, ~0u, SCHED_BATCH },
	{ __NR_getuid, R(BOSS), 0, 0, 0 },
	{ __NR_geteuid, R(BOSS), 0, 0, 0 },
	{ __NR_getgid, R(BOSS), 0, 0, 0 },
	{ __NR_getegid, R(BOSS), 0, 0, 0 },
	{ __NR_getppid, R(BOSS), 0, 0, 0 },
	{ __NR_dup, R(BOSS), 0, 0, 0 },
#ifdef __NR_dup2
	{ __NR_dup2, R(BOSS), 0, 0, 0 },
#endif
	{ __NR_dup3, R(BOSS), 0, 0, 0 },
	{ __NR_close_range, R(BOSS), 0, 0, 0 },
	{ __NR_seccomp, R(BOSS), 0, 0, 0 },
	{ __NR_landlock_create_ruleset, R(BOSS), 0, 0, 0 },
	{ __NR_landlock_add_rule, R(BOSS), 0, 0, 0 },
	{ __NR_landlock_restrict_self, R(BOSS), 0, 0, 0 },
	/* what loads and begins a program */
	{ __NR_set_tid_address, R(BOSS), 0, 0, 0 },
	{ __NR_set_robust_list, R(BOSS), 0, 0, 0 },
	{ __NR_rseq, R(BOSS), 0, 0, 0 },
#ifdef __NR_arch_prctl
	{ __NR_arch_prctl, R(BOSS), 0, 0, 0 },
#endif
#ifdef __NR_riscv_flush_icache
	{ __NR_riscv_flush_icache, R(BOSS), 0, 0, 0 },
#endif
#ifdef __NR_riscv_hwprobe
	{ __NR_riscv_hwprobe, R(BOSS), 0, 0, 0 },
#endif
	{ __NR_mmap, R(BOSS), 0, 0, 0 },
	{ __NR_mprotect, R(BOSS), 0, 0, 0 },
	{ __NR_epoll_create1, R(BOSS), 0, 0, 0 },
	{ __NR_rt_sigtimedwait, R(BOSS), 0, 0, 0 },
	{ __NR_setitimer, R(BOSS), 0, 0, 0 },
	{ __NR_nanosleep, R(BOSS), 0, 0, 0 },
	{ __NR_clock_nanosleep, R(BOSS), 0, 0, 0 },
	{ __NR_uname, R(BOSS), 0, 0, 0 },
/* boss: files by name */
#ifdef __NR_open
	{ __NR_open, R(BOSS), 0, 0, 0 },
#endif
#ifdef __NR_access
	{ __NR_access, R(BOSS), 0, 0, 0 },
#endif
	{ __NR_faccessat, R(BOSS), 0, 0, 0 },
#ifdef __NR_faccessat2
	{ __NR_faccessat2, R(BOSS), 0, 0, 0 },
#endif
#ifdef __NR_readlink
	{ __NR_readlink, R(BOSS), 0, 0, 0 },
#endif
	{ __NR_readlinkat, R(BOSS), 0, 0, 0 },
	{ __NR_newfstatat, R(BOSS), 0, 0, 0 },
	{ __NR_fstatfs, R(BOSS), 0, 0, 0 },
	{ __NR_readv, R(BOSS), 0, 0, 0 },
/* boss: what it makes at its start, which on a PC is not the first one */
#ifdef __NR_unlink
	{ __NR_unlink, R(BOSS), 0, 0, 0 },
	{ __NR_mkdir, R(BOSS), 0, 0, 0 },
	{ __NR_symlink, R(BOSS), 0, 0, 0 },
	{ __NR_link, R(BOSS), 0, 0, 0 },
#endif
	{ __NR_mkdirat, R(BOSS), 0, 0, 0 },
	{ __NR_symlinkat, R(BOSS), 0, 0, 0 },
	{ __NR_linkat, R(BOSS), 0, 0, 0 },
	{ __NR_fchown, R(BOSS), 0, 0, 0 },
	{ __NR_fchmod, R(BOSS), 0, 0, 0 },
	{ __NR_statfs, R(BOSS), 0, 0, 0 },
	{ __NR_signalfd4, R(BOSS), 0, 0, 0 },
	{ __NR_listen, R(BOSS), 0, 0, 0 },
	{ __NR_ioctl, R(BOSS), 1, ~0u, TCSETS },
	{ __NR_ioctl, R(BOSS), 1, ~0u, TIOCGPTN },
	{ __NR_ioctl, R(BOSS), 1, ~0u, TIOCSPTLCK },
	{ __NR_ioctl, R(BOSS), 1, ~0u, WDIOC_SETTIMEOUT },
	{ __NR_ioctl, R(BOSS), 1, ~0u, WDIOC_GETBOOTSTATUS },
	/* boss: ports, their classifier and sockets; the management address */
	{ __NR_socket, R(BOSS), 0, ~0u, AF_PACKET },
	{ __NR_socket, R(BOSS), 0, ~0u, AF_NETLINK },
	{ __NR_socket, R(BOSS), 0, ~0u, AF_UNIX },
	{ __NR_socket, R(BOSS), 1, SOCK_KIND, SOCK_DGRAM },
	{ __NR_bind, R(BOSS), 0, 0, 0 },
	{ __NR_connect, R(BOSS), 0, 0, 0 },
	{ __NR_getsockname, R(BOSS), 0, 0, 0 },
	{ __NR_ioctl, R(BOSS), 1, ~0u, SIOCGIFFLAGS },
	{ __NR_ioctl, R(BOSS), 1, ~0u, SIOCSIFFLAGS },
	{ __NR_ioctl, R(BOSS), 1, ~0u, SIOCGIFINDEX },
	{ __NR_ioctl, R(BOSS), 1, ~0u, SIOCSIFADDR },
	{ __NR_ioctl, R(BOSS), 1, ~0u, SIOCSIFNETMASK },
	{ __NR_ioctl, R(BOSS), 1, ~0u, SIOCADDRT },
	/* of terminals, flash, watchdog and clock chip: whoever asks for these */
	{ __NR_ioctl, R(BOSS), 1, ~0u, TCGETS },
	{ __NR_ioctl, R(BOSS), 1, ~0u, TIOCGWINSZ },
	{ __NR_ioctl, R(BOSS), 1, ~0u, TIOCGICOUNT },
	{ __NR_ioctl, R(BOSS), 1, ~0u, MEMGETINFO },
	{ __NR_ioctl, R(BOSS), 1, ~0u, MEMERASE },
	{ __NR_ioctl, R(BOSS), 1, ~0u, WDIOC_KEEPALIVE },
	{ __NR_ioctl, R(BOSS), 1, ~0u, RTC_RD_TIME },
	{ __NR_ioctl, R(BOSS), 1, ~0u, RTC_SET_TIME },
	/* boss: the clock, and the end */
	{ __NR_clock_settime, R(BOSS), 0, 0, 0 },
	{ __NR_clock_adjtime, R(BOSS), 0, 0, 0 },
	{ __NR_adjtimex, R(BOSS), 0, 0, 0 },
	{ __NR_sync, R(BOSS), 0, 0, 0 },
	{ __NR_reboot, R(BOSS), 0, 0, 0 },
#ifdef __SANITIZE_ADDRESS__
	/* what the sanitizers' own runtime asks for */
	{ __NR_sigaltstack, ALSO_NTP, 0, 0, 0 },
	{ __NR_sched_yield, ALSO_NTP, 0, 0, 0 },
	{ __NR_openat, ALSO_NTP, 0, 0, 0 },
#ifdef __NR_open
	{ __NR_open, ALSO_NTP, 0, 0, 0 },
#endif
	{ __NR_ioctl, ALSO_NTP, 0, 0, 0 },
	{ __NR_readlink, ALSO_NTP, 0, 0, 0 },
	{ __NR_getrlimit, ALSO_NTP, 0, 0, 0 },
	{ __NR_prctl, ALSO_NTP, 0, 0, 0 },
	{ __NR_clone, ALSO_NTP, 0, 0, 0 },
	{ __NR_wait4, ALSO_NTP, 0, 0, 0 },
	{ __NR_gettid, ALSO_NTP, 0, 0, 0 },
	{ __NR_getuid, ALSO_NTP, 0, 0, 0 },
	{ __NR_newfstatat, ALSO_NTP, 0, 0, 0 },
#else
	/* fstat of newer C libraries */
	{ __NR_newfstatat, SEVEN, 3, ~0u, AT_EMPTY_PATH },
#endif
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

#define DATA(member)	  ((unsigned)offsetof(struct seccomp_data, member))
#define LOAD(off)	  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define ALLOW		  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL		  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define UNKNOWN		  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)
#define SKIP_UNLESS(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (n))

static bool has(enum role role, const struct row *r)
{
	return (r->roles & 1u << role) != 0 ||
	       (role == ROLE_BOSS && r->mask == 0);
}

static unsigned short build(struct sock_filter *f, enum role role)
{
	unsigned short n = 0;

	f[n++] = (struct sock_filter)LOAD(DATA(arch));
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH,
					      1, 0);
	f[n++] = (struct sock_filter)KILL;
	f[n++] = (struct sock_filter)LOAD(DATA(nr));
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		unsigned low = DATA(args) + 8 * r->arg; /* little-endian */

		if (!has(role, r))
			continue;
		if (r->mask == 0) {
			f[n++] = (struct sock_filter)SKIP_UNLESS(r->nr, 1);
			f[n++] = (struct sock_filter)ALLOW;
			continue;
		}
		/* A condition that does not hold: a later row may have another. */
		f[n++] = (struct sock_filter)SKIP_UNLESS(r->nr, 5);
		f[n++] = (struct sock_filter)LOAD(low);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
						      r->mask);
		f[n++] = (struct sock_filter)SKIP_UNLESS(r->value, 1);
		f[n++] = (struct sock_filter)ALLOW;
		f[n++] = (struct sock_filter)LOAD(DATA(nr));
	}
	if (role == ROLE_BOSS)
		f[n++] = (struct sock_filter)UNKNOWN;
	else
		f[n++] = (struct sock_filter)KILL;
	return n;
}

int sandbox_folder(int dirfd)
{
	/* what Linux 5.13 knows; what came later is no more than these let through */
	const uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	const struct landlock_ruleset_attr set = { .handled_access_fs = all };
	const struct landlock_path_beneath_attr folder = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR |
				  LANDLOCK_ACCESS_FS_WRITE_FILE |
				  LANDLOCK_ACCESS_FS_MAKE_REG |
				  LANDLOCK_ACCESS_FS_REMOVE_FILE,
		.parent_fd = dirfd,
	};
	int fd = (int)syscall(__NR_landlock_create_ruleset, &set, sizeof(set),
			      0);
	int r = E_IO;

	if (fd < 0)
		return E_IO;
	if (syscall(__NR_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH,
		    &folder, 0) == 0 &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(__NR_landlock_restrict_self, fd, 0) == 0)
		r = OK;
	close(fd);
	return r;
}

/* A boss that has started itself again is in its list already; another filter at
 * each such start would be one too many some day. */
static bool boss_entered(void)
{
	return syscall(__NR_ptrace, -1, 0, 0, 0) < 0 && errno == ENOSYS;
}

int sandbox_enter(enum role role)
{
	struct sock_filter filter[4 + 6 * ROWS + 1];
	struct sock_fprog prog = { build(filter, role), filter };

	if (role == ROLE_BOSS && boss_entered())
		return OK;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		return E_IO;
	return OK;
}
