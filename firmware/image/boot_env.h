/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IMAGE_BOOT_ENV_H
#define IMAGE_BOOT_ENV_H

#include "base/err.h"
#include "base/span.h"

/*
 * boot_env - U-Boot's environment in its two copies: which one counts, what
 * stands in it, and what to write instead.
 *
 *	0  4  CRC-32 of the data, little-endian
 *	4  1  1: active, 0: obsolete
 *	5     data: "name=value" and a NUL each, and one more NUL at the end
 *
 * BOOT_ENV_SIZE octets at the beginning of a block of their own; U-Boot of every
 * board is built with this size. A new environment is written to the copy that
 * does not count; then the flag of the other one is cleared, which needs no
 * erase. The rules which one counts are those of U-Boot (env/flash.c,
 * env_check_redund), for they must be the same at every moment.
 */
enum {
	BOOT_ENV_SIZE = 16384,
	BOOT_ENV_FLAG = 4,
	BOOT_ENV_DATA = 5,
	BOOT_ENV_ACTIVE = 1,
	BOOT_ENV_OBSOLETE = 0,
};

struct boot_env {
	uint8_t raw[BOOT_ENV_SIZE];
	size_t n; /* of the data, without the last NUL */
};

/*
 * Which of the two copies (BOOT_ENV_SIZE octets each) U-Boot would take: 0 or 1.
 * E_CORRUPT: neither is whole; U-Boot then has what it was built with.
 */
MUST_CHECK int boot_env_choose(const uint8_t *a, const uint8_t *b);

/* Take over a whole copy, or begin an empty one (raw NULL). */
void boot_env_init(struct boot_env *e, const uint8_t *raw);

/* The value, valid until e is changed; {NULL, 0}: there is none. */
struct span boot_env_get(const struct boot_env *e, const char *name);

/* Number in the value; missing: there is none, or it is not a number. */
uint32_t boot_env_number(const struct boot_env *e, const char *name,
			 uint32_t missing);

/* E_FULL: no room; e is as it was. */
MUST_CHECK int boot_env_set(struct boot_env *e, const char *name,
			    const char *value);

/* Put CRC and flag in: e->raw is then a copy to write. */
void boot_env_seal(struct boot_env *e);

#endif
