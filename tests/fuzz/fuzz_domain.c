/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name that is taken is one spelling: host octets within the limits, the
 * same again when it is normalised again or written in capitals, and each
 * label in UTF-8 is what its A-label decodes to.
 */
#include "base/bug.h"
#include "base/domain.h"
#include "packet.h"
#include "punycode.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void label(struct span in, struct span out)
{
	uint8_t back[64 * 4];
	uint32_t c[64];
	bool ascii = true;
	size_t n, at = 0;

	BUG_ON(out.n == 0 || out.n > DOMAIN_LABEL_MAX || out.p[0] == '-' ||
	       out.p[out.n - 1] == '-');
	for (size_t i = 0; i < out.n; i++)
		BUG_ON(!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_",
			       out.p[i]) ||
		       out.p[i] == '\0');
	for (size_t i = 0; i < in.n; i++)
		ascii = ascii && in.p[i] < 0x80;
	if (ascii) {
		BUG_ON(!span_eq_nocase(in, out));
		return;
	}
	BUG_ON(out.n < 5 || memcmp(out.p, "xn--", 4) != 0);
	n = puny_decode(c, span_skip(out, 4));
	BUG_ON(n == 0);
	for (size_t i = 0; i < n; i++)
		at += puny_utf8(back + at, c[i]);
	BUG_ON(!span_eq_nocase(in, (struct span){ back, at }));
}

static struct span first(struct span *s)
{
	const uint8_t *dot = s->n > 0 ? memchr(s->p, '.', s->n) : NULL;
	struct span l = { s->p, dot ? (size_t)(dot - s->p) : s->n };

	*s = span_skip(*s, dot ? l.n + 1 : l.n);
	return l;
}

static void same(const char *key, size_t n, struct span in)
{
	char out[DOMAIN_MAX + 1];
	size_t out_n;

	BUG_ON(domain_normalise(out, &out_n, pk_guard(in)) != OK);
	BUG_ON(out_n != n || memcmp(out, key, n + 1) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n }, out;
	char key[DOMAIN_MAX + 1], capitals[DOMAIN_MAX + 1];
	size_t key_n;

	if (n > 4096 || domain_normalise(key, &key_n, pk_guard(in)) != OK)
		return 0;
	BUG_ON(key_n == 0 || key_n > DOMAIN_MAX || strlen(key) != key_n);
	out = (struct span){ (const uint8_t *)key, key_n };
	same(key, key_n, out);
	memcpy(capitals, key, key_n);
	for (size_t i = 0; i < key_n; i++)
		if (key[i] >= 'a' && key[i] <= 'z')
			capitals[i] = (char)(key[i] - 32);
	same(key, key_n, (struct span){ (const uint8_t *)capitals, key_n });
	in.n -= in.p[in.n - 1] == '.';
	while (out.n > 0) {
		struct span a = first(&in);

		label(a, first(&out));
	}
	BUG_ON(in.n > 0);
	return 0;
}
