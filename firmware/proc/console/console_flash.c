/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_flash - images: what flashd knows and does, and files that boss
 * fetches. Each answers in the order of the questions.
 *
 *	upgrade tftp ----> boss: FETCH --file--> flashd: INSTALL --> answer
 *	upgrade xmodem --> the line of a terminal --^
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proc/console/console.h"

enum { WAITING = CONSOLE_CLIENTS + CONSOLE_TTYS, ANSWER_MAX = 1 << 20 };

/* Who waits, oldest first; NULL: it does not any more. */
struct line {
	struct session *who[WAITING];
	size_t n;
};

static struct line for_flashd, for_file;

static bool join(struct line *l, struct session *s)
{
	if (l->n == WAITING)
		return false;
	l->who[l->n++] = s;
	return true;
}

static struct session *leave(struct line *l)
{
	struct session *s = l->who[0];

	memmove(l->who, l->who + 1, --l->n * sizeof(l->who[0]));
	return s;
}

void flash_forget(const struct session *s)
{
	for (size_t i = 0; i < for_flashd.n; i++)
		if (for_flashd.who[i] == s)
			for_flashd.who[i] = NULL;
	for (size_t i = 0; i < for_file.n; i++)
		if (for_file.who[i] == s)
			for_file.who[i] = NULL;
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
	if (r != OK || !join(&for_flashd, s))
		no_slots(s);
}

/* What flashd says, up to our limit. */
static void take(struct session *s, int fd)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > ANSWER_MAX)
		return;
	text = malloc((size_t)st.st_size);
	n = text ? pread(fd, text, (size_t)st.st_size, 0) : -1;
	if (n > 0)
		answer_add(s, (struct span){ (uint8_t *)text, (size_t)n });
	free(text);
}

static void answered(int error, int fd)
{
	struct session *s = leave(&for_flashd);

	if (!s)
		return;
	if (error != OK)
		answer_say(s, s->tty ? "% " : "");
	take(s, fd);
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
		struct session *s = leave(&for_flashd);

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
	while ((r = ipc_recv(w->fd, ROLE_FLASHD, ROLE_CONSOLE, &m)) == OK) {
		if (for_flashd.n > 0)
			answered(m.error, m.fd[0]);
		else
			r = E_PEER_ORDER; /* an answer to nothing */
		close(m.fd[0]);
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

/* --- files over the management port ----------------------------------------------- */
/* "HOST FILE", as boss wants it. */
void flash_fetch(struct session *s, const struct cli_matched *m)
{
	struct ipc_msg fetch = { .type = IPC_FETCH, .fd_n = 1 };
	char line[CONSOLE_LINE];
	struct text t;
	int r;

	if (!figures_of(ROLE_FLASHD)) {
		no_slots(s);
		return;
	}
	text_init(&t, line, sizeof(line));
	text_span(&t, m->argument[0]);
	text_str(&t, " ");
	text_span(&t, m->argument[1]);
	fetch.fd[0] = exec_text_fd(text_done(&t));
	if (fetch.fd[0] < 0) {
		exec_fail(s, "no memory\n");
		return;
	}
	r = for_file.n < WAITING
		    ? ipc_send(K.prog.boss.fd, ROLE_CONSOLE, ROLE_BOSS, &fetch)
		    : E_FULL;
	close(fetch.fd[0]);
	if (r != OK || !join(&for_file, s))
		exec_fail(s, "boss is busy; try again\n");
}

bool flash_fetched(int error, int fd)
{
	struct session *s;

	if (for_file.n == 0)
		return false;
	s = leave(&for_file);
	if (!s)
		return false;
	if (error != OK) {
		answer_say(s, s->tty ? "% " : "");
		take(s, fd);
		answer_done(s, false);
		return false;
	}
	s->text_fd = fd;
	flash_ask(s, s->command == CMD_UPGRADE_OLDER ? FLASH_OP_INSTALL_OLDER
						     : FLASH_OP_INSTALL);
	return true;
}
