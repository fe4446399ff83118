/* SPDX-License-Identifier: BSD-2-Clause */
/* cli_pipe - see cli_pipe.h. */
#include "cli/cli_pipe.h"

enum { SHOWN = 40 };

static const struct {
	const char *word, *help;
} ops[PIPE_OPS] = {
	[PIPE_INCLUDE] = { "include", "lines with TEXT in them" },
	[PIPE_EXCLUDE] = { "exclude", "lines without TEXT" },
	[PIPE_BEGIN] = { "begin", "from the first line with TEXT on" },
	[PIPE_SECTION] = { "section", "lines with TEXT and what is below" },
	[PIPE_COUNT] = { "count", "how many lines have TEXT" },
	[PIPE_XMODEM] = { "xmodem", "send it to a file with XMODEM" },
};

const char *cli_pipe_word(enum cli_pipe_op op)
{
	return ops[op].word;
}

const char *cli_pipe_help(enum cli_pipe_op op)
{
	return ops[op].help;
}

/* --- the words -------------------------------------------------------------------- */
static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.n > 0 && blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Where the next bar outside of quotes is; s.n: there is none. A bar stands
 * alone: a blank or an end is on both sides. */
static size_t bar(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.p[i] == '|' &&
			 (i == 0 || blank(s.p[i - 1])))
			return i;
	}
	return s.n;
}

static int fail(struct span line, struct span at, struct text *why,
		const char *what)
{
	text_str(why, "column ");
	text_u64(why, (uint64_t)(at.p - line.p) + 1);
	text_str(why, ": ");
	if (at.n > 0) {
		text_str(why, "\"");
		text_clean(why,
			   (struct span){ at.p, at.n < SHOWN ? at.n : SHOWN });
		text_str(why, at.n > SHOWN ? "...\": " : "\": ");
	}
	text_str(why, what);
	return E_CONF;
}

static struct span unquoted(struct span s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = (struct span){ s.p + 1, s.n - 2 };
	return s;
}

/* count may have one */
static bool takes_no_text(enum cli_pipe_op op)
{
	return op == PIPE_COUNT || op == PIPE_XMODEM;
}

/* One stage: "include TEXT" without the bar. */
static int stage(struct cli_pipe *p, struct span line, struct span part,
		 struct text *why)
{
	struct span s = trim(part), w = s;
	enum cli_pipe_op op = PIPE_INCLUDE;

	w.n = 0;
	while (w.n < s.n && !blank(s.p[w.n]))
		w.n++;
	while (op < PIPE_OPS &&
	       (w.n == 0 || w.n > strlen(ops[op].word) ||
		!span_eq_nocase(w, (struct span){ (const uint8_t *)ops[op].word,
						  w.n })))
		op++;
	if (op == PIPE_OPS)
		return fail(line, w, why,
			    "one of: include exclude begin section count "
			    "xmodem");
	if (p->n == CLI_PIPES)
		return fail(line, w, why, "more than four");
	if (p->n > 0 && takes_no_text(p->stage[p->n - 1].op))
		return fail(line, w, why, "nothing can follow count or xmodem");
	p->stage[p->n].op = op;
	p->stage[p->n].what = unquoted(trim(span_skip(s, w.n)));
	if (p->stage[p->n].what.n == 0 && !takes_no_text(op))
		return fail(line, (struct span){ s.p + s.n, 0 }, why,
			    "the text to look for must follow");
	if (p->stage[p->n].what.n > 0 && op == PIPE_XMODEM)
		return fail(line, p->stage[p->n].what, why,
			    "nothing can follow xmodem");
	p->n++;
	return OK;
}

int cli_pipe_cut(struct span line, struct span *command, struct cli_pipe *p,
		 struct text *why)
{
	size_t at = bar(line);
	struct span rest = span_skip(line, at);

	p->n = 0;
	*command = (struct span){ line.p, at };
	while (rest.n > 0) {
		int r;

		rest = span_skip(rest, 1);
		at = bar(rest);
		r = stage(p, line, (struct span){ rest.p, at }, why);
		if (r != OK)
			return r;
		rest = span_skip(rest, at);
	}
	return OK;
}

bool cli_pipe_to_file(const struct cli_pipe *p)
{
	return p->n > 0 && p->stage[p->n - 1].op == PIPE_XMODEM;
}

/* --- the lines -------------------------------------------------------------------- */
/* What has gone through each stage so far. */
struct state {
	bool open[CLI_PIPES]; /* begin, section: lines pass */
	bool pem[CLI_PIPES];
	uint64_t count;
};

static bool has(struct span line, struct span what)
{
	for (size_t i = 0; i + what.n <= line.n; i++)
		if (span_eq_nocase((struct span){ line.p + i, what.n }, what))
			return true;
	return false;
}

static bool starts(struct span line, struct span what)
{
	return line.n >= what.n &&
	       span_eq((struct span){ line.p, what.n }, what);
}

/* Does line belong to the one before it? */
static bool belongs(struct state *st, size_t i, struct span line)
{
	if (starts(line, SPAN_LIT("-----BEGIN ")))
		st->pem[i] = true;
	else if (starts(line, SPAN_LIT("-----END ")))
		st->pem[i] = false;
	else
		return st->pem[i] || (line.n > 0 && blank(line.p[0]));
	return true;
}

static bool passes(const struct cli_pipe *p, struct state *st, struct span line)
{
	for (size_t i = 0; i < p->n; i++) {
		bool hit = has(line, p->stage[i].what), below;

		switch (p->stage[i].op) {
		case PIPE_INCLUDE:
			if (!hit)
				return false;
			break;
		case PIPE_EXCLUDE:
			if (hit)
				return false;
			break;
		case PIPE_BEGIN:
			st->open[i] = st->open[i] || hit;
			if (!st->open[i])
				return false;
			break;
		case PIPE_SECTION:
			below = belongs(st, i, line);
			st->open[i] = hit || (below && st->open[i]);
			if (!st->open[i])
				return false;
			break;
		case PIPE_COUNT: st->count += hit; return false;
		case PIPE_XMODEM:
		case PIPE_OPS: break;
		}
	}
	return true;
}

void cli_pipe_run(const struct cli_pipe *p, struct span in, struct text *out)
{
	struct state st = { .count = 0 };

	while (in.n > 0) {
		const uint8_t *lf = memchr(in.p, '\n', in.n);
		size_t n = lf ? (size_t)(lf - in.p) : in.n;
		struct span line = { in.p, n };

		if (passes(p, &st, line))
			text_span(out, (struct span){ in.p, n + (lf != NULL) });
		in = span_skip(in, n + (lf != NULL));
	}
	if (p->n == 0 || p->stage[p->n - 1].op != PIPE_COUNT)
		return;
	text_u64(out, st.count);
	text_str(out, st.count == 1 ? " line\n" : " lines\n");
}
