/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "base/text.h"
#include "store/seal.h"

/*
 * store - configurations that survive anything: power cuts at any moment, worn
 * flash, a full flash, octets that changed.
 *
 * A bag of immutable, numbered, self-verifying files. Each is written once,
 * under a number that was never used before, synced, its folder synced, read
 * back and verified; only then store_save says OK. It is never renamed (on
 * JFFS2 a cut inside a rename can leave two names for one file) and never
 * overwritten. What counts is the highest number that verifies, so a cut leaves
 * the configuration before or the new one, and what was acknowledged stays. The
 * first of its kind has none before it: if it does not verify, "kept" tells the
 * cut in a first save, which never counted, from damage.
 *
 *	cfg.00000042	  a configuration; the last STORE_KEEP are kept
 *	rescue.00000041	  the rescue copy, one
 *	secret.00000001	  the secret of the device, two copies; see below
 *	reset.00000043	  a factory reset has begun and must be finished
 *	admin.00000003	  the administrator's password, hashed; one
 *	kept.00000001	  empty: some file of kind 1 has been acknowledged
 *	keys.00000007	  private keys with their certificates; one
 *	clock.00000002	  a time before which it cannot be; one
 *	learned.00000009  what domains were seen to have; one
 *
 * File: header (magic, kind, schema, number, time, length), comment, body and
 * tag. Comment and body are sealed with AES-256-GCM under a key made from the
 * secret of the device, the header is authenticated with them.
 *
 *	store_open(&s, &store_dir_ops, &dir, NULL, alive, &say);
 *	store_load(&s, &text, &n, &info, &say);		  1: here it is
 *	store_save(&s, text, "by admin", now_s, &number, &say);
 *	store_close(&s);
 *
 * Every function writes into say, for a person, what went wrong, what was left
 * out and why, and where: lines that end in a newline, nothing if all is well.
 * say may be NULL.
 *
 * Not promised: that a whole older folder, put back by someone who has the
 * flash in hands, is noticed.
 */
enum {
	STORE_KEEP = 10,
	STORE_COMMENT = 64, /* octets; what is longer is cut */
	STORE_BODY_MAX = 256 << 20,
	STORE_LIST_MAX = 64, /* more files of a kind are not looked at */
	STORE_NUMBER_MAX = 99999999,
	/* Of the body. Raised when older firmware would misunderstand it: that
	 * firmware then leaves the file out and says so. */
	STORE_SCHEMA = 1,
};

enum store_kind {
	STORE_CONF,
	STORE_RESCUE,
	STORE_SECRET,
	STORE_RESET,
	STORE_PASSWORD,
	STORE_KEPT,
	STORE_KEYS,
	STORE_CLOCK,
	STORE_LEARNED,
	STORE_KINDS
};

/*
 * What the files are on: store_dir.h, or a flash that fails in the tests. One
 * file is open at a time. All return OK or
 *   E_FULL    no room on the medium; open, list: no memory
 *   E_IO      anything else; why() says what, for a person
 *   E_CORRUPT open: there is something, but it is not a file
 */
struct store_ops {
	/* Numbers in use, highest first, at most STORE_LIST_MAX. */
	int (*list)(void *dev, enum store_kind k, uint32_t *number, size_t *n);
	/* A fresh file for writing. E_AGAIN: the name is taken. */
	int (*create)(void *dev, enum store_kind k, uint32_t number);
	/* For reading; *size is how long it is. */
	int (*open)(void *dev, enum store_kind k, uint32_t number,
		    uint64_t *size);
	/* All of it, at the end of the file. */
	int (*write)(void *dev, struct span s);
	/* The next size octets; *n fewer: there the file ends. */
	int (*read)(void *dev, uint8_t *p, size_t size, size_t *n);
	/* What was written is on the medium. */
	int (*sync)(void *dev);
	void (*close)(void *dev);
	/* OK as well if there is none. */
	int (*unlink)(void *dev, enum store_kind k, uint32_t number);
	/* All create and unlink up to here are on the medium. */
	int (*dirsync)(void *dev);
	const char *(*why)(void *dev);
};

struct store {
	const struct store_ops *ops;
	void *dev;
	bool ready;
	uint8_t key[SEAL_SECRET];
	uint32_t last[STORE_KINDS]; /* highest number that was ever seen */
	void (*alive)(void);
};

/* What is known about a stored configuration. */
struct store_info {
	uint32_t number; /* 0: none */
	uint32_t schema;
	uint64_t time_s; /* when it was stored, by the clock of that day */
	uint64_t size;	 /* of the body, octets */
	char comment[STORE_COMMENT + 1]; /* printable ASCII */
	/* store_list: OK, or E_CORRUPT, E_IO: only number is known.
	 * store_load: OK. */
	int state;
	/* store_load, store_rescue_load: how many newer ones were left out
	 * because they do not verify; say has a line for each. */
	unsigned skipped;
};

