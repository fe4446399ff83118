/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings about the box itself: names, texts, addresses, and whether they fit
 * together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "conf_whole.h"

static char report_mem[CONF_REPORT_MAX], printed[1 << 16];
static uint8_t policy_mem[1 << 16];
static struct policy policy;

/* The report; "" if it compiles, and then it is in policy. */
static const char *compile(const char *text)
{
	struct conf_input in = { .text = span_str(text),
				 .builtin_ca = SPAN_LIT("x") };
	struct conf_job *job = conf_job_init(malloc(conf_job_size()), &in);
	struct text report;
	size_t len;
	int r;

	text_init(&report, report_mem, sizeof(report_mem));
	assert_int_equal(conf_job_measure(job, 1000), OK);
	assert_int_equal(conf_job_build(job, policy_mem, sizeof(policy_mem),
					NULL, &report),
			 OK);
	r = conf_job_step(job, 1000, &len);
	if (r == OK)
		assert_int_equal(
			policy_open(&policy, (struct span){ policy_mem, len }),
			OK);
	free(job);
	return report_mem;
}

/* Compiles; the box it says. */
static const struct box *box(const char *text)
{
	if (compile(text)[0] != '\0')
		fail_msg("%s: %s", text, report_mem);
	return &policy.settings.box;
}

/* The line of the printed text that begins so. */
static const char *line(const char *text, const char *begins)
{
	static char found[500];
	struct text out;
	const char *at;

	box(text);
	text_init(&out, printed, sizeof(printed));
	assert_int_equal(conf_print(&policy, NULL, &out), OK);
	at = strstr(printed, begins);
	assert_non_null(at);
	memcpy(found, at, strcspn(at, "\n"));
	found[strcspn(at, "\n")] = '\0';
	return found;
}

static void defaults(void **state)
{
	const struct box *b = box("default may\n");

	(void)state;
	assert_string_equal(b->name, "sealwire");
	assert_string_equal(b->banner, "");
	assert_int_equal(b->idle_s, 600);
	assert_int_equal(b->management.port, 0);
	assert_int_equal(b->vlan, 0);
	assert_int_equal(b->ntp[0].port, 0);
	assert_int_equal(b->gateway.port, 0);
	assert_int_equal(b->syslog.port, 0);
}

/* Written, compiled, printed: the same line; printed and compiled again too. */
static void as_written(void **state)
{
	static const char *const all[] = {
		"hostname a",
		"hostname mail-gate-7.example.org",
		"hostname 0123456789012345678901234567",
		"banner \"No \\\"entry\\\" \\\\ without permission.\"",
		"banner \"none\"",
		"banner none",
		"console timeout 10",
		"management address 192.0.2.5/24",
		"management address 2001:db8::5/64",
		"management address 192.0.2.5/24\nmanagement vlan 1",
		"management address 192.0.2.5/24\nmanagement vlan 4094",
		"management address 192.0.2.5/32",
		"management address 192.0.2.5/24\nntp 192.0.2.9",
		"management address 192.0.2.5/24\nntp 192.0.2.9 192.0.2.7 "
		"192.0.2.8",
		"management address 2001:db8::5/64\nntp 2001:db8::9",
		"management address 192.0.2.5/24\nmanagement gateway 192.0.2.1",
		"management address 192.0.2.5/24\nsyslog 192.0.2.9:514",
		"management address 2001:db8::5/64\nsyslog [2001:db8::9]:5514",
		"management address 192.0.2.5/25\nmanagement gateway "
		"192.0.2.126\nsyslog 203.0.113.9:514",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *last = strrchr(all[i], '\n');
		char *again;

		last = last ? last + 1 : all[i];
		assert_string_equal(line(all[i], last), last);
		again = strdup(printed);
		assert_string_equal(line(again, last), last);
		assert_string_equal(printed, again);
		free(again);
	}
}

static void values(void **state)
{
	const struct box *b;
	uint8_t ip[16], v4[4] = { 203, 0, 113, 9 };

	(void)state;
	b = box("hostname BOX\nmanagement address 192.0.2.5/24\n"
		"management gateway 192.0.2.1\nsyslog 203.0.113.9\n");
	assert_string_equal(b->name, "BOX");
	ip_from_v4(ip, v4);
	assert_memory_equal(b->syslog.ip, ip, 16);
	assert_int_equal(b->syslog.port, 514);
	assert_int_equal(b->management.port, 24);
	assert_int_equal(b->management.ip[15], 5);
	assert_int_equal(b->gateway.ip[15], 1);
	b = box("banner \"a  b\"\n");
	assert_string_equal(b->banner, "a  b");
}

