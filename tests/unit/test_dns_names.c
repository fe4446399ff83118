/* SPDX-License-Identifier: BSD-2-Clause */
/* Where hosts are, for as long as a resolver's answer counts; and what is not
 * believed of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/addr.h"
#include "base/bytes.h"
#include "dns/dns_names.h"

static struct dns_names d;
static uint64_t now;
static const char *why;
static uint8_t ip[16];

static int set_up(void **state)
{
	(void)state;
	d = (struct dns_names){ 0 };
	now = 1000000;
	return 0;
}

static int get(const char *name)
{
	return dns_names_get(&d, span_str(name), false, now, ip, &why);
}

/* Octets that a resolver sends, for a question with this identification. */
struct message {
	uint8_t b[600];
	size_t n;
};

static void put(struct message *m, const void *p, size_t n)
{
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static void put16(struct message *m, uint16_t v)
{
	put_be16(m->b + m->n, v);
	m->n += 2;
}

/* The beginning of an answer to the question that l asks; count records follow. */
static struct message answer(const struct dns_lookup *l, uint16_t flags,
			     uint16_t count)
{
	struct span q = dns_lookup_out(l);
	struct message m = { .n = 0 };

	put(&m, q.p, q.n);
	put_be16(m.b + 4, flags);
	put_be16(m.b + 8, count);
	return m;
}

/* A record of the name that was asked for. */
static void record(struct message *m, uint16_t type, uint32_t ttl,
		   const void *data, uint16_t n)
{
	put16(m, 0xc00c);
	put16(m, type);
	put16(m, 1);
	put16(m, (uint16_t)(ttl >> 16));
	put16(m, (uint16_t)ttl);
	put16(m, n);
	put(m, data, n);
}

static void a_record(struct message *m, uint32_t ttl, const char *address)
{
	unsigned a, b, c, e;
	uint8_t v4[4];

	assert_int_equal(sscanf(address, "%u.%u.%u.%u", &a, &b, &c, &e), 4);
	v4[0] = (uint8_t)a;
	v4[1] = (uint8_t)b;
	v4[2] = (uint8_t)c;
	v4[3] = (uint8_t)e;
	record(m, DNS_A, ttl, v4, 4);
}

static void send_to(struct dns_lookup *l, struct message *m)
{
	put_be16(m->b, (uint16_t)(m->n - 2));
	dns_lookup_feed(l, (struct span){ m->b, m->n });
}

static void ask(struct dns_lookup *l, const char *name)
{
	assert_int_equal(dns_lookup_init_host(l, span_str(name), false, 7), OK);
}

/* The next name is asked for, and this is where it is. */
static bool is_at(uint32_t ttl, const char *const *address, uint16_t n)
{
	struct dns_name *next = dns_names_next(&d);
	static struct dns_lookup l;
	struct message m;

	assert_non_null(next);
	ask(&l, next->name);
	m = answer(&l, 0x8180, n);
	for (uint16_t i = 0; i < n; i++)
		a_record(&m, ttl, address[i]);
	send_to(&l, &m);
	assert_true(l.done);
	assert_int_equal(l.error, OK);
	return dns_names_answered(next, &l, now);
}

static bool is_at_one(uint32_t ttl, const char *address)
{
	return is_at(ttl, &address, 1);
}

static void as_long_as_it_says(void **state)
{
	(void)state;
	assert_null(dns_names_next(&d));
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at_one(300, "198.51.100.9"));
	assert_null(dns_names_next(&d));
	now += 299999;
	assert_int_equal(get("mx.example"), OK);
	assert_int_equal(ip[12] << 8 | ip[15], 198 << 8 | 9);
	now++;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_false(is_at_one(300, "198.51.100.9"));
	/* within bounds, whatever it says */
	now += 300000;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at_one(0, "198.51.100.8"));
	now += DNS_FRESH_MIN_S * 1000 - 1;
	assert_int_equal(get("mx.example"), OK);
	now++;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at_one(0x7fffffff, "198.51.100.7"));
	now += (uint64_t)DNS_FRESH_MAX_S * 1000;
	assert_int_equal(get("mx.example"), E_AGAIN);
}

