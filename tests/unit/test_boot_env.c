/* SPDX-License-Identifier: BSD-2-Clause */
/* U-Boot's environment as U-Boot reads and writes it, whatever is in it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "image/slot.h"

static struct boot_env E;
static uint8_t A[BOOT_ENV_SIZE], B[BOOT_ENV_SIZE];

static bool is(const char *name, const char *want)
{
	struct span s = boot_env_get(&E, name);

	return want ? s.p && span_eq(s, span_str(want)) : !s.p;
}

static void what_u_boot_wrote_is_read(void **state)
{
	/* the first octets of "mkenvimage -r -s 16384", with its CRC */
	static const char twice[] = "slot=a\0slot=b\0";
	static const char vars[] = "bootcount=2\0slot=b\0upgrade_available=1\0";

	(void)state;
	memset(A, 0, sizeof(A));
	memcpy(A + 5, vars, sizeof(vars));
	A[4] = 1;
	put_le32(A, 0xd6ea55f0);
	assert_int_equal(boot_env_choose(A, B), 0);
	boot_env_init(&E, A);
	assert_true(is("bootcount", "2") && is("slot", "b"));
	assert_true(is("upgrade_available", "1"));
	assert_true(is("slo", NULL) && is("slot=", NULL) && is("lot", NULL));
	assert_int_equal(boot_env_number(&E, "bootcount", 9), 2);
	assert_int_equal(boot_env_number(&E, "slot", 9), 9);
	boot_env_seal(&E);
	assert_memory_equal(E.raw, A, sizeof(A));
	/* the last one counts */
	memcpy(A + 5, twice, sizeof(twice));
	boot_env_init(&E, A);
	assert_true(is("slot", "b"));
	assert_int_equal(boot_env_set(&E, "slot", "a"), OK);
	assert_true(is("slot", "a"));
}

static void set_changes_one_and_keeps_the_rest(void **state)
{
	(void)state;
	boot_env_init(&E, NULL);
	assert_true(is("a", NULL));
	assert_int_equal(boot_env_set(&E, "a", "1"), OK);
	assert_int_equal(boot_env_set(&E, "ab", "run a; run b=c"), OK);
	assert_int_equal(boot_env_set(&E, "c", ""), OK);
	assert_true(is("a", "1") && is("ab", "run a; run b=c") && is("c", ""));
	assert_int_equal(boot_env_set(&E, "a", "longer than it was"), OK);
	assert_true(is("a", "longer than it was") && is("c", ""));
	assert_int_equal(boot_env_set(&E, "ab", "2"), OK);
	assert_true(is("ab", "2") && is("a", "longer than it was"));
	assert_int_equal(E.n, sizeof("c=") + sizeof("a=longer than it was") +
				      sizeof("ab=2"));
}

static void a_full_environment_stays_what_it_was(void **state)
{
	static char big[BOOT_ENV_SIZE];
	size_t room = BOOT_ENV_SIZE - BOOT_ENV_DATA - 1 - sizeof("k=v") -
		      sizeof("x=");

	(void)state;
	boot_env_init(&E, NULL);
	assert_int_equal(boot_env_set(&E, "k", "v"), OK);
	memset(big, 'y', sizeof(big) - 1);
	assert_int_equal(boot_env_set(&E, "x", big), E_FULL);
	big[room + 1] = '\0';
	assert_int_equal(boot_env_set(&E, "x", big), E_FULL);
	big[room] = '\0';
	assert_int_equal(boot_env_set(&E, "x", big), OK);
	assert_true(is("k", "v") && is("x", big));
	assert_int_equal(boot_env_set(&E, "k", "vv"), E_FULL);
	assert_true(is("k", "v") && is("x", big));
	boot_env_seal(&E);
	memcpy(A, E.raw, sizeof(A));
	boot_env_init(&E, A);
	assert_true(is("k", "v") && is("x", big));
}

static void nonsense_is_read_without_harm(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(A); i++)
			A[i] = (uint8_t)(rand() % (round % 2 ? 3 : 256));
		boot_env_init(&E, A);
		assert_true(E.n < BOOT_ENV_SIZE - BOOT_ENV_DATA);
		(void)boot_env_get(&E, "slot");
		if (boot_env_set(&E, "slot", "b") == OK)
			assert_true(is("slot", "b"));
	}
	memset(A, 'x', sizeof(A)); /* no end anywhere */
	boot_env_init(&E, A);
	assert_int_equal(boot_env_set(&E, "slot", "b"), E_FULL);
}

/* (whole a, flag a, whole b, flag b) -> copy */
static void the_copy_that_counts_is_u_boots(void **state)
{
	static const struct {
		bool whole_a, whole_b;
		uint8_t a, b;
		int want;
	} rows[] = {
		{ true, false, 1, 1, 0 },	   { false, true, 1, 1, 1 },
		{ false, false, 1, 1, E_CORRUPT }, { true, true, 1, 0, 0 },
		{ true, true, 0, 1, 1 },	   { true, true, 1, 1, 0 },
		{ true, true, 0, 0, 0 },	   { true, true, 255, 1, 0 },
		{ true, true, 1, 255, 1 },	   { true, false, 0, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		boot_env_init(&E, NULL);
		boot_env_seal(&E);
		memcpy(A, E.raw, sizeof(A));
		memcpy(B, E.raw, sizeof(B));
		A[BOOT_ENV_FLAG] = rows[i].a;
		B[BOOT_ENV_FLAG] = rows[i].b;
		A[100] = !rows[i].whole_a;
		B[16383] = !rows[i].whole_b;
		assert_int_equal(boot_env_choose(A, B), rows[i].want);
	}
}

static void a_plan_says_what_runs_and_why(void **state)
{
	struct slot_plan p;

	(void)state;
	boot_env_init(&E, NULL);
	p = slot_plan(&E);
	assert_int_equal(slot_mode(&p, SLOT_A), SLOT_STEADY);
	assert_int_equal(slot_mode(&p, SLOT_B), SLOT_FELL_BACK);
	assert_int_equal(slot_begin(&E, SLOT_B), OK);
	p = slot_plan(&E);
	assert_int_equal(slot_mode(&p, SLOT_B), SLOT_TRIAL);
	assert_int_equal(slot_mode(&p, SLOT_A), SLOT_PLANNED);
	assert_int_equal(boot_env_set(&E, "bootcount", "1"), OK);
	p = slot_plan(&E);
	assert_int_equal(slot_mode(&p, SLOT_B), SLOT_TRIAL);
	assert_int_equal(slot_mode(&p, SLOT_A), SLOT_FELL_BACK);
	assert_int_equal(slot_confirm(&E, SLOT_B), OK);
	p = slot_plan(&E);
	assert_int_equal(slot_mode(&p, SLOT_B), SLOT_STEADY);
	assert_true(is("slot", "b") && is("upgrade_available", "0"));
	assert_true(is("bootcount", "0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_u_boot_wrote_is_read),
		cmocka_unit_test(set_changes_one_and_keeps_the_rest),
		cmocka_unit_test(a_full_environment_stays_what_it_was),
		cmocka_unit_test(nonsense_is_read_without_harm),
		cmocka_unit_test(the_copy_that_counts_is_u_boots),
		cmocka_unit_test(a_plan_says_what_runs_and_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
