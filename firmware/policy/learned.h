/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_LEARNED_H
#define POLICY_LEARNED_H

#include "policy/policy.h"

/*
 * learned - what domains have been seen to have: that mail for them left in TLS, in
 * which versions, to which keys. By domain, as rules are, and not by server: who can
 * send mail astray can name another server as well.
 *
 * A rule with the word learn asks that it is remembered. At the level may it asks
 * for TLS from then on, too (learned_requires). Nothing here makes a rule weaker.
 *
 *	learned_see(l, "partner.example", &what);	a recipient's mail leaves
 *	learned_requires(l, &rule, "partner.example");	may it leave in clear?
 *
 * A fixed number of domains, in memory of the caller; nothing is allocated. As octets
 * it goes between confd, which keeps it, and the relays, and into flash:
 *
 *	u8 n, n octets		the domain, as domain_normalise() gives it
 *	u8 lowest, highest	TLS version, 3 or 4 for 1.2 or 1.3
 *	u16 first, last		day, since 1970; 0: the clock was not set
 *	u8 keys_n, more		more (0 or 1): it has more keys than there is room for
 *	keys_n times 32 octets, u16 first, u16 last
 *
 * one behind the other, little-endian. LEARNED_FORMAT stands before them in flash.
 */
enum {
	LEARNED_DOMAINS = 1024, /* that are kept; confd chooses who gives way */
	LEARNED_SLOTS = LEARNED_DOMAINS +
			128, /* room for those it has not seen */
	LEARNED_KEYS = POLICY_PINS_MAX,
	LEARNED_FORMAT = 1,
	LEARNED_KEY_SIZE = 36,
	LEARNED_RECORD_MAX = 1 + POLICY_DOMAIN_MAX + 8 +
			     LEARNED_KEYS * LEARNED_KEY_SIZE,
};

struct learned_key {
	uint8_t spki_sha256[32];
	uint16_t first_day, last_day;
};

struct learned_domain {
	char name[POLICY_DOMAIN_MAX + 1]; /* empty: the slot is free */
	uint8_t name_n;
	uint16_t lowest, highest; /* 0x0303, 0x0304 */
	uint16_t first_day, last_day;
	/* A ninth takes the place of one that was not seen on the same day; else
	 * more is set. */
	struct learned_key key[LEARNED_KEYS];
	uint8_t key_n;
	bool more;
	bool unsaid; /* learned_see has changed it; see learned_write */
};

struct learned;
size_t learned_size(void);
/* mem: learned_size() octets, aligned for any type. key: random, for hashes. */
struct learned *learned_init(void *mem, const uint8_t key[16]);

/* How much of it is new, from little to much. */
enum learned_news {
	LEARNED_NOTHING,
	LEARNED_DATE, /* it was seen on another day */
	LEARNED_FACT, /* a domain, a key or a version that was not known */
	LEARNED_FULL, /* not taken: no slot is free */
};

/* Mail for the domain (normal, not empty) leaves to a server with this version and
 * key. day: since 1970, or 0. */
enum learned_news learned_see(struct learned *l, struct span domain,
			      uint16_t version, const uint8_t spki_sha256[32],
			      uint16_t day);

/* NULL: not known. Valid until the next call that changes l. */
const struct learned_domain *learned_find(const struct learned *l,
					  struct span domain);

/* Must mail for the domain leave in TLS, though the level of its rule is may? */
bool learned_requires(const struct learned *l, const struct policy_rule *rule,
		      struct span domain);

size_t learned_n(const struct learned *l);
/* Slot i, 0 <= i < LEARNED_SLOTS; NULL: nobody is there. */
const struct learned_domain *learned_at(const struct learned *l, size_t i);

/* False: it was not known. */
bool learned_forget(struct learned *l, struct span domain);
void learned_forget_all(struct learned *l);

/*
 * Records from slot *at on into to, as many as fit; *at becomes the slot to go on
 * with, LEARNED_SLOTS at the end. Returns how many octets. unsaid: only those that
 * are. room: at least LEARNED_RECORD_MAX.
 */
size_t learned_write(const struct learned *l, size_t *at, bool unsaid,
		     uint8_t *to, size_t room);
/* Slots from..to - 1 have been said; or (what) have to be said again. */
void learned_mark(struct learned *l, size_t from, size_t to, bool unsaid);

/*
 * Take records over: what is known already stays, and gets what they know in
 * addition. E_CORRUPT: they are none, and nothing was taken. *news: the most that
 * one of them brought; of FULL, the others were taken.
 */
MUST_CHECK int learned_read(struct learned *l, struct span records,
			    enum learned_news *news);

#endif
