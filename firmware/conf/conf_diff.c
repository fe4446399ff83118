/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_diff - see conf_diff.h. The lines of one text go into a set of hashes,
 * the lines of the other are looked up. A line that stands n times in one text
 * counts as often.
 */
#include "base/hash.h"
#include "conf/conf_diff.h"
#include "conf/conf_words.h"

struct cell {
	uint64_t hash; /* 0: empty */
	uint64_t n;
};

enum diff_phase { DIFF_COUNT, DIFF_COMPARE };

struct conf_diff {
	struct span text[2]; /* was, is */
	uint8_t key[16];
	struct text *out;
	int turn; /* whose lines are looked for in the other one */
	enum diff_phase phase;
	struct conf_lines lines;
	size_t n;
	size_t cells; /* a power of two */
	struct cell cell[];
};

static size_t lines_of(struct span s)
{
	size_t n = 1;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

/* Lines of both texts are put in. */
static size_t cells_for(struct span a, struct span b)
{
	size_t lines = lines_of(a) + lines_of(b), n = 16;

	while (n < lines + lines / 2)
		n *= 2;
	return n;
}

size_t conf_diff_size(struct span was, struct span is)
{
	return sizeof(struct conf_diff) +
	       cells_for(was, is) * sizeof(struct cell);
}

/* The cell of a line, or the empty one where it belongs. */
static struct cell *cell_of(struct conf_diff *d, struct span line)
{
	uint64_t h = siphash(d->key, line) | 1;
	size_t i = (size_t)(h >> 1) & (d->cells - 1);

	while (d->cell[i].hash != 0 && d->cell[i].hash != h)
		i = (i + 1) & (d->cells - 1);
	if (d->cell[i].hash == 0)
		d->cell[i] = (struct cell){ h, 0 };
	return &d->cell[i];
}

/* Count the lines of the other text, then look for those of this one. */
static void begin(struct conf_diff *d, int turn)
{
	d->turn = turn;
	d->phase = DIFF_COUNT;
	memset(d->cell, 0, d->cells * sizeof(d->cell[0]));
	conf_lines_init(&d->lines, d->text[!turn]);
}

struct conf_diff *conf_diff_init(void *mem, struct span was, struct span is,
				 const uint8_t hash_key[16], struct text *out)
{
	struct conf_diff *d = mem;

	*d = (struct conf_diff){ .text = { was, is },
				 .out = out,
				 .cells = cells_for(was, is) };
	memcpy(d->key, hash_key, sizeof(d->key));
	begin(d, 0);
	return d;
}

static void compare(struct conf_diff *d, struct span line)
{
	struct cell *c = cell_of(d, line);

	if (c->n > 0) {
		c->n--;
		return;
	}
	d->n++;
	text_str(d->out, d->turn == 0 ? "- " : "+ ");
	text_span(d->out, line);
	text_str(d->out, "\n");
}

int conf_diff_step(struct conf_diff *d, size_t lines, size_t *n)
{
	struct span line;

	for (*n = 0; lines > 0; lines--) {
		if (conf_lines_next(&d->lines, &line)) {
			if (d->phase == DIFF_COUNT)
				cell_of(d, line)->n++;
			else
				compare(d, line);
		} else if (d->phase == DIFF_COUNT) {
			d->phase = DIFF_COMPARE;
			conf_lines_init(&d->lines, d->text[d->turn]);
		} else if (d->turn == 0) {
			begin(d, 1);
		} else {
			*n = d->n;
			return OK;
		}
	}
	return E_AGAIN;
}
