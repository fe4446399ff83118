/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PKI_PKI_SHOW_H
#define PKI_PKI_SHOW_H

#include "base/text.h"
#include "pki/pki_key.h"
#include "secret/secret_table.h"

/*
 * pki_show - keys and certificates for a person: all but what is secret.
 */
enum { PKI_WARN_DAYS = 30 };

/* Some lines for one key and its chain. */
void pki_show_key(const struct secret_key *k, uint64_t now_s, struct text *out);

/* A line for each of the CA certificates, with its number as "no ca certificate"
 * takes it. */
void pki_show_ca(struct span pem, uint64_t now_s, struct text *out);

/* One clause about the certificates of k if something has to be done: "expires
 * in 12 days"; true: there is. */
bool pki_warns(const struct secret_key *k, uint64_t now_s, struct text *out);

#endif
