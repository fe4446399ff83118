/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_trust - trust anchors, the clock with a floor, and what is looked at in
 * a certificate beyond what mbedTLS itself does.
 */
#include <mbedtls/build_info.h> /* first: the others ask it */
#include <mbedtls/asn1.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/sha256.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/date.h"
#include "tls/tls_trust.h"

static mbedtls_time_t floor_s;

/* A box without a clock battery must not be led back in time. */
static mbedtls_time_t floored_time(mbedtls_time_t *t)
{
	mbedtls_time_t now = time(NULL);

	if (now < floor_s)
		now = floor_s;
	if (t)
		*t = now;
	return now;
}

/* Randomness for mbedTLS; arg is not used. */
static int randomness(void *arg, unsigned char *out, size_t n)
{
	(void)arg;
	return psa_generate_random(out, n) == PSA_SUCCESS
		       ? 0
		       : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

/* TLS 1.2 suites by preference; 1.3 has its own three (AEAD, ECDHE only). */
static const int suites[] = {
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	0,
};

/* The certificates of chains: SHA-2, RSA from 2048 bits, NIST curves. */
static const mbedtls_x509_crt_profile profile = {
	MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
	0xfffffff,
	MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1),
	2048,
};

static int parse_ca(mbedtls_x509_crt *ca, struct span pem, unsigned *bad)
{
	static const char head[] = "-----BEGIN CERTIFICATE-----";
	static const char tail[] = "-----END CERTIFICATE-----";
	unsigned n = 0;

	/* One by one, to be able to say which; a CA of a kind that is not
	 * built in (an odd curve) is none that we could use anyway. */
	while (pem.n > 0) {
		const uint8_t *a = memmem(pem.p, pem.n, head, strlen(head)), *e;
		unsigned char *copy;
		size_t len;
		int r;

		if (!a)
			break;
		e = memmem(a, pem.n - (size_t)(a - pem.p), tail, strlen(tail));
		*bad = ++n;
		if (!e)
			return E_CONF;
		e += strlen(tail);
		len = (size_t)(e - a);
		copy = malloc(len + 2);
		if (!copy)
			return E_FULL;
		memcpy(copy, a, len);
		copy[len] = '\n';
		copy[len + 1] = '\0';
		r = mbedtls_x509_crt_parse(ca, copy, len + 2);
		free(copy);
		if (r != 0 && r != MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG &&
		    r != MBEDTLS_ERR_X509_UNKNOWN_VERSION &&
		    (r & ~0x7f) != (MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE & ~0x7f))
			return E_CONF;
		pem = span_skip(pem, (size_t)(e - pem.p));
	}
	return OK;
}

void tls_configure(mbedtls_ssl_config *c)
{
	mbedtls_ssl_conf_rng(c, randomness, NULL);
	mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_ciphersuites(c, suites);
	mbedtls_ssl_conf_cert_profile(c, &profile);
	mbedtls_ssl_conf_extended_master_secret(
		c, MBEDTLS_SSL_EXTENDED_MS_ENABLED);
}

/* 2.5.29.30: mbedTLS reads over name constraints, so a CA that has them is
 * limited in a way that we would not notice. */
static bool has_name_constraints(const mbedtls_x509_crt *crt)
{
	static const uint8_t oid[] = { 0x06, 0x03, 0x55, 0x1d, 0x1e };

	return crt->v3_ext.p &&
	       memmem(crt->v3_ext.p, crt->v3_ext.len, oid, sizeof(oid)) != NULL;
}

/* Verification callback: adds what mbedTLS does not look at. */
static int verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)arg;
	/* The name is judged by policy, against the domain list. */
	*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
	if (depth == 0) {
		if (mbedtls_x509_crt_check_extended_key_usage(
			    crt, MBEDTLS_OID_SERVER_AUTH,
			    MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0)
			*flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
	} else if (has_name_constraints(crt)) {
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
	}
	return 0;
}

