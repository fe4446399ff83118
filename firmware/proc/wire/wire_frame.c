/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_frame - what to do with a frame that might be mail.
 *
 *	ours                  to its flow
 *	a client's SYN        a new flow
 *	not mail after all    put back on the other port, as it came
 *	mail that began       RST to its sender: never a clear byte onwards
 *	without us
 */
#include "base/bytes.h"
#include "proc/wire/wire.h"

enum {
	RESETS_PER_SECOND = 1000,
	PASS_IDLE_MS = 600000,
	MSS4_FLOOR = 536,  /* RFC 9293 3.7.1 */
	MSS6_FLOOR = 1220, /* RFC 8200 5: 1280 - 60 */
	COPY_MAX = 8192, /* more is not copied, though it takes a system call */
};

/* What a segment came in: one frame, or the fragments of it. */
struct arrival {
	const struct port_frame *frame;
	const struct reass_out *parts; /* NULL: it was one frame */
};

static void put_back(enum port p, const struct port_frame *pf)
{
	wire_count(CNT_FRAMES_PUT_BACK);
	port_forward(&W.io[!p], pf);
}

static void put_back_all(enum port p, const struct arrival *a)
{
	if (!a->parts)
		put_back(p, a->frame);
	for (unsigned i = 0; a->parts && i < a->parts->frames_n; i++) {
		struct port_frame part = { .bytes = a->parts->frames[i] };

		put_back(p, &part);
	}
}

void wire_bare(enum port out, struct span l2, bool pppoe,
	       const struct endpoint *src, const struct endpoint *dst,
	       uint32_t seq, uint32_t ack, uint8_t flags)
{
	const struct virtio_net_hdr plain = { 0 };
	uint8_t *to = port_room(&W.io[out]);

	port_push(&W.io[out],
		  frame_write_bare(to, l2, pppoe, src, dst, seq, ack, flags),
		  &plain);
}

/* The answer to a segment of nobody (RFC 9293 3.10.7.1), rate limited. */
static void reset_stranger(enum port p, const struct frame *f)
{
	uint8_t l2[FRAME_L2_MAX];
	struct span s = { l2, frame_l2_swap(l2, f) };
	uint32_t len = f->data_n + ((f->flags & TCP_SYN) != 0) +
		       ((f->flags & TCP_FIN) != 0);

	wire_count(CNT_UNKNOWN_RESET);
	if ((f->flags & TCP_RST) != 0)
		return;
	if (W.now - W.resets_ms >= 1000) {
		W.resets_ms = W.now;
		W.resets = 0;
	}
	if (W.resets++ >= RESETS_PER_SECOND)
		return;
	if (f->flags & TCP_ACK)
		wire_bare(p, s, f->pppoe, &f->dst, &f->src, f->ack, 0, TCP_RST);
	else
		wire_bare(p, s, f->pppoe, &f->dst, &f->src, 0, f->seq + len,
			  TCP_RST | TCP_ACK);
}

/* A late segment of a finished connection: say again what was said last. */
static void answer_tw(enum port p, const struct frame *f, struct ip_tw *tw)
{
	uint8_t l2[FRAME_L2_MAX];
	struct span s = { l2, frame_l2_swap(l2, f) };

	if (f->flags & TCP_RST) {
		ip_tw_forget(tw);
		return;
	}
	/* An ACK for an ACK would be answered by the next. */
	if (f->data_n == 0 && (f->flags & (TCP_FIN | TCP_SYN)) == 0)
		return;
	wire_bare(p, s, f->pppoe, &f->dst, &f->src, tw->seq, tw->ack, TCP_ACK);
}

