/* SPDX-License-Identifier: BSD-2-Clause */
/* print - see print.h. */
#include "base/print.h"

uint64_t print_number(uint64_t key, const uint8_t *p, size_t n)
{
	uint64_t h = 0;

	for (size_t i = 0; i < n; i++)
		h = h * key + ascii_lower(p[i]);
	return h;
}

uint64_t print_leaving(uint64_t key)
{
	uint64_t v = 1;

	for (int i = 0; i < PRINT_FIRST; i++)
		v *= key;
	return v;
}

bool print_of(uint64_t key, struct span text, struct print *p)
{
	size_t n = text.n < PRINT_MAX ? text.n : PRINT_MAX;

	if (n < PRINT_FIRST)
		return false;
	p->first = print_number(key, text.p, PRINT_FIRST);
	p->whole = print_number(key, text.p, n);
	p->n = (uint8_t)n;
	return true;
}
