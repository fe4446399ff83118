/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_msg - see dns_msg.h.
 *
 *	header   id, flags, four counts                   12 octets
 *	question name, type, class                        as we wrote it
 *	record   name, type, class, ttl, length, data     ...
 */
#include "base/addr.h"
#include "base/bytes.h"
#include "dns/dns_msg.h"

enum {
	CLASS_IN = 1,
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RECURSION = 0x0100,
	RCODE = 0x000f,
	POINTER = 0xc0,
	ALIASES_MAX = 8,
	JUMPS_MAX = 128,   /* a name has no more labels */
	RECORD_FIXED = 10, /* type, class, ttl, length */
};

/* A name as text. plain: it can be the name of a host or a domain. */
struct name {
	char text[DOMAIN_MAX + 1];
	size_t n;
	bool plain;
};

struct record {
	struct name owner;
	uint16_t type, class_;
	uint32_t ttl_s;
	size_t data, data_n; /* within the message */
};

int dns_query(uint8_t to[DNS_QUERY_MAX], size_t *n, uint16_t id,
	      struct span name, enum dns_type type)
{
	size_t at = DNS_HEADER, label = 0;

	if (name.n == 0 || name.n > DOMAIN_MAX)
		return E_CONF;
	memset(to, 0, DNS_HEADER);
	put_be16(to, id);
	put_be16(to + 2, FLAG_RECURSION);
	put_be16(to + 4, 1);
	for (size_t i = 0; i <= name.n; i++) {
		if (i < name.n && name.p[i] != '.')
			continue;
		if (i == label || i - label > DOMAIN_LABEL_MAX)
			return E_CONF;
		to[at++] = (uint8_t)(i - label);
		memcpy(to + at, name.p + label, i - label);
		at += i - label;
		label = i + 1;
	}
	to[at++] = 0;
	put_be16(to + at, (uint16_t)type);
	put_be16(to + at + 2, CLASS_IN);
	*n = at + 4;
	return OK;
}

