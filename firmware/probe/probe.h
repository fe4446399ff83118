/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "policy/channel.h"
#include "probe/hello.h"

/*
 * probe - what was found out about a server and the way to it, by a few
 * connections one after the other, none of which names a sender or a recipient.
 *
 *	probe_talk.h     one connection, as an engine
 *	probe_report.h   what it means, in words
 */
enum probe_kind {
	PROBE_ALL,     /* as mail would go, up to the point where mail begins */
	PROBE_OLD,     /* no handshake came about: what would it choose? */
	PROBE_1_2,     /* does it have TLS 1.2, and resumption? */
	PROBE_BIG,     /* a ClientHello larger than a segment */
	PROBE_BIG_CUT, /* the same in small segments, when that got no answer */
	PROBE_KINDS
};

/* How far the first connection came. */
enum probe_step {
	PROBE_NO_CONNECTION,
	PROBE_CONNECTED,
	PROBE_GREETED,	/* a 2xx greeting */
	PROBE_HELLOED,	/* EHLO, or HELO, was taken */
	PROBE_FINISHED, /* to its end, with or without TLS */
};

/* What ended a step that was not finished. */
enum probe_stop { PROBE_WENT_ON, PROBE_SILENT, PROBE_HUNG_UP, PROBE_NOT_SMTP };

enum probe_shake {
	SHAKE_NONE, /* STARTTLS was not answered with 220 */
	SHAKE_UP,
	SHAKE_SILENT,  /* not an octet came behind the ClientHello */
	SHAKE_HUNG_UP, /* nothing but the end of the connection */
	SHAKE_NOT_TLS, /* what came is not TLS */
	SHAKE_FAILED,  /* TLS, but it did not work: channel.why */
};

enum probe_volume {
	VOLUME_UNKNOWN, /* the server takes one command at a time */
	VOLUME_WELL,
	VOLUME_LOST, /* small commands were answered, large segments not */
};

enum { PROBE_TEXT = 160 };

struct probe_facts {
	unsigned tried; /* bit for each enum probe_kind */
	enum probe_step step;
	enum probe_stop stop;
	uint16_t greeting, ehlo, helo, starttls; /* codes; 0: none came */
	char greeting_text[PROBE_TEXT];
	bool greeting_masked; /* by asterisks */
	char masked[32];      /* a keyword of Xs, as it was; empty: none */
	unsigned caps, auth;  /* smtp_ehlo.h, in clear */
	char keywords[2 * PROBE_TEXT];
	char starttls_text[PROBE_TEXT];
	enum probe_shake shake;
	char instead[PROBE_TEXT]; /* NOT_TLS: what came */
	struct channel channel;
	char chain[2 * PROBE_TEXT]; /* subjects, the leaf's first, and issuer */
	uint64_t until_s;	    /* when the leaf ends; 0: there is none */
	unsigned caps_tls, auth_tls;
	enum probe_volume volume;
	/* by kind: how the ClientHello made by hand was answered */
	enum probe_shake hello_shake[PROBE_KINDS];
	struct hello_answer hello[PROBE_KINDS];
};

/* The next connection; PROBE_KINDS: all is known. */
enum probe_kind probe_next(const struct probe_facts *f);

#endif
