/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines that change a configuration: what they name is replaced in its place,
 * what is new comes last, "no" takes away; one error and nothing is done.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "conf/conf_edit.h"

#define PEM(body)                                            \
	"ca certificate\n-----BEGIN CERTIFICATE-----\n" body \
	"\n-----END CERTIFICATE-----\n"
#define CERT_1 PEM("MAgEBgECAwQFBg==")
#define CERT_2 PEM("MAgEBgECAwQFBw==")
#define CERT_3 PEM("MAgEBgECAwQFCA==")

/* A copy that ends where its memory ends. */
static struct span exact(const char *s, uint8_t **mem)
{
	size_t n = strlen(s);

	*mem = malloc(n ? n : 1);
	assert_non_null(*mem);
	memcpy(*mem, s, n);
	return (struct span){ *mem, n };
}

/* The new text, or the report behind "!"; the caller frees. */
static char *edit(const char *base, const char *lines, size_t step)
{
	static const uint8_t key[16] = { 7 };
	uint8_t *b_mem, *e_mem;
	struct span b = exact(base, &b_mem), e = exact(lines, &e_mem);
	uint8_t *out = malloc(b.n + e.n + 2);
	char *answer = calloc(1, CONF_REPORT_MAX + b.n + e.n + 3);
	void *mem = malloc(conf_edit_size(e));
	struct conf_edit *j;
	struct text report;
	size_t n;
	int r;

	assert_true(out && answer && mem);
	answer[0] = '!';
	text_init(&report, answer + 1, CONF_REPORT_MAX);
	j = conf_edit_init(mem, b, e, key, out, &report);
	while ((r = conf_edit_step(j, step, &n)) == E_AGAIN)
		;
	if (r == OK) {
		assert_int_equal(report.n, 0);
		memcpy(answer, out, n);
		answer[n] = '\0';
	} else {
		assert_int_equal(r, E_CONF);
		assert_true(report.n > 0);
	}
	free(mem);
	free(out);
	free(b_mem);
	free(e_mem);
	return answer;
}

static void expect(const char *base, const char *lines, const char *want)
{
	for (size_t step = 1; step < 6; step += 4) {
		char *got = edit(base, lines, step);

		assert_string_equal(got, want);
		free(got);
	}
}

static void replaces_in_place(void **state)
{
	(void)state;
	expect("default may\ndomain a.example encrypt\ndomain b.example may\n",
	       "domain A.Example. verify\n",
	       "default may\ndomain A.Example. verify\ndomain b.example may\n");
	expect("limit sessions 10\ndefault may\n", "limit sessions 20\n",
	       "limit sessions 20\ndefault may\n");
	expect("inbound on\ninbound require a.example tls\ninbound tls own\n",
	       "inbound require A.example tls min-tls 1.3\ninbound off\n",
	       "inbound off\ninbound require A.example tls min-tls 1.3\n"
	       "inbound tls own\n");
	/* the same name in another spelling */
	expect("domain xn--bcher-kva.example clear\n",
	       "domain b\xc3\xbc"
	       "cher.example encrypt\n",
	       "domain b\xc3\xbc"
	       "cher.example encrypt\n");
	/* .example and example are two */
	expect("domain .a.example clear\n", "domain a.example encrypt\n",
	       "domain .a.example clear\ndomain a.example encrypt\n");
}

static void appends(void **state)
{
	(void)state;
	expect("", "default may", "default may\n");
	expect("default may", "domain a.example encrypt",
	       "default may\ndomain a.example encrypt\n");
	expect("default may\n", "limit sessions per-source 3\nbare-eol pass\n",
	       "default may\nlimit sessions per-source 3\nbare-eol pass\n");
	/* a longer setting is not the shorter one */
	expect("limit sessions 10\n", "limit sessions per-source 3\n",
	       "limit sessions 10\nlimit sessions per-source 3\n");
}

