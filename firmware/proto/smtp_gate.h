/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_GATE_H
#define PROTO_SMTP_GATE_H

#include "base/addr.h"
#include "base/err.h"
#include "policy/policy.h"

/* What the gates of both directions say to their caller. */

/* What a gate cannot do itself. It stays wished until it is answered. */
enum gate_wish {
	GATE_NOTHING,
	/* Start TLS towards the peer outside, once what waits for that side
	 * has been sent. Then call _tls_up or _tls_failed. */
	GATE_STARTTLS,
	/* Outbound only: drop the server connection, dial gate_dial(); then
	 * _dialed or _dial_failed. What the old connection still sends is
	 * discarded. */
	GATE_DIAL,
	/* Outbound only: find out where the host smtp_gate_out_route() is; then
	 * _routed or _unrouted. */
	GATE_ROUTE,
	/* Ask the keeper of secrets; see smtp_gate_out_auth, smtp_gate_in_heard. */
	GATE_AUTH,
	/* Inbound only: seal what follows, once what waits for the client has
	 * been sent. Then call _sealed. */
	GATE_SEAL,
	/* Send what out(CLIENT) and out(SERVER) hold, then close both; but
	 * see _cut. */
	GATE_CLOSE,
	/* Reset both, at once: the other end did, or must not believe that the
	 * conversation ended well. */
	GATE_ABORT,
};

/* What happened, for the log and the counters. Never contains mail. */
enum gate_event_type {
	GATE_EV_TLS_UP,	    /* result OK or why the chain is not trusted */
	GATE_EV_TLS_FAILED, /* handshake; result, why */
	GATE_EV_STARTTLS_VANISHED, /* offered before by this server: an alarm */
	GATE_EV_FALLBACK,	   /* second try in clear begins */
	GATE_EV_LOGON, /* SMTP AUTH went well; domain (outbound), why: how */
	GATE_EV_LOGON_FAILED, /* it did not; domain (outbound), code, why */
	GATE_EV_RCPT_REFUSED, /* by policy; domain, result, code */
	/* policy let a recipient pass; domain. One for many of the same domain
	 * in a row, and none when other events have filled the room. */
	GATE_EV_RCPT_PASSED,
	GATE_EV_MAIL_REFUSED, /* inbound: the sender; domain, result, code */
	/* inbound: the client says, inside TLS, that it is a box; domain: the
	 * sender's. Before the sender is judged. */
	GATE_EV_BOX_CALLS,
	GATE_EV_MESSAGE, /* the server took a message; code, protected */
	GATE_EV_MESSAGE_REFUSED, /* the server's own 4xx or 5xx to the dot */
	GATE_EV_PROTOCOL,	 /* a peer broke SMTP; side, error */
};

struct gate_event {
	enum gate_event_type type;
	enum side side;
	struct endpoint server; /* of the connection that it happened on */
	enum tls_result result;
	int error;	 /* enum err */
	uint16_t code;	 /* SMTP reply code */
	bool protected_; /* inside TLS, or sealed */
	bool learned; /* RCPT_REFUSED: the rule asks for it since it was there */
	bool unrouted;	/* RCPT_REFUSED: where its route leads is not known */
	uint64_t bytes; /* of the message */
	char domain[POLICY_DOMAIN_MAX + 1]; /* rule's key, "" when not known */
	char why[CHANNEL_WHY_MAX];
};

/* For show sessions. */
struct gate_status {
	const char *phase; /* "greeting", "ehlo", "idle", "data", ... */
	const struct channel *channel;
	bool box; /* outbound: the server says, inside TLS, that it is one; of a
		   * client see GATE_EV_BOX_CALLS */
	uint32_t messages;
	char domain[POLICY_DOMAIN_MAX + 1]; /* of the last decision */
};

/* The last events that nobody has asked for yet; the oldest gives way. A gate
 * takes no command while more than half of the room is full. */
enum { GATE_EVENTS = 8 };

struct gate_events {
	struct gate_event event[GATE_EVENTS];
	unsigned at, n;
};

/* A new one of this type, otherwise zero, for the caller to fill. */
struct gate_event *gate_events_add(struct gate_events *e,
				   enum gate_event_type type);
/* Take the oldest; false when there is none. */
bool gate_events_take(struct gate_events *e, struct gate_event *ev);

#endif
