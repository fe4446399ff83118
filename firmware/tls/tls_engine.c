/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_engine - see tls_engine.h.
 *
 * mbedTLS pulls and pushes; we are fed and drained. in_ and out_ stand between:
 * what is fed at NET waits in `in` until mbedTLS asks, what it sends is put
 * into `out`. Clear text is read from mbedTLS one record at a time into its own
 * buffer and offered from there without a copy of ours.
 */
#include <mbedtls/error.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/bug.h"
#include "base/text.h"
#include "crypto/crypto_memory.h"
#include "tls/tls_server.h"

enum {
	NET_IN = 18 * 1024,  /* a whole record with its overhead */
	NET_OUT = 36 * 1024, /* two, or a flight of handshake messages */
	APP_OUT = 16 * 1024,
	OVERHEAD = 512, /* of a record, with room for an alert */
};

/* A signature that was asked for. */
struct signing {
	struct sign_ask ask;
	bool answered;
	uint8_t signature[SIGN_MAX];
	size_t n; /* 0: there is none */
};

struct tls_engine {
	struct tls_trust *trust;       /* client: kept alive */
	struct tls_identity *identity; /* ours, if there is one: kept alive */
	mbedtls_ssl_config *config;    /* its own; NULL: that of its maker */
	mbedtls_ssl_context ssl;
	enum tls_state state;
	struct span in; /* lent by the caller during a feed */
	size_t in_used;
	struct buf out;
	struct buf app;
	bool closing;
	struct tls_cert *shown;	 /* ours; NULL: none yet */
	struct signing *signing; /* NULL: nothing is to be signed */
	struct channel fail;
	struct logon_binding binding; /* of the exporter */
	uint8_t *out_mem, *app_mem;   /* only while something is in them */
};

/* mbedTLS wants to send. */
static int bio_send(void *arg, const unsigned char *p, size_t n)
{
	struct tls_engine *e = arg;

	if (!e->out_mem) {
		e->out_mem = malloc(NET_OUT);
		if (!e->out_mem) {
			e->fail.no_room = true;
			return MBEDTLS_ERR_SSL_ALLOC_FAILED;
		}
		buf_init(&e->out, e->out_mem, NET_OUT);
	}
	if (n > buf_left(&e->out))
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	if (buf_put(&e->out, (struct span){ p, n }) != OK)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	return (int)n;
}

