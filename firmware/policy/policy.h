/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"
#include "policy/box.h"
#include "policy/channel.h"
#include "base/logon.h"

/*
 * policy - one snapshot of all settings, and what it says about a domain.
 *
 * confd builds a snapshot (policy_build.h), seals it in a memfd and every
 * program maps it read-only; nothing in it ever changes. The layout is private
 * to policy/: a header, a keyed hash table of rules, a heap of strings. Every
 * offset is checked when it is used, so a damaged snapshot gives errors, not
 * reads elsewhere. Looking a domain up costs at most one probe sequence per
 * label, whatever the length of the list.
 */

/* From weak to strong; DESIGN.md, "Policy words". What is sealed by NTLM alone
 * never satisfies a level above. */
enum level {
	LEVEL_CLEAR,
	LEVEL_MAY,
	LEVEL_NTLM_SEAL,
	LEVEL_ENCRYPT,
	LEVEL_VERIFY,
	LEVEL_PIN,
	LEVELS
};

const char *level_name(enum level l);

/* What a refusal becomes. AUTO: 4xx when another try may mend it, 5xx when only
 * an administrator can. */
enum on_fail { ON_FAIL_AUTO, ON_FAIL_REJECT, ON_FAIL_DEFER };

enum {
	POLICY_PORTS_MAX = 16,	 /* intercept ports */
	POLICY_DOMAIN_MAX = 253, /* RFC 1035 2.3.4, in A-label form */
	POLICY_MATCH_MAX = 16,	 /* names in one match */
	POLICY_PINS_MAX = 8,	 /* pins in one rule */
};

/* One line of the domain list, decoded. Spans point into the snapshot. */
struct policy_rule {
	struct span name; /* "partner.example", ".partner.example", "default" */
	uint32_t line;	  /* where it stands in the configuration, from 1 */
	enum level level;
	enum on_fail on_fail;
	uint16_t min_tls; /* 0x0303 or 0x0304 */
	/* Names that the certificate may carry: "mx.example" means itself,
	 * ".example" everything below. At least one at level verify: if the
	 * line names none, the domain and everything below it, for a rule
	 * ".partner.example" just as for "partner.example". */
	struct span match[POLICY_MATCH_MAX];
	size_t match_n;
	const uint8_t *pin[POLICY_PINS_MAX]; /* 32 octets each */
	size_t pin_n;
	bool clock_unset; /* settings: dates are judged by a clock that is not set */
	bool learn; /* what servers of the domain have is remembered: learned.h */
	/* Not in the snapshot: learned_requires. At level may TLS is asked for. */
	bool learned;
	bool has_route;
	/* Mail for the domain goes there instead: for clients with IPv4, and
	 * with IPv6. Port 0: there is none of this kind, but of the other. */
	struct endpoint route[2];
	/* Or to a host of this name: then route has no port until the caller has
	 * found out where that is. Only at level verify and above: where a name
	 * leads, DNS says, and so anybody. */
	struct span route_name;
	uint16_t route_port;
	struct logon logon; /* always at ntlm-seal; never for default */
};

/* What is not about a domain. All times in seconds. */
struct settings {
	uint64_t number; /* of this snapshot; grows with every commit */
	uint16_t intercept[POLICY_PORTS_MAX];
	size_t intercept_n;
	uint32_t sessions_max, sessions_per_source;
	uint32_t half_open_max, half_open_per_source;
	uint32_t fallback_s; /* a peer whose TLS failed is remembered so long */
	/* No time before this is believed (Unix time): what was set, or what is
	 * known to have been later. */
	uint64_t clock_floor_s;
	uint64_t clock_floor_set_s; /* what was set */
	bool clock_unset;   /* nobody has set the clock since the start */
	bool bare_eol_pass; /* default false: bare CR or LF is refused */
	bool log_addresses;
	bool inbound; /* sessions from outside to a server inside are taken */
	/* A server inside that offers STARTTLS itself keeps its session; else
	 * what is offered is ours. */
	bool inbound_pass;
	/* With what partners log on to us: bit m of enum auth_mech; 0: nobody
	 * does. */
	uint32_t inbound_mechs;
	/* To clients outside the same server, inside TLS alone; 0: none. */
	uint32_t inbound_port;
	/* And an address that is nobody's, which leads to this server; port 0:
	 * none. */
	struct endpoint inbound_address, inbound_server;
	/* To other boxes it is said, inside TLS, that this is one; and what asks
	 * for a client's certificate sees ours. */
	bool peers;
	struct box box;
	/* Who is asked where the hosts of routes are; port 0: nobody. */
	struct endpoint resolver;
	struct span ca_pem;  /* certificates that verify trusts; may be empty */
	bool ca_builtin;     /* the built-in list is asked for; it is the */
	size_t ca_builtin_n; /* first so many octets of ca_pem */
};

