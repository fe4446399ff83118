/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to a resolver and its answers, by the octets of RFC 1035; what is
 * not an answer to the question does not become one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "dns/dns_lookup.h"
#include "feed.h"
#include "hex.h"

#define NAME   "07 6578616d706c65 03 636f6d 00" /* example.com */
#define ASK_MX NAME "000f 0001"
#define ASK_A  NAME "0001 0001"

static struct dns_answer answer;

static int reads(const char *hex, const char *name, enum dns_type type)
{
	struct hex h = hex_of(hex);

	return dns_read(&answer, pk_guard((struct span){ h.b, h.n }), 0x1234,
			span_str(name), type);
}

static void a_question(void **state)
{
	uint8_t m[DNS_QUERY_MAX];
	char longest[DOMAIN_MAX + 2];
	size_t n;

	(void)state;
	assert_int_equal(
		dns_query(m, &n, 0x1234, SPAN_LIT("example.com"), DNS_MX), OK);
	HEX_EQUAL(m, "1234 0100 0001 0000 0000 0000" ASK_MX);
	assert_int_equal(n, DNS_HEADER + 13 + 4);
	assert_int_equal(dns_query(m, &n, 1, SPAN_LIT(""), DNS_A), E_CONF);
	assert_int_equal(dns_query(m, &n, 1, SPAN_LIT("a..b"), DNS_A), E_CONF);
	assert_int_equal(dns_query(m, &n, 1, SPAN_LIT("a."), DNS_A), E_CONF);
	assert_int_equal(dns_query(m, &n, 1, SPAN_LIT(".a"), DNS_A), E_CONF);
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 63; i < sizeof(longest); i += 64)
		longest[i] = '.';
	assert_int_equal(
		dns_query(m, &n, 1,
			  (struct span){ (uint8_t *)longest, DOMAIN_MAX },
			  DNS_A),
		OK);
	assert_int_equal(n, DNS_QUERY_MAX);
	assert_int_equal(
		dns_query(m, &n, 1,
			  (struct span){ (uint8_t *)longest, DOMAIN_MAX + 1 },
			  DNS_A),
		E_CONF);
	longest[63] = 'a';
	assert_int_equal(dns_query(m, &n, 1,
				   (struct span){ (uint8_t *)longest, 100 },
				   DNS_A),
			 E_CONF);
}

static void mx_by_preference(void **state)
{
	(void)state;
	assert_int_equal(
		reads("1234 8180 0001 0003 0000 0000" ASK_MX
		      "c00c 000f 0001 00000e10 0008 0014 03 6d7832 c00c"
		      "c00c 000f 0001 00000e10 0008 000a 03 4d5831 c00c"
		      "c00c 000f 0001 00000e10 0008 000a 03 6d7833 c00c",
		      "example.com", DNS_MX),
		OK);
	assert_int_equal(answer.n, 3);
	assert_string_equal(answer.record[0].name, "mx1.example.com");
	assert_string_equal(answer.record[1].name, "mx3.example.com");
	assert_string_equal(answer.record[2].name, "mx2.example.com");
	assert_int_equal(answer.record[2].preference, 20);
	/* a name that no host has is passed over, the null MX is not */
	assert_int_equal(
		reads("1234 8180 0001 0002 0000 0000" ASK_MX
		      "c00c 000f 0001 00000e10 0008 0014 03 6d2032 c00c"
		      "c00c 000f 0001 00000e10 0003 0000 00",
		      "example.com", DNS_MX),
		OK);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.record[0].name_n, 0);
}

static void addresses_behind_aliases(void **state)
{
	static const uint8_t v4[16] = {
		[10] = 0xff, [11] = 0xff, 192, 0, 2, 9
	};

	(void)state;
	/* example.com is w.example.com is 192.0.2.9; one of another name and one
	 * of another class are not its own */
	assert_int_equal(reads("1234 8180 0001 0004 0000 0000" ASK_A
			       "01 77 c00c 0001 0001 00000000 0004 c0000209"
			       "c00c 0005 0001 00000000 0004 01 77 c00c"
			       "01 78 c00c 0001 0001 00000000 0004 c0000201"
			       "01 77 c00c 0001 0003 00000000 0004 c0000202",
			       "example.com", DNS_A),
			 OK);
	assert_int_equal(answer.n, 1);
	assert_memory_equal(answer.record[0].ip, v4, 16);
	assert_int_equal(reads("1234 8180 0001 0001 0000 0000" NAME "001c 0001"
			       "c00c 001c 0001 00000000 0010"
			       "20010db8 00000000 00000000 00000001",
			       "example.com", DNS_AAAA),
			 OK);
	assert_int_equal(answer.n, 1);
	HEX_EQUAL(answer.record[0].ip, "20010db8000000000000000000000001");
	/* itself */
	assert_int_equal(reads("1234 8180 0001 0001 0000 0000" ASK_A
			       "c00c 0005 0001 00000000 0002 c00c",
			       "example.com", DNS_A),
			 E_PEER_SYNTAX);
}

static void errors_and_none(void **state)
{
	(void)state;
	assert_int_equal(reads("1234 8183 0001 0000 0000 0000" ASK_A,
			       "example.com", DNS_A),
			 OK);
	assert_int_equal(answer.rcode, DNS_NXDOMAIN);
	assert_int_equal(reads("1234 8380 0001 0000 0000 0000" ASK_A,
			       "example.com", DNS_A),
			 OK);
	assert_true(answer.truncated);
	assert_int_equal(reads("1234 8180 0001 0000 0000 0000" ASK_A,
			       "example.com", DNS_A),
			 OK);
	assert_int_equal(answer.rcode + answer.n, 0);
}

