/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONF_CONF_SCHEMA_H
#define CONF_CONF_SCHEMA_H

#include "policy/policy.h"

/*
 * conf_schema - every setting there is, once: its words, what it takes, its
 * default and its help; and the attributes of those that have some. Parser,
 * printer, checks, completion, help and the tables of config/README.md
 * (tools/manual.c) come from here.
 */
enum conf_type {
	CONF_CHOICE,  /* two words; the second one is true */
	CONF_NUMBER,  /* min..max */
	CONF_PORTS,   /* 1..POLICY_PORTS_MAX TCP ports */
	CONF_TIME,    /* 2026-01-01 or 2026-01-01T00:00:00Z */
	CONF_NAME,    /* a host name, up to max octets */
	CONF_TEXT,    /* text in quotes, up to max octets, or none */
	CONF_PREFIX,  /* ADDRESS/LENGTH, or none */
	CONF_VLAN,    /* 1..4094, or none */
	CONF_ADDRESS, /* ADDRESS, or none */
	CONF_HOST, /* ADDRESS[:PORT], or none; max: the port if none is given */
	CONF_HOSTS,   /* 1..BOX_NTP times ADDRESS, or none; max: the port */
	CONF_PEM,     /* a certificate in the lines that follow */
	CONF_DEFAULT, /* LEVEL ATTRIBUTES */
	CONF_DOMAIN,  /* NAME LEVEL ATTRIBUTES */
	CONF_ACCOUNT, /* NAME ATTRIBUTES, one of them a secret */
	CONF_INBOUND, /* NAME tls|auth|seal ATTRIBUTES */
	CONF_PARTNER, /* as ACCOUNT */
};

struct conf_setting {
	const char *words; /* "limit sessions per-source" */
	enum conf_type type;
	const char *choices[2]; /* CHOICE */
	uint64_t min, max;	/* NUMBER; the types that say so */
	const char *dflt;	/* as it is written; NULL: none */
	size_t at;		/* of its bool, uint32_t, ... in settings */
	bool secret;		/* a line of it can hold what is never shown */
	const char *help;	/* one clause, for a terminal */
	const char *manual;	/* more of it, in Markdown; NULL: help */
};

extern const struct conf_setting conf_schema[];
extern const size_t conf_schema_n;

/* Can there be many of it, told apart by the NAME behind its words? */
bool conf_setting_named(const struct conf_setting *c);

/* A word and its value behind the name of a rule or account. */
struct conf_attr {
	const char *word;
	/* "NAME...", or "1.2|1.3": one of these words; NULL: nothing follows */
	const char *value;
	unsigned levels;    /* of rules that can have it: bits of enum level */
	const char *unused; /* what is said of it at another level */
	bool partner;	    /* for a domain, never for default */
	const char *help, *manual;
};

enum conf_rule_attr {
	CONF_MATCH,
	CONF_MIN_TLS,
	CONF_AUTH,
	CONF_WITH_ACCOUNT,
	CONF_MIN_BITS,
	CONF_LEGACY,
	CONF_FRAMING,
	CONF_SIGNATURE,
	CONF_LEARN,
	CONF_ON_FAIL,
	CONF_ROUTE,
	CONF_RULE_ATTRS
};
enum conf_account_attr {
	CONF_NT_DOMAIN,
	CONF_USER,
	CONF_PASSWORD,
	CONF_ACCOUNT_ATTRS
};

enum conf_partner_attr {
	CONF_PARTNER_DOMAIN,
	CONF_PARTNER_AUTH,
	CONF_PARTNER_BITS,
	CONF_PARTNER_LEGACY,
	CONF_PARTNER_BOUND,
	CONF_PARTNER_PASSWORD,
	CONF_PARTNER_ATTRS
};

enum conf_inbound_attr {
	CONF_FROM_TLS,
	CONF_FROM_CERT,
	CONF_FROM_ACCOUNT,
	CONF_FROM_BITS,
	CONF_INBOUND_ATTRS
};

extern const struct conf_attr conf_rule_attrs[CONF_RULE_ATTRS];
extern const struct conf_attr conf_account_attrs[CONF_ACCOUNT_ATTRS];
extern const struct conf_attr conf_partner_attrs[CONF_PARTNER_ATTRS];
extern const struct conf_attr conf_inbound_attrs[CONF_INBOUND_ATTRS];

/* Can a rule of level l have it? routed: it has a route. */
bool conf_attr_fits(enum conf_rule_attr a, enum level l, bool routed);

/* The policy levels: what stands behind the word itself, and what it asks. */
struct conf_level {
	const char *value;
	const char *manual;
};

extern const struct conf_level conf_levels[LEVELS];

#endif
