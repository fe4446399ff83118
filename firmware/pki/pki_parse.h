/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PKI_PKI_PARSE_H
#define PKI_PKI_PARSE_H

#include <mbedtls/build_info.h> /* first: the others ask it */
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include "base/text.h"
#include "pki/pki_key.h"

/* pki_parse - what the files of pki/ share. Private to pki/. */

/* For mbedTLS. */
int pki_random(void *arg, unsigned char *out, size_t n);

/* NULL, or why it is not a key for us. */
const char *pki_key_fault(const mbedtls_pk_context *pk);

/* As pki_key_info. E_FULL: no memory. */
MUST_CHECK int pki_key_describe(const mbedtls_pk_context *pk,
				struct pki_info *info);

/* DER of a key that is complete. E_FULL. */
MUST_CHECK int pki_key_write(const mbedtls_pk_context *pk,
			     uint8_t der[PKI_KEY_MAX], size_t *n);

/* Unix time. */
uint64_t pki_time(const mbedtls_x509_time *t);

/* The names of its subjectAltName, a blank in front of each. */
void pki_names(const mbedtls_x509_crt *crt, struct text *out);

#endif
