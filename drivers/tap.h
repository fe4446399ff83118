/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_TAP_H
#define DRIVERS_TAP_H

#include <linux/filter.h>
#include <stdint.h>
#include "base/err.h"
#include "base/span.h"

/*
 * tap - see what leaves a port, as it leaves: what wire sends and what the kernel
 * redirects alike, after everything that could change it; and what comes, before
 * anything has. Frames can be super-frames of up to 64 KiB; a VLAN tag that the
 * kernel keeps beside a frame is put back.
 */
enum {
	TAP_FRAME_MAX = 65536 + 64,
	TAP_HEAD = 4, /* room for a tag, in front of a frame */
	TAP_PORTS_MAX = 32,
	TAP_CODE_MAX = 512,
	TAP_ASKS_KEPT =
		128, /* octets of a question: the headers, and its own */
};

enum tap_what {
	TAP_NOTHING,
	TAP_LEAVES, /* to these ports */
	TAP_BOTH,   /* to and from these ports, both ways, and ICMP */
	TAP_ASKS, /* questions to resolvers, whatever the ports: UDP to port 53 */
};

struct tap_filter {
	struct sock_filter code[TAP_CODE_MAX];
	unsigned short n;
};

/* boss: a socket for the interface that sees nothing yet. E_IO: errno says why. */
MUST_CHECK int tap_open(int ifindex, int *fd);

/* boss: a socket that sees the beginning of what comes in and is a question to a
 * resolver, for good, and has room for a few of them: who has no time to look loses no
 * more than that. Frames of a storm are dropped where they are counted, in the kernel.
 * E_IO: errno says why. */
MUST_CHECK int tap_open_asks(int ifindex, int *fd);

/*
 * Show frames, unless they certainly are something else than TCP of these ports:
 * behind a VLAN tag, in PPPoE, as a fragment, as anything that is not known, they
 * are shown. It shares nothing with the classifier. E_CONF: more than
 * TAP_PORTS_MAX.
 */
MUST_CHECK int tap_filter_build(struct tap_filter *f, enum tap_what what,
				const uint16_t *ports, unsigned n);
MUST_CHECK int tap_ports(int fd, enum tap_what what, const uint16_t *ports,
			 unsigned n);

struct tap_frame {
	struct span bytes; /* n 0: none now */
	bool leaves;
	uint64_t unix_us; /* when the kernel saw it */
};

/* The next frame, into mem (TAP_HEAD + TAP_FRAME_MAX octets). */
struct tap_frame tap_receive(int fd, uint8_t *mem);

/* Frames that there was no room for, since the last call. */
uint64_t tap_lost(int fd);

#endif
