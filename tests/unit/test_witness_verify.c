/* SPDX-License-Identifier: BSD-2-Clause */
/* The self-test of witness while the outside port has no link: a canary is then dropped
 * by the kernel, and nobody sees it. The rest of witness, and wire, are played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "proc/witness/witness_verify.c"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

struct witness W;
static struct stats stats;
static int wire, outside; /* the other ends */
static bool link_up;
static unsigned alarms; /* lines of the log */

uint64_t now_unix_ms(void)
{
	return W.now;
}

uint64_t now_unix_us(void)
{
	return 0; /* as the frames here */
}

void program_log(struct program *p, enum severity sev, const char *fmt, ...)
{
	(void)p;
	(void)fmt;
	alarms += sev == SEV_ALARM;
}

void program_alarm_stands(struct program *p, enum alarm a, bool on,
			  struct span what)
{
	(void)stats_alarm_stands(p->stats, a, on, W.now, what);
}

void program_die(struct program *p, const char *fmt, ...)
{
	(void)p;
	(void)fmt;
	abort();
}

static void hear(void)
{
}

/* wire sends what it is asked for, and the kernel drops it without a link. */
static void send_canaries(void)
{
	struct ipc_msg m;

	while (ipc_recv(wire, ROLE_WITNESS, ROLE_WIRE, &m) == OK) {
		uint8_t mem[CANARY_FRAME];
		struct span s = canary_write(mem, m.number);

		if (link_up)
			assert_int_equal(write(outside, s.p, s.n), s.n);
	}
}

static void pass(uint64_t ms)
{
	for (uint64_t end = W.now + ms; W.now < end; W.now += WITNESS_TICK_MS) {
		verify_tick();
		send_canaries();
		(void)verify_frames(hear);
	}
}

static bool alarm_stands(void)
{
	return stats.alarm[ALARM_VERIFY].standing != 0;
}

static int set_up(void **state)
{
	int a[2], b[2];

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, b),
			 0);
	wire = a[0];
	outside = b[0];
	memset(&stats, 0, sizeof(stats));
	memset(&test, 0, sizeof(test));
	alarms = 0;
	link_up = true;
	W = (struct witness){ .now = MINUTE };
	W.prog.stats = &stats;
	W.wire.fd = a[1];
	W.tap.fd = b[1];
	W.console.fd = W.prog.boss.fd = -1;
	verify_init();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(wire);
	close(outside);
	close(W.wire.fd);
	close(W.tap.fd);
	free(leak_mem);
	for (int i = 0; i < WITNESS_BATCH; i++)
		free(frame[i]);
	return 0;
}

static void passes_at_once(void **state)
{
	(void)state;
	pass(SECOND);
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS), 1);
	pass(10 * MINUTE);
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS), 1);
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS_FAILED), 0);
	assert_int_equal(stats_get(&stats, CNT_LEAKS), 0);
}

/* Ports have just come up, and talk with the other end about their speed. */
static void waits_for_the_link(void **state)
{
	(void)state;
	link_up = false;
	pass(5 * SECOND);
	link_up = true;
	pass(2 * SECOND);
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS), 1);
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS_FAILED), 0);
	assert_false(alarm_stands());
	assert_int_equal(stats_get(&stats, CNT_LEAKS), 0);
}

/* It is said once, and not for a day after there is a cable. */
static void tries_again(void **state)
{
	(void)state;
	link_up = false;
	pass(30 * MINUTE);
	assert_true(alarm_stands());
	assert_int_equal(alarms, 1);
	link_up = true;
	pass(2 * MINUTE);
	assert_false(alarm_stands());
	assert_string_equal(stats.notice[NOTICE_TEST], "");
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS), 1);
	assert_int_equal(stats_get(&stats, CNT_LEAKS), 0);
}

/* Who asks is told soon. */
static void does_not_let_a_person_wait(void **state)
{
	(void)state;
	link_up = false;
	pass(SECOND);
	verify_ask(true);
	pass(4 * SECOND);
	assert_int_equal(test.until_ms, 0);
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS_FAILED), 1);
}

/* A relay that dies takes all prints with it, but not that of the canary. */
static void outlives_a_relay(void **state)
{
	(void)state;
	verify_tick();
	verify_reset();
	pass(2 * SECOND);
	assert_int_equal(stats_get(&stats, CNT_SELF_TESTS), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(passes_at_once),	TEST(waits_for_the_link),
		TEST(tries_again),	TEST(does_not_let_a_person_wait),
		TEST(outlives_a_relay),
	};

	return cmocka_run_group_tests_name("witness_verify", tests, NULL, NULL);
}
