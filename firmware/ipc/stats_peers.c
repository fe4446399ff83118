/* SPDX-License-Identifier: BSD-2-Clause */
/* stats_peers - see stats_peers.h. */
#include <string.h>
#include "ipc/stats_peers.h"

static bool same_host(const struct stats_peer *p, const struct endpoint *host)
{
	return memcmp(p->host.ip, host->ip, sizeof(host->ip)) == 0;
}

/* Is a a better row to take away than b? */
static bool gives_way(const struct stats_peer *a, const struct stats_peer *b)
{
	if (!a->used || !b->used)
		return !a->used && b->used;
	if (!a->pinned != !b->pinned)
		return !a->pinned;
	return a->last_ms < b->last_ms;
}

static struct stats_peer *fresh(struct stats_peer all[STATS_PEERS],
				struct span domain, const struct endpoint *host,
				uint64_t unix_ms)
{
	struct stats_peer *p = &all[0];

	for (size_t i = 1; i < STATS_PEERS; i++)
		if (gives_way(&all[i], p))
			p = &all[i];
	memset(p, 0, sizeof(*p));
	memcpy(p->domain, domain.p, domain.n);
	p->host = *host;
	p->first_ms = unix_ms;
	return p;
}

struct stats_peer *stats_peer_at(struct stats_peer all[STATS_PEERS],
				 const char *domain, const uint8_t key[32],
				 const struct endpoint *host, uint64_t unix_ms)
{
	struct span name = span_str(domain);
	struct stats_peer *keyless = NULL;
	bool known = false; /* by a key */

	if (name.n >= STATS_RULE)
		name.n = STATS_RULE - 1;
	for (size_t i = 0; i < STATS_PEERS; i++) {
		struct stats_peer *p = &all[i];

		if (!p->used || !span_eq(span_str(p->domain), name))
			continue;
		if (p->key_there && key && memcmp(p->key, key, 32) == 0)
			return p;
		if (p->key_there && same_host(p, host))
			known = true;
		else if (!p->key_there && same_host(p, host))
			keyless = p;
	}
	if (keyless)
		return keyless;
	return known && !key ? NULL : fresh(all, name, host, unix_ms);
}

bool stats_peer_there(const struct stats_peer all[STATS_PEERS],
		      const uint8_t ip[16])
{
	for (size_t i = 0; i < STATS_PEERS; i++)
		if (all[i].used && memcmp(all[i].host.ip, ip, 16) == 0)
			return true;
	return false;
}
