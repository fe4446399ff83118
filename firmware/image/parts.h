/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IMAGE_PARTS_H
#define IMAGE_PARTS_H

#include "base/err.h"
#include "base/span.h"

/*
 * parts - the partitions of the flash that are written here, and what they are
 * on: drivers/flash.h, or a flash that fails in the tests.
 */
enum part {
	PART_ENV_A,
	PART_ENV_B,
	PART_SLOT_A,
	PART_SLOT_B,
	PART_CRASH,
	PARTS
};

/* The label in the flash map of a board: "env-a", "slot-b", "crash". */
static inline const char *part_name(enum part p)
{
	switch (p) {
	case PART_ENV_A: return "env-a";
	case PART_ENV_B: return "env-b";
	case PART_SLOT_A: return "slot-a";
	case PART_SLOT_B: return "slot-b";
	case PART_CRASH: return "crash";
	case PARTS: break;
	}
	return "?";
}

/* Offsets and lengths are within the part. OK, or E_IO: why() says what. */
struct part_ops {
	size_t (*size)(void *dev, enum part p);
	size_t (*block)(void *dev, enum part p); /* that is erased */
	int (*read)(void *dev, enum part p, size_t at, uint8_t *to, size_t n);
	/* The block at this offset becomes 0xff. */
	int (*erase)(void *dev, enum part p, size_t at);
	/* Bits can only be cleared. */
	int (*write)(void *dev, enum part p, size_t at, struct span s);
	const char *(*why)(void *dev);
};

#endif
