/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_WATCH_H
#define PROTO_WATCH_H

#include "base/addr.h"
#include "base/span.h"

/*
 * watch - a mail session as rows for a person, inside left as text, outside right as
 * it is on the wire: text as long as it is text, then octets.
 *
 *	> EHLO mail.corp.example            | > EHLO mail.corp.example
 *	                                    | < 220 go
 *	------------------------------------+-- from here on TLS -------
 *	> MAIL FROM:<alice@corp.example>    | > 17 03 03 00 50 df ... 85 octets
 *
 * Pure.
 */
enum {
	WATCH_ROW = 80,	 /* with its NUL */
	WATCH_ROWS = 24, /* of one segment at most */
};

struct watch_view {
	bool tls; /* outside, from here on */
};

/* The rows of one segment, whose text is data, on this port. Returns how many. */
unsigned watch_show(struct watch_view *v, enum port port, bool client,
		    struct span data, char row[WATCH_ROWS][WATCH_ROW]);

/* Does a client name a recipient in domain here? ("RCPT TO:<...@domain>") */
bool watch_names(struct span data, struct span domain);

#endif
