/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * witness_watch - the next session, live (proto/watch.h). Frames of the two ports
 * come by two sockets, so they wait a moment and are shown in the order of their
 * time. Until a recipient of the domain that was asked for is named, it may be any of
 * the sessions that have begun: what they say is kept for that long.
 */
#include <stdlib.h>
#include <unistd.h>
#include "drivers/tap.h"
#include "proc/witness/witness.h"
#include "proto/redact.h"
#include "proto/watch.h"

enum {
	SESSIONS = 8, /* that it may be */
	PENDING = 256,
	TEXT = 2048, /* of a segment; of a longer one the rest is counted */
	ORDER_US = 50000,
	WAIT_MS = 600000, /* for a session, and for more of it */
};

struct candidate {
	struct endpoint client;
	bool used, chosen;
	unsigned ends; /* FINs inside */
	struct watch_view view;
	char (*row)[WATCH_ROW]; /* STATS_WATCH of them, until it is chosen */
	unsigned rows_n;
};

struct segment {
	uint64_t unix_us;
	struct endpoint client;
	enum port port;
	bool from_client, begins, ends, breaks;
	size_t n, whole;
	uint8_t text[TEXT];
};

static struct {
	struct endpoint host;
	char domain[256];
	uint64_t until_ms;
	struct candidate session[SESSIONS];
	unsigned next;
	struct segment pending[PENDING];
	unsigned pending_n;
	struct redact redact[PORTS];
} see;

static struct stats_watch *shown(void)
{
	return &W.prog.stats->watch;
}

bool watch_runs(void)
{
	return shown()->state == WATCH_WAITS || shown()->state == WATCH_LIVE;
}

static void end(void)
{
	shown()->state = WATCH_ENDED;
	capture_ports();
}

static void put(const char *row)
{
	struct stats_watch *s = shown();
	uint64_t seq = s->seq + 1;

	memcpy(s->row[seq % STATS_WATCH], row, WATCH_ROW);
	__atomic_store_n(&s->seq, seq, __ATOMIC_RELEASE);
}

void watch_ask(struct ipc_msg *m)
{
	ssize_t n;

	for (int i = 0; i < SESSIONS; i++)
		free(see.session[i].row);
	memset(&see, 0, sizeof(see));
	n = pread(m->fd[0], see.domain, sizeof(see.domain) - 1, 0);
	see.domain[n > 0 ? n : 0] = '\0';
	see.host = m->client;
	see.until_ms = W.now + WAIT_MS;
	shown()->state = m->number == 0 ? WATCH_OFF : WATCH_WAITS;
	capture_ports();
	/* From here on console says that the next one is seen. */
	__atomic_store_n(&shown()->asked, m->number, __ATOMIC_RELEASE);
}

/* --- what comes ------------------------------------------------------------------- */
void watch_frame(enum port p, const struct tap_frame *t, const struct frame *f)
{
	static const uint8_t any[16];
	bool client = witness_watches(f->dst.port);
	struct segment *s = &see.pending[see.pending_n];

	if (f->class_ != FRAME_TCP || see.pending_n == PENDING ||
	    (memcmp(see.host.ip, any, 16) != 0 &&
	     memcmp(see.host.ip, f->src.ip, 16) != 0 &&
	     memcmp(see.host.ip, f->dst.ip, 16) != 0))
		return;
	*s = (struct segment){
		.unix_us = t->unix_us,
		.client = client ? f->src : f->dst,
		.port = p,
		.from_client = client,
		.begins = client && (f->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN,
		.ends = (f->flags & TCP_FIN) != 0,
		.breaks = (f->flags & TCP_RST) != 0,
		.whole = f->data_n,
		.n = f->data_n < TEXT ? f->data_n : TEXT,
	};
	memcpy(s->text, t->bytes.p + f->data, s->n);
	if (s->n > 0) {
		struct frame cut = *f;

		cut.data_n = (uint32_t)s->n;
		redact(&see.redact[p], &cut, !client, s->text);
	}
	see.pending_n++;
}

static struct candidate *find(const struct endpoint *client)
{
	for (int i = 0; i < SESSIONS; i++)
		if (see.session[i].used &&
		    endpoint_eq(&see.session[i].client, client))
			return &see.session[i];
	return NULL;
}

/* A session begins: it may be the one, or it is. */
static struct candidate *add(const struct segment *s)
{
	struct candidate *c = &see.session[see.next];

	if (!s->begins || s->port != INSIDE || shown()->state != WATCH_WAITS)
		return NULL;
	see.next = (see.next + 1) % SESSIONS;
	free(c->row);
	*c = (struct candidate){ .client = s->client,
				 .used = true,
				 .chosen = see.domain[0] == '\0' };
	if (c->chosen)
		shown()->state = WATCH_LIVE;
	else
		c->row = calloc(STATS_WATCH, sizeof(*c->row));
	return c;
}

/* It is the one: what it has said until now, and from now on what it says. */
static void choose(struct candidate *c)
{
	unsigned n = c->rows_n < STATS_WATCH ? c->rows_n : STATS_WATCH;

	c->chosen = true;
	shown()->state = WATCH_LIVE;
	for (unsigned i = c->rows_n - n; c->row && i < c->rows_n; i++)
		put(c->row[i % STATS_WATCH]);
	free(c->row);
	c->row = NULL;
}

static void say(struct candidate *c, const char *row)
{
	if (c->chosen)
		put(row);
	else if (c->row)
		memcpy(c->row[c->rows_n++ % STATS_WATCH], row, WATCH_ROW);
}

static void show(const struct segment *s)
{
	char row[WATCH_ROWS][WATCH_ROW];
	struct span text = { s->text, s->n };
	struct candidate *c = find(&s->client);
	unsigned n;

	if (!c || (s->begins && s->port == INSIDE && !c->chosen))
		c = add(s);
	if (!c || (shown()->state == WATCH_LIVE && !c->chosen))
		return;
	if (c->chosen)
		see.until_ms = W.now + WAIT_MS;
	n = watch_show(&c->view, s->port, s->from_client, text, row);
	for (unsigned i = 0; i < n; i++)
		say(c, row[i]);
	if (!c->chosen && s->from_client && s->port == INSIDE &&
	    watch_names(text, span_str(see.domain)))
		choose(c);
	if (s->port == INSIDE)
		c->ends += s->ends;
	if (c->chosen && s->port == INSIDE && (c->ends == 2 || s->breaks))
		end();
}

/* Those that nothing can come before any more, in the order of their time. */
void watch_tick(void)
{
	uint64_t now_us = now_unix_ms() * 1000;

	if (watch_runs() && W.now >= see.until_ms)
		end();
	while (watch_runs() && see.pending_n > 0) {
		unsigned first = 0;

		for (unsigned i = 1; i < see.pending_n; i++)
			if (see.pending[i].unix_us < see.pending[first].unix_us)
				first = i;
		/* what is far ahead was stamped before the clock was set back */
		if (see.pending[first].unix_us + ORDER_US > now_us &&
		    see.pending[first].unix_us < now_us + ORDER_US &&
		    see.pending_n < PENDING)
			break;
		show(&see.pending[first]);
		memmove(&see.pending[first], &see.pending[first + 1],
			(--see.pending_n - first) * sizeof(see.pending[0]));
	}
}
