/* SPDX-License-Identifier: BSD-2-Clause */
/* pcapng - see pcapng.h. A block is type, length, body, options, length again; all
 * little-endian here, and padded to four octets. */
#include <string.h>
#include "base/bytes.h"
#include "proto/pcapng.h"

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_FRAME = 6,
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_NAME = 2,  /* of an interface */
	OPT_FLAGS = 2, /* of a frame */
	OPT_APPLICATION = 4,
	LINK_ETHERNET = 1,
	INBOUND = 1,
	OUTBOUND = 2,
};

#define BLOCK_SECTION 0x0a0d0d0au
#define BYTE_ORDER_IS 0x1a2b3c4du

static void u32(struct pcapng *w, uint32_t v)
{
	if (w->p)
		put_le32(w->p + w->n, v);
	w->n += 4;
}

static void u16s(struct pcapng *w, unsigned a, unsigned b)
{
	u32(w, (uint32_t)(a | b << 16));
}

static void bytes(struct pcapng *w, struct span s)
{
	size_t padded = (s.n + 3) & ~(size_t)3;

	if (w->p && s.n > 0) {
		memcpy(w->p + w->n, s.p, s.n);
		memset(w->p + w->n + s.n, 0, padded - s.n);
	}
	w->n += padded;
}

static void option(struct pcapng *w, unsigned code, struct span value)
{
	if (value.n > 0xffff)
		value.n = 0xffff;
	u16s(w, code, (unsigned)value.n);
	bytes(w, value);
}

static void comment_(struct pcapng *w, struct span comment)
{
	if (comment.n > 0)
		option(w, OPT_COMMENT, comment);
}

/* Where it began; its length is known at the end. */
static size_t open_block(struct pcapng *w, uint32_t type)
{
	size_t at = w->n;

	u32(w, type);
	u32(w, 0);
	return at;
}

static void close_block(struct pcapng *w, size_t at)
{
	uint32_t n;

	u16s(w, OPT_END, 0);
	n = (uint32_t)(w->n - at + 4);
	u32(w, n);
	if (w->p)
		put_le32(w->p + at + 4, n);
}

static void interface(struct pcapng *w, const char *name)
{
	size_t at = open_block(w, BLOCK_INTERFACE);

	u16s(w, LINK_ETHERNET, 0);
	u32(w, 0); /* frames are not cut */
	option(w, OPT_NAME, span_str(name));
	close_block(w, at);
}

void pcapng_begin(struct pcapng *w, struct span comment)
{
	size_t at = open_block(w, BLOCK_SECTION);

	u32(w, BYTE_ORDER_IS);
	u16s(w, 1, 0); /* version */
	u32(w, UINT32_MAX);
	u32(w, UINT32_MAX); /* length of the section: not said */
	comment_(w, comment);
	option(w, OPT_APPLICATION, SPAN_LIT("sealwire"));
	close_block(w, at);
	interface(w, "inside");
	interface(w, "outside");
}

void pcapng_frame(struct pcapng *w, enum port port, uint64_t unix_us,
		  bool leaves, struct span frame, size_t original,
		  struct span comment)
{
	size_t at = open_block(w, BLOCK_FRAME);
	uint8_t flags[4];

	u32(w, (uint32_t)port);
	u32(w, (uint32_t)(unix_us >> 32));
	u32(w, (uint32_t)unix_us);
	u32(w, (uint32_t)frame.n);
	u32(w, (uint32_t)original);
	bytes(w, frame);
	comment_(w, comment);
	put_le32(flags, leaves ? OUTBOUND : INBOUND);
	option(w, OPT_FLAGS, (struct span){ flags, sizeof(flags) });
	close_block(w, at);
}

void pcapng_end(struct pcapng *w, size_t multiple)
{
	/* a block of statistics with a comment of n octets */
	const size_t head = 8 + 12 + 4 + 4 + 4;
	size_t over = (w->n + head) % multiple;
	size_t n = over > 0 ? multiple - over : 0, at;

	at = open_block(w, BLOCK_STATISTICS);
	u32(w, INSIDE);
	u32(w, 0);
	u32(w, 0);
	u16s(w, OPT_COMMENT, (unsigned)n);
	if (w->p)
		memset(w->p + w->n, ' ', n);
	w->n += n;
	close_block(w, at);
}
