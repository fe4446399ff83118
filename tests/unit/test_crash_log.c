/* SPDX-License-Identifier: BSD-2-Clause */
/* Why the box restarted, kept in a flash that loses power and rots. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "image/crash_log.h"
#include "nor_fault.h"

static struct nor F;
static uint8_t room[CRASH_LOG_TEXT];
static struct crash_log_entry list[CRASH_LOG_BLOCKS];

enum { BLOCKS = NOR_ENV / NOR_BLOCK };

static struct span text_of(unsigned id)
{
	static char text[4000];
	size_t n = 10 + id * 997 % 3000;

	memset(text, 'a' + (int)(id % 26), n);
	return (struct span){ (uint8_t *)text, n };
}

static int add(struct nor *f, unsigned id)
{
	return crash_log_add(&nor_ops, f, text_of(id), 1700000000 + id, room);
}

static void is(struct nor *f, size_t i, unsigned id)
{
	assert_int_equal(crash_log_read(&nor_ops, f, &list[i], room), OK);
	assert_true(span_eq((struct span){ room, list[i].n }, text_of(id)));
	assert_int_equal(list[i].time_s, 1700000000 + id);
}

static void the_newest_come_first_and_the_oldest_go(void **state)
{
	(void)state;
	nor_init(&F);
	assert_int_equal(crash_log_list(&nor_ops, &F, room, list), 0);
	for (unsigned id = 1; id < 12; id++) {
		size_t n;

		assert_int_equal(add(&F, id), OK);
		n = crash_log_list(&nor_ops, &F, room, list);
		assert_int_equal(n, id < BLOCKS ? id : BLOCKS);
		for (size_t i = 0; i < n; i++)
			is(&F, i, id - (unsigned)i);
	}
}

static void of_a_long_text_the_end_is_kept(void **state)
{
	static uint8_t text[CRASH_LOG_TEXT + NOR_BLOCK];

	(void)state;
	nor_init(&F);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	assert_int_equal(crash_log_add(&nor_ops, &F,
				       (struct span){ text, sizeof(text) }, 1,
				       room),
			 OK);
	assert_int_equal(crash_log_list(&nor_ops, &F, room, list), 1);
	assert_int_equal(list[0].n, NOR_BLOCK - CRASH_LOG_HEAD);
	assert_int_equal(crash_log_read(&nor_ops, &F, &list[0], room), OK);
	assert_int_equal(room[list[0].n - 1], '\n');
}

static void a_cut_takes_no_more_than_the_oldest(void **state)
{
	static struct nor f;

	(void)state;
	nor_init(&F);
	for (unsigned id = 1; id <= BLOCKS; id++)
		assert_int_equal(add(&F, id), OK);
	for (enum nor_torn t = TORN_NOT; t < TORN_WAYS; t++)
		for (uint64_t n = 1;; n++) {
			size_t have, from;

			f = F;
			nor_fault(&f, n, OK, t);
			if (add(&f, 9) == OK)
				break;
			nor_fault(&f, 0, OK, TORN_NOT);
			have = crash_log_list(&nor_ops, &f, room, list);
			assert_in_range(have, BLOCKS - 1, BLOCKS);
			from = list[0].number == BLOCKS + 1;
			for (size_t i = from; i < BLOCKS - 1; i++)
				is(&f, i,
				   BLOCKS + (unsigned)from - (unsigned)i);
			assert_int_equal(add(&f, 10), OK);
			assert_true(crash_log_list(&nor_ops, &f, room, list) >=
				    BLOCKS - 1);
			is(&f, 0, 10);
		}
}

static void any_altered_octet_hides_the_record(void **state)
{
	(void)state;
	nor_init(&F);
	assert_int_equal(add(&F, 1), OK);
	for (size_t at = 0; at < CRASH_LOG_HEAD + text_of(1).n; at++) {
		F.p[PART_CRASH][at] ^= (uint8_t)(1 << at % 8);
		if (crash_log_list(&nor_ops, &F, room, list) != 0)
			fail_msg("octet %zu does not count", at);
		F.p[PART_CRASH][at] ^= (uint8_t)(1 << at % 8);
	}
	assert_int_equal(crash_log_list(&nor_ops, &F, room, list), 1);
	list[0].number = 7;
	assert_int_equal(crash_log_read(&nor_ops, &F, &list[0], room),
			 E_CORRUPT);
}

static void an_error_is_told(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 4; n++) {
		nor_init(&F);
		nor_fault(&F, n, E_IO, TORN_NOT);
		assert_int_equal(add(&F, 1), E_IO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_come_first_and_the_oldest_go),
		cmocka_unit_test(of_a_long_text_the_end_is_kept),
		cmocka_unit_test(a_cut_takes_no_more_than_the_oldest),
		cmocka_unit_test(any_altered_octet_hides_the_record),
		cmocka_unit_test(an_error_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
