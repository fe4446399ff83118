/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_DNS_LOOKUP_H
#define DNS_DNS_LOOKUP_H

#include "base/buf.h"
#include "dns/dns_msg.h"

/*
 * dns_lookup - where mail for a domain goes (RFC 5321 5.1): its MX, and the
 * addresses of those that are preferred; without an MX, its own addresses. Or the
 * addresses of a host, whatever MX there is.
 *
 * An engine on one TCP connection to a resolver (RFC 1035 4.2.2, RFC 7766), one
 * question after the other: TCP because the answer then has to be in a
 * connection of ours, and is never cut. Octets in, octets out; no clock: the
 * caller gives up when he likes. Bytes in any pieces give the same.
 */
enum {
	DNS_HOSTS_MAX = 4,     /* whose addresses are asked for */
	DNS_ADDRESSES_MAX = 4, /* of each that are kept */
	DNS_ANSWER_MAX = 4096, /* octets of one answer */
};

struct dns_host {
	char name[DOMAIN_MAX + 1];
	size_t name_n;
	uint16_t preference;
	uint8_t ip[DNS_ADDRESSES_MAX][16];
	size_t ip_n;
};

struct dns_lookup {
	char name[DOMAIN_MAX + 1];
	size_t name_n;
	enum dns_type address; /* A or AAAA */
	uint16_t id;
	bool done;
	int error;	/* sticky */
	bool mx;	/* the hosts come from MX records */
	bool null_mx;	/* RFC 7505: the domain says that it takes no mail */
	bool no_name;	/* there is no such domain */
	unsigned rcode; /* of an error that is not one of the two */
	uint32_t ttl_s; /* of the addresses that came last */
	struct dns_host host[DNS_HOSTS_MAX]; /* by preference */
	size_t host_n;
	/* private: what is asked now; host_n: the MX */
	size_t asking;
	bool asking_mx;
	uint8_t in[2 + DNS_ANSWER_MAX];
	size_t in_n;
	uint8_t out_mem[2 + DNS_QUERY_MAX];
	struct buf out;
};

/* name: as domain_normalise() gives it. v6: ask for AAAA, else for A. id:
 * random. l must not move. E_CONF: not a domain name. */
MUST_CHECK int dns_lookup_init(struct dns_lookup *l, struct span name, bool v6,
			       uint16_t id);

/* The same for a host: host[0] is it, and there is no other. */
MUST_CHECK int dns_lookup_init_host(struct dns_lookup *l, struct span name,
				    bool v6, uint16_t id);

/* All is taken, unless it is done. l->done: what there is stands in host; or
 * l->error: E_PEER_SYNTAX malformed, E_PEER_LONG, E_PEER_PROOF the resolver
 * answered with an error (rcode). */
void dns_lookup_feed(struct dns_lookup *l, struct span in);
/* What has to be sent, valid until the next call on l; of it n octets were. */
struct span dns_lookup_out(const struct dns_lookup *l);
void dns_lookup_sent(struct dns_lookup *l, size_t n);

#endif
