/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_verify - "verify": witness tests itself, and says what it has seen. All
 * who wait get the result of the same test.
 */
#include <unistd.h>
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum { WAITING = CONSOLE_CLIENTS + CONSOLE_TTYS };

static struct session *waiting[WAITING];
static size_t waiting_n;

void verify_forget(const struct session *s)
{
	for (size_t i = 0; i < waiting_n; i++)
		if (waiting[i] == s)
			waiting[i--] = waiting[--waiting_n];
}

void verify_ask(struct session *s)
{
	const struct ipc_msg m = { .type = IPC_VERIFY };

	if (K.witness.fd < 0 || waiting_n == WAITING ||
	    ipc_send(K.witness.fd, ROLE_CONSOLE, ROLE_WITNESS, &m) != OK) {
		exec_fail(s, "witness is not there: nobody watches the outside "
			     "port\n");
		return;
	}
	waiting[waiting_n++] = s;
}

static void line(const char *label, enum counter c, const char *what)
{
	put_label(label);
	put_num(figures_sum(c));
	put_str(what);
}

static void report(int error)
{
	put_label("self-test");
	put_str(error == OK ? "passed: a canary left through the outside port "
			      "and was seen\n"
			    : "FAILED: what leaves the outside port is not "
			      "seen; see show log\n");
	line(figures_sum(CNT_LEAKS) > 0 ? "CLEAR TEXT" : "clear text",
	     CNT_LEAKS, " times seen of what must not be readable\n");
	line("watched", CNT_FRAMES_WATCHED, " frames that left, ");
	put_num(figures_sum(CNT_FRAMES_UNWATCHED));
	put_str(" more without a look\n");
	line("looked for", CNT_PRINTS, " texts of protected sessions, ");
	put_num(figures_sum(CNT_PRINTS_LOST));
	put_str(" more were not named\n");
	line("messages", CNT_MESSAGES_PROTECTED, " encrypted, ");
	put_num(figures_sum(CNT_MESSAGES_CLEAR));
	put_str(" clear\n");
}

static void answer(int error)
{
	struct session *s[WAITING];
	size_t n = waiting_n;

	memcpy(s, waiting, n * sizeof(s[0]));
	waiting_n = 0;
	for (size_t i = 0; i < n; i++) {
		answer_begin();
		report(error);
		answer_take(s[i]);
		answer_done(s[i], error == OK && figures_sum(CNT_LEAKS) == 0);
	}
}

static void lose(void)
{
	int fd = K.witness.fd;

	if (fd < 0)
		return;
	loop_del(&K.prog.loop, &K.witness);
	close(fd);
	capture_lost();
	while (waiting_n > 0) {
		struct session *s = waiting[--waiting_n];

		exec_fail(s, "witness stopped while it tested itself\n");
	}
}

static void on_witness(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_WITNESS, ROLE_CONSOLE, &m)) == OK ||
	       r == E_FULL) {
		if (r == E_FULL) {
			capture_answered(E_FULL, -1);
		} else if (m.type == IPC_CAPTURED) {
			capture_answered(m.error, m.fd[0]);
			close(m.fd[0]);
		} else {
			answer(m.error);
		}
	}
	if (r != E_AGAIN)
		lose();
}

void verify_attach(int fd)
{
	lose();
	if (loop_add(&K.prog.loop, &K.witness, fd, EPOLLIN, on_witness) != OK)
		program_die(&K.prog, "cannot watch witness");
}
