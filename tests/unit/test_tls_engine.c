/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TLS client engine against OpenSSL, in one process and without a socket:
 * cut everywhere, every record tampered with, and servers that offer what is
 * not to be taken.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "policy/policy.h"
#include "tls_peer.h"

static struct pki_cert ca, leaf;
static struct tls_trust *trust;
static struct peer peer;
static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static int set_up(void **state)
{
	struct pki_want w = { .san = "DNS:mx.example.com" };
	unsigned bad;
	char *pem;

	(void)state;
	ca = pki_ca("the CA", NULL);
	leaf = pki_make(&w, &ca);
	pem = pki_pem(&ca);
	trust = tls_trust_new(span_str(pem), 0, &bad);
	free(pem);
	return trust ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_trust_free(trust);
	pki_free(&leaf);
	pki_free(&ca);
	return 0;
}

static struct tls_engine *client(void)
{
	struct tls_engine *e = tls_client_new(trust, SPAN_LIT("mx.example.com"),
					      NULL);

	assert_non_null(e);
	return e;
}

static struct tls_engine *meet(const struct peer_want *w, size_t cut)
{
	struct tls_engine *e = client();

	peer_init(&peer, w);
	peer_shake(&peer, e, cut);
	return e;
}

static struct peer_want only(int version)
{
	return (struct peer_want){ .min = version,
				   .max = version,
				   .cert = &leaf };
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
	tls_engine_channel(e, &ch);
	assert_true(ch.tls);
	assert_int_equal(ch.version, version);
	assert_non_null(ch.suite);
	assert_int_equal(ch.chain, TLS_RESULT_OK);
	assert_int_equal(ch.names_n, 15);
	assert_memory_equal(ch.names, "\016mx.example.com", 15);
}

static void is_failed(const struct tls_engine *e)
{
	struct channel ch;

	assert_int_equal(tls_engine_state(e), TLS_FAILED);
	tls_engine_channel(e, &ch);
	assert_false(ch.tls);
	assert_int_equal(ch.missing, TLS_VALIDATION_FAILURE);
	assert_true(strlen(ch.why) > 10);
	assert_true(strlen(ch.why) < CHANNEL_WHY_MAX);
}

static void fill(uint8_t *b, size_t n)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		b[i] = (uint8_t)(x >> 24);
	}
}

/* The server's next n octets of clear text. */
static size_t server_read(uint8_t *to, size_t n)
{
	size_t got = 0;
	int r;

	while (got < n &&
	       (r = SSL_read(peer.ssl, to + got, (int)(n - got))) > 0)
		got += (size_t)r;
	ERR_clear_error();
	return got;
}

static void server_write(const void *b, size_t n)
{
	assert_int_equal(SSL_write(peer.ssl, b, (int)n), (int)n);
	peer_step(&peer);
}

/* --- what is said first -------------------------------------------------------- */

/* The ClientHello, by extension number. */
static const uint8_t *extension(struct span h, unsigned want, size_t *n)
{
	size_t at = 9 + 34, end;

	at += 1u + h.p[at];	       /* session */
	at += 2u + get_be16(h.p + at); /* suites */
	at += 1u + h.p[at];	       /* compression */
	end = at + 2 + get_be16(h.p + at);
	assert_int_equal(end, h.n);
	for (at += 2; at + 4 <= end; at += 4 + *n) {
		*n = get_be16(h.p + at + 2);
		if (get_be16(h.p + at) == want)
			return h.p + at + 4;
	}
	return NULL;
}

static void offers_only_what_is_good(void **state)
{
	static const uint16_t good[] = {
		0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
		0xc02c, 0xc030, 0xcca9, 0xcca8, 0x00ff
	};
	struct tls_engine *e = client();
	struct span h = tls_engine_out(e, TLS_NET);
	size_t n, at = 9 + 34;

	(void)state;
	assert_int_equal(h.p[0], 22);
	assert_int_equal(get_be16(h.p + 3) + 5u, h.n);
	at += 1u + h.p[at];
	n = get_be16(h.p + at);
	assert_in_range(n, 2, 2 * sizeof(good) / sizeof(good[0]));
	for (size_t i = 0; i < n; i += 2) {
		bool known = false;

		for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++)
			known |= good[k] == get_be16(h.p + at + 2 + i);
		assert_true(known);
	}
	/* no compression but none */
	assert_int_equal(h.p[at + 2 + n], 1);
	assert_int_equal(h.p[at + 3 + n], 0);
	assert_null(extension(h, 35, &n));     /* tickets */
	assert_null(extension(h, 41, &n));     /* resumption */
	assert_null(extension(h, 42, &n));     /* early data */
	assert_null(extension(h, 15, &n));     /* heartbeat */
	assert_non_null(extension(h, 23, &n)); /* extended master secret */
	assert_non_null(extension(h, 0, &n));
	assert_int_equal(n, 2 + 3 + 14);
	assert_memory_equal(extension(h, 0, &n) + 5, "mx.example.com", 14);
	tls_engine_free(e);
}

