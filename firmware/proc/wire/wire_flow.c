/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_flow - a mail session's TCP, from the first SYN to the last FIN.
 *
 *	client SYN -> parked, server is dialled with the client's own address
 *	  server SYN-ACK -> parked SYN goes in, client is answered
 *	    client ACK -> two streams to a relay
 *	  server RST -> RST to the client, as if from the server
 *	  server silent -> silence; the client's own SYN comes again
 *
 * So a refused, unreachable or silent server looks to the client as it would
 * without the box, and a flood of SYNs makes no state towards the client.
 */
#include <stdlib.h>
#include "base/hash.h"
#include "base/text.h"
#include "proc/wire/wire.h"

enum {
	DIAL_MS = 75000,   /* a server that does not answer at all */
	ANSWER_MS = 20000, /* a client that does not finish its handshake */
	END_MS =
		20000, /* a peer that takes nothing of the end, or says no FIN */
	RX_MAX = 64 << 20, /* received and not read, in all flows */
	SMTP = 25,
};

static struct flow_side *other_side(const struct flow_side *s)
{
	return &s->flow->side[s == &s->flow->side[CLIENT] ? SERVER : CLIENT];
}

struct flow *wire_flow_find(uint32_t id)
{
	struct flow *f = W.flow_by_id[id % 4096];

	while (f && f->id != id)
		f = f->by_id;
	return f;
}

static uint32_t source_cell(const struct endpoint *client)
{
	return (uint32_t)siphash(W.key, (struct span){ client->ip, 16 }) %
	       SOURCES;
}

static bool half_open(const struct flow *f)
{
	return f->state == FLOW_DIALING || f->state == FLOW_ANSWERING;
}

static void show_half_open(void)
{
	stats_set(W.prog.stats, CNT_HALF_OPEN_NOW,
		  W.from[INSIDE].half_open_n + W.from[OUTSIDE].half_open_n);
}

static void half_add(struct flow *f)
{
	f->half_prev = W.from[f->client_port].newest;
	if (f->half_prev)
		f->half_prev->half_next = f;
	else
		W.from[f->client_port].oldest = f;
	W.from[f->client_port].newest = f;
	W.from[f->client_port].half_open_n++;
}

static void half_remove(struct flow *f)
{
	if (f->half_prev)
		f->half_prev->half_next = f->half_next;
	else
		W.from[f->client_port].oldest = f->half_next;
	if (f->half_next)
		f->half_next->half_prev = f->half_prev;
	else
		W.from[f->client_port].newest = f->half_prev;
	f->half_next = f->half_prev = NULL;
	W.from[f->client_port].half_open_n--;
}

static void set_state(struct flow *f, enum flow_state to, uint64_t for_ms)
{
	bool was = half_open(f);
	uint32_t cell = source_cell(&f->client);

	f->state = to;
	f->until_ms = for_ms ? W.now + for_ms : UINT64_MAX;
	if (was && !half_open(f)) {
		half_remove(f);
		W.source_half[cell]--;
	}
	show_half_open();
}

/* Of all sessions, clients outside may have the half. */
static bool too_many(enum port p)
{
	uint32_t most = W.policy.settings.sessions_max;

	if (most > CONFIG_MAX_FLOWS)
		most = CONFIG_MAX_FLOWS;
	return W.flows_n >= most ||
	       (p == OUTSIDE && W.from[OUTSIDE].flows_n >= (most + 1) / 2);
}

static bool over_cap(enum port p, const struct endpoint *client)
{
	const struct settings *s = &W.policy.settings;
	uint32_t cell = source_cell(client);

	if (W.source[cell] >= s->sessions_per_source ||
	    W.source_half[cell] >= s->half_open_per_source) {
		wire_count(CNT_SYN_DROPPED_SOURCE);
		return true;
	}
	/* A flood of sources that do not exist would keep all places for as
	 * long as a server may be silent. The oldest gives way: who is there
	 * sends its SYN again, and a handshake takes less time than a flood
	 * needs to fill all places (RFC 4987 3.4). */
	if (W.from[p].half_open_n > 0 &&
	    W.from[p].half_open_n >= s->half_open_max) {
		wire_count(CNT_SYN_DROPPED_CAP);
		wire_flow_end(W.from[p].oldest);
	}
	if (too_many(p)) {
		wire_count(CNT_SYN_DROPPED_CAP);
		return true;
	}
	return false;
}

static void set_l2(struct flow_side *s, const struct frame *f)
{
	memcpy(s->ip.l2, f->all.p, f->l2_n);
	s->ip.l2_n = f->l2_n;
	s->ip.pppoe = f->pppoe;
}

