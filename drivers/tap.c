/* SPDX-License-Identifier: BSD-2-Clause */
/* tap - see tap.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/bytes.h"
#include "drivers/tap.h"

enum {
	BUFFER = 4 << 20,
	ASKS_BUFFER = 4096, /* some eight frames, as the kernel counts them */
};

/* In older headers missing. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define STMT(c, op, k) \
	((c)->code[(c)->n++] = (struct sock_filter)BPF_STMT(op, k))
#define JUMP(c, op, k, jt, jf) \
	((c)->code[(c)->n++] = (struct sock_filter)BPF_JUMP(op, k, jt, jf))
#define TAKE(c) STMT(c, BPF_RET | BPF_K, 0x7fffffff)
#define DROP(c) STMT(c, BPF_RET | BPF_K, 0)

static int attach(int fd, const struct tap_filter *c)
{
	struct sock_fprog prog = { c->n, (struct sock_filter *)c->code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog))
		       ? E_IO
		       : OK;
}

/* Is the port at ip + at one of them? Jumps to `rest` instructions behind the last
 * jump if it is. */
static void compare(struct tap_filter *c, unsigned at, const uint16_t *ports,
		    unsigned n, unsigned rest)
{
	STMT(c, BPF_LD | BPF_H | BPF_IND, at);
	for (unsigned i = 0; i < n; i++)
		JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, ports[i],
		     (unsigned char)(n - 1 - i + rest), 0);
}

/* X is how far TCP is behind ip. */
static void one_of(struct tap_filter *c, unsigned ip, enum tap_what what,
		   const uint16_t *ports, unsigned n)
{
	if (what == TAP_BOTH)
		compare(c, ip, ports, n, n + 2);
	compare(c, ip + 2, ports, n, 1);
	DROP(c);
	TAKE(c);
}

static void v4(struct tap_filter *c, enum tap_what what, const uint16_t *ports,
	       unsigned n)
{
	enum { IP = 14 };

	STMT(c, BPF_LD | BPF_B | BPF_ABS, IP + 9);
	if (what == TAP_BOTH) {
		JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 1);
		TAKE(c); /* an error may be about mail */
	}
	JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0);
	DROP(c);
	STMT(c, BPF_LD | BPF_H | BPF_ABS, IP + 6);
	JUMP(c, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 0, 1);
	TAKE(c); /* a later fragment */
	STMT(c, BPF_LDX | BPF_B | BPF_MSH, IP);
	one_of(c, IP, what, ports, n);
}

static void v6(struct tap_filter *c, enum tap_what what, const uint16_t *ports,
	       unsigned n)
{
	enum { IP = 14 };

	STMT(c, BPF_LD | BPF_B | BPF_ABS, IP + 6);
	if (what == TAP_BOTH) {
		JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 1);
		TAKE(c);
	}
	JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 4, 0);
	JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 1, 0);
	JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 1);
	DROP(c);
	TAKE(c); /* extension headers: whatever is behind them */
	STMT(c, BPF_LDX | BPF_W | BPF_IMM, 40);
	one_of(c, IP, what, ports, n);
}

/* If the EtherType is this one. */
static void if_type(struct tap_filter *c, uint16_t type, enum tap_what what,
		    const uint16_t *ports, unsigned n,
		    void (*then)(struct tap_filter *, enum tap_what,
				 const uint16_t *, unsigned))
{
	unsigned short jump;

	STMT(c, BPF_LD | BPF_H | BPF_ABS, 12);
	jump = c->n;
	JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, type, 0, 0);
	then(c, what, ports, n);
	c->code[jump].jf = (unsigned char)(c->n - jump - 1);
}

/* Whole datagrams and first fragments. The kernel has taken off one VLAN tag. */
static void asks(struct tap_filter *c)
{
	enum { IP = 14, DNS_PORT = 53 };
	static const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 7),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 11),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IP + 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 9, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, IP),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, IP + 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DNS_PORT, 5, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP + 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IP + 40 + 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DNS_PORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, TAP_ASKS_KEPT),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	memcpy(c->code, code, sizeof(code));
	c->n = sizeof(code) / sizeof(code[0]);
}