static int bio_recv(void *arg, unsigned char *p, size_t n)
{
	struct tls_engine *e = arg;
	size_t have = e->in.n - e->in_used;

	if (have == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (n > have)
		n = have;
	memcpy(p, e->in.p + e->in_used, n);
	e->in_used += n;
	return (int)n;
}

static enum sign_scheme scheme_of(const mbedtls_ssl_context *ssl,
				  const mbedtls_x509_crt *cert)
{
	if (mbedtls_pk_get_type(&cert->pk) != MBEDTLS_PK_RSA)
		return SIGN_ECDSA;
	return mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3
		       ? SIGN_RSA_PSS
		       : SIGN_RSA_PKCS1;
}

/* mbedTLS wants a signature by the key of a certificate of ours. */
static int on_sign(mbedtls_ssl_context *ssl, mbedtls_x509_crt *cert,
		   mbedtls_md_type_t md, const unsigned char *hash, size_t n)
{
	struct tls_engine *e = mbedtls_ssl_get_user_data_p(ssl);
	struct sign_ask *q;

	(void)md; /* its length tells */
	if (!sign_hash_can_be(n) || e->signing)
		return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	e->signing = calloc(1, sizeof(*e->signing));
	if (!e->signing) {
		e->fail.no_room = true;
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	}
	e->shown = tls_cert_of(cert);
	q = &e->signing->ask;
	q->scheme = scheme_of(ssl, cert);
	memcpy(q->pin, e->shown->shown.spki_sha256, SIGN_PIN);
	memcpy(q->hash, hash, n);
	q->hash_n = (uint8_t)n;
	return MBEDTLS_ERR_SSL_ASYNC_IN_PROGRESS;
}

/* Is it there? */
static int on_signed(mbedtls_ssl_context *ssl, unsigned char *out, size_t *n,
		     size_t size)
{
	struct tls_engine *e = mbedtls_ssl_get_user_data_p(ssl);
	struct signing *s = e->signing;
	bool there = s->n > 0 && s->n <= size;

	if (!s->answered)
		return MBEDTLS_ERR_SSL_ASYNC_IN_PROGRESS;
	*n = s->n;
	if (there)
		memcpy(out, s->signature, s->n);
	free(s);
	e->signing = NULL;
	return there ? 0 : MBEDTLS_ERR_SSL_PRIVATE_KEY_REQUIRED;
}

void tls_sign_elsewhere(mbedtls_ssl_config *c)
{
	mbedtls_ssl_conf_async_private_cb(c, on_sign, NULL, on_signed, NULL,
					  NULL);
}

static void failed(struct tls_engine *e, const char *where, int code)
{
	char what[80];
	struct text t;

	e->state = TLS_FAILED;
	e->fail.missing = TLS_VALIDATION_FAILURE;
	e->fail.no_room = e->fail.no_room || crypto_memory_failed();
	text_init(&t, e->fail.why, sizeof(e->fail.why));
	text_str(&t, where);
	text_str(&t, ": ");
	if (code == 0) {
		text_str(&t, "the connection was closed");
		return;
	}
	mbedtls_strerror(code, what, sizeof(what));
	text_clean(&t, span_str(what));
}

/* TLS 1.2 without extended master secret would bind to nothing (RFC 9266 2). */
static void bind_exporter(struct tls_engine *e)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	struct logon_binding *b = &e->binding;

	b->exporter_there = mbedtls_ssl_get_version_number(&e->ssl) ==
				    MBEDTLS_SSL_VERSION_TLS1_3 &&
			    mbedtls_ssl_export_keying_material(
				    &e->ssl, b->exporter, sizeof(b->exporter),
				    label, sizeof(label) - 1, NULL, 0, 1) == 0;
}

static void handshake(struct tls_engine *e)
{
	int r = mbedtls_ssl_handshake(&e->ssl);

	if (crypto_memory_failed()) {
		e->fail.no_room = true;
		r = MBEDTLS_ERR_SSL_ALLOC_FAILED;
	}
	if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE ||
	    r == MBEDTLS_ERR_SSL_ASYNC_IN_PROGRESS)
		return;
	if (r == MBEDTLS_ERR_SSL_PRIVATE_KEY_REQUIRED)
		e->fail.no_room = true;
	if (r != 0) {
		failed(e, "handshake", r);
		return;
	}
	e->state = TLS_UP;
	bind_exporter(e);
}

