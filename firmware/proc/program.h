/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_PROGRAM_H
#define PROC_PROGRAM_H

#include "ipc/ipc.h"
#include "ipc/stats.h"
#include "proc/loop.h"

/*
 * program - what wire, relay, confd and console have in common: the socket to
 * boss on descriptor 3, the descriptors boss hands out, heartbeats, the log.
 *
 *	int main(int argc, char **argv)
 *	{
 *		program_start(&p, ROLE_RELAY, argv);  (blocks until IPC_GO)
 *		... take p.given, allocate, self-test ...
 *		program_sandbox(&p);                  (seccomp, then IPC_READY)
 *		for (;;)
 *			program_turn(&p, timeout_ms);
 *	}
 *
 * boss has already dropped the uid, closed all other descriptors, and set the
 * limits before it executed the program.
 */
struct program {
	enum role role;
	uint32_t index;
	struct loop loop;
	struct stats *stats;
	struct watch boss;
	uint64_t alive_ms;
	uint64_t lost_ms[ROLES]; /* since when without it; 0: not lost */
	/* Called for messages of boss after IPC_GO: a PEER that restarted,
	 * INTERCEPTED, ... fds in m are the callee's. May be NULL. */
	void (*on_boss)(struct program *p, struct ipc_msg *m);
	/* What came before IPC_GO, in order (PEER, PORTS, LISTEN, ...). The
	 * descriptors are the program's from then on. */
	struct ipc_msg given[32 + IPC_RELAYS_MAX];
	uint32_t given_n;
};

/* argv[1] is the index. Dies with a message on standard error on failure. */
void program_start(struct program *p, enum role role, char **argv);

/* Enter the seccomp allow-list of the role (sandbox.c) and tell boss. */
void program_sandbox(struct program *p);

/* A socket to another program has ended and was closed. If that one has died,
 * boss brings its successor soon. If nobody comes, it lives and will not talk to
 * us: then we die, to begin anew, rather than work on with what we knew. */
void program_peer_lost(struct program *p, enum role role);

/* One turn of the loop with heartbeats kept up; timeout_ms -1: none. Exits
 * when boss is gone. */
void program_turn(struct program *p, int64_t timeout_ms);

/* Long work in pieces: call between them so that boss does not take the
 * program for hung. */
void program_alive(struct program *p);

/* One line, key=value words, into the ring of the statistics; SEV_WARNING and
 * up also to standard error. printf-like. Never mail content; addresses only
 * when the settings say so. */
__attribute__((format(printf, 3, 4))) void program_log(struct program *p,
						       enum severity sev,
						       const char *fmt, ...);

/* The same line with words of others at its end: " why=", then says in quotes
 * that it cannot leave. */
void program_log_why(struct program *p, enum severity sev, const char *line,
		     struct span says);

/* It has happened, or is so: show alarms, and a line of the log if that is news.
 * what: for a person, without quotes. */
void program_alarm(struct program *p, enum alarm a, struct span what);
void program_alarm_stands(struct program *p, enum alarm a, bool on,
			  struct span what);

/* Die: boss restarts us. */
__attribute__((noreturn, format(printf, 2, 3))) void program_die(
	struct program *p, const char *fmt, ...);

#endif
