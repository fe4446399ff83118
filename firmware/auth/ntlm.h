/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_NTLM_H
#define AUTH_NTLM_H

#include "auth/ntlm_msg.h"
#include "auth/sasl.h"

/*
 * ntlm - a log-on with NTLM (MS-NLMP 3.1.5.1, 3.2.5.1), both ends. Messages are
 * decoded octets.
 *
 * Asked for without `legacy` it is NTLMv2 with the attributes of the server,
 * extended session security, a key of its own for the session and a MIC over all
 * three messages; anything less is E_PEER_WEAK, so nothing that is stripped on the
 * way makes it weaker. With `legacy` the best that the other end knows, down to the
 * LM hash; min_bits still counts.
 *
 * Inside TLS the client says under its proof which certificate it has seen
 * (MsvAvChannelBindings, MS-NLMP 2.2.2.1; RFC 5929 4). A server refuses another one
 * than its own; one that says nothing, or zero, it takes unless asked for `bound`.
 */
enum ntlm_state { NTLM_BEGIN, NTLM_SENT, NTLM_ASKED, NTLM_DONE, NTLM_FAILED };

enum { NTLM_T1_MAX = 512, NTLM_T2_MAX = 512 };

struct ntlm_client {
	enum ntlm_state state;
	struct sasl_outcome outcome;
};

/* T1. E_FULL: no room in out. */
MUST_CHECK int ntlm_client_first(struct ntlm_client *c,
				 const struct sasl_ask *ask, struct buf *out);

/* T2 in, T3 into out, which is empty and takes SASL_MESSAGE_MAX. E_PEER_SYNTAX,
 * E_PEER_WEAK, E_FULL; E_CONF: legacy needs the LM hash, and this password has
 * none. */
MUST_CHECK int ntlm_client_challenge(struct ntlm_client *c,
				     const struct sasl_ask *ask,
				     const struct sasl_secret *who,
				     struct span in, struct buf *out);

struct ntlm_server {
	enum ntlm_state state;
	struct sasl_outcome outcome;
	bool misbound; /* proven, but bound to another certificate */
	uint32_t flags;
	size_t t1_n, t2_n;
	uint8_t t1[NTLM_T1_MAX], t2[NTLM_T2_MAX];
};

/* T1 in, T2 out. E_PEER_ORDER: not the first call; E_PEER_SYNTAX: no T1; E_PEER_LONG:
 * it is above NTLM_T1_MAX; E_PEER_WEAK: it does not offer what ask wants; E_FULL: no
 * room in out, or no memory. Errors are sticky: whatever follows is E_PEER_ORDER. */
MUST_CHECK int ntlm_server_first(struct ntlm_server *s,
				 const struct sasl_ask *ask, struct span in,
				 struct buf *out);

/* Who is it? T3 in; the name in UTF-8, "domain\user" if it names one. max: octets at
 * user, SASL_USER_MAX is always enough. E_PEER_ORDER: no T1 before; E_PEER_SYNTAX: no
 * T3, or a name that is empty or not in its character set; E_FULL: it does not fit. */
MUST_CHECK int ntlm_server_user(struct ntlm_server *s, struct span in,
				uint8_t *user, size_t max, size_t *user_n);

/* The same T3 against a password, behind ntlm_server_user. OK: it is who, and
 * s->outcome says what was agreed; the key in it is the caller's to wipe.
 * E_PEER_PROOF: it is not, or what came was changed on the way; with s->misbound it is
 * who, at another's TLS. E_PEER_WEAK: it is less than ask wants. E_PEER_SYNTAX,
 * E_PEER_ORDER: as above; E_FULL: no memory. */
MUST_CHECK int ntlm_server_verify(struct ntlm_server *s,
				  const struct sasl_ask *ask,
				  struct span password, struct span in);

#endif
