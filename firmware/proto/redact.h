/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_REDACT_H
#define PROTO_REDACT_H

#include "proto/frame.h"

/*
 * redact - blot out what somebody logs on with, in a copy of a segment of a mail
 * session in clear: what follows the mechanism in AUTH (RFC 4954 4), and each line of
 * base64 that answers a 334. Sizes stay as they are.
 *
 * From a 334 on, until the server says something else, all that its client says is
 * blotted out. A line that may be AUTH is one however it is cut into segments, and what
 * was blotted out is when it comes again. One for each port, whose frames come in their
 * order. Pure.
 */
enum { REDACT_ASKED = 64 };

struct redact_client {
	struct endpoint client;
	bool asked;	   /* a server wants more of it */
	bool within;	   /* a line that may be AUTH has not ended yet */
	bool hidden;	   /* these octets of it were blotted out: */
	uint32_t from, to; /* sequence numbers */
};

struct redact {
	struct redact_client client[REDACT_ASKED];
	unsigned next;
};

/* f is a TCP segment with payload, of a server or of a client; data is a copy of its
 * payload, which is changed. */
void redact(struct redact *r, const struct frame *f, bool server,
	    uint8_t *data);

#endif
