/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A handshake for which memory fails at the n-th allocation: it comes to a good
 * end, or says that it had no room. Never does the server get the blame, never
 * does a bad proof pass for a good one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "tests/fault/fault.h"

/* The test's own memory does not fail. */
void *__real_malloc(size_t n);
#define malloc(n) __real_malloc(n)
#include "tls_peer.h"

static struct pki_cert ca, leaf;
static struct tls_trust *trust;

static int set_up(void **state)
{
	struct pki_want w = { .san = "DNS:mx.example.com" };
	unsigned bad;
	char *pem;

	(void)state;
	ca = pki_ca("the CA", NULL);
	leaf = pki_make(&w, &ca);
	pem = pki_pem(&ca);
	trust = tls_trust_new(span_str(pem), 0, &bad);
	free(pem);
	return trust ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_trust_free(trust);
	pki_free(&leaf);
	pki_free(&ca);
	return 0;
}

/* True: all of them could be had. */
static bool shake(int version, uint32_t n)
{
	struct peer_want w = { .min = version, .max = version, .cert = &leaf };
	static struct channel ch;
	struct tls_engine *e;
	struct peer *p = malloc(sizeof(*p));
	bool reached;

	peer_init(p, &w);
	fault_control->armed[FAULT_MEMORY] = n;
	e = tls_client_new(trust, SPAN_LIT("mx.example.com"), NULL);
	if (e)
		peer_shake(p, e, PIPE);
	reached = fault_control->armed[FAULT_MEMORY] == 0;
	fault_control->armed[FAULT_MEMORY] = 0;
	if (e) {
		assert_int_not_equal(tls_engine_state(e), TLS_SHAKING);
		tls_engine_channel(e, &ch);
	}
	if (e && tls_engine_state(e) == TLS_UP)
		assert_int_equal(ch.chain, TLS_RESULT_OK);
	else if (e && !ch.no_room)
		fail_msg("allocation %u: %s", n, ch.why);
	assert_true(reached || (e && tls_engine_state(e) == TLS_UP));
	tls_engine_free(e);
	peer_done(p);
	free(p);
	return !reached;
}

static void sweep(int version)
{
	const char *stride = getenv("FAULT_STRIDE");
	uint32_t step = stride ? (uint32_t)strtoul(stride, NULL, 10) : 41;

	for (uint32_t n = 1; !shake(version, n); n += step)
		;
}

static void tls_1_3(void **state)
{
	(void)state;
	sweep(TLS1_3_VERSION);
}

static void tls_1_2(void **state)
{
	(void)state;
	sweep(TLS1_2_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_1_3),
		cmocka_unit_test(tls_1_2),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
