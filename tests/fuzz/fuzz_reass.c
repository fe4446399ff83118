/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments of one segment, as the input says: each five octets are one (which
 * datagram, where, how long, more, when). Octet k of every fragment is a
 * function of k alone, so what is put together must be that, whatever came in
 * which order; and nothing stays taken that belongs to no datagram.
 */
#include "base/bug.h"
#include "packet.h"
#include "proto/reass.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static uint8_t octet(uint32_t k)
{
	return k == 12 ? 5 << 4 : (uint8_t)(k * 7 + (k >> 8));
}

static void slots(const struct reass *r)
{
	unsigned taken = 0, owned = 0;

	for (int i = 0; i < REASS_SLOTS; i++)
		taken += r->taken[i];
	for (int i = 0; i < REASS_DATAGRAMS; i++)
		owned += r->datagram[i].used ? r->datagram[i].n : 0;
	BUG_ON(taken != owned);
}

static void one(struct reass *r, const uint8_t in[5], uint64_t now)
{
	static struct reass_out out;
	static uint8_t octets[2048];
	bool v6 = in[0] & 1, more = in[0] & 2;
	uint32_t off = (uint32_t)(in[1] | (in[0] & 0x18) << 5) * 8;
	uint32_t len = in[2] * (in[0] & 4 ? 8u : 1u);
	struct packet k;
	struct frame f;

	for (uint32_t i = 0; i < len; i++)
		octets[i] = octet(off + i);
	pk_eth(&k, v6 ? 0x86dd : 0x0800);
	if (v6) {
		pk_ip6(&k, 60);
		pk_ext(&k, 44, 8 * (1u + in[4] % 4));
		pk_frag6(&k, 6, off, more, in[3] & 3);
	} else {
		pk_ip4(&k, 6, off / 8 | (more ? 0x2000u : 0), "\1\1\1\1",
		       in[4] % 2 * 4);
		k.b[19] = in[3] & 3;
	}
	pk_put(&k, octets, len);
	frame_parse(&f, pk_guard(pk_done(&k)));
	if (f.class_ != FRAME_FRAGMENT)
		return;
	if (reass_add(r, INSIDE, &f, now, &out) == REASS_WHOLE) {
		BUG_ON(out.frame.l4_n < 20 ||
		       out.frame.l4 + out.frame.l4_n != out.frame.all.n);
		for (uint32_t i = 0; i < out.frame.l4_n; i++)
			BUG_ON(out.frame.all.p[out.frame.l4 + i] != octet(i));
		for (unsigned i = 0; i < out.frames_n; i++) {
			frame_parse(&f, out.frames[i]);
			BUG_ON(f.class_ != FRAME_FRAGMENT);
		}
	}
	slots(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct reass *r;
	uint64_t now = 0;

	if (!r)
		r = malloc(sizeof(*r));
	BUG_ON(!r);
	memset(r->datagram, 0, sizeof(r->datagram));
	memset(r->taken, 0, sizeof(r->taken));
	for (; n >= 5; p += 5, n -= 5) {
		now += (p[3] >> 2) * 8u;
		one(r, p, now);
	}
	return 0;
}
