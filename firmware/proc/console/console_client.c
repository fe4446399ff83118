/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_client - the lines of one client; the protocol is in console.h.
 *
 *	LINE --command--> ANSWER --written--> LINE
 *	  \--"... -"--> TEXT --"."--> WAIT --confd--> ANSWER
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proc/console/console.h"

static void want(struct client *c)
{
	uint32_t events = 0;

	if (c->state == CLIENT_ANSWER)
		events = EPOLLOUT;
	else if (!c->eof && c->state != CLIENT_WAIT)
		events = EPOLLIN;
	loop_mod(&K.prog.loop, &c->watch, events);
}

static void drop_text(struct client *c)
{
	if (c->s.text_fd >= 0)
		close(c->s.text_fd);
	c->s.text_fd = -1;
}

static void client_close(struct client *c)
{
	int fd = c->watch.fd;

	exec_stop(&c->s);
	loop_del(&K.prog.loop, &c->watch);
	if (fd >= 0)
		close(fd);
	free(c->out);
	c->out = NULL;
	c->s.used = false;
}

/* --- answers -------------------------------------------------------------------- */
/* Octets that s takes when it is stuffed. */
static size_t stuffed(struct span s)
{
	bool start = true;
	size_t n = s.n + 1;

	for (size_t i = 0; i < s.n; i++) {
		n += start && s.p[i] == '.';
		start = s.p[i] == '\n';
	}
	return n;
}

static size_t stuff(char *to, struct span s)
{
	bool start = true;
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (start && s.p[i] == '.')
			to[n++] = '.';
		to[n++] = (char)s.p[i];
		start = s.p[i] == '\n';
	}
	if (!start)
		to[n++] = '\n';
	return n;
}

void client_done(struct client *c, bool ok)
{
	struct span s = session_answer(&c->s);

	c->state = CLIENT_ANSWER;
	c->since_ms = now_ms();
	c->out_n = c->out_at = 0;
	c->out = malloc(stuffed(s) + 16);
	if (!c->out) {
		c->eof = true; /* nothing to say it with: close */
		want(c);
		return;
	}
	c->out_n = stuff(c->out, s);
	memcpy(c->out + c->out_n, ok ? ".\nok\n" : ".\nerror\n", ok ? 5 : 8);
	c->out_n += ok ? 5 : 8;
	exec_stop(&c->s);
	want(c);
}

/* The command is complete, and its text if it has one. */
static void run(struct client *c)
{
	struct span line = { c->s.line, c->s.line_n };
	int fd = c->s.text_fd;

	c->s.text_fd = -1;
	c->state = CLIENT_WAIT;
	if (exec_line(&c->s, line, fd) != WISH_LEAVE)
		return; /* the others are those of a terminal */
	c->eof = true;
	client_done(c, true);
}

/* Does the last word of the line say that a text follows? Asked before the
 * command is looked at, so that the text of a misspelled one is not taken for
 * commands. */
static bool text_follows(const struct client *c)
{
	size_t n = c->s.line_n;

	while (n > 0 && (c->s.line[n - 1] == ' ' || c->s.line[n - 1] == '\t'))
		n--;
	return n > 1 && c->s.line[n - 1] == '-' &&
	       (c->s.line[n - 2] == ' ' || c->s.line[n - 2] == '\t');
}

/* --- input ---------------------------------------------------------------------- */
/* True: something was done with what waits, so there may be more to do. */
static bool feed_line(struct client *c)
{
	struct span s = buf_span(&c->in);
	const uint8_t *lf = s.n > 0 ? memchr(s.p, '\n', s.n) : NULL;
	size_t n = lf ? (size_t)(lf - s.p) : s.n;

	if (!lf && !(c->eof && n > 0) && n <= CONSOLE_LINE)
		return false;
	if (n > CONSOLE_LINE) {
		/* what follows is not worth guessing */
		c->eof = true;
		buf_drop(&c->in, s.n);
		exec_fail(&c->s, "the line is too long\n");
		return true;
	}
	memcpy(c->s.line, s.p, n);
	c->s.line_n = n > 0 && c->s.line[n - 1] == '\r' ? n - 1 : n;
	buf_drop(&c->in, n + (lf ? 1 : 0));
	if (!text_follows(c)) {
		run(c);
		return true;
	}
	c->state = CLIENT_TEXT;
	c->dot = DOT_LINE_START;
	c->text_n = 0;
	c->s.text_fd = memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return true;
}

static void keep(struct client *c, const uint8_t *p, size_t n)
{
	c->text_n += n;
	if (c->text_n > CONSOLE_TEXT_MAX)
		drop_text(c);
	while (n > 0 && c->s.text_fd >= 0) {
		ssize_t r = write(c->s.text_fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			drop_text(c);
			return;
		}
		p += r;
		n -= (size_t)r;
	}
}

