/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_boss - what boss alone can do: restart the box, set its clock. boss
 * answers in the order of the questions.
 */
#include "conf/conf_value.h"
#include "proc/console/console.h"

enum { WAITING = CONSOLE_CLIENTS + CONSOLE_TTYS, MINUTE = 60 };

/* Who waits, oldest first; NULL: it does not any more. */
static struct session *waiting[WAITING];
static size_t waiting_n;

static void ask(struct session *s, enum ipc_type type, uint64_t number)
{
	const struct ipc_msg m = { .type = type, .number = number };

	if (waiting_n == WAITING ||
	    ipc_send(K.prog.boss.fd, ROLE_CONSOLE, ROLE_BOSS, &m) != OK) {
		exec_fail(s, "boss is busy; try again\n");
		return;
	}
	waiting[waiting_n++] = s;
}

void boss_forget(const struct session *s)
{
	for (size_t i = 0; i < waiting_n; i++)
		if (waiting[i] == s)
			waiting[i] = NULL;
}

static const char *why_not(int error)
{
	switch (error) {
	case E_PEER_ORDER:
		return "the clock of this box is that of the PC; set it "
		       "there\n";
	case E_CONF: return "no box can have been there at that time\n";
	case E_CORRUPT:
		return "the clock is set, but the clock chip did not take it: "
		       "it is lost at the next start\n";
	default: return "the kernel refuses it; see show log\n";
	}
}

void boss_answered(int error)
{
	struct session *s;

	if (waiting_n == 0)
		return;
	s = waiting[0];
	memmove(waiting, waiting + 1, --waiting_n * sizeof(waiting[0]));
	if (!s)
		return;
	if (error != OK)
		exec_fail(s, why_not(error));
	else
		answer_done(s, true);
}

void boss_reload(struct session *s, uint64_t minutes)
{
	answer_say(s, minutes == 0 ? "restarting\n"
				   : "\"reload cancel\" stops it\n");
	ask(s, IPC_RELOAD, minutes * MINUTE);
}

void boss_reload_cancel(struct session *s)
{
	answer_say(s, figures_of(ROLE_BOSS) &&
				      figures_of(ROLE_BOSS)->reload_ms != 0
			      ? "no restart\n"
			      : "no restart was waiting\n");
	ask(s, IPC_RELOAD, UINT64_MAX);
}

void boss_clock(struct session *s, struct span time)
{
	uint64_t unix_s;

	if (!conf_time(time, &unix_s)) {
		exec_fail(s, "not a time; 2026-11-24T05:53:07Z, in UTC\n");
		return;
	}
	ask(s, IPC_CLOCK_SET, unix_s);
}
