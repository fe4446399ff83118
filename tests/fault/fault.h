/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#include <stdint.h>

/*
 * fault - let the n-th call of a kind fail (A43).
 *
 * Linked into the programs of bin-fault, in front of the C library. Each
 * program maps the file ../fault/NAME beside its folder, if there is one, before
 * main: a test that maps it too (tests/net/faultkit.py) counts calls, arms
 * failures, makes the clock run, and lets a line lose octets. All relays share one
 * file. Little-endian.
 */
enum fault_kind {
	FAULT_MEMORY,	  /* malloc, calloc, realloc, mmap, fork */
	FAULT_SEND,	  /* what leaves through a socket */
	FAULT_DESCRIPTOR, /* whatever makes or brings a descriptor */
	FAULT_RANDOM,
	FAULT_KINDS
};

struct fault_control {
	/* From now on the armed-th call fails, and none after it; 0: none. */
	uint32_t armed[FAULT_KINDS];
	uint32_t lasting; /* not 0: all after it as well */
	uint32_t faster;  /* the clock runs so many times as fast; 0: once */
	uint32_t lost;	  /* octets that a terminal's line has lost */
	uint32_t unused;
	uint64_t calls[FAULT_KINDS]; /* so far, since the test set it to 0 */
};

/* Of this program; never NULL. */
extern struct fault_control *fault_control;

#endif