static struct flow *flow_new(enum port p, const struct endpoint *client,
			     const struct endpoint *server)
{
	struct flow *n = calloc(1, sizeof(*n));
	uint32_t cell = source_cell(client);

	if (!n)
		return NULL;
	n->id = ++W.next_id;
	n->client_port = p;
	n->client = *client;
	n->server = *server;
	n->since_ms = W.now;
	n->until_ms = W.now + DIAL_MS;
	for (int i = 0; i < SIDES; i++) {
		n->side[i].flow = n;
		n->side[i].watch.fd = -1;
	}
	n->by_id = W.flow_by_id[n->id % 4096];
	W.flow_by_id[n->id % 4096] = n;
	n->next = W.flows;
	if (W.flows)
		W.flows->prev = n;
	W.flows = n;
	half_add(n);
	W.flows_n++;
	W.from[p].flows_n++;
	show_half_open();
	W.source[cell]++;
	W.source_half[cell]++;
	stats_set(W.prog.stats, CNT_FLOWS_NOW, W.flows_n);
	if (W.flows_n > stats_get(W.prog.stats, CNT_FLOWS_PEAK))
		stats_set(W.prog.stats, CNT_FLOWS_PEAK, W.flows_n);
	return n;
}

/* False: no memory. */
static bool park_syn(struct flow *n, const struct frame *f)
{
	n->syn = malloc(f->all.n);
	if (!n->syn)
		return false;
	memcpy(n->syn, f->all.p, f->all.n);
	n->syn_n = f->all.n;
	return true;
}

static void drop_syn(struct flow *f)
{
	free(f->syn);
	f->syn = NULL;
}

/* RST to whoever is still there. */
void wire_flow_end(struct flow *f)
{
	struct flow **at = &W.flow_by_id[f->id % 4096];
	uint32_t cell = source_cell(&f->client);

	set_state(f, FLOW_ENDING, 0);
	for (int i = 0; i < SIDES; i++) {
		wire_relay_close(&f->side[i]);
		if (f->side[i].begun)
			ip_side_end(&f->side[i].ip);
	}
	while (*at != f)
		at = &(*at)->by_id;
	*at = f->by_id;
	if (f->prev)
		f->prev->next = f->next;
	else
		W.flows = f->next;
	if (f->next)
		f->next->prev = f->prev;
	if (f->relay)
		f->relay->flows--;
	W.flows_n--;
	W.from[f->client_port].flows_n--;
	W.source[cell]--;
	stats_set(W.prog.stats, CNT_FLOWS_NOW, W.flows_n);
	drop_syn(f);
	free(f);
}

/* PPPoE takes 8 octets of what Ethernet carries (RFC 2516 7), and who is behind
 * the line may not know it. */
static uint16_t mss_of(const struct frame *syn)
{
	uint16_t most = syn->v6 ? 1440 : 1460;
	uint16_t least = syn->v6 ? 1220 : 536;

	if (syn->pppoe)
		most = (uint16_t)(most - 8);
	if (syn->mss == 0)
		return least;
	return syn->mss < most ? syn->mss : most;
}

static int dial(struct flow *f, const struct endpoint *server, uint16_t mss)
{
	struct flow_side *s = &f->side[SERVER];
	uint8_t l2[FRAME_L2_MAX];
	uint16_t l2_n = s->ip.l2_n;
	bool pppoe = s->ip.pppoe;
	int r;

	memcpy(l2, s->ip.l2, sizeof(l2));
	memset(&s->ip, 0, sizeof(s->ip));
	memcpy(s->ip.l2, l2, sizeof(l2));
	s->ip.l2_n = l2_n;
	s->ip.pppoe = pppoe;
	s->ip.announce = mss;
	s->eof = s->orderly = s->gone = s->shut = false;
	r = ip_side_dial(&s->ip, !f->client_port, &f->client, server);
	s->begun = r == OK;
	return r;
}

/* Is f the SYN that is parked in the flow which dials with this tuple? */
static bool same_syn(const struct tuple *t, const struct frame *f)
{
	const struct flow *flow = ((const struct flow_side *)t)->flow;
	struct frame syn;

	if (flow->state != FLOW_DIALING)
		return false;
	frame_parse(&syn, (struct span){ flow->syn, flow->syn_n });
	return syn.seq == f->seq;
}

static bool same_ip(const struct endpoint *a, const struct endpoint *b)
{
	return memcmp(a->ip, b->ip, 16) == 0;
}

/* The server that is dialled: behind the port for protected sessions, its port for
 * all; behind the address for them, the server that it stands for. */
static struct endpoint server_of(enum port p, const struct frame *f)
{
	const struct settings *s = &W.policy.settings;
	struct endpoint to = f->dst;

