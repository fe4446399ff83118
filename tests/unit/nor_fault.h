/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_NOR_FAULT_H
#define TESTS_UNIT_NOR_FAULT_H

/*
 * A NOR flash in memory that loses power, fails and lies, behind the operations
 * of install. Erase sets a block to ones, a write can only clear bits; each
 * erase and each page of a write is an operation, and a cut leaves what it was
 * about undone, done, or somewhere between.
 */
#include <stdlib.h>
#include "image/install.h"

enum {
	NOR_BLOCK = 4096,
	NOR_PAGE = 1024,
	NOR_SLOT = 3 * NOR_BLOCK,
	NOR_ENV = 4 * NOR_BLOCK, /* BOOT_ENV_SIZE */
};

enum nor_torn { TORN_NOT, TORN_DONE, TORN_HALF, TORN_NOISE, TORN_WAYS };

struct nor {
	uint8_t p[PARTS][NOR_ENV];
	uint64_t ops, fault_at; /* 0: never */
	int fault;		/* E_IO; OK: the power goes */
	enum nor_torn torn;
	bool off, liar;
	uint32_t seed;
};

static inline uint32_t nor_random(struct nor *f)
{
	f->seed = f->seed * 1664525u + 1013904223u;
	return f->seed >> 8;
}

static inline void nor_init(struct nor *f)
{
	memset(f, 0, sizeof(*f));
	memset(f->p, 0xff, sizeof(f->p));
	f->seed = 1;
}

static inline size_t nor_size(void *dev, enum part p)
{
	(void)dev;
	return p == PART_SLOT_A || p == PART_SLOT_B ? NOR_SLOT : NOR_ENV;
}

/* The environment is one block; so is each third of a slot. */
static inline size_t nor_block(void *dev, enum part p)
{
	(void)dev;
	return p <= PART_ENV_B ? NOR_ENV : NOR_BLOCK;
}

static inline int nor_read(void *dev, enum part p, size_t at, uint8_t *to,
			   size_t n)
{
	struct nor *f = dev;

	if (f->off)
		return E_IO;
	assert_true(n <= nor_size(f, p) && at <= nor_size(f, p) - n);
	memcpy(to, f->p[p] + at, n);
	return OK;
}

/* Change n octets to what they should become, as far as they get. */
static inline int nor_change(struct nor *f, uint8_t *p, const uint8_t *want,
			     size_t n)
{
	bool cut = ++f->ops == f->fault_at;

	if (f->off)
		return E_IO;
	if (cut && f->fault != OK)
		return f->fault;
	if (!cut) {
		memcpy(p, want, n);
		return OK;
	}
	f->off = true;
	for (size_t i = 0; i < n; i++)
		if (f->torn == TORN_DONE || (f->torn == TORN_HALF && i < n / 2))
			p[i] = want[i];
		else if (f->torn == TORN_NOISE)
			/* each bit has got there or not */
			p[i] ^= (uint8_t)((p[i] ^ want[i]) & nor_random(f));
	return E_IO;
}

static inline int nor_erase(void *dev, enum part p, size_t at)
{
	struct nor *f = dev;
	size_t n = nor_block(f, p);
	uint8_t ones[NOR_ENV];

	assert_true(at % n == 0 && at < nor_size(f, p));
	memset(ones, 0xff, n);
	return nor_change(f, f->p[p] + at, ones, n);
}

static inline int nor_write(void *dev, enum part p, size_t at, struct span s)
{
	struct nor *f = dev;

	assert_true(s.n <= nor_size(f, p) && at <= nor_size(f, p) - s.n);
	while (s.n > 0) {
		size_t n = s.n < NOR_PAGE ? s.n : NOR_PAGE;
		uint8_t want[NOR_PAGE];
		int r;

		for (size_t i = 0; i < n; i++)
			want[i] = s.p[i] & f->p[p][at + i];
		if (f->liar)
			want[n / 2] ^= 1;
		r = nor_change(f, f->p[p] + at, want, n);
		if (r != OK)
			return r;
		at += n;
		s = span_skip(s, n);
	}
	return OK;
}

static inline const char *nor_why(void *dev)
{
	const struct nor *f = dev;

	return f->off ? "the power is off" : "the medium fails";
}

static const struct part_ops nor_ops = { nor_size,  nor_block, nor_read,
					 nor_erase, nor_write, nor_why };

/* The power goes (fault OK) or an error comes at operation n from now. */
static inline void nor_fault(struct nor *f, uint64_t n, int fault,
			     enum nor_torn torn)
{
	f->ops = 0;
	f->fault_at = n;
	f->fault = fault;
	f->torn = torn;
	f->off = false;
}

#endif
