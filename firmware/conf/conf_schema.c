/* SPDX-License-Identifier: BSD-2-Clause */
/* conf_schema - see conf_schema.h. The order is that of the printed text. */
#include "conf/conf_schema.h"
#include "conf/conf_parse.h"

#define AT(member) offsetof(struct settings, member)

const struct conf_setting conf_schema[] = {
	{ .words = "hostname",
	  .type = CONF_NAME,
	  .max = BOX_NAME,
	  .dflt = "sealwire",
	  .at = AT(box.name),
	  .help = "what the box is called at the console and in syslog" },
	{ .words = "banner",
	  .type = CONF_TEXT,
	  .max = BOX_BANNER,
	  .dflt = "none",
	  .at = AT(box.banner),
	  .help = "text that is shown before somebody logs in",
	  .manual = "shown before somebody logs in; up to 400 characters of "
		    "ASCII" },
	{ .words = "console timeout",
	  .type = CONF_NUMBER,
	  .min = 10,
	  .max = 86400,
	  .dflt = "600",
	  .at = AT(box.idle_s),
	  .help = "seconds without a key before a terminal is logged out",
	  .manual = "seconds without a key before a terminal is logged out; "
		    "`terminal timeout` is for one terminal, until logout" },
	{ .words = "management address",
	  .type = CONF_PREFIX,
	  .dflt = "none",
	  .at = AT(box.management),
	  .help = "of the management port, with its prefix length",
	  .manual =
		  "of the third port, on boards that have one, or in the VLAN "
		  "that follows. Nothing listens there, and no mail passes" },
	{ .words = "management vlan",
	  .type = CONF_VLAN,
	  .dflt = "none",
	  .at = AT(box.vlan),
	  .help = "VLAN of inside that has the management address",
	  .manual =
		  "of the port inside (an IEEE 802.1Q tag), 1 to 4094, that has "
		  "the management address, instead of a third port. It ends at "
		  "the box: nothing of this VLAN passes from one port to the "
		  "other, and what comes from outside is dropped" },
	{ .words = "management gateway",
	  .type = CONF_ADDRESS,
	  .dflt = "none",
	  .at = AT(box.gateway),
	  .help = "next hop to hosts beyond the management network",
	  .manual = "to hosts of `syslog` and `ntp` beyond that network; to "
		    "nobody else" },
	{ .words = "syslog",
	  .type = CONF_HOST,
	  .max = 514,
	  .dflt = "none",
	  .at = AT(box.syslog),
	  .help = "host that gets the log (RFC 5424, UDP)",
	  .manual = "host that gets each line of the log (RFC 5424 over UDP), "
		    "sent from the management address" },
	{ .words = "ntp",
	  .type = CONF_HOSTS,
	  .max = 123,
	  .dflt = "none",
	  .at = AT(box.ntp),
	  .help = "servers that are asked for the time",
	  .manual = "time servers (NTP), up to three, that are asked from the "
		    "management address: see below" },
	{ .words = "link-propagation",
	  .type = CONF_CHOICE,
	  .choices = { "off", "on" },
	  .dflt = "off",
	  .at = AT(box.carry),
	  .help = "a port without a link takes the other one down",
	  .manual =
		  "`on`: a port without a link takes the other one down, as a "
		  "cable would, and back up after 3 to 24 seconds; `off`: the "
		  "other one stays up" },
	{ .words = "intercept port",
	  .type = CONF_PORTS,
	  .dflt = "25",
	  .help = "TCP ports that carry mail",
	  .manual = "TCP ports that carry mail, at most 16 with those of "
		    "routes" },
	{ .words = "resolver",
	  .type = CONF_ADDRESS,
	  .dflt = "none",
	  .at = AT(resolver),
	  .help = "who is asked where the hosts of routes are",
	  .manual =
		  "who is asked where the hosts of routes are, and by `probe` "
		  "for those of a domain: over TCP, as if from a mail server "
		  "inside" },
	{ .words = "limit sessions",
	  .type = CONF_NUMBER,
	  .min = 1,
	  .max = 65536,
	  .dflt = "8192",
	  .at = AT(sessions_max),
	  .help = "mail sessions at the same time",
	  .manual = "mail sessions at the same time; a number above what the "
		    "firmware was built for (`MAX_FLOWS` in Kconfig) changes "
		    "nothing" },
	{ .words = "limit sessions per-source",
	  .type = CONF_NUMBER,
	  .min = 1,
	  .max = 65536,
	  .dflt = "2048",
	  .at = AT(sessions_per_source),
	  .help = "of these, from one address",
	  .manual = "of these, from one address; a number above the one in "
		    "all changes nothing" },
	{ .words = "limit half-open",
	  .type = CONF_NUMBER,
	  .min = 1,
	  .max = 65536,
	  .dflt = "1024",
	  .at = AT(half_open_max),
	  .help = "sessions whose server has not answered yet" },
	{ .words = "limit half-open per-source",
	  .type = CONF_NUMBER,
	  .min = 1,
	  .max = 65536,
	  .dflt = "256",
	  .at = AT(half_open_per_source),
	  .help = "of these, from one address",
	  .manual = "of these, from one address; a number above the one in "
		    "all changes nothing" },
	{ .words = "tls fallback-memory",
	  .type = CONF_NUMBER,
	  .min = 0,
	  .max = 604800,
	  .dflt = "3600",
	  .at = AT(fallback_s),
	  .help = "seconds that a failed handshake is remembered",
	  .manual = "seconds that a failed handshake of a server is "
		    "remembered, so that `may` does not try it for every "
		    "message" },
	{ .words = "bare-eol",
	  .type = CONF_CHOICE,
	  .choices = { "refuse", "pass" },
	  .dflt = "refuse",
	  .at = AT(bare_eol_pass),
	  .help = "CR or LF alone in mail",
	  .manual = "CR or LF alone in mail. `pass` lets a message be smuggled "
		    "behind another where servers disagree about line ends" },
	{ .words = "log addresses",
	  .type = CONF_CHOICE,
	  .choices = { "off", "on" },
	  .dflt = "on",
	  .at = AT(log_addresses),
	  .help = "addresses of hosts in the log" },
	{ .words = "clock floor",
	  .type = CONF_TIME,
	  .dflt = "2026-01-01T00:00:00Z",
	  .at = AT(clock_floor_set_s),
	  .help = "no time before this is believed",
	  .manual = "no time before this is believed when a certificate is "
		    "checked; nor one before the firmware was built, or before "
		    "the last commit under a clock that was set by hand" },
	{ .words = "ca",
	  .type = CONF_CHOICE,
	  .choices = { "none", "builtin" },
	  .dflt = "builtin",
	  .at = AT(ca_builtin),
	  .help = "CA list that verify trusts, beside your own",
	  .manual = "`builtin`: trust the CA list that came with the box, "
		    "beside your own" },
	{ .words = "ca certificate",
	  .type = CONF_PEM,
	  .help = "a CA of your own; its PEM lines follow",
	  .manual = "one CA of your own, PEM in the lines that follow; may be "
		    "repeated, up to 64" },
	{ .words = "inbound",
	  .type = CONF_CHOICE,
	  .choices = { "off", "on" },
	  .dflt = "off",
	  .at = AT(inbound),
	  .help = "stand before the server inside for mail from outside",
	  .manual = "`on`: sessions from outside to a server inside are taken: "
		    "STARTTLS is offered with the certificates of the box, the "
		    "server inside is spoken to in clear; `off`: they pass as "
		    "on a wire" },
	{ .words = "inbound tls",
	  .type = CONF_CHOICE,
	  .choices = { "own", "pass" },
	  .dflt = "own",
	  .at = AT(inbound_pass),
	  .help = "whose STARTTLS, if the server inside has one",
	  .manual = "whose STARTTLS is offered if the server inside has one. "
		    "`pass`: its own, and what follows is not looked into" },
	{ .words = "inbound port",
	  .type = CONF_NUMBER,
	  .min = 0,
	  .max = 65535,
	  .dflt = "0",
	  .at = AT(inbound_port),
	  .help = "port for protected sessions alone, 0: none",
	  .manual =
		  "one of `intercept port`, 25 being another, on which clients outside "
		  "reach port 25 of the server inside, and no mail is taken but "
		  "inside TLS: for partners whose mail is to go around a "
		  "filter that cannot look into TLS; `0`: none" },
	{ .words = "inbound address",
	  .type = CONF_ADDRESS,
	  .dflt = "none",
	  .at = AT(inbound_address),
	  .help = "address for protected sessions alone",
	  .manual = "an address that no host has, and that the router sends to "
		    "the server inside: clients outside reach `inbound server` "
		    "by it, and no mail is taken but inside TLS" },
	{ .words = "inbound server",
	  .type = CONF_ADDRESS,
	  .dflt = "none",
	  .at = AT(inbound_server),
	  .help = "server inside that the inbound address leads to" },
	{ .words = "inbound require",
	  .type = CONF_INBOUND,
	  .help = "what must come with mail from a sender's domain" },
	{ .words = "inbound account",
	  .type = CONF_PARTNER,
	  .secret = true,
	  .help = "who may log on to the box from outside" },
	{ .words = "peers",
	  .type = CONF_CHOICE,
	  .choices = { "off", "on" },
	  .dflt = "on",
	  .at = AT(peers),
	  .help = "let other boxes know, inside TLS, that this is one",
	  .manual = "`on`: other boxes are told, inside TLS, that this is one, "
		    "and who asks for a client's certificate is shown the "
		    "first of `show crypto` that it takes; both need `inbound "
		    "on`. A client where another box was met is asked for "
		    "its certificate" },
	{ .words = "account",
	  .type = CONF_ACCOUNT,
	  .secret = true,
	  .help = "who the box is at the server of a partner" },
	{ .words = "default",
	  .type = CONF_DEFAULT,
	  .dflt = "may",
	  .help = "policy for what is not on the list" },
	{ .words = "domain",
	  .type = CONF_DOMAIN,
	  .help = "policy for one domain, or (.domain) all below it" },
};

