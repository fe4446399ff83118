/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IP_IP_TCP_H
#define IP_IP_TCP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"
#include "ip/tuple_table.h"
#include "proto/frame.h"

/*
 * ip_tcp - one side of a taken-over TCP connection as a stream of bytes, with
 * an address and a port that are somebody else's.
 *
 * The only user of lwIP, which is unmodified: segments go into tcp_input()
 * with the addresses set by us, so lwIP has no say about whose they are. lwIP
 * is one global thing, so this is as well: one stack per program.
 *
 *   frame -> ip_side_input -> [lwIP] -> ip_side_read -> relay
 *   relay -> ip_side_write -> [lwIP] -> ip_output (given at init) -> frame
 *
 * Nothing is called back but ip_output; after any call that takes a now_ms,
 * look at the sides that ip_next_event() names.
 */
struct tcp_pcb;
struct ip_chunk;

struct ip_side {
	struct tuple tuple;  /* first: the table finds sides by it */
	struct tcp_pcb *pcb; /* NULL: not begun, or over */
	uint16_t mss;	     /* what goes into one frame, by now */
	uint8_t quick;	     /* segments that were acknowledged soon */
	uint16_t announce;   /* MSS that our SYN tells */
	bool up;	     /* both SYNs are acknowledged */
	bool fin_in;	     /* the peer sends no more */
	bool fin_out;	     /* we have said so */
	int error;	     /* E_PEER_GONE: RST; E_PEER_TIME: gave up; OK */
	struct ip_chunk *rx, *rx_last; /* received, not yet read */
	size_t rx_off;		       /* read of the first */
	size_t rx_n;
	size_t hole_n; /* received behind a hole */
	/* L2 header of frames we send on this side: that of the frames which
	 * the other end itself would send here. */
	uint8_t l2[FRAME_L2_MAX];
	uint16_t l2_n;
	bool pppoe;
	bool noted; /* in the list of events */
	struct ip_side *next_event;
	uint64_t ack_ms; /* an ACK goes out then, if nothing took it along */
	bool owes;	 /* in the list of those */
	struct ip_side *next_owing;
};

/* A TCP segment to put into a frame; valid during the call of ip_output. */
struct ip_segment {
	const struct ip_side *side; /* NULL: of no connection any more */
	enum port port;		    /* where it goes out */
	struct endpoint src, dst;
	size_t n, data;	   /* TCP header and payload; where payload begins */
	uint16_t gso_size; /* of a super-segment: what each segment carries */
	const void *pbuf;  /* lwIP's */
};

/* Copy the first n octets of the segment, at least its header. Its checksum
 * field then holds the sum of the pseudo header of the whole, as virtio-net's
 * NEEDS_CSUM wants it. */
void ip_segment_copy(const struct ip_segment *s, uint8_t *to, size_t n);

/* Its payload where it lies, until the output function returns. Empty: it lies
 * in several pieces. */
struct span ip_segment_payload(const struct ip_segment *s);

typedef void ip_output_fn(const struct ip_segment *s);

/* key: random, for initial sequence numbers (RFC 6528) and the table. slots:
 * of the table, a power of two. E_FULL: no memory. */
MUST_CHECK int ip_start(const uint8_t key[16], size_t slots, ip_output_fn *out,
			uint64_t now_ms);

/* Timers: call at least every IP_TICK_MS while there are sides. */
enum { IP_TICK_MS = 100 };
void ip_tick(uint64_t now_ms);

/* The ACKs that are due: call at the end of a turn, when what arrived in it has
 * been read and answered, so that answers and window updates take them along.
 * True: some are not due yet; call again within IP_ACK_MS. */
enum { IP_ACK_MS = 2 };
bool ip_acknowledge(void);

/* What a frame belongs to, or NULL. */
struct tuple *ip_find(enum port port, const struct endpoint *remote,
		      const struct endpoint *local);

/*
 * Begin towards a server: remote is called from local, which is the client's.
 * s must be zeroed with l2 and announce filled in; it must not move until
 * ip_side_end. E_FULL: the tuple is taken, or no memory.
 */
MUST_CHECK int ip_side_dial(struct ip_side *s, enum port port,
			    const struct endpoint *local,
			    const struct endpoint *remote);

/* Take a client's SYN, f, and answer it. As above; s->announce is told. */
MUST_CHECK int ip_side_accept(struct ip_side *s, enum port port,
			      const struct frame *f);

/* A segment for s. csum_ok: do not verify its checksum. */
void ip_side_input(struct ip_side *s, const struct frame *f, bool csum_ok);

/* May f be of the peer: sequence number and acknowledgement in their windows
 * (RFC 9293 3.10.7.4, RFC 5961 5.2)? What is not is only answered with an ACK.
 * SYN and RST are judged by lwIP, and so is all before the handshake is over. */
bool ip_side_acceptable(const struct ip_side *s, const struct frame *f);
/* Does nobody but the peer know these numbers? Also of a segment that is here
 * already, sent again. For the L2 header. */
bool ip_side_of_peer(const struct ip_side *s, const struct frame *f);
/* Has something in front of f not come yet? */
bool ip_side_behind_hole(const struct ip_side *s, const struct frame *f);
/* Is seq one that we have sent and that is not yet acknowledged (RFC 5927)? */
bool ip_side_in_flight(const struct ip_side *s, uint32_t seq);

/* Path MTU: send no more than mss octets in one frame from now on. */
void ip_side_lower_mss(struct ip_side *s, uint16_t mss);

/* First piece of what was received; empty: nothing. Valid until the next call
 * on s. ip_side_read_done says how much of it was used. */
struct span ip_side_read(const struct ip_side *s);
void ip_side_read_done(struct ip_side *s, size_t n);

/* How many bytes ip_side_write would take now: what the window allows, so that
 * data waits where back-pressure is felt, and super-segments can be made. */
size_t ip_side_room(const struct ip_side *s);
/* Send; n at most ip_side_room(). E_FULL: try again later. */
MUST_CHECK int ip_side_write(struct ip_side *s, struct span data);

/* FIN after what was written. */
void ip_side_finish(struct ip_side *s);
/* RST. */
void ip_side_abort(struct ip_side *s);
/* Over and done: both FINs acknowledged, or reset. If our FIN was the first, a
 * TIME_WAIT record has the tuple from now on. */
bool ip_side_over(const struct ip_side *s);
/* Forget s: RST if it is not over. Its memory is the caller's again. */
void ip_side_end(struct ip_side *s);

/* Sides to which something happened since they were named last; NULL: none. */
struct ip_side *ip_next_event(void);

/* A finished or passing connection. */
struct ip_tw {
	struct tuple tuple;
	uint32_t seq, ack;
	uint64_t until_ms;
};
/* Remember that this tuple is not ours for idle_ms; again: refreshed. */
void ip_pass(enum port port, const struct endpoint *remote,
	     const struct endpoint *local, uint64_t idle_ms);
/* Make room for a new connection with the tuple of a finished one. */
void ip_tw_forget(struct ip_tw *tw);

/* Bytes received and not read, in all sides, also those behind a hole: the caller's
 * cap is above. */
size_t ip_rx_total(void);

#endif