	if (p == OUTSIDE && to.port == s->inbound_port)
		to.port = SMTP;
	if (p == OUTSIDE && s->inbound_address.port != 0 && !W.address_in_use &&
	    same_ip(&to, &s->inbound_address))
		memcpy(to.ip, s->inbound_server.ip, 16);
	return to;
}

void wire_flow_inside(const struct endpoint *src)
{
	const struct settings *s = &W.policy.settings;
	char ip[48];
	struct text t;

	if (W.address_in_use || s->inbound_address.port == 0 ||
	    !same_ip(src, &s->inbound_address))
		return;
	W.address_in_use = true;
	text_init(&t, ip, sizeof(ip));
	text_ip(&t, src->ip);
	program_alarm(&W.prog, ALARM_ADDRESS, text_done(&t));
}

/* The client has another session with that server, with the same port of its own: by
 * the server's other port or address, or because a route led it there. */
static bool taken(const struct tuple *t, const struct frame *f)
{
	const struct flow *flow = ((const struct flow_side *)t)->flow;

	return !endpoint_eq(&flow->server, &f->dst) &&
	       (flow->client_port == OUTSIDE ||
		!ip_side_over(&flow->side[CLIENT].ip));
}

void wire_flow_syn(enum port p, const struct frame *f)
{
	struct endpoint server = server_of(p, f);
	struct tuple *old = ip_find(!p, &server, &f->src);
	struct flow *n;

	if (!W.have_policy)
		return;
	if (old && old->kind == TUPLE_SIDE && same_syn(old, f))
		return; /* sent again, as ours is */
	if (old && old->kind == TUPLE_SIDE && taken(old, f))
		return;
	/* The tuple of a flow that is over towards the client but not yet
	 * towards the server: that one is of no use any more. */
	if (old && old->kind == TUPLE_SIDE)
		wire_flow_end(((struct flow_side *)old)->flow);
	else if (old)
		ip_tw_forget((struct ip_tw *)old);
	if (over_cap(p, &f->src))
		return; /* the client sends it again */
	n = flow_new(p, &f->src, &f->dst);
	if (!n)
		return;
	n->tls_only = !endpoint_eq(&server, &f->dst);
	set_l2(&n->side[SERVER], f);
	if (!park_syn(n, f) || dial(n, &server, mss_of(f)) != OK)
		wire_flow_end(n);
}

void wire_flow_segment(struct flow_side *s, const struct frame *f, bool csum_ok)
{
	struct flow_side *other = other_side(s);
	bool early = s->flow->state == FLOW_DIALING;

	/* As if lost: it comes again when there is room. Only those pay whose
	 * other end does not read, or who send what nobody can read yet. */
	if (f->data_n > 0 && ip_rx_total() > RX_MAX &&
	    (s->ip.rx_n > 0 || ip_side_behind_hole(&s->ip, f)))
		return;
	/* The way to the other end is how this end's own frames go there. */
	if (early || ip_side_of_peer(&s->ip, f))
		set_l2(other, f);
	ip_side_input(&s->ip, f, csum_ok);
}

bool wire_flow_left(struct flow_side *s)
{
	const struct tuple was = s->ip.tuple;
	struct tuple *left;

	if (s != &s->flow->side[CLIENT] || !ip_side_over(&s->ip))
		return false;
	wire_flow_end(s->flow);
	left = ip_find(was.port, &was.remote, &was.local);
	if (left)
		ip_tw_forget((struct ip_tw *)left);
	return true;
}

/* What the server answered to our SYN, said to the client. */
static void refused(struct flow *f)
{
	struct flow_side *c = &f->side[CLIENT];
	struct frame syn;

	wire_count(CNT_FLOWS_REFUSED);
	frame_parse(&syn, (struct span){ f->syn, f->syn_n });
	wire_bare(f->client_port, (struct span){ c->ip.l2, c->ip.l2_n },
		  c->ip.pppoe, &f->server, &f->client, 0, syn.seq + 1,
		  TCP_RST | TCP_ACK);
	wire_flow_end(f);
}

static void answered(struct flow *f)
{
	struct flow_side *c = &f->side[CLIENT];
	struct frame syn;

	frame_parse(&syn, (struct span){ f->syn, f->syn_n });
	c->ip.announce = f->side[SERVER].ip.mss;
	set_state(f, FLOW_ANSWERING, ANSWER_MS);
	c->begun = ip_side_accept(&c->ip, f->client_port, &syn) == OK;
	if (!c->begun)
		wire_flow_end(f);
	else
		drop_syn(f);
}

