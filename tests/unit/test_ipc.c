/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between programs: everything that the table allows arrives as it was
 * sent; everything else is refused, whatever its octets and descriptors, and
 * leaves no descriptor behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ipc/ipc.h"

static int sock[2]; /* 0 says, 1 hears */

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock);
}

static int teardown(void **state)
{
	(void)state;
	close(sock[0]);
	close(sock[1]);
	return 0;
}

/* Every member set, so that a lost one is seen. */
static struct ipc_msg example(enum ipc_type type, unsigned fds)
{
	struct ipc_msg m = { .type = type,
			     .role = ROLE_RELAY,
			     .index = IPC_RELAYS_MAX - 1,
			     .flow = 0xf1f2f3f4,
			     .side = SERVER,
			     .client_port = OUTSIDE,
			     .client = { "client of the f", 40000 },
			     .server = { "server of the f", 25 },
			     .tls_only = true,
			     .via = { "gateway of all f", 1 },
			     .error = E_PEER_TIME,
			     .number = 0x8877665544332211,
			     .ports = { 25, 587, 65535 },
			     .ports_n = 3,
			     .op = CONF_OP_COMMIT,
			     .may_sign = true,
			     .octets = SPAN_LIT("octets\0of a log-on") };

	for (unsigned i = 0; i < fds && i < IPC_FDS_MAX; i++)
		m.fd[m.fd_n++] = STDERR_FILENO;
	return m;
}

static void drop_fds(struct ipc_msg *m)
{
	while (m->fd_n > 0) {
		int fd = m->fd[--m->fd_n];

		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
}

/* How many descriptors the type has for this pair; -1: it is not allowed. */
static int fds_of(enum ipc_type type, enum role from, enum role to)
{
	for (unsigned n = 0; n <= IPC_FDS_MAX; n++) {
		struct ipc_msg m = example(type, n), in;
		int r = ipc_send(sock[0], from, to, &m);

		if (r == E_PEER_SYNTAX)
			continue;
		assert_int_equal(r, OK);
		assert_int_equal(ipc_recv(sock[1], from, to, &in), OK);
		drop_fds(&in);
		return (int)n;
	}
	return -1;
}

/* A member is either what it was or, if the type has none, zero. */
static void same(const struct ipc_msg *a, const struct ipc_msg *b)
{
	static const struct endpoint none;

	assert_int_equal(a->type, b->type);
	assert_true(b->role == a->role || b->role == 0);
	assert_true(b->index == a->index || b->index == 0);
	assert_true(b->flow == a->flow || b->flow == 0);
	assert_true(b->side == a->side || b->side == 0);
	assert_true(b->may_sign == (a->type == IPC_SECRETS));
	assert_true(b->client_port == a->client_port || b->client_port == 0);
	assert_true(!memcmp(&b->client, &a->client, sizeof(none)) ||
		    !memcmp(&b->client, &none, sizeof(none)));
	assert_true(!memcmp(&b->server, &a->server, sizeof(none)) ||
		    !memcmp(&b->server, &none, sizeof(none)));
	assert_true(b->tls_only ==
		    (b->type == IPC_FLOW_OPEN || b->type == IPC_PROTECT));
	assert_true(b->error == a->error || b->error == 0);
	assert_true(b->number == a->number || b->number == 0);
	assert_true(b->ports_n == a->ports_n || b->ports_n == 0);
	assert_memory_equal(b->ports, a->ports, 2 * b->ports_n);
	assert_true(b->op == a->op || b->op == 0);
	assert_true(b->octets.n == 0 || span_eq(b->octets, a->octets));
}

static void what_is_allowed_arrives(void **state)
{
	unsigned known = 0;

	(void)state;
	for (enum ipc_type t = IPC_PEER; t < IPC_TYPES; t++) {
		unsigned pairs = 0;

		for (enum role from = ROLE_BOSS; from < ROLES; from++)
			for (enum role to = ROLE_BOSS; to < ROLES; to++) {
				int n = fds_of(t, from, to);
				struct ipc_msg m, in;

				if (n < 0)
					continue;
				pairs++;
				m = example(t, (unsigned)n);
				assert_int_equal(
					ipc_send(sock[0], from, to, &m), OK);
				assert_int_equal(
					ipc_recv(sock[1], from, to, &in), OK);
				same(&m, &in);
				assert_int_equal(in.fd_n, n);
				drop_fds(&in);
			}
		assert_true(pairs > 0 && pairs < ROLES);
		known++;
	}
	assert_int_equal(known, IPC_TYPES - 1);
}

/* The fields that matter most, by name. */
static void a_flow_is_described_whole(void **state)
{
	struct ipc_msg m = example(IPC_FLOW_OPEN, 2), in;

	(void)state;
	assert_int_equal(ipc_send(sock[0], ROLE_WIRE, ROLE_RELAY, &m), OK);
	assert_int_equal(ipc_recv(sock[1], ROLE_WIRE, ROLE_RELAY, &in), OK);
	assert_int_equal(in.flow, m.flow);
	assert_int_equal(in.client_port, OUTSIDE);
	assert_memory_equal(&in.client, &m.client, sizeof(m.client));
	assert_memory_equal(&in.server, &m.server, sizeof(m.server));
	drop_fds(&in);
}

/* Octets and descriptors as somebody who has taken a program over sends them. */
static void say_raw(const uint8_t *b, size_t n, unsigned fds)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int) * 16)];
	} ctl = { 0 };
	struct iovec io = { (void *)(uintptr_t)b, n };
	struct msghdr h = { .msg_iov = &io, .msg_iovlen = 1 };

	if (fds > 0) {
		struct cmsghdr *c;

		h.msg_control = ctl.room;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fds);
		for (unsigned i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int),
			       &(int){ STDERR_FILENO }, sizeof(int));
	}
	assert_int_equal(sendmsg(sock[0], &h, 0), (ssize_t)n);
}

