/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter of the tap against frame_parse: no segment to a port of the list is
 * hidden, whatever it is wrapped in; and the rest of a network is not looked at.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cbpf.h"
#include "drivers/tap.h"
#include "packet.h"

static const uint16_t ports[] = { 25, 2525 };
static struct tap_filter filter;

static bool shown(struct span s)
{
	return cbpf_run(filter.code, filter.n, pk_guard(s)) != 0;
}

static struct span plain(struct packet *p, bool v6, unsigned dport)
{
	pk_eth(p, v6 ? 0x86dd : 0x0800);
	if (v6)
		pk_ip6(p, 6);
	else
		pk_ip4(p, 6, 0, NULL, 0);
	pk_tcp(p, 40000, dport, 0x18, NULL, 0);
	pk_put(p, "text", 4);
	return pk_done(p);
}

static void mail_is_shown(void **state)
{
	struct packet p;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		assert_true(shown(plain(&p, v6, 25)));
		assert_true(shown(plain(&p, v6, 2525)));
		assert_false(shown(plain(&p, v6, 443)));
		assert_false(shown(plain(&p, v6, 24)));
	}
	pk_eth(&p, 0x0800); /* IP options move the port */
	pk_ip4(&p, 6, 0, "\1\1\1\1\1\1\1\1", 8);
	pk_tcp(&p, 40000, 25, 0x18, NULL, 0);
	assert_true(shown(pk_done(&p)));
}

static void answers_are_shown_if_asked_for(void **state)
{
	struct tap_filter both;
	struct packet p;

	(void)state;
	assert_int_equal(tap_filter_build(&both, TAP_BOTH, ports, 2), OK);
	for (int v6 = 0; v6 < 2; v6++)
		for (int swap = 0; swap < 2; swap++) {
			unsigned from[] = { 40000, 2525 };

			pk_eth(&p, v6 ? 0x86dd : 0x0800);
			if (v6)
				pk_ip6(&p, 6);
			else
				pk_ip4(&p, 6, 0, NULL, 0);
			pk_tcp(&p, from[swap], from[!swap], 0x18, NULL, 0);
			assert_true(cbpf_run(both.code, both.n,
					     pk_guard(pk_done(&p))) != 0);
			assert_int_equal(shown(pk_done(&p)), !swap);
			assert_false(cbpf_run(both.code, both.n,
					      pk_guard(plain(&p, v6, 443))));
		}
}

/* Errors about mail go with the mail, but only where both ways are asked for. */
static void icmp_goes_with_both(void **state)
{
	struct tap_filter both;
	struct packet p;

	(void)state;
	assert_int_equal(tap_filter_build(&both, TAP_BOTH, ports, 2), OK);
	for (int v6 = 0; v6 < 2; v6++) {
		pk_eth(&p, v6 ? 0x86dd : 0x0800);
		if (v6)
			pk_ip6(&p, 58);
		else
			pk_ip4(&p, 1, 0, NULL, 0);
		pk_put(&p, "what went wrong", 15);
		assert_true(cbpf_run(both.code, both.n,
				     pk_guard(pk_done(&p))) != 0);
		assert_false(shown(pk_done(&p)));
	}
}

static void what_is_not_certain_is_shown(void **state)
{
	struct packet p;

	(void)state;
	pk_eth(&p, 0x8100);
	pk_tag(&p, 7, 0x0800);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 40000, 443, 0x18, NULL, 0);
	assert_true(shown(pk_done(&p)));
	pk_eth(&p, 0x8864);
	pk_pppoe(&p, 0x21);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 40000, 25, 0x18, NULL, 0);
	assert_true(shown(pk_done(&p)));
	pk_eth(&p, 0x0800); /* a later fragment of TCP */
	pk_ip4(&p, 6, 185, NULL, 0);
	pk_put(&p, "anything that is long enough", 28);
	assert_true(shown(pk_done(&p)));
	pk_eth(&p, 0x86dd);
	pk_ip6(&p, 60);
	pk_ext(&p, 6, 8);
	pk_tcp(&p, 40000, 25, 0x18, NULL, 0);
	assert_true(shown(pk_done(&p)));
	pk_eth(&p, 0x88b5); /* a canary */
	pk_put(&p, "sealwire canary 0123456789abcdef", 32);
	assert_true(shown((struct span){ p.b, p.n }));
}

