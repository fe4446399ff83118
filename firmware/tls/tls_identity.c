/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_identity - see tls_identity.h: what is taken as a certificate of ours,
 * and which one a client is shown. The proof is in tls_identity_prove.c.
 */
#include <mbedtls/build_info.h> /* first: the others ask it */
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
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
						&id->cert[i]->key) != 0)
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
	mbedtls_pk_free(&c->key);
	free(c);
}

void tls_identity_free(struct tls_identity *id)
{
	if (!id || --id->users > 0)
		return;
	for (int ask = 0; ask < 2; ask++)
		mbedtls_ssl_config_free(&id->config[ask]);
	for (size_t i = 0; i < id->n; i++)
		free_cert(id->cert[i]);
	free(id);
}

/* --- one more --------------------------------------------------------------- */

/* mbedTLS wants a NUL behind PEM, and counts it. */
static int parse(struct tls_cert *c, struct span chain, struct span key)
{
	static const char pem[] = "-----BEGIN";
	bool key_pem = key.n >= sizeof(pem) - 1 &&
		       memcmp(key.p, pem, sizeof(pem) - 1) == 0;
	size_t key_n = key.n + (key_pem ? 1 : 0);
	unsigned char *copy = malloc(chain.n + key.n + 2);
	int r;

	if (!copy)
		return E_FULL;
	if (chain.n > 0)
		memcpy(copy, chain.p, chain.n);
	copy[chain.n] = '\0';
	r = mbedtls_x509_crt_parse(&c->chain, copy, chain.n + 1);
	if (r == 0 && key.n > 0) {
		memcpy(copy, key.p, key.n);
		copy[key.n] = '\0';
		r = mbedtls_pk_parse_key(&c->key, copy, key_n, NULL, 0, tls_rng,
					 NULL);
		mbedtls_platform_zeroize(copy, key.n);
	}
	free(copy);
	return r == 0 ? OK : E_CONF;
}

/* NULL, or what is wrong with it. */
static const char *fault(struct tls_cert *c)
{
	mbedtls_pk_type_t type = mbedtls_pk_get_type(&c->key);

	if (!c->chain.raw.p)
		return "there is no certificate";
	if (type == MBEDTLS_PK_NONE)
		return "there is no private key";
	if (type == MBEDTLS_PK_RSA &&
	    mbedtls_pk_get_bitlen(&c->key) < RSA_BITS_MIN)
		return "an RSA key below 2048 bits";
	if (type != MBEDTLS_PK_RSA &&
	    !mbedtls_pk_can_do(&c->key, MBEDTLS_PK_ECDSA))
		return "a key of a kind that cannot sign";
	if (mbedtls_pk_check_pair(&c->chain.pk, &c->key, tls_rng, NULL) != 0)
		return "the key is not that of the certificate";
	return NULL;
}

int tls_identity_add(struct tls_identity *id, struct span chain,
		     struct span key, const char **why)
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
	mbedtls_pk_init(&c->key);
	(void)crypto_memory_failed(); /* of others */
	r = parse(c, chain, key);
	if (r == E_CONF)
		*why = c->chain.raw.p ? "the private key does not parse"
				      : "the certificate does not parse";
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

/* --- what is asked about them ------------------------------------------------ */

uint64_t tls_identity_until(const struct tls_identity *id, size_t i)
{
	return i < id->n ? tls_time(&id->cert[i]->chain.valid_to) : 0;
}

const uint8_t *tls_identity_pin(const struct tls_identity *id, size_t i)
{
	return i < id->n ? id->cert[i]->shown.spki_sha256 : NULL;
}
