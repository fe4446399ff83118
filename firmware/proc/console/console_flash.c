/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_flash - images: what flashd knows and does. It answers in the order of the
 * questions.
 *
 *	upgrade tftp ----> console_file.c --file--> flashd: INSTALL --> answer
 *	upgrade xmodem --> the line of a terminal --^
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proc/console/console.h"

enum { WAITING = CONSOLE_CLIENTS + CONSOLE_TTYS };

/* Who waits, oldest first; NULL: it does not any more. */
static struct {
	struct session *who[WAITING];
	size_t n;
} for_flashd;

static bool join(struct session *s)
{
	if (for_flashd.n == WAITING)
		return false;
	for_flashd.who[for_flashd.n++] = s;
	return true;
}

static struct session *leave(void)
{
	struct session *s = for_flashd.who[0];

	memmove(for_flashd.who, for_flashd.who + 1, --for_flashd.n * sizeof(s));
	return s;
}

void flash_forget(const struct session *s)
{
	for (size_t i = 0; i < for_flashd.n; i++)
		if (for_flashd.who[i] == s)
			for_flashd.who[i] = NULL;
}

static void no_slots(struct session *s)
{
	exec_fail(s, figures_of(ROLE_FLASHD)
			     ? "flashd is not there at the moment; try again\n"
			     : "this board has no flash for images\n");
}

/* --- flashd ----------------------------------------------------------------------- */
void flash_ask(struct session *s, enum flash_op op)
{
	struct ipc_msg m = { .type = IPC_FLASH_ASK, .number = op, .fd_n = 1 };
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int r = E_PEER_GONE;

	if (s->text_fd < 0)
		s->text_fd = exec_text_fd(SPAN_LIT(""));
	if (s->text_fd < 0 || fcntl(s->text_fd, F_ADD_SEALS, seals) != 0) {
		exec_fail(s, "no memory\n");
		return;
	}
	m.fd[0] = s->text_fd;
	if (K.flashd.fd >= 0 && for_flashd.n < WAITING)
		r = ipc_send(K.flashd.fd, ROLE_CONSOLE, ROLE_FLASHD, &m);
	answer_drop_text(s);
	if (r != OK || !join(s))
		no_slots(s);
}

static void answered(int error, int fd)
{
	struct session *s = leave();

	if (!s)
		return;
	if (fd < 0) {
		exec_fail(s, "there is no memory for the answer; look at show "
			     "image\n");
		return;
	}
	if (error != OK)
		answer_say(s, s->tty ? "% " : "");
	answer_add_file(s, fd);
	answer_done(s, error == OK);
}

static void lose(void)
{
	int fd = K.flashd.fd;

	if (fd < 0)
		return;
	loop_del(&K.prog.loop, &K.flashd);
	close(fd);
	program_peer_lost(&K.prog, ROLE_FLASHD);
	while (for_flashd.n > 0) {
		struct session *s = leave();

		if (s)
			exec_fail(s, "flashd stopped while it worked on this; "
				     "look at show image\n");
	}
}

static void on_flashd(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_FLASHD, ROLE_CONSOLE, &m)) == OK ||
	       r == E_FULL) {
		int fd = r == OK ? m.fd[0] : -1;

		r = OK;
		if (for_flashd.n > 0)
			answered(m.error, fd);
		else
			r = E_PEER_ORDER; /* an answer to nothing */
		if (fd >= 0)
			close(fd);
		if (r != OK || w->fd < 0)
			break;
	}
	if (r != E_AGAIN)
		lose();
}

void flash_attach(int fd)
{
	lose();
	if (loop_add(&K.prog.loop, &K.flashd, fd, EPOLLIN, on_flashd) != OK)
		program_die(&K.prog, "cannot watch flashd");
	K.prog.lost_ms[ROLE_FLASHD] = 0;
}

void flash_fetch(struct session *s, const struct cli_matched *m)
{
	if (figures_of(ROLE_FLASHD))
		file_fetch(s, m);
	else
		no_slots(s);
}
