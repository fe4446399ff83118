/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_PARSE_H
#define CONF_CONF_PARSE_H

#include "base/logon.h"
#include "conf/conf.h"
#include "conf/conf_schema.h"
#include "conf/conf_words.h"
#include "policy/policy_build.h"
#include "secret/secret_table.h"

/*
 * conf_parse - what the parts of the parser share. Private to conf/.
 *
 * The text is read twice with the same code: once to measure (build is NULL and
 * nobody is told about errors), once to build.
 */
enum { CONF_SETTINGS_MAX = 48 }; /* those of the schema, and some */

/* A place in the text to come back to. */
struct conf_mark {
	uint32_t line, column;
	struct span word;
};

/* Ours at the servers of partners, theirs with us: names of two kinds. */
enum conf_whose { CONF_OURS, CONF_THEIRS, CONF_WHOSE };

/* An account that the text makes, or a rule names. */
struct conf_named {
	uint8_t name[SECRET_NAME_MAX];
	size_t name_n;
	struct conf_mark made, used; /* the first of each; line 0: never */
	uint32_t mechs; /* that rules use it with: bit m of enum auth_mech */
};

struct conf_parse {
	const struct conf_input *in;
	struct conf_lines lines;
	struct conf_words words;
	struct policy_build *build; /* NULL while measuring */
	struct text *report;	    /* NULL while measuring */
	struct text sink;	    /* swallows */
	char sink_memory[1];
	uint32_t errors;
	struct settings settings;
	struct conf_mark set[CONF_SETTINGS_MAX]; /* where; line 0: not set */
	uint32_t commands;
	uint32_t rules_n, inbound_n;
	size_t strings_n;
	struct conf_mark verify;  /* the first rule that needs a CA */
	struct conf_mark require; /* the first "inbound require" or account */
	struct conf_mark logon;	  /* the first that wants somebody logged on */
	/* Ports of routes; and the last word that brought one. */
	uint16_t route_ports[POLICY_PORTS_MAX + 1];
	size_t route_ports_n;
	struct conf_mark route;
	struct conf_mark route_name; /* the first route by name */
	struct span ca[CONF_CA_MAX];
	size_t ca_n;
	bool full; /* the memory did not suffice */
	struct conf_named named[CONF_WHOSE][SECRET_ACCOUNTS_MAX];
	size_t named_n[CONF_WHOSE];
	/* of each of ours, from measuring; NULL: not known yet */
	const uint32_t *uses;
	struct secret_build *secrets; /* NULL: no table is wanted */
	uint32_t accounts_n;
	size_t secrets_n; /* octets of their fields */
	/* of the account being read */
	struct secret_account account;
	uint8_t account_name[SECRET_NAME_MAX];
	struct conf_mark password;
	bool sealed_waits; /* for conf_account_opened */
	bool secret;	   /* no word of this line is ever quoted */
	/* of the rule being read */
	uint8_t names[(2 + POLICY_MATCH_MAX) * (POLICY_DOMAIN_MAX + 2)];
	size_t names_n;
	uint8_t pins[POLICY_PINS_MAX][32];
};

/*
 * Begin an error at a place; write the reason to what is returned, then call
 * conf_error_end. An empty word is left out. The text returned swallows what is
 * beyond CONF_ERRORS_MAX.
 */
struct text *conf_error(struct conf_parse *p, uint32_t line, uint32_t column,
			struct span word);
void conf_error_end(struct conf_parse *p, struct text *t);

/* Begin one at word i of the line; i == words.n: behind the last word. */
struct text *conf_error_begin(struct conf_parse *p, size_t i);
/* The same, and all of it, in one call. */
void conf_error_at(struct conf_parse *p, size_t i, const char *why);

/* The same at a place that was marked. */
void conf_error_at_mark(struct conf_parse *p, const struct conf_mark *m,
			const char *why);
/* At the setting at this place of struct settings, which the text has. */
void conf_error_at_setting(struct conf_parse *p, size_t at, const char *why);

/* Count what was beyond CONF_ERRORS_MAX. E_CONF if there was any error. */
MUST_CHECK int conf_errors_done(struct conf_parse *p);

/* Which of n attributes a word is; n: none. And what is said of none. */
size_t conf_attr_of(const struct conf_word *w, const struct conf_attr *attrs,
		    size_t n);
void conf_attr_unknown(struct conf_parse *p, size_t i,
		       const struct conf_attr *attrs, size_t n);

/* The setting that most words of the line name; *at: its first value. NULL: it
 * names none. */
const struct conf_setting *conf_setting_of(const struct conf_parse *p,
					   size_t *at);
/* Say so. */
void conf_setting_unknown(struct conf_parse *p);

/* Take the command in p->words, and the lines that belong to it. */
void conf_command(struct conf_parse *p);

/* conf_rule.c: word `at` is LEVEL (default) or NAME (domain). */
void conf_rule(struct conf_parse *p, bool is_default, size_t at);

/* conf_inbound.c: word `at` is the NAME of "inbound require". */
void conf_inbound(struct conf_parse *p, size_t at);

/* What is said of a word that should be a pin. */
extern const char conf_not_a_pin[];

/* conf_ca.c: take the lines of a certificate. */
void conf_ca(struct conf_parse *p);

/*
 * conf_account.c: word `at` is NAME. The line is in p->account, its password in
 * .sealed or, as it was typed, in .password; valid as long as p->words. False
 * after an error.
 */
bool conf_account_read(struct conf_parse *p, enum conf_whose whose, size_t at);
/* The same for a text being compiled: where a password has to be sealed. */
void conf_account(struct conf_parse *p, enum conf_whose whose, size_t at);
/* For attributes: the value at word i, empty after an error; and the password
 * there, of which is returned the word behind it. */
struct span conf_account_text(struct conf_parse *p, size_t i);
size_t conf_account_password(struct conf_parse *p, size_t i);
/* conf_partner.c: the attributes of a partner's account, from word i. */
void conf_partner_attributes(struct conf_parse *p, size_t i);
/* What became of p->account, whose sealed_waits. */
void conf_account_opened(struct conf_parse *p, int error, struct span password);
/* Why a sealed password did not open; why a typed one was not sealed. */
const char *conf_account_why(int error);
extern const char conf_account_no_key[];
/* Word i names an account that must be somewhere in the text. Its name in lower
 * case, valid as long as p; empty after an error. For rules. */
struct span conf_account_used(struct conf_parse *p, enum conf_whose whose,
			      size_t i);
/* A rule logs on as name, one of ours that has been used, with mech. */
void conf_account_uses(struct conf_parse *p, struct span name,
		       enum auth_mech mech);
/* Every account that is used is made. */
void conf_account_check(struct conf_parse *p);

/* conf_box.c: word `at` is the value of c, which is about the box. */
void conf_box_value(struct conf_parse *p, const struct conf_setting *c,
		    size_t at);
/* The same for one that takes all words that follow. */
void conf_box_hosts(struct conf_parse *p, const struct conf_setting *c,
		    size_t at);
/* Do they fit together? */
void conf_box_check(struct conf_parse *p);

/* conf_name.c: a domain as policy wants it, in up to POLICY_DOMAIN_MAX + 1
 * octets; with a leading dot if it has one. NULL, or why not. */
const char *conf_name(struct span word, uint8_t *out, size_t *n);

/* The name of an account or key, in lower case. NULL, or why not. */
const char *conf_label(struct span word, uint8_t out[SECRET_NAME_MAX],
		       size_t *n);

#endif
