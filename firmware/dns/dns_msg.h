/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_DNS_MSG_H
#define DNS_DNS_MSG_H

#include "base/domain.h"
#include "base/err.h"
#include "base/span.h"

/*
 * dns_msg - a question to a resolver, and its answer (RFC 1035 4), as octets.
 *
 * Pure. Names are in the form of domain_normalise(): lower case, A-labels, no
 * trailing dot. Only class IN, and only what mail needs: addresses and MX.
 */
enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_MX = 15,
	DNS_AAAA = 28, /* RFC 3596 */
};

enum {
	DNS_HEADER = 12,
	DNS_QUERY_MAX = DNS_HEADER + DOMAIN_MAX + 2 + 4,
	DNS_RECORDS_MAX = 16, /* of an answer; more are left out */
	DNS_NXDOMAIN = 3,     /* rcode: there is no such name */
};

struct dns_record {
	uint8_t ip[16];		   /* A and AAAA; of struct endpoint's form */
	uint16_t preference;	   /* MX */
	char name[DOMAIN_MAX + 1]; /* MX; empty: the domain takes no mail
				    * (RFC 7505) */
	size_t name_n;
};

struct dns_answer {
	unsigned rcode; /* 0: none of the other members is about an error */
	bool truncated; /* ask again over TCP */
	/* For how many seconds it may be kept: the least of all records that
	 * were used, aliases too. */
	uint32_t ttl_s;
	/* In the order of the message, MX by preference. n 0 with rcode 0: the
	 * name has no such record. */
	struct dns_record record[DNS_RECORDS_MAX];
	size_t n;
};

/* Write the question for the records type of name, recursion desired; *n is how
 * long it is. E_CONF: name is not a domain name. */
MUST_CHECK int dns_query(uint8_t to[DNS_QUERY_MAX], size_t *n, uint16_t id,
			 struct span name, enum dns_type type);

/*
 * Read the answer to that question. A CNAME is followed within the message, at
 * most eight times; records of other names, types and classes are passed over,
 * and so are names that no mail server can have. Pointers go backwards, so
 * reading ends.
 *
 * E_PEER_SYNTAX: malformed, or the answer to another question.
 */
MUST_CHECK int dns_read(struct dns_answer *a, struct span msg, uint16_t id,
			struct span name, enum dns_type type);

#endif
