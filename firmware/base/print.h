/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include "base/span.h"

/*
 * print - a short text as three numbers, so that a program can look for it
 * without having it.
 *
 * The numbers are polynomials in a secret (the key: one odd random number that
 * the two who share it made for this start), modulo 2^64, over the octets of the
 * text with its upper case ASCII as lower case. The first can be rolled along a
 * stream, one octet at a time; where it fits, the second is computed.
 */
enum {
	PRINT_FIRST =
		16, /* octets of the first number, and the least of a text */
	PRINT_MAX = 64, /* of a longer text the rest does not count */
};

struct print {
	uint64_t first, whole;
	uint8_t n; /* octets that whole is about */
};

/* False: text is too short to be told from others. */
bool print_of(uint64_t key, struct span text, struct print *p);

/* key to the power of PRINT_FIRST: what an octet that leaves is worth. */
uint64_t print_leaving(uint64_t key);

/* The number of n octets, for whoever rolls or checks. */
uint64_t print_number(uint64_t key, const uint8_t *p, size_t n);

#endif
