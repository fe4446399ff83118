/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_CONFD_CONFD_H
#define PROC_CONFD_CONFD_H

#include "conf/conf.h"
#include "proc/program.h"
#include "store/seal.h"

/*
 * confd - the text of the configuration becomes a snapshot that all programs
 * have, or none.
 *
 *	text (store or boss at start, console later)
 *	  -> confd_text.c       read it, compile it into a sealed memfd, print it
 *	  -> confd_commit.c     ports, snapshot to all, wait for all, store; or
 *	                        back
 *	     confd_candidate.c  the text that is being edited
 *	     confd_pin.c        the lines that pin another box
 *	     confd_ask.c        what the console asks
 *	     confd_store.c      what is kept in flash
 *	     confd_secret.c     passwords: sealed in every text, open for keys
 *	     confd_keys.c       private keys, which are in no configuration
 *	     confd_clock.c      what time it cannot be
 *	     confd_learn.c      what domains were seen to have
 *	     confd_box.c        what console and boss get to know
 *	  -> confd.c            who is there, what they say
 */
enum {
	/* keys, wire and the relays */
	CONFD_PEERS = 2 + IPC_RELAYS_MAX,
	/* All have to acknowledge within this time; the first time they have
	 * yet to start, as long as boss lets them. */
	CONFD_ACK_MS = 2000,
	CONFD_START_MS = 20000,
	/* Until a program that could not take what is in force gets it again, and
	 * until a trial that could not be ended is ended. */
	CONFD_AGAIN_MS = 1000,
	/* So often, if it has another one in force. */
	CONFD_TRIES = 3,
	CONFD_TEXT_MAX = 256 << 20,
};

/* A configuration: its snapshot, its secrets, those of them that the relays get,
 * its text as printed; all of them sealed memfds. */
struct snapshot {
	int fd, secrets_fd, relay_fd, text_fd; /* -1: none */
	int wire_fd;			       /* the settings alone */
	bool inbound; /* the relays are servers: keys signs for them */
	bool stored;  /* it is in the store already, or must not be */
	bool again;   /* the settings that are in force, once more */
	bool erased;  /* the store was emptied for it */
	size_t size;  /* of the snapshot */
	uint64_t number;
	uint64_t clock_floor_s;
	struct box box;
	uint16_t ports[POLICY_PORTS_MAX];
	size_t ports_n;
};

struct peer {
	enum role role;
	uint32_t index;
	struct watch watch; /* fd -1: not there */
	bool owed;	    /* has not got what it should have */
	uint64_t again_ms;  /* it had no room: ask again then; 0: no */
	uint64_t waits_for; /* snapshot it has to acknowledge; 0: none */
	uint64_t has;	    /* what it acknowledged last; 0: nothing */
	uint32_t refused;   /* so often in a row, what is in force */
};

#define NO_SNAPSHOT                           \
	((struct snapshot){ .fd = -1,         \
			    .secrets_fd = -1, \
			    .relay_fd = -1,   \
			    .text_fd = -1,    \
			    .wire_fd = -1 })

enum phase {
	PHASE_IDLE,
	PHASE_PORTS,  /* waits for boss: INTERCEPTED */
	PHASE_AGREED, /* waits for all: SNAPSHOT_ACK */
	PHASE_BACK,   /* waits for all, that they have the old one again */
};

struct confd {
	struct program prog;
	struct peer peer[CONFD_PEERS];
	struct watch console;
	char *ca; /* the built-in list */
	size_t ca_n;
	struct snapshot now;  /* in force */
	struct snapshot next; /* being put into force */
	/* commit confirmed: what comes back when nobody confirms */
	struct snapshot before;
	uint32_t trial_s;      /* how long next is on trial; 0: it is not */
	uint64_t trial_end_ms; /* 0: nothing is on trial */
	char *candidate;       /* NULL: as what is in force */
	size_t candidate_n;
	char *factory; /* the text that boss gave */
	size_t factory_n;
	char comment[64]; /* why next: for the history */
	/* Of the last commit. What has failed does not give its number back: its
	 * late answers must not count for what came after it. */
	uint64_t number;
	enum phase phase;
	uint32_t intercepts; /* asked of boss, not yet answered */
	uint64_t deadline_ms;
	int error;	    /* PHASE_BACK: why */
	bool console_waits; /* for the result of a load */
	bool keep_owed;	    /* boss has not got the text that is in force */
	struct text report; /* of the last compile */
	char report_mem[CONF_REPORT_MAX];
	struct text outcome; /* of the commit under way */
	char outcome_mem[2048];
};

