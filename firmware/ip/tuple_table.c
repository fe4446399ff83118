/* SPDX-License-Identifier: BSD-2-Clause */
/* tuple_table - see tuple_table.h. */
#include "base/bytes.h"
#include "base/hash.h"
#include "ip/tuple_table.h"

static size_t slot_of(const struct tuple_table *t, enum port port,
		      const struct endpoint *remote,
		      const struct endpoint *local)
{
	uint8_t b[37];

	memcpy(b, remote->ip, 16);
	memcpy(b + 16, local->ip, 16);
	put_le16(b + 32, remote->port);
	put_le16(b + 34, local->port);
	b[36] = (uint8_t)port;
	return (size_t)siphash(t->key, (struct span){ b, sizeof(b) }) &
	       (t->slots - 1);
}

void tuple_table_init(struct tuple_table *t, const uint8_t key[16],
		      struct tuple **slot, size_t slots)
{
	memcpy(t->key, key, 16);
	t->slot = slot;
	t->slots = slots;
}

struct tuple *tuple_find(const struct tuple_table *t, enum port port,
			 const struct endpoint *remote,
			 const struct endpoint *local)
{
	struct tuple *u = t->slot[slot_of(t, port, remote, local)];

	while (u && !(u->port == port && endpoint_eq(&u->remote, remote) &&
		      endpoint_eq(&u->local, local)))
		u = u->next;
	return u;
}

void tuple_add(struct tuple_table *t, struct tuple *u)
{
	struct tuple **head =
		&t->slot[slot_of(t, u->port, &u->remote, &u->local)];

	u->next = *head;
	*head = u;
	u->linked = true;
}

void tuple_remove(struct tuple_table *t, struct tuple *u)
{
	struct tuple **at;

	if (!u->linked)
		return;
	at = &t->slot[slot_of(t, u->port, &u->remote, &u->local)];
	while (*at && *at != u)
		at = &(*at)->next;
	if (*at)
		*at = u->next;
	u->linked = false;
}
