/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leak - see leak.h.
 *
 * Prints are chained by the top bits of their first number, which is what rolls
 * along the octets; most octets cost one multiplication and three looks, the last
 * at an empty chain.
 */
#include <string.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "proto/leak.h"

enum {
	CHAINS = 1 << 14,
	CHAIN_SHIFT = 64 - 14,
	NONE = 0xffff,
	STREAMS = 1024, /* whose last octets are kept */
	WAYS = 8,
	TAIL = PRINT_MAX - 1,
};

struct entry {
	struct print print;
	struct endpoint client;
	uint64_t until_ms; /* 0: free */
	uint16_t next;
};

/* The end of what a connection has sent. */
struct stream {
	struct endpoint client, server;
	uint32_t seq; /* of what follows */
	size_t n;
	uint8_t tail[TAIL];
};

struct clear {
	struct endpoint client;
	uint64_t until_ms;
	bool ending;
};

struct leak {
	uint64_t key;
	uint8_t entering[256]; /* what an octet adds to a number, */
	uint64_t leaving[256]; /* and takes away when it leaves */
	uint64_t until_ms;     /* when the last print counts no more */
	uint8_t seed[16];
	unsigned next, prints;
	uint16_t chain[CHAINS];
	struct entry entry[LEAK_PRINTS];
	struct stream stream[STREAMS];
	struct clear clear[LEAK_CLEAR / WAYS][WAYS];
};

/* A frame as far as it is understood here. */
struct segment {
	bool tcp;
	struct endpoint src, dst;
	uint32_t seq;
	struct span data; /* what follows seq */
};

size_t leak_size(void)
{
	return sizeof(struct leak);
}

struct leak *leak_init(void *mem, uint64_t key, const uint8_t seed[16])
{
	struct leak *l = mem;

	memset(l, 0, sizeof(*l));
	memset(l->chain, 0xff, sizeof(l->chain));
	memcpy(l->seed, seed, sizeof(l->seed));
	l->key = key;
	for (unsigned c = 0; c < 256; c++) {
		l->entering[c] = ascii_lower((uint8_t)c);
		l->leaving[c] = print_leaving(key) * l->entering[c];
	}
	return l;
}

unsigned leak_prints(const struct leak *l)
{
	return l->prints;
}

static uint64_t hash(const struct leak *l, const struct endpoint *e)
{
	uint8_t b[18];

	memcpy(b, e->ip, 16);
	put_be16(b + 16, e->port);
	return siphash(l->seed, (struct span){ b, sizeof(b) });
}

/* --- prints ----------------------------------------------------------------- */
static uint16_t *chain_of(struct leak *l, uint64_t first)
{
	return &l->chain[first >> CHAIN_SHIFT];
}

static bool same(const struct print *a, const struct print *b)
{
	return a->first == b->first && a->whole == b->whole && a->n == b->n;
}

static struct entry *find(struct leak *l, const struct print *p)
{
	uint16_t i = *chain_of(l, p->first);

	while (i != NONE && !same(&l->entry[i].print, p))
		i = l->entry[i].next;
	return i == NONE ? NULL : &l->entry[i];
}

static void drop(struct leak *l, struct entry *e)
{
	uint16_t *at = chain_of(l, e->print.first);

	if (e->until_ms == 0)
		return;
	while (&l->entry[*at] != e)
		at = &l->entry[*at].next;
	*at = e->next;
	e->until_ms = 0;
	l->prints--;
}

void leak_protect(struct leak *l, const struct endpoint *client,
		  const struct print *p, uint64_t now_ms)
{
	struct entry *e = find(l, p);

	if (!e) {
		uint16_t *at = chain_of(l, p->first);

		e = &l->entry[l->next];
		drop(l, e);
		e->print = *p;
		e->next = *at;
		*at = (uint16_t)l->next;
		l->next = (l->next + 1) % LEAK_PRINTS;
		l->prints++;
	}
	e->client = *client;
	e->until_ms = l->until_ms = now_ms + LEAK_PRINT_MS;
}

