/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_tcp - see ip_tcp.h.
 *
 * What is known here about the inside of lwIP 2.2.1, and nowhere else:
 *
 * - ip_data must be set before tcp_input().
 * - tcp_active_pcbs is one list; SYNs, bind and connect walk all of it to find
 *   what our table knows already, so it is hidden from them (hide, unhide).
 *   For segments lwIP's own move-to-front keeps busy ones near.
 * - A segment is at most pcb->mss long when it is written. mss is raised for
 *   the moment of a write, so one segment of up to 64 KiB leaves as one frame;
 *   congestion accounting goes on with the real one. Only what the window
 *   takes now is written, and only when nothing waits in pcb->unsent, so such
 *   a segment always leaves at once. After a loss it may be larger than the
 *   window; then it is cut by tcp_split_unsent_seg (ip_resend.c).
 * - TIME_WAIT is kept in a record of our own, because lwIP would refuse the
 *   next SYN of the same tuple for 2 MSL and walk the list for every segment.
 * - A segment is checked here before lwIP sees it (ip_check.c): lwIP
 *   takes the window of any sequence number and data with any or no ACK.
 * - A pcb is never given to tcp_close(), which may free it behind our back:
 *   FIN is tcp_shutdown(), and the end is told by the error callback.
 */
#include <stdlib.h>
#include "base/bug.h"
#include "base/bytes.h"
#include "ip/ip_isn.h"
#include "ip/ip_resend.h"
#include "ip/ip_tcp.h"
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>

enum {
	TW_RING = 8192,
	TW_MS = 10000,	   /* 2 MSL, RFC 9293 3.4.2, with a short MSL */
	SUPER_MAX = 62000, /* a super-segment with its headers is < 64 KiB */
	LISTENERS_MAX = 32,
	QUICK_ACKS = 32,
};

struct ip_chunk {
	struct ip_chunk *next;
	struct pbuf *p;
};

static struct netif nif[PORTS];
static struct tuple_table table;
static ip_output_fn *output;
static uint64_t now; /* ms; lwIP asks through sys_now */
static uint64_t ticked, mended;
static struct ip_side *events, **events_end = &events, *owing;
static struct ip_tw *tw_ring;
static size_t tw_next, rx_total;
static struct {
	struct tcp_pcb *pcb;
	enum port port;
	uint16_t number;
} listener[LISTENERS_MAX];

u32_t sys_now(void)
{
	return (u32_t)now;
}

static void note(struct ip_side *s)
{
	if (s->noted)
		return;
	s->noted = true;
	s->next_event = NULL;
	*events_end = s;
	events_end = &s->next_event;
}

struct ip_side *ip_next_event(void)
{
	struct ip_side *s = events;

	if (!s)
		return NULL;
	events = s->next_event;
	if (!events)
		events_end = &events;
	s->noted = false;
	return s;
}

static void unnote(struct ip_side *s)
{
	struct ip_side **at = &events;

	while (s->noted && *at != s)
		at = &(*at)->next_event;
	if (!s->noted)
		return;
	*at = s->next_event;
	if (!*at)
		events_end = at;
	s->noted = false;
}

static void to_lwip(ip_addr_t *a, const uint8_t ip[16])
{
	memset(a, 0, sizeof(*a));
	if (ip_is_v4(ip)) {
		memcpy(&ip_2_ip4(a)->addr, ip + 12, 4);
		IP_SET_TYPE(a, IPADDR_TYPE_V4);
	} else {
		memcpy(ip_2_ip6(a)->addr, ip, 16);
		IP_SET_TYPE(a, IPADDR_TYPE_V6);
	}
}

/* --- frames out ------------------------------------------------------------ */

void ip_segment_copy(const struct ip_segment *s, uint8_t *to, size_t n)
{
	const struct pbuf *p = s->pbuf;
	u16_t ip_n = (u16_t)(p->tot_len - s->n);

	pbuf_copy_partial(p, to, (u16_t)n, ip_n);
	if ((to[13] & TCP_SYN) != 0 && s->side)
		frame_set_mss(to, s->data, s->side->announce);
	put_be16(to + 16, frame_pseudo_sum(&s->src, &s->dst, s->n));
}

