/* SPDX-License-Identifier: BSD-2-Clause */
/* conf_words - see conf_words.h. */
#include "conf/conf_words.h"

void conf_lines_init(struct conf_lines *l, struct span text)
{
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = span_skip(text, 3);
	*l = (struct conf_lines){ text, 0 };
}

bool conf_lines_next(struct conf_lines *l, struct span *line)
{
	const uint8_t *lf;

	if (l->rest.n == 0)
		return false;
	lf = memchr(l->rest.p, '\n', l->rest.n);
	line->p = l->rest.p;
	line->n = lf ? (size_t)(lf - l->rest.p) : l->rest.n;
	l->rest = span_skip(l->rest, line->n + (lf ? 1u : 0u));
	if (lf && line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	l->number++;
	return true;
}

/* How many octets the character at the front of s has; 0: it is none (RFC
 * 3629 4: no overlong forms, no surrogates). */
static size_t utf8_length(struct span s)
{
	const uint8_t *p = s.p;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > s.n || (p[0] == 0xe0 && p[1] < 0xa0) ||
	    (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Where in the line we are. */
struct place {
	struct span rest;
	uint32_t column;
};

static int wrong(struct conf_words *w, const struct place *at, const char *why)
{
	w->why = why;
	w->why_column = at->column;
	return E_CONF;
}

/* Go over one character. */
static int step(struct conf_words *w, struct place *at)
{
	size_t n = utf8_length(at->rest);
	uint8_t c = at->rest.p[0];

	if (c == '\0')
		return wrong(w, at, "a zero octet: this is not a text");
	if (c == '\r')
		return wrong(w, at, "a carriage return within the line");
	if ((c < 0x20 && c != '\t') || c == 0x7f)
		return wrong(w, at, "a control character");
	if (n == 0)
		return wrong(w, at, "not UTF-8");
	at->rest = span_skip(at->rest, n);
	at->column++;
	return OK;
}

static bool blank(struct span s)
{
	return s.n == 0 || s.p[0] == ' ' || s.p[0] == '\t';
}

static int quoted_word(struct conf_words *w, struct place *at)
{
	struct conf_word *word = &w->word[w->n];
	struct place from = *at;
	size_t start = w->room_n;

	word->column = at->column;
	word->quoted = true;
	at->rest = span_skip(at->rest, 1);
	at->column++;
	for (;;) {
		const uint8_t *p = at->rest.p;
		size_t before = at->rest.n;
		bool escaped = before > 1 && p[0] == '\\' &&
			       (p[1] == '"' || p[1] == '\\');

		if (before == 0)
			return wrong(w, &from, "the quotes do not end");
		if (p[0] == '"')
			break;
		if (p[0] == '\\' && !escaped)
			return wrong(w, at,
				     "after \\ only \" or \\ can follow");
		if (escaped) {
			at->rest = span_skip(at->rest, 1);
			at->column++;
			p++;
			before--;
		}
		if (step(w, at) != OK)
			return E_CONF;
		/* never more than the line is long */
		memcpy(w->room + w->room_n, p, before - at->rest.n);
		w->room_n += before - at->rest.n;
	}
	at->rest = span_skip(at->rest, 1);
	at->column++;
	word->text = (struct span){ w->room + start, w->room_n - start };
	if (!blank(at->rest))
		return wrong(w, at, "a blank must follow the closing quote");
	w->n++;
	return OK;
}

static int plain_word(struct conf_words *w, struct place *at)
{
	struct conf_word *word = &w->word[w->n];
	const uint8_t *start = at->rest.p;

	word->column = at->column;
	word->quoted = false;
	while (!blank(at->rest)) {
		if (at->rest.p[0] == '"')
			return wrong(w, at, "a quote within a word");
		if (step(w, at) != OK)
			return E_CONF;
	}
	word->text = (struct span){ start, (size_t)(at->rest.p - start) };
	w->n++;
	return OK;
}

int conf_words_cut(struct conf_words *w, struct span line)
{
	struct place at = { line, 1 };
	bool comment = false;

	w->n = 0;
	w->room_n = 0;
	w->why = NULL;
	if (line.n > CONF_LINE_MAX)
		return wrong(w, &at, "the line is longer than 8192 octets");
	while (at.rest.n > 0) {
		int r;

		if (comment || blank(at.rest)) {
			r = step(w, &at);
		} else if (at.rest.p[0] == '!' || at.rest.p[0] == '#') {
			comment = true;
			r = OK;
		} else if (w->n == CONF_WORDS_MAX) {
			r = wrong(w, &at, "more than 64 words in the line");
		} else if (at.rest.p[0] == '"') {
			r = quoted_word(w, &at);
		} else {
			r = plain_word(w, &at);
		}
		if (r != OK)
			return r;
	}
	return OK;
}

struct span conf_words_next(const char **list)
{
	struct span s;

	while (**list == ' ')
		++*list;
	s = (struct span){ (const uint8_t *)*list, strcspn(*list, " ") };
	*list += s.n;
	return s;
}

bool conf_word_is(const struct conf_word *w, struct span k)
{
	return !w->quoted && span_eq_nocase(w->text, k);
}
