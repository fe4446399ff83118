/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own certificates: which are taken, what the proof finds out, and which
 * one a client is shown, asked by OpenSSL.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "tls_peer.h"

static struct pki_cert ca;
static struct peer peer;
static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static int set_up(void **state)
{
	(void)state;
	ca = pki_ca("the CA", NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_free(&ca);
	return 0;
}

static struct pki_cert cert(const char *san, enum pki_key key)
{
	struct pki_want w = { .san = san, .key = key };

	return pki_make(&w, &ca);
}

/* OK, or what is wrong. */
static const char *add_text(struct tls_identity *id, const char *chain)
{
	const char *why = "?";
	int r = tls_identity_add(id, span_str(chain), &why);

	assert_true(r == OK || r == E_CONF);
	return r == OK ? NULL : why;
}

static const char *add(struct tls_identity *id, const struct pki_cert *c)
{
	char *chain = pki_pem(c);
	const char *why = add_text(id, chain);

	free(chain);
	return why;
}

static int prove(struct tls_identity *id, const char **why, size_t *which)
{
	struct sign_ask q;
	int r;

	while ((r = tls_identity_prove(id, why, which)) == E_AGAIN) {
		assert_null(*why);
		if (tls_identity_asks(id, &q))
			tls_identity_signed(id, sign_by(&q));
	}
	assert_false(tls_identity_asks(id, NULL));
	return r;
}

static void is_proved(struct tls_identity *id)
{
	const char *why;
	size_t which;

	assert_int_equal(prove(id, &why, &which), OK);
	assert_null(why);
}

static void is_refused(const struct pki_want *w, const char *expected)
{
	struct tls_identity *id = tls_identity_new();
	struct pki_cert c = pki_make(w, &ca);
	const char *why = add(id, &c);

	assert_non_null(why);
	assert_string_equal(why, expected);
	tls_identity_free(id);
	pki_free(&c);
}

/* --- what is taken ------------------------------------------------------------- */

static void keys_of_every_kind(void **state)
{
	static const enum pki_key kind[] = { PKI_EC, PKI_RSA, PKI_EC2 };
	struct tls_identity *id = tls_identity_new();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pki_cert c = cert("DNS:mx.example.com", kind[i]);

		assert_null(add(id, &c));
		pki_free(&c);
	}
	is_proved(id);
	tls_identity_free(id);
}

static void what_cannot_be_used_is_named(void **state)
{
	static const struct pki_want rsa = { .key = PKI_RSA1024 },
				     ed = { .key = PKI_ED };
	struct pki_cert one = cert("DNS:a.example", PKI_EC);
	char *chain = pki_pem(&one);
	struct tls_identity *id = tls_identity_new();

	(void)state;
	is_refused(&rsa, "an RSA key below 2048 bits");
	/* mbedTLS knows no Ed25519 at all */
	is_refused(&ed, "the certificate does not parse");
	chain[strlen(chain) / 2] = '\0';
	assert_string_equal(add_text(id, chain),
			    "the certificate does not parse");
	assert_string_equal(add_text(id, ""), "the certificate does not parse");
	assert_string_equal(add_text(id, "not a certificate"),
			    "the certificate does not parse");
	assert_null(tls_identity_pin(id, 0));
	tls_identity_free(id);
	tls_identity_free(NULL);
	free(chain);
	pki_free(&one);
}

static void sixteen_and_no_more(void **state)
{
	struct pki_cert c = cert("DNS:mx.example.com", PKI_EC);
	char *chain = pki_pem(&c);
	struct tls_identity *id = tls_identity_new();
	const char *why;

	(void)state;
	for (int i = 0; i < TLS_CERTS_MAX; i++)
		assert_null(add(id, &c));
	assert_int_equal(tls_identity_add(id, span_str(chain), &why), E_FULL);
	assert_string_equal(why, "too many certificates");
	is_proved(id);
	tls_identity_free(id);
	free(chain);
	pki_free(&c);
}

static void pin_is_that_of_the_certificate(void **state)
{
	static const long to[] = { -1, 1, 90L * DAY, 400L * DAY, 9000L * DAY };

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct pki_want w = { .san = "DNS:a.example",
				      .from = -5 * DAY,
				      .to = to[i] };
		struct pki_cert c = pki_make(&w, &ca);
		struct tls_identity *id = tls_identity_new();
		uint8_t *der = NULL, digest[32];
		int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c.x), &der);

		assert_null(add(id, &c));
		EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL);
		assert_memory_equal(tls_identity_pin(id, 0), digest, 32);
		/* An old certificate still encrypts. */
		is_proved(id);
		OPENSSL_free(der);
		tls_identity_free(id);
		pki_free(&c);
	}
}

/* --- the proof ------------------------------------------------------------------- */

