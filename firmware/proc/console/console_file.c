/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_file - files over the management port, by TFTP, which boss fetches and sends:
 * an image to be installed, a capture. One at a time.
 *
 *	upgrade tftp -------> boss: FETCH --file--> flashd: INSTALL --> answer
 *	capture export tftp > witness: CAPTURE --file--> boss: SEND --> answer
 */
#include <sys/stat.h>
#include <unistd.h>
#include "proc/console/console.h"

static struct {
	bool under_way;
	struct session *who; /* NULL: nobody waits for it any more */
	uint64_t octets;     /* of what is sent */
} now;

void file_forget(const struct session *s)
{
	if (now.who == s)
		now.who = NULL;
}

/* where: address, blank, name. fd: the file, of so many octets, or -1. */
static void ask(struct session *s, enum ipc_type type, struct span where,
		int fd, uint64_t octets)
{
	struct ipc_msg m = { .type = type, .fd_n = fd < 0 ? 1 : 2 };
	int r;

	if (now.under_way) {
		exec_fail(s, "another file is under way; try again\n");
		return;
	}
	m.fd[0] = exec_text_fd(where);
	m.fd[1] = fd;
	if (m.fd[0] < 0) {
		exec_fail(s, "no memory\n");
		return;
	}
	r = ipc_send(K.prog.boss.fd, ROLE_CONSOLE, ROLE_BOSS, &m);
	close(m.fd[0]);
	if (r != OK) {
		exec_fail(s, "boss is busy; try again\n");
		return;
	}
	now.under_way = true;
	now.who = s;
	now.octets = octets;
}

void file_fetch(struct session *s, const struct cli_matched *m)
{
	char line[CONSOLE_LINE];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_span(&t, m->argument[0]);
	text_str(&t, " ");
	text_span(&t, m->argument[1]);
	ask(s, IPC_FETCH, text_done(&t), -1, 0);
}

void file_send(struct session *s, struct span where, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size <= 0) {
		exec_fail(s, "nothing was captured\n");
		return;
	}
	ask(s, IPC_SEND, where, fd, (uint64_t)st.st_size);
}

bool file_answered(int error, int fd)
{
	struct session *s = now.who;

	now.under_way = false;
	now.who = NULL;
	if (!s)
		return false;
	if (error != OK) {
		answer_say(s, s->tty ? "% " : "");
		answer_add_file(s, fd);
		answer_done(s, false);
		return false;
	}
	if (s->command == CMD_CAPTURE_TFTP) {
		answer_begin();
		text_u64(&K.answer, now.octets);
		text_str(&K.answer, " octets sent\n");
		answer_take(s);
		answer_done(s, true);
		return false;
	}
	s->text_fd = fd;
	flash_ask(s, s->command == CMD_UPGRADE_OLDER ? FLASH_OP_INSTALL_OLDER
						     : FLASH_OP_INSTALL);
	return true;
}
