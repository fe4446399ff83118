/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_PKI_H
#define TESTS_UNIT_PKI_H

/*
 * Certificates made while the test runs, by OpenSSL: right ones, and every
 * kind of wrong one.
 */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "base/span.h"

enum pki_key { PKI_EC, PKI_RSA, PKI_EC2, PKI_RSA1024, PKI_ED, PKI_KEYS };

enum { DAY = 86400 };

/* What one is to be; zero is an ordinary server's of today. */
struct pki_want {
	const char *cn, *san;	/* san as in openssl's configuration */
	const uint8_t *san_der; /* or these octets */
	size_t san_n;
	long from, to;	  /* seconds from now; 0: yesterday, +90 days */
	const EVP_MD *md; /* NULL: SHA-256 */
	enum pki_key key;
	const char *basic, *ku, *eku, *names; /* NULL: without */
	const char *odd; /* "critical" or "": an unknown extension */
	bool v1;
};

struct pki_cert {
	X509 *x;
	EVP_PKEY *key; /* not owned */
};

static inline EVP_PKEY *pki_key(enum pki_key k)
{
	static EVP_PKEY *made[PKI_KEYS];

	if (made[k])
		return made[k];
	switch (k) {
	case PKI_RSA: made[k] = EVP_RSA_gen(2048); break;
	case PKI_RSA1024: made[k] = EVP_RSA_gen(1024); break;
	case PKI_ED: made[k] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); break;
	case PKI_EC:
	case PKI_EC2:
	case PKI_KEYS: made[k] = EVP_EC_gen("P-256"); break;
	}
	assert_non_null(made[k]);
	return made[k];
}

static inline void pki_free(struct pki_cert *c)
{
	X509_free(c->x);
	c->x = NULL;
}

static inline void pki_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static inline void pki_raw(X509 *x, ASN1_OBJECT *oid, bool critical,
			   const uint8_t *der, size_t n)
{
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	assert_int_equal(ASN1_OCTET_STRING_set(s, der, (int)n), 1);
	e = X509_EXTENSION_create_by_OBJ(NULL, oid, critical, s);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(s);
}

static inline void pki_odd(X509 *x, bool critical)
{
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
	static const uint8_t null[] = { 5, 0 };

	pki_raw(x, oid, critical, null, sizeof(null));
	ASN1_OBJECT_free(oid);
}

static inline void pki_fill(X509 *x, const struct pki_want *w,
			    const struct pki_cert *by)
{
	static long serial = 1000;
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, w->v1 ? 0 : 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), w->from ? w->from : -DAY);
	X509_gmtime_adj(X509_getm_notAfter(x), w->to ? w->to : 90 * DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const uint8_t *)(w->cn ? w->cn : "peer"),
				   -1, -1, 0);
	X509_set_issuer_name(x, by ? X509_get_subject_name(by->x) : name);
	X509_set_pubkey(x, pki_key(w->key));
	if (w->v1)
		return;
	pki_ext(x, by ? by->x : x, NID_basic_constraints, w->basic);
	pki_ext(x, by ? by->x : x, NID_key_usage, w->ku);
	pki_ext(x, by ? by->x : x, NID_ext_key_usage, w->eku);
	pki_ext(x, by ? by->x : x, NID_name_constraints, w->names);
	pki_ext(x, by ? by->x : x, NID_subject_alt_name, w->san);
	if (w->san_der)
		pki_raw(x, OBJ_nid2obj(NID_subject_alt_name), false, w->san_der,
			w->san_n);
	if (w->odd)
		pki_odd(x, w->odd[0] != '\0');
}

/* by NULL: self-signed. */
static inline struct pki_cert pki_make(const struct pki_want *w,
				       const struct pki_cert *by)
{
	struct pki_cert c = { X509_new(), pki_key(w->key) };
	EVP_PKEY *signer = by ? by->key : c.key;
	bool ed = EVP_PKEY_id(signer) == EVP_PKEY_ED25519;

	pki_fill(c.x, w, by);
	assert_true(X509_sign(c.x, signer,
			      ed      ? NULL
			      : w->md ? w->md
				      : EVP_sha256()) > 0);
	return c;
}

static inline struct pki_cert pki_ca(const char *cn, const struct pki_cert *by)
{
	struct pki_want w = { .cn = cn,
			      .key = by ? PKI_EC2 : PKI_EC,
			      .basic = "critical,CA:TRUE",
			      .ku = "critical,keyCertSign,cRLSign" };

	return pki_make(&w, by);
}

/* The certificate as PEM; the caller frees. */
static inline char *pki_pem(const struct pki_cert *c)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p, *copy;
	long n;

	PEM_write_bio_X509(b, c->x);
	n = BIO_get_mem_data(b, &p);
	copy = malloc((size_t)n + 1);
	memcpy(copy, p, (size_t)n);
	copy[n] = '\0';
	BIO_free(b);
	return copy;
}

#endif
