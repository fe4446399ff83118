/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc - see ipc.h. The table below is everything that can be said; a message
 * is a type octet followed by the fields of its row, in the order of the enum.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/wipe.h"
#include "ipc/ipc.h"
#include "ipc/stats.h"

/* What a body is made of, in this order. */
enum {
	F_ROLE = 1 << 0,    /* role u8, index u32 */
	F_FLOW = 1 << 1,    /* u32 */
	F_SIDE = 1 << 2,    /* u8 */
	F_PORT = 1 << 3,    /* client_port u8 */
	F_CLIENT = 1 << 4,  /* 16 octets, u16 */
	F_SERVER = 1 << 5,  /* 16 octets, u16 */
	F_ERROR = 1 << 6,   /* i32 */
	F_NUMBER = 1 << 7,  /* u64 */
	F_PORTS = 1 << 8,   /* u8 count, then u16 each */
	F_OP = 1 << 9,	    /* u8 */
	F_VIA = 1 << 10,    /* 16 octets, u16 */
	F_CLOCK = 1 << 11,  /* u8 */
	F_PRINTS = 1 << 12, /* u8 count, then u32 x PRINT_STEP, u64, u8 each */
	F_TLS_ONLY = 1 << 13, /* u8 */
	F_MAY = 1 << 14,      /* may_sign u8 */
	F_OCTETS = 1 << 15,   /* all that is left: last */
};

#define R(x) (1u << ROLE_##x)
#define ANY                                                                 \
	(R(WIRE) | R(RELAY) | R(CONFD) | R(CONSOLE) | R(KEYS) | R(FLASHD) | \
	 R(WITNESS))

