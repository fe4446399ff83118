/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBE_HELLO_H
#define PROBE_HELLO_H

#include "base/domain.h"
#include "base/err.h"
#include "base/span.h"

/*
 * hello - a ClientHello made by hand, and the first octets of what answers it.
 *
 * For what a TLS library does not ask: which old version a server has, and does a
 * ClientHello of more than one segment arrive (RFC 8446 4.1.2, RFC 7685)? The
 * handshake is never finished, so nothing here is about secrets. Pure.
 */
enum {
	HELLO_LARGE = 2000, /* more than any segment on Ethernet */
	HELLO_MAX = HELLO_LARGE + 512,
	HELLO_ANSWER_MAX = 1024, /* octets of an answer that are looked at */
};

struct hello {
	uint16_t newest; /* 0x0303 or 0x0304: what the client has */
	size_t size;	 /* padded up to this; 0: not */
	struct span sni; /* may be empty */
	uint8_t random[32];
};

/* Write h as one record, *n octets. E_FULL: the name is too long. */
MUST_CHECK int hello_write(uint8_t to[HELLO_MAX], size_t *n,
			   const struct hello *h);

enum hello_kind {
	HELLO_MORE,    /* not enough to tell */
	HELLO_SERVER,  /* a ServerHello */
	HELLO_ALERT,   /* TLS, and a refusal */
	HELLO_NOT_TLS, /* something that cannot be TLS */
};

struct hello_answer {
	enum hello_kind kind;
	uint16_t version; /* SERVER: what it chose */
	uint16_t suite;
	bool resumable; /* SERVER, up to TLS 1.2: it gave the session a name, or
			 * takes tickets */
	uint8_t alert;	/* ALERT: its description */
};

/* in: what came so far. MORE with HELLO_ANSWER_MAX octets does not happen. */
void hello_read(struct hello_answer *a, struct span in);

#endif
