/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_TLS_PEER_H
#define TESTS_UNIT_TLS_PEER_H

/*
 * A TLS server or client by OpenSSL without a socket, and the wire between it
 * and an engine: cut as the test likes, and with a hand on every record.
 */
#include <openssl/err.h>
#include "tls/tls_engine.h"
#include "tls_sign.h"

enum { PIPE = 512 * 1024 };

struct pipe_ {
	uint8_t b[PIPE];
	size_t head, tail;
};

static inline void pipe_put(struct pipe_ *p, const void *b, size_t n)
{
	if (p->head == p->tail)
		p->head = p->tail = 0;
	assert_true(n <= PIPE - p->tail);
	memcpy(p->b + p->tail, b, n);
	p->tail += n;
}

struct peer_want {
	int min, max;	    /* TLS1_2_VERSION ...; 0: 1.2 to 1.3 */
	const char *suites; /* of TLS 1.2 */
	const struct pki_cert *cert, *via;
	bool client_cert; /* ask for one */
	bool insist;	  /* and end without one */
};

/* What a client by OpenSSL does; zero is an ordinary one. */
struct peer_asks {
	int min, max;	     /* as above */
	const char *suites;  /* of TLS 1.2 */
	const char *sigalgs; /* as in OpenSSL's configuration */
	const char *groups;
	const char *host; /* NULL: names none */
	const char *alpn; /* length octet, name, ... */
	const struct pki_cert *cert;
};

/* Change one bit of one record that OpenSSL sends. */
struct tamper {
	size_t record; /* counted from 0; SIZE_MAX: leave all alone */
	size_t at;     /* octet, its header included; SIZE_MAX: the last */
	uint8_t bit;
	size_t seen; /* records so far */
	uint8_t type[64];
	size_t len[64];
	bool done;
};

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;	   /* SSL's */
	struct pipe_ to_e; /* OpenSSL to engine, on the wire */
	struct pipe_ raw;  /* the same, before tampering */
	struct tamper tamper;
};

