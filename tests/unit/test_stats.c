/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs show: texts that are cut, and the last hour. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>
#include "ipc/stats_past.h"

static uint64_t all[COUNTERS];

static uint64_t hour(const struct stats_past *p, uint64_t minute)
{
	return stats_past_hour(p, minute, CNT_SESSIONS, all[CNT_SESSIONS]);
}

static void the_last_hour(void **state)
{
	static struct stats_past p;

	(void)state;
	all[CNT_SESSIONS] = 1000;
	assert_int_equal(hour(&p, 0), 0);
	/* one a minute for three hours, and the console is away at times */
	for (uint64_t m = 0; m < 180; m++) {
		if (m < 100 || m > 130) {
			assert_true(stats_past_due(&p, m));
			stats_past_sample(&p, m, all);
			assert_false(stats_past_due(&p, m));
		}
		all[CNT_SESSIONS]++;
		if (m < 60)
			assert_int_equal(hour(&p, m), m + 1);
		else if (m < 100 || (m > 130 && m < 160))
			assert_int_equal(hour(&p, m), 61);
		else if (m > 160)
			assert_int_equal(hour(&p, m), m > 191 ? 61 : m - 130);
	}
	/* nothing for an hour; then for longer than there are samples */
	assert_int_equal(hour(&p, 239), 1);
	assert_int_equal(hour(&p, 240), 0);
	assert_int_equal(hour(&p, 100000), 0);
	/* a start of the machine: minutes begin again */
	assert_int_equal(hour(&p, 3), 0);
	all[CNT_SESSIONS] = 5;
	stats_past_sample(&p, 3, all);
	assert_int_equal(hour(&p, 3), 0);
}

static void levels(void **state)
{
	unsigned n = 0;

	(void)state;
	assert_true(counter_is_level(CNT_SESSIONS_NOW));
	assert_true(counter_is_level(CNT_FLOWS_PEAK));
	assert_true(counter_is_level(CNT_HALF_OPEN_NOW));
	assert_false(counter_is_level(CNT_SESSIONS));
	assert_false(counter_is_level(CNT_COMMITS));
	for (int i = 0; i < COUNTERS; i++)
		n += counter_is_level((enum counter)i);
	assert_int_equal(n, 5);
}

static void texts_are_cut(void **state)
{
	struct stats *s;
	char text[STATS_TEXT * 2];
	int fd;

	(void)state;
	assert_int_equal(stats_create(&fd), OK);
	assert_int_equal(stats_map(fd, true, &s), OK);
	memset(text, 'x', sizeof(text));
	stats_log(s, SEV_INFO, 1,
		  (struct span){ (uint8_t *)text, sizeof(text) });
	assert_int_equal(strlen(s->log[1].text), STATS_TEXT - 1);
	stats_notice(s, 1, (struct span){ (uint8_t *)text, sizeof(text) });
	assert_int_equal(strlen(s->notice[1]), STATS_NOTICE - 1);
	assert_int_equal(s->notice[2][0], 0);
	stats_notice(s, 1, SPAN_LIT(""));
	assert_int_equal(s->notice[1][0], 0);
	stats_notice(s, STATS_NOTICES, SPAN_LIT("nowhere"));
	close(fd);
}

static void alarms(void **state)
{
	static struct stats s;
	struct stats_alarm *pin = &s.alarm[ALARM_PIN];
	struct stats_alarm *port = &s.alarm[ALARM_PORT];

	(void)state;
	/* what happens is news, and again when it has been quiet */
	assert_true(stats_alarm(&s, ALARM_PIN, 1000, SPAN_LIT("a")));
	assert_false(stats_alarm(&s, ALARM_PIN, 1000 + STATS_QUIET_MS,
				 SPAN_LIT("b")));
	assert_true(stats_alarm(&s, ALARM_PIN, 1001 + 2 * STATS_QUIET_MS,
				SPAN_LIT("c")));
	assert_int_equal(pin->times, 3);
	assert_int_equal(pin->first_ms, 1000);
	assert_int_equal(pin->last_ms, 1001 + 2 * STATS_QUIET_MS);
	assert_string_equal(pin->text, "c");
	/* what stands is news once, until it does not */
	assert_false(
		stats_alarm_stands(&s, ALARM_PORT, false, 1, SPAN_LIT("")));
	assert_int_equal(port->times, 0);
	assert_true(stats_alarm_stands(&s, ALARM_PORT, true, 2,
				       SPAN_LIT("inside")));
	assert_false(
		stats_alarm_stands(&s, ALARM_PORT, true, 3, SPAN_LIT("both")));
	assert_string_equal(port->text, "both");
	assert_true(port->standing && port->times == 1);
	assert_false(
		stats_alarm_stands(&s, ALARM_PORT, false, 4, SPAN_LIT("")));
	assert_true(!port->standing && port->last_ms == 4);
	assert_string_equal(port->text, "both");
	assert_true(stats_alarm_stands(&s, ALARM_PORT, true, 5,
				       SPAN_LIT("inside")));
	assert_int_equal(port->times, 2);
	for (int a = 0; a < ALARMS; a++)
		assert_true(strlen(alarm_name[a]) < 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_hour),
		cmocka_unit_test(levels),
		cmocka_unit_test(texts_are_cut),
		cmocka_unit_test(alarms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
