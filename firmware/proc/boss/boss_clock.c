/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_clock - the clock of the box, and the chip that keeps it while the box is
 * off. The clock of a PC is not ours to set.
 */
#include <errno.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include "drivers/rtc.h"
#include "proc/boss/boss.h"

enum {
	NOTICE = 1,
	APART_S = 2,
	SLEW_MS = 500, /* what can be made good without a step, in 20 minutes */
};

/* No box can be older: somebody has typed something else. */
static const uint64_t oldest_s = 1767225600; /* 2026-01-01 */

static const char *chip(const struct boss *b)
{
	return b->conf.clock[0] == '/' ? b->conf.clock : NULL;
}

static int set_ms(uint64_t unix_ms)
{
	const struct timespec t = { .tv_sec = (time_t)(unix_ms / 1000),
				    .tv_nsec = (long)(unix_ms % 1000) *
					       1000000 };

	return clock_settime(CLOCK_REALTIME, &t) == 0 ? OK : E_IO;
}

static int set(uint64_t unix_s)
{
	return set_ms(unix_s * 1000);
}

void boss_clock_give(struct boss *b, struct child *confd)
{
	const struct ipc_msg m = { .type = IPC_CLOCK,
				   .clock = b->stats->clock,
				   .number = now_unix_ms() / 1000 };

	boss_child_say(b, confd, &m);
}

static void state(struct boss *b, enum stats_clock s)
{
	struct child *confd = boss_child_find(b, ROLE_CONFD, 0);
	bool unset = s == STATS_CLOCK_UNSET;

	b->stats->clock = s;
	if (!unset)
		boss_ntp_clock_is_set(b);
	if (confd)
		boss_clock_give(b, confd);
	boss_alarm(b, ALARM_CLOCK, unset, "the clock is not set");
	stats_notice(b->stats, NOTICE,
		     unset ? SPAN_LIT("the clock is not set: \"clock set\" "
				      "does it")
			   : SPAN_LIT(""));
}

/* At the start: the kernel may have read the chip already, or not. */
void boss_clock_open(struct boss *b)
{
	uint64_t now = now_unix_ms() / 1000, kept = 0;
	int r;

	if (b->conf.clock[0] == '\0') {
		state(b, STATS_CLOCK_FOREIGN);
		return;
	}
	if (!chip(b)) {
		boss_log(b, SEV_NOTICE, "event=no-clock-chip");
		state(b, STATS_CLOCK_UNSET);
		return;
	}
	r = rtc_read(chip(b), &kept);
	if (r == OK && kept < oldest_s)
		r = E_CORRUPT; /* its battery was empty */
	if (r == OK && (now + APART_S < kept || kept + APART_S < now))
		r = set(kept);
	if (r == OK) {
		boss_log(b, SEV_NOTICE, "event=clock source=chip");
		state(b, STATS_CLOCK_CHIP);
		return;
	}
	boss_log(b, SEV_WARNING, "event=clock-chip-failed chip=%s why=\"%s\"",
		 chip(b),
		 r == E_CORRUPT ? "it has forgotten the time"
				: strerror(errno));
	state(b, STATS_CLOCK_UNSET);
}

int boss_clock_set(struct boss *b, uint64_t unix_s)
{
	uint64_t was = now_unix_ms() / 1000;
	int r;

	if (b->conf.clock[0] == '\0')
		return E_PEER_ORDER;
	if (unix_s < oldest_s)
		return E_CONF;
	r = set(unix_s);
	if (r != OK)
		return r;
	state(b, STATS_CLOCK_SET);
	boss_log(b, SEV_NOTICE, "event=clock-set by=%lld",
		 (long long)unix_s - (long long)was);
	if (!chip(b))
		return OK;
	if (rtc_write(chip(b), unix_s) == OK)
		return OK;
	boss_log(b, SEV_WARNING, "event=clock-chip-failed chip=%s why=\"%s\"",
		 chip(b), strerror(errno));
	return E_CORRUPT;
}

/* As slowly as the kernel does it, so that no two lines of the log change places. */
static int slew(int64_t by_ms)
{
	struct timex t = { .modes = ADJ_OFFSET_SINGLESHOT,
			   .offset = (long)by_ms * 1000 };

	return adjtimex(&t) >= 0 ? OK : E_IO;
}

void boss_clock_keep(struct boss *b)
{
	if (chip(b) && rtc_write(chip(b), now_unix_ms() / 1000) != OK)
		boss_log(b, SEV_WARNING,
			 "event=clock-chip-failed chip=%s why=\"%s\"", chip(b),
			 strerror(errno));
}

int boss_clock_move(struct boss *b, int64_t by_ms)
{
	bool first = b->stats->clock == STATS_CLOCK_UNSET;
	int r;

	if (b->conf.clock[0] == '\0')
		return E_PEER_ORDER;
	if (by_ms >= -SLEW_MS && by_ms <= SLEW_MS)
		r = slew(by_ms);
	else
		r = set_ms(now_unix_ms() + (uint64_t)by_ms);
	if (r != OK)
		return r;
	if (first)
		state(b, STATS_CLOCK_NTP);
	if (first || by_ms < -SLEW_MS || by_ms > SLEW_MS)
		boss_log(b, SEV_NOTICE, "event=clock-set source=ntp by-ms=%lld",
			 (long long)by_ms);
	return OK;
}
