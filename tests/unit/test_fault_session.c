/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session for which memory fails at the n-th allocation, then the same message
 * again: nothing protected in clear, no 2xx that the server has not given, and no
 * answer that would make the message bounce.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "tests/fault/fault.h"

/* The test's own memory does not fail. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
#define malloc(n)    __real_malloc(n)
#define calloc(n, s) __real_calloc(n, s)
#include "session_talk.h"

#define BODY "Subject: canary\r\n\r\ncanary\r\n"

static struct pki_cert ca, leaf;
static struct talk_policy policy;

static int set_up(void **state)
{
	struct pki_want w = { .san = "DNS:mx.example" };
	char *pem;

	(void)state;
	ca = pki_ca("the CA", NULL);
	leaf = pki_make(&w, &ca);
	pem = pki_pem(&ca);
	talk_policy_make(&policy, talk_config, pem);
	free(pem);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_trust_free(policy.trust);
	pki_free(&leaf);
	pki_free(&ca);
	return 0;
}

static void check(const struct talk *t)
{
	const char *taken = strstr(t->replies, "250 taken");

	assert_null(strstr(t->in_clear, "canary"));
	assert_null(strstr(t->in_clear, "ver.example"));
	assert_true(!taken || (t->stored == 1 && !strcmp(t->body, BODY)));
	assert_null(strstr(t->replies, "\r\n5"));
}

/* One message; n: the allocation that fails, 0: none. True: it was reached. */
static bool mail(uint32_t n)
{
	static const char *const script[] = {
		"EHLO c\r\n",
		"MAIL FROM:<a@c.example>\r\n",
		"RCPT TO:<b@ver.example>\r\n",
		"DATA\r\n",
		BODY ".\r\n",
		"QUIT\r\n",
		NULL,
	};
	struct talk *t = calloc(1, sizeof(*t));
	bool reached;

	t->script = script;
	t->cert = &leaf;
	t->cut = 65536;
	fault_control->armed[FAULT_MEMORY] = n;
	talk_begin(t, &policy);
	if (t->s)
		talk_run(t);
	reached = n > 0 && fault_control->armed[FAULT_MEMORY] == 0;
	fault_control->armed[FAULT_MEMORY] = 0;
	if (t->s)
		check(t);
	if (!reached)
		assert_int_equal(t->stored, 1);
	talk_free(t);
	return reached;
}

static void each_allocation_fails_once(void **state)
{
	const char *stride = getenv("FAULT_STRIDE");
	uint32_t step = stride ? (uint32_t)strtoul(stride, NULL, 10) : 37;

	(void)state;
	for (uint32_t n = 1; mail(n); n += step)
		assert_false(mail(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_fails_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
