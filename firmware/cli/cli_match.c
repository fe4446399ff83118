/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli_match - see cli_match.h. Words are taken from left to right; after each
 * one the rows that still fit are those whose words so far all fit.
 */
#include "cli/cli_match.h"

enum { SHOWN = 40, PAD = 18 };

/* The words of the line so far: keywords as the table spells them, an empty
 * span with a place for an argument. */
struct walk {
	const struct cli_table *t;
	unsigned mode;
	struct span key[CLI_WORDS];
	struct span arg[CLI_WORDS];
	size_t depth;
};

/* --- words of a line -------------------------------------------------------------- */
static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span skip_blanks(struct span s)
{
	while (s.n > 0 && blank(s.p[0]))
		s = span_skip(s, 1);
	return s;
}

/* The next word of s, which moves behind it; empty at the end and at a comment.
 * Quotes belong to the word. */
static struct span next(struct span *s)
{
	bool quoted = false;
	struct span w;

	*s = skip_blanks(*s);
	if (s->n > 0 && (s->p[0] == '!' || s->p[0] == '#'))
		*s = span_skip(*s, s->n);
	w = (struct span){ s->p, 0 };
	while (w.n < s->n && (quoted || !blank(s->p[w.n]))) {
		if (quoted && s->p[w.n] == '\\' && w.n + 1 < s->n)
			w.n++;
		else if (s->p[w.n] == '"')
			quoted = !quoted;
		w.n++;
	}
	*s = span_skip(*s, w.n);
	return w;
}

size_t cli_column(struct span line, const uint8_t *at)
{
	size_t column = 1;

	for (const uint8_t *p = line.p; p < at; p++)
		column += (*p & 0xc0) != 0x80;
	return column;
}

uint64_t cli_number(struct span s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	return v;
}

static bool number(struct span s, uint64_t min, uint64_t max)
{
	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return cli_number(s) >= min && cli_number(s) <= max;
}

static bool is_prefix(struct span part, struct span whole)
{
	return part.n <= whole.n &&
	       span_eq_nocase(part, (struct span){ whole.p, part.n });
}

/* --- words of a row --------------------------------------------------------------- */
static struct span next_of_row(struct span *s)
{
	struct span w;

	*s = skip_blanks(*s);
	w = (struct span){ s->p, 0 };
	while (w.n < s->n && !blank(s->p[w.n]))
		w.n++;
	*s = span_skip(*s, w.n);
	return w;
}

/* Word i of a row; empty when it has fewer. */
static struct span word_of(const struct cli_command *c, size_t i)
{
	struct span s = span_str(c->words), w = next_of_row(&s);

	while (i-- > 0)
		w = next_of_row(&s);
	return w;
}

static bool is_argument(struct span w)
{
	return w.n > 0 && w.p[0] >= 'A' && w.p[0] <= 'Z';
}

static bool is_rest(struct span w)
{
	return is_argument(w) && w.p[w.n - 1] == '.';
}

static bool is_keyword(struct span w)
{
	return w.n > 0 && !is_argument(w);
}

/* Do the words so far fit row c? */
static bool fits(const struct walk *w, const struct cli_command *c)
{
	if (c->id != 0 && (c->modes & w->mode) == 0)
		return false;
	for (size_t i = 0; i < w->depth; i++) {
		struct span k = word_of(c, i);

		if (w->key[i].n > 0 ? !span_eq(w->key[i], k)
				    : !is_argument(k) || is_rest(k))
			return false;
	}
	return true;
}

/* The command whose words are exactly those so far. */
static const struct cli_command *whole(const struct walk *w)
{
	for (size_t i = 0; i < w->t->n; i++) {
		const struct cli_command *c = &w->t->row[i];
		struct span k = word_of(c, w->depth);

		if (c->id != 0 && fits(w, c) && (k.n == 0 || is_rest(k)))
			return c;
	}
	return NULL;
}

