/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration language: what is right gives the snapshot it says, what is
 * wrong gives a line, a column, the word and the reason, and nothing else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "conf_whole.h"
#include "conf/conf_schema.h"
#include "conf/conf_value.h"

#define PIN_HEX                                                          \
	"sha256:"                                                        \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e" \
	"1f"
#define PIN_BASE64 "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
/* Not a certificate, but one DER SEQUENCE: what conf can know. */
#define CERT                            \
	"ca certificate\n"              \
	"-----BEGIN CERTIFICATE-----\n" \
	"MAgEBgECAwQFBg==\n"            \
	"-----END CERTIFICATE-----\n"
#define BUILTIN \
	"-----BEGIN CERTIFICATE-----\nbuiltin\n-----END CERTIFICATE-----\n"

struct result {
	int r;
	uint8_t *mem;
	struct policy p;
	char report[CONF_REPORT_MAX];
};

/* Compile a copy of text that ends where its memory ends. */
static void compile_span(struct result *res, struct span text,
			 const char *builtin)
{
	uint8_t *copy = malloc(text.n ? text.n : 1);
	struct conf_input in = { .builtin_ca = span_str(builtin), .number = 3 };
	struct text report;
	struct conf_job *job = malloc(conf_job_size());
	size_t size, len;

	assert_true(copy && job);
	memcpy(copy, text.p, text.n);
	in.text = (struct span){ copy, text.n };
	conf_job_init(job, &in);
	while (conf_job_measure(job, 3) == E_AGAIN)
		;
	size = conf_job_need(job);
	assert_true(size < SIZE_MAX);
	res->mem = malloc(size);
	assert_non_null(res->mem);
	text_init(&report, res->report, sizeof(res->report));
	res->r = conf_job_build(job, res->mem, size, NULL, &report);
	assert_int_equal(res->r, OK);
	do
		res->r = conf_job_step(job, 2, &len);
	while (res->r == E_AGAIN);
	assert_false(report.cut);
	free(copy);
	free(job);
	if (res->r == OK) {
		assert_string_equal(res->report, "");
		assert_int_equal(
			policy_open(&res->p, (struct span){ res->mem, len }),
			OK);
	} else {
		assert_int_equal(res->r, E_CONF);
		assert_true(strncmp(res->report, "line ", 5) == 0);
	}
}

static struct result *compile(const char *text)
{
	static struct result res;

	free(res.mem);
	compile_span(&res, span_str(text), BUILTIN);
	return &res;
}

static struct settings good_settings(const char *text)
{
	struct result *res = compile(text);

	if (res->r != OK)
		fail_msg("%s: %s", text, res->report);
	return res->p.settings;
}

static struct policy_rule good_rule(const char *text, const char *domain)
{
	struct result *res = compile(text);
	struct policy_rule r;

	if (res->r != OK)
		fail_msg("%s: %s", text, res->report);
	assert_int_equal(policy_lookup(&res->p, span_str(domain), &r), OK);
	return r;
}

static void bad(const char *text, const char *report)
{
	struct result *res = compile(text);

	if (strcmp(res->report, report) != 0)
		fail_msg("%s\ngave  %s\nnot   %s", text, res->report, report);
}

/* The first words of all settings, in the order of the schema. */
#define COMMANDS                                                          \
	"hostname banner console management syslog ntp link-propagation " \
	"intercept resolver limit tls "                                   \
	"bare-eol log clock ca inbound peers account default domain"

/* --- what is right -------------------------------------------------------- */
static void defaults(void **state)
{
	struct settings s = good_settings("default may\n");

	(void)state;
	assert_int_equal(s.number, 3);
	assert_int_equal(s.intercept_n, 1);
	assert_int_equal(s.intercept[0], 25);
	assert_int_equal(s.sessions_max, 8192);
	assert_int_equal(s.sessions_per_source, 2048);
	assert_int_equal(s.half_open_max, 1024);
	assert_int_equal(s.half_open_per_source, 256);
	assert_int_equal(s.fallback_s, 3600);
	assert_int_equal(s.clock_floor_s, 1767225600);
	assert_false(s.bare_eol_pass);
	assert_true(s.log_addresses && s.ca_builtin);
	assert_true(span_eq(s.ca_pem, SPAN_LIT(BUILTIN)));
}