struct span ip_segment_payload(const struct ip_segment *s)
{
	const struct pbuf *p = s->pbuf;
	size_t n = s->n - s->data;

	if (p->len < p->tot_len)
		return (struct span){ NULL, 0 };
	return (struct span){ (const uint8_t *)p->payload + p->len - n, n };
}

static void put_out(struct netif *n, struct pbuf *p, bool v6)
{
	const uint8_t *ip = p->payload, *tcp;
	size_t ip_n = v6 ? 40 : 20;
	struct ip_segment s = { .port = n == &nif[INSIDE] ? INSIDE : OUTSIDE,
				.pbuf = p,
				.n = p->tot_len - ip_n };
	struct tuple *t;

	BUG_ON(p->len < ip_n + 20);
	tcp = ip + ip_n;
	if (v6) {
		memcpy(s.src.ip, ip + 8, 16);
		memcpy(s.dst.ip, ip + 24, 16);
	} else {
		ip_from_v4(s.src.ip, ip + 12);
		ip_from_v4(s.dst.ip, ip + 16);
	}
	s.src.port = get_be16(tcp);
	s.dst.port = get_be16(tcp + 2);
	s.data = (size_t)(tcp[12] >> 4) * 4;
	t = tuple_find(&table, s.port, &s.dst, &s.src);
	if (t && t->kind == TUPLE_SIDE) {
		s.side = (struct ip_side *)t;
		if (s.n - s.data > s.side->mss)
			s.gso_size = s.side->mss;
	}
	output(&s);
}

static err_t out4(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	(void)to;
	put_out(n, p, false);
	return ERR_OK;
}

static err_t out6(struct netif *n, struct pbuf *p, const ip6_addr_t *to)
{
	(void)to;
	put_out(n, p, true);
	return ERR_OK;
}

static err_t netif_setup(struct netif *n)
{
	n->output = out4;
	n->output_ip6 = out6;
	n->mtu = 65535;
	n->flags = 0;
	return ERR_OK;
}

int ip_start(const uint8_t key[16], size_t slots, ip_output_fn *out,
	     uint64_t now_ms)
{
	struct tuple **slot = calloc(slots, sizeof(*slot));
	ip4_addr_t a, mask, none = { 0 };

	tw_ring = calloc(TW_RING, sizeof(*tw_ring));
	if (!slot || !tw_ring)
		return E_FULL;
	tuple_table_init(&table, key, slot, slots);
	output = out;
	now = ticked = mended = now_ms;
	ip_isn_init(key);
	lwip_init();
	/* An address of the documentation range: lwIP wants one, nobody ever
	 * sees it. */
	IP4_ADDR(&a, 192, 0, 2, 1);
	IP4_ADDR(&mask, 255, 255, 255, 255);
	for (int p = 0; p < PORTS; p++) {
		if (!netif_add(&nif[p], &a, &mask, &none, NULL, netif_setup,
			       NULL))
			return E_FULL;
		netif_set_up(&nif[p]);
		netif_set_link_up(&nif[p]);
	}
	return OK;
}

/* --- what lwIP tells us ----------------------------------------------------- */

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct ip_side *s = arg;
	struct ip_chunk *c;

	(void)err;
	note(s);
	if (!p) {
		s->fin_in = true;
		return ERR_OK;
	}
	c = malloc(sizeof(*c));
	if (!c) {
		/* Never ERR_MEM: lwIP would hold it and stall. No memory ends
		 * this connection, not the program. */
		pbuf_free(p);
		s->pcb = NULL;
		s->error = E_FULL;
		tcp_arg(pcb, NULL);
		tcp_err(pcb, NULL);
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	*c = (struct ip_chunk){ NULL, p };
	if (s->rx)
		s->rx_last->next = c;
	else
		s->rx = c;
	s->rx_last = c;
	s->rx_n += p->tot_len;
	rx_total += p->tot_len;
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t n)
{
	(void)pcb;
	(void)n;
	note(arg);
	return ERR_OK;
}

