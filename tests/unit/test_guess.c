/* SPDX-License-Identifier: BSD-2-Clause */
/* Wrong passwords from somewhere: each one slower, then none, then one at a time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "auth/guess.h"

static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
static const uint8_t other[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 2 };
static const uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, [7] = 1, [15] = 1 };
static const uint8_t v6_near[16] = { 0x20, 1, 0xd, 0xb8, [7] = 1, [8] = 9 };
static const uint8_t v6_far[16] = { 0x20, 1, 0xd, 0xb8, [7] = 2, [15] = 1 };
static struct guess g;

static int set_up(void **state)
{
	(void)state;
	g = (struct guess){ .key = { 1 } };
	return 0;
}

static void slower_then_none(void **state)
{
	static const uint32_t wait[] = { 1000, 2000, 4000, 8000, 8000 };
	uint64_t now = 5000;

	(void)state;
	for (unsigned i = 0; i < GUESS_MAX; i++) {
		assert_true(guess_may(&g, v4, now));
		assert_int_equal(guess_wrong(&g, v4, now), wait[i < 5 ? i : 4]);
		now += 10;
	}
	assert_false(guess_may(&g, v4, now));
	assert_true(guess_may(&g, other, now));
	/* more of them make it no longer */
	assert_int_equal(guess_wrong(&g, v4, now), GUESS_WAIT_MAX_MS);
	now = 5000 + GUESS_BACK_MS;
	assert_false(guess_may(&g, v4, now - 1));
	assert_true(guess_may(&g, v4, now));
	assert_int_equal(guess_wrong(&g, v4, now), GUESS_WAIT_MAX_MS);
	assert_false(guess_may(&g, v4, now));
	/* and then all is forgotten */
	now += (uint64_t)GUESS_MAX * GUESS_BACK_MS;
	assert_int_equal(guess_wrong(&g, v4, now), GUESS_WAIT_MS);
}

static void one_host_has_many_addresses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GUESS_MAX; i++)
		(void)guess_wrong(&g, v6, 1);
	assert_false(guess_may(&g, v6_near, 2));
	assert_true(guess_may(&g, v6_far, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(slower_then_none, set_up),
		cmocka_unit_test_setup(one_host_has_many_addresses, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
