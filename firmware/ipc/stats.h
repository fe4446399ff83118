/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IPC_STATS_H
#define IPC_STATS_H

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

/*
 * stats - how a program shows what it does: one shared memory each, written by
 * its owner alone, mapped read-only by the console. No message, no lock, and a
 * reader cannot disturb the writer.
 *
 * It is memory of one machine between programs of one build, so unlike all
 * else it is a struct as it lies. A reader treats every value as foreign: texts
 * may be cut or mixed while they are being written, numbers are only shown.
 */

/* Every counter there is: name, owner, meaning. Names are what show counters
 * prints and what scripts may rely on. */
#define STATS_COUNTERS(X)                                            \
	/* wire */                                                   \
	X(FRAMES_TAKEN_INSIDE, "frames-taken-inside", WIRE)          \
	X(FRAMES_TAKEN_OUTSIDE, "frames-taken-outside", WIRE)        \
	X(FRAMES_PUT_BACK, "frames-put-back", WIRE)                  \
	X(FRAMES_DROPPED_BAD, "frames-dropped-bad", WIRE)            \
	X(FRAMES_DROPPED_HIDDEN, "frames-dropped-hidden-mail", WIRE) \
	X(FRAMES_DROPPED_SPOOFED, "frames-dropped-wrong-side", WIRE) \
	X(FRAMES_DROPPED_QUEUE, "frames-dropped-queue", WIRE)        \
	X(FRAGMENTS_TAKEN, "fragments-taken", WIRE)                  \
	X(FRAGMENTS_DROPPED, "fragments-dropped", WIRE)              \
	X(FLOWS_OPENED, "flows-opened", WIRE)                        \
	X(FLOWS_REFUSED, "flows-refused-by-server", WIRE)            \
	X(FLOWS_SILENT, "flows-server-silent", WIRE)                 \
	X(FLOWS_NOW, "flows-now", WIRE)                              \
	X(FLOWS_PEAK, "flows-peak", WIRE)                            \
	X(HALF_OPEN_NOW, "half-open-now", WIRE)                      \
	X(SYN_DROPPED_CAP, "syn-dropped-cap", WIRE)                  \
	X(SYN_DROPPED_SOURCE, "syn-dropped-source-cap", WIRE)        \
	X(SYN_DROPPED_RELAY, "syn-dropped-no-relay", WIRE)           \
	X(UNKNOWN_RESET, "unknown-sessions-reset", WIRE)             \
	X(ICMP_OBEYED, "icmp-obeyed", WIRE)                          \
	X(ICMP_FORGED, "icmp-forged", WIRE)                          \
	X(DIALS, "dials", WIRE)                                      \
	X(DIALS_FAILED, "dials-failed", WIRE)                        \
	/* relay */                                                  \
	X(SESSIONS, "sessions", RELAY)                               \
	X(SESSIONS_NOW, "sessions-now", RELAY)                       \
	X(SESSIONS_PEAK, "sessions-peak", RELAY)                     \
	X(SESSIONS_REFUSED, "sessions-refused-no-room", RELAY)       \
	X(MESSAGES_PROTECTED, "messages-encrypted", RELAY)           \
	X(MESSAGES_CLEAR, "messages-clear", RELAY)                   \
	X(MESSAGES_REFUSED, "messages-refused-by-server", RELAY)     \
	X(MESSAGE_BYTES, "message-bytes", RELAY)                     \
	X(RCPT_REFUSED, "recipients-refused", RELAY)                 \
	X(RCPT_DEFERRED, "recipients-deferred", RELAY)               \
	X(TLS_UP, "tls-handshakes", RELAY)                           \
	X(TLS_TRUSTED, "tls-handshakes-trusted-chain", RELAY)        \
	X(TLS_FAILED, "tls-handshakes-failed", RELAY)                \
	X(FALLBACKS, "tls-fallbacks-to-clear", RELAY)                \
	X(LOGONS, "logons", RELAY)                                   \
	X(LOGONS_FAILED, "logons-failed", RELAY)                     \
	X(STARTTLS_VANISHED, "starttls-vanished", RELAY)             \
	/* relay: from outside */                                    \
	X(IN_LOGONS, "inbound-log-ons", RELAY)                       \
	X(IN_LOGONS_FAILED, "inbound-log-ons-failed", RELAY)         \
	X(IN_PROTECTED, "inbound-encrypted", RELAY)                  \
	X(IN_CLEAR, "inbound-clear", RELAY)                          \
	X(IN_TLS_UP, "inbound-tls-handshakes", RELAY)                \
	X(IN_TLS_FAILED, "inbound-tls-failed", RELAY)                \
	X(SENDERS_REFUSED, "senders-refused", RELAY)                 \
	X(PROTOCOL_CLIENT, "protocol-errors-client", RELAY)          \
	X(PROTOCOL_SERVER, "protocol-errors-server", RELAY)          \
	X(PRINTS_LOST, "texts-not-named", RELAY)                     \
	/* keys */                                                   \
	X(SIGNED, "handshakes-signed", KEYS)                         \
	X(SIGN_REFUSED, "signatures-refused", KEYS)                  \
	/* witness */                                                \
	X(LEAKS, "clear-text-seen", WITNESS)                         \
	X(FRAMES_WATCHED, "frames-watched", WITNESS)                 \
	X(FRAMES_UNWATCHED, "frames-not-watched", WITNESS)           \
	X(PRINTS, "texts-watched-for", WITNESS)                      \
	X(SELF_TESTS, "self-tests-passed", WITNESS)                  \
	X(SELF_TESTS_FAILED, "self-tests-failed", WITNESS)           \
	/* confd */                                                  \
	X(COMMITS, "commits", CONFD)                                 \
	X(COMMITS_REFUSED, "commits-refused", CONFD)                 \
	/* console */                                                \
	X(SYSLOG_SENT, "syslog-sent", CONSOLE)                       \
	X(SYSLOG_DELAYED, "syslog-delayed", CONSOLE)                 \
	/* boss */                                                   \
	X(RESTARTS_WIRE, "restarts-wire", BOSS)                      \
	X(RESTARTS_RELAY, "restarts-relay", BOSS)                    \
	X(RESTARTS_CONFD, "restarts-confd", BOSS)                    \
	X(RESTARTS_CONSOLE, "restarts-console", BOSS)                \
	X(RESTARTS_KEYS, "restarts-keys", BOSS)                      \
	X(RESTARTS_FLASHD, "restarts-flashd", BOSS)                  \
	X(RESTARTS_WITNESS, "restarts-witness", BOSS)

