/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_CONSOLE_CONSOLE_H
#define PROC_CONSOLE_CONSOLE_H

#include "base/text.h"
#include "policy/box.h"
#include "proc/console/console_front.h"
#include "proc/console/console_session.h"
#include "proc/console/console_show.h"
#include "proc/console/console_words.h"

/*
 * console - commands and answers, for people at terminals and for programs at a
 * door. Both have the same commands and one mode each.
 *
 * A terminal (IPC_TTY) is a serial line or a pty in raw mode, 80 columns. It is
 * logged in with the administrator's password.
 *
 * The door is a unix stream socket in the run folder, whose permissions say who
 * may use it; who can is logged in:
 *
 *	client:  COMMAND\n              one line, up to CONSOLE_LINE octets
 *	         text, dot-stuffed      only if the last word of the command is
 *	         .\n                    "-"
 *	box:     answer, dot-stuffed    (a line that begins with a dot gets one
 *	         .\n                    more, as in RFC 5321 4.5.2)
 *	         ok\n  or  error\n
 *
 * and again. A command that asks for a text at a terminal has it here: "load -",
 * "ca certificate -", "password -". console sees numbers and texts that the
 * others show (ipc/stats.h) and asks confd (ipc/ipc.h); it has no other power.
 *
 *	console.c          who is there
 *	console_words.c    the table of commands, settings from conf_schema
 *	console_exec.c     a command becomes an answer or a question
 *	console_answer.c   what is said and asked, in pieces
 *	console_confd.c    one question to confd at a time
 *	console_flash.c    images, slots, files over the management port
 *	console_boss.c     restart, clock
 *	console_verify.c   the self-test of witness
 *	console_probe.c    what a relay finds out about a server
 *	console_capture.c  frames that it keeps
 *	console_watch.c    a session that it shows
 *	console_show.c     the answers of show
 *	console_status.c   show status
 *	console_figures.c  counters, added up
 *	console_put.c      columns
 *	console_log.c      the lines of the log
 *	console_explain.c  refusals, alarms
 *	console_peers.c    other boxes
 *	console_client.c   the lines of one client of the door
 *	console_tty.c      the screen and the keys of one terminal
 *	console_login.c    who may use it
 *	console_live.c     log and status that go on
 *	console_lost.c     what a line has lost
 *	console_xmodem.c   files over the line of a terminal
 *	console_box.c      what the box is called
 *	console_syslog.c   the log, to a host
 */
enum {
	CONSOLE_TEXT_MAX = 256 << 20,
	CONSOLE_ANSWER_MAX = 8 << 20, /* composed here; confd's may be longer */
	CONSOLE_CONFD_MS = 60000,     /* confd, for a very long list */
};

struct console {
	struct program prog;
	struct watch listen, confd, flashd, witness, relay;
	struct client client[CONSOLE_CLIENTS];
	struct tty tty[CONSOLE_TTYS];
	struct session *asking; /* whose question confd has */
	bool asked;		/* confd has one; who asked may have left */
	uint64_t asked_ms, tickets;
	struct source source[STATS_PROGRAMS];
	size_t source_n;
	uint64_t seen[STATS_PROGRAMS]; /* log lines up to this were shown */
	struct cli_table words;
	struct text answer; /* being composed */
	char *answer_mem;
	char kernel[128];
	struct box box;	    /* name, banner, idle_s */
	unsigned failures;  /* logins in a row, on all terminals */
	uint64_t locked_ms; /* until then nobody logs in */
};

extern struct console K;

/* console_box.c */
void box_init(void);
/* As confd says: IPC_BOX. */
void box_set(int fd, uint64_t idle_s);

/* console_syslog.c */
void syslog_attach(int sock); /* now its own */
void syslog_off(void);
void syslog_tick(uint64_t now);

#endif