static void settings(void **state)
{
	struct settings s = good_settings("intercept port 25 587 2525\n"
					  "limit sessions 50\n"
					  "limit half-open 20\n"
					  "limit half-open per-source 7\n"
					  "tls fallback-memory 0\n"
					  "Bare-EOL Pass\n"
					  "log addresses off\n"
					  "clock floor 2030-02-28T23:59:58Z\n"
					  "ca none\n" CERT);

	(void)state;
	assert_int_equal(s.intercept_n, 3);
	assert_int_equal(s.intercept[2], 2525);
	assert_int_equal(s.sessions_max, 50);
	/* the default, and more than all: no error, 50 is the cap */
	assert_int_equal(s.sessions_per_source, 2048);
	assert_int_equal(s.half_open_max, 20);
	assert_int_equal(s.half_open_per_source, 7);
	assert_int_equal(s.fallback_s, 0);
	assert_int_equal(s.clock_floor_s, 1898553598);
	assert_true(s.bare_eol_pass);
	assert_false(s.log_addresses || s.ca_builtin);
	assert_true(span_eq(s.ca_pem, SPAN_LIT("-----BEGIN CERTIFICATE-----\n"
					       "MAgEBgECAwQFBg==\n"
					       "-----END CERTIFICATE-----\n")));
	s = good_settings(CERT "clock floor 2024-02-29");
	assert_int_equal(s.clock_floor_s, 1709164800);
	assert_int_equal(s.ca_builtin_n, sizeof(BUILTIN) - 1);
	assert_true(s.ca_pem.n > s.ca_builtin_n);
}

static void rules(void **state)
{
	struct policy_rule r;
	uint8_t want[32], v4[4] = { 198, 51, 100, 9 };

	(void)state;
	for (uint8_t i = 0; i < 32; i++)
		want[i] = i;
	r = good_rule("domain Partner.Example. verify match mx.partner.example "
		      ".Partner.example min-tls 1.3 on-fail defer "
		      "route 198.51.100.9:2525 ! a comment\n",
		      "partner.example");
	assert_int_equal(r.level, LEVEL_VERIFY);
	assert_int_equal(r.line, 1);
	assert_int_equal(r.match_n, 2);
	assert_true(span_eq(r.match[0], SPAN_LIT("mx.partner.example")));
	assert_true(span_eq(r.match[1], SPAN_LIT(".partner.example")));
	assert_int_equal(r.min_tls, 0x0304);
	assert_int_equal(r.on_fail, ON_FAIL_DEFER);
	assert_true(r.has_route && ip_is_v4(r.route[0].ip));
	assert_memory_equal(r.route[0].ip + 12, v4, 4);
	assert_int_equal(r.route[0].port, 2525);
	assert_int_equal(r.route[1].port, 0);

	r = good_rule("domain .p.example verify\n", "a.p.example");
	assert_int_equal(r.match_n, 2);
	assert_true(span_eq(r.match[0], SPAN_LIT("p.example")));
	r = good_rule("domain p.example pin " PIN_HEX " " PIN_BASE64
		      " on-fail reject",
		      "p.example");
	assert_int_equal(r.level, LEVEL_PIN);
	assert_int_equal(r.pin_n, 2);
	assert_memory_equal(r.pin[0], want, 32);
	assert_memory_equal(r.pin[1], want, 32);
	assert_int_equal(r.on_fail, ON_FAIL_REJECT);
	r = good_rule("default verify match .relay.example", "x.example");
	assert_int_equal(r.level, LEVEL_VERIFY);
	assert_true(span_eq(r.name, SPAN_LIT("default")));
	r = good_rule(
		"domain a.example clear route [2001:db8::9] on-fail defer",
		"a.example");
	assert_true(r.has_route && r.route[1].port == 25);
	assert_int_equal(r.route[0].port, 0);
	assert_int_equal(r.route[1].ip[0], 0x20);
	assert_int_equal(r.route[1].ip[15], 9);
	r = good_rule("domain a.example encrypt route [2001:db8::9]:26 "
		      "192.0.2.9 on-fail defer",
		      "a.example");
	assert_int_equal(r.route[0].port, 25);
	assert_int_equal(r.route[1].port, 26);
	assert_int_equal(r.on_fail, ON_FAIL_DEFER);
	/* a keyword as a name */
	r = good_rule("domain a.example verify match \"route\" \"match\"",
		      "a.example");
	assert_int_equal(r.match_n, 2);
	/* UTF-8 becomes what mail will be compared with */
	r = good_rule("domain b\xc3\xbc"
		      "cher.example encrypt",
		      "xn--bcher-kva.example");
	assert_int_equal(r.level, LEVEL_ENCRYPT);
}

static void layout(void **state)
{
	(void)state;
	good_rule("\xef\xbb\xbf! mark first\r\n\r\n  \tdefault\tclear  # x\r\n",
		  "a");
	good_rule("\n\n\ndefault encrypt", "a");
	assert_int_equal(good_rule("\n! \xc3\xbc\n\n default may\n", "a").line,
			 4);
}

