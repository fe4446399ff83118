/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IP_IP_HOOKS_H
#define IP_IP_HOOKS_H

#include <lwip/ip_addr.h>

/*
 * ip_hooks - what lwIP asks us for (config/lwipopts.h); in ip_isn.c. This header is
 * seen by lwIP's own files, so it names lwIP's types and nothing of ours.
 */

/* The initial sequence number of a connection (RFC 6528; ip_isn.h). */
u32_t ip_isn_hook(const ip_addr_t *local_ip, u16_t local_port,
		  const ip_addr_t *remote_ip, u16_t remote_port);
/* LWIP_RAND. */
u32_t ip_rand_hook(void);

#endif
