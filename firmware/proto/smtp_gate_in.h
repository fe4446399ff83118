/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_GATE_IN_H
#define PROTO_SMTP_GATE_IN_H

#include "proto/smtp_gate.h"

/*
 * smtp_gate_in - stand in the middle of one SMTP conversation, client outside,
 * server inside: the mirror of smtp_gate_out. The client is offered STARTTLS,
 * which the server need not know, and AUTH for the accounts of partners, of which
 * the server hears nothing; a sender's domain that must come protected
 * (policy/inbound.h) is refused at MAIL when it does not.
 *
 *   client  <-- out(CLIENT)   +------+   out(SERVER) -->   server
 *   (TLS    --> feed(CLIENT)  | gate |  feed(SERVER) <--   inside
 *   under it)                 +------+
 *
 * Commands that are understood, replies and messages pass octet for octet, one
 * command at a time: the next one goes when the reply to the one before has
 * come. What is not understood is answered here. Of the server's capabilities
 * the client sees an allow-list, plus what the box adds.
 *
 * Pure: octets and time in, octets and wishes out. Any cut of the input gives
 * the same output.
 */
struct gate_in_start {
	uint64_t now_ms;
	/* STARTTLS can be offered: a certificate has been proved. */
	bool can_tls;
	/* Whoever sends, it has to be inside TLS. */
	bool tls_only;
};

/* Opaque to callers, who only set memory aside. */
struct smtp_gate_in;
size_t smtp_gate_in_size(void);

/* mem: smtp_gate_in_size() octets, aligned for any type. pol must stay valid
 * until _set_policy gives another. */
struct smtp_gate_in *smtp_gate_in_init(void *mem, const struct policy *pol,
				       const struct gate_in_start *s);

/* Senders named and capabilities asked for from now on are judged by these. */
void smtp_gate_in_set_policy(struct smtp_gate_in *g, const struct policy *pol,
			     bool can_tls);

/* Take octets that came from a side; returns how many were taken. Fewer than
 * given: back-pressure, or a wish waits. */
size_t smtp_gate_in_feed(struct smtp_gate_in *g, enum side from,
			 struct span in);
/* True if octets from that side could be taken now. */
bool smtp_gate_in_hungry(const struct smtp_gate_in *g, enum side from);

/* A sender who is refused from now on hears of it after so many milliseconds. */
void smtp_gate_in_slow(struct smtp_gate_in *g, uint32_t wait_ms);

/* What waits for a side; valid until the next call on g. */
struct span smtp_gate_in_out(const struct smtp_gate_in *g, enum side to);
void smtp_gate_in_sent(struct smtp_gate_in *g, enum side to, size_t n);

/* The side said it will send no more (FIN, or close_notify inside TLS). */
void smtp_gate_in_eof(struct smtp_gate_in *g, enum side from);
/* The side is gone without a word. */
void smtp_gate_in_gone(struct smtp_gate_in *g, enum side from);

/* GATE_STARTTLS: be a server for the client; GATE_SEAL: seal; both once out(CLIENT)
 * has been sent. GATE_DIAL is never wished. */
enum gate_wish smtp_gate_in_wish(const struct smtp_gate_in *g);
/* With GATE_CLOSE: the server has got the beginning of a message that will not
 * be finished: reset it. */
bool smtp_gate_in_cut(const struct smtp_gate_in *g);

/* Answers to GATE_STARTTLS. What the client sends in clear before one of them
 * is fed here as all else, and ends the session (CVE-2011-0411). After _failed
 * the wish is GATE_CLOSE: an alert may still have to be sent. */
void smtp_gate_in_tls_up(struct smtp_gate_in *g, const struct channel *ch);
void smtp_gate_in_tls_failed(struct smtp_gate_in *g, const struct channel *ch);

/*
 * A partner logs on (RFC 4954). What it has said, with GATE_AUTH; then call one of
 * the three behind it.
 *
 *	AUTH MECH [text] -> wish -> _ask -> 334 -> text -> wish ...
 *	                            _known -> 235, and if it is sealed GATE_SEAL
 *	                            _unknown -> 535, 534, 501, 454
 *	"*", a line that is too long: given up, GATE_EV_LOGON_FAILED
 *
 * A mechanism is offered if an account has it, PLAIN and LOGIN inside TLS alone;
 * one log-on for a session; the third that fails ends it.
 */
struct gate_heard {
	uint32_t turn; /* another one for every question */
	bool first;    /* AUTH itself, with: */
	bool initial;  /* an initial response, which is text */
	enum auth_mech mech;
	bool plus;
	struct span text; /* valid until the next call on g */
};
struct gate_heard smtp_gate_in_heard(const struct smtp_gate_in *g);

/* text: base64. */
void smtp_gate_in_auth_ask(struct smtp_gate_in *g, struct span text);
/* mech, account and result of l are the gate's. bits: it is to be sealed. */
void smtp_gate_in_auth_known(struct smtp_gate_in *g, struct span account,
			     const struct channel_logon *l);
/* The client is told after so many milliseconds. */
void smtp_gate_in_auth_unknown(struct smtp_gate_in *g, enum logon_result why,
			       uint32_t wait_ms);
/* Answers to GATE_SEAL. ok: all that is fed and sent goes through it from now on;
 * not: there was no memory. */
void smtp_gate_in_sealed(struct smtp_gate_in *g, bool ok);

void smtp_gate_in_tick(struct smtp_gate_in *g, uint64_t now_ms);
/* When tick must be called at the latest (RFC 5321 4.5.3.2 and our caps). */
uint64_t smtp_gate_in_deadline(const struct smtp_gate_in *g);

/* Take the oldest event; false when there is none. */
bool smtp_gate_in_event(struct smtp_gate_in *g, struct gate_event *ev);

/* For show sessions: the channel is the client's. */
void smtp_gate_in_status(const struct smtp_gate_in *g, struct gate_status *st);

#endif
