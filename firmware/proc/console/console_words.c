/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_words - the table of commands. What is done with the box stands below;
 * what is set comes from conf_schema, so that a new setting has its completion
 * and its help at once, and cli does not need to know of configurations.
 */
#include "conf/conf_schema.h"
#include "proc/console/console.h"

enum {
	ROWS = 320,
	ROOM = 16384,
	BOTH = MODE_EXEC | MODE_CONFIG,
	ALL = BOTH | MODE_VIEW
};

#define ROW(words, id, modes, help)                \
	{                                          \
		words, id, modes, help, 0, 0, NULL \
	}
#define NUM(words, id, modes, help, min, max)          \
	{                                              \
		words, id, modes, help, min, max, NULL \
	}

/* The log from one severity on. */
#define LOG(least, help)                                              \
	ROW("show log " least, CMD_LOG, ALL, help),                   \
		ROW("show log " least " follow", CMD_LOG_FOLLOW, ALL, \
		    "the last lines and new ones, until ^C")

#define KEYS_OF(type, help) \
	ROW("crypto key generate " type " KEY", CMD_KEY_GENERATE, BOTH, help)

/* What is behind words may be limited in octets. */
#define BYTES(words)                                      \
	NUM(words " bytes BYTES", CMD_CAPTURE, MODE_EXEC, \
	    "of memory, otherwise 1048576", 65536, 16777216)
#define TCP_PORT(words)                                             \
	NUM(words " port NUMBER", CMD_CAPTURE, MODE_EXEC,           \
	    "only what comes from or goes to this port", 1, 65535), \
		BYTES(words " port NUMBER")
#define HOST(words)                                        \
	ROW(words " host ADDRESS", CMD_CAPTURE, MODE_EXEC, \
	    "only what comes from or goes to this host"),  \
		BYTES(words " host ADDRESS"), TCP_PORT(words " host ADDRESS")
#define CAPTURE(port, help)                                                    \
	ROW("capture start " port, CMD_CAPTURE, MODE_EXEC, help),              \
		BYTES("capture start " port), TCP_PORT("capture start " port), \
		HOST("capture start " port)

