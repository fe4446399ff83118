/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_manage - the management address, at the third port of a board that has one or
 * in a VLAN of the port inside, which by then is off the wire (boss_port.c); and the
 * socket on which console says what happens. console gets that one socket, connected
 * and deaf, and no right to make another.
 */
#include <string.h>
#include <unistd.h>
#include "proc/boss/boss.h"

#define VLAN_NAME "manage-vlan\0\0\0\0"
_Static_assert(sizeof(VLAN_NAME) == IFNAMSIZ, "as struct manage has it");

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

/* Not where it is not wanted (any more). A port that is not there has none. */
static void clear_port(struct boss *b)
{
	static const struct endpoint none;
	struct manage m;

	memcpy(m.name, b->conf.management, sizeof(m.name));
	if (m.name[0] != '\0')
		(void)!manage_set(&m, &none);
}

/* As the settings say, with the ways to hosts beyond the network. */
static int address(struct boss *b)
{
	const struct management *is = &b->managed;
	int r = manage_set(&b->manage, &is->address);

	if (r == OK && is->gateway.port != 0 && is->syslog.port != 0)
		r = manage_route(&b->manage, &is->gateway, &is->syslog);
	if (r == OK)
		r = boss_ntp_route(b);
	return r;
}

static int apply(struct boss *b, const struct management *want,
		 const char **why)
{
	struct manage *m = &b->manage;
	int r = boss_port_vlan(b, want->vlan, VLAN_NAME, why);

	if (r != OK)
		return r;
	*why = m->why;
	memcpy(m->name, want->vlan ? VLAN_NAME : b->conf.management,
	       sizeof(m->name));
	if (want->vlan != 0)
		clear_port(b);
	if (m->name[0] == '\0')
		return OK;
	r = address(b);
	if (r == OK && want->syslog.port != 0)
		r = manage_socket(m, &want->address, &want->syslog, true,
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
	const char *why;

	if (memcmp(want, &b->managed, sizeof(*want)) == 0)
		return;
	b->managed = *want;
	close_syslog(b);
	notice(b, "");
	if (wanted && want->vlan == 0 && b->conf.management[0] == '\0') {
		failed(b, "no third port here; \"management vlan\" needs none");
		return;
	}
	if (apply(b, want, &why) != OK) {
		failed(b, why);
		return;
	}
	if (console)
		boss_manage_give(b, console);
	if (b->manage.name[0] != '\0')
		boss_log(b, SEV_NOTICE, "event=management port=%s address=%s",
			 b->manage.name, wanted ? "set" : "none");
}

void boss_manage_again(struct boss *b)
{
	if (b->managed.vlan == 0)
		return;
	if (address(b) != OK)
		failed(b, b->manage.why);
	else
		notice(b, "");
}

void boss_manage_give(struct boss *b, struct child *console)
{
	struct ipc_msg m = { .type = IPC_SYSLOG,
			     .fd = { b->syslog_fd },
			     .fd_n = 1 };

	if (b->syslog_fd >= 0)
		boss_child_say(b, console, &m);
}
