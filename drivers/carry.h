/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_CARRY_H
#define DRIVERS_CARRY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"

/*
 * carry - the link of one port is carried to the other: who is behind the box sees
 * that the cable in front of it is out, as with a cable. Pure.
 *
 * A port that loses its link is the cause and stays up, so that its return is
 * seen; the other one is held down. When the cause has its link again, and not
 * sooner than the back-off, the other one is brought up, and has a grace to find
 * its own. So two boxes behind each other never hold each other down for ever:
 * what is held is never waited for.
 *
 * A link that comes and goes: the back-off begins with CARRY_MIN_MS and doubles up
 * to CARRY_MAX_MS, until it has been quiet for CARRY_QUIET_MS.
 */
enum {
	CARRY_MIN_MS = 3000,
	CARRY_MAX_MS = 24000,
	CARRY_GRACE_MS = 6000, /* to negotiate a link */
	CARRY_QUIET_MS = 60000,
};

struct carry {
	bool on;
	bool held[PORTS];	  /* keep this port down */
	uint64_t held_ms;	  /* since when */
	uint64_t back_off_ms;	  /* at least so long */
	uint64_t released_ms;	  /* when one was brought up last; 0: never */
	uint64_t grace_ms[PORTS]; /* until then no link is no loss */
};

/* On or off; off: nothing is held. */
void carry_set(struct carry *c, bool on, uint64_t now);

/* What the ports look like now; links of a port that is held do not count. True:
 * c->held has changed. */
bool carry_look(struct carry *c, const bool link[PORTS], uint64_t now);

#endif
