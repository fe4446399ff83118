/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_status - the box on one screen of 79 columns and 22 rows, for a tired
 * person: what is wrong stands in capitals or at the end.
 */
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum { ROWS = 22, NOTICES = 3, PROGRAM = 22, WIDTH = 66 };

static uint64_t since(uint64_t ms)
{
	uint64_t now = now_ms();

	return now > ms ? now - ms : 0;
}

static unsigned rows(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < K.answer.n; i++)
		n += K.answer.p[i] == '\n';
	return n;
}

/* In at most four columns: 9999, 123k, 12M. "show counters" is exact. */
static void figure(uint64_t n)
{
	static const char unit[] = " kMGTPE";
	size_t u = 0;

	for (uint64_t most = 10000; n >= most && u < sizeof(unit) - 2; u++) {
		n /= 1000;
		most = 1000;
	}
	put_num(n);
	if (u > 0)
		text_span(&K.answer, (struct span){ (uint8_t *)unit + u, 1 });
}

/* "first A, B c, ..." from pairs of text and counter; behind a counter what of
 * it is within the last hour. */
struct figure {
	const char *before;
	enum counter counter;
	bool hour;
};

static void figures(const char *name, const struct figure *f, size_t n)
{
	put_label(name);
	for (size_t i = 0; i < n; i++) {
		put_str(f[i].before);
		figure(figures_sum(f[i].counter));
		if (!f[i].hour)
			continue;
		put_str(" (");
		figure(figures_hour(f[i].counter));
		put_str(")");
	}
	put_str("\n");
}

#define FIGURES(name, ...)                                         \
	do {                                                       \
		static const struct figure f_[] = { __VA_ARGS__ }; \
		figures(name, f_, sizeof(f_) / sizeof(f_[0]));     \
	} while (0)

static void time_and_age(void)
{
	const struct stats *boss = figures_of(ROLE_BOSS);

	put_label("time");
	text_time(&K.answer, now_unix_ms() / 1000);
	if (boss) {
		put_str(", up ");
		put_age(since(boss->started_ms));
	}
	if (boss && boss->reload_ms != 0) {
		uint64_t now = now_ms();

		put_str("; RESTARTS in ");
		put_age(boss->reload_ms > now ? boss->reload_ms - now : 0);
	} else {
		put_str("; (n): in the last hour");
	}
	put_str("\n");
}

static void image(void)
{
	const struct stats *boss = figures_of(ROLE_BOSS);
	uint64_t size = boss ? boss->flash_size : 0;
	uint64_t used = boss && boss->flash_free < size
				? size - boss->flash_free
				: 0;

	put_label("image");
	text_clean(&K.answer,
		   boss && boss->image[0]
			   ? put_shared(boss->image, sizeof(boss->image))
			   : SPAN_LIT("unknown"));
	if (boss && boss->memory_free > 0) {
		put_str("; memory ");
		put_num(boss->memory_free / 1048576);
		put_str(" MiB free");
	}
	put_str("; flash ");
	if (size < 1024) {
		put_str("NONE: nothing is kept\n");
		return;
	}
	put_num(used / 1024 * 100 / (size / 1024));
	put_str("% of ");
	put_num(size / 1048576);
	put_str(" MiB used\n");
}

static void ports(void)
{
	const struct stats *boss = figures_of(ROLE_BOSS);
	uint32_t up = boss ? boss->ports_up : 0;

	put_label("ports");
	put_str("inside ");
	put_str(up & 1u << INSIDE ? "up" : "DOWN");
	put_str(", outside ");
	put_str(up & 1u << OUTSIDE ? "up" : "DOWN");
	put_str(boss && boss->intercepting ? "; intercepting mail\n"
					   : "; not intercepting\n");
}

static void configuration(void)
{
	const struct stats *confd = figures_of(ROLE_CONFD);
	uint64_t number = confd ? confd->snapshot : 0;
	unsigned all = 0, have = 0;

	for (size_t i = 0; i < K.source_n; i++) {
		const struct source *s = &K.source[i];

		if (s->role != ROLE_WIRE && s->role != ROLE_RELAY &&
		    s->role != ROLE_KEYS)
			continue;
		all++;
		have += number != 0 && s->stats->snapshot == number;
	}
	put_label("configuration");
	if (number == 0) {
		put_str("NONE IN FORCE: no mail passes; see show log\n");
		return;
	}
	put_str("snapshot ");
	put_num(number);
	put_str(" in force on ");
	put_num(have);
	put_str(" of ");
	put_num(all);
	put_str(" programs\n");
}

