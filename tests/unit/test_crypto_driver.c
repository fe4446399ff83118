/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PSA driver against OpenSSL: the same keys, secrets, verdicts and sealed
 * octets, and a refusal of what is no key, point, signature or tag.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>
#include "base/err.h"
#include "base/span.h"
#include "crypto/crypto_driver.h"
#include "crypto/crypto_self_test.h"
#include "packet.h"

enum { ROUNDS = 12, MOST = 140 };

static const struct curve {
	const char *name;
	psa_ecc_family_t family;
	size_t bits, octets;
} curves[] = {
	{ "P-256", PSA_ECC_FAMILY_SECP_R1, 256, 32 },
	{ "P-384", PSA_ECC_FAMILY_SECP_R1, 384, 48 },
	{ "P-521", PSA_ECC_FAMILY_SECP_R1, 521, 66 },
	{ "X25519", PSA_ECC_FAMILY_MONTGOMERY, 255, 32 },
};
#define EACH_CURVE(c)     \
	(c) = curves;     \
	(c) < curves + 4; \
	(c)++
#define EACH_NIST(c)      \
	(c) = curves;     \
	(c) < curves + 3; \
	(c)++

struct bytes {
	uint8_t b[MOST];
	size_t n;
};

static psa_key_attributes_t attributes(psa_key_type_t type, size_t bits)
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;

	psa_set_key_type(&a, type);
	psa_set_key_bits(&a, bits);
	return a;
}

static psa_key_attributes_t pair_of(const struct curve *c)
{
	return attributes(PSA_KEY_TYPE_ECC_KEY_PAIR(c->family), c->bits);
}

static psa_key_attributes_t public_of(const struct curve *c)
{
	return attributes(PSA_KEY_TYPE_ECC_PUBLIC_KEY(c->family), c->bits);
}

static EVP_PKEY *generate(const struct curve *c)
{
	EVP_PKEY *k = c->family == PSA_ECC_FAMILY_MONTGOMERY
			      ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519")
			      : EVP_PKEY_Q_keygen(NULL, NULL, "EC", c->name);

	assert_non_null(k);
	return k;
}

static struct bytes private_of(const struct curve *c, EVP_PKEY *k)
{
	struct bytes o = { .n = c->octets };
	BIGNUM *d = NULL;

	if (c->family == PSA_ECC_FAMILY_MONTGOMERY) {
		assert_int_equal(EVP_PKEY_get_raw_private_key(k, o.b, &o.n), 1);
		return o;
	}
	assert_int_equal(EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_PRIV_KEY, &d),
			 1);
	assert_int_equal(BN_bn2binpad(d, o.b, (int)o.n), o.n);
	BN_free(d);
	return o;
}

static struct bytes point_of(EVP_PKEY *k)
{
	struct bytes o = { .n = 0 };

	assert_int_equal(
		EVP_PKEY_get_octet_string_param(
			k, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, o.b, MOST, &o.n),
		1);
	return o;
}

static psa_status_t agree(const struct curve *c, const struct bytes *key,
			  const struct bytes *peer, struct bytes *out)
{
	psa_key_attributes_t a = pair_of(c);

	return crypto_key_agreement(&a, key->b, key->n, PSA_ALG_ECDH, peer->b,
				    peer->n, out->b, c->octets, &out->n);
}

static psa_status_t export(const struct curve *c, const struct bytes *key,
			   struct bytes *out)
{
	psa_key_attributes_t a = pair_of(c);

	return crypto_export_public_key(&a, key->b, key->n, out->b, MOST,
					&out->n);
}

static psa_status_t verify(const struct curve *c, const struct bytes *key,
			   const struct bytes *hash, const struct bytes *sig)
{
	psa_key_attributes_t a = public_of(c);

	return crypto_verify_hash(&a, key->b, key->n, PSA_ALG_ECDSA_ANY,
				  hash->b, hash->n, sig->b, sig->n);
}

/* How many points the curve has; private keys are below it. */
static struct bytes order_of(const struct curve *c)
{
	struct bytes o = { .n = c->octets };
	EVP_PKEY *k = generate(c);
	BIGNUM *n = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_EC_ORDER, &n),
			 1);
	assert_int_equal(BN_bn2binpad(n, o.b, (int)o.n), o.n);
	BN_free(n);
	EVP_PKEY_free(k);
	return o;
}

