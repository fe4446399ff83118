/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PKI_PKI_KEY_H
#define PKI_PKI_KEY_H

#include "base/err.h"
#include "base/span.h"

/*
 * pki_key - private keys of this box: made here or brought, and what may be
 * said about them. The caller wipes what it gets.
 *
 * pki is linked to the program `keys` and to no other. It knows mbedTLS, does no
 * I/O and asks the kernel for random octets alone.
 */
enum pki_type { PKI_ECDSA, PKI_RSA };

const char *pki_type_name(enum pki_type t); /* "ECDSA" */

enum {
	PKI_KEY_MAX = 3072, /* octets of DER: RSA with 4096 bits has 2.4 KiB */
	PKI_PIN = 32,
};

struct pki_info {
	enum pki_type type;
	unsigned bits;
	uint8_t pin[PKI_PIN]; /* SHA-256 of the SubjectPublicKeyInfo */
};

/* Once, before anything else. E_IO: there are no random octets to be had.
 * E_CORRUPT: the cryptography computes wrong answers. */
MUST_CHECK int pki_init(void);

/* ECDSA: 256 or 384; RSA: 2048, 3072 or 4096. */
bool pki_key_can_be(enum pki_type t, unsigned bits);

/*
 * Make one; *n octets of DER (RFC 5915, RFC 8017). alive is called many times a
 * second: RSA takes from a second to minutes. E_FULL: no memory; E_IO: no
 * random octets.
 */
MUST_CHECK int pki_key_make(enum pki_type t, unsigned bits, void (*alive)(void),
			    uint8_t der[PKI_KEY_MAX], size_t *n);

/* E_CORRUPT: not a key that could have come from here or from pki_import. */
MUST_CHECK int pki_key_info(struct span der, struct pki_info *info);

#endif