/* The row that takes an argument here. */
static const struct cli_command *taker(const struct walk *w)
{
	for (size_t i = 0; i < w->t->n; i++) {
		const struct cli_command *c = &w->t->row[i];

		if (c->id != 0 && fits(w, c) &&
		    is_argument(word_of(c, w->depth)))
			return c;
	}
	return NULL;
}

/* How many keywords begin with part here (2: several); *found: one of them. */
static unsigned keywords(const struct walk *w, struct span part,
			 struct span *found)
{
	unsigned hits = 0;

	*found = (struct span){ NULL, 0 };
	for (size_t i = 0; i < w->t->n; i++) {
		const struct cli_command *c = &w->t->row[i];
		struct span k = word_of(c, w->depth);

		if (c->id == 0 || !is_keyword(k) || !is_prefix(part, k) ||
		    !fits(w, c) || span_eq(k, *found))
			continue;
		/* what is not listed begins no other word */
		if (!c->help && w->depth == 0 && k.n != part.n)
			continue;
		*found = k;
		if (k.n == part.n)
			return 1; /* given whole */
		if (hits < 2)
			hits++;
	}
	return hits;
}

/* --- errors ----------------------------------------------------------------------- */
static int fail(struct cli_matched *m, struct span line, struct span word,
		struct text *why, const char *what)
{
	bool long_ = word.n > SHOWN;

	m->command = NULL;
	m->column = cli_column(line, word.p);
	if (word.n > 0) {
		text_str(why, "\"");
		text_clean(why,
			   (struct span){ word.p, long_ ? SHOWN : word.n });
		text_str(why, long_ ? "...\": " : "\": ");
	}
	text_str(why, what);
	return E_CONF;
}

/* Has an earlier row the same keyword here? */
static bool seen(const struct walk *w, size_t row, struct span k)
{
	for (size_t i = 0; i < row; i++) {
		const struct cli_command *c = &w->t->row[i];

		if (c->id != 0 && span_eq(word_of(c, w->depth), k) &&
		    fits(w, c))
			return true;
	}
	return false;
}

/* The words that could stand here and begin with part. */
static void could_be(const struct walk *w, struct span part, struct text *why)
{
	for (size_t i = 0; i < w->t->n; i++) {
		const struct cli_command *c = &w->t->row[i];
		struct span k = word_of(c, w->depth);

		if (c->id == 0 || !c->help || k.n == 0 || !fits(w, c) ||
		    seen(w, i, k) ||
		    (part.n > 0 && !(is_keyword(k) && is_prefix(part, k))))
			continue;
		text_str(why, " ");
		text_span(why, k);
	}
}

static int fail_with_words(const struct walk *w, struct cli_matched *m,
			   struct span line, struct span word, struct span part,
			   struct text *why, const char *what)
{
	fail(m, line, word, why, what);
	could_be(w, part, why);
	return E_CONF;
}

static int not_a_number(struct cli_matched *m, struct span line,
			struct span word, const struct cli_command *c,
			struct text *why)
{
	fail(m, line, word, why, "not a number from ");
	text_u64(why, c->min);
	text_str(why, " to ");
	text_u64(why, c->max);
	return E_CONF;
}

/* --- matching --------------------------------------------------------------------- */
enum step {
	STEP_KEYWORD,
	STEP_ARGUMENT,
	STEP_REST,
	STEP_UNKNOWN,
	STEP_SEVERAL,
	STEP_TOO_MUCH,
	STEP_NUMBER
};

/* One word more. */
static enum step step(struct walk *w, struct span word)
{
	const struct cli_command *c;
	struct span k;
	unsigned hits = word.p[0] == '"' ? 0 : keywords(w, word, &k);

	if (w->depth == CLI_WORDS)
		return STEP_TOO_MUCH;
	if (hits == 1) {
		w->key[w->depth++] = k;
		return STEP_KEYWORD;
	}
	if (hits > 1)
		return STEP_SEVERAL;
	c = taker(w);
	if (!c)
		return whole(w) ? STEP_TOO_MUCH : STEP_UNKNOWN;
	if (is_rest(word_of(c, w->depth)))
		return STEP_REST;
	if (c->max > 0 && !number(word, c->min, c->max))
		return STEP_NUMBER;
	w->key[w->depth] = (struct span){ NULL, 0 };
	w->arg[w->depth++] = word;
	return STEP_ARGUMENT;
}

