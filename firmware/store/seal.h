/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "base/err.h"
#include "base/span.h"

/*
 * seal - what is kept in flash cannot be read or changed without the secret of
 * the device: AES-256-GCM, keys by HKDF-SHA256, and passwords as PBKDF2.
 *
 * The only place of the configuration store that knows the crypto library.
 */
enum {
	SEAL_SECRET = 32, /* what a device has; and a key */
	SEAL_NONCE = 12,
	SEAL_TAG = 16,
};

/* n random octets from the kernel; waits until it has gathered enough after a
 * cold start. E_IO: it has no generator. */
MUST_CHECK int seal_random(void *p, size_t n);

/* A key for one purpose: who has it learns nothing about the secret or about
 * the keys of other purposes. E_FULL: no memory. */
MUST_CHECK int seal_key(uint8_t key[SEAL_SECRET],
			const uint8_t secret[SEAL_SECRET], const char *purpose);

/* Overwrite what must not stay in memory; not optimised away. */
void seal_wipe(void *p, size_t n);

/*
 * A body of any length in pieces: seal_new, seal_piece for each piece (all but
 * the last a multiple of 16 octets), seal_tag or seal_check, seal_free.
 */
enum seal_way { SEAL_SHUT, SEAL_OPEN };

struct seal;

/* with: authenticated, but not encrypted. nonce: never the same twice under
 * one key. NULL: no memory. */
struct seal *seal_new(enum seal_way way, const uint8_t key[SEAL_SECRET],
		      const uint8_t nonce[SEAL_NONCE], struct span with);

/* in and out may be the same memory. What comes out of SEAL_OPEN is worth
 * nothing, and must not be looked at, until seal_check was OK. */
void seal_piece(struct seal *s, const uint8_t *in, uint8_t *out, size_t n);

/* The end of SEAL_SHUT: what makes every octet of it count. */
void seal_tag(struct seal *s, uint8_t tag[SEAL_TAG]);

/* The end of SEAL_OPEN. E_CORRUPT: an octet of nonce, with, body or tag is not
 * what it was, or the key is another. Takes the same time either way. */
MUST_CHECK int seal_check(struct seal *s, const uint8_t tag[SEAL_TAG]);

void seal_free(struct seal *s); /* may be NULL */

/*
 * A password as it is stored: pbkdf2-sha512:ITERATIONS:SALT:HASH, the latter
 * two in base64 (16 and 64 octets). No space, quote or other character that a
 * line of settings would have to escape.
 */
enum {
	PASSWORD_HASH_MAX = 160, /* with the NUL */
	PASSWORD_MAX = 1024,
	PASSWORD_ITERATIONS = 100000, /* what to ask for */
	/* What is believed when it is read: not so few that the hash hides
	 * nothing, not so many that a login stops the program for long. */
	PASSWORD_ITERATIONS_MIN = 1000,
	PASSWORD_ITERATIONS_MAX = 1000000,
};

/*
 * alive is called about every 20 milliseconds of the work; may be NULL.
 *
 * E_CONF: empty, longer than PASSWORD_MAX, or iterations out of bounds; E_IO: no
 * random octets for the salt.
 */
MUST_CHECK int password_hash(char out[PASSWORD_HASH_MAX], struct span password,
			     uint32_t iterations, void (*alive)(void));

/* OK: this is the password. E_PEER_SYNTAX: it is not. E_CORRUPT: stored is not
 * in the form above (nothing was compared; nobody can log in with it). The time
 * depends on stored only. */
MUST_CHECK int password_check(struct span stored, struct span password,
			      void (*alive)(void));

/* Is this the stored form of a password? For the checks of a setting. */
bool password_valid(struct span stored);

#endif
