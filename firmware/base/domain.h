/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_DOMAIN_H
#define BASE_DOMAIN_H

#include "base/err.h"
#include "base/span.h"

/*
 * domain - one spelling for every domain name, the key of the domain list: lower
 * case, A-labels (RFC 5890), no trailing dot. Mail and configuration use the
 * same function, so what the administrator wrote and what a client sends
 * compare as bytes.
 */
enum { DOMAIN_MAX = 253, DOMAIN_LABEL_MAX = 63 }; /* RFC 1035 2.3.4 */

/*
 * Normalise s into out (DOMAIN_MAX + 1 octets, NUL-terminated); *n is its
 * length. Labels are letters, digits, hyphens (not at their ends) and, as some
 * networks have them, underscores. A label in UTF-8 becomes an A-label (RFC
 * 3492) if every character in it is one whose normal form is itself: lower case
 * or without case, not composed otherwise, the same in IDNA 2003 and 2008.
 * Anything less certain must be written as an A-label. The last label is not a
 * number (RFC 1123 2.1): some would take the name for an address.
 *
 * E_PEER_SYNTAX: not a domain name, or not certain.
 */
MUST_CHECK int domain_normalise(char out[DOMAIN_MAX + 1], size_t *n,
				struct span s);

#endif
