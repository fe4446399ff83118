/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_IMAGE_FILE_H
#define TESTS_UNIT_IMAGE_FILE_H

/*
 * An image as tools/sign-image makes one, written from the description in
 * image.h and signed by OpenSSL. After cmocka.h.
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include "base/bytes.h"
#include "image/image.h"

enum { FILE_MAX = 12288 };

struct file_want {
	const char *board, *version; /* NULL: "qemu", "1.2.3" */
	size_t fit_n;
	uint8_t seed; /* other octets in the FIT */
	uint16_t schema;
};

struct file {
	uint8_t p[FILE_MAX];
	size_t n;
};

static inline struct span file_span(const struct file *f)
{
	return (struct span){ f->p, f->n };
}

static inline EVP_PKEY *file_key(void)
{
	static EVP_PKEY *key;

	if (!key)
		key = EVP_RSA_gen(2048);
	assert_non_null(key);
	return key;
}

/* As it is in the box: SubjectPublicKeyInfo, DER. */
static inline struct span file_public(EVP_PKEY *key)
{
	static uint8_t der[1024];
	uint8_t *p = der;
	int n = i2d_PUBKEY(key, &p);

	assert_in_range(n, 1, sizeof(der));
	return (struct span){ der, (size_t)n };
}

/* Sign whatever stands in the trailer now. */
static inline void file_sign(struct file *f, EVP_PKEY *key)
{
	uint8_t *t = f->p + f->n - IMAGE_TRAILER;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = IMAGE_TRAILER - IMAGE_SIGNED;

	put_le32(t + 120, (uint32_t)EVP_PKEY_get_size(key));
	assert_int_equal(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key),
			 1);
	assert_int_equal(
		EVP_DigestSign(c, t + IMAGE_SIGNED, &n, t, IMAGE_SIGNED), 1);
	EVP_MD_CTX_free(c);
}

static inline void file_make(struct file *f, struct file_want w)
{
	size_t fit_n = w.fit_n ? w.fit_n : 1000;
	uint8_t *t = f->p + fit_n;

	assert_in_range(fit_n, IMAGE_FIT_HEAD, FILE_MAX - IMAGE_TRAILER);
	memset(f, 0, sizeof(*f));
	f->n = fit_n + IMAGE_TRAILER;
	for (size_t i = 0; i < fit_n; i++)
		f->p[i] = (uint8_t)(i * 7 + w.seed);
	put_be32(f->p, 0xd00dfeed);
	put_be32(f->p + 4, (uint32_t)fit_n);
	memcpy(t, "sealwire", 8);
	put_le16(t + 8, 1);
	put_le16(t + 10, w.schema ? w.schema : 1);
	put_le32(t + 12, (uint32_t)fit_n);
	put_le64(t + 16, 1700000000);
	strncpy((char *)t + 24, w.board ? w.board : "qemu", 31);
	strncpy((char *)t + 56, w.version ? w.version : "1.2.3", 31);
	SHA256(f->p, fit_n, t + 88);
	file_sign(f, file_key());
}

#endif