static const struct row {
	unsigned from, to; /* sets of roles */
	unsigned fields;
	unsigned fds;
} rows[IPC_TYPES] = {
	[IPC_PEER] = { R(BOSS), ANY, F_ROLE, 1 },
	[IPC_STATS] = { R(BOSS), ANY, 0, 1 },
	[IPC_STATS_OF] = { R(BOSS), R(CONSOLE), F_ROLE, 1 },
	[IPC_PORTS] = { R(BOSS), R(WIRE), 0, 3 },
	[IPC_LISTEN] = { R(BOSS), R(CONSOLE), 0, 1 },
	[IPC_CONF_FILE] = { R(BOSS), R(CONFD), F_ROLE, 1 },
	[IPC_CONF_KEEP] = { R(CONFD), R(BOSS), 0, 1 },
	[IPC_GO] = { R(BOSS), ANY, 0, 0 },
	[IPC_READY] = { ANY, R(BOSS), 0, 0 },
	[IPC_ALIVE] = { ANY, R(BOSS), 0, 0 },
	[IPC_INTERCEPT] = { R(CONFD), R(BOSS), F_NUMBER | F_PORTS, 0 },
	[IPC_INTERCEPTED] = { R(BOSS), R(CONFD) | R(WIRE) | R(WITNESS),
			      F_ERROR | F_NUMBER | F_PORTS, 0 },
	[IPC_SNAPSHOT] = { R(CONFD), R(WIRE), F_NUMBER, 1 },
	[IPC_SNAPSHOT_ACK] = { R(WIRE) | R(RELAY) | R(KEYS), R(CONFD),
			       F_ERROR | F_NUMBER, 0 },
	[IPC_SNAPSHOT_KEYS] = { R(CONFD), R(RELAY), F_NUMBER, 2 },
	[IPC_FLOW_OPEN] = { R(WIRE), R(RELAY),
			    F_FLOW | F_PORT | F_CLIENT | F_SERVER | F_TLS_ONLY,
			    2 },
	[IPC_FLOW_DIAL] = { R(RELAY), R(WIRE), F_FLOW | F_SERVER, 0 },
	[IPC_FLOW_DIALED] = { R(WIRE), R(RELAY), F_FLOW, 1 },
	[IPC_FLOW_DIAL_FAILED] = { R(WIRE), R(RELAY), F_FLOW | F_ERROR, 0 },
	[IPC_FLOW_FINISH] = { R(RELAY), R(WIRE), F_FLOW | F_SIDE, 0 },
	[IPC_FLOW_GONE] = { R(WIRE), R(RELAY), F_FLOW | F_SIDE | F_ERROR, 0 },
	[IPC_CONF_CHECK] = { R(CONSOLE), R(CONFD), 0, 1 },
	[IPC_CONF_LOAD] = { R(CONSOLE), R(CONFD), 0, 1 },
	[IPC_CONF_RESULT] = { R(CONFD), R(CONSOLE), F_ERROR | F_NUMBER, 1 },
	[IPC_CONF_ASK] = { R(CONSOLE), R(CONFD), F_NUMBER | F_OP, 1 },
	[IPC_TTY] = { R(BOSS), R(CONSOLE), F_ROLE, 1 },
	[IPC_SECRETS] = { R(CONFD), R(KEYS), F_NUMBER | F_MAY, 1 },
	[IPC_KEY_ASK] = { R(CONFD), R(KEYS), F_OP, 1 },
	[IPC_KEY_RESULT] = { R(KEYS), R(CONFD), F_ERROR | F_OP, 2 },
	[IPC_BOX] = { R(CONFD), R(CONSOLE), F_NUMBER, 1 },
	[IPC_MANAGE] = { R(CONFD), R(BOSS),
			 F_CLIENT | F_SERVER | F_NUMBER | F_VIA, 0 },
	[IPC_SYSLOG] = { R(BOSS), R(CONSOLE), 0, 1 },
	[IPC_SYSLOG_OFF] = { R(BOSS), R(CONSOLE), 0, 0 },
	[IPC_RELOAD] = { R(CONSOLE), R(BOSS), F_NUMBER, 0 },
	[IPC_CLOCK_SET] = { R(CONSOLE), R(BOSS), F_NUMBER, 0 },
	[IPC_DONE] = { R(BOSS), R(CONSOLE), F_ERROR, 0 },
	[IPC_CLOCK] = { R(BOSS), R(CONFD), F_NUMBER | F_CLOCK, 0 },
	[IPC_FLASH_FILE] = { R(BOSS), R(FLASHD), F_ROLE, 1 },
	[IPC_SLOT_RUNS] = { R(BOSS), R(FLASHD), F_NUMBER, 0 },
	[IPC_SLOT_MODE] = { R(FLASHD), R(BOSS), F_NUMBER, 0 },
	[IPC_HEALTHY] = { R(BOSS), R(FLASHD), 0, 0 },
	[IPC_FLASH_ASK] = { R(CONSOLE), R(FLASHD), F_NUMBER, 1 },
	[IPC_FLASH_RESULT] = { R(FLASHD), R(CONSOLE), F_ERROR | F_NUMBER, 1 },
	[IPC_FETCH] = { R(CONSOLE), R(BOSS), 0, 1 },
	[IPC_SEND] = { R(CONSOLE), R(BOSS), 0, 2 },
	[IPC_CARRY] = { R(CONFD), R(BOSS), F_NUMBER, 0 },
	[IPC_TAP] = { R(BOSS), R(WITNESS), 0, 3 },
	[IPC_PRINT_KEY] = { R(WITNESS), R(RELAY), F_NUMBER, 0 },
	[IPC_PROTECT] = { R(RELAY), R(WITNESS),
			  F_CLIENT | F_SERVER | F_NUMBER | F_TLS_ONLY |
				  F_PRINTS,
			  0 },
	[IPC_EXPOSE] = { R(RELAY), R(WITNESS), F_CLIENT | F_SERVER | F_PRINTS,
			 0 },
	[IPC_CANARY] = { R(WITNESS), R(WIRE), F_NUMBER, 0 },
	[IPC_VERIFY] = { R(CONSOLE), R(WITNESS), 0, 0 },
	[IPC_VERIFIED] = { R(WITNESS), R(CONSOLE), F_ERROR, 0 },
	[IPC_CAPTURE] = { R(CONSOLE), R(WITNESS), F_FLOW | F_CLIENT | F_NUMBER,
			  0 },
	[IPC_CAPTURED] = { R(WITNESS), R(CONSOLE), F_ERROR, 1 },
	[IPC_WATCH] = { R(CONSOLE), R(WITNESS), F_CLIENT | F_NUMBER, 1 },
	[IPC_JUDGED] = { R(RELAY), R(WITNESS), F_FLOW | F_CLIENT | F_NUMBER,
			 0 },
	[IPC_BREACH] = { R(WITNESS), R(BOSS), 0, 0 },
	[IPC_FETCHED] = { R(BOSS), R(CONSOLE), F_ERROR, 1 },
	[IPC_LOGON] = { R(RELAY), R(KEYS), F_FLOW | F_NUMBER | F_OCTETS, 0 },
	[IPC_LOGON_REPLY] = { R(KEYS), R(RELAY), F_FLOW | F_NUMBER | F_OCTETS,
			      0 },
	[IPC_LOGON_END] = { R(RELAY), R(KEYS), F_FLOW, 0 },
	[IPC_SIGN] = { R(RELAY), R(KEYS), F_FLOW | F_NUMBER | F_OCTETS, 0 },
	[IPC_SIGNED] = { R(KEYS), R(RELAY),
			 F_FLOW | F_ERROR | F_NUMBER | F_OCTETS, 0 },
	[IPC_PROBE] = { R(CONSOLE), R(RELAY),
			F_CLIENT | F_SERVER | F_NUMBER | F_VIA | F_OCTETS, 0 },
	[IPC_PROBED] = { R(RELAY), R(CONSOLE), F_ERROR | F_NUMBER | F_OCTETS,
			 0 },
	[IPC_PROBE_STOP] = { R(CONSOLE), R(RELAY), 0, 0 },
	[IPC_PROBE_DIAL] = { R(RELAY), R(WIRE), F_CLIENT | F_SERVER | F_NUMBER,
			     0 },
	[IPC_PROBE_FLOW] = { R(WIRE), R(RELAY),
			     F_FLOW | F_CLIENT | F_SERVER | F_ERROR | F_NUMBER,
			     0 },
	[IPC_EXPIRY] = { R(KEYS), R(BOSS), F_NUMBER, 0 },
	[IPC_LEARNED] = { R(RELAY), R(CONFD), F_OCTETS, 0 },
	[IPC_LEARNED_ALL] = { R(CONFD), R(RELAY), 0, 1 },
	[IPC_FORGET] = { R(CONFD), R(RELAY), F_OCTETS, 0 },
	[IPC_NTP] = { R(CONFD), R(BOSS), F_CLIENT | F_SERVER | F_NUMBER | F_VIA,
		      0 },
};

