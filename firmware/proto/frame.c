/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame - see frame.h. The functions stand in the order of the layers:
 * Ethernet, tags, PPPoE -> IPv4 or IPv6 -> TCP or ICMP. drivers/classifier.c
 * says the same in BPF and may take more, never less, than what is TCP,
 * FRAGMENT, ICMP or BAD here.
 */
#include "base/bytes.h"
#include "proto/frame.h"

enum {
	ETH_IP4 = 0x0800,
	ETH_IP6 = 0x86dd,
	ETH_VLAN = 0x8100,
	ETH_QINQ = 0x88a8,
	ETH_QINQ_OLD = 0x9100,
	ETH_PPPOE = 0x8864,
	ETH_MPLS = 0x8847,
	ETH_MPLS_M = 0x8848,
	PPP_IP4 = 0x0021,
	PPP_IP6 = 0x0057,
	IP_ICMP = 1,
	IP_TCP = 6,
	IP_HOPOPT = 0,
	IP_ROUTE = 43,
	IP_FRAG = 44,
	IP_AH = 51,
	IP_ICMP6 = 58,
	IP_DSTOPT = 60,
	CHAIN_MAX = 8,
	TAGS_MAX = 6,
};

static void bad(struct frame *f, const char *why)
{
	f->class_ = FRAME_BAD;
	f->why = why;
}

static void hidden(struct frame *f, const char *why)
{
	bad(f, why);
	f->hidden = true;
}

/* Options of a TCP header (RFC 9293 3.1): lists that run off their end are
 * refused, because lwIP 2.2.1 reads one octet too far in them. */
static int tcp_options(struct frame *f, struct span o, uint32_t at)
{
	size_t i = 0;

	while (i < o.n && o.p[i] != 0) {
		size_t len;

		if (o.p[i] == 1) {
			i++;
			continue;
		}
		if (o.n - i < 2)
			return E_PEER_SYNTAX;
		len = o.p[i + 1];
		if (len < 2 || len > o.n - i)
			return E_PEER_SYNTAX;
		if (o.p[i] == 2 && len == 4)
			f->mss = get_be16(o.p + i + 2);
		if (o.p[i] == 34) {
			f->tfo = at + (uint32_t)i;
			f->tfo_n = (uint32_t)len;
		}
		i += len;
	}
	return OK;
}

int frame_parse_tcp(struct frame *f, struct span tcp)
{
	size_t off;

	f->why = "TCP header cut short";
	if (tcp.n < 20)
		return E_PEER_SYNTAX;
	off = (size_t)(tcp.p[12] >> 4) * 4;
	f->why = "TCP data offset";
	if (off < 20 || off > tcp.n)
		return E_PEER_SYNTAX;
	f->src.port = get_be16(tcp.p);
	f->dst.port = get_be16(tcp.p + 2);
	f->seq = get_be32(tcp.p + 4);
	f->ack = get_be32(tcp.p + 8);
	f->flags = tcp.p[13] & 0x3f;
	f->window = get_be16(tcp.p + 14);
	f->data = f->l4 + (uint32_t)off;
	f->data_n = (uint32_t)(tcp.n - off);
	f->mss = 0;
	f->tfo_n = 0;
	f->why = "TCP options";
	if (tcp_options(f, (struct span){ tcp.p + 20, off - 20 }, f->l4 + 20) !=
	    OK)
		return E_PEER_SYNTAX;
	f->why = NULL;
	return OK;
}

static void parse_tcp(struct frame *f)
{
	if (frame_parse_tcp(f, (struct span){ f->all.p + f->l4, f->l4_n }) ==
	    OK)
		f->class_ = FRAME_TCP;
	else
		f->class_ = FRAME_BAD;
}

