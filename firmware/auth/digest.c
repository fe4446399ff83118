/* SPDX-License-Identifier: BSD-2-Clause */
/* digest - see digest.h. */
#include <limits.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/des.h>
#include <mbedtls/md.h>
/* The copies in lwIP belong to a PPP that is not built. */
#define PPP_SUPPORT  1
#define MPPE_SUPPORT 1
#include <netif/ppp/polarssl/arc4.h>
#include <netif/ppp/polarssl/md4.h>
#include "auth/digest.h"
#include "base/bytes.h"
#include "base/wipe.h"

_Static_assert(sizeof(arc4_context) <= sizeof(((struct rc4 *)0)->state) &&
		       _Alignof(arc4_context) <= 8,
	       "struct rc4 is too small");

size_t digest_size(enum digest d)
{
	switch (d) {
	case DIGEST_MD4:
	case DIGEST_MD5: return 16;
	case DIGEST_SHA1: return 20;
	case DIGEST_SHA256: return 32;
	}
	return 0;
}

static const mbedtls_md_info_t *info_of(enum digest d)
{
	switch (d) {
	case DIGEST_MD4: break;
	case DIGEST_MD5: return mbedtls_md_info_from_type(MBEDTLS_MD_MD5);
	case DIGEST_SHA1: return mbedtls_md_info_from_type(MBEDTLS_MD_SHA1);
	case DIGEST_SHA256: return mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	}
	return NULL;
}

static void md4_of(const struct span *part, size_t n, uint8_t *out)
{
	md4_context c;

	md4_starts(&c);
	for (size_t i = 0; i < n; i++) {
		/* It takes int, and no empty part. */
		for (struct span s = part[i]; s.n > 0;) {
			size_t take = s.n < 4096 ? s.n : 4096;

			md4_update(&c, (unsigned char *)(uintptr_t)s.p,
				   (int)take);
			s = span_skip(s, take);
		}
	}
	md4_finish(&c, out);
	wipe(&c, sizeof(c));
}

int digest(enum digest d, const struct span *part, size_t n, uint8_t *out)
{
	mbedtls_md_context_t c;
	int bad;

	if (d == DIGEST_MD4) {
		md4_of(part, n, out);
		return OK;
	}
	mbedtls_md_init(&c);
	bad = mbedtls_md_setup(&c, info_of(d), 0) || mbedtls_md_starts(&c);
	for (size_t i = 0; !bad && i < n; i++)
		bad = mbedtls_md_update(&c, part[i].p, part[i].n);
	bad = bad || mbedtls_md_finish(&c, out);
	mbedtls_md_free(&c);
	return bad ? E_FULL : OK;
}

/* Once: begin with a key, or with the one that is there already. */
static int hmac(mbedtls_md_context_t *c, const struct span *part, size_t n,
		uint8_t *out)
{
	int bad = mbedtls_md_hmac_reset(c);

	for (size_t i = 0; !bad && i < n; i++)
		bad = mbedtls_md_hmac_update(c, part[i].p, part[i].n);
	return bad || mbedtls_md_hmac_finish(c, out) ? E_FULL : OK;
}

static int hmac_begin(mbedtls_md_context_t *c, enum digest d, struct span key)
{
	/* An empty key is one. */
	static const uint8_t none;

	mbedtls_md_init(c);
	return mbedtls_md_setup(c, info_of(d), 1) ||
			       mbedtls_md_hmac_starts(c, key.n ? key.p : &none,
						      key.n)
		       ? E_FULL
		       : OK;
}

int digest_hmac(enum digest d, struct span key, const struct span *part,
		size_t n, uint8_t *out)
{
	mbedtls_md_context_t c;
	int r = hmac_begin(&c, d, key);

	if (r == OK)
		r = hmac(&c, part, n, out);
	mbedtls_md_free(&c);
	return r;
}

bool digest_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	return mbedtls_ct_memcmp(a, b, n) == 0;
}

int pbkdf2_begin(struct pbkdf2 *p, enum digest d, struct span password,
		 struct span salt, uint32_t rounds)
{
	static const uint8_t first[4] = { 0, 0, 0, 1 };
	const struct span in[] = { salt, { first, sizeof(first) } };
	int r;

	*p = (struct pbkdf2){ .d = d, .left = rounds - 1 };
	r = digest_hmac(d, password, in, 2, p->u);
	memcpy(p->t, p->u, sizeof(p->t));
	return r;
}

int pbkdf2_step(struct pbkdf2 *p, struct span password, uint32_t rounds)
{
	const struct span u = { p->u, digest_size(p->d) };
	mbedtls_md_context_t c;
	int r = hmac_begin(&c, p->d, password);

	for (; r == OK && p->left > 0 && rounds > 0; rounds--, p->left--) {
		r = hmac(&c, &u, 1, p->u);
		for (size_t i = 0; i < u.n; i++)
			p->t[i] ^= p->u[i];
	}
	mbedtls_md_free(&c);
	return r != OK ? r : p->left > 0 ? E_AGAIN : OK;
}

int des_block(const uint8_t key[7], const uint8_t in[8], uint8_t out[8])
{
	mbedtls_des_context c;
	uint8_t k[8];
	uint64_t bits = (uint64_t)get_be32(key) << 24 | get_be32(key + 3);
	int bad;

	/* seven bits in each octet; the lowest is parity */
	for (int i = 0; i < 8; i++)
		k[i] = (uint8_t)(bits >> (49 - 7 * i) << 1);
	mbedtls_des_key_set_parity(k);
	mbedtls_des_init(&c);
	bad = mbedtls_des_setkey_enc(&c, k) ||
	      mbedtls_des_crypt_ecb(&c, in, out);
	mbedtls_des_free(&c);
	wipe(k, sizeof(k));
	wipe(&bits, sizeof(bits));
	return bad ? E_FULL : OK;
}

void rc4_init(struct rc4 *r, struct span key)
{
	arc4_setup((arc4_context *)(void *)r->state,
		   (unsigned char *)(uintptr_t)key.p, (int)key.n);
}

void rc4_crypt(struct rc4 *r, uint8_t *p, size_t n)
{
	for (; n > INT_MAX; p += INT_MAX, n -= INT_MAX)
		arc4_crypt((arc4_context *)(void *)r->state, p, INT_MAX);
	arc4_crypt((arc4_context *)(void *)r->state, p, (int)n);
}
