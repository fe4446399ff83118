/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_CANARY_H
#define PROTO_CANARY_H

#include "base/span.h"

/*
 * canary - the frame that proves that what leaves the outside port is seen.
 *
 *	01-80-C2-00-00-0E  to the nearest bridge, which does not forward it
 *	02-53-45-41-4C-57  from a local address
 *	88-B5              local experiments (IEEE 802)
 *	"sealwire canary 0123456789abcdef"
 */
enum { CANARY_FRAME = 60 };

struct span canary_write(uint8_t mem[CANARY_FRAME], uint64_t number);
/* The text in it. */
struct span canary_text(struct span frame);
/* Is frame the canary of this number? */
bool canary_is(struct span frame, uint64_t number);

#endif
