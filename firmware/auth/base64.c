/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base64 - see base64.h. Without tables and branches on the octets: some of them
 * are passwords, and a cache remembers what was looked up.
 */
#include "auth/base64.h"

/* All ones if low <= c <= high, else zero. c, low and high below 256. */
static unsigned between(unsigned c, unsigned low, unsigned high)
{
	unsigned in = ((low - 1 - c) & (c - high - 1)) >> 8 & 1;

	return 0 - in;
}

/* The character of 0..63. */
static uint8_t digit(unsigned v)
{
	unsigned c = between(v, 0, 25) & (v + 'A');

	c |= between(v, 26, 51) & (v - 26 + 'a');
	c |= between(v, 52, 61) & (v - 52 + '0');
	c |= between(v, 62, 62) & '+';
	c |= between(v, 63, 63) & '/';
	return (uint8_t)c;
}

/* The value of a character; 64 and more: it is none. */
static unsigned value(unsigned c)
{
	unsigned upper = between(c, 'A', 'Z'), lower = between(c, 'a', 'z');
	unsigned number = between(c, '0', '9');
	unsigned plus = between(c, '+', '+'), slash = between(c, '/', '/');

	return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) |
	       (number & (c - '0' + 52)) | (plus & 62) | (slash & 63) |
	       (~(upper | lower | number | plus | slash) & 64);
}

int base64_encode(struct buf *out, struct span in)
{
	uint8_t *p;

	if (in.n > SIZE_MAX / 2 || (in.n + 2) / 3 * 4 > buf_left(out))
		return E_FULL;
	p = buf_room(out);
	buf_grow(out, (in.n + 2) / 3 * 4);
	for (; in.n > 0; p += 4) {
		size_t n = in.n < 3 ? in.n : 3;
		unsigned v = (unsigned)in.p[0] << 16;

		v |= n > 1 ? (unsigned)in.p[1] << 8 : 0u;
		v |= n > 2 ? in.p[2] : 0u;
		p[0] = digit(v >> 18);
		p[1] = digit(v >> 12 & 63);
		p[2] = n > 1 ? digit(v >> 6 & 63) : '=';
		p[3] = n > 2 ? digit(v & 63) : '=';
		in = span_skip(in, n);
	}
	return OK;
}

int base64_decode(uint8_t *out, size_t max, size_t *n, struct span in)
{
	size_t pad = 0, have = 0;
	unsigned wrong = 0;

	*n = 0;
	if (in.n % 4 != 0)
		return E_PEER_SYNTAX;
	while (pad < 2 && pad < in.n && in.p[in.n - 1 - pad] == '=')
		pad++;
	if (in.n / 4 * 3 - pad > max)
		return E_FULL;
	for (size_t i = 0; i < in.n; i += 4) {
		size_t gone = i + 4 == in.n ? pad : 0;
		unsigned v = 0, d;

		for (size_t k = 0; k < 4; k++) {
			d = k < 4 - gone ? value(in.p[i + k]) : 0;
			wrong |= d & ~63u;
			v = v << 6 | (d & 63);
		}
		wrong |= v & ((1u << 8 * gone) - 1);
		for (size_t k = 0; k < 3 - gone; k++)
			out[have++] = (uint8_t)(v >> (16 - 8 * k));
	}
	if (wrong != 0)
		return E_PEER_SYNTAX;
	*n = have;
	return OK;
}
