/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pki_sign - see pki_sign.h. The context of a key is kept: mbedTLS blinds RSA with
 * numbers that take longer to make than to use.
 */
#include <mbedtls/build_info.h> /* first: the others ask it */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/rsa.h>
#include <stdlib.h>
#include <string.h>
#include "pki/pki_parse.h"
#include "pki/pki_sign.h"

struct pki_signer {
	mbedtls_pk_context pk;
	struct pki_info info;
};

int pki_signer_new(struct span der, struct pki_signer **out)
{
	struct pki_signer *s = calloc(1, sizeof(*s));
	int r = E_CORRUPT;

	*out = NULL;
	if (!s)
		return E_FULL;
	mbedtls_pk_init(&s->pk);
	if (der.n > 0 && mbedtls_pk_parse_key(&s->pk, der.p, der.n, NULL, 0,
					      pki_random, NULL) == 0)
		r = pki_key_describe(&s->pk, &s->info);
	if (r != OK)
		pki_signer_free(s);
	else
		*out = s;
	return r;
}

void pki_signer_free(struct pki_signer *s)
{
	if (s)
		mbedtls_pk_free(&s->pk);
	free(s);
}

const uint8_t *pki_signer_pin(const struct pki_signer *s)
{
	return s->info.pin;
}

static mbedtls_md_type_t md_of(const struct sign_ask *q)
{
	return q->hash_n == 64	 ? MBEDTLS_MD_SHA512
	       : q->hash_n == 48 ? MBEDTLS_MD_SHA384
				 : MBEDTLS_MD_SHA256;
}

static int sign_rsa(struct pki_signer *s, const struct sign_ask *q,
		    uint8_t out[SIGN_MAX], size_t *n)
{
	mbedtls_rsa_context *rsa = mbedtls_pk_rsa(s->pk);
	int padding = q->scheme == SIGN_RSA_PSS ? MBEDTLS_RSA_PKCS_V21
						: MBEDTLS_RSA_PKCS_V15;

	*n = mbedtls_rsa_get_len(rsa);
	if (mbedtls_rsa_set_padding(rsa, padding, md_of(q)) != 0)
		return -1;
	return mbedtls_rsa_pkcs1_sign(rsa, pki_random, NULL, md_of(q),
				      q->hash_n, q->hash, out);
}

int pki_sign(struct pki_signer *s, const struct sign_ask *q,
	     uint8_t out[SIGN_MAX], size_t *n)
{
	bool rsa = s->info.type == PKI_RSA;
	int r;

	if (rsa == (q->scheme == SIGN_ECDSA) || !sign_hash_can_be(q->hash_n))
		return E_CONF;
	r = rsa ? sign_rsa(s, q, out, n)
		: mbedtls_ecdsa_write_signature(mbedtls_pk_ec(s->pk), md_of(q),
						q->hash, q->hash_n, out,
						SIGN_MAX, n, pki_random, NULL);
	if (r == 0)
		return OK;
	return r == MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED ? E_IO : E_FULL;
}
