/* SPDX-License-Identifier: BSD-2-Clause */
/* Wrong passwords from somewhere: each one slower, then none, then one at a time;
 * and who has a network, or many hosts, locks out nobody else and gains nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "auth/guess.h"
#include "base/bytes.h"

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
		assert_int_equal(guess_count(&g, v4, now), i);
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

/* Tries from there as long as it may; how many that were. */
static unsigned try_all(const uint8_t ip[16], uint64_t now)
{
	unsigned n = 0;

	for (; guess_may(&g, ip, now); n++)
		(void)guess_wrong(&g, ip, now);
	return n;
}

/* The i-th IPv6 source of a network. */
static void source6(uint8_t ip[16], uint8_t network, unsigned i)
{
	memset(ip, 0, 16);
	memcpy(ip, (const uint8_t[]){ 0x20, 1, 0xd, 0xb8, 0, network }, 6);
	put_be16(ip + 6, (uint16_t)i);
	ip[15] = 1;
}

static void source4(uint8_t ip[16], uint32_t i)
{
	memcpy(ip, v4, 16);
	put_be32(ip + 12, 0x0a000000 + i);
}

static void a_network_is_one_guesser(void **state)
{
	unsigned tried = 0, locked = 0;
	uint8_t ip[16];

	(void)state;
	assert_int_equal(try_all(v4, 1), GUESS_MAX);
	for (unsigned i = 0; i < 65536; i++) {
		source6(ip, 1, i);
		tried += try_all(ip, 2);
	}
	assert_int_equal(tried, GUESS_WIDE_MAX);
	/* who was locked still is, and nobody else is */
	assert_false(guess_may(&g, v4, 3));
	for (uint32_t i = 0; i < 20000; i++) {
		source4(ip, i);
		locked += !guess_may(&g, ip, 3);
		source6(ip, 2, i);
		locked += !guess_may(&g, ip, 3);
	}
	assert_int_equal(locked, 0);
}

static void who_has_logged_on_is_not_his_neighbour(void **state)
{
	uint8_t partner[16], ip[16];

	(void)state;
	source6(partner, 1, 7);
	guess_right(&g, partner);
	for (unsigned i = 100; i < 200; i++) {
		source6(ip, 1, i);
		(void)try_all(ip, 1);
	}
	source6(ip, 1, 8);
	assert_false(guess_may(&g, ip, 2));
	/* and yet not free to guess */
	assert_int_equal(try_all(partner, 2), GUESS_MAX);
}

/* More sources than there are counts, each as long as it may, over and over: all
 * together have no more than the table holds. */
static void many_hosts(void **state)
{
	const unsigned room = GUESS_ROWS * GUESS_WAYS * GUESS_MAX;
	uint8_t partner[16], ip[16];
	unsigned tried = 0;

	(void)state;
	source4(partner, 0x00ffffff);
	guess_right(&g, partner);
	for (unsigned round = 0; round < 3; round++)
		for (uint32_t i = 0; i < 50000; i++) {
			unsigned n;

			source4(ip, i);
			n = try_all(ip, 1);
			assert_true(n <= GUESS_MAX);
			tried += n;
		}
	assert_int_equal(tried, room);
	assert_true(guess_may(&g, partner, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(slower_then_none, set_up),
		cmocka_unit_test_setup(one_host_has_many_addresses, set_up),
		cmocka_unit_test_setup(a_network_is_one_guesser, set_up),
		cmocka_unit_test_setup(who_has_logged_on_is_not_his_neighbour,
				       set_up),
		cmocka_unit_test_setup(many_hosts, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
