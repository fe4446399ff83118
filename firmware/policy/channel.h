/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_CHANNEL_H
#define POLICY_CHANNEL_H

#include "base/addr.h"
#include "base/span.h"
#include "base/logon.h"

/*
 * channel - what is known about the connection that mail would leave on.
 *
 * The TLS engine fills it once, at the end of the handshake, from what the
 * peer proved; policy_decide() compares it with a rule. Nothing the peer merely
 * said (banner, EHLO name) is in here.
 */

/* How TLS failed or was missing: the result types of RFC 8460 4.3, which are
 * also the words used in replies, logs and counters. */
enum tls_result {
	TLS_RESULT_OK,
	TLS_STARTTLS_NOT_SUPPORTED, /* not offered, or refused */
	TLS_CERTIFICATE_HOST_MISMATCH,
	TLS_CERTIFICATE_EXPIRED, /* or not yet valid */
	TLS_CERTIFICATE_NOT_TRUSTED,
	TLS_VALIDATION_FAILURE, /* anything else, the handshake included */
	TLS_LOGON_FAILED,	/* ours: TLS was well, SMTP AUTH was not */
	TLS_RESULTS
};

/* "starttls-not-supported" and so on (RFC 8460 4.3); "successful" for OK. */
const char *tls_result_name(enum tls_result r);

/* A log-on that succeeded on this connection, or the last one that did not. */
struct channel_logon {
	enum auth_mech mech; /* AUTH_NONE: there was none */
	char account[LOGON_ACCOUNT_MAX + 1];
	bool bound;	     /* to TLS, by a channel binding */
	uint16_t bits;	     /* of the seal; 0: nothing is sealed */
	bool half_duplex;    /* the seal has one key stream for both ways */
	bool ntlm_v2;	     /* and not the one before */
	uint32_t ntlm_flags; /* MS-NLMP 2.2.2.5 */
	enum logon_result result;
};

#define CHANNEL_NAMES_MAX 2048 /* bytes of subjectAltNames kept */
#define CHANNEL_WHY_MAX	  96

struct channel {
	bool tls;
	uint16_t version;  /* 0x0303 TLS 1.2, 0x0304 TLS 1.3 */
	const char *suite; /* IANA name, static memory; NULL without TLS */
	/* Why the chain did not verify against the CA list and the clock; the
	 * name is not part of this. TLS_RESULT_OK: it did. */
	enum tls_result chain;
	bool certificate;	 /* the peer showed one and has its key */
	uint8_t spki_sha256[32]; /* of the leaf's SubjectPublicKeyInfo */
	/* dNSName entries of the leaf's subjectAltName (never the CN), lower
	 * case: length octet, name, length octet, name, ... Names that are not
	 * plain LDH or a left-most "*." wildcard are left out. */
	uint8_t names[CHANNEL_NAMES_MAX];
	size_t names_n;
	/* Without TLS: why not. RESULT_OK: it was never tried. */
	enum tls_result missing;
	/* Without TLS: it is our own fault, for want of memory or of a signature.
	 * Nothing was learnt about the server. */
	bool no_room;
	/* One line of detail for people, e.g. "handshake: unexpected EOF". */
	char why[CHANNEL_WHY_MAX];
	struct logon_binding binding;
	struct channel_logon logon, logon_failed;
	/* The server at the far end: the client's own choice, or a route. */
	struct endpoint server;
};

#endif
