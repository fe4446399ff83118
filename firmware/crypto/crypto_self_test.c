/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crypto_self_test - see crypto_self_test.h.
 *
 * Curves: keys and signatures of RFC 6979 A.2.5 to A.2.7 ("sample", with the
 * hash of the curve's size) and RFC 7748 6.1. A NIST curve's secret is that of
 * the key with itself. AES-GCM: test cases 4 and 16 of its specification
 * (McGrew, Viega), and then the same as mbedTLS's own code for many lengths,
 * because the assembler works on several blocks at a time.
 */
#include <mbedtls/gcm.h>
#include <psa/crypto.h>
#include <stdbool.h>
#include <string.h>
#include "crypto/crypto_self_test.h"

/* All in hexadecimal; NULL: not for this curve. */
struct known_curve {
	const char *name;
	psa_ecc_family_t family;
	size_t bits;
	const char *key, *own, *peer, *secret;
	const char *hash, *sig;
};

static const struct known_curve curves[] = {
	{ "P-256", PSA_ECC_FAMILY_SECP_R1, 256,
	  "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
	  "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	  "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
	  NULL,
	  "2388ee990c93c4bb757203225b7786d69950d2f0de43cdf23dc71f5efaa169c8",
	  "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf",
	  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8" },
	{ "P-384", PSA_ECC_FAMILY_SECP_R1, 384,
	  "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
	  "96d5724e4c70a825f872c9ea60d2edf5",
	  "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
	  "def8f0ea9055866064a254515480bc13"
	  "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"
	  "288b231c3ae0d4fe7344fd2533264720",
	  NULL,
	  "905b8f97a03235c5cb1752a7984727c2e978287ee1afbaafa89e5ca1d4c60170"
	  "2c1c5f5ed8f12ec243da8281f12932a8",
	  "9a9083505bc92276aec4be312696ef7bf3bf603f4bbd381196a029f340585312"
	  "313bca4a9b5b890efee42c77b1ee25fe",
	  "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
	  "81a648152e44acf96e36dd1e80fabe46"
	  "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
	  "a329c145786e679e7b82c71a38628ac8" },
	{ "P-521", PSA_ECC_FAMILY_SECP_R1, 521,
	  "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75"
	  "caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b8"
	  "3538",
	  "0401894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd"
	  "371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f50"
	  "23a4"
	  "00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a"
	  "28a0db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfd"
	  "fcf5",
	  NULL,
	  "01901b89b20bd70e5683bd9cf00422f38c75237eeb357d78eeb091eff0aba905"
	  "f8121159aba8b5be730c4b65b93dc7357c9f29de67e319c4adb1fc2fdd1bd844"
	  "4063",
	  "39a5e04aaff7455d9850c605364f514c11324ce64016960d23d5dc57d3ffd8f4"
	  "9a739468ab8049bf18eef820cdb1ad6c9015f838556bc7fad4138b23fdf986c7",
	  "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f"
	  "174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e3"
	  "77fa"
	  "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af"
	  "282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4"
	  "a67a" },
	{ "X25519", PSA_ECC_FAMILY_MONTGOMERY, 255,
	  "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
	  "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	  "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
	  NULL, NULL },
};

/* The same text and nonce in both test cases. */
static const char gcm_plain[] =
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
static const char gcm_ad[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
static const char gcm_nonce[] = "cafebabefacedbaddecaf888";

static const struct known_gcm {
	const char *name, *key, *sealed;
} gcms[] = {
	{ "AES-128-GCM", "feffe9928665731c6d6a8f9467308308",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	  "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ "AES-256-GCM",
	  "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

enum { MOST = 160, TAG = 16, NONCE = 12 };

struct octets {
	uint8_t p[MOST];
	size_t n;
};

static uint8_t digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct octets hex(const char *s)
{
	struct octets o = { .n = strlen(s) / 2 };

	for (size_t i = 0; i < o.n; i++)
		o.p[i] = (uint8_t)(digit(s[2 * i]) << 4 | digit(s[2 * i + 1]));
	return o;
}

static bool same(const struct octets *want, const uint8_t *p, size_t n)
{
	return n == want->n && memcmp(p, want->p, n) == 0;
}

static bool import(psa_key_type_t type, size_t bits, psa_key_usage_t usage,
		   psa_algorithm_t alg, const struct octets *o,
		   psa_key_id_t *key)
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;

	psa_set_key_type(&a, type);
	psa_set_key_bits(&a, bits);
	psa_set_key_usage_flags(&a, usage);
	psa_set_key_algorithm(&a, alg);
	return psa_import_key(&a, o->p, o->n, key) == PSA_SUCCESS;
}

/* Our public key, the secret with a peer; and a peer that is on no curve. */
static bool agrees(const struct known_curve *c)
{
	struct octets secret = hex(c->secret), own = hex(c->own);
	struct octets peer = hex(c->peer ? c->peer : c->own);
	struct octets d = hex(c->key);
	uint8_t out[MOST];
	psa_key_id_t key;
	size_t n;
	bool ok;

	if (!import(PSA_KEY_TYPE_ECC_KEY_PAIR(c->family), c->bits,
		    PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH, &d, &key))
		return false;
	ok = psa_export_public_key(key, out, sizeof(out), &n) == PSA_SUCCESS &&
	     same(&own, out, n) &&
	     psa_raw_key_agreement(PSA_ALG_ECDH, key, peer.p, peer.n, out,
				   sizeof(out), &n) == PSA_SUCCESS &&
	     same(&secret, out, n);
	/* Every octet string is a point of X25519; zero is a bad one. */
	if (c->family == PSA_ECC_FAMILY_MONTGOMERY)
		memset(peer.p, 0, peer.n);
	else
		peer.p[peer.n - 1] ^= 1;
	ok = ok && psa_raw_key_agreement(PSA_ALG_ECDH, key, peer.p, peer.n, out,
					 sizeof(out), &n) != PSA_SUCCESS;
	return psa_destroy_key(key) == PSA_SUCCESS && ok;
}

static bool verifies(const struct known_curve *c)
{
	struct octets hash = hex(c->hash), sig = hex(c->sig), q = hex(c->own);
	const psa_algorithm_t alg = PSA_ALG_ECDSA_ANY;
	psa_key_id_t key;
	bool ok;

	if (!import(PSA_KEY_TYPE_ECC_PUBLIC_KEY(c->family), c->bits,
		    PSA_KEY_USAGE_VERIFY_HASH, alg, &q, &key))
		return false;
	ok = psa_verify_hash(key, alg, hash.p, hash.n, sig.p, sig.n) ==
	     PSA_SUCCESS;
	sig.p[sig.n - 1] ^= 1;
	ok = ok && psa_verify_hash(key, alg, hash.p, hash.n, sig.p, sig.n) ==
			   PSA_ERROR_INVALID_SIGNATURE;
	sig.p[sig.n - 1] ^= 1;
	hash.p[0] ^= 0x80;
	ok = ok && psa_verify_hash(key, alg, hash.p, hash.n, sig.p, sig.n) ==
			   PSA_ERROR_INVALID_SIGNATURE;
	memset(sig.p, 0, sig.n);
	ok = ok && psa_verify_hash(key, alg, hash.p, hash.n, sig.p, sig.n) ==
			   PSA_ERROR_INVALID_SIGNATURE;
	return psa_destroy_key(key) == PSA_SUCCESS && ok;
}

static bool seals(const struct known_gcm *g, psa_key_id_t key)
{
	struct octets plain = hex(gcm_plain), sealed = hex(g->sealed);
	struct octets nonce = hex(gcm_nonce), ad = hex(gcm_ad);
	uint8_t out[MOST];
	size_t n;

	if (psa_aead_encrypt(key, PSA_ALG_GCM, nonce.p, nonce.n, ad.p, ad.n,
			     plain.p, plain.n, out, sizeof(out),
			     &n) != PSA_SUCCESS ||
	    !same(&sealed, out, n) ||
	    psa_aead_decrypt(key, PSA_ALG_GCM, nonce.p, nonce.n, ad.p, ad.n,
			     sealed.p, sealed.n, out, sizeof(out),
			     &n) != PSA_SUCCESS ||
	    !same(&plain, out, n))
		return false;
	ad.p[0] ^= 1;
	return psa_aead_decrypt(key, PSA_ALG_GCM, nonce.p, nonce.n, ad.p, ad.n,
				sealed.p, sealed.n, out, sizeof(out),
				&n) == PSA_ERROR_INVALID_SIGNATURE;
}

/* n octets in place, as a record is, there and back. */
static bool seals_alike(mbedtls_gcm_context *other, psa_key_id_t key, size_t n)
{
	static uint8_t ours[16384 + TAG], theirs[16384 + TAG];
	struct octets nonce = hex(gcm_nonce);
	size_t got;

	for (size_t i = 0; i < n; i++)
		ours[i] = (uint8_t)(i * i >> 3);
	if (mbedtls_gcm_crypt_and_tag(other, MBEDTLS_GCM_ENCRYPT, n, nonce.p,
				      NONCE, nonce.p, 5, ours, theirs, TAG,
				      theirs + n) != 0 ||
	    psa_aead_encrypt(key, PSA_ALG_GCM, nonce.p, NONCE, nonce.p, 5, ours,
			     n, ours, sizeof(ours), &got) != PSA_SUCCESS ||
	    got != n + TAG || memcmp(ours, theirs, got) != 0 ||
	    psa_aead_decrypt(key, PSA_ALG_GCM, nonce.p, NONCE, nonce.p, 5, ours,
			     n + TAG, ours, n, &got) != PSA_SUCCESS ||
	    got != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (ours[i] != (uint8_t)(i * i >> 3))
			return false;
	return true;
}

static bool ciphers(const struct known_gcm *g)
{
	static const size_t lengths[] = { 0,   1,   15,	  16,	17,
					  255, 256, 1039, 8191, 16384 };
	struct octets k = hex(g->key);
	mbedtls_gcm_context other;
	psa_key_id_t key;
	bool ok;

	if (!import(PSA_KEY_TYPE_AES, 8 * k.n,
		    PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT, PSA_ALG_GCM,
		    &k, &key))
		return false;
	mbedtls_gcm_init(&other);
	ok = seals(g, key) && mbedtls_gcm_setkey(&other, MBEDTLS_CIPHER_ID_AES,
						 k.p, (unsigned)k.n * 8) == 0;
	for (size_t i = 0; ok && i < sizeof(lengths) / sizeof(lengths[0]); i++)
		ok = seals_alike(&other, key, lengths[i]);
	mbedtls_gcm_free(&other);
	return psa_destroy_key(key) == PSA_SUCCESS && ok;
}

int crypto_self_test(const char **why)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		*why = curves[i].name;
		if (!agrees(&curves[i]))
			return E_CORRUPT;
		if (curves[i].sig && !verifies(&curves[i]))
			return E_CORRUPT;
	}
	for (size_t i = 0; i < sizeof(gcms) / sizeof(gcms[0]); i++) {
		*why = gcms[i].name;
		if (!ciphers(&gcms[i]))
			return E_CORRUPT;
	}
	*why = NULL;
	return OK;
}
