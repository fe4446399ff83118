/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_identity - see tls_identity.h: what is taken as a certificate of ours,
 * and which one a client is shown. The proof is in tls_identity_prove.c. mbedTLS
 * wants a key beside each: it gets the public one, to see what kind it is.
 */
#include <mbedtls/build_info.h> /* first: the others ask it */
#include <mbedtls/pk.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/crypto_memory.h"
#include "policy/policy.h"
#include "tls/tls_server.h"

enum { RSA_BITS_MIN = 2048 };

/* RFC 7301 3.2. No name for SMTP is registered; these are what mail software
 * says. A client that wants another protocol is one that somebody turned to us
 * (ALPACA): mbedTLS ends its handshake. */
static const char *alpn[] = { "smtp", "esmtp", NULL };

int tls_server_configure(mbedtls_ssl_config *c)
{
	if (mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_SERVER,
					MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
	    mbedtls_ssl_conf_alpn_protocols(c, alpn) != 0)
		return E_FULL;
	tls_configure(c);
	tls_sign_elsewhere(c);
	/* Nobody's certificate is trusted; that of a client may be pinned. */
	mbedtls_ssl_conf_cert_req_ca_list(
		c, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
	return OK;
}

/* --- which certificate ---------------------------------------------------- */

static bool has_name(const struct tls_cert *c, struct span host)
{
	size_t i = 0;

	while (i < c->shown.names_n) {
		struct span name = { c->shown.names + i + 1,
				     c->shown.names[i] };

		if (policy_name_matches(name, host))
			return true;
		i += 1 + name.n;
	}
	return false;
}

bool tls_cert_related(const struct tls_cert *a, const struct tls_cert *b)
{
	size_t i = 0;

	while (i < a->shown.names_n) {
		struct span name = { a->shown.names + i + 1,
				     a->shown.names[i] };

		if (has_name(b, name))
			return true;
		i += 1 + name.n;
	}
	return false;
}

/* The client names a host. Not ours: it is shown the first certificate. */
static int on_sni(void *arg, mbedtls_ssl_context *ssl, const unsigned char *p,
		  size_t n)
{
	struct tls_identity *id = arg;
	uint8_t host[POLICY_DOMAIN_MAX];

	if (n > sizeof(host))
		return 0;
	for (size_t i = 0; i < n; i++)
		host[i] = ascii_lower(p[i]);
	for (size_t i = 0; i < id->n; i++)
		if (has_name(id->cert[i], (struct span){ host, n }) &&
		    mbedtls_ssl_set_hs_own_cert(ssl, &id->cert[i]->chain,
						&id->cert[i]->chain.pk) != 0)
			return -1;
	return 0;
}

/* --- life ------------------------------------------------------------------ */

struct tls_identity *tls_identity_new(void)
{
	struct tls_identity *id = calloc(1, sizeof(*id));

	if (!id)
		return NULL;
	id->users = 1;
	if (psa_crypto_init() != PSA_SUCCESS) {
		free(id);
		return NULL;
	}
	for (int ask = 0; ask < 2; ask++)
		mbedtls_ssl_config_init(&id->config[ask]);
	for (int ask = 0; ask < 2; ask++) {
		if (tls_server_configure(&id->config[ask]) != OK) {
			tls_identity_free(id);
			return NULL;
		}
		mbedtls_ssl_conf_authmode(&id->config[ask],
					  ask ? MBEDTLS_SSL_VERIFY_OPTIONAL
					      : MBEDTLS_SSL_VERIFY_NONE);
		mbedtls_ssl_conf_sni(&id->config[ask], on_sni, id);
	}
	return id;
}

static void free_cert(struct tls_cert *c)
{
	if (!c)
		return;
	mbedtls_x509_crt_free(&c->chain);
	free(c);
}

void tls_identity_free(struct tls_identity *id)
{
	if (!id || --id->users > 0)
		return;
	tls_proof_drop(&id->proof);
	for (int ask = 0; ask < 2; ask++)
		mbedtls_ssl_config_free(&id->config[ask]);
	for (size_t i = 0; i < id->n; i++)
		free_cert(id->cert[i]);
	free(id);
}

/* --- one more --------------------------------------------------------------- */

/* mbedTLS wants a NUL behind PEM, and counts it. */
static int parse(struct tls_cert *c, struct span chain)
{
	unsigned char *copy = malloc(chain.n + 1);
	int r;

	if (!copy)
		return E_FULL;
	if (chain.n > 0)
		memcpy(copy, chain.p, chain.n);
	copy[chain.n] = '\0';
	r = mbedtls_x509_crt_parse(&c->chain, copy, chain.n + 1);
	free(copy);
	return r == 0 && c->chain.raw.p ? OK : E_CONF;
}

/* NULL, or what is wrong with its key. */
static const char *fault(const struct tls_cert *c)
{
	const mbedtls_pk_context *pk = &c->chain.pk;

	if (mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA)
		return mbedtls_pk_get_bitlen(pk) < RSA_BITS_MIN
			       ? "an RSA key below 2048 bits"
			       : NULL;
	return mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA)
		       ? NULL
		       : "a key of a kind that cannot sign";
}

int tls_identity_add(struct tls_identity *id, struct span chain,
		     const char **why)
{
	struct tls_cert *c;
	int r;

	*why = "too many certificates";
	if (id->n == TLS_CERTS_MAX)
		return E_FULL;
	*why = "no memory";
	c = calloc(1, sizeof(*c));
	if (!c)
		return E_FULL;
	mbedtls_x509_crt_init(&c->chain);
	(void)crypto_memory_failed(); /* of others */
	r = parse(c, chain);
	if (r == E_CONF)
		*why = "the certificate does not parse";
	if (r == OK) {
		*why = fault(c);
		r = *why ? E_CONF : OK;
	}
	if (r == E_CONF && crypto_memory_failed()) { /* it proves nothing */
		*why = "no memory";
		r = E_FULL;
	}
	if (r != OK) {
		free_cert(c);
		return r;
	}
	tls_describe(&c->chain, &c->shown);
	id->cert[id->n++] = c;
	return OK;
}

int tls_show(mbedtls_ssl_config *c, struct tls_cert *cert)
{
	return mbedtls_ssl_conf_own_cert(c, &cert->chain, &cert->chain.pk) == 0
		       ? OK
		       : E_FULL;
}

/* --- what is asked about them ------------------------------------------------ */

const uint8_t *tls_identity_pin(const struct tls_identity *id, size_t i)
{
	return i < id->n ? id->cert[i]->shown.spki_sha256 : NULL;
}
