/* SPDX-License-Identifier: BSD-2-Clause */
/* console_put - see console_put.h. */
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum { LABEL = 13 };

void put_str(const char *s)
{
	text_str(&K.answer, s);
}

void put_num(uint64_t v)
{
	text_u64(&K.answer, v);
}

size_t put_at(void)
{
	return K.answer.n;
}

void put_to(size_t at, size_t width)
{
	do
		put_str(" ");
	while (K.answer.n < at + width && !K.answer.cut);
}

void put_cell(struct span s, size_t width)
{
	size_t at = K.answer.n;

	text_clean(&K.answer, s);
	put_to(at, width);
}

void put_label(const char *s)
{
	put_cell(span_str(s), LABEL);
}

static void two(uint64_t v, const char *after)
{
	put_str(v < 10 ? "0" : "");
	put_num(v);
	put_str(after);
}

void put_age(uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s >= 86400) {
		put_num(s / 86400);
		put_str("d ");
	}
	two(s / 3600 % 24, ":");
	two(s / 60 % 60, ":");
	two(s % 60, "");
}

void put_when(uint64_t unix_ms)
{
	char mem[32];
	struct text iso;

	text_init(&iso, mem, sizeof(mem));
	text_time(&iso, unix_ms / 1000);
	mem[10] = ' ';
	text_span(&K.answer, (struct span){ (uint8_t *)mem + 5, 11 });
}

void put_endpoint_cell(const struct endpoint *e, size_t width)
{
	size_t at = K.answer.n;
	bool v4 = ip_is_v4(e->ip);

	put_str(v4 ? "" : "[");
	text_ip(&K.answer, e->ip);
	put_str(v4 ? ":" : "]:");
	put_num(e->port);
	put_to(at, width);
}

struct span put_shared(const char *s, size_t size)
{
	return (struct span){ (const uint8_t *)s, strnlen(s, size) };
}