static void mail(void)
{
	FIGURES("sessions", { "now ", CNT_SESSIONS_NOW, false },
		{ ", peak ", CNT_SESSIONS_PEAK, false },
		{ ", waiting for a server ", CNT_HALF_OPEN_NOW, false },
		{ ", all ", CNT_SESSIONS, true });
	FIGURES("messages", { "encrypted ", CNT_MESSAGES_PROTECTED, true },
		{ ", clear ", CNT_MESSAGES_CLEAR, true },
		{ ", refused ", CNT_MESSAGES_REFUSED, true });
	FIGURES("recipients", { "refused by policy ", CNT_RCPT_REFUSED, true },
		{ ", deferred ", CNT_RCPT_DEFERRED, true });
	FIGURES("tls", { "handshakes ", CNT_TLS_UP, true },
		{ ", trusted ", CNT_TLS_TRUSTED, true },
		{ ", failed ", CNT_TLS_FAILED, true });
	if (figures_sum(CNT_IN_PROTECTED) > 0 ||
	    figures_sum(CNT_IN_CLEAR) > 0 ||
	    figures_sum(CNT_SENDERS_REFUSED) > 0)
		FIGURES("from outside",
			{ "encrypted ", CNT_IN_PROTECTED, true },
			{ ", clear ", CNT_IN_CLEAR, true },
			{ ", refused ", CNT_SENDERS_REFUSED, true });
	FIGURES("alarms", { "STARTTLS vanished ", CNT_STARTTLS_VANISHED, true },
		{ ", back to clear ", CNT_FALLBACKS, true });
	FIGURES("errors", { "of clients ", CNT_PROTOCOL_CLIENT, true },
		{ ", of servers ", CNT_PROTOCOL_SERVER, true });
}

static void verify(void)
{
	if (figures_sum(CNT_LEAKS) > 0)
		FIGURES("VERIFY", { "CLEAR TEXT SEEN ", CNT_LEAKS, true },
			{ ", frames watched ", CNT_FRAMES_WATCHED, true },
			{ ", missed ", CNT_FRAMES_UNWATCHED, false });
	else
		FIGURES("verify", { "clear text ", CNT_LEAKS, false },
			{ ", frames watched ", CNT_FRAMES_WATCHED, true },
			{ ", missed ", CNT_FRAMES_UNWATCHED, false },
			{ ", self-tests ", CNT_SELF_TESTS, false });
}

/* All of one role in one cell: "relay 2/2 00:01:02", the youngest's age. */
static void program(enum role role)
{
	unsigned all = 0, up = 0;
	uint64_t started = 0;
	size_t at = put_at();

	for (size_t i = 0; i < K.source_n; i++) {
		const struct stats *s = K.source[i].stats;

		if (K.source[i].role != role)
			continue;
		all++;
		up += s->pid != 0;
		if (s->pid != 0 && s->started_ms > started)
			started = s->started_ms;
	}
	put_str(role_name(role));
	put_str(" ");
	if (all > 1 || up < all) {
		put_num(up);
		put_str("/");
		put_num(all);
		put_str(" ");
	}
	if (up > 0)
		put_age(since(started));
	put_to(at, PROGRAM);
}

static void programs(void)
{
	put_label("programs");
	for (enum role r = ROLE_BOSS; r < ROLES; r++) {
		if ((r == ROLE_FLASHD && !figures_of(r)) || r == ROLE_NTP)
			continue;
		if (r == ROLE_CONFD || r == ROLE_FLASHD ||
		    (r == ROLE_WITNESS && !figures_of(ROLE_FLASHD))) {
			put_str("\n");
			put_label("");
		}
		program(r);
	}
	put_str("\n");
	FIGURES("restarts", { "wire ", CNT_RESTARTS_WIRE, false },
		{ " relay ", CNT_RESTARTS_RELAY, false },
		{ " confd ", CNT_RESTARTS_CONFD, false },
		{ " console ", CNT_RESTARTS_CONSOLE, false },
		{ " keys ", CNT_RESTARTS_KEYS, false },
		{ " flashd ", CNT_RESTARTS_FLASHD, false },
		{ " witness ", CNT_RESTARTS_WITNESS, false });
}

/* What is wrong for as long as it is: clock, certificates, what else a program
 * has to say. */
static void notices(void)
{
	const size_t all = K.source_n * STATS_NOTICES;
	unsigned n = 0;

	/* What witness has to say is worse than all else. */
	for (size_t k = 0; k < 2 * all; k++) {
		size_t i = k % all;
		const struct source *from = &K.source[i / STATS_NOTICES];
		const char *what = from->stats->notice[i % STATS_NOTICES];

		if ((from->role == ROLE_WITNESS) != (k < all) ||
		    what[0] == '\0' || n == NOTICES)
			continue;
		n++;
		put_label("ATTENTION");
		text_clean(&K.answer, put_shared(what, WIDTH));
		put_str("\n");
	}
}

void show_status(void)
{
	time_and_age();
	image();
	ports();
	configuration();
	mail();
	verify();
	programs();
	notices();
	show_refusals((ROWS - 2 - rows() + 1) / 2);
	show_warnings(ROWS - 1 - rows());
}
