/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_POLICY_FORMAT_H
#define POLICY_POLICY_FORMAT_H

#include "base/bytes.h"
#include "base/hash.h"
#include "policy/policy.h"

/*
 * policy_format - how a snapshot lies in memory. Private to policy/.
 *
 *	header     fixed, below
 *	slots      slots_n (a power of two, more than half of them empty) times
 *	           u32 tag, u32 offset of a rule; offset 0 is an empty slot
 *	order      rules_n times u32: offsets in the order of the configuration
 *	slots and order once more, of the rules for the receiving side
 *	heap       rules, then the CA list
 *
 * A rule:
 *	u32 line
 *	u8  level, on_fail, flags, match_n, pin_n, name_n
 *	u16 min_tls
 *	[16 octets, u16; the same] the route in IPv4 and in IPv6, if flags has
 *	                           RULE_ROUTE; port 0: there is none of this kind
 *	[u16, u8 n, n octets]      its port and name, if flags has RULE_ROUTE_NAME
 *	name_n + 1 octets          a dot, then the name (see RULE_MATCH_SELF)
 *	match_n times u8 n, n octets
 *	pin_n times 32 octets
 *	[u8 mechanism, min_bits, flags, account_n; account_n octets]
 *	                           the log-on, if flags has RULE_LOGON
 *
 * A rule for the receiving side:
 *	u32 line
 *	u8  need, pin_n, name_n, account_n
 *	u16 min_tls
 *	u8  min_bits
 *	name_n octets              the name
 *	pin_n times 32 octets
 *	account_n octets
 *
 * All integers are little-endian; all offsets count from the first octet of
 * the snapshot. An offset is 32 bits, so a snapshot ends below 4 GiB.
 */
#define POLICY_MAGIC "SWPOLICY"

enum {
	POLICY_FORMAT = 7,

	/* header */
	H_MAGIC = 0,	     /* 8 */
	H_FORMAT = 8,	     /* u32 */
	H_HEADER = 12,	     /* u32: HEADER_SIZE */
	H_LENGTH = 16,	     /* u64: of the snapshot */
	H_SUM = 24,	     /* u64: SipHash of all after this field */
	H_KEY = 32,	     /* 16: of SipHash, for sum and slots */
	H_RULES = 48,	     /* u32 */
	H_SLOTS = 52,	     /* u32 */
	H_DEFAULT = 56,	     /* u32: offset of the default rule */
	H_CA = 60,	     /* u32: offset */
	H_CA_N = 64,	     /* u64 */
	H_CA_BUILTIN_N = 72, /* u64 */
	H_NUMBER = 80,	     /* u64 */
	H_FLOOR = 88,	     /* u64 */
	H_SESSIONS = 96,     /* u32 x 4, then fallback */
	H_SESSIONS_SOURCE = 100,
	H_HALF_OPEN = 104,
	H_HALF_OPEN_SOURCE = 108,
	H_FALLBACK = 112,
	H_PORTS_N = 116,			    /* u32 */
	H_FLAGS = 120,				    /* u32 */
	H_PORTS = 124,				    /* u16 x POLICY_PORTS_MAX */
	H_INBOUND = H_PORTS + 2 * POLICY_PORTS_MAX, /* u32 */
	H_INBOUND_SLOTS = H_INBOUND + 4,	    /* u32 */
	H_INBOUND_AT = H_INBOUND_SLOTS + 4, /* u32: offset of its slots */
	H_IDLE = H_INBOUND_AT + 4,	    /* u32 */
	H_MANAGEMENT = H_IDLE + 4,	    /* 16, u16; so are the next two */
	H_GATEWAY = H_MANAGEMENT + 18,
	H_SYSLOG = H_GATEWAY + 18,
	H_NAME_N = H_SYSLOG + 18,		 /* u8 */
	H_NAME = H_NAME_N + 1,			 /* BOX_NAME */
	H_BANNER_N = H_NAME + BOX_NAME,		 /* u16 */
	H_BANNER = H_BANNER_N + 2,		 /* BOX_BANNER */
	H_FLOOR_SET = H_BANNER + BOX_BANNER + 1, /* u64 */
	H_MECHS = H_FLOOR_SET + 8,		 /* u32 */
	H_INBOUND_PORT = H_MECHS + 4,		 /* u32 */
	H_RESOLVER = H_INBOUND_PORT + 4,	 /* 16, u16 */
	H_INBOUND_ADDRESS = H_RESOLVER + 18,	 /* the same */
	H_INBOUND_SERVER = H_INBOUND_ADDRESS + 18,
	H_VLAN = H_INBOUND_SERVER + 18, /* u32 */
	H_NTP = H_VLAN + 4,		/* (16, u16) x BOX_NTP */
	HEADER_SIZE = H_NTP + 18 * BOX_NTP,
	SUM_FROM = H_SUM + 8,

