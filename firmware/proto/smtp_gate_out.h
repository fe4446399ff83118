/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_GATE_OUT_H
#define PROTO_SMTP_GATE_OUT_H

#include "proto/smtp_gate.h"

/*
 * smtp_gate_out - stand in the middle of one SMTP conversation, client inside,
 * server outside, and let no envelope and no message out on a channel that the
 * recipients' policy does not accept.
 *
 *   client  <-- out(CLIENT)   +------+   out(SERVER) -->   server
 *           --> feed(CLIENT)  | gate |  feed(SERVER) <--   (plain text: TLS is
 *                             +------+                      put under it by the
 *                                                           caller on wish)
 *
 * Pure: bytes and time in, bytes and wishes out. Any cut of the input gives the
 * same output. The states, and what is sent when, are drawn in the .c file.
 */

struct learned;

struct gate_start {
	struct endpoint client, server;
	/* Memory of this peer (policy/peer_memory.h), */
	bool tls_failed_before; /* lately: do not offer TLS where may allows */
	bool starttls_before;	/* it offered STARTTLS at some time */
	/* And of domains; must stay. NULL: nothing is. */
	const struct learned *learned;
	uint32_t session; /* for "explain", in a refusal; 0: it has none */
	uint64_t now_ms;
};

/* Opaque to callers, who only set memory aside: see smtp_gate_state.h. */
struct smtp_gate_out;
size_t smtp_gate_out_size(void);

/* mem: smtp_gate_out_size() bytes, aligned for any type. pol must stay valid
 * until _set_policy gives another. */
struct smtp_gate_out *smtp_gate_out_init(void *mem, const struct policy *pol,
					 const struct gate_start *s);

/* Recipients named from now on are judged by pol. */
void smtp_gate_out_set_policy(struct smtp_gate_out *g,
			      const struct policy *pol);

/* Take bytes that came from a side; returns how many were taken. Fewer than
 * given: back-pressure, or a wish waits. */
size_t smtp_gate_out_feed(struct smtp_gate_out *g, enum side from,
			  struct span in);
/* True if bytes from that side could be taken now: poll for input only then. */
bool smtp_gate_out_hungry(const struct smtp_gate_out *g, enum side from);

/* What waits for a side; valid until the next call on g. */
struct span smtp_gate_out_out(const struct smtp_gate_out *g, enum side to);
void smtp_gate_out_sent(struct smtp_gate_out *g, enum side to, size_t n);

/* The side said it will send no more (FIN, or close_notify inside TLS). */
void smtp_gate_out_eof(struct smtp_gate_out *g, enum side from);
/* The side is gone without a word (RST, timeout, TLS cut without
 * close_notify). */
void smtp_gate_out_gone(struct smtp_gate_out *g, enum side from);

enum gate_wish smtp_gate_out_wish(const struct smtp_gate_out *g);
/* With GATE_CLOSE: the server has got the beginning of a message that will not
 * be finished. Reset it: an orderly end might pass for the end of the message
 * with a server that is careless. */
bool smtp_gate_out_cut(const struct smtp_gate_out *g);
/* With GATE_STARTTLS: the name to offer, empty for none. */
struct span smtp_gate_out_sni(const struct smtp_gate_out *g);
/* With GATE_DIAL: where to. */
struct endpoint smtp_gate_out_dial(const struct smtp_gate_out *g);

/* With GATE_ROUTE: the name of a host, as domain_normalise() gives it; valid until
 * the wish is answered. */
struct span smtp_gate_out_route(const struct smtp_gate_out *g);

/*
 * With GATE_AUTH: one step of a log-on (auth/sasl_client.h; the gate knows of it
 * only that texts come and go). Spans are valid until the wish is answered.
 *
 *	BEGIN      begin one. Then _auth_say with the initial response, or with
 *	           none if that has to wait; or _auth_failed
 *	CHALLENGE  the server has said text: _auth_say, or _auth_failed, which
 *	           tells the server that it is given up
 *	DONE       the server is content: _auth_up once the seal is on, if there
 *	           is one (the gate sends nothing before); or _auth_failed
 */
enum gate_auth_step { GATE_AUTH_BEGIN, GATE_AUTH_CHALLENGE, GATE_AUTH_DONE };

struct gate_auth {
	uint32_t turn; /* another number for every step */
	enum gate_auth_step step;
	struct logon logon;
	bool seal;	  /* all that follows is to be sealed */
	bool plus;	  /* the server offers the -PLUS form */
	struct span text; /* CHALLENGE */
};
struct gate_auth smtp_gate_out_auth(const struct smtp_gate_out *g);

/* text is one line without its end; said: false: BEGIN, and there is none.
 * plus: the mechanism is used in its -PLUS form. */
void smtp_gate_out_auth_say(struct smtp_gate_out *g, struct span text,
			    bool said, bool plus);
void smtp_gate_out_auth_failed(struct smtp_gate_out *g, enum logon_result why);
/* mech, account and result of l are the gate's. */
void smtp_gate_out_auth_up(struct smtp_gate_out *g,
			   const struct channel_logon *l);

/* Answers to wishes. pending: bytes were already waiting from the server where
 * its TLS had to begin: an injection (CVE-2011-0411), ends the session. */
void smtp_gate_out_tls_up(struct smtp_gate_out *g, const struct channel *ch,
			  bool pending);
void smtp_gate_out_tls_failed(struct smtp_gate_out *g,
			      const struct channel *ch);
void smtp_gate_out_dialed(struct smtp_gate_out *g);
void smtp_gate_out_dial_failed(struct smtp_gate_out *g);
/* Mail for this recipient goes to this address, if the channel there is as its rule
 * says; or it is not known where, and the recipient is told to try again. */
void smtp_gate_out_routed(struct smtp_gate_out *g, const uint8_t ip[16]);
void smtp_gate_out_unrouted(struct smtp_gate_out *g, const char *why);

/* The time: tell it before anything else that happens, for what the gate waits
 * for is counted from then on. */
void smtp_gate_out_tick(struct smtp_gate_out *g, uint64_t now_ms);
/* When tick must be called at the latest (RFC 5321 4.5.3.2 and our caps). */
uint64_t smtp_gate_out_deadline(const struct smtp_gate_out *g);

/* Take the oldest event; false when there is none. */
bool smtp_gate_out_event(struct smtp_gate_out *g, struct gate_event *ev);

/* For show sessions. */
void smtp_gate_out_status(const struct smtp_gate_out *g,
			  struct gate_status *st);

#endif