/* --- curves ------------------------------------------------------------------- */

static void test_public_keys_and_secrets(void **state)
{
	const struct curve *c;

	(void)state;
	for (EACH_CURVE(c))
		for (int i = 0; i < ROUNDS; i++) {
			EVP_PKEY *ours = generate(c), *theirs = generate(c);
			struct bytes key = private_of(c, ours);
			struct bytes peer = point_of(theirs), got, want;
			EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(ours, NULL);

			assert_int_equal(export(c, &key, &got), PSA_SUCCESS);
			want = point_of(ours);
			assert_int_equal(got.n, want.n);
			assert_memory_equal(got.b, want.b, want.n);

			want.n = MOST;
			assert_int_equal(EVP_PKEY_derive_init(x), 1);
			assert_int_equal(EVP_PKEY_derive_set_peer(x, theirs),
					 1);
			assert_int_equal(EVP_PKEY_derive(x, want.b, &want.n),
					 1);
			assert_int_equal(agree(c, &key, &peer, &got),
					 PSA_SUCCESS);
			assert_int_equal(got.n, want.n);
			assert_memory_equal(got.b, want.b, want.n);
			EVP_PKEY_CTX_free(x);
			EVP_PKEY_free(ours);
			EVP_PKEY_free(theirs);
		}
}

/* Zero, the order, and more than that are no keys; one below it is. */
static void test_what_is_no_private_key(void **state)
{
	const struct curve *c;

	(void)state;
	for (EACH_NIST(c)) {
		struct bytes key = order_of(c), out;

		assert_int_equal(export(c, &key, &out),
				 PSA_ERROR_INVALID_ARGUMENT);
		key.b[key.n - 1]--;
		assert_int_equal(export(c, &key, &out), PSA_SUCCESS);
		memset(key.b, 0xff, key.n);
		assert_int_equal(export(c, &key, &out),
				 PSA_ERROR_INVALID_ARGUMENT);
		memset(key.b, 0, key.n);
		assert_int_equal(export(c, &key, &out),
				 PSA_ERROR_INVALID_ARGUMENT);
		key.b[key.n - 1] = 1;
		assert_int_equal(export(c, &key, &out), PSA_SUCCESS);
		key.n--;
		assert_int_equal(export(c, &key, &out),
				 PSA_ERROR_INVALID_ARGUMENT);
	}
}

static void refused(const struct curve *c, const struct bytes *key,
		    const struct bytes *peer)
{
	struct bytes hash = { .n = 32 }, sig = { .n = 2 * c->octets }, out;

	assert_int_equal(agree(c, key, peer, &out), PSA_ERROR_INVALID_ARGUMENT);
	assert_int_not_equal(verify(c, peer, &hash, &sig), PSA_SUCCESS);
}

static void test_what_is_no_point(void **state)
{
	const struct curve *c;

	(void)state;
	for (EACH_NIST(c)) {
		EVP_PKEY *k = generate(c);
		struct bytes key = private_of(c, k), good = point_of(k), p;

		for (size_t i = 1; i < good.n; i++) {
			p = good;
			p.b[i] ^= 1;
			refused(c, &key, &p);
		}
		for (int first = 0; first < 256; first++) {
			p = good;
			p.b[0] = (uint8_t)first;
			if (first != 4)
				refused(c, &key, &p);
		}
		p = good; /* X is not below the field's prime */
		memset(p.b + 1, 0xff, c->octets);
		refused(c, &key, &p);
		p = good;
		memset(p.b + 1, 0, p.n - 1);
		refused(c, &key, &p);
		for (p = good; p.n-- > 0;)
			refused(c, &key, &p);
		EVP_PKEY_free(k);
	}
}