enum counter {
#define X(id, name, owner) CNT_##id,
	STATS_COUNTERS(X)
#undef X
		COUNTERS
};

enum {
	STATS_SESSIONS = 4096, /* slots for show sessions, a relay's */
	STATS_EVENTS = 128,    /* the ring of log lines */
	STATS_TEXT = 232,
	STATS_RULE = 256,
	STATS_LOGON = 144,
	STATS_REFUSALS = 8,
	STATS_DOMAINS = 256, /* a relay's */
	STATS_NOTICES = 4,
	STATS_NOTICE = 72,
	STATS_PROGRAMS = 24, /* at most so many have such a memory */
	STATS_PAST = 62,     /* minutes */
	STATS_QUIET_MS = 600000,
	STATS_EXPLAINS = 32, /* a relay's */
	STATS_PEERS = 32,    /* a relay's, of each way */
	STATS_ROUTES = 128,  /* a relay's */
	STATS_ADDRESSES = 4, /* of one */
	STATS_STEPS = 2048,
	STATS_WATCH = 256, /* rows */
	STATS_WATCH_ROW = 80,
};

enum severity { SEV_INFO, SEV_NOTICE, SEV_WARNING, SEV_ALARM };
const char *severity_name(enum severity s); /* "info" ... "alarm" */

/* What must not stay unseen: name, what an administrator looks at. Standing ones
 * are there as long as what they say is so; the others happen. */
#define STATS_ALARMS(X)                           \
	X(CLEAR_TEXT, "clear-text-seen")          \
	X(VERIFY, "verify-failed")                \
	X(TLS_REQUIRED, "tls-required-failed")    \
	X(STARTTLS_VANISHED, "starttls-vanished") \
	X(PIN, "pin-mismatch")                    \
	X(LOGON, "logon-failed")                  \
	X(CERTIFICATE, "certificate-expiry")      \
	X(CLOCK, "clock-untrusted")               \
	X(FLASH, "flash-worn")                    \
	X(PORT, "port-down")                      \
	X(ADDRESS, "address-in-use")

enum alarm {
#define X(id, name) ALARM_##id,
	STATS_ALARMS(X)
#undef X
		ALARMS
};

extern const char *const alarm_name[ALARMS];

/* One of a program; times 0: never. They survive a restart of their owner. */
struct stats_alarm {
	uint64_t times, first_ms, last_ms; /* Unix time */
	uint32_t standing;
	char text[STATS_TEXT];
};

/* One line of the log: key=value words, no mail content. */
struct stats_log {
	uint64_t seq;	  /* from 1; 0: empty. Written last. */
	uint64_t unix_ms; /* wall clock when it happened */
	uint32_t severity;
	char text[STATS_TEXT];
};

