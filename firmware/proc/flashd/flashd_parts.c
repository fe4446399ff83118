/* SPDX-License-Identifier: BSD-2-Clause */
/* flashd_parts - see flashd.h. */
#include <errno.h>
#include <string.h>
#include "proc/flashd/flashd.h"

static size_t size(void *dev, enum part p)
{
	(void)dev;
	return F.part[p].size;
}

static size_t block(void *dev, enum part p)
{
	(void)dev;
	return F.part[p].block;
}

static int read_(void *dev, enum part p, size_t at, uint8_t *to, size_t n)
{
	(void)dev;
	return flash_read(&F.part[p], at, to, n);
}

static int erase(void *dev, enum part p, size_t at)
{
	(void)dev;
	return flash_erase(&F.part[p], at);
}

static int write_(void *dev, enum part p, size_t at, struct span s)
{
	(void)dev;
	return flash_write(&F.part[p], at, s);
}

static const char *why(void *dev)
{
	(void)dev;
	return strerror(errno);
}

const struct part_ops flashd_ops = { size, block, read_, erase, write_, why };
