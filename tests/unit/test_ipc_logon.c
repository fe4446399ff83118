/* SPDX-License-Identifier: BSD-2-Clause */
/* The octets of a step and its answer: as they were put; anything else is none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "ipc/ipc_logon.h"
#include "packet.h"

static uint8_t out[IPC_LOGON_MAX];

static struct ipc_logon step_of(void)
{
	return (struct ipc_logon){
		.step = IPC_LOGON_CHALLENGE,
		.mech = AUTH_NTLM,
		.seal = true,
		.legacy = true,
		.min_bits = 128,
		.account = SPAN_LIT("hub.example"),
		.binding = { .exporter_there = true,
			     .exporter = "an exporter of thirty-two octet",
			     .endpoint_n = 48,
			     .endpoint = "an end point" },
		.text = SPAN_LIT("TlRMTVNTUAAC"),
	};
}

static void steps(void **state)
{
	struct ipc_logon a = step_of(), b;
	size_t n;

	(void)state;
	assert_int_equal(ipc_logon_put(out, &n, &a), OK);
	assert_int_equal(ipc_logon_get(&b, pk_guard((struct span){ out, n })),
			 OK);
	assert_int_equal(b.step, a.step);
	assert_int_equal(b.mech, a.mech);
	assert_true(b.seal && b.legacy && !b.plus);
	assert_int_equal(b.min_bits, 128);
	assert_true(span_eq(b.account, a.account));
	assert_true(span_eq(b.text, a.text));
	assert_memory_equal(&b.binding, &a.binding, sizeof(a.binding));
	/* cut */
	for (size_t k = 0; k < n - a.text.n; k++)
		assert_int_equal(
			ipc_logon_get(&b, pk_guard((struct span){ out, k })),
			E_PEER_SYNTAX);
}

static void replies(void **state)
{
	struct ipc_logon_reply a = { .result = LOGON_WEAK,
				     .said = true,
				     .text = SPAN_LIT("AHUAcA=="),
				     .bound = true,
				     .ntlm_v2 = true,
				     .bits = 56,
				     .ntlm_flags = 0xe2088235,
				     .key = "sixteen octets." };
	struct ipc_logon_reply b;
	size_t n;

	(void)state;
	assert_int_equal(ipc_logon_reply_put(out, &n, &a), OK);
	assert_int_equal(
		ipc_logon_reply_get(&b, pk_guard((struct span){ out, n })), OK);
	assert_int_equal(b.result, LOGON_WEAK);
	assert_true(b.said && b.ntlm_v2 && b.bound && !b.proven);
	assert_int_equal(b.bits, 56);
	assert_int_equal(b.ntlm_flags, 0xe2088235);
	assert_memory_equal(b.key, a.key, 16);
	assert_true(span_eq(b.text, a.text));
	for (size_t k = 0; k < n - a.text.n; k++)
		assert_int_equal(ipc_logon_reply_get(
					 &b, pk_guard((struct span){ out, k })),
				 E_PEER_SYNTAX);
}

/* A reply cannot put a second line into what is said to a server. */
static void no_other_line(void **state)
{
	static const char *const bad[] = { "a\r\nMAIL FROM:<>", "a b", "\n",
					   "\x7f", "\xc3\xa4" };
	struct ipc_logon_reply r = { .said = true };
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r.text = span_str(bad[i]);
		assert_int_equal(ipc_logon_reply_put(out, &n, &r), OK);
		assert_int_equal(
			ipc_logon_reply_get(&r, (struct span){ out, n }),
			E_PEER_SYNTAX);
	}
}

static void limits(void **state)
{
	static uint8_t big[IPC_LOGON_TEXT + 1];
	struct ipc_logon a = step_of();
	struct ipc_logon_reply r = { .said = true };
	size_t n;

	(void)state;
	memset(big, 'A', sizeof(big));
	a.text = r.text = (struct span){ big, IPC_LOGON_TEXT };
	assert_int_equal(ipc_logon_put(out, &n, &a), OK);
	assert_true(n <= IPC_LOGON_MAX);
	assert_int_equal(ipc_logon_reply_put(out, &n, &r), OK);
	assert_true(n <= IPC_LOGON_MAX);
	a.text.n++;
	r.text.n++;
	assert_int_equal(ipc_logon_put(out, &n, &a), E_FULL);
	assert_int_equal(ipc_logon_reply_put(out, &n, &r), E_FULL);
	a = step_of();
	a.account = (struct span){ big, LOGON_ACCOUNT_MAX + 1 };
	assert_int_equal(ipc_logon_put(out, &n, &a), E_FULL);
}

/* Each octet of the fixed part, with each value: read or refused, never more than
 * it can be. */
static void every_octet(void **state)
{
	struct ipc_logon a = step_of(), b;
	size_t n;

	(void)state;
	assert_int_equal(ipc_logon_put(out, &n, &a), OK);
	for (size_t i = 0; i < n - a.text.n; i++) {
		uint8_t was = out[i];

		for (unsigned v = 0; v < 256; v++) {
			out[i] = (uint8_t)v;
			if (ipc_logon_get(&b, (struct span){ out, n }) != OK)
				continue;
			assert_true(b.step <= IPC_LOGON_HEARD);
			assert_true(b.mech < AUTH_MECHS);
			assert_true(b.account.n <= LOGON_ACCOUNT_MAX);
			assert_true(b.binding.endpoint_n <= 64);
		}
		out[i] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps),	 cmocka_unit_test(replies),
		cmocka_unit_test(no_other_line), cmocka_unit_test(limits),
		cmocka_unit_test(every_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