/* The points of small order, as numbers, little-endian (RFC 7748 6.1). */
static void test_small_order(void **state)
{
	static const uint8_t eight[2][32] = {
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae,
		  0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		  0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
		  0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
		{ 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24,
		  0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		  0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86,
		  0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
	};
	const struct curve *c = &curves[3];
	EVP_PKEY *k = generate(c);
	struct bytes key = private_of(c, k), p = { .n = 32 }, out;

	(void)state;
	for (int high = 0; high < 2; high++) {
		for (int i = 0; i < 2; i++) {
			memcpy(p.b, eight[i], 32);
			p.b[31] |= (uint8_t)(high << 7);
			assert_int_equal(agree(c, &key, &p, &out),
					 PSA_ERROR_INVALID_ARGUMENT);
		}
		for (int i = 0; i < 2; i++) { /* 0 and 1 */
			memset(p.b, 0, 32);
			p.b[0] = (uint8_t)i;
			p.b[31] |= (uint8_t)(high << 7);
			assert_int_equal(agree(c, &key, &p, &out),
					 PSA_ERROR_INVALID_ARGUMENT);
		}
		for (int i = 0xec; i <= 0xee; i++) { /* p - 1, p, p + 1 */
			memset(p.b, 0xff, 32);
			p.b[0] = (uint8_t)i;
			p.b[31] = (uint8_t)(0x7f | high << 7);
			assert_int_equal(agree(c, &key, &p, &out),
					 PSA_ERROR_INVALID_ARGUMENT);
		}
	}
	p.n = 31;
	assert_int_equal(agree(c, &key, &p, &out), PSA_ERROR_INVALID_ARGUMENT);
	EVP_PKEY_free(k);
}

/* --- signatures --------------------------------------------------------------- */

static struct bytes sign(const struct curve *c, EVP_PKEY *k,
			 const struct bytes *hash)
{
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(k, NULL);
	struct bytes sig = { .n = 2 * c->octets };
	const uint8_t *at;
	const BIGNUM *r, *s;
	uint8_t der[160];
	size_t n = sizeof(der);
	ECDSA_SIG *e;

	assert_int_equal(EVP_PKEY_sign_init(x), 1);
	assert_int_equal(EVP_PKEY_sign(x, der, &n, hash->b, hash->n), 1);
	at = der;
	e = d2i_ECDSA_SIG(NULL, &at, (long)n);
	assert_non_null(e);
	ECDSA_SIG_get0(e, &r, &s);
	BN_bn2binpad(r, sig.b, (int)c->octets);
	BN_bn2binpad(s, sig.b + c->octets, (int)c->octets);
	ECDSA_SIG_free(e);
	EVP_PKEY_CTX_free(x);
	return sig;
}

static void test_signatures(void **state)
{
	static const size_t hashes[] = { 20, 28, 32, 48, 64 };
	const struct curve *c;

	(void)state;
	for (EACH_NIST(c))
		for (size_t h = 0; h < sizeof(hashes) / sizeof(hashes[0]);
		     h++) {
			EVP_PKEY *k = generate(c);
			struct bytes hash = { .n = hashes[h] };
			struct bytes key = point_of(k), sig, bad;

			RAND_bytes(hash.b, (int)hash.n);
			sig = sign(c, k, &hash);
			assert_int_equal(verify(c, &key, &hash, &sig),
					 PSA_SUCCESS);
			for (size_t i = 0; i < sig.n; i++) {
				bad = sig;
				bad.b[i] = (uint8_t)(bad.b[i] ^ 1 << i % 8);
				assert_int_equal(verify(c, &key, &hash, &bad),
						 PSA_ERROR_INVALID_SIGNATURE);
			}
			bad = hash;
			bad.b[0] ^= 0x80;
			assert_int_equal(verify(c, &key, &bad, &sig),
					 PSA_ERROR_INVALID_SIGNATURE);
			for (bad = sig; bad.n-- > 0;)
				assert_int_equal(verify(c, &key, &hash, &bad),
						 PSA_ERROR_INVALID_SIGNATURE);
			EVP_PKEY_free(k);
		}
}

/* R and S that are 0, 1, the order, or all ones; a hash of zeros. */
static void test_degenerate_signatures(void **state)
{
	const struct curve *c;

	(void)state;
	for (EACH_NIST(c)) {
		EVP_PKEY *k = generate(c);
		struct bytes key = point_of(k), n = order_of(c);
		struct bytes sig = { .n = 2 * c->octets };
		struct bytes hash = { .n = c->octets < 64 ? c->octets : 64 };
		uint8_t number[4][66] = { 0 };

		number[1][c->octets - 1] = 1;
		memcpy(number[2], n.b, c->octets);
		memset(number[3], 0xff, c->octets);
		for (int i = 0; i < 16; i++) {
			memcpy(sig.b, number[i / 4], c->octets);
			memcpy(sig.b + c->octets, number[i % 4], c->octets);
			assert_int_equal(verify(c, &key, &hash, &sig),
					 PSA_ERROR_INVALID_SIGNATURE);
		}
		EVP_PKEY_free(k);
	}
}

/* --- AES-GCM ------------------------------------------------------------------- */

enum { LONGEST = 16384 + 256, TAG = 16, NONCE = 12 };

/* What OpenSSL makes of it: n + TAG octets. */
static void seal(const uint8_t *key, size_t key_n, const uint8_t *nonce,
		 struct span ad, const uint8_t *in, size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int len;

	assert_int_equal(EVP_EncryptInit_ex(x,
					    key_n == 16 ? EVP_aes_128_gcm()
							: EVP_aes_256_gcm(),
					    NULL, key, nonce),
			 1);
	assert_int_equal(EVP_EncryptUpdate(x, NULL, &len, ad.p, (int)ad.n), 1);
	assert_int_equal(EVP_EncryptUpdate(x, out, &len, in, (int)n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(x, out + n, &len), 1);
	assert_int_equal(
		EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG, out + n), 1);
	EVP_CIPHER_CTX_free(x);
}

static void one_length(size_t key_n, size_t n, size_t ad_n)
{
	static uint8_t plain[LONGEST], want[LONGEST + TAG], got[LONGEST + TAG];
	psa_key_attributes_t a = attributes(PSA_KEY_TYPE_AES, 8 * key_n);
	uint8_t key[32], nonce[NONCE], ad[64];
	size_t len;

	RAND_bytes(key, sizeof(key));
	RAND_bytes(nonce, NONCE);
	RAND_bytes(ad, sizeof(ad));
	RAND_bytes(plain, (int)n + 1);
	seal(key, key_n, nonce, (struct span){ ad, ad_n }, plain, n, want);

	memcpy(got, plain, n);
	assert_int_equal(crypto_aead_encrypt(&a, key, key_n, PSA_ALG_GCM, nonce,
					     NONCE, ad, ad_n, got, n, got,
					     n + TAG, &len),
			 PSA_SUCCESS);
	assert_int_equal(len, n + TAG);
	assert_memory_equal(got, want, len);

	assert_int_equal(crypto_aead_decrypt(&a, key, key_n, PSA_ALG_GCM, nonce,
					     NONCE, ad, ad_n, got, n + TAG, got,
					     n, &len),
			 PSA_SUCCESS);
	assert_int_equal(len, n);
	assert_memory_equal(got, plain, n);

	/* One bit is wrong: refused, and nothing of it is left. */
	memcpy(got, want, n + TAG);
	got[(n * 7 + ad_n) % (n + TAG)] ^= 4;
	assert_int_equal(crypto_aead_decrypt(&a, key, key_n, PSA_ALG_GCM, nonce,
					     NONCE, ad, ad_n, got, n + TAG,
					     plain, n, &len),
			 PSA_ERROR_INVALID_SIGNATURE);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(plain[i], 0);
}

static void test_records(void **state)
{
	(void)state;
	for (size_t key_n = 16; key_n <= 32; key_n += 16) {
		for (size_t n = 0; n < 600; n++)
			one_length(key_n, n, n % 32);
		for (size_t n = 16320; n < 16448; n += 3)
			one_length(key_n, n, 13);
	}
}

/* It reads and writes nothing behind its buffers. */
static void test_records_at_the_edge(void **state)
{
	psa_key_attributes_t a = attributes(PSA_KEY_TYPE_AES, 128);
	static uint8_t key[16], nonce[NONCE], ad[13], body[64 + TAG];
	size_t len;

	(void)state;
	for (size_t n = 0; n <= 64; n++) {
		uint8_t *at =
			(uint8_t *)pk_guard((struct span){ body, n + TAG }).p;

		assert_int_equal(crypto_aead_encrypt(&a, key, 16, PSA_ALG_GCM,
						     nonce, NONCE, ad, 13, at,
						     n, at, n + TAG, &len),
				 PSA_SUCCESS);
		assert_int_equal(crypto_aead_decrypt(&a, key, 16, PSA_ALG_GCM,
						     nonce, NONCE, ad, 13, at,
						     n + TAG, at, n, &len),
				 PSA_SUCCESS);
	}
}

/* --- the rest is mbedTLS's ------------------------------------------------------ */

static void test_not_supported(void **state)
{
	psa_key_attributes_t aes = attributes(PSA_KEY_TYPE_AES, 128);
	psa_key_attributes_t chacha = attributes(PSA_KEY_TYPE_CHACHA20, 256);
	psa_key_attributes_t rsa = attributes(PSA_KEY_TYPE_RSA_PUBLIC_KEY,
					      2048);
	psa_key_attributes_t k1 = attributes(
		PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_K1), 256);
	uint8_t b[128] = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(crypto_aead_encrypt(&aes, b, 16, PSA_ALG_CCM, b, 12, b,
					     0, b, 0, b, 16, &n),
			 PSA_ERROR_NOT_SUPPORTED);
	assert_int_equal(crypto_aead_encrypt(&aes, b, 24, PSA_ALG_GCM, b, 12, b,
					     0, b, 0, b, 16, &n),
			 PSA_ERROR_NOT_SUPPORTED);
	assert_int_equal(crypto_aead_decrypt(&aes, b, 16, PSA_ALG_GCM, b, 16, b,
					     0, b, 16, b, 0, &n),
			 PSA_ERROR_NOT_SUPPORTED);
	assert_int_equal(crypto_aead_decrypt(&chacha, b, 32,
					     PSA_ALG_CHACHA20_POLY1305, b, 12,
					     b, 0, b, 16, b, 0, &n),
			 PSA_ERROR_NOT_SUPPORTED);
	assert_int_equal(crypto_verify_hash(&rsa, b, 128,
					    PSA_ALG_RSA_PKCS1V15_SIGN_RAW, b,
					    32, b, 128),
			 PSA_ERROR_NOT_SUPPORTED);
	assert_int_equal(crypto_export_public_key(&k1, b, 32, b, 128, &n),
			 PSA_ERROR_NOT_SUPPORTED);
	assert_int_equal(crypto_key_agreement(&k1, b, 32, PSA_ALG_ECDH, b, 65,
					      b, 32, &n),
			 PSA_ERROR_NOT_SUPPORTED);
}