static void offers_no_name_without_one(void **state)
{
	static char name[300];
	struct span none[] = { { NULL, 0 }, { (uint8_t *)name, 254 } };
	size_t n;

	(void)state;
	memset(name, 'a', sizeof(name));
	for (int i = 0; i < 2; i++) {
		struct tls_engine *e = tls_client_new(trust, none[i], NULL);

		assert_null(extension(tls_engine_out(e, TLS_NET), 0, &n));
		tls_engine_free(e);
	}
}

/* --- handshakes ----------------------------------------------------------------- */

static void handshakes_in_pieces_of_every_size(void **state)
{
	static const size_t size[] = {
		1, 2, 3, 4, 5, 6, 7, 11, 13, 61, 127, 128, 500, 536, 1460, 65536
	};

	(void)state;
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
			struct peer_want w = only(versions[v]);
			struct tls_engine *e = meet(&w, size[i]);

			is_up(e, versions[v]);
			done(e);
		}
}

/* The server's flight in two pieces, cut before every octet of it. */
static void handshakes_cut_before_every_octet(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		size_t flight = 2;

		for (size_t k = 1; k < flight; k++) {
			struct peer_want w = only(versions[v]);
			struct tls_engine *e = client();
			struct span rest;

			peer_init(&peer, &w);
			rest = tls_engine_out(e, TLS_NET);
			BIO_write(peer.in, rest.p, (int)rest.n);
			tls_engine_sent(e, TLS_NET, rest.n);
			peer_step(&peer);
			flight = peer.to_e.tail;
			rest = (struct span){ peer.to_e.b, flight };
			assert_int_equal(
				tls_engine_feed(e, TLS_NET,
						(struct span){ rest.p, k }),
				k);
			assert_int_equal(tls_engine_state(e), TLS_SHAKING);
			rest = span_skip(rest, k);
			assert_int_equal(tls_engine_feed(e, TLS_NET, rest),
					 rest.n);
			peer.to_e.head = flight;
			peer_shake(&peer, e, 65536);
			is_up(e, versions[v]);
			done(e);
			k += k > 200 ? 6 : 0; /* inside the certificate */
		}
		assert_true(flight > 400);
	}
}

/* A chain so long that the server's flight has records of full size. */
static void handshakes_with_a_certificate_of_20_kilobytes(void **state)
{
	struct pki_want big = { .cn = "big" };
	char *san = malloc(24000), *at = san;
	struct pki_cert c;

	(void)state;
	at += sprintf(at, "DNS:mx.example.com");
	for (int i = 0; i < 600; i++)
		at += sprintf(at, ",DNS:name-number-%04d.example.com", i);
	big.san = san;
	c = pki_make(&big, &ca);
	free(san);
	for (int v = 0; v < 2; v++) {
		struct peer_want w = only(versions[v]);
		struct tls_engine *e;
		struct channel ch;

		w.cert = &c;
		e = meet(&w, 1000);
		tls_engine_channel(e, &ch);
		/* Longer than a record may be: mbedTLS does not take it, and
		 * says so. Never half of it. */
		if (tls_engine_state(e) == TLS_UP) {
			assert_int_equal(ch.chain, TLS_RESULT_OK);
			assert_memory_equal(ch.names, "\016mx.example.com", 15);
			assert_true(ch.names_n <= sizeof(ch.names));
		} else {
			is_failed(e);
		}
		done(e);
	}
	pki_free(&c);
}

