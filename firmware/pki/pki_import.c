/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pki_import - see pki_import.h.
 *
 *	text -> blocks -> one key at most, certificates
 *	               -> is the key that of the first certificate?
 *	               -> is each certificate signed by the next?
 *	               -> is it valid now, and for a server?
 */
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>
#include "pki/pki_import.h"
#include "pki/pki_parse.h"

/* What is being put together. */
struct import {
	mbedtls_pk_context key;
	bool have_key, brought; /* one is there; it came with the text */
	mbedtls_x509_crt crt;
	unsigned certs;
	uint64_t now_s;
	struct text *chain, *why;
};

static int wrong(struct import *m, const char *why)
{
	text_str(m->why, why);
	text_str(m->why, "\n");
	return E_CONF;
}

/* --- blocks ----------------------------------------------------------------------- */
struct block {
	struct span label; /* "CERTIFICATE" */
	struct span all;   /* from the first to the last line */
};

static struct span line_of(struct span *rest)
{
	const uint8_t *lf = memchr(rest->p, '\n', rest->n);
	struct span line = { rest->p, lf ? (size_t)(lf - rest->p) : rest->n };

	*rest = span_skip(*rest, line.n + (lf ? 1u : 0u));
	while (line.n > 0 &&
	       (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' ' ||
		line.p[line.n - 1] == '\t'))
		line.n--;
	return line;
}

/* "-----BEGIN CERTIFICATE-----": its label. */
static bool mark(struct span line, struct span word, struct span *label)
{
	const struct span dashes = SPAN_LIT("-----");

	if (line.n < word.n + dashes.n || memcmp(line.p, word.p, word.n) != 0 ||
	    memcmp(line.p + line.n - dashes.n, dashes.p, dashes.n) != 0)
		return false;
	*label = (struct span){ line.p + word.n, line.n - word.n - dashes.n };
	return true;
}

/* 1: a block; 0: there is no more; E_CONF: one that does not end. */
static int next_block(struct import *m, struct span *rest, struct block *b)
{
	struct span label, line;

	while (rest->n > 0) {
		line = line_of(rest);
		if (!mark(line, SPAN_LIT("-----BEGIN "), &b->label))
			continue;
		b->all.p = line.p;
		while (rest->n > 0) {
			line = line_of(rest);
			if (!mark(line, SPAN_LIT("-----END "), &label))
				continue;
			if (!span_eq(label, b->label))
				break;
			b->all.n = (size_t)(line.p + line.n - b->all.p);
			return 1;
		}
		return wrong(m, "a PEM block does not end");
	}
	return 0;
}

/* mbedTLS wants a NUL behind PEM, and counts it. */
static char *with_nul(struct span s)
{
	char *copy = malloc(s.n + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}

static void wipe_copy(char *copy, size_t n)
{
	if (copy)
		mbedtls_platform_zeroize(copy, n);
	free(copy);
}

static int take_key(struct import *m, const struct block *b)
{
	char *copy;
	int r;

	if (m->brought)
		return wrong(m, "there are two private keys");
	if (m->have_key)
		return wrong(m, "there is a key of this name already; import "
				"its certificates alone, or delete it first");
	copy = with_nul(b->all);
	if (!copy)
		return E_FULL;
	r = mbedtls_pk_parse_key(&m->key, (unsigned char *)copy, b->all.n + 1,
				 NULL, 0, pki_random, NULL);
	wipe_copy(copy, b->all.n);
	if (r == MBEDTLS_ERR_PK_ALLOC_FAILED)
		return E_FULL;
	if (r != 0)
		return wrong(m, "the private key cannot be read, or is of a "
				"kind that is of no use: RSA, or ECDSA on "
				"P-256, P-384 or P-521");
	m->have_key = m->brought = true;
	return pki_key_fault(&m->key) ? wrong(m, pki_key_fault(&m->key)) : OK;
}

static int take_cert(struct import *m, const struct block *b)
{
	char *copy;
	int r;

	if (m->certs == PKI_CHAIN_CERTS)
		return wrong(m, "more than 8 certificates");
	copy = with_nul(b->all);
	if (!copy)
		return E_FULL;
	r = mbedtls_x509_crt_parse(&m->crt, (unsigned char *)copy,
				   b->all.n + 1);
	free(copy);
	if (r == MBEDTLS_ERR_X509_ALLOC_FAILED)
		return E_FULL;
	if (r != 0) {
		text_str(m->why, "certificate ");
		text_u64(m->why, m->certs + 1);
		return wrong(m, " cannot be read");
	}
	m->certs++;
	/* with one kind of line end, whatever it came with */
	for (size_t i = 0; i < b->all.n; i++)
		if (b->all.p[i] != '\r')
			text_span(m->chain, (struct span){ b->all.p + i, 1 });
	text_str(m->chain, "\n");
	return OK;
}

static bool encrypted(const struct block *b)
{
	return span_eq(b->label, SPAN_LIT("ENCRYPTED PRIVATE KEY")) ||
	       memmem(b->all.p, b->all.n, "Proc-Type: 4,ENCRYPTED", 22);
}

static int take_block(struct import *m, const struct block *b)
{
	if (span_eq(b->label, SPAN_LIT("CERTIFICATE")) ||
	    span_eq(b->label, SPAN_LIT("X509 CERTIFICATE")))
		return take_cert(m, b);
	if (encrypted(b))
		return wrong(m, "the private key is encrypted; \"openssl pkey "
				"-in FILE\" writes it without its password");
	if (span_eq(b->label, SPAN_LIT("PRIVATE KEY")) ||
	    span_eq(b->label, SPAN_LIT("RSA PRIVATE KEY")) ||
	    span_eq(b->label, SPAN_LIT("EC PRIVATE KEY")))
		return take_key(m, b);
	if (span_eq(b->label, SPAN_LIT("EC PARAMETERS")))
		return OK; /* openssl writes them in front of a key */
	text_str(m->why, "not expected here: ");
	text_clean(m->why, (struct span){ b->label.p,
					  b->label.n < 40 ? b->label.n : 40 });
	return wrong(m, "");
}

/* --- checks ----------------------------------------------------------------------- */
static int check_pair(struct import *m)
{
	if (!m->have_key)
		return wrong(m, "there is no key of this name, and none came "
				"with the certificates");
	if (m->certs == 0)
		return wrong(m, "there is no certificate in it");
	if (mbedtls_pk_check_pair(&m->crt.pk, &m->key, pki_random, NULL) != 0)
		return wrong(m, "the first certificate is not that of the key");
	return OK;
}

/* The profile is the library's own: SHA-2, RSA from 2048 bits. */
static int check_signed(struct import *m)
{
	unsigned n = 1;

	for (mbedtls_x509_crt *c = &m->crt; c && c->next; c = c->next, n++) {
		mbedtls_x509_crt *by = c->next, *rest = by->next;
		uint32_t flags = 0;
		int r;

		/* each pair alone: who is trusted is not the question here */
		by->next = NULL;
		c->next = NULL;
		r = mbedtls_x509_crt_verify(c, by, NULL, NULL, &flags, NULL,
					    NULL);
		c->next = by;
		by->next = rest;
		if (r == MBEDTLS_ERR_X509_ALLOC_FAILED)
			return E_FULL;
		flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED |
				     MBEDTLS_X509_BADCERT_FUTURE |
				     MBEDTLS_X509_BADCRL_EXPIRED);
		if (flags == 0)
			continue;
		text_str(m->why, "certificate ");
		text_u64(m->why, n);
		text_str(m->why, flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED
					 ? " is not signed by the one behind "
					   "it; their order is: own, then who "
					   "signed it, and so on"
					 : " is not made as it should be: ");
		if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) == 0) {
			char mem[200];

			(void)mbedtls_x509_crt_verify_info(mem, sizeof(mem), "",
							   flags);
			mem[strcspn(mem, "\n")] = '\0';
			text_str(m->why, mem);
		}
		return wrong(m, "");
	}
	return OK;
}

