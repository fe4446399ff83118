/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_exec - a command becomes an answer, a question to confd, or a wish of
 * the front end.
 */
#include <stdlib.h>
#include <unistd.h>
#include "cli/cli_secret.h"
#include "proc/console/console.h"

/* --- commands --------------------------------------------------------------------- */
static bool show(enum command id, enum severity least)
{
	answer_begin();
	switch ((int)id) {
	case CMD_STATUS: show_status(); return true;
	case CMD_SESSIONS: show_sessions(false); return true;
	case CMD_SESSIONS_DETAIL: show_sessions(true); return true;
	case CMD_COUNTERS: show_counters(); return true;
	case CMD_LOG: show_log(least); return true;
	case CMD_ALARMS: show_alarms(); return true;
	case CMD_CAPTURE_SHOW: show_capture(); return true;
	case CMD_INTERFACES: show_interfaces(); return true;
	case CMD_ROUTES: show_routes(); return true;
	case CMD_PEERS: show_peers(); return true;
	case CMD_VERSION: show_version(); return true;
	case CMD_CLOCK: show_clock(); return true;
	default: return false;
	}
}

static unsigned exec_mode(const struct session *s)
{
	return s->mode | (s->tty || s->mode != MODE_EXEC ? 0 : MODE_DOOR);
}

static const char keys[] =
	"\n? lists what can come next, TAB completes it; words may be cut short\n"
	"as long as they stay unique.  COMMAND | include TEXT shows the lines\n"
	"with TEXT; exclude, begin, section and count work alike.\n"
	"^A ^E line ends   ^B ^F character   ^P ^N history   ^C stop   ^Z end\n"
	"^K ^U ^W cut      ^Y put back       ^L draw again   ^D log out\n";

static void help(struct session *s)
{
	answer_begin();
	cli_print_commands(&K.words, exec_mode(s), &K.answer);
	text_str(&K.answer, s->tty ? keys : "");
	answer_take(s);
	answer_done(s, true);
}

static void tech_support(struct session *s)
{
	static const struct question all[] = {
		{ IPC_CONF_ASK, CONF_OP_SECURITY, 0, "\n=== show security\n",
		  NULL },
		{ IPC_CONF_ASK, CONF_OP_CRYPTO, 0, "\n=== show crypto\n",
		  NULL },
		{ IPC_CONF_ASK, CONF_OP_HISTORY, 0, "\n=== show history\n",
		  NULL },
		{ IPC_CONF_ASK, CONF_OP_LEARNED, 0, "\n=== show learned\n",
		  NULL },
		{ IPC_CONF_ASK, CONF_OP_RUNNING, 0,
		  "\n=== show running-config\n", NULL },
	};
	static const struct {
		enum command id;
		const char *heading;
	} local[] = { { CMD_VERSION, "=== show version\n" },
		      { CMD_CLOCK, "\n=== show clock\n" },
		      { CMD_STATUS, "\n=== show status\n" },
		      { CMD_ALARMS, "\n=== show alarms\n" },
		      { CMD_INTERFACES, "\n=== show interfaces\n" },
		      { CMD_ROUTES, "\n=== show routes\n" },
		      { CMD_PEERS, "\n=== show peers\n" },
		      { CMD_SESSIONS_DETAIL, "\n=== show sessions detail\n" },
		      { CMD_COUNTERS, "\n=== show counters\n" },
		      { CMD_LOG, "\n=== show log\n" } };

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		answer_say(s, local[i].heading);
		show(local[i].id, SEV_INFO);
		answer_take(s);
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ask_add(s, all[i]);
	ask_all(s, SPAN_LIT(""));
}

/* session 0: the last refusal. */
static void explain(struct session *s, uint64_t session)
{
	answer_begin();
	if (session != 0)
		explain_session(session);
	else
		explain_last();
	answer_take(s);
	answer_done(s, true);
}

static void factory(struct session *s)
{
	ask_one(s, CONF_OP_FACTORY, 0, (struct span){ NULL, 0 },
		"the factory default is in force, and no password is set\n");
}

/* What stands in the line behind words that the table spells. */
static struct span behind(const struct session *s, const char *words)
{
	return span_str(s->spelled + strlen(words));
}

