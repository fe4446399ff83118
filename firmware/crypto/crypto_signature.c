/* SPDX-License-Identifier: BSD-2-Clause */
/* crypto_signature - see crypto_signature.h. */
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include "base/bug.h"
#include "crypto/crypto_signature.h"

enum { PIECE = 256 << 10, BITS_MIN = 2048 };

void crypto_sha256(uint8_t out[CRYPTO_SHA256], struct span s,
		   void (*alive)(void))
{
	mbedtls_sha256_context c;

	mbedtls_sha256_init(&c);
	BUG_ON(mbedtls_sha256_starts(&c, 0) != 0);
	while (s.n > 0) {
		size_t n = s.n < PIECE ? s.n : PIECE;

		BUG_ON(mbedtls_sha256_update(&c, s.p, n) != 0);
		s = span_skip(s, n);
		if (alive)
			alive();
	}
	BUG_ON(mbedtls_sha256_finish(&c, out) != 0);
	mbedtls_sha256_free(&c);
}

/* The library's general pk_verify wants its key store; this does not. */
static int check(mbedtls_pk_context *pk, const uint8_t digest[CRYPTO_SHA256],
		 struct span signature)
{
	mbedtls_rsa_context *rsa;
	size_t bits;

	if (mbedtls_pk_get_type(pk) != MBEDTLS_PK_RSA)
		return E_CONF;
	rsa = mbedtls_pk_rsa(*pk);
	bits = mbedtls_pk_get_bitlen(pk);
	if (bits < BITS_MIN || bits > 8 * CRYPTO_SIGNATURE_MAX)
		return E_CONF;
	if (signature.n != mbedtls_rsa_get_len(rsa) ||
	    mbedtls_rsa_pkcs1_verify(rsa, MBEDTLS_MD_SHA256, CRYPTO_SHA256,
				     digest, signature.p) != 0)
		return E_CORRUPT;
	return OK;
}

int crypto_signature_check(struct span key, struct span s,
			   struct span signature)
{
	uint8_t digest[CRYPTO_SHA256];
	mbedtls_pk_context pk;
	int r = E_CONF;

	crypto_sha256(digest, s, NULL);
	mbedtls_pk_init(&pk);
	if (mbedtls_pk_parse_public_key(&pk, key.p, key.n) == 0)
		r = check(&pk, digest, signature);
	mbedtls_pk_free(&pk);
	return r;
}
