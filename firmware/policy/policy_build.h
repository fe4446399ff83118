/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_POLICY_BUILD_H
#define POLICY_POLICY_BUILD_H

#include "policy/inbound.h"

/*
 * policy_build - write a snapshot. Used by conf/, and by confd for one of settings
 * alone; the readers are policy.h and inbound.h.
 *
 *	begin, rule or inbound ..., [ca ...], end
 *
 * The memory is the caller's. policy_build_size says how much is enough for
 * rules_n rules (default counted if it is added) and inbound_n rules for the
 * receiving side, whose strings add up to strings_n bytes (names, match names,
 * 32 per pin, CA list), so that memory is in proportion to the list.
 */
struct policy_build_table {
	size_t at; /* its slots; its order follows */
	uint32_t slots, most, n;
};

struct policy_build {
	uint8_t *p;
	size_t size;
	struct policy_build_table table[2]; /* by enum policy_table */
	size_t heap;			    /* next free byte */
	size_t ca;	/* where the CA list begins; 0: not yet */
	uint32_t flags; /* of the header, as far as known */
	uint32_t dflt;	/* offset of the default rule; 0: not yet */
};

/* SIZE_MAX: no snapshot can be that large. */
size_t policy_build_size(uint32_t rules_n, uint32_t inbound_n,
			 size_t strings_n);

/* hash_key: fresh random octets for every snapshot. E_FULL: mem is too small
 * even for so many rules without strings. */
MUST_CHECK int policy_build_begin(struct policy_build *b, uint8_t *mem,
				  size_t size, uint32_t rules_n,
				  uint32_t inbound_n,
				  const uint8_t hash_key[16]);

/*
 * Add a rule; everything it points to is copied. The name "default" sets the
 * default; without one it becomes "may". At level verify match_n == 0 stands
 * for the domain itself and everything below it (also for a rule ".domain").
 *
 * E_FULL: more than was announced. E_CONF: the name is there already, and
 * *first_line says where; or (*first_line 0) the rule cannot be: no name, a
 * number above its maximum, verify for the default without match, a pin level
 * without pins, a log-on or learn that its level does not allow, ntlm-seal without
 * a log-on, a route by name below verify.
 */
MUST_CHECK int policy_build_rule(struct policy_build *b,
				 const struct policy_rule *rule,
				 uint32_t *first_line);

/* The same for a rule of the receiving side; there is no default among them. */
MUST_CHECK int policy_build_inbound(struct policy_build *b,
				    const struct inbound_rule *rule,
				    uint32_t *first_line);

/* Append to the CA list, after the last rule. E_FULL as above. */
MUST_CHECK int policy_build_ca(struct policy_build *b, struct span pem);

/* Finish: append s->ca_pem, which may be empty, to the CA list, store the
 * settings and seal with a length and a checksum. *len is how much of the
 * memory is the snapshot; the rest is not needed any more. E_CONF: more ports
 * than POLICY_PORTS_MAX. */
MUST_CHECK int policy_build_end(struct policy_build *b,
				const struct settings *s, size_t *len);

/* All of that for a snapshot of s without its CA list, and no rule but the default:
 * for a program that has no business with domains. mem: POLICY_BUILD_SETTINGS_MAX
 * octets. */
enum { POLICY_BUILD_SETTINGS_MAX = 4096 };
MUST_CHECK int policy_build_settings(uint8_t *mem, const struct settings *s,
				     size_t *len);

#endif
