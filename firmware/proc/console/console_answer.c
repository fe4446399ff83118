/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_answer - what a command says, in pieces, and what it asks of confd.
 * Terminals and the door differ only in how a wrong word is marked.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/domain.h"
#include "proc/console/console.h"

enum { FILE_MAX = 1 << 20 };

/* --- the answer ------------------------------------------------------------------ */
void answer_add(struct session *s, struct span text)
{
	char *p;

	if (text.n == 0)
		return;
	p = realloc(s->out, s->out_n + text.n);
	if (!p) {
		s->out_lost = true;
		return;
	}
	memcpy(p + s->out_n, text.p, text.n);
	s->out = p;
	s->out_n += text.n;
}

void answer_say(struct session *s, const char *text)
{
	answer_add(s, span_str(text));
}

void answer_add_file(struct session *s, int fd)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > FILE_MAX)
		return;
	text = malloc((size_t)st.st_size);
	n = text ? pread(fd, text, (size_t)st.st_size, 0) : -1;
	if (n > 0)
		answer_add(s, (struct span){ (uint8_t *)text, (size_t)n });
	free(text);
}

void answer_begin(void)
{
	text_init(&K.answer, K.answer_mem, CONSOLE_ANSWER_MAX);
}

/* What has been composed in K.answer. */
void answer_take(struct session *s)
{
	answer_add(s, text_done(&K.answer));
	s->out_lost = s->out_lost || K.answer.cut;
}

void answer_drop_text(struct session *s)
{
	if (s->text_fd >= 0)
		close(s->text_fd);
	s->text_fd = -1;
}

static void drop_answer(struct session *s)
{
	free(s->out);
	s->out = NULL;
	s->out_n = 0;
	s->out_lost = false;
}

void answer_filter(struct session *s)
{
	size_t size = s->out_n + 32;
	struct text t;
	char *mem;

	if (s->pipe.n == 0)
		return;
	mem = malloc(size);
	if (!mem) {
		drop_answer(s);
		s->out_lost = true;
		return;
	}
	text_init(&t, mem, size);
	cli_pipe_run(&s->pipe, session_answer(s), &t);
	drop_answer(s);
	s->out = mem;
	s->out_n = t.n;
}

void answer_done(struct session *s, bool ok)
{
	answer_drop_text(s);
	if (s->secret) {
		explicit_bzero(s->line, sizeof(s->line));
		explicit_bzero(s->spelled, sizeof(s->spelled));
	}
	s->step_n = s->step_at = 0;
	if (ok)
		answer_filter(s);
	if (s->out_lost) {
		answer_say(s, "(cut here: there is not enough memory)\n");
		ok = ok && !cli_pipe_to_file(&s->pipe);
	}
	session_done(s, ok);
}

void exec_fail(struct session *s, const char *why)
{
	answer_say(s, s->tty ? "% " : "");
	answer_say(s, why);
	answer_done(s, false);
}

void answer_fail_at(struct session *s, size_t column, const char *line,
		    const char *why, size_t why_n)
{
	size_t at = s->prompt_n + column - 1;

	answer_begin();
	if (s->tty && at < CLI_EDIT_COLUMNS - 1) {
		for (size_t i = 0; line && i < s->prompt_n; i++)
			text_str(&K.answer, " ");
		text_str(&K.answer, line ? line : "");
		text_str(&K.answer, line ? "\n" : "");
		for (size_t i = 0; i < at; i++)
			text_str(&K.answer, " ");
		text_str(&K.answer, "^\n% ");
	} else {
		text_str(&K.answer, s->tty ? "% column " : "column ");
		text_u64(&K.answer, column);
		text_str(&K.answer, ": ");
	}
	text_span(&K.answer, (struct span){ (const uint8_t *)why, why_n });
	text_str(&K.answer, "\n");
	answer_take(s);
	answer_done(s, false);
}

/* --- questions to confd ----------------------------------------------------------- */
int exec_text_fd(struct span text)
{
	int fd = memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	while (fd >= 0 && text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		text = span_skip(text, (size_t)n);
	}
	return fd;
}

void ask_add(struct session *s, struct question q)
{
	if (s->step_n < CONSOLE_STEPS)
		s->step[s->step_n++] = q;
}

/* Ask what step holds, with this text unless one has been given. */
void ask_all(struct session *s, struct span text)
{
	s->alone = false;
	s->step_at = 0;
	if (s->text_fd < 0)
		s->text_fd = exec_text_fd(text);
	if (s->text_fd < 0) {
		exec_fail(s, "no memory for the text\n");
		return;
	}
	confd_ask(s);
}

