/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_show - what the programs show, for people. The memory is written by
 * others while we read: numbers are only printed, texts are taken up to their
 * size and cleaned.
 */
#include "policy/channel.h"
#include "proc/console/console.h"
#include "proc/console/console_put.h"

void show_program_name(struct text *t, const struct source *s)
{
	text_str(t, role_name(s->role));
	if (s->role != ROLE_RELAY)
		return;
	text_str(t, " ");
	text_u64(t, s->index);
}

static uint64_t since(uint64_t ms)
{
	uint64_t now = now_ms();

	return now > ms ? now - ms : 0;
}

/* --- sessions ------------------------------------------------------------------ */
static void channel(uint16_t version, const char *suite, size_t suite_size,
		    uint32_t chain, uint32_t bits)
{
	if (version != 0) {
		put_str(version == 0x0304 ? "TLSv1.3 " : "TLSv1.2 ");
		text_clean(&K.answer, put_shared(suite, suite_size));
	}
	if (version != 0 && chain != TLS_RESULTS) {
		put_str(" ");
		put_str(tls_result_name((enum tls_result)chain));
	}
	if (bits != 0) {
		put_str(version != 0 ? ", NTLM seal " : "NTLM seal ");
		put_num(bits);
	} else if (version == 0) {
		put_str("clear");
	}
}

/* Who logged on there, if anybody. */
static void logon(const char *shared)
{
	if (shared[0] == '\0')
		return;
	put_label("  log-on");
	text_clean(&K.answer, put_shared(shared, STATS_LOGON));
	put_str("\n");
}

static void session(const struct stats_session *s)
{
	size_t at;

	put_endpoint_cell(&s->client, 22);
	put_endpoint_cell(&s->server, 22);
	at = put_at();
	put_age(since(s->since_ms));
	put_to(at, 9);
	put_cell(put_shared(s->phase, sizeof(s->phase)), 9);
	at = put_at();
	put_num(s->messages);
	put_to(at, 5);
	channel(s->tls_version, s->suite, sizeof(s->suite), s->chain, s->bits);
	put_str(" ");
	text_clean(&K.answer, put_shared(s->domain, sizeof(s->domain)));
	put_str("\n");
}

static void session_detail(const struct source *from,
			   const struct stats_session *s)
{
	put_str("session ");
	put_num(s->flow);
	put_str(" on relay ");
	put_num(from->index);
	put_str("\n");
	put_label("  client");
	put_endpoint_cell(&s->client, 0);
	put_num(s->octets[CLIENT]);
	put_str(s->inbound ? " octets, from outside\n" : " octets\n");
	put_label("  server");
	put_endpoint_cell(&s->server, 0);
	put_num(s->octets[SERVER]);
	put_str(" octets\n");
	put_label("  since");
	put_age(since(s->since_ms));
	put_str(", messages ");
	put_num(s->messages);
	put_str(", now ");
	text_clean(&K.answer, put_shared(s->phase, sizeof(s->phase)));
	put_str("\n");
	put_label("  channel");
	channel(s->tls_version, s->suite, sizeof(s->suite), s->chain, s->bits);
	put_str("\n");
	logon(s->logon);
	put_label("  domain");
	text_clean(&K.answer, s->domain[0]
				      ? put_shared(s->domain, sizeof(s->domain))
				      : SPAN_LIT("none yet"));
	put_str("\n");
}

void show_sessions(bool detail)
{
	uint64_t n = 0;

	if (!detail)
		put_str("client                server                since    "
			"phase    msgs channel, domain\n");
	for (size_t i = 0; i < K.source_n; i++) {
		if (K.source[i].role != ROLE_RELAY)
			continue;
		for (size_t k = 0; k < STATS_SESSIONS; k++) {
			struct stats_session s = K.source[i].stats->session[k];

			if (!s.used)
				continue;
			if (detail)
				session_detail(&K.source[i], &s);
			else
				session(&s);
			n++;
		}
	}
	put_num(n);
	put_str(n == 1 ? " session\n" : " sessions\n");
}

/* --- domains --------------------------------------------------------------------- */
/* Of all relays together: who was seen last, and how often. */
struct lately {
	const struct stats_domain *taken, *refused;
	struct stats_domain copy[2];
	uint64_t refused_n;
};

static void add_domain(struct lately *l, const struct stats_domain *shared,
		       struct span name)
{
	struct stats_domain d = *shared;

	if (d.used == 0 ||
	    !span_eq(put_shared(d.domain, sizeof(d.domain)), name))
		return;
	l->refused_n += d.refused_n;
	if (d.taken_ms > 0 && (!l->taken || d.taken_ms > l->taken->taken_ms)) {
		l->copy[0] = d;
		l->taken = &l->copy[0];
	}
	if (d.refused_n > 0 &&
	    (!l->refused || d.refused_ms > l->refused->refused_ms)) {
		l->copy[1] = d;
		l->refused = &l->copy[1];
	}
}

