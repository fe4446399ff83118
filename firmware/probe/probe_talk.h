/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBE_PROBE_TALK_H
#define PROBE_PROBE_TALK_H

#include "base/buf.h"
#include "probe/probe.h"
#include "proto/smtp_reply.h"

/*
 * probe_talk - one connection of a probe: octets and time in, octets and wishes
 * out, findings into struct probe_facts. It says EHLO or HELO, STARTTLS, NOOP and
 * QUIT, and no other command, so no mail can come of it.
 *
 *	caller                                 engine
 *	feed(octets) ----------------------->  reads a reply, says the next word
 *	              <----------------------  wish: TLS
 *	makes a TLS client; tells what became
 *	of it with probe_talk_shaken, and
 *	feeds clear text from then on
 */
enum probe_wish {
	PROBE_NOTHING,
	PROBE_TLS,   /* begin TLS now, once out is empty */
	PROBE_CLOSE, /* that was all, once out is empty */
};

enum { PROBE_REPLY_MAX = 8192 };

struct probe_talk {
	enum probe_kind kind;
	struct probe_facts *facts; /* the caller's */
	int state;		   /* private from here on */
	uint64_t now_ms, until_ms, release_ms;
	struct smtp_reply reply;
	uint8_t reply_mem[PROBE_REPLY_MAX];
	struct buf out;
	uint8_t out_mem[4096];
	size_t released; /* of out: what may leave by now */
	char name[64];	 /* who we are, in EHLO */
	struct hello hello;
	char sni[DOMAIN_MAX + 1];
	uint8_t answer[HELLO_ANSWER_MAX];
	size_t answer_n;
};

/* The connection is up. name: what to say in EHLO, as "[192.0.2.1]", copied, as is
 * sni. random: 32 octets. f: zero before the first connection; facts of the ones
 * before stay. t must not move. */
void probe_talk_init(struct probe_talk *t, enum probe_kind kind,
		     struct probe_facts *f, struct span name, struct span sni,
		     const uint8_t random[32], uint64_t now_ms);

/* All is taken. In TLS: the first octets of the server as they come, until
 * probe_talk_shaken is called, then clear text. */
void probe_talk_feed(struct probe_talk *t, struct span in);
/* The server has closed or reset the connection. */
void probe_talk_gone(struct probe_talk *t);
/* UP or FAILED; facts->channel is filled by then. */
void probe_talk_shaken(struct probe_talk *t, enum probe_shake how);

/* What may leave now, valid until the next call on t; of it n octets did. */
struct span probe_talk_out(const struct probe_talk *t);
void probe_talk_sent(struct probe_talk *t, size_t n);
enum probe_wish probe_talk_wish(const struct probe_talk *t);
void probe_talk_tick(struct probe_talk *t, uint64_t now_ms);
/* When to tick next; UINT64_MAX: never. */
uint64_t probe_talk_deadline(const struct probe_talk *t);

#endif