static void delete_key(struct session *s)
{
	ask_one(s, CONF_OP_KEY_DELETE, 0, behind(s, "crypto key delete "),
		"it is gone\n");
}

/* The name, or nothing for all of them; "pin" behind it may follow. */
static void accept_learned(struct session *s)
{
	struct span name = behind(s, "learned accept ");
	const uint8_t *blank = memchr(name.p, ' ', name.n);

	if (blank)
		name.n = (size_t)(blank - name.p);
	if (span_eq(name, SPAN_LIT("all")))
		name.n = 0;
	ask_one(s, CONF_OP_ACCEPT, s->command == CMD_LEARNED_PIN, name, NULL);
}

static void clear_learned(struct session *s)
{
	ask_one(s, CONF_OP_FORGET, 0, (struct span){ NULL, 0 }, "forgotten\n");
}

static const char confirm_said[] =
	"in force for now: \"confirm\" keeps it, otherwise it is taken back\n";

/* Commands that are one question. */
static bool question(struct session *s, int id, struct span arg)
{
	struct span none = { NULL, 0 };
	uint64_t n = arg.n > 0 ? cli_number(arg) : 0;

	switch (id) {
	case CMD_RUNNING: ask_one(s, CONF_OP_RUNNING, 0, none, NULL); break;
	case CMD_CANDIDATE: ask_one(s, CONF_OP_CANDIDATE, 0, none, NULL); break;
	case CMD_COMPARE:
		ask_one(s, CONF_OP_COMPARE, arg.n > 0 ? n : UINT64_MAX, none,
			"no difference\n");
		break;
	case CMD_HISTORY:
		ask_one(s, CONF_OP_HISTORY, 0, none, "nothing is stored\n");
		break;
	case CMD_DOMAIN: ask_one(s, CONF_OP_DOMAIN, 0, arg, NULL); break;
	case CMD_LEARNED: ask_one(s, CONF_OP_LEARNED, 0, arg, NULL); break;
	case CMD_CLEAR_LEARNED:
		ask_one(s, CONF_OP_FORGET, 0, arg, "forgotten\n");
		break;
	case CMD_SECURITY: ask_one(s, CONF_OP_SECURITY, 0, none, NULL); break;
	case CMD_CRYPTO: ask_one(s, CONF_OP_CRYPTO, 0, none, NULL); break;
	case CMD_KEY_GENERATE:
		ask_one(s, CONF_OP_KEY_GENERATE, 0,
			behind(s, "crypto key generate "), NULL);
		break;
	case CMD_KEY_CSR:
		ask_one(s, CONF_OP_KEY_CSR, 0, behind(s, "crypto csr "), NULL);
		break;
	case CMD_COMMIT:
		ask_one(s, CONF_OP_COMMIT, 0, none, "in force\n");
		break;
	case CMD_COMMIT_CHECK:
		ask_one(s, CONF_OP_COMMIT_CHECK, 0, none, "no error\n");
		break;
	case CMD_CONFIRMED:
		ask_one(s, CONF_OP_COMMIT, (arg.n > 0 ? n : 10) * 60, none,
			confirm_said);
		break;
	case CMD_CONFIRM:
		ask_one(s, CONF_OP_CONFIRM, 0, none, "confirmed\n");
		break;
	case CMD_ROLLBACK:
		ask_one(s, CONF_OP_ROLLBACK, arg.n > 0 ? n : UINT64_MAX, none,
			"it is the candidate; \"commit\" puts it in force\n");
		break;
	case CMD_DISCARD:
		ask_one(s, CONF_OP_DISCARD, 0, none, "no changes are left\n");
		break;
	case CMD_RESCUE: ask_one(s, CONF_OP_RESCUE, 0, none, "saved\n"); break;
	case CMD_SETTING:
	case CMD_SETTING_SECRET:
		ask_one(s, CONF_OP_EDIT, 0, span_str(s->spelled), "");
		break;
	default: return false;
	}
	return true;
}

