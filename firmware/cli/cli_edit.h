/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_CLI_EDIT_H
#define CLI_CLI_EDIT_H

#include "base/err.h"
#include "base/span.h"
#include "base/text.h"

/*
 * cli_edit - keys become a line; what the terminal must do becomes octets.
 *
 *	^A ^E Home End    ends of the line    ^B ^F arrows    one character
 *	M-b M-f           one word            ^H DEL ^D Del   take one away
 *	^K ^U ^W M-d      take more away      ^Y              put it back
 *	^P ^N arrows      history             ^T              swap two
 *	^L                draw it again       ^C ^Z TAB ?     events
 *
 * CR, LF and CRLF end a line once each. UTF-8 only; what is not (line noise),
 * what cannot be seen, and escape sequences without a meaning are ignored, and
 * nothing of that kind can keep CR or ^C from working.
 *
 * The line is one row of the terminal and scrolls sideways in it ('<' and '>'
 * say that there is more): terminals do not agree about what happens behind
 * column 80, and a row is drawn again in 7 ms at 115200 baud. A row is drawn
 * once for each piece of input, not for each key, so a paste costs no more to
 * show than what is left of it on the screen. Used are BEL BS CR LF and CSI C D
 * H J K, which every terminal knows.
 *
 * What could be a password (cli_secret.h) is shown as stars.
 *
 * Pure: no I/O, no clock, no allocation. The same keys in other pieces give the
 * same lines.
 */
enum {
	CLI_EDIT_LINE = 8192,	 /* octets; as long as the language allows */
	CLI_EDIT_COLUMNS = 80,	 /* of the terminal; the last stays empty */
	CLI_EDIT_PROMPT = 40,	 /* octets, ASCII */
	CLI_EDIT_HISTORY = 8192, /* octets of lines kept; a NUL behind each */
	CLI_EDIT_OUT = 1024,	 /* no call writes more than this */
};

enum cli_edit_flags {
	CLI_EDIT_SECRET = 1, /* shown as nothing, kept nowhere */
	CLI_EDIT_TEXT = 2,   /* TAB (as a blank) and ? are text; no history */
};

enum cli_edit_event {
	CLI_EDIT_NONE,	   /* all of the input was taken */
	CLI_EDIT_ENTER,	   /* the line is complete */
	CLI_EDIT_TOO_LONG, /* it is, and some of it had no room: refuse it */
	CLI_EDIT_TAB,
	CLI_EDIT_HELP,	 /* ? outside of quotes and comments */
	CLI_EDIT_CANCEL, /* ^C */
	CLI_EDIT_END,	 /* ^Z */
	CLI_EDIT_LEAVE,	 /* ^D on an empty line */
};

/* One row as it is on the terminal: column c is text[at[c]] .. [at[c + 1]];
 * nothing for the second half of a wide character. */
struct cli_row {
	uint8_t text[CLI_EDIT_COLUMNS * 6];
	uint16_t at[CLI_EDIT_COLUMNS + 1];
	unsigned n, cursor; /* columns */
};

struct cli_edit {
	char prompt[CLI_EDIT_PROMPT + 1];
	unsigned flags;
	uint8_t line[CLI_EDIT_LINE];
	size_t n, at; /* octets, cursor */
	bool over;    /* something had no room */
	size_t left;  /* first column of the line that is shown */
	struct cli_row shown;
	uint8_t killed[CLI_EDIT_LINE];
	size_t killed_n;
	/* history: lines, oldest first, a NUL behind each */
	uint8_t past[CLI_EDIT_HISTORY];
	size_t past_n, past_at; /* past_at == past_n: not in the past */
	uint8_t kept[CLI_EDIT_LINE];
	size_t kept_n; /* the new line, while the past is shown */
	/* input */
	uint8_t utf8[4], esc[16];
	unsigned utf8_n, utf8_want, esc_n;
	enum { ESC_NO, ESC_ESC, ESC_CSI, ESC_SS3, ESC_ONE } esc_state;
	bool cr, bell, clear;
};

void cli_edit_init(struct cli_edit *e);

/* An empty line with this prompt (cut at CLI_EDIT_PROMPT). Nothing of the line
 * before stays in memory, except in the history. Show it with cli_edit_show. */
void cli_edit_begin(struct cli_edit *e, const char *prompt, unsigned flags);

/*
 * Take keys until something happens. *used: how many octets of in. Behind
 * ENTER, TOO_LONG, CANCEL, END and LEAVE the cursor is on a new row, the line
 * can be read until the next call, and cli_edit_begin comes next; behind TAB
 * and HELP the line goes on.
 */
enum cli_edit_event cli_edit_feed(struct cli_edit *e, struct span in,
				  size_t *used, struct text *out);

/* The line; valid until the next call. */
struct span cli_edit_line(const struct cli_edit *e);
/* What is left of the cursor. */
struct span cli_edit_before(const struct cli_edit *e);

/* Put text in at the cursor, as if typed; shown with cli_edit_show. */
void cli_edit_insert(struct cli_edit *e, struct span text);

/* Draw what is not yet as it should be. */
void cli_edit_show(struct cli_edit *e, struct text *out);
/* Take the row away, so that messages can be written where it was; each of them
 * ends with CRLF, then cli_edit_show. */
void cli_edit_hide(struct cli_edit *e, struct text *out);
/* Leave the row where it is and go to a new one; then the same. */
void cli_edit_leave(struct cli_edit *e, struct text *out);

/* Keep a line for ^P, unless it is empty or the last one again. Lines with
 * secrets are for the caller to keep out. */
void cli_edit_remember(struct cli_edit *e, struct span line);
/* Forget what was taken away: there was a secret in the line. */
void cli_edit_forget_cut(struct cli_edit *e);
/* Forget the history as well: another person comes. */
void cli_edit_forget(struct cli_edit *e);

#endif
