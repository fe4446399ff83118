/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_GATE_STATE_H
#define PROTO_SMTP_GATE_STATE_H

/*
 * What the files of the outbound gate share; nobody else includes this.
 *
 *	smtp_gate_out.c     the doors: feed, out, wishes, deadlines
 *	smtp_gate_client.c  a command of the client
 *	smtp_gate_server.c  a reply of the server
 *	smtp_gate_rcpt.c    the decision about a recipient
 *	smtp_gate_auth.c    the log-on that it may need
 */
#include "base/buf.h"
#include "base/text.h"
#include "proto/smtp_cmd.h"
#include "proto/smtp_ehlo.h"
#include "proto/smtp_gate_out.h"
#include "proto/smtp_line.h"
#include "proto/smtp_message.h"
#include "proto/smtp_path.h"
#include "proto/smtp_reply.h"

enum {
	GATE_LINE = 2048, /* 512 and what extensions add: RFC 5321 4.5.3.1.4 */
	GATE_REPLY = 8192,
	GATE_OUT_CLIENT = GATE_REPLY + 4096,
	GATE_OUT_SERVER = 65536, /* a read of relay passes in one piece */
	GATE_EXPECT = 64,
	GATE_ERRORS = 10, /* then 421 */
	GATE_GARBAGE = 4, /* more for what is no SMTP: 421 to the third */
};

/* What the gate waits for from the server. */
enum gate_phase {
	PH_GREETING,
	PH_READY, /* nothing, or the replies in the queue */
	PH_EHLO,
	PH_HELO,
	PH_STARTTLS,
	PH_TLS,	    /* the handshake, which the caller does */
	PH_DIAL,    /* another connection, which the caller makes */
	PH_ROUTE,   /* the address of a host, which the caller finds out */
	PH_AUTH,    /* a log-on: the server, or on wish the caller */
	PH_CANCEL,  /* the same, which was given up */
	PH_DATA,    /* 354 */
	PH_BODY,    /* nothing: the client's message streams */
	PH_DOT,	    /* the reply to the message */
	PH_SWALLOW, /* nothing: the message is refused, its rest thrown away */
	PH_QUIT,
	PH_END, /* the wish is CLOSE or ABORT */
};

/* Whom the gate owes an answer while it talks to the server by itself. */
enum gate_owed { OWE_NOTHING, OWE_EHLO, OWE_RCPT };

/* A reply that is to come, and what it is for. */
enum gate_expect { EX_MAIL, EX_RCPT, EX_RSET, EX_NOOP };

struct smtp_gate_out {
	const struct policy *policy;
	struct gate_start start;
	uint64_t now_ms, deadline_ms;
	enum gate_phase phase;
	enum gate_wish wish;
	enum gate_owed owed;

	/* the channel to the server */
	bool connected;
	bool tls_barred; /* not on this connection: it failed or was refused */
	bool tls_later;	 /* not before a recipient needs it: it failed lately */
	bool swept;	 /* a MAIL of this transaction was sent to the server */
	struct channel ch;
	unsigned caps, mechs; /* what it offers now */
	struct endpoint dial;
	char sni[DOMAIN_MAX + 1];
	size_t sni_n;

	/* The host of the last rule that has a route by name, and where it is for
	 * the recipient at hand: asked once for each. */
	char route_name[DOMAIN_MAX + 1];
	size_t route_name_n;
	bool route_asked, route_known;
	uint8_t route_ip[16];
	char route_why[CHANNEL_WHY_MAX];

	/* the log-on under way */
	struct logon logon; /* its account is in account */
	char account[LOGON_ACCOUNT_MAX];
	enum gate_auth_step auth_step;
	uint32_t auth_turn;
	bool auth_seal;
	struct span challenge; /* in reply_mem */
	size_t secret_n; /* octets of out_s_mem to be wiped when they left */

	/* the client */
	bool esmtp, greeted, helo_done;
	unsigned shown; /* what it was told */
	unsigned errors;
	bool stalled;	   /* a command waits in line for replies to come */
	bool stalled_long; /* it was longer than any */
	struct span stalled_line;
	char helo[DOMAIN_MAX + 3];

