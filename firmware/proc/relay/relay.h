/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_RELAY_RELAY_H
#define PROC_RELAY_RELAY_H

#include "base/text.h"
#include "policy/learned.h"
#include "policy/peer_memory.h"
#include "proc/program.h"
#include "proto/smtp_prints.h"
#include "secret/secret_table.h"
#include "session/session.h"

enum {
	RELAY_TICK_MS = 200,
	RELAY_READ = 65536,
	TRAIL_STEPS = 6,
	TRAIL_TEXT = 200,
};

/* What went wrong in a session until now, the last of it. */
struct trail {
	unsigned n;
	char step[TRAIL_STEPS][TRAIL_TEXT];
};

struct relay_snapshot {
	void *map;
	size_t map_n;
	struct policy policy;
	struct tls_trust *trust;
};

/* A session and its two streams to wire. */
struct conn {
	uint32_t flow;
	uint32_t slot; /* in the statistics */
	bool inbound;  /* the client is outside */
	struct session *session;
	struct endpoint client, server;
	struct endpoint dialed; /* where to, while dialing */
	struct watch watch[SIDES];
	struct conn_in { /* read and not yet taken; NULL: nothing */
		uint8_t *p;
		size_t n, at;
		bool eof, told;
		bool hup;   /* wire has closed it: that end was no FIN */
		bool quiet; /* was read empty; epoll says when it is not */
	} in[SIDES];
	bool dialing, dead, dirty;
	uint32_t asked; /* of keys last: the turn of a log-on */
	uint64_t asked_ms;
	bool logging_on;    /* keys has something of it */
	uint64_t sign_turn; /* of the signature that keys was asked for; 0 */
	uint64_t sign_ms;   /* when that was */
	uint64_t octets[SIDES]; /* read from there */
	struct smtp_prints prints;
	struct trail *trail; /* NULL: nothing yet */
	struct conn *next, *prev, *next_dirty, *by_flow;
};

/* A connection from the address of a server inside: relay_borrow.c. */
struct borrow {
	struct watch net;     /* its stream, while it is up */
	struct endpoint from; /* whose address it is */
	uint64_t turn;	      /* wire has not said which flow it is; else 0 */
	uint32_t flow;	      /* that is dialled or up; 0: none */
	bool up;
};

enum borrow_news {
	BORROW_OTHERS, /* the message is about something else */
	BORROW_OLD,    /* it is, and nothing follows of it */
	BORROW_WHOSE,  /* from is known, and the server is asked */
	BORROW_NOBODY, /* there is none: m->error */
	BORROW_FAILED, /* it could not be connected: m->error */
	BORROW_UP,     /* net is watched */
};

struct relay {
	struct program prog;
	struct watch wire, confd, keys, witness;
	uint64_t print_key; /* of witness; 0: it is not there */
	struct relay_snapshot snapshot[2];
	int current;
	bool have_policy;
	struct tls_identity *identity; /* as a server, proved; NULL: none */
	struct peer_memory *peers;
	struct learned *learned;
	struct conn *conns, *dirty, *flow[4096];
	uint32_t conns_n;
	uint64_t now, ticked;
	uint8_t key[16]; /* for hashes */
};

extern struct relay R;

/* Sessions may come once there is a policy, and it is known who we are; until
 * then they wait. To be called when one of the two has changed. */
void relay_open(void);

/* from, NULL for nothing, cut at size - 1. */
void relay_copy(char *to, size_t size, const char *from);

/* relay_domain.c: a recipient of domain went on over ch, or was refused. */
void relay_domain_taken(const char *domain, const struct channel *ch);
void relay_domain_refused(const struct gate_event *ev,
			  const struct channel *ch);

/* relay_peers.c: other boxes. _called: mail for domain met a server that says it is
 * one; _call: a client says so, with mail from domain. */
void relay_peers_called(const char *domain, const struct channel *ch);
void relay_peers_call(const char *domain, const struct channel *ch,
		      const struct endpoint *client);
/* Has a box been met at the address of this client? Then it is asked for a
 * certificate. */
bool relay_peers_calls(const struct endpoint *client);
/* Another policy may have pinned them, or not any more. */
void relay_peers_judge(void);
/* What they know us by, or NULL. */
void relay_peers_own(const struct tls_identity *id);

/* relay_learn.c: mail for domain leaves over ch. attach: confd is there, or another
 * one. message: it has said something; true: it was about this. turn: at the end of
 * a turn of the loop, which must not sleep long while it is busy. */
void relay_learn_init(void);
void relay_learn_seen(const char *domain, const struct channel *ch);
void relay_learn_attach(void);
bool relay_learn_message(const struct ipc_msg *m);
bool relay_learn_busy(void);
void relay_learn_turn(void);

/* relay_explain.c: any event; and a recipient that was refused. */
void relay_explain_step(struct conn *c, const struct gate_event *ev);
void relay_explain_refused(const struct conn *c, const struct gate_event *ev,
			   const struct channel *ch);

