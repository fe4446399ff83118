/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xmodem_out - send a file; see xmodem.h.
 *
 *	START --C or NAK--> BLOCK --ACK--> BLOCK ... --ACK--> EOT --ACK--> ENDING
 *	                     ^ | NAK                          ^ | NAK, a pause
 *	                     +-+                              +-+
 *
 * The receiver has the clock: it asks again when nothing has come. What it said
 * while a block was still leaving is about an earlier one.
 */
#include "cli/xmodem.h"

enum {
	WAIT_MS = 60000, /* for the answer to a block */
	EOT_MS = 4000,	 /* for the answer to the end, then once more */
	EOT_TRIES = 6,	 /* its last answer may be lost, and nobody there */
	POLL_MS = 2000,	 /* a C sooner than this was there before the block */
	END_MS = 2000,	 /* quiet behind a failure */
	DONE_MS = 1000,	 /* a receiver throws away what follows at once */
	NOISE_MS = 30000,
	LONG_TRIES = 2, /* of the first block, before short ones are tried */
};

static void quiet(struct xmodem_out *x, uint64_t ms, uint64_t now)
{
	x->state = OUT_ENDING;
	x->until = now + ms;
	x->limit = now + NOISE_MS;
}

static void fail(struct xmodem_out *x, enum xmodem_end why, uint64_t now)
{
	x->ending = why;
	quiet(x, END_MS, now);
	x->at = 0;
	x->n = 8;
	memset(x->frame, XMODEM_CAN, x->n);
}

/* The short frame that carries only a little is the last one: the rest of a file
 * is not worth a long one that is mostly padding. */
static size_t size_of_next(const struct xmodem_out *x)
{
	bool little = x->rest.n <= XMODEM_LONG - XMODEM_SHORT;

	return !x->crc || x->small || little ? XMODEM_SHORT : XMODEM_LONG;
}

static void send_block(struct xmodem_out *x, uint64_t now)
{
	size_t size = size_of_next(x);
	uint8_t *data = x->frame + 3;
	struct span all = { data, size };

	x->data_n = x->rest.n < size ? x->rest.n : size;
	x->frame[0] = size == XMODEM_LONG ? XMODEM_STX : XMODEM_SOH;
	x->frame[1] = x->number;
	x->frame[2] = (uint8_t)~x->number;
	memset(data, XMODEM_PAD, size);
	memcpy(data, x->rest.p, x->data_n);
	x->n = 3 + size;
	if (x->crc) {
		uint16_t crc = xmodem_crc(all);

		x->frame[x->n++] = (uint8_t)(crc >> 8);
		x->frame[x->n++] = (uint8_t)crc;
	} else {
		uint8_t sum = 0;

		for (size_t i = 0; i < size; i++)
			sum = (uint8_t)(sum + data[i]);
		x->frame[x->n++] = sum;
	}
	x->at = 0;
	x->state = OUT_BLOCK;
	x->asked = now;
	x->until = now + WAIT_MS;
}

static void send_eot(struct xmodem_out *x, uint64_t now)
{
	x->frame[0] = XMODEM_EOT;
	x->n = 1;
	x->at = 0;
	x->state = OUT_EOT;
	x->until = now + EOT_MS;
}

/* The next block, or the end. */
static void go_on(struct xmodem_out *x, uint64_t now)
{
	x->tries = 0;
	if (x->rest.n > 0)
		send_block(x, now);
	else
		send_eot(x, now);
}

static void again(struct xmodem_out *x, enum xmodem_end why, uint64_t now)
{
	bool eot = x->state == OUT_EOT;

	if (++x->tries >= (eot ? EOT_TRIES : XMODEM_TRIES))
		fail(x, why, now);
	else if (eot)
		send_eot(x, now);
	else
		send_block(x, now);
}

static void answer(struct xmodem_out *x, uint8_t c, uint64_t now)
{
	bool start = x->state == OUT_START;

	if (start && (c == XMODEM_CRC || c == XMODEM_NAK)) {
		x->crc = c == XMODEM_CRC;
		go_on(x, now);
	} else if (start) {
		return;
	} else if (c == XMODEM_NAK) {
		again(x, XMODEM_DAMAGED, now);
	} else if (c == XMODEM_CRC && x->state == OUT_BLOCK && x->number == 1 &&
		   now - x->asked >= POLL_MS) {
		/* it has taken nothing yet, so the size may still change */
		x->small = x->small || x->tries + 1 >= LONG_TRIES;
		again(x, XMODEM_DAMAGED, now);
	} else if (c == XMODEM_ACK && x->state == OUT_EOT) {
		x->ending = XMODEM_DONE;
		quiet(x, DONE_MS, now);
	} else if (c == XMODEM_ACK) {
		x->rest = span_skip(x->rest, x->data_n);
		x->number++;
		go_on(x, now);
	}
}

static void octet(struct xmodem_out *x, uint8_t c, uint64_t now)
{
	uint8_t before = x->stop;

	x->stop = 0;
	if (x->state == OUT_ENDING) {
		if (c == XMODEM_CTRL_C) /* somebody who cannot wait */
			return;
		x->until = now + END_MS < x->limit ? now + END_MS : x->limit;
	} else if (c == XMODEM_CAN || c == XMODEM_CTRL_C) {
		x->stop = c;
		if (c == before ||
		    (c == XMODEM_CTRL_C && x->state == OUT_START))
			fail(x, XMODEM_STOPPED, now);
	} else if (x->at == x->n) {
		answer(x, c, now);
	}
}

void xmodem_out_init(struct xmodem_out *x, struct span file, uint64_t now)
{
	memset(x, 0, sizeof(*x));
	x->rest = file;
	x->number = 1;
	x->until = now + XMODEM_BEGIN_MS;
}

void xmodem_out_feed(struct xmodem_out *x, struct span in, uint64_t now)
{
	for (size_t i = 0; i < in.n && x->end == XMODEM_GOES_ON; i++)
		octet(x, in.p[i], now);
}

void xmodem_out_tick(struct xmodem_out *x, uint64_t now)
{
	if (now < x->until || x->end != XMODEM_GOES_ON)
		return;
	switch (x->state) {
	case OUT_START: fail(x, XMODEM_NOBODY, now); break;
	case OUT_BLOCK: fail(x, XMODEM_SILENT, now); break;
	case OUT_EOT: again(x, XMODEM_SILENT, now); break;
	case OUT_ENDING: x->end = x->ending; break;
	}
}

struct span xmodem_out_out(const struct xmodem_out *x)
{
	return (struct span){ x->frame + x->at, x->n - x->at };
}

void xmodem_out_sent(struct xmodem_out *x, size_t n)
{
	x->at += n;
}

uint64_t xmodem_out_deadline(const struct xmodem_out *x)
{
	return x->until;
}

enum xmodem_end xmodem_out_end(const struct xmodem_out *x)
{
	return x->end;
}
