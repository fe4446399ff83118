/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_CMD_H
#define PROTO_SMTP_CMD_H

#include "base/span.h"

/* smtp_cmd - the verb of a command line, and what follows it. */
enum smtp_verb {
	VERB_EHLO,
	VERB_HELO,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_BDAT,
	VERB_RSET,
	VERB_NOOP,
	VERB_QUIT,
	VERB_VRFY,
	VERB_EXPN,
	VERB_HELP,
	VERB_STARTTLS,
	VERB_AUTH,
	VERB_UNKNOWN, /* TURN, ETRN, XEXCH50, X-ANONYMOUSTLS, BURL, ... */
	/* Another protocol: HTTP, TLS or SSH spoken to a mail port (ALPACA). */
	VERB_FOREIGN,
	/* Octets that no command may have: NUL, controls. */
	VERB_GARBAGE,
};

struct smtp_cmd {
	enum smtp_verb verb;
	struct span arg; /* without the spaces around it */
};

/* line: without CRLF. Never fails; arg points into line. */
struct smtp_cmd smtp_cmd_parse(struct span line);

/* Does a line that begins like this belong to TLS? Its records have no line
 * ends to wait for. */
static inline bool smtp_cmd_is_tls(struct span line)
{
	return line.n > 0 && line.p[0] == 0x16; /* handshake */
}

#endif
