/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_login - who may use a terminal.
 *
 *	PRESS --key--> confd: is there a password?
 *	  no:  NEW, AGAIN --> confd: set it --> logged in
 *	  yes: PASSWORD --> confd: is it this one? --> logged in, or once more
 *
 * Three wrong ones in a row close the door on all terminals for five seconds,
 * each further one for twice as long, up to five minutes. The command
 * "password" asks OLD, NEW and AGAIN.
 */
#include <stdio.h>
#include "proc/console/console.h"

enum { FREE = 3, LOCK_MS = 5000, LOCK_MAX_MS = 300000 };

static bool locked(struct tty *t)
{
	uint64_t now = now_ms();
	char line[80];

	if (now >= K.locked_ms)
		return false;
	snprintf(line, sizeof(line),
		 "%% too many wrong passwords; wait %llu seconds\n",
		 (unsigned long long)(K.locked_ms - now + 999) / 1000);
	tty_say(t, line);
	return true;
}

static void wrong(struct tty *t)
{
	uint64_t wait = LOCK_MS;

	K.failures++;
	for (unsigned i = FREE; i < K.failures && wait < LOCK_MAX_MS; i++)
		wait *= 2;
	if (K.failures >= FREE)
		K.locked_ms = now_ms() +
			      (wait < LOCK_MAX_MS ? wait : LOCK_MAX_MS);
	program_log(&K.prog, SEV_WARNING,
		    "event=login-failed terminal=%u in-a-row=%u", t->index,
		    K.failures);
	tty_say(t, "% wrong password\n");
	locked(t);
}

static void forget(struct tty *t)
{
	explicit_bzero(t->password, sizeof(t->password));
	t->password_n = 0;
}

/* Back to where the question came from. */
static void give_up(struct tty *t)
{
	forget(t);
	if (t->logged_in)
		tty_prompt(t);
	else
		tty_leave(t, NULL);
}

static void ask_confd(struct tty *t, enum tty_ask what, enum conf_op op,
		      struct span text)
{
	t->ask = what;
	t->state = TTY_WAIT;
	exec_private(&t->s, op, text);
}

void login_key(struct tty *t)
{
	if (locked(t))
		return;
	lost_forget(t); /* noise, as long as nobody was there */
	/* with no password at all, confd says whether there is one */
	ask_confd(t, ASK_PROBE, CONF_OP_LOGIN, SPAN_LIT(""));
}

static void ask_new(struct tty *t)
{
	tty_ask(t, TTY_NEW, "New password: ", CLI_EDIT_SECRET);
}

static void new_password(struct tty *t, struct span line)
{
	if (cli_column(line, line.p + line.n) <= CONSOLE_PASSWORD_MIN) {
		tty_say(t, "% at least 8 characters\n");
		if (t->logged_in && line.n == 0)
			give_up(t);
		else
			ask_new(t);
		return;
	}
	if (line.n > sizeof(t->password)) {
		tty_say(t, "% at most 256 octets\n");
		ask_new(t);
		return;
	}
	memcpy(t->password, line.p, line.n);
	t->password_n = line.n;
	tty_ask(t, TTY_AGAIN, "The same again: ", CLI_EDIT_SECRET);
}

static void again(struct tty *t, struct span line)
{
	struct span first = { (const uint8_t *)t->password, t->password_n };

	if (!span_eq(line, first)) {
		tty_say(t, "% they are not the same\n");
		forget(t);
		ask_new(t);
		return;
	}
	ask_confd(t, ASK_PASSWORD, CONF_OP_PASSWORD, first);
	forget(t);
}

void login_line(struct tty *t, struct span line)
{
	switch ((int)t->state) {
	case TTY_PASSWORD:
	case TTY_OLD:
		if (line.n == 0 || locked(t))
			give_up(t);
		else
			ask_confd(t, t->state == TTY_OLD ? ASK_OLD : ASK_LOGIN,
				  CONF_OP_LOGIN, line);
		break;
	case TTY_NEW: new_password(t, line); break;
	case TTY_AGAIN: again(t, line); break;
	default: break;
	}
}

static void welcome(struct tty *t)
{
	char line[100];

	if (K.failures > 0) {
		snprintf(line, sizeof(line),
			 "%u wrong passwords since the last login\n",
			 K.failures);
		tty_say(t, line);
	}
	K.failures = 0;
	K.locked_ms = 0;
	t->logged_in = true;
	program_log(&K.prog, SEV_NOTICE, "event=login terminal=%u", t->index);
	tty_prompt(t);
}

/* From > back to #. */
static void enable(struct tty *t)
{
	K.failures = 0;
	K.locked_ms = 0;
	t->s.mode = MODE_EXEC;
	program_log(&K.prog, SEV_NOTICE, "event=enable terminal=%u", t->index);
	tty_prompt(t);
}

static void no_answer(struct tty *t, int error)
{
	char line[80];

	snprintf(line, sizeof(line), "%% that is not possible now: %s\n",
		 err_name(error));
	tty_say(t, line);
	give_up(t);
}

static void first_password(struct tty *t)
{
	tty_say(t, "This box has no password yet. Choose the "
		   "administrator's.\n");
	ask_new(t);
}

/* Who was about to choose the first one is too late. */
static void others(const struct tty *t)
{
	for (size_t i = 0; i < CONSOLE_TTYS; i++) {
		struct tty *o = &K.tty[i];

		if (o != t && o->in_use && !o->logged_in &&
		    (o->state == TTY_NEW || o->state == TTY_AGAIN ||
		     (o->state == TTY_WAIT && o->ask == ASK_PASSWORD)))
			tty_leave(o, "\n% another terminal has set one\n");
	}
}

void login_told(struct tty *t, int error)
{
	switch (t->ask) {
	case ASK_PROBE:
		if (error == E_PEER_ORDER)
			first_password(t);
		else if (error == E_PEER_SYNTAX || error == OK)
			tty_ask(t, TTY_PASSWORD, "Password: ", CLI_EDIT_SECRET);
		else
			no_answer(t, error);
		break;
	case ASK_LOGIN:
	case ASK_OLD:
		if (error == E_PEER_SYNTAX) {
			wrong(t);
			give_up(t);
		} else if (error == E_PEER_ORDER && t->ask == ASK_LOGIN) {
			first_password(t);
		} else if (error != OK && error != E_PEER_ORDER) {
			no_answer(t, error);
		} else if (t->ask == ASK_OLD) {
			ask_new(t);
		} else if (t->logged_in) {
			enable(t);
		} else {
			welcome(t);
		}
		break;
	case ASK_PASSWORD:
		if (error != OK) {
			no_answer(t, error);
			break;
		}
		program_log(&K.prog, SEV_NOTICE,
			    "event=password-set terminal=%u", t->index);
		tty_say(t, "the password is set\n");
		others(t);
		if (t->logged_in)
			tty_prompt(t);
		else
			welcome(t);
		break;
	}
}
