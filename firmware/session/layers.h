/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SESSION_LAYERS_H
#define SESSION_LAYERS_H

#include "auth/ntlm_seal.h"
#include "tls/tls_engine.h"

/*
 * layers - what stands between a gate and the socket of the peer outside: TLS, a
 * seal, or a seal inside TLS (RFC 4954 4). With the doors of an engine.
 *
 *        NET door                       APP door (clear text)
 *   feed ----------> [TLS] <-> [seal] ----------> out/sent
 *
 * Not to be used while there is neither (layers_any).
 */
struct layers {
	struct tls_engine *tls; /* the caller's to make; NULL: none */
	struct ntlm_seal *seal;
};

enum layers_door { LAYERS_NET, LAYERS_APP };

enum layers_state {
	LAYERS_UP,
	LAYERS_CLOSED, /* the peer said so, in TLS; nothing of it is left */
	LAYERS_FAILED, /* a record or block is not the peer's */
};

static inline bool layers_any(const struct layers *l)
{
	return l->tls || l->seal;
}

/* Put a seal in; we: CLIENT or SERVER. E_FULL: no memory. */
MUST_CHECK int layers_seal(struct layers *l, const struct sasl_outcome *o,
			   enum side we, struct seal_framing framing);
/* Free both. */
void layers_drop(struct layers *l);

/* Returns how many were taken; fewer than given: later, when what waits at the doors
 * has been taken away. */
size_t layers_feed(struct layers *l, enum layers_door d, struct span in);
/* What waits at a door, valid until the next call on l; then how much of it was taken. */
struct span layers_out(const struct layers *l, enum layers_door d);
void layers_sent(struct layers *l, enum layers_door d, size_t n);

/* UP as long as clear text waits at LAYERS_APP, whatever came behind it. */
enum layers_state layers_state(const struct layers *l);

/* All was said: close_notify, where there is one. */
void layers_close(struct layers *l);

#endif
