/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_lookup - see dns_lookup.h.
 *
 *	MX of the domain --> A of the first host --> A of the second ... done
 *	   none: the domain itself is the only host
 *
 *	A of a host ... done
 */
#include "base/bytes.h"
#include "dns/dns_lookup.h"

static struct span asked(const struct dns_lookup *l)
{
	const struct dns_host *h = &l->host[l->asking];

	if (l->asking_mx)
		return (struct span){ (const uint8_t *)l->name, l->name_n };
	return (struct span){ (const uint8_t *)h->name, h->name_n };
}

static enum dns_type asked_type(const struct dns_lookup *l)
{
	return l->asking_mx ? DNS_MX : l->address;
}

static void ask(struct dns_lookup *l)
{
	uint8_t m[2 + DNS_QUERY_MAX];
	size_t n = 0;

	l->id++;
	if (dns_query(m + 2, &n, l->id, asked(l), asked_type(l)) != OK) {
		l->error = E_CONF;
		return;
	}
	put_be16(m, (uint16_t)n);
	l->error = buf_put(&l->out, (struct span){ m, 2 + n });
}

static void add_host(struct dns_lookup *l, const char *name, size_t n,
		     uint16_t preference)
{
	struct dns_host *h;

	if (l->host_n == DNS_HOSTS_MAX)
		return;
	h = &l->host[l->host_n++];
	memcpy(h->name, name, n);
	h->name[n] = '\0';
	h->name_n = n;
	h->preference = preference;
}

static int init(struct dns_lookup *l, struct span name, bool v6, uint16_t id,
		bool mx)
{
	*l = (struct dns_lookup){ .address = v6 ? DNS_AAAA : DNS_A,
				  .id = id,
				  .asking_mx = mx };
	if (name.n > DOMAIN_MAX)
		return E_CONF;
	memcpy(l->name, name.p, name.n);
	l->name_n = name.n;
	if (!mx)
		add_host(l, l->name, l->name_n, 0);
	buf_init(&l->out, l->out_mem, sizeof(l->out_mem));
	ask(l);
	return l->error;
}

int dns_lookup_init(struct dns_lookup *l, struct span name, bool v6,
		    uint16_t id)
{
	return init(l, name, v6, id, true);
}

int dns_lookup_init_host(struct dns_lookup *l, struct span name, bool v6,
			 uint16_t id)
{
	return init(l, name, v6, id, false);
}

static void take_mx(struct dns_lookup *l, const struct dns_answer *a)
{
	l->asking_mx = false;
	if (a->rcode == DNS_NXDOMAIN) {
		l->no_name = l->done = true;
		return;
	}
	if (a->n == 1 && a->record[0].name_n == 0) {
		l->null_mx = l->done = true;
		return;
	}
	for (size_t i = 0; i < a->n; i++)
		if (a->record[i].name_n > 0)
			add_host(l, a->record[i].name, a->record[i].name_n,
				 a->record[i].preference);
	l->mx = l->host_n > 0;
	if (!l->mx)
		add_host(l, l->name, l->name_n, 0);
	ask(l);
}

static void take_addresses(struct dns_lookup *l, const struct dns_answer *a)
{
	struct dns_host *h = &l->host[l->asking];

	l->ttl_s = a->ttl_s;
	l->no_name = !l->mx && a->rcode == DNS_NXDOMAIN;
	for (size_t i = 0; i < a->n && h->ip_n < DNS_ADDRESSES_MAX; i++)
		memcpy(h->ip[h->ip_n++], a->record[i].ip, 16);
	if (++l->asking < l->host_n)
		ask(l);
	else
		l->done = true;
}

static void take(struct dns_lookup *l, struct span msg)
{
	struct dns_answer a;
	int r = dns_read(&a, msg, l->id, asked(l), asked_type(l));

	if (r == OK && a.truncated)
		r = E_PEER_SYNTAX; /* there is no reason to, over TCP */
	if (r == OK && a.rcode != 0 && a.rcode != DNS_NXDOMAIN) {
		l->rcode = a.rcode;
		r = E_PEER_PROOF;
	}
	l->error = r;
	if (r != OK)
		return;
	if (l->asking_mx)
		take_mx(l, &a);
	else
		take_addresses(l, &a);
}

void dns_lookup_feed(struct dns_lookup *l, struct span in)
{
	while (in.n > 0 && !l->done && l->error == OK) {
		size_t want = l->in_n < 2 ? 2 : 2 + (size_t)get_be16(l->in);
		size_t n = want - l->in_n < in.n ? want - l->in_n : in.n;

		if (want > sizeof(l->in)) {
			l->error = E_PEER_LONG;
			return;
		}
		memcpy(l->in + l->in_n, in.p, n);
		l->in_n += n;
		in = span_skip(in, n);
		if (l->in_n < 2 || l->in_n < 2 + (size_t)get_be16(l->in))
			continue;
		n = l->in_n - 2;
		l->in_n = 0;
		take(l, (struct span){ l->in + 2, n });
	}
}

struct span dns_lookup_out(const struct dns_lookup *l)
{
	return buf_span(&l->out);
}

void dns_lookup_sent(struct dns_lookup *l, size_t n)
{
	buf_drop(&l->out, n);
}