/* The quoted IP header and the first eight octets of its TCP header. */
static bool quote(struct frame *f, struct span q, bool v6)
{
	size_t head = v6 ? 40 : (size_t)(q.n > 0 ? q.p[0] & 15 : 0) * 4;

	if (q.n < 20 || q.p[0] >> 4 != (v6 ? 6 : 4) || head < 20 ||
	    q.n < head + 8 || q.p[v6 ? 6 : 9] != IP_TCP)
		return false;
	if (v6) {
		memcpy(f->src.ip, q.p + 8, 16);
		memcpy(f->dst.ip, q.p + 24, 16);
		if (ip_is_v4(f->src.ip) || ip_is_v4(f->dst.ip))
			return false;
	} else {
		if ((get_be16(q.p + 6) & 0x1fff) != 0)
			return false;
		ip_from_v4(f->src.ip, q.p + 12);
		ip_from_v4(f->dst.ip, q.p + 16);
	}
	f->src.port = get_be16(q.p + head);
	f->dst.port = get_be16(q.p + head + 2);
	f->seq = get_be32(q.p + head + 4);
	return true;
}

/* RFC 792: 3, 4, 5, 11, 12 quote; RFC 4443: types below 128 do. */
static void parse_icmp(struct frame *f, struct span m)
{
	uint8_t t;

	if (m.n < 8)
		return;
	t = m.p[0];
	if (f->v6 ? t >= 128 : t != 3 && t != 4 && t != 5 && t != 11 && t != 12)
		return;
	if (!quote(f, span_skip(m, 8), f->v6))
		return;
	f->icmp_type = t;
	f->icmp_code = m.p[1];
	f->icmp_mtu = f->v6 ? get_be32(m.p + 4) : get_be16(m.p + 6);
	f->class_ = FRAME_ICMP;
}

static void parse_l4(struct frame *f, uint8_t proto, struct span l4)
{
	f->l4 = (uint32_t)(l4.p - f->all.p);
	f->l4_n = (uint32_t)l4.n;
	if (proto == IP_TCP)
		parse_tcp(f);
	else if (proto == (f->v6 ? IP_ICMP6 : IP_ICMP))
		parse_icmp(f, l4);
}

/* Loose or strict source route among IPv4 options (RFC 791 3.1). */
static bool source_route(struct span o)
{
	for (size_t i = 0; i < o.n && o.p[i] != 0;) {
		if (o.p[i] == 131 || o.p[i] == 137)
			return true;
		if (o.p[i] == 1) {
			i++;
			continue;
		}
		if (o.n - i < 2 || o.p[i + 1] < 2)
			return false;
		i += o.p[i + 1];
	}
	return false;
}

static void parse_ip4(struct frame *f, struct span s)
{
	size_t head, total;
	uint16_t frag;
	bool tcp;

	if (s.n < 20 || s.p[0] >> 4 != 4)
		return;
	tcp = s.p[9] == IP_TCP;
	head = (size_t)(s.p[0] & 15) * 4;
	total = get_be16(s.p + 2);
	/* A super-frame of more than 64 KiB says 0 (Linux BIG TCP). */
	if (total == 0)
		total = s.n;
	if (head < 20 || head > total || total > s.n) {
		if (tcp)
			bad(f, "IPv4 length");
		return;
	}
	f->all.n = (size_t)(s.p - f->all.p) + total;
	ip_from_v4(f->src.ip, s.p + 12);
	ip_from_v4(f->dst.ip, s.p + 16);
	frag = get_be16(s.p + 6);
	if (tcp && source_route((struct span){ s.p + 20, head - 20 })) {
		hidden(f, "IPv4 source route");
		return;
	}
	if ((frag & 0x3fff) == 0) {
		parse_l4(f, s.p[9], (struct span){ s.p + head, total - head });
		return;
	}
	if (!tcp)
		return;
	f->class_ = FRAME_FRAGMENT;
	f->frag_ip = (uint32_t)(s.p - f->all.p);
	f->frag_id = get_be16(s.p + 4);
	f->frag_off = (uint32_t)(frag & 0x1fff) * 8;
	f->frag_more = (frag & 0x2000) != 0;
	f->frag_data = f->frag_ip + (uint32_t)head;
	f->frag_n = (uint32_t)(total - head);
}

