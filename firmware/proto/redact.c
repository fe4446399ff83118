/* SPDX-License-Identifier: BSD-2-Clause */
/* redact - see redact.h. */
#include "proto/redact.h"

enum { NEAR = 65536 }; /* what is further on is of another session */

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

static struct redact_client *find(struct redact *r,
				  const struct endpoint *client)
{
	for (size_t i = 0; i < REDACT_ASKED; i++)
		if (endpoint_eq(&r->client[i].client, client))
			return &r->client[i];
	return NULL;
}

/* Who is in the middle of it does not give way, as long as somebody else can. */
static struct redact_client *entry(struct redact *r,
				   const struct endpoint *client)
{
	struct redact_client *c = find(r, client);

	for (unsigned i = 0; !c && i < REDACT_ASKED; i++) {
		struct redact_client *o = &r->client[r->next];

		if (!o->asked && !o->within)
			c = o;
		else
			r->next = (r->next + 1) % REDACT_ASKED;
	}
	if (c && endpoint_eq(&c->client, client))
		return c;
	c = &r->client[r->next];
	r->next = (r->next + 1) % REDACT_ASKED;
	*c = (struct redact_client){ .client = *client };
	return c;
}

/* The n octets at p, which begin at seq. */
static void hide(struct redact_client *c, uint32_t seq, uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	blot(p, n);
	if (!c->hidden || seq - c->to > NEAR)
		c->from = c->to = seq;
	c->hidden = true;
	if (seq + (uint32_t)n - c->from > c->to - c->from)
		c->to = seq + (uint32_t)n;
}

/* What of s was blotted out before. */
static void hide_again(const struct redact_client *c, uint32_t seq, uint8_t *p,
		       size_t n)
{
	for (size_t i = 0; c->hidden && i < n; i++)
		if (seq + (uint32_t)i - c->from < c->to - c->from)
			blot(p + i, 1);
}

/* The end of the line that begins at `at`, behind its LF. */
static size_t line_end(struct span s, size_t at)
{
	const uint8_t *lf = memchr(s.p + at, '\n', s.n - at);

	return lf ? (size_t)(lf - s.p) + 1 : s.n;
}

static const struct span auth = { (const uint8_t *)"AUTH ", 5 };

/* Behind "AUTH MECHANISM". */
static size_t behind_auth(struct span line)
{
	size_t i = auth.n;

	while (i < line.n && line.p[i] == ' ')
		i++;
	while (i < line.n && line.p[i] != ' ' && line.p[i] != '\r' &&
	       line.p[i] != '\n')
		i++;
	return i;
}

/* Is line, which has not ended yet, the beginning of "AUTH "? */
static bool may_be_auth(struct span line)
{
	return line.n < auth.n &&
	       span_eq_nocase(line, (struct span){ auth.p, line.n });
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
	bool more = asks(s);
	struct redact_client *c = more ? entry(r, client) : find(r, client);

	if (c) /* a line may go on behind the answer to an earlier one */
		c->asked = more;
}

/* The line of s at `at`, which ends at `end`. */
static void client_says(struct redact *r, const struct frame *f, uint8_t *data,
			size_t at, size_t end)
{
	struct span line = { data + at, end - at };
	bool whole = line.p[line.n - 1] == '\n', is = begins(line, "AUTH ");
	struct redact_client *c;

	if (!is && (whole || !may_be_auth(line)))
		return;
	c = entry(r, &f->src);
	c->within = !whole;
	if (is) {
		size_t n = behind_auth(line);

		hide(c, f->seq + (uint32_t)(at + n), data + at + n, line.n - n);
	}
}

void redact(struct redact *r, const struct frame *f, bool server, uint8_t *data)
{
	struct span s = { data, f->data_n };
	struct redact_client *c;
	size_t at = 0;

	if (s.n == 0)
		return; /* an acknowledgement says nothing */
	if (server) {
		server_says(r, &f->dst, s);
		return;
	}
	c = find(r, &f->src);
	if (c)
		hide_again(c, f->seq, data, s.n);
	if (c && (c->asked || c->within)) {
		at = c->asked ? s.n : line_end(s, 0);
		hide(c, f->seq, data, at);
		c->within = c->within && data[at - 1] != '\n';
	}
	for (size_t end; at < s.n; at = end) {
		end = line_end(s, at);
		client_says(r, f, data, at, end);
	}
}
