/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_KEYS_KEYS_H
#define PROC_KEYS_KEYS_H

#include "ipc/ipc_logon.h"
#include "proc/program.h"
#include "secret/secret_table.h"

/*
 * keys - the program that knows the passwords and private keys, and tells
 * nobody. confd gives it the table of secrets that belongs to a snapshot
 * (IPC_SECRETS); the table before is wiped when the new one has been looked at
 * and taken. Others ask it for what they need on the wire, never for a secret.
 *
 *	keys.c		what it holds, who is there
 *	keys_ask.c	new keys, requests, certificates
 *	keys_logon.c	log-ons to servers, for the relays
 *	keys_serve.c	log-ons of partners to us, for the relays
 *	keys_sign.c	signatures of handshakes, for the relays
 */
struct keys {
	struct program prog;
	struct watch confd;
	uint8_t *mem; /* the table; NULL: none yet */
	size_t mem_n;
	struct secret_table table; /* of mem; empty if there is none */
};

extern struct keys K;

/* keys.c: all of fd in fresh memory, at most max octets and at least one. E_IO,
 * E_FULL, E_CORRUPT (no octets, or too many). */
MUST_CHECK int keys_read(int fd, size_t max, uint8_t **mem, size_t *n);
void keys_forget(uint8_t *mem, size_t n); /* wiped and freed */

/* keys_logon.c */
void keys_logon_init(void);
/* A relay, or its successor; the socket is taken out of m if it is kept. What it asks
 * waits for the first table. */
void keys_logon_relay(struct ipc_msg *m);
/* A slice of what takes long. True: there is more, do not sleep. */
bool keys_logon_work(void);
/* Hear those again that were not to be heard for a while. True: some still are not,
 * do not sleep long. */
bool keys_logon_hear(void);
void keys_logon_reply(uint32_t relay, uint32_t flow, uint64_t number,
		      const struct ipc_logon_reply *r);
/* What time it is for a mechanism: not before the floor. */
uint64_t keys_logon_time(void);

/* keys_serve.c: the same for log-ons of partners. False: no relay in its right
 * mind asks so. */
void keys_serve_init(void);
bool keys_serve_take(uint32_t relay, uint32_t flow, uint64_t number,
		     const struct ipc_logon *q);
void keys_serve_forget(uint32_t relay, uint32_t flow);
void keys_serve_lose(uint32_t relay);
bool keys_serve_work(void);
/* Is this challenge of a server one that we have put to somebody ourselves? */
bool keys_serve_asks(struct span text);

/* keys_sign.c: make the keys of a table ready, beside those in use (E_FULL: no
 * memory); then use them. may: otherwise none is. */
MUST_CHECK int keys_sign_prepare(const struct secret_table *t, bool may);
void keys_sign_adopt(void);
/* Answer IPC_SIGN of a relay, at that socket. False: no relay in its right mind asks
 * so. */
bool keys_sign_take(uint32_t relay, int fd, const struct ipc_msg *m);
/* Or has it asked for so many that it is not to be heard just now? A storm of mail does
 * not get there: handshake and session take a relay about as long as one may cost. If
 * it did, its handshakes would wait and not fail. */
bool keys_sign_may(uint32_t relay);

/* One turn of the loop, and a slice of work; timeout_ms -1: sleep if there is
 * nothing to do. */
void keys_turn(int64_t timeout_ms);

/* keys_ask.c: answer IPC_KEY_ASK, now or when the key is made. came: OK, or
 * E_FULL: without its descriptor. */
void keys_ask(const struct ipc_msg *m, int came);
/* Make the key that was asked for, if any. Takes turns of the loop: not from
 * within a handler. */
void keys_make(void);
/* Certificates that end soon become notices of the statistics, and lines of
 * the log when that changes. */
void keys_look_at_certificates(void);

#endif