_Static_assert(sizeof(conf_schema) / sizeof(conf_schema[0]) <=
		       CONF_SETTINGS_MAX,
	       "conf_parse.h has no room for the mark of each setting");

const size_t conf_schema_n = sizeof(conf_schema) / sizeof(conf_schema[0]);

bool conf_setting_named(const struct conf_setting *c)
{
	return c->type == CONF_DOMAIN || c->type == CONF_ACCOUNT ||
	       c->type == CONF_INBOUND || c->type == CONF_PARTNER;
}

#define BIT(a) (1u << LEVEL_##a)
#define STRONG (BIT(ENCRYPT) | BIT(VERIFY) | BIT(PIN))
#define SEALED BIT(NTLM_SEAL)

const struct conf_attr conf_rule_attrs[CONF_RULE_ATTRS] = {
	[CONF_MATCH] = { .word = "match",
			 .value = "NAME...",
			 .levels = BIT(VERIFY),
			 .unused = "only verify uses match",
			 .help = "names that the certificate may carry",
			 .manual = "up to 16 names that the certificate may "
				   "carry: `mx.example` or, all below, "
				   "`.example`. Without it: the domain and "
				   "everything below it. `default verify` has "
				   "no domain and needs it" },
	[CONF_MIN_TLS] = { .word = "min-tls",
			   .value = "1.2|1.3",
			   .levels = STRONG,
			   .unused = "only encrypt, verify and pin use min-tls",
			   .help = "lowest TLS version, otherwise 1.2" },
	[CONF_AUTH] = { .word = "auth",
			.value = "plain|login|cram-md5|scram-sha-1|"
				 "scram-sha-256|ntlm",
			.levels = STRONG,
			.unused = "only encrypt, verify and pin use auth",
			.partner = true,
			.help = "log on with this mechanism, and no other",
			.manual =
				"log on (SMTP AUTH) with this mechanism once "
				"TLS is as the level asks, and never with "
				"another; needs `account`. `plain` and `login` "
				"show the server the password, so only "
				"`verify` and `pin` take them" },
	[CONF_WITH_ACCOUNT] = { .word = "account",
				.value = "NAME",
				.levels = STRONG | SEALED,
				.unused = "nobody logs on at this level",
				.partner = true,
				.help = "who logs on there",
				.manual = "who logs on there: see Accounts" },
	[CONF_MIN_BITS] = { .word = "min-bits",
			    .value = "40|56|128",
			    .levels = SEALED,
			    .unused = "only ntlm-seal uses min-bits",
			    .partner = true,
			    .help = "shortest key of the seal, otherwise 128" },
	[CONF_LEGACY] = { .word = "legacy",
			  .levels = STRONG | SEALED,
			  .unused = "only a log-on with ntlm uses legacy",
			  .partner = true,
			  .help = "NTLM as Windows NT 4 had it, if need be",
			  .manual =
				  "for `ntlm`: take what Windows NT 4 and "
				  "Exchange 5.5 know, if the server knows no "
				  "better: NTLMv1, the LM hash of the password, "
				  "no integrity of the log-on, one key stream "
				  "for both directions; and say `AUTH NTLM` "
				  "also to a server that does not announce it. "
				  "Exchange 5.5 needs `min-bits 40` as well" },
	[CONF_FRAMING] = { .word = "framing",
			   .value = "be32|le32",
			   .levels = SEALED,
			   .unused = "only ntlm-seal uses framing",
			   .partner = true,
			   .help = "octet order of a block's length",
			   .manual = "octet order of the length of a sealed "
				     "block, otherwise `be32`. With `legacy` "
				     "alone, for servers whose ways are not "
				     "documented" },
	[CONF_SIGNATURE] = { .word = "signature",
			     .value = "first|last",
			     .levels = SEALED,
			     .unused = "only ntlm-seal uses signature",
			     .partner = true,
			     .help = "where in a block its signature stands",
			     .manual =
				     "where in a sealed block its signature "
				     "stands, otherwise `first`; as `framing`" },
	[CONF_LEARN] = { .word = "learn",
			 .levels = BIT(MAY) | BIT(ENCRYPT) | BIT(VERIFY),
			 .unused = "only may, encrypt and verify use learn",
			 .help = "remember what its servers have; with may, "
				 "TLS is asked for from then on",
			 .manual =
				 "remember TLS versions and keys of its "
				 "servers. With `may`: once mail for a domain "
				 "has left in TLS, none leaves without: see "
				 "What a partner had before" },
	[CONF_ON_FAIL] = { .word = "on-fail",
			   .value = "reject|defer",
			   .levels = STRONG | SEALED,
			   .unused = "only ntlm-seal, encrypt, verify, pin or "
				     "a route use on-fail",
			   .help = "5xx or 4xx when the level is not reached",
			   .manual =
				   "5xx or 4xx when the level is not reached. "
				   "Without it: 4xx for what another try may "
				   "mend (no STARTTLS, handshake failed, server "
				   "silent, log-on not offered), 5xx for what "
				   "only a person can mend (wrong name, unknown "
				   "CA, expired unless the clock is not set, "
				   "wrong key, TLS too old, log-on refused)" },
	[CONF_ROUTE] = { .word = "route",
			 .value = "ADDRESS[:PORT] [ADDRESS[:PORT]]|HOST[:PORT]",
			 .levels = ~0u,
			 .help = "connect to this server instead",
			 .manual =
				 "connect to this server instead of the one "
				 "that the mail server chose: `198.51.100.9`, "
				 "`198.51.100.9:2525`, `2001:db8::9`, "
				 "`[2001:db8::9]:2525`. One of each kind, IPv4 "
				 "and IPv6, can stand here: the one that the "
				 "mail server uses counts. Or to the host of a "
				 "name, `mx2.partner.example:2525`, with "
				 "`verify` and `pin` alone: see below" },
};

