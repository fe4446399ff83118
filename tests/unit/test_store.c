/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store on a flash that loses power at every operation, fills, wears out
 * and rots: what is found afterwards is the state before or the state after,
 * and what was acknowledged stays.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "store_state.h"

enum { OPS_MAX = 400 };

static struct flash F;
static unsigned long cuts;
/* --- a cut at every operation ------------------------------------------------- */
struct plan {
	const char *name;
	int (*act)(struct store *s);
	struct state old, new_;
	bool own;	  /* the store keeps its own secret */
	bool opens;	  /* opening is part of what is cut */
	bool two;	  /* a second cut in the recovery */
	bool parts;	  /* they may go one by one */
	unsigned history; /* at least so many older ones stay */
};

static bool is(const struct state *a, const struct state *b)
{
	return a->conf == b->conf && a->rescue == b->rescue &&
	       a->password == b->password && a->keys == b->keys &&
	       a->learned == b->learned;
}

static void check(const struct plan *p, const struct state *st, bool done)
{
	/* each is there or not, but no configuration without its password */
	bool part = p->parts && (st->conf == p->old.conf || st->conf == 0) &&
		    (st->rescue == p->old.rescue || st->rescue == 0) &&
		    (st->keys == p->old.keys || st->keys == 0) &&
		    (st->learned == p->old.learned || st->learned == 0) &&
		    (st->password == p->old.password || st->conf == 0);
	bool fine = is(st, &p->new_) || (!done && (is(st, &p->old) || part));

	if (!fine || st->older < p->history)
		fail_msg("%s: found %d/%d and %u older, acknowledged: %d",
			 p->name, st->conf, st->rescue, st->older, done);
}

/* Begin at f and lose the power at operation n. Was it acknowledged? */
static bool act(const struct plan *p, struct flash *f, uint64_t n)
{
	struct store s;
	int r = OK;

	if (!p->opens)
		r = open_store(&s, f, p->own);
	assert_int_equal(r, OK);
	flash_fault(f, n, OK, false);
	if (p->opens)
		r = open_store(&s, f, p->own);
	if (r == OK && p->act)
		r = p->act(&s);
	if (!f->off)
		assert_int_equal(r, OK);
	return r == OK;
}

/* The recovery is cut as well; what a whole recovery found must not change. */
static void second_cut(const struct plan *p, const struct flash *f,
		       const struct state *first, bool done)
{
	bool off = true;

	for (uint64_t m = 1; off; m++) {
		struct flash g = *f;
		struct store s;
		struct state st = { .conf = -1, .rescue = -1, .password = -1 };

		assert_true(m < OPS_MAX);
		flash_fault(&g, m, OK, false);
		if (open_store(&s, &g, p->own) == OK)
			st = look(&s, false);
		off = g.off;
		if (!off)
			assert_true(is(&st, first));
		flash_power_on(&g, flash_random(&F) % OCTETS_WAYS,
			       flash_random(&F) % NAMES_WAYS);
		cuts++;
		st = observe(&g, p->own, p->history > 0);
		check(p, &st, done);
		if (!off)
			assert_true(is(&st, first));
	}
}

/* After all of that the store still works. */
static void goes_on(const struct plan *p, struct flash *f)
{
	struct store s;
	struct state st;

	f->capacity = SIZE_MAX;
	assert_int_equal(open_store(&s, f, p->own), OK);
	assert_int_equal(save(&s, 999), OK);
	store_close(&s);
	flash_power_on(f, OCTETS_LOST, NAMES_LOST);
	st = observe(f, p->own, false);
	assert_int_equal(st.conf, 999);
}

