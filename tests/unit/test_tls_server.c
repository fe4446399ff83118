/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TLS server engine against OpenSSL as its client, in one process and
 * without a socket: cut everywhere, every record tampered with, and clients
 * that ask for what is not to be given.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "tls_peer.h"

static struct pki_cert ca, leaf, rsa, own;
static struct tls_identity *identity;
static struct peer peer;
static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void add(const struct pki_cert *c)
{
	char *chain = pki_pem(c);
	const char *why;

	assert_int_equal(tls_identity_add(identity, span_str(chain), &why), OK);
	free(chain);
}

static int set_up(void **state)
{
	struct pki_want w = { .san = "DNS:mx.example.com" };
	struct pki_want partner = { .cn = "partner",
				    .san = "DNS:partner.example",
				    .key = PKI_EC2,
				    .eku = "clientAuth" };
	struct sign_ask q;
	const char *why;
	size_t which;
	int r;

	(void)state;
	ca = pki_ca("the CA", NULL);
	leaf = pki_make(&w, &ca);
	w.key = PKI_RSA;
	rsa = pki_make(&w, &ca);
	own = pki_make(&partner, NULL);
	identity = tls_identity_new();
	add(&leaf);
	add(&rsa);
	while ((r = tls_identity_prove(identity, &why, &which)) == E_AGAIN)
		if (tls_identity_asks(identity, &q))
			tls_identity_signed(identity, sign_by(&q));
	return r;
}

static int tear_down(void **state)
{
	(void)state;
	tls_identity_free(identity);
	pki_free(&own);
	pki_free(&rsa);
	pki_free(&leaf);
	pki_free(&ca);
	return 0;
}

static struct tls_engine *server(bool ask)
{
	struct tls_engine *e = tls_server_new(identity, ask);

	assert_non_null(e);
	assert_int_equal(tls_engine_state(e), TLS_SHAKING);
	assert_int_equal(tls_engine_out(e, TLS_NET).n, 0);
	return e;
}

static struct peer_asks only(int version)
{
	return (struct peer_asks){ .min = version, .max = version };
}

static struct tls_engine *meet(const struct peer_asks *a, bool ask, size_t cut)
{
	struct tls_engine *e = server(ask);

	peer_client(&peer, a);
	peer_shake(&peer, e, cut);
	return e;
}

static void done(struct tls_engine *e)
{
	tls_engine_free(e);
	peer_done(&peer);
}

static void is_up(const struct tls_engine *e, int version)
{
	struct channel ch;

	assert_int_equal(tls_engine_state(e), TLS_UP);
	assert_true(SSL_is_init_finished(peer.ssl));
	tls_engine_channel(e, &ch);
	assert_true(ch.tls);
	assert_int_equal(ch.version, version);
	assert_non_null(ch.suite);
}

static void is_failed(const struct tls_engine *e)
{
	struct channel ch;

	assert_int_equal(tls_engine_state(e), TLS_FAILED);
	tls_engine_channel(e, &ch);
	assert_false(ch.tls);
	assert_false(ch.certificate);
	assert_int_equal(ch.missing, TLS_VALIDATION_FAILURE);
	assert_true(strlen(ch.why) > 10);
	assert_int_equal(tls_engine_out(e, TLS_APP).n, 0);
}

/* The last fatal alert among the records that wait; -1: none in clear. */
static int alert_of(const struct tls_engine *e)
{
	struct span s = tls_engine_out(e, TLS_NET);
	int alert = -1;

	while (s.n >= 5) {
		size_t n = 5u + get_be16(s.p + 3);

		assert_true(n <= s.n);
		if (s.p[0] == 21 && n == 7 && s.p[5] == 2)
			alert = s.p[6];
		s = span_skip(s, n);
	}
	return alert;
}

static size_t client_read(uint8_t *to, size_t n)
{
	size_t got = 0;
	int r;

	while (got < n &&
	       (r = SSL_read(peer.ssl, to + got, (int)(n - got))) > 0)
		got += (size_t)r;
	ERR_clear_error();
	return got;
}

static void client_write(const void *b, size_t n)
{
	assert_int_equal(SSL_write(peer.ssl, b, (int)n), (int)n);
	peer_step(&peer);
}

/* --- handshakes ----------------------------------------------------------------- */

static void handshakes_in_pieces_of_every_size(void **state)
{
	static const size_t size[] = { 1,  2,	3,   4,	  5,	7,
				       13, 127, 500, 536, 1460, 65536 };

	(void)state;
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
			struct peer_asks a = only(versions[v]);
			struct tls_engine *e;

			a.cert = &own;
			e = meet(&a, true, size[i]);
			is_up(e, versions[v]);
			done(e);
		}
}

