/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys_ask - what confd asks about private keys (firmware/ipc/ipc.h). Nothing is
 * kept here: a new key goes to confd, which stores it and sends it back in the
 * next table. A request for one waits in `making` until the main loop has time:
 * an RSA key takes seconds to minutes, in which log-ons go on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/text.h"
#include "base/wipe.h"
#include "pki/pki_csr.h"
#include "pki/pki_import.h"
#include "pki/pki_show.h"
#include "proc/keys/keys.h"

enum {
	ANSWER_MAX = 256 << 10,
	TEXT_MAX = PKI_TEXT_MAX + 1024,
	/* own CA certificates, 64 of a few KiB each */
	CRYPTO_TEXT_MAX = 1 << 20,
};

/* The key that was asked for and is not made yet. */
static struct {
	bool waits;
	enum pki_type type;
	unsigned bits;
	uint8_t name[SECRET_NAME_MAX];
	size_t name_n;
} making;

static char answer_mem[ANSWER_MAX];
static struct text answer;

static uint64_t now_s(void)
{
	uint64_t now = now_unix_ms() / 1000;

	return now > K.table.floor_s ? now : K.table.floor_s;
}

/* --- what goes back ------------------------------------------------------------- */
static int text_fd(const char *name, struct span s)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	while (fd >= 0 && s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		s = span_skip(s, (size_t)n);
	}
	return fd;
}

/* k NULL: no new key. */
static void reply(enum conf_op op, int error, const struct secret_key *k)
{
	static uint8_t mem[TEXT_MAX + PKI_KEY_MAX];
	struct span table = { NULL, 0 };
	struct secret_build b;
	struct ipc_msg m = { .type = IPC_KEY_RESULT, .op = op, .fd_n = 2 };

	if (error == OK && k) {
		error = secret_build_begin(&b, mem, sizeof(mem));
		if (error == OK)
			error = secret_build_key(&b, k);
		if (error == OK)
			table = secret_build_end(&b, 0);
	}
	m.error = error;
	m.fd[0] = text_fd("answer", text_done(&answer));
	m.fd[1] = text_fd("key", table);
	wipe(mem, sizeof(mem));
	if (m.fd[0] < 0 || m.fd[1] < 0)
		error = E_FULL;
	else if (K.confd.fd >= 0)
		error = ipc_send(K.confd.fd, ROLE_KEYS, ROLE_CONFD, &m);
	else
		error = OK; /* who asked is gone */
	for (int i = 0; i < 2; i++)
		if (m.fd[i] >= 0)
			close(m.fd[i]);
	/* confd would wait for ever; if we begin anew, it knows */
	if (error != OK && error != E_PEER_GONE)
		program_die(&K.prog, "no answer to confd: %s", err_name(error));
}

/* --- questions -------------------------------------------------------------------- */
/* The first line of *s, which moves behind it. */
static struct span line_of(struct span *s)
{
	const uint8_t *lf = s->n > 0 ? memchr(s->p, '\n', s->n) : NULL;
	struct span line = { s->p, lf ? (size_t)(lf - s->p) : s->n };

	*s = span_skip(*s, line.n + (lf ? 1u : 0u));
	return line;
}

static unsigned number_of(struct span s)
{
	unsigned v = 0;

	for (size_t i = 0; i < s.n && i < 6 && s.p[i] >= '0' && s.p[i] <= '9';
	     i++)
		v = 10 * v + (unsigned)(s.p[i] - '0');
	return v;
}

/* "mail\necdsa\n256\n". No answer yet if it is OK. */
static int ask_generate(struct span text)
{
	struct span name = line_of(&text), type = line_of(&text);

	if (making.waits) {
		text_str(&answer, "another key is being made\n");
		return E_AGAIN;
	}
	making.type = span_eq_nocase(type, SPAN_LIT("rsa")) ? PKI_RSA
							    : PKI_ECDSA;
	making.bits = number_of(line_of(&text));
	if (name.n == 0 || name.n > sizeof(making.name) ||
	    !span_eq_nocase(type, span_str(pki_type_name(making.type))) ||
	    !pki_key_can_be(making.type, making.bits)) {
		text_str(&answer, "ecdsa with 256 or 384 bits, rsa with 2048, "
				  "3072 or 4096\n");
		return E_CONF;
	}
	memcpy(making.name, name.p, name.n);
	making.name_n = name.n;
	making.waits = true;
	return OK;
}

static int ask_csr(struct span text)
{
	struct span name = line_of(&text);
	struct secret_key k;
	char mem[512];
	struct text why;
	int r;

	if (!secret_table_find_key(&K.table, name, &k)) {
		text_str(&answer, "there is no key of this name\n");
		return E_CONF;
	}
	text_init(&why, mem, sizeof(mem));
	r = pki_csr(k.key, text, &answer, &why);
	if (r != OK)
		text_span(&answer, text_done(&why));
	return r;
}

static void ask_import(struct span text)
{
	static uint8_t der[PKI_KEY_MAX];
	static char chain_mem[PKI_TEXT_MAX];
	struct secret_key k = { .name = line_of(&text) },
			  old = { .key = { NULL, 0 } };
	struct text chain;
	size_t n = 0;
	int r;

	text_init(&chain, chain_mem, sizeof(chain_mem));
	(void)secret_table_find_key(&K.table, k.name, &old);
	r = pki_import(text, old.key, now_s(), der, &n, &chain, &answer);
	k.key = (struct span){ der, n };
	k.chain = text_done(&chain);
	if (r == OK)
		pki_show_key(&k, now_s(), &answer);
	reply(CONF_OP_KEY_IMPORT, r, &k);
	wipe(der, sizeof(der));
}

