/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SESSION_GATE_H
#define SESSION_GATE_H

#include "proto/smtp_gate_in.h"
#include "proto/smtp_gate_out.h"

/*
 * gate - one of the two gates, for what does not depend on which. The contracts
 * are those of proto/smtp_gate_out.h and smtp_gate_in.h.
 */
struct gate {
	struct smtp_gate_out *out; /* client inside; else NULL */
	struct smtp_gate_in *in;   /* client outside; else NULL */
};

/* Where the peer is that TLS is spoken with. */
static inline enum side gate_outside(const struct gate *g)
{
	return g->in ? CLIENT : SERVER;
}

static inline size_t gate_feed(struct gate *g, enum side from, struct span in)
{
	return g->in ? smtp_gate_in_feed(g->in, from, in)
		     : smtp_gate_out_feed(g->out, from, in);
}

static inline bool gate_hungry(const struct gate *g, enum side from)
{
	return g->in ? smtp_gate_in_hungry(g->in, from)
		     : smtp_gate_out_hungry(g->out, from);
}

static inline struct span gate_out(const struct gate *g, enum side to)
{
	return g->in ? smtp_gate_in_out(g->in, to)
		     : smtp_gate_out_out(g->out, to);
}

static inline void gate_sent(struct gate *g, enum side to, size_t n)
{
	if (g->in)
		smtp_gate_in_sent(g->in, to, n);
	else
		smtp_gate_out_sent(g->out, to, n);
}

static inline void gate_eof(struct gate *g, enum side from)
{
	if (g->in)
		smtp_gate_in_eof(g->in, from);
	else
		smtp_gate_out_eof(g->out, from);
}

static inline void gate_gone(struct gate *g, enum side from)
{
	if (g->in)
		smtp_gate_in_gone(g->in, from);
	else
		smtp_gate_out_gone(g->out, from);
}

static inline enum gate_wish gate_wish(const struct gate *g)
{
	return g->in ? smtp_gate_in_wish(g->in) : smtp_gate_out_wish(g->out);
}

static inline bool gate_cut(const struct gate *g)
{
	return g->in ? smtp_gate_in_cut(g->in) : smtp_gate_out_cut(g->out);
}

/* early: as _tls_up of the outbound gate; the other one is fed what comes too
 * early. */
static inline void gate_tls_up(struct gate *g, const struct channel *ch,
			       bool early)
{
	if (g->in)
		smtp_gate_in_tls_up(g->in, ch);
	else
		smtp_gate_out_tls_up(g->out, ch, early);
}

static inline void gate_tls_failed(struct gate *g, const struct channel *ch)
{
	if (g->in)
		smtp_gate_in_tls_failed(g->in, ch);
	else
		smtp_gate_out_tls_failed(g->out, ch);
}

static inline void gate_tick(struct gate *g, uint64_t now_ms)
{
	if (g->in)
		smtp_gate_in_tick(g->in, now_ms);
	else
		smtp_gate_out_tick(g->out, now_ms);
}

static inline uint64_t gate_deadline(const struct gate *g)
{
	return g->in ? smtp_gate_in_deadline(g->in)
		     : smtp_gate_out_deadline(g->out);
}

static inline bool gate_event(struct gate *g, struct gate_event *ev)
{
	return g->in ? smtp_gate_in_event(g->in, ev)
		     : smtp_gate_out_event(g->out, ev);
}

static inline void gate_status(const struct gate *g, struct gate_status *st)
{
	if (g->in)
		smtp_gate_in_status(g->in, st);
	else
		smtp_gate_out_status(g->out, st);
}

#endif
