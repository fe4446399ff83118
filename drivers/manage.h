/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_MANAGE_H
#define DRIVERS_MANAGE_H

#include <net/if.h>
#include <stdbool.h>
#include "base/addr.h"
#include "base/err.h"

/*
 * manage - the management address, at an interface that carries no mail, and a way
 * to some hosts. Nothing listens there. Needs CAP_NET_ADMIN; used by boss alone.
 */
struct manage {
	char name[IFNAMSIZ];
	char why[160]; /* of the last error: what, where, the kernel's word */
};

/*
 * The interface has this address (its port member is the prefix length; 0: none,
 * and it is down) and nothing that it had before. Addresses are of one kind, here
 * and below. E_IO with why set; the interface is down then.
 */
MUST_CHECK int manage_set(struct manage *m, const struct endpoint *address);

/* Then: a route through this gateway to the host, and to nobody else. One that is
 * there already will do. E_IO with why set. */
MUST_CHECK int manage_route(struct manage *m, const struct endpoint *gateway,
			    const struct endpoint *host);

/*
 * A datagram socket from address to host that can be handed to a program without
 * rights: connected and nonblocking; deaf: and closed to whatever comes in, for
 * good. E_IO with why set.
 */
MUST_CHECK int manage_socket(struct manage *m, const struct endpoint *address,
			     const struct endpoint *host, bool deaf, int *fd);

#endif