/* Step over one extension header (RFC 8200 4); 0: it is cut short. */
static size_t chain_step(uint8_t type, struct span s)
{
	size_t n;

	if (s.n < 8)
		return 0;
	n = type == IP_AH ? ((size_t)s.p[1] + 2) * 4 : ((size_t)s.p[1] + 1) * 8;
	return n <= s.n ? n : 0;
}

/* A fragment header: an atomic fragment (RFC 6946) is no fragment. Returns
 * true when the chain goes on behind it. */
static bool chain_frag(struct frame *f, struct span s, uint32_t ip,
		       const char *elsewhere)
{
	uint16_t frag = get_be16(s.p + 2);

	if ((frag & 0xfff9) == 0)
		return true;
	if (s.p[0] != IP_TCP) {
		/* A chain that goes on inside may hide TCP (RFC 7112). */
		if (s.p[0] == IP_HOPOPT || s.p[0] == IP_ROUTE ||
		    s.p[0] == IP_DSTOPT || s.p[0] == IP_AH || s.p[0] == IP_FRAG)
			hidden(f, "IPv6 header chain in a fragment");
		return false;
	}
	if (elsewhere) {
		hidden(f, elsewhere);
		return false;
	}
	f->class_ = FRAME_FRAGMENT;
	f->frag_ip = ip;
	f->frag_id = get_be32(s.p + 4);
	f->frag_off = frag & 0xfff8u;
	f->frag_more = (frag & 1) != 0;
	f->frag_data = (uint32_t)(s.p - f->all.p) + 8;
	f->frag_n = (uint32_t)s.n - 8;
	return false;
}

static void parse_ip6(struct frame *f, struct span s)
{
	uint32_t ip = (uint32_t)(s.p - f->all.p);
	size_t total, step;
	/* Why TCP in here is not between the addresses that it names. */
	const char *elsewhere = NULL;
	uint8_t next;

	if (s.n < 40 || s.p[0] >> 4 != 6)
		return;
	f->v6 = true;
	next = s.p[6];
	total = (size_t)get_be16(s.p + 4) + 40;
	if (total == 40 && next != IP_HOPOPT)
		total = s.n; /* a super-frame */
	if (total > s.n) {
		bad(f, "IPv6 length");
		return;
	}
	f->all.n = ip + total;
	memcpy(f->src.ip, s.p + 8, 16);
	memcpy(f->dst.ip, s.p + 24, 16);
	/* struct endpoint holds IPv4 so; on a wire it is not an address. */
	if (ip_is_v4(f->src.ip) || ip_is_v4(f->dst.ip))
		elsewhere = "IPv4-mapped address in IPv6";
	s = (struct span){ s.p + 40, total - 40 };
	for (int i = 0; i < CHAIN_MAX; i++) {
		if (next != IP_HOPOPT && next != IP_ROUTE &&
		    next != IP_DSTOPT && next != IP_AH && next != IP_FRAG) {
			if (elsewhere && next == IP_TCP)
				hidden(f, elsewhere);
			else
				parse_l4(f, next, s);
			return;
		}
		step = next == IP_FRAG ? (s.n >= 8 ? 8 : 0)
				       : chain_step(next, s);
		if (step == 0) {
			hidden(f, "IPv6 header chain cut short");
			return;
		}
		/* Types 0 and with segments left: the last stop is another. */
		if (next == IP_ROUTE && s.p[3] != 0)
			elsewhere = "IPv6 routing header";
		if (next == IP_FRAG && !chain_frag(f, s, ip, elsewhere))
			return;
		next = s.p[0];
		s = span_skip(s, step);
	}
	hidden(f, "IPv6 header chain too long");
}

