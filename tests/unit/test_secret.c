/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of secrets, whole, cut and altered; and sealed passwords. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "secret/secret_table.h"
#include "store/seal_text.h"

static const struct secret_account bob = {
	.name = SPAN_LIT("bob"),
	.nt_domain = SPAN_LIT("CORP"),
	.user = SPAN_LIT("svc"),
	.password = SPAN_LIT("hush hush"),
	.sealed = SPAN_LIT("QUJD"),
};
static const struct secret_account eve = {
	.name = SPAN_LIT("eve"),
	.user = SPAN_LIT("u"),
	.password = SPAN_LIT("p"),
};
static const struct secret_account hub = {
	.name = SPAN_LIT("hub"),
	.nt_domain = SPAN_LIT("CORP"),
	.password = SPAN_LIT("hush"),
	.sealed = SPAN_LIT("QUJD"),
	.partner = true,
	.terms = { 1u << AUTH_NTLM, true, true, true, 56 },
};
static const struct secret_key mail = {
	.name = SPAN_LIT("mail"),
	.key = SPAN_LIT("\x30\x00"),
	.chain = SPAN_LIT("-----BEGIN"),
};

static struct span build(uint8_t *mem, size_t size)
{
	struct secret_build b;

	assert_int_equal(secret_build_begin(&b, mem, size), OK);
	assert_int_equal(secret_build_account(&b, &bob), OK);
	assert_int_equal(secret_build_key(&b, &mail), OK);
	assert_int_equal(secret_build_account(&b, &hub), OK);
	assert_int_equal(secret_build_account(&b, &eve), OK);
	return secret_build_end(&b, 7);
}

static void build_and_find(void **state)
{
	uint8_t mem[512];
	struct secret_table t;
	struct secret_account a;
	struct secret_key k;

	(void)state;
	assert_int_equal(secret_table_open(&t, build(mem, sizeof(mem))), OK);
	assert_int_equal(t.accounts_n, 2);
	assert_int_equal(t.keys_n, 1);
	assert_int_equal(t.partners_n, 1);
	secret_table_partner(&t, 0, &a);
	assert_true(a.partner && span_eq(a.name, hub.name));
	assert_memory_equal(&a.terms, &hub.terms, sizeof(a.terms));
	assert_true(span_eq(a.password, hub.password) && a.uses == 0);
	secret_table_account(&t, 0, &a);
	assert_false(a.partner);
	assert_true(span_eq(a.name, bob.name) && span_eq(a.user, bob.user));
	assert_true(span_eq(a.nt_domain, bob.nt_domain));
	assert_true(span_eq(a.password, bob.password));
	assert_true(span_eq(a.sealed, bob.sealed));
	secret_table_account(&t, 1, &a);
	assert_true(span_eq(a.name, eve.name) && a.nt_domain.n == 0);
	secret_table_key(&t, 0, &k);
	assert_true(span_eq(k.key, mail.key) && span_eq(k.chain, mail.chain));
	assert_true(secret_table_find_account(&t, eve.name, &a));
	assert_true(span_eq(a.password, eve.password));
	assert_true(secret_table_find_key(&t, mail.name, &k));
	/* a name is of its kind */
	assert_false(secret_table_find_account(&t, mail.name, &a));
	assert_false(secret_table_find_account(&t, hub.name, &a));
	assert_false(secret_table_find_key(&t, bob.name, &k));
	assert_false(secret_table_find_account(&t, SPAN_LIT("bo"), &a));
	assert_false(secret_table_find_account(&t, SPAN_LIT(""), &a));
}

static void nothing_in_it(void **state)
{
	struct secret_account a;
	struct secret_table t;
	struct secret_build b;
	uint8_t mem[24];

	(void)state;
	assert_int_equal(secret_build_begin(&b, mem, 23), E_FULL);
	assert_int_equal(secret_build_begin(&b, mem, secret_build_size(0, 0)),
			 OK);
	assert_int_equal(secret_build_account(&b, &eve), E_FULL);
	assert_int_equal(secret_table_open(&t, secret_build_end(&b, 7)), OK);
	assert_int_equal(t.accounts_n + t.keys_n, 0);
	assert_false(secret_table_find_account(&t, bob.name, &a));
}

static void room(void **state)
{
	size_t octets = 3 + 4 + 4 + 4;
	uint8_t mem[512];

	(void)state;
	for (size_t n = 24; n <= secret_build_size(1, octets); n++) {
		struct secret_build b;
		int want = n < secret_build_size(1, octets) ? E_FULL : OK;

		assert_int_equal(secret_build_begin(&b, mem, n), OK);
		assert_int_equal(secret_build_account(&b, &hub), want);
	}
}

/* Cut anywhere, or with any octet changed: an error, or a table whose parts are
 * all within it. The memory ends where the table ends. */
