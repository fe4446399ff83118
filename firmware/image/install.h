/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IMAGE_INSTALL_H
#define IMAGE_INSTALL_H

#include "image/image.h"
#include "image/parts.h"
#include "image/slot.h"

/*
 * install - the order in which the flash is written, so that the power may go
 * at any moment: the box then starts what it started before, or the new image
 * on trial, and never anything else.
 *
 *	slot that does not run   erased from its first block on: from then on
 *	                         it does not look like an image; written from
 *	                         its second block on, the first block last
 *	all of it                read back and compared
 *	environment              the copy that does not count, read back
 *	                         the flag of the other one
 */
struct install {
	const struct part_ops *ops;
	void *dev;
	void (*alive)(void); /* between pieces of long work; may be NULL */
	enum slot runs;	     /* what was started */
	uint8_t copy[2][BOOT_ENV_SIZE];
	struct boot_env env;
	int current;	 /* copy that counts, or E_CORRUPT */
	const char *why; /* of the last error, for a person */
};

/* Read the environment. Neither copy is whole: it is empty, which is not an
 * error. E_IO: why. */
MUST_CHECK int install_open(struct install *i, const struct part_ops *ops,
			    void *dev, enum slot runs, void (*alive)(void));

/* Write file, an image that image_judge has let pass, into the slot that does
 * not run, and plan to start it on trial. E_IO, E_FULL: why; what started before
 * still does. E_PEER_ORDER: what runs is on trial itself, and that slot is what it
 * goes back to. */
MUST_CHECK int install_image(struct install *i, struct span file);

/* What runs is good, or good enough: start it from now on. */
MUST_CHECK int install_confirm(struct install *i);

/*
 * The image in slot s, without its body: board and version, not verified. The
 * trailer is read to room (IMAGE_TRAILER octets). E_CORRUPT: there is none.
 */
MUST_CHECK int install_look(struct install *i, enum slot s, struct image *m,
			    uint8_t room[IMAGE_TRAILER]);

#endif
