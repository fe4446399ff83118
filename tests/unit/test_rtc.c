/* SPDX-License-Identifier: BSD-2-Clause */
/* What a clock chip says: every day there is, and what is no time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>
#include "drivers/rtc.h"

static void every_day(void **state)
{
	(void)state;
	for (uint64_t s = 0; s < 7258118400; s += 86400 + 3661) {
		time_t at = (time_t)s;
		struct rtc_time t;
		struct tm want;
		uint64_t back;

		assert_true(rtc_from_unix(s, &t));
		gmtime_r(&at, &want);
		assert_int_equal(t.tm_year, want.tm_year);
		assert_int_equal(t.tm_mon, want.tm_mon);
		assert_int_equal(t.tm_mday, want.tm_mday);
		assert_int_equal(t.tm_hour, want.tm_hour);
		assert_int_equal(t.tm_min, want.tm_min);
		assert_int_equal(t.tm_sec, want.tm_sec);
		assert_true(rtc_to_unix(&t, &back));
		assert_int_equal(back, s);
	}
}

static void no_time(void **state)
{
	const struct rtc_time good = { .tm_year = 126,
				       .tm_mon = 1,
				       .tm_mday = 28 };
	struct rtc_time t = good;
	uint64_t s = 7;

	(void)state;
	assert_true(rtc_to_unix(&good, &s));
	assert_int_equal(s, 1772236800);
	t.tm_mday = 29; /* no leap year */
	assert_false(rtc_to_unix(&t, &s));
	for (size_t i = 0; i < 6; i++) {
		int *member[] = { &t.tm_sec, &t.tm_min,	 &t.tm_hour,
				  &t.tm_mon, &t.tm_mday, &t.tm_year };
		static const int wrong[] = { 60, 60, 24, 12, 0, 300 };

		t = good;
		*member[i] = wrong[i];
		assert_false(rtc_to_unix(&t, &s));
		t = good;
		*member[i] = -1;
		assert_false(rtc_to_unix(&t, &s));
	}
	t = good;
	t.tm_year = 69;
	assert_false(rtc_to_unix(&t, &s));
	assert_false(rtc_from_unix(UINT64_MAX, &t));
	assert_false(rtc_from_unix(7258118400, &t));
	assert_int_equal(s, 1772236800); /* left as it was */
}

static void no_chip(void **state)
{
	uint64_t s;

	(void)state;
	assert_int_equal(rtc_read("/nowhere", &s), E_IO);
	assert_int_equal(rtc_read("/dev/null", &s), E_IO);
	assert_int_equal(rtc_write("/dev/null", 1772236800), E_IO);
	assert_int_equal(rtc_write("/dev/null", UINT64_MAX), E_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day),
		cmocka_unit_test(no_time),
		cmocka_unit_test(no_chip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
