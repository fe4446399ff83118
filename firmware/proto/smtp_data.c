/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_data - see smtp_data.h. Between calls only one thing is remembered:
 * whether the next octet begins a line. What is not decided is not taken.
 */
#include "proto/smtp_data.h"

enum { INSIDE_LINE, LINE_START };

void smtp_data_init(struct smtp_data *d, bool strict)
{
	*d = (struct smtp_data){ strict, LINE_START, OK };
}

void smtp_data_go_on(struct smtp_data *d)
{
	d->strict = false;
	d->err = OK;
}

/* How many octets at the beginning of s are neither CR nor LF. */
static size_t plain(struct span s)
{
	const uint8_t *cr = memchr(s.p, '\r', s.n);
	size_t n = cr ? (size_t)(cr - s.p) : s.n;
	const uint8_t *lf = n > 0 ? memchr(s.p, '\n', n) : NULL;

	return lf ? (size_t)(lf - s.p) : n;
}

/* s begins a line with a dot. 1: the end; 0: text; -1: not decided yet. */
static int at_dot(struct span s)
{
	if (s.n < 2)
		return -1;
	if (s.p[1] != '\r')
		return 0;
	if (s.n < 3)
		return -1;
	return s.p[2] == '\n';
}

/* s begins a line. Does a NUL make its dot, or what is behind it, another end
 * to a server that drops NUL, or ends lines there? */
static bool hides_dot(struct span s)
{
	return s.p[0] == '\0' || (s.p[0] == '.' && s.n > 1 && s.p[1] == '\0');
}

int smtp_data_scan(struct smtp_data *d, struct span in, size_t *safe, bool *end)
{
	struct span s = in;

	*safe = 0;
	*end = false;
	while (d->err == OK && s.n > 0) {
		if (d->strict && d->state == LINE_START && hides_dot(s)) {
			d->err = E_PEER_SYNTAX;
			continue;
		}
		if (d->state == LINE_START && s.p[0] == '.') {
			int dot = at_dot(s);

			if (dot < 0)
				break;
			*end = dot > 0;
			s = span_skip(s, dot > 0 ? 3 : 1);
			if (*end)
				break;
			d->state = INSIDE_LINE;
			continue;
		}
		if (s.p[0] == '\r') {
			if (s.n < 2)
				break;
			if (s.p[1] == '\n') {
				s = span_skip(s, 2);
				d->state = LINE_START;
			} else if (d->strict) {
				d->err = E_PEER_EOL;
			} else {
				s = span_skip(s, 1);
				d->state = INSIDE_LINE;
			}
			continue;
		}
		if (s.p[0] == '\n') {
			if (d->strict) {
				d->err = E_PEER_EOL;
				continue;
			}
			s = span_skip(s, 1);
		} else {
			s = span_skip(s, plain(s));
		}
		d->state = INSIDE_LINE;
	}
	*safe = (size_t)(s.p - in.p);
	return d->err;
}
