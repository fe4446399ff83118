/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_CLASSIFIER_H
#define DRIVERS_CLASSIFIER_H

#include <linux/filter.h>
#include <stdint.h>
#include "base/err.h"

/*
 * classifier - one classic BPF program that says "might be mail".
 *
 * It is attached twice, as the same instructions with other verdicts: at tc
 * ingress, where mail is stolen from the kernel's path and the rest goes on to
 * the redirect; and on the packet socket, which takes just what was stolen.
 *
 * It may take too much, never too little. Taken are: TCP with source or
 * destination port in the list; every fragment of TCP; IPv6 chains that it
 * cannot walk; ICMP errors that quote such TCP; all this behind up to five VLAN
 * tags, in PPPoE, MPLS or LLC/SNAP. proto/frame.h judges what was taken.
 *
 * The VLAN of the management address, if there is one, is no part of the wire: a
 * frame whose outermost tag is an IEEE 802.1Q one with its number gets a verdict
 * of its own, whatever is in it.
 */
enum { CLASSIFIER_PORTS_MAX = 16, CLASSIFIER_MAX = 1024 };

struct classifier {
	struct sock_filter code[CLASSIFIER_MAX];
	unsigned short n;
};

/* Verdicts of the two places. */
#define CLASSIFIER_SOCKET_TAKE 0x7fffffffu /* octets to keep: all */
#define CLASSIFIER_SOCKET_PASS 0u	   /* not for this socket */
#define CLASSIFIER_TC_TAKE     2u	   /* TC_ACT_SHOT */
#define CLASSIFIER_TC_PASS     0xffffffffu /* TC_ACT_UNSPEC: next filter */
#define CLASSIFIER_TC_KERNEL   0u /* TC_ACT_OK: up, to its VLAN device */
#define CLASSIFIER_TC_DROP     2u /* TC_ACT_SHOT */

/* The VLAN that is the box's own, 1 to 4094, and what becomes of its frames; 0:
 * there is none. */
struct classifier_own {
	uint16_t vlan;
	uint32_t verdict;
};

/* E_CONF: no port, or more than CLASSIFIER_PORTS_MAX. */
MUST_CHECK int classifier_build(struct classifier *c, const uint16_t *ports,
				unsigned ports_n, struct classifier_own own,
				uint32_t take, uint32_t pass);

#endif
