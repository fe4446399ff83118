/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_XMODEM_H
#define CLI_XMODEM_H

#include "base/span.h"

/*
 * xmodem - a file over a line that also carries people and noise: XMODEM with
 * CRC, with blocks of 1 KiB, and with the old checksum (Christensen 1977,
 * Forsberg 1988, "XMODEM/YMODEM Protocol Reference").
 *
 *	xmodem_in    takes a file      sender   --> SOH 1 ~1 128 octets CRC -->
 *	xmodem_out   sends one                  <-- ACK, or NAK: once more <--
 *
 * A file has no length here: the last block is filled up with XMODEM_PAD, and
 * who takes a text removes what is left of that at its end.
 *
 * Two CAN (^X) or two ^C in a row, where a block or an answer would begin, end
 * it; before the first block one ^C is enough: that is a person without a
 * program. Three ^C, the last one typed and not sent, end it in the middle of
 * anything. When it fails, what still comes is thrown away until the line is
 * quiet, so that the rest of a file is not taken for commands.
 *
 * Pure: octets and time in, octets out, in any pieces. All times in ms.
 */
enum {
	XMODEM_SHORT = 128,
	XMODEM_LONG = 1024,
	XMODEM_PAD = 0x1a,
	XMODEM_FRAME = XMODEM_LONG + 5, /* no answer is longer */
	XMODEM_TRIES = 10,		/* of one block */
	XMODEM_BEGIN_MS = 90000,	/* time to start the other end */
};

enum xmodem_end {
	XMODEM_GOES_ON,
	XMODEM_DONE,
	XMODEM_NOBODY,	/* the other end never began */
	XMODEM_SILENT,	/* it stopped in the middle */
	XMODEM_DAMAGED, /* one block came damaged XMODEM_TRIES times */
	XMODEM_ORDER,	/* a block is missing */
	XMODEM_STOPPED, /* by the other end, or by ^C */
	XMODEM_GAVE_UP, /* xmodem_in_stop */
};

/* For people: "the other end did not begin". */
const char *xmodem_why(enum xmodem_end e);

/* CRC-16 of polynomial 0x1021 from 0, as XMODEM has it. */
uint16_t xmodem_crc(struct span s);

struct xmodem_in {
	enum xmodem_in_state { IN_HEADER, IN_BLOCK, IN_PURGE, IN_ENDING } state;
	enum xmodem_end end, ending; /* ending: what end will be, when quiet */
	uint8_t frame[XMODEM_LONG + 4]; /* number, ~number, data, CRC */
	size_t n, want;
	uint8_t number;	 /* of the block that comes next */
	bool crc;	 /* else the checksum */
	bool begun;	 /* the first block is here */
	bool bad;	 /* the last block was not, and has not come again */
	bool eot;	 /* one was refused; the second one counts */
	uint8_t stop;	 /* CAN or ^C, if that was the octet before */
	unsigned cans;	 /* CAN in a row, within a block */
	unsigned ctrl_c; /* ^C in a row, anywhere */
	uint64_t heard;	 /* when the last octet came */
	unsigned tries;
	uint64_t until, limit;
	uint8_t out[8];
	size_t out_n;
};

/* Ask for a file. */
void xmodem_in_init(struct xmodem_in *x, uint64_t now);

/*
 * Take octets until there is something to write; how many were taken. Nothing is
 * taken before that has been written. data->n > 0: they come next in the file.
 * Store them (or xmodem_in_stop) before the answer is written; they are valid
 * until the next call on x.
 */
size_t xmodem_in_feed(struct xmodem_in *x, struct span in, uint64_t now,
		      struct span *data);
/* What waits to be written, and that n octets of it were. */
struct span xmodem_in_out(const struct xmodem_in *x);
void xmodem_in_sent(struct xmodem_in *x, size_t n);

/* There is no room for more of it. */
void xmodem_in_stop(struct xmodem_in *x, uint64_t now);

void xmodem_in_tick(struct xmodem_in *x, uint64_t now);
/* When tick must be called at the latest. */
uint64_t xmodem_in_deadline(const struct xmodem_in *x);
/* Stays XMODEM_GOES_ON until the line is quiet behind the end. */
enum xmodem_end xmodem_in_end(const struct xmodem_in *x);

struct xmodem_out {
	enum { OUT_START, OUT_BLOCK, OUT_EOT, OUT_ENDING } state;
	enum xmodem_end end, ending;
	struct span rest; /* what has not been acknowledged */
	uint8_t number;	  /* of the block that is on its way */
	size_t data_n;	  /* octets of rest in it */
	bool crc, small;  /* small: this receiver wants blocks of 128 */
	uint8_t stop;
	unsigned tries;
	uint64_t asked; /* when the block began to leave */
	uint64_t until, limit;
	uint8_t frame[XMODEM_FRAME];
	size_t n, at;
};

/* Send file, which must stay until the end, to who asks for it. Blocks are long
 * unless the receiver asks for a checksum or does not understand the first
 * one. */
void xmodem_out_init(struct xmodem_out *x, struct span file, uint64_t now);
/* Takes all of in. */
void xmodem_out_feed(struct xmodem_out *x, struct span in, uint64_t now);
struct span xmodem_out_out(const struct xmodem_out *x);
void xmodem_out_sent(struct xmodem_out *x, size_t n);
void xmodem_out_tick(struct xmodem_out *x, uint64_t now);
uint64_t xmodem_out_deadline(const struct xmodem_out *x);
enum xmodem_end xmodem_out_end(const struct xmodem_out *x);

/* The octets of the protocol. */
enum {
	XMODEM_SOH = 0x01,
	XMODEM_STX = 0x02,
	XMODEM_CTRL_C = 0x03,
	XMODEM_EOT = 0x04,
	XMODEM_ACK = 0x06,
	XMODEM_NAK = 0x15,
	XMODEM_CAN = 0x18,
	XMODEM_CRC = 'C',
};

#endif