static void cut_one(const struct plan *p, const struct flash *f, bool done,
		    unsigned way)
{
	struct flash g = *f;
	struct state st;

	flash_power_on(&g, way % OCTETS_WAYS, way / OCTETS_WAYS);
	cuts++;
	if (p->two) {
		struct flash h = g;

		st = observe(&h, p->own, p->history > 0);
		second_cut(p, &g, &st, done);
	}
	st = observe(&g, p->own, p->history > 0);
	check(p, &st, done);
	if (way == (unsigned)cuts % (OCTETS_WAYS * NAMES_WAYS))
		goes_on(p, &g);
}

static void cut_everywhere(const struct plan *p, const struct flash *before)
{
	bool off = true;

	for (uint64_t n = 1; off; n++) {
		struct flash f = *before;
		bool done = act(p, &f, n);

		assert_true(n < OPS_MAX);
		f.seed ^= n * 77;
		off = f.off;
		for (unsigned w = 0; w < OCTETS_WAYS * NAMES_WAYS; w++)
			cut_one(p, &f, done, w);
		if (!off)
			assert_true(done);
	}
}

static int save_2(struct store *s)
{
	return save(s, 2);
}

static int save_20(struct store *s)
{
	return save(s, 20);
}

static int rescue_2(struct store *s)
{
	return store_rescue_save(s, body(2), "rescue", 1, listen());
}

static int password_2(struct store *s)
{
	return store_password_save(s, body(2), 1, listen());
}

static int keys_2(struct store *s)
{
	return store_keys_save(s, body(2), 1, listen());
}

static int learned_2(struct store *s)
{
	return store_learned_save(s, body(2), 1, listen());
}

static int reset(struct store *s)
{
	return store_erase_all(s, listen());
}

static void put_rescue(struct flash *f, bool own, unsigned id)
{
	struct store s;

	assert_int_equal(open_store(&s, f, own), OK);
	assert_int_equal(store_rescue_save(&s, body(id), "", 1, listen()), OK);
	store_close(&s);
}

static void put_password(struct flash *f, unsigned id)
{
	struct store s;

	assert_int_equal(open_store(&s, f, false), OK);
	assert_int_equal(store_password_save(&s, body(id), 1, NULL), OK);
	store_close(&s);
}

static void put_keys(struct flash *f, unsigned id)
{
	struct store s;

	assert_int_equal(open_store(&s, f, false), OK);
	assert_int_equal(store_keys_save(&s, body(id), 1, NULL), OK);
	store_close(&s);
}

static void put_learned(struct flash *f, unsigned id)
{
	struct store s;

	assert_int_equal(open_store(&s, f, false), OK);
	assert_int_equal(store_learned_save(&s, body(id), 1, NULL), OK);
	store_close(&s);
}

static void a_cut_in_the_first_save_leaves_nothing_or_it(void **state)
{
	(void)state;
	flash_init(&F, 1);
	cut_everywhere(&(struct plan){ "first save", save_2,
				       .new_ = { 2, 0, 0, 0, 0 }, .two = true },
		       &F);
}

static void a_cut_in_a_save_leaves_the_old_or_the_new(void **state)
{
	(void)state;
	flash_init(&F, 2);
	save_all(&F, false, 1, 1);
	cut_everywhere(&(struct plan){ "save", save_2, .old = { 1, 0, 0, 0, 0 },
				       .new_ = { 2, 0, 0, 0, 0 }, .two = true },
		       &F);
}

static void a_cut_while_old_ones_go_leaves_the_last_nine(void **state)
{
	(void)state;
	flash_init(&F, 3);
	save_all(&F, false, 1, 10);
	cut_everywhere(&(struct plan){ "save and prune", save_20,
				       .old = { 10, 0, 0, 0 },
				       .new_ = { 20, 0, 0, 0 }, .history = 9 },
		       &F);
}

