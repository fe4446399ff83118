/* SPDX-License-Identifier: BSD-2-Clause */
/* confd_box - settings about the box itself go to those whom they concern. */
#include <unistd.h>
#include "proc/confd/confd.h"

void confd_tell_console(void)
{
	const struct box *b = &C.now.box;
	struct ipc_msg m = { .type = IPC_BOX, .number = b->idle_s, .fd_n = 1 };
	char mem[sizeof(b->name) + sizeof(b->banner) + 1];
	struct text t;

	if (C.now.fd < 0 || C.console.fd < 0)
		return;
	text_init(&t, mem, sizeof(mem));
	text_str(&t, b->name);
	text_str(&t, "\n");
	text_str(&t, b->banner);
	m.fd[0] = confd_report_fd(text_done(&t));
	if (m.fd[0] < 0 ||
	    ipc_send(C.console.fd, ROLE_CONFD, ROLE_CONSOLE, &m) != OK)
		program_log(&C.prog, SEV_WARNING, "event=console-deaf");
	if (m.fd[0] >= 0)
		close(m.fd[0]);
}

void confd_tell_boss(void)
{
	const struct box *b = &C.now.box;
	const struct ipc_msg m = { .type = IPC_MANAGE,
				   .client = b->management,
				   .via = b->gateway,
				   .number = b->vlan,
				   .server = b->syslog };
	const struct ipc_msg ntp = { .type = IPC_NTP,
				     .client = b->ntp[0],
				     .server = b->ntp[1],
				     .via = b->ntp[2],
				     .number = C.now.clock_floor_s };
	const struct ipc_msg carry = { .type = IPC_CARRY, .number = b->carry };

	if (ipc_send(C.prog.boss.fd, ROLE_CONFD, ROLE_BOSS, &m) != OK ||
	    ipc_send(C.prog.boss.fd, ROLE_CONFD, ROLE_BOSS, &ntp) != OK ||
	    ipc_send(C.prog.boss.fd, ROLE_CONFD, ROLE_BOSS, &carry) != OK)
		program_log(&C.prog, SEV_WARNING, "event=management-not-told");
}
