/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <u@[192.0.2.1]> and <postmaster> are mailboxes of the server's own domain,
 * and that may be a listed one: Postfix delivers both there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "policy/policy_build.h"
#include "proto/smtp_gate_out.h"

static const uint8_t key[16] = "0123456789abcdef";

static uint8_t *policy_of(struct policy *p, enum level listed, enum level dflt)
{
	const struct settings plain = { .number = 1 };
	struct policy_rule rules[] = {
		{ .name = SPAN_LIT("d.example"), .level = listed },
		{ .name = SPAN_LIT("default"), .level = dflt },
	};
	size_t n = policy_build_size(2, 0, 64);
	uint8_t *mem = malloc(n);
	struct policy_build b;
	uint32_t first;

	assert_non_null(mem);
	assert_int_equal(policy_build_begin(&b, mem, n, 2, 0, key), OK);
	for (int i = 0; i < 2; i++) {
		rules[i].min_tls = 0x0303;
		assert_int_equal(policy_build_rule(&b, &rules[i], &first), OK);
	}
	assert_int_equal(policy_build_end(&b, &plain, &n), OK);
	assert_int_equal(policy_open(p, (struct span){ mem, n }), OK);
	return mem;
}

static void say(struct smtp_gate_out *g, enum side from, struct span s)
{
	assert_int_equal(smtp_gate_out_feed(g, from, s), s.n);
}

static void clear(struct smtp_gate_out *g, enum side to)
{
	smtp_gate_out_sent(g, to, smtp_gate_out_out(g, to).n);
}

static bool has(struct span s, const char *what)
{
	return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

/* True if the recipient was sent on to a server without TLS. */
static bool leaves(enum level listed, enum level dflt, const char *rcpt)
{
	struct gate_start start = { .server = { .port = 25 } };
	void *mem = malloc(smtp_gate_out_size());
	struct smtp_gate_out *g;
	struct policy policy;
	uint8_t *blob = policy_of(&policy, listed, dflt);
	bool sent, refused;

	assert_non_null(mem);
	g = smtp_gate_out_init(mem, &policy, &start);
	say(g, SERVER, SPAN_LIT("220 mx\r\n"));
	say(g, CLIENT, SPAN_LIT("EHLO c.example\r\n"));
	say(g, SERVER, SPAN_LIT("250-mx\r\n250 PIPELINING\r\n"));
	clear(g, SERVER);
	say(g, CLIENT, SPAN_LIT("MAIL FROM:<s@c.example>\r\n"));
	clear(g, CLIENT);
	say(g, CLIENT, span_str(rcpt));
	sent = has(smtp_gate_out_out(g, SERVER), rcpt);
	refused = smtp_gate_out_out(g, CLIENT).n > 0;
	assert_int_not_equal(sent, refused);
	if (sent)
		assert_true(has(smtp_gate_out_out(g, SERVER), "MAIL FROM:"));
	else
		assert_int_equal(smtp_gate_out_out(g, SERVER).n, 0);
	free(mem);
	free(blob);
	return sent;
}

static const char *const nowhere[] = {
	"RCPT TO:<postmaster>\r\n",
	"RCPT TO:<u@[192.0.2.1]>\r\n",
	"RCPT TO:<u@[IPv6:2001:db8::1]>\r\n",
};

static void nothing_protected_all_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(leaves(LEVEL_MAY, LEVEL_MAY, nowhere[i]));
		assert_true(leaves(LEVEL_CLEAR, LEVEL_MAY, nowhere[i]));
		assert_true(leaves(LEVEL_MAY, LEVEL_CLEAR, nowhere[i]));
	}
}

static void something_protected_they_do_not_leave(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_false(leaves(LEVEL_ENCRYPT, LEVEL_MAY, nowhere[i]));
		assert_false(leaves(LEVEL_VERIFY, LEVEL_MAY, nowhere[i]));
		assert_false(leaves(LEVEL_VERIFY, LEVEL_CLEAR, nowhere[i]));
		/* the default asks for TLS, and there is none */
		assert_false(leaves(LEVEL_CLEAR, LEVEL_ENCRYPT, nowhere[i]));
	}
}

static void others_are_not_concerned(void **state)
{
	(void)state;
	assert_true(
		leaves(LEVEL_VERIFY, LEVEL_MAY, "RCPT TO:<u@x.example>\r\n"));
	assert_false(
		leaves(LEVEL_VERIFY, LEVEL_MAY, "RCPT TO:<u@d.example>\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_protected_all_pass),
		cmocka_unit_test(something_protected_they_do_not_leave),
		cmocka_unit_test(others_are_not_concerned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
