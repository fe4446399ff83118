/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_LOOP_H
#define PROC_LOOP_H

#include <sys/epoll.h>
#include "base/err.h"
#include "base/span.h"

/*
 * loop - one epoll, one timer: what every program sleeps in.
 *
 * A watch is embedded in whatever owns the descriptor. After loop_del, no
 * event for it is delivered any more, not even one of the same turn, so an
 * owner may free itself from inside any handler by loop_del and a free at the
 * end of the turn (on_turn).
 */
struct watch {
	int fd; /* -1: not watched */
	uint32_t events;
	void (*ready)(struct watch *w, uint32_t events);
};

struct loop {
	int epfd;
	bool stop;
	struct epoll_event ev[64];
	int ev_n, ev_i;
};

/* Zero or E_IO. */
MUST_CHECK int loop_init(struct loop *l);
/* Watch w->fd for events (EPOLLIN ...). E_IO when the kernel refuses. */
MUST_CHECK int loop_add(struct loop *l, struct watch *w, int fd,
			uint32_t events,
			void (*ready)(struct watch *, uint32_t));
/* Change what is watched; cheap when it is the same. Nothing (0): a hang-up is
 * told, once. */
void loop_mod(struct loop *l, struct watch *w, uint32_t events);
/* Stop watching; does not close. Harmless when not watched. */
void loop_del(struct loop *l, struct watch *w);

/* Wait at most timeout_ms (-1: for ever), then call the handlers of one turn. */
void loop_turn(struct loop *l, int timeout_ms);

uint64_t now_ms(void);	    /* CLOCK_MONOTONIC */
uint64_t now_unix_ms(void); /* CLOCK_REALTIME */
uint64_t now_unix_us(void); /* the same, in microseconds */
uint64_t now_raw_ms(void);  /* CLOCK_MONOTONIC_RAW: nobody corrects it */

#endif
