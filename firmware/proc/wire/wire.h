/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_WIRE_WIRE_H
#define PROC_WIRE_WIRE_H

#include "drivers/port.h"
#include "ip/ip_tcp.h"
#include "policy/policy.h"
#include "proc/program.h"
#include "proto/reass.h"

/*
 * wire - the two ports, the TCP under every mail session, and nothing above
 * it: sees frames, never mail, policy of a domain, or keys.
 *
 *	wire.c        start, settings, messages, the loop
 *	wire_frame.c  what a frame is: put back, drop, give to its flow
 *	wire_flow.c   a flow from the first SYN to the last FIN
 *	wire_relay.c  the streams to relay
 *	wire_probe.c  connections of nobody inside, to see what is outside
 *	wire_asks.c   which resolver they ask inside
 */
enum flow_state {
	FLOW_DIALING,	/* the client's SYN is parked, the server is asked */
	FLOW_ANSWERING, /* the server has answered; the client's SYN goes in */
	FLOW_OFFERING,	/* both up; relay could not be told yet */
	FLOW_OPEN,
	FLOW_ENDING, /* relay has let go; FINs are on their way */
};

struct relay_peer {
	struct watch watch;
	uint32_t index;
	uint32_t flows;
};

/* What a side needs beyond TCP: its stream to relay. */
struct flow_side {
	struct ip_side ip; /* first: events name it */
	struct flow *flow;
	struct watch watch; /* our end of the stream pair; -1: closed */
	bool want_in, want_out;
	bool quiet;   /* the stream was read empty; epoll says when it is not */
	bool eof;     /* relay has closed, or shut down, its end */
	bool orderly; /* it has said that this is an end, not a break */
	bool gone;    /* relay has been told that the peer is gone */
	bool shut;    /* we have passed the peer's FIN on */
	bool begun;   /* ip is in use */
};

struct flow {
	uint32_t id; /* never used twice */
	enum flow_state state;
	enum port client_port;
	struct endpoint client, server; /* as the client sees it */
	struct flow_side side[SIDES];
	struct relay_peer *relay;
	bool tls_only; /* it came by the port for protected sessions */
	bool dialing;  /* relay asked for another server; answer it */
	uint8_t *syn;  /* parked frame, until the server has answered */
	size_t syn_n;
	uint64_t since_ms, until_ms; /* until: when it is given up */
	struct flow *next, *prev;    /* all flows */
	struct flow *half_next, *half_prev;
	struct flow *by_id;
};

/* A server inside that has sent mail through us, and how its frames leave: whose
 * address can be borrowed. */
struct wire_seen {
	uint8_t ip[16];
	uint8_t l2[FRAME_L2_MAX];
	uint16_t l2_n, mss;
	bool pppoe;
	uint64_t when_ms; /* 0: nobody */
};

/* A host inside has asked a resolver, and how that question left. */
struct wire_asked {
	uint8_t ip[16], resolver[16];
	uint8_t l2[FRAME_L2_MAX];
	uint16_t l2_n;
	uint64_t when_ms; /* 0: nobody */
};

enum { SOURCES = 4096, SEEN_MAX = 16, ASKED_MAX = 32 };

struct wire {
	struct program prog;
	struct port_io io[PORTS];
	struct watch port_watch[PORTS];
	struct watch confd, witness;
	struct relay_peer relay[IPC_RELAYS_MAX];
	struct policy policy;
	/* A host inside has the inbound address: it leads nowhere else. */
	bool address_in_use;
	void *snapshot;
	size_t snapshot_n;
	bool have_policy;
	struct reass reass;
	struct flow *flows, *flow_by_id[4096];
	/* By where the client is, so that a flood from outside leaves room for
	 * the mail that leaves: half-open flows, in the order in which they
	 * came, and all. */
	struct {
		struct flow *oldest, *newest;
		uint32_t half_open_n, flows_n;
	} from[PORTS];
	uint32_t flows_n, next_id;
	/* Flows and half-open flows by hash of the source: a bound, not a
	 * count; two sources may share a cell. */
	uint16_t source[SOURCES], source_half[SOURCES];
	uint8_t key[16];
	uint32_t resets; /* RSTs to strangers, this second */
	uint64_t resets_ms;
	uint16_t ip_id;
	struct wire_seen seen[SEEN_MAX];
	int asks_fd; /* questions to resolvers: drivers/tap.h */
	uint64_t asks_ms;
	struct wire_asked asked[ASKED_MAX];
	uint64_t now;
};

extern struct wire W;

bool wire_intercepts(uint16_t port);
void wire_count(enum counter c);

/* wire_frame.c */
void wire_frame(enum port p, const struct port_frame *pf);
void wire_output(const struct ip_segment *s);
void wire_bare(enum port out, struct span l2, bool pppoe,
	       const struct endpoint *src, const struct endpoint *dst,
	       uint32_t seq, uint32_t ack, uint8_t flags);

/* wire_flow.c */
void wire_flow_syn(enum port p, const struct frame *f);
/* A frame has come from a host inside: is it one that no host should be? */
void wire_flow_inside(const struct endpoint *src);
void wire_flow_segment(struct flow_side *s, const struct frame *f,
		       bool csum_ok);
/* A client that is done with s dials again: the flow ends if it may. */
bool wire_flow_left(struct flow_side *s);
void wire_flow_event(struct flow_side *s);
/* relay is done with f: as long as nothing moves it does not stay for ever. */
void wire_flow_last(struct flow *f);
void wire_flow_end(struct flow *f);
void wire_flow_tick(void);
struct flow *wire_flow_find(uint32_t id);
void wire_flow_dial(struct flow *f, const struct endpoint *server);
/* A flow without a client: dials server from client as from's frames go, and is
 * told to relay as a dial is (wire_relay_dialed, once its relay is set). It ends
 * after for_ms, and if the real client wants the same tuple. NULL: no room, or
 * the tuple is taken. */
struct flow *wire_flow_alone(const struct wire_seen *from,
			     const struct endpoint *client,
			     const struct endpoint *server, uint64_t for_ms);

/* wire_relay.c */
void wire_relay_add(struct ipc_msg *m);
/* Give f to a relay. False: not now; ask again. */
bool wire_relay_offer(struct flow *f);
void wire_relay_dialed(struct flow *f, int error);
/* Move bytes between a side and its stream, both ways, as far as they go; tell
 * relay when the peer is gone. */
void wire_relay_move(struct flow_side *s);
void wire_relay_close(struct flow_side *s);

/* wire_probe.c: a session of a client inside has begun. */
void wire_probe_seen(const struct flow *f);
/* Has it sent mail through us, as far as we remember? */
bool wire_probe_knows(const uint8_t ip[16]);
/* relay wants to talk to a server from a borrowed address: PROBE_DIAL, answered
 * by PROBE_FLOW, and if that is well as a dial is. */
void wire_probe_dial(struct relay_peer *r, const struct ipc_msg *m);

/* wire_asks.c: what has been asked lately. */
void wire_asks_look(void);
/* Whom it asks; NULL: it was not seen to ask. */
const struct wire_asked *wire_asks_of(const uint8_t ip[16]);

#endif