void leak_forget(struct leak *l, const struct endpoint *client,
		 const struct print *p)
{
	struct entry *e = find(l, p);

	if (e && endpoint_eq(&e->client, client))
		drop(l, e);
}

/* --- connections in clear ----------------------------------------------------- */
static struct clear *ways(struct leak *l, const struct endpoint *client)
{
	return l->clear[hash(l, client) % (LEAK_CLEAR / WAYS)];
}

static struct clear *find_clear(struct leak *l, const struct endpoint *client)
{
	struct clear *c = ways(l, client);

	for (int i = 0; i < WAYS; i++)
		if (c[i].until_ms > 0 && endpoint_eq(&c[i].client, client))
			return &c[i];
	return NULL;
}

void leak_allow(struct leak *l, const struct endpoint *client, uint64_t now_ms)
{
	struct clear *c = find_clear(l, client), *w = ways(l, client);

	if (!c) {
		c = w;
		for (int i = 1; i < WAYS; i++)
			if (w[i].until_ms < c->until_ms)
				c = &w[i];
	}
	*c = (struct clear){ *client, now_ms + LEAK_CLEAR_MS, false };
}

void leak_disallow(struct leak *l, const struct endpoint *client,
		   uint64_t now_ms)
{
	struct clear *c = find_clear(l, client);

	if (!c || c->ending)
		return;
	c->ending = true;
	c->until_ms = now_ms + LEAK_GRACE_MS;
}

/* May others' texts be readable in what this client sends? */
static bool allowed(struct leak *l, const struct endpoint *client,
		    uint64_t now_ms)
{
	struct clear *c = find_clear(l, client);

	if (!c || c->until_ms <= now_ms)
		return false;
	if (!c->ending)
		c->until_ms = now_ms + LEAK_CLEAR_MS;
	return true;
}

/* --- frames ------------------------------------------------------------------- */
/* Without the padding of a short frame. A super-frame may have no length. */
static void cut(struct span *ip, size_t n)
{
	if (n >= 40 && n < ip->n)
		ip->n = n;
}

static bool take_ip(struct segment *s, struct span *packet, size_t *head)
{
	const struct span ip = *packet;

	if (ip.n >= 20 && ip.p[0] >> 4 == 4) {
		*head = (size_t)(ip.p[0] & 15) * 4;
		cut(packet, get_be16(ip.p + 2));
		ip_from_v4(s->src.ip, ip.p + 12);
		ip_from_v4(s->dst.ip, ip.p + 16);
		return ip.p[9] == 6 && (get_be16(ip.p + 6) & 0x1fff) == 0;
	}
	if (ip.n >= 40 && ip.p[0] >> 4 == 6) {
		*head = 40;
		cut(packet, get_be16(ip.p + 4) + 40u);
		memcpy(s->src.ip, ip.p + 8, 16);
		memcpy(s->dst.ip, ip.p + 24, 16);
		return ip.p[6] == 6;
	}
	return false;
}

/* What is not understood is looked at all the same, but by itself. */
static struct segment take_apart(struct span frame)
{
	struct segment s = { .tcp = false };
	size_t at = 12, head, tcp;
	uint16_t type;
	struct span ip;

	while (at + 2 <= frame.n && (get_be16(frame.p + at) == 0x8100 ||
				     get_be16(frame.p + at) == 0x88a8))
		at += 4;
	if (at + 2 > frame.n)
		return s;
	type = get_be16(frame.p + at);
	at += type == 0x8864 ? 10 : 2;
	if (at > frame.n ||
	    (type != 0x0800 && type != 0x86dd && type != 0x8864))
		return s;
	ip = span_skip(frame, at);
	if (!take_ip(&s, &ip, &head) || head < 20 || ip.n < head + 20)
		return s;
	tcp = (size_t)(ip.p[head + 12] >> 4) * 4;
	if (tcp < 20 || ip.n - head < tcp)
		return s;
	s.tcp = true;
	s.src.port = get_be16(ip.p + head);
	s.dst.port = get_be16(ip.p + head + 2);
	s.seq = get_be32(ip.p + head + 4);
	s.data = span_skip(ip, head + tcp);
	return s;
}

