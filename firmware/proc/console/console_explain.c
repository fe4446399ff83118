/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_explain - why recipients were refused (explain), and what must not stay
 * unseen (show alarms), from the memory of all programs.
 */
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum { ALL = STATS_PROGRAMS * STATS_EXPLAINS };

/* --- explain ---------------------------------------------------------------------- */
/* One that is being written at this moment is left out. */
static bool take(struct stats_explain *to, const struct stats_explain *from)
{
	uint64_t seq = __atomic_load_n(&from->seq, __ATOMIC_ACQUIRE);

	if (seq == 0)
		return false;
	memcpy(to, from, sizeof(*to));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&from->seq, __ATOMIC_RELAXED) == seq;
}

static void steps(struct span text)
{
	while (text.n > 0) {
		const uint8_t *lf = memchr(text.p, '\n', text.n);
		size_t n = lf ? (size_t)(lf - text.p) : text.n;

		text_clean(&K.answer, (struct span){ text.p, n });
		put_str("\n");
		text = span_skip(text, n + (lf != NULL));
	}
}

static void one(const struct stats_explain *e)
{
	put_label("session");
	put_num(e->session);
	put_str(", ");
	put_when(e->unix_ms);
	put_str("\n");
	put_label("recipient in");
	text_clean(&K.answer, e->domain[0]
				      ? put_shared(e->domain, sizeof(e->domain))
				      : SPAN_LIT("no domain"));
	put_str("\n");
	steps(put_shared(e->text, sizeof(e->text)));
}

/* The oldest of those behind (unix_ms, index) that is of this session; 0: any. */
struct place {
	uint64_t unix_ms;
	size_t at;
};

static bool next(struct place *p, uint64_t session, struct stats_explain *e)
{
	static struct stats_explain other;
	struct place best = { UINT64_MAX, ALL };

	for (size_t i = 0; i < K.source_n * STATS_EXPLAINS; i++) {
		const struct source *s = &K.source[i / STATS_EXPLAINS];
		const struct stats_explain *from =
			&s->stats->explain[i % STATS_EXPLAINS];

		if (s->role != ROLE_RELAY || !take(&other, from) ||
		    (session != 0 && other.session != session) ||
		    other.unix_ms < p->unix_ms ||
		    (other.unix_ms == p->unix_ms && i <= p->at) ||
		    other.unix_ms >= best.unix_ms)
			continue;
		best = (struct place){ other.unix_ms, i };
		*e = other;
	}
	*p = best;
	return best.at < ALL;
}

void explain_session(uint64_t session)
{
	static struct stats_explain e;
	struct place p = { 0, 0 };
	size_t n = 0;

	while (n < ALL && next(&p, session, &e)) {
		put_str(n++ > 0 ? "\n" : "");
		one(&e);
	}
	if (n == 0)
		put_str("nothing is known of that session: no recipient of it "
			"was refused by policy lately\n");
}

void explain_last(void)
{
	static struct stats_explain e, last;
	struct place p = { 0, 0 };
	bool any = false;

	while (next(&p, 0, &e)) {
		last = e;
		any = true;
	}
	if (any)
		one(&last);
	else
		put_str("no recipient was refused by policy lately\n");
}

/* --- alarms ----------------------------------------------------------------------- */
static void alarm_row(const struct source *s, enum alarm a,
		      const struct stats_alarm *al, uint64_t times)
{
	put_cell(span_str(alarm_name[a]), 21);
	put_when(al->first_ms);
	put_str("  ");
	if (al->standing)
		put_str("now        ");
	else
		put_when(al->last_ms);
	put_str("  ");
	put_num(times);
	put_str(times == 1 ? " time, " : " times, ");
	show_program_name(&K.answer, s);
	put_str("\n  ");
	text_clean(&K.answer, put_shared(al->text, sizeof(al->text)));
	put_str("\n");
}

void show_alarms(void)
{
	unsigned n = 0;

	for (enum alarm a = 0; a < ALARMS; a++)
		for (size_t i = 0; i < K.source_n; i++) {
			struct stats_alarm al = K.source[i].stats->alarm[a];
			uint64_t cleared = K.prog.stats->cleared.alarm[i][a];
			uint64_t times = al.times < cleared
						 ? al.times
						 : al.times - cleared;

			if (al.times == 0 || (times == 0 && !al.standing))
				continue;
			if (n++ == 0)
				put_str("alarm                first        "
					"last\n");
			alarm_row(&K.source[i], a, &al, times);
		}
	if (n == 0)
		put_str("none\n");
}

void clear_alarms(void)
{
	for (enum alarm a = 0; a < ALARMS; a++)
		for (size_t i = 0; i < K.source_n; i++)
			K.prog.stats->cleared.alarm[i][a] =
				K.source[i].stats->alarm[a].times;
}
