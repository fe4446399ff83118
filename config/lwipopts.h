/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP 2.2.1, unmodified, as a TCP engine without an IP layer: firmware/ip
 * parses IP itself and calls tcp_input(). So ip4, ip6, reassembly, ND and ICMP
 * input code is linked only where lwIP cannot be built without it, and never
 * reached.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#include <stdlib.h>

#define NO_SYS		     1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN	     0
#define LWIP_SOCKET	     0

/* --- only TCP -------------------------------------------------------------- */
#define LWIP_TCP	     1
#define LWIP_IPV4	     1
#define LWIP_IPV6	     1
#define LWIP_ICMP6	     1 /* 2.2.1 does not link without */
#define LWIP_RAW	     1 /* the same */
#define LWIP_ICMP	     0
#define LWIP_UDP	     0
#define LWIP_ARP	     0
#define LWIP_ETHERNET	     0
#define LWIP_DHCP	     0
#define LWIP_DNS	     0
#define LWIP_IGMP	     0
#define LWIP_IPV6_MLD	     0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SCOPES     0 /* link-local addresses are borrowed as any */
#define LWIP_IPV6_FRAG	     0
#define LWIP_IPV6_REASS	     0
#define IP_REASSEMBLY	     0
#define IP_FRAG		     0
#define IP_FORWARD	     0
#define LWIP_NETIF_LOOPBACK  0
#define LWIP_HAVE_LOOPIF     0

/* --- memory: from the heap, bounded by the caps of firmware/ip ------------- */
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC    ip_heap_take /* ip/ip_heap.h */
#define MEM_CUSTOM_FREE	     ip_heap_give
#define MEM_CUSTOM_CALLOC    calloc
#define MEMP_MEM_MALLOC	     1
#define MEM_ALIGNMENT	     8
void *ip_heap_take(size_t n);
void ip_heap_give(void *p);
#define LWIP_STATS 0

/* --- borrowed addresses ----------------------------------------------------- */
/* A client may use one source port towards two servers: every pcb also gets
 * SOF_REUSEADDR, or tcp_bind() answers ERR_USE. */
#define SO_REUSE	   1
#define TCP_LISTEN_BACKLOG 0 /* firmware/ip has its own caps on half-open */

/* --- speed ------------------------------------------------------------------ */
#define TCP_MSS		    1460 /* the largest frame; a flow's own is lower */
#define LWIP_WND_SCALE	    1
#define TCP_RCV_SCALE	    4
#define TCP_WND		    (512 * 1024)
#define TCP_SND_BUF	    (512 * 1024)
#define TCP_SND_QUEUELEN    2048
#define TCP_SNDLOWAT	    32768
#define TCP_SNDQUEUELOWAT   1024
#define MEMP_NUM_TCP_SEG    TCP_SND_QUEUELEN
#define TCP_QUEUE_OOSEQ	    1
#define TCP_OOSEQ_MAX_BYTES (256 * 1024) /* 0 would be without limit */
#define TCP_OOSEQ_MAX_PBUFS 256
#define LWIP_TCP_SACK_OUT   1
#define LWIP_TCP_TIMESTAMPS 0
#define TCP_OVERSIZE	    0	 /* we write segment-sized pieces */
#define LWIP_TCP_RTO_TIME   1000 /* RFC 6298 2.1 */
#define TCP_TMR_INTERVAL    100
#define TCP_MSL		    5000UL
#define LWIP_TCP_KEEPALIVE  1
/* Segments hold 16-bit lengths plus header: a super-segment fits below 64 KiB. */

/* --- checksums: whatever the frame did not bring verified is verified, whatever
 * goes out is left to the port (virtio-net header) --------------------------- */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define CHECKSUM_GEN_IP		     0
#define LWIP_CHECKSUM_ON_COPY	     0

/* --- initial sequence numbers: RFC 6528, in ip_isn.c ------------------------ */
#define LWIP_HOOK_FILENAME "ip/ip_hooks.h"
#define LWIP_HOOK_TCP_ISN(lip, lport, rip, rport) \
	ip_isn_hook(lip, lport, rip, rport)

/* Never used for anything that must not be guessed; lwIP asks nevertheless. */
#define TCP_CALCULATE_EFF_SEND_MSS 0 /* ip_tcp.c writes the MSS option */

#define LWIP_RAND()		   ip_rand_hook()

#endif
