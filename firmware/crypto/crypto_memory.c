/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crypto_memory - what mbedTLS allocates with (config/mbedtls_config.h).
 *
 * A session has two record buffers of 16 KiB, and an idle one uses a page of
 * each. From the heap they would be cleared, and so touched, as a whole; as
 * mappings of their own they are zero without that, cost what was used, and go
 * back to the system when the session ends. But for a few, which the next session
 * gets: a mapping that goes takes longer than a tenth of a handshake.
 */
#include <mbedtls/build_info.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/wipe.h"
#include "crypto/crypto_memory.h"

#ifdef __SANITIZE_ADDRESS__
#define MAPPED SIZE_MAX /* none: the sanitizer knows the heap only */
#else
#define MAPPED ((size_t)16384)
#endif

/* In front of what is given out; as large as the strictest alignment. */
union head {
	size_t mapped; /* the whole mapping; 0: from the heap */
	max_align_t align;
};

/* Mappings that wait for the next session, all zero. Not many: of these, idle
 * sessions do cost the whole. */
static union head *kept[16];
static size_t kept_n;

static bool failed;

bool crypto_memory_failed(void)
{
	bool was = failed;

	failed = false;
	return was;
}

static union head *get_kept(size_t all)
{
	for (size_t i = 0; i < kept_n; i++) {
		union head *h = kept[i];

		if (h->mapped != all)
			continue;
		kept[i] = kept[--kept_n];
		return h;
	}
	return NULL;
}

static bool keep(union head *h)
{
	if (kept_n == sizeof(kept) / sizeof(kept[0]))
		return false;
	wipe(h + 1, h->mapped - sizeof(*h));
	kept[kept_n++] = h;
	return true;
}

static union head *get(size_t all)
{
	union head *h;

	if (all < MAPPED)
		return calloc(1, all);
	h = get_kept(all);
	if (h)
		return h;
	h = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0);
	if (h == MAP_FAILED)
		return NULL;
	h->mapped = all;
	return h;
}

void *crypto_calloc(size_t n, size_t size)
{
	union head *h = NULL;
	size_t all;

	if (!__builtin_mul_overflow(n, size, &all) &&
	    !__builtin_add_overflow(all, sizeof(*h), &all))
		h = get(all);
	if (h)
		return h + 1;
	failed = true;
	return NULL;
}

void crypto_free(void *p)
{
	union head *h = p;

	if (!h)
		return;
	h--;
	if (h->mapped == 0)
		free(h);
	else if (!keep(h))
		munmap(h, h->mapped);
}