static void cut_and_altered(void **state)
{
	uint8_t mem[512];
	struct span whole = build(mem, sizeof(mem));
	struct secret_table t;
	size_t opened = 0;

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, whole.p, n);
		assert_int_equal(
			secret_table_open(&t, (struct span){ copy, n }),
			E_CORRUPT);
		free(copy);
	}
	for (size_t at = 0; at < 8 * whole.n; at++) {
		uint8_t *copy = malloc(whole.n);
		struct secret_account a;

		memcpy(copy, whole.p, whole.n);
		copy[at / 8] ^= (uint8_t)(1u << at % 8);
		if (secret_table_open(&t, (struct span){ copy, whole.n }) ==
		    OK) {
			opened++;
			for (uint32_t i = 0; i < t.accounts_n; i++) {
				secret_table_account(&t, i, &a);
				assert_true(a.name.p >= copy &&
					    a.sealed.p + a.sealed.n <=
						    copy + whole.n);
			}
			(void)secret_table_find_account(&t, bob.name, &a);
		}
		free(copy);
	}
	assert_true(opened > 0);
}

/* --- sealed passwords ----------------------------------------------------------- */
static const uint8_t key[SEAL_SECRET] = "0123456789abcdef0123456789abcde",
		     other[SEAL_SECRET] = "0123456789abcdef0123456789abcdf";

static void shut_and_open(void **state)
{
	uint8_t secret[SEAL_TEXT_SECRET], back[SEAL_TEXT_SECRET];
	char text[SEAL_TEXT_MAX], again[SEAL_TEXT_MAX];
	struct span name = SPAN_LIT("bob");
	size_t n, before = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)i;
	for (size_t len = 1; len <= SEAL_TEXT_SECRET; len++) {
		struct span s = { secret, len };

		assert_int_equal(seal_text_shut(text, key, name, s), OK);
		assert_int_equal(seal_text_shut(again, key, name, s), OK);
		assert_string_not_equal(text, again);
		assert_true(strlen(text) < SEAL_TEXT_MAX);
		/* its length tells little */
		assert_true(len == 1 || len % 32 == 31 ||
			    strlen(text) == before);
		before = strlen(text);
		assert_int_equal(
			seal_text_open(back, &n, key, name, span_str(text)),
			OK);
		assert_true(span_eq((struct span){ back, n }, s));
	}
	assert_int_equal(seal_text_shut(text, key, name, SPAN_LIT("")), E_CONF);
	assert_int_equal(
		seal_text_shut(text, key, name, (struct span){ secret, 257 }),
		E_CONF);
}

static void of_another(void **state)
{
	uint8_t back[SEAL_TEXT_SECRET];
	char text[SEAL_TEXT_MAX];
	size_t n;

	(void)state;
	assert_int_equal(
		seal_text_shut(text, key, SPAN_LIT("bob"), SPAN_LIT("hush")),
		OK);
	assert_int_equal(seal_text_open(back, &n, other, SPAN_LIT("bob"),
					span_str(text)),
			 E_CORRUPT);
	assert_int_equal(n, 0);
	assert_int_equal(
		seal_text_open(back, &n, key, SPAN_LIT("bobb"), span_str(text)),
		E_CORRUPT);
	assert_int_equal(
		seal_text_open(back, &n, key, SPAN_LIT(""), span_str(text)),
		E_CORRUPT);
}

static void every_change_shows(void **state)
{
	uint8_t back[SEAL_TEXT_SECRET];
	struct span name = SPAN_LIT("bob");
	char text[SEAL_TEXT_MAX];
	size_t n, len;

	(void)state;
	assert_int_equal(seal_text_shut(text, key, name, SPAN_LIT("hush")), OK);
	len = strlen(text);
	for (size_t i = 0; i < 8 * len; i++) {
		char wrong[SEAL_TEXT_MAX];

		memcpy(wrong, text, len);
		wrong[i / 8] = (char)(wrong[i / 8] ^ 1 << i % 8);
		assert_int_not_equal(
			seal_text_open(back, &n, key, name,
				       (struct span){ (uint8_t *)wrong, len }),
			OK);
	}
	for (size_t i = 0; i < len; i++)
		assert_int_equal(
			seal_text_open(back, &n, key, name,
				       (struct span){ (uint8_t *)text, i }),
			E_CONF);
	for (const char **s = (const char *[]){ "", "=", "AAAA", "sesame",
						"AQ==", NULL };
	     *s; s++)
		assert_int_equal(
			seal_text_open(back, &n, key, name, span_str(*s)),
			E_CONF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_and_find),
		cmocka_unit_test(nothing_in_it),
		cmocka_unit_test(room),
		cmocka_unit_test(cut_and_altered),
		cmocka_unit_test(shut_and_open),
		cmocka_unit_test(of_another),
		cmocka_unit_test(every_change_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