/* The password behind "password -", without its line end. */
static void door_password(struct session *s)
{
	char mem[CONSOLE_PASSWORD_MAX + 2];
	ssize_t n = pread(s->text_fd, mem, sizeof(mem), 0);
	struct span p = { (const uint8_t *)mem, n > 0 ? (size_t)n : 0 };

	answer_drop_text(s);
	while (p.n > 0 && (p.p[p.n - 1] == '\n' || p.p[p.n - 1] == '\r'))
		p.n--;
	if (cli_column(p, p.p + p.n) <= CONSOLE_PASSWORD_MIN ||
	    p.n > CONSOLE_PASSWORD_MAX || memchr(p.p, '\n', p.n))
		exec_fail(s, "a password is one line of 8 to 256 characters\n");
	else
		ask_one(s, CONF_OP_PASSWORD, 0, p, "the password is set\n");
	explicit_bzero(mem, sizeof(mem));
}

/* The text with a line in front; the old descriptor is closed. -1: no memory. */
static int with_first_line(const char *line, int text_fd)
{
	off_t n = lseek(text_fd, 0, SEEK_END);
	size_t at = strlen(line), size = n >= 0 ? at + 1 + (size_t)n : 0;
	char *mem = size > 0 ? malloc(size) : NULL;
	ssize_t got;
	int fd;

	if (!mem) {
		close(text_fd);
		return -1;
	}
	memcpy(mem, line, at);
	mem[at++] = '\n';
	got = pread(text_fd, mem + at, (size_t)n, 0);
	close(text_fd);
	fd = exec_text_fd((struct span){ (uint8_t *)mem,
					 at + (got > 0 ? (size_t)got : 0) });
	explicit_bzero(mem, size); /* it may have been a private key */
	free(mem);
	return fd;
}

static void import_key(struct session *s)
{
	s->text_fd = with_first_line(s->spelled, s->text_fd);
	if (s->text_fd < 0)
		exec_fail(s, "no memory for the text\n");
	else
		ask_one(s, CONF_OP_KEY_IMPORT, 0, (struct span){ NULL, 0 },
			NULL);
}

void exec_text(struct session *s, int text_fd)
{
	int id = s->command;

	s->text_fd = text_fd;
	switch (id) {
	case CMD_KEY_IMPORT: import_key(s); break;
	case CMD_LOAD_REPLACE:
		ask_one(s, CONF_OP_REPLACE, 0, (struct span){ NULL, 0 },
			"it is the candidate; \"commit\" puts it in force\n");
		break;
	case CMD_LOAD_MERGE:
	case CMD_SETTING_TEXT:
		ask_one(s, CONF_OP_EDIT, 0, (struct span){ NULL, 0 }, "");
		break;
	case CMD_CHECK:
	case CMD_LOAD:
		ask_add(s, (struct question){ id == CMD_CHECK ? IPC_CONF_CHECK
							      : IPC_CONF_LOAD,
					      CONF_OP_EDIT, 0, NULL,
					      "no error\n" });
		ask_all(s, (struct span){ NULL, 0 });
		break;
	case CMD_PASSWORD: door_password(s); break;
	case CMD_UPGRADE: flash_ask(s, FLASH_OP_INSTALL); break;
	case CMD_UPGRADE_OLDER: flash_ask(s, FLASH_OP_INSTALL_OLDER); break;
	default: exec_fail(s, "this command takes no text\n"); break;
	}
}

const char *exec_is_it_meant(const struct session *s)
{
	switch (s->command) {
	case CMD_KEY_DELETE: return "The key will be lost. yes or no? ";
	case CMD_RELOAD: return "The box will restart. yes or no? ";
	case CMD_LEARNED_ACCEPT:
	case CMD_LEARNED_PIN: return "Lines for the candidate. yes or no? ";
	case CMD_CLEAR_LEARNED_ALL:
		return "All of it will be forgotten. yes or no? ";
	case CMD_PEER_PIN: return "Is it the same key? yes or no? ";
	case CMD_FACTORY: return "All settings will be lost. yes or no? ";
	default: return "yes or no? ";
	}
}

const char *exec_what_is_meant(const struct session *s)
{
	return s->command == CMD_PEER_PIN ? peers_meant(s) : "";
}

void exec_yes(struct session *s)
{
	switch (s->command) {
	case CMD_KEY_DELETE: delete_key(s); break;
	case CMD_RELOAD: boss_reload(s, 0); break;
	case CMD_LEARNED_ACCEPT:
	case CMD_LEARNED_PIN: accept_learned(s); break;
	case CMD_CLEAR_LEARNED_ALL: clear_learned(s); break;
	case CMD_PEER_PIN: peers_pin(s); break;
	case CMD_FACTORY: factory(s); break;
	default: exec_fail(s, "nothing was asked\n"); break;
	}
}

