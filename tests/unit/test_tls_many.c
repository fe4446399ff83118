/* SPDX-License-Identifier: BSD-2-Clause */
/* Many TLS sessions at the same time: each has its own keys and keeps them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include "tls/tls_engine.h"

enum { SESSIONS = 300 };

static SSL_CTX *ctx;
static struct tls_trust *trust;

struct peer {
	struct tls_engine *engine;
	SSL *ssl;
	BIO *in, *out;
};

/* A server with a certificate of its own; nobody verifies it here. */
static int make_server(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *crt = X509_new();
	unsigned bad;

	(void)state;
	ASN1_INTEGER_set(X509_get_serialNumber(crt), 1);
	X509_gmtime_adj(X509_getm_notBefore(crt), -60);
	X509_gmtime_adj(X509_getm_notAfter(crt), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(crt), "CN",
				   MBSTRING_ASC, (const uint8_t *)"mx", -1, -1,
				   0);
	X509_set_issuer_name(crt, X509_get_subject_name(crt));
	X509_set_pubkey(crt, key);
	assert_int_not_equal(X509_sign(crt, key, EVP_sha256()), 0);
	ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(ctx, crt), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	SSL_CTX_set_num_tickets(ctx, 0);
	X509_free(crt);
	EVP_PKEY_free(key);
	trust = tls_trust_new((struct span){ NULL, 0 }, 0, &bad);
	assert_non_null(trust);
	return 0;
}

static int free_server(void **state)
{
	(void)state;
	tls_trust_free(trust);
	SSL_CTX_free(ctx);
	return 0;
}

/* Move records between engine and server, both ways, once. */
static void carry(struct peer *p)
{
	struct span out = tls_engine_out(p->engine, TLS_NET);
	uint8_t b[20000];
	int n;

	if (out.n > 0) {
		assert_int_equal(BIO_write(p->in, out.p, (int)out.n), out.n);
		tls_engine_sent(p->engine, TLS_NET, out.n);
	}
	SSL_do_handshake(p->ssl);
	while ((n = BIO_read(p->out, b, sizeof(b))) > 0)
		assert_int_equal(tls_engine_feed(p->engine, TLS_NET,
						 (struct span){ b, (size_t)n }),
				 n);
}

static void open_peer(struct peer *p)
{
	p->engine = tls_client_new(trust, (struct span){ NULL, 0 }, NULL);
	p->ssl = SSL_new(ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	assert_non_null(p->engine);
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_accept_state(p->ssl);
}

static void all_up_at_once(struct peer *p)
{
	for (int i = 0; i < SESSIONS; i++)
		open_peer(&p[i]);
	/* All shake hands at the same time, then all are idle. */
	for (int turns = 0; turns < 4; turns++)
		for (int i = 0; i < SESSIONS; i++)
			carry(&p[i]);
	for (int i = 0; i < SESSIONS; i++)
		assert_int_equal(tls_engine_state(p[i].engine), TLS_UP);
}

/* What went in at one end comes out at the other, whoever came later. */
static void each_has_its_own_keys(struct peer *p)
{
	for (int i = 0; i < SESSIONS; i++) {
		uint32_t sent = 0x10000u + (uint32_t)i, got = 0;
		struct span s = { (const uint8_t *)&sent, sizeof(sent) };

		assert_int_equal(tls_engine_feed(p[i].engine, TLS_APP, s),
				 sizeof(sent));
		carry(&p[i]);
		assert_int_equal(SSL_read(p[i].ssl, &got, sizeof(got)),
				 sizeof(got));
		assert_int_equal(got, sent);
	}
}

static void sessions_do_not_run_out_of_keys(void **state)
{
	static struct peer p[SESSIONS];

	(void)state;
	/* Twice: what the first ones held is free again. */
	for (int again = 0; again < 2; again++) {
		all_up_at_once(p);
		each_has_its_own_keys(p);
		for (int i = 0; i < SESSIONS; i++) {
			tls_engine_free(p[i].engine);
			SSL_free(p[i].ssl);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_do_not_run_out_of_keys),
	};

	return cmocka_run_group_tests(tests, make_server, free_server);
}
