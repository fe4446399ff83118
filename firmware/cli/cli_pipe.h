/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_CLI_PIPE_H
#define CLI_CLI_PIPE_H

#include "base/err.h"
#include "base/span.h"
#include "base/text.h"

/*
 * cli_pipe - a part of an answer:
 *
 *	COMMAND | include TEXT     lines with TEXT in them
 *	        | exclude TEXT     the others
 *	        | begin TEXT       from the first line with TEXT on
 *	        | section TEXT     lines with TEXT, and those that belong to
 *	                           them: indented ones and PEM behind them
 *	        | count TEXT       how many lines have TEXT; without TEXT: all
 *	        | xmodem           what is left goes to a file (cli/xmodem.h)
 *
 * one behind the other; count and xmodem are the last. TEXT is plain, ASCII letters match
 * in either case; it is the rest up to the next " | ", or stands in quotes. The
 * words may be shortened. Pure.
 */
enum { CLI_PIPES = 4 };

enum cli_pipe_op {
	PIPE_INCLUDE,
	PIPE_EXCLUDE,
	PIPE_BEGIN,
	PIPE_SECTION,
	PIPE_COUNT,
	PIPE_XMODEM, /* for the caller: cli_pipe_run passes all */
	PIPE_OPS
};

struct cli_pipe {
	struct {
		enum cli_pipe_op op;
		struct span what; /* within the line */
	} stage[CLI_PIPES];
	size_t n;
};

/* Word and help of an op, for lists. */
const char *cli_pipe_word(enum cli_pipe_op op);
const char *cli_pipe_help(enum cli_pipe_op op);

/*
 * Cut the pipes off line: *command is what is left of the first " | " outside
 * of quotes. E_CONF: *why says at which column what is wrong, as cli_match
 * does.
 */
MUST_CHECK int cli_pipe_cut(struct span line, struct span *command,
			    struct cli_pipe *p, struct text *why);

/* Does it end with xmodem? */
bool cli_pipe_to_file(const struct cli_pipe *p);

/* What comes out when in goes through p. out needs in.n + 32 octets. */
void cli_pipe_run(const struct cli_pipe *p, struct span in, struct text *out);

#endif