static void rsa_certificates_and_suites(void **state)
{
	static const struct {
		enum pki_key key;
		const char *suite, *name;
	} row[] = {
		{ PKI_EC, "ECDHE-ECDSA-AES128-GCM-SHA256",
		  "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256" },
		{ PKI_EC, "ECDHE-ECDSA-AES256-GCM-SHA384",
		  "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384" },
		{ PKI_EC, "ECDHE-ECDSA-CHACHA20-POLY1305",
		  "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256" },
		{ PKI_RSA, "ECDHE-RSA-AES128-GCM-SHA256",
		  "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256" },
		{ PKI_RSA, "ECDHE-RSA-AES256-GCM-SHA384",
		  "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384" },
		{ PKI_RSA, "ECDHE-RSA-CHACHA20-POLY1305",
		  "TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct pki_want pw = { .san = "DNS:mx.example.com",
				       .key = row[i].key };
		struct pki_cert c = pki_make(&pw, &ca);
		struct peer_want w = only(TLS1_2_VERSION);
		struct tls_engine *e;
		struct channel ch;

		w.cert = &c;
		w.suites = row[i].suite;
		e = meet(&w, 65536);
		is_up(e, TLS1_2_VERSION);
		tls_engine_channel(e, &ch);
		assert_string_equal(ch.suite, row[i].name);
		done(e);
		w = only(TLS1_3_VERSION);
		w.cert = &c;
		e = meet(&w, 65536);
		is_up(e, TLS1_3_VERSION);
		done(e);
		pki_free(&c);
	}
}

static void min_tls_is_judged_by_what_was_spoken(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct policy_rule rule = { .level = LEVEL_ENCRYPT,
					    .min_tls = 0x0304 };
		struct peer_want w = only(versions[v]);
		struct tls_engine *e = meet(&w, 65536);
		struct channel ch;
		struct verdict d;

		tls_engine_channel(e, &ch);
		d = policy_decide(&rule, &ch, false, (struct span){ NULL, 0 },
				  &ch.server);
		assert_int_equal(d.decision,
				 v ? DECISION_PASS : DECISION_REFUSE);
		rule.min_tls = 0x0303;
		d = policy_decide(&rule, &ch, false, (struct span){ NULL, 0 },
				  &ch.server);
		assert_int_equal(d.decision, DECISION_PASS);
		done(e);
	}
}

/* --- data ------------------------------------------------------------------------- */

enum { BULK = 200000 };
static uint8_t sent[BULK], got[BULK];

static void bulk_to_engine(struct tls_engine *e, size_t cut)
{
	size_t n = 0;

	memset(got, 0, BULK);
	for (size_t i = 0; i < BULK; i += 20000)
		server_write(sent + i, 20000);
	for (;;) {
		bool moved = peer_move(&peer, e, cut);
		size_t k = engine_take(e, got + n, BULK - n, cut);

		n += k;
		if (!moved && k == 0)
			break;
	}
	assert_int_equal(n, BULK);
	assert_memory_equal(got, sent, BULK);
}

static void bulk_to_server(struct tls_engine *e, size_t cut)
{
	size_t fed = 0, n = 0;

	memset(got, 0, BULK);
	while (n < BULK) {
		size_t m = BULK - fed < cut ? BULK - fed : cut;
		size_t k = tls_engine_feed(e, TLS_APP,
					   (struct span){ sent + fed, m });

		fed += k;
		k += peer_move(&peer, e, cut);
		m = server_read(got + n, BULK - n);
		n += m;
		assert_true(k + m > 0);
	}
	assert_int_equal(fed, BULK);
	assert_memory_equal(got, sent, BULK);
}

static void data_both_ways(void **state)
{
	static const size_t cut[] = { 97, 1460, 16384, 65536 };

	(void)state;
	fill(sent, BULK);
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
			struct peer_want w = only(versions[v]);
			struct tls_engine *e = meet(&w, 65536);

			bulk_to_engine(e, cut[i]);
			bulk_to_server(e, cut[i]);
			done(e);
		}
}

/* What did not fit is offered again, and there is more of it by then: nothing
 * is lost, nothing comes twice. */
static void back_pressure_loses_nothing(void **state)
{
	(void)state;
	fill(sent, BULK);
	for (int v = 0; v < 2; v++)
		for (size_t step = 1; step < 20000; step += 1237) {
			struct peer_want w = only(versions[v]);
			struct tls_engine *e = meet(&w, 65536);
			size_t fed = 0, n = 0, offer = 33000;

			while (n < 120000) {
				size_t most = 120000 - fed;
				struct span s = { sent + fed,
						  offer < most ? offer : most };
				struct span out;
				size_t k;

				fed += tls_engine_feed(e, TLS_APP, s);
				offer = offer < 60000 ? offer + step : 33000;
				out = tls_engine_out(e, TLS_NET);
				k = out.n < step + 9000 ? out.n : step + 9000;
				assert_true(k > 0);
				BIO_write(peer.in, out.p, (int)k);
				tls_engine_sent(e, TLS_NET, k);
				n += server_read(got + n, BULK - n);
			}
			assert_int_equal(n, 120000);
			assert_memory_equal(got, sent, 120000);
			done(e);
		}
}