/* The ClientHello in two pieces, cut before every octet of it. */
static void a_hello_cut_before_every_octet(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		size_t hello = 2;

		for (size_t k = 1; k < hello; k++) {
			struct peer_asks a = only(versions[v]);
			struct tls_engine *e = server(false);
			struct span s;

			a.host = "mx.example.com";
			peer_client(&peer, &a);
			peer_step(&peer);
			hello = peer.to_e.tail;
			s = (struct span){ peer.to_e.b, k };
			assert_int_equal(tls_engine_feed(e, TLS_NET, s), k);
			assert_int_equal(tls_engine_out(e, TLS_NET).n, 0);
			peer.to_e.head = k;
			peer_shake(&peer, e, 65536);
			is_up(e, versions[v]);
			done(e);
			k += k > 120 ? 3 : 0; /* inside the key shares */
		}
		assert_true(hello > 100);
	}
}

static void every_group_and_suite(void **state)
{
	static const char *const group[] = { "X25519", "P-256", "P-384",
					     "P-521", "X448:P-384" };
	static const char *const suite[] = {
		"ECDHE-ECDSA-AES128-GCM-SHA256",
		"ECDHE-ECDSA-AES256-GCM-SHA384",
		"ECDHE-ECDSA-CHACHA20-POLY1305",
		"ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-RSA-CHACHA20-POLY1305",
	};

	(void)state;
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++) {
			struct peer_asks a = only(versions[v]);
			struct tls_engine *e;

			/* the last one: a key share that we do not take, so
			 * the client is asked for another (1.3) */
			a.groups = group[i];
			/* in 1.2 the groups are also those of ECDSA keys */
			a.suites = "aRSA";
			e = meet(&a, false, 65536);
			is_up(e, versions[v]);
			done(e);
		}
	for (size_t i = 0; i < sizeof(suite) / sizeof(suite[0]); i++) {
		struct peer_asks a = only(TLS1_2_VERSION);
		struct tls_engine *e;

		a.suites = suite[i];
		e = meet(&a, false, 65536);
		is_up(e, TLS1_2_VERSION);
		done(e);
	}
}

static void the_newer_version_is_chosen(void **state)
{
	struct peer_asks a = { .min = TLS1_VERSION };
	struct tls_engine *e = meet(&a, false, 65536);

	(void)state;
	is_up(e, TLS1_3_VERSION);
	done(e);
}

/* --- which protocol is spoken inside --------------------------------------------- */

static void another_protocol_is_refused(void **state)
{
	static const struct {
		const char *list, *chosen;
	} row[] = {
		{ NULL, "" },
		{ "\4smtp", "smtp" },
		{ "\5esmtp", "esmtp" },
		{ "\2h2\4smtp", "smtp" },
		{ "\5esmtp\4smtp", "smtp" },
		{ "\10http/1.1", NULL },
		{ "\2h2\10http/1.1", NULL },
		{ "\3ftp", NULL },
		{ "\4imap\4pop3", NULL },
		{ "\4SMTP", NULL },
		{ "\5smtpx", NULL },
		{ "\3smt", NULL },
	};

	(void)state;
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			struct peer_asks a = only(versions[v]);
			struct tls_engine *e = server(false);
			const uint8_t *p;
			unsigned n;

			a.alpn = row[i].list;
			peer_client(&peer, &a);
			peer_step(&peer);
			peer_move(&peer, e, 65536);
			if (!row[i].chosen) {
				is_failed(e);
				assert_int_equal(alert_of(e), 120);
				done(e);
				continue;
			}
			peer_shake(&peer, e, 65536);
			is_up(e, versions[v]);
			SSL_get0_alpn_selected(peer.ssl, &p, &n);
			assert_int_equal(n, strlen(row[i].chosen));
			if (n > 0)
				assert_memory_equal(p, row[i].chosen, n);
			done(e);
		}
}

/* --- the client's certificate ----------------------------------------------------- */