/* --- what is wrong ---------------------------------------------------------- */
static const struct {
	const char *text, *report;
} errors[] = {
	{ "", "line 1, column 1: no command in the whole text; \"default may\" "
	      "is the least there can be\n" },
	{ "! nothing\n\n", "line 1, column 1: no command in the whole text; "
			   "\"default may\" is the least there can be\n" },
	{ "default may\ndomain p.example verifi match mx\n",
	  "line 2, column 18: \"verifi\": unknown policy level; one of: clear "
	  "may ntlm-seal encrypt verify pin\n" },
	{ "domian p.example may",
	  "line 1, column 1: \"domian\": unknown command; one of: " COMMANDS
	  "\n" },
	{ "limit foo 3", "line 1, column 7: \"foo\": unknown; one of: sessions "
			 "half-open\n" },
	{ "limit", "line 1, column 1: \"limit\": more must follow; one of: "
		   "sessions half-open\n" },
	{ "limit sessions", "line 1, column 16: a number must follow\n" },
	{ "limit sessions many", "line 1, column 16: \"many\": not a number "
				 "from 1 to 65536\n" },
	{ "limit sessions 0", "line 1, column 16: \"0\": not a number from 1 "
			      "to 65536\n" },
	{ "limit sessions 99999999999999999999",
	  "line 1, column 16: \"99999999999999999999\": not a number from 1 "
	  "to 65536\n" },
	{ "limit sessions 5 6",
	  "line 1, column 18: \"6\": nothing more is expected here\n" },
	{ "bare-eol pass\n\nbare-eol refuse",
	  "line 3, column 1: \"bare-eol\": is already set, in line 1\n" },
	{ "bare-eol maybe",
	  "line 1, column 10: \"maybe\": one of: refuse pass\n" },
	{ "intercept port", "line 1, column 16: at least one port must "
			    "follow; 1..65535\n" },
	{ "intercept port 25 0 70000 25",
	  "line 1, column 19: \"0\": not a port; 1..65535\n"
	  "line 1, column 21: \"70000\": not a port; 1..65535\n"
	  "line 1, column 27: \"25\": twice in one line\n" },
	{ "intercept port 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
	  "line 1, column 55: \"17\": more than 16 ports\n" },
	{ "clock floor 2023-02-29", "line 1, column 13: \"2023-02-29\": not a "
				    "time; 2026-01-01 or "
				    "2026-01-01T00:00:00Z\n" },
	{ "default may\ndefault encrypt",
	  "line 2, column 1: \"default\": is already there, in line 1\n" },
	{ "domain a.example may\n\ndomain A.EXAMPLE. encrypt",
	  "line 3, column 8: \"A.EXAMPLE.\": is already there, in line 1\n" },
	{ "domain", "line 1, column 8: the name of a domain must follow\n" },
	{ "domain a.example",
	  "line 1, column 18: a policy level must follow; "
	  "one of: clear may ntlm-seal encrypt verify pin\n" },
	{ "domain default may", "line 1, column 8: \"default\": not a domain; "
				"its own command is \"default LEVEL\"\n" },
	{ "domain *.a.example may",
	  "line 1, column 8: \"*.a.example\": not a domain; all below a "
	  "domain is written .domain\n" },
	{ "domain 192.0.2.1 may", "line 1, column 8: \"192.0.2.1\": an address "
				  "is not a domain\n" },
	{ "domain u@a.example may",
	  "line 1, column 8: \"u@a.example\": not a domain; only what follows "
	  "the @\n" },
	{ "domain a..example may",
	  "line 1, column 8: \"a..example\": not a domain; letters, digits, "
	  "hyphens and dots, labels up to 63, in all up to 253\n" },
	{ "domain \"\" may", "line 1, column 8: an empty name\n" },
	{ "domain a.example encrypt match mx.a.example",
	  "line 1, column 26: \"match\": only verify uses match\n" },
	{ "domain a.example may min-tls 1.3",
	  "line 1, column 22: \"min-tls\": only encrypt, verify and pin use "
	  "min-tls\n" },
	{ "domain a.example may on-fail defer",
	  "line 1, column 22: \"on-fail\": only ntlm-seal, encrypt, verify, pin or a "
	  "route use on-fail\n" },
	{ "domain a.example encrypt on-fail",
	  "line 1, column 34: one of: reject defer\n" },
	{ "domain a.example encrypt min-tls 1.1",
	  "line 1, column 34: \"1.1\": one of: 1.2 1.3\n" },
	{ "domain a.example clear learn",
	  "line 1, column 24: \"learn\": only may, encrypt and verify use learn\n" },
	{ "domain a.example may learn learn",
	  "line 1, column 28: \"learn\": twice in one line\n" },
	{ "domain a.example encrypt strong",
	  "line 1, column 26: \"strong\": unknown attribute; one of: match "
	  "min-tls auth account min-bits legacy framing signature learn on-fail "
	  "route\n" },
	{ "domain a.example encrypt min-tls 1.3 min-tls 1.2",
	  "line 1, column 38: \"min-tls\": twice in one line\n" },
	{ "domain a.example verify match",
	  "line 1, column 31: match needs at least one name\n" },
	{ "domain a.example verify match route 192.0.2.1",
	  "line 1, column 31: \"route\": match needs at least one name\n" },
	{ "domain a.example pin",
	  "line 1, column 22: pin needs at least one sha256:...\n" },
	{ "domain a.example pin sha256:12",
	  "line 1, column 22: \"sha256:12\": not a pin; sha256: and 64 "
	  "hexadecimal digits, or base64 of 32 octets\n" },
	{ "domain a.example clear route 192.0.2.1:0",
	  "line 1, column 30: \"192.0.2.1:0\": not a port; 1..65535\n" },
	{ "domain a.example clear route 224.0.0.1",
	  "line 1, column 30: \"224.0.0.1\": no server can have this "
	  "address\n" },
	{ "domain a.example clear route 192.0.2.1 192.0.2.2",
	  "line 1, column 40: \"192.0.2.2\": one IPv4 and one IPv6 address, "
	  "no more\n" },
	{ "intercept port 1 2 3 4 5 6 7 8 9 10 11 12 13 14 25\n"
	  "domain a.example clear route 192.0.2.1:26 [2001:db8::1]:25\n"
	  "domain b.example clear route 192.0.2.1:27",
	  "line 3, column 30: \"192.0.2.1:27\": one port too many: with "
	  "\"intercept port\" there can be 16\n" },
	{ "domain a.example clear route",
	  "line 1, column 30: route needs an address or the name of a "
	  "host\n" },
	{ "domain a.example clear route 1.2.3",
	  "line 1, column 30: \"1.2.3\": not an address; 198.51.100.9, "
	  "198.51.100.9:25, 2001:db8::9 or [2001:db8::9]:25\n" },
	{ "resolver 192.0.2.53\ndomain a.example encrypt route mx.example",
	  "line 2, column 26: \"route\": where a name leads, anybody on the "
	  "way can say; only verify and pin see who is there, and take a "
	  "name\n" },
	{ "domain a.example verify route mx.example",
	  "line 1, column 31: \"mx.example\": there is no \"resolver\" to ask "
	  "where it is\n" },
	{ "domain a.example verify route mx",
	  "line 1, column 31: \"mx\": not the whole name of a host\n" },
	{ "domain a.example verify route .mx.example",
	  "line 1, column 31: \".mx.example\": not the whole name of a "
	  "host\n" },
	{ "domain a.example verify route mx.example:0",
	  "line 1, column 31: \"mx.example:0\": not a port; 1..65535\n" },
	{ "domain a.example verify route mx_.-.example",
	  "line 1, column 31: \"mx_.-.example\": not a domain; letters, "
	  "digits, hyphens and dots, labels up to 63, in all up to 253\n" },
	{ "resolver 192.0.2.53\n"
	  "domain a.example verify route mx.example my.example",
	  "line 2, column 42: \"my.example\": a name stands alone\n" },
	{ "resolver 192.0.2.53\n"
	  "domain a.example verify route mx.example 192.0.2.1",
	  "line 2, column 42: \"192.0.2.1\": a name stands alone\n" },
	{ "domain a.example verify route 192.0.2.1 mx.example",
	  "line 1, column 41: \"mx.example\": a name stands alone\n" },
	{ "inbound address 192.0.2.9",
	  "line 1, column 1: \"inbound address\": there is no \"inbound "
	  "server\" that it leads to\n" },
	{ "inbound server 192.0.2.9",
	  "line 1, column 1: \"inbound server\": there is no \"inbound "
	  "address\" that leads to it\n" },
	{ "inbound address 192.0.2.9\ninbound server 2001:db8::9",
	  "line 1, column 1: \"inbound address\": is not of the same kind "
	  "(IPv4, IPv6) as \"inbound server\"\n" },
	{ "inbound address 192.0.2.9\ninbound server 192.0.2.9",
	  "line 1, column 1: \"inbound address\": is the address for all\n" },
	{ "inbound address 192.0.2.9\ninbound server 192.0.2.8\n"
	  "inbound tls pass",
	  "line 1, column 1: \"inbound address\": cannot be seen to with "
	  "\"inbound tls pass\", which leaves sessions to the server "
	  "inside\n" },
	{ "resolver mx.example",
	  "line 1, column 10: \"mx.example\": not an address; 192.0.2.1 or "
	  "2001:db8::1\n" },
	{ "default verify",
	  "line 1, column 9: \"verify\": for default, verify needs match: "
	  "there is no domain to take the name from\n" },
	{ "inbound", "line 1, column 9: one word more is needed here\n" },
	{ "inbound yes", "line 1, column 9: \"yes\": one of: off on\n" },
	{ "inbound tls both",
	  "line 1, column 13: \"both\": one of: own pass\n" },
	{ "inbound require",
	  "line 1, column 17: the domain of a sender must follow\n" },
	{ "inbound require a.example",
	  "line 1, column 27: one of: tls auth seal\n" },
	{ "inbound require a.example encrypt",
	  "line 1, column 27: \"encrypt\": one of: tls auth seal\n" },
	{ "inbound require a@b.example tls",
	  "line 1, column 17: \"a@b.example\": not a domain; only what follows "
	  "the @\n" },
	{ "inbound require a.example tls min-tls",
	  "line 1, column 39: one of: 1.2 1.3\n" },
	{ "inbound require a.example tls min-tls 1.3 min-tls 1.3",
	  "line 1, column 43: \"min-tls\": twice in one line\n" },
	{ "inbound require a.example tls client-cert",
	  "line 1, column 43: client-cert needs at least one sha256:...\n" },
	{ "inbound require a.example tls client-cert sha256:12",
	  "line 1, column 43: \"sha256:12\": not a pin; sha256: and 64 "
	  "hexadecimal digits, or base64 of 32 octets\n" },
	{ "inbound require a.example tls client-cert " PIN_HEX
	  " client-cert " PIN_HEX,
	  "line 1, column 115: \"client-cert\": twice in one line\n" },
	{ "inbound require a.example tls on-fail defer",
	  "line 1, column 31: \"on-fail\": unknown attribute; one of: min-tls "
	  "client-cert account min-bits\n" },
	{ "inbound require a.example tls min-bits 40",
	  "line 1, column 31: \"min-bits\": only seal uses min-bits\n" },
	{ "inbound require a.example tls account x",
	  "line 1, column 39: \"x\": there is no inbound account of this "
	  "name\n" },
	{ "inbound require a.example auth",
	  "line 1, column 27: \"auth\": nobody can log on: there is no inbound "
	  "account\n" },
	{ "inbound account", "line 1, column 17: the name of an account must "
			     "follow\n" },
	{ "inbound account bob", "line 1, column 21: auth must follow\n" },
	{ "inbound account bob auth ntlm",
	  "line 1, column 31: password must follow\n" },
	{ "inbound account bob auth password x",
	  "line 1, column 26: auth needs a mechanism\n" },
	{ "inbound account bob auth gssapi password x",
	  "line 1, column 26: one of: plain login cram-md5 scram-sha-1 "
	  "scram-sha-256 ntlm ntlm-seal\n" },
	{ "inbound account bob auth ntlm ntlm-seal password x",
	  "line 1, column 31: ntlm or ntlm-seal, once\n" },
	{ "inbound account bob auth plain plain password x",
	  "line 1, column 32: twice in one line\n" },
	{ "inbound account bob auth plain legacy password x",
	  "line 1, column 32: only ntlm and ntlm-seal use legacy\n" },
	{ "inbound account bob auth ntlm min-bits 40 password x",
	  "line 1, column 31: only ntlm-seal uses min-bits\n" },
	{ "inbound account bob auth ntlm-seal min-bits 41 password x",
	  "line 1, column 45: one of: 40 56 128\n" },
	{ "inbound account bob user bob auth ntlm password x",
	  "line 1, column 21: unknown attribute; one of: nt-domain auth "
	  "min-bits legacy bound password\n" },
	{ "inbound account bob auth ntlm plain bound password x",
	  "line 1, column 37: plain, login and cram-md5 cannot be bound\n" },
	{ "inbound require a.example tls\ninbound require A.example. tls",
	  "line 2, column 17: \"A.example.\": is already there, in line 1\n" },
	{ "inbound require a.example tls\ninbound tls pass",
	  "line 1, column 1: \"inbound require\": cannot be seen to with "
	  "\"inbound tls pass\", which leaves sessions to the server inside\n" },
	{ "inbound port 2525",
	  "line 1, column 1: \"inbound port\": is not among \"intercept "
	  "port\"\n" },
	{ "inbound port 25",
	  "line 1, column 1: \"inbound port\": is the port for all\n" },
	{ "intercept port 587 2525\ninbound port 2525",
	  "line 2, column 1: \"inbound port\": leads to port 25, which is not "
	  "among \"intercept port\"\n" },
	{ "intercept port 25 2525\ninbound port 2525\ninbound tls pass",
	  "line 2, column 1: \"inbound port\": cannot be seen to with "
	  "\"inbound tls pass\", which leaves sessions to the server "
	  "inside\n" },
	{ "ca none\ndomain a.example verify",
	  "line 2, column 18: \"verify\": there is no CA to verify with: "
	  "\"ca none\" and no \"ca certificate\"\n" },
	/* texts that are not texts */
	{ "default may\r\r\n",
	  "line 1, column 12: a carriage return within the line\n" },
	{ "default may\rdomain x may",
	  "line 1, column 12: a carriage return within the line\n" },
	{ "default \x01", "line 1, column 9: a control character\n" },
	{ "default \xff", "line 1, column 9: not UTF-8\n" },
	{ "\xc3\xbc\xc3\xbc \xc0\x80", "line 1, column 4: not UTF-8\n" },
	{ "default \"may", "line 1, column 9: the quotes do not end\n" },
	{ "default \"may\\n\"",
	  "line 1, column 13: after \\ only \" or \\ can follow\n" },
	{ "default \"may\"x", "line 1, column 14: a blank must follow the "
			      "closing quote\n" },
	{ "default m\"ay\"", "line 1, column 10: a quote within a word\n" },
	/* certificates */
	{ "ca certificate", "line 1, column 1: the lines of a certificate "
			    "must follow\n" },
	{ "ca certificate\ndefault may\n",
	  "line 2, column 1: -----BEGIN CERTIFICATE----- must follow\n" },
	{ "ca certificate\n-----BEGIN CERTIFICATE-----\nMAgEBgECAwQFBg==\n",
	  "line 1, column 1: -----END CERTIFICATE----- is missing\n" },
	{ "ca certificate\n-----BEGIN CERTIFICATE-----\nMAgEBg!!\n"
	  "-----END CERTIFICATE-----\nfoo",
	  "line 3, column 7: not base64\n"
	  "line 5, column 1: \"foo\": unknown command; one of: " COMMANDS
	  "\n" },
	{ "ca certificate\n-----BEGIN CERTIFICATE-----\nMAgEBgECAwQF\n"
	  "-----END CERTIFICATE-----\n",
	  "line 4, column 1: the certificate is not complete\n" },
};

