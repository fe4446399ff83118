/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_probe - connections of nobody inside, to see what is outside.
 *
 * They leave as those of a server that has sent mail through us: its address, its
 * MAC, the router that it uses. Its own sessions have other tuples, and if it
 * wants this one, it gets it (wire_flow_syn). What comes back has to be taken by
 * the classifier, so one of the two ports is an intercepted one: the server's,
 * or else ours.
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

/* With this address, or the last one of the server's family. */
static const struct wire_seen *seen(const uint8_t ip[16], bool v4)
{
	static const uint8_t any[16];
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
				.number = m->number,
				.error = E_PEER_GONE };
	const struct wire_seen *from = NULL;
	struct flow *f = NULL;

	if (W.have_policy)
		from = seen(m->client.ip, ip_is_v4(m->server.ip));
	if (from) {
		said.error = E_FULL;
		memcpy(said.client.ip, from->ip, 16);
		if (choose_port(&said.client, &m->server))
			f = wire_flow_alone(from, &said.client, &m->server,
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
