/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "session/gate.h"
#include "session/layers.h"
#include "tls/tls_engine.h"

/*
 * session - one mail conversation: a gate, TLS and seal under it, and a pump that
 * moves bytes between them until nothing moves. No I/O: relay owns the two
 * sockets and calls feed with what it read and out/sent for what to write. Behind
 * each call it asks for the wish, and takes the events.
 *
 * TLS is spoken with the peer outside: the server of a client inside, or the
 * client of a server inside. Times are milliseconds of the caller's clock. What is
 * "as the gate has it" stands in proto/smtp_gate_out.h and smtp_gate_in.h.
 */
struct session;

enum session_wish {
	SESSION_NOTHING,
	SESSION_DIAL,  /* close the server socket, dial, then session_dialed */
	SESSION_ROUTE, /* where is session_route()? Then session_routed, ... */
	SESSION_AUTH,  /* ask keys about session_auth, then session_auth_... */
	SESSION_SIGN,  /* ask keys for session_sign, then session_signed */
	SESSION_CLOSE, /* write what out holds, then close both orderly */
	SESSION_CUT,   /* the same, but reset the server */
	SESSION_ABORT, /* reset both now */
};

/* A client inside; id: who we are to a server that asks; NULL: nobody. NULL: no
 * memory. pol and trust must stay until _set_policy gives others. */
struct session *session_new(const struct policy *pol, struct tls_trust *trust,
			    struct tls_identity *id,
			    const struct gate_start *start);
/* A client outside; tls_only: as the gate has it; ask: it may show a certificate, also
 * where no rule wants one; id: who we are to it, proved; NULL: STARTTLS is not offered.
 * Of either kind it must stay until _set_identity gives another. NULL: no memory. */
struct session *session_new_in(const struct policy *pol,
			       struct tls_identity *id, bool tls_only, bool ask,
			       uint64_t now_ms);
/* At once, with the keys in it; NULL is harmless. Events that nobody took are lost. */
void session_free(struct session *s);

/* A new snapshot: recipients and handshakes from now on use it. */
void session_set_policy(struct session *s, const struct policy *pol,
			struct tls_trust *trust);
/* Other certificates, from the next handshake on, or none. */
void session_set_identity(struct session *s, struct tls_identity *id);

/* What was read from the socket of a side, records of TLS where there is TLS. Returns
 * how many were taken; fewer than given: the rest again when the session is hungry. */
size_t session_feed(struct session *s, enum side from, struct span in);
/* Read that socket now? */
bool session_hungry(const struct session *s, enum side from);
/* What is to be written to the socket of a side; valid until the next call on s. Then
 * how much of it was. */
struct span session_out(const struct session *s, enum side to);
void session_sent(struct session *s, enum side to, size_t n);
/* The socket of a side has ended: orderly (FIN), or by a reset or a timeout. */
void session_eof(struct session *s, enum side from);
void session_gone(struct session *s, enum side from);

/* The same until it was answered. */
enum session_wish session_wish(const struct session *s);
/* With SESSION_DIAL, of a client inside: where to. Then: the socket of the server is a
 * new one, in clear; or there is none. */
struct endpoint session_dial(const struct session *s);
void session_dialed(struct session *s);
void session_dial_failed(struct session *s);

/* With SESSION_ROUTE, of a client inside: the name of a host. Then: its address; or
 * why it is not known, for a person. As the gate has them. */
struct span session_route(const struct session *s);
void session_routed(struct session *s, const uint8_t ip[16]);
void session_unrouted(struct session *s, const char *why);

/* With SESSION_AUTH, of a client inside: a step of a log-on, as
 * smtp_gate_out_auth has it, and what it is to be bound to. Then one of the
 * others: what to say (said: BEGIN can have nothing), why it failed, or that it is
 * done. A key in o is used here; the caller wipes its own. */
struct gate_auth session_auth(const struct session *s,
			      struct logon_binding *binding);
void session_auth_say(struct session *s, struct span text, bool said);
void session_auth_failed(struct session *s, enum logon_result why);
void session_auth_up(struct session *s, const struct sasl_outcome *o);

/* With SESSION_AUTH, of a client outside: what it says to log on, as
 * smtp_gate_in_heard has it, and what that may be bound to. Then one of the
 * others, as the gate has them; what is sealed is sealed here, so the caller wipes
 * its own key. */
struct gate_heard session_heard(const struct session *s,
				struct logon_binding *binding);
void session_heard_ask(struct session *s, struct span text);
void session_heard_known(struct session *s, struct span account,
			 const struct sasl_outcome *o);
void session_heard_unknown(struct session *s, enum logon_result why,
			   uint32_t wait_ms);

/* Of a client outside, as the gate has it: the answer it waits for comes later. */
void session_slow(struct session *s, uint32_t wait_ms);

/* With SESSION_SIGN: what is to be signed for a handshake that waits. Empty: there is
 * no such signature to be had. Spans in it are valid until it was answered. Then the
 * signature; an empty one: there is none, and the handshake fails. */
struct sign_ask session_sign(const struct session *s);
void session_signed(struct session *s, struct span signature);

/* The time: tell it before anything else that happens. */
void session_tick(struct session *s, uint64_t now_ms);
/* When _tick must be called at the latest. */
uint64_t session_deadline(const struct session *s);
/* Take the oldest event; false when there is none. For show sessions. */
bool session_event(struct session *s, struct gate_event *ev);
void session_status(const struct session *s, struct gate_status *st);

#endif