/* A text command, with the text that came, or the wish for it. */
static enum wish with_text(struct session *s, int text_fd, enum wish wish)
{
	if (text_fd < 0 && s->tty)
		return wish;
	if (text_fd < 0) {
		exec_fail(s, "\"-\" must follow, and then the text itself; a "
			     "file cannot be named here\n");
		return WISH_ANSWER;
	}
	if (s->command == CMD_SETTING_TEXT) {
		/* the command itself is the first line of the text */
		text_fd = with_first_line(s->spelled, text_fd);
		if (text_fd < 0) {
			exec_fail(s, "no memory for the text\n");
			return WISH_ANSWER;
		}
	}
	exec_text(s, text_fd);
	return WISH_ANSWER;
}

static enum wish only_at_a_terminal(struct session *s, enum wish wish)
{
	if (s->tty)
		return wish;
	exec_fail(s, "only at a terminal\n");
	return WISH_ANSWER;
}

static enum wish change_mode(struct session *s, enum console_mode mode)
{
	s->mode = mode;
	answer_done(s, true);
	return WISH_ANSWER;
}

/* What is about this session, or about what consoles show. */
static enum wish about_session(struct session *s, int id, struct span arg)
{
	struct tty *t = s->tty ? (struct tty *)s : NULL;

	switch (id) {
	case CMD_CONFIGURE: return change_mode(s, MODE_CONFIG);
	case CMD_DISABLE: return change_mode(s, MODE_VIEW);
	case CMD_ENABLE: return only_at_a_terminal(s, WISH_ENABLE);
	case CMD_END: return change_mode(s, MODE_EXEC);
	case CMD_EXIT:
		if (s->mode == MODE_CONFIG)
			return change_mode(s, MODE_EXEC);
		return WISH_LEAVE;
	case CMD_LOGOUT: return WISH_LEAVE;
	case CMD_CLEAR_COUNTERS: figures_clear(); break;
	case CMD_CLEAR_LOG: log_clear(); break;
	case CMD_CLEAR_REFUSALS: log_clear_refusals(); break;
	case CMD_CLEAR_ALARMS: clear_alarms(); break;
	case CMD_LENGTH:
		if (t)
			t->rows = (unsigned)cli_number(arg);
		break;
	case CMD_TERMINAL_MONITOR:
	case CMD_TERMINAL_QUIET:
		if (t)
			t->monitor = id == CMD_TERMINAL_MONITOR;
		break;
	case CMD_TIMEOUT:
		if (t) {
			t->idle_ms = cli_number(arg) * 1000;
			t->own_idle = true;
		}
		break;
	default: exec_fail(s, "not known here\n"); return WISH_ANSWER;
	}
	answer_done(s, true);
	return WISH_ANSWER;
}

/* The severity that a command of the log names. */
static enum severity least(const char *words)
{
	for (enum severity v = SEV_ALARM; v > SEV_INFO; v--)
		if (strstr(words, severity_name(v)))
			return v;
	return SEV_INFO;
}

/* The command that a file comes for, instead of a text; 0: for none. */
static int takes_file(int id)
{
	switch (id) {
	case CMD_LOAD_REPLACE_XMODEM: return CMD_LOAD_REPLACE;
	case CMD_LOAD_MERGE_XMODEM: return CMD_LOAD_MERGE;
	case CMD_KEY_IMPORT_XMODEM: return CMD_KEY_IMPORT;
	case CMD_UPGRADE_XMODEM: return CMD_UPGRADE;
	case CMD_UPGRADE_OLDER_XMODEM: return CMD_UPGRADE_OLDER;
	default: return 0;
	}
}

