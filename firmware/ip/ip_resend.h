/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IP_IP_RESEND_H
#define IP_IP_RESEND_H

#include <stddef.h>
#include <stdint.h>

/* For ip_tcp.c: super-segments that lwIP sends again, and what is lost on the way
 * here. */
struct ip_side;
struct tcp_pcb;

/* Octets that are sent and not acknowledged, and how many may be. */
uint32_t ip_in_flight(const struct tcp_pcb *pcb);
uint32_t ip_window(const struct tcp_pcb *pcb);

/* What has come behind a hole, and cannot be read before it is filled, as part of
 * *total. Call after whatever may have changed it: a segment, a timer, the end. */
void ip_count_hole(struct ip_side *s, size_t *total);

/* What waits in unsent begins where the peer's acknowledgement ends, and its
 * head is sent as far as the window goes. Call after whatever may have put
 * segments back there: an ACK, a timer. */
void ip_resend_fit(struct tcp_pcb *pcb, uint16_t mss);

#endif