void show_domain(struct span name)
{
	static struct lately l;

	memset(&l, 0, sizeof(l));
	for (size_t i = 0; i < K.source_n; i++)
		for (size_t k = 0;
		     K.source[i].role == ROLE_RELAY && k < STATS_DOMAINS; k++)
			add_domain(&l, &K.source[i].stats->domain[k], name);
	if (l.taken) {
		put_label("  last sent");
		put_when(l.taken->taken_ms);
		put_str(" to ");
		put_endpoint_cell(&l.taken->taken_server, 0);
		channel(l.taken->tls_version, l.taken->suite,
			sizeof(l.taken->suite), l.taken->chain, l.taken->bits);
		put_str("\n");
		logon(l.taken->logon);
	}
	if (l.refused) {
		put_label("  refused");
		put_when(l.refused->refused_ms);
		put_str(" at ");
		put_endpoint_cell(&l.refused->refused_server, 0);
		put_num(l.refused->code);
		put_str(" ");
		put_str(tls_result_name((enum tls_result)l.refused->result));
		put_str(": ");
		text_clean(&K.answer,
			   put_shared(l.refused->why, sizeof(l.refused->why)));
		put_str(" (");
		put_num(l.refused_n);
		put_str(l.refused_n == 1 ? " time)\n" : " times)\n");
	}
	if (!l.taken && !l.refused)
		put_str("  no mail for it lately\n");
}

/* --- counters --------------------------------------------------------------------- */
void show_counters(void)
{
	for (enum counter c = 0; c < COUNTERS; c++) {
		put_cell(span_str(counter_name[c]), 28);
		put_num(figures_sum(c));
		put_str("\n");
	}
}

/* --- the rest --------------------------------------------------------------------- */
static void port(const char *name, enum port p, enum counter taken)
{
	const struct stats *boss = figures_of(ROLE_BOSS);
	bool up = boss && (boss->ports_up & 1u << p) != 0;

	put_cell(span_str(name), 10);
	put_cell(span_str(up ? "up" : "DOWN"), 6);
	put_num(figures_sum(taken));
	put_str(" frames of mail taken\n");
}

void show_interfaces(void)
{
	const struct stats *boss = figures_of(ROLE_BOSS);
	static const struct {
		const char *before;
		enum counter counter;
	} all[] = {
		{ "put back     ", CNT_FRAMES_PUT_BACK },
		{ "\ndropped      bad ", CNT_FRAMES_DROPPED_BAD },
		{ ", hidden mail ", CNT_FRAMES_DROPPED_HIDDEN },
		{ ", wrong side ", CNT_FRAMES_DROPPED_SPOOFED },
		{ ", queue full ", CNT_FRAMES_DROPPED_QUEUE },
		{ "\nfragments    taken ", CNT_FRAGMENTS_TAKEN },
		{ ", dropped ", CNT_FRAGMENTS_DROPPED },
	};

	port("inside", INSIDE, CNT_FRAMES_TAKEN_INSIDE);
	port("outside", OUTSIDE, CNT_FRAMES_TAKEN_OUTSIDE);
	put_str(boss && boss->intercepting ? "intercepting mail on both\n"
					   : "not intercepting\n");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		put_str(all[i].before);
		put_num(figures_sum(all[i].counter));
	}
	put_str("\n");
}

void show_version(void)
{
	const struct stats *boss = figures_of(ROLE_BOSS);

	put_str("Sealwire\n");
	put_label("image");
	if (boss)
		text_clean(&K.answer,
			   put_shared(boss->image, sizeof(boss->image)));
	put_str("\n");
	put_label("kernel");
	text_clean(&K.answer, span_str(K.kernel));
	put_str("\n");
	for (size_t i = 0; i < K.source_n; i++) {
		const struct source *s = &K.source[i];
		size_t at = put_at();

		show_program_name(&K.answer, s);
		put_to(at, 13);
		if (s->stats->pid == 0) {
			put_str("not started\n");
			continue;
		}
		put_str("up ");
		put_age(since(s->stats->started_ms));
		put_str("\n");
	}
}

static const char *source_of_time(const struct stats *boss)
{
	switch (boss ? boss->clock : STATS_CLOCK_FOREIGN) {
	case STATS_CLOCK_UNSET: return "not set since the start";
	case STATS_CLOCK_CHIP: return "from the clock chip";
	case STATS_CLOCK_SET: return "set by hand";
	case STATS_CLOCK_NTP: return "set by time servers";
	default: return "from the PC that this box runs on";
	}
}

/* "0.034" */
static void seconds(uint64_t ms)
{
	put_num(ms / 1000);
	put_str(ms % 1000 < 10 ? ".00" : ms % 1000 < 100 ? ".0" : ".");
	put_num(ms % 1000);
}

static void how_far(const struct stats_ntp *n)
{
	uint64_t ms = (uint64_t)(n->away_ms < 0 ? -n->away_ms : n->away_ms);

	put_str(", the clock here was ");
	seconds(ms);
	put_str(n->away_ms < 0 ? " s fast" : " s slow");
}

static void time_servers(const struct stats_ntp *n)
{
	if (n->state == STATS_NTP_OFF)
		return;
	put_str("time servers: ");
	switch (n->state) {
	case STATS_NTP_ASKED: put_str("asked for the first time\n"); return;
	case STATS_NTP_SILENT: put_str("NONE GIVES A TIME"); break;
	case STATS_NTP_SPLIT: put_str("DO NOT AGREE"); break;
	case STATS_NTP_WRONG: put_str("NOT BELIEVED"); break;
	default: break;
	}
	put_str(n->state == STATS_NTP_FINE ? "" : "; ");
	put_num(n->agree);
	put_str(" of ");
	put_num(n->servers);
	put_str(" agree");
	if (n->state == STATS_NTP_WRONG || n->state == STATS_NTP_FINE)
		how_far(n);
	put_str("; ");
	put_age(since(n->at_ms));
	put_str(" ago\n");
}

void show_clock(void)
{
	const struct stats *boss = figures_of(ROLE_BOSS);

	text_time(&K.answer, now_unix_ms() / 1000);
	put_str(", ");
	put_str(source_of_time(boss));
	put_str("\n");
	if (boss)
		time_servers(&boss->ntp);
}