/* The reader of clear text takes nothing for a while: records wait outside. */
static void a_slow_reader_stops_the_server(void **state)
{
	struct peer_want w = only(TLS1_3_VERSION);
	struct tls_engine *e = meet(&w, 65536);
	size_t n = 0, waits;

	(void)state;
	fill(sent, BULK);
	for (size_t i = 0; i < 100000; i += 20000)
		server_write(sent + i, 20000);
	while (peer_move(&peer, e, 65536))
		;
	waits = peer.to_e.tail - peer.to_e.head;
	assert_true(waits > 60000);
	assert_true(tls_engine_out(e, TLS_APP).n >= 16384);
	for (;;) {
		size_t k = engine_take(e, got + n, 7, 7);

		n += k;
		while (peer_move(&peer, e, 65536))
			;
		if (k == 0)
			break;
	}
	assert_int_equal(n, 100000);
	assert_memory_equal(got, sent, 100000);
	done(e);
}

/* --- ends ------------------------------------------------------------------------- */

static void after_close_notify_nothing_is_read(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct peer_want w = only(versions[v]);
		struct tls_engine *e = meet(&w, 65536);
		uint8_t b[64], more[100];

		server_write("221 bye\r\n", 9);
		SSL_shutdown(peer.ssl);
		peer_step(&peer);
		memset(more, 'x', sizeof(more));
		pipe_put(&peer.to_e, more, sizeof(more));
		while (peer_move(&peer, e, 65536))
			;
		assert_int_equal(tls_engine_state(e), TLS_CLOSED);
		/* what it said before is there, what came after is not taken */
		assert_int_equal(peer.to_e.tail - peer.to_e.head, sizeof(more));
		assert_int_equal(engine_take(e, b, sizeof(b), 64), 9);
		assert_memory_equal(b, "221 bye\r\n", 9);
		assert_int_equal(
			tls_engine_feed(e, TLS_NET, (struct span){ more, 100 }),
			0);
		assert_int_equal(tls_engine_out(e, TLS_APP).n, 0);
		done(e);
	}
}

static void our_close_notify_reaches_the_server(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct peer_want w = only(versions[v]);
		struct tls_engine *e = meet(&w, 65536);
		size_t n = 0, k;

		/* behind as much data as can wait */
		fill(sent, BULK);
		k = tls_engine_feed(e, TLS_APP, (struct span){ sent, BULK });
		assert_true(k > 16000);
		tls_engine_close(e);
		tls_engine_close(e);
		assert_int_equal(tls_engine_feed(e, TLS_APP, SPAN_LIT("x")), 0);
		while (peer_move(&peer, e, 3000))
			n += server_read(got + n, BULK - n);
		assert_int_equal(n, k);
		assert_memory_equal(got, sent, k);
		assert_true(SSL_get_shutdown(peer.ssl) & SSL_RECEIVED_SHUTDOWN);
		/* the other direction is still open */
		server_write("221 bye\r\n", 9);
		while (peer_move(&peer, e, 3000))
			;
		assert_int_equal(tls_engine_out(e, TLS_APP).n, 9);
		done(e);
	}
}

/* An end without close_notify looks like silence: the engine never says that
 * the peer has closed. */
static void truncation_is_not_an_end(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct peer_want w = only(versions[v]);
		struct tls_engine *e = meet(&w, 65536);
		size_t n;

		server_write("250 taken\r\n", 11);
		n = peer.to_e.tail - peer.to_e.head - 1;
		assert_int_equal(
			tls_engine_feed(
				e, TLS_NET,
				(struct span){ peer.to_e.b + peer.to_e.head,
					       n }),
			n);
		assert_int_equal(tls_engine_state(e), TLS_UP);
		assert_int_equal(tls_engine_out(e, TLS_APP).n, 0);
		done(e);
	}
}

/* --- what is refused -------------------------------------------------------------- */

