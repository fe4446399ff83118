/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/span.h"

/*
 * SipHash-2-4 (Aumasson, Bernstein 2012), 64-bit output. Keyed, so that nobody
 * outside can choose what collides: hash tables, initial sequence numbers.
 */
uint64_t siphash(const uint8_t key[16], struct span s);

#endif
