/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must not be readable is found wherever it stands, over the end of segments
 * at every place; and nothing else is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "packet.h"
#include "proto/canary.h"
#include "proto/leak.h"

enum { KEY = 0x9e3779b1 };

static struct leak *l;
static const char secret[] = "RCPT TO:<alice@partner.example>";

static int setup(void **state)
{
	static const uint8_t seed[16] = "of the hash tab";

	(void)state;
	l = leak_init(malloc(leak_size()), KEY, seed);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(l);
	return 0;
}

/* The client of frames by pk_ip4 and pk_tcp. */
static struct endpoint client(uint16_t port)
{
	static const uint8_t v4[4] = { 10, 0, 0, 1 };
	struct endpoint e = { .port = port };

	ip_from_v4(e.ip, v4);
	return e;
}

static struct print print(const char *text)
{
	struct print p;

	assert_true(print_of(KEY, span_str(text), &p));
	return p;
}

static void protect(uint16_t port, const char *text, uint64_t now)
{
	struct endpoint c = client(port);
	struct print p = print(text);

	leak_protect(l, &c, &p, now, now * 1000);
}

static struct span frame(struct packet *p, bool v6, uint16_t port, uint32_t seq,
			 struct span data)
{
	size_t tcp;

	pk_eth(p, v6 ? 0x86dd : 0x0800);
	if (v6)
		pk_ip6(p, 6);
	else
		pk_ip4(p, 6, 0, NULL, 0);
	tcp = p->n;
	pk_tcp(p, port, 25, 0x18, NULL, 0);
	put_be32(p->b + tcp + 4, seq);
	pk_put(p, data.p, data.n);
	return pk_done(p);
}

static bool says(uint16_t port, uint32_t seq, struct span data, uint64_t now)
{
	struct leak_hit hit;
	struct packet p;
	bool found = leak_look(l, pk_guard(frame(&p, false, port, seq, data)),
			       now, now * 1000, &hit);

	assert_true(hit.tcp && hit.client.port == port &&
		    hit.server.port == 25);
	return found;
}

static bool text(uint16_t port, const char *s, uint64_t now)
{
	static uint32_t seq;

	seq += 5000; /* never what follows */
	return says(port, seq, span_str(s), now);
}

static void a_text_is_found(void **state)
{
	(void)state;
	assert_false(text(4000, secret, 0));
	protect(4000, secret, 0);
	assert_int_equal(leak_prints(l), 1);
	assert_true(text(4000, secret, 1));
	assert_true(text(4001, "x\r\nrcpt to:<ALICE@Partner.example>\r\n", 1));
	assert_false(text(4000, "RCPT TO:<alice@partner.example", 1));
	assert_false(text(4000, "RCPT TO:<alice@partner.exampla>", 1));
	assert_false(text(4000, "RCPT TO: <alice@partner.example>", 1));
	assert_true(text(4000, secret, LEAK_PRINT_MS - 1));
	assert_false(text(4000, secret, LEAK_PRINT_MS));
}

static void over_the_end_of_segments(void **state)
{
	static const char around[] = "some words before it and ";
	char all[256];
	size_t n = sizeof(around) - 1, total;

	(void)state;
	memcpy(all, around, n);
	memcpy(all + n, secret, sizeof(secret) - 1);
	memcpy(all + n + sizeof(secret) - 1, around, n);
	total = 2 * n + sizeof(secret) - 1;
	protect(4000, secret, 0);
	for (size_t step = 1; step < total; step++) {
		unsigned found = 0;
		uint32_t seq = 0xffffffe0; /* and over the end of numbers */

		for (size_t at = 0; at < total; at += step) {
			size_t m = step < total - at ? step : total - at;

			found += says(4000, seq + (uint32_t)at,
				      (struct span){ (uint8_t *)all + at, m },
				      1);
		}
		assert_int_equal(found, 1);
	}
	/* what does not follow is no text */
	n = sizeof(secret) - 1;
	assert_false(
		says(4000, 100, (struct span){ (uint8_t *)secret, 20 }, 1));
	assert_false(says(4000, 121,
			  (struct span){ (uint8_t *)secret + 20, n - 20 }, 1));
	assert_false(
		says(4000, 200, (struct span){ (uint8_t *)secret, 20 }, 1));
	assert_false(says(4001, 220,
			  (struct span){ (uint8_t *)secret + 20, n - 20 }, 1));
}

