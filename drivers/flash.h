/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_FLASH_H
#define DRIVERS_FLASH_H

#include "base/err.h"
#include "base/span.h"

/*
 * flash - one partition of the NOR flash, through Linux's MTD character device.
 * Not for NAND: no bad blocks, any octet can be written once.
 *
 * E_IO: errno says why.
 */
struct flash {
	int fd;
	size_t size, block; /* octets; block: what an erase erases */
};

/* boss: open the partition with this label (the flash map of the board names
 * it). E_IO with errno ENOENT: there is none. */
MUST_CHECK int flash_open(const char *label, int *fd);

/* flashd: use fd. E_CORRUPT: it is not a NOR partition. */
MUST_CHECK int flash_init(struct flash *f, int fd);

/* Within the partition; all n octets, or E_IO. */
MUST_CHECK int flash_read(const struct flash *f, size_t at, uint8_t *to,
			  size_t n);
/* The block that begins at this offset becomes 0xff. */
MUST_CHECK int flash_erase(const struct flash *f, size_t at);
/* Bits can only be cleared. What was written is on the medium. */
MUST_CHECK int flash_write(const struct flash *f, size_t at, struct span s);

#endif
