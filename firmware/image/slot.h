/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IMAGE_SLOT_H
#define IMAGE_SLOT_H

#include "image/boot_env.h"

/*
 * slot - two places in the flash for an image, and which of them starts.
 *
 * U-Boot (board/NAME/env.txt) decides by three variables:
 *
 *	slot               a or b: try this one first
 *	upgrade_available  1: it is on trial; every start counts bootcount up, and
 *	                   beyond SLOT_BOOTS the other one starts
 *	bootcount
 *
 * and tells in the device tree which one it started. An image that U-Boot finds
 * broken is never started: then it takes the other slot, and with both broken it
 * asks for TFTP for ever.
 *
 *	install:  write the slot that does not run, verify     slot_begin, start
 *	          healthy for a while, or "upgrade confirm"    slot_confirm
 *	          the old one runs again                       slot_confirm
 */
enum slot { SLOT_A, SLOT_B, SLOTS };

enum { SLOT_BOOTS = 3 };

const char *slot_name(enum slot s); /* "a", "b" */

/* The other one. */
static inline enum slot slot_other(enum slot s)
{
	return s == SLOT_A ? SLOT_B : SLOT_A;
}

/* What the environment says. What it does not say is: a, no trial. */
struct slot_plan {
	enum slot first;
	bool trial;
	uint32_t boots; /* of the trial; U-Boot counts before it starts it */
};
struct slot_plan slot_plan(const struct boot_env *e);

enum slot_mode {
	SLOT_STEADY,	/* what runs is what always starts */
	SLOT_PLANNED,	/* the other one starts next, on trial */
	SLOT_TRIAL,	/* what runs has to prove itself */
	SLOT_FELL_BACK, /* the other one was to start and did not, or not well */
};
enum slot_mode slot_mode(const struct slot_plan *p, enum slot runs);

/* Start s from now on, on trial. E_FULL: no room in the environment. */
MUST_CHECK int slot_begin(struct boot_env *e, enum slot s);

/* Start s from now on, for good. */
MUST_CHECK int slot_confirm(struct boot_env *e, enum slot s);

#endif
