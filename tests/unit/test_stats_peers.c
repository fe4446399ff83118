/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of other boxes: who has which, and who gives way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "ipc/stats_peers.h"

static struct stats_peer all[STATS_PEERS];
static const uint8_t key[2][32] = { { 1 }, { 2 } };

static struct endpoint at(uint8_t last)
{
	struct endpoint e = { .port = last };

	ip_from_v4(e.ip, (const uint8_t[]){ 192, 0, 2, last });
	return e;
}

/* As relay does it. */
static struct stats_peer *meet(const char *domain, const uint8_t *k,
			       uint8_t host, uint64_t ms)
{
	struct endpoint e = at(host);
	struct stats_peer *p = stats_peer_at(all, domain, k, &e, ms);

	if (!p)
		return NULL;
	if (k)
		memcpy(p->key, k, 32);
	p->key_there = k != NULL;
	p->host = e;
	p->last_ms = ms;
	p->used = 1;
	return p;
}

static size_t used(void)
{
	size_t n = 0;

	for (size_t i = 0; i < STATS_PEERS; i++)
		n += all[i].used;
	return n;
}

static void a_row_for_a_domain_and_a_key(void **state)
{
	struct stats_peer *p;

	(void)state;
	memset(all, 0, sizeof(all));
	p = meet("a.example", key[0], 1, 10);
	assert_ptr_equal(meet("a.example", key[0], 2, 20), p);
	assert_int_equal(p->first_ms, 10);
	assert_int_equal(p->last_ms, 20);
	assert_ptr_not_equal(meet("a.example", key[1], 1, 30), p);
	assert_ptr_not_equal(meet("b.example", key[0], 1, 30), p);
	assert_int_equal(used(), 3);
}

/* Who has shown no key is known by where he is, until he shows one. */
static void a_key_comes_later(void **state)
{
	struct stats_peer *p;

	(void)state;
	memset(all, 0, sizeof(all));
	p = meet("a.example", NULL, 1, 10);
	assert_ptr_equal(meet("a.example", NULL, 1, 20), p);
	assert_ptr_not_equal(meet("a.example", NULL, 2, 20), p);
	assert_ptr_equal(meet("a.example", key[0], 1, 30), p);
	assert_int_equal(p->first_ms, 10);
	assert_memory_equal(p->key, key[0], 32);
	/* and then it is no news that there is a box */
	assert_null(meet("a.example", NULL, 1, 40));
	assert_non_null(meet("b.example", NULL, 1, 40));
	assert_int_equal(p->last_ms, 30);
}

static void who_gives_way(void **state)
{
	char name[40];

	(void)state;
	memset(all, 0, sizeof(all));
	meet("pinned.example", key[0], 1, 1)->pinned = 1;
	meet("old.example", key[0], 1, 2);
	for (unsigned i = 0; i < STATS_PEERS - 1; i++) {
		snprintf(name, sizeof(name), "x%u.example", i);
		meet(name, NULL, 7, 100 + i);
	}
	assert_int_equal(used(), STATS_PEERS);
	for (size_t i = 0; i < STATS_PEERS; i++)
		assert_string_not_equal(all[i].domain, "old.example");
	assert_true(stats_peer_there(all, at(1).ip));
	for (size_t i = 0; i < STATS_PEERS; i++)
		all[i].pinned = 1;
	meet("new.example", key[1], 2, 1000);
	assert_false(stats_peer_there(all, at(1).ip)); /* it was the oldest */
	assert_true(stats_peer_there(all, at(2).ip));
	assert_int_equal(used(), STATS_PEERS);
}

static void a_name_that_is_too_long(void **state)
{
	char name[STATS_RULE + 20];
	struct stats_peer *p;

	(void)state;
	memset(all, 0, sizeof(all));
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	p = meet(name, key[0], 1, 1);
	assert_int_equal(strlen(p->domain), STATS_RULE - 1);
	assert_ptr_equal(meet(name, key[0], 1, 1), p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_for_a_domain_and_a_key),
		cmocka_unit_test(a_key_comes_later),
		cmocka_unit_test(who_gives_way),
		cmocka_unit_test(a_name_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
