/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_SEAL_TEXT_H
#define STORE_SEAL_TEXT_H

#include "store/seal.h"

/*
 * seal_text - a short secret as a word of the configuration: base64 of
 *
 *	 0  1  format: 1
 *	 1 12  nonce
 *	13     sealed: u16 length of the secret, the secret, zeros up to a
 *	       multiple of 32, so that the word does not tell how long it is
 *	   16  tag, which authenticates the format and `with` as well
 *
 * with: whose it is. The same octets under another name do not open.
 */
enum {
	SEAL_TEXT_SECRET = 256, /* octets of the longest secret */
	SEAL_TEXT_MAX = 425,	/* characters, and a NUL */
};

/* E_CONF: secret is empty or too long; E_FULL: no memory; E_IO: no random
 * octets. */
MUST_CHECK int seal_text_shut(char out[SEAL_TEXT_MAX],
			      const uint8_t key[SEAL_SECRET], struct span with,
			      struct span secret);

/* *n octets of secret. E_CONF: text has not this form; E_CORRUPT: it was sealed
 * under another key, for another `with`, or has been changed; E_FULL. */
MUST_CHECK int seal_text_open(uint8_t secret[SEAL_TEXT_SECRET], size_t *n,
			      const uint8_t key[SEAL_SECRET], struct span with,
			      struct span text);

#endif