static size_t octets_of(enum ipc_type t, enum role from, enum role to,
			unsigned fds, uint8_t *b, size_t size)
{
	struct ipc_msg m = example(t, fds);
	ssize_t n;

	assert_int_equal(ipc_send(sock[0], from, to, &m), OK);
	n = recv(sock[1], b, size, 0); /* the descriptors are dropped */
	assert_true(n > 0);
	return (size_t)n;
}

static void refused(enum role from, enum role to)
{
	struct ipc_msg in;

	assert_int_equal(ipc_recv(sock[1], from, to, &in), E_PEER_SYNTAX);
	assert_int_equal(in.fd_n, 0);
}

/* How many octets at the end of an example may be any number. */
static size_t open_ended(enum ipc_type t)
{
	switch ((int)t) {
	case IPC_LOGON:
	case IPC_LOGON_REPLY:
	case IPC_LEARNED:
	case IPC_FORGET:
	case IPC_SIGN:
	case IPC_SIGNED:
	case IPC_PROBE:
	case IPC_PROBED: return example(t, 0).octets.n;
	default: return 0;
	}
}

/* Each type, cut and lengthened at each octet, and with each other number of
 * descriptors. */
static void any_other_length_or_number_is_refused(void **state)
{
	unsigned before = open_fds();

	(void)state;
	for (enum ipc_type t = IPC_PEER; t < IPC_TYPES; t++)
		for (unsigned pair = 0; pair < ROLES * ROLES; pair++) {
			enum role from = pair / ROLES, to = pair % ROLES;
			uint8_t b[256] = { 0 };
			int fds = fds_of(t, from, to);
			size_t n;

			if (fds < 0)
				continue;
			n = octets_of(t, from, to, (unsigned)fds, b, sizeof(b));
			for (size_t len = 1; len <= n + 2; len++) {
				if (len == n || (open_ended(t) > 0 &&
						 len >= n - open_ended(t)))
					continue;
				say_raw(b, len, (unsigned)fds);
				refused(from, to);
			}
			for (unsigned k = 0; k <= 9; k++) {
				if (k == (unsigned)fds)
					continue;
				say_raw(b, n, k);
				refused(from, to);
			}
		}
	assert_int_equal(open_fds(), before);
}