static void old_servers_are_refused(void **state)
{
	static const struct {
		int min, max;
		const char *suites;
		enum pki_key key;
	} row[] = {
		{ TLS1_VERSION, TLS1_1_VERSION, "ALL", PKI_RSA },
		{ TLS1_1_VERSION, TLS1_1_VERSION, "ALL", PKI_EC },
		{ TLS1_2_VERSION, TLS1_2_VERSION, "AES128-GCM-SHA256",
		  PKI_RSA }, /* static RSA */
		{ TLS1_2_VERSION, TLS1_2_VERSION, "AES128-SHA", PKI_RSA },
		{ TLS1_2_VERSION, TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256",
		  PKI_RSA },
		{ TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA",
		  PKI_RSA }, /* CBC */
		{ TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384",
		  PKI_RSA },
		{ TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM8",
		  PKI_EC },
		{ TLS1_2_VERSION, TLS1_2_VERSION, "AECDH-AES128-SHA", PKI_EC },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct pki_want pw = { .san = "DNS:mx.example.com",
				       .key = row[i].key };
		struct pki_cert c = pki_make(&pw, &ca);
		struct peer_want w = { .min = row[i].min,
				       .max = row[i].max,
				       .suites = row[i].suites,
				       .cert = &c };
		struct tls_engine *e = meet(&w, 65536);

		is_failed(e);
		done(e);
		pki_free(&c);
	}
}

/* A server that answers with what was not offered, hello by hand. */
static void a_choice_that_was_not_offered_is_refused(void **state)
{
	static const struct {
		uint16_t version, suite;
		uint8_t compression;
	} row[] = {
		{ 0x0300, 0xc02f, 0 },	  { 0x0301, 0xc02f, 0 },
		{ 0x0302, 0xc02f, 0 },	  { 0x0305, 0xc02f, 0 },
		{ 0x0303, 0x002f, 0 },	  { 0x0303, 0x009c, 0 },
		{ 0x0303, 0xc013, 0 },	  { 0x0303, 0x0000, 0 },
		{ 0x0303, 0x009e, 0 },	  { 0x0303, 0x00ff, 0 },
		{ 0x0303, 0x1301, 0 },	  { 0x0303, 0xc02f, 1 },
		{ 0x0303, 0xc02f, 0xff },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct tls_engine *e = client();
		uint8_t h[5 + 4 + 38] = { 22, 3, 3, 0, 42, 2, 0, 0, 38 };

		put_be16(h + 9, row[i].version);
		put_be16(h + 9 + 2 + 32 + 1, row[i].suite);
		h[9 + 2 + 32 + 3] = row[i].compression;
		tls_engine_feed(e, TLS_NET, (struct span){ h, sizeof(h) });
		is_failed(e);
		tls_engine_free(e);
	}
}

static void renegotiation_never_happens(void **state)
{
	struct peer_want w = only(TLS1_2_VERSION);
	struct tls_engine *e = meet(&w, 65536);
	long before = SSL_CTX_sess_accept_good(peer.ctx);
	uint8_t b[64];

	(void)state;
	is_up(e, TLS1_2_VERSION);
	assert_int_equal(SSL_renegotiate(peer.ssl), 1);
	SSL_do_handshake(peer.ssl); /* HelloRequest */
	peer_step(&peer);
	while (peer_move(&peer, e, 65536))
		server_read(b, sizeof(b));
	assert_int_equal(SSL_CTX_sess_accept_good(peer.ctx), before);
	if (tls_engine_state(e) != TLS_UP)
		is_failed(e);
	done(e);
}

static void tickets_are_ignored(void **state)
{
	struct peer_want w = only(TLS1_3_VERSION);
	struct tls_engine *e = client();

	(void)state;
	peer_init(&peer, &w);
	SSL_set_num_tickets(peer.ssl, 20);
	peer_shake(&peer, e, 65536);
	is_up(e, TLS1_3_VERSION);
	assert_true(peer.tamper.seen > 20);
	server_write("250 ok\r\n", 8);
	while (peer_move(&peer, e, 65536))
		;
	assert_int_equal(tls_engine_out(e, TLS_APP).n, 8);
	done(e);
}

static void a_client_certificate_is_not_given(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++)
		for (int insist = 0; insist < 2; insist++) {
			struct peer_want w = only(versions[v]);
			struct tls_engine *e;

			w.client_cert = true;
			w.insist = insist;
			e = meet(&w, 65536);
			if (insist)
				is_failed(e);
			else
				is_up(e, versions[v]);
			done(e);
		}
}

static void add_own(struct tls_identity *id, const struct pki_cert *c)
{
	char *chain = pki_pem(c);
	const char *why;

	assert_int_equal(tls_identity_add(id, span_str(chain), &why), OK);
	free(chain);
}

