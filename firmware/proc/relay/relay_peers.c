/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_peers - other boxes, for show peers: servers and clients that say inside TLS
 * that they are one. What they say is a hint for people, and nothing is decided by it
 * but this: a client at an address where a box was met is asked for a certificate, so
 * that its key is known. No other is, unless a rule wants it, for there are clients
 * that do not bear to be asked.
 */
#include <stdio.h>
#include <string.h>
#include "ipc/stats_peers.h"
#include "policy/inbound.h"
#include "proc/relay/relay.h"

static const struct policy *policy(void)
{
	return &R.snapshot[R.current].policy;
}

static bool among(const uint8_t *const pin[], size_t n, const uint8_t key[32])
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(pin[i], key, 32) == 0)
			return true;
	return false;
}

static bool pinned(enum stats_way way, const struct stats_peer *p)
{
	struct span domain = span_str(p->domain);
	struct inbound_rule in;
	struct policy_rule out;

	if (!p->key_there)
		return false;
	if (way == STATS_FROM)
		return inbound_lookup(policy(), domain, &in) == OK &&
		       among(in.pin, in.pin_n, p->key);
	return policy_lookup(policy(), domain, &out) == OK &&
	       out.level == LEVEL_PIN && among(out.pin, out.pin_n, p->key);
}

static void say(enum stats_way way, const struct stats_peer *p)
{
	char line[STATS_TEXT];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, "event=box-recognised key=");
	text_hex(&t, (struct span){ p->key, sizeof(p->key) });
	text_str(&t, way == STATS_TO ? " domain=" : " from=");
	text_str(&t, p->domain);
	program_log(&R.prog, SEV_NOTICE, "%s", line);
}

static void seen(enum stats_way way, const char *domain,
		 const struct channel *ch, const struct endpoint *host)
{
	const uint8_t *key = ch->certificate ? ch->spki_sha256 : NULL;
	struct stats_peer *p;
	bool news;

	if (domain[0] == '\0' || !policy()->settings.peers)
		return;
	p = stats_peer_at(R.prog.stats->peer[way], domain, key, host,
			  now_unix_ms());
	if (!p)
		return;
	news = key && !p->key_there;
	if (news)
		memcpy(p->key, key, sizeof(p->key));
	p->key_there = key != NULL;
	p->last_ms = now_unix_ms();
	p->host = *host;
	p->tls_version = ch->version;
	p->pinned = pinned(way, p);
	if (news)
		say(way, p);
	p->used = 1;
}

void relay_peers_called(const char *domain, const struct channel *ch)
{
	if (ch->certificate)
		seen(STATS_TO, domain, ch, &ch->server);
}

void relay_peers_call(const char *domain, const struct channel *ch,
		      const struct endpoint *client)
{
	seen(STATS_FROM, domain, ch, client);
}

bool relay_peers_calls(const struct endpoint *client)
{
	if (!policy()->settings.peers)
		return false;
	for (enum stats_way w = STATS_TO; w < STATS_WAYS; w++)
		if (stats_peer_there(R.prog.stats->peer[w], client->ip))
			return true;
	return false;
}

void relay_peers_judge(void)
{
	for (enum stats_way w = STATS_TO; w < STATS_WAYS; w++)
		for (size_t i = 0; i < STATS_PEERS; i++) {
			struct stats_peer *p = &R.prog.stats->peer[w][i];

			if (p->used)
				p->pinned = pinned(w, p);
		}
}

void relay_peers_own(const struct tls_identity *id)
{
	const uint8_t *pin = id ? tls_identity_pin(id, 0) : NULL;

	if (pin)
		memcpy(R.prog.stats->own_key, pin, 32);
	R.prog.stats->own_key_there = pin != NULL;
}
