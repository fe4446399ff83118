/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 6125 6.4.3, as narrow as policy.h says. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy/policy.h"

static const struct {
	const char *cert, *match;
	bool ok;
} table[] = {
	/* plain */
	{ "mx.partner.example", "mx.partner.example", true },
	{ "mx.partner.example", "partner.example", false },
	{ "partner.example", "mx.partner.example", false },
	{ "localhost", "localhost", true },
	/* everything below */
	{ "mx.partner.example", ".partner.example", true },
	{ "a.b.partner.example", ".partner.example", true },
	{ "partner.example", ".partner.example", false },
	{ "xpartner.example", ".partner.example", false },
	{ ".partner.example", ".partner.example", false },
	{ "..partner.example", ".partner.example", false },
	{ "a..partner.example", ".partner.example", false },
	/* wildcards against a host */
	{ "*.partner.example", "mx.partner.example", true },
	{ "*.partner.example", "partner.example", false },
	{ "*.partner.example", "a.mx.partner.example", false },
	{ "*.example", "partner.example", false },
	{ "*.com", "example.com", false },
	{ "*", "example", false },
	{ "*.", "example", false },
	{ "mx*.partner.example", "mx1.partner.example", false },
	{ "*mx.partner.example", "amx.partner.example", false },
	{ "mx.*.example", "mx.partner.example", false },
	{ "*.*.example", "mx.partner.example", false },
	{ "**.partner.example", "mx.partner.example", false },
	{ "*.partner.example", ".partner.example.x", false },
	/* wildcards against everything below */
	{ "*.partner.example", ".partner.example", true },
	{ "*.eu.partner.example", ".partner.example", true },
	{ "*.example", ".partner.example", false },
	{ "*.example", ".example", false },
	{ "*.xpartner.example", ".partner.example", false },
	/* the list never holds a wildcard */
	{ "mx.partner.example", "*.partner.example", false },
	/* malformed */
	{ "", "", false },
	{ "", "mx.example", false },
	{ "mx.example", "", false },
	{ "mx.example.", "mx.example.", false },
	{ "MX.example", "mx.example", false },
	{ "mx example", "mx example", false },
};

static void names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (policy_name_matches(span_str(table[i].cert),
					span_str(table[i].match)) !=
		    table[i].ok)
			fail_msg("%s against %s is not %d", table[i].cert,
				 table[i].match, table[i].ok);
}

static void octets(void **state)
{
	static const char nul[] = "mx.partner.example\0.evil.example";
	char label[300];

	(void)state;
	assert_false(policy_name_matches(
		(struct span){ (const uint8_t *)nul, sizeof(nul) - 1 },
		SPAN_LIT(".evil.example")));
	assert_false(policy_name_matches(
		(struct span){ (const uint8_t *)nul, sizeof(nul) - 1 },
		SPAN_LIT("mx.partner.example")));
	memset(label, 'a', sizeof(label));
	memcpy(label + 64, ".b.example", 11);
	assert_false(
		policy_name_matches(span_str(label), SPAN_LIT(".b.example")));
	assert_true(policy_name_matches(span_str(label + 1),
					SPAN_LIT(".b.example")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
