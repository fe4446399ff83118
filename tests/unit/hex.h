/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_HEX_H
#define TESTS_UNIT_HEX_H

/* Octets as people write them: "01 a0ff", blanks as one likes. */
#include <stdint.h>
#include <stdlib.h>
#include "base/span.h"

struct hex {
	uint8_t b[1024];
	size_t n;
};

static inline unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static inline struct hex hex_of(const char *s)
{
	struct hex h = { .n = 0 };

	for (; *s; s++) {
		if (*s == ' ')
			continue;
		if (h.n == sizeof(h.b))
			abort();
		h.b[h.n++] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
		s++;
	}
	return h;
}

#define HEX_EQUAL(p, text)                          \
	do {                                        \
		const struct hex h_ = hex_of(text); \
		assert_memory_equal(p, h_.b, h_.n); \
	} while (0)

#endif