	/* header flags */
	HF_PROTECTS = 1 << 0,
	HF_BARE_EOL_PASS = 1 << 1,
	HF_LOG_ADDRESSES = 1 << 2,
	HF_CA_BUILTIN = 1 << 3,
	HF_INBOUND_ASKS = 1 << 4, /* a client certificate */
	HF_INBOUND = 1 << 5,
	HF_INBOUND_PASS = 1 << 6,
	HF_CLOCK_UNSET = 1 << 7,
	HF_CARRY = 1 << 8,
	HF_PEERS = 1 << 9,
	HF_ALL = (1 << 10) - 1,

	SLOT_SIZE = 8,

	/* a rule */
	R_LINE = 0,
	R_LEVEL = 4,
	R_ON_FAIL = 5,
	R_FLAGS = 6,
	R_MATCH_N = 7,
	R_PIN_N = 8,
	R_NAME_N = 9,
	R_MIN_TLS = 10,
	RULE_FIXED = 12,
	ROUTE_SIZE = 2 * 18,
	ROUTE_NAME_FIXED = 3,
	PIN_SIZE = 32,

	RULE_ROUTE = 1 << 0,
	/* match is the domain itself and all below it; nothing is stored for
	 * that, because the dot in front of the name makes it readable in both
	 * forms. */
	RULE_MATCH_SELF = 1 << 1,
	RULE_LOGON = 1 << 2,
	RULE_ROUTE_NAME = 1 << 3,
	RULE_LEARN = 1 << 4,

	/* its log-on */
	L_MECH = 0,
	L_MIN_BITS = 1,
	L_FLAGS = 2,
	L_ACCOUNT_N = 3,
	LOGON_FIXED = 4,
	LF_LEGACY = 1 << 0,
	LF_LE = 1 << 1,
	LF_LAST = 1 << 2,

	/* a rule for the receiving side */
	I_LINE = 0,
	I_NEED = 4,
	I_PIN_N = 5,
	I_NAME_N = 6,
	I_ACCOUNT_N = 7,
	I_MIN_TLS = 8,
	I_MIN_BITS = 10,
	IN_FIXED = 11,
};

/* The two lists of a snapshot. */
enum policy_table { TABLE_OUTBOUND, TABLE_INBOUND };

static inline uint64_t policy_hash(const uint8_t *snapshot, struct span name)
{
	return siphash(snapshot + H_KEY, name);
}

/* policy.c: what both readers use. The header has been checked. */

/* Where the heap begins. */
uint64_t policy_heap(const uint8_t *snapshot);

/* Octets of a rule not read yet; s->p is NULL once it asked for too many. */
const uint8_t *policy_take(struct span *s, size_t n);

/* The offset of the i-th rule of a table; i below their number. */
uint32_t policy_order(const uint8_t *snapshot, enum policy_table t, uint32_t i);

/* The rules whose hash has the tag of name, one after the other. */
struct policy_probe {
	const uint8_t *slots;
	uint32_t mask, at, tag;
	uint32_t left; /* slots not looked at; 0: no empty one was met, so the
			* table was not built by us */
};
struct policy_probe policy_probe(const uint8_t *snapshot, enum policy_table t,
				 struct span name);
/* The offset of the next one; 0: there is none, or see left. */
uint32_t policy_probe_next(struct policy_probe *p);

#endif
