/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_SEAL_H
#define CONF_CONF_SEAL_H

#include "base/err.h"
#include "base/text.h"
#include "secret/secret_table.h"

/*
 * conf_seal - a password that was typed becomes one that is sealed, before
 * anything keeps or shows the text it stands in:
 *
 *	account a user u password "open sesame"
 *	account a user u password sealed AUiw...
 *
 * A line stays a line. One that is no account but has the word "password" in it
 * is an error: it may hold one that was meant to be sealed. Sealing, and opening
 * what came sealed, is the caller's, who has the key:
 *
 *	j = conf_seal_init(mem, text, out, &report);
 *	while ((r = conf_seal_step(j, 10000, &n)) == E_AGAIN)
 *		if (conf_seal_asks(j, &a))
 *			conf_seal_answer(j, ...);
 *
 * mem: conf_seal_size() octets, aligned for any type; out: conf_seal_room(text).
 * All must stay until the end. Pure; mem holds passwords: wipe it.
 */
struct conf_seal;

/* Octets for out; 0: there is nothing in text to be sealed or opened, so that
 * it can be used as it is. */
size_t conf_seal_room(struct span text);
size_t conf_seal_size(void);
struct conf_seal *conf_seal_init(void *mem, struct span text, uint8_t *out,
				 struct text *report);

/*
 * E_AGAIN: there is more. OK: *n octets of out are the new text, in which
 * nothing is to be seen. E_CONF: report says what is wrong where, as conf.h
 * does, and *n octets of out are the text with the wrong lines as they came.
 */
MUST_CHECK int conf_seal_step(struct conf_seal *j, size_t lines, size_t *n);

/* Behind E_AGAIN: has this password to be sealed (a->password), or opened to see
 * whether it does (a->sealed)? Valid until the answer; without one it counts as
 * E_IO. */
bool conf_seal_asks(const struct conf_seal *j, struct secret_account *a);
/* The answer. error as in conf_job_opened(); sealed: of a typed password. */
void conf_seal_answer(struct conf_seal *j, int error, struct span sealed);

#endif
