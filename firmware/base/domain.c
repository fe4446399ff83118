/* SPDX-License-Identifier: BSD-2-Clause */
/* domain - see domain.h. */
#include "base/domain.h"

/* Characters that IDNA 2008 allows and that are their own lower case and
 * normal form: no capital, no combining mark, no presentation form. Without
 * sharp s (00df) and final sigma (03c2), which IDNA 2003 maps to others: a
 * server may still do that and read another name. */
static const struct {
	uint32_t first, last, step;
} certain[] = {
	{ 0x00e0, 0x00f6, 1 }, { 0x00f8, 0x00ff, 1 }, { 0x0101, 0x0131, 2 },
	{ 0x0135, 0x0137, 2 }, { 0x013a, 0x013e, 2 }, { 0x0142, 0x0148, 2 },
	{ 0x014b, 0x0177, 2 }, { 0x017a, 0x017e, 2 }, { 0x03ac, 0x03af, 1 },
	{ 0x03b1, 0x03c1, 1 }, { 0x03c3, 0x03ce, 1 }, { 0x0430, 0x045f, 1 },
	{ 0x05d0, 0x05ea, 1 }, { 0x0621, 0x063a, 1 }, { 0x0641, 0x064a, 1 },
	{ 0x3041, 0x3096, 1 }, { 0x30a1, 0x30fa, 1 }, { 0x4e00, 0x9fa5, 1 },
	{ 0xac00, 0xd7a3, 1 },
};

static bool is_certain(uint32_t c)
{
	for (size_t i = 0; i < sizeof(certain) / sizeof(certain[0]); i++)
		if (c >= certain[i].first && c <= certain[i].last &&
		    (c - certain[i].first) % certain[i].step == 0)
			return true;
	return false;
}

