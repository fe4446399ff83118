/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_open - the beginning of a store, and its end: the secret that seals it,
 * a factory reset, and one that was cut.
 */
#include <stdlib.h>
#include "store/store_bag.h"

enum { SECRET_COPIES = 2 };

/* --- factory reset ----------------------------------------------------------- */

/* All of kind k but one. */
static int empty(struct store *s, enum store_kind k, uint32_t but,
		 struct text *say)
{
	struct bag_numbers l;
	int r, worst = OK;

	do {
		r = bag_list(s, k, &l, say);
		if (r != OK)
			return r;
		for (size_t i = 0; i < l.n; i++)
			if (l.number[i] != but &&
			    bag_drop(s, k, l.number[i], say) != OK)
				worst = E_IO;
	} while (l.n == STORE_LIST_MAX && worst == OK);
	r = bag_dirsync(s, say);
	return worst != OK ? worst : r;
}

/* The configurations that will not be missed first, then the one that would be
 * used, then the password that protects it, then the secrets, then the mark:
 * each when the one before is gone. */
static int erase(struct store *s, struct text *say)
{
	struct bag_numbers l;
	uint32_t last = 0;
	int r = bag_list(s, STORE_CONF, &l, say);

	if (r == OK && s->ready)
		last = bag_newest(s, STORE_CONF, &l, UINT32_MAX);
	if (r == OK)
		r = empty(s, STORE_RESCUE, 0, say);
	if (r == OK)
		r = empty(s, STORE_CONF, last, say);
	if (r == OK)
		r = empty(s, STORE_CONF, 0, say);
	if (r == OK)
		r = empty(s, STORE_KEYS, 0, say);
	if (r == OK)
		r = empty(s, STORE_CLOCK, 0, say);
	if (r == OK)
		r = empty(s, STORE_LEARNED, 0, say);
	if (r == OK)
		r = empty(s, STORE_PASSWORD, 0, say);
	if (r == OK)
		r = empty(s, STORE_KEPT, 0, say);
	if (r == OK)
		r = empty(s, STORE_SECRET, 0, say);
	if (r == OK)
		r = empty(s, STORE_RESET, 0, say);
	return r == OK ? OK : E_IO;
}

int store_erase_all(struct store *s, struct text *say)
{
	struct store_info info = { .schema = STORE_SCHEMA };
	int r;

	(void)bag_add(s, STORE_RESET, &info, (struct span){ 0 }, NULL);
	r = erase(s, say);
	store_close(s);
	return r;
}

static int finish_reset(struct store *s, struct text *say)
{
	struct bag_numbers l;
	int r = bag_list(s, STORE_RESET, &l, say);

	if (r != OK || bag_newest(s, STORE_RESET, &l, UINT32_MAX) == 0)
		return r;
	bag_put(say, "a factory reset that had begun is finished\n");
	return erase(s, say);
}

/* --- opening ----------------------------------------------------------------- */

/* Can anything here need the secret? */
static int holds_sealed(struct store *s, bool *any, struct text *say)
{
	static const enum store_kind kind[] = { STORE_CONF,	STORE_RESCUE,
						STORE_PASSWORD, STORE_KEYS,
						STORE_CLOCK,	STORE_LEARNED };
	struct bag_numbers l;
	int r = OK;

	*any = false;
	for (size_t i = 0; r == OK && i < sizeof(kind) / sizeof(kind[0]); i++) {
		r = bag_list(s, kind[i], &l, say);
		*any |= l.n > 0;
	}
	return r;
}

/* The newest copy of the secret that verifies; *have of the same, *bad not. */
static int read_secret(struct store *s, uint8_t secret[SEAL_SECRET],
		       unsigned *have, struct bag_numbers *bad,
		       struct text *say)
{
	static const uint8_t no_key[SEAL_SECRET];
	struct bag_numbers l;
	int r = bag_list(s, STORE_SECRET, &l, say);

	*have = 0;
	bad->n = 0;
	for (size_t i = 0; r == OK && i < l.n; i++) {
		struct store_info info;
		uint64_t size;
		const char *why;
		char *text = NULL;

		r = store_file_read(s, no_key, STORE_SECRET, l.number[i], &info,
				    &size, &text, &why);
		if (r == E_FULL)
			return r;
		if (r != OK || info.size != SEAL_SECRET) {
			bag_put_file(say, STORE_SECRET, l.number[i],
				     "a copy of the secret is lost", why);
			bad->number[bad->n++] = l.number[i];
		} else if (*have == 0) {
			memcpy(secret, text, SEAL_SECRET);
			*have = 1;
		} else if (memcmp(secret, text, SEAL_SECRET) == 0) {
			++*have;
		}
		if (text)
			seal_wipe(text, (size_t)info.size);
		free(text);
		r = OK;
	}
	return r;
}

static int new_secret(struct store *s, uint8_t secret[SEAL_SECRET],
		      struct text *say)
{
	bool any;
	int r = holds_sealed(s, &any, say);

	if (r != OK)
		return r;
	if (any) {
		bag_put(say, "the secret of this box is lost: what was stored "
			     "cannot be read again, and only a factory reset "
			     "helps\n");
		return E_CORRUPT;
	}
	r = seal_random(secret, SEAL_SECRET);
	if (r != OK)
		bag_put(say, "the kernel has no random octets\n");
	return r;
}

/* The store's own secret, in two copies as long as they can be had. */
static int own_secret(struct store *s, uint8_t secret[SEAL_SECRET],
		      struct text *say)
{
	struct store_info info = { .schema = STORE_SCHEMA,
				   .size = SEAL_SECRET };
	struct bag_numbers bad;
	unsigned have;
	int r = read_secret(s, secret, &have, &bad, say);

	if (r == OK && have == 0)
		r = new_secret(s, secret, say);
	if (r != OK || have >= SECRET_COPIES)
		return r;
	while (have < SECRET_COPIES) {
		r = bag_add(s, STORE_SECRET, &info,
			    (struct span){ secret, SEAL_SECRET }, say);
		if (r != OK)
			return have > 0 ? OK : r;
		have++;
	}
	for (size_t i = 0; i < bad.n; i++)
		(void)bag_drop(s, STORE_SECRET, bad.number[i], say);
	if (bad.n > 0)
		(void)bag_dirsync(s, say);
	return OK;
}

int store_open(struct store *s, const struct store_ops *ops, void *dev,
	       const uint8_t *secret, void (*alive)(void), struct text *say)
{
	uint8_t own[SEAL_SECRET];
	int r;

	*s = (struct store){ .ops = ops, .dev = dev, .alive = alive };
	r = finish_reset(s, say);
	if (r == OK && !secret) {
		r = own_secret(s, own, say);
		secret = own;
	}
	if (r == OK)
		r = seal_key(s->key, secret, "configuration store");
	s->ready = r == OK;
	seal_wipe(own, sizeof(own));
	return r;
}

int store_key(const struct store *s, const char *purpose,
	      uint8_t key[SEAL_SECRET])
{
	return s->ready ? seal_key(key, s->key, purpose) : E_IO;
}

void store_close(struct store *s)
{
	seal_wipe(s->key, sizeof(s->key));
	s->ready = false;
}
