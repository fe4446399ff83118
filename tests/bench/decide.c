/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide - what a recipient's decision costs when the list is long.
 *
 * usage: decide DOMAINS...
 *
 * For every list length: a snapshot with so many rules, half of them exact and
 * half ".sub"; then recipients as they come in RCPT (parsed, looked up,
 * decided), half of them listed, the other half not, all in random order so
 * that no cache knows the next one. Lists take turns, and the median of the
 * turns is printed: nanoseconds for one decision, one line for a length.
 *
 * Exit 1: a decision was wrong.
 */
#include <string.h>
#include "base/text.h"
#include "bench.h"
#include "policy/policy_build.h"
#include "proto/smtp_path.h"

enum { LISTS = 8, TURNS = 9, RECIPIENTS = 20000 };

struct list {
	uint32_t n;
	uint8_t *mem;
	struct policy policy;
	char *rcpt; /* RECIPIENTS lines of RCPT_MAX */
	bool *listed;
	double ns[TURNS];
};

enum { RCPT_MAX = 64 };

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void fail(const char *what)
{
	fprintf(stderr, "decide: %s\n", what);
	exit(1);
}

static void build(struct list *l)
{
	const uint8_t key[16] = "decide";
	size_t size = policy_build_size(l->n + 1, 0, (size_t)l->n * 32), used;
	struct settings s = { .intercept = { 25 }, .intercept_n = 1 };
	struct policy_build b;
	uint32_t first;

	l->mem = malloc(size);
	if (!l->mem ||
	    policy_build_begin(&b, l->mem, size, l->n + 1, 0, key) != OK)
		fail("no memory");
	for (uint32_t i = 0; i < l->n; i++) {
		char name[40];
		struct policy_rule r = { .level = LEVEL_ENCRYPT,
					 .min_tls = 0x0303 };

		snprintf(name, sizeof(name), "%sd%u.example", i % 2 ? "." : "",
			 i);
		r.name = span_str(name);
		if (policy_build_rule(&b, &r, &first) != OK)
			fail("rule");
	}
	if (policy_build_end(&b, &s, &used) != OK ||
	    policy_open(&l->policy, (struct span){ l->mem, used }) != OK)
		fail("snapshot");
}

static void address(struct list *l)
{
	l->rcpt = malloc((size_t)RECIPIENTS * RCPT_MAX);
	l->listed = malloc(RECIPIENTS);
	if (!l->rcpt || !l->listed)
		fail("no memory");
	for (int i = 0; i < RECIPIENTS; i++) {
		uint32_t d = (uint32_t)(random_next() % l->n);

		l->listed[i] = random_next() & 1;
		snprintf(l->rcpt + (size_t)i * RCPT_MAX, RCPT_MAX,
			 " TO:<bob@%sd%u.%s>", d % 2 ? "mx." : "", d,
			 l->listed[i] ? "example" : "invalid");
	}
}

static double turn(const struct list *l)
{
	const struct channel clear = { .server = { .port = 25 } };
	uint64_t t = bench_ns(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < RECIPIENTS; i++) {
		struct span arg = span_str(l->rcpt + (size_t)i * RCPT_MAX);
		static struct smtp_path path;
		struct policy_rule rule;
		struct verdict v;

		if (smtp_path_parse(&path, span_skip(arg, 1), false) !=
			    PATH_OK ||
		    policy_lookup(&l->policy, span_str(path.domain), &rule) !=
			    OK)
			fail("lookup");
		v = policy_decide(&rule, &clear, true, (struct span){ NULL, 0 },
				  &clear.server);
		if ((v.decision == DECISION_STARTTLS) != l->listed[i])
			fail("a decision was wrong");
	}
	return (double)(bench_ns(CLOCK_THREAD_CPUTIME_ID) - t) / RECIPIENTS;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static struct list list[LISTS];
	int lists = argc - 1;

	if (lists < 1 || lists > LISTS)
		return 2;
	for (int i = 0; i < lists; i++) {
		list[i].n = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		if (list[i].n == 0)
			return 2;
		build(&list[i]);
		address(&list[i]);
		(void)turn(&list[i]);
	}
	for (int t = 0; t < TURNS; t++)
		for (int i = 0; i < lists; i++)
			list[i].ns[t] = turn(&list[i]);
	for (int i = 0; i < lists; i++) {
		qsort(list[i].ns, TURNS, sizeof(double), by_size);
		printf("%u %.0f\n", list[i].n, list[i].ns[TURNS / 2]);
	}
	return 0;
}
