/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_SASL_CLIENT_H
#define AUTH_SASL_CLIENT_H

#include "auth/ntlm.h"
#include "auth/sasl.h"
#include "auth/scram.h"

/*
 * sasl_client - log on to a server; sasl.h has the picture.
 *
 * Errors, the same on every later call: E_PEER_SYNTAX what the server sent is
 * not what the mechanism says; E_PEER_ORDER it asks for more, or is content too
 * early; E_PEER_LONG; E_PEER_WEAK, E_PEER_PROOF; E_CONF the account does not
 * fit the mechanism (an empty password, a user name with NUL); E_FULL no memory,
 * or the answer is too long. After an error the exchange is to be cancelled.
 */
struct sasl_client {
	struct sasl_ask ask;
	struct sasl_secret who;
	unsigned step; /* messages sent */
	bool first_sent, again;
	int error;
	union {
		struct scram scram;
		struct ntlm_client ntlm;
	} u;
};

/* ask and who are copied. */
MUST_CHECK int sasl_client_begin(struct sasl_client *c,
				 const struct sasl_ask *ask,
				 const struct sasl_secret *who);

/*
 * The initial response, at most max octets of text. 1: out has it; 0: this
 * mechanism lets the server speak first, or the text is longer than max (a line
 * has 512 octets, RFC 4954 4): then say AUTH alone, and _challenge brings it.
 */
MUST_CHECK int sasl_client_first(struct sasl_client *c, size_t max,
				 struct buf *out);

/*
 * The text behind 334. OK: out, which was empty and has room for SASL_TEXT_MAX,
 * is what to say. E_AGAIN: call _work until it returns something else.
 */
MUST_CHECK int sasl_client_challenge(struct sasl_client *c, struct span text,
				     struct buf *out);
MUST_CHECK int sasl_client_work(struct sasl_client *c, uint32_t rounds,
				struct buf *out);

/* The server said 235. OK: it may; o says what was agreed on. */
MUST_CHECK int sasl_client_done(struct sasl_client *c, struct sasl_outcome *o);

void sasl_client_wipe(struct sasl_client *c);

#endif
