/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_CONSOLE_CONSOLE_SESSION_H
#define PROC_CONSOLE_CONSOLE_SESSION_H

#include "cli/cli_edit.h"
#include "cli/cli_match.h"
#include "cli/cli_pipe.h"
#include "proc/program.h"

/*
 * console_session - one who gives commands, at a terminal or at the door: what a
 * line becomes, what is said, and what is asked of other programs for it.
 */
enum {
	CONSOLE_LINE = CLI_EDIT_LINE,
	CONSOLE_STEPS = 5,
};

enum console_mode {
	MODE_EXEC = 1,	 /* # */
	MODE_CONFIG = 2, /* (config)# */
	MODE_DOOR = 4,	 /* what only programs say */
	MODE_VIEW = 8,	 /* > : look, and change nothing */
};

/* What a front end does next. */
enum wish {
	WISH_ANSWER, /* nothing: session_done has been or will be called */
	WISH_TEXT,   /* get a text, then exec_text */
	WISH_XMODEM, /* the same, as a file */
	WISH_YES,    /* ask whether it is meant, then exec_yes */
	WISH_PASSWORD,
	WISH_ENABLE, /* ask the password, then mode # */
	WISH_FOLLOW,
	WISH_MONITOR,
	WISH_WATCH, /* the words are in spelled */
	WISH_LEAVE,
};

/* One question to confd. */
struct question {
	enum ipc_type type; /* CONF_CHECK, CONF_LOAD, CONF_ASK */
	enum conf_op op;
	uint64_t number;
	const char *heading; /* over its answer */
	const char *said;    /* when it is OK and says nothing; or NULL */
};

/* One who gives commands. */
struct session {
	bool used, tty;
	enum console_mode mode;
	unsigned prompt_n; /* columns before the line: where ^ goes */
	uint8_t line[CONSOLE_LINE];
	size_t line_n;
	struct cli_pipe pipe; /* within line */
	int command;	      /* that waits for a text or yes */
	bool secret;	      /* the line or its answer is not for history */
	enum severity least;  /* of the log */
	char spelled[CONSOLE_LINE + 64];
	/* what goes to confd */
	struct question step[CONSOLE_STEPS];
	size_t step_n, step_at;
	bool alone; /* the answer is for the front end: session_told */
	bool waiting;
	uint64_t ticket; /* order of those that wait */
	int text_fd;	 /* -1: none */
	/* the answer so far */
	char *out;
	size_t out_n;
	bool out_lost; /* there was no memory for all of it */
};

/* console_exec.c */
void session_init(struct session *s, bool tty);
/* Run a line; text_fd, now the session's, is the text behind "-", or -1. */
enum wish exec_line(struct session *s, struct span line, int text_fd);
void exec_text(struct session *s, int text_fd);
void exec_yes(struct session *s);
/* What is said before WISH_YES asks; and what it asks, up to CLI_EDIT_PROMPT. */
const char *exec_what_is_meant(const struct session *s);
const char *exec_is_it_meant(const struct session *s);
/* What there is to add to a line, or to show for "?". */
void exec_options(struct session *s, struct span before, struct cli_options *o);

/* console_answer.c: what is said, */
void answer_say(struct session *s, const char *text);
void answer_add(struct session *s, struct span text);
/* What a program said in a descriptor, up to a limit. */
void answer_add_file(struct session *s, int fd);
/* in K.answer from here on, and then taken for s. */
void answer_begin(void);
void answer_take(struct session *s);
/* Only what its pipe lets through. */
void answer_filter(struct session *s);
/* That was all. */
void answer_done(struct session *s, bool ok);
/* Give up with this answer. */
void exec_fail(struct session *s, const char *why);
/* The word at this column of a line is wrong. line: what it says, if that is not
 * what was typed. */
void answer_fail_at(struct session *s, size_t column, const char *line,
		    const char *why, size_t why_n);
void answer_drop_text(struct session *s);

/* what is asked: one question after the other, the first with s->text_fd or
 * text. */
void ask_add(struct session *s, struct question q);
void ask_all(struct session *s, struct span text);
void ask_one(struct session *s, enum conf_op op, uint64_t number,
	     struct span text, const char *said);
/* Nothing more is wanted of what runs. */
void exec_stop(struct session *s);
/* The next question or the end, when confd has answered. */
void exec_answered(struct session *s, int error, uint64_t number,
		   struct span report);
/* One question for the front end itself: text is what it says. */
void exec_private(struct session *s, enum conf_op op, struct span text);
/* A descriptor that holds text; -1: no memory. */
int exec_text_fd(struct span text);

/* The front ends: the answer is s->out. */
static inline struct span session_answer(const struct session *s)
{
	return (struct span){ (const uint8_t *)s->out, s->out_n };
}
void session_done(struct session *s, bool ok);
void session_told(struct session *s, int error, struct span report);

/* console_confd.c */
void confd_attach(int fd);
/* Put the question s->step[s->step_at] with s->text_fd. */
void confd_ask(struct session *s);
void confd_forget(struct session *s);
void confd_tick(uint64_t now);

/* console_boss.c */
void boss_reload(struct session *s, uint64_t minutes);
void boss_reload_cancel(struct session *s);
void boss_clock(struct session *s, struct span time);
void boss_forget(const struct session *s);
void boss_answered(int error);

/* console_flash.c */
void flash_attach(int fd);
/* Ask flashd, with s->text_fd if it is a file. */
void flash_ask(struct session *s, enum flash_op op);
/* Arguments host and file of m: fetched, then installed. */
void flash_fetch(struct session *s, const struct cli_matched *m);
void flash_forget(const struct session *s);

/* console_file.c: arguments host and file of m: fetched for flashd. */
void file_fetch(struct session *s, const struct cli_matched *m);
/* where: "HOST FILE"; fd, which stays the caller's: the file. */
void file_send(struct session *s, struct span where, int fd);
/* As boss says: FETCHED. True: fd is taken. */
bool file_answered(int error, int fd);
void file_forget(const struct session *s);

/* console_peers.c: peer pin, in spelled; then what it is about, and that it is
 * meant. */
enum wish peers_ask(struct session *s);
const char *peers_meant(const struct session *s);
void peers_pin(struct session *s);

/* console_capture.c */
void capture_start(struct session *s, const struct cli_matched *m);
void capture_stop(struct session *s);
void capture_export(struct session *s);
void capture_send(struct session *s);
/* As witness says: CAPTURED; and that it is gone. */
void capture_answered(int error, int fd);
void capture_lost(void);
void capture_forget(const struct session *s);

/* console_verify.c */
void verify_attach(int fd);
void verify_ask(struct session *s);
void verify_forget(const struct session *s);

/* console_probe.c */
void probe_attach(int fd);
void probe_ask(struct session *s, const struct cli_matched *m);
void probe_forget(const struct session *s);

#endif