/* Where we do not look but TCP may be: what would it be? */
static void suspect(struct frame *f, struct span s, const char *why)
{
	struct frame in = { .all = s };

	if (s.n > 0 && s.p[0] >> 4 == 4)
		parse_ip4(&in, s);
	else if (s.n > 0 && s.p[0] >> 4 == 6)
		parse_ip6(&in, s);
	if (in.class_ == FRAME_OTHER || in.class_ == FRAME_ICMP)
		return;
	f->src = in.src;
	f->dst = in.dst;
	hidden(f, why);
}

static void mpls(struct frame *f, struct span s)
{
	for (int i = 0; s.n >= 4; i++) {
		bool bottom = (s.p[2] & 1) != 0;

		s = span_skip(s, 4);
		if (bottom) {
			suspect(f, s, "TCP inside MPLS");
			return;
		}
		if (i == CHAIN_MAX - 1) {
			hidden(f, "MPLS stack too deep");
			return;
		}
	}
}

/* Any OUI that begins with 00, not only that of RFC 1042: some hosts also
 * take IP from 00-00-F8 (IEEE 802.1H). */
static void snap(struct frame *f, struct span s)
{
	static const uint8_t head[4] = { 0xaa, 0xaa, 0x03, 0x00 };

	if (s.n >= 8 && memcmp(s.p, head, sizeof(head)) == 0)
		suspect(f, span_skip(s, 8), "TCP inside LLC/SNAP");
}

/* s begins with the PPPoE header. A protocol field of one octet (RFC 1661 6.5)
 * is not used on PPPoE (RFC 2516 7), but there are hosts that read it. */
static uint16_t pppoe(struct frame *f, struct span s)
{
	uint16_t ppp = get_be16(s.p + 6);

	f->pppoe = true;
	if (s.p[6] == PPP_IP4 || s.p[6] == PPP_IP6)
		suspect(f, span_skip(s, 7), "TCP behind a short PPP header");
	return ppp == PPP_IP4 ? ETH_IP4 : ppp == PPP_IP6 ? ETH_IP6 : 0;
}

static bool is_tag(uint16_t type)
{
	return type == ETH_VLAN || type == ETH_QINQ || type == ETH_QINQ_OLD;
}

static void parse_payload(struct frame *f, uint16_t type, size_t at)
{
	struct span in = f->all;

	if (type == ETH_PPPOE && in.n - at >= 8) {
		type = pppoe(f, span_skip(in, at));
		at += 8;
	}
	f->l2_n = (uint16_t)at;
	if (type == ETH_IP4)
		parse_ip4(f, span_skip(in, at));
	else if (type == ETH_IP6)
		parse_ip6(f, span_skip(in, at));
	else if (type == ETH_MPLS || type == ETH_MPLS_M)
		mpls(f, span_skip(in, at));
	else if (type >= 8 && type <= 1500)
		snap(f, span_skip(in, at));
}

void frame_parse(struct frame *f, struct span in)
{
	uint16_t type, tags = 0;
	size_t at = 14;

	memset(f, 0, sizeof(*f));
	f->all = in;
	if (in.n < 14)
		return;
	type = get_be16(in.p + 12);
	for (; is_tag(type) && tags < TAGS_MAX && in.n - at >= 4;
	     tags++, at += 4)
		type = get_be16(in.p + at + 2);
	if (tags == TAGS_MAX && is_tag(type)) {
		hidden(f, "more VLAN tags than are read");
		return;
	}
	parse_payload(f, type, at);
	f->padding = in.n - f->all.n;
	if (tags <= 2 || f->class_ == FRAME_OTHER)
		return;
	if (f->class_ == FRAME_ICMP)
		f->class_ = FRAME_OTHER;
	else
		hidden(f, "TCP behind three VLAN tags");
}

size_t frame_l2_swap(uint8_t *l2, const struct frame *f)
{
	memcpy(l2, f->all.p, f->l2_n);
	memcpy(l2, f->all.p + 6, 6);
	memcpy(l2 + 6, f->all.p, 6);
	return f->l2_n;
}

