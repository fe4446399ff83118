/* SPDX-License-Identifier: BSD-2-Clause */
/* pki_show - see pki_show.h. */
#include <mbedtls/base64.h>
#include <mbedtls/x509.h>
#include <stdlib.h>
#include <string.h>
#include "base/bug.h"
#include "base/date.h"
#include "pki/pki_parse.h"
#include "pki/pki_show.h"

enum { DAY = 86400, DN_MAX = 256 };

/* --- shared ----------------------------------------------------------------------- */
uint64_t pki_time(const mbedtls_x509_time *t)
{
	int64_t s = date_days(t->year, t->mon, t->day) * DAY + t->hour * 3600 +
		    t->min * 60 + t->sec;

	return s > 0 ? (uint64_t)s : 0;
}

void pki_names(const mbedtls_x509_crt *crt, struct text *out)
{
	const mbedtls_x509_sequence *s = &crt->subject_alt_names;

	for (; s && s->buf.p; s = s->next) {
		if ((s->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) !=
		    MBEDTLS_X509_SAN_DNS_NAME)
			continue;
		text_str(out, " ");
		text_clean(out, (struct span){ s->buf.p, s->buf.len });
	}
}

/* A distinguished name for a person. */
static void put_dn(const mbedtls_x509_name *dn, struct text *out)
{
	char mem[DN_MAX];
	int n = mbedtls_x509_dn_gets(mem, sizeof(mem), dn);

	if (n > 0)
		text_clean(out, (struct span){ (uint8_t *)mem, (size_t)n });
	else
		text_str(out, "(a name too long to show)");
}

/* A chain as it is kept: PEM, without a NUL. E_CORRUPT, E_FULL (no memory). */
MUST_CHECK static int parse_chain(mbedtls_x509_crt *crt, struct span pem)
{
	unsigned char *copy = malloc(pem.n + 1);
	int r;

	if (!copy)
		return E_FULL;
	memcpy(copy, pem.p, pem.n);
	copy[pem.n] = '\0';
	r = mbedtls_x509_crt_parse(crt, copy, pem.n + 1);
	free(copy);
	return r == 0 ? OK : E_CORRUPT;
}

/* --- validity --------------------------------------------------------------------- */
/* "expires in 12 days" and the like; false: nothing has to be done. */
static bool trouble(const mbedtls_x509_crt *c, uint64_t now_s, struct text *out)
{
	uint64_t from = pki_time(&c->valid_from),
		 until = pki_time(&c->valid_to);
	uint64_t days;

	if (now_s > until) {
		text_str(out, "has expired");
		return true;
	}
	if (now_s < from) {
		text_str(out, "is not valid yet");
		return true;
	}
	days = (until - now_s) / DAY;
	if (days >= PKI_WARN_DAYS)
		return false;
	text_str(out, days == 0 ? "expires today" : "expires in ");
	if (days > 0) {
		text_u64(out, days);
		text_str(out, days == 1 ? " day" : " days");
	}
	return true;
}

static void validity(const mbedtls_x509_crt *c, uint64_t now_s,
		     struct text *out)
{
	text_time(out, pki_time(&c->valid_to));
	text_str(out, " ");
	if (trouble(c, now_s, out)) {
		text_str(out, ": WARNING");
	} else {
		text_str(out, "for ");
		text_u64(out, (pki_time(&c->valid_to) - now_s) / DAY);
		text_str(out, " days");
	}
	text_str(out, "\n");
}

bool pki_warns(const struct secret_key *k, uint64_t now_s, struct text *out)
{
	mbedtls_x509_crt crt;
	bool warns = false;

	if (k->chain.n == 0)
		return false;
	mbedtls_x509_crt_init(&crt);
	if (parse_chain(&crt, k->chain) == OK)
		for (mbedtls_x509_crt *c = &crt; c && !warns; c = c->next)
			warns = trouble(c, now_s, out);
	mbedtls_x509_crt_free(&crt);
	return warns;
}

/* --- one key ---------------------------------------------------------------------- */
static void show_pin(const uint8_t pin[PKI_PIN], struct text *out)
{
	unsigned char b64[48];
	size_t n;

	BUG_ON(mbedtls_base64_encode(b64, sizeof(b64), &n, pin, PKI_PIN) != 0);
	text_str(out, "    pin          sha256:");
	text_str(out, (const char *)b64);
	text_str(out, "\n");
}

static void show_chain(const mbedtls_x509_crt *crt, uint64_t now_s,
		       struct text *out)
{
	size_t before = out->n;
	unsigned n = 1;

	text_str(out, "    certificate ");
	pki_names(crt, out);
	if (out->n == before + 16)
		text_str(out, " of no host");
	text_str(out, "\n    issued by    ");
	put_dn(&crt->issuer, out);
	text_str(out, "\n    valid until  ");
	validity(crt, now_s, out);
	for (const mbedtls_x509_crt *c = crt->next; c; c = c->next) {
		text_str(out, "    issuer ");
		text_u64(out, n++);
		text_str(out, "     ");
		put_dn(&c->subject, out);
		text_str(out, "\n                 until ");
		validity(c, now_s, out);
	}
}

void pki_show_key(const struct secret_key *k, uint64_t now_s, struct text *out)
{
	mbedtls_x509_crt crt;
	struct pki_info info;

	text_str(out, "  ");
	text_span(out, k->name);
	if (pki_key_info(k->key, &info) != OK) {
		text_str(out, "  cannot be read\n");
		return;
	}
	text_str(out, "  ");
	text_str(out, pki_type_name(info.type));
	text_str(out, ", ");
	text_u64(out, info.bits);
	text_str(out, " bits\n");
	show_pin(info.pin, out);
	if (k->chain.n == 0) {
		text_str(out,
			 "    certificate  none yet; \"crypto csr\" makes a "
			 "request, \"crypto import\" takes it\n");
		return;
	}
	mbedtls_x509_crt_init(&crt);
	if (parse_chain(&crt, k->chain) == OK)
		show_chain(&crt, now_s, out);
	else
		text_str(out, "    certificate  cannot be read\n");
	mbedtls_x509_crt_free(&crt);
}

/* --- CA certificates -------------------------------------------------------------- */
void pki_show_ca(struct span pem, uint64_t now_s, struct text *out)
{
	static const char end[] = "-----END CERTIFICATE-----";
	unsigned n = 0;

	while (pem.n > 0) {
		const uint8_t *e = memmem(pem.p, pem.n, end, sizeof(end) - 1);
		size_t len = e ? (size_t)(e - pem.p) + sizeof(end) - 1 : 0;
		mbedtls_x509_crt crt;

		if (!e)
			return;
		mbedtls_x509_crt_init(&crt);
		text_str(out, "  own ");
		text_u64(out, ++n);
		text_str(out, "  ");
		if (parse_chain(&crt, (struct span){ pem.p, len }) == OK) {
			put_dn(&crt.subject, out);
			text_str(out, "\n         until ");
			validity(&crt, now_s, out);
		} else {
			text_str(out, "cannot be read, and is not used\n");
		}
		mbedtls_x509_crt_free(&crt);
		pem = span_skip(pem, len);
	}
}
