/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_WORDS_H
#define CONF_CONF_WORDS_H

#include "base/err.h"
#include "base/span.h"
#include "conf/conf.h"

/*
 * conf_words - cut a text into lines and a line into words.
 *
 * A line ends with LF, CRLF or the text. Words are separated by spaces and
 * tabs; one that begins with ! or # ends the line; "..." holds blanks, with
 * \" and \\ in it. Text is UTF-8 without control characters.
 */
struct conf_word {
	struct span text;
	uint32_t column; /* from 1, in characters */
	bool quoted;	 /* never a keyword */
};

struct conf_lines {
	struct span rest;
	uint32_t number; /* of the line last taken */
};

/* Begin at the start of text; a byte order mark is skipped. */
void conf_lines_init(struct conf_lines *l, struct span text);
/* The next line without its end; false when there is none. */
bool conf_lines_next(struct conf_lines *l, struct span *line);

struct conf_words {
	struct conf_word word[CONF_WORDS_MAX];
	size_t n;
	/* What is wrong with the line, and where; NULL: nothing. */
	const char *why;
	uint32_t why_column;
	/* Quoted words without their quotes. */
	uint8_t room[CONF_LINE_MAX];
	size_t room_n;
};

/* Cut a line; words point into it or into w. E_CONF: see why. */
MUST_CHECK int conf_words_cut(struct conf_words *w, struct span line);

/* The next word of a constant list "limit sessions": empty at its end. */
struct span conf_words_next(const char **list);

/* Is this word, unquoted, the keyword k (any case)? */
bool conf_word_is(const struct conf_word *w, struct span k);

#endif
