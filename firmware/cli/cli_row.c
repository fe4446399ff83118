/* SPDX-License-Identifier: BSD-2-Clause */
/* cli_row - see cli_row.h. */
#include "cli/cli_row.h"
#include "cli/cli_secret.h"
#include "cli/cli_utf8.h"

enum { ROW = CLI_EDIT_COLUMNS - 1 }; /* columns used */

/* --- what it should be ------------------------------------------------------- */
/* One character behind what is there; without room it is left out. */
static void put(struct cli_row *r, struct span c, unsigned width)
{
	size_t old = r->at[r->n], n = old + c.n, left = ROW - r->n;

	/* marks over a character only while all columns still have room */
	if (width > left || n + 4 * left > sizeof(r->text))
		return;
	memcpy(r->text + old, c.p, c.n);
	for (unsigned i = r->n; width == 0 && i > 0 && r->at[i] == old; i--)
		r->at[i] = (uint16_t)n; /* both halves of a wide one */
	while (width-- > 0)
		r->at[++r->n] = (uint16_t)n;
}

/* Columns of the first n octets of the line. */
static size_t columns(const struct cli_edit *e, size_t n)
{
	struct span s = { e->line, n };
	size_t width = 0;

	while (s.n > 0) {
		uint32_t c;
		unsigned len = cli_utf8_get(s, &c);
		int w = len > 0 ? cli_utf8_width(c) : 0;

		width += w > 0 ? (size_t)w : 0;
		s = span_skip(s, len > 0 ? len : 1);
	}
	return width;
}

/* Room for one more column than the cursor needs, so that '>' never hides it;
 * '<' takes the first one when there is something to the left. */
static void scroll(struct cli_edit *e, size_t cursor, size_t room)
{
	if (cursor + 1 < room && cursor <= room / 2)
		e->left = 0;
	else if ((e->left > 0 && cursor <= e->left) ||
		 cursor + 1 >= e->left + room)
		e->left = cursor > room / 2 ? cursor - room / 2 : 0;
}

static void line_part(struct cli_edit *e, struct cli_row *r, size_t room)
{
	struct span s = { e->line, e->n };
	size_t column = 0, end = e->left + room;
	const uint8_t *secret = e->line + cli_secret_at(s);
	bool more = columns(e, e->n) > end - 1;

	if (e->left > 0)
		put(r, SPAN_LIT("<"), 1);
	while (s.n > 0) {
		uint32_t c = 0;
		unsigned len = cli_utf8_get(s, &c);
		int width = len > 0 ? cli_utf8_width(c) : 0;
		size_t w = width > 0 ? (size_t)width : 0;
		bool seen = column >= e->left + (e->left > 0);

		if (column + w > end - 1)
			break;
		if (seen && s.p >= secret)
			for (size_t i = 0; i < w; i++)
				put(r, SPAN_LIT("*"), 1);
		else if (seen && (w > 0 || r->at[r->n] > 0))
			put(r, (struct span){ s.p, len }, (unsigned)w);
		else if (!seen && column + w > e->left + 1)
			put(r, SPAN_LIT(" "), 1); /* half of a wide one */
		column += w;
		s = span_skip(s, len > 0 ? len : 1);
	}
	if (more)
		put(r, SPAN_LIT(">"), 1);
}

void cli_row_make(struct cli_edit *e, struct cli_row *row)
{
	struct span prompt = span_str(e->prompt);
	size_t room = ROW - prompt.n, cursor;

	memset(row, 0, sizeof(*row));
	for (size_t i = 0; i < prompt.n; i++)
		put(row, (struct span){ prompt.p + i, 1 }, 1);
	row->cursor = row->n;
	if (e->flags & CLI_EDIT_SECRET)
		return;
	cursor = columns(e, e->at);
	scroll(e, cursor, room);
	line_part(e, row, room);
	row->cursor = (unsigned)(prompt.n + cursor - e->left);
}

/* --- the way there ------------------------------------------------------------- */
static struct span cell(const struct cli_row *r, unsigned c)
{
	return (struct span){ r->text + r->at[c],
			      (size_t)(r->at[c + 1] - r->at[c]) };
}

static void move(unsigned from, unsigned to, struct text *out)
{
	unsigned n = from > to ? from - to : to - from;

	if (n == 0)
		return;
	if (to == 0) {
		text_str(out, "\r");
		return;
	}
	if (from > to && n <= 4) {
		while (n-- > 0)
			text_str(out, "\b");
		return;
	}
	text_str(out, "\x1b[");
	text_u64(out, n);
	text_str(out, from > to ? "D" : "C");
}

void cli_row_change(const struct cli_row *now, const struct cli_row *want,
		    struct text *out)
{
	unsigned c = 0, cursor = now->cursor;

	while (c < now->n && c < want->n &&
	       span_eq(cell(now, c), cell(want, c)))
		c++;
	/* not into the second half of a wide character of either */
	while (c > 0 && ((c < want->n && cell(want, c).n == 0) ||
			 (c < now->n && cell(now, c).n == 0)))
		c--;
	if (c < now->n || c < want->n) {
		size_t from = want->at[c];

		move(cursor, c, out);
		text_span(out, (struct span){ want->text + from,
					      want->at[want->n] - from });
		if (now->n > want->n)
			text_str(out, "\x1b[K");
		cursor = want->n;
	}
	move(cursor, want->cursor, out);
}