static void on_err(void *arg, err_t err)
{
	struct ip_side *s = arg;

	s->pcb = NULL; /* lwIP has freed it */
	ip_count_hole(s, &rx_total);
	if (err == ERR_CLSD)
		s->error = OK;
	else
		s->error = err == ERR_RST ? E_PEER_GONE : E_PEER_TIME;
	note(s);
}

static void is_up(struct ip_side *s, struct tcp_pcb *pcb)
{
	s->up = true;
	s->mss = pcb->mss < s->announce ? pcb->mss : s->announce;
	pcb->mss = s->mss;
	note(s);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)err;
	is_up(arg, pcb);
	return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	if (err != ERR_OK || !pcb || !arg)
		return ERR_VAL;
	is_up(arg, pcb);
	return ERR_OK;
}

static void take_pcb(struct ip_side *s, struct tcp_pcb *pcb)
{
	s->pcb = pcb;
	tcp_arg(pcb, s);
	tcp_recv(pcb, on_recv);
	tcp_sent(pcb, on_sent);
	tcp_err(pcb, on_err);
	tcp_nagle_disable(pcb);
	ip_set_option(pcb, SOF_REUSEADDR);
	ip_set_option(pcb, SOF_KEEPALIVE);
	tcp_setprio(pcb, TCP_PRIO_NORMAL);
}

/* --- lists that lwIP must not walk ------------------------------------------ */

struct hidden {
	struct tcp_pcb *active, *bound;
};

static struct hidden hide(void)
{
	struct hidden h = { tcp_active_pcbs, tcp_bound_pcbs };

	tcp_active_pcbs = tcp_bound_pcbs = NULL;
	return h;
}

static struct tcp_pcb *splice(struct tcp_pcb *fresh, struct tcp_pcb *old)
{
	struct tcp_pcb *last = fresh;

	if (!fresh)
		return old;
	while (last->next)
		last = last->next;
	last->next = old;
	return fresh;
}

static void unhide(struct hidden h)
{
	tcp_active_pcbs = splice(tcp_active_pcbs, h.active);
	tcp_bound_pcbs = splice(tcp_bound_pcbs, h.bound);
}

/* --- segments in -------------------------------------------------------------- */

/* lwIP's view of a segment: addresses in ip_data, a copy of the TCP part. */
static void feed(enum port port, const struct frame *f, bool csum_ok)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)f->l4_n, PBUF_RAM);

	if (!p)
		return; /* lost as on a wire: it will come again */
	pbuf_take(p, f->all.p + f->l4, (u16_t)f->l4_n);
	NETIF_SET_CHECKSUM_CTRL(&nif[port],
				csum_ok ? 0 : NETIF_CHECKSUM_CHECK_TCP);
	ip_data.current_netif = ip_data.current_input_netif = &nif[port];
	ip_data.current_ip_header_tot_len = f->v6 ? 40 : 20;
	to_lwip(&ip_data.current_iphdr_src, f->src.ip);
	to_lwip(&ip_data.current_iphdr_dest, f->dst.ip);
	tcp_input(p, &nif[port]);
	memset(&ip_data, 0, sizeof(ip_data));
}

static struct ip_tw *remember(enum tuple_kind kind, enum port port,
			      const struct endpoint *remote,
			      const struct endpoint *local, uint64_t for_ms)
{
	struct ip_tw *tw = &tw_ring[tw_next++ % TW_RING];

	tuple_remove(&table, &tw->tuple);
	*tw = (struct ip_tw){ .tuple = { .remote = *remote,
					 .local = *local,
					 .port = port,
					 .kind = kind },
			      .until_ms = now + for_ms };
	tuple_add(&table, &tw->tuple);
	return tw;
}

/* Over by our FIN first: from now on the record answers for the tuple, not s,
 * which may be kept until the other end is over as well. */
