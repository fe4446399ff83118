/* SPDX-License-Identifier: BSD-2-Clause */
/* conf_value - see conf_value.h. */
#include "conf/conf_value.h"

bool conf_number(struct span s, uint64_t min, uint64_t max, uint64_t *v)
{
	uint64_t n = 0;

	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	if (n < min || n > max)
		return false;
	*v = n;
	return true;
}

/* --- addresses ---------------------------------------------------------- */
static bool ip4(struct span s, uint8_t v4[4])
{
	size_t i = 0;

	for (unsigned k = 0; k < 4; k++) {
		size_t from = i;
		uint64_t v;

		while (i < s.n && s.p[i] != '.')
			i++;
		/* 010 is eight to some and ten to others */
		if ((i - from > 1 && s.p[from] == '0') ||
		    !conf_number((struct span){ s.p + from, i - from }, 0, 255,
				 &v))
			return false;
		v4[k] = (uint8_t)v;
		if (k < 3 && i++ == s.n)
			return false;
	}
	return i == s.n;
}

static int hex_digit(uint8_t c)
{
	c = ascii_lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to four hexadecimal digits; how many there were. */
static size_t group(struct span s, unsigned *v)
{
	size_t n = 0;

	*v = 0;
	while (n < s.n && n < 4 && hex_digit(s.p[n]) >= 0)
		*v = *v << 4 | (unsigned)hex_digit(s.p[n++]);
	return n;
}

static bool ip6(struct span s, uint8_t ip[16])
{
	uint8_t out[16] = { 0 };
	size_t n = 0, gap = 17;

	if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
		gap = 0;
		s = span_skip(s, 2);
	}
	while (s.n > 0) {
		unsigned v;
		size_t digits = group(s, &v);

		if (digits > 0 && digits < s.n && s.p[digits] == '.') {
			if (n > 12 || !ip4(s, out + n))
				return false;
			n += 4;
			break;
		}
		if (digits == 0 || n > 14)
			return false;
		out[n++] = (uint8_t)(v >> 8);
		out[n++] = (uint8_t)v;
		s = span_skip(s, digits);
		if (s.n == 0)
			break;
		if (s.p[0] != ':' || s.n == 1)
			return false;
		s = span_skip(s, 1);
		if (s.p[0] == ':') {
			if (gap != 17)
				return false;
			gap = n;
			s = span_skip(s, 1);
		}
	}
	/* "::" stands for at least one group */
	if (gap == 17 ? n != 16 : n > 14)
		return false;
	memset(ip, 0, 16);
	if (gap == 17)
		gap = n;
	memcpy(ip, out, gap);
	memcpy(ip + 16 - (n - gap), out + gap, n - gap);
	return true;
}

bool conf_ip(struct span s, uint8_t ip[16])
{
	uint8_t v4[4];

	if (!ip4(s, v4))
		return ip6(s, ip);
	ip_from_v4(ip, v4);
	return true;
}

/* Could a server be there? */
static bool is_host(const uint8_t ip[16])
{
	static const uint8_t zero[16];

	if (ip_is_v4(ip))
		return ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
	return ip[0] != 0xff && memcmp(ip, zero, 15) != 0;
}

bool conf_endpoint(struct span s, uint16_t dflt, struct endpoint *e,
		   const char **why)
{
	struct span host = s, port = { NULL, 0 };
	const uint8_t *end;
	uint64_t n = dflt;
	uint8_t ip[16];

	*why = "not an address; 198.51.100.9, 198.51.100.9:25, 2001:db8::9 or "
	       "[2001:db8::9]:25";
	if (s.n > 0 && s.p[0] == '[') {
		end = memchr(s.p, ']', s.n);
		if (!end)
			return false;
		host = (struct span){ s.p + 1, (size_t)(end - s.p) - 1 };
		s = span_skip(s, host.n + 2);
		if (s.n > 0 && s.p[0] != ':')
			return false;
		if (s.n > 0)
			port = span_skip(s, 1);
		if (!ip6(host, ip))
			return false;
	} else {
		end = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
		if (end &&
		    !memchr(end + 1, ':', s.n - (size_t)(end - s.p) - 1)) {
			host.n = (size_t)(end - s.p);
			port = span_skip(s, host.n + 1);
		}
		if (!conf_ip(host, ip))
			return false;
	}
	if (port.p && !conf_number(port, 1, 65535, &n)) {
		*why = "not a port; 1..65535";
		return false;
	}
	if (!is_host(ip)) {
		*why = "no server can have this address";
		return false;
	}
	memcpy(e->ip, ip, 16);
	e->port = (uint16_t)n;
	return true;
}