struct policy {
	struct span blob;
	struct settings settings;
	uint32_t rules_n;   /* domain rules, without default */
	uint32_t inbound_n; /* rules for the receiving side: inbound.h */
};

/* Make p a view of blob, which must stay mapped and unchanged as long as p is
 * used. E_CORRUPT: not a snapshot, or of another format version. */
MUST_CHECK int policy_open(struct policy *p, struct span blob);

/*
 * The rule for domain, in the form that domain_normalise() gives (base/domain.h;
 * lower case, A-labels, no trailing dot). The longest match wins: the exact
 * name first, then ".parent" from left to right, then default. An address
 * literal or an empty domain (<postmaster>) gets default; the gate refuses it
 * when that asks for no TLS and some rule does.
 *
 * E_CORRUPT: the snapshot is damaged where it was looked at; refuse the mail.
 */
MUST_CHECK int policy_lookup(const struct policy *p, struct span domain,
			     struct policy_rule *rule);

/* The i-th rule in the order of the configuration, 0 <= i < rules_n, or the
 * default with i == rules_n: for show and for tests. */
MUST_CHECK int policy_rule_at(const struct policy *p, uint32_t i,
			      struct policy_rule *rule);

/* True if any rule, or default, asks for more than may. */
bool policy_protects(const struct policy *p);

/* Does the name of a certificate (lower case, perhaps "*.example") satisfy
 * match? RFC 6125 6.4.3: the wildcard is the whole left-most label, stands for
 * exactly one label, and at least two labels follow it. */
bool policy_name_matches(struct span cert_name, struct span match);

/* Where the mail of a rule goes if the client has connected to original: there,
 * or to the rule's route, of the same kind of address if there is one. Port 0: it
 * is not known. */
const struct endpoint *policy_way(const struct policy_rule *rule,
				  const struct endpoint *original);

enum decision {
	DECISION_PASS,	   /* the channel is good enough for this rule */
	DECISION_STARTTLS, /* it would be, if TLS were started on it now */
	DECISION_DIAL,	   /* it would be, over another connection */
	DECISION_AUTH,	   /* it would be, after the log-on of the rule */
	DECISION_REFUSE,
};

struct verdict {
	enum decision decision;
	enum tls_result result; /* why not, when refused */
	bool permanent; /* refused with 5xx, else 4xx (on_fail heeded) */
	/* DIAL: where to. DIAL and STARTTLS: the SNI to offer in the next
	 * handshake (empty: none). The span points into the rule's snapshot. */
	struct endpoint dial;
	struct span sni;
	/* One clause for the reply, static or in the rule's snapshot:
	 * "its certificate is not for mx.example" */
	const char *why;
};

/*
 * Compare a rule with a channel. can_starttls: the server offers STARTTLS here
 * and now and it has not failed on this connection. sni_used: the name that was
 * offered in the handshake of this channel (empty: none): a certificate that
 * does not match is given one more chance by a new dial with the rule's first
 * exact match name, because some servers choose their certificate by it
 * (RFC 6066 3). original: the server that the client itself connected to.
 *
 * Cannot fail: what is not understood is refused.
 */
struct verdict policy_decide(const struct policy_rule *rule,
			     const struct channel *ch, bool can_starttls,
			     struct span sni_used,
			     const struct endpoint *original);

#endif
