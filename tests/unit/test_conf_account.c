/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounts in a configuration, and the passwords in any text. Sealing is played
 * (conf_play.h).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "conf_play.h"
#include "conf/conf_edit.h"
#include "conf/conf_parse.h"
#include "conf/conf_seal.h"

static char report_mem[CONF_REPORT_MAX], out_mem[1 << 20];
static struct play play;

/* The report; "" if it compiles. */
static const char *compile(const char *text)
{
	play_compile(&play, span_str(text));
	return play.report;
}

static void good(const char *text)
{
	assert_string_equal(compile(text), "");
}

static void bad(const char *text, const char *report)
{
	assert_string_equal(compile(text), report);
}

static struct secret_account account(const char *name)
{
	struct secret_account a;

	assert_true(
		secret_table_find_account(&play.secrets, span_str(name), &a));
	return a;
}

static void is(struct span s, const char *want)
{
	if (!span_eq(s, span_str(want)))
		fail_msg("%.*s is not %s", (int)s.n, (const char *)s.p, want);
}

/* --- what is right ------------------------------------------------------------ */
static void forms(void **state)
{
	(void)state;
	good("account Partner user bob password sealed pw:partner\n");
	assert_int_equal(play.secrets.accounts_n, 1);
	is(account("partner").user, "bob");
	is(account("partner").password, "pw");
	is(account("partner").sealed, "pw:partner");
	is(account("partner").nt_domain, "");
	good("account a nt-domain CORP user svc password sealed x:a\n");
	is(account("a").nt_domain, "CORP");
	good("account a user CORP\\svc password sealed x:a\n");
	is(account("a").nt_domain, "CORP");
	is(account("a").user, "svc");
	good("account a user \"CORP\\\\s v c\" password sealed x:a\n");
	is(account("a").user, "s v c");
	/* any order, any case, and words that are values whatever they say */
	good("ACCOUNT a PASSWORD SEALED x:a USER user NT-DOMAIN password\n");
	is(account("a").user, "user");
	is(account("a").nt_domain, "password");
	good("account a user \xc3\xa4 password sealed x:a\n");
	is(account("a").user, "\xc3\xa4");
}

static void printed_again(void **state)
{
	static const char text[] =
		"account a nt-domain \"a \\\\ \\\"b\" user \"#\" password "
		"sealed x:a\n"
		"account b user \"d!\" password sealed y:b\n"
		"account a.b-c_1 user bob@corp.example password sealed "
		"z:a.b-c_1\n";
	struct text out;

	(void)state;
	good(text);
	text_init(&out, out_mem, sizeof(out_mem));
	assert_int_equal(conf_print(&play.policy, &play.secrets, &out), OK);
	assert_non_null(strstr(out_mem, text));
	good(out_mem);
	is(account("a").nt_domain, "a \\ \"b");
}

static void limits(void **state)
{
	static char text[200 * 300];
	struct text t;
	char line[1200];

	(void)state;
	text_init(&t, text, sizeof(text));
	for (int i = 0; i < SECRET_ACCOUNTS_MAX; i++) {
		snprintf(line, sizeof(line),
			 "account n%d user u password sealed x:n%d\n", i, i);
		text_str(&t, line);
	}
	good(text);
	assert_int_equal(play.secrets.accounts_n, SECRET_ACCOUNTS_MAX);
	text_str(&t, "account more user u password sealed x:more\n");
	bad(text, "line 257, column 9: more than 256 accounts\n");
	snprintf(line, sizeof(line),
		 "account a user %0255d password sealed x:a", 1);
	good(line);
	snprintf(line, sizeof(line),
		 "account a user %0256d password sealed x:a", 1);
	bad(line, "line 1, column 16: longer than 255 octets\n");
	snprintf(line, sizeof(line), "account %064d user u password sealed x",
		 1);
	bad(line,
	    "line 1, column 97: \"x\": this password was sealed by another "
	    "box, for another account, or was changed; write it as it "
	    "is\n");
	snprintf(line, sizeof(line), "account %065d user u", 1);
	assert_non_null(strstr(compile(line), "not a name"));
}

