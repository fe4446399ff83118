/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_ca - the lines after "ca certificate": one PEM certificate (RFC 7468),
 * checked as far as that it is base64 of one DER SEQUENCE of the right length.
 * What is in it is for the TLS library, which refuses the snapshot otherwise.
 */
#include "conf/conf_parse.h"
#include "conf/conf_value.h"

static const struct span begin = {
	(const uint8_t *)"-----BEGIN CERTIFICATE-----", 27
};
static const struct span end = { (const uint8_t *)"-----END CERTIFICATE-----",
				 25 };

/* base64 as it comes; only the front is kept. */
struct der {
	uint8_t front[6];
	size_t n; /* octets so far */
	uint32_t acc;
	unsigned bits, pads;
};

static struct span trim(struct span s)
{
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* 0: all of it was base64; else the column of the first octet that is not. */
static uint32_t feed(struct der *d, struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		int v = conf_base64_digit(line.p[i]);

		if (line.p[i] == '=' && d->pads < 2) {
			d->pads++;
			continue;
		}
		if (v < 0 || d->pads > 0)
			return (uint32_t)i + 1;
		d->acc = (d->acc << 6 | (uint32_t)v) & 0x3fff;
		d->bits += 6;
		if (d->bits < 8)
			continue;
		d->bits -= 8;
		if (d->n < sizeof(d->front))
			d->front[d->n] = (uint8_t)(d->acc >> d->bits);
		d->n++;
	}
	return 0;
}

/* One SEQUENCE that fills all (X.690 8.1.3, definite form). */
static bool one_sequence(const struct der *d)
{
	size_t len, octets;

	if (d->n < 6 || d->front[0] != 0x30)
		return false;
	if (d->front[1] < 0x80)
		return d->n - 2 == d->front[1];
	octets = d->front[1] & 0x7f;
	if (octets == 0 || octets > 3)
		return false;
	len = 0;
	for (size_t i = 0; i < octets; i++)
		len = len << 8 | d->front[2 + i];
	return d->n - 2 - octets == len;
}

static void error_here(struct conf_parse *p, uint32_t column, const char *why)
{
	struct text *t = conf_error(p, p->lines.number, column,
				    (struct span){ NULL, 0 });

	text_str(t, why);
	conf_error_end(p, t);
}

static void keep(struct conf_parse *p, struct span pem)
{
	if (p->ca_n == CONF_CA_MAX) {
		error_here(p, 1, "more than 64 CA certificates");
		return;
	}
	p->ca[p->ca_n++] = pem;
	p->strings_n += pem.n + 1;
}

void conf_ca(struct conf_parse *p)
{
	struct conf_mark start = { p->lines.number, 1, { NULL, 0 } };
	struct span line, pem = { NULL, 0 };
	struct der d = { .n = 0 };
	bool wrong = false;
	struct text *t;

	while (conf_lines_next(&p->lines, &line)) {
		struct span s = trim(line);
		uint32_t column;

		if (!pem.p && s.n == 0)
			continue;
		if (!pem.p && !span_eq(s, begin)) {
			error_here(p, 1,
				   "-----BEGIN CERTIFICATE----- must follow");
			return;
		}
		if (!pem.p) {
			pem.p = line.p;
			continue;
		}
		if (span_eq(s, end)) {
			pem.n = (size_t)(s.p - pem.p) + s.n;
			if (!wrong && one_sequence(&d))
				keep(p, pem);
			else if (!wrong)
				error_here(p, 1,
					   "the certificate is not complete");
			return;
		}
		column = wrong ? 0 : feed(&d, s);
		if (column != 0) {
			wrong = true;
			error_here(p, column, "not base64");
		}
	}
	t = conf_error(p, start.line, start.column, start.word);
	text_str(t, pem.p ? "-----END CERTIFICATE----- is missing"
			  : "the lines of a certificate must follow");
	conf_error_end(p, t);
}
