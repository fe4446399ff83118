/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/span.h"

/*
 * buf - bytes that wait: put at the end, taken from the front.
 *
 * The memory is the caller's and stays where it is; a buf never grows. When
 * the front has been taken, the rest moves down only when room is asked for.
 */
struct buf {
	uint8_t *p;
	size_t size, head, tail; /* waiting: p[head] .. p[tail - 1] */
};

static inline void buf_init(struct buf *b, void *mem, size_t size)
{
	*b = (struct buf){ mem, size, 0, 0 };
}

/* What waits. Valid until the next call that is not buf_span or buf_left. */
static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->p + b->head, b->tail - b->head };
}

/* How many more bytes fit. */
static inline size_t buf_left(const struct buf *b)
{
	return b->size - (b->tail - b->head);
}

/* Drop n waiting bytes from the front; n at most what waits. */
static inline void buf_drop(struct buf *b, size_t n)
{
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

/* Take back what was put last: the first n waiting bytes stay; n at most what
 * waits. */
static inline void buf_cut(struct buf *b, size_t n)
{
	b->tail = b->head + n;
	if (n == 0)
		b->head = b->tail = 0;
}

/* Make all of buf_left() writable in one piece and return where it begins;
 * say with buf_grow how much was written there. */
static inline uint8_t *buf_room(struct buf *b)
{
	if (b->head > 0) {
		memmove(b->p, b->p + b->head, b->tail - b->head);
		b->tail -= b->head;
		b->head = 0;
	}
	return b->p + b->tail;
}

static inline void buf_grow(struct buf *b, size_t n)
{
	b->tail += n;
}

/* All of s or nothing: E_FULL when it does not fit. */
MUST_CHECK static inline int buf_put(struct buf *b, struct span s)
{
	if (s.n > buf_left(b))
		return E_FULL;
	if (s.n > b->size - b->tail)
		buf_room(b);
	if (s.n > 0)
		memcpy(b->p + b->tail, s.p, s.n);
	b->tail += s.n;
	return OK;
}

#endif
