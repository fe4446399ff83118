/* SPDX-License-Identifier: BSD-2-Clause */
/* The floor of the clock moves while a configuration is on trial: the trial goes on, and
 * ends when it would have; the rest of confd is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "proc/confd/confd_clock.c"

enum { START_MS = 1000000, UNIX_MS = 1800000000 };

struct confd C;
static struct stats stats;
static uint64_t time_ms, takes_ms; /* to compile */
static unsigned commits;
static int compiles; /* how it ends */

uint64_t now_ms(void)
{
	return time_ms;
}

uint64_t now_unix_ms(void)
{
	return UNIX_MS * 1000ull;
}

void program_log(struct program *p, enum severity sev, const char *fmt, ...)
{
	(void)p;
	(void)sev;
	(void)fmt;
}

void program_alarm_stands(struct program *p, enum alarm a, bool on,
			  struct span what)
{
	(void)p;
	(void)a;
	(void)on;
	(void)what;
}

int confd_store_clock_load(uint64_t *unix_s)
{
	(void)unix_s;
	return E_AGAIN;
}

int confd_store_clock_save(uint64_t unix_s)
{
	(void)unix_s;
	return OK;
}

struct span confd_text_map(const struct snapshot *s)
{
	(void)s;
	return (struct span){ NULL, 0 };
}

void confd_text_unmap(struct span text)
{
	(void)text;
}

int confd_compile(struct snapshot *s, struct span text, bool keep)
{
	(void)text;
	(void)keep;
	*s = NO_SNAPSHOT;
	time_ms += takes_ms;
	return compiles;
}

void confd_commit(struct snapshot *s)
{
	(void)s;
	commits++;
}

/* The clock is set so long before the end of a trial. What is it then? */
static uint32_t trial_of(uint64_t left_ms, uint64_t compiles_ms)
{
	const struct ipc_msg set = { .type = IPC_CLOCK,
				     .clock = STATS_CLOCK_SET,
				     .number = UNIX_MS };

	C.now.fd = 0;
	C.phase = PHASE_IDLE;
	C.prog.stats = &stats;
	C.trial_s = commits = 0;
	time_ms = START_MS;
	takes_ms = compiles_ms;
	C.trial_end_ms = START_MS + left_ms;
	confd_on_clock(&set, true);
	confd_clock_tick();
	assert_int_equal(commits, 1);
	return C.trial_s;
}

static void goes_on(void **state)
{
	(void)state;
	assert_int_equal(trial_of(600000, 0), 601);
	assert_int_equal(trial_of(600000, 2000), 599);
}

/* Nobody could confirm it for more than a hundred years, if it came to less than
 * nothing. */
static void ends_while_it_compiles(void **state)
{
	(void)state;
	assert_int_equal(trial_of(100, 100), 1);
	assert_int_equal(trial_of(100, 2500), 1);
	assert_int_equal(trial_of(0, 1), 1);
}

static void pass(uint64_t ms)
{
	for (uint64_t end = time_ms + ms; time_ms < end; time_ms += 200)
		confd_clock_tick();
}

/* There was no memory, or a program that did not answer in time: it must not go on for
 * ever with a floor that is too low, or as if the clock were not set. */
static void is_tried_again(void **state)
{
	const struct ipc_msg set = { .type = IPC_CLOCK,
				     .clock = STATS_CLOCK_SET,
				     .number = UNIX_MS };

	(void)state;
	C.now.fd = 0;
	C.prog.stats = &stats;
	C.trial_end_ms = commits = 0;
	time_ms = START_MS;
	takes_ms = 0;
	compiles = E_FULL;
	confd_on_clock(&set, true);
	pass(150000);
	assert_int_equal(commits, 0);
	compiles = OK;
	pass(60000);
	assert_int_equal(commits, 1);
	confd_clock_again(); /* it was taken back */
	pass(30000);
	assert_int_equal(commits, 1);
	pass(60000);
	assert_int_equal(commits, 2);
	pass(300000);
	assert_int_equal(commits, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on),
		cmocka_unit_test(ends_while_it_compiles),
		cmocka_unit_test(is_tried_again),
	};

	return cmocka_run_group_tests_name("confd_clock", tests, NULL, NULL);
}
