/* SPDX-License-Identifier: BSD-2-Clause */
/* pki_key - see pki_key.h. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include <psa/crypto.h>
#include <string.h>
#include "crypto/crypto_self_test.h"
#include "pki/pki_parse.h"

enum { SPKI_MAX = 1024 };

static const struct {
	enum pki_type type;
	unsigned bits;
	mbedtls_ecp_group_id curve;
} kinds[] = {
	{ PKI_ECDSA, 256, MBEDTLS_ECP_DP_SECP256R1 },
	{ PKI_ECDSA, 384, MBEDTLS_ECP_DP_SECP384R1 },
	{ PKI_RSA, 2048, MBEDTLS_ECP_DP_NONE },
	{ PKI_RSA, 3072, MBEDTLS_ECP_DP_NONE },
	{ PKI_RSA, 4096, MBEDTLS_ECP_DP_NONE },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const char *pki_type_name(enum pki_type t)
{
	switch (t) {
	case PKI_ECDSA: return "ECDSA";
	case PKI_RSA: return "RSA";
	}
	return "?";
}

int pki_init(void)
{
	const char *why;

	return psa_crypto_init() == PSA_SUCCESS ? crypto_self_test(&why) : E_IO;
}

int pki_random(void *arg, unsigned char *out, size_t n)
{
	(void)arg;
	return psa_generate_random(out, n) == PSA_SUCCESS
		       ? 0
		       : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

/* --- making ------------------------------------------------------------------ */
/* The search for primes asks for random octets at each candidate: a good moment
 * for the program to show that it lives. */
struct breath {
	void (*alive)(void);
};

static int breathing_random(void *arg, unsigned char *out, size_t n)
{
	const struct breath *b = arg;

	if (b->alive)
		b->alive();
	return pki_random(NULL, out, n);
}

static size_t kind_of(enum pki_type t, unsigned bits)
{
	size_t i = 0;

	while (i < KINDS && (kinds[i].type != t || kinds[i].bits != bits))
		i++;
	return i;
}

bool pki_key_can_be(enum pki_type t, unsigned bits)
{
	return kind_of(t, bits) < KINDS;
}

static int generate(mbedtls_pk_context *pk, size_t kind, struct breath *b)
{
	const mbedtls_pk_type_t type = kinds[kind].type == PKI_RSA
					       ? MBEDTLS_PK_RSA
					       : MBEDTLS_PK_ECKEY;

	if (mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(type)) != 0)
		return -1;
	if (kinds[kind].type == PKI_RSA)
		return mbedtls_rsa_gen_key(mbedtls_pk_rsa(*pk),
					   breathing_random, b,
					   kinds[kind].bits, 65537);
	return mbedtls_ecp_gen_key(kinds[kind].curve, mbedtls_pk_ec(*pk),
				   breathing_random, b);
}

int pki_key_make(enum pki_type t, unsigned bits, void (*alive)(void),
		 uint8_t der[PKI_KEY_MAX], size_t *n)
{
	struct breath b = { alive };
	size_t kind = kind_of(t, bits);
	mbedtls_pk_context pk;
	int r = E_CONF;

	if (kind == KINDS)
		return r;
	mbedtls_pk_init(&pk);
	r = generate(&pk, kind, &b);
	if (r == 0)
		r = pki_key_write(&pk, der, n);
	else
		r = r == MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED ? E_IO
								    : E_FULL;
	mbedtls_pk_free(&pk);
	return r;
}

int pki_key_write(const mbedtls_pk_context *pk, uint8_t der[PKI_KEY_MAX],
		  size_t *n)
{
	int r = mbedtls_pk_write_key_der(pk, der, PKI_KEY_MAX);

	if (r <= 0)
		return E_FULL;
	*n = (size_t)r;
	/* it writes at the end */
	memmove(der, der + PKI_KEY_MAX - *n, *n);
	mbedtls_platform_zeroize(der + *n, PKI_KEY_MAX - *n);
	return OK;
}

/* --- looking --------------------------------------------------------------------- */
const char *pki_key_fault(const mbedtls_pk_context *pk)
{
	size_t bits = mbedtls_pk_get_bitlen(pk);

	if (mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA)
		return bits < 2048   ? "an RSA key has at least 2048 bits"
		       : bits > 4096 ? "an RSA key has at most 4096 bits"
				     : NULL;
	if (mbedtls_pk_get_type(pk) != MBEDTLS_PK_ECKEY)
		return "only RSA and ECDSA keys are of use here";
	switch ((int)mbedtls_pk_ec(*pk)->MBEDTLS_PRIVATE(grp).id) {
	case MBEDTLS_ECP_DP_SECP256R1:
	case MBEDTLS_ECP_DP_SECP384R1:
	case MBEDTLS_ECP_DP_SECP521R1: return NULL;
	default: return "only the curves P-256, P-384 and P-521 are of use";
	}
}

int pki_key_describe(const mbedtls_pk_context *pk, struct pki_info *info)
{
	unsigned char spki[SPKI_MAX];
	int n = mbedtls_pk_write_pubkey_der(pk, spki, sizeof(spki));

	if (n <= 0 || pki_key_fault(pk))
		return E_CORRUPT;
	info->type = mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA ? PKI_RSA
							       : PKI_ECDSA;
	info->bits = (unsigned)mbedtls_pk_get_bitlen(pk);
	return mbedtls_sha256(spki + sizeof(spki) - n, (size_t)n, info->pin,
			      0) == 0
		       ? OK
		       : E_FULL;
}

int pki_key_info(struct span der, struct pki_info *info)
{
	mbedtls_pk_context pk;
	int r = E_CORRUPT;

	mbedtls_pk_init(&pk);
	if (der.n > 0 && mbedtls_pk_parse_key(&pk, der.p, der.n, NULL, 0,
					      pki_random, NULL) == 0)
		r = pki_key_describe(&pk, info);
	mbedtls_pk_free(&pk);
	return r;
}
