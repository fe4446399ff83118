/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_MESSAGE_H
#define PROTO_SMTP_MESSAGE_H

#include "base/buf.h"
#include "proto/smtp_data.h"

/*
 * smtp_message - the text of one message on its way through a gate, to its end.
 *
 * It streams through the buffer that leads to the server: copied there once,
 * looked at in place (smtp_data), and what is not certain to be text yet is
 * held at the end of the buffer until more has come. A message that is refused
 * is swallowed: taken to its end, and nothing of it sent any more.
 */
struct smtp_message {
	struct smtp_data data;
	size_t held; /* octets at the end of the buffer that must not leave */
	uint64_t bytes;	   /* of the text, its end included */
	uint64_t progress; /* octets taken since a caller last set it to 0 */
	bool swallowing;
};

/* Octets follow that are a message. strict: see smtp_data_init. */
void smtp_message_begin(struct smtp_message *m, bool strict);

/*
 * Take a piece of in into out; *taken is how much, 0 when out is full.
 * Returns 0: it goes on; 1: this was its end; E_PEER_EOL, E_PEER_SYNTAX: it must
 * be refused, and the caller does so now.
 */
MUST_CHECK int smtp_message_take(struct smtp_message *m, struct buf *out,
				 struct span in, size_t *taken);

/* From now on the message is swallowed; what of it waits in out is dropped. */
void smtp_message_refuse(struct smtp_message *m, struct buf *out);

/* The rest of a refused message; out is where it is looked at. True: its end
 * has come, and out is empty. */
bool smtp_message_swallow(struct smtp_message *m, struct buf *out,
			  struct span in, size_t *taken);

/* What of out may be sent: without what is held or swallowed. */
struct span smtp_message_ready(const struct smtp_message *m,
			       const struct buf *out);

/* What E_PEER_EOL or E_PEER_SYNTAX of _take means to the one who sent it. */
const char *smtp_message_fault(int e);

#endif
