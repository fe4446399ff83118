/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xmodem_in - take a file; see xmodem.h.
 *
 *	HEADER --SOH, STX--> BLOCK --complete and right--> ACK --> HEADER
 *	  | ^                  | damaged, or a pause
 *	  | +-- NAK <-- quiet -+-- PURGE <-- anything else -- HEADER
 *	  +-- EOT twice: ACK --> ENDING --quiet--> the end
 *	      CAN CAN, ^C ^C, too often: CAN --^
 *
 * A duplicate (our ACK was lost) is acknowledged and dropped. The first EOT is
 * refused, because noise can make one octet. An EOT behind a block that did not
 * come right is no end: the sender has taken an old ACK for the answer.
 */
#include "cli/xmodem.h"

enum {
	POLL_MS = 3000,	  /* how often the file is asked for */
	CRC_POLLS = 15,	  /* of these with the wish for a CRC */
	POLLS = 30,	  /* of XMODEM_BEGIN_MS */
	WAIT_MS = 10000,  /* for the next block */
	GAP_MS = 1000,	  /* within a block; and what is quiet */
	END_MS = 2000,	  /* quiet behind a failure */
	NOISE_MS = 30000, /* what never gets quiet */
	CANS = 5,	  /* in the middle of a block, and then silence */
	BACKSPACE = 0x08, /* senders hide their CAN with it */
	TYPED_MS = 100,	  /* no sender pauses so long before a ^C */
};

static void reply(struct xmodem_in *x, uint8_t c)
{
	x->out[0] = c;
	x->out_n = 1;
}

static void to(struct xmodem_in *x, enum xmodem_in_state state, uint64_t now,
	       uint64_t ms)
{
	x->state = state;
	x->until = now + ms;
	x->limit = now + NOISE_MS;
	x->cans = 0;
	x->stop = 0;
}

static void fail(struct xmodem_in *x, enum xmodem_end why, uint64_t now)
{
	if (x->state == IN_ENDING)
		return;
	memset(x->out, XMODEM_CAN, sizeof(x->out));
	x->out_n = sizeof(x->out);
	x->ending = why;
	to(x, IN_ENDING, now, END_MS);
}

/* Once more, please. Before the first block this also says which check. */
static void again(struct xmodem_in *x, uint64_t now)
{
	x->tries++;
	if (!x->begun && x->tries >= POLLS) {
		fail(x, XMODEM_NOBODY, now);
		return;
	}
	if (x->begun && x->tries >= XMODEM_TRIES) {
		fail(x, x->bad ? XMODEM_DAMAGED : XMODEM_SILENT, now);
		return;
	}
	x->crc = x->crc && (x->begun || x->tries < CRC_POLLS);
	reply(x, !x->begun && x->crc ? XMODEM_CRC : XMODEM_NAK);
	to(x, IN_HEADER, now, x->begun ? WAIT_MS : POLL_MS);
}

/* Wait until the line is quiet, and ask once more then. */
static void damaged(struct xmodem_in *x, uint64_t now)
{
	unsigned cans = x->cans;

	x->bad = true;
	to(x, IN_PURGE, now, GAP_MS);
	x->cans = cans;
}

static bool right(const struct xmodem_in *x)
{
	size_t n = x->want - (x->crc ? 4 : 3);
	struct span data = { x->frame + 2, n };
	const uint8_t *check = data.p + n;
	uint8_t sum = 0;

	if (x->crc)
		return xmodem_crc(data) == (check[0] << 8 | check[1]);
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + data.p[i]);
	return sum == check[0];
}

/* A frame is complete. */
static void frame(struct xmodem_in *x, uint64_t now, struct span *data)
{
	uint8_t number = x->frame[0];

	if (!right(x)) {
		damaged(x, now);
		return;
	}
	if (number == x->number) {
		*data = (struct span){ x->frame + 2,
				       x->want - (x->crc ? 4 : 3) };
		x->number++;
		x->begun = true;
		x->tries = 0;
	} else if (!x->begun || number != (uint8_t)(x->number - 1)) {
		fail(x, XMODEM_ORDER, now);
		return;
	} else if (++x->tries >= XMODEM_TRIES) {
		fail(x, XMODEM_SILENT, now);
		return;
	}
	x->bad = x->eot = false;
	reply(x, XMODEM_ACK);
	to(x, IN_HEADER, now, WAIT_MS);
}

static void block(struct xmodem_in *x, uint8_t c, uint64_t now,
		  struct span *data)
{
	x->frame[x->n++] = c;
	x->until = now + GAP_MS;
	if (x->n == 2 && (uint8_t)(x->frame[0] ^ x->frame[1]) != 0xff)
		damaged(x, now);
	else if (x->n == x->want)
		frame(x, now, data);
}

