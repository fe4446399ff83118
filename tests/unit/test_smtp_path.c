/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which domain is this recipient's? A server may not find another one in what
 * we send on: where two servers could differ, the spelling is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "packet.h"
#include "proto/smtp_path.h"

struct row {
	const char *arg;
	enum smtp_path_error e;
	const char *domain; /* the key, "" for none */
	const char *text;   /* what is sent on */
};

static struct smtp_path parsed(struct span arg, bool from,
			       enum smtp_path_error *e)
{
	struct smtp_path p;

	memset(&p, '#', sizeof(p));
	*e = smtp_path_parse(&p, pk_guard(arg), from);
	assert_true(p.text_n <= SMTP_PATH_MAX);
	assert_int_equal(p.text[p.text_n], '\0');
	return p;
}

static void check(const struct row *r, bool from)
{
	enum smtp_path_error e;
	struct smtp_path p = parsed(span_str(r->arg), from, &e), again;
	char arg[SMTP_PATH_MAX + 16];

	if (e != r->e)
		fail_msg("%s: error %d, not %d", r->arg, e, r->e);
	if (e != PATH_OK)
		return;
	if (strcmp(p.domain, r->domain) != 0 || p.domain_n != strlen(r->domain))
		fail_msg("%s: domain %s, not %s", r->arg, p.domain, r->domain);
	if (strcmp(p.text, r->text) != 0)
		fail_msg("%s: %s sent, not %s", r->arg, p.text, r->text);
	/* What is sent on means the same. */
	snprintf(arg, sizeof(arg), "%s:%s", from ? "FROM" : "TO", p.text);
	again = parsed(span_str(arg), from, &e);
	assert_int_equal(e, PATH_OK);
	assert_string_equal(again.domain, p.domain);
	assert_string_equal(again.text, p.text);
}

static void table(const struct row *r, size_t n, bool from)
{
	for (size_t i = 0; i < n; i++)
		check(&r[i], from);
}

#define NO(arg, error)             \
	{                          \
		arg, error, "", "" \
	}
#define TABLE(rows, from) table(rows, sizeof(rows) / sizeof(rows[0]), from)

