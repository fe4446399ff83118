/* SPDX-License-Identifier: BSD-2-Clause */
/* utf16 - see utf16.h. */
#include "auth/utf16.h"
#include "base/bytes.h"

/* The next character of s; 0xffffffff: s is not UTF-8 there (RFC 3629 4). */
static uint32_t next(struct span *s)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least;
	} kinds[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	const uint32_t bad = ~0u;
	size_t k = 0;
	uint32_t c;

	while (k < 4 && (s->p[0] & kinds[k].mask) != kinds[k].lead)
		k++;
	if (k == 4 || k >= s->n)
		return bad;
	c = s->p[0] & (uint8_t)~kinds[k].mask;
	for (size_t i = 1; i <= k; i++) {
		if ((s->p[i] & 0xc0) != 0x80)
			return bad;
		c = c << 6 | (s->p[i] & 0x3f);
	}
	if (c < kinds[k].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return bad;
	*s = span_skip(*s, k + 1);
	return c;
}

/* Ranges of small letters: how far their capitals are, and (step 2) that the
 * two alternate, the capital first. */
static const struct {
	uint16_t low, high;
	uint8_t step;
	int16_t off;
} capitals[] = {
	{ 'a', 'z', 1, -32 },	  { 0xe0, 0xf6, 1, -32 },
	{ 0xf8, 0xfe, 1, -32 },	  { 0xff, 0xff, 1, 121 },
	{ 0x101, 0x12f, 2, -1 },  { 0x133, 0x137, 2, -1 },
	{ 0x13a, 0x148, 2, -1 },  { 0x14b, 0x177, 2, -1 },
	{ 0x17a, 0x17e, 2, -1 },  { 0x3ac, 0x3ac, 1, -38 },
	{ 0x3ad, 0x3af, 1, -37 }, { 0x3b1, 0x3c1, 1, -32 },
	{ 0x3c3, 0x3cb, 1, -32 }, { 0x3cc, 0x3cc, 1, -64 },
	{ 0x3cd, 0x3ce, 1, -63 }, { 0x430, 0x44f, 1, -32 },
	{ 0x450, 0x45f, 1, -80 }, { 0x461, 0x481, 2, -1 },
	{ 0x48b, 0x4bf, 2, -1 },  { 0x4c2, 0x4ce, 2, -1 },
	{ 0x4d1, 0x52f, 2, -1 },  { 0x561, 0x586, 1, -48 },
};

static uint32_t capital(uint32_t c)
{
	for (size_t i = 0; i < sizeof(capitals) / sizeof(capitals[0]); i++)
		if (c >= capitals[i].low && c <= capitals[i].high &&
		    (c - capitals[i].low) % capitals[i].step == 0)
			return (uint32_t)((int32_t)c + capitals[i].off);
	return c;
}

int utf16_from(uint8_t *out, size_t max, size_t *n, struct span s, bool upper)
{
	*n = 0;
	while (s.n > 0) {
		uint32_t c = next(&s);

		if (c > 0x10ffff)
			return E_PEER_SYNTAX;
		if (upper)
			c = capital(c);
		if ((c > 0xffff ? 4u : 2u) > max - *n)
			return E_FULL;
		if (c > 0xffff) {
			c -= 0x10000;
			put_le16(out + *n, (uint16_t)(0xd800 | c >> 10));
			*n += 2;
			c = 0xdc00 | (c & 0x3ff);
		}
		put_le16(out + *n, (uint16_t)c);
		*n += 2;
	}
	return OK;
}

/* The next character of s, which has at least two octets. */
static int unit(struct span *s, uint32_t *c)
{
	*c = get_le16(s->p);
	*s = span_skip(*s, 2);
	if (*c < 0xd800 || *c > 0xdfff)
		return OK;
	if (*c > 0xdbff || s->n < 2 || (get_le16(s->p) & 0xfc00) != 0xdc00)
		return E_PEER_SYNTAX;
	*c = 0x10000 + ((*c & 0x3ff) << 10 | (get_le16(s->p) & 0x3ffu));
	*s = span_skip(*s, 2);
	return OK;
}

int utf16_to(uint8_t *out, size_t max, size_t *n, struct span s)
{
	*n = 0;
	if (s.n % 2 != 0)
		return E_PEER_SYNTAX;
	while (s.n > 0) {
		uint8_t b[4];
		size_t k = 0;
		uint32_t c;

		if (unit(&s, &c) != OK)
			return E_PEER_SYNTAX;
		if (c < 0x80) {
			b[k++] = (uint8_t)c;
		} else if (c < 0x800) {
			b[k++] = (uint8_t)(0xc0 | c >> 6);
		} else if (c < 0x10000) {
			b[k++] = (uint8_t)(0xe0 | c >> 12);
			b[k++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		} else {
			b[k++] = (uint8_t)(0xf0 | c >> 18);
			b[k++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
			b[k++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		}
		if (c >= 0x80)
			b[k++] = (uint8_t)(0x80 | (c & 0x3f));
		if (k > max - *n)
			return E_FULL;
		memcpy(out + *n, b, k);
		*n += k;
	}
	return OK;
}