static void takes_away(void **state)
{
	(void)state;
	expect("default may\ndomain a.example encrypt\ndomain b.example may\n",
	       "no domain a.example\n", "default may\ndomain b.example may\n");
	expect("default may\ndomain a.example encrypt\n",
	       "no domain A.EXAMPLE\ndomain c.example pin sha256:"
	       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
	       "default may\ndomain c.example pin sha256:"
	       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
	expect("limit sessions 10\ndefault may\n", "no limit sessions\n",
	       "default may\n");
	expect("inbound require a.example tls\ndomain a.example may\n",
	       "no inbound require A.Example\n", "domain a.example may\n");
	expect("inbound require a.example tls\ndomain a.example may\n",
	       "no domain a.example\n", "inbound require a.example tls\n");
	/* Names of the two kinds of account are apart. */
	expect("account a user u password p\n"
	       "inbound account A auth plain password p\n",
	       "no inbound account a\n", "account a user u password p\n");
	expect("domain a.example may\n", "no inbound require a.example\n",
	       "!line 1, column 20: \"a.example\": this domain is not on the "
	       "list\n");
	/* a setting that is at its default already is no error */
	expect("default may\n", "no limit sessions\n", "default may\n");
	expect("default encrypt\n", "no default\n", "");
}

static void certificates(void **state)
{
	(void)state;
	expect("default may\n" CERT_1, CERT_2 CERT_3,
	       "default may\n" CERT_1 CERT_2 CERT_3);
	expect(CERT_1 CERT_2 CERT_3 "default may\n", "no ca certificate 2\n",
	       CERT_1 CERT_3 "default may\n");
	expect(CERT_1 CERT_2, "no ca certificate 1\n" CERT_3, CERT_2 CERT_3);
	expect(CERT_1, "no ca certificate 2\n",
	       "!line 1, column 19: \"2\": there is no certificate with this "
	       "number\n");
}

static void keeps_the_rest(void **state)
{
	(void)state;
	expect("! a list\n\ndefault may   ! as before\r\nfoo bar\n",
	       "domain a.example clear\n",
	       "! a list\n\ndefault may   ! as before\r\nfoo bar\n"
	       "domain a.example clear\n");
	expect("default may\n", "! nothing but a comment\n\n", "default may\n");
	expect("default may\n", "", "default may\n");
}

static void errors(void **state)
{
	(void)state;
	expect("default may\n", "domain a.example verifi\n",
	       "!line 1, column 18: \"verifi\": unknown policy level; one of: "
	       "clear may ntlm-seal encrypt verify pin\n");
	expect("default may\n", "no domain a.example\n",
	       "!line 1, column 11: \"a.example\": this domain is not on the list\n");
	expect("default may\n", "no\n",
	       "!line 1, column 1: a setting must follow\n");
	expect("default may\n", "no limit sessions 5\n",
	       "!line 1, column 19: \"5\": nothing more is expected here\n");
	expect("default may\n", "no ca certificate\n",
	       "!line 1, column 19: the number of a certificate must follow, "
	       "from 1\n");
	expect("default may\n",
	       "domain a.example may\ndomain b.example may\n"
	       "no domain A.example\n",
	       "!line 3, column 11: is already changed in line 1\n");
	expect("default may\n", "limit sessions 1\nlimit sessions 2\n",
	       "!line 2, column 1: is already changed in line 1\n");
	expect("default may\n", "domain\n",
	       "!line 1, column 8: a name must follow\n");
	expect("default may\n", "ca certificate\nMAg\n",
	       "!line 2, column 1: -----BEGIN CERTIFICATE----- must follow\n");
	expect("default may\n", "no wonder\ndefault encrypt\n",
	       "!line 1, column 4: \"wonder\": unknown command; one of: "
	       "hostname banner console management syslog ntp link-propagation intercept resolver limit tls "
	       "bare-eol log clock ca inbound peers account default domain\n");
}

/* 50 000 changes of 100 000 lines: replaced, taken away, new. */
static void large(void **state)
{
	enum { LINES = 100000, LINE = 40 };
	char *base = malloc(LINES * LINE), *lines = malloc(LINES * LINE);
	char *got, *b = base, *e = lines;
	size_t n = 0;

	(void)state;
	assert_true(base && lines);
	for (int i = 0; i < LINES; i++) {
		b += sprintf(b, "domain d%d.example encrypt\n", i);
		if (i % 4 == 0)
			e += sprintf(e, "no domain d%d.example\n", i);
		if (i % 4 == 1)
			e += sprintf(e, "domain d%d.example may\n", i);
	}
	got = edit(base, lines, 5000);
	assert_int_equal(got[0], 'd');
	assert_null(strstr(got, "domain d0.example "));
	assert_non_null(strstr(got, "domain d1.example may\n"));
	assert_non_null(strstr(got, "domain d99998.example encrypt\n"));
	for (const char *p = got; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(n, LINES - LINES / 4);
	free(got);
	free(base);
	free(lines);
}

static void differs(const char *was, const char *is, const char *want,
		    size_t lines)
{
	static const uint8_t key[16] = { 9 };
	uint8_t *w_mem, *i_mem;
	struct span w = exact(was, &w_mem), i = exact(is, &i_mem);
	void *mem = malloc(conf_diff_size(w, i));
	struct conf_diff *d;
	size_t n;
	int r;
	char got[400];
	struct text out;

	assert_non_null(mem);
	text_init(&out, got, sizeof(got));
	d = conf_diff_init(mem, w, i, key, &out);
	do
		r = conf_diff_step(d, 1, &n);
	while (r == E_AGAIN);
	assert_int_equal(r, OK);
	assert_int_equal(n, lines);
	assert_string_equal(got, want);
	free(mem);
	free(w_mem);
	free(i_mem);
}

static void compares(void **state)
{
	(void)state;
	differs("", "", "", 0);
	differs("a\nb\nc\n", "c\na\nb\n", "", 0);
	differs("a\nb\nc\n", "a\nx\nc", "- b\n+ x\n", 2);
	differs("a\na\n", "a\n", "- a\n", 1);
	differs("a\n", "a\na\n", "+ a\n", 1);
	differs("", "a\nb\n", "+ a\n+ b\n", 2);
	differs("a\nb\n", "", "- a\n- b\n", 2);
	differs("a\r\n", "a\n", "", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_in_place),
		cmocka_unit_test(appends),
		cmocka_unit_test(takes_away),
		cmocka_unit_test(certificates),
		cmocka_unit_test(keeps_the_rest),
		cmocka_unit_test(errors),
		cmocka_unit_test(large),
		cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
