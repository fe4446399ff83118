/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_PUNYCODE_H
#define TESTS_UNIT_PUNYCODE_H

/* The way back, RFC 3492 6.2, for tests of the way there. */
#include "base/domain.h"

static inline uint32_t puny_adapt(uint32_t delta, uint32_t n, bool first)
{
	uint32_t k = 0;

	delta /= first ? 700 : 2;
	for (delta += delta / n; delta > (36 - 1) * 26 / 2; k += 36)
		delta /= 36 - 1;
	return k + 36 * delta / (delta + 38);
}

static inline uint32_t puny_value(uint8_t d)
{
	if (d >= 'a' && d <= 'z')
		return d - (uint32_t)'a';
	return d >= '0' && d <= '9' ? d - (uint32_t)'0' + 26 : 99;
}

/* What follows "xn--", as characters; 0: not Punycode. */
static inline size_t puny_decode(uint32_t c[64], struct span s)
{
	uint64_t n = 128, i = 0;
	uint32_t bias = 72;
	size_t out = 0, at = 0;

	for (size_t k = 0; k < s.n; k++)
		at = s.p[k] == '-' ? k : at;
	for (size_t k = 0; k < at; k++)
		c[out++] = s.p[k];
	at += at > 0;
	while (at < s.n) {
		uint64_t old = i, w = 1;

		for (uint32_t k = 36;; k += 36) {
			uint32_t t = k <= bias	      ? 1
				     : k >= bias + 26 ? 26
						      : k - bias;
			uint8_t d = at < s.n ? s.p[at++] : 0;
			uint32_t v = puny_value(d);

			if (v == 99 || i > UINT32_MAX || w > UINT32_MAX)
				return 0;
			i += v * w;
			if (v < t)
				break;
			w *= 36 - t;
		}
		bias = puny_adapt((uint32_t)(i - old), (uint32_t)out + 1,
				  old == 0);
		n += i / (out + 1);
		i %= out + 1;
		if (out == 64 || n > 0x10ffff)
			return 0;
		memmove(c + i + 1, c + i, (out - i) * sizeof(*c));
		c[i++] = (uint32_t)n;
		out++;
	}
	return out;
}

static inline size_t puny_utf8(uint8_t *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (uint8_t)(0xc0 | c >> 6);
		to[1] = (uint8_t)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (uint8_t)(0xe0 | c >> 12);
		to[1] = (uint8_t)(0x80 | (c >> 6 & 63));
		to[2] = (uint8_t)(0x80 | (c & 63));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | c >> 18);
	to[1] = (uint8_t)(0x80 | (c >> 12 & 63));
	to[2] = (uint8_t)(0x80 | (c >> 6 & 63));
	to[3] = (uint8_t)(0x80 | (c & 63));
	return 4;
}

#endif
