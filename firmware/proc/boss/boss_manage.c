/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_manage - the management port, if the board has one and the settings give
 * it an address; and the socket on which console says what happens. console
 * gets that one socket, connected and deaf, and no right to make another.
 */
#include <string.h>
#include <unistd.h>
#include "proc/boss/boss.h"

enum { NOTICE = 0 };

static void notice(struct boss *b, const char *why)
{
	char line[STATS_NOTICE];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, why[0] ? "management: " : "");
	text_str(&t, why);
	stats_notice(b->stats, NOTICE, text_done(&t));
}

/* Away from console, before anything changes. */
static void close_syslog(struct boss *b)
{
	struct child *console = boss_child_find(b, ROLE_CONSOLE, 0);
	struct ipc_msg off = { .type = IPC_SYSLOG_OFF };

	if (b->syslog_fd < 0)
		return;
	if (console)
		boss_child_say(b, console, &off);
	close(b->syslog_fd);
	b->syslog_fd = -1;
}

static int apply(struct boss *b, const struct management *want)
{
	struct manage *m = &b->manage;
	int r;

	memcpy(m->name, b->conf.management, sizeof(m->name));
	r = manage_set(m, &want->address, &want->gateway, &want->syslog);
	if (r == OK && want->syslog.port != 0)
		r = manage_socket(m, &want->address, &want->syslog,
				  &b->syslog_fd);
	return r;
}

static void failed(struct boss *b, const char *why)
{
	notice(b, why);
	boss_log(b, SEV_WARNING, "event=management-failed why=\"%s\"", why);
}

void boss_manage_set(struct boss *b, const struct management *want)
{
	struct child *console = boss_child_find(b, ROLE_CONSOLE, 0);
	bool wanted = want->address.port != 0;

	if (memcmp(want, &b->managed, sizeof(*want)) == 0)
		return;
	b->managed = *want;
	close_syslog(b);
	notice(b, "");
	if (b->conf.management[0] == '\0') {
		if (wanted)
			failed(b, "this board has no port for it");
		return;
	}
	if (apply(b, want) != OK) {
		failed(b, b->manage.why);
		return;
	}
	if (console)
		boss_manage_give(b, console);
	boss_log(b, SEV_NOTICE, "event=management port=%s address=%s",
		 b->conf.management, wanted ? "set" : "none");
}

void boss_manage_give(struct boss *b, struct child *console)
{
	struct ipc_msg m = { .type = IPC_SYSLOG,
			     .fd = { b->syslog_fd },
			     .fd_n = 1 };

	if (b->syslog_fd >= 0)
		boss_child_say(b, console, &m);
}
