/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crypto_curve - elliptic curves of the PSA driver, see crypto_driver.h.
 *
 * PSA has points as 04 X Y, private keys and coordinates as big-endian numbers
 * of the curve's length, signatures as R S; of X25519 all are 32 octets as
 * RFC 7748 has them. nettle wants GMP's numbers.
 *
 * GMP and nettle take memory in almost every function and know no failure. What
 * they take within one call of the driver is of a fixed piece, which is always
 * enough because all sizes are those of the curve. It is wiped as a whole at
 * the end, so nothing here is cleared one by one.
 */
#include <gmp.h>
#include <nettle/bignum.h>
#include <nettle/curve25519.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <mbedtls/constant_time.h>
#include "base/bug.h"
#include "crypto/crypto_driver.h"

enum { X25519 = CURVE25519_SIZE, SCRATCH = 16 * 1024 };

static struct {
	_Alignas(max_align_t) uint8_t b[SCRATCH];
	size_t used, most; /* most: since it was wiped */
} scratch;

static size_t rounded(size_t n)
{
	return (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
}

static void *take(size_t n)
{
	uint8_t *p = scratch.b + scratch.used;

	BUG_ON(rounded(n) > sizeof(scratch.b) - scratch.used);
	scratch.used += rounded(n);
	if (scratch.most < scratch.used)
		scratch.most = scratch.used;
	return p;
}

/* What was taken last can be taken again; any other waits for the end. */
static void give(void *p, size_t n)
{
	if ((uint8_t *)p + rounded(n) == scratch.b + scratch.used)
		scratch.used -= rounded(n);
}

static void *move(void *p, size_t old, size_t n)
{
	void *to = take(n);

	memcpy(to, p, old < n ? old : n);
	return to;
}

static psa_status_t wiped(psa_status_t status)
{
	explicit_bzero(scratch.b, scratch.most);
	scratch.used = scratch.most = 0;
	return status;
}

void crypto_init(void)
{
	mp_set_memory_functions(take, move, give);
}

static bool is_x25519(const psa_key_attributes_t *a)
{
	psa_key_type_t type = psa_get_key_type(a);

	return PSA_KEY_TYPE_IS_ECC_KEY_PAIR(type) &&
	       PSA_KEY_TYPE_ECC_GET_FAMILY(type) == PSA_ECC_FAMILY_MONTGOMERY &&
	       psa_get_key_bits(a) == 255;
}

/* NULL: not one of the driver's. */
static const struct ecc_curve *curve_of(const psa_key_attributes_t *a)
{
	psa_key_type_t type = psa_get_key_type(a);

	if (!PSA_KEY_TYPE_IS_ECC(type) ||
	    PSA_KEY_TYPE_ECC_GET_FAMILY(type) != PSA_ECC_FAMILY_SECP_R1)
		return NULL;
	switch (psa_get_key_bits(a)) {
	case 256: return nettle_get_secp_256r1();
	case 384: return nettle_get_secp_384r1();
	case 521: return nettle_get_secp_521r1();
	default: return NULL;
	}
}

static size_t octets(const struct ecc_curve *c)
{
	return (ecc_bit_size(c) + 7) / 8;
}

/* False: not a point of the curve. */
static bool point_in(struct ecc_point *p, const struct ecc_curve *c,
		     const uint8_t *in, size_t n)
{
	size_t len = octets(c);
	mpz_t x, y;

	if (n != 1 + 2 * len || in[0] != 4)
		return false;
	ecc_point_init(p, c);
	nettle_mpz_init_set_str_256_u(x, len, in + 1);
	nettle_mpz_init_set_str_256_u(y, len, in + 1 + len);
	return ecc_point_set(p, x, y) == 1;
}

/* False: zero, or not below the order. */
static bool scalar_in(struct ecc_scalar *s, const struct ecc_curve *c,
		      const uint8_t *in, size_t n)
{
	mpz_t z;

	if (n != octets(c))
		return false;
	ecc_scalar_init(s, c);
	nettle_mpz_init_set_str_256_u(z, n, in);
	return ecc_scalar_set(s, z) == 1;
}

/* X, and Y unless it is NULL; each of the curve's length. */
static void point_out(const struct ecc_point *p, const struct ecc_curve *c,
		      uint8_t *x, uint8_t *y)
{
	mpz_t a, b;

	mpz_init(a);
	mpz_init(b);
	ecc_point_get(p, a, b);
	nettle_mpz_get_str_256(octets(c), x, a);
	if (y)
		nettle_mpz_get_str_256(octets(c), y, b);
}

/* --- what PSA asks for ------------------------------------------------------- */

static psa_status_t nist_public(const struct ecc_curve *c, const uint8_t *key,
				size_t key_n, uint8_t *out, size_t size,
				size_t *n)
{
	struct ecc_scalar s;
	struct ecc_point p;

	if (size < 1 + 2 * octets(c))
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!scalar_in(&s, c, key, key_n))
		return PSA_ERROR_INVALID_ARGUMENT;
	ecc_point_init(&p, c);
	ecc_point_mul_g(&p, &s);
	out[0] = 4;
	point_out(&p, c, out + 1, out + 1 + octets(c));
	*n = 1 + 2 * octets(c);
	return PSA_SUCCESS;
}

