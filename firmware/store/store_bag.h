/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_STORE_BAG_H
#define STORE_STORE_BAG_H

#include "store/store_file.h"

/*
 * store_bag - the files of a store one by one: which there are, one more, one
 * less. Private to store/, for a store whose ops and dev are there. What goes wrong
 * is said in say, one line for each, for a person; say may be NULL.
 *
 * E_IO: the medium, or the folder, would not. E_FULL: there is no memory or, where
 * something is added, no room.
 */
struct bag_numbers {
	uint32_t number[STORE_LIST_MAX]; /* highest first */
	size_t n;
};

/* Nothing if say is NULL. */
void bag_put(struct text *say, const char *s);
/* "cfg.00000012: WHAT: WHY"; an empty why is left out. */
void bag_put_file(struct text *say, enum store_kind k, uint32_t number,
		  const char *what, const char *why);
/* Is it open? Says so if not. */
bool bag_ready(const struct store *s, struct text *say);

/* All files of kind k, whether they verify or not. E_IO, E_FULL: l is empty. */
MUST_CHECK int bag_list(struct store *s, enum store_kind k,
			struct bag_numbers *l, struct text *say);
/* What was added or removed lasts, whatever comes. E_IO. */
int bag_dirsync(struct store *s, struct text *say);
/* Remove one; it lasts with the next bag_dirsync. E_IO. */
int bag_drop(struct store *s, enum store_kind k, uint32_t number,
	     struct text *say);
/* Remove a file that could not be written as it should, for good: it must not be
 * found later. If that fails, too, it is said. */
void bag_undo(struct store *s, enum store_kind k, uint32_t number,
	      struct text *say);

/* The newest of l that verifies, of those below number; 0: none. */
uint32_t bag_newest(struct store *s, enum store_kind k,
		    const struct bag_numbers *l, uint32_t below);

/* Write body under a fresh number, which info gets. Room is made by removing rescue
 * copies and configurations that are not the newest good one; for what was learned
 * none is. E_FULL, E_IO: it is not there. */
int bag_add(struct store *s, enum store_kind k, struct store_info *info,
	    struct span body, struct text *say);

#endif
