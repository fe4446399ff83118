/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_EHLO_H
#define PROTO_SMTP_EHLO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/logon.h"

/*
 * smtp_ehlo - what a server offers (RFC 5321 4.1.1.1), and what of it a client
 * is shown: an allow-list, because an extension that we do not understand may
 * carry mail past us (CHUNKING, BURL, XEXCH50).
 */
enum {
	EHLO_STARTTLS = 1 << 0,
	EHLO_SIZE = 1 << 1,
	EHLO_8BITMIME = 1 << 2,
	EHLO_SMTPUTF8 = 1 << 3,
	EHLO_DSN = 1 << 4,
	EHLO_ENHANCED = 1 << 5,
	EHLO_PIPELINING = 1 << 6,
	EHLO_HELP = 1 << 7,
	EHLO_CHUNKING = 1 << 8,
	EHLO_BINARYMIME = 1 << 9,
	EHLO_AUTH = 1 << 10,
	EHLO_LIMITS = 1 << 11,
	EHLO_REQUIRETLS = 1 << 12,
	EHLO_BOX = 1 << 13, /* it says that it is one of us */
	/* What a client may be shown. */
	EHLO_SHOWN = EHLO_SIZE | EHLO_8BITMIME | EHLO_SMTPUTF8 | EHLO_DSN |
		     EHLO_ENHANCED | EHLO_PIPELINING | EHLO_HELP,
};

/*
 * What a box says of itself inside TLS, and nowhere else: as a capability when it is
 * called, and where it has been shown that, as a parameter of MAIL when it calls
 * (RFC 5321 2.2.1: private, so with an X; it has no value).
 *
 *	250-XSEALWIRE
 *	MAIL FROM:<alice@corp.example> XSEALWIRE
 *
 * Whoever wants to can say so, too: it is a hint for people, and proves nothing.
 */
#define EHLO_BOX_WORD "XSEALWIRE"

/* The capabilities in a complete 250 reply (its raw octets). */
unsigned smtp_ehlo_parse(struct span raw);

/* The log-on mechanisms in it, "AUTH ..." or as it was before RFC 2554 "AUTH=...":
 * bit m of enum auth_mech; bit m + EHLO_AUTH_PLUS: its -PLUS form. */
enum { EHLO_AUTH_PLUS = 16 };
unsigned smtp_ehlo_auth(struct span raw);

/*
 * Write the client's reply: the server's own first line, then what of raw is
 * in EHLO_SHOWN with its parameters, ours unless it is NULL (a line, or more with
 * \n between them), and PIPELINING in any case (the gate itself queues). Lines that
 * are not clean ASCII are left out. E_FULL: no room in b, and nothing put.
 */
MUST_CHECK int smtp_ehlo_write(struct buf *b, struct span raw,
			       const char *ours);

#endif
