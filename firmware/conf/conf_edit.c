/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_edit - see conf_edit.h.
 *
 *	READ    every command of edit becomes a change; a hash table finds it
 *	MERGE   every command of base: copied, replaced, or left out
 *	APPEND  the changes that nothing in base was replaced by
 *
 * A command is found by its key: the setting, and for a domain its name as
 * policy knows it, for a certificate its number.
 */
#include "base/hash.h"
#include "conf/conf_edit.h"
#include "conf/conf_parse.h"
#include "conf/conf_value.h"

enum edit_phase { EDIT_READ, EDIT_MERGE, EDIT_APPEND };

struct key {
	uint32_t setting;
	uint32_t number;		     /* of a certificate */
	uint8_t name[POLICY_DOMAIN_MAX + 2]; /* of a domain or account */
	size_t name_n;
};

struct change {
	struct span text; /* all lines of the command; empty: take away */
	uint64_t hash;
	uint32_t next; /* in its cell, index + 1 */
	uint32_t setting;
	uint32_t line, column; /* in edit */
	struct span word;      /* what to take away, as it was written */
	bool used;
};

struct conf_edit {
	struct conf_parse parse; /* of edit, then of base */
	struct conf_input in;	 /* no CA list: single lines need none */
	struct span base, edit;
	uint8_t hash_key[16];
	uint8_t *out;
	size_t out_n;
	struct text *report;
	enum edit_phase phase;
	uint32_t ca_n; /* certificates of base so far */
	struct key key;
	struct change *change;
	uint32_t changes_n;
	uint32_t *cell;
	size_t cells_n; /* a power of two */
};

static size_t lines_of(struct span s)
{
	size_t n = 1;
	const uint8_t *lf;

	while (s.n > 0 && (lf = memchr(s.p, '\n', s.n))) {
		s = span_skip(s, (size_t)(lf - s.p) + 1);
		n++;
	}
	return n;
}

static size_t cells_for(size_t changes)
{
	size_t n = 16;

	while (n < changes)
		n *= 2;
	return n;
}

size_t conf_edit_size(struct span edit)
{
	size_t n = lines_of(edit);

	return sizeof(struct conf_edit) + n * sizeof(struct change) +
	       cells_for(n) * sizeof(uint32_t);
}

static void read_text(struct conf_edit *j, struct span text)
{
	memset(&j->parse, 0, sizeof(j->parse));
	j->parse.in = &j->in;
	j->parse.report = j->phase == EDIT_MERGE ? NULL : j->report;
	conf_lines_init(&j->parse.lines, text);
}

struct conf_edit *conf_edit_init(void *mem, struct span base, struct span edit,
				 const uint8_t hash_key[16], uint8_t *out,
				 struct text *report)
{
	struct conf_edit *j = mem;
	size_t n = lines_of(edit);

	memset(j, 0, sizeof(*j));
	j->base = base;
	j->edit = edit;
	memcpy(j->hash_key, hash_key, 16);
	j->out = out;
	j->report = report;
	j->change = (struct change *)(j + 1);
	j->cell = (uint32_t *)(j->change + n);
	j->cells_n = cells_for(n);
	memset(j->cell, 0, j->cells_n * sizeof(*j->cell));
	read_text(j, edit);
	return j;
}

/* --- keys ------------------------------------------------------------------- */
static uint64_t key_hash(const struct conf_edit *j, const struct key *k)
{
	uint8_t b[8 + sizeof(k->name)];

	memcpy(b, &k->setting, 4);
	memcpy(b + 4, &k->number, 4);
	memcpy(b + 8, k->name, k->name_n);
	return siphash(j->hash_key, (struct span){ b, 8 + k->name_n });
}

/* The key of the command in parse.words that names setting c, its values from
 * word `at`. False: the name is none, which has been said if there is a
 * report. */