extern struct confd C;

/* confd_text.c */

/* Read all of fd into fresh memory. E_IO, E_FULL (too large, no memory). Never
 * maps it: whoever holds the file could make it shorter. */
MUST_CHECK int confd_read(int fd, char **text, size_t *n);
/* Compile text into s. OK, or E_CONF, E_FULL, E_IO with C.report; s->ports is
 * what could be read of them in any case. keep: make s->fd and s->text_fd, else
 * only check. */
MUST_CHECK int confd_compile(struct snapshot *s, struct span text, bool keep);
void confd_drop(struct snapshot *s);
/* The text of s, mapped; empty if it has none or there is no memory. */
struct span confd_text_map(const struct snapshot *s);
void confd_text_unmap(struct span text);
/* A report as a memfd, -1 if there is none to be had. */
int confd_report_fd(struct span report);
/* A sealed memfd that holds s; -1: no memory. */
int confd_sealed_fd(const char *name, struct span s);

/* confd_secret.c */

/*
 * The typed passwords of a text become sealed ones. *out is the new text, the
 * caller's to free, or NULL if text can be used as it is. E_CONF: report says
 * what is wrong; what came with *out has the wrong lines as they were, for the
 * compiler to find them as well. E_FULL: no memory.
 */
MUST_CHECK int confd_seal(struct span text, char **out, size_t *n,
			  struct text *report);
/* A compiler that waits for a password gets it. */
void confd_open_sealed(struct conf_job *job);
/* Room for the table of secrets of what job has measured, and of the private
 * keys. E_FULL. */
MUST_CHECK int confd_secrets_begin(struct conf_job *job,
				   struct secret_build *b);
/* With the private keys behind the accounts as a sealed memfd, -1: no memory;
 * or, without want, only wiped. */
int confd_secrets_end(struct secret_build *b, uint64_t floor_s, bool want);
/* What the relays get: the certificates without their keys, if inbound; as a sealed
 * memfd, -1: no memory. */
int confd_secrets_relay(bool inbound);
/* The private keys are others: new tables for all configurations, for keys and
 * the relays. */
void confd_secrets_renew(void);
/* The table of s, mapped; unmap t->blob as a text. E_FULL, E_CORRUPT. */
MUST_CHECK int confd_secrets_map(const struct snapshot *s,
				 struct secret_table *t);

/* confd_candidate.c: each OK, or an error with C.report. */

/* What would be edited or committed now; valid until the next call here. */
struct span confd_candidate(void);
/* Lines of the language and "no ..." (conf/conf_edit.h). */
MUST_CHECK int confd_edit(struct span lines);
MUST_CHECK int confd_replace(struct span text);
void confd_discard(void);
/* Lines that differ between was and the candidate, as a memfd. */
MUST_CHECK int confd_compare(struct span was, int *fd);

/* confd_pin.c: NAME PIN: the candidate is what is in force, and this partner
 * pinned. With any error it is as it was, and the report says why. E_CONF: not a
 * domain and a pin, or its rule is ntlm-seal; E_PEER_ORDER: the candidate has
 * changes; E_FULL: a line is too long; E_CORRUPT. */
MUST_CHECK int confd_pin(struct span text);

/* confd_keys.c */

void confd_keys_start(void);  /* from the store */
void confd_keys_erased(void); /* they are not there any more */
uint32_t confd_keys_n(void);
/* The keys, for a table: how many, and octets of their fields; and themselves, or,
 * shown, the certificates of those that have one, with an empty key. */
size_t confd_keys_need(uint32_t *entries);
MUST_CHECK int confd_keys_add(struct secret_build *b, bool shown);
/* A question of the console about keys. True: the answer is given later. */
bool confd_keys_ask(enum conf_op op, struct span text, int *error);
/* came: OK, or E_FULL: without its descriptors. */
void confd_on_key_result(const struct ipc_msg *m, int came);
void confd_keys_lost(void); /* the program is gone */
void confd_keys_console_gone(void);
void confd_keys_tick(uint64_t now);

/* confd_ask.c */
void confd_on_ask(const struct ipc_msg *m);
/* Nobody confirmed in time? */
void confd_trial_tick(uint64_t now);

/* confd_text.c: the snapshot of s, mapped; unmap p->blob as a text. Error with
 * C.report. */
MUST_CHECK int confd_policy_map(const struct snapshot *s, struct policy *p);

/* confd_store.c: each OK, or an error with C.report. Without a store, saving
 * says so and loading finds nothing. */

