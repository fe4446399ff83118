/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_xmodem - files over the line of a terminal, both ways. While one is on
 * its way nothing else is written there, and no key but ^C means anything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "proc/console/console.h"

/* --- one engine or the other ------------------------------------------------ */
static struct span waiting(const struct tty *t)
{
	return t->sending ? xmodem_out_out(&t->file.out)
			  : xmodem_in_out(&t->file.in);
}

static enum xmodem_end ended(const struct tty *t)
{
	return t->sending ? xmodem_out_end(&t->file.out)
			  : xmodem_in_end(&t->file.in);
}

/* What the engine says, when what was said before has left: it must know what is
 * an answer to it. */
static bool say(struct tty *t)
{
	struct span s = waiting(t);

	if (s.n == 0 || buf_span(&t->out).n > 0)
		return false;
	tty_put(t, s);
	if (t->sending)
		xmodem_out_sent(&t->file.out, s.n);
	else
		xmodem_in_sent(&t->file.in, s.n);
	return true;
}

static void store(struct tty *t, struct span data, uint64_t now)
{
	t->text_n += data.n;
	if (t->text_n > CONSOLE_TEXT_MAX ||
	    write(t->text_fd, data.p, data.n) != (ssize_t)data.n)
		xmodem_in_stop(&t->file.in, now);
}

static size_t hear(struct tty *t, struct span in)
{
	uint64_t now = now_ms();
	struct span data;
	size_t n;

	if (t->sending) {
		xmodem_out_feed(&t->file.out, in, now);
		return in.n;
	}
	n = xmodem_in_feed(&t->file.in, in, now, &data);
	if (data.n > 0)
		store(t, data, now);
	return n;
}

/* --- ends ----------------------------------------------------------------------- */
/* The last block of a text is filled up: its padding is no part of it. */
static void cut_padding(struct tty *t)
{
	uint8_t last[XMODEM_LONG];
	size_t n = t->text_n < sizeof(last) ? (size_t)t->text_n : sizeof(last);
	off_t at = (off_t)(t->text_n - n);

	if (pread(t->text_fd, last, n, at) != (ssize_t)n)
		return;
	while (n > 0 && last[n - 1] == XMODEM_PAD)
		n--;
	t->text_n = (uint64_t)at + n;
	if (ftruncate(t->text_fd, at + (off_t)n) != 0)
		return; /* the language says that it is no text */
}

static void end(struct tty *t, enum xmodem_end why)
{
	char line[100];
	int fd = t->text_fd;

	t->text_fd = -1;
	t->key_ms = now_ms();
	lost_forget(t); /* its blocks have sums */
	tty_drop_page(t);
	if (why != XMODEM_DONE) {
		if (fd >= 0)
			close(fd);
		snprintf(line, sizeof(line), "\n%% %s: %s\n",
			 t->sending ? "the file is not complete"
				    : "nothing was done",
			 xmodem_why(why));
		tty_say(t, line);
		tty_prompt(t);
		return;
	}
	snprintf(line, sizeof(line), "\n%llu octets\n",
		 (unsigned long long)t->text_n);
	tty_say(t, line);
	if (t->sending) {
		tty_prompt(t);
		return;
	}
	t->state = TTY_WAIT;
	exec_text(&t->s, fd);
}

bool xmodem_octets(struct tty *t)
{
	struct span in = buf_span(&t->in);
	bool moved = say(t);

	if (in.n > 0) {
		size_t n = hear(t, in);

		buf_drop(&t->in, n);
		moved = say(t) || n > 0 || moved;
	}
	if (ended(t) == XMODEM_GOES_ON)
		return moved;
	if (!t->sending && ended(t) == XMODEM_DONE)
		cut_padding(t);
	end(t, ended(t));
	return true;
}

void xmodem_tick(struct tty *t, uint64_t now)
{
	if (t->sending)
		xmodem_out_tick(&t->file.out, now);
	else
		xmodem_in_tick(&t->file.in, now);
}

/* --- beginnings ------------------------------------------------------------------- */
void xmodem_take(struct tty *t)
{
	t->sending = false;
	t->text_n = 0;
	t->text_fd = exec_text_fd(SPAN_LIT(""));
	if (t->text_fd < 0) {
		tty_say(t, "% there is not enough memory\n");
		tty_prompt(t);
		return;
	}
	tty_say(t, "send the file with XMODEM now; ^C gives up\n");
	xmodem_in_init(&t->file.in, now_ms());
	t->state = TTY_XMODEM;
}

void xmodem_give(struct tty *t, char *text, size_t n)
{
	struct span file = { (uint8_t *)text, n };

	tty_drop_page(t);
	t->paged = text;
	t->sending = true;
	t->text_n = n;
	tty_say(t, "receive the file with XMODEM now; ^C gives up\n");
	xmodem_out_init(&t->file.out, file, now_ms());
	t->state = TTY_XMODEM;
}
