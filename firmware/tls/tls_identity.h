/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLS_TLS_IDENTITY_H
#define TLS_TLS_IDENTITY_H

#include "base/err.h"
#include "base/sign.h"
#include "base/span.h"

/*
 * tls_identity - who we are: certificates, and which of them is shown to whom. Their
 * private keys are not here: a signature is asked for where they are (base/sign.h).
 *
 *	new, add ..., prove, then tls_server_new (tls_engine.h)
 *
 * To a server that asks for one, that is the first of a kind that the server takes.
 * A client that names a host (SNI, RFC 6066 3) is shown a certificate that has
 * the name; one that names none, or none of ours, is shown the first one that
 * was added. Where several have the name, RSA and ECDSA, the client's own
 * abilities choose.
 */
enum { TLS_CERTS_MAX = 16 };

struct tls_identity;

/* NULL: no memory. Its owner and every engine made from it keep it alive. */
struct tls_identity *tls_identity_new(void);
void tls_identity_free(struct tls_identity *id);

/*
 * One more certificate: chain, PEM with the server's own certificate first. It need
 * not stay. RSA from 2048 bits, or a NIST curve.
 *
 * OK; E_FULL: no memory, or more than TLS_CERTS_MAX; E_CONF: it cannot be used,
 * and *why says in one clause what is wrong. Nothing is added then.
 */
MUST_CHECK int tls_identity_add(struct tls_identity *id, struct span chain,
				const char **why);

/*
 * A whole handshake with ourselves for every certificate and TLS version, and
 * octets both ways; one handshake at a call, or as much of it as there is without a
 * signature. E_AGAIN: there is more. Nothing may be offered to anybody before this
 * has said OK: a server that offers TLS and then fails keeps mail away that would
 * have come in clear. E_CONF, with *why and *which (from 0, in the order of _add):
 * that one does not work. E_CONF also when there is none, E_FULL: no memory.
 */
MUST_CHECK int tls_identity_prove(struct tls_identity *id, const char **why,
				  size_t *which);
/* After E_AGAIN: does it wait for a signature? Then say it, before _prove; empty:
 * nobody has the key. */
bool tls_identity_asks(const struct tls_identity *id, struct sign_ask *q);
void tls_identity_signed(struct tls_identity *id, struct span signature);

/* SHA-256 of the SubjectPublicKeyInfo of certificate i: what a partner may pin.
 * NULL: there is no such one. It stays as long as id. */
const uint8_t *tls_identity_pin(const struct tls_identity *id, size_t i);

#endif
