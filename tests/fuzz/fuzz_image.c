/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that is to become the firmware, with every signature taken for good and
 * every digest for right: what lies behind them must hold as well. And the same
 * octets as an environment of U-Boot.
 */
#include <stdlib.h>
#include "base/bug.h"
#include "base/bytes.h"
#include "crypto/crypto_signature.h"
#include "image/image.h"
#include "image/slot.h"

void crypto_sha256(uint8_t out[CRYPTO_SHA256], struct span s,
		   void (*alive)(void))
{
	(void)alive;
	memset(out, 0, CRYPTO_SHA256);
	for (size_t i = 0; i < s.n; i++)
		out[i % CRYPTO_SHA256] ^= s.p[i];
}

int crypto_signature_check(struct span key, struct span s,
			   struct span signature)
{
	uint8_t any = 0;

	for (size_t i = 0; i < s.n; i++)
		any |= s.p[i];
	for (size_t i = 0; i < signature.n; i++)
		any |= signature.p[i];
	return key.n == 1 && any ? OK : E_CORRUPT;
}

/* A word can go to a terminal. */
static void check_word(const char *w)
{
	size_t n = strnlen(w, IMAGE_WORD);

	BUG_ON(n == 0 || n == IMAGE_WORD);
	for (size_t i = 0; i < n; i++)
		BUG_ON(w[i] <= ' ' || w[i] > '~');
}

static void image(struct span file)
{
	struct image_rules r = { "qemu", "1.2.3", 1, file.n, false };
	const char *why = NULL;
	struct image m;
	struct text t;
	char text[200];
	int order, back;

	if (image_parse(&m, file, &why) != OK) {
		BUG_ON(!why);
		return;
	}
	BUG_ON(m.fit.p != file.p || m.fit.n + IMAGE_TRAILER != file.n);
	BUG_ON(image_size(file) != file.n);
	check_word(m.board);
	check_word(m.version);
	(void)!image_verify(&m, SPAN_LIT("k"), NULL, &why);
	text_init(&t, text, sizeof(text));
	BUG_ON(image_judge(&m, &r, &t) == OK && strcmp(m.board, "qemu") != 0);
	if (image_version_compare(span_str(m.version), span_str(r.version),
				  &order) == OK) {
		BUG_ON(image_version_compare(span_str(r.version),
					     span_str(m.version), &back) != OK);
		BUG_ON(order != -back);
	}
}

static void environment(const uint8_t *data, size_t n)
{
	static uint8_t raw[BOOT_ENV_SIZE];
	static struct boot_env e, again;
	struct slot_plan p;

	memset(raw, 0, sizeof(raw));
	memcpy(raw, data, n < sizeof(raw) ? n : sizeof(raw));
	(void)boot_env_choose(raw, raw);
	boot_env_init(&e, raw);
	if (slot_begin(&e, SLOT_B) != OK)
		return;
	boot_env_seal(&e);
	boot_env_init(&again, e.raw);
	p = slot_plan(&again);
	BUG_ON(p.first != SLOT_B || !p.trial || p.boots != 0);
	BUG_ON(boot_env_choose(e.raw, raw) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n + !n);

	if (n > 0)
		memcpy(copy, data, n);
	image((struct span){ copy, n });
	/* the lengths as they should be: the rest is reached */
	if (n >= IMAGE_TRAILER + IMAGE_FIT_HEAD) {
		uint8_t *t = copy + n - IMAGE_TRAILER;

		put_be32(copy, 0xd00dfeed);
		put_be32(copy + 4, (uint32_t)(n - IMAGE_TRAILER));
		memcpy(t, "sealwire\1", 10);
		put_le32(t + 12, (uint32_t)(n - IMAGE_TRAILER));
		image((struct span){ copy, n });
	}
	if (n == 0 || data[0] != 0xd0)
		environment(data, n);
	free(copy);
	return 0;
}