bool conf_attr_fits(enum conf_rule_attr a, enum level l, bool routed)
{
	return (conf_rule_attrs[a].levels & 1u << l) != 0 ||
	       (a == CONF_ON_FAIL && routed);
}

const struct conf_attr conf_account_attrs[CONF_ACCOUNT_ATTRS] = {
	[CONF_NT_DOMAIN] = { .word = "nt-domain",
			     .value = "DOMAIN",
			     .help = "of the user, for NTLM" },
	[CONF_USER] = { .word = "user",
			.value = "USER",
			.help = "who logs on",
			.manual = "who logs on; `DOMAIN\\USER` is both" },
	[CONF_PASSWORD] = { .word = "password",
			    .value = "PASSWORD",
			    .help = "as it is; it is sealed at once",
			    .manual = "as it is, or `sealed` and what `show` "
				      "has in its place" },
};

const struct conf_attr conf_partner_attrs[CONF_PARTNER_ATTRS] = {
	[CONF_PARTNER_DOMAIN] = { .word = "nt-domain",
				  .value = "DOMAIN",
				  .help = "who names another one is refused",
				  .manual = "who logs on may name this domain, "
					    "and no other. Without it: any "
					    "with NTLM, which always has one" },
	[CONF_PARTNER_AUTH] = { .word = "auth",
				.value = "MECHANISM...",
				.help = "with what: plain login cram-md5 "
					"scram-sha-1 scram-sha-256 ntlm "
					"ntlm-seal",
				.manual =
					"with what, one or more of `plain`, "
					"`login`, `cram-md5`, `scram-sha-1`, "
					"`scram-sha-256` and `ntlm` or "
					"`ntlm-seal`, after which every "
					"octet is sealed. `plain` and "
					"`login` are taken inside TLS alone" },
	[CONF_PARTNER_BITS] = { .word = "min-bits",
				.value = "40|56|128",
				.help = "for ntlm-seal: shortest key, "
					"otherwise 128" },
	[CONF_PARTNER_LEGACY] = { .word = "legacy",
				  .help = "for NTLM as Windows NT 4 had it, if "
					  "need be",
				  .manual =
					  "for `ntlm` and `ntlm-seal`: take "
					  "less than NTLMv2 with integrity "
					  "and extended session security, "
					  "as curl and Windows NT 4 have it" },
	[CONF_PARTNER_BOUND] = { .word = "bound",
				 .help = "NTLM and SCRAM: tied to the TLS "
					 "they happen in",
				 .manual = "for `ntlm`, `ntlm-seal` and SCRAM: "
					   "inside TLS alone, and tied to it, "
					   "so that nobody between can pass "
					   "the log-on on. The client has to "
					   "send a channel binding, or use a "
					   "`-PLUS` form" },
	[CONF_PARTNER_PASSWORD] = { .word = "password",
				    .value = "PASSWORD",
				    .help = "as it is; it is sealed at once",
				    .manual = "as it is, or `sealed` and what "
					      "`show` has in its place" },
};

