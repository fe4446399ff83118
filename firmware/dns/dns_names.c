/* SPDX-License-Identifier: BSD-2-Clause */
/* dns_names - see dns_names.h. */
#include "base/addr.h"
#include "base/bytes.h"
#include "base/text.h"
#include "dns/dns_names.h"

bool dns_public(const uint8_t ip[16])
{
	const uint8_t *v4 = ip + 12;

	if (!ip_is_v4(ip))
		return ip[0] >> 5 == 1; /* 2000::/3 */
	return v4[0] != 0 && v4[0] != 10 && v4[0] != 127 && v4[0] < 224 &&
	       !(v4[0] == 100 && v4[1] >> 6 == 1) &&
	       !(v4[0] == 169 && v4[1] == 254) &&
	       !(v4[0] == 172 && v4[1] >> 4 == 1) &&
	       !(v4[0] == 192 && v4[1] == 168);
}

static struct span name_of(const struct dns_name *n)
{
	return (struct span){ (const uint8_t *)n->name, n->name_n };
}

/* The entry of name; if there is none, a new one in the place that was not used for
 * longest, unless somebody waits for that. NULL: all are waited for. */
static struct dns_name *entry(struct dns_names *d, struct span name, bool v6)
{
	struct dns_name *oldest = NULL;

	for (size_t i = 0; i < DNS_NAMES_MAX; i++) {
		struct dns_name *n = &d->name[i];

		if (n->v6 == v6 && n->name_n > 0 && span_eq(name_of(n), name))
			return n;
		if (!n->wanted && (!oldest || n->used_ms < oldest->used_ms))
			oldest = n;
	}
	if (!oldest || name.n == 0 || name.n > DOMAIN_MAX)
		return NULL;
	*oldest = (struct dns_name){ .name_n = name.n, .v6 = v6 };
	memcpy(oldest->name, name.p, name.n);
	return oldest;
}

int dns_names_get(struct dns_names *d, struct span name, bool v6,
		  uint64_t now_ms, uint8_t ip[16], const char **why)
{
	struct dns_name *n = entry(d, name, v6);

	*why = "too many names are asked for";
	if (!n)
		return E_PEER_GONE;
	n->used_ms = now_ms;
	if (now_ms >= n->fresh_ms && now_ms >= n->retry_ms) {
		n->wanted = true;
		return E_AGAIN;
	}
	*why = n->why;
	if (n->ip_n == 0 || now_ms >= n->stale_ms)
		return E_PEER_GONE;
	memcpy(ip, n->ip[0], 16);
	return OK;
}

struct dns_name *dns_names_next(struct dns_names *d)
{
	for (size_t i = 0; i < DNS_NAMES_MAX; i++)
		if (d->name[i].wanted)
			return &d->name[i];
	return NULL;
}

static void say(struct dns_name *n, const char *why)
{
	struct text t;

	text_init(&t, n->why, sizeof(n->why));
	text_str(&t, why);
}

static bool has(const struct dns_name *n, const uint8_t ip[16])
{
	for (size_t i = 0; i < n->ip_n; i++)
		if (memcmp(n->ip[i], ip, 16) == 0)
			return true;
	return false;
}

/* Those that h has besides, in its order. True: they are others than n had. */
static bool take(struct dns_name *n, const struct dns_host *h)
{
	struct dns_name was = *n;
	bool other = false;

	n->ip_n = 0;
	for (size_t i = 0; i < h->ip_n; i++) {
		if (!dns_public(h->ip[i]) || has(n, h->ip[i]))
			continue;
		memcpy(n->ip[n->ip_n++], h->ip[i], 16);
		other = other || !has(&was, h->ip[i]);
	}
	return other || n->ip_n != was.ip_n;
}

bool dns_names_answered(struct dns_name *n, const struct dns_lookup *l,
			uint64_t now_ms)
{
	const struct dns_host *h = &l->host[0];
	uint64_t ttl = l->ttl_s;
	bool other;

	other = take(n, h);
	if (ttl < DNS_FRESH_MIN_S || n->ip_n == 0)
		ttl = DNS_FRESH_MIN_S;
	if (ttl > DNS_FRESH_MAX_S)
		ttl = DNS_FRESH_MAX_S;
	if (n->ip_n == 0)
		say(n, l->no_name ? "there is no such name"
		       : h->ip_n == 0
			       ? "the name has no address of this kind"
			       : "it is at a private address only, which "
				 "can be a host of ours");
	n->wanted = false;
	n->retry_ms = 0;
	n->fresh_ms = now_ms + ttl * 1000;
	n->stale_ms = n->fresh_ms + (uint64_t)DNS_STALE_S * 1000;
	return other;
}

void dns_names_failed(struct dns_name *n, const char *why, uint64_t now_ms)
{
	n->wanted = false;
	n->retry_ms = now_ms + (uint64_t)DNS_RETRY_S * 1000;
	if (n->ip_n == 0 || now_ms >= n->stale_ms)
		say(n, why);
}

void dns_names_unreached(struct dns_names *d, const uint8_t ip[16])
{
	for (size_t i = 0; i < DNS_NAMES_MAX; i++) {
		struct dns_name *n = &d->name[i];

		if (n->ip_n < 2 || memcmp(n->ip[0], ip, 16) != 0)
			continue;
		memmove(n->ip[0], n->ip[1], 16 * (n->ip_n - 1));
		memcpy(n->ip[n->ip_n - 1], ip, 16);
	}
}
