/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_self_test - known answers before the first session. Some compilers have
 * produced wrong GCM code (GCC 10 to 14.2 at -O3 without AES instructions); a
 * library that cannot encrypt must not be trusted to refuse.
 */
#include <mbedtls/aes.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/gcm.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <psa/crypto.h>
#include "crypto/crypto_self_test.h"
#include "tls/tls_engine.h"

int tls_self_test(const char **why)
{
	static const struct {
		const char *name;
		int (*run)(int verbose);
	} tests[] = {
		{ "AES", mbedtls_aes_self_test },
		{ "AES-GCM", mbedtls_gcm_self_test },
		{ "ChaCha20-Poly1305", mbedtls_chachapoly_self_test },
		{ "SHA-256", mbedtls_sha256_self_test },
		{ "SHA-384", mbedtls_sha384_self_test },
		{ "SHA-512", mbedtls_sha512_self_test },
		{ "CTR-DRBG", mbedtls_ctr_drbg_self_test },
		{ "ECP", mbedtls_ecp_self_test },
		{ "RSA", mbedtls_rsa_self_test },
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		*why = tests[i].name;
		if (tests[i].run(0) != 0)
			return E_CORRUPT;
	}
	*why = "random generator";
	if (psa_crypto_init() != PSA_SUCCESS)
		return E_IO;
	/* What the library leaves to somebody else. */
	return crypto_self_test(why);
}