static void wherever_it_stands(void **state)
{
	static const char shortest[] = "sixteen octets..";
	char all[80] = "";

	(void)state;
	protect(4000, secret, 0);
	protect(4000, shortest, 0);
	for (int i = 0; i < 30; i++) {
		snprintf(all, sizeof(all), "%.*s%s", i,
			 "thirty octets of something else", secret);
		assert_true(text(4000, all, 1));
		snprintf(all, sizeof(all), "%.*s%s", i,
			 "thirty octets of something else", shortest);
		assert_true(text(4000, all, 1));
		all[strlen(all) - 1] = ' ';
		assert_false(text(4000, all, 1));
	}
}

/* Headers do: which of them it is, the rest decides. */
static void many_begin_alike(void **state)
{
	char mem[60];

	(void)state;
	for (unsigned i = 0; i < LEAK_PRINTS; i++) {
		snprintf(mem, sizeof(mem), "Date: Mon, 30 Nov 2026 %u", i);
		protect(4000, mem, 0);
	}
	assert_true(text(1, "Date: Mon, 30 Nov 2026 0\r\n", 1));
	assert_true(text(1, "Date: Mon, 30 Nov 2026 4711\r\n", 1));
	assert_false(text(1, "Date: Mon, 30 Nov 2026 x\r\n", 1));
	for (unsigned i = 0; i < LEAK_PRINTS; i += 2) {
		struct endpoint c = client(4000);
		struct print p;

		snprintf(mem, sizeof(mem), "Date: Mon, 30 Nov 2026 %u", i);
		p = print(mem);
		leak_forget(l, &c, &p);
	}
	assert_int_equal(leak_prints(l), LEAK_PRINTS / 2);
	assert_true(text(1, "Date: Mon, 30 Nov 2026 4711\r\n", 1));
	assert_false(text(1, "Date: Mon, 30 Nov 2026 4\r\n", 1));
}

static void a_connection_in_clear(void **state)
{
	struct endpoint mine = client(4000), other = client(5000);
	struct print p = print(secret);

	(void)state;
	protect(4000, secret, 0);
	leak_allow(l, &other, 0);
	assert_false(text(5000, secret, 1)); /* its own copy of the message */
	assert_true(text(4000, secret, 1));
	assert_true(text(4001, secret, 1));
	/* what is its own secret counts, however clear it may be */
	leak_allow(l, &mine, 1);
	assert_true(text(4000, secret, 2));
	leak_forget(l, &other, &p); /* not its own */
	assert_true(text(4000, secret, 2));
	leak_forget(l, &mine, &p);
	assert_false(text(4000, secret, 2));
	assert_int_equal(leak_prints(l), 0);
	/* protected again; what it said before may still be on its way */
	protect(4001, secret, 10);
	leak_disallow(l, &other, 10);
	assert_false(text(5000, secret, 10 + LEAK_GRACE_MS - 1));
	assert_true(text(5000, secret, 10 + LEAK_GRACE_MS));
}

static bool seen_at(uint16_t port, const char *s, uint64_t seen_us)
{
	static uint32_t seq = 1u << 31;
	struct leak_hit hit;
	struct packet p;

	seq += 5000;
	return leak_look(l, pk_guard(frame(&p, false, port, seq, span_str(s))),
			 20, seen_us, &hit);
}

/* MAIL of a message that may leave in clear, and of the next one, which may not:
 * the first is looked at when the second has been said. */
static void what_left_before_it_was_said(void **state)
{
	const char *mail = "MAIL FROM:<alice@corp.example>";
	const struct endpoint me = client(1), other = client(2);
	const struct print p = print(mail);

	(void)state;
	leak_allow(l, &me, 10);
	leak_forget(l, &me, &p);
	leak_protect(l, &me, &p, 20, 20500);
	assert_false(seen_at(1, mail, 20499));
	assert_true(seen_at(1, mail, 20500));
	assert_true(seen_at(1, mail, 30000));
	/* Said again, it is secret since the first time. */
	leak_protect(l, &me, &p, 20, 20900);
	assert_false(seen_at(1, mail, 20499));
	assert_true(seen_at(1, mail, 20700));
	/* By somebody else: since then, for then it is known as his. */
	leak_protect(l, &other, &p, 20, 21000);
	assert_false(seen_at(2, mail, 20999));
	assert_true(seen_at(2, mail, 21000));
	/* The clock was set back meanwhile. */
	leak_protect(l, &me, &p, 20, LEAK_LATE_US + 30000);
	assert_false(seen_at(1, mail, 30000));
	assert_true(seen_at(1, mail, 29999));
}

static void a_clear_one_stays_clear_while_it_speaks(void **state)
{
	struct endpoint c = client(5000);
	uint64_t now = 0;

	(void)state;
	leak_allow(l, &c, 0);
	for (int i = 0; i < 5; i++) {
		now += LEAK_CLEAR_MS - 1;
		protect(4000, secret, now);
		assert_false(text(5000, secret, now));
	}
	now += LEAK_CLEAR_MS;
	protect(4000, secret, now);
	assert_true(text(5000, secret, now));
}