static psa_status_t x25519_public(const uint8_t *key, size_t key_n,
				  uint8_t *out, size_t size, size_t *n)
{
	if (key_n != X25519)
		return PSA_ERROR_INVALID_ARGUMENT;
	if (size < X25519)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	curve25519_mul_g(out, key);
	*n = X25519;
	return PSA_SUCCESS;
}

psa_status_t crypto_export_public_key(const psa_key_attributes_t *attributes,
				      const uint8_t *key, size_t key_n,
				      uint8_t *out, size_t size, size_t *n)
{
	const struct ecc_curve *c = curve_of(attributes);

	if (is_x25519(attributes))
		return wiped(x25519_public(key, key_n, out, size, n));
	if (!c || !PSA_KEY_TYPE_IS_ECC_KEY_PAIR(psa_get_key_type(attributes)))
		return PSA_ERROR_NOT_SUPPORTED;
	return wiped(nist_public(c, key, key_n, out, size, n));
}

static psa_status_t nist_agree(const struct ecc_curve *c, const uint8_t *key,
			       size_t key_n, const uint8_t *peer, size_t peer_n,
			       uint8_t *secret, size_t size, size_t *n)
{
	struct ecc_scalar s;
	struct ecc_point p;

	if (size < octets(c))
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!scalar_in(&s, c, key, key_n) || !point_in(&p, c, peer, peer_n))
		return PSA_ERROR_INVALID_ARGUMENT;
	ecc_point_mul(&p, &s, &p);
	point_out(&p, c, secret, NULL);
	*n = octets(c);
	return PSA_SUCCESS;
}

/* A peer can choose a point of small order, and the secret is zero then
 * whatever our key is (RFC 7748 6.1). */
static psa_status_t x25519_agree(const uint8_t *key, size_t key_n,
				 const uint8_t *peer, size_t peer_n,
				 uint8_t *secret, size_t size, size_t *n)
{
	static const uint8_t zero[X25519];

	if (key_n != X25519 || peer_n != X25519)
		return PSA_ERROR_INVALID_ARGUMENT;
	if (size < X25519)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	curve25519_mul(secret, key, peer);
	if (mbedtls_ct_memcmp(secret, zero, X25519) == 0)
		return PSA_ERROR_INVALID_ARGUMENT;
	*n = X25519;
	return PSA_SUCCESS;
}

psa_status_t crypto_key_agreement(const psa_key_attributes_t *attributes,
				  const uint8_t *key, size_t key_n,
				  psa_algorithm_t alg, const uint8_t *peer,
				  size_t peer_n, uint8_t *secret, size_t size,
				  size_t *n)
{
	const struct ecc_curve *c = curve_of(attributes);

	if (!PSA_ALG_IS_ECDH(alg))
		return PSA_ERROR_NOT_SUPPORTED;
	if (is_x25519(attributes))
		return wiped(x25519_agree(key, key_n, peer, peer_n, secret,
					  size, n));
	if (!c || !PSA_KEY_TYPE_IS_ECC_KEY_PAIR(psa_get_key_type(attributes)))
		return PSA_ERROR_NOT_SUPPORTED;
	return wiped(nist_agree(c, key, key_n, peer, peer_n, secret, size, n));
}

static psa_status_t nist_verify(const struct ecc_curve *c, const uint8_t *key,
				size_t key_n, const uint8_t *hash,
				size_t hash_n, const uint8_t *sig, size_t sig_n)
{
	struct dsa_signature s;
	struct ecc_point p;

	if (!point_in(&p, c, key, key_n))
		return PSA_ERROR_INVALID_ARGUMENT;
	if (sig_n != 2 * octets(c))
		return PSA_ERROR_INVALID_SIGNATURE;
	nettle_mpz_init_set_str_256_u(s.r, octets(c), sig);
	nettle_mpz_init_set_str_256_u(s.s, octets(c), sig + octets(c));
	return ecdsa_verify(&p, hash_n, hash, &s) == 1
		       ? PSA_SUCCESS
		       : PSA_ERROR_INVALID_SIGNATURE;
}

psa_status_t crypto_verify_hash(const psa_key_attributes_t *attributes,
				const uint8_t *key, size_t key_n,
				psa_algorithm_t alg, const uint8_t *hash,
				size_t hash_n, const uint8_t *sig, size_t sig_n)
{
	const struct ecc_curve *c = curve_of(attributes);

	if (!c || !PSA_ALG_IS_ECDSA(alg) ||
	    !PSA_KEY_TYPE_IS_ECC_PUBLIC_KEY(psa_get_key_type(attributes)))
		return PSA_ERROR_NOT_SUPPORTED;
	return wiped(nist_verify(c, key, key_n, hash, hash_n, sig, sig_n));
}
