/* SPDX-License-Identifier: BSD-2-Clause */
/* loop - see loop.h. */
#include <errno.h>
#include <stddef.h>
#include <time.h>
#include "proc/loop.h"

static uint64_t clock_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t clock_ms(clockid_t id)
{
	return clock_us(id) / 1000;
}

uint64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

uint64_t now_unix_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

uint64_t now_unix_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

uint64_t now_raw_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC_RAW);
}

int loop_init(struct loop *l)
{
	*l = (struct loop){ .epfd = epoll_create1(EPOLL_CLOEXEC) };
	return l->epfd < 0 ? E_IO : OK;
}

int loop_add(struct loop *l, struct watch *w, int fd, uint32_t events,
	     void (*ready)(struct watch *, uint32_t))
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	*w = (struct watch){ fd, events, ready };
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &e) == 0)
		return OK;
	w->fd = -1;
	return E_IO;
}

void loop_mod(struct loop *l, struct watch *w, uint32_t events)
{
	/* Who waits for nothing would still be told of a hang-up, in each turn
	 * anew: told once is enough. */
	uint32_t want = events ? events : EPOLLET;
	struct epoll_event e = { .events = want, .data.ptr = w };

	if (w->fd < 0 || w->events == want)
		return;
	w->events = want;
	epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &e);
}

void loop_del(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	for (int i = l->ev_i; i < l->ev_n; i++)
		if (l->ev[i].data.ptr == w)
			l->ev[i].data.ptr = NULL;
}

void loop_turn(struct loop *l, int timeout_ms)
{
	l->ev_n = epoll_wait(l->epfd, l->ev, sizeof(l->ev) / sizeof(l->ev[0]),
			     timeout_ms);
	for (l->ev_i = 0; l->ev_i < l->ev_n;) {
		struct epoll_event e = l->ev[l->ev_i++];
		struct watch *w = e.data.ptr;

		if (w)
			w->ready(w, e.events);
	}
	l->ev_n = l->ev_i = 0;
}