static void test_no_room(void **state)
{
	psa_key_attributes_t aes = attributes(PSA_KEY_TYPE_AES, 128);
	const struct curve *c;
	uint8_t b[160] = { 0 };
	size_t n;

	(void)state;
	for (EACH_CURVE(c)) {
		psa_key_attributes_t a = pair_of(c);
		EVP_PKEY *k = generate(c);
		struct bytes key = private_of(c, k), p = point_of(k);

		assert_int_equal(crypto_export_public_key(&a, key.b, key.n, b,
							  p.n - 1, &n),
				 PSA_ERROR_BUFFER_TOO_SMALL);
		assert_int_equal(crypto_key_agreement(&a, key.b, key.n,
						      PSA_ALG_ECDH, p.b, p.n, b,
						      c->octets - 1, &n),
				 PSA_ERROR_BUFFER_TOO_SMALL);
		EVP_PKEY_free(k);
	}
	assert_int_equal(crypto_aead_encrypt(&aes, b, 16, PSA_ALG_GCM, b, 12, b,
					     0, b, 4, b, 19, &n),
			 PSA_ERROR_BUFFER_TOO_SMALL);
	assert_int_equal(crypto_aead_encrypt(&aes, b, 16, PSA_ALG_GCM, b, 12, b,
					     0, b, 0, b, 15, &n),
			 PSA_ERROR_BUFFER_TOO_SMALL);
	assert_int_equal(crypto_aead_decrypt(&aes, b, 16, PSA_ALG_GCM, b, 12, b,
					     0, b, 20, b, 3, &n),
			 PSA_ERROR_BUFFER_TOO_SMALL);
	assert_int_equal(crypto_aead_decrypt(&aes, b, 16, PSA_ALG_GCM, b, 12, b,
					     0, b, 15, b, 0, &n),
			 PSA_ERROR_INVALID_ARGUMENT);
}

static void test_known_answers(void **state)
{
	const char *why = "";

	(void)state;
	assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
	assert_int_equal(crypto_self_test(&why), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_public_keys_and_secrets),
		cmocka_unit_test(test_what_is_no_private_key),
		cmocka_unit_test(test_what_is_no_point),
		cmocka_unit_test(test_small_order),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_degenerate_signatures),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_records_at_the_edge),
		cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_known_answers),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