	/* the transaction */
	bool mail_held, rcpt_waits;
	unsigned dials; /* connections made for this recipient */
	unsigned accepted, smtputf8;
	uint8_t expect[GATE_EXPECT];
	unsigned expect_at, expect_n;
	struct smtp_path rcpt;
	char mail_line[GATE_LINE + 16], rcpt_line[GATE_LINE + 16];
	unsigned mail_needs, rcpt_needs; /* capabilities of their parameters */
	size_t mail_refusal_n;
	char domain[DOMAIN_MAX + 1];

	/* the message */
	struct smtp_message message;
	bool cut; /* the server has got a part and must not take it for all */
	uint16_t swallow_code;
	const char *swallow_status, *swallow_text;
	size_t swallow_n; /* of refusal, which is said instead; 0: not */

	uint32_t messages;
	struct gate_events events;

	struct smtp_line line;
	struct smtp_reply reply;
	struct buf out_c, out_s;
	uint8_t line_mem[GATE_LINE];
	uint8_t reply_mem[GATE_REPLY];
	uint8_t refusal
		[GATE_REPLY]; /* of MAIL or text, until it is passed on */
	uint8_t out_c_mem[GATE_OUT_CLIENT];
	uint8_t out_s_mem[GATE_OUT_SERVER];
};

/* smtp_gate_out.c */

/* A reply of our own to the client. */
void gate_answer(struct smtp_gate_out *g, uint16_t code, const char *enhanced,
		 const char *text);
/* The server's reply, as it came. */
void gate_pass(struct smtp_gate_out *g);
/* A command to the server, CRLF added; never what a client sent unparsed. */
void gate_tell(struct smtp_gate_out *g, const char *verb, const char *arg);
void gate_wait(struct smtp_gate_out *g, enum gate_phase phase);
void gate_end(struct smtp_gate_out *g, enum gate_wish how);
struct gate_event *gate_note(struct smtp_gate_out *g,
			     enum gate_event_type type);
/* A peer broke the protocol: what the client waits for gets a 4xx. */
void gate_broken(struct smtp_gate_out *g, enum side side, int error,
		 const char *text);
/* The server is of no use any more. */
void gate_server_lost(struct smtp_gate_out *g, const char *text);
/* The name that the next handshake offers; empty: none. */
void gate_offer_name(struct smtp_gate_out *g, struct span sni);
void gate_dial_to(struct smtp_gate_out *g, const struct endpoint *to,
		  struct span sni, bool tls);
void gate_clear_transaction(struct smtp_gate_out *g);
void gate_expect(struct smtp_gate_out *g, enum gate_expect what);
/* Refuse the message that streams; its rest is taken and thrown away. text is
 * static. */
void gate_swallow(struct smtp_gate_out *g, uint16_t code, const char *enhanced,
		  const char *text);
/* Level of the default rule: may the gate use a channel in clear? */
enum level gate_default_level(const struct smtp_gate_out *g);

/* smtp_gate_client.c: a whole line. False: not now, ask again. */
bool gate_command(struct smtp_gate_out *g, struct span line);
/* An answer to what is wrong; after too many of them 421. */
void gate_error(struct smtp_gate_out *g, uint16_t code, const char *status,
		const char *text);

/* smtp_gate_server.c: g->reply is complete. */
void gate_reply(struct smtp_gate_out *g);
/* EHLO is done, or there is nobody to say it to: answer what is owed. */
void gate_ready(struct smtp_gate_out *g);

/* smtp_gate_auth.c */

/* Begin the log-on of a rule for the recipient that waits. */
void gate_auth_begin(struct smtp_gate_out *g, const struct policy_rule *rule);
/* A reply of the server in PH_AUTH or PH_CANCEL. */
void gate_auth_reply(struct smtp_gate_out *g);

/* smtp_gate_out.c: the caller has answered this wish. */
void gate_granted(struct smtp_gate_out *g, enum gate_wish w);

/* smtp_gate_rcpt.c: decide about g->rcpt. False: not now, replies are to come
 * first. */
bool gate_decide(struct smtp_gate_out *g);
/* The channel that was to be raised could not be, or the route is known. */
void gate_raise_failed(struct smtp_gate_out *g);
void gate_send_rcpt(struct smtp_gate_out *g);

#endif
