/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_SMTP_PATH_H
#define PROTO_SMTP_PATH_H

#include "base/domain.h"
#include "base/err.h"
#include "base/span.h"

/*
 * smtp_path - the argument of MAIL FROM and RCPT TO (RFC 5321 4.1.2).
 *
 * Strict, because the domain found here decides how a message may travel: no
 * server may read another domain in the same octets. What is sent on is built
 * from what was parsed, not copied. Refused: what RFC 5321 does not allow, and
 * what it allows but servers read differently (source routes, routing by "%"
 * or "!", the same in quotes, comments); and, in RCPT, a domain of one label.
 */
enum {
	SMTP_PATH_MAX = 256, /* RFC 5321 4.5.3.1.3, with <> */
	SMTP_LOCAL_MAX = 64,
	SMTP_LITERAL_MAX = 7 + 45, /* [IPv6:] and the longest in it */
	SMTP_PARAMS = 10,
};

enum smtp_path_error {
	PATH_OK,
	PATH_SYNTAX, /* 501 5.1.3 */
	PATH_ROUTE,  /* 553 5.1.3: a way to say "relay through" */
	PATH_DOMAIN, /* 553 5.1.2: not a domain name that is certain */
	PATH_LONG,   /* 501 5.1.3 */
	PATH_PARAM,  /* 501 5.5.4: a parameter, or one given twice */
};

struct smtp_param {
	struct span key, value; /* value empty: none */
};

struct smtp_path {
	bool null;	 /* <> */
	bool postmaster; /* <Postmaster>, without a domain */
	bool literal;	 /* domain is an address literal */
	bool utf8;	 /* some octet is not ASCII (RFC 6531) */
	/* To send on: "<local@domain>". */
	char text[SMTP_PATH_MAX + 1];
	size_t text_n;
	/* The key for the policy, or empty (null, postmaster, literal). */
	char domain[DOMAIN_MAX + 1];
	size_t domain_n;
	struct smtp_param param[SMTP_PARAMS]; /* spans into the input */
	size_t param_n;
};

/* arg: what follows MAIL or RCPT. from: true for MAIL ("FROM:", "<>" allowed),
 * false for RCPT ("TO:", "<Postmaster>" allowed). */
enum smtp_path_error smtp_path_parse(struct smtp_path *p, struct span arg,
				     bool from);

/* What to answer to a path that was refused; e is not PATH_OK. Static texts. */
struct smtp_path_reply {
	uint16_t code;
	const char *status, *text;
};
struct smtp_path_reply smtp_path_reply(enum smtp_path_error e);

#endif
