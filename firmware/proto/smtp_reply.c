/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_reply - see smtp_reply.h. */
#include "base/text.h"
#include "proto/smtp_reply.h"

enum { TEXT_WIDTH = 400 }; /* RFC 5321 4.5.3.1.5: 512 with code and CRLF */

void smtp_reply_init(struct smtp_reply *r, void *mem, size_t max)
{
	*r = (struct smtp_reply){ .p = mem, .max = max };
}

/* The code of one line, 0 when it is none. *last: no hyphen behind it. */
static uint16_t code_of(struct span s, bool *last)
{
	if (s.n < 3 || s.p[0] < '2' || s.p[0] > '5' || s.p[1] < '0' ||
	    s.p[1] > '9' || s.p[2] < '0' || s.p[2] > '9')
		return 0;
	if (s.n > 3 && s.p[3] != ' ' && s.p[3] != '-')
		return 0;
	*last = s.n == 3 || s.p[3] == ' ';
	return (uint16_t)((s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 + s.p[2] -
			  '0');
}

/* A line has ended. 1: and the reply with it. */
static int end_line(struct smtp_reply *r)
{
	struct span s = { r->p + r->line, r->n - 2 - r->line };
	bool last = false;
	uint16_t code = code_of(s, &last);

	if (code == 0 || (r->line > 0 && code != r->code) ||
	    memchr(s.p, '\0', s.n))
		return r->err = E_PEER_SYNTAX;
	r->code = code;
	r->line = r->n;
	r->done = last;
	return last;
}

int smtp_reply_feed(struct smtp_reply *r, struct span in, size_t *used)
{
	*used = 0;
	if (r->err)
		return r->err;
	if (r->done) {
		r->done = false;
		r->n = r->line = 0;
	}
	while (*used < in.n) {
		uint8_t c = in.p[*used];
		bool cr = r->n > r->line && r->p[r->n - 1] == '\r';

		if (r->n == r->max)
			return r->err = E_PEER_LONG;
		if (cr != (c == '\n'))
			return r->err = E_PEER_EOL;
		r->p[r->n++] = c;
		++*used;
		if (cr) {
			int e = end_line(r);

			if (e != 0)
				return e;
		}
	}
	return 0;
}

struct span smtp_reply_raw(const struct smtp_reply *r)
{
	return (struct span){ r->p, r->n };
}

bool smtp_reply_line(struct span *raw, struct span *text)
{
	const uint8_t *lf = raw->n > 0 ? memchr(raw->p, '\n', raw->n) : NULL;
	size_t n, skip;

	if (!lf)
		return false;
	n = (size_t)(lf - raw->p) - 1; /* without CRLF */
	skip = n < 4 ? n : 4;
	*text = (struct span){ raw->p + skip, n - skip };
	*raw = span_skip(*raw, n + 2);
	return true;
}

/* Where to break text so that a line is at most TEXT_WIDTH. */
static size_t fold(struct span text)
{
	size_t n = TEXT_WIDTH;

	if (text.n <= n)
		return text.n;
	while (n > TEXT_WIDTH / 2 && text.p[n] != ' ')
		n--;
	return n;
}

int smtp_reply_put(struct buf *b, uint16_t code, const char *enhanced,
		   struct span text)
{
	size_t before = buf_span(b).n;

	do {
		size_t n = fold(text);
		char line[TEXT_WIDTH + 32];
		struct text t;

		text_init(&t, line, sizeof(line));
		text_u64(&t, code);
		text_str(&t, n < text.n ? "-" : " ");
		if (enhanced) {
			text_str(&t, enhanced);
			text_str(&t, " ");
		}
		text_clean(&t, (struct span){ text.p, n });
		text_str(&t, "\r\n");
		if (buf_put(b, text_done(&t)) != OK) {
			buf_cut(b, before);
			return E_FULL;
		}
		text = span_skip(text, n);
		if (text.n > 0 && text.p[0] == ' ')
			text = span_skip(text, 1);
	} while (text.n > 0);
	return OK;
}
