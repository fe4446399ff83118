/* SPDX-License-Identifier: BSD-2-Clause */
/* Record buffers are mappings of their own, the next session gets those of the one
 * before, and whatever is given out is zero. */
#undef __SANITIZE_ADDRESS__ /* with it there are no mappings */
/* The one with the sanitizer is linked as well. */
#define crypto_calloc	     plain_calloc
#define crypto_free	     plain_free
#define crypto_memory_failed plain_failed
void *plain_calloc(unsigned long n, unsigned long size);
void plain_free(void *p);
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "crypto/crypto_memory.c"

enum { RECORD = 16384 + 333, MANY = 40 };

static bool zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void the_next_one_is_zero(void **state)
{
	const size_t n[] = { 1, 100, MAPPED - 1, MAPPED, RECORD, 3 * RECORD };

	(void)state;
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
			uint8_t *p = crypto_calloc(1, n[i]);

			assert_non_null(p);
			assert_true(zero(p, n[i]));
			memset(p, 0xa5, n[i]);
			crypto_free(p);
		}
	crypto_free(NULL);
}

static void what_waits_is_zero_and_used_again(void **state)
{
	size_t before;
	uint8_t *p = crypto_calloc(1, RECORD), *q;

	(void)state;
	memset(p, 0xa5, RECORD);
	before = kept_n;
	crypto_free(p);
	assert_int_equal(kept_n, before + 1);
	assert_true(zero(p, RECORD)); /* it is still there */
	q = crypto_calloc(1, RECORD + 1);
	assert_ptr_not_equal(q, p);
	assert_ptr_equal(crypto_calloc(RECORD, 1), p);
	crypto_free(p);
	crypto_free(q);
}

static void few_wait(void **state)
{
	static uint8_t *p[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		p[i] = crypto_calloc(1, RECORD);
		assert_non_null(p[i]);
		memset(p[i], i, RECORD);
	}
	for (int i = 0; i < MANY; i++)
		assert_true(p[i][0] == i && p[i][RECORD - 1] == i);
	for (int i = 0; i < MANY; i++)
		crypto_free(p[i]);
	assert_int_equal(kept_n, sizeof(kept) / sizeof(kept[0]));
}

static void too_much(void **state)
{
	(void)state;
	assert_false(crypto_memory_failed());
	assert_null(crypto_calloc(SIZE_MAX / 2, 4));
	assert_true(crypto_memory_failed());
	assert_null(crypto_calloc(1, SIZE_MAX - 4));
	assert_true(crypto_memory_failed());
	assert_false(crypto_memory_failed());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_one_is_zero),
		cmocka_unit_test(what_waits_is_zero_and_used_again),
		cmocka_unit_test(few_wait),
		cmocka_unit_test(too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
