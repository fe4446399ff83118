/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines that pin another box are lines that the compiler takes, whatever the rule
 * of the domain was until then; the rest of confd is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "conf_play.h"
#include "proc/confd/confd_pin.c"

#define KEY "sha256:" K16 K16
#define K16 "0123456789abcdef0123456789abcdef"

struct confd C;
static struct play play;
static char edited[CONF_LINE_MAX];

struct span confd_text_map(const struct snapshot *s)
{
	(void)s;
	return (struct span){ NULL, 0 };
}

void confd_text_unmap(struct span text)
{
	(void)text;
}

struct span confd_candidate(void)
{
	return (struct span){ NULL, 0 };
}

int confd_policy_map(const struct snapshot *s, struct policy *p)
{
	(void)s;
	*p = play.policy;
	return OK;
}

int confd_edit(struct span lines)
{
	struct text t;

	text_init(&t, edited, sizeof(edited));
	text_span(&t, lines);
	return OK;
}

/* Of a configuration of this one line, what partner.example becomes. */
static void pinned(const char *line, const char *becomes)
{
	play_compile(&play, span_str(line));
	assert_int_equal(play.r, OK);
	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	assert_int_equal(confd_pin(SPAN_LIT("partner.example " KEY)), OK);
	assert_string_equal(edited, becomes);
	play_compile(&play, span_str(edited));
	assert_string_equal(play.report, "");
	play_drop(&play);
}

static void of_any_rule(void **state)
{
	(void)state;
	pinned("default may\n", "domain partner.example pin " KEY "\n");
	pinned("domain partner.example verify match mx.example min-tls 1.3\n",
	       "domain partner.example pin " KEY " min-tls 1.3\n");
}

/* Its key is named: there is nothing more to learn. */
static void of_one_that_learns(void **state)
{
	(void)state;
	pinned("default may learn\n", "domain partner.example pin " KEY "\n");
	pinned("domain .example verify learn on-fail defer\n",
	       "domain partner.example pin " KEY " on-fail defer\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_any_rule),
		cmocka_unit_test(of_one_that_learns),
	};

	return cmocka_run_group_tests_name("confd_pin", tests, NULL, NULL);
}
