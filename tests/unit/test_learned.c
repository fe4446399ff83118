/* SPDX-License-Identifier: BSD-2-Clause */
/* What is remembered of a domain, what it asks for, and what comes of it as octets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "policy/learned.h"

enum { TLS12 = 0x0303, TLS13 = 0x0304, TODAY = 20421 };

static const uint8_t hash_key[16] = "what was learned";

static struct learned *fresh(void)
{
	void *mem = malloc(learned_size());

	assert_non_null(mem);
	memset(mem, 0xa5, learned_size());
	return learned_init(mem, hash_key);
}

static enum learned_news see(struct learned *l, const char *domain,
			     uint16_t version, uint8_t key, uint16_t day)
{
	uint8_t spki[32];

	memset(spki, key, sizeof(spki));
	return learned_see(l, span_str(domain), version, spki, day);
}

static const struct learned_domain *find(const struct learned *l,
					 const char *domain)
{
	return learned_find(l, span_str(domain));
}

static void what_is_new_and_what_is_not(void **state)
{
	struct learned *l = fresh();
	const struct learned_domain *d;

	(void)state;
	assert_null(find(l, "a.example"));
	assert_int_equal(see(l, "a.example", TLS13, 1, TODAY), LEARNED_FACT);
	assert_int_equal(see(l, "a.example", TLS13, 1, TODAY), LEARNED_NOTHING);
	assert_int_equal(see(l, "a.example", TLS13, 1, TODAY + 1),
			 LEARNED_DATE);
	assert_int_equal(see(l, "a.example", TLS12, 1, TODAY + 1),
			 LEARNED_FACT);
	assert_int_equal(see(l, "a.example", TLS13, 2, TODAY + 1),
			 LEARNED_FACT);
	d = find(l, "a.example");
	assert_non_null(d);
	assert_int_equal(d->lowest, TLS12);
	assert_int_equal(d->highest, TLS13);
	assert_int_equal(d->first_day, TODAY);
	assert_int_equal(d->last_day, TODAY + 1);
	assert_int_equal(d->key_n, 2);
	assert_false(d->more);
	/* a domain is itself, and no other */
	assert_null(find(l, "b.example"));
	assert_null(find(l, "sub.a.example"));
	assert_null(find(l, "example"));
	assert_int_equal(learned_n(l), 1);
	free(l);
}

/* Without a clock nothing has a date, and with one it gets it later. */
static void days_that_nobody_knows(void **state)
{
	struct learned *l = fresh();

	(void)state;
	assert_int_equal(see(l, "a.example", TLS13, 1, 0), LEARNED_FACT);
	assert_int_equal(see(l, "a.example", TLS13, 1, 0), LEARNED_NOTHING);
	assert_int_equal(find(l, "a.example")->first_day, 0);
	assert_int_equal(see(l, "a.example", TLS13, 1, TODAY), LEARNED_DATE);
	assert_int_equal(find(l, "a.example")->first_day, TODAY);
	assert_int_equal(find(l, "a.example")->last_day, TODAY);
	assert_int_equal(see(l, "a.example", TLS13, 1, 0), LEARNED_NOTHING);
	free(l);
}

/* Many servers with a key each must not make news without end. */
static void a_ninth_key(void **state)
{
	struct learned *l = fresh();
	const struct learned_domain *d;

	(void)state;
	for (uint8_t k = 1; k <= LEARNED_KEYS; k++)
		assert_int_equal(
			see(l, "a.example", TLS13, k, (uint16_t)(TODAY + k)),
			LEARNED_FACT);
	d = find(l, "a.example");
	/* the first was not seen for longest */
	assert_int_equal(see(l, "a.example", TLS13, 100, TODAY + 9),
			 LEARNED_FACT);
	assert_int_equal(d->key_n, LEARNED_KEYS);
	assert_false(d->more);
	for (size_t i = 0; i < d->key_n; i++)
		assert_int_not_equal(d->key[i].spki_sha256[0], 1);
	for (uint8_t k = 101; k < 108; k++)
		see(l, "a.example", TLS13, k, TODAY + 9);
	/* all were seen today */
	assert_int_equal(see(l, "a.example", TLS13, 200, TODAY + 9),
			 LEARNED_FACT);
	assert_true(d->more);
	assert_int_equal(see(l, "a.example", TLS13, 201, TODAY + 9),
			 LEARNED_NOTHING);
	assert_int_equal(see(l, "a.example", TLS13, 200, TODAY + 9),
			 LEARNED_NOTHING);
	assert_int_equal(see(l, "a.example", TLS13, 107, TODAY + 9),
			 LEARNED_NOTHING);
	free(l);
}

