/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_probe - connections of nobody inside, to see what is outside.
 *
 * They leave as those of a server that has sent mail through us: its address, its
 * MAC, the router that it uses. Its own sessions have other tuples, and if it
 * wants this one, it gets it (wire_flow_syn). What comes back has to be taken by
 * the classifier, so one of the two ports is an intercepted one: the server's,
 * or else ours.
 *
 * Who asks for a server without an address gets the resolver that is asked inside
 * (wire_asks.c), and goes the way of those questions.
 */
#include "base/hash.h"
#include "proc/wire/wire.h"

enum {
	PROBE_MS = 120000, /* of one connection, whatever relay does */
	PORT_FIRST = 49152,
	PORT_TRIES = 64,
};

void wire_probe_seen(const struct flow *f)
{
	const struct flow_side *s = &f->side[SERVER];
	struct wire_seen *to = &W.seen[0];

	if (f->client_port != INSIDE)
		return;
	for (size_t i = 0; i < SEEN_MAX; i++) {
		if (memcmp(W.seen[i].ip, f->client.ip, 16) == 0) {
			to = &W.seen[i];
			break;
		}
		if (W.seen[i].when_ms < to->when_ms)
			to = &W.seen[i];
	}
	memcpy(to->ip, f->client.ip, 16);
	memcpy(to->l2, s->ip.l2, sizeof(to->l2));
	to->l2_n = s->ip.l2_n;
	to->pppoe = s->ip.pppoe;
	to->mss = s->ip.announce;
	to->when_ms = W.now;
}

static const uint8_t any[16];

bool wire_probe_knows(const uint8_t ip[16])
{
	for (size_t i = 0; i < SEEN_MAX; i++)
		if (W.seen[i].when_ms != 0 && memcmp(W.seen[i].ip, ip, 16) == 0)
			return true;
	return false;
}

/* With this address, or the last one of the server's family. */
static const struct wire_seen *seen(const uint8_t ip[16], bool v4)
{
	const struct wire_seen *best = NULL;

	for (size_t i = 0; i < SEEN_MAX; i++) {
		const struct wire_seen *s = &W.seen[i];

		if (s->when_ms == 0 || ip_is_v4(s->ip) != v4 ||
		    (memcmp(ip, any, 16) != 0 && memcmp(ip, s->ip, 16) != 0))
			continue;
		if (!best || s->when_ms > best->when_ms)
			best = s;
	}
	return best;
}

/* The same, of those that ask a resolver: the last question counts. */
static const struct wire_asked *asks(const uint8_t ip[16])
{
	const struct wire_asked *best = NULL;

	for (size_t i = 0; i < SEEN_MAX; i++) {
		const struct wire_asked *a = wire_asks_of(W.seen[i].ip);

		if (W.seen[i].when_ms == 0 || !a ||
		    (memcmp(ip, any, 16) != 0 && memcmp(ip, a->ip, 16) != 0))
			continue;
		if (!best || a->when_ms > best->when_ms)
			best = a;
	}
	return best;
}

/* Whose address, and the server if none is named. OK, or what IPC_PROBE_FLOW says. */
static int choose(const struct ipc_msg *m, struct wire_seen *from,
		  struct endpoint *server)
{
	bool named = memcmp(m->server.ip, any, 16) != 0;
	const struct wire_asked *a = named ? NULL : asks(m->client.ip);
	const struct wire_seen *s = NULL;

	if (!named && !a)
		return E_CONF;
	if (a)
		memcpy(server->ip, a->resolver, 16);
	if (W.have_policy)
		s = seen(a ? a->ip : m->client.ip, ip_is_v4(server->ip));
	if (!s)
		return E_PEER_GONE;
	*from = *s;
	if (a) {
		memcpy(from->l2, a->l2, sizeof(from->l2));
		from->l2_n = a->l2_n;
		from->pppoe = false;
	}
	return OK;
}

/* Is the tuple nobody's? A finished connection of ours gives way. */
static bool vacant(const struct endpoint *client, const struct endpoint *server)
{
	struct tuple *t = ip_find(OUTSIDE, server, client);

	if (ip_find(INSIDE, client, server))
		return false;
	if (t && t->kind == TUPLE_TIME_WAIT) {
		ip_tw_forget((struct ip_tw *)t);
		t = NULL;
	}
	return !t;
}

static bool choose_port(struct endpoint *client, const struct endpoint *server)
{
	uint64_t at = siphash(W.key, (struct span){ (uint8_t *)&W.next_id,
						    sizeof(W.next_id) });

	if (!wire_intercepts(server->port)) {
		for (size_t i = 0; i < W.policy.settings.intercept_n; i++) {
			client->port = W.policy.settings.intercept[i];
			if (vacant(client, server))
				return true;
		}
		return false;
	}
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		client->port = (uint16_t)(PORT_FIRST +
					  (at + i) % (65536 - PORT_FIRST));
		if (vacant(client, server))
			return true;
	}
	return false;
}

void wire_probe_dial(struct relay_peer *r, const struct ipc_msg *m)
{
	struct ipc_msg said = { .type = IPC_PROBE_FLOW,
				.client = m->client,
				.server = m->server,
				.number = m->number };
	struct flow *f = NULL;
	struct wire_seen from;

	said.error = choose(m, &from, &said.server);
	if (said.error == OK) {
		said.error = E_FULL;
		memcpy(said.client.ip, from.ip, 16);
		if (choose_port(&said.client, &said.server))
			f = wire_flow_alone(&from, &said.client, &said.server,
					    PROBE_MS);
	}
	if (f) {
		f->relay = r;
		r->flows++;
		said.flow = f->id;
		said.error = OK;
	}
	if (ipc_send(r->watch.fd, ROLE_WIRE, ROLE_RELAY, &said) != OK && f)
		wire_flow_end(f);
}