/* One session as the relay sees it. */
struct stats_session {
	uint32_t used;
	uint32_t flow;
	uint32_t inbound; /* the client is outside */
	struct endpoint client, server;
	uint64_t since_ms;	/* CLOCK_MONOTONIC */
	uint64_t octets[SIDES]; /* that came from there */
	uint32_t messages;
	uint16_t tls_version; /* 0: clear */
	uint16_t chain;	      /* enum tls_result; TLS_RESULTS: not asked */
	char suite[48];
	uint32_t bits;		 /* of the seal of a log-on; 0: none */
	char logon[STATS_LOGON]; /* who, how; empty: none */
	char phase[16];
	char domain[STATS_RULE];
};

/* One refused recipient, for show status: domain, reason, server's host. */
struct stats_refusal {
	uint64_t seq, unix_ms; /* as in struct stats_log */
	char text[STATS_TEXT];
};

/* What came of mail for one domain, for show domain: the last recipient that was
 * sent on, and the last that policy refused. Times are Unix time. */
struct stats_domain {
	uint32_t used;
	char domain[STATS_RULE];
	uint64_t taken_ms; /* 0: none */
	struct endpoint taken_server;
	uint16_t tls_version; /* 0: clear */
	uint16_t chain;	      /* enum tls_result */
	char suite[48];
	uint32_t bits;
	char logon[STATS_LOGON];
	uint64_t refused_ms, refused_n;
	struct endpoint refused_server;
	uint16_t code, result; /* of the reply; enum tls_result */
	char why[96];
};

/* Who says inside TLS that it is a box. */
enum stats_way {
	STATS_TO,   /* a server, that mail for a domain met */
	STATS_FROM, /* a client, with mail from a domain */
	STATS_WAYS
};

/* One of them, with a domain and the key that it showed (SHA-256 of the
 * SubjectPublicKeyInfo). Times are Unix time. */
struct stats_peer {
	uint32_t used;
	uint32_t pinned;    /* the rule of the domain has this key */
	uint32_t key_there; /* a client was not asked for one before it spoke */
	char domain[STATS_RULE];
	uint8_t key[32];
	struct endpoint host; /* STATS_FROM: the port says nothing */
	uint16_t tls_version;
	uint64_t first_ms, last_ms;
};

/* Where the host of a route is, of one kind of address, as a relay found out. Times are
 * Unix time, 0: never. */
struct stats_route {
	uint32_t used;
	uint32_t v6;
	char name[STATS_RULE];
	uint8_t ip[STATS_ADDRESSES][16]; /* the first one is taken next */
	uint32_t ip_n;			 /* 0: none is known */
	uint64_t answered_ms, fresh_ms;	 /* by the resolver; good until */
	uint64_t failed_ms;		 /* it gave none, or nothing */
	char why[STATS_NOTICE];		 /* that was */
	uint64_t unreached_ms;		 /* a server there did not answer */
	uint8_t unreached[16];		 /* which */
};

/* How policy refused a recipient, step by step: lines for a person. */
struct stats_explain {
	uint64_t seq, unix_ms; /* as in struct stats_log */
	uint32_t session;
	char domain[STATS_RULE];
	char text[STATS_STEPS];
};

/* witness: what is being captured, or was. */
struct stats_capture {
	uint32_t running, ports; /* bits INSIDE, OUTSIDE */
	struct endpoint host;	 /* no address: all */
	uint64_t unix_ms;	 /* since when; 0: nothing was */
	uint64_t bytes, limit, frames, lost;
};

enum stats_watch_state { WATCH_OFF, WATCH_WAITS, WATCH_LIVE, WATCH_ENDED };

/* witness: rows of a session that is watched; row seq is at seq % STATS_WATCH. */
struct stats_watch {
	uint64_t asked; /* which question of console this is about */
	uint32_t state; /* enum stats_watch_state */
	uint64_t seq;	/* of the last row, from 1 */
	char row[STATS_WATCH][STATS_WATCH_ROW];
};

/* console: the counters as they were, one sample a minute; see stats_past.h. */
struct stats_past {
	uint64_t minute[STATS_PAST]; /* plus one; 0: no sample */
	uint64_t counter[STATS_PAST][COUNTERS];
};

/* console: what "clear" has hidden. Other programs' memory stays as it is. */
struct stats_cleared {
	uint64_t counter[COUNTERS]; /* shown from here on */
	uint64_t log[STATS_PROGRAMS], refusal[STATS_PROGRAMS]; /* seq */
	uint64_t alarm[STATS_PROGRAMS][ALARMS];		       /* times */
};

