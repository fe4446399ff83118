/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_syslog - the log to a host of the administrator, if one is set: RFC
 * 5424 over UDP (RFC 5426), a datagram for each line.
 *
 *	<132>1 2026-11-24T05:53:07.123Z gate-7 wire 0 port-down - event=port-down
 *
 * The socket is boss's gift: connected to that host, deaf to it. What cannot be
 * sent now is sent later, if it is still in the log then.
 */
#include <errno.h>
#include <unistd.h>
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum {
	FACILITY = 16, /* local0 */
	AT_ONCE = 100, /* lines in one turn */
	PAUSE_MS = 5000,
	EVENT = 32, /* octets of a MSGID */
};

static int fd = -1;
static uint64_t again_ms;

void syslog_attach(int sock)
{
	syslog_off();
	fd = sock;
	again_ms = 0;
}

void syslog_off(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

/* RFC 5424 6.2.1 */
static unsigned priority(enum severity s)
{
	switch (s) {
	case SEV_INFO: return FACILITY * 8 + 6;
	case SEV_NOTICE: return FACILITY * 8 + 5;
	case SEV_WARNING: return FACILITY * 8 + 4;
	case SEV_ALARM: return FACILITY * 8 + 1;
	}
	return FACILITY * 8 + 6;
}

/* The word behind "event=", or "-". */
static void event_name(struct text *t, struct span line)
{
	const struct span key = SPAN_LIT("event=");
	size_t n = 0;

	if (line.n > key.n && span_eq((struct span){ line.p, key.n }, key)) {
		line = span_skip(line, key.n);
		while (n < line.n && n < EVENT && line.p[n] > ' ' &&
		       line.p[n] <= '~')
			n++;
	}
	if (n == 0)
		text_str(t, "-");
	else
		text_span(t, (struct span){ line.p, n });
}

/* 2026-11-24T05:53:07.123Z: RFC 5424 6.2.3 */
static void timestamp(struct text *t, uint64_t unix_ms)
{
	unsigned ms = (unsigned)(unix_ms % 1000);

	text_time(t, unix_ms / 1000);
	t->n--; /* the Z */
	text_str(t, ms < 10 ? ".00" : ms < 100 ? ".0" : ".");
	text_u64(t, ms);
	text_str(t, "Z ");
}

static void compose(struct text *t, const struct log_line *l)
{
	const struct source *s = &K.source[l->source];
	struct span line = put_shared(l->text, sizeof(l->text));

	text_str(t, "<");
	text_u64(t, priority((enum severity)l->severity));
	text_str(t, ">1 ");
	timestamp(t, l->unix_ms);
	text_str(t, K.box.name);
	text_str(t, " ");
	text_str(t, role_name(s->role));
	text_str(t, " ");
	text_u64(t, s->index);
	text_str(t, " ");
	event_name(t, line);
	text_str(t, " - ");
	text_clean(t, line);
}

/* False: not now. What no one takes (ECONNREFUSED is about an earlier one) is
 * gone: that is what UDP is. */
static bool send_line(const struct log_line *l)
{
	char mem[STATS_TEXT + 160];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	compose(&t, l);
	if (write(fd, t.p, t.n) >= 0 || errno == ECONNREFUSED) {
		stats_add(K.prog.stats, CNT_SYSLOG_SENT, 1);
		return true;
	}
	return false;
}

void syslog_tick(uint64_t now)
{
	uint64_t *sent = K.prog.stats->syslog_sent;
	const struct log_line *lines;
	size_t n;

	if (fd < 0 || now < again_ms || !log_more(sent))
		return;
	n = log_since(sent, &lines);
	for (size_t i = 0; i < n && i < AT_ONCE; i++) {
		if (!send_line(&lines[i])) {
			stats_add(K.prog.stats, CNT_SYSLOG_DELAYED, 1);
			again_ms = now + PAUSE_MS;
			return;
		}
		sent[lines[i].source] = lines[i].seq;
	}
}
