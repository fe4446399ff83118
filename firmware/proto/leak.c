/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leak - see leak.h.
 *
 * A print is in five chains: one for each of its grams, by which it is found in a
 * frame, and one for the whole, by which it is found when it is named again. At each
 * fourth octet of a frame there is one look at a chain, which mostly is empty.
 */
#include <string.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "proto/leak.h"

enum {
	GRAM_CHAINS = 1 << 16, /* by the top bits of either */
	WHOLE_CHAINS = 1 << 13,
	BY_WHOLE = PRINT_STEP, /* the link that is not of a gram */
	LINKS = PRINT_STEP + 1,
	NONE = 0xffff,
	STREAMS = 1024, /* whose last octets are kept */
	WAYS = 8,
	TAIL = PRINT_MAX - 1,
};

struct entry {
	struct print print;
	struct endpoint client;
	uint64_t until_ms; /* 0: free */
	uint64_t said_us;
};

/* Links are numbered entry * LINKS + which of them; so is what they name. */
struct link {
	uint16_t next, prev; /* NONE: it is the last, the first */
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
	uint64_t until_ms; /* when the last print counts no more */
	uint8_t seed[16];
	unsigned next, prints;
	uint16_t by_gram[GRAM_CHAINS], by_whole[WHOLE_CHAINS];
	struct link link[LEAK_PRINTS * LINKS];
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
	memset(l->by_gram, 0xff, sizeof(l->by_gram));
	memset(l->by_whole, 0xff, sizeof(l->by_whole));
	memcpy(l->seed, seed, sizeof(l->seed));
	l->key = key;
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
_Static_assert(LEAK_PRINTS *LINKS < NONE, "links have numbers of 16 bits");

/* Where the chain begins that link k of p is in. */
static uint16_t *chain_of(struct leak *l, const struct print *p, unsigned k)
{
	return k == BY_WHOLE ? &l->by_whole[p->whole /
					    (UINT64_MAX / WHOLE_CHAINS + 1)]
			     : &l->by_gram[p->gram[k] >> 16];
}

static void put_in(struct leak *l, unsigned entry, unsigned k)
{
	uint16_t *first = chain_of(l, &l->entry[entry].print, k);
	uint16_t me = (uint16_t)(entry * LINKS + k);

	l->link[me] = (struct link){ *first, NONE };
	if (*first != NONE)
		l->link[*first].prev = me;
	*first = me;
}

static void take_out(struct leak *l, unsigned entry, unsigned k)
{
	const struct link *me = &l->link[entry * LINKS + k];

	if (me->prev == NONE)
		*chain_of(l, &l->entry[entry].print, k) = me->next;
	else
		l->link[me->prev].next = me->next;
	if (me->next != NONE)
		l->link[me->next].prev = me->prev;
}

static struct entry *find(struct leak *l, const struct print *p)
{
	uint16_t i = *chain_of(l, p, BY_WHOLE);

	while (i != NONE && !print_eq(&l->entry[i / LINKS].print, p))
		i = l->link[i].next;
	return i == NONE ? NULL : &l->entry[i / LINKS];
}

static void drop(struct leak *l, struct entry *e)
{
	if (e->until_ms == 0)
		return;
	for (unsigned k = 0; k < LINKS; k++)
		take_out(l, (unsigned)(e - l->entry), k);
	e->until_ms = 0;
	l->prints--;
}

void leak_protect(struct leak *l, const struct endpoint *client,
		  const struct print *p, uint64_t now_ms, uint64_t said_us)
{
	struct entry *e = find(l, p);

	/* What its own client says again is secret since the first time. */
	if (e && (e->until_ms <= now_ms || !endpoint_eq(&e->client, client)))
		e->said_us = said_us;
	if (!e) {
		e = &l->entry[l->next];
		drop(l, e);
		e->print = *p;
		e->said_us = said_us;
		for (unsigned k = 0; k < LINKS; k++)
			put_in(l, l->next, k);
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

/* Where it is looked, and what counts there. */
struct place {
	struct span b;
	size_t starts; /* texts that begin within so many octets */
	size_t old;    /* and end behind so many */
	const struct endpoint *client;
	bool clear; /* its client's own texts only */
	uint64_t now_ms, seen_us;
	/* Many texts begin as many others do: reckoned once for all of them. */
	size_t at;
	uint64_t whole[PRINT_MAX]; /* of the octets at at */
};

enum { NOWHERE = -1 };

static uint64_t whole_of(const struct leak *l, struct place *w, size_t at,
			 size_t n)
{
	size_t left = w->b.n - at;

	if (w->at != at)
		print_whole(l->key, w->b.p + at,
			    left < PRINT_MAX ? left : PRINT_MAX, w->whole);
	w->at = at;
	return w->whole[n - 1];
}

static bool said_before(const struct entry *e, const struct place *w)
{
	uint64_t later_us = e->said_us - w->seen_us; /* or earlier: very much */

	return later_us == 0 || later_us > LEAK_LATE_US;
}

/* Does a text stand at at? */
static bool stands(const struct leak *l, const struct entry *e, struct place *w,
		   size_t at)
{
	size_t n = e->print.n;

	return e->until_ms > w->now_ms && at < w->starts && n <= w->b.n - at &&
	       at + n > w->old &&
	       (!w->clear || endpoint_eq(&e->client, w->client)) &&
	       said_before(e, w) && whole_of(l, w, at, n) == e->print.whole;
}

/* One of those that have this gram, which is at i. */
static bool matches(const struct leak *l, uint16_t link, uint32_t gram,
		    struct place *w, size_t i)
{
	for (; link != NONE; link = l->link[link].next) {
		const struct entry *e = &l->entry[link / LINKS];
		unsigned k = link % LINKS;

		if (e->print.gram[k] == gram && k <= i &&
		    stands(l, e, w, i - k))
			return true;
	}
	return false;
}

static bool scan(const struct leak *l, struct place *w)
{
	struct span b = w->b;

	if (l->prints == 0 || l->until_ms <= w->now_ms)
		return false; /* there is nothing to look for */
	w->at = (size_t)NOWHERE;
	for (size_t i = 0; i + PRINT_GRAM <= b.n; i += PRINT_STEP) {
		uint32_t gram = print_gram(l->key, b.p + i);
		uint16_t link = l->by_gram[gram >> 16];

		if (link != NONE && matches(l, link, gram, w, i))
			return true;
	}
	return false;
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
	       uint64_t seen_us, struct leak_hit *hit)
{
	struct segment s = take_apart(frame);
	struct place w = { .b = frame,
			   .starts = frame.n,
			   .client = &s.src,
			   .clear = s.tcp && allowed(l, &s.src, now_ms),
			   .now_ms = now_ms,
			   .seen_us = seen_us };
	bool found = scan(l, &w);

	if (s.tcp && s.data.n > 0) {
		struct stream *t = stream_of(l, &s);
		uint8_t seam[2 * TAIL];
		size_t n = s.data.n < TAIL ? s.data.n : TAIL;

		memcpy(seam, t->tail, t->n);
		memcpy(seam + t->n, s.data.p, n);
		w.b = (struct span){ seam, t->n + n };
		w.starts = w.old = t->n;
		if (t->n > 0 && scan(l, &w))
			found = true;
		keep_tail(t, &s);
	}
	*hit = (struct leak_hit){ s.tcp, s.src, s.dst };
	return found;
}