static bool key_of(struct conf_edit *j, const struct conf_setting *c, size_t at)
{
	struct conf_parse *p = &j->parse;
	struct key *k = &j->key;
	const char *why;

	k->setting = (uint32_t)(c - conf_schema);
	k->number = 0;
	k->name_n = 0;
	if (!conf_setting_named(c))
		return true;
	if (at >= p->words.n) {
		conf_error_at(p, at, "a name must follow");
		return false;
	}
	why = c->type == CONF_ACCOUNT || c->type == CONF_PARTNER
		      ? conf_label(p->words.word[at].text, k->name, &k->name_n)
		      : conf_name(p->words.word[at].text, k->name, &k->name_n);
	if (why)
		conf_error_at(p, at, why);
	return why == NULL;
}

static struct change *find(const struct conf_edit *j, uint64_t hash)
{
	uint32_t i = j->cell[hash & (j->cells_n - 1)];

	while (i > 0 && j->change[i - 1].hash != hash)
		i = j->change[i - 1].next;
	return i > 0 ? &j->change[i - 1] : NULL;
}

/* --- READ --------------------------------------------------------------------- */
static void twice(struct conf_edit *j, const struct change *first,
		  uint32_t line, uint32_t column)
{
	struct conf_parse *p = &j->parse;
	struct text *t = conf_error(p, line, column, (struct span){ NULL, 0 });

	text_str(t, "is already changed in line ");
	text_u64(t, first->line);
	conf_error_end(p, t);
}

/* The command at line and column is the change of j->key. Two keys with one
 * 64-bit hash under a fresh random key do not happen. */
static void remember(struct conf_edit *j, struct span text, uint32_t line,
		     const struct conf_word *at)
{
	uint64_t hash = key_hash(j, &j->key);
	uint32_t *cell = &j->cell[hash & (j->cells_n - 1)];
	struct change *first = find(j, hash);

	if (first) {
		twice(j, first, line, at->column);
		return;
	}
	j->change[j->changes_n++] = (struct change){
		.text = text,
		.hash = hash,
		.next = *cell,
		.setting = j->key.setting,
		.line = line,
		.column = at->column,
		.word = at->quoted ? (struct span){ NULL, 0 } : at->text
	};
	*cell = j->changes_n;
}

static void read_no(struct conf_edit *j)
{
	struct conf_parse *p = &j->parse;
	const struct conf_setting *c;
	uint64_t number;
	size_t at, end;

	p->words.n--;
	memmove(p->words.word, p->words.word + 1,
		p->words.n * sizeof(p->words.word[0]));
	if (p->words.n == 0) {
		conf_error_at(p, 0, "a setting must follow");
		return;
	}
	c = conf_setting_of(p, &at);
	if (!c) {
		conf_setting_unknown(p);
		return;
	}
	if (!key_of(j, c, at))
		return;
	end = at + (conf_setting_named(c) || c->type == CONF_PEM);
	if (c->type == CONF_PEM) {
		if (at >= p->words.n || !conf_number(p->words.word[at].text, 1,
						     CONF_CA_MAX, &number)) {
			conf_error_at(p, at,
				      "the number of a certificate must "
				      "follow, from 1");
			return;
		}
		j->key.number = (uint32_t)number;
	}
	if (end < p->words.n)
		conf_error_at(p, end, "nothing more is expected here");
	else
		remember(j, (struct span){ NULL, 0 }, p->lines.number,
			 &p->words.word[end - 1]);
}

/* The command in parse.words began at `from`; check it as the compiler would. */
static void read_command(struct conf_edit *j, const uint8_t *from)
{
	struct conf_parse *p = &j->parse;
	uint32_t errors = p->errors, line = p->lines.number;
	struct conf_word first = p->words.word[0];
	size_t at;
	const struct conf_setting *c = conf_setting_of(p, &at);

	if (c && !key_of(j, c, at))
		return;
	if (c && c->type == CONF_PEM) /* each is a new one */
		j->key.number = CONF_CA_MAX + 1 + j->changes_n;
	/* what is set twice, or how many there are, is not known here */
	p->ca_n = p->named_n[CONF_OURS] = p->named_n[CONF_THEIRS] = 0;
	memset(p->set, 0, sizeof(p->set));
	conf_command(p);
	if (p->errors == errors)
		remember(
			j,
			(struct span){ from, (size_t)(p->lines.rest.p - from) },
			line, &first);
}

