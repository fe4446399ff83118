/* SPDX-License-Identifier: BSD-2-Clause */
/* link - see link.h. Requests are built in one buffer and answered one by one. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "drivers/link.h"

enum { PRIO_MAIL = 1, PRIO_REST = 2, HANDLE = 1 };

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct tcmsg tc;
	} u;
	uint8_t attrs[16384];
};

static int fail(struct link *l, const char *what, const char *where, int error)
{
	snprintf(l->why, sizeof(l->why), "%s on %s: %s", what, where,
		 strerror(error));
	return E_IO;
}

static void *put(struct request *r, unsigned short type, const void *p,
		 size_t n)
{
	struct rtattr *a = (struct rtattr *)((uint8_t *)r +
					     NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n > 0)
		memcpy(RTA_DATA(a), p, n);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void end(struct request *r, void *nest)
{
	struct rtattr *a = nest;

	a->rta_len = (unsigned short)((uint8_t *)r + r->h.nlmsg_len -
				      (uint8_t *)a);
}

static void begin(struct request *r, uint16_t type, uint16_t flags, size_t body)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	r->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

/*
 * Send r; call each(arg, message) for every answer that is not an error or the
 * end. Returns 0 or the kernel's errno.
 */
static int talk(struct link *l, struct request *r,
		void (*each)(void *, const struct nlmsghdr *), void *arg)
{
	static uint8_t in[65536] __attribute__((aligned(8)));
	ssize_t n;

	r->h.nlmsg_seq = ++l->seq;
	if (send(l->sock, r, r->h.nlmsg_len, 0) < 0)
		return errno;
	for (;;) {
		struct nlmsghdr *h = (struct nlmsghdr *)in;

		n = recv(l->sock, in, sizeof(in), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != l->seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR)
				return -((struct nlmsgerr *)NLMSG_DATA(h))
						->error;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (each)
				each(arg, h);
			if ((h->nlmsg_flags & NLM_F_MULTI) == 0 &&
			    (r->h.nlmsg_flags & NLM_F_ACK) == 0)
				return 0;
		}
	}
}

int link_open(struct link *l, const char *inside, const char *outside)
{
	const char *name[PORTS] = { inside, outside };

	memset(l, 0, sizeof(*l));
	l->sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (l->sock < 0)
		return fail(l, "netlink socket", "boss", errno);
	for (int p = 0; p < PORTS; p++) {
		snprintf(l->name[p], IFNAMSIZ, "%s", name[p]);
		l->index[p] = (int)if_nametoindex(name[p]);
		if (l->index[p] == 0)
			return fail(l, "no such port", name[p], errno);
	}
	return OK;
}

static int add_clsact(struct link *l, enum port p)
{
	struct request r;
	int e;

	begin(&r, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
	      sizeof(r.u.tc));
	r.u.tc.tcm_ifindex = l->index[p];
	r.u.tc.tcm_parent = TC_H_CLSACT;
	r.u.tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	put(&r, TCA_KIND, "clsact", 7);
	e = talk(l, &r, NULL, NULL);
	return e != 0 && e != EEXIST ? fail(l, "clsact", l->name[p], e) : OK;
}

static void filter_head(struct request *r, const struct link *l, enum port p,
			uint32_t prio)
{
	r->u.tc.tcm_ifindex = l->index[p];
	r->u.tc.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	r->u.tc.tcm_handle = HANDLE;
	r->u.tc.tcm_info = TC_H_MAKE(prio << 16, htons(ETH_P_ALL));
}

static void put_program(struct request *r, const struct sock_filter *f,
			unsigned short n)
{
	put(r, TCA_BPF_OPS_LEN, &n, sizeof(n));
	put(r, TCA_BPF_OPS, f, n * sizeof(*f));
}

static int add_mail(struct link *l, enum port p, const struct classifier *tc)
{
	uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct request r;
	void *o;
	int e;

	begin(&r, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
	      sizeof(r.u.tc));
	filter_head(&r, l, p, PRIO_MAIL);
	put(&r, TCA_KIND, "bpf", 4);
	o = put(&r, TCA_OPTIONS, NULL, 0);
	put_program(&r, tc->code, tc->n);
	put(&r, TCA_BPF_FLAGS, &flags, sizeof(flags));
	end(&r, o);
	e = talk(l, &r, NULL, NULL);
	return e != 0 ? fail(l, "mail classifier", l->name[p], e) : OK;
}