static void not_an_answer(void **state)
{
	static const char *const bad[] = {
		"",
		"1234 8180 0001 0000 0000 00",	       /* short */
		"1235 8180 0001 0000 0000 0000" ASK_A, /* id */
		"1234 0180 0001 0000 0000 0000" ASK_A, /* a question */
		"1234 8980 0001 0000 0000 0000" ASK_A, /* opcode */
		"1234 8180 0000 0000 0000 0000",       /* no question */
		"1234 8180 0001 0000 0000 0000" ASK_MX,
		"1234 8180 0001 0000 0000 0000" NAME "0001 0003",
		"1234 8180 0001 0000 0000 0000 01 61 00 0001 0001",
		/* pointers: at itself, forwards, behind the end, cut */
		"1234 8180 0001 0000 0000 0000 c00c 0001 0001",
		"1234 8180 0001 0000 0000 0000 c020 0001 0001",
		"1234 8180 0001 0000 0000 0000 ffff 0001 0001",
		"1234 8180 0001 0000 0000 0000 c0",
		/* a label of a kind that is not there, one over the end */
		"1234 8180 0001 0000 0000 0000 41 61 00 0001 0001",
		"1234 8180 0001 0000 0000 0000 07 6578",
		/* a record that is announced, cut, of a wrong size */
		"1234 8180 0001 0001 0000 0000" ASK_A,
		"1234 8180 0001 0001 0000 0000" ASK_A
		"c00c 0001 0001 00000000 0004 c00002",
		"1234 8180 0001 0001 0000 0000" ASK_A
		"c00c 0001 0001 00000000 0003 c00002",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (reads(bad[i], "example.com", DNS_A) != E_PEER_SYNTAX)
			fail_msg("%s is taken", bad[i]);
	/* of an MX: no room for a name, octets behind it */
	assert_int_equal(reads("1234 8180 0001 0001 0000 0000" ASK_MX
			       "c00c 000f 0001 00000000 0002 000a",
			       "example.com", DNS_MX),
			 E_PEER_SYNTAX);
	assert_int_equal(reads("1234 8180 0001 0001 0000 0000" ASK_MX
			       "c00c 000f 0001 00000000 0005 000a c00c 00",
			       "example.com", DNS_MX),
			 E_PEER_SYNTAX);
}

/* --- a lookup, over TCP ------------------------------------------------------ */

static struct dns_lookup lookup;

static void begin(void *state)
{
	(void)state;
	assert_int_equal(dns_lookup_init(&lookup, SPAN_LIT("example.com"),
					 false, 0x1233),
			 OK);
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
}

static void looks_up(const char *hex)
{
	static const struct feed_engine engine = { NULL, begin, take };
	struct hex h = hex_of(hex);
	struct span out;
	long at = feed_every_cut(&engine, (struct span){ h.b, h.n }, &out);

	if (at != FEED_SAME)
		fail_msg("cut at %ld", at);
	(void)feed_whole(&engine, (struct span){ h.b, h.n });
}

static void mx_then_addresses(void **state)
{
	(void)state;
	looks_up("0031 1234 8180 0001 0001 0000 0000" ASK_MX
		 "c00c 000f 0001 00000e10 0008 000a 03 6d7831 c00c"
		 "0031 1235 8180 0001 0001 0000 0000"
		 "03 6d7831" NAME "0001 0001"
		 "c00c 0001 0001 00000000 0004 c0000209");
	assert_true(lookup.done && lookup.mx);
	assert_int_equal(lookup.host_n, 1);
	assert_string_equal(lookup.host[0].name, "mx1.example.com");
	assert_int_equal(lookup.host[0].ip_n, 1);
}

static void without_mx_it_is_the_host(void **state)
{
	(void)state;
	looks_up("001d 1234 8180 0001 0000 0000 0000" ASK_MX
		 "002d 1235 8180 0001 0001 0000 0000" ASK_A
		 "c00c 0001 0001 00000000 0004 c0000209");
	assert_true(lookup.done && !lookup.mx);
	assert_string_equal(lookup.host[0].name, "example.com");
	assert_int_equal(lookup.host[0].ip_n, 1);
}

static void no_mail_and_no_domain(void **state)
{
	(void)state;
	looks_up("002c 1234 8180 0001 0001 0000 0000" ASK_MX
		 "c00c 000f 0001 00000e10 0003 0000 00");
	assert_true(lookup.done && lookup.null_mx);
	looks_up("001d 1234 8183 0001 0000 0000 0000" ASK_MX);
	assert_true(lookup.done && lookup.no_name);
	looks_up("001d 1234 8185 0001 0000 0000 0000" ASK_MX);
	assert_int_equal(lookup.error, E_PEER_PROOF);
	assert_int_equal(lookup.rcode, 5);
	looks_up("1001 00");
	assert_int_equal(lookup.error, E_PEER_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question),
		cmocka_unit_test(mx_by_preference),
		cmocka_unit_test(addresses_behind_aliases),
		cmocka_unit_test(errors_and_none),
		cmocka_unit_test(not_an_answer),
		cmocka_unit_test(mx_then_addresses),
		cmocka_unit_test(without_mx_it_is_the_host),
		cmocka_unit_test(no_mail_and_no_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
