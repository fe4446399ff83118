/* SPDX-License-Identifier: BSD-2-Clause */
/* A session that is watched and goes without a word: the taps are closed again some
 * time. The rest of witness is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "packet.h"
#include "proc/witness/witness_watch.c"

enum { SECOND = 1000, TICK = 250 };

struct witness W;
static struct stats stats;
static uint64_t ahead_us; /* of the clock that frames were stamped by */

uint64_t now_unix_ms(void)
{
	return W.now;
}

void capture_ports(void)
{
}

bool witness_watches(uint16_t port)
{
	return port == 25;
}

static void pass(uint64_t ms)
{
	for (uint64_t end = W.now + ms; W.now < end; W.now += TICK)
		watch_tick();
}

static void client_says(uint8_t flags, const char *text)
{
	struct tap_frame t = { .unix_us = W.now * 1000 + ahead_us };
	struct packet p;
	struct frame f;

	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 4000, 25, flags, NULL, 0);
	pk_put(&p, text, strlen(text));
	t.bytes = pk_done(&p);
	frame_parse(&f, t.bytes);
	watch_frame(INSIDE, &t, &f);
	pass(SECOND);
}

static void begin(void)
{
	struct ipc_msg m = { .number = 1, .fd = { -1 } };

	W.prog.stats = &stats;
	W.now = 3600 * SECOND;
	watch_ask(&m);
	assert_true(watch_runs());
}

static void does_not_wait_for_ever(void **state)
{
	(void)state;
	begin();
	pass(WAIT_MS - SECOND);
	assert_true(watch_runs());
	pass(2 * SECOND);
	assert_false(watch_runs());
}

static void nor_for_one_that_is_dead(void **state)
{
	(void)state;
	begin();
	client_says(TCP_SYN, "");
	assert_int_equal(stats.watch.state, WATCH_LIVE);
	for (int i = 0; i < 5; i++) {
		pass(WAIT_MS - 10 * SECOND);
		client_says(TCP_ACK, "NOOP\r\n");
		assert_int_equal(stats.watch.state, WATCH_LIVE);
	}
	assert_int_equal(stats.watch.seq, 5);
	pass(WAIT_MS + SECOND);
	assert_int_equal(stats.watch.state, WATCH_ENDED);
}

/* The clock is set back while it is watched. */
static void shows_it_when_the_clock_moves(void **state)
{
	(void)state;
	begin();
	client_says(TCP_SYN, "");
	stats.watch.seq = 0;
	ahead_us = 600000000;
	client_says(TCP_ACK, "NOOP\r\n");
	ahead_us = 0;
	assert_int_equal(stats.watch.seq, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_not_wait_for_ever),
		cmocka_unit_test(nor_for_one_that_is_dead),
		cmocka_unit_test(shows_it_when_the_clock_moves),
	};

	return cmocka_run_group_tests_name("witness_watch", tests, NULL, NULL);
}