static int add_redirect(struct link *l, enum port p)
{
	const struct sock_filter all = { BPF_RET | BPF_K, 0, 0, 0xffffffff };
	struct tc_mirred m = { .action = TC_ACT_STOLEN,
			       .eaction = TCA_EGRESS_REDIR,
			       .ifindex = (uint32_t)l->index[!p] };
	struct request r;
	void *o, *acts, *act, *ao;
	int e;

	begin(&r, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
	      sizeof(r.u.tc));
	filter_head(&r, l, p, PRIO_REST);
	put(&r, TCA_KIND, "bpf", 4);
	o = put(&r, TCA_OPTIONS, NULL, 0);
	put_program(&r, &all, 1);
	acts = put(&r, TCA_BPF_ACT, NULL, 0);
	act = put(&r, 1, NULL, 0);
	put(&r, TCA_ACT_KIND, "mirred", 7);
	ao = put(&r, TCA_ACT_OPTIONS | NLA_F_NESTED, NULL, 0);
	put(&r, TCA_MIRRED_PARMS, &m, sizeof(m));
	end(&r, ao);
	end(&r, act);
	end(&r, acts);
	end(&r, o);
	e = talk(l, &r, NULL, NULL);
	return e != 0 ? fail(l, "redirect", l->name[p], e) : OK;
}

/* What reading back looks for. */
struct seen {
	const struct classifier *tc;
	uint32_t other;
	bool mail, rest;
	unsigned filters;
};