/* What a server that asks, and takes these algorithms, is shown. */
static void is_shown(struct tls_identity *id, int version, const char *takes,
		     const struct pki_cert *want)
{
	struct peer_want w = only(version);
	struct tls_engine *e;
	X509 *shown;

	w.client_cert = takes != NULL;
	w.insist = want != NULL;
	e = tls_client_new(trust, SPAN_LIT("mx.example.com"), id);
	peer_init(&peer, &w);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(peer.ctx), ca.x);
	if (takes)
		assert_int_equal(SSL_set1_client_sigalgs_list(peer.ssl, takes),
				 1);
	peer_shake(&peer, e, 3);
	is_up(e, version);
	shown = SSL_get1_peer_certificate(peer.ssl);
	assert_int_equal(shown != NULL, want != NULL);
	if (shown)
		assert_int_equal(X509_cmp(shown, want->x), 0);
	X509_free(shown);
	done(e);
}

/* Ours, to a server that asks, of the kind that it takes; and to others nothing. */
static void our_certificate_is_shown_to_who_asks(void **state)
{
	static const char all[] = "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:"
				  "RSA+SHA384:ECDSA+SHA384";
	static const char rsa_only[] = "RSA-PSS+SHA256:RSA+SHA256:RSA+SHA384";
	static const char ec_only[] = "ECDSA+SHA256:ECDSA+SHA384";
	struct pki_want w = { .san = "DNS:box.example", .key = PKI_EC2 };
	struct pki_cert ec = pki_make(&w, &ca), rsa;
	struct tls_identity *one = tls_identity_new(),
			    *two = tls_identity_new();

	(void)state;
	w.key = PKI_RSA;
	rsa = pki_make(&w, &ca);
	add_own(one, &ec);
	add_own(two, &ec);
	add_own(two, &rsa);
	for (int v = 0; v < 2; v++) {
		is_shown(one, versions[v], NULL, NULL);
		is_shown(one, versions[v], all, &ec);
		is_shown(one, versions[v], ec_only, &ec);
		/* rather nothing than what ends the handshake */
		is_shown(one, versions[v], rsa_only, NULL);
		is_shown(two, versions[v], all, &ec);
		is_shown(two, versions[v], ec_only, &ec);
		is_shown(two, versions[v], rsa_only, &rsa);
		is_shown(two, versions[v], "ed25519", NULL);
		is_shown(two, versions[v], NULL, NULL);
	}
	tls_identity_free(one);
	tls_identity_free(two);
	pki_free(&ec);
	pki_free(&rsa);
}

/* A signature that does not come, comes wrong or too long ends the handshake, and
 * until it is there the handshake waits, whatever else happens. */
static void a_signature_may_come_late_or_never(void **state)
{
	static uint8_t rubbish[SIGN_MAX + 1] = { 0x30, 0x06, 2, 1, 1, 2, 1, 1 };
	static const struct {
		size_t n;
		bool own_fault;
	} bad[] = { { 0, true }, { 8, false }, { SIGN_MAX + 1, true } };
	struct pki_want w = { .san = "DNS:box.example", .key = PKI_EC2 };
	struct pki_cert own = pki_make(&w, &ca);
	struct tls_identity *id = tls_identity_new();

	(void)state;
	add_own(id, &own);
	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
		struct peer_want want = only(versions[i % 2]);
		struct tls_engine *e;
		struct channel ch;

		want.client_cert = true;
		e = tls_client_new(trust, SPAN_LIT("mx.example.com"), id);
		peer_init(&peer, &want);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(peer.ctx), ca.x);
		while (!tls_engine_asks(e, NULL))
			assert_true(peer_move(&peer, e, 65536) ||
				    tls_engine_asks(e, NULL));
		assert_int_equal(
			tls_engine_feed(e, TLS_NET, SPAN_LIT("anything")), 0);
		assert_true(tls_engine_asks(e, NULL));
		assert_int_equal(tls_engine_state(e), TLS_SHAKING);
		tls_engine_signed(e, (struct span){ rubbish, bad[i / 2].n });
		assert_false(tls_engine_asks(e, NULL));
		peer_shake(&peer, e, 65536);
		if (bad[i / 2].own_fault) {
			assert_int_equal(tls_engine_state(e), TLS_FAILED);
			tls_engine_channel(e, &ch);
			assert_true(ch.no_room && !ch.tls);
		} else {
			assert_false(SSL_is_init_finished(peer.ssl));
		}
		done(e);
	}
	tls_identity_free(id);
	pki_free(&own);
}

