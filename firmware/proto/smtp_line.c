/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_line - see smtp_line.h. */
#include "proto/smtp_line.h"

void smtp_line_init(struct smtp_line *l, void *mem, size_t max)
{
	*l = (struct smtp_line){ .p = mem, .max = max };
}

/* The line is complete: hand it out, or say that it was too long. */
static int finish(struct smtp_line *l, struct span *line)
{
	bool over = l->over;

	l->cr = l->over = false;
	l->done = true;
	*line = (struct span){ l->p, l->n };
	return over ? E_PEER_LONG : 1;
}

int smtp_line_feed(struct smtp_line *l, struct span in, size_t *used,
		   struct span *line)
{
	*used = 0;
	if (l->err)
		return l->err;
	if (l->done) {
		l->done = false;
		l->n = 0;
	}
	while (*used < in.n) {
		uint8_t c = in.p[(*used)++];

		if (l->cr && c == '\n')
			return finish(l, line);
		if (l->cr || c == '\n')
			return l->err = E_PEER_EOL;
		if (c == '\r')
			l->cr = true;
		else if (l->n == l->max)
			l->over = true;
		else
			l->p[l->n++] = c;
	}
	return 0;
}
