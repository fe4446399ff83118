/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PKI_PKI_IMPORT_H
#define PKI_PKI_IMPORT_H

#include "base/text.h"
#include "pki/pki_key.h"

/*
 * pki_import - PEM (RFC 7468) that a person brings becomes a key and a chain.
 *
 *	certificates       of the key that is here already
 *	key, certificates  a key that was made elsewhere
 *
 * Certificates stand in their order, the server's own first, each signed by the
 * next; the root may be there or not. What stands between the blocks is
 * ignored, as other programs write much there.
 */
enum {
	PKI_TEXT_MAX = 64 << 10,
	PKI_CHAIN_CERTS = 8,
};

/*
 * have: the key that is here, DER; empty: there is none of this name. now_s:
 * the time for the check of dates.
 *
 * OK: key and *key_n are the key, chain the certificates (text_init with
 * PKI_TEXT_MAX octets is enough), and why may have a line that begins with
 * "warning: ". E_CONF: why says what is wrong. E_FULL: no memory.
 */
MUST_CHECK int pki_import(struct span text, struct span have, uint64_t now_s,
			  uint8_t key[PKI_KEY_MAX], size_t *key_n,
			  struct text *chain, struct text *why);

#endif