const struct conf_attr conf_inbound_attrs[CONF_INBOUND_ATTRS] = {
	[CONF_FROM_TLS] = { .word = "min-tls",
			    .value = "1.2|1.3",
			    .help = "lowest TLS version, otherwise 1.2",
			    .manual = "lowest TLS version, otherwise 1.2. "
				      "`auth` and `seal` ask for TLS as well "
				      "with this or with `client-cert`" },
	[CONF_FROM_CERT] = { .word = "client-cert",
			     .value = "sha256:... [sha256:...]",
			     .help = "the client shows one of these public keys",
			     .manual =
				     "the client shows a certificate with one "
				     "of these public keys (as for `pin`). "
				     "Name, CA and date do not matter" },
	[CONF_FROM_ACCOUNT] = { .word = "account",
				.value = "NAME",
				.help = "who must have logged on; otherwise "
					"anybody who has an account",
				.manual =
					"who must have logged on, of `inbound "
					"account`; for `auth` and `seal` "
					"otherwise anybody who has one" },
	[CONF_FROM_BITS] = { .word = "min-bits",
			     .value = "40|56|128",
			     .help = "for seal: shortest key, otherwise 128" },
};

const struct conf_level conf_levels[LEVELS] = {
	[LEVEL_CLEAR] = { .manual = "nothing" },
	[LEVEL_MAY] = { .manual = "nothing; TLS is used if the server offers "
				  "it" },
	[LEVEL_NTLM_SEAL] = { .manual = "a log-on with NTLM, after which every "
					"octet is sealed; inside TLS as well "
					"if the server offers it. RC4: see "
					"below what that is worth" },
	[LEVEL_ENCRYPT] = { .manual = "TLS, whoever answers" },
	[LEVEL_VERIFY] = { .manual = "TLS, the certificate is valid, from a "
				     "trusted CA, and for a name in `match`" },
	[LEVEL_PIN] = { .value = "sha256:... [sha256:...]",
			.manual = "TLS, and the server has one of these public "
				  "keys (SHA-256 of the SubjectPublicKeyInfo, "
				  "64 hexadecimal digits or base64). Name, CA "
				  "and date do not matter" },
};
