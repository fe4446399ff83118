/* SPDX-License-Identifier: BSD-2-Clause */
/* An image on trial is well, and flash does not take that: it is tried again, but not as
 * fast as flash can be erased. The rest of boss is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "proc/boss/boss_health.c"

enum { TICK_MS = 100, MINUTE = 60000 };

static struct boss b;
static struct stats stats;
static uint64_t time_ms;
static unsigned told;
static bool takes; /* flash */

uint64_t now_ms(void)
{
	return time_ms;
}

void boss_log(struct boss *boss, enum severity sev, const char *fmt, ...)
{
	(void)boss;
	(void)sev;
	(void)fmt;
}

struct child *boss_child_find(struct boss *boss, enum role role, uint32_t index)
{
	(void)index;
	return role == ROLE_FLASHD ? &boss->child[0] : NULL;
}

/* flashd, which says at once what the plan is then. */
void boss_child_say(struct boss *boss, struct child *c, const struct ipc_msg *m)
{
	(void)c;
	assert_int_equal(m->type, IPC_HEALTHY);
	told++;
	boss->mode = takes ? SLOT_STEADY : SLOT_TRIAL;
}

void boss_child_stop_all(struct boss *boss)
{
	(void)boss;
}

void boss_port_down(struct boss *boss)
{
	(void)boss;
}

bool boss_port_sound(struct boss *boss)
{
	(void)boss;
	return true;
}

static int set_up(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	memset(&stats, 0, sizeof(stats));
	time_ms = MINUTE;
	told = 0;
	takes = true;
	b.stats = &stats;
	b.stats->started_ms = time_ms;
	b.stats->ports_up = 1u << INSIDE | 1u << OUTSIDE;
	b.mode = SLOT_TRIAL;
	b.watchdog_fd = -1;
	b.child_n = 1;
	b.child[0].role = ROLE_FLASHD;
	b.child[0].pid = 1;
	b.child[0].ready = true;
	for (size_t i = 0; i < LAMPS; i++)
		assert_int_equal(led_open(&b.lamp[i], ""), OK);
	return 0;
}

static void pass(uint64_t ms)
{
	for (uint64_t end = time_ms + ms; time_ms < end; time_ms += TICK_MS)
		boss_health_tick(&b, time_ms);
}

static void is_confirmed_once(void **state)
{
	(void)state;
	pass(BOSS_PROOF_MS);
	assert_int_equal(told, 0);
	pass(10 * MINUTE);
	assert_int_equal(told, 1);
}

static void flash_is_not_worn_out(void **state)
{
	(void)state;
	takes = false;
	pass(BOSS_PROOF_MS + 10 * MINUTE);
	assert_in_range(told, 9, 11);
	takes = true;
	pass(2 * MINUTE);
	assert_int_equal(b.mode, SLOT_STEADY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(is_confirmed_once, set_up),
		cmocka_unit_test_setup(flash_is_not_worn_out, set_up),
	};

	return cmocka_run_group_tests_name("boss_health", tests, NULL, NULL);
}
