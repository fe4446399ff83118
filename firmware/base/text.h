/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/addr.h"
#include "base/span.h"

/*
 * text - write short texts into fixed memory: replies, log lines, tables.
 *
 * Pure (no printf, no locale). What does not fit is cut and `cut` is set, so
 * many pieces can be put down and asked about once. Always NUL-terminated.
 */
struct text {
	char *p;
	size_t size, n; /* n: without the NUL */
	bool cut;
};

/* size at least 1. */
void text_init(struct text *t, char *mem, size_t size);
void text_str(struct text *t, const char *s);
void text_span(struct text *t, struct span s);
/* Foreign bytes for human eyes: not printable ASCII becomes '?'. */
void text_clean(struct text *t, struct span s);
/* The same between double quotes, a quote within it as ': a value of the log. */
void text_quoted(struct text *t, struct span s);
void text_u64(struct text *t, uint64_t v);
/* Lower-case hexadecimal, two digits a byte. */
void text_hex(struct text *t, struct span s);
/* 192.0.2.1 or 2001:db8::1 (RFC 5952), without the port. */
void text_ip(struct text *t, const uint8_t ip[16]);
/* 2026-01-01T00:00:00Z (RFC 3339), years 1970 to 9999. */
void text_time(struct text *t, uint64_t unix_s);

static inline struct span text_done(const struct text *t)
{
	return (struct span){ (const uint8_t *)t->p, t->n };
}

#endif