/* --- what is wrong -------------------------------------------------------------- */
#define NAME_WHY                                                            \
	"not a name; letters, digits and . _ -, the first one a letter or " \
	"digit, up to 64\n"

static void errors(void **state)
{
	(void)state;
	bad("account",
	    "line 1, column 9: the name of an account must follow\n");
	bad("account -x user u", "line 1, column 9: \"-x\": " NAME_WHY
				 "line 1, column 19: password must follow\n");
	bad("account a", "line 1, column 11: user must follow\n");
	bad("account a user", "line 1, column 16: a value must follow\n"
			      "line 1, column 16: password must follow\n");
	bad("account a user \"\" password sealed x:a",
	    "line 1, column 16: this cannot be empty\n");
	bad("account a usr u", "line 1, column 11: \"usr\": unknown attribute; "
			       "one of: nt-domain user password\n");
	bad("account a user u user v",
	    "line 1, column 18: \"user\": twice in one line\n");
	bad("account a nt-domain D user D\\u password sealed x:a",
	    "line 1, column 28: this names an NT domain, as nt-domain does\n");
	bad("account a user D\\u nt-domain D password sealed x:a",
	    "line 1, column 20: user names an NT domain already\n");
	for (const char **u = (const char *[]){ "\\u", "D\\", "D\\u\\v", NULL };
	     *u; u++) {
		char line[80];

		snprintf(line, sizeof(line),
			 "account a user %s password sealed x:a", *u);
		bad(line, "line 1, column 16: not DOMAIN\\USER\n");
	}
	bad("account a user u password sealed x:a\n"
	    "account A user v password sealed y:a\n",
	    "line 2, column 9: is already there, in line 1\n");
	bad("account a user u password sealed",
	    "line 1, column 34: a sealed password must follow\n");
	bad("account a user u password sealed ?",
	    "line 1, column 34: \"?\": not a sealed password\n");
	bad("\naccount a user u password sealed x:b",
	    "line 2, column 34: \"x:b\": this password was sealed by another "
	    "box, for another account, or was changed; write it as it is\n");
}

/* Whatever is wrong with the line, the password is not in the report. */
static void never_quoted(void **state)
{
	static const char *const lines[] = {
		"account a user u password hush",
		"account a user u password \"hush\"",
		"account a user u password my hush",
		"account a user u password my hush hush",
		"account a password my hush user u",
		"account a password hush nt-domain",
		"account a password hush password hush",
		"account a password hush hush",
		"account a password user hush",
		"account \"?\" user u password hush",
		"account a user u \"password\" hush",
		"account a nt-domain d user hush\\ password hush",
		"account a user u password \"hush",
		"account a user u password hush\"",
		"account a user u password \"hu\\sh\"",
		"account a user u password sealed hush hush",
		"account password hush",
		"account a user password hush",
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_true(compile(lines[i])[0] != '\0');
		if (strstr(play.report, "hush") ||
		    strstr(play.report, "\"my\""))
			fail_msg("%s\ngave %s", lines[i], play.report);
	}
	/* and it ends with the line */
	snprintf(text, sizeof(text), "%s\ndomain x.example wrong\n", lines[0]);
	assert_non_null(strstr(compile(text), "\"wrong\": unknown policy"));
}

/* --- who uses an account ---------------------------------------------------------- */
static void used(void **state)
{
	static struct conf_parse p;
	static const char line[] = "domain x.example Partner other";
	struct text t;

	(void)state;
	text_init(&t, report_mem, sizeof(report_mem));
	p.report = &t;
	p.lines.number = 7;
	assert_int_equal(conf_words_cut(&p.words, span_str(line)), OK);
	is(conf_account_used(&p, CONF_OURS, 2), "partner");
	is(conf_account_used(&p, CONF_OURS, 3), "other");
	is(conf_account_used(&p, CONF_OURS, 2), "partner");
	is(conf_account_used(&p, CONF_OURS, 4), "");
	assert_int_equal(
		conf_words_cut(&p.words, SPAN_LIT("account other user u "
						  "password sealed x:other")),
		OK);
	p.lines.number = 8;
	conf_account(&p, CONF_OURS, 1);
	p.secret = false; /* as the next line would have it */
	conf_account_check(&p);
	assert_string_equal(report_mem,
			    "line 7, column 32: the name of an account must "
			    "follow\n"
			    "line 7, column 18: \"partner\": there is no "
			    "account of this name\n");
}