static void begin(struct xmodem_in *x, size_t n, uint64_t now)
{
	x->n = 0;
	x->want = n + (x->crc ? 4 : 3);
	to(x, IN_BLOCK, now, GAP_MS);
}

static void end_of_file(struct xmodem_in *x, uint64_t now)
{
	if (x->bad) {
		fail(x, XMODEM_ORDER, now);
		return;
	}
	reply(x, x->eot ? XMODEM_ACK : XMODEM_NAK);
	if (!x->eot) {
		x->eot = true;
		to(x, IN_HEADER, now, WAIT_MS);
		return;
	}
	x->ending = XMODEM_DONE;
	to(x, IN_ENDING, now, GAP_MS);
}

static void header(struct xmodem_in *x, uint8_t c, uint64_t now)
{
	uint8_t before = x->stop;

	x->stop = 0;
	switch (c) {
	case XMODEM_SOH: begin(x, XMODEM_SHORT, now); break;
	case XMODEM_STX: begin(x, XMODEM_LONG, now); break;
	case XMODEM_EOT: end_of_file(x, now); break;
	case XMODEM_CTRL_C:
	case XMODEM_CAN:
		if (c == before || (c == XMODEM_CTRL_C && !x->begun))
			fail(x, XMODEM_STOPPED, now);
		else
			x->stop = c;
		break;
	default:
		to(x, IN_PURGE, now, GAP_MS);
		x->n = 1;
		break;
	}
}

static void octet(struct xmodem_in *x, uint8_t c, uint64_t now,
		  struct span *data)
{
	uint64_t quiet = GAP_MS, before = x->heard;

	x->heard = now;
	x->ctrl_c = c == XMODEM_CTRL_C ? x->ctrl_c + 1 : 0;
	if (x->ctrl_c > 2 && now - before >= TYPED_MS) {
		fail(x, XMODEM_STOPPED, now);
		return;
	}
	if (c == XMODEM_CAN)
		x->cans++;
	else if (c != BACKSPACE)
		x->cans = 0;
	switch (x->state) {
	case IN_HEADER: header(x, c, now); return;
	case IN_BLOCK: block(x, c, now, data); return;
	case IN_ENDING:
		/* the ACK was lost: the sender asks again */
		if (x->ending == XMODEM_DONE && c == XMODEM_EOT)
			reply(x, XMODEM_ACK);
		if (c == XMODEM_CTRL_C) /* somebody who cannot wait */
			return;
		quiet = x->ending == XMODEM_DONE ? GAP_MS : END_MS;
		break;
	case IN_PURGE: x->n++; break;
	}
	x->until = now + quiet < x->limit ? now + quiet : x->limit;
}

void xmodem_in_init(struct xmodem_in *x, uint64_t now)
{
	memset(x, 0, sizeof(*x));
	x->number = 1;
	x->crc = true;
	reply(x, XMODEM_CRC);
	to(x, IN_HEADER, now, POLL_MS);
}

size_t xmodem_in_feed(struct xmodem_in *x, struct span in, uint64_t now,
		      struct span *data)
{
	size_t i = 0;

	*data = (struct span){ NULL, 0 };
	while (i < in.n && data->n == 0 && x->out_n == 0 &&
	       x->end == XMODEM_GOES_ON)
		octet(x, in.p[i++], now, data);
	return i;
}

void xmodem_in_tick(struct xmodem_in *x, uint64_t now)
{
	if (now < x->until || x->end != XMODEM_GOES_ON)
		return;
	if (x->state == IN_ENDING) {
		x->end = x->ending;
		return;
	}
	/* so much noise may have been a block without its first octet */
	x->bad = x->bad || x->state == IN_BLOCK ||
		 (x->state == IN_PURGE && x->n >= XMODEM_SHORT);
	if (x->cans >= CANS)
		fail(x, XMODEM_STOPPED, now);
	else
		again(x, now);
}

void xmodem_in_stop(struct xmodem_in *x, uint64_t now)
{
	fail(x, XMODEM_GAVE_UP, now);
}

struct span xmodem_in_out(const struct xmodem_in *x)
{
	return (struct span){ x->out, x->out_n };
}

void xmodem_in_sent(struct xmodem_in *x, size_t n)
{
	x->out_n -= n;
	memmove(x->out, x->out + n, x->out_n);
}

uint64_t xmodem_in_deadline(const struct xmodem_in *x)
{
	return x->until;
}

enum xmodem_end xmodem_in_end(const struct xmodem_in *x)
{
	return x->end;
}
