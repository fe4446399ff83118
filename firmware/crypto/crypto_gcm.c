/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crypto_gcm - AES-GCM of the PSA driver, see crypto_driver.h.
 *
 * One record at a time: the key is expanded anew for each, which is a
 * fortieth of the work on a record of 16 KiB.
 */
#include <nettle/gcm.h>
#include <stdbool.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include "crypto/crypto_driver.h"

enum { NONCE = GCM_IV_SIZE, TAG = GCM_DIGEST_SIZE };

union gcm {
	struct gcm_aes128_ctx k128;
	struct gcm_aes256_ctx k256;
};

static bool supported(const psa_key_attributes_t *a, psa_algorithm_t alg,
		      size_t key_n, size_t nonce_n)
{
	return alg == PSA_ALG_GCM && psa_get_key_type(a) == PSA_KEY_TYPE_AES &&
	       (key_n == AES128_KEY_SIZE || key_n == AES256_KEY_SIZE) &&
	       nonce_n == NONCE;
}

static void begin(union gcm *g, const uint8_t *key, size_t key_n,
		  const uint8_t *nonce, const uint8_t *ad, size_t ad_n)
{
	if (key_n == AES128_KEY_SIZE) {
		gcm_aes128_set_key(&g->k128, key);
		gcm_aes128_set_iv(&g->k128, NONCE, nonce);
		gcm_aes128_update(&g->k128, ad_n, ad);
	} else {
		gcm_aes256_set_key(&g->k256, key);
		gcm_aes256_set_iv(&g->k256, NONCE, nonce);
		gcm_aes256_update(&g->k256, ad_n, ad);
	}
}

psa_status_t crypto_aead_encrypt(const psa_key_attributes_t *attributes,
				 const uint8_t *key, size_t key_n,
				 psa_algorithm_t alg, const uint8_t *nonce,
				 size_t nonce_n, const uint8_t *ad, size_t ad_n,
				 const uint8_t *plain, size_t plain_n,
				 uint8_t *out, size_t size, size_t *n)
{
	union gcm g;

	if (!supported(attributes, alg, key_n, nonce_n))
		return PSA_ERROR_NOT_SUPPORTED;
	if (size < TAG || size - TAG < plain_n)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	begin(&g, key, key_n, nonce, ad, ad_n);
	if (key_n == AES128_KEY_SIZE) {
		gcm_aes128_encrypt(&g.k128, plain_n, out, plain);
		gcm_aes128_digest(&g.k128, TAG, out + plain_n);
	} else {
		gcm_aes256_encrypt(&g.k256, plain_n, out, plain);
		gcm_aes256_digest(&g.k256, TAG, out + plain_n);
	}
	mbedtls_platform_zeroize(&g, sizeof(g));
	*n = plain_n + TAG;
	return PSA_SUCCESS;
}

psa_status_t crypto_aead_decrypt(const psa_key_attributes_t *attributes,
				 const uint8_t *key, size_t key_n,
				 psa_algorithm_t alg, const uint8_t *nonce,
				 size_t nonce_n, const uint8_t *ad, size_t ad_n,
				 const uint8_t *in, size_t in_n, uint8_t *out,
				 size_t size, size_t *n)
{
	uint8_t tag[TAG];
	union gcm g;
	size_t len = in_n - TAG;
	bool same;

	if (!supported(attributes, alg, key_n, nonce_n))
		return PSA_ERROR_NOT_SUPPORTED;
	if (in_n < TAG)
		return PSA_ERROR_INVALID_ARGUMENT;
	if (size < len)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	begin(&g, key, key_n, nonce, ad, ad_n);
	if (key_n == AES128_KEY_SIZE) {
		gcm_aes128_decrypt(&g.k128, len, out, in);
		gcm_aes128_digest(&g.k128, TAG, tag);
	} else {
		gcm_aes256_decrypt(&g.k256, len, out, in);
		gcm_aes256_digest(&g.k256, TAG, tag);
	}
	mbedtls_platform_zeroize(&g, sizeof(g));
	same = mbedtls_ct_memcmp(tag, in + len, TAG) == 0;
	mbedtls_platform_zeroize(tag, sizeof(tag));
	if (!same) {
		mbedtls_platform_zeroize(out, len);
		return PSA_ERROR_INVALID_SIGNATURE;
	}
	*n = len;
	return PSA_SUCCESS;
}