static int check_dates(struct import *m)
{
	unsigned n = 1;

	for (mbedtls_x509_crt *c = &m->crt; c; c = c->next, n++) {
		const char *what = NULL;
		const mbedtls_x509_time *t = &c->valid_to;

		if (pki_time(&c->valid_to) < m->now_s)
			what = " is not valid any more, since ";
		if (pki_time(&c->valid_from) > m->now_s) {
			what = " is not valid yet, but from ";
			t = &c->valid_from;
		}
		if (!what)
			continue;
		text_str(m->why, "certificate ");
		text_u64(m->why, n);
		text_str(m->why, what);
		text_time(m->why, pki_time(t));
		text_str(m->why, "; by the clock of this box it is ");
		text_time(m->why, m->now_s);
		return wrong(m, "");
	}
	return OK;
}

static int check_use(struct import *m)
{
	mbedtls_x509_crt *c = &m->crt;
	char mem[8];
	struct text names;

	if (mbedtls_x509_crt_check_key_usage(
		    c, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0)
		return wrong(m, "the certificate is not for signatures, which "
				"TLS needs");
	if (mbedtls_x509_crt_check_extended_key_usage(
		    c, MBEDTLS_OID_SERVER_AUTH,
		    MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0)
		return wrong(m, "the certificate is not for a server");
	text_init(&names, mem, sizeof(mem));
	pki_names(c, &names);
	if (names.n == 0)
		text_str(m->why, "warning: there is no host in its "
				 "subjectAltName: who verifies it by name "
				 "refuses it\n");
	return OK;
}

int pki_import(struct span text, struct span have, uint64_t now_s,
	       uint8_t key[PKI_KEY_MAX], size_t *key_n, struct text *chain,
	       struct text *why)
{
	struct import m = { .now_s = now_s, .chain = chain, .why = why };
	struct block b;
	int r = OK;

	*key_n = 0;
	mbedtls_pk_init(&m.key);
	mbedtls_x509_crt_init(&m.crt);
	if (text.n > PKI_TEXT_MAX)
		r = wrong(&m, "longer than 64 KiB");
	if (r == OK && have.n > 0) {
		m.have_key = mbedtls_pk_parse_key(&m.key, have.p, have.n, NULL,
						  0, pki_random, NULL) == 0;
		r = m.have_key ? OK : E_FULL;
	}
	while (r == OK && (r = next_block(&m, &text, &b)) == 1)
		r = take_block(&m, &b);
	if (r == OK)
		r = check_pair(&m);
	if (r == OK)
		r = check_signed(&m);
	if (r == OK)
		r = check_dates(&m);
	if (r == OK)
		r = check_use(&m);
	if (r == OK)
		r = chain->cut ? E_FULL : pki_key_write(&m.key, key, key_n);
	mbedtls_x509_crt_free(&m.crt);
	mbedtls_pk_free(&m.key);
	return r;
}
