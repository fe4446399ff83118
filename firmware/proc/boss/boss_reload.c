/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_reload - start all of it again, now or in a while: the box; on a PC boss
 * itself, in the place of itself: the ports go down first, and come up behind
 * the classifier as at any start.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "proc/boss/boss.h"

enum { AT_ONCE_MS = 1000 }; /* time for the answer to leave */

void boss_reload_ask(struct boss *b, uint64_t seconds)
{
	if (seconds == UINT64_MAX) {
		if (b->stats->reload_ms != 0)
			boss_log(b, SEV_NOTICE, "event=reload-cancelled");
		b->stats->reload_ms = 0;
		return;
	}
	b->stats->reload_ms = now_ms() +
			      (seconds > 0 ? seconds * 1000 : AT_ONCE_MS);
	boss_log(b, SEV_NOTICE, "event=reload-asked seconds=%llu",
		 (unsigned long long)seconds);
}

void boss_reload_tick(struct boss *b, uint64_t now)
{
	if (b->stats->reload_ms == 0 || now < b->stats->reload_ms)
		return;
	boss_log(b, SEV_NOTICE, "event=reload");
	boss_restart(b, false, "asked at the console");
	boss_port_down(b);
	boss_child_stop_all(b);
	execv("/proc/self/exe", b->argv);
	boss_log(b, SEV_ALARM, "event=reload-failed error=\"%s\"",
		 strerror(errno));
	b->loop.stop = true;
}