void ask_one(struct session *s, enum conf_op op, uint64_t number,
	     struct span text, const char *said)
{
	ask_add(s, (struct question){ IPC_CONF_ASK, op, number, NULL, said });
	ask_all(s, text);
}

void exec_private(struct session *s, enum conf_op op, struct span text)
{
	exec_stop(s);
	s->text_fd = exec_text_fd(text);
	if (s->text_fd < 0) {
		session_told(s, E_FULL, SPAN_LIT("no memory\n"));
		return;
	}
	s->alone = true;
	s->step_n = 1;
	s->step[0] = (struct question){ IPC_CONF_ASK, op, 0, NULL, NULL };
	confd_ask(s);
}

/* "line 1, column 9: why": *column, and the length of what is before why. */
static size_t place_of(struct span report, size_t *column)
{
	static const char start[] = "line 1, column ";
	size_t n = sizeof(start) - 1;

	*column = 0;
	if (report.n < n || memcmp(report.p, start, n) != 0)
		return 0;
	for (; n < report.n && report.p[n] >= '0' && report.p[n] <= '9' &&
	       *column < CONSOLE_LINE;
	     n++)
		*column = *column * 10 + (size_t)(report.p[n] - '0');
	if (*column == 0 || report.n - n < 2 || report.p[n] != ':')
		return 0;
	return n + 2;
}

static bool same_as_typed(const struct session *s)
{
	struct span line = { s->line, s->line_n };

	return span_eq(line, span_str(s->spelled));
}

static void refused(struct session *s, int error, struct span report)
{
	const struct question *q = &s->step[s->step_at];
	size_t column, at = place_of(report, &column);
	/* a line with a secret is not shown again, not even spelled out */
	bool one_line = q->type == IPC_CONF_ASK && q->op == CONF_OP_EDIT &&
			(s->command == CMD_SETTING ||
			 (s->command == CMD_SETTING_SECRET &&
			  same_as_typed(s)));

	if (one_line && at > 0) {
		const uint8_t *lf = memchr(report.p + at, '\n', report.n - at);
		size_t n = lf ? (size_t)(lf - report.p) - at : report.n - at;

		answer_fail_at(s, column, same_as_typed(s) ? NULL : s->spelled,
			       (const char *)report.p + at, n);
		return;
	}
	answer_say(s, s->tty ? "% " : "");
	if (report.n > 0) {
		answer_add(s, report);
	} else {
		answer_say(s, "confd refuses it: ");
		answer_say(s, err_name(error));
		answer_say(s, "\n");
	}
	answer_done(s, false);
}

static void accepted(struct session *s, uint64_t number, struct span report)
{
	const struct question *q = &s->step[s->step_at];

	if (q->heading)
		answer_say(s, q->heading);
	answer_add(s, report);
	if (q->type == IPC_CONF_LOAD) {
		answer_begin();
		text_str(&K.answer, "in force, as snapshot ");
		text_u64(&K.answer, number);
		text_str(&K.answer, "\n");
		answer_take(s);
	} else if (report.n == 0 && q->said) {
		answer_say(s, q->said);
	}
}

/* What is known of a domain besides its line. */
static void lately(struct session *s)
{
	char key[DOMAIN_MAX + 1];
	struct cli_matched m;
	struct text why;
	char mem[80];
	size_t n;

	text_init(&why, mem, sizeof(mem));
	if (cli_match(&K.words, s->mode, span_str(s->spelled), &m, &why) !=
		    OK ||
	    m.argument_n != 1 || domain_normalise(key, &n, m.argument[0]) != OK)
		return;
	answer_begin();
	show_domain((struct span){ (uint8_t *)key, n });
	answer_take(s);
}

void exec_answered(struct session *s, int error, uint64_t number,
		   struct span report)
{
	bool goes_on = s->step[s->step_at].heading != NULL;

	answer_drop_text(s);
	if (s->alone) {
		s->step_n = 0;
		session_told(s, error, report);
		return;
	}
	if (error != OK && !goes_on) {
		refused(s, error, report);
		return;
	}
	accepted(s, number, report);
	if (s->command == CMD_DOMAIN && error == OK)
		lately(s);
	if (error != OK && report.n == 0)
		answer_say(s, err_name(error));
	if (++s->step_at >= s->step_n) {
		answer_done(s, true);
		return;
	}
	s->text_fd = exec_text_fd(SPAN_LIT(""));
	if (s->text_fd < 0)
		exec_fail(s, "no memory\n");
	else
		confd_ask(s);
}

void exec_stop(struct session *s)
{
	confd_forget(s);
	boss_forget(s);
	flash_forget(s);
	file_forget(s);
	verify_forget(s);
	capture_forget(s);
	probe_forget(s);
	answer_drop_text(s);
	drop_answer(s);
	s->step_n = s->step_at = 0;
}
