/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seal - see seal.h. PBKDF2 is written out here, because a hundred thousand
 * rounds have to let their caller breathe, and the library's do not: one output
 * block of HMAC-SHA512 is all that is needed.
 */
#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha512.h>
#include <stdlib.h>
#include <sys/random.h>
#include "base/bug.h"
#include "base/text.h"
#include "store/seal.h"

int seal_random(void *p, size_t n)
{
	uint8_t *to = p;

	while (n > 0) {
		ssize_t r = getrandom(to, n, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return E_IO;
		to += r;
		n -= (size_t)r;
	}
	return OK;
}

int seal_key(uint8_t key[SEAL_SECRET], const uint8_t secret[SEAL_SECRET],
	     const char *purpose)
{
	static const uint8_t salt[] = "sealwire";

	if (mbedtls_hkdf(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), salt,
			 sizeof(salt) - 1, secret, SEAL_SECRET,
			 (const uint8_t *)purpose, strlen(purpose), key,
			 SEAL_SECRET) != 0)
		return E_FULL;
	return OK;
}

void seal_wipe(void *p, size_t n)
{
	mbedtls_platform_zeroize(p, n);
}

/* --- a body in pieces -------------------------------------------------------- */
struct seal {
	mbedtls_gcm_context gcm;
};

struct seal *seal_new(enum seal_way way, const uint8_t key[SEAL_SECRET],
		      const uint8_t nonce[SEAL_NONCE], struct span with)
{
	struct seal *s = malloc(sizeof(*s));
	int mode = way == SEAL_SHUT ? MBEDTLS_GCM_ENCRYPT : MBEDTLS_GCM_DECRYPT;

	if (!s)
		return NULL;
	mbedtls_gcm_init(&s->gcm);
	if (mbedtls_gcm_setkey(&s->gcm, MBEDTLS_CIPHER_ID_AES, key,
			       8 * SEAL_SECRET) != 0) {
		seal_free(s);
		return NULL;
	}
	BUG_ON(mbedtls_gcm_starts(&s->gcm, mode, nonce, SEAL_NONCE) != 0 ||
	       mbedtls_gcm_update_ad(&s->gcm, with.p, with.n) != 0);
	return s;
}

void seal_piece(struct seal *s, const uint8_t *in, uint8_t *out, size_t n)
{
	size_t done = 0;

	BUG_ON(mbedtls_gcm_update(&s->gcm, in, n, out, n, &done) != 0 ||
	       done != n);
}

void seal_tag(struct seal *s, uint8_t tag[SEAL_TAG])
{
	size_t rest;

	BUG_ON(mbedtls_gcm_finish(&s->gcm, NULL, 0, &rest, tag, SEAL_TAG) != 0);
}

int seal_check(struct seal *s, const uint8_t tag[SEAL_TAG])
{
	uint8_t real[SEAL_TAG];

	seal_tag(s, real);
	return mbedtls_ct_memcmp(real, tag, SEAL_TAG) == 0 ? OK : E_CORRUPT;
}

void seal_free(struct seal *s)
{
	if (!s)
		return;
	mbedtls_gcm_free(&s->gcm);
	free(s);
}

/* --- passwords --------------------------------------------------------------- */
enum {
	SALT = 16,
	HASH = 64,
	BLOCK = 128, /* of SHA-512 */
	SALT64 = 24,
	HASH64 = 88,
	ROUNDS_AT_ONCE = 4096,
};

static const char form[] = "pbkdf2-sha512:";

struct stored {
	uint32_t iterations;
	uint8_t salt[SALT], hash[HASH];
};

