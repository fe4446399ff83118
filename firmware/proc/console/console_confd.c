/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_confd - questions to confd, one at a time: answers carry no name, so
 * the next question waits until the one before is answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proc/console/console.h"

enum { SESSIONS = CONSOLE_CLIENTS + CONSOLE_TTYS };

static struct session *session_at(size_t i)
{
	if (i < CONSOLE_CLIENTS)
		return &K.client[i].s;
	return &K.tty[i - CONSOLE_CLIENTS].s;
}

/* Who waits longest. */
static struct session *first(void)
{
	struct session *best = NULL;

	for (size_t i = 0; i < SESSIONS; i++) {
		struct session *s = session_at(i);

		if (s->used && s->waiting && s != K.asking &&
		    (!best || s->ticket < best->ticket))
			best = s;
	}
	return best;
}

static void tell(struct session *s, int error, uint64_t number,
		 struct span report)
{
	s->waiting = false;
	exec_answered(s, error, number, report);
}

static void ask_next(void)
{
	while (!K.asked) {
		struct session *s = first();
		const struct question *q;
		struct ipc_msg m = { .fd_n = 1 };
		int r;

		if (!s)
			return;
		q = &s->step[s->step_at];
		m.type = q->type;
		m.op = q->op;
		m.number = q->number;
		m.fd[0] = s->text_fd;
		r = K.confd.fd < 0 ? E_PEER_GONE
				   : ipc_send(K.confd.fd, ROLE_CONSOLE,
					      ROLE_CONFD, &m);
		if (r == OK) {
			K.asking = s;
			K.asked = true;
			K.asked_ms = now_ms();
			return;
		}
		tell(s, E_PEER_GONE, 0,
		     SPAN_LIT("confd is not there at the moment; try "
			      "again\n"));
	}
}

void confd_ask(struct session *s)
{
	s->waiting = true;
	s->ticket = ++K.tickets;
	ask_next();
}

void confd_forget(struct session *s)
{
	s->waiting = false;
	if (K.asking == s)
		K.asking = NULL;
}

/* All of what fd holds, up to our limit; NULL: none, or no memory. */
static char *read_report(int fd, size_t *n)
{
	struct stat st;
	size_t have = 0, size;
	char *p;

	*n = 0;
	if (fstat(fd, &st) != 0 || st.st_size <= 0)
		return NULL;
	size = st.st_size < CONSOLE_TEXT_MAX ? (size_t)st.st_size
					     : CONSOLE_TEXT_MAX;
	p = malloc(size);
	while (p && have < size) {
		ssize_t r = pread(fd, p + have, size - have, (off_t)have);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break; /* it became shorter: that is what it is now */
		have += (size_t)r;
	}
	*n = have;
	return p;
}

/* there: there was room for what it carries. */
static void on_result(const struct ipc_msg *m, bool there)
{
	static const char lost[] = "there is no memory for the answer\n";
	struct session *s = K.asking;
	int error = m->error;
	char *report;
	size_t n = 1;

	K.asking = NULL;
	K.asked = false;
	if (!s)
		return; /* it left */
	report = there ? read_report(m->fd[0], &n) : NULL;
	if (report)
		tell(s, error, m->number,
		     (struct span){ (uint8_t *)report, n });
	else if (n == 0)
		tell(s, error, m->number, (struct span){ NULL, 0 });
	else
		tell(s, E_FULL, m->number, SPAN_LIT(lost));
	free(report);
}

static void lose(const char *why)
{
	struct session *s = K.asking;
	int fd = K.confd.fd;

	if (fd < 0)
		return;
	loop_del(&K.prog.loop, &K.confd);
	close(fd);
	program_peer_lost(&K.prog, ROLE_CONFD);
	K.asking = NULL;
	K.asked = false;
	if (s)
		tell(s, E_PEER_GONE, 0, span_str(why));
	ask_next();
}

static const char stopped[] =
	"confd stopped while it worked on this; look at show status for what "
	"is in force\n";

static void on_confd(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r = OK;

	(void)events;
	while (w->fd >= 0 &&
	       ((r = ipc_recv(w->fd, ROLE_CONFD, ROLE_CONSOLE, &m)) == OK ||
		(r == E_FULL && m.type == IPC_CONF_RESULT))) {
		bool there = r == OK;

		r = OK;
		if (m.type == IPC_BOX)
			box_set(m.fd[0], m.number);
		else if (!K.asked) /* an answer to nothing */
			r = E_PEER_ORDER;
		else
			on_result(&m, there);
		if (there)
			close(m.fd[0]);
		if (r != OK)
			break;
		ask_next();
	}
	if (r != E_AGAIN)
		lose(stopped);
}

void confd_attach(int fd)
{
	lose(stopped);
	if (loop_add(&K.prog.loop, &K.confd, fd, EPOLLIN, on_confd) != OK)
		program_die(&K.prog, "cannot watch confd");
	K.prog.lost_ms[ROLE_CONFD] = 0;
}

void confd_tick(uint64_t now)
{
	if (K.asked && now - K.asked_ms > CONSOLE_CONFD_MS)
		lose("confd does not answer\n");
}
