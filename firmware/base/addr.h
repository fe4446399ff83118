/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* One end of a TCP connection. IPv4 is held as ::ffff:a.b.c.d (RFC 4291
 * 2.5.5.2), so that everything above has one code path. */
struct endpoint {
	uint8_t ip[16];
	uint16_t port; /* host order */
};

/* A port is where a frame comes in, a side is who speaks. The outbound gate
 * has its client inside; the inbound gate has it outside. */
enum port { INSIDE, OUTSIDE, PORTS };
enum side { CLIENT, SERVER, SIDES };

static inline bool ip_is_v4(const uint8_t ip[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip, mapped, sizeof(mapped)) == 0;
}

static inline void ip_from_v4(uint8_t ip[16], const uint8_t v4[4])
{
	memset(ip, 0, 10);
	ip[10] = ip[11] = 0xff;
	memcpy(ip + 12, v4, 4);
}

static inline bool endpoint_eq(const struct endpoint *a,
			       const struct endpoint *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, 16) == 0;
}

#endif
