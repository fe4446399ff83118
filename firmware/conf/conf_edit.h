/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_EDIT_H
#define CONF_CONF_EDIT_H

#include "base/err.h"
#include "base/text.h"

/*
 * conf_edit - change some lines of a configuration and keep the others.
 *
 *	base   a configuration, such as conf.h prints
 *	edit   lines of the same language, and these:
 *		no SETTING              back to its default ("no limit sessions")
 *		no default
 *		no domain NAME, no inbound require NAME
 *		no account NAME, no inbound account NAME
 *		no ca certificate N     the Nth of the base, from 1
 *
 * A setting or domain that edit names takes the place of the one in base; a new
 * one comes behind the last line; "no" takes away. What base holds beside
 * commands (comments, lines that are wrong) stays. All of edit or nothing: one
 * error is enough. What only a whole configuration can contradict is found when
 * the result is compiled (conf.h).
 *
 * No I/O, no allocation, work linear in both texts. In pieces, so that the
 * caller can show that it lives:
 *
 *	j = conf_edit_init(mem, base, edit, hash_key, out, &report);
 *	while ((r = conf_edit_step(j, 10000, &n)) == E_AGAIN)
 *		...
 *
 * mem: conf_edit_size(edit) octets, aligned for any type; out: room for
 * base.n + edit.n + 2 octets. All of them, and both texts, must stay until the
 * end. hash_key: 16 fresh random octets.
 */
struct conf_edit;
size_t conf_edit_size(struct span edit);
struct conf_edit *conf_edit_init(void *mem, struct span base, struct span edit,
				 const uint8_t hash_key[16], uint8_t *out,
				 struct text *report);

/*
 * E_AGAIN: there is more. OK: *n octets of out are the new text. E_CONF: report
 * has one line for each error, with line and column in edit, as in conf.h.
 */
MUST_CHECK int conf_edit_step(struct conf_edit *j, size_t lines, size_t *n);

#endif
