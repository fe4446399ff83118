/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_store - the store (store/store.h) as confd uses it: the folder and the
 * secret that boss gave, numbers counted back from the newest, and whatever the
 * store has to say in the log.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proc/confd/confd.h"
#include "proc/sandbox.h"
#include "store/store_dir.h"

static struct {
	bool given;    /* boss gave a folder */
	int state;     /* of store_open */
	bool of_board; /* the secret; else the store keeps its own */
	uint8_t secret[SEAL_SECRET];
	struct store s;
	struct store_dir dir;
} K;

static void alive(void)
{
	program_alive(&C.prog);
}

/* 0: nobody knows. */
static uint64_t now_s(void)
{
	return confd_clock_unset() ? 0 : now_unix_ms() / 1000;
}

/* What the store said, a line of the log for each of its lines. */
static void log_said(enum severity sev, struct span said)
{
	const uint8_t *end = memchr(said.p, '\n', said.n);

	if (sev == SEV_ALARM && said.n > 0)
		(void)stats_alarm(
			C.prog.stats, ALARM_FLASH, now_unix_ms(),
			(struct span){ said.p,
				       end ? (size_t)(end - said.p) : said.n });
	while (said.n > 0) {
		const uint8_t *lf = memchr(said.p, '\n', said.n);
		size_t n = lf ? (size_t)(lf - said.p) : said.n;

		program_log_why(&C.prog, sev, "event=store",
				(struct span){ said.p, n });
		said = span_skip(said, n + (lf ? 1u : 0u));
	}
}

/* For the one who asked, and for the log. */
static void report(enum severity sev, const struct text *said)
{
	text_span(&C.report, text_done(said));
	log_said(sev, text_done(said));
}

static int ready(void)
{
	if (K.given && K.state == OK)
		return OK;
	text_str(&C.report,
		 !K.given ? "this box has no store: nothing is kept\n"
			  : "the store could not be opened when the box "
			    "started; see show log\n");
	return E_IO;
}

/* --- start ------------------------------------------------------------------ */
static int take_fd(enum conf_file index)
{
	for (uint32_t i = 0; i < C.prog.given_n; i++) {
		struct ipc_msg *m = &C.prog.given[i];

		if (m->type == IPC_CONF_FILE && m->index == index &&
		    m->fd_n == 1) {
			m->fd_n = 0;
			return m->fd[0];
		}
	}
	return -1;
}

/* E_AGAIN: the board has none of its own; the store then keeps one. */
static int take_secret(uint8_t secret[SEAL_SECRET])
{
	int fd = take_fd(CONF_FILE_SECRET);
	char *text = NULL;
	size_t n = 0;
	int r;

	if (fd < 0)
		return E_AGAIN;
	r = confd_read(fd, &text, &n);
	close(fd);
	if (r == OK && n != SEAL_SECRET)
		r = E_CORRUPT;
	if (r == OK)
		memcpy(secret, text, SEAL_SECRET);
	if (text)
		seal_wipe(text, n);
	free(text);
	return r;
}

static void open_store(void)
{
	char mem[CONF_REPORT_MAX];
	struct text said;

	text_init(&said, mem, sizeof(mem));
	K.state = store_open(&K.s, &store_dir_ops, &K.dir,
			     K.of_board ? K.secret : NULL, alive, &said);
	log_said(K.state == OK ? SEV_WARNING : SEV_ALARM, text_done(&said));
}

void confd_store_start(void)
{
	int fd = take_fd(CONF_FILE_STORE);
	int r = take_secret(K.secret);

	K.given = fd >= 0;
	K.of_board = r == OK;
	if (!K.given)
		return;
	if (sandbox_folder(fd) != OK)
		program_log(&C.prog, SEV_WARNING,
			    "event=no-landlock why=\"the kernel does not keep "
			    "confd in the folder of the store\"");
	store_dir_init(&K.dir, fd);
	if (r == OK || r == E_AGAIN) {
		open_store();
		return;
	}
	K.state = r;
	program_log(&C.prog, SEV_ALARM,
		    "event=store why=\"the secret of the board cannot be "
		    "read: %s\"",
		    err_name(r));
}

/* --- loading ---------------------------------------------------------------- */
int confd_store_newest(char **text, size_t *n)
{
	char mem[CONF_REPORT_MAX];
	struct store_info info;
	struct text said;
	int r;

	if (!K.given)
		return E_AGAIN;
	r = ready();
	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_load(&K.s, text, n, &info, &said);
	if (r == E_CORRUPT) {
		r = store_rescue_load(&K.s, text, n, &info, &said);
		text_str(&said, r == 1 ? "the rescue copy is used\n" : "");
		r = r == 0 ? E_CORRUPT : r;
	}
	if (r == 1) { /* what was left out is worth an alarm, but goes on */
		log_said(SEV_ALARM, text_done(&said));
		return OK;
	}
	report(SEV_ALARM, &said);
	return r == 0 ? E_AGAIN : r;
}

