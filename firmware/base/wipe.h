/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_WIPE_H
#define BASE_WIPE_H

#include <stddef.h>
#include <string.h>

/* Forget n octets at p, whatever the compiler thinks of memory that nobody
 * reads afterwards. */
static inline void wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory");
}

#endif
