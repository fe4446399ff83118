/* SPDX-License-Identifier: BSD-2-Clause */
/* carry - see carry.h. */
#include <string.h>
#include "drivers/carry.h"

void carry_set(struct carry *c, bool on, uint64_t now)
{
	if (c->on == on)
		return;
	memset(c, 0, sizeof(*c));
	c->on = on;
	for (enum port p = INSIDE; p < PORTS; p++)
		c->grace_ms[p] = now + CARRY_GRACE_MS;
}

static void hold(struct carry *c, enum port p, uint64_t now)
{
	bool again = c->released_ms != 0 &&
		     now - c->released_ms < CARRY_QUIET_MS;

	c->back_off_ms = again ? 2 * c->back_off_ms : CARRY_MIN_MS;
	if (c->back_off_ms > CARRY_MAX_MS)
		c->back_off_ms = CARRY_MAX_MS;
	c->held[p] = true;
	c->held_ms = now;
}

static void release(struct carry *c, enum port p, uint64_t now)
{
	c->held[p] = false;
	c->released_ms = now;
	c->grace_ms[p] = now + CARRY_GRACE_MS;
}

bool carry_look(struct carry *c, const bool link[PORTS], uint64_t now)
{
	if (!c->on)
		return false;
	for (enum port p = INSIDE; p < PORTS; p++) {
		enum port other = p == INSIDE ? OUTSIDE : INSIDE;

		if (link[p])
			c->grace_ms[p] = 0;
		if (c->held[p])
			continue; /* its link is our own doing */
		if (!link[p] && !c->held[other] && now >= c->grace_ms[p]) {
			hold(c, other, now);
			return true;
		}
		if (link[p] && c->held[other] &&
		    now - c->held_ms >= c->back_off_ms) {
			release(c, other, now);
			return true;
		}
	}
	return false;
}