static const struct {
	const char *text, *report;
} bad[] = {
	{ "hostname", "line 1, column 10: one word more is needed here\n" },
	{ "hostname a b", "line 1, column 12: \"b\": nothing more is expected "
			  "here\n" },
	{ "hostname a\nhostname b",
	  "line 2, column 1: \"hostname\": is already set, in line 1\n" },
	{ "syslog 192.0.2.9",
	  "line 1, column 1: \"syslog\": there is no \"management address\" "
	  "to send from\n" },
	{ "ntp 192.0.2.9",
	  "line 1, column 1: \"ntp\": there is no \"management address\" to "
	  "send from\n" },
	{ "management address 192.0.2.5/24\nntp 192.0.2.9 203.0.113.9",
	  "line 2, column 1: \"ntp\": is not in the network of \"management "
	  "address\", and there is no \"management gateway\"\n" },
	{ "management address 192.0.2.5/24\nntp 2001:db8::9",
	  "line 2, column 1: \"ntp\": is not of the same kind (IPv4, IPv6) as "
	  "\"management address\"\n" },
	{ "management address 192.0.2.5/24\nntp 192.0.2.9 192.0.2.9",
	  "line 2, column 15: \"192.0.2.9\": is named twice\n" },
	{ "management address 192.0.2.5/24\n"
	  "ntp 192.0.2.6 192.0.2.7 192.0.2.8 192.0.2.9",
	  "line 2, column 35: \"192.0.2.9\": three are as many as there can "
	  "be\n" },
	{ "management vlan 7",
	  "line 1, column 1: \"management vlan\": there is no \"management "
	  "address\"\n" },
	{ "management gateway 192.0.2.1",
	  "line 1, column 1: \"management gateway\": there is no \"management "
	  "address\"\n" },
	{ "management address 192.0.2.5/24\nsyslog 203.0.113.9",
	  "line 2, column 1: \"syslog\": is not in the network of "
	  "\"management address\", and there is no \"management gateway\"\n" },
	{ "management address 192.0.2.5/24\nsyslog 2001:db8::9",
	  "line 2, column 1: \"syslog\": is not of the same kind (IPv4, IPv6) "
	  "as \"management address\"\n" },
	{ "management address 192.0.2.5/25\nmanagement gateway 192.0.2.129",
	  "line 2, column 1: \"management gateway\": is not in the network of "
	  "\"management address\"\n" },
	{ "management address 2001:db8::5/64\nmanagement gateway "
	  "2001:db8:0:1::1",
	  "line 2, column 1: \"management gateway\": is not in the network of "
	  "\"management address\"\n" },
	{ "management address 192.0.2.5/24\nmanagement gateway 2001:db8::1",
	  "line 2, column 1: \"management gateway\": is not in the network of "
	  "\"management address\"\n" },
};

static void what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(compile(bad[i].text), bad[i].report);
}

static const char *const no_name[] = {
	"-a", "a-",	 "a..b", ".a",
	"a.", "a.-b",	 "a-.b", "a_b",
	"ä",  "\"a b\"", "\"\"", "01234567890123456789012345678"
};
static const char *const no_prefix[] = {
	"192.0.2.5",	 "192.0.2.5/",	    "192.0.2.5/0",
	"192.0.2.5/33",	 "192.0.2.5/1x",    "/24",
	"192.0.2.05/24", "2001:db8::5/129", "2001:db8::5",
	"127.0.0.1/8",	 "224.0.0.1/4",	    "ff02::1/64",
	"0.0.0.0/8",	 "192.0.2.5:1/24",  "[2001:db8::]/64"
};
static const char *const no_host[] = { "loghost",	  "192.0.2.9:0",
				       "192.0.2.9:65536", "[2001:db8::9",
				       "192.0.2.9/24",	  "::" };

static const char *const no_server[] = { "time",	   "192.0.2.9:123",
					 "none 192.0.2.9", "192.0.2.9/24",
					 "224.0.1.1",	   "" };
static const char *const no_vlan[] = { "0",  "4095", "4096", "-1",
				       "7x", "1.5",  "vlan" };

static void wrong(const char *what, const char *const *all, size_t n)
{
	char text[100], begin[100];

	for (size_t i = 0; i < n; i++) {
		struct text t;

		text_init(&t, text, sizeof(text));
		text_str(&t, what);
		text_str(&t, all[i]);
		text_init(&t, begin, sizeof(begin));
		text_str(&t, "line 1, column ");
		text_u64(&t, strlen(what) + 1);
		text_str(&t, ": ");
		if (strncmp(compile(text), begin, strlen(begin)) != 0)
			fail_msg("%s: %s", text, report_mem);
	}
}

#define WRONG(what, all) wrong(what, all, sizeof(all) / sizeof(all[0]))

static void words_that_are_none(void **state)
{
	char text[BOX_BANNER + 40];
	struct text t;

	(void)state;
	WRONG("hostname ", no_name);
	WRONG("management address ", no_prefix);
	WRONG("syslog ", no_host);
	WRONG("management vlan ", no_vlan);
	WRONG("ntp ", no_server);
	/* a banner as long as it may be, and longer */
	for (size_t n = BOX_BANNER; n < BOX_BANNER + 2; n++) {
		text_init(&t, text, sizeof(text));
		text_str(&t, "banner \"");
		for (size_t i = 0; i < n; i++)
			text_str(&t, "x");
		text_str(&t, "\"");
		compile(text);
		assert_int_equal(report_mem[0] == '\0', n == BOX_BANNER);
	}
	assert_non_null(strstr(compile("banner \"\xc3\xa4\""), "printable"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(as_written),
		cmocka_unit_test(values),
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(words_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
