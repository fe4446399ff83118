/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_DIFF_H
#define CONF_CONF_DIFF_H

#include "base/err.h"
#include "base/text.h"

/*
 * conf_diff - which lines of two printed configurations differ.
 *
 * Lines that are only in `was` come behind "- ", lines only in `is` behind
 * "+ ", those of `was` first, each in its order. Order alone is no difference:
 * it means nothing in a configuration. A certificate is compared line by line.
 *
 * Pure, work is linear, and in pieces, so that a program can show that it lives:
 *
 *	d = conf_diff_init(mem, was, is, hash_key, &out);
 *	while (conf_diff_step(d, 10000, &n) == E_AGAIN)
 *		...
 *
 * mem: conf_diff_size(was, is) octets, aligned for any type. hash_key: 16 fresh
 * random octets. All of them must stay until the end.
 */
struct conf_diff;
size_t conf_diff_size(struct span was, struct span is);
struct conf_diff *conf_diff_init(void *mem, struct span was, struct span is,
				 const uint8_t hash_key[16], struct text *out);

/* E_AGAIN: there is more. OK: *n lines differ; out->cut when they did not fit. */
MUST_CHECK int conf_diff_step(struct conf_diff *d, size_t lines, size_t *n);

#endif