static void time_wait(struct ip_side *s)
{
	struct ip_tw *tw;
	uint32_t seq, ack;

	if (!s->pcb || s->pcb->state != TIME_WAIT)
		return;
	seq = s->pcb->snd_nxt;
	ack = s->pcb->rcv_nxt;
	tcp_abort(s->pcb); /* in this state: freed without a word */
	s->pcb = NULL;
	tuple_remove(&table, &s->tuple);
	tw = remember(TUPLE_TIME_WAIT, s->tuple.port, &s->tuple.remote,
		      &s->tuple.local, TW_MS);
	tw->seq = seq;
	tw->ack = ack;
	note(s);
}

/* After anything that may have put something back into unsent. */
static void fit(struct ip_side *s)
{
	if (s->pcb && s->up && s->pcb->state >= ESTABLISHED)
		ip_resend_fit(s->pcb, s->mss);
}

/* A super-frame stands for many segments, each second of which had to be
 * acknowledged (RFC 9293 3.8.6.3): at the end of the turn. The first segments
 * are acknowledged soon as well, because a server with Nagle's algorithm waits
 * for it; mostly an answer takes the ACK along before. */
static void owe_ack(struct ip_side *s, const struct frame *f)
{
	bool many = f->data_n > s->mss;

	if (f->data_n == 0 || !s->pcb || s->pcb->state < ESTABLISHED)
		return;
	if (s->quick < QUICK_ACKS)
		s->quick++;
	if (!many && s->quick == QUICK_ACKS)
		return;
	if (!s->owes) {
		s->ack_ms = now + IP_ACK_MS;
		s->owes = true;
		s->next_owing = owing;
		owing = s;
	}
	if (many)
		s->ack_ms = now;
}

bool ip_acknowledge(void)
{
	struct ip_side **at = &owing;

	while (*at) {
		struct ip_side *s = *at;
		bool open = s->pcb &&
			    (s->pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW)) != 0;

		if (open && s->ack_ms > now) {
			at = &s->next_owing;
			continue;
		}
		s->owes = false;
		*at = s->next_owing;
		if (open) {
			tcp_ack_now(s->pcb);
			tcp_output(s->pcb);
		}
	}
	return owing != NULL;
}

static void disown(struct ip_side *s)
{
	struct ip_side **at = &owing;

	if (!s->owes)
		return;
	while (*at != s)
		at = &(*at)->next_owing;
	*at = s->next_owing;
	s->owes = false;
}

void ip_side_input(struct ip_side *s, const struct frame *f, bool csum_ok)
{
	if (!ip_side_acceptable(s, f)) {
		tcp_ack_now(s->pcb);
		tcp_output(s->pcb);
		return;
	}
	feed(s->tuple.port, f, csum_ok);
	note(s);
	time_wait(s);
	ip_count_hole(s, &rx_total);
	owe_ack(s, f);
	fit(s);
}

struct tuple *ip_find(enum port port, const struct endpoint *remote,
		      const struct endpoint *local)
{
	struct tuple *t = tuple_find(&table, port, remote, local);

	if (t && t->kind != TUPLE_SIDE &&
	    ((struct ip_tw *)t)->until_ms <= now) {
		tuple_remove(&table, t);
		return NULL;
	}
	return t;
}

/* --- begin -------------------------------------------------------------------- */

static int begin(struct ip_side *s, enum port port,
		 const struct endpoint *local, const struct endpoint *remote)
{
	if (ip_find(port, remote, local))
		return E_FULL;
	s->tuple = (struct tuple){ .remote = *remote,
				   .local = *local,
				   .port = port,
				   .kind = TUPLE_SIDE };
	s->mss = s->announce;
	tuple_add(&table, &s->tuple);
	return OK;
}

