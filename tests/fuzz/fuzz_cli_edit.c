/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any octets as keys, in pieces and at once: the same lines come out, the
 * screen shows what the line is, and ^C gives a usable line after all of it.
 * The first octet says how long the pieces are and the flags of the lines.
 */
#include "cli/cli_edit.h"
#include "terminal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct run {
	struct cli_edit e;
	struct terminal term;
	uint32_t hash; /* of the events and lines */
};

static void see(struct run *r, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		r->hash = (r->hash ^ s.p[i]) * 16777619u;
}

/* Drawn step by step and drawn at once: the same row, the same cursor. */
static void same_screen(struct run *r)
{
	static struct terminal other;
	char mem[CLI_EDIT_OUT + 1];
	struct text out;

	term_init(&other);
	text_init(&out, mem, sizeof(mem));
	memset(&r->e.shown, 0, sizeof(r->e.shown));
	cli_edit_show(&r->e, &out);
	term_put(&other, text_done(&out));
	BUG_ON(other.column != r->term.column);
	BUG_ON(memcmp(other.cell[0], r->term.cell[r->term.row],
		      sizeof(other.cell[0])) != 0);
}

static void event(struct run *r, enum cli_edit_event ev, unsigned flags)
{
	uint8_t what = (uint8_t)ev;

	if (ev == CLI_EDIT_NONE)
		return;
	see(r, (struct span){ &what, 1 });
	see(r, cli_edit_line(&r->e));
	BUG_ON(memchr(cli_edit_line(&r->e).p, '\0', cli_edit_line(&r->e).n));
	if (ev == CLI_EDIT_TAB) {
		cli_edit_insert(&r->e, SPAN_LIT("completed "));
		return;
	}
	if (ev == CLI_EDIT_HELP)
		return;
	if (ev == CLI_EDIT_ENTER && flags == 0)
		cli_edit_remember(&r->e, cli_edit_line(&r->e));
	cli_edit_begin(&r->e, "console(config)# ", flags);
}

static void all(struct run *r, struct span in, size_t piece, unsigned flags)
{
	char mem[CLI_EDIT_OUT + 1];

	cli_edit_init(&r->e);
	term_init(&r->term);
	r->hash = 2166136261u;
	cli_edit_begin(&r->e, "console(config)# ", flags);
	while (in.n > 0) {
		enum cli_edit_event ev;
		struct text out;
		size_t used, m = in.n < piece ? in.n : piece;

		text_init(&out, mem, sizeof(mem));
		ev = cli_edit_feed(&r->e, (struct span){ in.p, m }, &used,
				   &out);
		BUG_ON(out.cut || used > m || (ev == 0 && used != m));
		event(r, ev, flags);
		cli_edit_show(&r->e, &out);
		BUG_ON(out.cut);
		term_put(&r->term, text_done(&out));
		same_screen(r);
		in = span_skip(in, used);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct run a, b;
	char mem[CLI_EDIT_OUT + 1];
	struct text out;
	size_t used;
	unsigned flags;

	if (n < 1 || n > 4096)
		return 0;
	flags = data[0] & 3u;
	all(&a, (struct span){ data + 1, n - 1 }, n, flags);
	all(&b, (struct span){ data + 1, n - 1 }, 1u + data[0] / 4u, flags);
	BUG_ON(a.hash != b.hash);
	BUG_ON(!span_eq(cli_edit_line(&a.e), cli_edit_line(&b.e)));
	text_init(&out, mem, sizeof(mem));
	BUG_ON(cli_edit_feed(&a.e, SPAN_LIT("\x03"), &used, &out) !=
	       CLI_EDIT_CANCEL);
	cli_edit_begin(&a.e, "", 0);
	BUG_ON(cli_edit_feed(&a.e, SPAN_LIT("help\r"), &used, &out) !=
	       CLI_EDIT_ENTER);
	BUG_ON(!span_eq(cli_edit_line(&a.e), SPAN_LIT("help")));
	return 0;
}
