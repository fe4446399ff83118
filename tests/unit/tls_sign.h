/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_TLS_SIGN_H
#define TESTS_UNIT_TLS_SIGN_H

/*
 * Who has the private keys, for engines that have none: signs with the keys of pki.h,
 * by OpenSSL.
 */
#include "base/sign.h"
#include "pki.h"

/* The key of that pin, or NULL. */
static inline EVP_PKEY *sign_key(const uint8_t pin[SIGN_PIN])
{
	for (enum pki_key k = PKI_EC; k < PKI_KEYS; k++) {
		uint8_t *der = NULL, digest[SIGN_PIN];
		int n = i2d_PUBKEY(pki_key(k), &der);

		EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL);
		OPENSSL_free(der);
		if (memcmp(digest, pin, SIGN_PIN) == 0)
			return pki_key(k);
	}
	return NULL;
}

/* What q asks for, valid until the next call; empty: nobody has the key. */
static inline struct span sign_by(const struct sign_ask *q)
{
	static uint8_t out[SIGN_MAX];
	EVP_PKEY *key = sign_key(q->pin);
	EVP_PKEY_CTX *c;
	size_t n = sizeof(out);

	if (!key)
		return (struct span){ NULL, 0 };
	c = EVP_PKEY_CTX_new(key, NULL);
	assert_int_equal(EVP_PKEY_sign_init(c), 1);
	assert_int_equal(EVP_PKEY_base_id(key) == EVP_PKEY_RSA,
			 q->scheme != SIGN_ECDSA);
	if (q->scheme != SIGN_ECDSA)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(
					 c, q->scheme == SIGN_RSA_PSS
						    ? RSA_PKCS1_PSS_PADDING
						    : RSA_PKCS1_PADDING),
				 1);
	if (q->scheme == SIGN_RSA_PSS)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(
					 c, RSA_PSS_SALTLEN_DIGEST),
				 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(
				 c, q->hash_n == 32   ? EVP_sha256()
				    : q->hash_n == 48 ? EVP_sha384()
						      : EVP_sha512()),
			 1);
	assert_int_equal(EVP_PKEY_sign(c, out, &n, q->hash, q->hash_n), 1);
	EVP_PKEY_CTX_free(c);
	return (struct span){ out, n };
}

#endif
