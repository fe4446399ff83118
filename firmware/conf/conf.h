/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/text.h"
#include "policy/inbound.h"
#include "secret/secret_table.h"

/*
 * conf - the text of a configuration becomes a snapshot, or a list of errors.
 *
 * One command a line; the language is in config/README.md, every setting in
 * conf/conf_schema.h. The whole text is always read, so that a person sees all
 * that is wrong at once; one error is enough and nothing of it counts.
 *
 * No I/O, no allocation: the texts and the memory are the caller's. Work is
 * linear in the text: it is read twice, to measure and to build.
 */
enum {
	CONF_ERRORS_MAX = 20,	   /* reported; the rest is counted */
	CONF_LINE_MAX = 8192,	   /* octets in a line */
	CONF_WORDS_MAX = 64,	   /* words in a line */
	CONF_CA_MAX = 64,	   /* own CA certificates */
	CONF_REPORT_MAX = 64 * 512 /* a buffer that holds every report */
};

struct conf_input {
	struct span text;
	struct span builtin_ca; /* PEM; empty: this box has none */
	uint64_t number;	/* of the snapshot */
	uint64_t floor_s; /* a time that has been, whatever the text says */
	bool clock_unset;
	uint8_t hash_key[16]; /* fresh random octets */
};

/*
 * The work, in pieces, so that a program can do something else in between:
 *
 *	j = conf_job_init(mem, &in);
 *	while (conf_job_measure(j, 1000) == E_AGAIN)
 *		...
 *	r = conf_job_build(j, memory, conf_job_need(j), NULL, &report);
 *	while (r == OK && (r = conf_job_step(j, 1000, &len)) == E_AGAIN)
 *		if (conf_job_sealed(j, &account))
 *			conf_job_opened(j, ...);
 *
 * mem: conf_job_size() bytes, aligned for any type. The texts of in, memory and
 * report must stay until the end.
 */
struct conf_job;
size_t conf_job_size(void);
struct conf_job *conf_job_init(void *mem, const struct conf_input *in);

/* Read up to lines lines; E_AGAIN: there is more. OK: conf_job_need says how
 * much memory the snapshot takes at most, SIZE_MAX: too much for any. */
MUST_CHECK int conf_job_measure(struct conf_job *j, size_t lines);
size_t conf_job_need(const struct conf_job *j);
/* The settings after measuring, as far as they could be read even if the text
 * does not compile; ca_pem is not among them. Valid as long as j. */
const struct settings *conf_job_settings(const struct conf_job *j);

/* The ports that have to come to the box: those that are intercepted, and those of
 * routes, whose answers would pass it by. Returns how many. */
size_t conf_job_ports(const struct conf_job *j,
		      uint16_t ports[POLICY_PORTS_MAX]);

/* The accounts: how many, and octets of all their fields together. */
size_t conf_job_need_secrets(const struct conf_job *j, uint32_t *entries);

/* Begin to build in size octets at mem. secrets: where the accounts go, begun
 * and later ended by the caller; NULL: they are checked, and that is all.
 * E_FULL: size is below what is needed; report says so. */
MUST_CHECK int conf_job_build(struct conf_job *j, uint8_t *mem, size_t size,
			      struct secret_build *secrets,
			      struct text *report);

/*
 * Read up to lines lines.
 *
 * E_AGAIN: there is more.
 * OK: *len octets of the memory are the snapshot; report is empty.
 * E_CONF: report has one line for each error, in this form, at most
 *	CONF_ERRORS_MAX and then a line that counts the others:
 *	line 7, column 23: "verifi": unknown policy level; one of: clear may ...
 *	Columns count characters from 1; a tab is one.
 * E_FULL: report says so.
 */
MUST_CHECK int conf_job_step(struct conf_job *j, size_t lines, size_t *len);

/*
 * Behind E_AGAIN: is there a sealed password that has to be opened, which is
 * not for a pure module? Then a says whose: its name and what is sealed, valid
 * until the answer. Without an answer, the next step takes it as an error.
 */
bool conf_job_sealed(const struct conf_job *j, struct secret_account *a);
/* The answer. error: E_CONF: it has not the form of one; E_CORRUPT: it was
 * sealed by another box or for another account; else: there is no key here. */
void conf_job_opened(struct conf_job *j, int error, struct span password);

/*
 * Print the commands that re-create a snapshot and the accounts of its table of
 * secrets (NULL: none): every setting in the order of the schema, own CA
 * certificates, accounts with their sealed passwords, default, the domains in
 * their order. Stable to the octet: compiled and printed again it is the same
 * text. out->cut when it did not fit. E_CORRUPT: the snapshot is damaged.
 *
 * In pieces, for a program that must show that it lives: first _settings, then
 * _line for i from 0 to rules_n, both included.
 */
MUST_CHECK int conf_print_settings(const struct policy *p,
				   const struct secret_table *s,
				   struct text *out);
MUST_CHECK int conf_print_line(const struct policy *p, uint32_t i,
			       struct text *out);

/* One rule, one account as the command that makes it, without a line end. */
void conf_print_inbound(const struct inbound_rule *rule, struct text *out);
void conf_print_rule(const struct policy_rule *rule, struct text *out);
void conf_print_account(const struct secret_account *a, struct text *out);

#endif
