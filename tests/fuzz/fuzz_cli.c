/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any line: a command with its arguments inside the line, which spelled out is
 * the same command, or a reason; and what TAB adds to it is never refused where
 * it was not refused before.
 */
#include "base/bug.h"
#include "cli/cli_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct cli_command rows[] = {
	{ "show", 0, 1, "", 0, 0, NULL },
	{ "show status", 1, 1, "", 0, 0, NULL },
	{ "show sessions", 2, 1, "", 0, 0, NULL },
	{ "show domain NAME", 3, 1, "", 0, 0, NULL },
	{ "log", 4, 1, "", 0, 0, NULL },
	{ "log clear", 5, 1, "", 0, 0, NULL },
	{ "commit NUMBER", 6, 1, "", 3, 1440, NULL },
	{ "domain NAME verify REST...", 7, 1, "", 0, 0, "match min-tls" },
	{ "no SETTING...", 8, 1, "", 0, 0, NULL },
	{ "a A b B c C d D", 9, 1, "", 0, 0, NULL },
	{ "NAME", 0, 1, "", 0, 0, NULL },
};
static const struct cli_table table = { rows, sizeof(rows) / sizeof(rows[0]) };

static void inside(const struct cli_matched *m, struct span line)
{
	BUG_ON(m->argument_n > CLI_WORDS);
	for (size_t i = 0; i < m->argument_n; i++) {
		struct span a = m->argument[i];

		BUG_ON(a.p < line.p || a.p > line.p + line.n ||
		       a.n > line.n - (size_t)(a.p - line.p));
	}
}

static void tab(struct span line)
{
	static struct cli_options o;
	char mem[400];
	struct text add;

	cli_options(&table, 1, line, &o);
	text_init(&add, mem, sizeof(mem));
	BUG_ON(o.n > CLI_OPTIONS || o.part.n > line.n);
	for (size_t i = 0; i < o.n; i++)
		BUG_ON(!o.option[i].argument && o.option[i].word.n < o.part.n);
	cli_complete(&o, &add);
	BUG_ON(add.cut || add.n > 20);
	cli_print_options(&o, &add);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char spelled[9000];
	struct span line = { data, n };
	struct cli_matched m, again;
	struct text why, out;
	char mem[200];
	int r, id;

	if (n > 8192)
		return 0;
	text_init(&why, mem, sizeof(mem));
	text_init(&out, spelled, sizeof(spelled));
	tab(line);
	r = cli_match(&table, 1, line, &m, &why);
	BUG_ON(r != OK && r != E_CONF);
	BUG_ON((r == OK) != (why.n == 0));
	BUG_ON(r != OK && (m.command || m.column < 1 || m.column > n + 1));
	inside(&m, line);
	if (r != OK || !m.command)
		return 0;
	id = m.command->id;
	cli_spell(&m, &out);
	BUG_ON(out.cut);
	BUG_ON(cli_match(&table, 1, text_done(&out), &again, &why) != OK);
	BUG_ON(!again.command || again.command->id != id);
	return 0;
}
