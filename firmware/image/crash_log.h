/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IMAGE_CRASH_LOG_H
#define IMAGE_CRASH_LOG_H

#include "image/parts.h"

/*
 * crash_log - why the box restarted by itself, the last few times, in flash.
 *
 * One record to a block of PART_CRASH, in turn; the block of the oldest is
 * erased for the next. A cut leaves the others.
 *
 *	 0   8  "SWcrash1"
 *	 8   4  number, from 1
 *	12   4  length of the text
 *	16   8  when it was written, seconds since 1970
 *	24   4  CRC-32 of 0..23 and the text
 *	28      text
 */
enum { CRASH_LOG_TEXT = 32 << 10, CRASH_LOG_HEAD = 28, CRASH_LOG_BLOCKS = 8 };

struct crash_log_entry {
	uint32_t number;
	uint64_t time_s;
	size_t n;     /* of the text */
	size_t block; /* where it is, as an offset */
};

/* What is there, newest first; at most CRASH_LOG_BLOCKS. room: CRASH_LOG_TEXT
 * octets to work in. */
size_t crash_log_list(const struct part_ops *ops, void *dev, uint8_t *room,
		      struct crash_log_entry list[CRASH_LOG_BLOCKS]);

/* The text of one into room (CRASH_LOG_TEXT octets). E_IO; E_CORRUPT: it has
 * changed. */
MUST_CHECK int crash_log_read(const struct part_ops *ops, void *dev,
			      const struct crash_log_entry *e, uint8_t *room);

/* Keep one more. Of a longer text the end is kept. E_IO. */
MUST_CHECK int crash_log_add(const struct part_ops *ops, void *dev,
			     struct span text, uint64_t now_s, uint8_t *room);

#endif
