/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_NTLM_MSG_H
#define AUTH_NTLM_MSG_H

#include "base/buf.h"

/*
 * ntlm_msg - the three messages of NTLM (MS-NLMP 2.2.1) as octets: NEGOTIATE
 * (T1), CHALLENGE (T2), AUTHENTICATE (T3), and the attribute list in T2 that
 * comes back in T3. Integers are little-endian. Names are as they are on the wire:
 * UTF-16LE with NTLM_UNICODE, else one octet a character (auth/utf16.h).
 *
 * Spans of a parsed message point into it and live as long as it does; those of a
 * message to be built are read in the call alone. What a field says of itself
 * besides offset and length (its room, the version) is not looked at.
 */
/* MS-NLMP 2.2.2.5 */
enum ntlm_flag {
	NTLM_UNICODE = 0x1,
	NTLM_OEM = 0x2,
	NTLM_REQUEST_TARGET = 0x4,
	NTLM_SIGN = 0x10,
	NTLM_SEAL = 0x20,
	NTLM_LM_KEY = 0x80,
	NTLM_NTLM = 0x200,
	NTLM_ALWAYS_SIGN = 0x8000,
	NTLM_TARGET_DOMAIN = 0x10000,
	NTLM_TARGET_SERVER = 0x20000,
	NTLM_ESS = 0x80000, /* extended session security */
	NTLM_TARGET_INFO = 0x800000,
	NTLM_VERSION = 0x2000000,
	NTLM_128 = 0x20000000,
	NTLM_KEY_EXCH = 0x40000000,
};
#define NTLM_56 0x80000000u /* no int has it */

enum {
	NTLM_MIC_AT = 72,    /* offset in a T3 that has one (2.2.1.3) */
	NTLM_T3_HEADER = 88, /* octets, with the MIC; 64 without */
	NTLM_MIC = 16,	     /* octets */
};

/* MS-NLMP 2.2.2.1 */
enum ntlm_av {
	NTLM_AV_EOL,
	NTLM_AV_COMPUTER,
	NTLM_AV_DOMAIN,
	NTLM_AV_DNS_COMPUTER,
	NTLM_AV_DNS_DOMAIN,
	NTLM_AV_DNS_TREE,
	NTLM_AV_FLAGS, /* u32; see below */
	NTLM_AV_TIME,  /* u64, since 1601, in 100 ns */
	NTLM_AV_SINGLE_HOST,
	NTLM_AV_TARGET_NAME,
	NTLM_AV_BINDING, /* 16 octets: MD5 of a channel binding, or zeros */
};

enum { NTLM_AV_FLAG_MIC = 0x2 }; /* T3 has a MIC */

struct ntlm_t1 {
	uint32_t flags;
};

struct ntlm_t2 {
	uint32_t flags;
	uint8_t challenge[8];
	struct span target;
	struct span info; /* attributes, with their end; empty: none */
};

struct ntlm_t3 {
	uint32_t flags;
	struct span lm, nt, domain, user, host, key;
	/* To build: leave room for one. Parsed: no field lies where it stands; that
	 * it was meant is said by NTLM_AV_FLAG_MIC in what the client adds to nt. */
	bool mic;
};

/*
 * Append to out: T1 40 octets; T2 56, target and info; T3 64, with mic 88, and all
 * six fields. E_FULL: no room in out, or a field above 65535 octets; then nothing of
 * it was written. T3 with mic: 16 zeros at NTLM_MIC_AT, to be filled in when all the
 * rest is there. The caller sees to it that flags and fields fit together.
 */
MUST_CHECK int ntlm_t1_build(struct buf *out, const struct ntlm_t1 *m);
MUST_CHECK int ntlm_t2_build(struct buf *out, const struct ntlm_t2 *m);
MUST_CHECK int ntlm_t3_build(struct buf *out, const struct ntlm_t3 *m);

/* E_PEER_SYNTAX: not such a message, or a field points out of it, or the
 * attributes of T2 are not a list with an end. */
MUST_CHECK int ntlm_t1_parse(struct ntlm_t1 *m, struct span in);
MUST_CHECK int ntlm_t2_parse(struct ntlm_t2 *m, struct span in);
MUST_CHECK int ntlm_t3_parse(struct ntlm_t3 *m, struct span in);

/* Take the next attribute off a list. 1: *id and *v are it, and *list is what
 * follows; 0: the end is there; E_PEER_SYNTAX: neither. */
MUST_CHECK int ntlm_av_next(struct span *list, enum ntlm_av *id,
			    struct span *v);
/* The first attribute of a kind, its value in *v; false: there is none before the
 * end, or before what is no list, and *v means nothing. */
bool ntlm_av_find(struct span list, enum ntlm_av id, struct span *v);
/* Append one; NTLM_AV_EOL with an empty v is the end. E_FULL: no room, and nothing
 * of it. */
MUST_CHECK int ntlm_av_put(struct buf *out, enum ntlm_av id, struct span v);

#endif
