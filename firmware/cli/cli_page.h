/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_CLI_PAGE_H
#define CLI_CLI_PAGE_H

#include "base/err.h"
#include "base/span.h"
#include "base/text.h"

/*
 * cli_page - an answer on a terminal, one screen after the other:
 *
 *	--More--	Space: a screen; Enter: a line; q, ^C: enough
 *
 * LF becomes CRLF. A line that is wider than the terminal counts as the rows it
 * takes. Only text passes: control characters and what is not UTF-8 become '?',
 * so nothing that a foreign host has said can steer a terminal. Pure.
 */
enum {
	CLI_PAGE_COLUMNS = 80,
	CLI_PAGE_ROWS = 24, /* of a terminal that says nothing else */
	CLI_PAGE_ROWS_MAX = 512,
	CLI_PAGE_OUT = 64, /* room that cli_page_next needs at least */
};

enum cli_page_state {
	CLI_PAGE_GO,   /* there is more; call cli_page_next */
	CLI_PAGE_MORE, /* --More-- is shown: cli_page_key */
	CLI_PAGE_END,  /* all is shown, or enough */
};

struct cli_page {
	enum cli_page_state state;
	struct span rest;
	unsigned rows; /* 0: never stop */
	unsigned left; /* rows until it stops */
	unsigned column;
	bool cr;
};

/* Begin with text, which must stay until the end. */
void cli_page_init(struct cli_page *p, struct span text, unsigned rows);

/* Write what fits into out; the state says what comes next. Ends with the
 * cursor at the start of a row. */
enum cli_page_state cli_page_next(struct cli_page *p, struct text *out);

/* A key, in state MORE; others are ignored. */
enum cli_page_state cli_page_key(struct cli_page *p, uint8_t key,
				 struct text *out);

#endif
