/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IP_IP_ISN_H
#define IP_IP_ISN_H

#include "base/span.h"
#include "ip/ip_hooks.h"

/* Set the key that ip_isn_hook uses. Before the first connection. */
void ip_isn_init(const uint8_t key[16]);

/* RFC 6528 3: ISN = M + F(tuple, key), M ticking every 4 microseconds. */
uint32_t ip_isn(const uint8_t key[16], struct span tuple, uint64_t now_us);

#endif