static void nothing_is_no_identity(void **state)
{
	struct tls_identity *id = tls_identity_new();
	const char *why;
	size_t which;

	(void)state;
	assert_int_equal(prove(id, &why, &which), E_CONF);
	assert_string_equal(why, "there is no certificate");
	tls_identity_free(id);
}

/* Key and certificate belong together, and still no client gets through. */
static void a_certificate_that_no_server_may_use_is_found(void **state)
{
	static const struct pki_want wrong[] = {
		{ .san = "DNS:a.example", .eku = "clientAuth" },
		{ .san = "DNS:a.example", .ku = "critical,keyAgreement" },
		{ .san = "DNS:a.example",
		  .key = PKI_RSA,
		  .ku = "critical,keyEncipherment" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct pki_cert good = cert("DNS:b.example", PKI_EC);
		struct pki_cert c = pki_make(&wrong[i], &ca);
		struct tls_identity *id = tls_identity_new();
		const char *why;
		size_t which;

		assert_null(add(id, &good));
		assert_null(add(id, &c));
		assert_int_equal(prove(id, &why, &which), E_CONF);
		assert_string_equal(why, "a handshake with it fails");
		assert_int_equal(which, 1);
		tls_identity_free(id);
		pki_free(&c);
		pki_free(&good);
	}
}

/* Nobody has the key, or somebody signs with another one. */
static void without_the_key_there_is_no_proof(void **state)
{
	static const struct {
		bool wrong;
		const char *why;
	} row[] = { { false, "its private key is not here" },
		    { true, "a handshake with it fails" } };
	struct pki_cert c = cert("DNS:a.example", PKI_EC);
	struct pki_cert other = cert("DNS:b.example", PKI_EC2);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tls_identity *id = tls_identity_new();
		struct sign_ask q;
		const char *why;
		size_t which;

		assert_null(add(id, &c));
		assert_int_equal(tls_identity_prove(id, &why, &which), E_AGAIN);
		/* it does not go on by itself */
		assert_int_equal(tls_identity_prove(id, &why, &which), E_AGAIN);
		assert_true(tls_identity_asks(id, &q));
		assert_memory_equal(q.pin, tls_identity_pin(id, 0), SIGN_PIN);
		assert_int_equal(q.scheme, SIGN_ECDSA);
		assert_null(add(id, &other));
		memcpy(q.pin, tls_identity_pin(id, 1), SIGN_PIN);
		tls_identity_signed(id, row[i].wrong
						? sign_by(&q)
						: (struct span){ NULL, 0 });
		assert_int_equal(tls_identity_prove(id, &why, &which), E_CONF);
		assert_string_equal(why, row[i].why);
		assert_int_equal(which, 0);
		tls_identity_free(id);
	}
	pki_free(&c);
	pki_free(&other);
}

/* --- which one is shown ----------------------------------------------------------- */

struct show {
	const char *host, *sigalgs, *suites;
	const char *shown; /* CN */
};

static struct pki_cert named(const char *cn, const char *san, enum pki_key key)
{
	struct pki_want w = { .cn = cn, .san = san, .key = key };

	return pki_make(&w, &ca);
}

/* RFC 5929 4: what a log-on is bound to is the certificate that was shown. */
static void endpoint_is(const struct tls_engine *e, X509 *x)
{
	static struct channel ch;
	uint8_t digest[32];

	X509_digest(x, EVP_sha256(), digest, NULL);
	tls_engine_channel(e, &ch);
	assert_int_equal(ch.binding.endpoint_n, 32);
	assert_memory_equal(ch.binding.endpoint, digest, 32);
}

static void shown_is(struct tls_identity *id, int version, const struct show *s)
{
	struct peer_asks a = { .min = version,
			       .max = version,
			       .host = s->host,
			       .sigalgs = s->sigalgs,
			       .suites = s->suites };
	struct tls_engine *e = tls_server_new(id, false);
	char cn[64] = "nothing";
	X509 *x;

	peer_client(&peer, &a);
	peer_shake(&peer, e, 65536);
	x = SSL_get1_peer_certificate(peer.ssl);
	if (x && tls_engine_state(e) == TLS_UP) {
		endpoint_is(e, x);
		X509_NAME_get_text_by_NID(X509_get_subject_name(x),
					  NID_commonName, cn, sizeof(cn));
	}
	assert_string_equal(cn, s->shown);
	X509_free(x);
	tls_engine_free(e);
	peer_done(&peer);
}

#define RSA_ONLY "rsa_pss_rsae_sha256:RSA+SHA256"
#define EC_ONLY	 "ECDSA+SHA256"

