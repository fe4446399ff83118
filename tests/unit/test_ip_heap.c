/* SPDX-License-Identifier: BSD-2-Clause */
/* What is given back is used again, and no more than a few blocks are kept. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "ip/ip_heap.h"

enum { FRAME = 65535 + 200 };

static void large_ones_are_kept(void **state)
{
	size_t n[] = { IP_HEAP_LEAST + 7, 12000, 30000, FRAME };

	(void)state;
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		size_t before = ip_heap_kept();
		void *p = ip_heap_take(n[i]);

		assert_non_null(p);
		memset(p, 1, n[i]);
		ip_heap_give(p);
		assert_true(ip_heap_kept() >= before + n[i]);
		assert_true(ip_heap_kept() < before + 2 * n[i] + 2048);
		assert_ptr_equal(ip_heap_take(n[i] - 7), p);
		assert_int_equal(ip_heap_kept(), before);
		memset(p, 2, n[i] - 7);
		ip_heap_give(p);
	}
}

static void small_ones_are_not(void **state)
{
	size_t before = ip_heap_kept();
	void *p = ip_heap_take(IP_HEAP_LEAST - 1), *q = ip_heap_take(100);
	void *large = ip_heap_take(2 * FRAME);

	(void)state;
	assert_true(p && q && large);
	memset(p, 3, IP_HEAP_LEAST - 1);
	memset(q, 3, 100);
	ip_heap_give(p);
	ip_heap_give(q);
	ip_heap_give(NULL);
	assert_int_equal(ip_heap_kept(), before);
	free(large); /* it came from there */
}

static void there_is_an_end(void **state)
{
	static void *p[200];

	(void)state;
	for (int i = 0; i < 200; i++) {
		p[i] = ip_heap_take(FRAME);
		assert_non_null(p[i]);
		for (int k = 0; k < i; k++)
			assert_ptr_not_equal(p[i], p[k]);
	}
	assert_true(ip_heap_kept() <= IP_HEAP_KEPT);
	for (int i = 0; i < 200; i++)
		ip_heap_give(p[i]);
	assert_true(ip_heap_kept() <= IP_HEAP_KEPT);
	assert_true(ip_heap_kept() + 2 * FRAME > IP_HEAP_KEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_ones_are_kept),
		cmocka_unit_test(small_ones_are_not),
		cmocka_unit_test(there_is_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
