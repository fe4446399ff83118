/* SPDX-License-Identifier: BSD-2-Clause */
/* hash - SipHash-2-4 as in the paper; tests/unit/test_base.c has its vectors. */
#include "base/bytes.h"
#include "base/hash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void round_(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static void absorb(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	round_(s);
	round_(s);
	s->v0 ^= m;
}

uint64_t siphash(const uint8_t key[16], struct span in)
{
	uint64_t k0 = get_le64(key), k1 = get_le64(key + 8);
	uint64_t last = (uint64_t)in.n << 56;
	struct sip s = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
			 k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	size_t i = 0;

	for (; in.n - i >= 8; i += 8)
		absorb(&s, get_le64(in.p + i));
	for (size_t k = 0; i + k < in.n; k++)
		last |= (uint64_t)in.p[i + k] << (8 * k);
	absorb(&s, last);
	s.v2 ^= 0xff;
	for (int k = 0; k < 4; k++)
		round_(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
