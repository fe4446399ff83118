/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_gate - see smtp_gate.h. */
#include "proto/smtp_gate.h"

struct gate_event *gate_events_add(struct gate_events *e,
				   enum gate_event_type type)
{
	struct gate_event *ev;

	if (e->n == GATE_EVENTS) {
		e->at = (e->at + 1) % GATE_EVENTS;
		e->n--;
	}
	ev = &e->event[(e->at + e->n++) % GATE_EVENTS];
	memset(ev, 0, sizeof(*ev));
	ev->type = type;
	return ev;
}

bool gate_events_take(struct gate_events *e, struct gate_event *ev)
{
	if (e->n == 0)
		return false;
	*ev = e->event[e->at];
	e->at = (e->at + 1) % GATE_EVENTS;
	e->n--;
	return true;
}
