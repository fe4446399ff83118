/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manual - the tables of config/README.md from the schema of settings. Between
 * the lines
 *
 *	<!-- NAME, by make manual -->
 *	<!-- end -->
 *
 * stands what the schema gives; the rest is written by hand.
 *
 * usage: manual FILE           print FILE with its tables as they should be
 *        manual --check FILE   1: they are not
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conf/conf_schema.h"

enum { FILE_MAX = 1 << 20 };

static char out[2 * FILE_MAX];
static size_t out_n;

static void put_n(const char *s, size_t n)
{
	if (n > sizeof(out) - out_n)
		abort();
	memcpy(out + out_n, s, n);
	out_n += n;
}

static void put(const char *s)
{
	put_n(s, strlen(s));
}

/* Within a table a bar would end the cell. */
static void put_cell(const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			put("\\");
		put_n(s, 1);
	}
}

static void put_words(const char *words, const char *value)
{
	put("| `");
	put_cell(words);
	put(value ? " " : "");
	put_cell(value ? value : "");
	put("` |");
}

/* --- the tables --------------------------------------------------------------- */
static void levels(void)
{
	put("| level | what must be true before mail leaves |\n|---|---|\n");
	for (enum level l = LEVEL_CLEAR; l < LEVELS; l++) {
		put_words(level_name(l), conf_levels[l].value);
		put(" ");
		put(conf_levels[l].manual);
		put(" |\n");
	}
}

/* "`encrypt` and up", "all", "`verify`" */
static void put_levels(unsigned set)
{
	enum level low = LEVEL_CLEAR;
	unsigned all = (1u << LEVELS) - 1;

	set &= all;
	while ((set & 1u << low) == 0)
		low++;
	if (set == all) {
		put("all");
		return;
	}
	put("`");
	put(level_name(low));
	put("`");
	if (set == (all & ~((1u << low) - 1)))
		put(" and up");
	else
		for (enum level l = low + 1; l < LEVELS; l++)
			if (set & 1u << l) {
				put(", `");
				put(level_name(l));
				put("`");
			}
}

static void rule_attributes(void)
{
	put("| attribute | for | meaning |\n|---|---|---|\n");
	for (int a = 0; a < CONF_RULE_ATTRS; a++) {
		const struct conf_attr *x = &conf_rule_attrs[a];
		bool routed = conf_attr_fits((enum conf_rule_attr)a,
					     LEVEL_CLEAR, true) &&
			      (x->levels & 1u << LEVEL_CLEAR) == 0;

		put_words(x->word, x->value);
		put(" ");
		put_levels(x->levels);
		put(routed ? ", `route`" : "");
		put(" | ");
		put(x->manual ? x->manual : x->help);
		put(" |\n");
	}
}

static void attributes(const struct conf_attr *x, size_t n)
{
	put("| attribute | meaning |\n|---|---|\n");
	for (; n-- > 0; x++) {
		put_words(x->word, x->value);
		put(" ");
		put(x->manual ? x->manual : x->help);
		put(" |\n");
	}
}

static void account_attributes(void)
{
	attributes(conf_account_attrs, CONF_ACCOUNT_ATTRS);
}

static void partner_attributes(void)
{
	attributes(conf_partner_attrs, CONF_PARTNER_ATTRS);
}

static void inbound_attributes(void)
{
	attributes(conf_inbound_attrs, CONF_INBOUND_ATTRS);
}

/* What stands behind the words; NULL: nothing does. */
static const char *value(const struct conf_setting *c)
{
	static char mem[64];

	switch (c->type) {
	case CONF_CHOICE:
		snprintf(mem, sizeof(mem), "%s|%s", c->choices[0],
			 c->choices[1]);
		return mem;
	case CONF_NUMBER: return "NUMBER";
	case CONF_PORTS: return "PORT...";
	case CONF_TIME: return "TIME";
	case CONF_NAME: return "NAME";
	case CONF_TEXT: return "\"TEXT\"|none";
	case CONF_PREFIX: return "ADDRESS/LENGTH|none";
	case CONF_VLAN: return "NUMBER|none";
	case CONF_ADDRESS: return "ADDRESS|none";
	case CONF_HOSTS: return "ADDRESS...|none";
	case CONF_HOST: return "ADDRESS[:PORT]|none";
	case CONF_PEM:
	case CONF_DEFAULT:
	case CONF_DOMAIN:
	case CONF_ACCOUNT:
	case CONF_PARTNER:
	case CONF_INBOUND: break;
	}
	return NULL;
}

static void setting(const struct conf_setting *c)
{
	char range[64] = "";

	if (c->type == CONF_DEFAULT || conf_setting_named(c))
		return; /* they have chapters of their own */
	if (c->type == CONF_NUMBER)
		snprintf(range, sizeof(range), "; %llu to %llu",
			 (unsigned long long)c->min,
			 (unsigned long long)c->max);
	put_words(c->words, value(c));
	put(c->dflt ? " `" : "");
	put(c->dflt ? c->dflt : "");
	put(c->dflt ? "` | " : " | ");
	put(c->manual ? c->manual : c->help);
	put(range);
	put(" |\n");
}

static void settings(void)
{
	put("| command | default | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < conf_schema_n; i++)
		setting(&conf_schema[i]);
}

static const struct {
	const char *name;
	void (*print)(void);
} tables[] = {
	{ "levels", levels },
	{ "attributes of a rule", rule_attributes },
	{ "attributes of an account", account_attributes },
	{ "attributes of inbound require", inbound_attributes },
	{ "attributes of an inbound account", partner_attributes },
	{ "settings", settings },
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

/* --- the file ------------------------------------------------------------------- */
static const char end[] = "<!-- end -->\n";

/* Everything of in, with fresh tables. 0, or it has said what is wrong. */
static int fill(const char *in)
{
	for (size_t i = 0; i < TABLES; i++) {
		char begin[100];
		const char *at, *to;

		snprintf(begin, sizeof(begin), "<!-- %s, by make manual -->\n",
			 tables[i].name);
		at = strstr(in, begin);
		to = at ? strstr(at, end) : NULL;
		if (!to) {
			fprintf(stderr, "manual: no place for: %s", begin);
			return 1;
		}
		at += strlen(begin);
		put_n(in, (size_t)(at - in));
		put("\n");
		tables[i].print();
		put("\n");
		in = to;
	}
	put(in);
	return 0;
}

static char *read_file(const char *path)
{
	static char in[FILE_MAX];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f) {
		perror(path);
		return NULL;
	}
	n = fread(in, 1, sizeof(in) - 1, f);
	fclose(f);
	in[n] = '\0';
	return in;
}

int main(int argc, char **argv)
{
	bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
	char *in = argc == 2 || check ? read_file(argv[argc - 1]) : NULL;

	if (!in || fill(in) != 0)
		return 2;
	if (!check)
		return fwrite(out, 1, out_n, stdout) == out_n ? 0 : 2;
	if (strlen(in) == out_n && memcmp(in, out, out_n) == 0)
		return 0;
	fprintf(stderr, "%s: not what the schema says: \"make manual\"\n",
		argv[2]);
	return 1;
}
