/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_tty - one terminal: octets in and out, and what a key means now.
 *
 *	PRESS -> (console_login.c) -> LINE --command--> WAIT --> PAGE --> LINE
 *	                               | ^                \-> LINE
 *	                               | +-- TEXT, XMODEM, YES, FOLLOW, MONITOR,
 *	                               |     DEAF
 *	                               +--- logout, time-out, hang-up --> PRESS
 *
 * Input is taken only while there is room for what it makes us write, so a slow
 * line slows its own user down and nobody else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "proc/console/console.h"

enum { CTRL_C = 3 };

static void pump(struct tty *t);

/* --- output --------------------------------------------------------------------- */
void tty_put(struct tty *t, struct span s)
{
	if (buf_put(&t->out, s) != OK)
		buf_init(&t->out, t->out_mem, sizeof(t->out_mem));
}

/* Text for people: line ends, width and foreign octets are cli_page's care. */
void tty_text(struct tty *t, struct span s)
{
	struct cli_page p;

	cli_page_init(&p, s, 0);
	while (p.state != CLI_PAGE_END) {
		char mem[1024];
		struct text out;

		text_init(&out, mem, sizeof(mem));
		cli_page_next(&p, &out);
		tty_put(t, text_done(&out));
	}
}

void tty_say(struct tty *t, const char *s)
{
	tty_text(t, span_str(s));
}

void tty_edit(struct tty *t, void (*what)(struct cli_edit *, struct text *))
{
	char mem[CLI_EDIT_OUT + 1];
	struct text out;

	text_init(&out, mem, sizeof(mem));
	what(&t->edit, &out);
	tty_put(t, text_done(&out));
}

/* --- states ----------------------------------------------------------------------- */
void tty_ask(struct tty *t, enum tty_state state, const char *prompt,
	     unsigned flags)
{
	t->state = state;
	cli_edit_begin(&t->edit, prompt, flags);
	tty_edit(t, cli_edit_show);
}

void tty_prompt(struct tty *t)
{
	char mem[CLI_EDIT_PROMPT + 1];
	struct text p;

	text_init(&p, mem, sizeof(mem));
	text_str(&p, K.box.name);
	text_str(&p, t->s.mode == MODE_CONFIG ? "(config)# "
		     : t->s.mode == MODE_VIEW ? "> "
					      : "# ");
	t->s.prompt_n = (unsigned)p.n;
	tty_ask(t, TTY_LINE, mem, 0);
}

void tty_drop_page(struct tty *t)
{
	free(t->paged);
	t->paged = NULL;
	t->keep_line = false;
}

static void reset(struct tty *t)
{
	exec_stop(&t->s);
	session_init(&t->s, true);
	tty_drop_page(t);
	if (t->text_fd >= 0)
		close(t->text_fd);
	t->text_fd = -1;
	explicit_bzero(t->password, sizeof(t->password));
	cli_edit_forget(&t->edit);
	cli_edit_begin(&t->edit, "", 0);
	t->logged_in = false;
	lost_forget(t);
	t->rows = CLI_PAGE_ROWS;
	t->monitor = true;
	t->idle_ms = K.box.idle_s * 1000ull;
	t->own_idle = false;
	t->state = TTY_PRESS;
}

void tty_leave(struct tty *t, const char *why)
{
	if (t->logged_in)
		program_log(&K.prog, SEV_NOTICE, "event=logout terminal=%u",
			    t->index);
	reset(t);
	if (why)
		tty_say(t, why);
	box_welcome(t);
}

/* An answer, page by page; keep: the line that is typed goes on behind it. */
static void show_page(struct tty *t, char *text, size_t n, bool keep)
{
	tty_drop_page(t);
	t->paged = text;
	t->keep_line = keep;
	cli_page_init(&t->page, (struct span){ (uint8_t *)text, n }, t->rows);
	t->state = TTY_PAGE;
}

static void end_page(struct tty *t)
{
	bool keep = t->keep_line;

	tty_drop_page(t);
	if (!keep) {
		tty_prompt(t);
		return;
	}
	t->state = TTY_LINE;
	tty_edit(t, cli_edit_show);
}