static void ask_crypto(struct span text)
{
	struct span line = line_of(&text);
	unsigned builtin = number_of(line);

	if (line.n > 0 && line.p[line.n - 1] == 't') {
		text_str(&answer, "the clock is not set; it is taken to be ");
		text_time(&answer, now_s());
		text_str(&answer, "\n");
	}
	text_str(&answer, "keys\n");
	for (uint32_t i = 0; i < K.table.keys_n; i++) {
		struct secret_key k;

		secret_table_key(&K.table, i, &k);
		pki_show_key(&k, now_s(), &answer);
	}
	if (K.table.keys_n == 0)
		text_str(&answer,
			 "  none; \"crypto key generate\" makes one\n");
	if (making.waits) {
		text_str(&answer, "  ");
		text_span(&answer, (struct span){ making.name, making.name_n });
		text_str(&answer, "  is being made\n");
	}
	text_str(&answer, "CA certificates that verify trusts\n  built in: ");
	text_u64(&answer, builtin);
	text_str(&answer, "\n");
	pki_show_ca(text, now_s(), &answer);
}

static void run(enum conf_op op, struct span text)
{
	int r = E_CONF;

	text_init(&answer, answer_mem, sizeof(answer_mem));
	switch ((int)op) {
	case CONF_OP_KEY_GENERATE:
		r = ask_generate(text);
		if (r == OK)
			return;
		break;
	case CONF_OP_KEY_CSR: r = ask_csr(text); break;
	case CONF_OP_KEY_IMPORT: ask_import(text); return;
	case CONF_OP_CRYPTO:
		ask_crypto(text);
		r = OK;
		break;
	default: text_str(&answer, "keys does not know this\n"); break;
	}
	reply(op, r, NULL);
}

void keys_ask(const struct ipc_msg *m, int came)
{
	uint8_t *mem = NULL;
	size_t n = 0,
	       max = m->op == CONF_OP_CRYPTO ? CRYPTO_TEXT_MAX : TEXT_MAX;
	int r = came == OK ? keys_read(m->fd[0], max, &mem, &n) : came;

	if (r == OK && !K.mem) {
		keys_forget(mem, n);
		r = E_AGAIN;
	}
	if (r != OK) {
		text_init(&answer, answer_mem, sizeof(answer_mem));
		text_str(&answer,
			 r == E_AGAIN ? "keys has just started; try again\n"
				      : "the text cannot be read, or is too "
					"long\n");
		reply(m->op, r, NULL);
		return;
	}
	run(m->op, (struct span){ mem, n });
	keys_forget(mem, n);
}

/* --- making ---------------------------------------------------------------------- */
/* Between two candidates for a prime: what others ask meanwhile. */
static void others(void)
{
	keys_turn(0);
}

void keys_make(void)
{
	static uint8_t der[PKI_KEY_MAX];
	struct secret_key k = { .name = { making.name, making.name_n } };
	size_t n = 0;
	int r;

	if (!making.waits)
		return;
	r = pki_key_make(making.type, making.bits, others, der, &n);
	k.key = (struct span){ der, n };
	text_init(&answer, answer_mem, sizeof(answer_mem));
	if (r == OK)
		pki_show_key(&k, now_s(), &answer);
	else
		text_str(&answer, "the key could not be made\n");
	making.waits = false;
	reply(CONF_OP_KEY_GENERATE, r, &k);
	wipe(der, sizeof(der));
}

/* --- what has to be said by itself ------------------------------------------------ */
/* In the log when it is new. */
static void notice(unsigned which, const char *line)
{
	if (strcmp(K.prog.stats->notice[which], line) == 0)
		return;
	stats_notice(K.prog.stats, which, span_str(line));
	if (line[0] != '\0')
		program_log(&K.prog, SEV_WARNING,
			    "event=certificate says=\"%s\"", line);
}

/* boss has the lamps. */
static void tell_boss(bool soon)
{
	static bool known, told;
	struct ipc_msg m = { .type = IPC_EXPIRY, .number = soon };

	if (known && told == soon)
		return;
	known = ipc_send(K.prog.boss.fd, ROLE_KEYS, ROLE_BOSS, &m) == OK;
	told = soon;
}

void keys_look_at_certificates(void)
{
	unsigned which = 0;

	for (uint32_t i = 0; i < K.table.keys_n && which < STATS_NOTICES; i++) {
		char mem[STATS_NOTICE];
		struct secret_key k;
		struct text t;

		secret_table_key(&K.table, i, &k);
		text_init(&t, mem, sizeof(mem));
		text_str(&t, "certificate of ");
		text_span(&t, (struct span){ k.name.p,
					     k.name.n < 32 ? k.name.n : 32 });
		text_str(&t, " ");
		if (pki_warns(&k, now_s(), &t))
			notice(which++, mem);
	}
	program_alarm_stands(&K.prog, ALARM_CERTIFICATE, which > 0,
			     span_str(K.prog.stats->notice[0]));
	tell_boss(which > 0);
	while (which < STATS_NOTICES)
		notice(which++, "");
}