/* --- editing ---------------------------------------------------------------------- */
static const char *edited(const char *base, const char *edit)
{
	static const uint8_t key[16] = "0123456789abcdef";
	struct text report;
	struct conf_edit *j;
	size_t n;
	void *mem = malloc(conf_edit_size(span_str(edit)));
	int r;

	text_init(&report, report_mem, sizeof(report_mem));
	j = conf_edit_init(mem, span_str(base), span_str(edit), key,
			   (uint8_t *)out_mem, &report);
	do
		r = conf_edit_step(j, 1, &n);
	while (r == E_AGAIN);
	out_mem[n] = '\0';
	free(mem);
	return r == OK ? out_mem : report_mem;
}

static void edits(void **state)
{
	static const char base[] = "default may\n"
				   "account a user u password sealed x:a\n"
				   "account b user v password sealed x:b\n";

	(void)state;
	assert_string_equal(
		edited(base, "account A user w password sealed y:a\n"),
		"default may\n"
		"account A user w password sealed y:a\n"
		"account b user v password sealed x:b\n");
	assert_string_equal(edited(base, "no account a"),
			    "default may\n"
			    "account b user v password sealed x:b\n");
	assert_string_equal(edited(base, "no account c"),
			    "line 1, column 12: \"c\": there is no account of "
			    "this name\n");
	assert_string_equal(edited(base, "no account"),
			    "line 1, column 12: a name must follow\n");
	assert_string_equal(edited(base, "account c user u password p\n"
					 "account c user u password p"),
			    "line 2, column 1: is already changed in line 1\n");
}

/* --- typed passwords -------------------------------------------------------------- */
/* Seal with step lines at a time; every piece gives the same. */
static const char *sealed(const char *text, size_t lines, bool have_key)
{
	struct span s = span_str(text);
	size_t room = conf_seal_room(s), n;
	uint8_t *out = malloc(room);
	void *mem = malloc(conf_seal_size());
	struct secret_account a;
	struct conf_seal *j;
	struct text report;
	int r;

	assert_true(room > 0);
	text_init(&report, report_mem, sizeof(report_mem));
	j = conf_seal_init(mem, s, out, &report);
	while ((r = conf_seal_step(j, lines, &n)) == E_AGAIN) {
		struct span none = { NULL, 0 };
		char word[400];

		if (!conf_seal_asks(j, &a) || !have_key)
			continue;
		if (a.sealed.n > 0) {
			conf_seal_answer(j, play_open(&a, &none), none);
			continue;
		}
		snprintf(word, sizeof(word), "%d:%.*s", (int)a.password.n,
			 (int)a.name.n, (const char *)a.name.p);
		conf_seal_answer(j, OK, span_str(word));
	}
	assert_true(n <= room);
	memcpy(out_mem, out, n);
	out_mem[n] = '\0';
	free(out);
	free(mem);
	return r == OK ? out_mem : report_mem;
}

static void typed(void **state)
{
	static const char text[] =
		"! a comment about a password\n"
		"domain password.example may\r\n"
		"account A user u password hush\n"
		"account b user \"D\\\\u\" password \"h u s h\" ! mine\r\n"
		"account c user u password sealed x:c\n"
		"default may\n"
		"account d user u password \"sealed\"";

	(void)state;
	for (size_t lines = 1; lines < 9; lines++)
		assert_string_equal(
			sealed(text, lines, true),
			"! a comment about a password\n"
			"domain password.example may\r\n"
			"account a user u password sealed 4:a\n"
			"account b nt-domain D user u password sealed 7:b\n"
			"account c user u password sealed x:c\n"
			"default may\n"
			"account d user u password sealed 6:d\n");
	assert_int_equal(conf_seal_room(SPAN_LIT("default may\n")), 0);
	assert_int_equal(conf_seal_room(SPAN_LIT("")), 0);
}

