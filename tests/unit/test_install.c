/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An upgrade that loses power, meets an error or a lying flash at any operation:
 * what U-Boot starts afterwards is what started before, or the new image on
 * trial; and what was acknowledged is the new one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "image_file.h"
#include "nor_fault.h"

static struct file old_, new_;
static unsigned long cuts;

/* --- what U-Boot does, by its own sources ---------------------------------------- */
struct started {
	enum slot slot;
	const struct file *image;
	bool trial, nothing;
};

static const struct file *image_in(const struct nor *f, enum slot s)
{
	const uint8_t *p = f->p[s == SLOT_A ? PART_SLOT_A : PART_SLOT_B];

	/* a signature over all of it: it is one of those, or it is nothing */
	if (memcmp(p, old_.p, old_.n) == 0)
		return &old_;
	return memcmp(p, new_.p, new_.n) == 0 ? &new_ : NULL;
}

static struct started boot(const struct nor *f)
{
	int c = boot_env_choose(f->p[PART_ENV_A], f->p[PART_ENV_B]);
	struct boot_env e;
	struct slot_plan p;
	struct started st = { 0 };

	boot_env_init(&e, c < 0 ? NULL : f->p[c]);
	p = slot_plan(&e);
	st.slot = p.first;
	st.trial = p.trial;
	st.image = image_in(f, st.slot);
	if (st.image)
		return st;
	st.slot = slot_other(p.first);
	st.trial = false;
	st.image = image_in(f, st.slot);
	st.nothing = !st.image;
	return st;
}

static bool same(const struct started *a, const struct started *b)
{
	return a->slot == b->slot && a->image == b->image &&
	       a->trial == b->trial && a->nothing == b->nothing;
}

/* --- a box whose slot a runs the old one ------------------------------------------ */
static void factory(struct nor *f, struct install *i)
{
	nor_init(f);
	memcpy(f->p[PART_SLOT_A], old_.p, old_.n);
	assert_int_equal(install_open(i, &nor_ops, f, SLOT_A, NULL), OK);
	assert_int_equal(install_confirm(i), OK);
}

static void begin(void)
{
	if (old_.n > 0)
		return;
	file_make(&old_, (struct file_want){ .version = "1.0.0" });
	file_make(&new_, (struct file_want){ .version = "1.0.1",
					     .fit_n = 2 * NOR_BLOCK - 200,
					     .seed = 3 });
}

static void an_upgrade_is_tried_and_then_confirmed(void **state)
{
	static struct nor f;
	static struct install i;
	struct started st;

	(void)state;
	begin();
	factory(&f, &i);
	assert_int_equal(install_image(&i, file_span(&new_)), OK);
	st = boot(&f);
	assert_true(st.image == &new_ && st.slot == SLOT_B && st.trial);
	/* it fell back: the old one says so, and confirms itself */
	assert_int_equal(install_open(&i, &nor_ops, &f, SLOT_A, NULL), OK);
	assert_int_equal(install_confirm(&i), OK);
	st = boot(&f);
	assert_true(st.image == &old_ && st.slot == SLOT_A && !st.trial);
	/* once more, and it is good */
	assert_int_equal(install_image(&i, file_span(&new_)), OK);
	assert_int_equal(install_open(&i, &nor_ops, &f, SLOT_B, NULL), OK);
	assert_int_equal(install_confirm(&i), OK);
	st = boot(&f);
	assert_true(st.image == &new_ && st.slot == SLOT_B && !st.trial);
	/* and back */
	assert_int_equal(install_image(&i, file_span(&old_)), OK);
	st = boot(&f);
	assert_true(st.image == &old_ && st.slot == SLOT_A && st.trial);
}

/* The power goes again while the same is done once more. */
static void second_cut(const struct nor *first, enum slot runs,
		       int (*act)(struct install *), const struct started *old,
		       const struct started *want)
{
	static struct nor f;
	static struct install i;
	struct started was = boot(first), is;
	bool off = true;

	for (uint64_t n = 1; off; n++) {
		f = *first;
		f.seed = (uint32_t)(cuts * 977 + n);
		nor_fault(&f, 0, OK, TORN_NOT);
		assert_int_equal(install_open(&i, &nor_ops, &f, runs, NULL),
				 OK);
		nor_fault(&f, n, OK, (enum nor_torn)(f.seed % TORN_WAYS));
		(void)act(&i);
		is = boot(&f);
		/* new was planned, not acknowledged, and is written again */
		if (!same(&is, &was) && !same(&is, want) && !same(&is, old))
			fail_msg("second cut at %lu: starts %d, trial %d",
				 (unsigned long)n, is.slot, is.trial);
		off = f.off;
		cuts += off;
	}
}