static inline void peer_begin(struct peer *p, const SSL_METHOD *role, int min,
			      int max)
{
	memset(p, 0, offsetof(struct peer, to_e));
	p->to_e.head = p->to_e.tail = p->raw.head = p->raw.tail = 0;
	p->tamper = (struct tamper){ .record = SIZE_MAX };
	p->ctx = SSL_CTX_new(role);
	SSL_CTX_set_security_level(p->ctx, 0);
	SSL_CTX_set_min_proto_version(p->ctx, min ? min : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(p->ctx, max ? max : TLS1_3_VERSION);
}

static inline void peer_open(struct peer *p)
{
	p->ssl = SSL_new(p->ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	SSL_set_bio(p->ssl, p->in, p->out);
}

static inline void peer_init(struct peer *p, const struct peer_want *w)
{
	peer_begin(p, TLS_server_method(), w->min, w->max);
	SSL_CTX_set_options(p->ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	if (w->suites)
		assert_int_equal(SSL_CTX_set_cipher_list(p->ctx, w->suites), 1);
	assert_int_equal(SSL_CTX_use_certificate(p->ctx, w->cert->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(p->ctx, w->cert->key), 1);
	if (w->via)
		assert_int_equal(SSL_CTX_add1_chain_cert(p->ctx, w->via->x), 1);
	if (w->client_cert)
		SSL_CTX_set_verify(
			p->ctx,
			SSL_VERIFY_PEER |
				(w->insist ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
					   : 0),
			NULL);
	peer_open(p);
	SSL_set_accept_state(p->ssl);
}

static inline void peer_client(struct peer *p, const struct peer_asks *a)
{
	peer_begin(p, TLS_client_method(), a->min, a->max);
	if (a->suites)
		assert_int_equal(SSL_CTX_set_cipher_list(p->ctx, a->suites), 1);
	if (a->sigalgs)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(p->ctx, a->sigalgs),
				 1);
	if (a->groups)
		assert_int_equal(SSL_CTX_set1_groups_list(p->ctx, a->groups),
				 1);
	if (a->cert) {
		SSL_CTX_use_certificate(p->ctx, a->cert->x);
		SSL_CTX_use_PrivateKey(p->ctx, a->cert->key);
	}
	peer_open(p);
	if (a->host)
		SSL_set_tlsext_host_name(p->ssl, a->host);
	if (a->alpn)
		SSL_set_alpn_protos(p->ssl, (const uint8_t *)a->alpn,
				    (unsigned)strlen(a->alpn));
	SSL_set_connect_state(p->ssl);
}

static inline void peer_done(struct peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	ERR_clear_error();
}

/* Whole records from raw to the wire, one of them changed. */
static inline void peer_records(struct peer *p)
{
	struct tamper *t = &p->tamper;

	while (p->raw.tail - p->raw.head >= 5) {
		uint8_t *r = p->raw.b + p->raw.head;
		size_t n = 5 + (size_t)(r[3] << 8 | r[4]);
		size_t at = t->at == SIZE_MAX ? n - 1 : t->at;

		if (p->raw.tail - p->raw.head < n)
			break;
		if (t->seen < 64) {
			t->type[t->seen] = r[0];
			t->len[t->seen] = n;
		}
		if (t->seen++ == t->record && at < n) {
			r[at] ^= t->bit;
			t->done = true;
		}
		pipe_put(&p->to_e, r, n);
		p->raw.head += n;
	}
}

/* Let OpenSSL work: the handshake, and put what it says on the wire. */
static inline void peer_step(struct peer *p)
{
	static uint8_t b[65536];
	int n;

	if (!SSL_is_init_finished(p->ssl))
		SSL_do_handshake(p->ssl);
	while ((n = BIO_read(p->out, b, sizeof(b))) > 0)
		pipe_put(&p->raw, b, (size_t)n);
	peer_records(p);
	ERR_clear_error();
}

/* True: it waited for a signature of ours. */
static inline bool peer_sign(struct tls_engine *e)
{
	struct sign_ask q;

	if (!tls_engine_asks(e, &q))
		return false;
	tls_engine_signed(e, sign_by(&q));
	return true;
}

/* One piece of at most cut octets each way. True: something moved. */
static inline bool peer_move(struct peer *p, struct tls_engine *e, size_t cut)
{
	struct span out = tls_engine_out(e, TLS_NET);
	size_t n = out.n < cut ? out.n : cut, took = 0;

	if (n > 0) {
		BIO_write(p->in, out.p, (int)n);
		tls_engine_sent(e, TLS_NET, n);
	}
	peer_step(p);
	if (p->to_e.tail > p->to_e.head) {
		size_t m = p->to_e.tail - p->to_e.head;
		uint8_t *copy; /* reading behind it is seen */

		m = m < cut ? m : cut;
		copy = malloc(m);
		memcpy(copy, p->to_e.b + p->to_e.head, m);
		took = tls_engine_feed(e, TLS_NET, (struct span){ copy, m });
		assert_true(took <= m);
		p->to_e.head += took;
		free(copy);
	}
	return n + took > 0 || peer_sign(e);
}

static inline void peer_shake(struct peer *p, struct tls_engine *e, size_t cut)
{
	peer_step(p);
	while (peer_move(p, e, cut))
		;
}

/* All clear text that waits in the engine, taken in pieces of cut. */
static inline size_t engine_take(struct tls_engine *e, uint8_t *to, size_t size,
				 size_t cut)
{
	size_t n = 0;
	struct span s;

	while ((s = tls_engine_out(e, TLS_APP)).n > 0 && n < size) {
		size_t m = s.n < cut ? s.n : cut;

		m = m < size - n ? m : size - n;
		memcpy(to + n, s.p, m);
		n += m;
		tls_engine_sent(e, TLS_APP, m);
	}
	return n;
}

#endif
