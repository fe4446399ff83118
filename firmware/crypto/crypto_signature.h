/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CRYPTO_CRYPTO_SIGNATURE_H
#define CRYPTO_CRYPTO_SIGNATURE_H

#include "base/err.h"
#include "base/span.h"

/*
 * crypto_signature - was this signed by the owner of that key? For images: the
 * key is the one that U-Boot trusts as well.
 */
enum { CRYPTO_SHA256 = 32, CRYPTO_SIGNATURE_MAX = 512 };

/* alive is called between pieces of long work; may be NULL. */
void crypto_sha256(uint8_t out[CRYPTO_SHA256], struct span s,
		   void (*alive)(void));

/*
 * RSA, 2048 to 4096 bits, PKCS #1 v1.5 with SHA-256 (RFC 8017 8.2) over s. key:
 * SubjectPublicKeyInfo in DER.
 *
 * E_CORRUPT: not signed by it. E_CONF: not such a key.
 */
MUST_CHECK int crypto_signature_check(struct span key, struct span s,
				      struct span signature);

#endif
