/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_LOGON_H
#define BASE_LOGON_H

#include "base/span.h"

/*
 * logon - the words of a log-on (SMTP AUTH, RFC 4954) that settings, gate and
 * mechanisms share. What a mechanism does is in auth/; who may know a password
 * is in DESIGN.md.
 */
enum auth_mech {
	AUTH_NONE,
	AUTH_PLAIN,	    /* RFC 4616 */
	AUTH_LOGIN,	    /* draft-murchison-sasl-login-00 */
	AUTH_CRAM_MD5,	    /* RFC 2195 */
	AUTH_SCRAM_SHA_1,   /* RFC 5802 */
	AUTH_SCRAM_SHA_256, /* RFC 7677 */
	AUTH_NTLM,	    /* MS-SMTPNTLM, MS-NLMP */
	AUTH_MECHS
};

/* "scram-sha-256": in settings, replies and logs; "none". */
const char *auth_mech_word(enum auth_mech m);
/* "SCRAM-SHA-256", with plus "SCRAM-SHA-256-PLUS": in SMTP. */
const char *auth_mech_name(enum auth_mech m, bool plus);
/* The mechanism with that name in SMTP, in any case; *plus: its -PLUS form.
 * AUTH_NONE: none that we know. */
enum auth_mech auth_mech_of(struct span name, bool *plus);

/* How sealed blocks are cut, where nobody has written it down: what Exchange 5.5
 * does is not known (CAVEATS.md). The default is RFC 4422 3.7 with the signature
 * in front, as Active Directory has it. */
struct seal_framing {
	bool little_endian; /* the length */
	bool signature_last;
};

/* What a rule asks of a log-on. */
struct logon {
	enum auth_mech mech; /* AUTH_NONE: no log-on */
	struct span account; /* its name in the settings */
	uint16_t min_bits;   /* of the seal: 40, 56 or 128 */
	/* Take what Windows NT 4 had: NTLMv1, the LM hash, no integrity of the
	 * exchange; and say AUTH NTLM to a server that does not announce it. */
	bool legacy;
	struct seal_framing framing;
};

/* What a partner's account may log on to us with. */
struct logon_terms {
	uint32_t mechs; /* bit m of enum auth_mech; 0: nothing */
	bool seal;	/* NTLM: nothing less than a seal */
	bool legacy;	/* NTLM: as above */
	bool bound;	/* NTLM, SCRAM: to the TLS that it happens in */
	uint16_t min_bits;
};

/* Mechanisms that show the password, so only inside TLS. */
static inline bool logon_shows_password(enum auth_mech m)
{
	return m == AUTH_PLAIN || m == AUTH_LOGIN;
}

enum {
	LOGON_ACCOUNT_MAX = 64, /* octets in the name of an account */
	LOGON_BITS = 128,	/* min_bits where a rule says nothing */
};

/* Mechanisms that can be tied to the TLS they happen in. */
static inline bool logon_can_bind(enum auth_mech m)
{
	return m == AUTH_NTLM || m == AUTH_SCRAM_SHA_1 ||
	       m == AUTH_SCRAM_SHA_256;
}

/* What ties a log-on to the TLS it happens in; both ends must see the same. */
struct logon_binding {
	bool exporter_there;
	uint8_t exporter[32]; /* "tls-exporter" (RFC 9266), of TLS 1.3 */
	uint8_t endpoint_n;   /* 0: not there */
	uint8_t endpoint[64]; /* "tls-server-end-point" (RFC 5929 4) */
};

/* Why there is no log-on. */
enum logon_result {
	LOGON_OK,
	LOGON_NOT_OFFERED, /* the mechanism is not in the server's list */
	LOGON_REFUSED,	   /* by the server, 5xx */
	LOGON_REFUSED_NOW, /* by the server, 4xx */
	LOGON_WEAK,	   /* the server can do less than the rule asks */
	LOGON_UNPROVEN,	   /* it did not prove that it knows the password */
	LOGON_MALFORMED,   /* what it said is not the mechanism */
	LOGON_ACCOUNT,	   /* the account is not there, or does not fit */
	LOGON_NO_KEYS,	   /* nobody here could be asked just now */
	LOGON_RESULTS
};

/* "it does not offer this mechanism": a clause about the server or us. */
const char *logon_why(enum logon_result r);
/* May another try end otherwise, without an administrator? */
bool logon_mendable(enum logon_result r);

#endif
