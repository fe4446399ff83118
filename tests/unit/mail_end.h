/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_MAIL_END_H
#define TESTS_UNIT_MAIL_END_H

/*
 * Where receivers of every temper see a message end. The strict one takes only
 * CRLF for the end of a line; the others also a bare LF, a bare CR, or both,
 * and keep a NUL, drop it, or drop it with the rest of its line.
 */
#include "base/span.h"

enum { SEES_LF = 1, SEES_CR = 2, NUL_DROPS = 4, NUL_CUTS = 8, RECEIVERS = 12 };
enum { MAIL_NO_END = -1 };

/* How many octets of s are up to and with the first end of data. */
static inline long mail_end(struct span s, unsigned receiver)
{
	size_t line = 0; /* octets of the current line that count */
	bool dot = false, cut = false;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		size_t nl = 0, k = i + 1;

		if (receiver & NUL_DROPS)
			while (k < s.n && s.p[k] == '\0')
				k++;
		if (c == '\r' && k < s.n && s.p[k] == '\n')
			nl = k + 1 - i;
		else if ((c == '\r' && (receiver & SEES_CR)) ||
			 (c == '\n' && (receiver & SEES_LF)))
			nl = 1;
		if (nl > 0) {
			if (line == 1 && dot)
				return (long)(i + nl);
			i += nl - 1;
			line = 0;
			cut = false;
			continue;
		}
		if (c == '\0' && (receiver & NUL_DROPS))
			continue;
		cut = cut || (c == '\0' && (receiver & NUL_CUTS));
		if (cut)
			continue;
		dot = line == 0 && c == '.';
		line++;
	}
	return MAIL_NO_END;
}

#endif
