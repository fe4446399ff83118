/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IPC_STATS_PEERS_H
#define IPC_STATS_PEERS_H

#include "ipc/stats.h"

/*
 * stats_peers - whose row of other boxes is whose (struct stats_peer), and who gives
 * way. Anybody outside can say that he is a box, so the number is fixed; of rows that
 * are taken the one that was not seen for longest is taken away, and one that is pinned
 * only when all are.
 */

/*
 * The row of a domain and the key that was shown with it; of a client that showed none
 * (key NULL), of its domain and address, until it shows one. A fresh row has used == 0
 * and its domain, host and first_ms; the caller fills in the rest. domain is cut at
 * STATS_RULE - 1.
 *
 * NULL: there is no news in a client without a key of whom a key is known.
 */
struct stats_peer *stats_peer_at(struct stats_peer all[STATS_PEERS],
				 const char *domain, const uint8_t key[32],
				 const struct endpoint *host, uint64_t unix_ms);

/* Was a box met at this address, whatever the port? */
bool stats_peer_there(const struct stats_peer all[STATS_PEERS],
		      const uint8_t ip[16]);

#endif