static void a_client_certificate_is_a_pin(void **state)
{
	uint8_t *der = NULL, digest[32];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(own.x), &der);

	(void)state;
	EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	for (int v = 0; v < 2; v++)
		for (int how = 0; how < 4; how++) {
			struct peer_asks a = only(versions[v]);
			bool ask = how & 1, has = how & 2;
			struct tls_engine *e;
			struct channel ch;

			a.cert = has ? &own : NULL;
			e = meet(&a, ask, 65536);
			is_up(e, versions[v]);
			tls_engine_channel(e, &ch);
			assert_int_equal(ch.certificate, ask && has);
			/* who it is, no CA says */
			assert_int_not_equal(ch.chain, TLS_RESULT_OK);
			if (ch.certificate)
				assert_memory_equal(ch.spki_sha256, digest, 32);
			done(e);
		}
}

/* Expired, of the wrong use, from nowhere: a pin is about the key. But without
 * the key a certificate is nothing. */
static void whatever_the_certificate_says(void **state)
{
	static const struct pki_want odd[] = {
		{ .from = -9L * DAY, .to = -DAY },
		{ .from = DAY, .to = 9L * DAY },
		{ .eku = "serverAuth" },
		{ .ku = "critical,keyAgreement" },
		{ .v1 = true },
		{ .key = PKI_RSA },
	};

	(void)state;
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
			struct pki_cert c = pki_make(&odd[i], NULL);
			struct peer_asks a = only(versions[v]);
			struct tls_engine *e;
			struct channel ch;

			a.cert = &c;
			e = meet(&a, true, 65536);
			is_up(e, versions[v]);
			tls_engine_channel(e, &ch);
			assert_true(ch.certificate);
			done(e);
			pki_free(&c);
		}
}

/* --- what is not given ----------------------------------------------------------- */

static void old_clients_are_refused(void **state)
{
	static const struct peer_asks row[] = {
		{ .min = TLS1_VERSION, .max = TLS1_VERSION, .suites = "ALL" },
		{ .min = TLS1_1_VERSION, .max = TLS1_1_VERSION },
		{ .max = TLS1_2_VERSION, .suites = "AES128-GCM-SHA256" },
		{ .max = TLS1_2_VERSION, .suites = "AES128-SHA" },
		{ .max = TLS1_2_VERSION,
		  .suites = "DHE-RSA-AES128-GCM-SHA256" },
		{ .max = TLS1_2_VERSION, .suites = "ECDHE-RSA-AES128-SHA" },
		{ .max = TLS1_2_VERSION, .suites = "ECDHE-ECDSA-AES128-CCM8" },
		{ .max = TLS1_2_VERSION, .suites = "AECDH-AES128-SHA" },
		{ .max = TLS1_2_VERSION, .suites = "NULL" },
		{ .sigalgs = "RSA+SHA1:ECDSA+SHA1" },
		{ .max = TLS1_2_VERSION, .groups = "X448" },
		{ .min = TLS1_3_VERSION, .groups = "X448" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct tls_engine *e = meet(&row[i], false, 65536);

		is_failed(e);
		assert_false(SSL_is_init_finished(peer.ssl));
		done(e);
	}
}

/* No ticket is given, and a session of before is not taken up again. */
static void nothing_is_resumed(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct peer_asks a = only(versions[v]);
		struct tls_engine *e = meet(&a, false, 65536);
		SSL_SESSION *before;
		uint8_t b[16];

		client_write("NOOP\r\n", 6);
		while (peer_move(&peer, e, 65536))
			;
		tls_engine_feed(e, TLS_APP, SPAN_LIT("250 ok\r\n"));
		while (peer_move(&peer, e, 65536))
			;
		assert_int_equal(client_read(b, sizeof(b)), 8);
		before = SSL_get1_session(peer.ssl);
		assert_false(SSL_SESSION_has_ticket(before));
		done(e);
		e = server(false);
		peer_client(&peer, &a);
		SSL_set_session(peer.ssl, before);
		peer_shake(&peer, e, 65536);
		is_up(e, versions[v]);
		assert_false(SSL_session_reused(peer.ssl));
		SSL_SESSION_free(before);
		done(e);
	}
}

static void renegotiation_never_happens(void **state)
{
	struct peer_asks a = only(TLS1_2_VERSION);
	struct tls_engine *e = meet(&a, false, 65536);
	uint8_t b[64];

	(void)state;
	is_up(e, TLS1_2_VERSION);
	assert_int_equal(SSL_renegotiate(peer.ssl), 1);
	SSL_do_handshake(peer.ssl);
	peer_step(&peer);
	while (peer_move(&peer, e, 65536))
		client_read(b, sizeof(b));
	assert_int_equal(SSL_num_renegotiations(peer.ssl), 1); /* asked for */
	assert_false(SSL_is_init_finished(peer.ssl));
	assert_int_equal(tls_engine_out(e, TLS_APP).n, 0);
	done(e);
}

