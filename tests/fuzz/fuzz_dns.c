/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a resolver says, in every cut the same; and a message of any octets, with
 * the header and question it should have in front: names that come out of it are
 * names that can be asked for again.
 */
#include "base/bug.h"
#include "base/bytes.h"
#include "dns/dns_lookup.h"
#include "feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct dns_lookup lookup;

static void begin(void *state)
{
	(void)state;
	BUG_ON(dns_lookup_init(&lookup, SPAN_LIT("a.example"), false, 0) != OK);
}

static void take(void *state, struct span in, struct feed_log *log)
{
	int before = lookup.error;

	(void)state;
	dns_lookup_feed(&lookup, in);
	feed_bytes(log, dns_lookup_out(&lookup));
	dns_lookup_sent(&lookup, dns_lookup_out(&lookup).n);
	if (lookup.error != before)
		feed_mark(log, 'e', lookup.error);
	BUG_ON(lookup.host_n > DNS_HOSTS_MAX);
}

/* p behind the beginning of an answer to that question. */
static void answer(const uint8_t *p, size_t n, enum dns_type type)
{
	static uint8_t m[DNS_QUERY_MAX + 2048];
	struct dns_answer a;
	size_t at;

	BUG_ON(dns_query(m, &at, 7, SPAN_LIT("a.example"), type) != OK);
	put_be16(m + 2, 0x8180);
	put_be16(m + 6, p[0] % 16);
	memcpy(m + at, p + 1, n - 1);
	if (dns_read(&a, pk_guard((struct span){ m, at + n - 1 }), 7,
		     SPAN_LIT("a.example"), type) != OK)
		return;
	BUG_ON(a.n > DNS_RECORDS_MAX);
	for (size_t i = 0; i < a.n; i++) {
		uint8_t q[DNS_QUERY_MAX];
		size_t q_n;
		struct span name = { (uint8_t *)a.record[i].name,
				     a.record[i].name_n };

		BUG_ON(i > 0 &&
		       a.record[i - 1].preference > a.record[i].preference);
		BUG_ON(name.n > 0 && dns_query(q, &q_n, 1, name, DNS_A) != OK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct feed_engine engine = { NULL, begin, take };
	struct span out;

	if (n < 1 || n > 2048)
		return 0;
	BUG_ON(feed_cuts(&engine, (struct span){ p, n }, 0, 60, &out) !=
	       FEED_SAME);
	answer(p, n, DNS_MX);
	answer(p, n, DNS_A);
	answer(p, n, DNS_AAAA);
	return 0;
}
