/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_isn - initial sequence numbers by RFC 6528: a 4 microsecond clock plus a
 * keyed hash of the connection, so nobody off the path can guess one, and a
 * connection that is opened again begins above the one before.
 */
#include <sys/random.h>
#include <time.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "ip/ip_isn.h"

static uint8_t isn_key[16];

void ip_isn_init(const uint8_t key[16])
{
	memcpy(isn_key, key, 16);
}

uint32_t ip_isn(const uint8_t key[16], struct span tuple, uint64_t now_us)
{
	return (uint32_t)siphash(key, tuple) + (uint32_t)(now_us / 4);
}

u32_t ip_isn_hook(const ip_addr_t *local_ip, u16_t local_port,
		  const ip_addr_t *remote_ip, u16_t remote_port)
{
	uint8_t b[2 * sizeof(ip_addr_t) + 4];
	struct timespec t;

	memset(b, 0, sizeof(b));
	memcpy(b, local_ip, IP_IS_V6_VAL(*local_ip) ? 16 : 4);
	memcpy(b + 16, remote_ip, IP_IS_V6_VAL(*remote_ip) ? 16 : 4);
	put_le16(b + 32, local_port);
	put_le16(b + 34, remote_port);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return ip_isn(isn_key, (struct span){ b, 36 },
		      (uint64_t)t.tv_sec * 1000000 +
			      (uint64_t)t.tv_nsec / 1000);
}

u32_t ip_rand_hook(void)
{
	u32_t v = 0;

	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		abort();
	return v;
}