int tls_client_configure(mbedtls_ssl_config *c, struct tls_trust *t)
{
	if (mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT,
					MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return E_FULL;
	tls_configure(c);
	mbedtls_ssl_conf_ca_chain(c, &t->ca, NULL);
	/* The chain is judged, not enforced: policy decides per recipient. */
	mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_OPTIONAL);
	mbedtls_ssl_conf_verify(c, verify, NULL);
	return OK;
}

struct tls_trust *tls_trust_new(struct span ca_pem, uint64_t floor,
				unsigned *bad)
{
	struct tls_trust *t = calloc(1, sizeof(*t));

	*bad = 0;
	if (!t)
		return NULL;
	t->users = 1;
	mbedtls_x509_crt_init(&t->ca);
	mbedtls_ssl_config_init(&t->client);
	if (floor > 0)
		floor_s = (mbedtls_time_t)floor;
	mbedtls_platform_set_time(floored_time);
	if (psa_crypto_init() != PSA_SUCCESS ||
	    parse_ca(&t->ca, ca_pem, bad) != OK ||
	    tls_client_configure(&t->client, t) != OK) {
		tls_trust_free(t);
		return NULL;
	}
	*bad = 0;
	return t;
}

void tls_trust_free(struct tls_trust *t)
{
	if (!t || --t->users > 0)
		return;
	mbedtls_ssl_config_free(&t->client);
	mbedtls_x509_crt_free(&t->ca);
	free(t);
}

enum tls_result tls_result_of(uint32_t flags)
{
	if (flags == 0)
		return TLS_RESULT_OK;
	if (flags & MBEDTLS_X509_BADCERT_OTHER)
		return TLS_VALIDATION_FAILURE;
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		return TLS_CERTIFICATE_NOT_TRUSTED;
	if (flags &
	    (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))
		return TLS_CERTIFICATE_EXPIRED;
	return TLS_VALIDATION_FAILURE;
}

/* LDH labels, the left-most may be "*". */
static bool plain_name(struct span s)
{
	size_t i = s.n > 2 && s.p[0] == '*' && s.p[1] == '.' ? 2 : 0;

	if (s.n == 0 || s.n > 253)
		return false;
	for (; i < s.n; i++) {
		uint8_t c = ascii_lower(s.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '.' || c == '_'))
			return false;
	}
	return true;
}

static void add_name(struct channel *ch, struct span s)
{
	if (!plain_name(s) || s.n + 1 > sizeof(ch->names) - ch->names_n)
		return;
	ch->names[ch->names_n++] = (uint8_t)s.n;
	for (size_t i = 0; i < s.n; i++)
		ch->names[ch->names_n++] = ascii_lower(s.p[i]);
}

/* RFC 5929 4.1: by the hash of the certificate's signature, but none that is
 * weaker than SHA-256. */
void tls_bind_endpoint(const mbedtls_x509_crt *leaf, struct logon_binding *b)
{
	mbedtls_md_type_t md = leaf->MBEDTLS_PRIVATE(sig_md);
	const mbedtls_md_info_t *info;

	if (md != MBEDTLS_MD_SHA384 && md != MBEDTLS_MD_SHA512)
		md = MBEDTLS_MD_SHA256;
	info = mbedtls_md_info_from_type(md);
	if (mbedtls_md(info, leaf->raw.p, leaf->raw.len, b->endpoint) == 0)
		b->endpoint_n = mbedtls_md_get_size(info);
}

void tls_describe(const mbedtls_x509_crt *leaf, struct channel *ch)
{
	const mbedtls_x509_sequence *n = &leaf->subject_alt_names;
	const uint8_t dns = MBEDTLS_ASN1_CONTEXT_SPECIFIC |
			    MBEDTLS_X509_SAN_DNS_NAME;

	mbedtls_sha256(leaf->pk_raw.p, leaf->pk_raw.len, ch->spki_sha256, 0);
	for (; n; n = n->next)
		if (n->buf.tag == dns)
			add_name(ch, (struct span){ n->buf.p, n->buf.len });
}

uint64_t tls_time(const mbedtls_x509_time *t)
{
	int64_t s = date_days(t->year, t->mon, t->day) * 86400 +
		    t->hour * 3600 + t->min * 60 + t->sec;

	return s > 0 ? (uint64_t)s : 1;
}
