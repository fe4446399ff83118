/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_DIGEST_H
#define AUTH_DIGEST_H

#include "base/err.h"
#include "base/span.h"

/*
 * digest - the primitives that log-on mechanisms are made of, from libraries:
 * MD5, SHA, HMAC and DES from mbedTLS, MD4 and RC4 from the PolarSSL sources
 * that lwIP carries for PPP. Nobody else in auth/ knows either.
 *
 * Half of this is broken and stands here because what we talk to is old. What
 * it is worth is said in config/README.md; TLS uses none of it.
 */
enum digest {
	DIGEST_MD4,
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_SHA256,
};

enum { DIGEST_MAX = 32 };

/* 16, 16, 20, 32 */
size_t digest_size(enum digest d);

/* The digest of n parts one behind the other. E_FULL: no memory. */
MUST_CHECK int digest(enum digest d, const struct span *part, size_t n,
		      uint8_t *out);

/* HMAC (RFC 2104) of the same; not with MD4. */
MUST_CHECK int digest_hmac(enum digest d, struct span key,
			   const struct span *part, size_t n, uint8_t *out);

/* The octets of a and b, without an answer that depends on where they differ. */
bool digest_equal(const uint8_t *a, const uint8_t *b, size_t n);

/*
 * PBKDF2 with HMAC, one block (RFC 8018 5.2; "Hi" of RFC 5802 2.2), in pieces,
 * because a hundred thousand rounds must not stop a program. The result is in t
 * when step has returned OK; E_AGAIN: there is more to do.
 */
struct pbkdf2 {
	enum digest d;
	uint32_t left;
	uint8_t u[DIGEST_MAX], t[DIGEST_MAX];
};

/* rounds: at least 1. */
MUST_CHECK int pbkdf2_begin(struct pbkdf2 *p, enum digest d,
			    struct span password, struct span salt,
			    uint32_t rounds);
MUST_CHECK int pbkdf2_step(struct pbkdf2 *p, struct span password,
			   uint32_t rounds);

/* One block of DES under 56 bits of key, its parity added. */
MUST_CHECK int des_block(const uint8_t key[7], const uint8_t in[8],
			 uint8_t out[8]);

/* RC4, a stream: what was taken before decides what comes next. */
struct rc4 {
	_Alignas(8) uint8_t state[264];
};

void rc4_init(struct rc4 *r, struct span key);
/* In place. */
void rc4_crypt(struct rc4 *r, uint8_t *p, size_t n);

#endif
