/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_PRINTS_H
#define PROTO_SMTP_PRINTS_H

#include "base/print.h"
#include "policy/policy.h"

/*
 * smtp_prints - listen to what a client says and to what it is answered, and name
 * the texts that must not leave readable, as prints (base/print.h).
 *
 *	channel in clear  RCPT with a protected domain and, until a recipient
 *	                  without protection is named, the MAIL before it
 *	channel in TLS    every MAIL and RCPT, their addresses, and the first
 *	                  lines of the message
 *
 * It is no part of the gate and asks it nothing but whether the channel is TLS:
 * what the gate may have got wrong is what this is for. Pure, any cut of the input
 * gives the same prints.
 */
enum {
	SMTP_PRINTS_OUT = 16,
	SMTP_PRINTS_LINES = 24, /* of a message, those that are long enough */
	SMTP_PRINTS_LINE = 400, /* of a longer line the rest is not read */
};

struct smtp_prints {
	uint64_t key;
	bool have_mail, open, data, text; /* open: MAIL may leave in clear */
	bool have_sender;
	struct print mail, sender; /* the command, and its address */
	/* Of the last RCPT in TLS, if it may leave in clear: the same. */
	struct print rcpt[2];
	size_t rcpt_n;
	unsigned lines;
	uint8_t line[SMTP_PRINTS_LINE];
	size_t line_n;
	uint8_t reply[3];
	size_t reply_n; /* 4: the rest of a line */
};

/* What there is to say now. */
struct smtp_prints_out {
	/* The connection is in clear, and may be; print is not a secret of it. */
	bool clear;
	struct print print[SMTP_PRINTS_OUT];
	size_t n;
};

/* One that is all zero is at the beginning of a session. From now on prints are
 * made with this key. */
void smtp_prints_key(struct smtp_prints *p, uint64_t key);

/* The client says in; tls: the server would hear it in TLS, or sealed. Returns how many
 * octets were taken; fewer than all of them only if *out is to be said first. */
size_t smtp_prints_feed(struct smtp_prints *p, struct span in, bool tls,
			const struct policy *pol, struct smtp_prints_out *out);

/*
 * The session goes to another server, which may be spoken to in clear, with the
 * recipient that was named last: what has been said of its transaction in TLS may be
 * said there, unless the list protects that recipient. False: there is nothing to
 * say of it.
 */
bool smtp_prints_moved(struct smtp_prints *p, struct smtp_prints_out *out);

/* This is said to the client. */
void smtp_prints_reply(struct smtp_prints *p, struct span out);

#endif
