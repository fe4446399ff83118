/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_WITNESS_WITNESS_H
#define PROC_WITNESS_WITNESS_H

#include "drivers/tap.h"
#include "proc/program.h"
#include "proto/frame.h"
#include "proto/leak.h"

/*
 * witness - believes nobody: looks at every frame of mail that leaves the outside
 * port, behind everything that the box does, for text of protected sessions.
 *
 *	relay --prints of what a client said--> witness <--frames-- tap, outside
 *	wire  <--------- send a canary --------'   |
 *	                                           alarm, notice, counters, lamp
 *
 * It sees frames, but neither mail (relay names texts by prints: base/print.h) nor
 * policy or keys. Mail does not wait for it, and passes when it is not there;
 * show status tells.
 *
 * The self-test, at the start, once a day, on demand, and each minute once it has
 * failed, proves that it would see what it looks for: wire sends a frame with a new text
 * out of the outside port, to the group of the nearest bridge, which no bridge forwards
 * (IEEE 802.1Q 8.6.3), with the EtherType for experiments (IEEE 802). Without a link
 * nothing leaves, and a link takes seconds to come: so it is sent again and again.
 *
 *	witness.c          who is there, the loop
 *	witness_verify.c   what is seen; the self-test
 *	witness_capture.c  frames into a file, on both ports
 *	witness_watch.c    a session onto a screen
 */
enum {
	WITNESS_TICK_MS = 250,
	WITNESS_BATCH = 64, /* frames a turn */
	WITNESS_NAP_MS = 2,
	WITNESS_TEST_MS = 86400000,
	WITNESS_AGAIN_MS = 60000, /* after one that failed */
	WITNESS_SEND_MS = 1000,	  /* a canary may be dropped */
	WITNESS_CANARY_MS = 3000, /* then it is lost, for who waits */
	WITNESS_LINK_MS = 20000,  /* and else: a link may be about to come */
	WITNESS_CONSOLES = 32,	  /* questions at once */
	WITNESS_CAPTURE_MAX = 16 << 20,
};

struct witness {
	struct program prog;
	struct watch wire, console, tap;
	struct watch capture[PORTS]; /* taps, too */
	struct watch relay[IPC_RELAYS_MAX];
	struct leak *leak;
	uint64_t key, now;
	bool nap;	    /* the tap is empty for now */
	uint16_t ports[32]; /* that are watched */
	unsigned ports_n;
};

extern struct witness W;

bool witness_watches(uint16_t port);

/* witness_verify.c */
void verify_init(void);
/* Nothing is looked for any more, and no connection known to be in clear. */
void verify_reset(void);
void verify_protect(const struct ipc_msg *m);
void verify_expose(const struct ipc_msg *m);
/* Look at what the tap has, at WITNESS_BATCH frames at most; true: there may be more.
 * The prints that were named before it left are known by then: `hear` reads them. */
bool verify_frames(void (*hear)(void));
/* Begin a self-test unless one is under way; console: it waits for the result. */
void verify_ask(bool console);
void verify_tick(void);

/* witness_capture.c */
void capture_ask(const struct ipc_msg *m);
/* Frames on the tap of a port. */
void capture_frames(enum port p);
void capture_judged(const struct ipc_msg *m);
/* Other ports are watched from now on. */
void capture_ports(void);
void capture_tick(void);

/* witness_watch.c */
void watch_ask(struct ipc_msg *m);
bool watch_runs(void);
/* A frame of a port, in the order of that port. */
void watch_frame(enum port p, const struct tap_frame *t, const struct frame *f);
void watch_tick(void);

#endif
