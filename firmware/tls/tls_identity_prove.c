/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_identity_prove - does a client get through to us with these certificates?
 * Found out by being one, in memory: each certificate alone in TLS 1.2 and 1.3,
 * then what a client without a name is shown.
 */
#include <mbedtls/build_info.h> /* first: the others ask it */
#include <mbedtls/ssl.h>
#include "base/bug.h"
#include "tls/tls_server.h"

enum { TURNS_MAX = 64 }; /* flights and answers; a handshake needs four */

/* What waits at one end goes to the other. True: something did. */
static bool carry(struct tls_engine *from, struct tls_engine *to)
{
	struct span s = tls_engine_out(from, TLS_NET);
	size_t n = s.n > 0 ? tls_engine_feed(to, TLS_NET, s) : 0;

	tls_engine_sent(from, TLS_NET, n);
	return n > 0;
}

static void carry_all(struct tls_engine *a, struct tls_engine *b)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		bool there = carry(a, b), back = carry(b, a);

		if (!there && !back)
			return;
	}
}

/* Is what is said at one end heard at the other? */
static bool heard(struct tls_engine *from, struct tls_engine *to)
{
	static const struct span word = { (const uint8_t *)"NOOP\r\n", 6 };
	bool same;

	if (tls_engine_feed(from, TLS_APP, word) != word.n)
		return false;
	carry_all(from, to);
	same = span_eq(tls_engine_out(to, TLS_APP), word);
	tls_engine_sent(to, TLS_APP, tls_engine_out(to, TLS_APP).n);
	return same;
}

static const char no_memory[] = "no memory for a handshake";

/* Is it our own fault? */
static bool no_room(const struct tls_engine *e)
{
	static struct channel ch;

	tls_engine_channel(e, &ch);
	return ch.no_room;
}

/* NULL, or what went wrong with a handshake that has come to its end. want: the
 * certificate that must have been shown. */
static const char *judge(struct tls_engine *client, struct tls_engine *server,
			 const struct tls_cert *want)
{
	static struct channel ch;

	if (no_room(client) || no_room(server))
		return no_memory;
	if (tls_engine_state(client) != TLS_UP ||
	    tls_engine_state(server) != TLS_UP)
		return "a handshake with it fails";
	tls_engine_channel(client, &ch);
	if (memcmp(ch.spki_sha256, want->shown.spki_sha256, 32) != 0)
		return "another certificate is shown in its place";
	if (!heard(client, server) || !heard(server, client))
		return "what is sent inside TLS does not arrive";
	return NULL;
}

static const mbedtls_ssl_protocol_version versions[] = {
	MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3
};

void tls_proof_drop(struct tls_proof *p)
{
	tls_engine_free(p->client);
	tls_engine_free(p->server);
	mbedtls_ssl_config_free(&p->alone);
	tls_trust_free(p->as);
	*p = (struct tls_proof){ .version = p->version };
}

/* One certificate, whatever others there are. False: no memory. */
static bool begin(struct tls_proof *p, struct tls_cert *c)
{
	unsigned bad;

	mbedtls_ssl_config_init(&p->alone);
	p->as = tls_trust_new(SPAN_LIT(""), 0, &bad);
	if (!p->as || tls_server_configure(&p->alone) != OK ||
	    tls_show(&p->alone, c) != OK)
		return false;
	mbedtls_ssl_conf_max_tls_version(&p->as->client, versions[p->version]);
	p->client = tls_client_new(p->as, SPAN_LIT(""), NULL);
	p->server = tls_engine_on(&p->alone);
	return p->client && p->server;
}

bool tls_identity_asks(const struct tls_identity *id, struct sign_ask *q)
{
	return id->proof.server && tls_engine_asks(id->proof.server, q);
}

void tls_identity_signed(struct tls_identity *id, struct span signature)
{
	id->proof.unsigned_ = signature.n == 0;
	tls_engine_signed(id->proof.server, signature);
}

/* Clients that name no host are shown the first one, or what has a name of it
 * and a key of another kind. */
static int by_default(struct tls_identity *id)
{
	for (size_t i = 0; i < id->n; i++) {
		struct tls_cert *c = id->cert[i];

		if (i > 0 && !tls_cert_related(id->cert[0], c))
			continue;
		for (int ask = 0; ask < 2; ask++)
			if (tls_show(&id->config[ask], c) != OK)
				return E_FULL;
	}
	return OK;
}

/* As far as it goes. False: it waits for a signature. */
static bool shake(struct tls_identity *id, const char **why)
{
	struct tls_proof *p = &id->proof;
	struct tls_cert *c = id->cert[id->tried];

	*why = no_memory;
	if (!p->server && !begin(p, c))
		return true;
	carry_all(p->client, p->server);
	*why = NULL;
	if (tls_engine_asks(p->server, NULL))
		return false;
	*why = p->unsigned_ ? "its private key is not here"
			    : judge(p->client, p->server, c);
	return true;
}

int tls_identity_prove(struct tls_identity *id, const char **why, size_t *which)
{
	BUG_ON(id->proved);
	*which = id->tried;
	*why = "there is no certificate";
	if (id->n == 0)
		return E_CONF;
	if (!shake(id, why))
		return E_AGAIN;
	tls_proof_drop(&id->proof);
	if (*why)
		return *why == no_memory ? E_FULL : E_CONF;
	if (++id->proof.version < sizeof(versions) / sizeof(versions[0]))
		return E_AGAIN;
	id->proof.version = 0;
	if (++id->tried < id->n)
		return E_AGAIN;
	if (by_default(id) != OK) {
		*why = no_memory;
		return E_FULL;
	}
	id->proved = true;
	return OK;
}