/* A command that neither shows nor asks confd: it is done, or somebody is asked. */
static enum wish act(struct session *s, int id, const struct cli_matched *m,
		     struct span arg)
{
	switch (id) {
	case CMD_HELP: help(s); return WISH_ANSWER;
	case CMD_TECH: tech_support(s); return WISH_ANSWER;
	case CMD_LOG_FOLLOW: return only_at_a_terminal(s, WISH_FOLLOW);
	case CMD_MONITOR: return only_at_a_terminal(s, WISH_MONITOR);
	case CMD_WATCH: return only_at_a_terminal(s, WISH_WATCH);
	case CMD_FACTORY:
	case CMD_KEY_DELETE:
	case CMD_RELOAD:
	case CMD_LEARNED_ACCEPT:
	case CMD_LEARNED_PIN:
	case CMD_CLEAR_LEARNED_ALL:
		if (s->tty)
			return WISH_YES;
		exec_yes(s);
		return WISH_ANSWER;
	case CMD_PEER_PIN: return peers_ask(s);
	case CMD_IMAGE: flash_ask(s, FLASH_OP_SHOW); return WISH_ANSWER;
	case CMD_CRASHES: flash_ask(s, FLASH_OP_CRASHES); return WISH_ANSWER;
	case CMD_UPGRADE_CONFIRM:
		flash_ask(s, FLASH_OP_CONFIRM);
		return WISH_ANSWER;
	case CMD_EXPLAIN:
	case CMD_EXPLAIN_LAST:
		explain(s, id == CMD_EXPLAIN ? cli_number(arg) : 0);
		return WISH_ANSWER;
	case CMD_VERIFY: verify_ask(s); return WISH_ANSWER;
	case CMD_PROBE: probe_ask(s, m); return WISH_ANSWER;
	case CMD_CAPTURE: capture_start(s, m); return WISH_ANSWER;
	case CMD_CAPTURE_STOP: capture_stop(s); return WISH_ANSWER;
	case CMD_CAPTURE_EXPORT:
		if (s->tty)
			capture_export(s);
		return only_at_a_terminal(s, WISH_ANSWER);
	case CMD_CAPTURE_TFTP: capture_send(s); return WISH_ANSWER;
	case CMD_UPGRADE:
	case CMD_UPGRADE_OLDER: flash_fetch(s, m); return WISH_ANSWER;
	case CMD_RELOAD_IN: boss_reload(s, cli_number(arg)); return WISH_ANSWER;
	case CMD_RELOAD_CANCEL: boss_reload_cancel(s); return WISH_ANSWER;
	case CMD_CLOCK_SET: boss_clock(s, arg); return WISH_ANSWER;
	default: return about_session(s, id, arg);
	}
}

static enum wish run(struct session *s, const struct cli_matched *m,
		     int text_fd)
{
	int id = m->command->id;
	struct span arg = { NULL, 0 };

	if (m->argument_n > 0)
		arg = m->argument[m->argument_n - 1];
	s->command = id;
	s->least = least(m->command->words);
	if (id == CMD_KEY_IMPORT || id == CMD_KEY_IMPORT_XMODEM) {
		struct text name; /* it comes first, then the text */

		text_init(&name, s->spelled, sizeof(s->spelled));
		text_span(&name, arg);
	}
	switch (id) {
	case CMD_KEY_IMPORT:
	case CMD_CHECK:
	case CMD_LOAD:
	case CMD_LOAD_REPLACE:
	case CMD_LOAD_MERGE:
	case CMD_SETTING_TEXT: return with_text(s, text_fd, WISH_TEXT);
	case CMD_PASSWORD: return with_text(s, text_fd, WISH_PASSWORD);
	default: break;
	}
	if (text_fd >= 0) {
		close(text_fd);
		exec_fail(s, "this command takes no text\n");
		return WISH_ANSWER;
	}
	if (show((enum command)id, s->least)) {
		answer_take(s);
		answer_done(s, true);
		return WISH_ANSWER;
	}
	if (question(s, id, arg))
		return WISH_ANSWER;
	if (takes_file(id) != 0) {
		s->command = takes_file(id);
		return only_at_a_terminal(s, WISH_XMODEM);
	}
	return act(s, id, m, arg);
}

/* "show foo -" and its text: the line without the "-". */
static struct span without_dash(struct span line)
{
	while (line.n > 0 && line.p[line.n - 1] != '-')
		line.n--;
	line.n -= line.n > 0;
	return line;
}

/* A line in (config)# is a setting, unless it begins with a word of its own;
 * bars in a setting are text. */
static int look(struct session *s, unsigned mode, struct span line,
		struct cli_matched *m, struct text *why)
{
	struct span command;
	int r = cli_match(&K.words, mode, line, m, why);

