/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include "auth/digest.h"
#include "auth/sasl.h"

/*
 * scram - SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, 7677), with "tls-exporter" as
 * channel binding (RFC 9266) in the -PLUS forms. Messages are decoded octets.
 *
 * The client believes the server only after its signature. The number of rounds
 * is between ROUNDS_MIN, below which a listener guesses too fast, and
 * ROUNDS_MAX, above which the server only wants to keep us busy. Passwords are
 * taken as they are: SASLprep changes none that is ASCII.
 */
enum {
	SCRAM_ROUNDS_MIN = 4096, /* RFC 7677 4 */
	SCRAM_ROUNDS_MAX = 100000,
	SCRAM_NONCE = 24,	/* characters of ours */
	SCRAM_NONCE_MAX = 256,	/* both halves */
	SCRAM_FIRST_MAX = 1024, /* the server's first message */
	/* "p=tls-exporter,a=...,": accounts have short names */
	SCRAM_GS2_MAX = 255,
	SCRAM_BARE_MAX = 2 * SASL_USER_MAX + SCRAM_NONCE_MAX,
};

enum scram_state {
	SCRAM_BEGIN,
	SCRAM_FIRST,  /* the client's first message is out, or in */
	SCRAM_WORK,   /* rounds are to be done */
	SCRAM_FINAL,  /* the client's proof is out */
	SCRAM_PROVEN, /* each knows that the other knows the password */
	SCRAM_FAILED,
};

struct scram {
	enum digest d;
	enum scram_state state;
	struct pbkdf2 work;
	uint8_t signature[DIGEST_MAX]; /* of the server, expected or to send */
	uint8_t stored[DIGEST_MAX];    /* server: StoredKey */
	char gs2[SCRAM_GS2_MAX + 1];   /* "p=tls-exporter,,", "y,,", "n,," */
	char nonce[SCRAM_NONCE_MAX + 1];
	size_t nonce_n, bare_n, first_n;
	uint8_t bare[SCRAM_BARE_MAX];	/* client-first-message-bare */
	uint8_t first[SCRAM_FIRST_MAX]; /* server-first-message */
};

/* mech: AUTH_SCRAM_*. */
void scram_init(struct scram *s, const struct sasl_ask *ask);

/* --- client: E_FULL no room in out; E_PEER_SYNTAX, E_PEER_ORDER; E_PEER_WEAK
 * too few rounds or too many; E_PEER_PROOF the server does not know the password */
MUST_CHECK int scram_client_first(struct scram *s, const struct sasl_ask *ask,
				  struct span user, struct buf *out);
/* E_AGAIN: call scram_client_work until it returns something else. */
MUST_CHECK int scram_client_challenge(struct scram *s, struct span password,
				      struct span in);
MUST_CHECK int scram_client_work(struct scram *s, const struct sasl_ask *ask,
				 struct span password, uint32_t rounds,
				 struct buf *out);
/* The server's last message; nothing is answered. */
MUST_CHECK int scram_client_final(struct scram *s, struct span in);

/* --- server: the same errors; E_PEER_PROOF the client does not know the
 * password, or somebody has taken -PLUS off the list */

/* The client's first message; user: who it says it is. It may say whom it acts for
 * ("a=", RFC 5802 5.1): for itself, in the same octets; E_PEER_PROOF: for somebody
 * else. */
MUST_CHECK int scram_server_first(struct scram *s, const struct sasl_ask *ask,
				  struct span in, uint8_t *user, size_t max,
				  size_t *user_n);
/* salt: always the same for one user. E_AGAIN: call scram_server_work. */
MUST_CHECK int scram_server_salt(struct scram *s, struct span password,
				 const uint8_t salt[16]);
MUST_CHECK int scram_server_work(struct scram *s, struct span password,
				 uint32_t rounds, const uint8_t salt[16],
				 struct buf *out);
/* The client's proof; out: our own, which it must acknowledge. */
MUST_CHECK int scram_server_final(struct scram *s, const struct sasl_ask *ask,
				  struct span in, struct buf *out);

#endif