/*
 * Begin: finish a factory reset that was cut, get the key. secret: from what the
 * board has to keep one; NULL: the store keeps its own and makes it at the first
 * start. That hides nothing from someone who reads the whole flash.
 *
 * dev must stay. alive is called between pieces of long work; may be NULL.
 *
 * E_IO, E_FULL: cannot be read; or, at the first start, written. E_CORRUPT: the
 * store's own secret is gone, so that nothing here can be read again. After an
 * error only store_erase_all and store_close do anything; the others return
 * E_IO.
 */
MUST_CHECK int store_open(struct store *s, const struct store_ops *ops,
			  void *dev, const uint8_t *secret, void (*alive)(void),
			  struct text *say);
void store_close(struct store *s);

/*
 * The newest configuration that verifies. Returns
 *   1   *text has *n octets and a NUL behind them; the caller frees it
 *   0   nothing is stored: the first start, or after a factory reset
 *   <0  E_CORRUPT: there are some, none verifies; E_IO; E_FULL: no memory
 */
MUST_CHECK int store_load(struct store *s, char **text, size_t *n,
			  struct store_info *info, struct text *say);

/* The same for one number; 0: there is none with this number. */
MUST_CHECK int store_load_number(struct store *s, uint32_t number, char **text,
				 size_t *n, struct store_info *info,
				 struct text *say);

/*
 * Keep text as the newest; then keep no more than the last STORE_KEEP. OK: it is
 * what store_load finds from now on, whatever happens. *number is its number.
 * A failure to remove old ones is said, but is not an error.
 *
 * E_FULL: no room, although as many old ones were removed as there are behind
 * one good one; or text is longer than STORE_BODY_MAX. E_IO: the flash does not
 * take it, or what it gives back is not what was written. After an error the
 * one before is the newest, unless say tells otherwise.
 */
MUST_CHECK int store_save(struct store *s, struct span text,
			  const char *comment, uint64_t now_s, uint32_t *number,
			  struct text *say);

/* What is stored, newest first; headers and comments only, so that it is quick
 * (a damaged body shows up only when it is loaded). list has room for
 * STORE_LIST_MAX. */
MUST_CHECK int store_list(struct store *s, struct store_info *list, size_t *n,
			  struct text *say);

/* The rescue copy: as store_save and store_load; there is one. */
MUST_CHECK int store_rescue_save(struct store *s, struct span text,
				 const char *comment, uint64_t now_s,
				 struct text *say);
MUST_CHECK int store_rescue_load(struct store *s, char **text, size_t *n,
				 struct store_info *info, struct text *say);

/*
 * The administrator's password as seal.h's password_hash makes it: as
 * store_save and store_load. It is apart from the configurations, so that an
 * older one never brings an older password back. E_CORRUPT, of load: there was
 * one, and nobody can log in with it.
 */
MUST_CHECK int store_password_save(struct store *s, struct span hash,
				   uint64_t now_s, struct text *say);
MUST_CHECK int store_password_load(struct store *s, char **hash, size_t *n,
				   struct store_info *info, struct text *say);

/*
 * Private keys with their certificates, one block of octets for its owner alone
 * to understand: as store_save and store_load. No configuration has them, so no
 * rollback brings an old one back. Wipe what load gives.
 */
MUST_CHECK int store_keys_save(struct store *s, struct span keys,
			       uint64_t now_s, struct text *say);
MUST_CHECK int store_keys_load(struct store *s, char **keys, size_t *n,
			       struct store_info *info, struct text *say);

/* A time, Unix, that has been: as store_save and store_load. */
MUST_CHECK int store_clock_save(struct store *s, uint64_t unix_s,
				struct text *say);
MUST_CHECK int store_clock_load(struct store *s, uint64_t *unix_s,
				struct text *say);

/* What domains were seen to have (policy/learned.h), octets for their owner alone to
 * understand: as store_save and store_load; but no older configuration is removed
 * to make room for it. */
MUST_CHECK int store_learned_save(struct store *s, struct span learned,
				  uint64_t now_s, struct text *say);
MUST_CHECK int store_learned_load(struct store *s, char **learned, size_t *n,
				  struct store_info *info, struct text *say);

/* A key for another purpose, made from that of the store: who has it learns
 * nothing about the store's. E_IO: the store is not open; E_FULL: no memory. */
MUST_CHECK int store_key(const struct store *s, const char *purpose,
			 uint8_t key[SEAL_SECRET]);

/*
 * Factory reset: every configuration, the rescue copy, the private keys, then
 * the password, the store's own secret. A cut leaves all as it was, or
 * store_open finishes what was begun. Then s is closed: store_open begins anew.
 *
 * If the flash takes not even the mark that a reset has begun, the files go in
 * an order that keeps the newest configuration to the last. E_IO: something
 * could not be removed.
 */
MUST_CHECK int store_erase_all(struct store *s, struct text *say);

#endif
