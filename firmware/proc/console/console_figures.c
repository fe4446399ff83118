/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_figures - the counters of all programs added up: since the start or
 * since "clear counters", and within the last hour. console writes only what is
 * its own: its samples, and where "clear" was said.
 */
#include "ipc/stats_past.h"
#include "proc/console/console.h"

static const enum role owner[COUNTERS] = {
#define X(id, name, role) [CNT_##id] = ROLE_##role,
	STATS_COUNTERS(X)
#undef X
};

static uint64_t total(enum counter c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < K.source_n; i++)
		if (K.source[i].role == owner[c])
			n += stats_get(K.source[i].stats, c);
	return n;
}

static uint64_t minute(void)
{
	return now_ms() / 60000;
}

uint64_t figures_sum(enum counter c)
{
	uint64_t n = total(c), was = K.prog.stats->cleared.counter[c];

	/* a level has no beginning; a smaller sum is that of a new machine */
	return counter_is_level(c) || n < was ? n : n - was;
}

uint64_t figures_hour(enum counter c)
{
	return stats_past_hour(&K.prog.stats->past, minute(), c, total(c));
}

const struct stats *figures_of(enum role role)
{
	for (size_t i = 0; i < K.source_n; i++)
		if (K.source[i].role == role)
			return K.source[i].stats;
	return NULL;
}

void figures_tick(void)
{
	struct stats_past *past = &K.prog.stats->past;
	uint64_t all[COUNTERS];

	if (!stats_past_due(past, minute()))
		return;
	for (enum counter c = 0; c < COUNTERS; c++)
		all[c] = total(c);
	stats_past_sample(past, minute(), all);
}

void figures_clear(void)
{
	for (enum counter c = 0; c < COUNTERS; c++)
		K.prog.stats->cleared.counter[c] = total(c);
}