static void plain_recipients(void **state)
{
	static const struct row rows[] = {
		{ "TO:<u@d.example>", PATH_OK, "d.example", "<u@d.example>" },
		{ "to:<u@d.example>", PATH_OK, "d.example", "<u@d.example>" },
		{ "tO:<u@d.example>", PATH_OK, "d.example", "<u@d.example>" },
		/* a blank after the colon, as old clients have it */
		{ "TO: <u@d.example>", PATH_OK, "d.example", "<u@d.example>" },
		{ "TO:   <u@d.example>  ", PATH_OK, "d.example",
		  "<u@d.example>" },
		/* case: of the domain none, of the local part all */
		{ "TO:<U@D.Example>", PATH_OK, "d.example", "<U@D.Example>" },
		/* one trailing dot */
		{ "TO:<u@d.example.>", PATH_OK, "d.example", "<u@d.example>" },
		{ "TO:<u@D.EXAMPLE.>", PATH_OK, "d.example", "<u@D.EXAMPLE>" },
		/* atoms */
		{ "TO:<first.last@d.example>", PATH_OK, "d.example",
		  "<first.last@d.example>" },
		{ "TO:<u+tag@d.example>", PATH_OK, "d.example",
		  "<u+tag@d.example>" },
		{ "TO:<#$&'*+-/=?^_`{|}~@d.example>", PATH_OK, "d.example",
		  "<#$&'*+-/=?^_`{|}~@d.example>" },
		{ "TO:<list-bounces+a=b.example@d.example>", PATH_OK,
		  "d.example", "<list-bounces+a=b.example@d.example>" },
		/* quoted */
		{ "TO:<\"u\"@d.example>", PATH_OK, "d.example",
		  "<\"u\"@d.example>" },
		{ "TO:<\"a b\"@d.example>", PATH_OK, "d.example",
		  "<\"a b\"@d.example>" },
		{ "TO:<\"a>b\"@d.example>", PATH_OK, "d.example",
		  "<\"a>b\"@d.example>" },
		{ "TO:<\"a\\\"b\"@d.example>", PATH_OK, "d.example",
		  "<\"a\\\"b\"@d.example>" },
		{ "TO:<\"a\\\\\"@d.example>", PATH_OK, "d.example",
		  "<\"a\\\\\"@d.example>" },
		{ "TO:<\"a..b\"@d.example>", PATH_OK, "d.example",
		  "<\"a..b\"@d.example>" },
		/* A-labels, U-labels: one key */
		{ "TO:<u@xn--bcher-kva.example>", PATH_OK,
		  "xn--bcher-kva.example", "<u@xn--bcher-kva.example>" },
		{ "TO:<u@XN--BCHER-KVA.example>", PATH_OK,
		  "xn--bcher-kva.example", "<u@XN--BCHER-KVA.example>" },
		{ "TO:<u@b\u00fccher.example>", PATH_OK,
		  "xn--bcher-kva.example", "<u@b\u00fccher.example>" },
		{ "TO:<j\u00fcrgen@d.example>", PATH_OK, "d.example",
		  "<j\u00fcrgen@d.example>" },
		{ "TO:<\U0001f4e7@d.example>", PATH_OK, "d.example",
		  "<\U0001f4e7@d.example>" },
		/* no domain at all */
		{ "TO:<Postmaster>", PATH_OK, "", "<Postmaster>" },
		{ "TO:<POSTMASTER>", PATH_OK, "", "<POSTMASTER>" },
		{ "TO:<postmaster@D.example>", PATH_OK, "d.example",
		  "<postmaster@D.example>" },
		/* literals */
		{ "TO:<u@[192.0.2.1]>", PATH_OK, "", "<u@[192.0.2.1]>" },
		{ "TO:<u@[IPv6:2001:db8::1]>", PATH_OK, "",
		  "<u@[IPv6:2001:db8::1]>" },
		{ "TO:<u@[ipv6:::ffff:192.0.2.1]>", PATH_OK, "",
		  "<u@[ipv6:::ffff:192.0.2.1]>" },
	};

	(void)state;
	TABLE(rows, false);
}

/* Each of these is mail for one domain to one server and for another to the
 * next, or a way to say "and now send it there". */
static void routing_is_refused(void **state)
{
	static const struct row rows[] = {
		NO("TO:<@a.example:u@d.example>", PATH_ROUTE),
		NO("TO:<@a.example,@b.example:u@d.example>", PATH_ROUTE),
		NO("TO:<@a.example>", PATH_ROUTE),
		NO("TO:<@[192.0.2.1]:u@d.example>", PATH_ROUTE),
		NO("TO:<@d.example>", PATH_ROUTE),
		NO("TO:<u%d.example@x.example>", PATH_ROUTE),
		NO("TO:<u%d.example>", PATH_ROUTE),
		NO("TO:<%@x.example>", PATH_ROUTE),
		NO("TO:<d.example!u@x.example>", PATH_ROUTE),
		NO("TO:<d.example!u>", PATH_ROUTE),
		NO("TO:<!u@x.example>", PATH_ROUTE),
		NO("TO:<u@d.example@x.example>", PATH_ROUTE),
		NO("TO:<u@@d.example>", PATH_ROUTE),
		NO("TO:<u@d.example@[192.0.2.1]>", PATH_ROUTE),
		NO("TO:<\"u@d.example\"@x.example>", PATH_ROUTE),
		NO("TO:<\"u\\@d.example\"@x.example>", PATH_ROUTE),
		NO("TO:<\"u%d.example\"@x.example>", PATH_ROUTE),
		NO("TO:<\"u\\%d.example\"@x.example>", PATH_ROUTE),
		NO("TO:<\"d.example!u\"@x.example>", PATH_ROUTE),
		NO("TO:<\"@d.example:u\"@x.example>", PATH_ROUTE),
		NO("TO:<\"a\\\\\"@d.example\"@x.example>", PATH_SYNTAX),
		NO("TO:<u@d.example!x@x.example>", PATH_ROUTE),
		NO("TO:<u@d.example%x.example>", PATH_DOMAIN),
	};

	(void)state;
	TABLE(rows, false);
}

