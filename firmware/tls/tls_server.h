/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLS_TLS_SERVER_H
#define TLS_TLS_SERVER_H

#include "tls/tls_identity.h"
#include "tls/tls_trust.h"

/* What the files of tls/ share about the server's role. */
struct tls_cert {
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
	struct channel shown; /* what a client will see: names, SPKI */
};

struct tls_identity {
	unsigned users;
	size_t n, tried;
	bool proved;
	/* For clients that are asked for a certificate, and that are not. */
	mbedtls_ssl_config config[2];
	struct tls_cert *cert[TLS_CERTS_MAX];
};

/* Settings of every server: versions, suites, ALPN. E_FULL: no memory. */
MUST_CHECK int tls_server_configure(mbedtls_ssl_config *c);

/* Do two certificates have a name in common? */
bool tls_cert_related(const struct tls_cert *a, const struct tls_cert *b);

/* An engine on a configuration that outlives it; its owner is whoever has that.
 * NULL: no memory. */
struct tls_engine *tls_engine_on(const mbedtls_ssl_config *c);

#endif