/* Take dot-stuffed text from in; true when the dot alone was reached. *used:
 * octets of in; *n: what is left of them, in place. */
static bool unstuff(enum dot_state *st, uint8_t *in, size_t in_n, size_t *used,
		    size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < in_n; i++) {
		uint8_t b = in[i];

		if (*st == DOT_LINE_START && b == '.') {
			*st = DOT_DOT;
			continue;
		}
		if (*st == DOT_DOT && b == '\r') {
			*st = DOT_DOT_CR;
			continue;
		}
		if ((*st == DOT_DOT || *st == DOT_DOT_CR) && b == '\n') {
			*used = i + 1;
			return true;
		}
		/* a CR behind the dot was text after all; the dot that was
		 * dropped has left room for it */
		if (*st == DOT_DOT_CR)
			in[(*n)++] = '\r';
		in[(*n)++] = b;
		*st = b == '\n' ? DOT_LINE_START : DOT_WITHIN;
	}
	*used = in_n;
	return false;
}

static bool feed_text(struct client *c)
{
	uint8_t part[4096];
	struct span s = buf_span(&c->in);
	size_t n = s.n < sizeof(part) ? s.n : sizeof(part), used, got;
	bool end;

	if (n == 0 && !c->eof)
		return false;
	if (n == 0) {
		exec_fail(&c->s, "the text ended before its \".\"; nothing "
				 "was done\n");
		return true;
	}
	memcpy(part, s.p, n);
	/* held back from the part before, where there is no room now */
	if (c->dot == DOT_DOT_CR && part[0] != '\n') {
		keep(c, (const uint8_t *)"\r", 1);
		c->dot = DOT_WITHIN;
	}
	end = unstuff(&c->dot, part, n, &used, &got);
	keep(c, part, got);
	buf_drop(&c->in, used);
	if (end && c->s.text_fd < 0)
		exec_fail(&c->s, c->text_n > CONSOLE_TEXT_MAX
					 ? "the text is too long\n"
					 : "no memory for the text\n");
	else if (end)
		run(c);
	return true;
}

static void feed(struct client *c)
{
	bool more = true;

	while (more && c->s.used) {
		switch (c->state) {
		case CLIENT_LINE: more = feed_line(c); break;
		case CLIENT_TEXT: more = feed_text(c); break;
		case CLIENT_WAIT:
		case CLIENT_ANSWER: more = false; break;
		}
	}
	if (c->eof && c->state == CLIENT_LINE)
		client_close(c);
	else
		want(c);
}

static void read_more(struct client *c)
{
	size_t left = buf_left(&c->in);
	ssize_t n = recv(c->watch.fd, buf_room(&c->in), left, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_close(c);
		return;
	}
	if (n == 0)
		c->eof = true;
	else
		buf_grow(&c->in, (size_t)n);
	c->since_ms = now_ms();
	feed(c);
}

static void write_more(struct client *c)
{
	ssize_t n = 0;

	if (c->out_at < c->out_n) {
		n = send(c->watch.fd, c->out + c->out_at, c->out_n - c->out_at,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			client_close(c);
			return;
		}
		c->out_at += (size_t)n;
		c->since_ms = now_ms();
	}
	if (c->out_at < c->out_n)
		return;
	free(c->out);
	c->out = NULL;
	c->state = CLIENT_LINE;
	feed(c);
}

static void on_client(struct watch *w, uint32_t events)
{
	struct client *c = (struct client *)((char *)w -
					     offsetof(struct client, watch));

	if (events & EPOLLERR) {
		client_close(c);
		return;
	}
	/* gone both ways: a text that is on its way in is still read */
	if ((events & EPOLLHUP) && (events & EPOLLIN) == 0) {
		client_close(c);
		return;
	}
	if (events & EPOLLIN)
		read_more(c);
	else if (events & EPOLLOUT)
		write_more(c);
}

void client_start(struct client *c, int fd)
{
	memset(c, 0, offsetof(struct client, in_mem));
	session_init(&c->s, false);
	c->since_ms = now_ms();
	buf_init(&c->in, c->in_mem, sizeof(c->in_mem));
	if (loop_add(&K.prog.loop, &c->watch, fd, EPOLLIN, on_client) != OK) {
		close(fd);
		c->s.used = false;
	}
}

void client_tick(struct client *c, uint64_t now)
{
	uint64_t limit = c->state == CLIENT_ANSWER ? CONSOLE_SLOW_MS
						   : CONSOLE_IDLE_MS;

	if (c->s.used && c->state != CLIENT_WAIT && now > c->since_ms &&
	    now - c->since_ms > limit)
		client_close(c);
}