static bool is_ldh(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* Strict UTF-8 (RFC 3629) of at most three octets: beyond the first plane
 * nothing is certain. Returns the octets used, 0 when it is not that. */
static size_t utf8(struct span s, uint32_t *c)
{
	if (s.n >= 1 && s.p[0] < 0x80) {
		*c = s.p[0];
		return 1;
	}
	if (s.n >= 2 && (s.p[0] & 0xe0) == 0xc0 && (s.p[1] & 0xc0) == 0x80) {
		*c = (uint32_t)(s.p[0] & 31) << 6 | (s.p[1] & 63);
		return *c >= 0x80 ? 2 : 0;
	}
	if (s.n >= 3 && (s.p[0] & 0xf0) == 0xe0 && (s.p[1] & 0xc0) == 0x80 &&
	    (s.p[2] & 0xc0) == 0x80) {
		*c = (uint32_t)(s.p[0] & 15) << 12 |
		     (uint32_t)(s.p[1] & 63) << 6 | (s.p[2] & 63);
		return *c >= 0x800 ? 3 : 0;
	}
	return 0;
}

struct label {
	uint32_t c[DOMAIN_LABEL_MAX];
	size_t n;
	bool ascii;
};

static int decode(struct label *l, struct span s)
{
	l->n = 0;
	l->ascii = true;
	while (s.n > 0) {
		uint32_t c;
		size_t used = utf8(s, &c);

		if (used == 0 || l->n == DOMAIN_LABEL_MAX)
			return E_PEER_SYNTAX;
		if (c < 0x80) {
			c = ascii_lower((uint8_t)c);
			if (!is_ldh((uint8_t)c))
				return E_PEER_SYNTAX;
		} else if (is_certain(c)) {
			l->ascii = false;
		} else {
			return E_PEER_SYNTAX;
		}
		l->c[l->n++] = c;
		s = span_skip(s, used);
	}
	if (l->n == 0 || l->c[0] == '-' || l->c[l->n - 1] == '-')
		return E_PEER_SYNTAX;
	/* RFC 5891 4.2.3.1: no U-label has hyphens there. */
	if (!l->ascii && l->n >= 4 && l->c[2] == '-' && l->c[3] == '-')
		return E_PEER_SYNTAX;
	return OK;
}

/* Would somebody take a name that ends with this label for an IPv4 address?
 * inet_aton() takes any of 1.2.3.4, 1.2.772, 0x1020304. */
static bool is_number(const struct label *l)
{
	bool hex = l->n >= 2 && l->c[0] == '0' && l->c[1] == 'x';

	for (size_t i = hex ? 2 : 0; i < l->n; i++)
		if (!(l->c[i] >= '0' && l->c[i] <= '9') &&
		    !(hex && l->c[i] >= 'a' && l->c[i] <= 'f'))
			return false;
	return true;
}

/* RFC 3492 6.1 */
static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / points;
	for (; delta > 455; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

static char digit(uint32_t d)
{
	return (char)(d < 26 ? 'a' + d : '0' + (d - 26));
}

/* RFC 3492 6.3; out has DOMAIN_LABEL_MAX octets. 0: does not fit. A label has
 * at most 63 characters below 0x10000, so nothing overflows 32 bits. */
static size_t punycode(char *out, const struct label *l)
{
	uint32_t n = 0x80, delta = 0, bias = 72, h, basic;
	size_t o = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->c[i] < 0x80)
			out[o++] = (char)l->c[i];
	h = basic = (uint32_t)o;
	if (o > 0)
		out[o++] = '-';
	while (h < l->n) {
		uint32_t m = UINT32_MAX;

		for (size_t i = 0; i < l->n; i++)
			if (l->c[i] >= n && l->c[i] < m)
				m = l->c[i];
		delta += (m - n) * (h + 1);
		n = m;
		for (size_t i = 0; i < l->n; i++) {
			uint32_t q = delta;

			if (l->c[i] < n)
				delta++;
			if (l->c[i] != n)
				continue;
			for (uint32_t k = 36;; k += 36) {
				uint32_t t = k <= bias	      ? 1
					     : k >= bias + 26 ? 26
							      : k - bias;

				if (o == DOMAIN_LABEL_MAX)
					return 0;
				out[o++] = digit(
					q < t ? q : t + (q - t) % (36 - t));
				if (q < t)
					break;
				q = (q - t) / (36 - t);
			}
			bias = adapt(delta, h + 1, h == basic);
			delta = 0;
			h++;
		}
		delta++;
		n++;
	}
	return o;
}

static int put_label(char *out, size_t *at, const struct label *l)
{
	char a[DOMAIN_LABEL_MAX + 4] = "xn--";
	size_t n = 4;

	if (l->ascii) {
		for (n = 0; n < l->n; n++)
			a[n] = (char)l->c[n];
	} else {
		char p[DOMAIN_LABEL_MAX];
		size_t k = punycode(p, l);

		if (k == 0 || k > DOMAIN_LABEL_MAX - 4)
			return E_PEER_SYNTAX;
		memcpy(a + 4, p, k);
		n += k;
	}
	if (n > DOMAIN_MAX - *at)
		return E_PEER_SYNTAX;
	memcpy(out + *at, a, n);
	*at += n;
	return OK;
}

int domain_normalise(char out[DOMAIN_MAX + 1], size_t *n, struct span s)
{
	struct label l;
	size_t at = 0;

	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n == 0)
		return E_PEER_SYNTAX;
	for (;;) {
		const uint8_t *dot = memchr(s.p, '.', s.n);
		size_t len = dot ? (size_t)(dot - s.p) : s.n;

		if (decode(&l, (struct span){ s.p, len }) != OK ||
		    put_label(out, &at, &l) != OK)
			return E_PEER_SYNTAX;
		if (!dot)
			break;
		if (at == DOMAIN_MAX)
			return E_PEER_SYNTAX;
		out[at++] = '.';
		s = span_skip(s, len + 1);
	}
	if (is_number(&l))
		return E_PEER_SYNTAX;
	out[at] = '\0';
	*n = at;
	return OK;
}
