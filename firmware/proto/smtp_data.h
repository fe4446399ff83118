/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_DATA_H
#define PROTO_SMTP_DATA_H

#include "base/err.h"
#include "base/span.h"

/*
 * smtp_data - where does a message end? (RFC 5321 4.1.1.4, 4.5.2)
 *
 * Octets pass as they are, dots stuffed as they came; only CRLF "." CRLF ends
 * it. A bare CR or LF stops it before the octet is released, unless strict is
 * off; so does a NUL that begins a line or follows the dot that does, because
 * some servers do not see it. CR, and ".", at the beginning of a line are held until
 * what follows tells what they are, so the end of a message is never half released.
 */
struct smtp_data {
	bool strict;
	uint8_t state;
	int err; /* sticky */
};

void smtp_data_init(struct smtp_data *d, bool strict);

/* The message is refused, and only its end is looked for from now on: lenient,
 * and what was wrong is forgotten. */
void smtp_data_go_on(struct smtp_data *d);

/*
 * Look at in. *safe: octets from its beginning that belong to the message and
 * may be sent; *end: the message is complete and *safe includes its CRLF.CRLF.
 * What is behind *safe must be given again, with more. At most four octets are
 * held back when more is to come: a caller that is given nothing new is asked
 * for more, not for ever.
 *
 * OK, or E_PEER_EOL (CR, LF), E_PEER_SYNTAX (NUL) with *safe before the
 * offending octet, or before the dot that it follows.
 */
MUST_CHECK int smtp_data_scan(struct smtp_data *d, struct span in, size_t *safe,
			      bool *end);

#endif
