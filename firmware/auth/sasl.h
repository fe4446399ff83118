/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include "base/buf.h"
#include "base/logon.h"

/*
 * sasl - one log-on with SMTP AUTH (RFC 4954), seen from the client or from the
 * server. Text in, text out: what stands in a line behind "334 " or alone, in
 * base64 and without CRLF; the SMTP around it is the gate's.
 *
 *	client                                    server
 *	_first -------- AUTH MECH [text] -------> _response (or _begin)
 *	_challenge <----------- 334 text -------- out
 *	out ------------------- text -----------> _response
 *	_done <----------------- 235 ------------ 1
 *
 * No I/O, no clock, no allocation of its own (the digests of mbedTLS allocate);
 * randomness is an argument. One mechanism is used, the one asked for, and
 * nothing weaker. Both structs hold passwords: call _wipe whatever happened.
 */
enum {
	SASL_NAME_MAX = 255, /* octets in user, domain, password (UTF-8) */
	/* A decoded message: NTLM's challenge in a large domain has some 300
	 * octets, its answer twice that. */
	SASL_MESSAGE_MAX = 2304,
	SASL_TEXT_MAX = SASL_MESSAGE_MAX / 3 * 4,
	SASL_RANDOM = 32,
	SASL_KEY = 16,
	SASL_USER_MAX = 2 * SASL_NAME_MAX + 1, /* "domain\user" */
};

/* Who logs on, or may. Never copied but to places that are wiped. */
struct sasl_secret {
	uint8_t user[SASL_NAME_MAX], domain[SASL_NAME_MAX];
	uint8_t password[SASL_NAME_MAX];
	uint8_t user_n, domain_n, password_n; /* domain: for Windows; or 0 */
};

struct sasl_ask {
	enum auth_mech mech;
	/* SCRAM: the server offers the -PLUS form too. It is used if there is
	 * a binding, and the name after AUTH is then the -PLUS one. */
	bool plus;
	bool seal; /* NTLM: every octet behind it is to be sealed */
	/* Server: that is known with the account; take up the offer of one. */
	bool seal_may;
	bool legacy;
	bool bound; /* server: nothing that is not tied to this TLS */
	uint16_t min_bits;
	struct logon_binding binding;
	uint8_t random[SASL_RANDOM]; /* fresh for every log-on */
	uint64_t unix_ms;
};

/* What both ends have agreed on. */
struct sasl_outcome {
	uint32_t ntlm_flags; /* MS-NLMP 2.2.2.5; 0: not NTLM */
	bool ntlm_v2;
	bool bound;	       /* server: the client has tied it to this TLS */
	uint16_t bits;	       /* of the seal; 0: none */
	uint8_t key[SASL_KEY]; /* exported session key, if bits */
};

/* Is the -PLUS form used? */
static inline bool sasl_plus(const struct sasl_ask *a)
{
	return a->plus && a->binding.exporter_there;
}

#endif
