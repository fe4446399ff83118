/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_TERMINAL_H
#define TESTS_UNIT_TERMINAL_H

#include <stdio.h>
#include <stdlib.h>
#include "base/bug.h"
#include "cli/cli_utf8.h"

/*
 * terminal - 24 rows of 80 columns that understand BEL BS CR LF and CSI C D H J
 * K and nothing else: any other octet below 0x20, and writing into the last
 * column, is a bug of who wrote it.
 */
enum { TERM_ROWS = 24, TERM_COLUMNS = 80 };

struct terminal {
	uint32_t cell[TERM_ROWS][TERM_COLUMNS]; /* 1: half of a wide one */
	unsigned row, column, bells;
	unsigned esc; /* 0: no; 1: ESC; 2: CSI */
	unsigned number;
};

static inline void term_init(struct terminal *t)
{
	memset(t, 0, sizeof(*t));
	for (int r = 0; r < TERM_ROWS; r++)
		for (int c = 0; c < TERM_COLUMNS; c++)
			t->cell[r][c] = ' ';
}

static inline void term_erase(struct terminal *t, unsigned row, unsigned from)
{
	while (from < TERM_COLUMNS)
		t->cell[row][from++] = ' ';
}

static inline void term_csi(struct terminal *t, uint8_t c)
{
	unsigned n = t->number > 0 ? t->number : 1;

	switch (c) {
	case 'C': t->column += n; break;
	case 'D':
		BUG_ON(n > t->column);
		t->column -= n;
		break;
	case 'H': t->row = t->column = 0; break;
	case 'J':
		term_erase(t, t->row, t->column);
		for (unsigned r = t->row + 1; r < TERM_ROWS; r++)
			term_erase(t, r, 0);
		break;
	case 'K': term_erase(t, t->row, t->column); break;
	default: BUG_ON(true);
	}
	BUG_ON(t->column >= TERM_COLUMNS);
}

static inline void term_char(struct terminal *t, uint32_t c)
{
	int w = cli_utf8_width(c);

	BUG_ON(w < 0);
	if (w == 0)
		return; /* over the one before */
	BUG_ON(t->column + (unsigned)w >= TERM_COLUMNS);
	t->cell[t->row][t->column++] = c;
	if (w == 2)
		t->cell[t->row][t->column++] = 1;
}

static inline void term_line_feed(struct terminal *t)
{
	if (t->row + 1 < TERM_ROWS) {
		t->row++;
		return;
	}
	memmove(t->cell[0], t->cell[1], sizeof(t->cell) - sizeof(t->cell[0]));
	term_erase(t, t->row, 0);
}

static inline void term_control(struct terminal *t, uint8_t c)
{
	switch (c) {
	case '\a': t->bells++; break;
	case '\b':
		BUG_ON(t->column == 0);
		t->column--;
		break;
	case '\r': t->column = 0; break;
	case '\n': term_line_feed(t); break;
	case 0x1b: t->esc = 1; break;
	default: BUG_ON(true);
	}
}

static inline void term_put(struct terminal *t, struct span s)
{
	while (s.n > 0) {
		uint8_t c = s.p[0];
		uint32_t code;
		unsigned n = 1;

		if (t->esc == 1) {
			BUG_ON(c != '[');
			t->esc = 2;
			t->number = 0;
		} else if (t->esc == 2 && c >= '0' && c <= '9') {
			t->number = t->number * 10 + (c - '0');
		} else if (t->esc == 2) {
			t->esc = 0;
			term_csi(t, c);
		} else if (c < 0x20) {
			term_control(t, c);
		} else {
			n = cli_utf8_get(s, &code);
			BUG_ON(n == 0);
			term_char(t, code);
		}
		s = span_skip(s, n);
	}
}

/* A row without its blanks at the end; ASCII, others as '#'. */
static inline const char *term_row(const struct terminal *t, unsigned row)
{
	static char text[TERM_COLUMNS + 1];
	unsigned n = 0;

	for (unsigned c = 0; c < TERM_COLUMNS; c++) {
		uint32_t v = t->cell[row][c];

		text[c] = v >= 0x20 && v < 0x7f ? (char)v : '#';
		if (v != ' ')
			n = c + 1;
	}
	text[n] = '\0';
	return text;
}

#endif
