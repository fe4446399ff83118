/* SPDX-License-Identifier: BSD-2-Clause */
/* cli_page - see cli_page.h. */
#include "cli/cli_page.h"
#include "cli/cli_utf8.h"

void cli_page_init(struct cli_page *p, struct span text, unsigned rows)
{
	*p = (struct cli_page){ .rest = text, .rows = rows };
	p->left = rows > 1 ? rows - 1 : rows;
	p->state = text.n > 0 ? CLI_PAGE_GO : CLI_PAGE_END;
}

static void new_row(struct cli_page *p)
{
	p->column = 0;
	if (p->left > 0)
		p->left--;
}

/* One character of the text, or what stands for it. */
static void put(struct cli_page *p, struct text *out)
{
	uint32_t c;
	unsigned n = cli_utf8_get(p->rest, &c);
	int w = n > 0 ? cli_utf8_width(c) : -1;

	if (p->rest.p[0] == '\t') {
		p->rest = span_skip(p->rest, 1);
		text_str(out, " ");
		w = 1;
	} else if (w < 0) {
		p->rest = span_skip(p->rest, n > 0 ? n : 1);
		text_str(out, "?");
		w = 1;
	} else {
		text_span(out, (struct span){ p->rest.p, n });
		p->rest = span_skip(p->rest, n);
	}
	p->column += (unsigned)w;
}

/* The width of what comes next. */
static unsigned width(const struct cli_page *p)
{
	uint32_t c;
	unsigned n = cli_utf8_get(p->rest, &c);
	int w = n > 0 ? cli_utf8_width(c) : 1;

	return w < 0 ? 1 : (unsigned)w;
}

enum cli_page_state cli_page_next(struct cli_page *p, struct text *out)
{
	while (p->rest.n > 0 && out->size - out->n >= CLI_PAGE_OUT) {
		if (p->rows > 0 && p->left == 0 && p->column == 0) {
			text_str(out, "--More--");
			return p->state = CLI_PAGE_MORE;
		}
		if (p->rest.p[0] == '\n') {
			text_str(out, "\r\n");
			p->rest = span_skip(p->rest, 1);
			new_row(p);
		} else if (p->column + width(p) > CLI_PAGE_COLUMNS - 1) {
			/* our own line end: what happens in the last column
			 * is not the same everywhere */
			text_str(out, "\r\n");
			new_row(p);
		} else {
			put(p, out);
		}
	}
	if (p->rest.n > 0)
		return CLI_PAGE_GO;
	if (p->column > 0) {
		if (out->size - out->n < CLI_PAGE_OUT)
			return CLI_PAGE_GO;
		text_str(out, "\r\n");
		p->column = 0;
	}
	return p->state = CLI_PAGE_END;
}

enum cli_page_state cli_page_key(struct cli_page *p, uint8_t key,
				 struct text *out)
{
	bool after_cr = p->cr;

	p->cr = key == '\r';
	if (p->state != CLI_PAGE_MORE || (key == '\n' && after_cr))
		return p->state;
	switch (key) {
	case ' ': p->left = p->rows > 1 ? p->rows - 1 : 1; break;
	case '\r':
	case '\n': p->left = 1; break;
	case 'q':
	case 'Q':
	case 3: p->state = CLI_PAGE_END; break;
	default: return p->state;
	}
	text_str(out, "\r\x1b[K");
	if (p->state == CLI_PAGE_MORE)
		p->state = CLI_PAGE_GO;
	return p->state;
}