static void every_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		bad(errors[i].text, errors[i].report);
}

/* Several errors at once, and a snapshot from none of it. */
static void all_errors(void **state)
{
	char text[2000] = "", *at = text;
	const char *line;
	struct result *res;
	unsigned n = 0;

	(void)state;
	bad("defualt may\ndomain a.example may\nca\nlimit sessions x\n",
	    "line 1, column 1: \"defualt\": unknown command; one of: " COMMANDS
	    "\n"
	    "line 3, column 4: one word more is needed here\n"
	    "line 4, column 16: \"x\": not a number from 1 to 65536\n");
	for (unsigned i = 0; i < 50; i++)
		at += sprintf(at, "wrong%u\n", i);
	res = compile(text);
	assert_int_equal(res->r, E_CONF);
	for (line = res->report; *line; line = strchr(line, '\n') + 1)
		n++;
	assert_int_equal(n, CONF_ERRORS_MAX + 1);
	assert_non_null(strstr(res->report, "\nand 30 more\n"));
}

static void ports_of_a_broken_text(void **state)
{
	struct conf_input in = {
		.text = SPAN_LIT("interc\nintercept port 587 26\ndefault x\n")
	};
	struct conf_job *job = malloc(conf_job_size());
	const struct settings *s;
	uint8_t small[8];
	char mem[200];
	struct text report;

	(void)state;
	assert_non_null(job);
	conf_job_init(job, &in);
	assert_int_equal(conf_job_measure(job, 100), OK);
	s = conf_job_settings(job);
	assert_int_equal(s->intercept_n, 2);
	assert_int_equal(s->intercept[1], 26);
	text_init(&report, mem, sizeof(mem));
	assert_int_equal(
		conf_job_build(job, small, sizeof(small), NULL, &report),
		E_FULL);
	assert_true(report.n > 0);
	free(job);
}