static int found(const struct walk *w, struct span line, struct span rest,
		 struct cli_matched *m, struct text *why)
{
	struct span end = { line.p + line.n, 0 };

	m->command = whole(w);
	if (!m->command)
		return fail_with_words(w, m, line, end, end, why,
				       w->depth > 0 ? "more must follow; one "
						      "of:"
						    : "one of:");
	for (size_t i = 0; i < w->depth; i++)
		if (w->key[i].n == 0)
			m->argument[m->argument_n++] = w->arg[i];
	if (is_rest(word_of(m->command, w->depth)))
		m->argument[m->argument_n++] = rest;
	return OK;
}

static struct span without_end(struct span s)
{
	while (s.n > 0 && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

int cli_match(const struct cli_table *t, unsigned mode, struct span line,
	      struct cli_matched *m, struct text *why)
{
	struct walk w = { .t = t, .mode = mode };
	struct span rest = line, word, none = { NULL, 0 };

	*m = (struct cli_matched){ .command = NULL };
	for (;;) {
		struct span before = skip_blanks(rest);

		word = next(&rest);
		if (word.n == 0)
			break;
		switch (step(&w, word)) {
		case STEP_KEYWORD:
		case STEP_ARGUMENT: continue;
		case STEP_REST:
			return found(&w, line, without_end(before), m, why);
		case STEP_UNKNOWN:
			return fail_with_words(&w, m, line, word, none, why,
					       "unknown; one of:");
		case STEP_SEVERAL:
			return fail_with_words(&w, m, line, word, word, why,
					       "could be several; one of:");
		case STEP_TOO_MUCH:
			return fail(m, line, word, why,
				    "nothing more is expected here");
		case STEP_NUMBER:
			return not_a_number(m, line, word, taker(&w), why);
		}
	}
	if (w.depth == 0)
		return OK;
	return found(&w, line, (struct span){ line.p + line.n, 0 }, m, why);
}

void cli_spell(const struct cli_matched *m, struct text *out)
{
	size_t arg = 0;

	for (size_t i = 0; m->command && i < CLI_WORDS; i++) {
		struct span k = word_of(m->command, i);

		if (k.n == 0)
			return;
		if (is_argument(k) && m->argument[arg].n == 0)
			return; /* an empty rest */
		text_str(out, i > 0 ? " " : "");
		text_span(out, is_argument(k) ? m->argument[arg++] : k);
	}
}

/* --- options ---------------------------------------------------------------------- */
/* Help for keyword k here: that of the row which ends with it. */
static const char *help_of(const struct walk *w, struct span k)
{
	const char *help = "";

	for (size_t i = 0; i < w->t->n; i++) {
		const struct cli_command *c = &w->t->row[i];

		if (!c->help || !span_eq(word_of(c, w->depth), k) ||
		    !fits(w, c))
			continue;
		if (word_of(c, w->depth + 1).n == 0 ||
		    is_rest(word_of(c, w->depth + 1)))
			return c->help;
		if (help[0] == '\0')
			help = c->help;
	}
	return help;
}

/* Help for an argument: that of the row of its name, or of the command. */
static const char *help_of_argument(const struct cli_table *t, struct span k,
				    const char *other)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->row[i].id == 0 && span_eq(span_str(t->row[i].words), k))
			return t->row[i].help;
	return other;
}

static void option(const struct walk *w, struct cli_options *o,
		   const struct cli_command *c, struct span k)
{
	struct cli_option *x = &o->option[o->n];

	for (size_t i = 0; i < o->n; i++)
		if (span_eq(o->option[i].word, k))
			return;
	if (o->n == CLI_OPTIONS)
		return;
	o->n++;
	*x = (struct cli_option){ .word = k, .argument = is_argument(k) };
	if (!x->argument) {
		x->help = help_of(w, k);
		return;
	}
	x->help = help_of_argument(w->t, k, c->help);
	x->min = c->min;
	x->max = c->max;
}

