/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text: a snapshot and a table of secrets that open, or errors with a place.
 * What compiles is printed, compiled and printed again, and must be the same.
 * Each sealed password opens, unless it begins with a "?".
 */
#include <stdlib.h>
#include "base/bug.h"
#include "conf_whole.h"

static char printed[2][1 << 20];

struct compiled {
	uint8_t *mem, *secret_mem;
	struct policy policy;
	struct secret_table secrets;
};

static int step(struct conf_job *job, size_t *len)
{
	struct secret_account a;
	int r;

	while ((r = conf_job_step(job, SIZE_MAX, len)) == E_AGAIN) {
		BUG_ON(!conf_job_sealed(job, &a) || a.sealed.n == 0);
		conf_job_opened(job, a.sealed.p[0] == '?' ? E_CORRUPT : OK,
				SPAN_LIT("hush"));
	}
	BUG_ON(conf_job_sealed(job, &a));
	return r;
}

static int compile(struct span text, struct compiled *c)
{
	static const uint8_t ca[] = "-----BEGIN CERTIFICATE-----\nx\n"
				    "-----END CERTIFICATE-----";
	static char report_mem[CONF_REPORT_MAX];
	struct conf_input in = { .text = text,
				 .builtin_ca = { ca, sizeof(ca) - 1 } };
	struct text report;
	struct conf_job *job = malloc(conf_job_size());
	struct secret_build b;
	uint32_t entries;
	size_t size, len;
	int r;

	conf_job_init(job, &in);
	BUG_ON(conf_job_measure(job, SIZE_MAX) != OK);
	size = conf_job_need(job);
	c->mem = malloc(size);
	len = conf_job_need_secrets(job, &entries);
	len = secret_build_size(entries, len);
	c->secret_mem = malloc(len);
	BUG_ON(secret_build_begin(&b, c->secret_mem, len) != OK);
	text_init(&report, report_mem, sizeof(report_mem));
	BUG_ON(conf_job_build(job, c->mem, size, &b, &report) != OK);
	r = step(job, &len);
	free(job);
	BUG_ON(r != OK && r != E_CONF);
	BUG_ON((r == OK) != (report.n == 0) || report.cut);
	if (r != OK)
		return r;
	BUG_ON(policy_open(&c->policy, (struct span){ c->mem, len }) != OK);
	BUG_ON(secret_table_open(&c->secrets, secret_build_end(&b, 7)) != OK);
	return OK;
}

static void drop(struct compiled *c)
{
	free(c->mem);
	free(c->secret_mem);
}

static bool print(const struct compiled *c, char *to, struct text *out)
{
	text_init(out, to, sizeof(printed[0]));
	BUG_ON(conf_print(&c->policy, &c->secrets, out) != OK);
	return !out->cut;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct text first, second;
	struct compiled c;
	bool ok;

	ok = compile((struct span){ data, n }, &c) == OK &&
	     print(&c, printed[0], &first);
	drop(&c);
	if (!ok)
		return 0;
	BUG_ON(compile(text_done(&first), &c) != OK);
	BUG_ON(!print(&c, printed[1], &second));
	BUG_ON(!span_eq(text_done(&first), text_done(&second)));
	drop(&c);
	return 0;
}