static void who_may_not_say_it_is_refused(void **state)
{
	unsigned before = open_fds(), tried = 0;

	(void)state;
	for (enum ipc_type t = IPC_PEER; t < IPC_TYPES; t++) {
		uint8_t b[256];
		size_t n = 0;
		int fds = -1;

		for (unsigned p = 0; p < ROLES * ROLES && fds < 0; p++) {
			fds = fds_of(t, p / ROLES, p % ROLES);
			if (fds >= 0)
				n = octets_of(t, p / ROLES, p % ROLES,
					      (unsigned)fds, b, sizeof(b));
		}
		for (unsigned p = 0; p < ROLES * ROLES; p++) {
			struct ipc_msg m = example(t, (unsigned)fds);

			if (fds_of(t, p / ROLES, p % ROLES) >= 0)
				continue;
			say_raw(b, n, (unsigned)fds);
			refused(p / ROLES, p % ROLES);
			/* nor does our own side say it */
			assert_int_equal(
				ipc_send(sock[0], p / ROLES, p % ROLES, &m),
				E_PEER_SYNTAX);
			tried++;
		}
	}
	assert_true(tried > 200);
	assert_int_equal(open_fds(), before);
}

static void odd_octets_are_refused(void **state)
{
	static const uint8_t long_[IPC_BODY_MAX + 100] = { IPC_GO };
	unsigned before = open_fds();
	uint8_t b[64];
	size_t n;

	(void)state;
	for (unsigned t = 0; t < 256; t++) {
		b[0] = (uint8_t)t;
		if (t > 0 && t < IPC_TYPES)
			continue;
		say_raw(b, 1, t % 5);
		refused(ROLE_BOSS, ROLE_WIRE);
	}
	say_raw(long_, sizeof(long_), 1);
	refused(ROLE_BOSS, ROLE_WIRE);
	/* values that no member may have */
	n = octets_of(IPC_FLOW_FINISH, ROLE_RELAY, ROLE_WIRE, 0, b, sizeof(b));
	b[n - 1] = 2;
	say_raw(b, n, 0);
	refused(ROLE_RELAY, ROLE_WIRE);
	n = octets_of(IPC_CONF_ASK, ROLE_CONSOLE, ROLE_CONFD, 1, b, sizeof(b));
	b[n - 1] = CONF_OPS;
	say_raw(b, n, 1);
	refused(ROLE_CONSOLE, ROLE_CONFD);
	b[n - 1] = 0;
	say_raw(b, n, 1);
	refused(ROLE_CONSOLE, ROLE_CONFD);
	n = octets_of(IPC_INTERCEPT, ROLE_CONFD, ROLE_BOSS, 0, b, sizeof(b));
	b[9] = 17; /* more ports than there is room for */
	say_raw(b, n, 0);
	refused(ROLE_CONFD, ROLE_BOSS);
	assert_int_equal(open_fds(), before);
}

/* Not a message, not an end: but descriptors could ride on it. */
static void nothing_with_descriptors_leaves_none(void **state)
{
	unsigned before = open_fds();
	struct ipc_msg in;

	(void)state;
	say_raw(NULL, 0, 3);
	assert_int_equal(ipc_recv(sock[1], ROLE_WIRE, ROLE_RELAY, &in),
			 E_PEER_GONE);
	assert_int_equal(open_fds(), before);
}

/* No room in our own table is not the sender's fault: the rest of the message is
 * there, and no descriptor stays. */