static bool of_host(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

static int add_label(struct name *n, struct span label)
{
	if (n->n + label.n + 1 > DOMAIN_MAX)
		return E_PEER_SYNTAX;
	if (n->n > 0)
		n->text[n->n++] = '.';
	for (size_t i = 0; i < label.n; i++) {
		uint8_t c = ascii_lower(label.p[i]);

		n->plain = n->plain && of_host(c);
		n->text[n->n++] = (char)c;
	}
	return OK;
}

/* Read the name at *at and move behind it. */
static int read_name(struct span msg, size_t *at, struct name *n)
{
	size_t here = *at, lowest = *at;
	unsigned jumps = 0;

	*n = (struct name){ .plain = true };
	for (;;) {
		uint8_t c;

		if (here >= msg.n)
			return E_PEER_SYNTAX;
		c = msg.p[here];
		if ((c & POINTER) == POINTER) {
			size_t to;

			if (msg.n - here < 2)
				return E_PEER_SYNTAX;
			to = get_be16(msg.p + here) & 0x3fff;
			if (to >= lowest || jumps == JUMPS_MAX)
				return E_PEER_SYNTAX;
			if (jumps++ == 0)
				*at = here + 2;
			here = lowest = to;
			continue;
		}
		if (c > DOMAIN_LABEL_MAX || c >= msg.n - here)
			return E_PEER_SYNTAX;
		if (c == 0)
			break;
		if (add_label(n, (struct span){ msg.p + here + 1, c }) != OK)
			return E_PEER_SYNTAX;
		here += 1 + (size_t)c;
	}
	if (jumps == 0)
		*at = here + 1;
	return OK;
}

static bool same(const struct name *n, struct span name)
{
	return n->plain &&
	       span_eq((struct span){ (const uint8_t *)n->text, n->n }, name);
}

/* Is the question in it the one that was asked? */
static int read_question(struct span msg, size_t *at, struct span name,
			 enum dns_type type)
{
	struct name n;
	int r = read_name(msg, at, &n);

	if (r != OK)
		return r;
	if (msg.n - *at < 4 || !same(&n, name) ||
	    get_be16(msg.p + *at) != (uint16_t)type ||
	    get_be16(msg.p + *at + 2) != CLASS_IN)
		return E_PEER_SYNTAX;
	*at += 4;
	return OK;
}

static int read_record(struct span msg, size_t *at, struct record *r)
{
	int e = read_name(msg, at, &r->owner);

	if (e != OK)
		return e;
	if (msg.n - *at < RECORD_FIXED)
		return E_PEER_SYNTAX;
	r->type = get_be16(msg.p + *at);
	r->class_ = get_be16(msg.p + *at + 2);
	r->ttl_s = get_be32(msg.p + *at + 4);
	if (r->ttl_s > INT32_MAX) /* RFC 2181 8 */
		r->ttl_s = 0;
	r->data_n = get_be16(msg.p + *at + 8);
	*at += RECORD_FIXED;
	r->data = *at;
	if (r->data_n > msg.n - *at)
		return E_PEER_SYNTAX;
	*at += r->data_n;
	return OK;
}

/* The name that fills the data of r from skip on. */
static int name_in(struct span msg, const struct record *r, size_t skip,
		   struct name *n)
{
	size_t at = r->data + skip, end = r->data + r->data_n;
	int e;

	if (r->data_n <= skip)
		return E_PEER_SYNTAX;
	e = read_name((struct span){ msg.p, end }, &at, n);
	return e == OK && at != end ? E_PEER_SYNTAX : e;
}

/* Behind those that are preferred as much. */
static void add_sorted(struct dns_answer *a, const struct dns_record *r)
{
	size_t i = a->n;

	if (a->n == DNS_RECORDS_MAX) {
		if (a->record[--i].preference <= r->preference)
			return;
	} else {
		a->n++;
	}
	for (; i > 0 && a->record[i - 1].preference > r->preference; i--)
		a->record[i] = a->record[i - 1];
	a->record[i] = *r;
}

static int take(struct dns_answer *a, struct span msg, const struct record *r)
{
	struct dns_record d = { .name_n = 0 };
	struct name n;
	int e;

	if (r->type == DNS_MX) {
		e = name_in(msg, r, 2, &n);
		if (e != OK)
			return e;
		if (!n.plain)
			return OK;
		d.preference = get_be16(msg.p + r->data);
		memcpy(d.name, n.text, n.n);
		d.name_n = n.n;
	} else if (r->type == DNS_A) {
		if (r->data_n != 4)
			return E_PEER_SYNTAX;
		ip_from_v4(d.ip, msg.p + r->data);
	} else {
		if (r->data_n != 16)
			return E_PEER_SYNTAX;
		memcpy(d.ip, msg.p + r->data, 16);
	}
	add_sorted(a, &d);
	return OK;
}

/* All records of name, or the name that it is an alias of. 1: an alias. */
static int search(struct dns_answer *a, struct span msg, size_t at,
		  const struct name *name, enum dns_type type,
		  struct name *alias)
{
	unsigned count = get_be16(msg.p + 6);
	struct span want = { (const uint8_t *)name->text, name->n };
	bool found = false;

	for (unsigned i = 0; i < count; i++) {
		struct record r;
		int e = read_record(msg, &at, &r);

		if (e != OK)
			return e;
		if (r.class_ != CLASS_IN || !same(&r.owner, want))
			continue;
		if (r.type == (uint16_t)type) {
			e = take(a, msg, &r);
		} else if (r.type == DNS_CNAME) {
			e = name_in(msg, &r, 0, alias);
			found = true;
		} else {
			continue;
		}
		if (e != OK)
			return e;
		if (r.ttl_s < a->ttl_s)
			a->ttl_s = r.ttl_s;
	}
	return found && a->n == 0;
}

int dns_read(struct dns_answer *a, struct span msg, uint16_t id,
	     struct span name, enum dns_type type)
{
	struct name want = { .n = name.n, .plain = true }, alias;
	size_t at = DNS_HEADER;
	uint16_t flags;
	int r;

	*a = (struct dns_answer){ .ttl_s = INT32_MAX };
	if (msg.n < DNS_HEADER || name.n > DOMAIN_MAX)
		return E_PEER_SYNTAX;
	flags = get_be16(msg.p + 2);
	if (get_be16(msg.p) != id ||
	    (flags & (FLAG_RESPONSE | FLAG_OPCODE)) != FLAG_RESPONSE ||
	    get_be16(msg.p + 4) != 1)
		return E_PEER_SYNTAX;
	r = read_question(msg, &at, name, type);
	if (r != OK)
		return r;
	a->rcode = flags & RCODE;
	a->truncated = (flags & FLAG_TRUNCATED) != 0;
	if (a->rcode != 0 || a->truncated)
		return OK;
	memcpy(want.text, name.p, name.n);
	for (int i = 0; i < ALIASES_MAX; i++) {
		r = search(a, msg, at, &want, type, &alias);
		if (r != 1)
			return r;
		want = alias;
	}
	return E_PEER_SYNTAX;
}