/* Where the time of the box comes from. */
enum stats_clock {
	STATS_CLOCK_FOREIGN, /* from the PC that this is */
	STATS_CLOCK_UNSET,   /* nobody has set it since the start */
	STATS_CLOCK_CHIP,
	STATS_CLOCK_SET, /* by hand */
	STATS_CLOCK_NTP, /* by time servers, when nobody else had */
};

/* What time servers say. */
enum stats_ntp_state {
	STATS_NTP_OFF,
	STATS_NTP_ASKED,  /* for the first time */
	STATS_NTP_SILENT, /* none gives a time */
	STATS_NTP_SPLIT,  /* they do not agree */
	STATS_NTP_WRONG,  /* what they say is not believed */
	STATS_NTP_FINE,
};

struct stats_ntp {
	uint32_t state; /* enum stats_ntp_state */
	uint32_t servers, gave, agree;
	int64_t away_ms; /* how far the clock was from what they said */
	uint64_t at_ms;	 /* CLOCK_MONOTONIC */
};

struct stats {
	uint32_t magic, pid;
	uint64_t started_ms;	    /* CLOCK_MONOTONIC of this start */
	uint64_t snapshot;	    /* number in force here */
	uint64_t counter[COUNTERS]; /* survive a restart of the owner */
	uint64_t log_seq;
	struct stats_log log[STATS_EVENTS];
	struct stats_refusal refusal[STATS_REFUSALS];
	uint64_t refusal_seq;
	uint32_t ports_up;     /* boss: bit INSIDE, bit OUTSIDE have a link */
	uint32_t intercepting; /* boss: the classifier is on both ports */
	uint32_t clock;	       /* boss: enum stats_clock */
	struct stats_ntp ntp;  /* boss */
	/* boss: all starts again then (CLOCK_MONOTONIC); 0: not asked for */
	uint64_t reload_ms;
	uint64_t flash_size, flash_free; /* boss: of the store, octets */
	uint64_t memory_free; /* boss: what programs could still get, octets */
	/* What is wrong for as long as it is, for show status: "the clock is not
	 * set". Empty: nothing. */
	char notice[STATS_NOTICES][STATS_NOTICE];
	struct stats_alarm alarm[ALARMS];
	struct stats_capture capture;
	struct stats_watch watch;
	char image[STATS_NOTICE]; /* boss: what runs here, in a few words */
	struct stats_past past;
	struct stats_cleared cleared;
	uint64_t syslog_sent[STATS_PROGRAMS]; /* console: up to this seq */
	struct stats_session session[STATS_SESSIONS];
	struct stats_domain domain[STATS_DOMAINS];
	struct stats_peer peer[STATS_WAYS][STATS_PEERS];
	struct stats_route route[STATS_ROUTES];
	uint32_t own_key_there; /* relay: what other boxes know us by */
	uint8_t own_key[32];
	uint64_t explain_seq;
	struct stats_explain explain[STATS_EXPLAINS];
};

extern const char *const counter_name[COUNTERS];

/* Does it say how things are now (or were at most), and not how often? */
bool counter_is_level(enum counter c);

static inline void stats_add(struct stats *s, enum counter c, uint64_t n)
{
	__atomic_store_n(&s->counter[c], s->counter[c] + n, __ATOMIC_RELAXED);
}

static inline void stats_set(struct stats *s, enum counter c, uint64_t v)
{
	__atomic_store_n(&s->counter[c], v, __ATOMIC_RELAXED);
}

static inline uint64_t stats_get(const struct stats *s, enum counter c)
{
	return __atomic_load_n(&s->counter[c], __ATOMIC_RELAXED);
}

/* Append a line to the ring; line is cut at STATS_TEXT - 1. */
void stats_log(struct stats *s, enum severity sev, uint64_t unix_ms,
	       struct span line);

/* The same for the last refusals. */
void stats_refusal(struct stats *s, uint64_t unix_ms, struct span line);

/* Set one of the standing notices; an empty line takes it away. */
void stats_notice(struct stats *s, unsigned which, struct span line);

/* It has happened. True: worth a line of the log, because for STATS_QUIET_MS
 * nobody has heard of it. */
bool stats_alarm(struct stats *s, enum alarm a, uint64_t unix_ms,
		 struct span text);
/* It is so, or not any more. True: worth a line, because it was not. */
bool stats_alarm_stands(struct stats *s, enum alarm a, bool on,
			uint64_t unix_ms, struct span text);

/* boss: new memory for one program (memfd of sizeof(struct stats)). */
MUST_CHECK int stats_create(int *fd);
/* Map it; the owner read-write, the console read-only. */
MUST_CHECK int stats_map(int fd, bool write, struct stats **s);

#endif
