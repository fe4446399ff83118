/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_STORE_DIR_H
#define STORE_STORE_DIR_H

#include "store/store.h"

/*
 * store_dir - the store in one folder of any file system.
 *
 * Reaches nothing but files with the names of store.h directly in that folder:
 * everything is relative to its descriptor, links are not followed, and what is
 * not a regular file is E_CORRUPT. Other names are left alone.
 *
 *	struct store_dir dir;
 *
 *	store_dir_init(&dir, fd);	     fd: O_RDONLY | O_DIRECTORY
 *	store_open(&s, &store_dir_ops, &dir, ...);
 *
 * The descriptor stays the caller's.
 */
struct store_dir {
	int dirfd;
	int fd;	   /* the open file; -1: none */
	int error; /* errno of the last failure */
};

void store_dir_init(struct store_dir *d, int dirfd);

extern const struct store_ops store_dir_ops;

#endif
