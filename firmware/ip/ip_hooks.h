/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IP_IP_HOOKS_H
#define IP_IP_HOOKS_H

#include <lwip/ip_addr.h>

/* Called by lwIP (config/lwipopts.h); see ip_isn.h. */
u32_t ip_isn_hook(const ip_addr_t *local_ip, u16_t local_port,
		  const ip_addr_t *remote_ip, u16_t remote_port);
u32_t ip_rand_hook(void);

#endif