static void no_builtin_list(void **state)
{
	struct result res;

	(void)state;
	compile_span(&res, SPAN_LIT("domain a.example verify\n"), "");
	assert_int_equal(res.r, E_CONF);
	assert_non_null(strstr(res.report, "none is built in"));
	free(res.mem);
	compile_span(&res, SPAN_LIT("domain a.example verify\n" CERT), "");
	assert_int_equal(res.r, OK);
	free(res.mem);
}

static void not_a_text(void **state)
{
	static const uint8_t nul[] = "default may\ndomain a\0b may\n";
	const size_t mega = 1 << 20;
	uint8_t *line = malloc(mega);
	struct result res;

	(void)state;
	compile_span(&res, (struct span){ nul, sizeof(nul) - 1 }, BUILTIN);
	assert_string_equal(res.report, "line 2, column 9: a zero octet: this "
					"is not a text\n");
	free(res.mem);
	assert_non_null(line);
	for (unsigned fill = 0; fill < 256; fill++) {
		memset(line, (int)fill, fill == 'x' ? mega : 20000);
		compile_span(&res,
			     (struct span){ line, fill == 'x' ? mega : 20000 },
			     BUILTIN);
		assert_int_equal(res.r, E_CONF);
		free(res.mem);
	}
	memset(line, 'x', mega);
	line[mega - 1] = '\n';
	compile_span(&res, (struct span){ line, mega }, BUILTIN);
	assert_string_equal(res.report, "line 1, column 1: the line is longer "
					"than 8192 octets\n");
	free(res.mem);
	free(line);
}

