/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_candidate - the text that is being edited. It is text and no more: what
 * only the whole can contradict is found by the compiler at COMMIT.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "conf/conf_diff.h"
#include "conf/conf_edit.h"
#include "proc/confd/confd.h"

enum { LINES_AT_ONCE = 20000 };

static struct span text_of(const char *p, size_t n)
{
	return (struct span){ (const uint8_t *)p, n };
}

/* Make it our own, so that it can be kept and changed. */
static int begin(void)
{
	struct span now;

	if (C.candidate)
		return OK;
	now = confd_text_map(C.now.fd >= 0 ? &C.now : NULL);
	C.candidate = malloc(now.n + 1);
	if (C.candidate && now.n > 0)
		memcpy(C.candidate, now.p, now.n);
	C.candidate_n = C.candidate ? now.n : 0;
	confd_text_unmap(now);
	if (C.candidate)
		return OK;
	text_str(&C.report, "there is not enough memory for a candidate\n");
	return E_FULL;
}

struct span confd_candidate(void)
{
	return begin() == OK ? text_of(C.candidate, C.candidate_n)
			     : (struct span){ NULL, 0 };
}

void confd_discard(void)
{
	free(C.candidate);
	C.candidate = NULL;
	C.candidate_n = 0;
}

static int random_key(uint8_t key[16])
{
	if (getrandom(key, 16, 0) == 16)
		return OK;
	text_str(&C.report, "no random numbers\n");
	return E_IO;
}

static void take(char *text, size_t n)
{
	free(C.candidate);
	C.candidate = text;
	C.candidate_n = n;
}

/* Passwords sealed, in memory of its own; NULL with *error and C.report. */
static char *sealed_copy(struct span text, size_t *n, int *error)
{
	char *copy;

	*error = confd_seal(text, &copy, n, &C.report);
	if (*error == OK && !copy) {
		copy = malloc(text.n + 1);
		if (copy && text.n > 0)
			memcpy(copy, text.p, text.n);
		*n = text.n;
		*error = copy ? OK : E_FULL;
	}
	if (*error == E_FULL)
		text_str(&C.report, "there is not enough memory\n");
	if (*error == OK)
		return copy;
	if (copy)
		explicit_bzero(copy, *n);
	free(copy);
	return NULL;
}

int confd_replace(struct span text)
{
	size_t n;
	int r;
	char *copy = sealed_copy(text, &n, &r);

	if (copy)
		take(copy, n);
	return r;
}

static int edit(struct span lines)
{
	struct conf_edit *job;
	uint8_t key[16];
	void *mem;
	char *out;
	size_t n;
	int r = begin();

	if (r == OK)
		r = random_key(key);
	if (r != OK)
		return r;
	mem = malloc(conf_edit_size(lines));
	out = malloc(C.candidate_n + lines.n + 2);
	if (!mem || !out) {
		text_str(&C.report, "there is not enough memory\n");
		r = E_FULL;
		goto out;
	}
	job = conf_edit_init(mem, text_of(C.candidate, C.candidate_n), lines,
			     key, (uint8_t *)out, &C.report);
	while ((r = conf_edit_step(job, LINES_AT_ONCE, &n)) == E_AGAIN)
		program_alive(&C.prog);
	if (r == OK) {
		take(out, n);
		out = NULL;
	}
out:
	free(mem);
	free(out);
	return r;
}

int confd_edit(struct span lines)
{
	size_t n;
	int r;
	char *copy = sealed_copy(lines, &n, &r);

	if (copy)
		r = edit(text_of(copy, n));
	free(copy);
	return r;
}

/* Text, and for a candidate that compiles the text it would be printed as. */
static int printed(struct span text, struct snapshot *s, struct span *as)
{
	int r = confd_compile(s, text, true);

	*as = r == OK ? confd_text_map(s) : text;
	if (r != OK) /* the difference is worth seeing all the same */
		text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	return r;
}

int confd_compare(struct span was, int *fd)
{
	struct snapshot s;
	struct span is;
	uint8_t key[16];
	struct text out;
	struct conf_diff *diff;
	void *mem = NULL;
	char *room = NULL;
	int compiled = printed(confd_candidate(), &s, &is);
	size_t size = was.n + is.n + 1, lines;
	int r = random_key(key);

	for (size_t i = 0; i < was.n; i++)
		size += was.p[i] == '\n' ? 2u : 0u;
	for (size_t i = 0; i < is.n; i++)
		size += is.p[i] == '\n' ? 2u : 0u;
	size += 8;
	if (r != OK)
		goto out;
	mem = malloc(conf_diff_size(was, is));
	room = malloc(size);
	if (!mem || !room) {
		text_str(&C.report, "there is not enough memory\n");
		r = E_FULL;
		goto out;
	}
	text_init(&out, room, size);
	diff = conf_diff_init(mem, was, is, key, &out);
	while (conf_diff_step(diff, LINES_AT_ONCE, &lines) == E_AGAIN)
		program_alive(&C.prog);
	*fd = confd_report_fd(text_done(&out));
	r = *fd < 0 ? E_FULL : OK;
out:
	if (compiled == OK) {
		confd_text_unmap(is);
		confd_drop(&s);
	}
	free(mem);
	free(room);
	return r;
}