static void next_page(struct tty *t)
{
	char mem[2048];
	struct text out;

	text_init(&out, mem, sizeof(mem));
	cli_page_next(&t->page, &out);
	tty_put(t, text_done(&out));
	if (t->page.state == CLI_PAGE_END)
		end_page(t);
}

static void page_key(struct tty *t, uint8_t key)
{
	char mem[CLI_PAGE_OUT];
	struct text out;

	text_init(&out, mem, sizeof(mem));
	cli_page_key(&t->page, key, &out);
	tty_put(t, text_done(&out));
	if (t->page.state == CLI_PAGE_END)
		end_page(t);
}

void tty_done(struct tty *t, bool ok)
{
	char *text = t->s.out;
	size_t n = t->s.out_n;

	t->s.out = NULL;
	t->s.out_n = 0;
	if (ok && cli_pipe_to_file(&t->s.pipe)) {
		xmodem_give(t, text, n);
	} else if (n > 0) {
		show_page(t, text, n, false);
	} else {
		free(text);
		tty_prompt(t);
	}
	pump(t);
}

/* --- texts ------------------------------------------------------------------------ */
/* A private key is not shown while it is pasted. */
static void ask_text(struct tty *t)
{
	bool key = t->s.command == CMD_KEY_IMPORT;

	tty_ask(t, TTY_TEXT, "",
		CLI_EDIT_TEXT | (key ? (unsigned)CLI_EDIT_SECRET : 0u));
}

static void start_text(struct tty *t)
{
	struct span first = span_str(t->s.spelled);

	t->text_pem = t->s.command == CMD_SETTING_TEXT;
	t->text_bad = false;
	t->text_n = 0;
	t->text_fd = exec_text_fd(t->text_pem ? first : SPAN_LIT(""));
	if (t->text_fd < 0 || (t->text_pem && write(t->text_fd, "\n", 1) != 1))
		t->text_bad = true;
	tty_say(t, t->text_pem
			   ? "paste the certificate; ^C gives up\n"
			   : "paste the text; a line with one dot ends it, ^C "
			     "gives up\n");
	ask_text(t);
}