static void a_silent_resolver(void **state)
{
	(void)state;
	assert_int_equal(get("mx.example"), E_AGAIN);
	dns_names_failed(dns_names_next(&d), "silence", now);
	assert_int_equal(get("mx.example"), E_PEER_GONE);
	assert_string_equal(why, "silence");
	now += DNS_RETRY_S * 1000;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at_one(60, "198.51.100.9"));
	/* what was known goes on to count, for a day, and is asked for again */
	now += 60000;
	assert_int_equal(get("mx.example"), E_AGAIN);
	dns_names_failed(dns_names_next(&d), "silence", now);
	assert_int_equal(get("mx.example"), OK);
	now += (uint64_t)DNS_STALE_S * 1000 - 1;
	assert_int_equal(get("mx.example"), E_AGAIN);
	dns_names_failed(dns_names_next(&d), "silence", now);
	assert_int_equal(get("mx.example"), OK);
	now++;
	assert_int_equal(get("mx.example"), E_PEER_GONE);
}

static void no_such_name(void **state)
{
	struct dns_lookup l;
	struct message m;

	(void)state;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at_one(60, "198.51.100.9"));
	now += 60000;
	assert_int_equal(get("mx.example"), E_AGAIN);
	ask(&l, "mx.example");
	m = answer(&l, 0x8183, 0);
	send_to(&l, &m);
	/* that is an answer, and the old one is none any more */
	assert_true(dns_names_answered(dns_names_next(&d), &l, now));
	assert_int_equal(get("mx.example"), E_PEER_GONE);
	assert_string_equal(why, "there is no such name");
	now += DNS_FRESH_MIN_S * 1000;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_false(is_at(300, NULL, 0));
	assert_int_equal(get("mx.example"), E_PEER_GONE);
	assert_string_equal(why, "the name has no address of this kind");
}

static void only_what_can_be_a_server(void **state)
{
	static const char *const bad[] = {
		"0.0.0.0",     "10.77.0.10",  "100.64.0.1", "100.127.9.9",
		"127.0.0.1",   "169.254.1.1", "172.16.0.1", "172.31.255.255",
		"192.168.1.1", "224.0.0.1",   "240.0.0.1",  "255.255.255.255"
	};
	static const char *const good[] = { "100.63.0.1",  "100.128.0.1",
					    "172.15.0.1",  "172.32.0.1",
					    "192.169.0.1", "223.255.255.1" };
	static const char *const both[] = { "10.0.0.1", "198.51.100.9",
					    "127.0.0.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(get("mx.example"), E_AGAIN);
		assert_false(is_at_one(60, bad[i]));
		assert_int_equal(get("mx.example"), E_PEER_GONE);
		assert_non_null(strstr(why, "private address"));
		now += 60000;
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(get("mx.example"), E_AGAIN);
		assert_true(is_at_one(60, good[i]));
		assert_int_equal(get("mx.example"), OK);
		now += 60000;
	}
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at(60, both, 3));
	assert_int_equal(get("mx.example"), OK);
	assert_int_equal(ip[12], 198);
	/* IPv6: global unicast alone */
	assert_true(dns_public((const uint8_t[16]){ 0x20, 1, 0xd, 0xb8 }));
	assert_false(dns_public((const uint8_t[16]){ [15] = 1 }));
	assert_false(dns_public((const uint8_t[16]){ 0xfd, 0x77 }));
	assert_false(dns_public((const uint8_t[16]){ 0xfe, 0x80 }));
	assert_false(dns_public((const uint8_t[16]){ 0xff, 2 }));
	assert_false(dns_public((const uint8_t[16]){ 0, 0x64, 0xff, 0x9b }));
}

