/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_INBOUND_H
#define POLICY_INBOUND_H

#include "base/text.h"
#include "policy/policy.h"

/*
 * inbound - what a sender's domain must bring with it, so that somebody outside
 * cannot send in its name, or not in clear. The rules stand in the snapshot beside
 * the domain list and are found in the same way: the longest match wins.
 */
enum inbound_need {
	INBOUND_NOTHING, /* no rule: as it comes */
	INBOUND_TLS,
	INBOUND_AUTH, /* the client has logged on, as a partner of ours */
	INBOUND_SEAL, /* and the session is sealed since */
};

/* One line "inbound require", decoded. Spans point into the snapshot. */
struct inbound_rule {
	struct span name; /* "partner.example", ".partner.example" */
	uint32_t line;	  /* where it stands in the configuration, from 1 */
	enum inbound_need need;
	/* 0x0303 or 0x0304; 0: TLS is not asked for */
	uint16_t min_tls;
	uint16_t min_bits;   /* of the seal */
	struct span account; /* who has logged on; empty: anybody */
	const uint8_t *pin[POLICY_PINS_MAX]; /* 32 octets each */
	size_t pin_n; /* not 0: the client shows a certificate with this key */
};

/*
 * The rule for a sender's domain, in the form that domain_normalise() gives;
 * need is INBOUND_NOTHING where there is none, as for an empty domain (<>, an
 * address literal). E_CORRUPT: the snapshot is damaged where it was looked at;
 * refuse the mail.
 */
MUST_CHECK int inbound_lookup(const struct policy *p, struct span domain,
			      struct inbound_rule *rule);

/* The i-th rule in the order of the configuration, 0 <= i < inbound_n. */
MUST_CHECK int inbound_rule_at(const struct policy *p, uint32_t i,
			       struct inbound_rule *rule);

/* Does any rule ask for a client's certificate? */
bool inbound_asks_certificate(const struct policy *p);

/* What must have happened: "inside TLS 1.3, logged on as hub". */
void inbound_say(const struct inbound_rule *rule, struct text *out);

/* What the channel that the sender's server came on lacks; *result says it in
 * the words of RFC 8460. NULL: nothing, the mail may come. */
const char *inbound_lacks(const struct inbound_rule *rule,
			  const struct channel *ch, enum tls_result *result);

#endif