/* The answer to relay's own dial. */
static void dialed(struct flow *f)
{
	struct flow_side *s = &f->side[SERVER];

	if (s->ip.up) {
		f->dialing = false;
		wire_relay_dialed(f, OK);
	} else if (ip_side_over(&s->ip)) {
		f->dialing = false;
		wire_count(CNT_DIALS_FAILED);
		wire_relay_dialed(f, s->ip.error ? s->ip.error : E_PEER_GONE);
	}
}

static void dialing(struct flow *f)
{
	struct flow_side *s = &f->side[SERVER];

	if (s->ip.up) {
		answered(f);
	} else if (ip_side_over(&s->ip)) {
		if (s->ip.error == E_PEER_GONE) {
			refused(f);
			return;
		}
		wire_count(CNT_FLOWS_SILENT);
		wire_flow_end(f);
	}
}

static void answering(struct flow *f)
{
	if (f->side[CLIENT].ip.up) {
		wire_count(CNT_FLOWS_OPENED);
		wire_probe_seen(f);
		set_state(f, FLOW_OFFERING, ANSWER_MS);
		if (wire_relay_offer(f))
			set_state(f, FLOW_OPEN, 0);
	} else if (ip_side_over(&f->side[CLIENT].ip)) {
		wire_flow_end(f);
	}
}

/* Both streams closed and both connections over: nothing is left to do. */
static bool finished(const struct flow *f)
{
	for (int i = 0; i < SIDES; i++)
		if (f->side[i].watch.fd >= 0 ||
		    (f->side[i].begun && !ip_side_over(&f->side[i].ip)))
			return false;
	return true;
}

void wire_flow_last(struct flow *f)
{
	if (f->state == FLOW_OPEN)
		f->until_ms = W.now + END_MS;
}

static void ending(struct flow *f)
{
	if (f->dialing)
		return;
	if (f->side[CLIENT].watch.fd < 0 && f->side[SERVER].watch.fd < 0 &&
	    f->state == FLOW_OPEN)
		set_state(f, FLOW_ENDING, END_MS);
	if (finished(f))
		wire_flow_end(f);
}

void wire_flow_event(struct flow_side *s)
{
	struct flow *f = s->flow;

	switch (f->state) {
	case FLOW_DIALING: dialing(f); return;
	case FLOW_ANSWERING: answering(f); return;
	case FLOW_OFFERING:
		if (ip_side_over(&s->ip))
			wire_flow_end(f);
		return;
	case FLOW_OPEN:
	case FLOW_ENDING: break;
	}
	if (f->dialing && s == &f->side[SERVER]) {
		dialed(f);
		if (f->dialing)
			return;
	}
	wire_relay_move(s);
	ending(f);
}

void wire_flow_dial(struct flow *f, const struct endpoint *server)
{
	struct flow_side *s = &f->side[SERVER];
	uint16_t mss = f->side[CLIENT].ip.mss;
	struct tuple *old;

	wire_count(CNT_DIALS);
	wire_relay_close(s);
	if (s->begun)
		ip_side_end(&s->ip);
	s->begun = false;
	old = ip_find(!f->client_port, server, &f->client);
	if (old && old->kind != TUPLE_SIDE) /* just ended: the same again */
		ip_tw_forget((struct ip_tw *)old);
	f->dialing = dial(f, server, mss) == OK;
	if (!f->dialing) {
		wire_count(CNT_DIALS_FAILED);
		wire_relay_dialed(f, E_FULL);
	}
}

struct flow *wire_flow_alone(const struct wire_seen *from,
			     const struct endpoint *client,
			     const struct endpoint *server, uint64_t for_ms)
{
	struct flow *n = NULL;

	if (!too_many(INSIDE))
		n = flow_new(INSIDE, client, server);
	if (!n)
		return NULL;
	set_state(n, FLOW_OPEN, for_ms);
	memcpy(n->side[SERVER].ip.l2, from->l2, from->l2_n);
	n->side[SERVER].ip.l2_n = from->l2_n;
	n->side[SERVER].ip.pppoe = from->pppoe;
	n->dialing = dial(n, server, from->mss) == OK;
	if (n->dialing)
		return n;
	wire_flow_end(n);
	return NULL;
}

void wire_flow_tick(void)
{
	struct flow *next;

	for (struct flow *f = W.flows; f; f = next) {
		next = f->next;
		if (W.now >= f->until_ms)
			wire_flow_end(f);
		else if (f->state == FLOW_OFFERING && wire_relay_offer(f))
			set_state(f, FLOW_OPEN, 0);
		else if (f->state == FLOW_OPEN || f->state == FLOW_ENDING)
			ending(f);
	}
}
