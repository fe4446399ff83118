/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_LINK_H
#define DRIVERS_LINK_H

#include <net/if.h>
#include "base/addr.h"
#include "drivers/classifier.h"

/*
 * link - the two ports as network interfaces: up and down, and what the kernel
 * does with frames that come in. Speaks rtnetlink itself; the device has no tc
 * and no ip. Needs CAP_NET_ADMIN; used by boss alone.
 *
 *	ingress of each port:  1  classifier: mail is dropped here (the packet
 *	                          tap in front of it has seen it already); a VLAN
 *	                          of the box goes up inside and is dropped outside
 *	                       2  everything else: redirected to the other port
 */
struct link {
	int sock;
	uint32_t seq;
	char name[PORTS][IFNAMSIZ];
	int index[PORTS];
	char why[160]; /* of the last error: what, where, and the kernel's word */
};

/* Find both ports. E_IO with why set. */
MUST_CHECK int link_open(struct link *l, const char *inside,
			 const char *outside);

/* True if both filters of both ports are attached, with just these programs. */
bool link_attached(struct link *l, const struct classifier tc[PORTS]);

/*
 * Attach (or replace, without a gap) on both ports, read everything back and
 * compare. E_IO with why set; then the ports must not be brought up.
 */
MUST_CHECK int link_attach(struct link *l, const struct classifier tc[PORTS]);

/* Promiscuous, no address, no ARP, no IPv6, no multicast of its own: the box
 * itself never speaks. As large an MTU as the port can have, up to LINK_MTU.
 * Then up. */
enum { LINK_MTU = 9216 };
MUST_CHECK int link_up(struct link *l, enum port p);
MUST_CHECK int link_down(struct link *l, enum port p);

/*
 * An interface of this name for the VLAN of a port, down and without an address; it
 * answers ARP, as the port does not. One that has the name is deleted first.
 * vlan 0: no more than that. E_IO with why set: there is none then.
 */
enum { LINK_VLAN_MTU = 1500 };
MUST_CHECK int link_vlan(struct link *l, enum port p, uint16_t vlan,
			 const char *name);

struct link_state {
	bool up, carrier;
	uint32_t mtu;
};
MUST_CHECK int link_state(struct link *l, enum port p, struct link_state *s);

#endif
