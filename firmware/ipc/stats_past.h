/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IPC_STATS_PAST_H
#define IPC_STATS_PAST_H

#include "ipc/stats.h"

/*
 * stats_past - how much a counter has grown within the last hour.
 *
 * console takes a sample of all counters at the first turn of each minute, into
 * its own statistics, which outlive it. Minutes are those of CLOCK_MONOTONIC.
 */

/* True: this minute has no sample yet. */
bool stats_past_due(const struct stats_past *p, uint64_t minute);
void stats_past_sample(struct stats_past *p, uint64_t minute,
		       const uint64_t counter[COUNTERS]);

/* From the oldest sample that is not older than an hour (and the minute that was
 * under way then) to now. 0 without a sample. */
uint64_t stats_past_hour(const struct stats_past *p, uint64_t minute,
			 enum counter c, uint64_t now);

#endif