/* One line of edit, and those of its certificate. */
static bool read_one(struct conf_edit *j)
{
	struct conf_parse *p = &j->parse;
	const uint8_t *from = p->lines.rest.p;
	struct span line;

	if (!conf_lines_next(&p->lines, &line))
		return false;
	p->secret = false;
	if (conf_words_cut(&p->words, line) != OK) {
		struct text *t = conf_error(p, p->lines.number,
					    p->words.why_column,
					    (struct span){ NULL, 0 });

		text_str(t, p->words.why);
		conf_error_end(p, t);
	} else if (p->words.n > 0 &&
		   conf_word_is(&p->words.word[0], SPAN_LIT("no"))) {
		read_no(j);
	} else if (p->words.n > 0) {
		read_command(j, from);
	}
	return true;
}

/* --- MERGE -------------------------------------------------------------------- */
static void copy(struct conf_edit *j, struct span s)
{
	if (s.n == 0)
		return;
	memcpy(j->out + j->out_n, s.p, s.n);
	j->out_n += s.n;
	if (s.p[s.n - 1] != '\n')
		j->out[j->out_n++] = '\n';
}

/* What of base is not a command is kept as it is. */
static bool merge_one(struct conf_edit *j)
{
	struct conf_parse *p = &j->parse;
	const uint8_t *from = p->lines.rest.p;
	const struct conf_setting *c;
	struct change *change = NULL;
	struct span line;
	size_t at;

	if (!conf_lines_next(&p->lines, &line))
		return false;
	if (conf_words_cut(&p->words, line) == OK && p->words.n > 0) {
		c = conf_setting_of(p, &at);
		if (c && key_of(j, c, at)) {
			if (c->type == CONF_PEM) {
				j->key.number = ++j->ca_n;
				p->ca_n = 0;
				conf_ca(p);
			}
			change = find(j, key_hash(j, &j->key));
		}
	}
	if (change)
		change->used = true;
	copy(j,
	     change ? change->text
		    : (struct span){ from, (size_t)(p->lines.rest.p - from) });
	return true;
}

/* --- APPEND ----------------------------------------------------------------- */
/* A setting is always there, if only as its default. */
static void absent(struct conf_edit *j, const struct change *c)
{
	struct conf_parse *p = &j->parse;
	enum conf_type type = conf_schema[c->setting].type;
	const char *why = NULL;
	struct text *t;

	if (type == CONF_DOMAIN || type == CONF_INBOUND)
		why = "this domain is not on the list";
	else if (type == CONF_ACCOUNT || type == CONF_PARTNER)
		why = "there is no account of this name";
	else if (type == CONF_PEM)
		why = "there is no certificate with this number";
	if (!why)
		return;
	t = conf_error(p, c->line, c->column, c->word);
	text_str(t, why);
	conf_error_end(p, t);
}

static int append(struct conf_edit *j, size_t *n)
{
	for (uint32_t i = 0; i < j->changes_n; i++) {
		const struct change *c = &j->change[i];

		if (!c->used && c->text.n > 0)
			copy(j, c->text);
		else if (!c->used)
			absent(j, c);
	}
	*n = j->out_n;
	return conf_errors_done(&j->parse);
}

int conf_edit_step(struct conf_edit *j, size_t lines, size_t *n)
{
	*n = 0;
	while (lines-- > 0) {
		int r;

		switch (j->phase) {
		case EDIT_READ:
			if (read_one(j))
				break;
			r = conf_errors_done(&j->parse);
			if (r != OK)
				return r;
			j->phase = EDIT_MERGE;
			read_text(j, j->base);
			break;
		case EDIT_MERGE:
			if (merge_one(j))
				break;
			j->phase = EDIT_APPEND;
			read_text(j, (struct span){ NULL, 0 });
			break;
		case EDIT_APPEND: return append(j, n);
		}
	}
	return E_AGAIN;
}
