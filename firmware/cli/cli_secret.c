/* SPDX-License-Identifier: BSD-2-Clause */
/* cli_secret - see cli_secret.h. */
#include "cli/cli_secret.h"

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* The octets from i on up to the next blank, or of blanks. */
static size_t run(struct span line, size_t i, bool of_blanks)
{
	size_t n = 0;

	while (i + n < line.n && blank(line.p[i + n]) == of_blanks)
		n++;
	return n;
}

static bool begins(struct span word, struct span with)
{
	return word.n >= with.n &&
	       span_eq_nocase((struct span){ word.p, with.n }, with);
}

size_t cli_secret_at(struct span line)
{
	size_t i = run(line, 0, true);

	/* quotes and comments may be what is wrong: a word is what blanks make */
	while (i < line.n) {
		struct span word = { line.p + i, run(line, i, false) };

		i += word.n;
		i += run(line, i, true);
		if (!begins(word, SPAN_LIT("passw")) &&
		    !begins(word, SPAN_LIT("pasw")))
			continue;
		word = (struct span){ line.p + i, run(line, i, false) };
		if (i + word.n == line.n ||
		    !span_eq_nocase(word, SPAN_LIT("sealed")))
			return i;
		i += word.n + run(line, i + word.n, true);
	}
	return line.n;
}
