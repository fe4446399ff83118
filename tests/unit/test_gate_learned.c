/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A domain whose mail left in TLS once, under "may learn": none leaves without, be
 * STARTTLS taken away or the handshake broken; and nothing else is held up by it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "policy/learned.h"
#include "policy/policy_build.h"
#include "proto/smtp_gate_out.h"

static const uint8_t key[16] = "0123456789abcdef";

static struct policy policy;
static uint8_t *blob;
static struct learned *known;
static struct smtp_gate_out *g;

/* default may learn, but d.example is as before. */
static void set_policy(void)
{
	const struct settings plain = { .number = 1 };
	struct policy_rule rules[] = {
		{ .name = SPAN_LIT("d.example"), .level = LEVEL_MAY },
		{ .name = SPAN_LIT("default"),
		  .level = LEVEL_MAY,
		  .learn = true,
		  .line = 7 },
	};
	size_t n = policy_build_size(2, 0, 64);
	struct policy_build b;
	uint32_t first;

	blob = malloc(n);
	assert_non_null(blob);
	assert_int_equal(policy_build_begin(&b, blob, n, 2, 0, key), OK);
	for (int i = 0; i < 2; i++) {
		rules[i].min_tls = 0x0303;
		assert_int_equal(policy_build_rule(&b, &rules[i], &first), OK);
	}
	assert_int_equal(policy_build_end(&b, &plain, &n), OK);
	assert_int_equal(policy_open(&policy, (struct span){ blob, n }), OK);
}

static int set_up(void **state)
{
	void *mem = malloc(learned_size());
	const uint8_t spki[32] = { 1 };

	(void)state;
	set_policy();
	assert_non_null(mem);
	known = learned_init(mem, key);
	learned_see(known, SPAN_LIT("a.example"), 0x0304, spki, 20000);
	learned_see(known, SPAN_LIT("d.example"), 0x0304, spki, 20000);
	g = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(g);
	free(known);
	free(blob);
	return 0;
}

static void say(enum side from, const char *s)
{
	assert_int_equal(smtp_gate_out_feed(g, from, span_str(s)), strlen(s));
}

static bool has(enum side to, const char *what)
{
	struct span s = smtp_gate_out_out(g, to);

	return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static void clear(enum side to)
{
	smtp_gate_out_sent(g, to, smtp_gate_out_out(g, to).n);
}

static void begin(bool failed_before, const char *caps)
{
	const struct gate_start start = {
		.server = { .port = 25 },
		.tls_failed_before = failed_before,
		.learned = known,
	};

	g = malloc(smtp_gate_out_size());
	assert_non_null(g);
	g = smtp_gate_out_init(g, &policy, &start);
	say(SERVER, "220 mx\r\n");
	say(CLIENT, "EHLO c.example\r\n");
	say(SERVER, caps);
}

static void mail(void)
{
	clear(CLIENT);
	clear(SERVER);
	say(CLIENT, "MAIL FROM:<s@c.example>\r\n");
	clear(CLIENT);
}

static const char none[] = "250-mx\r\n250 PIPELINING\r\n";
static const char offered[] = "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n";

static void refused(const char *code)
{
	struct gate_event ev = { .type = GATE_EV_TLS_UP };

	assert_true(has(CLIENT, code));
	assert_true(has(CLIENT, "had TLS before, which its policy learns"));
	assert_true(has(CLIENT, "(policy for default, line 7"));
	assert_int_equal(smtp_gate_out_out(g, SERVER).n, 0);
	while (ev.type != GATE_EV_RCPT_REFUSED)
		assert_true(smtp_gate_out_event(g, &ev));
	assert_true(ev.learned);
	assert_string_equal(ev.domain, "a.example");
}

static void starttls_taken_away(void **state)
{
	(void)state;
	begin(false, none);
	mail();
	say(CLIENT, "RCPT TO:<u@a.example>\r\n");
	refused("451 ");
	/* and again: nothing wears off */
	clear(CLIENT);
	say(CLIENT, "RCPT TO:<u@A.Example>\r\n");
	refused("451 ");
}

static void others_are_not_held_up(void **state)
{
	static const char *const rcpt[] = { "RCPT TO:<u@b.example>\r\n",
					    "RCPT TO:<u@d.example>\r\n",
					    "RCPT TO:<u@sub.a.example>\r\n" };

	for (size_t i = 0; i < sizeof(rcpt) / sizeof(rcpt[0]); i++) {
		begin(false, none);
		mail();
		say(CLIENT, rcpt[i]);
		assert_true(has(SERVER, rcpt[i]));
		free(g);
		g = NULL;
	}
	(void)state;
}

/* One that passes in clear does not take the other along. */
static void one_transaction_two_domains(void **state)
{
	(void)state;
	begin(false, none);
	mail();
	say(CLIENT, "RCPT TO:<u@b.example>\r\n");
	say(SERVER, "250 ok\r\n250 ok\r\n");
	clear(SERVER);
	clear(CLIENT);
	say(CLIENT, "RCPT TO:<u@a.example>\r\n");
	refused("451 ");
}

static void a_handshake_that_is_broken(void **state)
{
	const struct channel none_left = { .missing = TLS_VALIDATION_FAILURE,
					   .why = "handshake eaten" };

	(void)state;
	begin(false, offered);
	assert_true(has(SERVER, "STARTTLS\r\n"));
	clear(SERVER);
	say(SERVER, "220 go\r\n");
	assert_int_equal(smtp_gate_out_wish(g), GATE_STARTTLS);
	smtp_gate_out_tls_failed(g, &none_left);
	/* what may does then: in clear */
	assert_int_equal(smtp_gate_out_wish(g), GATE_DIAL);
	smtp_gate_out_dialed(g);
	say(SERVER, "220 mx\r\n");
	say(SERVER, offered);
	mail();
	say(CLIENT, "RCPT TO:<u@a.example>\r\n");
	refused("451 ");
	clear(CLIENT);
	say(CLIENT, "RCPT TO:<u@b.example>\r\n");
	assert_true(has(SERVER, "RCPT TO:<u@b.example>\r\n"));
}

/* That TLS failed lately spares others a handshake, not this one. */
static void tried_again_where_it_failed_lately(void **state)
{
	(void)state;
	begin(true, offered);
	assert_false(has(SERVER, "STARTTLS"));
	mail();
	say(CLIENT, "RCPT TO:<u@a.example>\r\n");
	assert_true(has(SERVER, "STARTTLS\r\n"));
	assert_false(has(SERVER, "MAIL"));
}

static void forgotten_it_may_leave(void **state)
{
	(void)state;
	begin(false, none);
	mail();
	say(CLIENT, "RCPT TO:<u@a.example>\r\n");
	refused("451 ");
	assert_true(learned_forget(known, SPAN_LIT("a.example")));
	clear(CLIENT);
	say(CLIENT, "RCPT TO:<u@a.example>\r\n");
	assert_true(has(SERVER, "RCPT TO:<u@a.example>\r\n"));
}

/* Who knows RFC 9422 does not mix domains, though no line names one. */
static void domains_are_not_to_be_mixed(void **state)
{
	(void)state;
	begin(false, none);
	assert_true(has(CLIENT, "LIMITS RCPTDOMAINMAX=1"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(starttls_taken_away),
		TEST(others_are_not_held_up),
		TEST(one_transaction_two_domains),
		TEST(a_handshake_that_is_broken),
		TEST(tried_again_where_it_failed_lately),
		TEST(forgotten_it_may_leave),
		TEST(domains_are_not_to_be_mixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