void confd_store_start(void);
/* The newest that verifies. E_AGAIN: nothing is stored. */
MUST_CHECK int confd_store_newest(char **text, size_t *n);
/* Number back from the newest, 0 is that one itself. */
MUST_CHECK int confd_store_load(uint64_t back, char **text, size_t *n);
MUST_CHECK int confd_store_save(struct span text, const char *comment);
MUST_CHECK int confd_store_rescue(struct span text);
MUST_CHECK int confd_store_rescue_load(char **text, size_t *n);
MUST_CHECK int confd_store_erase(void);
MUST_CHECK int confd_store_history(struct text *out);
void confd_store_security(struct text *out);
/* E_PEER_ORDER: none is set; E_PEER_SYNTAX: another. */
MUST_CHECK int confd_password_check(struct span password);
MUST_CHECK int confd_password_set(struct span password);
/* The private keys as confd_keys.c has them; the caller wipes and frees. E_AGAIN:
 * none are stored. */
MUST_CHECK int confd_store_keys_load(char **keys, size_t *n);
MUST_CHECK int confd_store_keys_save(struct span keys);
/* E_AGAIN: none is stored. */
MUST_CHECK int confd_store_clock_load(uint64_t *unix_s);
MUST_CHECK int confd_store_clock_save(uint64_t unix_s);
/* What was learned, as confd_learn.c has it; the caller frees it. E_AGAIN: nothing
 * is stored. */
MUST_CHECK int confd_store_learned_load(char **learned, size_t *n);
MUST_CHECK int confd_store_learned_save(struct span learned);
/* The key that passwords of accounts are sealed with. E_IO: there is none. */
MUST_CHECK int confd_store_account_key(uint8_t key[SEAL_SECRET]);

/* confd_commit.c */

/* Put s into force, which becomes confd's. The console gets a result later if
 * console_waits. */
void confd_commit(struct snapshot *s);
void confd_on_intercepted(const struct ipc_msg *m);
void confd_on_ack(struct peer *p, const struct ipc_msg *m);
/* p is new or gone. */
void confd_on_peer(struct peer *p);
/* keys, and relays that are servers, have to get what they should have once
 * more. */
void confd_give_secrets(void);
/* Deadlines, and what is owed. */
void confd_tick(uint64_t now);
/* Ask boss to intercept; for a box without a usable configuration too. */
void confd_intercept(const uint16_t *ports, size_t n, uint32_t vlan);

/* Give what is in force to boss, which gives it back if confd dies. */
void confd_keep(void);

/* confd_box.c: the settings in force that are about the box. */
void confd_tell_console(void);
void confd_tell_boss(void);

/* confd_clock.c */
void confd_clock_start(void); /* the floor that is stored */
/* No time before this has been, as far as the box knows by itself. */
uint64_t confd_clock_floor(void);
bool confd_clock_unset(void);
/* Boss says where the time comes from; news: it changes just now. */
void confd_on_clock(const struct ipc_msg *m, bool news);
/* A commit is in force and stored. */
void confd_clock_committed(void);
/* What show status says of it, and what is due. */
void confd_clock_tick(void);
/* What gave the programs another floor was taken back: once more, in a minute. */
void confd_clock_again(void);
void confd_clock_security(struct text *out);

/* confd_learn.c */

void confd_learn_start(void); /* from the store; what is damaged is forgotten */
void confd_learn_erased(void);	       /* it is not there any more */
void confd_learn_give(struct peer *p); /* all of it, to a relay */
void confd_on_learned(const struct peer *p, const struct ipc_msg *m);
void confd_learn_tick(uint64_t now);
/* For show domain: what was learned of it, if its rule learns. */
void confd_learn_domain(const struct policy_rule *rule, struct span domain);
/* Of one domain or, if the name is empty, of all: show, with *fd or the report as the
 * answer; forget; lines for the candidate, with *fd. E_CONF: nothing is known of it, or
 * there is no line to make; and the errors of the candidate and of the store. */
MUST_CHECK int confd_learn_show(struct span name, int *fd);
MUST_CHECK int confd_learn_forget(struct span name);
MUST_CHECK int confd_learn_accept(struct span name, bool pin, int *fd);

/* confd.c */
/* p has to begin anew: it will not go on without us for long. */
void confd_hang_up(struct peer *p);
/* Answer the console at once; the descriptor, if not -1, is closed. */
void confd_reply(int error, uint64_t number, int fd);
/* The end of a commit, with C.outcome, to the console if it waits. */
void confd_answer(int error, uint64_t number);

#endif
