/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store on a flash that is full, worn, rotten, or not the one it was: a
 * clear word about it, and what was there before is still there. (Cuts of the
 * power: test_store.c.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "store_state.h"

static struct flash F;

static int save_2(struct store *s)
{
	return save(s, 2);
}

static int rescue_2(struct store *s)
{
	return store_rescue_save(s, body(2), "", 1, listen());
}

static int password_2(struct store *s)
{
	return store_password_save(s, body(2), 1, listen());
}

static bool same(const struct state *a, const struct state *b)
{
	return a->conf == b->conf && a->rescue == b->rescue &&
	       a->password == b->password;
}

static int password_of(struct flash *f)
{
	struct store_info info;
	struct store s;
	char *text;
	size_t n;
	int r;

	assert_int_equal(open_store(&s, f, false), OK);
	r = store_password_load(&s, &text, &n, &info, NULL);
	if (r == 1)
		r = id_of(text, n);
	free(r < 0 ? NULL : text);
	store_close(&s);
	return r;
}

/* An error at operation n, and at all that follow if sticky. */
static bool fault_at(const struct flash *before, int (*act)(struct store *),
		     uint64_t n, int fault, bool sticky)
{
	struct flash f = *before;
	struct state was, is;
	struct store s;
	bool met, told;
	int r;

	was = observe(&f, false, false);
	assert_int_equal(open_store(&s, &f, false), OK);
	flash_fault(&f, n, fault, sticky);
	r = act(&s);
	met = f.ops >= n;
	if (r != OK) {
		assert_true(r == fault || r == E_IO || r == E_FULL);
		assert_true(said()[0] != '\0');
	}
	/* what could not even be removed again may count */
	told = strstr(said(), "it may be found") != NULL;
	flash_fault(&f, 0, OK, false); /* it has recovered */
	is = look(&s, false);
	if (r != OK && !told)
		assert_true(same(&is, &was));
	if (r == OK)
		assert_int_equal(act == save_2 ? is.conf : 2, 2);
	assert_int_equal(save(&s, 9), OK);
	store_close(&s);
	flash_power_on(&f, OCTETS_LOST, NAMES_LOST);
	is = observe(&f, false, false);
	assert_int_equal(is.conf, 9);
	return met;
}

static void full_or_worn_at_any_operation_keeps_what_was(void **state)
{
	static int (*const act[])(struct store *) = { save_2, rescue_2,
						      password_2 };
	unsigned long faults = 0;

	(void)state;
	flash_init(&F, 21);
	save_all(&F, false, 1, 2);
	for (size_t a = 0; a < sizeof(act) / sizeof(act[0]); a++)
		for (int how = 0; how < 4; how++) {
			uint64_t n = 1;

			while (fault_at(&F, act[a], n, how & 1 ? E_FULL : E_IO,
					how & 2))
				n++;
			faults += n - 1;
		}
	assert_true(faults > 100);
}

static void a_full_flash_gives_up_what_is_oldest(void **state)
{
	struct store s;
	struct state st;

	(void)state;
	flash_init(&F, 22);
	save_all(&F, false, 1, 5);
	F.capacity = flash_used(&F) + 10;
	assert_int_equal(open_store(&s, &F, false), OK);
	assert_int_equal(save(&s, 6), OK);
	assert_non_null(strstr(said(), "removed to make room"));
	st = look(&s, true);
	assert_int_equal(st.conf, 6);
	assert_in_range(st.older, 1, 4);
	store_close(&s);
}

static void nothing_to_give_up_is_an_error_with_its_size(void **state)
{
	struct store s;
	struct state st;

	(void)state;
	flash_init(&F, 23);
	save_all(&F, false, 1, 1);
	F.capacity = flash_used(&F) + 10;
	assert_int_equal(open_store(&s, &F, false), OK);
	assert_int_equal(save(&s, 2), E_FULL);
	assert_non_null(strstr(said(), "the flash is full: "));
	st = look(&s, false);
	assert_int_equal(st.conf, 1);
	store_close(&s);
}

static void what_was_learned_pushes_no_configuration_out(void **state)
{
	struct store_info info;
	struct store s;
	struct state st;
	char *text;
	size_t n;

	(void)state;
	flash_init(&F, 24);
	save_all(&F, false, 1, 5);
	F.capacity = flash_used(&F) + 10;
	assert_int_equal(open_store(&s, &F, false), OK);
	assert_int_equal(store_learned_save(&s, body(9), 1, listen()), E_FULL);
	assert_non_null(strstr(said(), "cannot be stored"));
	st = look(&s, true);
	assert_int_equal(st.conf, 5);
	assert_int_equal(st.older, 4);
	assert_int_equal(store_learned_load(&s, &text, &n, &info, listen()), 0);
	store_close(&s);
}

static void what_is_read_back_wrong_was_never_stored(void **state)
{
	struct store s;
	struct state st;

	(void)state;
	flash_init(&F, 24);
	save_all(&F, false, 1, 1);
	assert_int_equal(open_store(&s, &F, false), OK);
	F.liar = true;
	assert_int_equal(save(&s, 2), E_IO);
	assert_non_null(strstr(said(), "worn"));
	F.liar = false;
	st = look(&s, false);
	assert_int_equal(st.conf, 1);
	store_close(&s);
}

static struct flash_file *newest(struct flash *f, enum store_kind k)
{
	struct flash_file *best = NULL;

	for (size_t i = 0; i < FLASH_FILES; i++)
		if (f->file[i].used && f->file[i].kind == k &&
		    (!best || f->file[i].number > best->number))
			best = &f->file[i];
	assert_non_null(best);
	return best;
}

/* Every octet counts, and so does every length. */
static void any_altered_octet_and_any_cut_leaves_the_one_before(void **state)
{
	struct flash_file *file;

	(void)state;
	flash_init(&F, 25);
	save_all(&F, false, 1, 2);
	file = newest(&F, STORE_CONF);
	for (size_t at = 0; at < file->n; at++) {
		struct flash f = F;
		struct state st;

		newest(&f, STORE_CONF)->p[at] ^= (uint8_t)(1 << at % 8);
		st = observe(&f, false, false);
		assert_int_equal(st.conf, 1);
		f = F;
		newest(&f, STORE_CONF)->n = at;
		st = observe(&f, false, false);
		assert_int_equal(st.conf, 1);
	}
	file->p[file->n++] = 0;
	assert_int_equal(observe(&F, false, false).conf, 1);
}

static void what_is_left_out_is_named(void **state)
{
	struct store_info info;
	struct store s;
	char *text;
	size_t n;

	(void)state;
	flash_init(&F, 31);
	save_all(&F, false, 1, 2);
	newest(&F, STORE_CONF)->p[20] ^= 1;
	assert_int_equal(open_store(&s, &F, false), OK);
	assert_int_equal(store_load(&s, &text, &n, &info, listen()), 1);
	free(text);
	store_close(&s);
	assert_int_equal(info.skipped, 1);
	assert_non_null(strstr(said(), "cfg.00000002: left out: "));
}

static void damage_of_all_is_not_a_new_box(void **state)
{
	struct state st;

	(void)state;
	flash_init(&F, 26);
	save_all(&F, false, 1, 1);
	newest(&F, STORE_CONF)->p[200] ^= 1;
	st = observe(&F, false, false);
	assert_int_equal(st.conf, E_CORRUPT);
	newest(&F, STORE_CONF)->n = 0; /* however it looks */
	st = observe(&F, false, false);
	assert_int_equal(st.conf, E_CORRUPT);
}

static void a_damaged_password_lets_nobody_choose_a_new_one(void **state)
{
	struct store s;

	(void)state;
	flash_init(&F, 27);
	assert_int_equal(open_store(&s, &F, false), OK);
	assert_int_equal(password_2(&s), OK);
	store_close(&s);
	assert_int_equal(password_of(&F), 2);
	newest(&F, STORE_PASSWORD)->n = 20;
	assert_int_equal(password_of(&F), E_CORRUPT);
}

static void only_the_last_password_is_kept(void **state)
{
	struct store s;

	(void)state;
	flash_init(&F, 28);
	assert_int_equal(password_of(&F), 0);
	assert_int_equal(open_store(&s, &F, false), OK);
	for (unsigned id = 5; id < 9; id++)
		assert_int_equal(store_password_save(&s, body(id), 1, NULL),
				 OK);
	store_close(&s);
	assert_int_equal(password_of(&F), 8);
	newest(&F, STORE_PASSWORD)->n = 20;
	assert_int_equal(password_of(&F), E_CORRUPT);
}

static void a_file_under_another_name_does_not_count(void **state)
{
	struct state st;

	(void)state;
	flash_init(&F, 29);
	save_all(&F, false, 1, 2);
	/* an older one put back under a newer number */
	newest(&F, STORE_CONF)->number = 77;
	st = observe(&F, false, false);
	assert_int_equal(st.conf, 1);
	newest(&F, STORE_CONF)->kind = STORE_RESCUE;
	st = observe(&F, false, false);
	assert_int_equal(st.rescue, 0);
	assert_int_equal(st.conf, 1);
}

static void another_secret_reads_nothing_and_destroys_nothing(void **state)
{
	static const uint8_t other[SEAL_SECRET] = { 7 };
	struct store_info info;
	struct store s;
	char *text;
	size_t n;

	(void)state;
	flash_init(&F, 30);
	save_all(&F, false, 1, 2);
	assert_int_equal(store_open(&s, &flash_ops, &F, other, NULL, NULL), OK);
	assert_int_equal(store_load(&s, &text, &n, &info, NULL), E_CORRUPT);
	store_close(&s);
	assert_int_equal(observe(&F, false, false).conf, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_or_worn_at_any_operation_keeps_what_was),
		cmocka_unit_test(a_full_flash_gives_up_what_is_oldest),
		cmocka_unit_test(nothing_to_give_up_is_an_error_with_its_size),
		cmocka_unit_test(what_was_learned_pushes_no_configuration_out),
		cmocka_unit_test(what_is_read_back_wrong_was_never_stored),
		cmocka_unit_test(
			any_altered_octet_and_any_cut_leaves_the_one_before),
		cmocka_unit_test(what_is_left_out_is_named),
		cmocka_unit_test(damage_of_all_is_not_a_new_box),
		cmocka_unit_test(
			a_damaged_password_lets_nobody_choose_a_new_one),
		cmocka_unit_test(only_the_last_password_is_kept),
		cmocka_unit_test(a_file_under_another_name_does_not_count),
		cmocka_unit_test(
			another_secret_reads_nothing_and_destroys_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