static void only_may_that_learns_asks_for_more(void **state)
{
	struct learned *l = fresh();

	(void)state;
	see(l, "a.example", TLS13, 1, TODAY);
	for (enum level v = LEVEL_CLEAR; v < LEVELS; v++)
		for (int learn = 0; learn < 2; learn++) {
			const struct policy_rule r = { .level = v,
						       .learn = learn != 0 };

			assert_int_equal(
				learned_requires(l, &r, span_str("a.example")),
				v == LEVEL_MAY && learn);
			assert_false(
				learned_requires(l, &r, span_str("b.example")));
			assert_false(learned_requires(l, &r, span_str("")));
		}
	free(l);
}

static void forgotten_is_as_never_known(void **state)
{
	struct learned *l = fresh();
	char name[32];

	(void)state;
	for (unsigned i = 0; i < LEARNED_SLOTS; i++) {
		snprintf(name, sizeof(name), "d%u.example", i);
		assert_int_equal(see(l, name, TLS13, 1, TODAY), LEARNED_FACT);
	}
	assert_int_equal(see(l, "one.more.example", TLS13, 1, TODAY),
			 LEARNED_FULL);
	assert_null(find(l, "one.more.example"));
	/* what is known goes on */
	assert_int_equal(see(l, "d7.example", TLS12, 1, TODAY), LEARNED_FACT);
	for (unsigned i = 0; i < LEARNED_SLOTS; i += 3) {
		snprintf(name, sizeof(name), "d%u.example", i);
		assert_true(learned_forget(l, span_str(name)));
		assert_false(learned_forget(l, span_str(name)));
	}
	for (unsigned i = 0; i < LEARNED_SLOTS; i++) {
		snprintf(name, sizeof(name), "d%u.example", i);
		assert_int_equal(find(l, name) != NULL, i % 3 != 0);
	}
	for (unsigned i = 0; i < LEARNED_SLOTS; i += 3) {
		snprintf(name, sizeof(name), "new%u.example", i);
		assert_int_equal(see(l, name, TLS13, 1, TODAY), LEARNED_FACT);
		assert_int_equal(find(l, name)->lowest, TLS13);
		assert_int_equal(find(l, name)->key_n, 1);
	}
	assert_int_equal(learned_n(l), LEARNED_SLOTS);
	learned_forget_all(l);
	assert_int_equal(learned_n(l), 0);
	assert_null(find(l, "d1.example"));
	assert_int_equal(see(l, "d1.example", TLS13, 1, TODAY), LEARNED_FACT);
	free(l);
}

/* --- as octets ------------------------------------------------------------------ */
static uint8_t octets[LEARNED_SLOTS * LEARNED_RECORD_MAX];

static size_t write_all(const struct learned *l)
{
	size_t at = 0, n = learned_write(l, &at, false, octets, sizeof(octets));

	assert_int_equal(at, LEARNED_SLOTS);
	return n;
}

static void written_and_read_is_the_same(void **state)
{
	struct learned *l = fresh(), *m = fresh();
	enum learned_news news;
	char name[POLICY_DOMAIN_MAX + 1];
	size_t n, again;
	uint8_t *was;

	(void)state;
	for (unsigned i = 0; i < LEARNED_DOMAINS; i++) {
		snprintf(name, sizeof(name), "d%u.example", i);
		for (uint8_t k = 0; k < 1 + i % LEARNED_KEYS; k++)
			see(l, name, i % 2 ? TLS12 : TLS13, k,
			    (uint16_t)(TODAY + i));
	}
	n = write_all(l);
	assert_int_equal(learned_read(m, (struct span){ octets, n }, &news),
			 OK);
	assert_int_equal(news, LEARNED_FACT);
	was = malloc(n);
	assert_non_null(was);
	memcpy(was, octets, n);
	again = write_all(m);
	assert_int_equal(again, n);
	assert_memory_equal(was, octets, n);
	free(was);
	free(l);
	free(m);
}

/* Two that have each seen a part know all of it, whoever tells whom first. */
static void merged_is_what_both_know(void **state)
{
	struct learned *a = fresh(), *b = fresh(), *both = fresh();
	enum learned_news news;
	const struct learned_domain *d;
	size_t n;

	(void)state;
	see(a, "x.example", TLS13, 1, TODAY);
	see(a, "a.example", TLS13, 3, TODAY);
	see(b, "x.example", TLS12, 2, TODAY + 5);
	n = write_all(a);
	assert_int_equal(learned_read(both, (struct span){ octets, n }, &news),
			 OK);
	n = write_all(b);
	assert_int_equal(learned_read(both, (struct span){ octets, n }, &news),
			 OK);
	assert_int_equal(news, LEARNED_FACT);
	assert_int_equal(learned_read(both, (struct span){ octets, n }, &news),
			 OK);
	assert_int_equal(news, LEARNED_NOTHING);
	d = find(both, "x.example");
	assert_int_equal(d->lowest, TLS12);
	assert_int_equal(d->highest, TLS13);
	assert_int_equal(d->key_n, 2);
	assert_int_equal(d->first_day, TODAY);
	assert_int_equal(d->last_day, TODAY + 5);
	assert_int_equal(learned_n(both), 2);
	/* what came from elsewhere need not be said again */
	assert_false(d->unsaid);
	free(a);
	free(b);
	free(both);
}

