/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_resend - see ip_resend.h. lwIP puts what was lost back into unsent, as whole
 * segments. It does not expect them to be larger than a frame, so that
 *
 *	        lastack
 *	  |--------|---------------------|   a part of one may be acknowledged,
 *	           |------ window ----|      and one may be larger than the window
 *
 * and neither would ever be sent. So the front is taken off, and a piece is cut
 * that fits.
 */
#include <stdbool.h>
#include "ip/ip_resend.h"
#include "ip/ip_tcp.h"
#include <lwip/priv/tcp_priv.h>

uint32_t ip_in_flight(const struct tcp_pcb *pcb)
{
	return pcb->snd_nxt - pcb->lastack;
}

uint32_t ip_window(const struct tcp_pcb *pcb)
{
	return pcb->cwnd < pcb->snd_wnd ? pcb->cwnd : pcb->snd_wnd;
}

void ip_count_hole(struct ip_side *s, size_t *total)
{
	const struct tcp_seg *seg = s->pcb ? s->pcb->ooseq : NULL;

	*total -= s->hole_n;
	for (s->hole_n = 0; seg; seg = seg->next)
		s->hole_n += seg->p->tot_len;
	*total += s->hole_n;
}

/* Cut the head of unsent in two. */
static bool split_head(struct tcp_pcb *pcb, uint32_t at)
{
	u16_t keep = pcb->mss;
	err_t e;

	if (at > keep)
		pcb->mss = (u16_t)at;
	e = tcp_split_unsent_seg(pcb, (u16_t)at);
	pcb->mss = keep;
	return e == ERR_OK;
}

/* lwIP takes segments off as a whole only, and takes one that begins before
 * lastack for one beyond the window. */
static void trim_head(struct tcp_pcb *pcb)
{
	struct tcp_seg *seg = pcb->unsent;
	uint32_t gone = pcb->lastack - lwip_ntohl(seg->tcphdr->seqno);

	if (gone == 0 || gone >= seg->len || !split_head(pcb, gone))
		return;
	pcb->unsent = seg->next;
	pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen - pbuf_clen(seg->p));
	pcb->snd_buf += seg->len;
	tcp_seg_free(seg);
	tcp_output(pcb);
}

void ip_resend_fit(struct tcp_pcb *pcb, uint16_t mss)
{
	uint32_t used, room;

	if (pcb->unsent)
		trim_head(pcb);
	if (!pcb->unsent || pcb->unsent->len <= mss)
		return;
	used = lwip_ntohl(pcb->unsent->tcphdr->seqno) - pcb->lastack;
	room = ip_window(pcb) > used ? ip_window(pcb) - used : 0;
	if (pcb->unsent->len <= room)
		return;
	room -= room % mss;
	if (room == 0 && pcb->unacked)
		return; /* an ACK will come, or the timer */
	if (split_head(pcb, room > 0 ? room : mss))
		tcp_output(pcb);
}
