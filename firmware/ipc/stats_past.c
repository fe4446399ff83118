/* SPDX-License-Identifier: BSD-2-Clause */
/* stats_past - see stats_past.h. */
#include <string.h>
#include "ipc/stats_past.h"

enum { HOUR = 60 };

bool stats_past_due(const struct stats_past *p, uint64_t minute)
{
	return p->minute[minute % STATS_PAST] != minute + 1;
}

void stats_past_sample(struct stats_past *p, uint64_t minute,
		       const uint64_t counter[COUNTERS])
{
	size_t at = minute % STATS_PAST;

	memcpy(p->counter[at], counter, sizeof(p->counter[at]));
	p->minute[at] = minute + 1;
}

uint64_t stats_past_hour(const struct stats_past *p, uint64_t minute,
			 enum counter c, uint64_t now)
{
	uint64_t oldest = minute + 2, was = now;

	for (size_t i = 0; i < STATS_PAST; i++) {
		uint64_t m = p->minute[i];

		if (m == 0 || m >= oldest || m > minute + 1 ||
		    minute + 1 - m > HOUR)
			continue;
		oldest = m;
		was = p->counter[i][c];
	}
	return now > was ? now - was : 0;
}