/* Keywords within a rest. */
static void rest_options(struct cli_options *o, const struct cli_command *c,
			 struct span k)
{
	struct span list = span_str(c->rest ? c->rest : "");
	struct cli_option *x = &o->option[0];

	o->complete = true;
	*x = (struct cli_option){ .word = k, .argument = true };
	x->help = c->help;
	o->n = 1;
	for (;;) {
		struct span word = next_of_row(&list);

		if (word.n == 0 || o->n == CLI_OPTIONS)
			return;
		if (is_prefix(o->part, word))
			o->option[o->n++] = (struct cli_option){ .word = word,
								 .help = "" };
	}
}

void cli_options(const struct cli_table *t, unsigned mode, struct span before,
		 struct cli_options *o)
{
	struct walk w = { .t = t, .mode = mode };
	struct span rest = before, word = next(&rest);

	*o = (struct cli_options){ .n = 0 };
	o->part = (struct span){ before.p + before.n, 0 };
	while (word.n > 0 && (rest.n > 0 || blank(before.p[before.n - 1]))) {
		enum step s = step(&w, word);

		if (s == STEP_REST)
			break;
		if (s != STEP_KEYWORD && s != STEP_ARGUMENT)
			return;
		word = next(&rest);
	}
	/* the last word, wherever a rest has begun */
	for (struct span s = rest; s.n > 0 && !blank(before.p[before.n - 1]);)
		word = next(&s);
	if (before.n > 0 && !blank(before.p[before.n - 1]))
		o->part = word;
	for (size_t i = 0; i < t->n && w.depth < CLI_WORDS; i++) {
		const struct cli_command *c = &t->row[i];
		struct span k = word_of(c, w.depth);

		if (c->id == 0 || !c->help || !fits(&w, c))
			continue;
		if (k.n == 0)
			o->complete = o->complete || o->part.n == 0;
		else if (is_rest(k) && o->n == 0)
			rest_options(o, c, k);
		else if (is_argument(k) || is_prefix(o->part, k))
			option(&w, o, c, k);
	}
}

void cli_complete(const struct cli_options *o, struct text *add)
{
	struct span common = { NULL, 0 };
	size_t hits = 0;

	for (size_t i = 0; i < o->n; i++) {
		struct span k = o->option[i].word;
		size_t n = 0;

		if (o->option[i].argument)
			continue;
		if (hits++ == 0)
			common = k;
		while (n < common.n && n < k.n && common.p[n] == k.p[n])
			n++;
		common.n = n;
	}
	if (hits > 0)
		text_span(add, span_skip(common, o->part.n));
	if (hits == 1 || (hits == 0 && o->n > 0 && o->part.n > 0))
		text_str(add, " ");
}

/* --- lists ------------------------------------------------------------------------ */
static void entry(struct text *out, struct span word, const char *help)
{
	text_str(out, "  ");
	text_span(out, word);
	for (size_t pad = word.n; pad < PAD; pad++)
		text_str(out, " ");
	text_str(out, word.n < PAD ? " " : "  ");
	text_str(out, help);
}

void cli_print_options(const struct cli_options *o, struct text *out)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct cli_option *x = &o->option[i];

		entry(out, x->word, x->help);
		if (x->max > 0) {
			text_str(out, ", ");
			text_u64(out, x->min);
			text_str(out, "..");
			text_u64(out, x->max);
		}
		text_str(out, "\n");
	}
	if (o->complete)
		entry(out, SPAN_LIT("<Enter>"), "\n");
}

void cli_print_commands(const struct cli_table *t, unsigned mode,
			struct text *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct cli_command *c = &t->row[i];

		if (c->id == 0 || !c->help || (c->modes & mode) == 0)
			continue;
		entry(out, span_str(c->words), c->help);
		text_str(out, "\n");
	}
}
