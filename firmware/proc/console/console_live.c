/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_live - what goes on by itself on a terminal: the log that is followed,
 * the status that is drawn again, and messages while a line is typed.
 */
#include "proc/console/console.h"

enum {
	DRAW_MS = 1000, /* monitor */
	TAIL = 10,	/* lines that follow begins with */
};

void live_follow(struct tty *t)
{
	struct span s;
	size_t lines = 0, at;

	text_init(&K.answer, K.answer_mem, CONSOLE_ANSWER_MAX);
	show_log(t->s.least);
	answer_take(&t->s);
	answer_filter(&t->s);
	s = session_answer(&t->s);
	for (at = s.n; at > 0; at--)
		if (s.p[at - 1] == '\n' && ++lines > TAIL)
			break;
	tty_text(t, span_skip(s, at));
	exec_stop(&t->s);
	tty_say(t, "(new lines follow; ^C ends)\n");
	t->state = TTY_FOLLOW;
}

/* The status, over the one before: no blank screen in between. */
static void draw(struct tty *t)
{
	struct span s;

	text_init(&K.answer, K.answer_mem, CONSOLE_ANSWER_MAX);
	show_status();
	s = text_done(&K.answer);
	tty_put(t, SPAN_LIT("\x1b[H"));
	for (unsigned row = 1; row < CLI_PAGE_ROWS && s.n > 0; row++) {
		const uint8_t *lf = memchr(s.p, '\n', s.n);
		size_t n = lf ? (size_t)(lf - s.p) : s.n;

		/* status is ASCII, and its rows are cut where it makes them */
		tty_put(t,
			(struct span){ s.p, n < CLI_EDIT_COLUMNS
						    ? n
						    : CLI_EDIT_COLUMNS - 1 });
		tty_put(t, SPAN_LIT("\x1b[K\r\n"));
		s = span_skip(s, n + (lf != NULL));
	}
	tty_put(t, SPAN_LIT("\x1b[JAny key ends this."));
}

void live_monitor(struct tty *t)
{
	tty_put(t, SPAN_LIT("\x1b[H\x1b[J"));
	t->state = TTY_MONITOR;
	t->draw_ms = now_ms();
	draw(t);
}

/* Does a line get through the pipe of the command that follows the log? */
static bool passes(const struct tty *t, struct span line)
{
	char mem[STATS_TEXT + 140];
	struct text out;

	if (t->state != TTY_FOLLOW || t->s.pipe.n == 0)
		return true;
	text_init(&out, mem, sizeof(mem));
	cli_pipe_run(&t->s.pipe, line, &out);
	return out.n > 0;
}

static bool wants(const struct tty *t, const struct log_line *l)
{
	if (t->state == TTY_FOLLOW)
		return l->severity >= t->s.least;
	return t->state == TTY_LINE && t->monitor && l->severity >= SEV_WARNING;
}

void live_lines(struct tty *t, const struct log_line *l, size_t n)
{
	char mem[STATS_TEXT + 100];
	bool open = false;

	for (size_t i = 0; i < n && t->logged_in; i++) {
		struct text line;

		if (buf_left(&t->out) < TTY_ROOM || !wants(t, &l[i]))
			continue;
		text_init(&line, mem, sizeof(mem));
		log_print(&l[i], &line);
		if (!passes(t, text_done(&line)))
			continue;
		if (t->state == TTY_LINE && !open)
			tty_edit(t, cli_edit_hide);
		open = true;
		tty_text(t, text_done(&line));
	}
	if (open && t->state == TTY_LINE)
		tty_edit(t, cli_edit_show);
}

void live_tick(struct tty *t, uint64_t now)
{
	if (now - t->draw_ms < DRAW_MS || buf_span(&t->out).n > 0)
		return;
	t->draw_ms = now;
	draw(t);
}
