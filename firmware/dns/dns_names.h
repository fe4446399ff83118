/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_DNS_NAMES_H
#define DNS_DNS_NAMES_H

#include "dns/dns_lookup.h"

/*
 * dns_names - the addresses of hosts that settings name, for as long as they count.
 *
 *	who needs one:  dns_names_get, again and again until it is not E_AGAIN
 *	who asks:       dns_names_next says for which; then _answered or _failed
 *
 * An answer counts for as long as its records say (RFC 1035 3.2.1), at least
 * DNS_FRESH_MIN_S and at most DNS_FRESH_MAX_S. Then it is asked for again, and if
 * the resolver gives none, the old one goes on to count for DNS_STALE_S (RFC 8767):
 * a resolver that is gone for an hour stops no mail. "There is no such name" is an
 * answer. After a failure nothing is asked for DNS_RETRY_S.
 *
 * What comes from a resolver is believed to be an address, no more. Those that no
 * server in the Internet has are left out: private, loopback, link-local and
 * multicast ones (RFC 6890, RFC 4291 2.4), which would lead to a host behind the box.
 *
 * Pure; a fixed number of names: who was not asked for longest gives way. All zeros
 * is a good beginning.
 */
enum {
	DNS_NAMES_MAX = 128,
	DNS_FRESH_MIN_S = 60,
	DNS_FRESH_MAX_S = 3600,
	DNS_STALE_S = 86400,
	DNS_RETRY_S = 30,
	DNS_WHY_MAX = 64,
};

struct dns_name {
	char name[DOMAIN_MAX + 1];
	size_t name_n; /* 0: a free place */
	bool v6;       /* AAAA, else A */
	bool wanted;   /* somebody waits for it */
	uint8_t ip[DNS_ADDRESSES_MAX][16];
	size_t ip_n;
	uint64_t fresh_ms, stale_ms; /* until when */
	uint64_t retry_ms;	     /* not asked before */
	uint64_t used_ms;
	char why[DNS_WHY_MAX]; /* there is none */
};

struct dns_names {
	struct dns_name name[DNS_NAMES_MAX];
};

/* Could a server in the Internet have this address? */
bool dns_public(const uint8_t ip[16]);

/*
 * An address of name, as domain_normalise() gives it.
 *
 * OK: *ip is it. E_AGAIN: it is to be asked for; call again when something was
 * answered. E_PEER_GONE: there is none, and *why says so, until the next call.
 */
MUST_CHECK int dns_names_get(struct dns_names *d, struct span name, bool v6,
			     uint64_t now_ms, uint8_t ip[16], const char **why);

/* The name to ask for next; NULL: nobody waits for any. */
struct dns_name *dns_names_next(struct dns_names *d);

/* n was asked for, and the lookup is done. True: its addresses are others now. */
bool dns_names_answered(struct dns_name *n, const struct dns_lookup *l,
			uint64_t now_ms);

/* It could not be asked for, or nothing came that can be read. */
void dns_names_failed(struct dns_name *n, const char *why, uint64_t now_ms);

/* A server at this address could not be reached: it is the last one to be tried of
 * its name. */
void dns_names_unreached(struct dns_names *d, const uint8_t ip[16]);

#endif
