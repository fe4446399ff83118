/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_heap - see ip_heap.h. Blocks have one of a few sizes, each twice the one
 * before; the heap itself knows the size of a block that comes back.
 */
#include <malloc.h>
#include <stdlib.h>
#include "ip/ip_heap.h"

enum {
	SIZES = 4,   /* the last one holds a whole super-frame */
	MORE = 1024, /* than a power of two, for what lwIP puts in front */
};

struct block {
	struct block *next;
};

/* To the sanitizer a block that is kept is one that was freed. */
#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(const volatile void *p, size_t n);
void __asan_unpoison_memory_region(const volatile void *p, size_t n);
#else
#define __asan_poison_memory_region(p, n)
#define __asan_unpoison_memory_region(p, n)
#endif

static struct block *kept[SIZES];
static size_t kept_n;

static size_t size_of(int i)
{
	return ((size_t)IP_HEAP_LEAST << i) + MORE;
}

void *ip_heap_take(size_t n)
{
	struct block *b;
	int i = 0;

	while (i < SIZES && size_of(i) < n)
		i++;
	if (n < IP_HEAP_LEAST || i == SIZES)
		return malloc(n);
	b = kept[i];
	if (!b)
		return malloc(size_of(i));
	kept[i] = b->next;
	kept_n -= size_of(i);
	__asan_unpoison_memory_region(b + 1, size_of(i) - sizeof(*b));
	return b;
}

void ip_heap_give(void *p)
{
	size_t n = p ? malloc_usable_size(p) : 0;
	struct block *b = p;
	int i = SIZES - 1;

	while (i >= 0 && size_of(i) > n)
		i--;
	if (i < 0 || kept_n + size_of(i) > IP_HEAP_KEPT) {
		free(p);
		return;
	}
	b->next = kept[i];
	kept[i] = b;
	kept_n += size_of(i);
	__asan_poison_memory_region(b + 1, size_of(i) - sizeof(*b));
}

size_t ip_heap_kept(void)
{
	return kept_n;
}
