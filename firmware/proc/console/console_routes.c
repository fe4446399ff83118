/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_routes - where the hosts of routes are (show routes): each relay asks for
 * itself, so what is shown of a host is what the one says that had an answer last, and
 * the last that went wrong at any of them.
 */
#include "base/text.h"
#include "proc/console/console.h"
#include "proc/console/console_put.h"

static bool row_at(size_t i, struct stats_route *r)
{
	const struct source *s = &K.source[i / STATS_ROUTES];

	if (s->role != ROLE_RELAY)
		return false;
	*r = s->stats->route[i % STATS_ROUTES];
	if (r->ip_n > STATS_ADDRESSES)
		r->ip_n = STATS_ADDRESSES;
	return r->used != 0;
}

static bool same(const struct stats_route *a, const struct stats_route *b)
{
	return a->v6 == b->v6 &&
	       strncmp(a->name, b->name, sizeof(a->name)) == 0;
}

static void take_later(struct stats_route *r, const struct stats_route *q)
{
	if (q->failed_ms > r->failed_ms) {
		r->failed_ms = q->failed_ms;
		memcpy(r->why, q->why, sizeof(r->why));
	}
	if (q->unreached_ms > r->unreached_ms) {
		r->unreached_ms = q->unreached_ms;
		memcpy(r->unreached, q->unreached, sizeof(r->unreached));
	}
	if (q->answered_ms > r->answered_ms) {
		r->answered_ms = q->answered_ms;
		r->fresh_ms = q->fresh_ms;
		r->ip_n = q->ip_n;
		memcpy(r->ip, q->ip, sizeof(r->ip));
	}
}

/* Into *r what all relays know of the host of row i, if it is the first one of it. */
static bool gather(size_t i, struct stats_route *r)
{
	struct stats_route q;

	if (!row_at(i, r))
		return false;
	for (size_t k = 0; k < K.source_n * STATS_ROUTES; k++) {
		if (k == i || !row_at(k, &q) || !same(r, &q))
			continue;
		if (k < i)
			return false;
		take_later(r, &q);
	}
	return true;
}

static void addresses(const struct stats_route *r)
{
	put_label("  address");
	for (uint32_t i = 0; i < r->ip_n; i++) {
		put_str(i > 0 ? ", " : "");
		/* two of IPv6 fill a line */
		put_str(i > 0 && i % 2 == 0 && r->v6 ? "\n             " : "");
		text_ip(&K.answer, r->ip[i]);
	}
	put_str(r->ip_n > 0 ? "\n" : "none is known\n");
}

static void row(const struct stats_route *r)
{
	text_clean(&K.answer, put_shared(r->name, sizeof(r->name)));
	put_str(r->v6 ? ", IPv6\n" : ", IPv4\n");
	addresses(r);
	if (r->answered_ms > 0) {
		put_label("  answered");
		put_when(r->answered_ms);
		put_str(", good until ");
		put_when(r->fresh_ms);
		put_str("\n");
	}
	if (r->failed_ms > 0) {
		put_label("  failed");
		put_when(r->failed_ms);
		put_str(": ");
		text_clean(&K.answer, put_shared(r->why, sizeof(r->why)));
		put_str("\n");
	}
	if (r->unreached_ms > 0) {
		put_label("  unreached");
		put_when(r->unreached_ms);
		put_str(": ");
		text_ip(&K.answer, r->unreached);
		put_str(" did not take a connection\n");
	}
}

void show_routes(void)
{
	struct stats_route r;
	unsigned n = 0;

	for (size_t i = 0; i < K.source_n * STATS_ROUTES; i++)
		if (gather(i, &r)) {
			put_str(n++ > 0 ? "\n" : "");
			row(&r);
		}
	if (n == 0)
		put_str("no mail has asked for the host of a route yet\n");
}
