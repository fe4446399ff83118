/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_CONF_PLAY_H
#define TESTS_UNIT_CONF_PLAY_H

/*
 * A whole configuration compiled, with sealing that is played: "X:NAME" opens as
 * X for NAME, what begins with "?" is no sealed text, all else is of another
 * box. After cmocka.h.
 */
#include <stdlib.h>
#include "conf_whole.h"

struct play {
	int r;
	char report[CONF_REPORT_MAX];
	uint8_t *mem, *secret_mem;
	struct policy policy;
	struct secret_table secrets;
};

static inline int play_open(const struct secret_account *a,
			    struct span *password)
{
	size_t n = a->sealed.n, name = a->name.n;

	if (a->sealed.p[0] == '?')
		return E_CONF;
	if (n < name + 2 || a->sealed.p[n - name - 1] != ':' ||
	    memcmp(a->sealed.p + n - name, a->name.p, name) != 0)
		return E_CORRUPT;
	*password = (struct span){ a->sealed.p, n - name - 1 };
	return OK;
}

static inline void play_drop(struct play *p)
{
	free(p->mem);
	free(p->secret_mem);
	p->mem = p->secret_mem = NULL;
}

static inline int play_steps(struct conf_job *job, size_t *len)
{
	struct secret_account a;
	int r;

	while ((r = conf_job_step(job, 3, len)) == E_AGAIN) {
		struct span password = { NULL, 0 };

		if (conf_job_sealed(job, &a))
			conf_job_opened(job, play_open(&a, &password),
					password);
	}
	return r;
}

/* Compile text into p, which holds nothing or what was compiled before. */
static inline void play_compile(struct play *p, struct span text)
{
	struct conf_input in = {
		.text = text,
		.builtin_ca = SPAN_LIT("-----BEGIN CERTIFICATE-----\nx\n"
				       "-----END CERTIFICATE-----\n"),
	};
	struct conf_job *job = conf_job_init(malloc(conf_job_size()), &in);
	struct secret_build b;
	struct text report;
	size_t len, size;
	uint32_t entries;

	play_drop(p);
	while (conf_job_measure(job, 100) == E_AGAIN)
		;
	p->mem = malloc(conf_job_need(job));
	size = conf_job_need_secrets(job, &entries);
	size = secret_build_size(entries, size);
	p->secret_mem = malloc(size);
	assert_int_equal(secret_build_begin(&b, p->secret_mem, size), OK);
	text_init(&report, p->report, sizeof(p->report));
	assert_int_equal(
		conf_job_build(job, p->mem, conf_job_need(job), &b, &report),
		OK);
	p->r = play_steps(job, &len);
	free(job);
	assert_int_equal(p->r, report.n == 0 ? OK : E_CONF);
	if (p->r != OK)
		return;
	assert_int_equal(policy_open(&p->policy, (struct span){ p->mem, len }),
			 OK);
	assert_int_equal(
		secret_table_open(&p->secrets, secret_build_end(&b, 7)), OK);
}

#endif
