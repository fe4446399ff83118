/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_CRC32_H
#define BASE_CRC32_H

#include "base/span.h"

/* CRC-32 as zlib's and U-Boot's crc32(before, ...); before: of what comes in
 * front, 0: nothing does. Against accidents, not against anybody. */
uint32_t crc32(uint32_t before, struct span s);

#endif
