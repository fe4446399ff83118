/* SPDX-License-Identifier: BSD-2-Clause */
/* console_box - what the box is called, and what it says to strangers. */
#include <unistd.h>
#include "proc/console/console.h"

enum { WIDTH = 78 };

void box_init(void)
{
	K.box = (struct box){ .name = "sealwire",
			      .idle_s = CONSOLE_IDLE_MS / 1000 };
}

/* NAME LF BANNER, both as the language allows them; what is not is left out. */
void box_set(int fd, uint64_t idle_s)
{
	char mem[sizeof(K.box.name) + sizeof(K.box.banner)];
	ssize_t n = pread(fd, mem, sizeof(mem), 0);
	const char *lf = n > 0 ? memchr(mem, '\n', (size_t)n) : NULL;
	struct text t;

	if (!lf)
		return;
	text_init(&t, K.box.name, sizeof(K.box.name));
	text_clean(&t, (struct span){ (uint8_t *)mem, (size_t)(lf - mem) });
	text_init(&t, K.box.banner, sizeof(K.box.banner));
	text_clean(&t, (struct span){ (const uint8_t *)lf + 1,
				      (size_t)(mem + n - lf) - 1 });
	K.box.idle_s = (uint32_t)idle_s;
	for (size_t i = 0; i < CONSOLE_TTYS; i++)
		if (K.tty[i].in_use && !K.tty[i].own_idle)
			K.tty[i].idle_ms = idle_s * 1000;
}

/* How much of s goes into one row: up to a blank, if there is one. */
static size_t row_of(struct span s)
{
	size_t n = s.n < WIDTH ? s.n : WIDTH, at = n;

	if (n == s.n)
		return n;
	while (at > 0 && s.p[at] != ' ')
		at--;
	return at > 0 ? at : n;
}

static void banner(struct tty *t)
{
	struct span s = span_str(K.box.banner);

	while (s.n > 0) {
		size_t n = row_of(s);

		tty_put(t, (struct span){ s.p, n });
		tty_put(t, SPAN_LIT("\r\n"));
		s = span_skip(s, n);
		while (s.n > 0 && s.p[0] == ' ')
			s = span_skip(s, 1);
	}
}

void box_welcome(struct tty *t)
{
	struct span name = span_str(K.box.name);
	char mem[80];
	struct text line;

	tty_say(t, "\n");
	banner(t);
	text_init(&line, mem, sizeof(mem));
	text_str(&line, "Sealwire");
	if (!span_eq_nocase(name, SPAN_LIT("Sealwire"))) {
		text_str(&line, " ");
		text_span(&line, name);
	}
	text_str(&line, ". Press Enter to log in.\n");
	tty_say(t, mem);
}
