/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLS_TLS_SERVER_H
#define TLS_TLS_SERVER_H

#include "tls/tls_identity.h"
#include "tls/tls_trust.h"

/* What the files of tls/ share about the server's role. */
struct tls_cert {
	mbedtls_x509_crt chain; /* first: tls_cert_of */
	struct channel shown;	/* what a client will see: names, SPKI */
};

/* mbedTLS knows certificates by their chain. */
static inline struct tls_cert *tls_cert_of(mbedtls_x509_crt *chain)
{
	return (struct tls_cert *)chain;
}

/* A handshake of a certificate with ourselves (tls_identity_prove.c). */
struct tls_proof {
	size_t version; /* which, of those that there are */
	struct tls_trust *as;
	mbedtls_ssl_config alone; /* in use while there is a server */
	struct tls_engine *client, *server;
	bool unsigned_; /* nobody has the key */
};

struct tls_identity {
	unsigned users;
	size_t n, tried;
	bool proved;
	struct tls_proof proof;
	/* For clients that are asked for a certificate, and that are not. */
	mbedtls_ssl_config config[2];
	struct tls_cert *cert[TLS_CERTS_MAX];
};

/* Signatures are asked for by tls_engine_asks. */
void tls_sign_elsewhere(mbedtls_ssl_config *c);

/* Settings of every server: versions, suites, ALPN. E_FULL: no memory. */
MUST_CHECK int tls_server_configure(mbedtls_ssl_config *c);

/* One more certificate to show, whose key signs elsewhere. E_FULL: no memory. */
MUST_CHECK int tls_show(mbedtls_ssl_config *c, struct tls_cert *cert);

/* What is under way of a proof, freed. */
void tls_proof_drop(struct tls_proof *p);

/* Do two certificates have a name in common? */
bool tls_cert_related(const struct tls_cert *a, const struct tls_cert *b);

/* An engine on a configuration that outlives it; its owner is whoever has that.
 * NULL: no memory. */
struct tls_engine *tls_engine_on(const mbedtls_ssl_config *c);

#endif
