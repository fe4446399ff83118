/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_PCAPNG_H
#define PROTO_PCAPNG_H

#include "base/addr.h"
#include "base/span.h"

/*
 * pcapng - write captured frames as a file that tcpdump, tshark and Wireshark read
 * (draft-ietf-opsawg-pcapng): one section, an interface for each port, a block for
 * each frame, comments.
 *
 *	begin, then frame ..., then end
 *
 * Without memory (p NULL) nothing is written and n is how much it would be; so the
 * same calls measure and write. Pure.
 */
struct pcapng {
	uint8_t *p;
	size_t n;
};

/* comment: about all of it. */
void pcapng_begin(struct pcapng *w, struct span comment);

/* original: octets that the frame had, of which bytes are the first. leaves: the
 * box sent it. comment: may be empty. */
void pcapng_frame(struct pcapng *w, enum port port, uint64_t unix_us,
		  bool leaves, struct span bytes, size_t original,
		  struct span comment);

/* Fill up to a multiple of so many octets, with a comment that says nothing: a file
 * transfer by XMODEM adds octets otherwise. multiple: of 4, 128 at least. */
void pcapng_end(struct pcapng *w, size_t multiple);

#endif
