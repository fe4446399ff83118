/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_CLI_MATCH_H
#define CLI_CLI_MATCH_H

#include "base/err.h"
#include "base/span.h"
#include "base/text.h"

/*
 * cli_match - a line of a person against a table of commands.
 *
 * Every keyword may be shortened as long as it is the only one that fits there;
 * one given whole is always itself. A word in quotes is never a keyword, and one
 * that begins with ! or # ends the line. Pure.
 */
enum { CLI_WORDS = 10, CLI_OPTIONS = 64 };

struct cli_command {
	/*
	 * "show domain NAME": keywords, and arguments in capitals, which are
	 * one word each. "SETTING..." is the rest of the line as it is, and may
	 * be empty.
	 */
	const char *words;
	int id;		  /* 0: no command, only help for what begins so, or for
			 * the argument of that name */
	unsigned modes;	  /* a set: where it can be given */
	const char *help; /* NULL: another way to say it; not listed, and its
			   * first word must be whole */
	uint64_t min, max; /* max > 0: the argument is a number in between */
	const char *rest;  /* keywords of the rest, for completion; or NULL */
};

struct cli_table {
	const struct cli_command *row;
	size_t n;
};

struct cli_matched {
	const struct cli_command *command; /* NULL: an empty line */
	struct span argument[CLI_WORDS];   /* within the line; the rest last */
	size_t argument_n;
	size_t column; /* of the error, from 1, in characters */
};

/*
 * Find the command that line names, among those of mode. OK; or E_CONF, and
 * m->column and *why say what is wrong where and what could have stood there:
 *	"foo": unknown; one of: counters log sessions status
 */
MUST_CHECK int cli_match(const struct cli_table *t, unsigned mode,
			 struct span line, struct cli_matched *m,
			 struct text *why);

/* The line again with its keywords spelled out: "dom a.example enc" becomes
 * "domain a.example encrypt". */
void cli_spell(const struct cli_matched *m, struct text *out);

/* The number that an argument of a matched row with max is. */
uint64_t cli_number(struct span s);

/* Column of *at in line, in characters from 1. */
size_t cli_column(struct span line, const uint8_t *at);

/* What can stand at the end of a line. */
struct cli_option {
	struct span word; /* a keyword or the name of an argument */
	const char *help;
	bool argument;
	uint64_t min, max; /* as in the row */
};

struct cli_options {
	struct cli_option option[CLI_OPTIONS];
	size_t n;
	struct span part; /* of the word at the end, which options begin with */
	bool complete;	  /* nothing more needs to come */
};

/* For ? and TAB: before is the line up to the cursor. No option and not
 * complete: something before is wrong. */
void cli_options(const struct cli_table *t, unsigned mode, struct span before,
		 struct cli_options *o);

/* What TAB puts in behind: all that the keywords have in common, and a blank
 * behind a word that is certain. */
void cli_complete(const struct cli_options *o, struct text *add);

/* Options, or all commands of a mode, with their help, one a line. */
void cli_print_options(const struct cli_options *o, struct text *out);
void cli_print_commands(const struct cli_table *t, unsigned mode,
			struct text *out);

#endif
