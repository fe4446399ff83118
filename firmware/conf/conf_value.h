/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

#include "base/addr.h"
#include "base/span.h"

/*
 * conf_value - single words that stand for something. True: it is one, and it
 * has been stored; false: it is not, and nothing was.
 */

/* Decimal digits only. */
bool conf_number(struct span s, uint64_t min, uint64_t max, uint64_t *v);

/* 192.0.2.1 or 2001:db8::1 (RFC 4291 2.2), without port or brackets. */
bool conf_ip(struct span s, uint8_t ip[16]);

/* ADDRESS, ADDRESS4:PORT, [ADDRESS6] or [ADDRESS6]:PORT; without a port it is
 * dflt. *why is set when it is false. */
bool conf_endpoint(struct span s, uint16_t dflt, struct endpoint *e,
		   const char **why);

/* NAME or NAME:PORT; without a port it is dflt. *name: what stands before the
 * port, which is not looked at otherwise. False: that is no port. */
bool conf_host_port(struct span s, uint16_t dflt, struct span *name,
		    uint16_t *port);

/* 2026-01-01 or 2026-01-01T00:00:00Z, 1970..9999, as seconds since 1970. */
bool conf_time(struct span s, uint64_t *unix_s);

/* sha256: and 64 hexadecimal digits, or base64 of 32 octets. */
bool conf_pin(struct span s, uint8_t pin[32]);

/* 0..63, or -1. */
int conf_base64_digit(uint8_t c);

#endif