const char *role_name(enum role r)
{
	switch (r) {
	case ROLE_BOSS: return "boss";
	case ROLE_WIRE: return "wire";
	case ROLE_RELAY: return "relay";
	case ROLE_CONFD: return "confd";
	case ROLE_CONSOLE: return "console";
	case ROLE_KEYS: return "keys";
	case ROLE_FLASHD: return "flashd";
	case ROLE_WITNESS: return "witness";
	case ROLE_NTP: return "ntp";
	case ROLES: break;
	}
	return "?";
}

static bool allowed(const struct row *r, enum role from, enum role to)
{
	return (r->from & 1u << from) != 0 && (r->to & 1u << to) != 0;
}

static size_t put_endpoint(uint8_t *p, const struct endpoint *e)
{
	memcpy(p, e->ip, 16);
	put_le16(p + 16, e->port);
	return 18;
}

static size_t put_prints(uint8_t *p, const struct ipc_msg *m)
{
	size_t n = 0;

	p[n++] = (uint8_t)m->print_n;
	for (uint32_t i = 0; i < m->print_n; i++) {
		const struct print *t = &m->print[i];

		for (int k = 0; k < PRINT_STEP; k++, n += 4)
			put_le32(p + n, t->gram[k]);
		put_le64(p + n, t->whole);
		p[n + 8] = t->n;
		n += 9;
	}
	return n;
}

