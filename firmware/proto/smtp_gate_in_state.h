/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_GATE_IN_STATE_H
#define PROTO_SMTP_GATE_IN_STATE_H

/*
 * What the files of the inbound gate share; nobody else includes this.
 *
 *	smtp_gate_in.c         the doors: feed, out, wishes, deadlines
 *	smtp_gate_in_client.c  a command of the client
 *	smtp_gate_in_auth.c    a log-on of the client
 *	smtp_gate_in_server.c  a reply of the server
 */
#include "base/buf.h"
#include "base/text.h"
#include "policy/inbound.h"
#include "proto/smtp_cmd.h"
#include "proto/smtp_ehlo.h"
#include "proto/smtp_gate_in.h"
#include "proto/smtp_line.h"
#include "proto/smtp_message.h"
#include "proto/smtp_path.h"
#include "proto/smtp_reply.h"

enum {
	GIN_LINE = 4096, /* of a log-on: RFC 4954 4 */
	/* 512 and what extensions add: RFC 5321 4.5.3.1.4 */
	GIN_COMMAND = 2048,
	GIN_REPLY = 8192,
	GIN_OUT_CLIENT = GIN_REPLY + 4096,
	GIN_OUT_SERVER = 32768,
	GIN_ERRORS = 10,	/* then 421 */
	GIN_GARBAGE = 3,	/* the same, of what is no SMTP at all */
	GIN_LOGONS = 3,		/* that fail, then 421 */
	GIN_LINE_FLOOD = 65536, /* a line that is still not at its end */
	GIN_REFUSAL = 800,
};

/* What the gate waits for. */
enum gin_phase {
	GIN_GREETING, /* the server's */
	GIN_READY,    /* a command of the client */
	/* The reply to a command: */
	GIN_EHLO,
	GIN_HELO, /* one of ours, because the server knows no EHLO */
	GIN_OLD_HELO,
	GIN_MAIL,
	GIN_RSET,
	GIN_OTHER,
	GIN_DATA,
	GIN_QUIT,
	GIN_TLS,     /* the handshake, which the caller does */
	GIN_AUTH,    /* the keeper of secrets */
	GIN_ANSWER,  /* the client's answer to 334 */
	GIN_HOLD,    /* the time to say what is refused */
	GIN_SEAL,    /* the seal, which the caller makes */
	GIN_BODY,    /* the client's message, which streams */
	GIN_DOT,     /* the reply to it */
	GIN_SWALLOW, /* the rest of a message that is refused */
	GIN_RAW,     /* nothing: the session is left to its ends */
	GIN_END,     /* the wish is CLOSE or ABORT */
};

/* A reply of our own; text is static, or refusal_mem. */
struct gin_refusal {
	uint16_t code;
	const char *status, *text;
};

struct smtp_gate_in {
	const struct policy *policy;
	bool can_tls, tls_only;
	uint64_t start_ms, now_ms, deadline_ms;
	enum gin_phase phase;
	enum gate_wish wish;
	struct channel ch; /* from the client */
	bool server_gone;

	/* the client */
	bool greeted, helo_done;
	unsigned shown; /* capabilities that it was told */
	bool box_shown; /* and EHLO_BOX_WORD */
	unsigned errors, garbage;
	size_t line_n; /* octets of the line that is coming */
	char helo[DOMAIN_MAX + 3];

	/* a log-on */
	struct gate_heard heard;
	unsigned logons_failed;

	struct gin_refusal held; /* what is said after GIN_HOLD */
	uint32_t wait_ms;	 /* how long that is, of a sender's refusal */

	/* the transaction */
	bool mail;		     /* the server has taken MAIL */
	char domain[DOMAIN_MAX + 1]; /* of the last sender that was judged */

	/* the message */
	struct smtp_message message;
	bool cut; /* the server has got a part and must not take it for all */
	uint16_t swallow_code;
	const char *swallow_status, *swallow_text;

	uint32_t messages;
	struct gate_events events;

	struct smtp_line line;
	struct smtp_reply reply;
	struct buf out_c, out_s;
	uint8_t line_mem[GIN_LINE];
	char refusal_mem[GIN_REFUSAL];
	uint8_t reply_mem[GIN_REPLY];
	uint8_t out_c_mem[GIN_OUT_CLIENT];
	uint8_t out_s_mem[GIN_OUT_SERVER];
};

/* smtp_gate_in.c */

/* A reply of our own to the client; the status is said if the server says such
 * codes, too. */
void gin_answer(struct smtp_gate_in *g, uint16_t code, const char *status,
		const char *text);
/* The server's reply, as it came. */
void gin_pass(struct smtp_gate_in *g);
/* A line to the server, CRLF added; wait for its reply. */
void gin_tell(struct smtp_gate_in *g, struct span line, enum gin_phase wait);
void gin_wait(struct smtp_gate_in *g, enum gin_phase phase);
void gin_end(struct smtp_gate_in *g, enum gate_wish how);
/* Answer what g->held has after so many milliseconds; 421 ends the session. */
void gin_hold(struct smtp_gate_in *g, uint32_t wait_ms);
/* They are over. */
void gin_held(struct smtp_gate_in *g);
struct gate_event *gin_note(struct smtp_gate_in *g, enum gate_event_type type);
/* A peer broke the protocol: what the client waits for gets a 4xx. */
void gin_broken(struct smtp_gate_in *g, enum side side, int error,
		const char *text);
/* Refuse the message that streams; its rest is taken and thrown away. text is
 * static. */
void gin_swallow(struct smtp_gate_in *g, uint16_t code, const char *status,
		 const char *text);

/* smtp_gate_in_client.c: a whole line. */
void gin_command(struct smtp_gate_in *g, struct span line);
/* An answer to what is wrong; after too many of them 421. */
void gin_error(struct smtp_gate_in *g, uint16_t code, const char *status,
	       const char *text);
/* The same for what is no SMTP. */
void gin_garbage(struct smtp_gate_in *g, const char *text);
/* Another protocol is spoken to us (ALPACA): say so and end. */
void gin_foreign(struct smtp_gate_in *g);

/* smtp_gate_in_auth.c: what is behind AUTH; an answer to 334. */
void gin_auth(struct smtp_gate_in *g, struct span arg);
void gin_auth_line(struct smtp_gate_in *g, struct span line);
/* A line that was too long for one. */
void gin_auth_long(struct smtp_gate_in *g);
/* "AUTH NTLM", as a capability; nothing if there is nothing to offer. */
void gin_auth_offer(const struct smtp_gate_in *g, struct text *out);

/* smtp_gate_in_server.c: g->reply is complete. */
void gin_reply(struct smtp_gate_in *g);

#endif