int tap_filter_build(struct tap_filter *c, enum tap_what what,
		     const uint16_t *ports, unsigned n)
{
	c->n = 0;
	if (n > TAP_PORTS_MAX)
		return E_CONF;
	if (what == TAP_NOTHING) {
		DROP(c);
		return OK;
	}
	if (what == TAP_ASKS) {
		asks(c);
		return OK;
	}
	if (what == TAP_LEAVES) {
		STMT(c, BPF_LD | BPF_B | BPF_ABS,
		     (unsigned)(SKF_AD_OFF + SKF_AD_PKTTYPE));
		JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 1, 0);
		DROP(c);
	}
	if_type(c, ETH_P_IP, what, ports, n, v4);
	if_type(c, ETH_P_IPV6, what, ports, n, v6);
	STMT(c, BPF_LD | BPF_H | BPF_ABS, 12);
	JUMP(c, BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 1);
	DROP(c);
	TAKE(c);
	return OK;
}

int tap_ports(int fd, enum tap_what what, const uint16_t *ports, unsigned n)
{
	struct tap_filter c;
	int r = tap_filter_build(&c, what, ports, n);

	return r == OK ? attach(fd, &c) : r;
}

static int bound(int ifindex, enum tap_what what, int size, int *fd)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = ifindex };
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (s < 0)
		return E_IO;
	if (tap_ports(s, what, NULL, 0) != OK ||
	    (what == TAP_ASKS &&
	     (setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) ||
	      setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
			 sizeof(on)))) ||
	    setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) ||
	    setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(s, (struct sockaddr *)&a, sizeof(a))) {
		int e = errno;

		close(s);
		errno = e;
		return E_IO;
	}
	*fd = s;
	return OK;
}

int tap_open(int ifindex, int *fd)
{
	return bound(ifindex, TAP_NOTHING, BUFFER, fd);
}

int tap_open_asks(int ifindex, int *fd)
{
	return bound(ifindex, TAP_ASKS, ASKS_BUFFER, fd);
}

/* The tag that the kernel keeps beside the frame, back into it. */
static void untag(struct tap_frame *f, uint8_t *mem,
		  const struct tpacket_auxdata *aux)
{
	uint16_t tpid = ETH_P_8021Q;

	if ((aux->tp_status & TP_STATUS_VLAN_VALID) == 0 || f->bytes.n < 14)
		return;
	if (aux->tp_status & TP_STATUS_VLAN_TPID_VALID)
		tpid = aux->tp_vlan_tpid;
	memmove(mem, mem + TAP_HEAD, 12);
	put_be16(mem + 12, tpid);
	put_be16(mem + 14, aux->tp_vlan_tci);
	f->bytes = (struct span){ mem, f->bytes.n + TAP_HEAD };
}

struct tap_frame tap_receive(int fd, uint8_t *mem)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata)) +
			     CMSG_SPACE(sizeof(struct timespec))];
	} ctl;
	struct sockaddr_ll from = { .sll_pkttype = PACKET_HOST };
	struct iovec io = { mem + TAP_HEAD, TAP_FRAME_MAX };
	struct msghdr h = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = ctl.room,
			    .msg_controllen = sizeof(ctl.room) };
	struct tap_frame f = { .leaves = false };
	ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);

	if (n <= 0)
		return f;
	f.bytes = (struct span){ mem + TAP_HEAD, (size_t)n };
	f.leaves = from.sll_pkttype == PACKET_OUTGOING;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		struct tpacket_auxdata aux;
		struct timespec t;

		if (c->cmsg_level == SOL_PACKET &&
		    c->cmsg_type == PACKET_AUXDATA) {
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
			untag(&f, mem, &aux);
		} else if (c->cmsg_level == SOL_SOCKET &&
			   c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			f.unix_us = (uint64_t)t.tv_sec * 1000000 +
				    (uint64_t)t.tv_nsec / 1000;
		}
	}
	return f;
}

uint64_t tap_lost(int fd)
{
	struct tpacket_stats st;
	socklen_t n = sizeof(st);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &n) != 0)
		return 0;
	return st.tp_drops;
}