static void read_app(struct tls_engine *e)
{
	int r;

	if (!e->app_mem) {
		e->app_mem = malloc(APP_OUT);
		if (!e->app_mem) {
			e->fail.no_room = true;
			failed(e, "no memory", MBEDTLS_ERR_SSL_ALLOC_FAILED);
			return;
		}
		buf_init(&e->app, e->app_mem, APP_OUT);
	}
	while (e->state == TLS_UP && buf_left(&e->app) > 0) {
		uint8_t *at = buf_room(&e->app);

		r = mbedtls_ssl_read(&e->ssl, at, buf_left(&e->app));
		if (r > 0) {
			buf_grow(&e->app, (size_t)r);
			continue;
		}
		if (r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
			continue; /* not kept: DESIGN.md, "TLS" */
		if (r == MBEDTLS_ERR_SSL_WANT_READ ||
		    r == MBEDTLS_ERR_SSL_WANT_WRITE)
			break;
		if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
			e->state = TLS_CLOSED;
		else
			failed(e, "record", r);
	}
	if (buf_span(&e->app).n == 0) {
		free(e->app_mem);
		e->app_mem = NULL;
		buf_init(&e->app, NULL, 0);
	}
}

static void move(struct tls_engine *e)
{
	(void)crypto_memory_failed(); /* of another engine */
	if (e->state == TLS_SHAKING)
		handshake(e);
	if (e->state == TLS_UP)
		read_app(e);
}

struct tls_engine *tls_engine_on(const mbedtls_ssl_config *c)
{
	struct tls_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	mbedtls_ssl_init(&e->ssl);
	if (mbedtls_ssl_setup(&e->ssl, c) != 0) {
		tls_engine_free(e);
		return NULL;
	}
	mbedtls_ssl_set_bio(&e->ssl, e, bio_send, bio_recv, NULL);
	mbedtls_ssl_set_user_data_p(&e->ssl, e);
	return e;
}

/* Settings of one client alone: mbedTLS looks for a client's certificate there
 * and nowhere else. NULL: no memory. */
static mbedtls_ssl_config *config_with(struct tls_trust *t,
				       struct tls_identity *own)
{
	mbedtls_ssl_config *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return NULL;
	mbedtls_ssl_config_init(c);
	r = tls_client_configure(c, t);
	tls_sign_elsewhere(c);
	for (size_t i = 0; r == OK && i < own->n; i++)
		r = tls_show(c, own->cert[i]);
	if (r == OK)
		return c;
	mbedtls_ssl_config_free(c);
	free(c);
	return NULL;
}

static struct tls_engine *client_on(struct tls_trust *t,
				    struct tls_identity *own)
{
	mbedtls_ssl_config *c;
	struct tls_engine *e;

	if (!own || own->n == 0)
		return tls_engine_on(&t->client);
	c = config_with(t, own);
	e = c ? tls_engine_on(c) : NULL;
	if (e) {
		e->config = c;
		e->identity = own;
		own->users++;
	} else if (c) {
		mbedtls_ssl_config_free(c);
		free(c);
	}
	return e;
}

struct tls_engine *tls_client_new(struct tls_trust *t, struct span sni,
				  struct tls_identity *own)
{
	struct tls_engine *e = client_on(t, own);
	char name[254] = "";

	if (!e)
		return NULL;
	e->trust = t;
	t->users++;
	if (sni.n > 0 && sni.n < sizeof(name))
		memcpy(name, sni.p, sni.n);
	/* NULL is said aloud: the name is policy's business, not mbedTLS's. */
	if (mbedtls_ssl_set_hostname(&e->ssl, name[0] ? name : NULL) != 0) {
		tls_engine_free(e);
		return NULL;
	}
	move(e);
	return e;
}

struct tls_engine *tls_server_new(struct tls_identity *id, bool ask)
{
	struct tls_engine *e;

	BUG_ON(!id->proved);
	e = tls_engine_on(&id->config[ask]);
	if (!e)
		return NULL;
	e->identity = id;
	id->users++;
	return e;
}

void tls_engine_free(struct tls_engine *e)
{
	if (!e)
		return;
	mbedtls_ssl_free(&e->ssl);
	if (e->config)
		mbedtls_ssl_config_free(e->config);
	free(e->config);
	tls_trust_free(e->trust);
	tls_identity_free(e->identity);
	free(e->signing);
	free(e->out_mem);
	free(e->app_mem);
	free(e);
}

static size_t feed_net(struct tls_engine *e, struct span in)
{
	size_t used;

	if (e->state != TLS_SHAKING && e->state != TLS_UP)
		return 0;
	e->in = in;
	e->in_used = 0;
	move(e);
	used = e->in_used;
	e->in = (struct span){ NULL, 0 };
	e->in_used = 0;
	return used;
}

/* Does a record of n octets fit, and an alert behind it? What mbedTLS cannot
 * send at once it holds back, and with it the close_notify that comes later. */
static bool fits(const struct tls_engine *e, size_t n)
{
	size_t room = e->out_mem ? buf_left(&e->out) : NET_OUT;

	return n + OVERHEAD <= room;
}

static size_t feed_app(struct tls_engine *e, struct span in)
{
	size_t done = 0;

	while (e->state == TLS_UP && !e->closing && done < in.n) {
		size_t n = in.n - done < APP_OUT ? in.n - done : APP_OUT;
		int r;

		if (!fits(e, n))
			break;
		r = mbedtls_ssl_write(&e->ssl, in.p + done, n);

		if (r > 0)
			done += (size_t)r;
		else if (r == MBEDTLS_ERR_SSL_WANT_WRITE ||
			 r == MBEDTLS_ERR_SSL_WANT_READ)
			break;
		else
			failed(e, "record", r);
	}
	return done;
}

size_t tls_engine_feed(struct tls_engine *e, enum tls_door d, struct span in)
{
	return d == TLS_NET ? feed_net(e, in) : feed_app(e, in);
}

struct span tls_engine_out(const struct tls_engine *e, enum tls_door d)
{
	return buf_span(d == TLS_NET ? &e->out : &e->app);
}

void tls_engine_sent(struct tls_engine *e, enum tls_door d, size_t n)
{
	if (d == TLS_APP) {
		buf_drop(&e->app, n);
		move(e); /* mbedTLS may hold the rest of a record */
		return;
	}
	buf_drop(&e->out, n);
	if (buf_span(&e->out).n > 0)
		return;
	free(e->out_mem);
	e->out_mem = NULL;
	buf_init(&e->out, NULL, 0);
	if (e->state == TLS_SHAKING)
		move(e); /* a flight that did not fit */
}

void tls_engine_close(struct tls_engine *e)
{
	if (e->state == TLS_UP && !e->closing)
		(void)mbedtls_ssl_close_notify(&e->ssl);
	e->closing = true;
}

enum tls_state tls_engine_state(const struct tls_engine *e)
{
	return e->state;
}

bool tls_engine_asks(const struct tls_engine *e, struct sign_ask *q)
{
	bool asks = e->state == TLS_SHAKING && e->signing &&
		    !e->signing->answered;

	if (asks && q)
		*q = e->signing->ask;
	return asks;
}

void tls_engine_signed(struct tls_engine *e, struct span signature)
{
	if (!tls_engine_asks(e, NULL))
		return;
	e->signing->answered = true;
	if (signature.n > 0 && signature.n <= SIGN_MAX) {
		memcpy(e->signing->signature, signature.p, signature.n);
		e->signing->n = signature.n;
	}
	move(e);
}

void tls_engine_channel(const struct tls_engine *e, struct channel *ch)
{
	const mbedtls_x509_crt *leaf = mbedtls_ssl_get_peer_cert(&e->ssl);

	if (e->state != TLS_UP && e->state != TLS_CLOSED) {
		*ch = e->fail;
		if (ch->missing == TLS_RESULT_OK)
			ch->missing = TLS_VALIDATION_FAILURE;
		return;
	}
	memset(ch, 0, sizeof(*ch));
	ch->tls = true;
	ch->version = mbedtls_ssl_get_version_number(&e->ssl) ==
				      MBEDTLS_SSL_VERSION_TLS1_3
			      ? 0x0304
			      : 0x0303;
	ch->suite = mbedtls_ssl_get_ciphersuite(&e->ssl);
	ch->certificate = leaf != NULL;
	ch->chain = leaf ? tls_result_of(mbedtls_ssl_get_verify_result(&e->ssl))
			 : TLS_CERTIFICATE_NOT_TRUSTED;
	if (leaf)
		tls_describe(leaf, ch);
	ch->binding = e->binding;
	if (leaf && e->trust)
		tls_bind_endpoint(leaf, &ch->binding);
	else if (e->shown && !e->trust)
		tls_bind_endpoint(&e->shown->chain, &ch->binding);
}

static void put_name(struct text *t, const mbedtls_x509_name *name)
{
	char dn[256];
	int n = mbedtls_x509_dn_gets(dn, sizeof(dn), name);

	if (n > 0)
		text_clean(t, (struct span){ (uint8_t *)dn, (size_t)n });
	else
		text_str(t, "?");
}

void tls_engine_chain(const struct tls_engine *e, char *to, size_t size,
		      uint64_t *until_s)
{
	const mbedtls_x509_crt *c = mbedtls_ssl_get_peer_cert(&e->ssl);
	const mbedtls_x509_time *end = c ? &c->valid_to : NULL;
	struct text t;

	text_init(&t, to, size);
	*until_s = end ? tls_time(end) : 0;
	for (; c; c = c->next) {
		put_name(&t, &c->subject);
		text_str(&t, ", by ");
		if (!c->next)
			put_name(&t, &c->issuer);
	}
}
