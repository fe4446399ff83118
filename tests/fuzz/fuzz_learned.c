/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as what was learned, out of flash or from a relay: refused, and nothing
 * was taken; or what is written of it is read again as the same. */
#include <stdlib.h>
#include "base/bug.h"
#include "policy/learned.h"

enum { ROOM = LEARNED_SLOTS * LEARNED_RECORD_MAX + 1 };

static struct learned *fresh(void *mem)
{
	static const uint8_t key[16] = "what was learned";

	return learned_init(mem, key);
}

static void check(const struct learned *l, const struct learned_domain *d)
{
	struct span name = { (const uint8_t *)d->name, d->name_n };

	BUG_ON(learned_find(l, name) != d || d->name[d->name_n] != '\0');
	BUG_ON(d->key_n == 0 || d->key_n > LEARNED_KEYS);
	BUG_ON(d->lowest < 0x0303 || d->highest > 0x0304 ||
	       d->lowest > d->highest);
	BUG_ON(d->first_day > d->last_day);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t first[ROOM], second[ROOM];
	static void *mem[2];
	enum learned_news news;
	struct learned *l, *m;
	size_t at = 0, a, b, count = 0;

	for (int i = 0; i < 2; i++)
		if (!mem[i])
			mem[i] = malloc(learned_size());
	l = fresh(mem[0]);
	m = fresh(mem[1]);
	if (learned_read(l, (struct span){ data, n }, &news) != OK) {
		BUG_ON(learned_n(l) != 0);
		return 0;
	}
	for (size_t i = 0; i < LEARNED_SLOTS; i++)
		if (learned_at(l, i)) {
			check(l, learned_at(l, i));
			count++;
		}
	BUG_ON(count != learned_n(l));
	a = learned_write(l, &at, false, first, sizeof(first));
	BUG_ON(at != LEARNED_SLOTS);
	BUG_ON(learned_read(m, (struct span){ first, a }, &news) != OK);
	at = 0;
	b = learned_write(m, &at, false, second, sizeof(second));
	BUG_ON(a != b || memcmp(first, second, a) != 0);
	/* it is no news to who knows it already */
	BUG_ON(learned_read(m, (struct span){ first, a }, &news) != OK ||
	       news != LEARNED_NOTHING);
	return 0;
}