/* Is one of the chain at p, ending behind least? */
static bool matches(struct leak *l, uint64_t first, struct span at,
		    size_t least, const struct segment *s, bool clear,
		    uint64_t now_ms)
{
	for (uint16_t i = *chain_of(l, first); i != NONE;
	     i = l->entry[i].next) {
		const struct entry *e = &l->entry[i];

		if (e->print.first != first || e->until_ms <= now_ms ||
		    e->print.n > at.n || e->print.n <= least)
			continue;
		if (clear && !endpoint_eq(&e->client, &s->src))
			continue;
		if (print_number(l->key, at.p, e->print.n) == e->print.whole)
			return true;
	}
	return false;
}

/* Texts that begin within the first `starts` octets of b and end behind the
 * first `old`. */
static bool scan(struct leak *l, struct span b, size_t starts, size_t old,
		 const struct segment *s, bool clear, uint64_t now_ms)
{
	uint64_t h;

	if (b.n < PRINT_FIRST || l->prints == 0 || l->until_ms <= now_ms)
		return false; /* there is nothing to look for */
	h = print_number(l->key, b.p, PRINT_FIRST);
	for (size_t i = 0;; i++) {
		if (l->chain[h >> CHAIN_SHIFT] != NONE &&
		    matches(l, h, span_skip(b, i), old > i ? old - i : 0, s,
			    clear, now_ms))
			return true;
		if (i + 1 >= starts || i + PRINT_FIRST >= b.n)
			return false;
		h = h * l->key +
		    (l->entering[b.p[i + PRINT_FIRST]] - l->leaving[b.p[i]]);
	}
}

static struct stream *stream_of(struct leak *l, const struct segment *s)
{
	struct stream *t = &l->stream[hash(l, &s->src) % STREAMS];

	if (!endpoint_eq(&t->client, &s->src) ||
	    !endpoint_eq(&t->server, &s->dst) || t->seq != s->seq)
		t->n = 0;
	t->client = s->src;
	t->server = s->dst;
	return t;
}

static void keep_tail(struct stream *t, const struct segment *s)
{
	struct span d = s->data;
	size_t old = TAIL - (d.n < TAIL ? d.n : TAIL);

	if (old > t->n)
		old = t->n;
	if (d.n > TAIL)
		d = span_skip(d, d.n - TAIL);
	memmove(t->tail, t->tail + t->n - old, old);
	memcpy(t->tail + old, d.p, d.n);
	t->n = old + d.n;
	t->seq = s->seq + (uint32_t)s->data.n;
}

bool leak_look(struct leak *l, struct span frame, uint64_t now_ms,
	       struct leak_hit *hit)
{
	struct segment s = take_apart(frame);
	bool clear = s.tcp && allowed(l, &s.src, now_ms), found;

	found = scan(l, frame, frame.n, 0, &s, clear, now_ms);
	if (s.tcp && s.data.n > 0) {
		struct stream *t = stream_of(l, &s);
		uint8_t seam[2 * TAIL];
		size_t n = s.data.n < TAIL ? s.data.n : TAIL;

		memcpy(seam, t->tail, t->n);
		memcpy(seam + t->n, s.data.p, n);
		if (t->n > 0 && scan(l, (struct span){ seam, t->n + n }, t->n,
				     t->n, &s, clear, now_ms))
			found = true;
		keep_tail(t, &s);
	}
	*hit = (struct leak_hit){ s.tcp, s.src, s.dst };
	return found;
}
