/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_FLASHD_FLASHD_H
#define PROC_FLASHD_FLASHD_H

#include "base/text.h"
#include "drivers/flash.h"
#include "image/crash_log.h"
#include "image/install.h"
#include "proc/program.h"

/*
 * flashd - images and slots: the only program that can write them. It holds the
 * partitions that boss has opened, verifies what the console brings with the
 * key that is part of what runs here, and writes it. It opens nothing, sees no
 * frame and no setting; what it could do at worst is to write a slot that
 * U-Boot then refuses to start.
 *
 *	flashd.c        who is there, what they say
 *	flashd_parts.c  the partitions behind the operations of image/parts.h
 *	flashd_show.c   answers for a person
 *
 * A trial: boss says when what runs has been healthy for a while, or somebody
 * confirms by hand; else U-Boot takes the other slot after SLOT_BOOTS starts.
 */
enum { FLASHD_KEY_MAX = 1024, FLASHD_ANSWER = 96 << 10 };

struct flashd {
	struct program prog;
	struct watch console;
	struct flash part[PARTS];
	bool has[PARTS];
	uint8_t key[FLASHD_KEY_MAX];
	size_t key_n;
	enum slot runs;
	struct install install;
	uint8_t room[CRASH_LOG_TEXT];
	struct text answer; /* to the console */
	char answer_mem[FLASHD_ANSWER];
};

extern struct flashd F;

/* flashd_parts.c */
extern const struct part_ops flashd_ops; /* dev: not used */

/* flashd_show.c: into F.answer. */
void flashd_show_slots(void);
void flashd_show_crashes(void);

#endif