static void the_rest_is_not(void **state)
{
	struct packet p;

	(void)state;
	pk_eth(&p, 0x0806);
	pk_put(&p, "who has this address, tell me  ", 28);
	assert_false(shown((struct span){ p.b, p.n }));
	for (int v6 = 0; v6 < 2; v6++) {
		pk_eth(&p, v6 ? 0x86dd : 0x0800);
		if (v6)
			pk_ip6(&p, 17);
		else
			pk_ip4(&p, 17, 0, NULL, 0);
		pk_tcp(&p, 53, 25, 0, NULL, 0);
		assert_false(shown(pk_done(&p)));
	}
}

/* UDP to port 53, of whichever length its IP header is; no answers, no TCP, no later
 * fragments, nothing that is cut short. */
static void questions_to_resolvers_are_shown(void **state)
{
	static const struct {
		unsigned proto, sport, dport, frag;
		bool shown;
	} cases[] = {
		{ 17, 40000, 53, 0, true },  { 17, 53, 53, 0, true },
		{ 17, 53, 40000, 0, false }, { 17, 40000, 5353, 0, false },
		{ 6, 40000, 53, 0, false },  { 17, 40000, 53, 0x2000, true },
		{ 17, 40000, 53, 1, false },
	};
	struct tap_filter c;
	struct packet p;

	(void)state;
	assert_int_equal(tap_filter_build(&c, TAP_ASKS, NULL, 0), OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int way = 0; way < 3; way++) {
			bool v6 = way == 2;
			struct span whole;
			uint32_t kept;

			if (v6 && cases[i].frag != 0)
				continue;
			pk_eth(&p, v6 ? 0x86dd : 0x0800);
			if (v6)
				pk_ip6(&p, (uint8_t)cases[i].proto);
			else
				pk_ip4(&p, (uint8_t)cases[i].proto,
				       (uint16_t)cases[i].frag, "\1\1\1\1",
				       way == 1 ? 4 : 0);
			pk_tcp(&p, cases[i].sport, cases[i].dport, 0, NULL, 0);
			whole = pk_done(&p);
			kept = cbpf_run(c.code, c.n, pk_guard(whole));
			assert_int_equal(kept,
					 cases[i].shown ? TAP_ASKS_KEPT : 0);
			whole.n = v6 ? 57 : way == 1 ? 41 : 37;
			assert_int_equal(cbpf_run(c.code, c.n, pk_guard(whole)),
					 0);
		}
	pk_eth(&p, 0x0806);
	pk_put(&p, "who has this address, tell me  ", 28);
	assert_int_equal(
		cbpf_run(c.code, c.n, pk_guard((struct span){ p.b, p.n })), 0);
}

static void the_kernel_takes_it(void **state)
{
	uint16_t many[TAP_PORTS_MAX + 1] = { 0 };
	int s[2];

	(void)state;
	for (unsigned i = 0; i <= TAP_PORTS_MAX; i++)
		many[i] = (uint16_t)(25 + i);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	assert_int_equal(tap_ports(s[0], TAP_NOTHING, NULL, 0), OK);
	assert_int_equal(tap_ports(s[0], TAP_LEAVES, ports, 2), OK);
	assert_int_equal(tap_ports(s[0], TAP_ASKS, NULL, 0), OK);
	assert_int_equal(tap_ports(s[0], TAP_BOTH, many, TAP_PORTS_MAX), OK);
	assert_int_equal(tap_ports(s[0], TAP_BOTH, many, TAP_PORTS_MAX + 1),
			 E_CONF);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_is_shown),
		cmocka_unit_test(answers_are_shown_if_asked_for),
		cmocka_unit_test(icmp_goes_with_both),
		cmocka_unit_test(what_is_not_certain_is_shown),
		cmocka_unit_test(the_rest_is_not),
		cmocka_unit_test(questions_to_resolvers_are_shown),
		cmocka_unit_test(the_kernel_takes_it),
	};

	if (tap_filter_build(&filter, TAP_LEAVES, ports, 2) != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
