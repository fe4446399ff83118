/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_BASE64_H
#define AUTH_BASE64_H

#include "base/buf.h"

/*
 * base64 - as RFC 4954 4 wants it of SASL: one spelling for each value.
 *
 * Decoding takes whole groups of four, padding at the end alone, no foreign
 * character and no bit that is set in vain. Two readers that are less strict
 * than this can be made to read different things.
 */

/* Append to out. E_FULL: no room, and nothing of it. */
MUST_CHECK int base64_encode(struct buf *out, struct span in);

/* Decode into max octets at out; *n of them. E_PEER_SYNTAX: not base64; E_FULL:
 * more than max. */
MUST_CHECK int base64_decode(uint8_t *out, size_t max, size_t *n,
			     struct span in);

#endif
