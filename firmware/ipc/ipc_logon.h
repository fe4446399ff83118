/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IPC_IPC_LOGON_H
#define IPC_IPC_LOGON_H

#include "base/err.h"
#include "base/logon.h"

/*
 * ipc_logon - the octets of IPC_LOGON and IPC_LOGON_REPLY: what a relay asks keys
 * in each step of a log-on, to a server or of a partner to us, and what it gets.
 * Spans of what was read point into the octets.
 */
enum ipc_logon_step {
	IPC_LOGON_BEGIN,     /* all that follows but text */
	IPC_LOGON_CHALLENGE, /* text: what the server said */
	IPC_LOGON_DONE,	     /* the server is content: is it the right one? */
	/* A client outside wants to log on: mech, plus, binding, source, initial;
	 * text, if initial. */
	IPC_LOGON_SERVE,
	IPC_LOGON_HEARD, /* text: what it said */
};

enum { IPC_LOGON_TEXT = 3072 };

struct ipc_logon {
	enum ipc_logon_step step;
	enum auth_mech mech;
	bool seal, plus, legacy;
	bool initial; /* SERVE: AUTH had an initial response */
	uint16_t min_bits;
	struct span account; /* its name */
	struct logon_binding binding;
	uint8_t source[16]; /* SERVE: the client's address */
	struct span text;
};

struct ipc_logon_reply {
	enum logon_result result; /* OK, or it is over */
	bool said;		  /* text is to be said, even if it is empty */
	struct span text;
	/* SERVE, HEARD: it is a partner, text the name of its account. */
	bool proven;
	uint32_t wait_ms; /* tell a client only then that it is none */
	/* DONE, or proven */
	bool bound; /* proven: it is tied to this TLS */
	bool ntlm_v2;
	uint16_t bits; /* of the seal; 0: none, and no key */
	uint32_t ntlm_flags;
	uint8_t key[16];
};

enum { IPC_LOGON_MAX = IPC_LOGON_TEXT + 256 };

/* Write; how many octets at out, which has IPC_LOGON_MAX. E_FULL: a text or name
 * is too long. */
MUST_CHECK int ipc_logon_put(uint8_t *out, size_t *n,
			     const struct ipc_logon *l);
MUST_CHECK int ipc_logon_reply_put(uint8_t *out, size_t *n,
				   const struct ipc_logon_reply *r);

/* Read all of in. E_PEER_SYNTAX: it is none. */
MUST_CHECK int ipc_logon_get(struct ipc_logon *l, struct span in);
MUST_CHECK int ipc_logon_reply_get(struct ipc_logon_reply *r, struct span in);

#endif