int ip_side_dial(struct ip_side *s, enum port port,
		 const struct endpoint *local, const struct endpoint *remote)
{
	struct tcp_pcb *pcb;
	ip_addr_t to, from;
	struct hidden h;
	err_t e;

	if (begin(s, port, local, remote) != OK)
		return E_FULL;
	to_lwip(&from, local->ip);
	to_lwip(&to, remote->ip);
	h = hide();
	pcb = tcp_new_ip_type(IP_GET_TYPE(&from));
	e = pcb ? ERR_OK : ERR_MEM;
	if (pcb) {
		take_pcb(s, pcb);
		tcp_bind_netif(pcb, &nif[port]);
		e = tcp_bind(pcb, &from, local->port);
	}
	if (e == ERR_OK)
		e = tcp_connect(pcb, &to, remote->port, on_connected);
	if (e != ERR_OK && pcb) {
		tcp_err(pcb, NULL);
		tcp_abort(pcb);
		s->pcb = NULL;
	}
	unhide(h);
	if (e == ERR_OK)
		return OK;
	tuple_remove(&table, &s->tuple);
	return E_FULL;
}

/* A listener of lwIP on one port; NULL: no room. lwIP would not have the same
 * number on both ports, so it does not see the others. */
static struct tcp_pcb *new_listener(enum port port, uint16_t number)
{
	struct tcp_pcb_listen *others = tcp_listen_pcbs.listen_pcbs;
	struct hidden h = hide();
	struct tcp_pcb *l = tcp_new_ip_type(IPADDR_TYPE_ANY);

	tcp_listen_pcbs.listen_pcbs = NULL;
	if (l) {
		ip_set_option(l, SOF_REUSEADDR);
		tcp_bind_netif(l, &nif[port]);
		if (tcp_bind(l, IP_ANY_TYPE, number) == ERR_OK) {
			struct tcp_pcb *full = l;

			l = tcp_listen(full);
			if (!l)
				tcp_abort(full);
		} else {
			tcp_abort(l);
			l = NULL;
		}
	}
	unhide(h);
	if (l)
		tcp_listen_pcbs.listen_pcbs->next = others;
	else
		tcp_listen_pcbs.listen_pcbs = others;
	return l;
}

static int listen_on(enum port port, uint16_t number)
{
	struct tcp_pcb *l;
	int i = 0;

	for (; i < LISTENERS_MAX && listener[i].pcb; i++)
		if (listener[i].port == port && listener[i].number == number)
			return OK;
	if (i == LISTENERS_MAX)
		return E_FULL;
	l = new_listener(port, number);
	if (!l)
		return E_FULL;
	tcp_accept(l, on_accept);
	listener[i].pcb = l;
	listener[i].port = port;
	listener[i].number = number;
	return OK;
}

int ip_side_accept(struct ip_side *s, enum port port, const struct frame *f)
{
	struct hidden h;

	if (listen_on(port, f->dst.port) != OK ||
	    begin(s, port, &f->dst, &f->src) != OK)
		return E_FULL;
	h = hide();
	feed(port, f, true);
	if (tcp_active_pcbs)
		take_pcb(s, tcp_active_pcbs);
	unhide(h);
	if (s->pcb)
		return OK;
	tuple_remove(&table, &s->tuple);
	return E_FULL;
}

void ip_side_lower_mss(struct ip_side *s, uint16_t mss)
{
	if (!s->pcb || mss >= s->mss)
		return;
	s->mss = mss;
	s->pcb->mss = mss;
	/* What was too large is lost: send it again, in pieces. */
	if (s->pcb->unacked) {
		if (tcp_rexmit_rto_prepare(s->pcb) == ERR_OK)
			tcp_rexmit_rto_commit(s->pcb);
		fit(s);
	}
}

bool ip_side_over(const struct ip_side *s)
{
	return !s->pcb;
}

size_t ip_rx_total(void)
{
	return rx_total;
}

/* --- the stream ------------------------------------------------------------------ */

struct span ip_side_read(const struct ip_side *s)
{
	const struct pbuf *p = s->rx ? s->rx->p : NULL;
	size_t off = s->rx_off;

	while (p && off >= p->len) {
		off -= p->len;
		p = p->next;
	}
	if (!p)
		return (struct span){ NULL, 0 };
	return (struct span){ (const uint8_t *)p->payload + off, p->len - off };
}