static void other_spellings_are_refused(void **state)
{
	static const struct row rows[] = {
		/* no brackets, or too many */
		NO("TO:u@d.example", PATH_SYNTAX),
		NO("TO: u@d.example", PATH_SYNTAX),
		NO("TO:U <u@d.example>", PATH_SYNTAX),
		NO("TO:\"<a@b.example>\" <u@d.example>", PATH_SYNTAX),
		NO("TO:<u@d.example", PATH_SYNTAX),
		NO("TO:<<u@d.example>>", PATH_SYNTAX),
		NO("TO:<u@d.example>>", PATH_PARAM),
		NO("TO:<u@d.example><v@x.example>", PATH_PARAM),
		NO("TO:<u@d.example> <v@x.example>", PATH_PARAM),
		NO("TO:<u@d.example>,<v@x.example>", PATH_PARAM),
		NO("TO:<u@d.example,v@x.example>", PATH_ROUTE),
		NO("TO:<u,v@d.example>", PATH_SYNTAX),
		NO("TO:<g:u@d.example;>", PATH_SYNTAX),
		NO("TO:<U <u@d.example>>", PATH_SYNTAX),
		/* the word before it */
		NO("", PATH_SYNTAX),
		NO("TO", PATH_SYNTAX),
		NO("TO:", PATH_SYNTAX),
		NO("TO :<u@d.example>", PATH_SYNTAX),
		NO("<u@d.example>", PATH_SYNTAX),
		NO("FROM:<u@d.example>", PATH_SYNTAX),
		NO("TO<u@d.example>", PATH_SYNTAX),
		NO("TO:\t<u@d.example>", PATH_SYNTAX),
		/* comments and blanks */
		NO("TO:<u@d.example(x)>", PATH_DOMAIN),
		NO("TO:<u(@x.example)@d.example>", PATH_SYNTAX),
		NO("TO:<u@(x)d.example>", PATH_DOMAIN),
		NO("TO:(x)<u@d.example>", PATH_SYNTAX),
		NO("TO:<u@d.example> (x)", PATH_PARAM),
		NO("TO:< u@d.example>", PATH_SYNTAX),
		NO("TO:<u @d.example>", PATH_SYNTAX),
		NO("TO:<u@ d.example>", PATH_DOMAIN),
		NO("TO:<u@d.example >", PATH_DOMAIN),
		NO("TO:<u@d.example\t>", PATH_DOMAIN),
		NO("TO:<u@d .example>", PATH_DOMAIN),
		/* dots */
		NO("TO:<.u@d.example>", PATH_SYNTAX),
		NO("TO:<u.@d.example>", PATH_SYNTAX),
		NO("TO:<u..v@d.example>", PATH_SYNTAX),
		NO("TO:<u@.d.example>", PATH_DOMAIN),
		NO("TO:<u@d..example>", PATH_DOMAIN),
		NO("TO:<u@d.example..>", PATH_DOMAIN),
		NO("TO:<u@.>", PATH_DOMAIN),
		/* quotes that do not close, or not where they may */
		NO("TO:<\"u@d.example>", PATH_SYNTAX),
		NO("TO:<u\"@d.example>", PATH_SYNTAX),
		NO("TO:<\"u\"v@d.example>", PATH_SYNTAX),
		NO("TO:<\"u\".v@d.example>", PATH_SYNTAX),
		NO("TO:<u.\"v\"@d.example>", PATH_SYNTAX),
		NO("TO:<u\\@x@d.example>", PATH_SYNTAX),
		NO("TO:<\\u@d.example>", PATH_SYNTAX),
		NO("TO:<\"u\\\"@d.example>", PATH_SYNTAX),
		NO("TO:<\"u\\>", PATH_SYNTAX),
		NO("TO:<\"u\t\"@d.example>", PATH_SYNTAX),
		NO("TO:<u@\"d.example\">", PATH_DOMAIN),
		/* nothing where something must be */
		NO("TO:<>", PATH_SYNTAX),
		NO("TO:<u>", PATH_SYNTAX),
		NO("TO:<u@>", PATH_DOMAIN),
		NO("TO:<\"postmaster\">", PATH_SYNTAX),
		NO("TO:<postmaster.>", PATH_SYNTAX),
		/* a domain that another may complete, or count as a number */
		NO("TO:<u@d>", PATH_DOMAIN),
		NO("TO:<u@localhost>", PATH_DOMAIN),
		NO("TO:<u@d.>", PATH_DOMAIN),
		NO("TO:<u@192.0.2.1>", PATH_DOMAIN),
		NO("TO:<u@192.0.513>", PATH_DOMAIN),
		NO("TO:<u@#3221225985>", PATH_DOMAIN),
		NO("TO:<u@3221225985>", PATH_DOMAIN),
		/* literals */
		NO("TO:<u@[192.0.2.1>", PATH_DOMAIN),
		NO("TO:<u@192.0.2.1]>", PATH_DOMAIN),
		NO("TO:<u@[192.0.2.1].>", PATH_DOMAIN),
		NO("TO:<u@[192.0.2.256]>", PATH_DOMAIN),
		NO("TO:<u@[192.0.2.01]>", PATH_DOMAIN),
		NO("TO:<u@[192.0.2.]>", PATH_DOMAIN),
		NO("TO:<u@[1...2345]>", PATH_DOMAIN),
		NO("TO:<u@[192.0.2.1.1]>", PATH_DOMAIN),
		NO("TO:<u@[3221225985]>", PATH_DOMAIN),
		NO("TO:<u@[d.example]>", PATH_DOMAIN),
		NO("TO:<u@[192.0.2.1]d.example>", PATH_DOMAIN),
		NO("TO:<u@[192.0.2.1]@d.example>", PATH_ROUTE),
		NO("TO:<u@[2001:db8::1]>", PATH_DOMAIN),
		NO("TO:<u@[IPv6:d.example]>", PATH_DOMAIN),
		NO("TO:<u@[IPv6:2001:db8::1%eth0]>", PATH_DOMAIN),
		NO("TO:<u@[x400:c=de]>", PATH_DOMAIN),
		NO("TO:<u@[]>", PATH_DOMAIN),
		/* characters */
		NO("TO:<u@B\u00dcCHER.example>", PATH_DOMAIN),
		NO("TO:<u@stra\u00dfe.example>", PATH_DOMAIN),
		NO("TO:<u@d\u3002example>", PATH_DOMAIN),
		NO("TO:<u@d.exa\u200bmple>", PATH_DOMAIN),
		NO("TO:<u\uff20x.example>", PATH_SYNTAX),
		/* octets that are an "@", or "u", to a lenient decoder */
		NO("TO:<u\xc1\x80x@d.example>", PATH_SYNTAX),
		NO("TO:<u\xe0\x81\x80x@d.example>", PATH_SYNTAX),
		NO("TO:<u\xf0\x80\x81\x80x@d.example>", PATH_SYNTAX),
		NO("TO:<u\xe0\x83\xa4x@d.example>", PATH_SYNTAX),
		NO("TO:<u\xf0\x82\x82\xa0x@d.example>", PATH_SYNTAX),
		NO("TO:<\"u\xc1\x80x\"@d.example>", PATH_SYNTAX),
		NO("TO:<u\xc0@d.example>", PATH_SYNTAX),
		NO("TO:<u\xe4@d.example>", PATH_SYNTAX),
		NO("TO:<\xff@d.example>", PATH_SYNTAX),
		NO("TO:<u\xed\xa0\x80@d.example>", PATH_SYNTAX),
		NO("TO:<u\xf4\x90\x80\x80@d.example>", PATH_SYNTAX),
		NO("TO:<u\xc2\x85@d.example>", PATH_SYNTAX),
	};

	(void)state;
	TABLE(rows, false);
}