static size_t encode(uint8_t *b, const struct row *r, const struct ipc_msg *m)
{
	size_t n = 0;

	b[n++] = (uint8_t)m->type;
	if (r->fields & F_ROLE) {
		b[n] = (uint8_t)m->role;
		put_le32(b + n + 1, m->index);
		n += 5;
	}
	if (r->fields & F_FLOW) {
		put_le32(b + n, m->flow);
		n += 4;
	}
	if (r->fields & F_SIDE)
		b[n++] = (uint8_t)m->side;
	if (r->fields & F_PORT)
		b[n++] = (uint8_t)m->client_port;
	if (r->fields & F_CLIENT)
		n += put_endpoint(b + n, &m->client);
	if (r->fields & F_SERVER)
		n += put_endpoint(b + n, &m->server);
	if (r->fields & F_ERROR) {
		put_le32(b + n, (uint32_t)m->error);
		n += 4;
	}
	if (r->fields & F_NUMBER) {
		put_le64(b + n, m->number);
		n += 8;
	}
	if (r->fields & F_PORTS) {
		b[n++] = (uint8_t)m->ports_n;
		for (uint32_t i = 0; i < m->ports_n; i++, n += 2)
			put_le16(b + n, m->ports[i]);
	}
	if (r->fields & F_OP)
		b[n++] = (uint8_t)m->op;
	if (r->fields & F_VIA)
		n += put_endpoint(b + n, &m->via);
	if (r->fields & F_CLOCK)
		b[n++] = (uint8_t)m->clock;
	if (r->fields & F_PRINTS)
		n += put_prints(b + n, m);
	if (r->fields & F_TLS_ONLY)
		b[n++] = m->tls_only;
	if (r->fields & F_MAY)
		b[n++] = m->may_sign;
	if ((r->fields & F_OCTETS) && m->octets.n > 0) {
		memcpy(b + n, m->octets.p, m->octets.n);
		n += m->octets.n;
	}
	return n;
}

/* Bytes not read yet. take() of more than there is gives zeros and sets bad. */
struct cursor {
	const uint8_t *p;
	size_t n;
	bool bad;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	static const uint8_t zeros[18];
	const uint8_t *p = c->p;

	if (n > c->n) {
		c->bad = true;
		return zeros;
	}
	c->p += n;
	c->n -= n;
	return p;
}

static void take_endpoint(struct cursor *c, struct endpoint *e)
{
	const uint8_t *p = take(c, 18);

	memcpy(e->ip, p, 16);
	e->port = get_le16(p + 16);
}

static bool take_prints(struct cursor *c, struct ipc_msg *m)
{
	m->print_n = take(c, 1)[0];
	if (m->print_n > IPC_PRINTS_MAX)
		return false;
	for (uint32_t i = 0; i < m->print_n; i++) {
		struct print *t = &m->print[i];

		for (int k = 0; k < PRINT_STEP; k++)
			t->gram[k] = get_le32(take(c, 4));
		t->whole = get_le64(take(c, 8));
		t->n = take(c, 1)[0];
		if (t->n < PRINT_FIRST || t->n > PRINT_MAX)
			return false;
	}
	return true;
}

static bool decode(struct cursor *c, unsigned fields, struct ipc_msg *m)
{
	if (fields & F_ROLE) {
		m->role = (enum role)take(c, 1)[0];
		m->index = get_le32(take(c, 4));
		if (m->role >= ROLES || m->index >= IPC_RELAYS_MAX)
			return false;
	}
	if (fields & F_FLOW)
		m->flow = get_le32(take(c, 4));
	if (fields & F_SIDE) {
		m->side = (enum side)take(c, 1)[0];
		if (m->side >= SIDES)
			return false;
	}
	if (fields & F_PORT) {
		m->client_port = (enum port)take(c, 1)[0];
		if (m->client_port >= PORTS)
			return false;
	}
	if (fields & F_CLIENT)
		take_endpoint(c, &m->client);
	if (fields & F_SERVER)
		take_endpoint(c, &m->server);
	if (fields & F_ERROR)
		m->error = (int)get_le32(take(c, 4));
	if (fields & F_NUMBER)
		m->number = get_le64(take(c, 8));
	if (fields & F_PORTS) {
		m->ports_n = take(c, 1)[0];
		if (m->ports_n > sizeof(m->ports) / sizeof(m->ports[0]))
			return false;
		for (uint32_t i = 0; i < m->ports_n; i++)
			m->ports[i] = get_le16(take(c, 2));
	}
	if (fields & F_OP) {
		m->op = (enum conf_op)take(c, 1)[0];
		if (m->op == 0 || m->op >= CONF_OPS)
			return false;
	}
	if (fields & F_VIA)
		take_endpoint(c, &m->via);
	if (fields & F_CLOCK) {
		m->clock = take(c, 1)[0];
		if (m->clock > STATS_CLOCK_NTP)
			return false;
	}
	if ((fields & F_PRINTS) && !take_prints(c, m))
		return false;
	if (fields & F_TLS_ONLY)
		m->tls_only = take(c, 1)[0] != 0;
	if (fields & F_MAY) {
		uint8_t may = take(c, 1)[0];

		m->may_sign = may == 1;
		if (may > 1)
			return false;
	}
	if (fields & F_OCTETS) {
		m->octets.n = c->n;
		m->octets.p = take(c, c->n);
	}
	return !c->bad && c->n == 0;
}