uint16_t frame_sum(uint32_t start, struct span s)
{
	uint64_t sum = start;
	size_t i = 0;

	for (; s.n - i >= 4; i += 4)
		sum += get_be32(s.p + i);
	if (s.n - i >= 2) {
		sum += get_be16(s.p + i);
		i += 2;
	}
	if (s.n - i == 1)
		sum += (uint32_t)s.p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t frame_pseudo_sum(const struct endpoint *src,
			  const struct endpoint *dst, size_t tcp_n)
{
	size_t skip = ip_is_v4(src->ip) ? 12 : 0;
	uint32_t sum = IP_TCP + (uint32_t)(tcp_n >> 16) + (tcp_n & 0xffff);

	sum = frame_sum(sum, (struct span){ src->ip + skip, 16 - skip });
	return frame_sum(sum, (struct span){ dst->ip + skip, 16 - skip });
}

void frame_set_mss(uint8_t *tcp, size_t head, uint16_t mss)
{
	for (size_t i = 20; i + 4 <= head && tcp[i] != 0;) {
		if (tcp[i] == 1) {
			i++;
			continue;
		}
		if (tcp[i] == 2)
			put_be16(tcp + i + 2, mss);
		if (tcp[i + 1] < 2)
			return;
		i += tcp[i + 1];
	}
}

static void write_ip4(uint8_t *p, const struct endpoint *src,
		      const struct endpoint *dst, size_t tcp_n, uint16_t id)
{
	memset(p, 0, 20);
	p[0] = 0x45;
	put_be16(p + 2, (uint16_t)(tcp_n + 20));
	put_be16(p + 4, id);
	p[8] = 64;
	p[9] = IP_TCP;
	memcpy(p + 12, src->ip + 12, 4);
	memcpy(p + 16, dst->ip + 12, 4);
	put_be16(p + 10, (uint16_t)~frame_sum(0, (struct span){ p, 20 }));
}

static void write_ip6(uint8_t *p, const struct endpoint *src,
		      const struct endpoint *dst, size_t tcp_n)
{
	memset(p, 0, 8);
	p[0] = 0x60;
	put_be16(p + 4, (uint16_t)tcp_n);
	p[6] = IP_TCP;
	p[7] = 64;
	memcpy(p + 8, src->ip, 16);
	memcpy(p + 24, dst->ip, 16);
}

size_t frame_write_ip(uint8_t *to, struct span l2, bool pppoe,
		      const struct endpoint *src, const struct endpoint *dst,
		      size_t tcp_n, uint16_t id)
{
	size_t ip_n = ip_is_v4(src->ip) ? 20 : 40;

	memcpy(to, l2.p, l2.n);
	if (pppoe) /* RFC 2516 4: the PPP payload with its protocol field */
		put_be16(to + l2.n - 4, (uint16_t)(ip_n + tcp_n + 2));
	if (ip_n == 20)
		write_ip4(to + l2.n, src, dst, tcp_n, id);
	else
		write_ip6(to + l2.n, src, dst, tcp_n);
	return l2.n + ip_n;
}

size_t frame_write_bare(uint8_t to[FRAME_BARE_MAX], struct span l2, bool pppoe,
			const struct endpoint *src, const struct endpoint *dst,
			uint32_t seq, uint32_t ack, uint8_t flags)
{
	size_t at = frame_write_ip(to, l2, pppoe, src, dst, 20, 0);
	uint8_t *t = to + at;

	memset(t, 0, 20);
	put_be16(t, src->port);
	put_be16(t + 2, dst->port);
	put_be32(t + 4, seq);
	put_be32(t + 8, ack);
	t[12] = 5 << 4;
	t[13] = flags;
	put_be16(t + 16, (uint16_t)~frame_sum(frame_pseudo_sum(src, dst, 20),
					      (struct span){ t, 20 }));
	at += 20;
	if (at < 60) {
		memset(to + at, 0, 60 - at);
		at = 60;
	}
	return at;
}
