/* SPDX-License-Identifier: BSD-2-Clause */
/* redact - see redact.h. */
#include "proto/redact.h"

static bool begins(struct span s, const char *word)
{
	struct span w = span_str(word);

	return s.n >= w.n && span_eq_nocase((struct span){ s.p, w.n }, w);
}

static void blot(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\r' && p[i] != '\n')
			p[i] = 'x';
}

static struct endpoint *asked(struct redact *r, const struct endpoint *client)
{
	for (size_t i = 0; i < REDACT_ASKED; i++)
		if (endpoint_eq(&r->asked[i], client))
			return &r->asked[i];
	return NULL;
}

/* The end of the line that begins at `at`, behind its LF. */
static size_t line_end(struct span s, size_t at)
{
	const uint8_t *lf = memchr(s.p + at, '\n', s.n - at);

	return lf ? (size_t)(lf - s.p) + 1 : s.n;
}

/* Behind "AUTH MECHANISM ". */
static void blot_auth(uint8_t *p, size_t n)
{
	size_t i = 5;

	while (i < n && p[i] == ' ')
		i++;
	while (i < n && p[i] != ' ' && p[i] != '\r' && p[i] != '\n')
		i++;
	blot(p + i, n - i);
}

/* Does a server ask for more? */
static bool asks(struct span s)
{
	for (size_t at = 0; at < s.n; at = line_end(s, at))
		if (begins(span_skip(s, at), "334"))
			return true;
	return false;
}

static void server_says(struct redact *r, const struct endpoint *client,
			struct span s)
{
	struct endpoint *to = asked(r, client);

	if (!asks(s)) {
		if (to)
			*to = (struct endpoint){ .port = 0 };
		return;
	}
	if (!to) {
		to = &r->asked[r->next];
		r->next = (r->next + 1) % REDACT_ASKED;
	}
	*to = *client;
}

void redact(struct redact *r, const struct frame *f, bool server, uint8_t *data)
{
	struct span s = { data, f->data_n };

	if (server) {
		server_says(r, &f->dst, s);
		return;
	}
	if (asked(r, &f->src)) {
		blot(data, s.n);
		return;
	}
	for (size_t at = 0; at < s.n; at = line_end(s, at))
		if (begins(span_skip(s, at), "AUTH "))
			blot_auth(data + at, line_end(s, at) - at);
}