	s->pipe.n = 0;
	if (r == OK && (!m->command || m->command->id >= CMD_SETTING))
		return OK;
	if (r == OK && m->command->id == CMD_DO)
		return OK; /* it has a line of its own */
	text_init(why, why->p, why->size);
	m->column = 0; /* a pipe's reason names the column itself */
	r = cli_pipe_cut(line, &command, &s->pipe, why);
	if (r != OK)
		return r;
	return cli_match(&K.words, mode, command, m, why);
}

enum wish exec_line(struct session *s, struct span line, int text_fd)
{
	char mem[4096];
	struct cli_matched m;
	struct text why, spelled;
	unsigned mode = exec_mode(s);
	int r;

	exec_stop(s);
	s->line_n = line.n < sizeof(s->line) ? line.n : sizeof(s->line);
	memmove(s->line, line.p, s->line_n);
	line = (struct span){ s->line, s->line_n };
	s->secret = cli_secret_at(line) < line.n;
	s->command = 0;
	if (text_fd >= 0)
		line = without_dash(line);
	text_init(&why, mem, sizeof(mem));
	r = look(s, mode, line, &m, &why);
	if (r == OK && m.command && m.command->id == CMD_DO) {
		line = m.argument[0];
		mode = MODE_EXEC;
		r = look(s, mode, line, &m, &why);
		if (m.column > 0)
			m.column += cli_column(
					    (struct span){ s->line, s->line_n },
					    line.p) -
				    1;
	}
	if (r != OK || !m.command) {
		if (text_fd >= 0)
			close(text_fd);
		if (r == OK)
			answer_done(s, true);
		else if (m.column > 0)
			answer_fail_at(s, m.column, NULL, why.p, why.n);
		else
			exec_fail(s, (text_str(&why, "\n"), why.p));
		return WISH_ANSWER;
	}
	if (cli_pipe_to_file(&s->pipe) && !s->tty) {
		if (text_fd >= 0)
			close(text_fd);
		return only_at_a_terminal(s, WISH_ANSWER);
	}
	text_init(&spelled, s->spelled, sizeof(s->spelled));
	cli_spell(&m, &spelled);
	return run(s, &m, text_fd);
}

/* --- what could come next --------------------------------------------------------- */
/* Behind a bar: the words of pipes. */
static void pipe_options(struct span before, struct cli_options *o)
{
	size_t at = before.n;

	while (at > 0 && before.p[at - 1] != '|')
		at--;
	before = span_skip(before, at);
	while (before.n > 0 && before.p[0] == ' ')
		before = span_skip(before, 1);
	*o = (struct cli_options){ .part = before };
	if (memchr(before.p, ' ', before.n))
		return; /* the text to look for */
	for (enum cli_pipe_op op = PIPE_INCLUDE; op < PIPE_OPS; op++) {
		struct span w = span_str(cli_pipe_word(op));

		if (before.n <= w.n &&
		    span_eq_nocase(before, (struct span){ w.p, before.n }))
			o->option[o->n++] = (struct cli_option){
				.word = w, .help = cli_pipe_help(op)
			};
	}
}

void exec_options(struct session *s, struct span before, struct cli_options *o)
{
	unsigned mode = exec_mode(s);
	struct cli_matched m;
	struct cli_pipe pipe;
	struct span command;
	struct text why;
	char mem[200];

	text_init(&why, mem, sizeof(mem));
	if (cli_match(&K.words, mode, before, &m, &why) == OK && m.command &&
	    m.command->id == CMD_DO && m.argument[0].n > 0) {
		before = (struct span){ m.argument[0].p,
					(size_t)(before.p + before.n -
						 m.argument[0].p) };
		mode = MODE_EXEC;
	} else if (m.command && m.command->id >= CMD_SETTING) {
		cli_options(&K.words, mode, before, o);
		return;
	}
	text_init(&why, mem, sizeof(mem));
	if (cli_pipe_cut(before, &command, &pipe, &why) != OK ||
	    command.n != before.n)
		pipe_options(before, o);
	else
		cli_options(&K.words, mode, before, o);
}

void session_init(struct session *s, bool tty)
{
	*s = (struct session){ .used = true, .tty = tty, .text_fd = -1 };
	s->mode = MODE_EXEC;
}