/* --- all together ------------------------------------------------------------ */
static const char sample[] =
	"! a sample with one of each\n"
	"hostname box-1\n"
	"banner \"say \\\"friend\\\" and enter\"\n"
	"console timeout 60\n"
	"management address 192.0.2.5/24\n"
	"management gateway 192.0.2.1\n"
	"management vlan 7\n"
	"syslog 203.0.113.9:5514\n"
	"ntp 203.0.113.9 192.0.2.7\n"
	"intercept port 25 587\n"
	"resolver 192.0.2.53\n"
	"limit sessions 4000\n"
	"limit sessions per-source 100\n"
	"limit half-open 200\n"
	"limit half-open per-source 20\n"
	"tls fallback-memory 60\n"
	"bare-eol pass\n"
	"log addresses off\n"
	"clock floor 2026-06-30T12:00:00Z\n"
	"ca builtin\n" CERT "inbound on\n"
	"inbound require .a.example tls min-tls 1.3\n"
	"inbound require a.example tls client-cert " PIN_HEX " " PIN_BASE64 "\n"
	"inbound require \"localhost\" tls min-tls 1.2\n"
	"default encrypt on-fail defer\n"
	"domain a.example clear\n"
	"domain .a.example may route 192.0.2.7\n"
	"domain b.example verify min-tls 1.3\n"
	"domain .c.example verify match mx.c.example .d.example on-fail reject\n"
	"domain \"localhost\" verify match \"route\"\n"
	"domain p.example pin " PIN_BASE64 " " PIN_HEX
	" route [2001:db8::1]:26\n"
	"domain r.example may route [2001:db8::1]:26 192.0.2.7:2525\n"
	"domain s.example verify route MX.s.example:2525\n"
	"domain t.example pin " PIN_HEX " min-tls 1.3 route mx.t.example\n";

