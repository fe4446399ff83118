/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_NTLM_MSG_H
#define AUTH_NTLM_MSG_H

#include "base/buf.h"

/*
 * ntlm_msg - the three messages of NTLM (MS-NLMP 2.2.1) as octets: NEGOTIATE
 * (T1), CHALLENGE (T2), AUTHENTICATE (T3), and the attribute list in T2 that
 * comes back in T3. Spans of a parsed message point into it.
 */
enum ntlm_flag { /* MS-NLMP 2.2.2.5 */
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
#define NTLM_56 0x80000000u

enum {
	NTLM_MIC_AT = 72, /* in a T3 that has one */
	NTLM_T3_HEADER = 88,
	NTLM_MIC = 16,
};

enum ntlm_av { /* MS-NLMP 2.2.2.1 */
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
	       NTLM_AV_BINDING, /* MD5 of a channel binding */
};

enum { NTLM_AV_FLAG_MIC = 0x2 }; /* T3 has a MIC */

struct ntlm_t1 {
	uint32_t flags;
};

struct ntlm_t2 {
	uint32_t flags;
	uint8_t challenge[8];
	struct span target;
	struct span info; /* attributes; empty if there are none */
};

struct ntlm_t3 {
	uint32_t flags;
	struct span lm, nt, domain, user, host, key;
	bool mic; /* there is room for one, and it is zero or what came */
};

/* Append. E_FULL: no room, and nothing of it. T3 with mic: 16 zeros at
 * NTLM_MIC_AT, to be filled in when all the rest is there. */
MUST_CHECK int ntlm_t1_build(struct buf *out, const struct ntlm_t1 *m);
MUST_CHECK int ntlm_t2_build(struct buf *out, const struct ntlm_t2 *m);
MUST_CHECK int ntlm_t3_build(struct buf *out, const struct ntlm_t3 *m);

/* E_PEER_SYNTAX: not such a message, or a field points out of it, or the
 * attributes of T2 are not a list with an end. */
MUST_CHECK int ntlm_t1_parse(struct ntlm_t1 *m, struct span in);
MUST_CHECK int ntlm_t2_parse(struct ntlm_t2 *m, struct span in);
MUST_CHECK int ntlm_t3_parse(struct ntlm_t3 *m, struct span in);

/* Take the next attribute off a list. 1: *id and *v are it; 0: the end is
 * there; E_PEER_SYNTAX: neither. */
MUST_CHECK int ntlm_av_next(struct span *list, enum ntlm_av *id,
			    struct span *v);
/* The first attribute of a kind; false if there is none. */
bool ntlm_av_find(struct span list, enum ntlm_av id, struct span *v);
/* E_FULL: no room. */
MUST_CHECK int ntlm_av_put(struct buf *out, enum ntlm_av id, struct span v);

#endif
