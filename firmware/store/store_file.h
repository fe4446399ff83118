/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_STORE_FILE_H
#define STORE_STORE_FILE_H

#include "store/store.h"

/*
 * store_file - one stored file, written or read in pieces. For store.c.
 *
 *	 0  8  "sealwire"
 *	 8  2  format of this header: 1
 *	10  2  kind
 *	12  4  schema of the body
 *	16  8  number
 *	24  8  time, seconds since 1970
 *	32  8  length of the body
 *	40 12  nonce of the comment
 *	52 12  nonce of the body
 *	64 64  comment, sealed; padded with zeros
 *     128 16  its tag, which authenticates 0..63 as well
 *     144     body, sealed
 *         16  its tag, which authenticates 0..143 as well
 *
 * Little-endian. The header verifies alone, so that a list needs no bodies and
 * a length is believed only when it is true.
 */
enum {
	STORE_FILE_HEAD = 144,
	STORE_FILE_FRAME = STORE_FILE_HEAD + SEAL_TAG, /* all but the body */
	STORE_FILE_NAME = 24,
};

/* cfg.00000042 */
void store_file_name(char name[STORE_FILE_NAME], enum store_kind k,
		     uint32_t number);

/* Is this such a name of kind k? Then *number is its number, from 1. */
bool store_file_is(enum store_kind k, const char *name, uint32_t *number);

/*
 * Write a whole file and make it last: synced, its folder synced, read back and
 * verified. It is not removed on failure. E_AGAIN: the name is taken. E_FULL:
 * *missing octets found no room; 0: it was memory. E_IO: *why says what.
 */
MUST_CHECK int store_file_write(struct store *s, const uint8_t key[SEAL_SECRET],
				enum store_kind k,
				const struct store_info *info, struct span body,
				uint64_t *missing, const char **why);

/*
 * Read a file and verify all of it. text NULL: only that; else *text has
 * info->size octets and a NUL and is the caller's to free. E_CORRUPT, E_IO: *why
 * says why. E_FULL: no memory. *size: what it takes on the medium, 0 if unknown,
 * whatever is returned.
 */
MUST_CHECK int store_file_read(struct store *s, const uint8_t key[SEAL_SECRET],
			       enum store_kind k, uint32_t number,
			       struct store_info *info, uint64_t *size,
			       char **text, const char **why);

/* Its header alone. */
MUST_CHECK int store_file_head(struct store *s, const uint8_t key[SEAL_SECRET],
			       enum store_kind k, uint32_t number,
			       struct store_info *info, uint64_t *size,
			       const char **why);

/* Was it cut short, so that no key could make it whole? */
bool store_file_torn(const char *why);

#endif