/* Every cut gives a snapshot or an error with a place, never anything else. */
static void every_truncation(void **state)
{
	unsigned good = 0;

	(void)state;
	for (size_t n = 0; n <= sizeof(sample) - 1; n++) {
		struct result res;

		compile_span(&res, (struct span){ (const uint8_t *)sample, n },
			     BUILTIN);
		good += res.r == OK;
		free(res.mem);
	}
	assert_true(good > 20 && good < sizeof(sample) - 1);
}

static char *print(const struct policy *p)
{
	static char mem[2][1 << 16];
	static unsigned turn;
	struct text out;

	text_init(&out, mem[++turn % 2], sizeof(mem[0]));
	assert_int_equal(conf_print(p, NULL, &out), OK);
	assert_false(out.cut);
	return out.p;
}

static void print_parse_print(void **state)
{
	char crlf[8000], *to = crlf, *first, *second;
	struct result *res;

	(void)state;
	first = print(&compile(sample)->p);
	res = compile(first);
	assert_string_equal(res->report, "");
	second = print(&res->p);
	assert_string_equal(first, second);
	assert_non_null(strstr(first, "domain .c.example verify match "
				      "mx.c.example .d.example on-fail "
				      "reject\n"));
	assert_non_null(strstr(first, "\ndomain b.example verify min-tls "
				      "1.3\n"));
	assert_non_null(strstr(first, "route [2001:db8::1]:26\n"));
	assert_non_null(
		strstr(first, "route 192.0.2.7:2525 [2001:db8::1]:26\n"));
	assert_non_null(
		strstr(first, "s.example verify route mx.s.example:2525\n"));
	assert_non_null(strstr(first, "1.3 route mx.t.example:25\n"));
	assert_non_null(strstr(first, "\nresolver 192.0.2.53\n"));
	assert_non_null(strstr(first, "\n" CERT));
	assert_non_null(strstr(first, "\ninbound on\ninbound tls own\n"
				      "inbound port 0\n"
				      "inbound address none\n"
				      "inbound server none\n"
				      "inbound require .a.example tls min-tls "
				      "1.3\n"
				      "inbound require a.example tls "
				      "client-cert " PIN_HEX " " PIN_HEX "\n"
				      "inbound require \"localhost\" tls\n"));
	/* the same text with the other line ends */
	for (const char *s = sample; *s; *to++ = *s++)
		if (*s == '\n')
			*to++ = '\r';
	*to = '\0';
	res = compile(crlf);
	assert_string_equal(res->report, "");
	assert_string_equal(print(&res->p), first);
}

