/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_PORT_NAME_H
#define DRIVERS_PORT_NAME_H

#include <net/if.h>
#include "base/err.h"

/*
 * port_name - the interface that is on a device. The kernel numbers interfaces as
 * it finds them, which on a board with USB or with clocks that come late is not the
 * same order at every start; a box must not take inside for outside.
 */

/* folder is /sys/class/net, where each interface is a link into the tree of devices;
 * device is one step on the way there ("ff540000.ethernet"). E_IO: no interface is
 * on it, or more than one. */
MUST_CHECK int port_name(const char *folder, const char *device,
			 char name[IFNAMSIZ]);

#endif