static void what_is_not_tls_is_refused(void **state)
{
	static const char *const row[] = {
		"250 2.1.0 ok\r\n",
		"220 ready to start TLS\r\n250 injected\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2p1\r\n",
		"\x80\x2e\x01\x03\x01 an SSL 2 hello",
		"\x16\x03\x03\xff\xff too long",
		"\x16\x03\x03\x41\x01 too long by one",
		"\x17\x03\x03\x01\x01 application data before its time",
		"\x18\x03\x03\x10\x10\x01\x40\x10 heartbeat",
		"\x16\x03\x03\x01\x01 a handshake message of no kind",
		"\xff\xff\xff\xff\xff\xff\xff\xff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		for (size_t cut = 1; cut < 60; cut += 58) {
			struct tls_engine *e = client();
			uint8_t b[512];
			size_t n = strlen(row[i]), took = 0;

			memset(b, 'z', sizeof(b));
			memcpy(b, row[i], n);
			while (took < sizeof(b)) {
				size_t m = sizeof(b) - took;
				size_t k = tls_engine_feed(
					e, TLS_NET,
					(struct span){ b + took,
						       m < cut ? m : cut });

				if (k == 0)
					break;
				took += k;
			}
			is_failed(e);
			assert_int_equal(tls_engine_out(e, TLS_APP).n, 0);
			assert_int_equal(
				tls_engine_feed(e, TLS_APP, SPAN_LIT("x")), 0);
			tls_engine_free(e);
		}
}

/* Octets that somebody put before the server's own. */
static void octets_before_the_server_hello_are_refused(void **state)
{
	static const struct span row[] = { SPAN_LIT("\r\n"),
					   SPAN_LIT("250 ok\r\n"),
					   SPAN_LIT("\x16"),
					   SPAN_LIT("\x14\x03\x03\0\1\1x") };

	(void)state;
	for (int v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			struct peer_want w = only(versions[v]);
			struct tls_engine *e = client();

			peer_init(&peer, &w);
			pipe_put(&peer.to_e, row[i].p, row[i].n);
			peer_shake(&peer, e, 65536);
			is_failed(e);
			done(e);
		}
}

static void an_alert_ends_it(void **state)
{
	static const uint8_t kind[] = { 0,  10, 20, 40,	 42,  48,  70,
					71, 80, 86, 109, 112, 116, 255 };

	(void)state;
	for (size_t i = 0; i < sizeof(kind); i++) {
		struct tls_engine *e = client();
		uint8_t a[] = { 21, 3, 3, 0, 2, 2, kind[i] };

		tls_engine_feed(e, TLS_NET, (struct span){ a, sizeof(a) });
		is_failed(e);
		tls_engine_free(e);
	}
}

/* Warnings and empty records without end are not worked on for ever. */
static void floods_before_the_handshake_cost_only_what_came(void **state)
{
	static const uint8_t warn[] = { 21, 3, 3, 0, 2, 1, 90 };
	struct tls_engine *e = client();

	(void)state;
	for (int i = 0; i < 100000; i++)
		if (tls_engine_feed(e, TLS_NET,
				    (struct span){ warn, sizeof(warn) }) == 0)
			break;
	assert_int_not_equal(tls_engine_state(e), TLS_UP);
	assert_true(tls_engine_out(e, TLS_NET).n < 65536);
	tls_engine_free(e);
}

/* One bit changed in each record of a whole session: nothing behind it is
 * believed. */
static void tampered(int version, size_t record, size_t at, uint8_t bit)
{
	static const char said[] = "250 first\r\n";
	struct peer_want w = only(version);
	struct tls_engine *e = client();
	uint8_t b[200];
	size_t n;

	peer_init(&peer, &w);
	peer.tamper.record = record;
	peer.tamper.at = at;
	peer.tamper.bit = bit;
	peer_shake(&peer, e, 65536);
	for (int i = 0; i < 3 && SSL_is_init_finished(peer.ssl); i++)
		server_write(said, 11);
	if (SSL_is_init_finished(peer.ssl)) {
		SSL_shutdown(peer.ssl);
		peer_step(&peer);
	}
	while (peer_move(&peer, e, 65536))
		;
	n = engine_take(e, b, sizeof(b), 64);
	/* only whole records that came before */
	assert_int_equal(n % 11, 0);
	for (size_t i = 0; i < n; i += 11)
		assert_memory_equal(b + i, said, 11);
	if (peer.tamper.done) {
		assert_true(n < 33 || record + 1 >= peer.tamper.seen);
		assert_int_not_equal(tls_engine_state(e), TLS_CLOSED);
		if (tls_engine_state(e) == TLS_FAILED)
			is_failed(e);
	} else {
		assert_int_equal(n, 33);
		assert_int_equal(tls_engine_state(e), TLS_CLOSED);
	}
	done(e);
}

