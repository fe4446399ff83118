/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_clock - what time it cannot be.
 *
 *	floor = max("clock floor", when this was built, a time that was stored)
 *
 * Stored is only what a person has vouched for: "clock set", and a commit while
 * the clock is as it was set. A chip that has lost its mind, or whoever else
 * moves the clock, moves no floor: after a power cut it is as it was. "clock
 * set" can also take back a floor that was set too high by mistake, but not
 * before the build.
 */
#include "proc/confd/confd.h"

#ifndef BUILD_EPOCH
#define BUILD_EPOCH 1767225600 /* 2026-01-01 */
#endif

enum {
	NOTICE = 0,
	EVERY_S = 86400, /* flash wears: commits move it once a day */
	AGAIN_MS = 60000,
};

static struct {
	enum stats_clock from;
	uint64_t stored_s; /* 0: none */
	bool renew;	   /* programs have an older floor */
	uint64_t again_ms; /* they did not get it: not before */
} T;

uint64_t confd_clock_floor(void)
{
	return T.stored_s > BUILD_EPOCH ? T.stored_s : BUILD_EPOCH;
}

bool confd_clock_unset(void)
{
	return T.from == STATS_CLOCK_UNSET;
}

void confd_clock_start(void)
{
	uint64_t stored = 0;

	if (confd_store_clock_load(&stored) == OK)
		T.stored_s = stored;
}

static void move(uint64_t unix_s)
{
	if (confd_store_clock_save(unix_s) != OK)
		return; /* it has been said; the floor stays what it was */
	T.stored_s = unix_s;
	program_log(&C.prog, SEV_INFO, "event=clock-floor time=%llu",
		    (unsigned long long)unix_s);
}

void confd_on_clock(const struct ipc_msg *m, bool news)
{
	bool was = confd_clock_unset();

	T.from = (enum stats_clock)m->clock;
	if (news && T.from == STATS_CLOCK_SET) {
		move(m->number);
		T.renew = true;
	}
	T.renew |= news && was != confd_clock_unset();
	T.again_ms = 0;
}

void confd_clock_committed(void)
{
	uint64_t now = now_unix_ms() / 1000;

	if (T.from == STATS_CLOCK_SET && now > T.stored_s + EVERY_S)
		move(now);
}

void confd_clock_again(void)
{
	T.renew = true;
	T.again_ms = now_ms() + AGAIN_MS;
}

/* What is left of a trial; never 0, which would be the end of it without a way back. It
 * may have ended since somebody looked. */
static uint32_t left_s(void)
{
	uint64_t now = now_ms();

	return now < C.trial_end_ms
		       ? 1 + (uint32_t)((C.trial_end_ms - now) / 1000)
		       : 1;
}

/* The settings in force once more, with the floor of now. */
static void renew(void)
{
	struct span text = confd_text_map(&C.now);
	struct snapshot s;
	int r = confd_compile(&s, text, true);

	confd_text_unmap(text);
	T.renew = false;
	if (r != OK) { /* no memory: it was a configuration before */
		confd_clock_again();
		return;
	}
	s.stored = s.again = true;
	/* and its trial goes on */
	C.trial_s = C.trial_end_ms != 0 ? left_s() : 0;
	confd_commit(&s);
}

void confd_clock_tick(void)
{
	static bool said;
	bool early = C.now.fd >= 0 &&
		     now_unix_ms() / 1000 < C.now.clock_floor_s;

	program_alarm_stands(&C.prog, ALARM_CLOCK, early,
			     SPAN_LIT("the clock is before its floor"));
	if (early != said)
		stats_notice(C.prog.stats, NOTICE,
			     early ? SPAN_LIT("the clock is before its floor: "
					      "certificates are judged at it")
				   : SPAN_LIT(""));
	said = early;
	if (T.renew && now_ms() >= T.again_ms && C.now.fd >= 0 &&
	    C.phase == PHASE_IDLE)
		renew();
}

void confd_clock_security(struct text *out)
{
	text_str(out, "clock: no time before ");
	text_time(out,
		  C.now.fd >= 0 ? C.now.clock_floor_s : confd_clock_floor());
	text_str(out, confd_clock_unset() ? " is believed; it is not set\n"
					  : " is believed\n");
}