static const struct cli_command commands[] = {
	ROW("show", 0, ALL, "what the box knows"),
	ROW("show status", CMD_STATUS, ALL, "the box on one screen"),
	ROW("show sessions", CMD_SESSIONS, ALL, "mail sessions at this moment"),
	ROW("show sessions detail", CMD_SESSIONS_DETAIL, ALL,
	    "all that is known of each"),
	ROW("show counters", CMD_COUNTERS, ALL, "every counter"),
	ROW("show log", CMD_LOG, ALL, "what happened, oldest first"),
	ROW("show log follow", CMD_LOG_FOLLOW, ALL,
	    "the last lines and new ones, until ^C"),
	LOG("notice", "without what is routine"),
	LOG("warning", "warnings and alarms"),
	LOG("alarm", "alarms alone"),
	ROW("show alarms", CMD_ALARMS, ALL,
	    "what must not stay unseen, since when and how often"),
	ROW("show interfaces", CMD_INTERFACES, ALL, "ports and their frames"),
	ROW("show version", CMD_VERSION, ALL, "what runs here, since when"),
	ROW("show clock", CMD_CLOCK, ALL, "the time, in UTC"),
	ROW("show running-config", CMD_RUNNING, BOTH,
	    "the configuration in force"),
	ROW("show candidate-config", CMD_CANDIDATE, BOTH,
	    "the configuration that commit would put in force"),
	ROW("show compare", CMD_COMPARE, BOTH, "what commit would change"),
	NUM("show compare NUMBER", CMD_COMPARE, BOTH,
	    "stored configuration, 0 is the last one", 0, 1000000),
	ROW("show history", CMD_HISTORY, BOTH, "stored configurations"),
	ROW("show domain NAME", CMD_DOMAIN, ALL,
	    "which line applies to a domain, and what happened lately"),
	ROW("show security", CMD_SECURITY, BOTH,
	    "what keeps the secrets of this box"),
	ROW("show crypto", CMD_CRYPTO, BOTH, "keys and certificates"),
	ROW("show tech-support", CMD_TECH, BOTH, "all of it, for a report"),
	ROW("show routes", CMD_ROUTES, ALL,
	    "where the hosts of routes are, and what went wrong"),
	ROW("show peers", CMD_PEERS, ALL,
	    "other boxes that mail has met, and the key of this one"),
	ROW("peer", 0, BOTH, "another box"),
	ROW("peer pin NAME", CMD_PEER_PIN, BOTH,
	    "its key alone is taken for the domain; asks before"),
	ROW("peer pin NAME FINGERPRINT", CMD_PEER_PIN, BOTH,
	    "the same, with this key"),
	ROW("show learned", CMD_LEARNED, ALL,
	    "what domains were seen to have, and what is required since"),
	ROW("show learned NAME", CMD_LEARNED, ALL, "of one, with its keys"),
	ROW("learned", 0, BOTH, "what domains were seen to have"),
	ROW("learned accept", 0, BOTH,
	    "lines for the candidate: TLS as it was seen; asks before"),
	ROW("learned accept all", CMD_LEARNED_ACCEPT, BOTH,
	    "for all domains whose rule learns"),
	ROW("learned accept NAME", CMD_LEARNED_ACCEPT, BOTH, "for one"),
	ROW("learned accept all pin", CMD_LEARNED_PIN, BOTH,
	    "to the keys that were seen alone"),
	ROW("learned accept NAME pin", CMD_LEARNED_PIN, BOTH,
	    "to the keys that were seen alone"),
	ROW("explain", 0, ALL, "why a recipient was refused, step by step"),
	ROW("explain last", CMD_EXPLAIN_LAST, ALL, "the last one"),
	NUM("explain SESSION", CMD_EXPLAIN, ALL,
	    "the number behind \"explain\" in the refusal", 1, UINT32_MAX),
	ROW("verify", CMD_VERIFY, BOTH,
	    "test the watch over the outside port, and say what it has seen"),
	{ "probe NAME OPTION...", CMD_PROBE, MODE_EXEC,
	  "talk to the server of a domain, or to a host, as mail would", 0, 0,
	  "port from resolver level" },
	ROW("show capture", CMD_CAPTURE_SHOW, BOTH,
	    "how many frames were captured"),
	ROW("watch", CMD_WATCH, MODE_EXEC, "the next session, live, until ^C"),
	ROW("watch domain NAME", CMD_WATCH, MODE_EXEC,
	    "the next one with a recipient there"),
	ROW("watch peer ADDRESS", CMD_WATCH, MODE_EXEC,
	    "the next one of this host"),
	ROW("capture", 0, MODE_EXEC, "frames of mail into a file"),
	ROW("capture start", 0, MODE_EXEC, "from now on, until it is full"),
	CAPTURE("inside", "between the mail server and the box"),
	CAPTURE("outside", "between the box and the world"),
	CAPTURE("both", "one beside the other"),
	ROW("capture stop", CMD_CAPTURE_STOP, MODE_EXEC, "that is enough"),
	ROW("capture export", 0, MODE_EXEC, "the file, pcapng"),
	ROW("capture export xmodem", CMD_CAPTURE_EXPORT, MODE_EXEC,
	    "over this line"),
	ROW("capture export tftp HOST FILE", CMD_CAPTURE_TFTP, MODE_EXEC,
	    "over the management port"),
	ROW("reload", CMD_RELOAD, MODE_EXEC, "restart the box"),
	NUM("reload in MINUTES", CMD_RELOAD_IN, MODE_EXEC,
	    "in a while, unless it is cancelled", 1, 10080),
	ROW("reload cancel", CMD_RELOAD_CANCEL, MODE_EXEC,
	    "no restart in a while"),
	ROW("clock", 0, MODE_EXEC, "the time of the box"),
	ROW("clock set TIME", CMD_CLOCK_SET, MODE_EXEC,
	    "in UTC: 2026-11-24T05:53:07Z"),
	ROW("show image", CMD_IMAGE, BOTH, "the slots and what is in them"),
	ROW("show crash", CMD_CRASHES, BOTH, "why the box restarted by itself"),
	ROW("upgrade", 0, MODE_EXEC, "another image"),
	ROW("upgrade tftp HOST FILE", CMD_UPGRADE, MODE_EXEC,
	    "fetch it over the management port; reload starts it"),
	ROW("upgrade tftp HOST FILE downgrade", CMD_UPGRADE_OLDER, MODE_EXEC,
	    "even if it is older"),
	ROW("upgrade xmodem", CMD_UPGRADE_XMODEM, MODE_EXEC,
	    "the same over this line, in about five minutes"),
	ROW("upgrade xmodem downgrade", CMD_UPGRADE_OLDER_XMODEM, MODE_EXEC,
	    "even if it is older"),
	ROW("upgrade confirm", CMD_UPGRADE_CONFIRM, MODE_EXEC,
	    "what runs is good; do not wait until it is proven"),
	ROW("clear", 0, MODE_EXEC, "begin to count or to show anew"),
	ROW("clear counters", CMD_CLEAR_COUNTERS, MODE_EXEC,
	    "count from here on"),
	ROW("clear log", CMD_CLEAR_LOG, MODE_EXEC, "show lines from here on"),
	ROW("clear alarms", CMD_CLEAR_ALARMS, MODE_EXEC,
	    "show those that happen from here on, and those that stand"),
	ROW("clear learned", 0, MODE_EXEC, "forget what domains had"),
	ROW("clear learned all", CMD_CLEAR_LEARNED_ALL, MODE_EXEC,
	    "of all of them; asks before"),
	ROW("clear learned NAME", CMD_CLEAR_LEARNED, MODE_EXEC,
	    "of one: its mail may leave as its rule says again"),
	ROW("clear refusals", CMD_CLEAR_REFUSALS, MODE_EXEC,
	    "show refusals from here on"),
	ROW("disable", CMD_DISABLE, MODE_EXEC,
	    "leave this terminal to whoever wants to look"),
	ROW("enable", CMD_ENABLE, MODE_VIEW, "back to #, with the password"),
	ROW("configure", CMD_CONFIGURE, MODE_EXEC, "change settings"),
	ROW("configure terminal", CMD_CONFIGURE, MODE_EXEC, "the same"),
	/* what fingers type, although confirm begins so too */
	ROW("conf", CMD_CONFIGURE, MODE_EXEC, NULL),
	ROW("conf terminal", CMD_CONFIGURE, MODE_EXEC, NULL),
	ROW("commit", CMD_COMMIT, BOTH, "put the candidate in force"),
	ROW("commit check", CMD_COMMIT_CHECK, BOTH, "would it be accepted"),
	NUM("commit confirmed", CMD_CONFIRMED, BOTH,
	    "take it back unless confirm comes", 0, 0),
	NUM("commit confirmed MINUTES", CMD_CONFIRMED, BOTH,
	    "time to confirm, otherwise 10", 1, 1440),
	ROW("confirm", CMD_CONFIRM, BOTH, "keep what commit confirmed did"),
	NUM("rollback NUMBER", CMD_ROLLBACK, BOTH,
	    "candidate from a stored configuration, 0 is the last one", 0,
	    1000000),
	ROW("rollback rescue", CMD_ROLLBACK, BOTH,
	    "candidate from the rescue copy"),
	ROW("discard", CMD_DISCARD, BOTH,
	    "candidate from the running configuration"),
	ROW("load", CMD_LOAD_REPLACE, BOTH,
	    "a text that is pasted becomes the candidate"),
	ROW("load replace", CMD_LOAD_REPLACE, BOTH, "the same"),
	ROW("load replace xmodem", CMD_LOAD_REPLACE_XMODEM, BOTH,
	    "the same, from a file"),
	ROW("load merge", CMD_LOAD_MERGE, BOTH,
	    "the lines of the text change the candidate"),
	ROW("load merge xmodem", CMD_LOAD_MERGE_XMODEM, BOTH,
	    "the same, from a file"),
	ROW("rescue", 0, BOTH, "the copy of last resort"),
	ROW("rescue save", CMD_RESCUE, BOTH,
	    "the running configuration becomes the rescue copy"),
	ROW("crypto", 0, BOTH, "private keys and their certificates"),
	ROW("crypto key", 0, BOTH, "private keys"),
	ROW("crypto key generate", 0, BOTH, "make one"),
	KEYS_OF("ecdsa", "small and quick, for all but very old servers"),
	ROW("crypto key generate ecdsa 256 KEY", CMD_KEY_GENERATE, BOTH,
	    "P-256, as without bits"),
	ROW("crypto key generate ecdsa 384 KEY", CMD_KEY_GENERATE, BOTH,
	    "P-384"),
	KEYS_OF("rsa", "for everybody; takes seconds to minutes"),
	ROW("crypto key generate rsa 2048 KEY", CMD_KEY_GENERATE, BOTH,
	    "the least"),
	ROW("crypto key generate rsa 3072 KEY", CMD_KEY_GENERATE, BOTH,
	    "as without bits"),
	ROW("crypto key generate rsa 4096 KEY", CMD_KEY_GENERATE, BOTH,
	    "the most"),
	ROW("crypto key delete KEY", CMD_KEY_DELETE, BOTH,
	    "forget one, with its certificates"),
	ROW("crypto csr KEY HOST...", CMD_KEY_CSR, BOTH,
	    "a request for a certificate: hosts, perhaps CN=NAME,O=NAME"),
	ROW("crypto import KEY", CMD_KEY_IMPORT, BOTH,
	    "certificates, and a key made elsewhere, that are pasted"),
	ROW("crypto import KEY xmodem", CMD_KEY_IMPORT_XMODEM, BOTH,
	    "the same, as a file"),
	ROW("factory-reset", CMD_FACTORY, MODE_EXEC,
	    "as it came from the factory"),
	ROW("password", CMD_PASSWORD, BOTH, "set the administrator's"),
	ROW("monitor", CMD_MONITOR, ALL,
	    "show status again each second, until a key"),
	ROW("terminal", 0, ALL, "this terminal, until logout"),
	NUM("terminal length ROWS", CMD_LENGTH, ALL,
	    "rows of the screen, 0: do not stop", 0, CLI_PAGE_ROWS_MAX),
	ROW("terminal monitor", 0, ALL, "warnings while you type"),
	ROW("terminal monitor on", CMD_TERMINAL_MONITOR, ALL, "show them"),
	ROW("terminal monitor off", CMD_TERMINAL_QUIET, ALL, "only in the log"),
	NUM("terminal timeout SECONDS", CMD_TIMEOUT, ALL,
	    "log out after so long without a key", 1, 86400),
	ROW("help", CMD_HELP, ALL, "all commands and keys"),
	ROW("exit", CMD_EXIT, ALL, "one mode back, or log out"),
	ROW("end", CMD_END, BOTH, "back to #"),
	ROW("logout", CMD_LOGOUT, ALL, "log out"),
	ROW("do COMMAND...", CMD_DO, MODE_CONFIG, "a command of #"),
	ROW("no", 0, MODE_CONFIG, "take a setting or domain away"),
	ROW("config check", CMD_CHECK, MODE_DOOR,
	    "is the text that follows a configuration without errors"),
	ROW("config load", CMD_LOAD, MODE_DOOR,
	    "put the text that follows into force, if it has no error"),
	ROW("KEY", 0, BOTH, "the name of a private key"),
	ROW("ACCOUNT", 0, BOTH, "a name for it, which rules use"),
	ROW("NAME", 0, ALL, "a domain, or (.partner.example) all below one"),
	ROW("FINGERPRINT", 0, BOTH, "sha256: and 64 hexadecimal digits"),
	ROW("FILE", 0, BOTH, "its name there"),
	ROW("TIME", 0, ALL, "2026-01-01 or 2026-01-01T00:00:00Z"),
	ROW("PORT...", 0, ALL, "TCP ports"),
	ROW("ADDRESS...", 0, BOTH, "up to three, 192.0.2.1 or 2001:db8::1"),
	ROW("HOSTNAME", 0, BOTH, "letters, digits, hyphens and dots"),
	ROW("TEXT", 0, BOTH, "printable ASCII, in quotes"),
	ROW("ADDRESS/LENGTH", 0, BOTH, "192.0.2.5/24 or 2001:db8::5/64"),
	ROW("ADDRESS", 0, BOTH, "192.0.2.1 or 2001:db8::1"),
	ROW("HOST", 0, BOTH,
	    "192.0.2.9 or 2001:db8::9; for syslog 192.0.2.9:514 too"),
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static struct cli_command rows[ROWS];
static char room[ROOM];
static size_t row_n, room_n;

/* a b c as one text that stays. */
static const char *words(const char *a, const char *b, const char *c)
{
	struct text t;

	if (room_n >= ROOM)
		return "";
	text_init(&t, room + room_n, ROOM - room_n);
	text_str(&t, a);
	text_str(&t, b);
	text_str(&t, c);
	if (t.cut)
		program_die(&K.prog, "more settings than words have room");
	room_n += t.n + 1;
	return t.p;
}

static struct cli_command *add(const char *w, int id, const char *help)
{
	if (row_n == ROWS)
		program_die(&K.prog, "more settings than there is room for");
	rows[row_n] =
		(struct cli_command){ w, id, MODE_CONFIG, help, 0, 0, NULL };
	return &rows[row_n++];
}

/* The attributes that can follow a level; of an account, without one. world: of
 * default. */
static const char *attributes(const struct conf_attr *attrs, size_t n,
			      const enum level *l, bool world)
{
	const char *list = "";

	for (size_t i = 0; i < n; i++)
		/* a route may come, and bring others with it */
		if (!l || (conf_attr_fits((enum conf_rule_attr)i, *l, true) &&
			   !(world && attrs[i].partner)))
			list = words(list, list[0] ? " " : "", attrs[i].word);
	return list;
}

static void levels(const struct conf_setting *c, const char *name)
{
	bool world = c->type == CONF_DEFAULT;

	for (enum level l = LEVEL_CLEAR; l < LEVELS; l++) {
		const char *start = words(c->words, name, level_name(l));
		struct cli_command *r;

		if (l == LEVEL_NTLM_SEAL && world)
			continue;
		r = add(words(start,
			      l == LEVEL_PIN ? " PIN..." : " ATTRIBUTE...", ""),
			CMD_SETTING, c->help);
		r->rest = attributes(conf_rule_attrs, CONF_RULE_ATTRS, &l,
				     world);
	}
}

static void inbound(const struct conf_setting *c, const char *need)
{
	struct cli_command *r;

	add(words(c->words, need, ""), CMD_SETTING, c->help);
	r = add(words(c->words, need, " ATTRIBUTE..."), CMD_SETTING, c->help);
	r->rest = attributes(conf_inbound_attrs, CONF_INBOUND_ATTRS, NULL,
			     false);
}

/* The rows of one setting. */
static void setting(const struct conf_setting *c)
{
	struct cli_command *r;

	if (c->type == CONF_CHOICE) {
		add(c->words, 0, c->help);
		for (int i = 0; i < 2; i++)
			add(words(c->words, " ", c->choices[i]), CMD_SETTING,
			    c->help);
	} else if (c->type == CONF_NUMBER) {
		r = add(words(c->words, " NUMBER", ""), CMD_SETTING, c->help);
		r->min = c->min;
		r->max = c->max;
	} else if (c->type == CONF_VLAN) {
		r = add(words(c->words, " NUMBER", ""), CMD_SETTING, c->help);
		r->min = 1;
		r->max = 4094;
		add(words(c->words, " none", ""), CMD_SETTING, c->help);
	} else if (c->type == CONF_HOSTS) {
		add(words(c->words, " ADDRESS...", ""), CMD_SETTING, c->help);
		add(words(c->words, " none", ""), CMD_SETTING, c->help);
	} else if (c->type == CONF_PORTS) {
		add(words(c->words, " PORT...", ""), CMD_SETTING, c->help);
	} else if (c->type == CONF_NAME) {
		add(words(c->words, " HOSTNAME", ""), CMD_SETTING, c->help);
	} else if (c->type == CONF_TEXT) {
		add(words(c->words, " TEXT", ""), CMD_SETTING, c->help);
		add(words(c->words, " none", ""), CMD_SETTING, c->help);
	} else if (c->type == CONF_PREFIX || c->type == CONF_ADDRESS ||
		   c->type == CONF_HOST) {
		add(words(c->words,
			  c->type == CONF_PREFIX ? " ADDRESS/LENGTH"
			  : c->type == CONF_HOST ? " HOST"
						 : " ADDRESS",
			  ""),
		    CMD_SETTING, c->help);
		add(words(c->words, " none", ""), CMD_SETTING, c->help);
	} else if (c->type == CONF_TIME) {
		add(words(c->words, " TIME", ""), CMD_SETTING, c->help);
	} else if (c->type == CONF_PEM) {
		add(c->words, CMD_SETTING_TEXT, c->help);
	} else if (c->type == CONF_ACCOUNT) {
		r = add(words(c->words, " ACCOUNT ATTRIBUTE...", ""),
			CMD_SETTING_SECRET, c->help);
		r->rest = attributes(conf_account_attrs, CONF_ACCOUNT_ATTRS,
				     NULL, false);
	} else if (c->type == CONF_PARTNER) {
		r = add(words(c->words, " ACCOUNT ATTRIBUTE...", ""),
			CMD_SETTING_SECRET, c->help);
		r->rest = attributes(conf_partner_attrs, CONF_PARTNER_ATTRS,
				     NULL, false);
	} else if (c->type == CONF_INBOUND) {
		inbound(c, " NAME tls");
		inbound(c, " NAME auth");
		inbound(c, " NAME seal");
	} else if (c->type == CONF_DEFAULT) {
		levels(c, " ");
	} else if (c->type == CONF_DOMAIN) {
		levels(c, " NAME ");
	} else {
		add(words(c->words, " VALUE...", ""),
		    c->secret ? CMD_SETTING_SECRET : CMD_SETTING, c->help);
	}
}

static void no_setting(const struct conf_setting *c)
{
	struct cli_command *r;

	if (conf_setting_named(c)) {
		add(words("no ", c->words,
			  c->type == CONF_ACCOUNT || c->type == CONF_PARTNER
				  ? " ACCOUNT"
				  : " NAME"),
		    CMD_SETTING, c->help);
		return;
	}
	if (c->type != CONF_PEM) {
		add(words("no ", c->words, ""), CMD_SETTING,
		    c->dflt ? words("back to ", c->dflt, "") : c->help);
		return;
	}
	r = add(words("no ", c->words, " NUMBER"), CMD_SETTING,
		"which one, in the order of the configuration");
	r->min = 1;
	r->max = 1000;
}

void words_init(void)
{
	memcpy(rows, commands, sizeof(commands));
	row_n = COMMANDS;
	for (size_t i = 0; i < conf_schema_n; i++)
		setting(&conf_schema[i]);
	for (size_t i = 0; i < conf_schema_n; i++)
		no_setting(&conf_schema[i]);
	K.words = (struct cli_table){ rows, row_n };
}