void ip_side_read_done(struct ip_side *s, size_t n)
{
	s->rx_off += n;
	s->rx_n -= n;
	rx_total -= n;
	while (s->rx && s->rx_off >= s->rx->p->tot_len) {
		struct ip_chunk *c = s->rx;

		s->rx_off -= c->p->tot_len;
		s->rx = c->next;
		pbuf_free(c->p);
		free(c);
	}
	for (; s->pcb && n > 0; n -= n > 0xffff ? 0xffff : n)
		tcp_recved(s->pcb, (u16_t)(n > 0xffff ? 0xffff : n));
}

size_t ip_side_room(const struct ip_side *s)
{
	const struct tcp_pcb *pcb = s->pcb;
	uint32_t used, win;

	if (!pcb || !s->up || s->fin_out || pcb->unsent ||
	    (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT))
		return 0;
	used = ip_in_flight(pcb);
	win = ip_window(pcb);
	win = win > used ? win - used : 0;
	/* A window of nothing is probed by lwIP, if it has something to send. */
	if (used == 0 && win < s->mss)
		win = s->mss;
	if (win < s->mss && used > 0)
		return 0; /* RFC 9293 3.8.6.2.1: no silly small segments */
	if (win > SUPER_MAX)
		win = SUPER_MAX;
	return win < pcb->snd_buf ? win : pcb->snd_buf;
}

int ip_side_write(struct ip_side *s, struct span data)
{
	struct tcp_pcb *pcb = s->pcb;
	u16_t keep = pcb->mss;
	err_t e;

	if (data.n > keep)
		pcb->mss = (u16_t)data.n;
	e = tcp_write(pcb, data.p, (u16_t)data.n, TCP_WRITE_FLAG_COPY);
	pcb->mss = keep;
	if (e != ERR_OK)
		return E_FULL;
	tcp_output(pcb);
	fit(s);
	return OK;
}

void ip_side_finish(struct ip_side *s)
{
	if (!s->pcb || s->fin_out)
		return;
	if (tcp_shutdown(s->pcb, 0, 1) != ERR_OK)
		return; /* no memory: the caller tries again */
	s->fin_out = true;
	if (s->pcb)
		tcp_output(s->pcb);
}

void ip_side_abort(struct ip_side *s)
{
	struct tcp_pcb *pcb = s->pcb;

	if (!pcb)
		return;
	s->pcb = NULL;
	tcp_arg(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
}

/* --- the end ---------------------------------------------------------------------- */

void ip_pass(enum port port, const struct endpoint *remote,
	     const struct endpoint *local, uint64_t idle_ms)
{
	struct tuple *t = ip_find(port, remote, local);

	if (!t)
		remember(TUPLE_PASS, port, remote, local, idle_ms);
	else if (t->kind == TUPLE_PASS)
		((struct ip_tw *)t)->until_ms = now + idle_ms;
}

void ip_tw_forget(struct ip_tw *tw)
{
	tuple_remove(&table, &tw->tuple);
}

void ip_side_end(struct ip_side *s)
{
	ip_side_abort(s);
	ip_count_hole(s, &rx_total);
	unnote(s);
	disown(s);
	rx_total -= s->rx_n;
	while (s->rx) {
		struct ip_chunk *c = s->rx;

		s->rx = c->next;
		pbuf_free(c->p);
		free(c);
	}
	tuple_remove(&table, &s->tuple);
}

/* What a retransmission timer put back into unsent may have to be cut; another one
 * gives up what is behind a hole. */
static void mend(void)
{
	struct tcp_pcb *next;

	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = next) {
		next = p->next;
		if (!p->callback_arg || p->errf != on_err)
			continue;
		ip_count_hole(p->callback_arg, &rx_total);
		if (p->unsent)
			fit(p->callback_arg);
	}
}

void ip_tick(uint64_t now_ms)
{
	unsigned most = 20; /* after a long stop: do not make it up */

	now = now_ms;
	if (now - ticked > most * TCP_TMR_INTERVAL)
		ticked = now - most * TCP_TMR_INTERVAL;
	for (; now - ticked >= TCP_TMR_INTERVAL; ticked += TCP_TMR_INTERVAL)
		tcp_tmr();
	if (now - mended >= 2 * TCP_TMR_INTERVAL) {
		mended = now;
		mend();
	}
}