/* What a relay has seen is said once, in messages of any size. */
static void said_once(void **state)
{
	struct learned *l = fresh(), *m = fresh();
	enum { ROOM = 1000 };
	enum learned_news news;
	uint8_t some[ROOM];
	char name[32];
	size_t at = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d%u.example", i);
		see(l, name, TLS13, 1, TODAY);
	}
	while (at < LEARNED_SLOTS) {
		size_t from = at,
		       n = learned_write(l, &at, true, some, sizeof(some));

		assert_in_range(n, 0, ROOM);
		assert_int_equal(
			learned_read(m, (struct span){ some, n }, &news), OK);
		learned_mark(l, from, at, false);
	}
	assert_int_equal(learned_n(m), 100);
	at = 0;
	assert_int_equal(learned_write(l, &at, true, some, sizeof(some)), 0);
	see(l, "d7.example", TLS12, 1, TODAY);
	at = 0;
	assert_in_range(learned_write(l, &at, true, some, sizeof(some)), 40,
			100);
	learned_mark(l, 0, LEARNED_SLOTS, true);
	at = 0;
	assert_in_range(learned_write(l, &at, true, some, sizeof(some)), 400,
			ROOM);
	free(l);
	free(m);
}

/* n octets just before an unreadable page. */
static uint8_t *at_the_edge(const uint8_t *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	static uint8_t *map;

	if (!map) {
		map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	}
	assert_in_range(n, 0, page);
	memcpy(map + page - n, p, n);
	return map + page - n;
}

static void cut_anywhere_nothing_is_taken(void **state)
{
	struct learned *l = fresh();
	enum learned_news news;
	uint8_t good[600];
	size_t n, first = 0;

	(void)state;
	see(l, "one.example", TLS13, 1, TODAY);
	n = write_all(l);
	first = n;
	see(l, "two.example", TLS12, 1, TODAY);
	see(l, "two.example", TLS12, 2, TODAY);
	n = write_all(l);
	assert_in_range(n, first + 1, sizeof(good));
	memcpy(good, octets, n);
	learned_forget_all(l);
	for (size_t i = 0; i < n; i++) {
		int r = learned_read(
			l, (struct span){ at_the_edge(good, i), i }, &news);

		assert_int_equal(r, i == 0 || i == first ? OK : E_CORRUPT);
		assert_int_equal(learned_n(l), i == first ? 1 : 0);
		learned_forget_all(l);
	}
	free(l);
}

/* Each of these is one octet of a good record made wrong. */
static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		size_t at; /* behind the name */
		uint8_t octet;
	} wrong[] = {
		{ 0, 2 },	  { 0, 5 }, { 1, 5 }, { 1, 2 }, /* versions */
		{ 2, 0xff },		    /* first > last */
		{ 6, 0 },	  { 6, 9 }, /* keys */
		{ 7, 2 },		    /* more */
		{ 8 + 33, 0xff },	    /* a key's days */
	};
	static const char *const names[] = { "A.example",   "a..example",
					     "a.example.",  "-a.example",
					     "a.b c.de",    "192.0.2.1",
					     "a.exam\0ple", ".a.example" };
	struct learned *l = fresh();
	enum learned_news news;
	uint8_t b[100];
	size_t n;

	(void)state;
	see(l, "a.example", TLS13, 1, TODAY);
	n = write_all(l);
	learned_forget_all(l);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(b, octets, n);
		b[1 + 9 + wrong[i].at] = wrong[i].octet;
		assert_int_equal(learned_read(l, (struct span){ b, n }, &news),
				 E_CORRUPT);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t name_n = i == 6 ? 11 : strlen(names[i]);

		b[0] = (uint8_t)name_n;
		memcpy(b + 1, names[i], name_n);
		memcpy(b + 1 + name_n, octets + 1 + 9, n - 10);
		assert_int_equal(
			learned_read(l, (struct span){ b, name_n + n - 9 },
				     &news),
			E_CORRUPT);
	}
	assert_int_equal(learned_n(l), 0);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_new_and_what_is_not),
		cmocka_unit_test(days_that_nobody_knows),
		cmocka_unit_test(a_ninth_key),
		cmocka_unit_test(only_may_that_learns_asks_for_more),
		cmocka_unit_test(forgotten_is_as_never_known),
		cmocka_unit_test(written_and_read_is_the_same),
		cmocka_unit_test(merged_is_what_both_know),
		cmocka_unit_test(said_once),
		cmocka_unit_test(cut_anywhere_nothing_is_taken),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