int ipc_send(int sock, enum role from, enum role to, const struct ipc_msg *m)
{
	uint8_t body[IPC_BODY_MAX];
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} ctl = { 0 };
	const struct row *r = &rows[m->type];
	struct iovec io = { body, 0 };
	struct msghdr h = { .msg_iov = &io, .msg_iovlen = 1 };
	ssize_t sent;

	if (!allowed(r, from, to) || m->fd_n != r->fds ||
	    m->octets.n > IPC_OCTETS_MAX)
		return E_PEER_SYNTAX;
	io.iov_len = encode(body, r, m);
	if (m->fd_n > 0) {
		struct cmsghdr *c;

		h.msg_control = ctl.room;
		h.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * m->fd_n);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * m->fd_n);
		memcpy(CMSG_DATA(c), m->fd, sizeof(int) * m->fd_n);
	}
	do
		sent = sendmsg(sock, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (r->fields & F_OCTETS)
		wipe(body, io.iov_len);
	if (sent == (ssize_t)io.iov_len)
		return OK;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ||
	    errno == ETOOMANYREFS)
		return E_AGAIN;
	return errno == EPIPE || errno == ECONNRESET ? E_PEER_GONE : E_IO;
}

static void collect_fds(struct msghdr *h, struct ipc_msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (m->fd_n < IPC_FDS_MAX)
				m->fd[m->fd_n++] = fd;
			else
				close(fd);
		}
	}
}

static int refuse(struct ipc_msg *m)
{
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
	return E_PEER_SYNTAX;
}

/* The last message. */
static uint8_t body[IPC_BODY_MAX];
static size_t body_n;

void ipc_forget(void)
{
	wipe(body, body_n);
	body_n = 0;
}

int ipc_recv(int sock, enum role from, enum role to, struct ipc_msg *m)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} ctl;
	struct iovec io = { body, sizeof(body) };
	struct msghdr h = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = ctl.room,
			    .msg_controllen = sizeof(ctl.room) };
	struct cursor c;
	bool no_room;
	ssize_t n;

	memset(m, 0, sizeof(*m));
	do
		n = recvmsg(sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return E_AGAIN;
	if (n < 0)
		return errno == ECONNRESET ? E_PEER_GONE : E_IO;
	body_n = (size_t)n;
	collect_fds(&h, m);
	if (n == 0) { /* the end; but an empty message can carry some, too */
		(void)refuse(m);
		return E_PEER_GONE;
	}
	if ((h.msg_flags & MSG_TRUNC) != 0 || body[0] == 0 ||
	    body[0] >= IPC_TYPES)
		return refuse(m);
	m->type = (enum ipc_type)body[0];
	c = (struct cursor){ body + 1, (size_t)n - 1, false };
	/* The kernel drops descriptors that do not fit into our table. */
	no_room = (h.msg_flags & MSG_CTRUNC) != 0 &&
		  m->fd_n < rows[m->type].fds;
	if (!allowed(&rows[m->type], from, to) ||
	    (m->fd_n != rows[m->type].fds && !no_room) ||
	    !decode(&c, rows[m->type].fields, m))
		return refuse(m);
	if (!no_room)
		return OK;
	(void)refuse(m);
	return E_FULL;
}
