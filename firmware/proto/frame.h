/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

/*
 * frame - one Ethernet frame, looked at once: what is it, where is what.
 *
 * Reads Ethernet II with up to two VLAN tags (IEEE 802.1Q, 802.1ad; a priority
 * tag is one), PPPoE session (RFC 2516), IPv4 with options (RFC 791), IPv6 with
 * a chain of at most eight extension headers (RFC 8200), TCP (RFC 9293) and the
 * ICMP errors that quote TCP (RFC 792, RFC 4443). Every length is checked
 * before the field behind it is read. Pure.
 */
enum frame_class {
	FRAME_OTHER,	/* nothing to do with TCP: put back */
	FRAME_TCP,	/* a whole TCP segment; ports decide whose */
	FRAME_FRAGMENT, /* a fragment of a TCP datagram */
	FRAME_ICMP,	/* an ICMP error that quotes a TCP segment */
	/* Could be TCP but is malformed, or hidden where we do not look (three
	 * tags, MPLS, SNAP, source route, a chain without end, an IPv4-mapped
	 * address in IPv6): drop. */
	FRAME_BAD,
};

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

enum { FRAME_L2_MAX = 14 + 8 + 8 }; /* Ethernet, two tags, PPPoE */

/* Offsets are from the beginning of the frame. */
struct frame {
	enum frame_class class_;
	const char *why; /* BAD: what was wrong; static */
	bool hidden;	 /* BAD because it hides, not because it is broken */
	struct span all; /* the frame without Ethernet padding */
	size_t padding;	 /* octets behind that */
	uint16_t l2_n;	 /* MACs, tags, PPPoE: what an answer reuses */
	bool pppoe, v6;
	uint32_t l4, l4_n;	  /* TCP header and payload */
	struct endpoint src, dst; /* ports: TCP and ICMP (of the quote) */
	/* TCP */
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	uint32_t data, data_n; /* payload */
	uint16_t mss;	       /* of a SYN; 0: not given */
	uint32_t tfo, tfo_n;   /* TCP fast open option (34), if any */
	/* fragment */
	uint32_t frag_id, frag_off, frag_n; /* octets of this fragment */
	uint32_t frag_ip;		    /* where its IP header begins */
	uint32_t frag_data;		    /* where its octets begin */
	bool frag_more;
	/* ICMP error: addresses, ports and seq are those of the quoted segment */
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_mtu;
};

/* Never fails: what cannot be read is OTHER or BAD. f points into in. */
void frame_parse(struct frame *f, struct span in);

/* Bring the TCP header at p (n octets, checked here) into f: ports, flags,
 * options. E_PEER_SYNTAX with f->why set. For reassembled datagrams. */
MUST_CHECK int frame_parse_tcp(struct frame *f, struct span tcp);

/*
 * The way an answer goes: the frame's L2 header with the MACs exchanged. l2
 * must have FRAME_L2_MAX octets; returns how many are used.
 */
size_t frame_l2_swap(uint8_t *l2, const struct frame *f);

/*
 * Write L2 and IP header in front of a TCP segment. to: room for l2_n + 40
 * octets. l2 is copied; a PPPoE length in it is set. tcp_n: TCP header and
 * payload. Returns how much was written. IPv4: DF clear, TTL 64, id given;
 * header checksum done. The TCP checksum is not touched.
 */
size_t frame_write_ip(uint8_t *to, struct span l2, bool pppoe,
		      const struct endpoint *src, const struct endpoint *dst,
		      size_t tcp_n, uint16_t id);

/* Put mss into the MSS option of a TCP header of head octets that we made
 * ourselves; its checksum is not touched. */
void frame_set_mss(uint8_t *tcp, size_t head, uint16_t mss);

/* Ones' complement sum (RFC 1071), folded, not inverted. */
uint16_t frame_sum(uint32_t start, struct span s);
/* The sum of the TCP pseudo header (RFC 9293 3.1). */
uint16_t frame_pseudo_sum(const struct endpoint *src,
			  const struct endpoint *dst, size_t tcp_n);

enum { FRAME_BARE_MAX = FRAME_L2_MAX + 40 + 24 };

/*
 * A whole frame with a TCP segment without payload: RST, or the ACK of a
 * finished session. Returns its length, at most FRAME_BARE_MAX, at least 60.
 */
size_t frame_write_bare(uint8_t to[FRAME_BARE_MAX], struct span l2, bool pppoe,
			const struct endpoint *src, const struct endpoint *dst,
			uint32_t seq, uint32_t ack, uint8_t flags);

#endif
