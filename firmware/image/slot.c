/* SPDX-License-Identifier: BSD-2-Clause */
/* slot - see slot.h. */
#include "image/slot.h"

const char *slot_name(enum slot s)
{
	return s == SLOT_B ? "b" : "a";
}

struct slot_plan slot_plan(const struct boot_env *e)
{
	bool b = span_eq(boot_env_get(e, "slot"), SPAN_LIT("b"));

	return (struct slot_plan){
		.first = b ? SLOT_B : SLOT_A,
		.trial = boot_env_number(e, "upgrade_available", 0) != 0,
		.boots = boot_env_number(e, "bootcount", 0),
	};
}

enum slot_mode slot_mode(const struct slot_plan *p, enum slot runs)
{
	if (p->first != runs)
		return p->trial && p->boots == 0 ? SLOT_PLANNED
						 : SLOT_FELL_BACK;
	return p->trial ? SLOT_TRIAL : SLOT_STEADY;
}

static int set(struct boot_env *e, enum slot s, const char *trial)
{
	int r = boot_env_set(e, "slot", slot_name(s));

	if (r == OK)
		r = boot_env_set(e, "upgrade_available", trial);
	if (r == OK)
		r = boot_env_set(e, "bootcount", "0");
	return r;
}

int slot_begin(struct boot_env *e, enum slot s)
{
	return set(e, s, "1");
}

int slot_confirm(struct boot_env *e, enum slot s)
{
	return set(e, s, "0");
}
