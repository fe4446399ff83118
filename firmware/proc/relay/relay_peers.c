/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_peers - other boxes, for show peers: servers that say inside TLS that they
 * are one. What they say is a hint for people; nothing is decided by it. A fixed
 * number; the one not seen for longest gives way.
 */
#include <stdio.h>
#include <string.h>
#include "proc/relay/relay.h"

static void look_up(struct stats_peer *p)
{
	const struct policy *pol = &R.snapshot[R.current].policy;
	struct policy_rule rule;

	p->pinned = 0;
	if (policy_lookup(pol, span_str(p->domain), &rule) != OK ||
	    rule.level != LEVEL_PIN)
		return;
	for (size_t i = 0; i < rule.pin_n; i++)
		if (memcmp(rule.pin[i], p->key, sizeof(p->key)) == 0)
			p->pinned = 1;
}

static void say(const struct stats_peer *p)
{
	char line[STATS_TEXT];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, "event=box-recognised key=");
	text_hex(&t, (struct span){ p->key, sizeof(p->key) });
	text_str(&t, " domain=");
	text_str(&t, p->domain);
	program_log(&R.prog, SEV_NOTICE, "%s", line);
}

/* Its place, or one for it. */
static struct stats_peer *place(const char *domain, const uint8_t key[32])
{
	struct stats_peer *all = R.prog.stats->peer, *p = &all[0];

	for (size_t i = 0; i < STATS_PEERS; i++) {
		if (all[i].used && strcmp(all[i].domain, domain) == 0 &&
		    memcmp(all[i].key, key, sizeof(all[i].key)) == 0)
			return &all[i];
		if (p->used && (!all[i].used || all[i].last_ms < p->last_ms))
			p = &all[i];
	}
	memset(p, 0, sizeof(*p));
	relay_copy(p->domain, sizeof(p->domain), domain);
	memcpy(p->key, key, sizeof(p->key));
	p->first_ms = now_unix_ms();
	return p;
}

void relay_peers_seen(const char *domain, const struct channel *ch)
{
	struct stats_peer *p;

	if (domain[0] == '\0' || !ch->certificate ||
	    !R.snapshot[R.current].policy.settings.peers)
		return;
	p = place(domain, ch->spki_sha256);
	p->last_ms = now_unix_ms();
	p->server = ch->server;
	p->tls_version = ch->version;
	look_up(p);
	if (!p->used)
		say(p);
	p->used = 1;
}

void relay_peers_judge(void)
{
	for (size_t i = 0; i < STATS_PEERS; i++)
		if (R.prog.stats->peer[i].used)
			look_up(&R.prog.stats->peer[i]);
}

void relay_peers_own(const struct tls_identity *id)
{
	const uint8_t *pin = id ? tls_identity_pin(id, 0) : NULL;

	if (pin)
		memcpy(R.prog.stats->own_key, pin, 32);
	R.prog.stats->own_key_there = pin != NULL;
}
