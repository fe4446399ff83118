/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_STORE_BAG_H
#define STORE_STORE_BAG_H

#include "store/store_file.h"

/*
 * store_bag - the files of a store one by one: which there are, one more, one
 * less. Private to store/. Errors are said in say, which may be NULL.
 */
struct bag_numbers {
	uint32_t number[STORE_LIST_MAX]; /* highest first */
	size_t n;
};

/* For a person. */
void bag_put(struct text *say, const char *s);
/* "cfg.00000012: WHAT: WHY" */
void bag_put_file(struct text *say, enum store_kind k, uint32_t number,
		  const char *what, const char *why);
/* Is it open? Says so if not. */
bool bag_ready(const struct store *s, struct text *say);

/* E_IO, E_FULL (no memory). */
MUST_CHECK int bag_list(struct store *s, enum store_kind k,
			struct bag_numbers *l, struct text *say);
int bag_dirsync(struct store *s, struct text *say);
int bag_drop(struct store *s, enum store_kind k, uint32_t number,
	     struct text *say);
/* A file that could not be written as it should must not be found later. */
void bag_undo(struct store *s, enum store_kind k, uint32_t number,
	      struct text *say);

/* The newest of l that verifies below number; 0: none. */
uint32_t bag_newest(struct store *s, enum store_kind k,
		    const struct bag_numbers *l, uint32_t below);

/* One file under a fresh number, which info gets; room is made for it. E_FULL,
 * E_IO: it is not there. */
int bag_add(struct store *s, enum store_kind k, struct store_info *info,
	    struct span body, struct text *say);

#endif