static bool begins(const struct frame *f)
{
	return (f->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/*
 * Nobody's segment. Towards an intercepted port from inside it is a mail
 * session that began without us; towards one from outside it belongs to a
 * session that a client outside has with a server inside, which passes unless
 * the settings say that we stand before that server. Where both ports are in
 * the list, who sent the SYN decides.
 */
static void stranger(enum port p, const struct frame *f,
		     const struct arrival *a)
{
	bool to = wire_intercepts(f->dst.port);
	bool from = wire_intercepts(f->src.port);
	bool inbound = W.policy.settings.inbound;

	if (to && begins(f) && (p == INSIDE || inbound))
		wire_flow_syn(p, f);
	else if (p == OUTSIDE && to && begins(f)) {
		if (from) {
			ip_pass(OUTSIDE, &f->src, &f->dst, PASS_IDLE_MS);
			ip_pass(INSIDE, &f->dst, &f->src, PASS_IDLE_MS);
		}
		put_back_all(p, a);
	} else if (!inbound && (p == INSIDE ? from && !to : to && !from))
		put_back_all(p, a);
	else
		reset_stranger(p, f);
}

static void tcp(enum port p, const struct frame *f, const struct arrival *a)
{
	struct tuple *t;

	if (p == INSIDE)
		wire_flow_inside(&f->src);
	if (!wire_intercepts(f->src.port) && !wire_intercepts(f->dst.port)) {
		/* Taken for a port that was intercepted before: a flow of
		 * that time is still ours, the rest is not. */
		t = ip_find(p, &f->src, &f->dst);
		if (!t) {
			put_back_all(p, a);
			return;
		}
	}
	t = ip_find(!p, &f->src, &f->dst);
	if (t && t->kind == TUPLE_SIDE) {
		wire_count(CNT_FRAMES_DROPPED_SPOOFED);
		return;
	}
	t = ip_find(p, &f->src, &f->dst);
	if (!t) {
		stranger(p, f, a);
		return;
	}
	switch (t->kind) {
	case TUPLE_SIDE:
		if (begins(f) && wire_flow_left((struct flow_side *)t)) {
			stranger(p, f, a);
			break;
		}
		wire_flow_segment((struct flow_side *)t, f,
				  a->frame && a->frame->csum_ok);
		break;
	case TUPLE_TIME_WAIT:
		if ((f->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
			ip_tw_forget((struct ip_tw *)t);
			stranger(p, f, a);
		} else {
			answer_tw(p, f, (struct ip_tw *)t);
		}
		break;
	case TUPLE_PASS:
		/* The inside has not begun this: what it begins is ours. */
		if (begins(f) && wire_intercepts(f->dst.port) &&
		    (p == INSIDE || W.policy.settings.inbound)) {
			ip_tw_forget((struct ip_tw *)t);
			stranger(p, f, a);
			break;
		}
		ip_pass(p, &f->src, &f->dst, PASS_IDLE_MS);
		put_back_all(p, a);
		break;
	}
}

/* The error quotes a segment of a half-open flow with the sequence number of
 * our SYN; the client knows only its own. Rewritten, it is as without us. */
static void pass_error(enum port p, const struct frame *f,
		       const struct port_frame *pf, const struct flow *flow)
{
	struct port_frame copy = *pf;
	static uint8_t bytes[PORT_FRAME_MAX];
	struct frame syn;
	size_t icmp = f->l4, quoted, at, sum_at = icmp + 2;
	uint32_t sum;

	if (!flow->syn || pf->bytes.n > sizeof(bytes))
		return;
	frame_parse(&syn, (struct span){ flow->syn, flow->syn_n });
	memcpy(bytes, pf->bytes.p, pf->bytes.n);
	copy.bytes.p = bytes;
	quoted = icmp + 8;
	at = quoted + (f->v6 ? 40 : (size_t)(bytes[quoted] & 15) * 4) + 4;
	/* RFC 1624: HC' = ~(~HC + ~m + m') */
	sum = (uint16_t)~get_be16(bytes + sum_at);
	for (int i = 0; i < 4; i += 2)
		sum += (uint16_t)~get_be16(bytes + at + i);
	put_be32(bytes + at, syn.seq);
	for (int i = 0; i < 4; i += 2)
		sum += get_be16(bytes + at + i);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(bytes + sum_at, (uint16_t)~sum);
	port_forward(&W.io[!p], &copy);
}

/* RFC 1191, RFC 8201: fragmentation needed, packet too big. */
static bool too_big(const struct frame *f)
{
	return f->v6 ? f->icmp_type == 2
		     : f->icmp_type == 3 && f->icmp_code == 4;
}

/*
 * The quoted segment went from f->src to f->dst; if it was ours, we sent it on
 * port p where the error comes in. Believed only if its sequence number is in
 * flight (RFC 5927 4.1); then it may lower the segment size, no more.
 */
static void icmp(enum port p, const struct frame *f,
		 const struct port_frame *pf)
{
	struct tuple *t = ip_find(p, &f->dst, &f->src);
	struct flow_side *s = (struct flow_side *)t;
	uint32_t overhead = f->v6 ? 60 : 40;
	uint32_t floor_ = f->v6 ? MSS6_FLOOR : MSS4_FLOOR;

	if (!t || t->kind != TUPLE_SIDE) {
		put_back(p, pf);
		return;
	}
	if (!ip_side_in_flight(&s->ip, f->seq)) {
		wire_count(CNT_ICMP_FORGED);
		return;
	}
	wire_count(CNT_ICMP_OBEYED);
	if (too_big(f)) {
		uint32_t mss = f->icmp_mtu > overhead ? f->icmp_mtu - overhead
						      : 0;

		if (mss < floor_)
			mss = floor_;
		if (mss < 0xffff)
			ip_side_lower_mss(&s->ip, (uint16_t)mss);
		return;
	}
	/* To who came by another port or address it would quote nothing of his. */
	if (s->flow->state == FLOW_DIALING && !s->flow->tls_only)
		pass_error(p, f, pf, s->flow);
}

/* Fragments wait until the datagram is whole and then are what it is; what is
 * ambiguous is dropped. */
static void fragment(enum port p, const struct frame *f)
{
	struct reass_out out;
	struct arrival a = { .parts = &out };

	wire_count(CNT_FRAGMENTS_TAKEN);
	switch (reass_add(&W.reass, p, f, W.now, &out)) {
	case REASS_WAIT: break;
	case REASS_DROP: wire_count(CNT_FRAGMENTS_DROPPED); break;
	case REASS_WHOLE: tcp(p, &out.frame, &a); break;
	}
}

void wire_frame(enum port p, const struct port_frame *pf)
{
	struct arrival a = { .frame = pf };
	struct frame f;

	wire_count(p == INSIDE ? CNT_FRAMES_TAKEN_INSIDE
			       : CNT_FRAMES_TAKEN_OUTSIDE);
	/* Before the first snapshot nobody has said which ports carry mail, and
	 * what was taken is what the classifier took for it. */
	if (!W.have_policy)
		return;
	frame_parse(&f, pf->bytes);
	switch (f.class_) {
	case FRAME_OTHER: put_back(p, pf); break;
	case FRAME_TCP: tcp(p, &f, &a); break;
	case FRAME_FRAGMENT: fragment(p, &f); break;
	case FRAME_ICMP: icmp(p, &f, pf); break;
	case FRAME_BAD:
		wire_count(f.hidden ? CNT_FRAMES_DROPPED_HIDDEN
				    : CNT_FRAMES_DROPPED_BAD);
		break;
	}
}

/* One frame with the TCP segment tcp, whose checksum field is ours to set. */
static void push_segment(const struct ip_segment *s, const uint8_t *tcp,
			 size_t head, struct span data, uint32_t seq_off,
			 bool last)
{
	struct span l2 = { s->side->l2, s->side->l2_n };
	uint8_t *to = port_room(&W.io[s->port]), *t;
	struct virtio_net_hdr vnet;
	size_t at;

	at = frame_write_ip(to, l2, s->side->pppoe, &s->src, &s->dst,
			    head + data.n, W.ip_id++);
	t = to + at;
	memcpy(t, tcp, head);
	memcpy(t + head, data.p, data.n);
	put_be32(t + 4, get_be32(tcp + 4) + seq_off);
	if (!last)
		t[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	put_be16(t + 16, frame_pseudo_sum(&s->src, &s->dst, head + data.n));
	vnet = port_vnet_tcp(!ip_is_v4(s->src.ip), at, at + head, 0);
	port_push(&W.io[s->port], at + head + data.n, &vnet);
}

/* Linux has no segmentation for what is inside PPPoE: cut here. */
static void push_cut(const struct ip_segment *s)
{
	static uint8_t whole[65536];
	struct span rest;

	ip_segment_copy(s, whole, s->n);
	rest = (struct span){ whole + s->data, s->n - s->data };
	for (uint32_t off = 0; rest.n > 0;) {
		size_t n = rest.n < s->gso_size ? rest.n : s->gso_size;

		push_segment(s, whole, s->data, (struct span){ rest.p, n }, off,
			     n == rest.n);
		rest = span_skip(rest, n);
		off += (uint32_t)n;
	}
}

void wire_output(const struct ip_segment *s)
{
	struct span l2, rest = ip_segment_payload(s);
	struct virtio_net_hdr vnet;
	uint8_t *to;
	size_t at;

	if (!s->side)
		return; /* nobody's: its connection has just ended */
	if (s->side->pppoe && s->gso_size > 0) {
		push_cut(s);
		return;
	}
	l2 = (struct span){ s->side->l2, s->side->l2_n };
	to = port_room(&W.io[s->port]);
	at = frame_write_ip(to, l2, s->side->pppoe, &s->src, &s->dst, s->n,
			    W.ip_id);
	/* Each segment of a super-segment gets an id of its own (RFC 6864). */
	W.ip_id = (uint16_t)(W.ip_id + 1 +
			     (s->gso_size ? (s->n - s->data) / s->gso_size
					  : 0));
	vnet = port_vnet_tcp(!ip_is_v4(s->src.ip), at, at + s->data,
			     s->gso_size);
	if (rest.n > COPY_MAX) {
		ip_segment_copy(s, to + at, s->data);
		port_push_rest(&W.io[s->port], at + s->data, rest, &vnet);
	} else {
		ip_segment_copy(s, to + at, s->n);
		port_push(&W.io[s->port], at + s->n, &vnet);
	}
}