static void a_cut_in_the_rescue_save_leaves_the_old_or_the_new(void **state)
{
	(void)state;
	flash_init(&F, 4);
	save_all(&F, false, 7, 7);
	cut_everywhere(&(struct plan){ "rescue", rescue_2,
				       .old = { 7, 0, 0, 0, 0 },
				       .new_ = { 7, 2, 0, 0, 0 }, .two = true },
		       &F);
	put_rescue(&F, false, 1);
	cut_everywhere(&(struct plan){ "rescue again", rescue_2,
				       .old = { 7, 1, 0, 0, 0 },
				       .new_ = { 7, 2, 0, 0, 0 }, .two = true },
		       &F);
}

static void a_cut_in_a_password_leaves_the_old_or_the_new(void **state)
{
	(void)state;
	flash_init(&F, 7);
	save_all(&F, false, 7, 7);
	cut_everywhere(&(struct plan){ "first password", password_2,
				       .old = { 7, 0, 0, 0, 0 },
				       .new_ = { 7, 0, 2, 0, 0 }, .two = true },
		       &F);
	put_password(&F, 1);
	cut_everywhere(&(struct plan){ "password", password_2,
				       .old = { 7, 0, 1, 0, 0 },
				       .new_ = { 7, 0, 2, 0, 0 }, .two = true },
		       &F);
}

static void a_cut_in_the_keys_leaves_the_old_or_the_new(void **state)
{
	(void)state;
	flash_init(&F, 10);
	cut_everywhere(&(struct plan){ "first keys", keys_2,
				       .new_ = { .keys = 2 }, .two = true },
		       &F);
	put_keys(&F, 1);
	cut_everywhere(&(struct plan){ "keys", keys_2, .old = { .keys = 1 },
				       .new_ = { .keys = 2 }, .two = true },
		       &F);
}

static void a_cut_in_what_was_learned_leaves_the_old_or_the_new(void **state)
{
	(void)state;
	flash_init(&F, 11);
	save_all(&F, false, 7, 7);
	cut_everywhere(&(struct plan){ "first learned", learned_2,
				       .old = { .conf = 7 },
				       .new_ = { .conf = 7, .learned = 2 },
				       .two = true },
		       &F);
	put_learned(&F, 1);
	cut_everywhere(&(struct plan){ "learned", learned_2,
				       .old = { .conf = 7, .learned = 1 },
				       .new_ = { .conf = 7, .learned = 2 },
				       .two = true },
		       &F);
}

static void a_cut_in_a_factory_reset_leaves_all_or_nothing(void **state)
{
	for (int own = 0; own < 2; own++) {
		(void)state;
		flash_init(&F, 5);
		save_all(&F, own, 1, 3);
		put_rescue(&F, own, 4);
		cut_everywhere(&(struct plan){ "reset", reset, .own = own,
					       .old = { 3, 4, 0, 0, 0 },
					       .two = true },
			       &F);
	}
}

static void a_cut_at_the_first_start_makes_a_secret_in_the_end(void **state)
{
	(void)state;
	flash_init(&F, 6);
	cut_everywhere(&(struct plan){ "first start", save_2, .own = true,
				       .opens = true, .new_ = { 2, 0, 0, 0, 0 },
				       .two = true },
		       &F);
}

static void a_cut_while_room_is_made_leaves_the_old_or_the_new(void **state)
{
	(void)state;
	flash_init(&F, 8);
	save_all(&F, false, 1, 4);
	F.capacity = flash_used(&F) + 100;
	cut_everywhere(&(struct plan){ "full", save_20,
				       .old = { 4, 0, 0, 0, 0 },
				       .new_ = { 20, 0, 0, 0 }, .two = true },
		       &F);
}

static void a_reset_of_a_full_flash_keeps_the_newest_to_the_last(void **state)
{
	struct plan p = { "full reset", reset, .old = { 1, 2, 3, 0, 4, 5 },
			  .two = true, .parts = true };

	(void)state;
	flash_init(&F, 9);
	save_all(&F, false, 1, 1);
	put_rescue(&F, false, 2);
	put_password(&F, 3);
	put_keys(&F, 4);
	put_learned(&F, 5);
	F.capacity = flash_used(&F);
	cut_everywhere(&p, &F);
}

