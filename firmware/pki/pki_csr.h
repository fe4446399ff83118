/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PKI_PKI_CSR_H
#define PKI_PKI_CSR_H

#include "base/text.h"
#include "pki/pki_key.h"

/*
 * pki_csr - a request for a certificate (PKCS #10, RFC 2986) for a key of ours.
 */
enum { PKI_CSR_MAX = 8 << 10, PKI_CSR_NAMES = 32 };

/*
 * words: one a line. One with a "=" in it is the subject, "CN=mx.example,O=One";
 * the others are hosts, at least one, which become the subjectAltName, and the
 * first of them the subject if there is none. "*.example" is a host too.
 *
 * OK: out has it as PEM (PKI_CSR_MAX octets are enough). E_CONF: why says what
 * is wrong. E_FULL: no memory. E_CORRUPT: der is no key of ours.
 */
MUST_CHECK int pki_csr(struct span der, struct span words, struct text *out,
		       struct text *why);

#endif
