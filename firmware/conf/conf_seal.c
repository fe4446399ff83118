/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_seal - see conf_seal.h. Most lines of a long list are only looked at for
 * the word: they are copied in long runs, and never cut into words.
 */
#include "conf/conf_parse.h"
#include "conf/conf_seal.h"

enum {
	/* an account as it is printed, with every octet of it escaped */
	LINE_MAX = 192 + SECRET_NAME_MAX + 2 * (2 * SECRET_TEXT_MAX) +
		   SECRET_SEALED_MAX,
};

struct conf_seal {
	struct conf_parse parse;
	uint8_t *out;
	size_t n;
	struct span line; /* with its end, while its account waits */
	bool waits;
};

static const struct span key = { (const uint8_t *)"password", 8 };

/* Could there be a password in this line? */
static bool suspicious(struct span line)
{
	for (size_t i = 0; i + key.n <= line.n; i++)
		if (ascii_lower(line.p[i]) == 'p' &&
		    span_eq_nocase((struct span){ line.p + i, key.n }, key))
			return true;
	return false;
}

size_t conf_seal_room(struct span text)
{
	struct conf_lines lines;
	struct span line;
	size_t n = text.n;

	conf_lines_init(&lines, text);
	while (conf_lines_next(&lines, &line))
		n += suspicious(line) ? LINE_MAX : 0;
	return n == text.n ? 0 : n;
}

size_t conf_seal_size(void)
{
	return sizeof(struct conf_seal);
}

static void copy(struct conf_seal *j, struct span s)
{
	memcpy(j->out + j->n, s.p, s.n);
	j->n += s.n;
}

struct conf_seal *conf_seal_init(void *mem, struct span text, uint8_t *out,
				 struct text *report)
{
	struct conf_seal *j = mem;

	memset(j, 0, sizeof(*j));
	j->out = out;
	j->parse.report = report;
	conf_lines_init(&j->parse.lines, text);
	if (text.n > 0) /* a byte order mark that is no line's */
		copy(j,
		     (struct span){ text.p, text.n - j->parse.lines.rest.n });
	return j;
}

/* Is the command of this line an account? Then it waits for an answer, if there
 * is no error in it. */
static void look(struct conf_seal *j, struct span line)
{
	struct conf_parse *p = &j->parse;
	const struct conf_setting *c;
	size_t at;

	if (conf_words_cut(&p->words, line) != OK) {
		struct text *t = conf_error(p, p->lines.number,
					    p->words.why_column,
					    (struct span){ NULL, 0 });

		text_str(t, p->words.why);
		conf_error_end(p, t);
		return;
	}
	c = conf_setting_of(p, &at);
	if (c && (c->type == CONF_ACCOUNT || c->type == CONF_PARTNER)) {
		j->waits = conf_account_read(
			p, c->type == CONF_PARTNER ? CONF_THEIRS : CONF_OURS,
			at);
		return;
	}
	for (size_t i = 0; i < p->words.n; i++) {
		if (!conf_word_is(&p->words.word[i], key))
			continue;
		conf_error_at(p, i, "a password stands in an account alone");
		return;
	}
}

bool conf_seal_asks(const struct conf_seal *j, struct secret_account *a)
{
	*a = j->parse.account;
	return j->waits;
}

void conf_seal_answer(struct conf_seal *j, int error, struct span sealed)
{
	struct conf_parse *p = &j->parse;
	struct secret_account a = p->account;
	struct text t;

	if (!j->waits)
		return;
	j->waits = false;
	if (error == OK && a.sealed.n == 0 && sealed.n > 0 &&
	    sealed.n <= SECRET_SEALED_MAX) {
		a.sealed = sealed;
		/* room for the NUL is that of the line end */
		text_init(&t, (char *)j->out + j->n, LINE_MAX);
		conf_print_account(&a, &t);
		j->n += t.n;
		copy(j, SPAN_LIT("\n"));
		return;
	}
	copy(j, j->line);
	if (error == OK)
		return;
	p->secret = a.sealed.n == 0;
	conf_error_at_mark(p, &p->password,
			   a.sealed.n > 0 ? conf_account_why(error)
					  : conf_account_no_key);
}

int conf_seal_step(struct conf_seal *j, size_t lines, size_t *n)
{
	struct conf_parse *p = &j->parse;
	struct span line;

	*n = 0;
	conf_seal_answer(j, E_IO, (struct span){ NULL, 0 });
	while (lines-- > 0 && !j->waits) {
		const uint8_t *from = p->lines.rest.p;

		if (!conf_lines_next(&p->lines, &line)) {
			*n = j->n;
			return conf_errors_done(p);
		}
		p->secret = false;
		j->line = (struct span){ from,
					 (size_t)(p->lines.rest.p - from) };
		if (suspicious(line))
			look(j, line);
		if (!j->waits)
			copy(j, j->line);
	}
	return E_AGAIN;
}
