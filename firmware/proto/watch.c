/* SPDX-License-Identifier: BSD-2-Clause */
/* watch - see watch.h. */
#include "base/text.h"
#include "proto/watch.h"

enum {
	HALF = 37, /* columns left of the bar */
	OCTETS = 8,
	RECORD_FIRST = 0x14, /* TLS content types, RFC 8446 5.1 */
	RECORD_LAST = 0x17,
};

static void blanks(struct text *t, size_t to)
{
	while (t->n < to && !t->cut)
		text_str(t, " ");
}

/* The half of a row that belongs to the port is from here on. */
static void begin(struct text *t, char *row, enum port port, bool client)
{
	text_init(t, row, WATCH_ROW);
	if (port == OUTSIDE) {
		blanks(t, HALF);
		text_str(t, "| ");
	}
	text_str(t, client ? "> " : "< ");
}

static void end(struct text *t, enum port port)
{
	if (port == INSIDE) {
		blanks(t, HALF);
		text_str(t, "|");
	}
}

static void text_row(char *row, enum port port, bool client, struct span line)
{
	const size_t room = HALF - 3;
	struct text t;

	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	begin(&t, row, port, client);
	text_clean(&t, (struct span){ line.p, line.n < room ? line.n : room });
	if (line.n > room)
		row[t.n - 1] = '~';
	end(&t, port);
}

static unsigned text_rows(enum port port, bool client, struct span data,
			  char row[WATCH_ROWS][WATCH_ROW])
{
	unsigned n = 0;
	struct text t;

	while (data.n > 0 && n < WATCH_ROWS - 1) {
		const uint8_t *lf = memchr(data.p, '\n', data.n);
		size_t len = lf ? (size_t)(lf - data.p) : data.n;

		text_row(row[n++], port, client, (struct span){ data.p, len });
		data = span_skip(data, len + (lf != NULL));
	}
	if (data.n > 0) {
		begin(&t, row[n++], port, client);
		text_str(&t, "... ");
		text_u64(&t, data.n);
		text_str(&t, " octets more");
		end(&t, port);
	}
	return n;
}

static void octets_row(char *row, bool client, struct span data)
{
	struct text t;

	begin(&t, row, OUTSIDE, client);
	for (size_t i = 0; i < data.n && i < OCTETS; i++) {
		text_hex(&t, (struct span){ data.p + i, 1 });
		text_str(&t, " ");
	}
	if (data.n > OCTETS) {
		text_str(&t, "... ");
		text_u64(&t, data.n);
		text_str(&t, " octets");
	}
}

static void switch_row(char *row)
{
	struct text t;

	text_init(&t, row, WATCH_ROW);
	while (t.n < HALF)
		text_str(&t, "-");
	text_str(&t, "+-- from here on TLS ");
	while (t.n < WATCH_ROW - 2)
		text_str(&t, "-");
}

static bool is_record(struct span d)
{
	return d.n >= 3 && d.p[0] >= RECORD_FIRST && d.p[0] <= RECORD_LAST &&
	       d.p[1] == 3;
}

unsigned watch_show(struct watch_view *v, enum port port, bool client,
		    struct span data, char row[WATCH_ROWS][WATCH_ROW])
{
	unsigned n = 0;

	if (data.n == 0)
		return 0;
	if (port == INSIDE)
		return text_rows(port, client, data, row);
	if (!v->tls && is_record(data)) {
		v->tls = true;
		switch_row(row[n++]);
	}
	if (!v->tls)
		return text_rows(port, client, data, row);
	octets_row(row[n++], client, data);
	return n;
}

bool watch_names(struct span data, struct span domain)
{
	struct span rcpt = SPAN_LIT("RCPT TO:");

	while (data.n > 0) {
		const uint8_t *lf = memchr(data.p, '\n', data.n);
		size_t n = lf ? (size_t)(lf - data.p) : data.n;
		const uint8_t *at = memchr(data.p, '@', n);
		size_t from = at ? (size_t)(at - data.p) + 1 : n;

		if (n >= rcpt.n && domain.n > 0 && n - from > domain.n &&
		    span_eq_nocase((struct span){ data.p, rcpt.n }, rcpt) &&
		    span_eq_nocase((struct span){ data.p + from, domain.n },
				   domain) &&
		    data.p[from + domain.n] == '>')
			return true;
		data = span_skip(data, n + (lf != NULL));
	}
	return false;
}
