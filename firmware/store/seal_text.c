/* SPDX-License-Identifier: BSD-2-Clause */
/* seal_text - see seal_text.h. */
#include <mbedtls/base64.h>
#include "base/bug.h"
#include "base/bytes.h"
#include "store/seal_text.h"

enum {
	FORMAT = 1,
	FRONT = 1 + SEAL_NONCE,
	STEP = 32,
	INNER_MAX = (2 + SEAL_TEXT_SECRET + STEP - 1) / STEP * STEP,
	OUTER_MAX = FRONT + INNER_MAX + SEAL_TAG,
	WITH_MAX = 256,
};

_Static_assert((OUTER_MAX + 2) / 3 * 4 < SEAL_TEXT_MAX, "room for all of it");

/* Format and owner, as they are authenticated. */
static struct seal *begin(enum seal_way way, const uint8_t key[SEAL_SECRET],
			  const uint8_t *outer, struct span with)
{
	uint8_t ad[1 + WITH_MAX];

	BUG_ON(with.n > WITH_MAX);
	ad[0] = outer[0];
	if (with.n > 0)
		memcpy(ad + 1, with.p, with.n);
	return seal_new(way, key, outer + 1, (struct span){ ad, 1 + with.n });
}

int seal_text_shut(char out[SEAL_TEXT_MAX], const uint8_t key[SEAL_SECRET],
		   struct span with, struct span secret)
{
	uint8_t outer[OUTER_MAX] = { FORMAT }, *inner = outer + FRONT;
	size_t inner_n = (2 + secret.n + STEP - 1) / STEP * STEP, n;
	struct seal *s;

	if (secret.n == 0 || secret.n > SEAL_TEXT_SECRET)
		return E_CONF;
	if (seal_random(outer + 1, SEAL_NONCE) != OK)
		return E_IO;
	s = begin(SEAL_SHUT, key, outer, with);
	if (!s)
		return E_FULL;
	put_le16(inner, (uint16_t)secret.n);
	memcpy(inner + 2, secret.p, secret.n);
	seal_piece(s, inner, inner, inner_n);
	seal_tag(s, inner + inner_n);
	seal_free(s);
	BUG_ON(mbedtls_base64_encode((uint8_t *)out, SEAL_TEXT_MAX, &n, outer,
				     FRONT + inner_n + SEAL_TAG) != 0);
	return OK;
}

/* One spelling alone: what decodes must encode to the same. */
static int decode(uint8_t outer[OUTER_MAX], size_t *n, struct span text)
{
	uint8_t again[SEAL_TEXT_MAX];
	size_t m;

	if (mbedtls_base64_decode(outer, OUTER_MAX, n, text.p, text.n) != 0 ||
	    mbedtls_base64_encode(again, sizeof(again), &m, outer, *n) != 0 ||
	    !span_eq((struct span){ again, m }, text))
		return E_CONF;
	if (*n < FRONT + STEP + SEAL_TAG || outer[0] != FORMAT ||
	    (*n - FRONT - SEAL_TAG) % STEP != 0)
		return E_CONF;
	return OK;
}

int seal_text_open(uint8_t secret[SEAL_TEXT_SECRET], size_t *n,
		   const uint8_t key[SEAL_SECRET], struct span with,
		   struct span text)
{
	uint8_t outer[OUTER_MAX], *inner = outer + FRONT;
	size_t inner_n;
	struct seal *s;
	int r = decode(outer, &inner_n, text);

	*n = 0;
	if (r != OK)
		return r;
	inner_n -= FRONT + SEAL_TAG;
	s = begin(SEAL_OPEN, key, outer, with);
	if (!s)
		return E_FULL;
	seal_piece(s, inner, inner, inner_n);
	r = seal_check(s, inner + inner_n);
	seal_free(s);
	if (r == OK) {
		*n = get_le16(inner);
		if (*n == 0 || *n > SEAL_TEXT_SECRET || *n > inner_n - 2)
			r = E_CORRUPT;
	}
	if (r == OK)
		memcpy(secret, inner + 2, *n);
	seal_wipe(outer, sizeof(outer));
	return r;
}
