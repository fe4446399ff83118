/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_MANAGE_H
#define DRIVERS_MANAGE_H

#include <net/if.h>
#include "base/addr.h"
#include "base/err.h"

/*
 * manage - the management port, a third one that carries no mail: one address,
 * and a way to one host. Nothing listens there. Needs CAP_NET_ADMIN; used by
 * boss alone.
 */
struct manage {
	char name[IFNAMSIZ];
	char why[160]; /* of the last error: what, where, the kernel's word */
};

/*
 * The port has this address (its port member is the prefix length; 0: none, and
 * the port is down) and nothing that it had before; and if there is a gateway
 * (port 1), a route through it to host, and to nobody else. Addresses are of
 * one kind. E_IO with why set; the port is down then.
 */
MUST_CHECK int manage_set(struct manage *m, const struct endpoint *address,
			  const struct endpoint *gateway,
			  const struct endpoint *host);

/*
 * A datagram socket from address to host that can be handed to a program without
 * rights: connected, nonblocking, and closed to whatever comes in, for good. E_IO
 * with why set.
 */
MUST_CHECK int manage_socket(struct manage *m, const struct endpoint *address,
			     const struct endpoint *host, int *fd);

#endif
