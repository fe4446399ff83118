/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_SASL_SERVER_H
#define AUTH_SASL_SERVER_H

#include "auth/ntlm.h"
#include "auth/sasl.h"
#include "auth/scram.h"

/*
 * sasl_server - let a client log on; sasl.h has the picture.
 *
 * In between the caller is asked once for the account of a name. A name that is
 * nobody's goes on with a decoy, takes the same time and is refused at the same
 * place, so that nobody learns who is there.
 *
 * Returns of all that take a message:
 *	OK       out, which was empty and has room for SASL_TEXT_MAX, is the
 *	         challenge: say 334
 *	1        it is who it says: say 235
 *	E_AGAIN  see sasl_server_wish
 *	E_PEER_PROOF   it is not: 535
 *	E_PEER_SYNTAX, E_PEER_ORDER, E_PEER_LONG   501
 *	E_PEER_WEAK    it can do less than was asked for: 534
 *	E_FULL   454
 * An error is the end, the same on every later call.
 */
enum sasl_wish {
	SASL_NOTHING,
	SASL_ACCOUNT, /* sasl_server_user says whose; call _account */
	SASL_WORK,    /* call _work */
};

struct sasl_server {
	struct sasl_ask ask;
	struct sasl_secret who;
	uint8_t salt[16];
	uint8_t user[SASL_USER_MAX + 1];
	size_t user_n;
	bool decoy, proven;
	unsigned step; /* messages taken */
	enum sasl_wish wish;
	int error;
	/* what is to be judged when the account is there */
	uint8_t said[SASL_MESSAGE_MAX];
	size_t said_n, said_at; /* said_at: where the password begins */
	char challenge[96];	/* CRAM-MD5 */
	uint8_t asked[32];	/* SHA-256 of the last challenge's text */
	union {
		struct scram scram;
		struct ntlm_server ntlm;
	} u;
};

/* ask: the mechanism that the client named; host: our name, for CRAM-MD5. */
MUST_CHECK int sasl_server_begin(struct sasl_server *s,
				 const struct sasl_ask *ask, struct span host);

/* AUTH had no initial response: the first challenge, which may be empty. */
MUST_CHECK int sasl_server_first(struct sasl_server *s, struct buf *out);
/* A line of the client, or its initial response ("=" for an empty one, which
 * initial says). */
MUST_CHECK int sasl_server_response(struct sasl_server *s, struct span text,
				    bool initial, struct buf *out);

/* Is text, which somebody else says to us as a client, a challenge of s that is
 * not answered yet? Then it must not be answered by us (reflection). */
bool sasl_server_asks(const struct sasl_server *s, struct span text);

enum sasl_wish sasl_server_wish(const struct sasl_server *s);
/* As the client wrote it: "user", "domain\user", which NTLM makes of the two.
 * UTF-8, no controls. */
struct span sasl_server_user(const struct sasl_server *s);
/* decoy: nobody has that name; who and terms are made up, the same for a name
 * every time, as is salt in any case. Of terms count seal, min_bits, legacy and
 * bound, which can only take back what ask had. */
MUST_CHECK int sasl_server_account(struct sasl_server *s,
				   const struct sasl_secret *who,
				   const struct logon_terms *terms, bool decoy,
				   const uint8_t salt[16], struct buf *out);
MUST_CHECK int sasl_server_work(struct sasl_server *s, uint32_t rounds,
				struct buf *out);

/* After 1. */
void sasl_server_outcome(const struct sasl_server *s, struct sasl_outcome *o);

/* After an error: the client knows the password, and has tied its log-on to another
 * TLS than ours. Somebody stands between it and us. */
bool sasl_server_misbound(const struct sasl_server *s);

void sasl_server_wipe(struct sasl_server *s);

#endif
