/* SPDX-License-Identifier: BSD-2-Clause */
/* The link of one port carried to the other, with cables, flaps and boxes in a
 * row, on a clock of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "drivers/carry.h"

enum { TICK = 500, NEGOTIATE = 2000, BOXES = 3 };

/* Boxes in a row; cable i is in front of box i, cable BOXES behind the last. */
struct row {
	struct carry box[BOXES];
	bool cable[BOXES + 1];
	bool link[BOXES][PORTS];
	uint64_t ready_ms[BOXES + 1]; /* the link is there from then on */
	unsigned changes;
	uint64_t now;
};

static bool up(const struct row *r, int box, enum port p)
{
	/* beyond the ends are switches, which are always up */
	return box < 0 || box >= BOXES || !r->box[box].held[p];
}

/* A link needs its cable and both ports, and then time. */
static bool link_of(struct row *r, int cable)
{
	bool may = r->cable[cable] && up(r, cable - 1, OUTSIDE) &&
		   up(r, cable, INSIDE);

	if (!may)
		r->ready_ms[cable] = 0;
	else if (r->ready_ms[cable] == 0)
		r->ready_ms[cable] = r->now + NEGOTIATE;
	return may && r->now >= r->ready_ms[cable];
}

static void run(struct row *r, uint64_t ms)
{
	for (uint64_t end = r->now + ms; r->now < end; r->now += TICK) {
		for (int b = 0; b < BOXES; b++) {
			r->link[b][INSIDE] = link_of(r, b);
			r->link[b][OUTSIDE] = link_of(r, b + 1);
		}
		for (int b = 0; b < BOXES; b++)
			r->changes += carry_look(&r->box[b], r->link[b],
						 r->now);
	}
}

static bool all_links(const struct row *r)
{
	for (int b = 0; b < BOXES; b++)
		if (!r->link[b][INSIDE] || !r->link[b][OUTSIDE])
			return false;
	return true;
}

static struct row start(void)
{
	struct row r = { .cable = { true, true, true, true }, .now = 1000 };

	for (int b = 0; b < BOXES; b++)
		carry_set(&r.box[b], true, r.now);
	run(&r, 10000);
	assert_true(all_links(&r));
	assert_int_equal(r.changes, 0);
	return r;
}

static void off_holds_nothing(void **state)
{
	struct carry c = { 0 };

	(void)state;
	for (uint64_t t = 1; t < 100000; t += TICK)
		assert_false(carry_look(&c, (bool[]){ false, true }, t));
	assert_false(c.held[INSIDE] || c.held[OUTSIDE]);
}

static void a_cable_that_is_out_is_out_on_both_sides(void **state)
{
	struct carry c = { 0 };

	(void)state;
	carry_set(&c, true, 1000);
	assert_false(carry_look(&c, (bool[]){ true, true }, 1500));
	assert_true(carry_look(&c, (bool[]){ true, false }, 2000));
	assert_true(c.held[INSIDE] && !c.held[OUTSIDE]);
	/* what is held has no link, and that is no loss */
	assert_false(carry_look(&c, (bool[]){ false, false }, 60000));
	assert_true(carry_look(&c, (bool[]){ false, true }, 61000));
	assert_false(c.held[INSIDE] || c.held[OUTSIDE]);
	/* time to negotiate */
	assert_false(carry_look(&c, (bool[]){ false, true }, 62000));
	assert_false(carry_look(&c, (bool[]){ true, true }, 64000));
	carry_set(&c, false, 65000);
	assert_false(carry_look(&c, (bool[]){ true, false }, 66000));
}

static void no_link_at_all_after_the_grace_is_a_loss(void **state)
{
	struct carry c = { 0 };

	(void)state;
	carry_set(&c, true, 1000);
	assert_false(carry_look(&c, (bool[]){ true, false }, 2000));
	assert_true(
		carry_look(&c, (bool[]){ true, false }, 1000 + CARRY_GRACE_MS));
	assert_true(c.held[INSIDE]);
	carry_set(&c, false, 9000);
	assert_false(c.held[INSIDE]);
}

static void any_cable_of_a_row_takes_all_down_and_brings_all_back(void **state)
{
	(void)state;
	for (int cable = 0; cable <= BOXES; cable++) {
		struct row r = start();

		r.cable[cable] = false;
		run(&r, 30000);
		/* the switches at both ends see it */
		assert_false(r.link[0][INSIDE]);
		assert_false(r.link[BOXES - 1][OUTSIDE]);
		r.cable[cable] = true;
		run(&r, 120000);
		assert_true(all_links(&r));
	}
}

static void two_cables_at_once_come_back_in_any_order(void **state)
{
	(void)state;
	for (int a = 0; a <= BOXES; a++)
		for (int b = 0; b <= BOXES; b++) {
			struct row r = start();

			r.cable[a] = r.cable[b] = false;
			run(&r, 20000);
			r.cable[a] = true;
			run(&r, 20000);
			r.cable[b] = true;
			run(&r, 200000);
			if (!all_links(&r))
				fail_msg("cables %d and %d", a, b);
		}
}

static void a_link_that_flaps_is_held_longer_and_longer(void **state)
{
	struct carry c = { 0 };
	unsigned changes = 0;

	(void)state;
	carry_set(&c, true, 1000);
	for (uint64_t t = 1500; t < 601500; t += TICK)
		changes += carry_look(&c, (bool[]){ true, t / 1000 % 2 == 0 },
				      t);
	/* at full speed it would be hundreds */
	assert_in_range(changes, 10, 60);
	assert_int_equal(c.back_off_ms, CARRY_MAX_MS);
	/* quiet for a while: as at first */
	for (uint64_t t = 601500; t < 701500; t += TICK)
		carry_look(&c, (bool[]){ true, true }, t);
	assert_true(carry_look(&c, (bool[]){ true, false }, 701500));
	assert_int_equal(c.back_off_ms, CARRY_MIN_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_holds_nothing),
		cmocka_unit_test(a_cable_that_is_out_is_out_on_both_sides),
		cmocka_unit_test(no_link_at_all_after_the_grace_is_a_loss),
		cmocka_unit_test(
			any_cable_of_a_row_takes_all_down_and_brings_all_back),
		cmocka_unit_test(two_cables_at_once_come_back_in_any_order),
		cmocka_unit_test(a_link_that_flaps_is_held_longer_and_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
