/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer_memory - see peer_memory.h. Slots are in a hash chain and in one list
 * by age; links are slot numbers, NONE ends them.
 */
#include "base/hash.h"
#include "policy/peer_memory.h"

enum { BUCKETS = 2 * PEER_MEMORY_SLOTS, NONE = 0xffff };

struct slot {
	struct endpoint peer;
	uint64_t failed_until_ms;
	uint16_t next;		 /* in its bucket */
	uint16_t older, younger; /* in the list by age */
	bool starttls, failed;
};

struct peer_memory {
	uint8_t key[16];
	uint16_t bucket[BUCKETS];
	uint16_t oldest, youngest, used;
	struct slot slot[PEER_MEMORY_SLOTS];
};

size_t peer_memory_size(void)
{
	return sizeof(struct peer_memory);
}

struct peer_memory *peer_memory_init(void *mem, const uint8_t key[16])
{
	struct peer_memory *m = mem;

	memset(m, 0, sizeof(*m));
	memcpy(m->key, key, 16);
	memset(m->bucket, 0xff, sizeof(m->bucket));
	m->oldest = m->youngest = NONE;
	return m;
}

static uint16_t *bucket_of(struct peer_memory *m, const struct endpoint *peer)
{
	uint8_t b[18];

	memcpy(b, peer->ip, 16);
	b[16] = (uint8_t)(peer->port >> 8);
	b[17] = (uint8_t)peer->port;
	return &m->bucket[siphash(m->key, (struct span){ b, sizeof(b) }) %
			  BUCKETS];
}

static void age_remove(struct peer_memory *m, uint16_t i)
{
	struct slot *s = &m->slot[i];

	if (s->older == NONE)
		m->oldest = s->younger;
	else
		m->slot[s->older].younger = s->younger;
	if (s->younger == NONE)
		m->youngest = s->older;
	else
		m->slot[s->younger].older = s->older;
}

static void age_add(struct peer_memory *m, uint16_t i)
{
	m->slot[i].older = m->youngest;
	m->slot[i].younger = NONE;
	if (m->youngest == NONE)
		m->oldest = i;
	else
		m->slot[m->youngest].younger = i;
	m->youngest = i;
}

static uint16_t find(struct peer_memory *m, const struct endpoint *peer)
{
	uint16_t i = *bucket_of(m, peer);

	while (i != NONE && !endpoint_eq(&m->slot[i].peer, peer))
		i = m->slot[i].next;
	if (i != NONE) {
		age_remove(m, i);
		age_add(m, i);
	}
	return i;
}

/* Take the oldest out of its chain and of the list. */
static uint16_t evict(struct peer_memory *m)
{
	uint16_t i = m->oldest;
	uint16_t *link = bucket_of(m, &m->slot[i].peer);

	while (*link != i)
		link = &m->slot[*link].next;
	*link = m->slot[i].next;
	age_remove(m, i);
	return i;
}

static struct slot *find_or_add(struct peer_memory *m,
				const struct endpoint *peer)
{
	uint16_t i = find(m, peer), *bucket;

	if (i != NONE)
		return &m->slot[i];
	i = m->used < PEER_MEMORY_SLOTS ? m->used++ : evict(m);
	bucket = bucket_of(m, peer);
	m->slot[i] = (struct slot){ .peer = *peer, .next = *bucket };
	*bucket = i;
	age_add(m, i);
	return &m->slot[i];
}

struct peer_facts peer_memory_get(struct peer_memory *m,
				  const struct endpoint *peer, uint64_t now_ms)
{
	uint16_t i = find(m, peer);

	if (i == NONE)
		return (struct peer_facts){ false, false };
	return (struct peer_facts){
		.starttls_before = m->slot[i].starttls,
		.tls_failed_lately = m->slot[i].failed &&
				     now_ms < m->slot[i].failed_until_ms,
	};
}

void peer_memory_offered(struct peer_memory *m, const struct endpoint *peer)
{
	find_or_add(m, peer)->starttls = true;
}

void peer_memory_tls_failed(struct peer_memory *m, const struct endpoint *peer,
			    uint64_t now_ms, uint64_t until_ms)
{
	struct slot *s = find_or_add(m, peer);

	s->failed = until_ms > now_ms;
	s->failed_until_ms = until_ms;
}

void peer_memory_tls_up(struct peer_memory *m, const struct endpoint *peer)
{
	struct slot *s = find_or_add(m, peer);

	s->starttls = true;
	s->failed = false;
}