static void senders(void **state)
{
	static const struct row rows[] = {
		{ "FROM:<>", PATH_OK, "", "<>" },
		{ "FROM: <>", PATH_OK, "", "<>" },
		{ "from:<u@d.example>", PATH_OK, "d.example", "<u@d.example>" },
		/* nothing is decided by it */
		{ "FROM:<root@localhost>", PATH_OK, "localhost",
		  "<root@localhost>" },
		{ "FROM:<u@[192.0.2.1]>", PATH_OK, "", "<u@[192.0.2.1]>" },
		NO("FROM:<postmaster>", PATH_SYNTAX),
		NO("FROM:< >", PATH_SYNTAX),
		NO("FROM:", PATH_SYNTAX),
		NO("FROM:<@a.example:u@d.example>", PATH_ROUTE),
		NO("TO:<u@d.example>", PATH_SYNTAX),
		NO("FROM:<>>", PATH_PARAM),
	};

	(void)state;
	TABLE(rows, true);
}

/* NUL cannot be in a table of strings. */
static void nul_is_refused_everywhere(void **state)
{
	static const char good[] = "TO:<\"u\"@d.example> ORCPT=rfc822;u";
	char in[sizeof(good)];
	enum smtp_path_error e;

	(void)state;
	(void)parsed(span_str(good), false, &e);
	assert_int_equal(e, PATH_OK);
	for (size_t at = 0; at < sizeof(good); at++) {
		memcpy(in, good, at);
		in[at] = '\0';
		memcpy(in + at + 1, good + at, sizeof(good) - 1 - at);
		(void)parsed((struct span){ (uint8_t *)in, sizeof(in) }, false,
			     &e);
		if (e == PATH_OK)
			fail_msg("NUL at %zu", at);
	}
}