/* relay_verify.c: what witness is told. The client of c says in; it is answered. */
void relay_verify_said(struct conn *c, struct span in);
void relay_verify_answered(struct conn *c, struct span out);
/* It goes to another server, before that is dialled. */
void relay_verify_moved(struct conn *c);
/* A session began (ev NULL), or a recipient was judged. */
void relay_verify_judged(const struct conn *c, const struct gate_event *ev);
/* witness is there, or another one. */
void relay_verify_attach(struct ipc_msg *m);

/* relay_inbound.c: a session begins whose client is outside, as IPC_FLOW_OPEN says
 * (NULL: no room); an event of it. */
void relay_inbound_init(void);
struct session *relay_inbound_session(const struct ipc_msg *m);
void relay_inbound_told(struct conn *c, const struct gate_event *ev);

/* Take IPC_FLOW_*: descriptors that are kept are taken out of m. Without those
 * that it should have, it is refused. */
void relay_conn_message(struct ipc_msg *m);
struct conn *relay_conn_find(uint32_t flow); /* NULL: there is none */
/* The session is told the time, before whatever else happens to it. */
void relay_conn_time(struct conn *c);
/* Something may have changed for the session: do what there is to do. */
void relay_conn_run(struct conn *c);
/* wire is gone, and all TCP with it; the next one counts its flows anew. */
void relay_conn_lost(void);
/* Who waits to know where a host is asks again. */
void relay_conn_routes(void);
void relay_conn_set_policy(const struct relay_snapshot *s);
void relay_conn_set_identity(struct tls_identity *id);
/* End of a loop turn: deadlines, statistics, what is dead is freed. */
void relay_conn_turn(void);

/*
 * relay_identity.c: the certificates that came with a snapshot (a table of
 * secrets), which take the place of those before once they are proved. OK: it is
 * so, or under way; E_FULL, E_CORRUPT: those before stay.
 */
MUST_CHECK int relay_identity_take(int fd);
/* Are some being proved, or will be when there is memory again? */
bool relay_identity_proving(void);
/* And have sessions to wait for it? With none to go on with, and not for ever. */
bool relay_identity_waited_for(void);
/* Is there something to do for it? Then do not sleep. */
bool relay_identity_works(void);
/* A signature for it, or its refusal. */
void relay_identity_signed(uint64_t turn, struct span signature);
/* keys is gone, and what it was asked. */
void relay_identity_unasked(void);
/* Go on with it. */
void relay_identity_turn(void);
/* What is wrong with it becomes a notice of the statistics. */
void relay_identity_notice(void);

/* relay_logon.c: on SESSION_AUTH, to a server or of a partner; false: it was asked
 * already. */
bool relay_logon_ask(struct conn *c);
/* However it ended: keys may forget it. */
void relay_logon_end(struct conn *c);
void relay_logon_reply(const struct ipc_msg *m);
/* keys is gone, and all that it was asked. */
void relay_logon_lost(void);
/* Its answer to this one is not to come any more: that was said; run the session. */
bool relay_logon_late(struct conn *c);

/* relay_borrow.c. b->net.fd is -1 before the first time. _dial: from, if it has an
 * address, or anybody; false: wire is not there. _message: what wire says; a
 * descriptor that is kept is taken out of m. _hang_up: also while it is dialled;
 * orderly: all was said, else the server sees a reset. */
bool relay_borrow_dial(struct borrow *b, const struct endpoint *from,
		       const struct endpoint *to);
enum borrow_news relay_borrow_message(struct borrow *b, struct ipc_msg *m,
				      void (*ready)(struct watch *, uint32_t));
void relay_borrow_hang_up(struct borrow *b, bool orderly);
uint64_t relay_random(void); /* another one each time, and nobody knows which */

/* relay_names.c. _answer: on SESSION_ROUTE; false: it has to wait, and is woken by
 * relay_conn_routes. _unreached: nobody answered there. _message, _busy and _turn: as
 * those of a probe. */
void relay_names_init(void);
bool relay_names_answer(struct conn *c);
void relay_names_unreached(const struct endpoint *server);
bool relay_names_message(struct ipc_msg *m);
bool relay_names_busy(void);
void relay_names_turn(void);
/* relay_sign.c: on SESSION_SIGN, ask unless it was asked. due: it is time to ask, or to
 * ask again. */
void relay_sign_ask(struct conn *c);
bool relay_sign_due(const struct conn *c);
/* Ask keys, of a flow; which turn it is, 0: it cannot be asked just now. */
uint64_t relay_sign_send(uint32_t flow, const struct sign_ask *q);
void relay_sign_reply(const struct ipc_msg *m);
/* keys is gone, and all that it was asked. */
void relay_sign_lost(void);
/* The flow of what is signed for no session: flows of wire begin at 1. */
enum { RELAY_NO_FLOW = 0 };

/* relay_probe.c: one probe for console. attach: its descriptor, which is taken out of
 * m. message: wire said something; true: it was about the probe. turn: deadlines, at
 * the end of a turn of the loop, which must not sleep long while it is busy. */
void relay_probe_init(void);
void relay_probe_attach(struct ipc_msg *m);
bool relay_probe_message(struct ipc_msg *m);
bool relay_probe_busy(void);
void relay_probe_turn(void);

/* For show: "ntlm hub, sealed with 128 bits, NTLMv2, flags 62888235". */
void relay_logon_text(const struct channel_logon *l, char *to, size_t size);

#endif