/* --- a walk: anything, cut anywhere, again and again --------------------------- */
static struct state after(const struct state *old, unsigned what, unsigned id)
{
	struct state st = *old;

	if (what < 4)
		st.conf = (int)id;
	else if (what == 4)
		st.rescue = (int)id;
	else if (what == 5)
		st.password = (int)id;
	else if (what == 6)
		st.keys = (int)id;
	else if (what == 7)
		st.learned = (int)id;
	else
		st = (struct state){ 0 };
	return st;
}

static int do_one(struct store *s, unsigned what, unsigned id)
{
	if (what < 4)
		return save(s, id);
	if (what == 4)
		return store_rescue_save(s, body(id), "", id, listen());
	if (what == 5)
		return store_password_save(s, body(id), id, listen());
	if (what == 6)
		return store_keys_save(s, body(id), id, listen());
	if (what == 7)
		return store_learned_save(s, body(id), id, listen());
	return reset(s);
}

static void step(struct state *now, unsigned id)
{
	unsigned what = flash_random(&F) % 9;
	struct state want = after(now, what, id), st;
	struct store s;
	int r;

	flash_fault(&F, 1 + flash_random(&F) % 30, OK, false);
	r = open_store(&s, &F, true);
	if (r == OK)
		r = do_one(&s, what, id);
	if (!F.off)
		assert_int_equal(r, OK);
	if (flash_random(&F) % 4 == 0) {
		/* the program died; what it finds must outlive a cut */
		flash_restart(&F);
		st = observe(&F, true, false);
		assert_true(is(&st, &want) || (r != OK && is(&st, now)));
		want = *now = st;
	}
	flash_power_on(&F, flash_random(&F) % OCTETS_WAYS,
		       flash_random(&F) % NAMES_WAYS);
	cuts++;
	st = observe(&F, true, false);
	if (!is(&st, &want) && (r == OK || !is(&st, now)))
		fail_msg("step %u: %u: found %d/%d/%d/%d, was %d/%d/%d/%d, r "
			 "%d",
			 id, what, st.conf, st.rescue, st.password, st.keys,
			 now->conf, now->rescue, now->password, now->keys, r);
	*now = st;
}

static void a_walk_of_cuts_never_loses_what_was_acknowledged(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 750; seed++) {
		struct state now = { 0 };

		flash_init(&F, 1000 + seed);
		for (unsigned i = 1; i <= 100; i++)
			step(&now, i);
	}
}

static void there_were_a_hundred_thousand_cuts(void **state)
{
	(void)state;
	print_message("%lu cuts\n", cuts);
	assert_true(cuts >= 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_in_the_first_save_leaves_nothing_or_it),
		cmocka_unit_test(a_cut_in_a_save_leaves_the_old_or_the_new),
		cmocka_unit_test(a_cut_while_old_ones_go_leaves_the_last_nine),
		cmocka_unit_test(
			a_cut_in_the_rescue_save_leaves_the_old_or_the_new),
		cmocka_unit_test(a_cut_in_a_password_leaves_the_old_or_the_new),
		cmocka_unit_test(a_cut_in_the_keys_leaves_the_old_or_the_new),
		cmocka_unit_test(
			a_cut_in_what_was_learned_leaves_the_old_or_the_new),
		cmocka_unit_test(
			a_cut_in_a_factory_reset_leaves_all_or_nothing),
		cmocka_unit_test(
			a_cut_at_the_first_start_makes_a_secret_in_the_end),
		cmocka_unit_test(
			a_cut_while_room_is_made_leaves_the_old_or_the_new),
		cmocka_unit_test(
			a_reset_of_a_full_flash_keeps_the_newest_to_the_last),
		cmocka_unit_test(
			a_walk_of_cuts_never_loses_what_was_acknowledged),
		cmocka_unit_test(there_were_a_hundred_thousand_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
