/* SPDX-License-Identifier: BSD-2-Clause */
/* A board without lamps, and the one that flashes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "drivers/led.h"

static void none_does_nothing(void **state)
{
	struct led l;

	(void)state;
	assert_int_equal(led_open(&l, ""), OK);
	assert_int_equal(l.fd, -1);
	led_set(&l, true);
	assert_int_equal(led_open(&l, "no-such-lamp"), E_IO);
	assert_int_equal(l.fd, -1);
	led_set(&l, true);
}

/* Whoever looks for two seconds sees it once, and it is no steady light. */
static void one_flash_in_two_seconds(void **state)
{
	(void)state;
	for (uint64_t from = 0; from < 4000; from += 250) {
		unsigned on = 0, begins = 0;

		for (uint64_t t = from; t < from + 2000; t += 10) {
			on += led_flash(t);
			begins += led_flash(t) && !led_flash(t + 1990);
		}
		assert_int_equal(on, 20);
		assert_int_equal(begins, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_does_nothing),
		cmocka_unit_test(one_flash_in_two_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
