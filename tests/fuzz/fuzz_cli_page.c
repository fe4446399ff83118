/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An answer of any octets through any pipe onto a terminal: a pipe makes
 * nothing up, the pager writes only what a terminal can take, never more rows
 * than it has, and comes to an end. Input: a line, LF, the answer.
 */
#include "cli/cli_page.h"
#include "cli/cli_pipe.h"
#include "terminal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void show(struct span text, unsigned rows)
{
	static struct terminal term;
	static char mem[300];
	struct cli_page p;

	term_init(&term);
	cli_page_init(&p, text, rows);
	while (p.state != CLI_PAGE_END) {
		size_t left = p.rest.n;
		struct text out;

		text_init(&out, mem, sizeof(mem));
		if (p.state == CLI_PAGE_MORE) {
			term.row = 0;
			cli_page_key(&p, " \r\nq"[left % 4], &out);
		} else {
			cli_page_next(&p, &out);
			BUG_ON(p.rest.n == left && p.state == CLI_PAGE_GO &&
			       out.n == 0);
		}
		BUG_ON(out.cut);
		term_put(&term, text_done(&out));
		BUG_ON(rows > 1 && term.row >= rows);
	}
	BUG_ON(term.column != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char mem[5000];
	const uint8_t *lf = n > 0 && n < 4096 ? memchr(data, '\n', n) : NULL;
	struct span line, answer, command;
	struct cli_pipe p;
	struct text t;

	if (!lf)
		return 0;
	line = (struct span){ data, (size_t)(lf - data) };
	answer = (struct span){ lf + 1, n - line.n - 1 };
	text_init(&t, mem, 200);
	if (cli_pipe_cut(line, &command, &p, &t) != OK) {
		BUG_ON(t.n == 0);
		return 0;
	}
	BUG_ON(t.n != 0 || command.n > line.n || p.n > CLI_PIPES);
	text_init(&t, mem, answer.n + 32);
	cli_pipe_run(&p, answer, &t);
	BUG_ON(t.cut);
	BUG_ON(p.n == 0 && !span_eq(text_done(&t), answer));
	show(text_done(&t), (unsigned)(line.n % 25));
	return 0;
}
