/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_CONSOLE_CONSOLE_SHOW_H
#define PROC_CONSOLE_CONSOLE_SHOW_H

#include "proc/program.h"

/*
 * console_show - what the programs show (ipc/stats.h), for people: into K.answer.
 * The memory is written by others while it is read: numbers are only printed,
 * texts are taken up to their size and cleaned.
 */
struct source {
	enum role role;
	uint32_t index;
	struct stats *stats;
};

void show_sessions(bool detail);
/* What came of mail for it, by its normal name. */
void show_domain(struct span name);
void show_counters(void);
void show_interfaces(void);
void show_version(void);
void show_clock(void);
void show_program_name(struct text *t, const struct source *s);

/* console_capture.c */
void show_capture(void);

/* console_explain.c */

/* How recipients of this session were refused. */
void explain_session(uint64_t session);
/* The last refusal of all. */
void explain_last(void);
/* What happened, or stands, and was not cleared since. */
void show_alarms(void);
void clear_alarms(void);

/* console_peers.c */
void show_peers(void);

/* console_routes.c */
void show_routes(void);

/* console_status.c */
void show_status(void);

/* console_figures.c */

/* Since the start, or since figures_clear. */
uint64_t figures_sum(enum counter c);
/* Within the last hour. */
uint64_t figures_hour(enum counter c);
void figures_clear(void);
/* Of the first program of that role; NULL: there is none. */
const struct stats *figures_of(enum role role);
/* Take samples; once a turn. */
void figures_tick(void);

/* console_log.c */
void show_log(enum severity least);
/* What has been shown until now is not shown any more. */
void log_clear(void);
void log_clear_refusals(void);
void show_warnings(size_t most);
void show_refusals(size_t most);
/* Lines that were not there at the last call; each has its severity. */
struct log_line {
	uint64_t unix_ms, seq;
	uint32_t severity;
	size_t source;
	char text[STATS_TEXT];
};
size_t log_new(bool wanted, const struct log_line **lines);
/* Those behind seq of each source, and whether there are any. */
bool log_more(const uint64_t seq[STATS_PROGRAMS]);
size_t log_since(const uint64_t seq[STATS_PROGRAMS],
		 const struct log_line **lines);
void log_print(const struct log_line *l, struct text *t);

#endif
