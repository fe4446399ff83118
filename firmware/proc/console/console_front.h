/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_CONSOLE_CONSOLE_FRONT_H
#define PROC_CONSOLE_CONSOLE_FRONT_H

#include "base/buf.h"
#include "cli/cli_edit.h"
#include "cli/cli_page.h"
#include "cli/xmodem.h"
#include "proc/console/console_session.h"
#include "proc/console/console_show.h"

/*
 * console_front - the two front ends: programs at the door and people at
 * terminals. A session is the first member of each.
 */
enum {
	CONSOLE_CLIENTS = 16,
	CONSOLE_TTYS = 4,
	CONSOLE_IN = 16384,
	CONSOLE_IDLE_MS = 600000, /* somebody who says nothing */
	CONSOLE_SLOW_MS = 30000,  /* a client that does not read */
	TTY_ROOM = 8192,	  /* of output, before anything is done */
	CONSOLE_PASSWORD_MIN = 8, /* characters */
	CONSOLE_PASSWORD_MAX = 256,
};

enum client_state {
	CLIENT_LINE,   /* waits for a command */
	CLIENT_TEXT,   /* takes the text of one */
	CLIENT_WAIT,   /* for confd */
	CLIENT_ANSWER, /* writes */
};

/* Where in a dot-stuffed text. */
enum dot_state { DOT_LINE_START, DOT_DOT, DOT_DOT_CR, DOT_WITHIN };

struct client {
	struct session s;
	bool eof;
	struct watch watch;
	enum client_state state;
	enum dot_state dot;
	uint64_t text_n;
	char *out; /* the answer as it is written */
	size_t out_n, out_at;
	uint64_t since_ms; /* last progress */
	struct buf in;
	uint8_t in_mem[CONSOLE_IN];
};

enum tty_state {
	TTY_AWAY,     /* nobody has the other end open */
	TTY_PRESS,    /* waits for Enter */
	TTY_PASSWORD, /* a line is typed: to log in */
	TTY_OLD,      /* the password now */
	TTY_NEW,      /* the new one */
	TTY_AGAIN,    /* the new one once more */
	TTY_LINE,     /* a command */
	TTY_TEXT,     /* a text of many lines */
	TTY_XMODEM,   /* a file, in or out */
	TTY_YES,      /* yes or no */
	TTY_WAIT,     /* for confd */
	TTY_PAGE,     /* an answer is shown */
	TTY_FOLLOW,
	TTY_MONITOR,
	TTY_WATCH,
	TTY_DEAF, /* after a gap, until the line is quiet */
};

/* What a private answer of confd is for. */
enum tty_ask { ASK_PROBE, ASK_LOGIN, ASK_OLD, ASK_PASSWORD };

struct tty {
	struct session s;
	bool in_use, logged_in;
	uint32_t index;
	struct watch watch;
	int fd;
	enum tty_state state;
	enum tty_ask ask;
	struct cli_edit edit;
	struct cli_page page;
	char *paged; /* what page shows, or what is sent */
	unsigned rows;
	bool monitor; /* warnings are shown */
	uint64_t idle_ms;
	bool own_idle; /* it was set here, not in the configuration */
	char password[CONSOLE_PASSWORD_MAX]; /* the new one, first time */
	size_t password_n;
	int text_fd; /* what is pasted; -1: nothing is */
	bool text_bad, text_pem;
	uint32_t lost; /* octets that are known to be lost */
	bool sending;  /* XMODEM: file.out, else file.in */
	union {
		struct xmodem_in in;
		struct xmodem_out out;
	} file;
	bool keep_line; /* behind the page, the line goes on */
	bool pumping;
	uint64_t text_n;
	uint64_t key_ms, draw_ms;
	uint64_t watched, watch_seq; /* question, last row that is shown */
	bool watch_heard;	     /* witness has begun with it */
	struct buf in, out;
	uint8_t in_mem[4096], out_mem[32768];
};

/* console_client.c */
void client_start(struct client *c, int fd);
void client_done(struct client *c, bool ok);
void client_tick(struct client *c, uint64_t now);

/* console_tty.c */
void tty_start(uint32_t index, int fd);
void tty_done(struct tty *t, bool ok);
void tty_told(struct tty *t, int error);
void tty_tick(struct tty *t, uint64_t now);
void tty_say(struct tty *t, const char *s); /* LF becomes CRLF */
void tty_text(struct tty *t, struct span s);
/* One of cli_edit_show, _hide and _leave. */
void tty_edit(struct tty *t, void (*what)(struct cli_edit *, struct text *));
void tty_put(struct tty *t, struct span s); /* octets as they are */
void tty_ask(struct tty *t, enum tty_state state, const char *prompt,
	     unsigned flags);
void tty_prompt(struct tty *t);
/* What a page showed is not needed any more. */
void tty_drop_page(struct tty *t);
void tty_leave(struct tty *t, const char *why);

/* console_watch.c: state TTY_WATCH */
void watch_begin(struct tty *t);
void watch_stop(struct tty *t);
void watch_rows(struct tty *t);

/* console_live.c: states TTY_FOLLOW and TTY_MONITOR, and messages */
void live_follow(struct tty *t);
void live_monitor(struct tty *t);
void live_tick(struct tty *t, uint64_t now);
/* Lines of the log that are new. */
void live_lines(struct tty *t, const struct log_line *l, size_t n);

/* console_lost.c: state TTY_DEAF */

/* What was lost up to now does not matter. */
void lost_forget(struct tty *t);
/* Was anything since then? Then nothing that was typed may be done. */
bool lost_any(const struct tty *t);
/* Forget what was typed, and hear nothing from now on; until the line has been quiet
 * for a second, which is looked at with every tick. */
void lost_deaf(struct tty *t);
void lost_tick(struct tty *t, uint64_t now);

/* console_xmodem.c: state TTY_XMODEM */

/* Get the text for the command of t->s. */
void xmodem_take(struct tty *t);
/* Send text, from now on t's, to a file. */
void xmodem_give(struct tty *t, char *text, size_t n);
/* Move octets between the line and the engine; false: nothing moves. */
bool xmodem_octets(struct tty *t);
void xmodem_tick(struct tty *t, uint64_t now);

/* console_box.c: for somebody who has yet to log in. */
void box_welcome(struct tty *t);

/* console_login.c */
void login_key(struct tty *t);
void login_line(struct tty *t, struct span line);
void login_told(struct tty *t, int error);

#endif