/* The power goes at operation n. False: there were fewer. */
static bool cut_at(const struct nor *before, const struct install *ready,
		   int (*act)(struct install *), uint64_t n, enum nor_torn torn,
		   const struct started *want)
{
	static struct nor f;
	static struct install i;
	struct started was = boot(before), is;
	int r;

	f = *before;
	f.seed = (uint32_t)n * 977;
	i = *ready;
	i.dev = &f;
	nor_fault(&f, n, OK, torn);
	r = act(&i);
	is = boot(&f);
	if (is.nothing || (!same(&is, &was) && !same(&is, want)) ||
	    (r == OK && !same(&is, want)))
		fail_msg("cut %u at %lu, returned %d: starts %d, trial %d",
			 torn, (unsigned long)n, r, is.slot, is.trial);
	if (!f.off)
		return false;
	cuts++;
	if (torn == TORN_NOISE)
		second_cut(&f, ready->runs, act, &was, want);
	/* the power is back: the same again, and this time whole */
	nor_fault(&f, 0, OK, TORN_NOT);
	assert_int_equal(install_open(&i, &nor_ops, &f, ready->runs, NULL), OK);
	assert_int_equal(act(&i), OK);
	is = boot(&f);
	assert_true(same(&is, want));
	return true;
}

static int upgrade(struct install *i)
{
	return install_image(i, file_span(&new_));
}

static void cut_everywhere(const struct nor *f, const struct install *i,
			   int (*act)(struct install *),
			   const struct started *want)
{
	for (enum nor_torn t = TORN_NOT; t < TORN_WAYS; t++)
		for (uint64_t n = 1; cut_at(f, i, act, n, t, want); n++)
			assert_true(n < 400);
}

static void a_cut_at_any_operation_leaves_old_or_new(void **state)
{
	static struct nor f;
	static struct install i;
	struct started tried = { SLOT_B, &new_, true, false };
	struct started good = { SLOT_B, &new_, false, false };

	(void)state;
	begin();
	factory(&f, &i);
	for (int round = 0; round < 2; round++) {
		cut_everywhere(&f, &i, upgrade, &tried);
		/* the other copy of the environment, and a used slot */
		assert_int_equal(install_image(&i, file_span(&new_)), OK);
		assert_int_equal(install_confirm(&i), OK);
		assert_int_equal(install_confirm(&i), OK);
	}
	assert_int_equal(install_image(&i, file_span(&new_)), OK);
	assert_int_equal(install_open(&i, &nor_ops, &f, SLOT_B, NULL), OK);
	cut_everywhere(&f, &i, install_confirm, &good);
	assert_true(cuts > 2000);
}

static void an_error_at_any_operation_is_told_and_changes_nothing(void **state)
{
	static struct nor before, f;
	static struct install ready, i;
	int r = E_IO;

	(void)state;
	begin();
	factory(&before, &ready);
	for (uint64_t n = 1; r != OK; n++) {
		struct started is;

		f = before;
		i = ready;
		i.dev = &f;
		nor_fault(&f, n, E_IO, TORN_NOT);
		r = upgrade(&i);
		is = boot(&f);
		if (r != OK) {
			assert_string_equal(i.why, "the medium fails");
			assert_true(is.image == &old_ ||
				    (is.image == &new_ && is.trial));
		}
		/* it works again: nothing was remembered wrongly */
		nor_fault(&f, 0, OK, TORN_NOT);
		assert_int_equal(upgrade(&i), OK);
		is = boot(&f);
		assert_true(is.image == &new_ && is.trial);
	}
}

static void what_is_read_back_wrong_is_not_started(void **state)
{
	static struct nor f;
	static struct install i;

	(void)state;
	begin();
	factory(&f, &i);
	f.liar = true;
	assert_int_equal(upgrade(&i), E_IO);
	assert_non_null(strstr(i.why, "does not keep"));
	f.liar = false;
	assert_true(boot(&f).image == &old_ && !boot(&f).trial);
}

