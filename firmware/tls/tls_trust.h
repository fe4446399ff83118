/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLS_TLS_TRUST_H
#define TLS_TLS_TRUST_H

#include <mbedtls/ssl.h>
#include "tls/tls_engine.h"

/* What the files of tls/ share. */
struct tls_trust {
	mbedtls_x509_crt ca;
	mbedtls_ssl_config client;
	unsigned users;
};

/* What both roles have in common: versions, suites, signatures, randomness. */
void tls_configure(mbedtls_ssl_config *c);

/* Settings of every client: those, and whom t trusts. E_FULL: no memory. */
MUST_CHECK int tls_client_configure(mbedtls_ssl_config *c, struct tls_trust *t);

/* The result of a verification, from mbedTLS's flags. */
enum tls_result tls_result_of(uint32_t flags);

/* Fill names and SPKI digest from the leaf. */
void tls_describe(const mbedtls_x509_crt *leaf, struct channel *ch);

/* As Unix time, at least 1. */
uint64_t tls_time(const mbedtls_x509_time *t);

/* "tls-server-end-point" of the server's leaf; left alone without memory. */
void tls_bind_endpoint(const mbedtls_x509_crt *leaf, struct logon_binding *b);

#endif