static void no_room_for_descriptors_is_told(void **state)
{
	struct rlimit was, low;
	struct ipc_msg m, in;
	unsigned before;

	(void)state;
	for (unsigned room = 0; room < 2; room++) {
		m = example(IPC_FLOW_OPEN, 2);
		assert_int_equal(ipc_send(sock[0], ROLE_WIRE, ROLE_RELAY, &m),
				 OK);
		before = open_fds();
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
		low = was;
		low.rlim_cur = (rlim_t)dup(0) + room; /* the next free one */
		close((int)(low.rlim_cur - room));
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		assert_int_equal(ipc_recv(sock[1], ROLE_WIRE, ROLE_RELAY, &in),
				 E_FULL);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		assert_int_equal(in.type, IPC_FLOW_OPEN);
		assert_int_equal(in.flow, m.flow);
		assert_int_equal(in.fd_n, 0);
		assert_int_equal(open_fds(), before);
	}
}

static void ends_and_full_queues_are_told_apart(void **state)
{
	struct ipc_msg m = example(IPC_ALIVE, 0), in;
	int r = OK;

	(void)state;
	assert_int_equal(ipc_recv(sock[1], ROLE_WIRE, ROLE_BOSS, &in), E_AGAIN);
	for (unsigned i = 0; i < 100000 && r == OK; i++)
		r = ipc_send(sock[0], ROLE_WIRE, ROLE_BOSS, &m);
	assert_int_equal(r, E_AGAIN);
	assert_int_equal(ipc_recv(sock[1], ROLE_WIRE, ROLE_BOSS, &in), OK);
	assert_int_equal(ipc_send(sock[0], ROLE_WIRE, ROLE_BOSS, &m), OK);
	close(sock[0]);
	while ((r = ipc_recv(sock[1], ROLE_WIRE, ROLE_BOSS, &in)) == OK)
		;
	assert_int_equal(r, E_PEER_GONE);
	assert_int_equal(ipc_send(sock[1], ROLE_BOSS, ROLE_WIRE,
				  &(struct ipc_msg){ .type = IPC_GO }),
			 E_PEER_GONE);
	sock[0] = dup(sock[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* What can be a password does not stay behind. */
static void octets_are_forgotten(void **state)
{
	static uint8_t big[IPC_OCTETS_MAX + 1];
	struct ipc_msg m = example(IPC_LOGON_REPLY, 0), in;

	(void)state;
	m.octets = SPAN_LIT("AHVzZXIAc2VjcmV0");
	assert_int_equal(ipc_send(sock[0], ROLE_KEYS, ROLE_RELAY, &m), OK);
	assert_int_equal(ipc_recv(sock[1], ROLE_KEYS, ROLE_RELAY, &in), OK);
	assert_true(span_eq(in.octets, m.octets));
	ipc_forget();
	for (size_t i = 0; i < m.octets.n; i++)
		assert_int_equal(in.octets.p[i], 0);
	m.octets = (struct span){ big, IPC_OCTETS_MAX };
	assert_int_equal(ipc_send(sock[0], ROLE_KEYS, ROLE_RELAY, &m), OK);
	assert_int_equal(ipc_recv(sock[1], ROLE_KEYS, ROLE_RELAY, &in), OK);
	assert_int_equal(in.octets.n, IPC_OCTETS_MAX);
	m.octets.n++;
	assert_int_equal(ipc_send(sock[0], ROLE_KEYS, ROLE_RELAY, &m),
			 E_PEER_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_allowed_arrives),
		TEST(a_flow_is_described_whole),
		TEST(any_other_length_or_number_is_refused),
		TEST(octets_are_forgotten),
		TEST(who_may_not_say_it_is_refused),
		TEST(odd_octets_are_refused),
		TEST(nothing_with_descriptors_leaves_none),
		TEST(no_room_for_descriptors_is_told),
		TEST(ends_and_full_queues_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
