/* SPDX-License-Identifier: BSD-2-Clause */
/* What is remembered of a peer, for how long, and who gives way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "policy/peer_memory.h"

static const uint8_t key[16] = "peer memory key";

static struct endpoint peer(unsigned i)
{
	struct endpoint e = { .port = 25 };
	uint8_t v4[4] = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i };

	ip_from_v4(e.ip, v4);
	return e;
}

static struct peer_memory *fresh(void)
{
	void *mem = malloc(peer_memory_size());

	assert_non_null(mem);
	return peer_memory_init(mem, key);
}

static void facts(void **state)
{
	struct peer_memory *m = fresh();
	struct endpoint a = peer(1), b = peer(2), a2 = peer(1);
	struct peer_facts f = peer_memory_get(m, &a, 0);

	(void)state;
	assert_false(f.starttls_before || f.tls_failed_lately);
	peer_memory_offered(m, &a);
	f = peer_memory_get(m, &a, 11);
	assert_true(f.starttls_before && !f.tls_failed_lately);
	peer_memory_tls_failed(m, &a, 20, 100);
	assert_true(peer_memory_get(m, &a, 99).tls_failed_lately);
	assert_false(peer_memory_get(m, &a, 100).tls_failed_lately);
	peer_memory_tls_failed(m, &a, 200, 300);
	peer_memory_tls_up(m, &a);
	assert_false(peer_memory_get(m, &a, 251).tls_failed_lately);
	f = peer_memory_get(m, &b, 251);
	assert_false(f.starttls_before || f.tls_failed_lately);
	/* never remembered: a failure that is over when it is told */
	peer_memory_tls_failed(m, &b, 300, 300);
	assert_false(peer_memory_get(m, &b, 300).tls_failed_lately);
	/* the port is part of who it is */
	a2.port = 587;
	assert_false(peer_memory_get(m, &a2, 251).starttls_before);
	free(m);
}

static void oldest_gives_way(void **state)
{
	struct peer_memory *m = fresh();
	struct endpoint e;

	(void)state;
	for (unsigned i = 0; i < PEER_MEMORY_SLOTS; i++) {
		e = peer(i);
		peer_memory_offered(m, &e);
	}
	e = peer(0); /* seen again: now 1 is the oldest */
	assert_true(peer_memory_get(m, &e, 5000).starttls_before);
	e = peer(PEER_MEMORY_SLOTS);
	peer_memory_offered(m, &e);
	assert_true(peer_memory_get(m, &e, 5001).starttls_before);
	e = peer(1);
	assert_false(peer_memory_get(m, &e, 5002).starttls_before);
	for (unsigned i = 0; i <= PEER_MEMORY_SLOTS; i++) {
		e = peer(i);
		assert_int_equal(peer_memory_get(m, &e, 6000).starttls_before,
				 i != 1);
	}
	free(m);
}

/* Many more peers than slots, in a random order, against a plain list. */
static void against_a_list(void **state)
{
	enum { PEERS = 3000, STEPS = 60000 };
	struct peer_memory *m = fresh();
	uint64_t *seen = calloc(PEERS, sizeof(*seen));
	uint32_t x = 5, known = 0;

	(void)state;
	assert_non_null(seen);
	for (uint64_t t = 1; t <= STEPS; t++) {
		unsigned i;
		struct endpoint e;

		x = x * 1664525u + 1013904223u;
		i = (x >> 8) % PEERS;
		e = peer(i);
		assert_int_equal(peer_memory_get(m, &e, t).starttls_before,
				 seen[i] != 0);
		if (seen[i] == 0 && ++known > PEER_MEMORY_SLOTS) {
			unsigned old = PEERS;

			for (unsigned k = 0; k < PEERS; k++)
				if (seen[k] != 0 &&
				    (old == PEERS || seen[k] < seen[old]))
					old = k;
			seen[old] = 0;
			known--;
		}
		peer_memory_offered(m, &e);
		seen[i] = t;
	}
	free(seen);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts),
		cmocka_unit_test(oldest_gives_way),
		cmocka_unit_test(against_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
