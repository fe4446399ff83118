/* SPDX-License-Identifier: BSD-2-Clause */
/* text - see text.h. */
#include "base/bytes.h"
#include "base/text.h"

void text_init(struct text *t, char *mem, size_t size)
{
	*t = (struct text){ mem, size, 0, false };
	mem[0] = '\0';
}

void text_span(struct text *t, struct span s)
{
	size_t room = t->size - 1 - t->n;

	if (s.n > room) {
		s.n = room;
		t->cut = true;
	}
	if (s.n > 0)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
	t->p[t->n] = '\0';
}

void text_str(struct text *t, const char *s)
{
	text_span(t, span_str(s));
}

void text_clean(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';

		text_span(t, (struct span){ &c, 1 });
	}
}

void text_quoted(struct text *t, struct span s)
{
	text_str(t, "\"");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			text_str(t, "'");
		else
			text_clean(t, (struct span){ s.p + i, 1 });
	}
	text_str(t, "\"");
}

void text_u64(struct text *t, uint64_t v)
{
	uint8_t d[20];
	size_t i = sizeof(d);

	do {
		d[--i] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	text_span(t, (struct span){ d + i, sizeof(d) - i });
}

static void hex_digits(struct text *t, uint32_t v, unsigned min_digits)
{
	static const char digit[] = "0123456789abcdef";
	uint8_t d[8];
	size_t i = sizeof(d);

	do {
		d[--i] = (uint8_t)digit[v & 15];
		v >>= 4;
	} while (i > 0 && (v > 0 || sizeof(d) - i < min_digits));
	text_span(t, (struct span){ d + i, sizeof(d) - i });
}

void text_hex(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		hex_digits(t, s.p[i], 2);
}

/* RFC 5952 4.2: the longest run of at least two zero groups becomes "::". */
static void text_ip6(struct text *t, const uint8_t ip[16])
{
	int best = -1, best_n = 1;

	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && get_be16(ip + 2 * (i + n)) == 0)
			n++;
		if (n > best_n) {
			best = i;
			best_n = n;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			text_str(t, "::");
			i += best_n - 1;
			continue;
		}
		if (i > 0 && i != best + best_n)
			text_str(t, ":");
		hex_digits(t, get_be16(ip + 2 * i), 1);
	}
}

void text_ip(struct text *t, const uint8_t ip[16])
{
	if (!ip_is_v4(ip)) {
		text_ip6(t, ip);
		return;
	}
	for (int i = 12; i < 16; i++) {
		if (i > 12)
			text_str(t, ".");
		text_u64(t, ip[i]);
	}
}

static void two(struct text *t, uint64_t v, const char *after)
{
	if (v < 10)
		text_str(t, "0");
	text_u64(t, v);
	text_str(t, after);
}

/* Days since 0000-03-01 make leap days the last ones of their year: 146097 in
 * 400 years, 153 in five months. */
void text_time(struct text *t, uint64_t unix_s)
{
	uint64_t s = unix_s % 86400, d = unix_s / 86400 + 719468;
	uint64_t era = d / 146097, y, m;

	d %= 146097;
	y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	d -= 365 * y + y / 4 - y / 100;
	m = (5 * d + 2) / 153;
	d -= (153 * m + 2) / 5;
	y += 400 * era + (m >= 10);
	text_u64(t, y);
	text_str(t, "-");
	two(t, m < 10 ? m + 3 : m - 9, "-");
	two(t, d + 1, "T");
	two(t, s / 3600, ":");
	two(t, s / 60 % 60, ":");
	two(t, s % 60, "Z");
}