static void a_flipped_bit_in_any_record_is_seen(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		size_t records;

		tampered(versions[v], SIZE_MAX, 0, 0);
		records = peer.tamper.seen;
		assert_true(records >= 8 && records < 64);
		for (size_t r = 0; r < records; r++) {
			size_t n = peer.tamper.len[r];
			/* type, length, first, middle, last octet; a CCS of
			 * TLS 1.3 is padding for old firewalls */
			size_t at[] = { 0, 3, 4, 5, 5 + (n - 5) / 2, SIZE_MAX };

			for (size_t i = 0; i < 6; i++)
				for (unsigned bit = 1; bit < 256; bit *= 16)
					tampered(versions[v], r, at[i],
						 (uint8_t)bit);
		}
	}
}

/* A record twice, or one left out: sequence numbers are part of it. */
static void replayed_and_dropped_records_are_seen(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++)
		for (int drop = 0; drop < 2; drop++) {
			struct peer_want w = only(versions[v]);
			struct tls_engine *e = meet(&w, 65536);
			uint8_t copy[200], b[64];
			size_t n;

			while (peer_move(&peer, e, 65536))
				;
			server_write("250 one\r\n", 9);
			n = peer.to_e.tail - peer.to_e.head;
			memcpy(copy, peer.to_e.b + peer.to_e.head, n);
			if (drop)
				peer.to_e.head = peer.to_e.tail;
			else
				pipe_put(&peer.to_e, copy, n);
			server_write("250 two\r\n", 9);
			while (peer_move(&peer, e, 65536))
				;
			is_failed(e);
			assert_int_equal(engine_take(e, b, 64, 64),
					 drop ? 0 : 9);
			done(e);
		}
}

/* --- memory ----------------------------------------------------------------------- */

static void trust_outlives_its_owner_while_in_use(void **state)
{
	char *pem = pki_pem(&ca);
	struct peer_want w = only(TLS1_3_VERSION);
	struct tls_engine *e;
	struct tls_trust *t;
	unsigned bad;

	(void)state;
	t = tls_trust_new(span_str(pem), 0, &bad);
	free(pem);
	assert_non_null(t);
	e = tls_client_new(t, SPAN_LIT("mx.example.com"), NULL);
	tls_trust_free(t);
	peer_init(&peer, &w);
	peer_shake(&peer, e, 65536);
	is_up(e, TLS1_3_VERSION);
	done(e);
	tls_engine_free(NULL);
	tls_trust_free(NULL);
}

static void the_self_test_passes(void **state)
{
	const char *why = "?";

	(void)state;
	assert_int_equal(tls_self_test(&why), OK);
	assert_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_self_test_passes),
		cmocka_unit_test(offers_only_what_is_good),
		cmocka_unit_test(offers_no_name_without_one),
		cmocka_unit_test(handshakes_in_pieces_of_every_size),
		cmocka_unit_test(handshakes_cut_before_every_octet),
		cmocka_unit_test(handshakes_with_a_certificate_of_20_kilobytes),
		cmocka_unit_test(rsa_certificates_and_suites),
		cmocka_unit_test(min_tls_is_judged_by_what_was_spoken),
		cmocka_unit_test(data_both_ways),
		cmocka_unit_test(back_pressure_loses_nothing),
		cmocka_unit_test(a_slow_reader_stops_the_server),
		cmocka_unit_test(after_close_notify_nothing_is_read),
		cmocka_unit_test(our_close_notify_reaches_the_server),
		cmocka_unit_test(truncation_is_not_an_end),
		cmocka_unit_test(old_servers_are_refused),
		cmocka_unit_test(a_choice_that_was_not_offered_is_refused),
		cmocka_unit_test(renegotiation_never_happens),
		cmocka_unit_test(tickets_are_ignored),
		cmocka_unit_test(a_client_certificate_is_not_given),
		cmocka_unit_test(our_certificate_is_shown_to_who_asks),
		cmocka_unit_test(a_signature_may_come_late_or_never),
		cmocka_unit_test(what_is_not_tls_is_refused),
		cmocka_unit_test(octets_before_the_server_hello_are_refused),
		cmocka_unit_test(an_alert_ends_it),
		cmocka_unit_test(
			floods_before_the_handshake_cost_only_what_came),
		cmocka_unit_test(a_flipped_bit_in_any_record_is_seen),
		cmocka_unit_test(replayed_and_dropped_records_are_seen),
		cmocka_unit_test(trust_outlives_its_owner_while_in_use),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
