/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_UTF16_H
#define AUTH_UTF16_H

#include "base/err.h"
#include "base/span.h"

/*
 * utf16 - names and passwords as NTLM wants them: UTF-16, little-endian.
 *
 * upper: in capitals, as NTOWFv2 (MS-NLMP 3.3.2) wants the user's name: letters
 * of the Latin, Greek, Cyrillic and Armenian alphabets below U+0600. The rest
 * stays as it is; a name in another alphabet is written as Windows shows it.
 */

/* max octets at out; *n written. E_PEER_SYNTAX: not UTF-8; E_FULL. */
MUST_CHECK int utf16_from(uint8_t *out, size_t max, size_t *n, struct span utf8,
			  bool upper);

/* Back to UTF-8. E_PEER_SYNTAX: half of a pair, or an odd octet; E_FULL. */
MUST_CHECK int utf16_to(uint8_t *out, size_t max, size_t *n, struct span utf16);

#endif