/* What is not the answer to the question is none, and nothing is known after it. */
static void not_an_answer(void **state)
{
	struct dns_lookup l;
	struct message m;

	(void)state;
	ask(&l, "mx.example"); /* another identification */
	m = answer(&l, 0x8180, 1);
	m.b[3] ^= 1;
	a_record(&m, 60, "198.51.100.9");
	send_to(&l, &m);
	assert_int_equal(l.error, E_PEER_SYNTAX);
	ask(&l, "mx.example"); /* another question */
	m = answer(&l, 0x8180, 1);
	m.b[15] ^= 1;
	a_record(&m, 60, "198.51.100.9");
	send_to(&l, &m);
	assert_int_equal(l.error, E_PEER_SYNTAX);
	ask(&l, "mx.example"); /* cut */
	m = answer(&l, 0x8380, 1);
	a_record(&m, 60, "198.51.100.9");
	send_to(&l, &m);
	assert_int_equal(l.error, E_PEER_SYNTAX);
	ask(&l, "mx.example"); /* an alias of itself */
	m = answer(&l, 0x8180, 1);
	record(&m, DNS_CNAME, 60, "\xc0\x0c", 2);
	send_to(&l, &m);
	assert_int_equal(l.error, E_PEER_SYNTAX);
	ask(&l, "mx.example"); /* the resolver cannot */
	m = answer(&l, 0x8182, 0);
	send_to(&l, &m);
	assert_int_equal(l.error, E_PEER_PROOF);
	assert_int_equal(l.host[0].ip_n, 0);
}

/* An alias is kept no longer than its own record says. */
static void the_least_of_all_records(void **state)
{
	struct dns_lookup l;
	struct message m;

	(void)state;
	ask(&l, "mx.example");
	m = answer(&l, 0x8180, 2);
	record(&m, DNS_CNAME, 90, "\x01w\xc0\x0c", 4); /* w.mx.example */
	put(&m, "\x01w\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc6\x33\x64\x09", 18);
	send_to(&l, &m);
	assert_true(l.done);
	assert_int_equal(l.error, OK);
	assert_int_equal(l.host[0].ip_n, 1);
	assert_int_equal(l.ttl_s, 90);
}

static void the_next_one_when_one_is_gone(void **state)
{
	static const char *const two[] = { "198.51.100.1", "198.51.100.2" };
	uint8_t first[16];

	(void)state;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at(60, two, 2));
	assert_int_equal(get("mx.example"), OK);
	memcpy(first, ip, 16);
	dns_names_unreached(&d, ip);
	assert_int_equal(get("mx.example"), OK);
	assert_int_equal(ip[15], 2);
	dns_names_unreached(&d, first); /* that is not the one in use */
	assert_int_equal(get("mx.example"), OK);
	assert_int_equal(ip[15], 2);
}

static void more_names_than_room(void **state)
{
	char name[32];

	(void)state;
	for (unsigned i = 0; i < DNS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "mx%u.example", i);
		assert_int_equal(get(name), E_AGAIN);
		now++;
	}
	/* whom somebody waits for does not give way */
	assert_int_equal(get("one.too.many.example"), E_PEER_GONE);
	assert_string_equal(why, "too many names are asked for");
	assert_true(is_at_one(60, "198.51.100.9"));
	assert_int_equal(get("one.more.example"), E_AGAIN);
	assert_int_equal(get("mx0.example"), E_PEER_GONE);
	assert_int_equal(get("mx1.example"), E_AGAIN);
}

static void the_kinds_are_apart(void **state)
{
	struct span name = SPAN_LIT("mx.example");

	(void)state;
	assert_int_equal(get("mx.example"), E_AGAIN);
	assert_true(is_at_one(60, "198.51.100.9"));
	assert_int_equal(dns_names_get(&d, name, true, now, ip, &why), E_AGAIN);
	assert_true(dns_names_next(&d)->v6);
	assert_int_equal(get("mx.example"), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(as_long_as_it_says, set_up),
		cmocka_unit_test_setup(a_silent_resolver, set_up),
		cmocka_unit_test_setup(no_such_name, set_up),
		cmocka_unit_test_setup(only_what_can_be_a_server, set_up),
		cmocka_unit_test_setup(not_an_answer, set_up),
		cmocka_unit_test_setup(the_least_of_all_records, set_up),
		cmocka_unit_test_setup(the_next_one_when_one_is_gone, set_up),
		cmocka_unit_test_setup(more_names_than_room, set_up),
		cmocka_unit_test_setup(the_kinds_are_apart, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