/* --- data ------------------------------------------------------------------------- */

enum { BULK = 200000 };
static uint8_t sent[BULK], got[BULK];

static void fill(uint8_t *b, size_t n)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		b[i] = (uint8_t)(x >> 24);
	}
}

static void data_both_ways(void **state)
{
	static const size_t cut[] = { 97, 1460, 65536 };

	(void)state;
	fill(sent, BULK);
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
			struct peer_asks a = only(versions[v]);
			struct tls_engine *e = meet(&a, false, 65536);
			size_t n = 0, fed = 0, k;

			for (size_t at = 0; at < BULK; at += 20000)
				client_write(sent + at, 20000);
			do {
				bool moved = peer_move(&peer, e, cut[i]);

				k = engine_take(e, got + n, BULK - n, cut[i]);
				n += k;
				k += moved;
			} while (k > 0);
			assert_int_equal(n, BULK);
			assert_memory_equal(got, sent, BULK);
			for (n = 0; n < BULK; n += k) {
				struct span s = { sent + fed, BULK - fed };

				fed += tls_engine_feed(e, TLS_APP, s);
				peer_move(&peer, e, cut[i]);
				k = client_read(got + n, BULK - n);
			}
			assert_memory_equal(got, sent, BULK);
			done(e);
		}
}

/* What a client sends without waiting for our end of the handshake (1.3). */
static void early_words_of_the_client_are_heard(void **state)
{
	struct peer_asks a = only(TLS1_3_VERSION);
	struct tls_engine *e = server(false);
	uint8_t b[16];

	(void)state;
	peer_client(&peer, &a);
	peer_step(&peer);
	peer_move(&peer, e, 65536); /* its hello; our flight waits */
	while (!SSL_is_init_finished(peer.ssl))
		assert_true(peer_move(&peer, e, 65536));
	client_write("EHLO c\r\n", 8);
	while (peer_move(&peer, e, 65536))
		;
	is_up(e, TLS1_3_VERSION);
	assert_int_equal(engine_take(e, b, sizeof(b), 16), 8);
	assert_memory_equal(b, "EHLO c\r\n", 8);
	done(e);
}

/* --- ends ------------------------------------------------------------------------- */

static void after_close_notify_nothing_is_read(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct peer_asks a = only(versions[v]);
		struct tls_engine *e = meet(&a, false, 65536);
		uint8_t b[64], more[100];

		client_write("QUIT\r\n", 6);
		SSL_shutdown(peer.ssl);
		peer_step(&peer);
		memset(more, 'x', sizeof(more));
		pipe_put(&peer.to_e, more, sizeof(more));
		while (peer_move(&peer, e, 65536))
			;
		assert_int_equal(tls_engine_state(e), TLS_CLOSED);
		assert_int_equal(peer.to_e.tail - peer.to_e.head, sizeof(more));
		assert_int_equal(engine_take(e, b, sizeof(b), 64), 6);
		assert_memory_equal(b, "QUIT\r\n", 6);
		done(e);
	}
}

static void our_close_notify_reaches_the_client(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct peer_asks a = only(versions[v]);
		struct tls_engine *e = meet(&a, false, 65536);
		uint8_t b[64];

		tls_engine_feed(e, TLS_APP, SPAN_LIT("221 bye\r\n"));
		tls_engine_close(e);
		while (peer_move(&peer, e, 3000))
			;
		assert_int_equal(client_read(b, sizeof(b)), 9);
		assert_true(SSL_get_shutdown(peer.ssl) & SSL_RECEIVED_SHUTDOWN);
		done(e);
	}
}

/* --- what is not TLS, and what was changed on the way ----------------------------- */

static void what_is_not_tls_is_refused(void **state)
{
	static const char *const row[] = {
		"EHLO client.example\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2p1\r\n",
		"\x80\x2e\x01\x03\x01 an SSL 2 hello",
		"\x16\x03\x01\xff\xff too long",
		"\x17\x03\x03\x01\x01 application data before its time",
		"\x18\x03\x03\x10\x10\x01\x40\x10 heartbeat",
		"\x16\x03\x01\x01\x01\x02 a ServerHello from a client",
		"\x16\x03\x01\x01\x01\x01\x00\x00\x00 an empty hello",
		"\xff\xff\xff\xff\xff\xff\xff\xff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		for (size_t cut = 1; cut < 60; cut += 58) {
			struct tls_engine *e = server(false);
			uint8_t b[512];
			size_t took = 0;

			memset(b, 'z', sizeof(b));
			memcpy(b, row[i], strlen(row[i]) + 1);
			while (took < sizeof(b)) {
				struct span s = { b + took,
						  sizeof(b) - took < cut
							  ? sizeof(b) - took
							  : cut };
				size_t k = tls_engine_feed(e, TLS_NET, s);

				if (k == 0)
					break;
				took += k;
			}
			is_failed(e);
			tls_engine_free(e);
		}
}