static void no_octet_changes_the_domain(void **state)
{
	static const char good[] = "TO:<u@d.example>";

	(void)state;
	/* Put any octet anywhere: refused, or the domain says so. */
	for (size_t at = 0; at <= sizeof(good) - 1; at++)
		for (unsigned c = 0; c < 256; c++) {
			char in[sizeof(good) + 1], want[16];
			enum smtp_path_error e;
			struct smtp_path p;
			size_t n = 0;

			memcpy(in, good, at);
			in[at] = (char)c;
			memcpy(in + at + 1, good + at, sizeof(good) - at);
			p = parsed((struct span){ (uint8_t *)in, sizeof(good) },
				   false, &e);
			if (e != PATH_OK)
				continue;
			for (size_t i = 6; in[i] != '>'; i++)
				want[n++] = (char)ascii_lower((uint8_t)in[i]);
			want[n] = '\0';
			if (in[5] != '@')
				memmove(want, strchr(want, '@') + 1, n);
			if (n > 0 && want[strlen(want) - 1] == '.')
				want[strlen(want) - 1] = '\0';
			assert_string_equal(p.domain, want);
		}
}

static struct span address(char *to, size_t local, size_t domain)
{
	char *at = to + 4;

	memcpy(to, "TO:<", 4);
	for (size_t i = 0; i < local; i++)
		*at++ = 'u';
	*at++ = '@';
	for (size_t i = 0; i < domain; i++)
		*at++ = i % 50 == 49 && i + 1 < domain ? '.' : 'd';
	*at++ = '>';
	return (struct span){ (uint8_t *)to, (size_t)(at - to) };
}

static void limits(void **state)
{
	enum smtp_path_error e;
	struct smtp_path p;
	char in[700];

	(void)state;
	for (size_t local = 1; local <= 70; local++) {
		p = parsed(address(in, local, 60), false, &e);
		assert_int_equal(e, local <= 64 ? PATH_OK : PATH_LONG);
	}
	for (size_t domain = 150; domain <= 260; domain++) {
		p = parsed(address(in, 64, domain), false, &e);
		assert_int_equal(e, domain > DOMAIN_MAX		? PATH_DOMAIN
				    : domain + 64 + 1 + 2 > 256 ? PATH_LONG
								: PATH_OK);
		if (e == PATH_OK)
			assert_int_equal(p.text_n, domain + 67);
	}
	/* 253 octets with a local part of one: 257 with <>; too long */
	(void)parsed(address(in, 1, 252), false, &e);
	assert_int_equal(e, PATH_OK);
	(void)parsed(address(in, 1, 253), false, &e);
	assert_int_equal(e, PATH_LONG);
}