static void the_name_and_the_client_choose(void **state)
{
	static const struct show row[] = {
		{ NULL, NULL, NULL, "a-ec" },
		{ NULL, RSA_ONLY, NULL, "a-rsa" },
		{ NULL, EC_ONLY, NULL, "a-ec" },
		{ "mx.a.example", NULL, NULL, "a-ec" },
		{ "mx.a.example", RSA_ONLY, NULL, "a-rsa" },
		{ "MX.A.Example", EC_ONLY, NULL, "a-ec" },
		{ "mx.b.example", NULL, NULL, "b-rsa" },
		{ "mx.b.example", RSA_ONLY, NULL, "b-rsa" },
		/* a client that the certificate of that name is not for */
		{ "mx.b.example", EC_ONLY, NULL, "nothing" },
		{ "x.wild.example", NULL, NULL, "wild" },
		{ "y.wild.example", NULL, NULL, "wild" },
		{ "wild.example", NULL, NULL, "a-ec" },
		{ "x.y.wild.example", NULL, NULL, "a-ec" },
		{ "other.example", NULL, NULL, "a-ec" },
		{ "other.example", RSA_ONLY, NULL, "a-rsa" },
		{ "x", NULL, NULL, "a-ec" },
	};
	struct pki_cert c[] = {
		named("a-ec", "DNS:mx.a.example", PKI_EC),
		named("b-rsa", "DNS:mx.b.example", PKI_RSA),
		named("a-rsa", "DNS:mx.a.example,DNS:old.a.example", PKI_RSA),
		named("wild", "DNS:*.wild.example", PKI_EC),
	};
	struct tls_identity *id = tls_identity_new();

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_null(add(id, &c[i]));
	is_proved(id);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		for (int v = 0; v < 2; v++)
			shown_is(id, versions[v], &row[i]);
	tls_identity_free(id);
	for (size_t i = 0; i < 4; i++)
		pki_free(&c[i]);
}

static void a_certificate_without_a_name_serves_alone(void **state)
{
	static const struct show row[] = { { NULL, NULL, NULL, "bare" },
					   { "mx.example", NULL, NULL,
					     "bare" } };
	struct pki_cert c = named("bare", NULL, PKI_EC);
	struct tls_identity *id = tls_identity_new();

	(void)state;
	assert_null(add(id, &c));
	is_proved(id);
	for (size_t i = 0; i < 2; i++)
		shown_is(id, TLS1_3_VERSION, &row[i]);
	tls_identity_free(id);
	pki_free(&c);
}

/* A client gets the whole chain, in its order, and can verify it. */
static void the_chain_is_sent(void **state)
{
	struct pki_cert mid = pki_ca("the CA between", &ca);
	struct pki_want w = { .san = "DNS:mx.example.com" };
	struct pki_cert leaf = pki_make(&w, &mid);
	char *a = pki_pem(&leaf), *b = pki_pem(&mid);
	struct tls_identity *id = tls_identity_new();
	char both[8192];
	size_t n = strlen(a);

	(void)state;
	memcpy(both, a, n);
	memcpy(both + n, b, strlen(b) + 1);
	assert_null(add_text(id, both));
	is_proved(id);
	for (int v = 0; v < 2; v++) {
		struct peer_asks asks = { .min = versions[v],
					  .max = versions[v] };
		struct tls_engine *e = tls_server_new(id, false);

		peer_client(&peer, &asks);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(peer.ctx), ca.x);
		SSL_set_verify(peer.ssl, SSL_VERIFY_PEER, NULL);
		SSL_set1_host(peer.ssl, "mx.example.com");
		peer_shake(&peer, e, 65536);
		assert_int_equal(tls_engine_state(e), TLS_UP);
		assert_int_equal(SSL_get_verify_result(peer.ssl), X509_V_OK);
		tls_engine_free(e);
		peer_done(&peer);
	}
	tls_identity_free(id);
	free(a);
	free(b);
	pki_free(&leaf);
	pki_free(&mid);
}

static void an_identity_outlives_its_owner_while_in_use(void **state)
{
	struct pki_cert c = cert("DNS:mx.example.com", PKI_EC);
	struct peer_asks asks = { .host = "mx.example.com" };
	struct tls_identity *id = tls_identity_new();
	struct tls_engine *e;

	(void)state;
	assert_null(add(id, &c));
	is_proved(id);
	e = tls_server_new(id, true);
	tls_identity_free(id);
	peer_client(&peer, &asks);
	peer_shake(&peer, e, 65536);
	assert_int_equal(tls_engine_state(e), TLS_UP);
	tls_engine_free(e);
	peer_done(&peer);
	pki_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_every_kind),
		cmocka_unit_test(what_cannot_be_used_is_named),
		cmocka_unit_test(without_the_key_there_is_no_proof),
		cmocka_unit_test(sixteen_and_no_more),
		cmocka_unit_test(pin_is_that_of_the_certificate),
		cmocka_unit_test(nothing_is_no_identity),
		cmocka_unit_test(a_certificate_that_no_server_may_use_is_found),
		cmocka_unit_test(the_name_and_the_client_choose),
		cmocka_unit_test(a_certificate_without_a_name_serves_alone),
		cmocka_unit_test(the_chain_is_sent),
		cmocka_unit_test(an_identity_outlives_its_owner_while_in_use),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