/* A SHA-512 that has begun with the password in its HMAC pad. */
static void pad(mbedtls_sha512_context *c, const uint8_t key[BLOCK],
		uint8_t with)
{
	uint8_t block[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		block[i] = key[i] ^ with;
	mbedtls_sha512_init(c);
	BUG_ON(mbedtls_sha512_starts(c, 0) != 0 ||
	       mbedtls_sha512_update(c, block, BLOCK) != 0);
	seal_wipe(block, BLOCK);
}

/* HMAC of two pieces; out may be one of them. */
static void hmac(const mbedtls_sha512_context pads[2], struct span a,
		 struct span b, uint8_t out[HASH])
{
	mbedtls_sha512_context c;
	uint8_t inner[HASH];

	mbedtls_sha512_init(&c);
	mbedtls_sha512_clone(&c, &pads[0]);
	BUG_ON(mbedtls_sha512_update(&c, a.p, a.n) != 0 ||
	       (b.n > 0 && mbedtls_sha512_update(&c, b.p, b.n) != 0) ||
	       mbedtls_sha512_finish(&c, inner) != 0);
	mbedtls_sha512_clone(&c, &pads[1]);
	BUG_ON(mbedtls_sha512_update(&c, inner, HASH) != 0 ||
	       mbedtls_sha512_finish(&c, out) != 0);
	mbedtls_sha512_free(&c);
	seal_wipe(inner, HASH);
}

/* RFC 8018 5.2, its first and only block. */
static void pbkdf2(struct stored *s, struct span password, void (*alive)(void))
{
	mbedtls_sha512_context pads[2];
	uint8_t key[BLOCK] = { 0 }, u[HASH];

	if (password.n > BLOCK)
		BUG_ON(mbedtls_sha512(password.p, password.n, key, 0) != 0);
	else if (password.n > 0)
		memcpy(key, password.p, password.n);
	pad(&pads[0], key, 0x36);
	pad(&pads[1], key, 0x5c);
	hmac(pads, (struct span){ s->salt, SALT }, SPAN_LIT("\0\0\0\1"), u);
	memcpy(s->hash, u, HASH);
	for (uint32_t i = 1; i < s->iterations; i++) {
		hmac(pads, (struct span){ u, HASH }, (struct span){ 0 }, u);
		for (size_t k = 0; k < HASH; k++)
			s->hash[k] ^= u[k];
		if (alive && i % ROUNDS_AT_ONCE == 0)
			alive();
	}
	mbedtls_sha512_free(&pads[0]);
	mbedtls_sha512_free(&pads[1]);
	seal_wipe(key, sizeof(key));
	seal_wipe(u, sizeof(u));
}

static bool sane(uint32_t iterations)
{
	return iterations >= PASSWORD_ITERATIONS_MIN &&
	       iterations <= PASSWORD_ITERATIONS_MAX;
}

static void print(char out[PASSWORD_HASH_MAX], const struct stored *s)
{
	uint8_t salt[SALT64 + 1], hash[HASH64 + 1];
	struct text t;
	size_t n;

	BUG_ON(mbedtls_base64_encode(salt, sizeof(salt), &n, s->salt, SALT) ||
	       mbedtls_base64_encode(hash, sizeof(hash), &n, s->hash, HASH));
	text_init(&t, out, PASSWORD_HASH_MAX);
	text_str(&t, form);
	text_u64(&t, s->iterations);
	text_str(&t, ":");
	text_str(&t, (const char *)salt);
	text_str(&t, ":");
	text_str(&t, (const char *)hash);
	BUG_ON(t.cut);
}

/* What parse() takes is what print() gives, to the octet: so there is one
 * spelling, and the library's leniency does not matter. */
static int parse(struct stored *s, struct span in)
{
	char again[PASSWORD_HASH_MAX];
	struct span rest = in;
	size_t n;

	*s = (struct stored){ 0 };
	if (in.n >= sizeof(again) || in.n < sizeof(form) ||
	    memcmp(in.p, form, sizeof(form) - 1) != 0)
		return E_CORRUPT;
	rest = span_skip(in, sizeof(form) - 1);
	while (rest.n > 0 && rest.p[0] >= '0' && rest.p[0] <= '9' &&
	       s->iterations <= PASSWORD_ITERATIONS_MAX) {
		s->iterations = 10 * s->iterations + (rest.p[0] - '0');
		rest = span_skip(rest, 1);
	}
	if (!sane(s->iterations) || rest.n != 1 + SALT64 + 1 + HASH64 ||
	    mbedtls_base64_decode(s->salt, SALT, &n, rest.p + 1, SALT64) != 0 ||
	    n != SALT ||
	    mbedtls_base64_decode(s->hash, HASH, &n, rest.p + 2 + SALT64,
				  HASH64) != 0 ||
	    n != HASH)
		return E_CORRUPT;
	print(again, s);
	return span_eq(span_str(again), in) ? OK : E_CORRUPT;
}

int password_hash(char out[PASSWORD_HASH_MAX], struct span password,
		  uint32_t iterations, void (*alive)(void))
{
	struct stored s = { .iterations = iterations };
	int r;

	if (password.n == 0 || password.n > PASSWORD_MAX || !sane(iterations))
		return E_CONF;
	r = seal_random(s.salt, SALT);
	if (r != OK)
		return r;
	pbkdf2(&s, password, alive);
	print(out, &s);
	return OK;
}

int password_check(struct span stored, struct span password,
		   void (*alive)(void))
{
	struct stored want, have;
	int r = parse(&want, stored);

	if (r != OK)
		return r;
	if (password.n > PASSWORD_MAX)
		password.n = 0; /* as wrong as the empty one, and as slow */
	have = want;
	pbkdf2(&have, password, alive);
	r = mbedtls_ct_memcmp(have.hash, want.hash, HASH) == 0 && password.n > 0
		    ? OK
		    : E_PEER_SYNTAX;
	seal_wipe(&have, sizeof(have));
	return r;
}

bool password_valid(struct span stored)
{
	struct stored s;

	return parse(&s, stored) == OK;
}
