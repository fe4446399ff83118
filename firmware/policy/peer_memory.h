/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_PEER_MEMORY_H
#define POLICY_PEER_MEMORY_H

#include <stddef.h>
#include "base/addr.h"
#include "base/err.h"

/*
 * peer_memory - what a remote server did before, by its address and port: whether it
 * ever offered STARTTLS, and whether TLS with it failed lately. PEER_MEMORY_SLOTS
 * servers are remembered; the one not asked about or told of for longest gives way.
 *
 * Each relay has one of its own, forgotten when it restarts. Times are milliseconds
 * of the caller's clock, which never goes back. Nothing fails.
 */
enum { PEER_MEMORY_SLOTS = 1024 };

/* Opaque: it lies in memory of the caller's, who frees it as it came. */
struct peer_memory;
size_t peer_memory_size(void);
/* mem: peer_memory_size() octets, aligned for any type. key: random, so that nobody
 * outside can choose addresses that share a chain; it is copied. */
struct peer_memory *peer_memory_init(void *mem, const uint8_t key[16]);

struct peer_facts {
	bool starttls_before;	/* it offered STARTTLS at some time */
	bool tls_failed_lately; /* until the time given to _tls_failed */
};

/* What is known of it now; both false of who is not remembered. */
struct peer_facts peer_memory_get(struct peer_memory *m,
				  const struct endpoint *peer, uint64_t now_ms);
/* It has offered STARTTLS. */
void peer_memory_offered(struct peer_memory *m, const struct endpoint *peer);
/* A handshake failed, which counts until until_ms; not at all if that is now. */
void peer_memory_tls_failed(struct peer_memory *m, const struct endpoint *peer,
			    uint64_t now_ms, uint64_t until_ms);
/* A handshake went well, so it offers STARTTLS: forget the failure. */
void peer_memory_tls_up(struct peer_memory *m, const struct endpoint *peer);

#endif