/* Every octet of a ClientHello set to what makes lengths lie. */
static void a_hello_with_any_octet_changed(void **state)
{
	static const uint8_t change[] = { 0x00, 0xff };
	uint8_t hello[1024];
	size_t n;

	(void)state;
	for (int v = 0; v < 2; v++) {
		struct peer_asks a = only(versions[v]);

		a.host = "mx.example.com";
		a.alpn = "\4smtp";
		peer_client(&peer, &a);
		peer_step(&peer);
		n = peer.to_e.tail;
		assert_in_range(n, 100, sizeof(hello));
		for (size_t at = 0; at < n; at++)
			for (size_t c = 0; c < sizeof(change); c++) {
				struct tls_engine *e = server(false);
				uint8_t *copy = malloc(n);

				memcpy(copy, peer.to_e.b, n);
				copy[at] = change[c];
				tls_engine_feed(e, TLS_NET,
						(struct span){ copy, n });
				/* never up by a hello alone */
				assert_int_not_equal(tls_engine_state(e),
						     TLS_UP);
				free(copy);
				tls_engine_free(e);
			}
		peer_done(&peer);
	}
}

/* One bit changed in each record of a whole session: nothing behind it is
 * believed. */
static void tampered(int version, size_t record, size_t at)
{
	static const char said[] = "NOOP one\r\n";
	struct peer_asks a = only(version);
	struct tls_engine *e = server(true);
	uint8_t b[200];
	size_t n;

	a.cert = &own;
	peer_client(&peer, &a);
	peer.tamper.record = record;
	peer.tamper.at = at;
	peer.tamper.bit = 0x10;
	peer_shake(&peer, e, 65536);
	for (int i = 0; i < 3 && SSL_is_init_finished(peer.ssl); i++)
		client_write(said, 10);
	if (SSL_is_init_finished(peer.ssl)) {
		SSL_shutdown(peer.ssl);
		peer_step(&peer);
	}
	while (peer_move(&peer, e, 65536))
		;
	n = engine_take(e, b, sizeof(b), 64);
	assert_int_equal(n % 10, 0);
	for (size_t i = 0; i < n; i += 10)
		assert_memory_equal(b + i, said, 10);
	if (peer.tamper.done) {
		assert_true(n < 30 || record + 1 >= peer.tamper.seen);
		assert_int_not_equal(tls_engine_state(e), TLS_CLOSED);
	} else {
		assert_int_equal(n, 30);
		assert_int_equal(tls_engine_state(e), TLS_CLOSED);
	}
	done(e);
}

static void a_flipped_bit_in_any_record_is_seen(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		size_t records;

		tampered(versions[v], SIZE_MAX, 0);
		records = peer.tamper.seen;
		assert_in_range(records, 7, 63);
		for (size_t r = 0; r < records; r++) {
			size_t n = peer.tamper.len[r];
			size_t at[] = { 0, 3, 4, 5, 5 + (n - 5) / 2, SIZE_MAX };

			for (size_t i = 0; i < 6; i++)
				tampered(versions[v], r, at[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_in_pieces_of_every_size),
		cmocka_unit_test(a_hello_cut_before_every_octet),
		cmocka_unit_test(every_group_and_suite),
		cmocka_unit_test(the_newer_version_is_chosen),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(a_client_certificate_is_a_pin),
		cmocka_unit_test(whatever_the_certificate_says),
		cmocka_unit_test(old_clients_are_refused),
		cmocka_unit_test(nothing_is_resumed),
		cmocka_unit_test(renegotiation_never_happens),
		cmocka_unit_test(data_both_ways),
		cmocka_unit_test(early_words_of_the_client_are_heard),
		cmocka_unit_test(after_close_notify_nothing_is_read),
		cmocka_unit_test(our_close_notify_reaches_the_client),
		cmocka_unit_test(what_is_not_tls_is_refused),
		cmocka_unit_test(a_hello_with_any_octet_changed),
		cmocka_unit_test(a_flipped_bit_in_any_record_is_seen),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
