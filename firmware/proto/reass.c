/* SPDX-License-Identifier: BSD-2-Clause */
/* reass - see reass.h. */
#include "proto/reass.h"

static void forget(struct reass *r, struct reass_datagram *d)
{
	for (unsigned i = 0; i < d->n; i++)
		r->taken[d->slot[i]] = false;
	d->used = false;
}

/* The datagram that f is of; a new one if need be, in the place of the oldest
 * if all are used. Those whose time is over go first. */
static struct reass_datagram *find(struct reass *r, enum port port,
				   const struct frame *f, uint64_t now)
{
	struct reass_datagram *place = &r->datagram[0];

	for (int i = 0; i < REASS_DATAGRAMS; i++) {
		struct reass_datagram *d = &r->datagram[i];

		if (d->used && now - d->since_ms > REASS_MS)
			forget(r, d);
		if (d->used && d->port == port && d->v6 == f->v6 &&
		    d->id == f->frag_id && memcmp(d->src, f->src.ip, 16) == 0 &&
		    memcmp(d->dst, f->dst.ip, 16) == 0)
			return d;
		if (place->used && (!d->used || d->since_ms < place->since_ms))
			place = d;
	}
	if (place->used)
		forget(r, place);
	memset(place, 0, sizeof(*place));
	place->used = true;
	place->v6 = f->v6;
	place->port = port;
	place->id = f->frag_id;
	place->since_ms = now;
	memcpy(place->src, f->src.ip, 16);
	memcpy(place->dst, f->dst.ip, 16);
	return place;
}

static bool acceptable(const struct reass_datagram *d, const struct frame *f)
{
	uint32_t end = f->frag_off + f->frag_n;
	uint32_t head = f->frag_data - f->frag_ip;

	if (f->frag_n == 0 || end > 65535 - head ||
	    f->all.n + f->padding > REASS_FRAGMENT || d->n == REASS_PARTS ||
	    (f->frag_more && f->frag_n % 8 != 0))
		return false;
	if (f->frag_off == 0 ? f->frag_n < 20 : f->frag_off < 20)
		return false;
	if (!f->frag_more && d->total != 0)
		return false;
	if (d->total != 0 && end > d->total)
		return false;
	for (unsigned i = 0; i < d->n; i++)
		if ((f->frag_off < d->off[i] + d->len[i] && d->off[i] < end) ||
		    (!f->frag_more && d->off[i] + d->len[i] > end))
			return false;
	return true;
}

static bool keep(struct reass *r, struct reass_datagram *d,
		 const struct frame *f)
{
	unsigned s = 0;

	while (s < REASS_SLOTS && r->taken[s])
		s++;
	if (s == REASS_SLOTS)
		return false;
	r->taken[s] = true;
	r->slot_n[s] = (uint16_t)(f->all.n + f->padding);
	memcpy(r->slot[s], f->all.p, f->all.n + f->padding);
	d->slot[d->n] = (uint8_t)s;
	d->off[d->n] = f->frag_off;
	d->len[d->n] = f->frag_n;
	d->n++;
	d->have += f->frag_n;
	if (!f->frag_more)
		d->total = f->frag_off + f->frag_n;
	return true;
}

/* The headers of the fragment that began the datagram, then all octets. */
static bool assemble(struct reass *r, const struct reass_datagram *d,
		     struct reass_out *out)
{
	struct frame f;
	uint32_t at = 0;

	for (unsigned i = 0; i < d->n; i++) {
		struct span s = { r->slot[d->slot[i]], r->slot_n[d->slot[i]] };

		out->frames[i] = s;
		if (d->off[i] != 0)
			continue;
		frame_parse(&f, s);
		at = f.frag_data;
		memcpy(r->whole, s.p, at);
		out->frame = f;
	}
	out->frames_n = d->n;
	for (unsigned i = 0; i < d->n; i++) {
		frame_parse(&f, out->frames[i]);
		memcpy(r->whole + at + d->off[i], f.all.p + f.frag_data,
		       d->len[i]);
	}
	out->frame.class_ = FRAME_TCP;
	out->frame.all = (struct span){ r->whole, at + d->total };
	out->frame.l4 = at;
	out->frame.l4_n = d->total;
	return frame_parse_tcp(&out->frame,
			       (struct span){ r->whole + at, d->total }) == OK;
}

enum reass_verdict reass_add(struct reass *r, enum port port,
			     const struct frame *f, uint64_t now_ms,
			     struct reass_out *out)
{
	struct reass_datagram *d = find(r, port, f, now_ms);
	bool good;

	if (!acceptable(d, f) || !keep(r, d, f)) {
		forget(r, d);
		return REASS_DROP;
	}
	if (d->total == 0 || d->have != d->total)
		return REASS_WAIT;
	good = assemble(r, d, out);
	forget(r, d); /* the slots keep their octets until the next call */
	return good ? REASS_WHOLE : REASS_DROP;
}
