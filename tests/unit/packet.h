/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_PACKET_H
#define TESTS_UNIT_PACKET_H

/*
 * Frames for tests, written from the outside in; and a copy of bytes that ends
 * where memory ends, so that reading one octet too far kills the test.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/bytes.h"
#include "proto/frame.h"

struct packet {
	uint8_t b[4096];
	size_t n;
	size_t len_at, len_from; /* an IP length to be filled in */
	bool len4;
};

static inline void pk_put(struct packet *p, const void *b, size_t n)
{
	memcpy(p->b + p->n, b, n);
	p->n += n;
}

static inline void pk_16(struct packet *p, unsigned v)
{
	put_be16(p->b + p->n, (uint16_t)v);
	p->n += 2;
}

static inline void pk_eth(struct packet *p, unsigned type)
{
	static const uint8_t mac[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };

	*p = (struct packet){ 0 };
	pk_put(p, mac, 12);
	pk_16(p, type);
}

/* What was put so far announces a tag; inside it is type. */
static inline void pk_tag(struct packet *p, unsigned vid, unsigned type)
{
	pk_16(p, vid);
	pk_16(p, type);
}

static inline void pk_pppoe(struct packet *p, unsigned ppp)
{
	static const uint8_t head[6] = { 0x11, 0, 0, 7, 0, 0 };

	pk_put(p, head, 6);
	pk_16(p, ppp);
}

/* 10.0.0.1 -> 198.51.100.2; frag as on the wire; opt_n is a multiple of 4 */
static inline void pk_ip4(struct packet *p, unsigned proto, unsigned frag,
			  const void *opt, size_t opt_n)
{
	uint8_t h[20] = { (uint8_t)(0x40 | (5 + opt_n / 4)),
			  0,
			  0,
			  0,
			  0x12,
			  0x34,
			  (uint8_t)(frag >> 8),
			  (uint8_t)frag,
			  64,
			  (uint8_t)proto,
			  0,
			  0,
			  10,
			  0,
			  0,
			  1,
			  198,
			  51,
			  100,
			  2 };

	p->len_from = p->n;
	p->len_at = p->n + 2;
	p->len4 = true;
	pk_put(p, h, 20);
	if (opt_n > 0)
		pk_put(p, opt, opt_n);
}

/* fd00::1 -> 2001:db8::2 */
static inline void pk_ip6(struct packet *p, unsigned next)
{
	uint8_t h[40] = { 0x60, [7] = 64, [8] = 0xfd, [23] = 1, [24] = 0x20,
			  1,	0x0d,	  0xb8,	      [39] = 2 };

	h[6] = (uint8_t)next;
	p->len_at = p->n + 4;
	p->len_from = p->n + 40;
	p->len4 = false;
	pk_put(p, h, 40);
}

/* An extension header of n octets (8, 16, ...) before next. */
static inline void pk_ext(struct packet *p, unsigned next, size_t n)
{
	memset(p->b + p->n, 0, n);
	p->b[p->n] = (uint8_t)next;
	p->b[p->n + 1] = (uint8_t)(n / 8 - 1);
	p->n += n;
}

static inline void pk_frag6(struct packet *p, unsigned next, unsigned off,
			    bool more, uint32_t id)
{
	p->b[p->n] = (uint8_t)next;
	p->b[p->n + 1] = 0;
	put_be16(p->b + p->n + 2, (uint16_t)(off | more));
	put_be32(p->b + p->n + 4, id);
	p->n += 8;
}

static inline void pk_tcp(struct packet *p, unsigned sport, unsigned dport,
			  unsigned flags, const void *opt, size_t opt_n)
{
	uint8_t h[20] = { [4] = 0x11,	  0x22, 0x33,
			  0x44,		  0x55, 0x66,
			  0x77,		  0x88, (uint8_t)((5 + opt_n / 4) << 4),
			  (uint8_t)flags, 0x20, 0x00 };

	put_be16(h, (uint16_t)sport);
	put_be16(h + 2, (uint16_t)dport);
	pk_put(p, h, 20);
	if (opt_n > 0)
		pk_put(p, opt, opt_n);
}

/* Fill in the length of the last IP header. */
static inline struct span pk_done(struct packet *p)
{
	put_be16(p->b + p->len_at, (uint16_t)(p->n - p->len_from));
	return (struct span){ p->b, p->n };
}

/* A copy that ends at an unreadable page. One at a time. */
static inline struct span pk_guard(struct span s)
{
	static uint8_t *end;
	const size_t room = 1 << 18;

	if (!end) {
		uint8_t *m = mmap(NULL, room + 65536, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (m == MAP_FAILED || mprotect(m + room, 65536, PROT_NONE))
			abort();
		end = m + room;
	}
	if (s.n > room)
		abort();
	if (s.n > 0)
		memcpy(end - s.n, s.p, s.n);
	return (struct span){ end - s.n, s.n };
}

#endif