static void end_text(struct tty *t)
{
	int fd = t->text_fd;

	t->text_fd = -1;
	if (!t->text_bad) {
		t->state = TTY_WAIT;
		exec_text(&t->s, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	tty_say(t, "% the text, or a line of it, is too long; nothing was "
		   "done\n");
	tty_prompt(t);
}

static bool begins_with(struct span s, struct span with)
{
	return s.n >= with.n && span_eq((struct span){ s.p, with.n }, with);
}

static void text_line(struct tty *t, struct span line)
{
	bool end = span_eq(line, SPAN_LIT("."));

	if (!end) {
		uint8_t mem[CLI_EDIT_LINE + 1];

		memcpy(mem, line.p, line.n);
		mem[line.n] = '\n';
		t->text_n += line.n + 1;
		if (t->text_n > CONSOLE_TEXT_MAX ||
		    write(t->text_fd, mem, line.n + 1) != (ssize_t)line.n + 1)
			t->text_bad = true;
		end = t->text_pem && begins_with(line, SPAN_LIT("-----END "));
	}
	if (end)
		end_text(t);
	else
		ask_text(t);
}

/* --- lines ------------------------------------------------------------------------ */
/* A line with a password: nothing of what was typed stays. */
static void forget_typed(struct tty *t)
{
	struct span waits = buf_span(&t->in);

	cli_edit_forget_cut(&t->edit);
	explicit_bzero(t->in_mem, (size_t)(waits.p - t->in_mem));
	explicit_bzero(t->in_mem + t->in.tail, sizeof(t->in_mem) - t->in.tail);
}

static void command(struct tty *t)
{
	enum wish wish;

	t->state = TTY_WAIT;
	wish = exec_line(&t->s, cli_edit_line(&t->edit), -1);
	if (t->s.secret)
		forget_typed(t);
	else
		cli_edit_remember(&t->edit,
				  (struct span){ t->s.line, t->s.line_n });
	if (t->s.command == CMD_DISABLE)
		cli_edit_forget(&t->edit); /* another person comes */
	switch (wish) {
	case WISH_ANSWER: break;
	case WISH_TEXT: start_text(t); break;
	case WISH_XMODEM: xmodem_take(t); break;
	case WISH_YES:
		tty_say(t, exec_what_is_meant(&t->s));
		tty_ask(t, TTY_YES, exec_is_it_meant(&t->s), CLI_EDIT_TEXT);
		break;
	case WISH_PASSWORD:
		tty_ask(t, TTY_OLD, "Password now: ", CLI_EDIT_SECRET);
		break;
	case WISH_ENABLE:
		tty_ask(t, TTY_PASSWORD, "Password: ", CLI_EDIT_SECRET);
		break;
	case WISH_FOLLOW: live_follow(t); break;
	case WISH_MONITOR: live_monitor(t); break;
	case WISH_WATCH: watch_begin(t); break;
	case WISH_LEAVE: tty_leave(t, NULL); break;
	}
}

/* The options at the cursor, below the line that is typed. */
static void list(struct tty *t, const struct cli_options *o)
{
	size_t size = 128 * CLI_OPTIONS;
	char *mem = malloc(size);
	struct text out;

	if (!mem)
		return;
	text_init(&out, mem, size);
	cli_print_options(o, &out);
	if (out.n == 0)
		text_str(&out, "% nothing fits here\n");
	tty_edit(t, cli_edit_leave);
	show_page(t, mem, out.n, true);
}

static void complete(struct tty *t)
{
	static struct cli_options o;
	char mem[100];
	struct text add;

	exec_options(&t->s, cli_edit_before(&t->edit), &o);
	text_init(&add, mem, sizeof(mem));
	cli_complete(&o, &add);
	if (add.n == 0) {
		list(t, &o);
		return;
	}
	cli_edit_insert(&t->edit, text_done(&add));
	tty_edit(t, cli_edit_show);
}

static void entered(struct tty *t)
{
	struct span line = cli_edit_line(&t->edit);

	if (lost_any(t)) {
		lost_deaf(t);
		return;
	}
	switch (t->state) {
	case TTY_LINE: command(t); break;
	case TTY_TEXT: text_line(t, line); break;
	case TTY_YES:
		if (span_eq_nocase(line, SPAN_LIT("yes"))) {
			t->state = TTY_WAIT;
			exec_yes(&t->s);
			break;
		}
		tty_say(t, "nothing was done\n");
		tty_prompt(t);
		break;
	case TTY_PASSWORD:
	case TTY_OLD:
	case TTY_NEW:
	case TTY_AGAIN: login_line(t, line); break;
	case TTY_AWAY:
	case TTY_PRESS:
	case TTY_WAIT:
	case TTY_PAGE:
	case TTY_XMODEM:
	case TTY_FOLLOW:
	case TTY_WATCH:
	case TTY_DEAF:
	case TTY_MONITOR: break;
	}
}

/* ^C, ^Z, or ^D on an empty line. */
static void stopped(struct tty *t, enum cli_edit_event ev)
{
	if (t->state == TTY_TEXT && ev == CLI_EDIT_LEAVE) {
		end_text(t);
		return;
	}
	if (t->text_fd >= 0) {
		close(t->text_fd);
		t->text_fd = -1;
		tty_say(t, "nothing was done\n");
	}
	if (!t->logged_in || (t->state == TTY_LINE && ev == CLI_EDIT_LEAVE &&
			      t->s.mode != MODE_CONFIG)) {
		tty_leave(t, NULL);
		return;
	}
	if (t->state == TTY_LINE && ev != CLI_EDIT_CANCEL &&
	    t->s.mode == MODE_CONFIG)
		t->s.mode = MODE_EXEC;
	explicit_bzero(t->password, sizeof(t->password));
	tty_prompt(t);
}

static void feed_editor(struct tty *t)
{
	char mem[CLI_EDIT_OUT + 1];
	bool secret = (t->edit.flags & CLI_EDIT_SECRET) != 0;
	struct span in = buf_span(&t->in);
	enum cli_edit_event ev;
	struct text out;
	size_t used;

	text_init(&out, mem, sizeof(mem));
	ev = cli_edit_feed(&t->edit, in, &used, &out);
	tty_put(t, text_done(&out));
	if (secret)
		explicit_bzero(t->in.p + t->in.head, used);
	buf_drop(&t->in, used);
	switch (ev) {
	case CLI_EDIT_NONE: break;
	case CLI_EDIT_ENTER: entered(t); break;
	case CLI_EDIT_TOO_LONG:
		if (t->state == TTY_TEXT) {
			t->text_bad = true;
			ask_text(t);
			break;
		}
		tty_say(t, "% the line is too long; nothing was done\n");
		if (t->logged_in)
			tty_prompt(t);
		else
			tty_leave(t, NULL);
		break;
	case CLI_EDIT_TAB: complete(t); break;
	case CLI_EDIT_HELP: {
		static struct cli_options o;

		exec_options(&t->s, cli_edit_before(&t->edit), &o);
		list(t, &o);
		break;
	}
	case CLI_EDIT_CANCEL:
	case CLI_EDIT_END:
	case CLI_EDIT_LEAVE: stopped(t, ev); break;
	}
}

/* --- octets ----------------------------------------------------------------------- */
/* ^C stops what runs, even if it does not take input. */
static void interrupt(struct tty *t)
{
	struct span in = buf_span(&t->in);
	const uint8_t *c = in.n > 0 ? memchr(in.p, CTRL_C, in.n) : NULL;
	bool waits = t->state == TTY_WAIT;

	if (!c ||
	    !(waits || (t->state == TTY_PAGE && t->page.state == CLI_PAGE_GO)))
		return;
	buf_drop(&t->in, (size_t)(c - in.p) + 1);
	exec_stop(&t->s);
	tty_drop_page(t);
	tty_put(t, SPAN_LIT("^C\r\n"));
	if (!t->logged_in) {
		tty_leave(t, NULL);
		return;
	}
	if (waits)
		tty_say(t, "% not waited for any more; what confd has begun, "
			   "it ends\n");
	tty_prompt(t);
}

/* Do something with what has been typed; false: nothing to do. */
static bool one(struct tty *t)
{
	struct span in = buf_span(&t->in);
	bool again;
	uint8_t c;

	if (t->state == TTY_XMODEM)
		return xmodem_octets(t);
	if (in.n == 0 || t->state == TTY_WAIT)
		return false;
	c = in.p[0];
	switch (t->state) {
	case TTY_PRESS:
		buf_drop(&t->in, 1);
		again = c == '\n' && t->edit.cr; /* the CR's own */
		t->edit.cr = c == '\r';
		if (t->edit.cr || (c == '\n' && !again))
			login_key(t);
		return true;
	case TTY_PAGE:
		buf_drop(&t->in, 1);
		page_key(t, c);
		return true;
	case TTY_FOLLOW:
		buf_drop(&t->in, 1);
		if (c == CTRL_C || c == 'q')
			tty_prompt(t);
		return true;
	case TTY_WATCH:
		buf_drop(&t->in, 1);
		if (c == CTRL_C || c == 'q')
			watch_stop(t);
		return true;
	case TTY_DEAF: buf_drop(&t->in, in.n); return true;
	case TTY_MONITOR:
		buf_drop(&t->in, in.n); /* a key may be several octets */
		tty_put(t, SPAN_LIT("\r\n"));
		tty_prompt(t);
		return true;
	case TTY_PASSWORD:
	case TTY_OLD:
	case TTY_NEW:
	case TTY_AGAIN:
	case TTY_LINE:
	case TTY_TEXT:
	case TTY_YES: feed_editor(t); return true;
	case TTY_AWAY:
	case TTY_XMODEM:
	case TTY_WAIT: break;
	}
	return false;
}

/* The other end is closed. */
static void away(struct tty *t)
{
	tty_leave(t, NULL);
	loop_del(&K.prog.loop, &t->watch);
	buf_init(&t->in, t->in_mem, sizeof(t->in_mem));
	buf_init(&t->out, t->out_mem, sizeof(t->out_mem));
	t->state = TTY_AWAY;
}

static void flush(struct tty *t)
{
	struct span s = buf_span(&t->out);
	ssize_t n;

	if (s.n == 0)
		return;
	n = write(t->fd, s.p, s.n);
	if (n > 0)
		buf_drop(&t->out, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		away(t);
}

static void pump(struct tty *t)
{
	uint32_t events = 0;

	if (t->pumping || t->state == TTY_AWAY)
		return;
	t->pumping = true;
	for (bool more = true; more && t->state != TTY_AWAY;) {
		flush(t);
		if (buf_left(&t->out) < TTY_ROOM)
			break;
		interrupt(t);
		if (t->state == TTY_PAGE && t->page.state == CLI_PAGE_GO)
			next_page(t);
		else
			more = one(t);
	}
	if (t->state != TTY_AWAY)
		flush(t);
	t->pumping = false;
	events |= buf_left(&t->in) > 0 ? EPOLLIN : 0;
	events |= buf_span(&t->out).n > 0 ? EPOLLOUT : 0;
	loop_mod(&K.prog.loop, &t->watch, events);
}

static void on_tty(struct watch *w, uint32_t events)
{
	struct tty *t = (struct tty *)((char *)w - offsetof(struct tty, watch));
	size_t left = buf_left(&t->in);
	ssize_t n = left > 0 ? read(t->fd, buf_room(&t->in), left) : -1;

	if (n > 0) {
		buf_grow(&t->in, (size_t)n);
		t->key_ms = now_ms();
	} else if (left > 0 &&
		   (n == 0 || (errno != EAGAIN && errno != EINTR))) {
		away(t);
		return;
	} else if (left == 0 && (events & (EPOLLHUP | EPOLLERR)) != 0) {
		away(t);
		return;
	}
	pump(t);
}

/* Is somebody at the other end now? */
static void come_back(struct tty *t)
{
	uint8_t c;
	ssize_t n = read(t->fd, &c, 1);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return;
	if (loop_add(&K.prog.loop, &t->watch, t->fd, EPOLLIN, on_tty) != OK)
		return;
	t->key_ms = now_ms();
	t->state = TTY_PRESS;
	if (n > 0 && buf_put(&t->in, (struct span){ &c, 1 }) != OK)
		return;
	tty_leave(t, NULL);
	pump(t);
}

void tty_tick(struct tty *t, uint64_t now)
{
	if (!t->in_use)
		return;
	if (t->state == TTY_AWAY) {
		come_back(t);
		return;
	}
	if (t->state == TTY_XMODEM) { /* it has deadlines of its own */
		xmodem_tick(t, now);
	} else if (t->state == TTY_DEAF) {
		lost_tick(t, now);
	} else if (t->state != TTY_PRESS && now > t->key_ms &&
		   now - t->key_ms > t->idle_ms) {
		/* what nobody reads must not keep the door open */
		buf_init(&t->out, t->out_mem, sizeof(t->out_mem));
		tty_leave(t, "\n% no key for too long: logged out\n");
	} else if (t->state == TTY_MONITOR) {
		live_tick(t, now);
	} else if (t->state == TTY_WATCH) {
		watch_rows(t);
	}
	pump(t);
}

void tty_start(uint32_t index, int fd)
{
	struct tty *t = index < CONSOLE_TTYS ? &K.tty[index] : NULL;
	int flags = fcntl(fd, F_GETFL);

	if (!t || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		close(fd);
		return;
	}
	if (t->in_use) {
		exec_stop(&t->s);
		loop_del(&K.prog.loop, &t->watch);
		close(t->fd);
	} else {
		t->text_fd = t->watch.fd = t->s.text_fd = -1;
	}
	t->in_use = true;
	t->index = index;
	t->fd = fd;
	cli_edit_init(&t->edit);
	buf_init(&t->in, t->in_mem, sizeof(t->in_mem));
	buf_init(&t->out, t->out_mem, sizeof(t->out_mem));
	t->key_ms = now_ms();
	if (loop_add(&K.prog.loop, &t->watch, fd, EPOLLIN, on_tty) != OK) {
		close(fd);
		t->in_use = t->s.used = false;
		return;
	}
	tty_leave(t, NULL);
	pump(t);
}

void tty_told(struct tty *t, int error)
{
	login_told(t, error);
	pump(t);
}
