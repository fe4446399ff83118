/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_SIGN_H
#define BASE_SIGN_H

#include "base/span.h"

/*
 * sign - the words of a signature that a handshake needs, and that somebody else
 * makes: who has the private key (DESIGN.md, "keys signs").
 */
enum sign_scheme {
	SIGN_RSA_PKCS1, /* RFC 8017 8.2: TLS 1.2 */
	SIGN_RSA_PSS, /* RFC 8017 8.1, with a salt as long as the hash: TLS 1.3 */
	SIGN_ECDSA,   /* R and S in DER (RFC 3279 2.2.3) */
	SIGN_SCHEMES
};

enum {
	SIGN_PIN = 32,
	SIGN_HASH_MAX = 64,
	SIGN_MAX = 512, /* octets of a signature: RSA with 4096 bits */
};

struct sign_ask {
	enum sign_scheme scheme;
	uint8_t pin[SIGN_PIN]; /* whose: SHA-256 of the SubjectPublicKeyInfo */
	uint8_t hash[SIGN_HASH_MAX];
	uint8_t hash_n; /* 32, 48 or 64: SHA-256, SHA-384 or SHA-512 */
};

static inline bool sign_hash_can_be(size_t n)
{
	return n == 32 || n == 48 || n == 64;
}

#endif
