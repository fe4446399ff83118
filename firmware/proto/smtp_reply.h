/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_REPLY_H
#define PROTO_SMTP_REPLY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/*
 * smtp_reply - replies of a server, whole (RFC 5321 4.2), and our own.
 *
 * A reply is handed out only when its last line is complete, because half a
 * "250" is not an answer. Memory is the caller's; a reply that does not fit, a
 * code that changes between lines, a bare CR or LF, a NUL: the server is broken
 * and the session over.
 */
struct smtp_reply {
	uint8_t *p;
	size_t max, n; /* raw octets of the reply so far, with CRLFs */
	size_t line;   /* where the current line begins */
	bool done;
	uint16_t code;
	int err; /* sticky */
};

void smtp_reply_init(struct smtp_reply *r, void *mem, size_t max);

/*
 * Take bytes until one reply is complete; *used is how many were taken.
 * Returns 1: r->code and smtp_reply_raw() are valid until the next call;
 * 0: all taken, not complete; E_PEER_SYNTAX, E_PEER_EOL, E_PEER_LONG: broken.
 */
MUST_CHECK int smtp_reply_feed(struct smtp_reply *r, struct span in,
			       size_t *used);
/* The complete reply as it came, CRLFs included. */
struct span smtp_reply_raw(const struct smtp_reply *r);
/* Next line of a raw reply, without code and CRLF; false at the end. */
bool smtp_reply_line(struct span *raw, struct span *text);

/*
 * Put a reply of our own into b: code, then enhanced status ("5.7.5", RFC 2034)
 * unless NULL, then text, on as many lines of at most 512 octets as it needs.
 * Octets that are not printable ASCII become '?'. E_FULL: b has no
 * room, and nothing of it.
 */
MUST_CHECK int smtp_reply_put(struct buf *b, uint16_t code,
			      const char *enhanced, struct span text);

#endif
