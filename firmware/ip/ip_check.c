/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_check - whose segment is it? What a peer of the connection knows and
 * somebody who only guesses does not: see ip_tcp.h.
 */
#include "ip/ip_tcp.h"
#include <lwip/tcp.h>

enum { BACK_MAX = 65536 }; /* what may come again, for ip_side_of_peer */

static bool ack_fits(const struct tcp_pcb *pcb, const struct frame *f)
{
	uint32_t before = pcb->snd_wnd_max;

	return (f->flags & TCP_ACK) != 0 &&
	       f->ack - (pcb->lastack - before) <=
		       (pcb->snd_nxt - pcb->lastack) + before;
}

bool ip_side_of_peer(const struct ip_side *s, const struct frame *f)
{
	const struct tcp_pcb *pcb = s->pcb;

	return pcb && pcb->state >= ESTABLISHED && ack_fits(pcb, f) &&
	       (f->flags & (TCP_RST | TCP_SYN)) == 0 &&
	       f->seq - (pcb->rcv_nxt - BACK_MAX) <=
		       (uint32_t)pcb->rcv_wnd + BACK_MAX;
}

bool ip_side_acceptable(const struct ip_side *s, const struct frame *f)
{
	const struct tcp_pcb *pcb = s->pcb;
	uint32_t from, end;

	if (!pcb || pcb->state < ESTABLISHED ||
	    (f->flags & (TCP_RST | TCP_SYN)) != 0)
		return true;
	if (!ack_fits(pcb, f))
		return false;
	from = f->seq - pcb->rcv_nxt;
	end = from + f->data_n + ((f->flags & TCP_FIN) != 0);
	/* It begins in the window, or before it and reaches into it. */
	return from <= (uint32_t)pcb->rcv_wnd ||
	       ((from & 1u << 31) != 0 && (end & 1u << 31) == 0 && end != 0);
}

bool ip_side_behind_hole(const struct ip_side *s, const struct frame *f)
{
	const struct tcp_pcb *pcb = s->pcb;

	return pcb && pcb->state >= ESTABLISHED &&
	       f->seq - pcb->rcv_nxt - 1 < 1u << 31;
}

bool ip_side_in_flight(const struct ip_side *s, uint32_t seq)
{
	const struct tcp_pcb *pcb = s->pcb;

	return pcb && seq - pcb->lastack < pcb->snd_nxt - pcb->lastack;
}
