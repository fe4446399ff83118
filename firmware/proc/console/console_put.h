/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_CONSOLE_CONSOLE_PUT_H
#define PROC_CONSOLE_CONSOLE_PUT_H

#include "base/span.h"

/* console_put - put an answer down into K.answer, in columns. */
void put_str(const char *s);
void put_num(uint64_t v);
/* Blanks up to width columns behind at (text_done(&K.answer).n of then), and
 * one at least. */
void put_to(size_t at, size_t width);
size_t put_at(void);
/* Foreign octets, and blanks up to width. */
void put_cell(struct span s, size_t width);
/* The name at the beginning of a line. */
void put_label(const char *s);
/* 3d 04:05:06 */
void put_age(uint64_t ms);
/* 11-24 05:53, out of 2026-11-24T05:53:07Z: a row has no room for more. */
void put_when(uint64_t unix_ms);
/* 192.0.2.1:25 or [2001:db8::1]:25 */
struct endpoint;
void put_endpoint_cell(const struct endpoint *e, size_t width);
/* A text that another program may be writing at this moment. */
struct span put_shared(const char *s, size_t size);

#endif
