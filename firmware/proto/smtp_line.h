/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_LINE_H
#define PROTO_SMTP_LINE_H

#include "base/err.h"
#include "base/span.h"

/*
 * smtp_line - cut one direction of an SMTP conversation into lines.
 *
 * Only CRLF ends a line (RFC 5321 2.3.8): a bare CR or LF is an error, because
 * two servers that disagree about it can be made to disagree about where a
 * message ends. The memory is the caller's.
 */
struct smtp_line {
	uint8_t *p;
	size_t max, n; /* max: octets of a line without its CRLF */
	bool cr, done, over;
	int err; /* sticky */
};

void smtp_line_init(struct smtp_line *l, void *mem, size_t max);

/*
 * Take bytes from in until one line is complete; *used is how many were taken.
 *
 * Returns 1  *line is one line without CRLF, valid until the next call on l
 *         0  none yet, all of in was taken
 *         E_PEER_LONG  a line above max has ended; it was thrown away whole and
 *            the next one is whole again
 *         E_PEER_EOL  bare CR or LF; the same on every later call
 */
MUST_CHECK int smtp_line_feed(struct smtp_line *l, struct span in, size_t *used,
			      struct span *line);

#endif
