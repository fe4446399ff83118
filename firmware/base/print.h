/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include "base/span.h"

/*
 * print - a short text as a few numbers, so that a program can look for it without
 * having it.
 *
 * All depend on a key: one odd random number that the two who share it made for this
 * start. Upper case ASCII is as lower case.
 *
 *	grams	of the octets 0..12, 1..13, 2..14 and 3..15: wherever the text
 *		stands, one of these begins at a multiple of four, so who looks for
 *		it reckons at each fourth octet
 *	whole	a polynomial in the key, modulo 2^64, over all octets (of a long
 *		text, the first PRINT_MAX): where a gram is found, this decides
 *
 * Who has the key could find the first 16 octets of a text by its grams, and guess
 * the rest: prints are for a program that sees all frames, not for others.
 */
enum {
	PRINT_GRAM = 13,
	PRINT_STEP = 4,
	PRINT_FIRST = PRINT_GRAM + PRINT_STEP - 1, /* the least of a text */
	PRINT_MAX = 64, /* of a longer text the rest does not count */
};

struct print {
	uint32_t gram[PRINT_STEP];
	uint64_t whole;
	uint8_t n; /* octets that whole is about */
};

/* False: text is too short to be told from others. */
bool print_of(uint64_t key, struct span text, struct print *p);

bool print_eq(const struct print *a, const struct print *b);

/* The gram of PRINT_GRAM octets. Some other octets than letters count as the same,
 * too: it says where to look. */
static inline uint32_t print_gram(uint64_t key, const uint8_t *p)
{
	const uint64_t lower = 0x2020202020202020;
	uint64_t a, b;

	memcpy(&a, p, 8);
	memcpy(&b, p + PRINT_GRAM - 8, 8);
	return (uint32_t)((((a | lower) * key + (b | lower)) * key) >> 32);
}

/* whole[i]: what whole would be of the first i + 1 octets, for all n, at most
 * PRINT_MAX. */
void print_whole(uint64_t key, const uint8_t *p, size_t n, uint64_t *whole);

#endif
