/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_log - the lines of all programs as one log. They are written while we
 * read: a line counts only if it is the same one before and after.
 */
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum { LINES = STATS_PROGRAMS * STATS_EVENTS, ROW = 79 };

static struct log_line lines[LINES];

/* One that is being written at this moment is left out. */
static bool take_line(struct log_line *l, size_t source,
		      const struct stats_log *s)
{
	uint64_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);

	if (seq == 0)
		return false;
	*l = (struct log_line){ s->unix_ms, seq, s->severity, source, "" };
	memcpy(l->text, s->text, sizeof(l->text));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq;
}

/* The next line of one program that is wanted. */
struct head {
	uint64_t seq, last;
	bool have;
	struct log_line line;
};

static void advance(struct head *h, size_t source, uint32_t severity)
{
	const struct stats *s = K.source[source].stats;

	h->have = false;
	while (!h->have && h->seq < h->last) {
		h->seq++;
		h->have = take_line(&h->line, source,
				    &s->log[h->seq % STATS_EVENTS]) &&
			  h->line.seq == h->seq && h->line.severity >= severity;
	}
}

/*
 * All lines of at least this severity behind these, oldest first. The lines of one
 * program keep their order, whatever its clock did. (qsort of glibc asks for the
 * size of the memory, which console may not.)
 */
static size_t collect(uint32_t severity, const uint64_t behind[])
{
	static struct head head[STATS_PROGRAMS];
	size_t n = 0;

	for (size_t i = 0; i < K.source_n; i++) {
		const struct source *s = &K.source[i];
		uint64_t last = __atomic_load_n(&s->stats->log_seq,
						__ATOMIC_ACQUIRE);
		uint64_t past = behind[i];

		if (last > STATS_EVENTS && past < last - STATS_EVENTS)
			past = last - STATS_EVENTS;
		head[i].seq = past;
		head[i].last = last;
		advance(&head[i], i, severity);
	}
	while (n < LINES) {
		size_t best = K.source_n;

		for (size_t i = 0; i < K.source_n; i++)
			if (head[i].have &&
			    (best == K.source_n ||
			     head[i].line.unix_ms < head[best].line.unix_ms))
				best = i;
		if (best == K.source_n)
			break;
		lines[n++] = head[best].line;
		advance(&head[best], best, severity);
	}
	return n;
}

/* What follows the time. */
static void print_rest(const struct log_line *l, struct text *t)
{
	text_str(t, " ");
	show_program_name(t, &K.source[l->source]);
	text_str(t, " ");
	text_str(t, severity_name((enum severity)l->severity));
	text_str(t, " ");
	text_clean(t, put_shared(l->text, sizeof(l->text)));
}

void log_print(const struct log_line *l, struct text *t)
{
	text_time(t, l->unix_ms / 1000);
	print_rest(l, t);
	text_str(t, "\n");
}

bool log_more(const uint64_t seq[STATS_PROGRAMS])
{
	for (size_t i = 0; i < K.source_n; i++)
		if (__atomic_load_n(&K.source[i].stats->log_seq,
				    __ATOMIC_RELAXED) != seq[i])
			return true;
	return false;
}

size_t log_since(const uint64_t seq[STATS_PROGRAMS],
		 const struct log_line **list)
{
	*list = lines;
	return collect(SEV_INFO, seq);
}

size_t log_new(bool wanted, const struct log_line **list)
{
	size_t n;

	if (!log_more(K.seen))
		return 0;
	for (size_t i = 0; i < K.source_n && !wanted; i++)
		K.seen[i] = __atomic_load_n(&K.source[i].stats->log_seq,
					    __ATOMIC_RELAXED);
	if (!wanted)
		return 0;
	n = log_since(K.seen, list);
	for (size_t i = 0; i < n; i++)
		K.seen[lines[i].source] = lines[i].seq;
	return n;
}

void log_clear(void)
{
	for (size_t i = 0; i < K.source_n; i++)
		K.prog.stats->cleared.log[i] = __atomic_load_n(
			&K.source[i].stats->log_seq, __ATOMIC_RELAXED);
}

void log_clear_refusals(void)
{
	for (size_t i = 0; i < K.source_n; i++)
		K.prog.stats->cleared.refusal[i] = __atomic_load_n(
			&K.source[i].stats->refusal_seq, __ATOMIC_RELAXED);
}

void show_log(enum severity least)
{
	size_t n = collect((uint32_t)least, K.prog.stats->cleared.log);

	for (size_t i = 0; i < n; i++)
		log_print(&lines[i], &K.answer);
	if (n == 0)
		put_str("nothing has happened\n");
}

/* One row of a screen, with its time: what is longer is cut. */
static void row(uint64_t unix_ms, struct span text)
{
	const size_t room = ROW - 2 - 12;
	bool long_ = text.n > room;

	put_str("  ");
	put_when(unix_ms);
	put_str(" ");
	text_clean(&K.answer,
		   (struct span){ text.p, long_ ? room - 3 : text.n });
	put_str(long_ ? "...\n" : "\n");
}

void show_warnings(size_t most)
{
	size_t n = collect(SEV_WARNING, K.prog.stats->cleared.log),
	       from = n > most ? n - most : 0;

	put_str("last warnings\n");
	for (size_t i = from; i < n; i++) {
		char mem[STATS_TEXT + 80];
		struct text t;

		text_init(&t, mem, sizeof(mem));
		print_rest(&lines[i], &t);
		row(lines[i].unix_ms, span_skip(text_done(&t), 1));
	}
	if (n == 0)
		put_str("  none\n");
}

/* The refusals of all relays, in the order of their time. */
static size_t refusals(void)
{
	size_t n = 0;

	for (size_t i = 0; i < K.source_n; i++) {
		const struct stats *s = K.source[i].stats;

		for (size_t k = 0; k < STATS_REFUSALS; k++) {
			const struct stats_refusal *r = &s->refusal[k];
			struct log_line l = { r->unix_ms, r->seq, 0, i, "" };
			size_t at;

			if (l.seq <= K.prog.stats->cleared.refusal[i])
				continue;
			memcpy(l.text, r->text, sizeof(l.text));
			for (at = n++;
			     at > 0 && lines[at - 1].unix_ms > l.unix_ms; at--)
				lines[at] = lines[at - 1];
			lines[at] = l;
		}
	}
	return n;
}

void show_refusals(size_t most)
{
	size_t n = refusals(), from = n > most ? n - most : 0;

	put_str("last refusals\n");
	for (size_t i = from; i < n; i++)
		row(lines[i].unix_ms, put_shared(lines[i].text, STATS_TEXT));
	if (n == 0)
		put_str("  none\n");
}
