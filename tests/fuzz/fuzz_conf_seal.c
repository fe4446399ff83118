/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text, its passwords sealed: as many lines as before, nothing left to seal,
 * what is taken a second time stays as it is; and no password in a report.
 */
#include <stdlib.h>
#include "base/bug.h"
#include "conf/conf_seal.h"
#include "conf/conf_words.h"

static int seal(struct span text, uint8_t **out, size_t *n, bool *typed)
{
	static char report_mem[CONF_REPORT_MAX];
	size_t room = conf_seal_room(text);
	struct secret_account a;
	struct conf_seal *j;
	struct text report;
	void *mem;
	int r;

	*typed = false;
	*out = NULL;
	if (room == 0)
		return OK;
	mem = malloc(conf_seal_size());
	*out = malloc(room);
	text_init(&report, report_mem, sizeof(report_mem));
	j = conf_seal_init(mem, text, *out, &report);
	while ((r = conf_seal_step(j, 7, n)) == E_AGAIN) {
		if (!conf_seal_asks(j, &a))
			continue;
		BUG_ON((a.sealed.n > 0) == (a.password.n > 0));
		*typed |= a.password.n > 0;
		conf_seal_answer(j, OK, SPAN_LIT("QUJD"));
	}
	free(mem);
	BUG_ON(*n > room || (r != OK && r != E_CONF));
	BUG_ON((r == OK) != (report.n == 0) || report.cut);
	return r;
}

static size_t lines(struct span s)
{
	struct conf_lines l;
	struct span line;
	size_t n = 0;

	conf_lines_init(&l, s);
	while (conf_lines_next(&l, &line))
		n++;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { data, n };
	uint8_t *first, *second;
	size_t first_n, second_n;
	bool typed;
	int r = seal(text, &first, &first_n, &typed);

	if (!first)
		return 0;
	BUG_ON(lines(text) != lines((struct span){ first, first_n }));
	if (r == OK) {
		struct span once = { first, first_n };

		BUG_ON(seal(once, &second, &second_n, &typed) != OK || typed);
		BUG_ON(second &&
		       !span_eq(once, (struct span){ second, second_n }));
		free(second);
	}
	free(first);
	return 0;
}
