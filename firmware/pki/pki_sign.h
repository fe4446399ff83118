/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PKI_PKI_SIGN_H
#define PKI_PKI_SIGN_H

#include "base/err.h"
#include "base/sign.h"

/*
 * pki_sign - signatures of handshakes, by private keys that stay here (base/sign.h).
 */
struct pki_signer; /* one key, ready */

/* der: as pki_key has it; it need not stay. E_FULL: no memory; E_CORRUPT: not a key
 * that could have come from here. */
MUST_CHECK int pki_signer_new(struct span der, struct pki_signer **out);
void pki_signer_free(struct pki_signer *s); /* wiped; may be NULL */

/* SHA-256 of its SubjectPublicKeyInfo, SIGN_PIN octets. */
const uint8_t *pki_signer_pin(const struct pki_signer *s);

/* q->pin is not looked at. E_CONF: a key of another kind; E_FULL: no memory; E_IO:
 * no random octets. */
MUST_CHECK int pki_sign(struct pki_signer *s, const struct sign_ask *q,
			uint8_t out[SIGN_MAX], size_t *n);

#endif
