/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault - see fault.h. The Makefile links with --wrap, so a call of ours or of a
 * library comes to __wrap_NAME here, and __real_NAME is the C library's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "tests/fault/fault.h"

static struct fault_control nothing;
struct fault_control *fault_control = &nothing;

/* Is this the call that fails? */
static bool fails(enum fault_kind kind)
{
	uint32_t *armed = &fault_control->armed[kind];
	uint32_t left = __atomic_load_n(armed, __ATOMIC_RELAXED);

	__atomic_add_fetch(&fault_control->calls[kind], 1, __ATOMIC_RELAXED);
	do {
		if (left == 0)
			return false;
		if (left == 1 && fault_control->lasting)
			return true;
	} while (!__atomic_compare_exchange_n(armed, &left, left - 1, false,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return left == 1;
}

static int fails_with(enum fault_kind kind, int error)
{
	if (!fails(kind))
		return 0;
	errno = error;
	return -1;
}

#define WRAP(result, name, ...)            \
	result __real_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__)

/* --- memory -------------------------------------------------------------------- */

WRAP(void *, malloc, size_t n)
{
	return fails_with(FAULT_MEMORY, ENOMEM) ? NULL : __real_malloc(n);
}

WRAP(void *, calloc, size_t n, size_t size)
{
	return fails_with(FAULT_MEMORY, ENOMEM) ? NULL : __real_calloc(n, size);
}

WRAP(void *, realloc, void *p, size_t n)
{
	return fails_with(FAULT_MEMORY, ENOMEM) ? NULL : __real_realloc(p, n);
}

WRAP(void *, mmap, void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	return fails_with(FAULT_MEMORY, ENOMEM)
		       ? MAP_FAILED
		       : __real_mmap(at, n, prot, flags, fd, off);
}

WRAP(pid_t, fork, void)
{
	return fails_with(FAULT_MEMORY, ENOMEM) ? -1 : __real_fork();
}

/* --- what leaves ----------------------------------------------------------------- */

WRAP(ssize_t, send, int fd, const void *p, size_t n, int flags)
{
	return fails_with(FAULT_SEND, ENOBUFS) ? -1
					       : __real_send(fd, p, n, flags);
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *m, int flags)
{
	return fails_with(FAULT_SEND, ENOBUFS) ? -1
					       : __real_sendmsg(fd, m, flags);
}

WRAP(int, sendmmsg, int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return fails_with(FAULT_SEND, ENOBUFS)
		       ? -1
		       : __real_sendmmsg(fd, m, n, flags);
}

/* --- descriptors ------------------------------------------------------------------ */

WRAP(int, socketpair, int domain, int type, int protocol, int fd[2])
{
	return fails_with(FAULT_DESCRIPTOR, EMFILE)
		       ? -1
		       : __real_socketpair(domain, type, protocol, fd);
}

WRAP(int, socket, int domain, int type, int protocol)
{
	return fails_with(FAULT_DESCRIPTOR, EMFILE)
		       ? -1
		       : __real_socket(domain, type, protocol);
}

/* Who makes no file passes no mode, in the same register. */
WRAP(int, open, const char *path, int flags, mode_t mode)
{
	return fails_with(FAULT_DESCRIPTOR, EMFILE)
		       ? -1
		       : __real_open(path, flags, mode);
}

WRAP(int, epoll_ctl, int ep, int op, int fd, struct epoll_event *e)
{
	if (op == EPOLL_CTL_ADD && fails_with(FAULT_DESCRIPTOR, ENOSPC))
		return -1;
	return __real_epoll_ctl(ep, op, fd, e);
}

WRAP(int, memfd_create, const char *name, unsigned flags)
{
	return fails_with(FAULT_DESCRIPTOR, EMFILE)
		       ? -1
		       : __real_memfd_create(name, flags);
}

WRAP(int, accept4, int fd, struct sockaddr *a, socklen_t *n, int flags)
{
	return fails_with(FAULT_DESCRIPTOR, EMFILE)
		       ? -1
		       : __real_accept4(fd, a, n, flags);
}

/* The kernel drops what has no room in the table, and says so. */
WRAP(ssize_t, recvmsg, int fd, struct msghdr *m, int flags)
{
	ssize_t n = __real_recvmsg(fd, m, flags);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(m) : NULL;

	if (!c || c->cmsg_type != SCM_RIGHTS || !fails(FAULT_DESCRIPTOR))
		return n;
	for (size_t at = CMSG_LEN(0); at < c->cmsg_len; at += sizeof(int)) {
		int lost;

		memcpy(&lost, (uint8_t *)c + at, sizeof(lost));
		close(lost);
	}
	m->msg_controllen = 0;
	m->msg_flags |= MSG_CTRUNC;
	return n;
}

/* --- a line ----------------------------------------------------------------------- */

/* Terminals of a test are pseudo terminals, which count nothing. */
WRAP(int, ioctl, int fd, unsigned long what, void *p)
{
	if (what != TIOCGICOUNT)
		return __real_ioctl(fd, what, p);
	*(struct serial_icounter_struct *)p = (struct serial_icounter_struct){
		.buf_overrun = (int)fault_control->lost
	};
	return 0;
}

/* --- randomness and time ---------------------------------------------------------- */

WRAP(ssize_t, getrandom, void *p, size_t n, unsigned flags)
{
	return fails_with(FAULT_RANDOM, EIO) ? -1
					     : __real_getrandom(p, n, flags);
}

/* mbedTLS asks for SYS_getrandom in this way. Who passes fewer arguments passes
 * them in the same registers. */
WRAP(long, syscall, long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == SYS_getrandom && fails(FAULT_RANDOM)) {
		errno = EIO;
		return -1;
	}
	return __real_syscall(nr, a, b, c, d, e, f);
}

/* Time goes on from what it was when it began to run. */
WRAP(int, clock_gettime, clockid_t id, struct timespec *t)
{
	static int64_t began, faster;
	const int64_t second = 1000000000;
	int r = __real_clock_gettime(id, t);
	int64_t now = t->tv_sec * second + t->tv_nsec;

	if (r != 0 || id != CLOCK_MONOTONIC || fault_control->faster == 0)
		return r;
	if (faster != fault_control->faster) {
		began = now;
		faster = fault_control->faster;
	}
	now += (now - began) * (faster - 1);
	t->tv_sec = now / second;
	t->tv_nsec = now % second;
	return 0;
}

__attribute__((constructor)) static void map_control(void)
{
	char exe[400], path[500], *name, *folder;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int fd;

	if (n < 0)
		return;
	exe[n] = '\0';
	name = strrchr(exe, '/');
	*name++ = '\0';
	folder = strrchr(exe, '/');
	*folder = '\0';
	snprintf(path, sizeof(path), "%s/fault/%s", exe, name);
	fd = __real_open(path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	fault_control = __real_mmap(NULL, sizeof(*fault_control),
				    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fault_control == MAP_FAILED)
		fault_control = &nothing;
	close(fd);
}