static void other_wrappings(void **state)
{
	struct leak_hit hit;
	struct packet p;

	(void)state;
	protect(4000, secret, 0);
	assert_true(leak_look(
		l, pk_guard(frame(&p, true, 4000, 1, span_str(secret))), 1, 1,
		&hit));
	assert_true(hit.tcp && !ip_is_v4(hit.client.ip));
	pk_eth(&p, 0x88a8);
	pk_tag(&p, 1, 0x8100);
	pk_tag(&p, 2, 0x0800);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 4000, 25, 0x18, NULL, 0);
	pk_put(&p, secret, sizeof(secret) - 1);
	assert_true(leak_look(l, pk_guard(pk_done(&p)), 1, 1, &hit) && hit.tcp);
	pk_eth(&p, 0x8864);
	pk_pppoe(&p, 0x21);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 4000, 25, 0x18, NULL, 0);
	pk_put(&p, secret, sizeof(secret) - 1);
	assert_true(leak_look(l, pk_guard(pk_done(&p)), 1, 1, &hit) && hit.tcp);
	pk_eth(&p, 0x1234); /* nobody knows what that is */
	pk_put(&p, secret, sizeof(secret) - 1);
	assert_true(
		leak_look(l, pk_guard((struct span){ p.b, p.n }), 1, 1, &hit));
	assert_false(hit.tcp);
	pk_eth(&p, 0x0800); /* a later fragment */
	pk_ip4(&p, 6, 100, NULL, 0);
	pk_put(&p, secret, sizeof(secret) - 1);
	assert_true(leak_look(l, pk_guard(pk_done(&p)), 1, 1, &hit));
	assert_false(hit.tcp);
}

/* A short frame is padded: the next segment follows the packet, not the frame. */
static void padding(void **state)
{
	struct packet p;
	struct leak_hit hit;
	struct span s = { (const uint8_t *)secret, 3 };

	(void)state;
	protect(4000, secret, 0);
	frame(&p, false, 4000, 77, s);
	memset(p.b + p.n, 0, 8);
	p.n += 8;
	assert_false(
		leak_look(l, pk_guard((struct span){ p.b, p.n }), 1, 1, &hit));
	assert_true(says(4000, 80, span_skip(span_str(secret), 3), 1));
}

static void the_oldest_gives_way(void **state)
{
	char mem[40];

	(void)state;
	for (unsigned i = 0; i < 3 * LEAK_PRINTS; i++) {
		snprintf(mem, sizeof(mem), "RCPT TO:<user%u@x.example>", i);
		protect(4000, mem, 0);
	}
	assert_int_equal(leak_prints(l), LEAK_PRINTS);
	assert_true(text(1, mem, 1));
	assert_true(text(1, "RCPT TO:<user16384@x.example>", 1));
	assert_false(text(1, "RCPT TO:<user16383@x.example>", 1));
}

static void too_short_a_text(void **state)
{
	struct print p;

	(void)state;
	assert_false(print_of(KEY, SPAN_LIT("fifteen octets."), &p));
	assert_true(print_of(KEY, SPAN_LIT("sixteen octets.."), &p));
}

static void the_canary(void **state)
{
	uint8_t mem[CANARY_FRAME];
	struct span f = canary_write(mem, 0x0123456789abcdef);
	struct leak_hit hit;
	struct print p;

	(void)state;
	assert_true(span_eq(canary_text(f),
			    SPAN_LIT("sealwire canary 0123456789abcdef")));
	assert_true(canary_is(f, 0x0123456789abcdef));
	assert_false(canary_is(f, 0x0123456789abcdee));
	assert_false(
		canary_is((struct span){ f.p, f.n - 1 }, 0x0123456789abcdef));
	assert_true(print_of(KEY, canary_text(f), &p));
	leak_protect(l, &(struct endpoint){ .port = 0 }, &p, 0, 0);
	assert_true(leak_look(l, pk_guard(f), 1, 1, &hit));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_text_is_found),
		TEST(over_the_end_of_segments),
		TEST(wherever_it_stands),
		TEST(many_begin_alike),
		TEST(a_connection_in_clear),
		TEST(what_left_before_it_was_said),
		TEST(a_clear_one_stays_clear_while_it_speaks),
		TEST(other_wrappings),
		TEST(padding),
		TEST(the_oldest_gives_way),
		TEST(too_short_a_text),
		TEST(the_canary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