static const struct rtattr *find(const struct rtattr *a, size_t n, int type)
{
	for (; RTA_OK(a, n); a = RTA_NEXT(a, n))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

static const struct rtattr *inside_of(const struct rtattr *a, int type)
{
	return a ? find(RTA_DATA(a), RTA_PAYLOAD(a), type) : NULL;
}

static void look(void *arg, const struct nlmsghdr *h)
{
	struct seen *s = arg;
	const struct tcmsg *t = NLMSG_DATA(h);
	const struct rtattr *o, *ops, *mirred;
	uint32_t prio = TC_H_MAJ(t->tcm_info) >> 16;

	if (h->nlmsg_type != RTM_NEWTFILTER || t->tcm_handle == 0)
		return;
	s->filters++;
	o = find(TCA_RTA(t), TCA_PAYLOAD(h), TCA_OPTIONS);
	ops = inside_of(o, TCA_BPF_OPS);
	if (prio == PRIO_MAIL && ops)
		s->mail = RTA_PAYLOAD(ops) ==
				  s->tc->n * sizeof(s->tc->code[0]) &&
			  memcmp(RTA_DATA(ops), s->tc->code,
				 RTA_PAYLOAD(ops)) == 0;
	mirred = inside_of(inside_of(inside_of(inside_of(o, TCA_BPF_ACT), 1),
				     TCA_ACT_OPTIONS),
			   TCA_MIRRED_PARMS);
	if (prio == PRIO_REST && mirred &&
	    RTA_PAYLOAD(mirred) >= sizeof(struct tc_mirred)) {
		struct tc_mirred m;

		memcpy(&m, RTA_DATA(mirred), sizeof(m));
		s->rest = m.eaction == TCA_EGRESS_REDIR &&
			  m.ifindex == s->other;
	}
}

static int read_back(struct link *l, enum port p, const struct classifier *tc)
{
	struct seen s = { .tc = tc, .other = (uint32_t)l->index[!p] };
	struct request r;
	int e;

	begin(&r, RTM_GETTFILTER, NLM_F_DUMP, sizeof(r.u.tc));
	r.u.tc.tcm_ifindex = l->index[p];
	r.u.tc.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	e = talk(l, &r, look, &s);
	if (e != 0)
		return fail(l, "reading filters back", l->name[p], e);
	if (!s.mail || !s.rest || s.filters != 2) {
		snprintf(l->why, sizeof(l->why),
			 "filters on %s are not what was attached "
			 "(mail %d, rest %d, all %u)",
			 l->name[p], s.mail, s.rest, s.filters);
		return E_CORRUPT;
	}
	return OK;
}

bool link_attached(struct link *l, const struct classifier tc[PORTS])
{
	return read_back(l, INSIDE, &tc[INSIDE]) == OK &&
	       read_back(l, OUTSIDE, &tc[OUTSIDE]) == OK;
}

int link_attach(struct link *l, const struct classifier tc[PORTS])
{
	int r = OK;

	for (enum port p = INSIDE; r == OK && p < PORTS; p++) {
		r = add_clsact(l, p);
		if (r == OK)
			r = add_mail(l, p, &tc[p]);
		if (r == OK)
			r = add_redirect(l, p);
	}
	for (enum port p = INSIDE; r == OK && p < PORTS; p++)
		r = read_back(l, p, &tc[p]);
	return r;
}

static int set_flags(struct link *l, enum port p, unsigned flags, unsigned mask,
		     const char *what)
{
	struct request r;
	int e;

	begin(&r, RTM_NEWLINK, NLM_F_ACK, sizeof(r.u.link));
	r.u.link.ifi_index = l->index[p];
	r.u.link.ifi_flags = flags;
	r.u.link.ifi_change = mask;
	e = talk(l, &r, NULL, NULL);
	return e != 0 ? fail(l, what, l->name[p], e) : OK;
}

/* Without IPv6 on the port the kernel sends no router or neighbour messages.
 * A kernel without IPv6 has no such file. */
static int no_ipv6(struct link *l, enum port p)
{
	char path[64 + IFNAMSIZ];
	int fd, r = OK;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 l->name[p]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? OK
				       : fail(l, "no IPv6", l->name[p], errno);
	if (write(fd, "1", 1) != 1)
		r = fail(l, "no IPv6", l->name[p], errno);
	close(fd);
	return r;
}

int link_down(struct link *l, enum port p)
{
	return set_flags(l, p, 0, IFF_UP, "down");
}

static void take_state(void *arg, const struct nlmsghdr *h)
{
	struct link_state *s = arg;
	const struct ifinfomsg *i = NLMSG_DATA(h);
	const struct rtattr *mtu = find(IFLA_RTA(i), IFLA_PAYLOAD(h), IFLA_MTU);

	s->up = (i->ifi_flags & IFF_UP) != 0;
	s->carrier = (i->ifi_flags & IFF_RUNNING) != 0;
	if (mtu)
		memcpy(&s->mtu, RTA_DATA(mtu), sizeof(s->mtu));
}

int link_state(struct link *l, enum port p, struct link_state *s)
{
	struct request r;
	int e;

	memset(s, 0, sizeof(*s));
	begin(&r, RTM_GETLINK, 0, sizeof(r.u.link));
	r.u.link.ifi_index = l->index[p];
	e = talk(l, &r, take_state, s);
	return e != 0 ? fail(l, "state", l->name[p], e) : OK;
}

static void take_max_mtu(void *arg, const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	const struct rtattr *most = find(IFLA_RTA(i), IFLA_PAYLOAD(h),
					 IFLA_MAX_MTU);

	if (most && RTA_PAYLOAD(most) >= sizeof(uint32_t))
		memcpy(arg, RTA_DATA(most), sizeof(uint32_t));
}

/* A cable has no MTU: take what the port can, for jumbo frames and for tags on
 * full ones. Not all drivers allow it; then the port stays as it is. */
static void raise_mtu(struct link *l, enum port p)
{
	struct link_state s;
	struct request r;
	uint32_t mtu = 0;

	begin(&r, RTM_GETLINK, 0, sizeof(r.u.link));
	r.u.link.ifi_index = l->index[p];
	if (talk(l, &r, take_max_mtu, &mtu) != 0 || link_state(l, p, &s) != OK)
		return;
	if (mtu == 0 || mtu > LINK_MTU)
		mtu = LINK_MTU;
	if (mtu <= s.mtu)
		return;
	begin(&r, RTM_NEWLINK, NLM_F_ACK, sizeof(r.u.link));
	r.u.link.ifi_index = l->index[p];
	put(&r, IFLA_MTU, &mtu, sizeof(mtu));
	(void)talk(l, &r, NULL, NULL);
}

int link_up(struct link *l, enum port p)
{
	const unsigned flags = IFF_UP | IFF_PROMISC | IFF_NOARP;
	int r = no_ipv6(l, p);

	raise_mtu(l, p);
	return r == OK ? set_flags(l, p, flags, flags | IFF_MULTICAST, "up")
		       : r;
}

static int no_vlan(struct link *l, const char *name)
{
	struct request r;
	int e;

	begin(&r, RTM_DELLINK, NLM_F_ACK, sizeof(r.u.link));
	put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	e = talk(l, &r, NULL, NULL);
	return e != 0 && e != ENODEV ? fail(l, "no VLAN", name, e) : OK;
}

/* It begins with the flags of its port, where nobody is to speak. */
int link_vlan(struct link *l, enum port p, uint16_t vlan, const char *name)
{
	const uint32_t port = (uint32_t)l->index[p], mtu = LINK_VLAN_MTU;
	struct request r;
	void *info, *data;
	int e;

	if (no_vlan(l, name) != OK)
		return E_IO;
	if (vlan == 0)
		return OK;
	begin(&r, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
	      sizeof(r.u.link));
	r.u.link.ifi_flags = IFF_MULTICAST;
	r.u.link.ifi_change = IFF_MULTICAST | IFF_NOARP;
	put(&r, IFLA_LINK, &port, sizeof(port));
	put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	put(&r, IFLA_MTU, &mtu, sizeof(mtu));
	info = put(&r, IFLA_LINKINFO, NULL, 0);
	put(&r, IFLA_INFO_KIND, "vlan", 5);
	data = put(&r, IFLA_INFO_DATA, NULL, 0);
	put(&r, IFLA_VLAN_ID, &vlan, sizeof(vlan));
	end(&r, data);
	end(&r, info);
	e = talk(l, &r, NULL, NULL);
	return e != 0 ? fail(l, "VLAN", l->name[p], e) : OK;
}