static void an_image_larger_than_a_slot_touches_nothing(void **state)
{
	static struct nor f, was;
	static struct install i;
	static uint8_t large[NOR_SLOT + 1];

	(void)state;
	begin();
	factory(&f, &i);
	was = f;
	assert_int_equal(
		install_image(&i, (struct span){ large, sizeof(large) }),
		E_FULL);
	assert_memory_equal(f.p, was.p, sizeof(f.p));
	assert_int_equal(install_image(&i, (struct span){ large, NOR_SLOT }),
			 OK);
}

/* What runs may yet be taken back, and then the other slot is all there is. */
static void what_a_trial_goes_back_to_is_not_written_over(void **state)
{
	static struct nor f, was;
	static struct install i;

	(void)state;
	begin();
	factory(&f, &i);
	assert_int_equal(upgrade(&i), OK);
	assert_int_equal(install_open(&i, &nor_ops, &f, SLOT_B, NULL), OK);
	was = f;
	assert_int_equal(upgrade(&i), E_PEER_ORDER);
	assert_non_null(strstr(i.why, "on trial"));
	assert_memory_equal(f.p, was.p, sizeof(f.p));
	assert_ptr_equal(image_in(&f, SLOT_A), &old_);
	assert_int_equal(install_confirm(&i), OK);
	assert_int_equal(upgrade(&i), OK);
}

static void an_environment_that_is_gone_begins_anew(void **state)
{
	static struct nor f;
	static struct install i;

	(void)state;
	begin();
	factory(&f, &i);
	memset(f.p[PART_ENV_A], 0x55, NOR_ENV);
	memset(f.p[PART_ENV_B], 0x55, NOR_ENV);
	assert_int_equal(install_open(&i, &nor_ops, &f, SLOT_A, NULL), OK);
	assert_int_equal(upgrade(&i), OK);
	assert_true(boot(&f).image == &new_ && boot(&f).trial);
}

static void a_full_environment_is_an_error(void **state)
{
	static struct nor f;
	static struct install i;
	static char big[BOOT_ENV_SIZE - BOOT_ENV_DATA - 100];

	(void)state;
	begin();
	factory(&f, &i);
	boot_env_init(&i.env, NULL);
	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(boot_env_set(&i.env, "x", big), OK);
	for (char c = 'a'; boot_env_set(&i.env, (char[]){ c, 0 }, "12") == OK;
	     c++)
		;
	assert_int_equal(upgrade(&i), E_FULL);
	assert_non_null(strstr(i.why, "no room"));
	assert_true(boot(&f).image == &old_ && !boot(&f).trial);
	assert_int_equal(upgrade(&i), OK);
}

static void a_slot_can_be_looked_at(void **state)
{
	static struct nor f;
	static struct install i;
	uint8_t room[IMAGE_TRAILER];
	struct image m;

	(void)state;
	begin();
	factory(&f, &i);
	assert_int_equal(install_look(&i, SLOT_A, &m, room), OK);
	assert_string_equal(m.version, "1.0.0");
	assert_int_equal(install_look(&i, SLOT_B, &m, room), E_CORRUPT);
	assert_string_equal(i.why, "empty");
	assert_int_equal(upgrade(&i), OK);
	assert_int_equal(install_look(&i, SLOT_B, &m, room), OK);
	assert_string_equal(m.version, "1.0.1");
	assert_int_equal(m.fit.n, new_.n - IMAGE_TRAILER);
	f.p[PART_SLOT_B][new_.n - IMAGE_TRAILER] = 0;
	assert_int_equal(install_look(&i, SLOT_B, &m, room), E_CORRUPT);
	/* says that it is longer than the slot */
	put_be32(f.p[PART_SLOT_B] + 4, NOR_SLOT);
	assert_int_equal(install_look(&i, SLOT_B, &m, room), E_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upgrade_is_tried_and_then_confirmed),
		cmocka_unit_test(a_cut_at_any_operation_leaves_old_or_new),
		cmocka_unit_test(
			an_error_at_any_operation_is_told_and_changes_nothing),
		cmocka_unit_test(what_is_read_back_wrong_is_not_started),
		cmocka_unit_test(an_image_larger_than_a_slot_touches_nothing),
		cmocka_unit_test(what_a_trial_goes_back_to_is_not_written_over),
		cmocka_unit_test(an_environment_that_is_gone_begins_anew),
		cmocka_unit_test(a_full_environment_is_an_error),
		cmocka_unit_test(a_slot_can_be_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