static void parameters(void **state)
{
	static const struct row rows[] = {
		{ "FROM:<u@d.example> SIZE=1000", PATH_OK, "d.example",
		  "<u@d.example>" },
		{ "FROM:<u@d.example> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS"
		  " ENVID=a+2Bb",
		  PATH_OK, "d.example", "<u@d.example>" },
		{ "FROM:<>  SMTPUTF8  ", PATH_OK, "", "<>" },
		{ "FROM:<> a1-B=<>", PATH_OK, "", "<>" },
		{ "FROM:<> 1=2", PATH_OK, "", "<>" },
		NO("FROM:<>SIZE=1", PATH_PARAM),
		NO("FROM:<>\tSIZE=1", PATH_PARAM),
		NO("FROM:<> SIZE=", PATH_PARAM),
		NO("FROM:<> =1", PATH_PARAM),
		NO("FROM:<> =", PATH_PARAM),
		NO("FROM:<> SIZE=1=2", PATH_PARAM),
		NO("FROM:<> SIZE=1 size=2", PATH_PARAM),
		NO("FROM:<> SMTPUTF8 SMTPUTF8", PATH_PARAM),
		NO("FROM:<> -X=1", PATH_PARAM),
		NO("FROM:<> S_Z=1", PATH_PARAM),
		NO("FROM:<> \u00e4=1", PATH_PARAM),
		NO("FROM:<> X=a\tb", PATH_PARAM),
		NO("FROM:<> X=a\x7f", PATH_PARAM),
		NO("FROM:<> A B C D E F G H I J K", PATH_PARAM),
	};
	struct span arg = SPAN_LIT(
		"FROM:<u@d.example> SIZE=1000  body=8BITMIME X");
	enum smtp_path_error e;
	struct smtp_path p;

	(void)state;
	TABLE(rows, true);
	p = parsed(arg, true, &e);
	assert_int_equal(e, PATH_OK);
	assert_int_equal(p.param_n, 3);
	assert_true(span_eq(p.param[0].key, SPAN_LIT("SIZE")));
	assert_true(span_eq(p.param[0].value, SPAN_LIT("1000")));
	assert_true(span_eq(p.param[1].key, SPAN_LIT("body")));
	assert_true(span_eq(p.param[1].value, SPAN_LIT("8BITMIME")));
	assert_true(span_eq(p.param[2].key, SPAN_LIT("X")));
	assert_int_equal(p.param[2].value.n, 0);
	p = parsed(SPAN_LIT("FROM:<> A B C D E F G H I J"), true, &e);
	assert_int_equal(e, PATH_OK);
	assert_int_equal(p.param_n, SMTP_PARAMS);
}

static void utf8_and_forms_are_told(void **state)
{
	enum smtp_path_error e;

	(void)state;
	assert_false(parsed(SPAN_LIT("TO:<u@d.example>"), false, &e).utf8);
	assert_true(parsed(SPAN_LIT("TO:<\u00fc@d.example>"), false, &e).utf8);
	assert_true(parsed(SPAN_LIT("TO:<u@\u00fc.example>"), false, &e).utf8);
	assert_true(
		parsed(SPAN_LIT("TO:<\"\u00fc\"@d.example>"), false, &e).utf8);
	assert_true(parsed(SPAN_LIT("FROM:<>"), true, &e).null);
	assert_false(parsed(SPAN_LIT("FROM:<u@d.example>"), true, &e).null);
	assert_true(parsed(SPAN_LIT("TO:<postmaster>"), false, &e).postmaster);
	assert_false(parsed(SPAN_LIT("TO:<postmaster@d.example>"), false, &e)
			     .postmaster);
	assert_true(parsed(SPAN_LIT("TO:<u@[192.0.2.1]>"), false, &e).literal);
	assert_false(parsed(SPAN_LIT("TO:<u@d.example>"), false, &e).literal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_recipients),
		cmocka_unit_test(routing_is_refused),
		cmocka_unit_test(other_spellings_are_refused),
		cmocka_unit_test(senders),
		cmocka_unit_test(nul_is_refused_everywhere),
		cmocka_unit_test(no_octet_changes_the_domain),
		cmocka_unit_test(limits),
		cmocka_unit_test(parameters),
		cmocka_unit_test(utf8_and_forms_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
