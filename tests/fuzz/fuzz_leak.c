/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frames: nothing is read behind their end, and a text that stands whole in
 * one of them is found, whatever is around it.
 */
#include <stdlib.h>
#include "base/bug.h"
#include "packet.h"
#include "proto/leak.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { KEY = 0x9e3779b1 };

static const char secret[] = "a text that nobody may read";

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t seed[16];
	static struct leak *l;
	static uint64_t now;
	const struct endpoint nobody = { .port = 0 };
	struct leak_hit hit;
	struct print print;
	uint8_t mem[4096];
	size_t at, len = sizeof(secret) - 1;

	if (!l)
		l = leak_init(malloc(leak_size()), KEY, seed);
	if (n < 62 || n > 2000)
		return 0;
	BUG_ON(!print_of(KEY, span_str(secret), &print));
	leak_protect(l, &nobody, &print, ++now, 0);
	(void)leak_look(l, pk_guard((struct span){ p, n }), now, 0, &hit);
	/* what is put behind the headers, in the middle of the rest */
	at = 80 + p[0] % 100;
	if (n < at)
		return 0;
	memcpy(mem, p, at);
	memcpy(mem + at, secret, len);
	memcpy(mem + at + len, p + at, n - at);
	BUG_ON(!leak_look(l, pk_guard((struct span){ mem, n + len }), now, 0,
			  &hit));
	return 0;
}