/* The list, newest first; NULL with a report. */
static struct store_info *list(size_t *n)
{
	struct store_info *all = malloc(STORE_LIST_MAX * sizeof(*all));
	char mem[CONF_REPORT_MAX];
	struct text said;
	int r;

	if (!all) {
		text_str(&C.report, "there is not enough memory\n");
		return NULL;
	}
	text_init(&said, mem, sizeof(mem));
	r = store_list(&K.s, all, n, &said);
	report(SEV_WARNING, &said);
	if (r == OK)
		return all;
	free(all);
	return NULL;
}

int confd_store_load(uint64_t back, char **text, size_t *n)
{
	char mem[CONF_REPORT_MAX];
	struct store_info info, *all;
	struct text said;
	uint32_t number = 0;
	size_t have;
	int r = ready();

	if (r != OK)
		return r;
	all = list(&have);
	if (!all)
		return E_IO;
	if (back < have)
		number = all[back].number;
	free(all);
	if (number == 0) {
		text_str(&C.report, "there is no such configuration; \"show "
				    "configuration history\" lists them\n");
		return E_CONF;
	}
	text_init(&said, mem, sizeof(mem));
	r = store_load_number(&K.s, number, text, n, &info, &said);
	report(SEV_WARNING, &said);
	return r == 1 ? OK : r == 0 ? E_IO : r;
}

/* --- saving ----------------------------------------------------------------- */
int confd_store_save(struct span text, const char *comment)
{
	char mem[CONF_REPORT_MAX];
	struct text said;
	uint32_t number;
	int r;

	if (!K.given)
		return OK; /* a board that keeps nothing, by its board.conf */
	r = ready();
	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_save(&K.s, text, comment, now_s(), &number, &said);
	report(r == OK ? SEV_WARNING : SEV_ALARM, &said);
	if (r == OK)
		program_log(&C.prog, SEV_NOTICE,
			    "event=configuration-stored file=%u", number);
	return r;
}

int confd_store_rescue(struct span text)
{
	char mem[CONF_REPORT_MAX];
	struct text said;
	int r = ready();

	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_rescue_save(&K.s, text, "rescue", now_s(), &said);
	report(r == OK ? SEV_WARNING : SEV_ALARM, &said);
	return r;
}

int confd_store_rescue_load(char **text, size_t *n)
{
	char mem[CONF_REPORT_MAX];
	struct store_info info;
	struct text said;
	int r = ready();

	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_rescue_load(&K.s, text, n, &info, &said);
	report(SEV_WARNING, &said);
	if (r == 0)
		text_str(&C.report, "there is no rescue copy\n");
	return r == 1 ? OK : r == 0 ? E_CONF : r;
}

int confd_store_erase(void)
{
	char mem[CONF_REPORT_MAX];
	struct text said;
	int r;

	if (!K.given)
		return OK;
	if (!K.s.ops) /* it was never opened: the secret cannot be read */
		return ready();
	text_init(&said, mem, sizeof(mem));
	r = store_erase_all(&K.s, &said);
	report(r == OK ? SEV_WARNING : SEV_ALARM, &said);
	open_store();
	return r == OK ? K.state : r;
}

/* --- the administrator's password -------------------------------------------- */
/* 1: it is in *hash, the caller's to free; 0: none is set; else an error. */
static int load_password(char **hash, size_t *n)
{
	char mem[CONF_REPORT_MAX];
	struct store_info info;
	struct text said;
	int r = ready();

	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_password_load(&K.s, hash, n, &info, &said);
	report(SEV_ALARM, &said);
	return r;
}

static bool password_is_set(void)
{
	char *hash = NULL;
	size_t n;
	int r = load_password(&hash, &n);

	free(hash);
	return r == 1;
}

int confd_password_check(struct span password)
{
	char *hash = NULL;
	size_t n = 0;
	int r = load_password(&hash, &n);

	if (r == 0)
		return E_PEER_ORDER;
	if (r == 1 && password.n == 0) /* none is empty: no need to hash it */
		r = password_valid((struct span){ (uint8_t *)hash, n })
			    ? E_PEER_SYNTAX
			    : E_CORRUPT;
	else if (r == 1)
		r = password_check((struct span){ (uint8_t *)hash, n },
				   password, alive);
	free(hash);
	return r;
}

int confd_password_set(struct span password)
{
	char hash[PASSWORD_HASH_MAX], mem[CONF_REPORT_MAX];
	struct text said;
	int r = ready();

	if (r != OK)
		return r;
	r = password_hash(hash, password, PASSWORD_ITERATIONS, alive);
	if (r != OK) {
		text_str(&C.report, "the password could not be hashed\n");
		return r;
	}
	text_init(&said, mem, sizeof(mem));
	r = store_password_save(&K.s, span_str(hash), now_s(), &said);
	report(r == OK ? SEV_WARNING : SEV_ALARM, &said);
	if (r == OK)
		program_log(&C.prog, SEV_NOTICE,
			    "event=administrator-password-set");
	return r;
}