bool conf_host_port(struct span s, uint16_t dflt, struct span *name,
		    uint16_t *port)
{
	const uint8_t *colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
	uint64_t n = dflt;

	*name = s;
	if (colon) {
		name->n = (size_t)(colon - s.p);
		if (!conf_number(span_skip(s, name->n + 1), 1, 65535, &n))
			return false;
	}
	*port = (uint16_t)n;
	return true;
}

/* --- time --------------------------------------------------------------- */
static bool leap(uint64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static uint64_t month_days(uint64_t y, unsigned m)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30,
					31, 31, 30, 31, 30, 31 };

	return m == 2 && leap(y) ? 29 : days[m - 1];
}

/* Days from 1970-01-01 to y-01-01. */
static uint64_t year_days(uint64_t y)
{
	uint64_t b = y - 1;

	return 365 * (y - 1970) + (b / 4 - b / 100 + b / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400);
}

/* n digits, then the octet after them (0: the end). */
static bool part(struct span *s, size_t n, uint8_t after, uint64_t min,
		 uint64_t max, uint64_t *v)
{
	if (s->n < n || !conf_number((struct span){ s->p, n }, min, max, v))
		return false;
	*s = span_skip(*s, n);
	if (after == 0)
		return s->n == 0;
	if (s->n == 0 || s->p[0] != after)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

bool conf_time(struct span s, uint64_t *unix_s)
{
	uint64_t y, mo, d, h = 0, mi = 0, sec = 0, days;
	bool with_time = s.n > 10;

	if (!part(&s, 4, '-', 1970, 9999, &y) ||
	    !part(&s, 2, '-', 1, 12, &mo) ||
	    !part(&s, 2, with_time ? 'T' : 0, 1, month_days(y, (unsigned)mo),
		  &d))
		return false;
	if (with_time &&
	    (!part(&s, 2, ':', 0, 23, &h) || !part(&s, 2, ':', 0, 59, &mi) ||
	     !part(&s, 2, 'Z', 0, 59, &sec) || s.n != 0))
		return false;
	days = year_days(y) + d - 1;
	for (unsigned m = 1; m < mo; m++)
		days += month_days(y, m);
	*unix_s = ((days * 24 + h) * 60 + mi) * 60 + sec;
	return true;
}

/* --- pins --------------------------------------------------------------- */
int conf_base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static bool pin_hex(struct span s, uint8_t out[32])
{
	for (size_t i = 0; i < 32; i++) {
		int hi = hex_digit(s.p[2 * i]), lo = hex_digit(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

/* 43 digits are 258 bits: the last two must be zero. */
static bool pin_base64(struct span s, uint8_t out[32])
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < 43; i++) {
		int v = conf_base64_digit(s.p[i]);

		if (v < 0)
			return false;
		acc = (acc << 6 | (uint32_t)v) & 0x3fff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (uint8_t)(acc >> bits);
		}
	}
	return n == 32 && (acc & 3) == 0;
}

bool conf_pin(struct span s, uint8_t pin[32])
{
	const size_t n = sizeof("sha256:") - 1;
	uint8_t out[32];
	bool ok = false;

	if (s.n < n ||
	    !span_eq_nocase((struct span){ s.p, n }, SPAN_LIT("sha256:")))
		return false;
	s = span_skip(s, n);
	if (s.n == 64)
		ok = pin_hex(s, out);
	else if (s.n == 43 || (s.n == 44 && s.p[43] == '='))
		ok = pin_base64(s, out);
	if (ok)
		memcpy(pin, out, 32);
	return ok;
}