static void typed_wrong(void **state)
{
	(void)state;
	assert_string_equal(
		sealed("default may\nacount a user u password x\n", 1, true),
		"line 2, column 17: \"password\": a password stands "
		"in an account alone\n");
	/* the others are sealed all the same */
	assert_string_equal(out_mem, "default may\n"
				     "acount a user u password x\n");
	assert_string_equal(
		sealed("account a usr u password x\naccount b user u password y",
		       9, true),
		"line 1, column 11: unknown attribute; one of: nt-domain user "
		"password\n");
	assert_string_equal(out_mem, "account a usr u password x\n"
				     "account b user u password sealed 1:b\n");
	assert_string_equal(sealed("account a user u password \"x\n", 1, true),
			    "line 1, column 27: the quotes do not end\n");
	assert_string_equal(
		sealed("account a user u password sealed x:b", 1, true),
		"line 1, column 34: \"x:b\": this password was "
		"sealed by another box, for another account, or "
		"was changed; write it as it is\n");
	assert_string_equal(sealed("account a user u password x", 1, false),
			    "line 1, column 27: a password cannot be kept: "
			    "this box has no store, or it is not usable\n");
}

/* --- accounts of partners --------------------------------------------------------- */
static void partners(void **state)
{
	static const char text[] =
		"account doug user u password sealed y:doug\n"
		"inbound account DOUG nt-domain D auth ntlm-seal scram-sha-256 "
		"min-bits 56 legacy bound password sealed hush:doug\n"
		"inbound account bob auth Plain password sealed x:bob\n"
		"inbound require a.example seal account Doug min-bits 40\n"
		"inbound require b.example auth min-tls 1.2\n";
	static const char printed[] =
		"inbound require a.example seal account doug min-bits 40\n"
		"inbound require b.example auth min-tls 1.2\n"
		"inbound account doug nt-domain D auth scram-sha-256 ntlm-seal "
		"min-bits 56 legacy bound password sealed hush:doug\n"
		"inbound account bob auth plain password sealed x:bob\n";
	static char mem[20000];
	struct secret_account a;
	struct text t;

	(void)state;
	assert_string_equal(compile(text), "");
	assert_int_equal(play.secrets.accounts_n, 1);
	assert_int_equal(play.secrets.partners_n, 2);
	assert_int_equal(play.policy.settings.inbound_mechs,
			 1u << AUTH_NTLM | 1u << AUTH_SCRAM_SHA_256 |
				 1u << AUTH_PLAIN);
	secret_table_partner(&play.secrets, 0, &a);
	is(a.name, "doug");
	is(a.password, "hush");
	assert_true(a.terms.seal && a.terms.legacy && a.terms.bound &&
		    a.user.n == 0);
	assert_int_equal(a.terms.min_bits, 56);
	secret_table_partner(&play.secrets, 1, &a);
	assert_false(a.terms.seal || a.terms.legacy || a.terms.bound);
	text_init(&t, mem, sizeof(mem));
	assert_int_equal(conf_print(&play.policy, &play.secrets, &t), OK);
	assert_non_null(strstr(mem, printed));
	/* a name of each kind is its own, and there once */
	assert_non_null(strstr(
		compile("inbound account bob auth ntlm password sealed x:bob\n"
			"inbound account bob auth ntlm password sealed "
			"x:bob\n"),
		"line 2, column 17: is already there, in line 1"));
	/* who logs on there does not log on here */
	assert_non_null(strstr(
		compile("inbound account bob auth ntlm password sealed x:bob\n"
			"domain a.example ntlm-seal account bob\n"),
		"there is no account of this name"));
	bad("inbound tls pass\n"
	    "inbound account bob auth ntlm password sealed x:bob",
	    "line 2, column 1: \"inbound account\": cannot be seen to with "
	    "\"inbound tls pass\", which leaves sessions to the server "
	    "inside\n");
	good("default may\n");
	assert_int_equal(play.policy.settings.inbound_mechs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),	cmocka_unit_test(printed_again),
		cmocka_unit_test(limits),	cmocka_unit_test(errors),
		cmocka_unit_test(never_quoted), cmocka_unit_test(partners),
		cmocka_unit_test(used),		cmocka_unit_test(edits),
		cmocka_unit_test(typed),	cmocka_unit_test(typed_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