typedef int store_loader(struct store *s, char **text, size_t *n,
			 struct store_info *info, struct text *say);

/* What is no configuration, and of which there is one. E_AGAIN: there is none. */
static int load_only_one(store_loader *from, char **text, size_t *n)
{
	char mem[CONF_REPORT_MAX];
	struct store_info info;
	struct text said;
	int r;

	if (!K.given)
		return E_AGAIN;
	r = ready();
	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = from(&K.s, text, n, &info, &said);
	report(SEV_ALARM, &said);
	return r == 1 ? OK : r == 0 ? E_AGAIN : r;
}

int confd_store_keys_load(char **keys, size_t *n)
{
	return load_only_one(store_keys_load, keys, n);
}

int confd_store_keys_save(struct span keys)
{
	char mem[CONF_REPORT_MAX];
	struct text said;
	int r = ready();

	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_keys_save(&K.s, keys, now_s(), &said);
	report(r == OK ? SEV_WARNING : SEV_ALARM, &said);
	return r;
}

int confd_store_clock_load(uint64_t *unix_s)
{
	char mem[CONF_REPORT_MAX];
	struct text said;
	int r;

	if (!K.given)
		return E_AGAIN;
	r = ready();
	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_clock_load(&K.s, unix_s, &said);
	report(SEV_ALARM, &said);
	return r == 1 ? OK : r == 0 ? E_AGAIN : r;
}

int confd_store_clock_save(uint64_t unix_s)
{
	char mem[CONF_REPORT_MAX];
	struct text said;
	int r;

	if (!K.given)
		return OK;
	r = ready();
	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_clock_save(&K.s, unix_s, &said);
	report(r == OK ? SEV_WARNING : SEV_ALARM, &said);
	return r;
}

int confd_store_learned_load(char **learned, size_t *n)
{
	return load_only_one(store_learned_load, learned, n);
}

int confd_store_learned_save(struct span learned)
{
	char mem[CONF_REPORT_MAX];
	struct text said;
	int r;

	if (!K.given)
		return OK;
	r = ready();
	if (r != OK)
		return r;
	text_init(&said, mem, sizeof(mem));
	r = store_learned_save(&K.s, learned, now_s(), &said);
	report(r == OK ? SEV_WARNING : SEV_ALARM, &said);
	return r;
}

int confd_store_account_key(uint8_t key[SEAL_SECRET])
{
	return K.given && K.state == OK
		       ? store_key(&K.s, "account password", key)
		       : E_IO;
}

/* --- what a person wants to know ------------------------------------------- */
static void history_line(struct text *out, size_t back,
			 const struct store_info *i)
{
	text_u64(out, back);
	text_str(out, back < 10 ? "   file " : "  file ");
	text_u64(out, i->number);
	if (i->state != OK) {
		text_str(out, "  damaged: cannot be read\n");
		return;
	}
	text_str(out, "  ");
	if (i->time_s > 0)
		text_time(out, i->time_s);
	else
		text_str(out, "clock was not set   ");
	text_str(out, "  ");
	text_u64(out, i->size);
	text_str(out, " octets  ");
	text_str(out, i->comment);
	text_str(out, "\n");
}

int confd_store_history(struct text *out)
{
	struct store_info *all;
	size_t n;
	int r = ready();

	if (r != OK)
		return r;
	all = list(&n);
	if (!all)
		return E_IO;
	for (size_t i = 0; i < n; i++)
		history_line(out, i, &all[i]);
	if (n == 0)
		text_str(out, "nothing is stored: the factory default is in "
			      "force\n");
	free(all);
	return OK;
}

void confd_store_security(struct text *out)
{
	text_str(out, "configuration store: ");
	if (!K.given)
		text_str(out, "none, nothing is kept\n");
	else if (K.state != OK)
		text_str(out, "not usable, see show log\n");
	else if (K.of_board)
		text_str(out, "AES-256-GCM, key from the secret of the board, "
			      "which is kept apart from the store\n");
	else
		text_str(out, "AES-256-GCM, but the key is kept in the same "
			      "flash: protects against errors, not against "
			      "one who reads the flash\n");
	text_str(out, "passwords of accounts: ");
	text_str(out, K.given && K.state == OK
			      ? "sealed in the configuration, open on this "
				"box alone\n"
			      : "cannot be kept\n");
	text_str(out, "private keys: ");
	text_u64(out, confd_keys_n());
	text_str(out, confd_keys_n() > 0 ? ", sealed in the store\n" : "\n");
	text_str(out, "administrator password: ");
	text_str(out, password_is_set() ? "set, kept as PBKDF2-HMAC-SHA512\n"
					: "not set\n");
}
