/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_CLI_UTF8_H
#define CLI_CLI_UTF8_H

#include "base/span.h"

/*
 * cli_utf8 - characters on a terminal. Pure.
 */

/* Octets that the sequence with this first octet has; 0: none begins so. */
unsigned cli_utf8_length(uint8_t first);

/* The character at the start of s and its length; 0: not UTF-8 (RFC 3629), or
 * a control character. */
unsigned cli_utf8_get(struct span s, uint32_t *c);

/* Columns a character takes: 0, 1 or 2; -1: it cannot be seen and changes how
 * others are (direction marks and the like). */
int cli_utf8_width(uint32_t c);

#endif
