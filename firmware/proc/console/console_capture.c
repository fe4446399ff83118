/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_capture - "capture": witness keeps frames, and gives them as a file, which
 * goes over the line of a terminal, or by TFTP. It answers in the order of the
 * questions.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "conf/conf_value.h"
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum {
	WAITING = CONSOLE_CLIENTS + CONSOLE_TTYS,
	BYTES = 1 << 20, /* if nobody says how many */
};

static struct {
	struct session *who[WAITING]; /* oldest first; NULL: not any more */
	const char *said[WAITING];    /* when it is done; NULL: the file */
	size_t n;
} waits;

void capture_forget(const struct session *s)
{
	for (size_t i = 0; i < waits.n; i++)
		if (waits.who[i] == s)
			waits.who[i] = NULL;
}

static void ask(struct session *s, struct ipc_msg m, const char *said)
{
	m.type = IPC_CAPTURE;
	if (K.witness.fd < 0 || waits.n == WAITING ||
	    ipc_send(K.witness.fd, ROLE_CONSOLE, ROLE_WITNESS, &m) != OK) {
		exec_fail(s, "witness is not there at the moment; try again\n");
		return;
	}
	waits.who[waits.n] = s;
	waits.said[waits.n++] = said;
}

void capture_start(struct session *s, const struct cli_matched *m)
{
	const char *words = m->command->words;
	struct ipc_msg q = { .number = BYTES };
	size_t i = 0;

	q.flow = strstr(words, "inside")    ? 1u << INSIDE
		 : strstr(words, "outside") ? 1u << OUTSIDE
					    : 1u << INSIDE | 1u << OUTSIDE;
	if (strstr(words, " host ") &&
	    !conf_ip(m->argument[i++], q.client.ip)) {
		exec_fail(s, "not an address; 192.0.2.1 or 2001:db8::1\n");
		return;
	}
	if (strstr(words, " port "))
		q.client.port = (uint16_t)cli_number(m->argument[i++]);
	if (strstr(words, " bytes "))
		q.number = cli_number(m->argument[i]);
	ask(s, q, "capturing; \"show capture\" says how much there is\n");
}

void capture_stop(struct session *s)
{
	ask(s, (struct ipc_msg){ .number = 0 }, "stopped\n");
}

/* Over the line, as if it were piped there. */
void capture_export(struct session *s)
{
	s->pipe.stage[0].op = PIPE_XMODEM;
	s->pipe.n = 1;
	ask(s, (struct ipc_msg){ .number = UINT64_MAX }, NULL);
}

/* To the host and the name in spelled. */
void capture_send(struct session *s)
{
	ask(s, (struct ipc_msg){ .number = UINT64_MAX }, NULL);
}

static void file(struct session *s, int fd)
{
	struct stat st;
	char *mem = NULL;
	ssize_t n = -1;

	if (fstat(fd, &st) == 0 && st.st_size > 0 &&
	    st.st_size <= CONSOLE_TEXT_MAX)
		mem = malloc((size_t)st.st_size);
	if (mem)
		n = pread(fd, mem, (size_t)st.st_size, 0);
	if (n > 0)
		answer_add(s, (struct span){ (uint8_t *)mem, (size_t)n });
	free(mem);
	if (n <= 0 || n != st.st_size) {
		s->pipe.n = 0;
		exec_fail(s, "nothing was captured, or there is not enough "
			     "memory for the file\n");
		return;
	}
	answer_done(s, true);
}

void capture_answered(int error, int fd)
{
	struct session *s;
	const char *said;

	if (waits.n == 0)
		return;
	s = waits.who[0];
	said = waits.said[0];
	waits.n--;
	memmove(waits.who, waits.who + 1, waits.n * sizeof(waits.who[0]));
	memmove(waits.said, waits.said + 1, waits.n * sizeof(waits.said[0]));
	if (!s)
		return;
	if (error != OK) {
		s->pipe.n = 0;
		exec_fail(s, "there is not enough memory\n");
	} else if (said) {
		answer_say(s, said);
		answer_done(s, true);
	} else if (s->command == CMD_CAPTURE_TFTP) {
		file_send(s,
			  span_str(s->spelled + sizeof("capture export tftp ") -
				   1),
			  fd);
	} else {
		file(s, fd);
	}
}

void capture_lost(void)
{
	while (waits.n > 0) {
		struct session *s = waits.who[--waits.n];

		if (!s)
			continue;
		s->pipe.n = 0;
		exec_fail(s, "witness stopped, and what was captured is "
			     "lost\n");
	}
}

void show_capture(void)
{
	static const uint8_t any[16];
	const struct stats *w = figures_of(ROLE_WITNESS);
	struct stats_capture c = { .unix_ms = 0 };

	if (w)
		c = w->capture;
	if (c.unix_ms == 0) {
		put_str("nothing was captured\n");
		return;
	}
	put_label("capture");
	put_str(c.running		    ? "running"
		: c.bytes + 65536 > c.limit ? "full"
					    : "stopped");
	put_str(", since ");
	put_when(c.unix_ms);
	put_str("\n");
	put_label("ports");
	put_str(c.ports & 1u << INSIDE ? "inside" : "");
	put_str(c.ports == (1u << INSIDE | 1u << OUTSIDE) ? ", " : "");
	put_str(c.ports & 1u << OUTSIDE ? "outside" : "");
	put_str("\n");
	put_label("host");
	if (memcmp(c.host.ip, any, sizeof(any)) == 0)
		put_str("all");
	else
		text_ip(&K.answer, c.host.ip);
	if (c.host.port != 0) {
		put_str(", port ");
		put_num(c.host.port);
	}
	put_str("\n");
	put_label("frames");
	put_num(c.frames);
	put_str(", ");
	put_num(c.bytes);
	put_str(" octets of ");
	put_num(c.limit);
	put_str("; ");
	put_num(c.lost);
	put_str(" lost for want of time\n");
}
