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

/* NULL, or what went wrong. want: the certificate that must be shown. */
static const char *converse(struct tls_engine *client,
			    struct tls_engine *server,
			    const struct tls_cert *want)
{
	static struct channel ch;

	carry_all(client, server);
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

static const char *try_on(const mbedtls_ssl_config *c, struct tls_trust *as,
			  const struct tls_cert *want)
{
	struct tls_engine *client = tls_client_new(as, SPAN_LIT(""), NULL);
	struct tls_engine *server = tls_engine_on(c);
	const char *why = client && server ? converse(client, server, want)
					   : no_memory;

	tls_engine_free(client);
	tls_engine_free(server);
	return why;
}

/* One certificate, whatever others there are. */
static const char *try_cert(struct tls_cert *c, struct tls_trust *as)
{
	static const mbedtls_ssl_protocol_version versions[] = {
		MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3
	};
	const char *why = NULL;
	mbedtls_ssl_config alone;

	mbedtls_ssl_config_init(&alone);
	if (tls_server_configure(&alone) != OK ||
	    mbedtls_ssl_conf_own_cert(&alone, &c->chain, &c->key) != 0)
		why = no_memory;
	for (size_t i = 0; !why && i < 2; i++) {
		mbedtls_ssl_conf_max_tls_version(&as->client, versions[i]);
		why = try_on(&alone, as, c);
	}
	mbedtls_ssl_config_free(&alone);
	return why;
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
			if (mbedtls_ssl_conf_own_cert(&id->config[ask],
						      &c->chain, &c->key) != 0)
				return E_FULL;
	}
	return OK;
}

int tls_identity_prove(struct tls_identity *id, const char **why, size_t *which)
{
	struct tls_trust *as;
	unsigned bad;

	BUG_ON(id->proved);
	*which = id->tried;
	*why = "there is no certificate";
	if (id->n == 0)
		return E_CONF;
	*why = "no memory";
	as = tls_trust_new(SPAN_LIT(""), 0, &bad);
	if (!as)
		return E_FULL;
	*why = try_cert(id->cert[id->tried], as);
	tls_trust_free(as);
	if (*why)
		return *why == no_memory ? E_FULL : E_CONF;
	if (++id->tried < id->n)
		return E_AGAIN;
	if (by_default(id) != OK) {
		*why = "no memory";
		return E_FULL;
	}
	id->proved = true;
	return OK;
}
