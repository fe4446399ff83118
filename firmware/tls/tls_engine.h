/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLS_TLS_ENGINE_H
#define TLS_TLS_ENGINE_H

#include "base/err.h"
#include "base/span.h"
#include "policy/channel.h"
#include "tls/tls_identity.h"

/*
 * tls_engine - mbedTLS as an engine: bytes in, bytes out, no socket.
 *
 *        NET door (records)             APP door (clear text)
 *   feed ---------------->  engine  ----------------> out/sent
 *   out/sent <------------          <---------------- feed
 *
 * The engine never decides whether a peer is good enough. It records what the
 * peer proved in a struct channel and leaves the decision to policy, because
 * one connection can serve an opportunistic and a verified domain.
 */
enum tls_door { TLS_NET, TLS_APP };

enum tls_state {
	TLS_SHAKING,
	TLS_UP,
	TLS_CLOSED, /* close_notify came; nothing of this peer is read again */
	TLS_FAILED, /* see tls_engine_error; only what out holds may be sent */
};

/* Trust anchors and clock of one snapshot, shared by its engines. */
struct tls_trust;

/*
 * Parse the CA list. ca_pem need not stay. floor_s: validity is judged at
 * max(system clock, floor_s), so a box without a clock battery cannot be taken
 * back in time; of several, the last one that is not 0 counts. NULL: no memory, or a
 * certificate does not parse; *bad is then its number, from 1.
 */
struct tls_trust *tls_trust_new(struct span ca_pem, uint64_t floor_s,
				unsigned *bad);
/* Engines made from t keep it alive until they are freed. */
void tls_trust_free(struct tls_trust *t);

struct tls_engine;

/* A client towards a server. sni: name to offer, empty for none; copied. own:
 * of its certificates the first one that fits is shown to a server that asks for
 * one, or none; NULL: none is. NULL: no memory. The handshake starts by itself:
 * out(TLS_NET) has the ClientHello at once. */
struct tls_engine *tls_client_new(struct tls_trust *t, struct span sni,
				  struct tls_identity *own);
/*
 * A server towards a client; id has been proved. ask: the client may show a
 * certificate, which is not verified against any CA: it proves that it has the
 * key, and who it is only a pin can say. NULL: no memory. Versions, suites and
 * what is not there (tickets, renegotiation, early data) are as for a client;
 * an ALPN list without SMTP's name ends the handshake.
 */
struct tls_engine *tls_server_new(struct tls_identity *id, bool ask);
void tls_engine_free(struct tls_engine *e);

/* Take bytes at a door; returns how many were taken. Fewer than given is
 * back-pressure: give the rest again after something was sent. */
size_t tls_engine_feed(struct tls_engine *e, enum tls_door d, struct span in);

/* What waits at a door; valid until the next call on e. */
struct span tls_engine_out(const struct tls_engine *e, enum tls_door d);
void tls_engine_sent(struct tls_engine *e, enum tls_door d, size_t n);

/* Say close_notify after what was fed. Nothing may be fed to APP afterwards. */
void tls_engine_close(struct tls_engine *e);

enum tls_state tls_engine_state(const struct tls_engine *e);

/* SHAKING: does the handshake wait for a signature of ours? q may be NULL. It goes on
 * where it was with _signed; an empty signature: there is none, which fails it, as a
 * fault of our own (no_room). */
bool tls_engine_asks(const struct tls_engine *e, struct sign_ask *q);
void tls_engine_signed(struct tls_engine *e, struct span signature);

/* Once UP: what the peer proved; server is left for the caller to fill. A log-on may
 * be bound to the server's certificate: the peer's, or of ours the one it was shown.
 * Once FAILED: tls is false, missing and why say what happened. */
void tls_engine_channel(const struct tls_engine *e, struct channel *ch);

/* Once UP: who the peer's certificates are, the leaf first, then who signed the
 * last, for people; and when the leaf ends (Unix time; 0: there is none). */
void tls_engine_chain(const struct tls_engine *e, char *to, size_t size,
		      uint64_t *until_s);

/*
 * Known answers for every primitive and a whole handshake against ourselves,
 * once at start. Anything but OK: do not start (some compilers have produced
 * wrong GCM code). why: one line for the log.
 */
MUST_CHECK int tls_self_test(const char **why);

#endif
