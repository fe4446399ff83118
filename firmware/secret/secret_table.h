/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SECRET_SECRET_TABLE_H
#define SECRET_SECRET_TABLE_H

#include "base/err.h"
#include "base/logon.h"

/*
 * secret_table - what only the program `keys` may know, as one block of octets:
 * the accounts of a configuration, ours at partners and theirs with us, and private
 * keys with their certificates.
 *
 * confd builds it beside the snapshot and sends it to keys, and to nobody else. Of the
 * same form are the ring, which is all keys alone and is kept in flash, sealed (store/,
 * confd_keys.c), and what a relay gets: certificates, with the private keys empty and no
 * account.
 *
 *	header   magic, format, number of entries, the floor of the clock
 *	entries  kind, number of fields, the length of each; then the fields
 *
 * Little-endian. Pure; who has the memory wipes it (base/wipe.h).
 */
enum {
	SECRET_NAME_MAX = 64,	 /* octets of the name of an account or key */
	SECRET_TEXT_MAX = 255,	 /* of a user, NT domain or password, UTF-8 */
	SECRET_SEALED_MAX = 424, /* of a sealed password (store/seal_text.h) */
	SECRET_ACCOUNTS_MAX = 256,
	SECRET_KEYS_MAX = 16,
	SECRET_TABLE_MAX = 4 << 20, /* octets; more is not a table */
};

/* Names are lower case. Spans point into the table. All zeros is a table as well:
 * there is nothing in it. */
struct secret_account {
	struct span name;
	struct span nt_domain;	    /* empty: none */
	struct span user, password; /* UTF-8 */
	struct span sealed; /* the password as the configuration has it */
	/* With what rules of the configuration log on: bit m of enum auth_mech
	 * (base/logon.h). With nothing else may anybody. */
	uint32_t uses;
	/* A partner's, for a log-on to us: name is who logs on, user is empty,
	 * and in place of uses: */
	bool partner;
	struct logon_terms terms;
};

struct secret_key {
	struct span name;
	struct span key;   /* DER: SEC 1 or PKCS#1 */
	struct span chain; /* PEM, the leaf first; empty: none yet */
};

struct secret_table {
	struct span blob;
	uint32_t accounts_n, partners_n, keys_n;
	uint64_t floor_s; /* no time before this is believed (Unix time) */
};

/* Make t a view of blob, which must stay unchanged as long as t is used. All of
 * it is looked at here, so that what follows cannot fail. E_CORRUPT: it is no
 * table, or of another format. */
MUST_CHECK int secret_table_open(struct secret_table *t, struct span blob);

/* The i-th account, partner's account, key, in the order they were added, from 0; i
 * below their number. Walks the table from its start. */
void secret_table_account(const struct secret_table *t, uint32_t i,
			  struct secret_account *a);
void secret_table_partner(const struct secret_table *t, uint32_t i,
			  struct secret_account *a);
void secret_table_key(const struct secret_table *t, uint32_t i,
		      struct secret_key *k);

/* The one with this name, lower case; false: there is none. */
bool secret_table_find_account(const struct secret_table *t, struct span name,
			       struct secret_account *a);
bool secret_table_find_key(const struct secret_table *t, struct span name,
			   struct secret_key *k);

/*
 * Write a table: begin, account ..., key ..., end; accounts of either kind in any
 * order. The memory is the caller's; secret_build_size says how much is enough for
 * so many entries whose fields add up to octets. What is added is copied. The limits
 * above are held by secret_table_open, not here.
 */
struct secret_build {
	uint8_t *p;
	size_t size, n;
	uint32_t entries;
};

size_t secret_build_size(uint32_t entries, size_t octets);

/* Each E_FULL: size is too small; what was added before stays. */
MUST_CHECK int secret_build_begin(struct secret_build *b, uint8_t *mem,
				  size_t size);
MUST_CHECK int secret_build_account(struct secret_build *b,
				    const struct secret_account *a);
MUST_CHECK int secret_build_key(struct secret_build *b,
				const struct secret_key *k);
/* The table, in the memory of begin. Once. */
struct span secret_build_end(struct secret_build *b, uint64_t floor_s);

#endif
