/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_watch - a session that witness shows, at a terminal, row by row. There is
 * one at a time; who asks next takes it.
 */
#include <unistd.h>
#include "base/domain.h"
#include "conf/conf_value.h"
#include "proc/console/console.h"

static uint64_t questions;

static bool ask(uint64_t number, const uint8_t ip[16], struct span domain)
{
	struct ipc_msg m = { .type = IPC_WATCH, .number = number, .fd_n = 1 };
	int r = E_PEER_GONE;

	memcpy(m.client.ip, ip, 16);
	m.fd[0] = exec_text_fd(domain);
	if (m.fd[0] < 0)
		return false;
	if (K.witness.fd >= 0)
		r = ipc_send(K.witness.fd, ROLE_CONSOLE, ROLE_WITNESS, &m);
	close(m.fd[0]);
	return r == OK;
}

static void refuse(struct tty *t, const char *why)
{
	tty_say(t, why);
	tty_prompt(t);
}

void watch_begin(struct tty *t)
{
	struct span words = span_str(t->s.spelled);
	struct span domain = SPAN_LIT("watch domain ");
	struct span peer = SPAN_LIT("watch peer ");
	char name[DOMAIN_MAX + 1];
	uint8_t ip[16] = { 0 };
	const struct stats *w = figures_of(ROLE_WITNESS);
	size_t n = 0;

	if (words.n > domain.n &&
	    span_eq((struct span){ words.p, domain.n }, domain) &&
	    domain_normalise(name, &n, span_skip(words, domain.n)) != OK) {
		refuse(t, "% not a domain\n");
		return;
	}
	if (words.n > peer.n &&
	    span_eq((struct span){ words.p, peer.n }, peer) &&
	    !conf_ip(span_skip(words, peer.n), ip)) {
		refuse(t, "% not an address; 192.0.2.1 or 2001:db8::1\n");
		return;
	}
	exec_stop(&t->s);
	if (w && questions < w->watch.asked)
		questions = w->watch.asked; /* of a console before us */
	t->watched = ++questions;
	t->watch_seq = w ? __atomic_load_n(&w->watch.seq, __ATOMIC_ACQUIRE) : 0;
	if (!w || !ask(t->watched, ip, (struct span){ (uint8_t *)name, n })) {
		refuse(t, "% witness is not there at the moment; try again\n");
		return;
	}
	tty_say(t, "(^C ends)\n");
	t->watch_heard = false;
	t->state = TTY_WATCH;
}

void watch_stop(struct tty *t)
{
	static const uint8_t any[16];
	const struct stats *w = figures_of(ROLE_WITNESS);

	if (w && w->watch.asked == t->watched)
		(void)!ask(0, any, SPAN_LIT(""));
	tty_prompt(t);
}

void watch_rows(struct tty *t)
{
	const struct stats *w = figures_of(ROLE_WITNESS);
	uint64_t last = __atomic_load_n(&w->watch.seq, __ATOMIC_ACQUIRE);
	uint32_t state = w->watch.state;

	if (w->watch.asked < t->watched && K.witness.fd >= 0)
		return; /* it has not heard of it yet */
	if (!t->watch_heard && w->watch.asked == t->watched)
		tty_say(t, "inside                               | outside\n"
			   "(the next session follows)\n");
	t->watch_heard = true;
	if (last - t->watch_seq > STATS_WATCH) {
		tty_say(t, "(rows are left out here)\n");
		t->watch_seq = last - STATS_WATCH;
	}
	while (t->watch_seq < last && buf_left(&t->out) >= TTY_ROOM) {
		char row[STATS_WATCH_ROW];
		struct text line;
		char mem[STATS_WATCH_ROW + 2];

		memcpy(row, w->watch.row[++t->watch_seq % STATS_WATCH],
		       sizeof(row));
		text_init(&line, mem, sizeof(mem));
		text_clean(&line, (struct span){ (uint8_t *)row,
						 strnlen(row, sizeof(row)) });
		text_str(&line, "\n");
		tty_text(t, text_done(&line));
	}
	if (t->watch_seq < last)
		return;
	if (w->watch.asked != t->watched || state == WATCH_OFF)
		refuse(t, "(somebody else watches now, or witness has "
			  "stopped)\n");
	else if (state == WATCH_ENDED)
		refuse(t, "(that was all)\n");
}
