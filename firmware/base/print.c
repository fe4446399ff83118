/* SPDX-License-Identifier: BSD-2-Clause */
/* print - see print.h. */
#include "base/print.h"

void print_whole(uint64_t key, const uint8_t *p, size_t n, uint64_t *whole)
{
	uint64_t h = 0;

	for (size_t i = 0; i < n; i++)
		whole[i] = h = h * key + ascii_lower(p[i]);
}

bool print_of(uint64_t key, struct span text, struct print *p)
{
	uint64_t whole[PRINT_MAX];
	size_t n = text.n < PRINT_MAX ? text.n : PRINT_MAX;

	if (n < PRINT_FIRST)
		return false;
	for (int i = 0; i < PRINT_STEP; i++)
		p->gram[i] = print_gram(key, text.p + i);
	print_whole(key, text.p, n, whole);
	p->whole = whole[n - 1];
	p->n = (uint8_t)n;
	return true;
}

bool print_eq(const struct print *a, const struct print *b)
{
	return a->whole == b->whole && a->n == b->n &&
	       memcmp(a->gram, b->gram, sizeof(a->gram)) == 0;
}