/* Every day there is, written and read. */
static void days(void **state)
{
	char mem[40], last[40] = "";

	(void)state;
	for (uint64_t d = 0; d < 2932896; d += d < 60000 ? 1 : 97) {
		uint64_t at = d * 86400 + d % 86400, got;
		struct text t;

		text_init(&t, mem, sizeof(mem));
		text_time(&t, at);
		assert_true(conf_time(text_done(&t), &got));
		assert_int_equal(got, at);
		assert_true(strcmp(last, mem) < 0);
		strcpy(last, mem);
	}
	assert_true(strncmp(last, "9999-", 5) == 0);
}

/* Every setting of the schema is reachable by the words it is listed with. */
static void schema(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_setting *c = &conf_schema[i];
		char text[200];

		assert_true(c->help && c->help[0]);
		if (!c->dflt)
			continue;
		snprintf(text, sizeof(text), "%s %s\n", c->words, c->dflt);
		good_settings(text);
		snprintf(text, sizeof(text), "%s \xe2\x82\xac\n", c->words);
		assert_int_equal(compile(text)->r, E_CONF);
		snprintf(text, sizeof(text), "%s\n", c->words);
		assert_int_equal(compile(text)->r, E_CONF);
	}
}

/* Random lines of real words: any outcome but a crash or a silent error. */
static void word_salad(void **state)
{
	static const char *const words[] = {
		"domain",
		"default",
		"verify",
		"pin",
		"match",
		"route",
		"a.example",
		".b.example",
		"192.0.2.1",
		PIN_HEX,
		"on-fail",
		"defer",
		"min-tls",
		"1.3",
		"limit",
		"sessions",
		"per-source",
		"9",
		"ca",
		"certificate",
		"none",
		"\"x",
		"\n",
		"\n",
		"!",
		"-----BEGIN CERTIFICATE-----",
		"-----END CERTIFICATE-----",
		"encrypt",
		"intercept",
		"port",
		"25",
		"\xc3\xbc.example",
		"inbound",
		"require",
		"tls",
		"client-cert",
	};
	const size_t n = sizeof(words) / sizeof(words[0]);
	uint32_t x = 1;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		char text[2000] = "";

		for (unsigned k = 0; k < 25; k++) {
			x = x * 1664525u + 1013904223u;
			strcat(text, words[(x >> 8) % n]);
			strcat(text, x >> 31 ? " " : "\n");
		}
		compile(text);
	}
}

static void long_list(void **state)
{
	enum { N = 100000 };
	char *text = malloc(N * 64), *at = text;
	struct timespec t0, t1;
	struct result res;
	struct policy_rule r;
	long ms;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < N; i++)
		at += sprintf(at, "domain d%u.partner.example %s\n", i,
			      i % 2 ? "verify" : "encrypt");
	clock_gettime(CLOCK_MONOTONIC, &t0);
	compile_span(&res,
		     (struct span){ (uint8_t *)text, (size_t)(at - text) },
		     BUILTIN);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	ms = (t1.tv_sec - t0.tv_sec) * 1000 +
	     (t1.tv_nsec - t0.tv_nsec) / 1000000;
	print_message("%u domains in %ld ms, %zu octets of snapshot\n",
		      res.p.rules_n, ms, res.p.blob.n);
	assert_int_equal(res.r, OK);
	assert_int_equal(res.p.rules_n, N);
	assert_true(ms < 10000); /* with sanitizers */
	assert_int_equal(
		policy_lookup(&res.p, SPAN_LIT("d99999.partner.example"), &r),
		OK);
	assert_int_equal(r.line, N);
	free(res.mem);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(settings),
		cmocka_unit_test(rules),
		cmocka_unit_test(layout),
		cmocka_unit_test(every_error),
		cmocka_unit_test(all_errors),
		cmocka_unit_test(ports_of_a_broken_text),
		cmocka_unit_test(no_builtin_list),
		cmocka_unit_test(not_a_text),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(print_parse_print),
		cmocka_unit_test(days),
		cmocka_unit_test(schema),
		cmocka_unit_test(word_salad),
		cmocka_unit_test(long_list),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(compile("default may")->mem);
	return failed;
}
