/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_keys - the private keys of the box. They are in no configuration: they
 * are stored by themselves, sealed, and go to the program `keys` behind the
 * accounts of the configuration in force.
 *
 *	console --KEY_GENERATE, ...--> confd --KEY_ASK--> keys, which makes it
 *	        <---- answer -------- store <-KEY_RESULT-
 *	                              +------SECRETS----> keys, which has it
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "conf/conf_parse.h"
#include "proc/confd/confd.h"

enum {
	WAIT_MS = 1500,	 /* what takes longer is answered before it is done */
	LOST_MS = 10000, /* and this is too long for anything but RSA */
};

static struct {
	char *ring; /* table of all keys; NULL: none */
	size_t ring_n;
	struct secret_table keys; /* of ring */
	bool making;		  /* keys makes one; it may take minutes */
	/* what the console waits for */
	bool console_waits;
	enum conf_op op;
	uint64_t asked_ms;
} R;

/* --- the ring -------------------------------------------------------------------- */
static void wipe_text(char *p, size_t n)
{
	if (p)
		seal_wipe(p, n);
	free(p);
}

static void adopt(char *ring, size_t n)
{
	wipe_text(R.ring, R.ring_n);
	R.ring = ring;
	R.ring_n = n;
	R.keys = (struct secret_table){ .blob = { NULL, 0 } };
	if (ring && secret_table_open(&R.keys, (struct span){ (uint8_t *)ring,
							      n }) != OK) {
		program_log(&C.prog, SEV_ALARM,
			    "event=keys-unreadable why=\"what is stored is not "
			    "understood\"");
		R.keys = (struct secret_table){ .blob = { NULL, 0 } };
	}
}

void confd_keys_start(void)
{
	char *ring = NULL;
	size_t n = 0;

	if (confd_store_keys_load(&ring, &n) == OK)
		adopt(ring, n);
}

void confd_keys_erased(void)
{
	adopt(NULL, 0);
}

uint32_t confd_keys_n(void)
{
	return R.keys.keys_n;
}

size_t confd_keys_need(uint32_t *entries)
{
	*entries = R.keys.keys_n;
	return R.ring_n;
}

int confd_keys_add(struct secret_build *b, bool shown)
{
	int r = OK;

	for (uint32_t i = 0; r == OK && i < R.keys.keys_n; i++) {
		struct secret_key k;

		secret_table_key(&R.keys, i, &k);
		if (shown)
			k.key = (struct span){ NULL, 0 };
		if (!shown || k.chain.n > 0)
			r = secret_build_key(b, &k);
	}
	return r;
}

/* A new ring: k, unless it is NULL, in the place of the one named, or behind all:
 * the first one is what other boxes know us by. */
static int build(struct span without, const struct secret_key *k, char **ring,
		 size_t *n)
{
	size_t octets = R.ring_n + (k ? k->name.n + k->key.n + k->chain.n : 0);
	size_t size = secret_build_size(R.keys.keys_n + 1, octets);
	struct secret_build b;
	struct secret_key old;
	bool placed = false;
	int r;

	*ring = malloc(size);
	if (!*ring)
		return E_FULL;
	r = secret_build_begin(&b, (uint8_t *)*ring, size);
	for (uint32_t i = 0; r == OK && i < R.keys.keys_n; i++) {
		secret_table_key(&R.keys, i, &old);
		if (!span_eq(old.name, without))
			r = secret_build_key(&b, &old);
		else if (k)
			r = secret_build_key(&b, k);
		placed = placed || span_eq(old.name, without);
	}
	if (r == OK && k && !placed)
		r = secret_build_key(&b, k);
	*n = r == OK ? secret_build_end(&b, 0).n : 0;
	if (r != OK)
		wipe_text(*ring, size);
	return r;
}

/* Store it, then it counts. */
static int replace(struct span without, const struct secret_key *k)
{
	char *ring;
	size_t n;
	int r = build(without, k, &ring, &n);

	if (r == OK) {
		r = confd_store_keys_save((struct span){ (uint8_t *)ring, n });
		if (r != OK)
			wipe_text(ring, n);
	} else {
		text_str(&C.report, "there is not enough memory\n");
	}
	if (r != OK)
		return r;
	adopt(ring, n);
	confd_secrets_renew();
	return OK;
}

/* --- asking keys ------------------------------------------------------------------ */
static int say(int error, const char *why)
{
	text_str(&C.report, why);
	return error;
}

static int ask(enum conf_op op, struct span text)
{
	struct ipc_msg m = { .type = IPC_KEY_ASK,
			     .op = op,
			     .fd = { confd_report_fd(text) },
			     .fd_n = 1 };
	int sock = C.peer[0].watch.fd, r = E_FULL;

	if (m.fd[0] >= 0)
		r = sock < 0 ? E_PEER_GONE
			     : ipc_send(sock, ROLE_CONFD, ROLE_KEYS, &m);
	if (m.fd[0] >= 0)
		close(m.fd[0]);
	if (r != OK)
		return say(r, "keys is not there at the moment; try again\n");
	if (op == CONF_OP_KEY_GENERATE)
		R.making = true;
	R.op = op;
	R.asked_ms = now_ms();
	R.console_waits = true;
	return OK;
}

/* NAME in its normal form and a line end into t; E_CONF with C.report. */
static int put_name(struct text *t, const struct conf_words *w, size_t at)
{
	uint8_t name[SECRET_NAME_MAX];
	size_t n = 0;
	const char *why = at < w->n ? conf_label(w->word[at].text, name, &n)
				    : "the name of a key must follow";

	if (why) {
		text_str(&C.report, why);
		return say(E_CONF, "\n");
	}
	text_span(t, (struct span){ name, n });
	text_str(t, "\n");
	return OK;
}

static bool have(const struct text *name_line)
{
	struct span name = text_done(name_line);
	struct secret_key k;

	name.n -= name.n > 0; /* its line end */
	return secret_table_find_key(&R.keys, name, &k);
}

/* "ecdsa NAME", "ecdsa 384 NAME" */
static int generate(const struct conf_words *w)
{
	char mem[2 * CONF_LINE_MAX];
	struct text t;
	bool rsa;
	int r;

	text_init(&t, mem, sizeof(mem));
	r = put_name(&t, w, w->n > 0 ? w->n - 1 : 0);
	if (r != OK)
		return r;
	if (w->n < 2 || w->n > 3)
		return say(E_CONF, "TYPE [BITS] NAME must follow\n");
	if (have(&t))
		return say(E_CONF, "there is a key of this name already\n");
	if (R.keys.keys_n >= SECRET_KEYS_MAX)
		return say(E_FULL, "there are 16 keys already\n");
	if (R.making)
		return say(E_AGAIN, "another key is being made\n");
	rsa = conf_word_is(&w->word[0], SPAN_LIT("rsa"));
	text_span(&t, w->word[0].text);
	text_str(&t, "\n");
	text_span(&t, w->n == 3 ? w->word[1].text
		      : rsa	? SPAN_LIT("3072")
				: SPAN_LIT("256"));
	return ask(CONF_OP_KEY_GENERATE, text_done(&t));
}

/* NAME and words, which may be in quotes. */
static int csr(const struct conf_words *w)
{
	char mem[2 * CONF_LINE_MAX];
	struct text t;
	int r;

	text_init(&t, mem, sizeof(mem));
	r = put_name(&t, w, 0);
	for (size_t i = 1; r == OK && i < w->n; i++) {
		text_span(&t, w->word[i].text);
		text_str(&t, "\n");
	}
	return r == OK ? ask(CONF_OP_KEY_CSR, text_done(&t)) : r;
}

static int drop_key(const struct conf_words *w)
{
	uint8_t name[SECRET_NAME_MAX];
	struct secret_key k;
	size_t n = 0;
	int r;

	if (w->n != 1 || conf_label(w->word[0].text, name, &n) ||
	    !secret_table_find_key(&R.keys, (struct span){ name, n }, &k))
		return say(E_CONF, "there is no key of this name\n");
	r = replace((struct span){ name, n }, NULL);
	if (r == OK)
		program_log(&C.prog, SEV_NOTICE, "event=key-deleted name=%.*s",
			    (int)n, (const char *)name);
	return r;
}

/* How many certificates are built in, and one's own. */
static int crypto(void)
{
	static const char end[] = "-----END CERTIFICATE-----";
	struct policy p;
	struct span own, builtin = { NULL, 0 };
	size_t size, n = 0;
	struct text t;
	char *mem;
	int r;

	if (C.now.fd < 0) /* closed, but the keys are there */
		return ask(CONF_OP_CRYPTO, confd_clock_unset()
						   ? SPAN_LIT("0 unset\n")
						   : SPAN_LIT("0\n"));
	r = confd_policy_map(&C.now, &p);
	if (r != OK)
		return r;
	own = span_skip(p.settings.ca_pem, p.settings.ca_builtin_n);
	builtin = (struct span){ p.settings.ca_pem.p, p.settings.ca_builtin_n };
	while (builtin.n > 0) {
		const uint8_t *e = memmem(builtin.p, builtin.n, end,
					  sizeof(end) - 1);

		if (!e)
			break;
		n++;
		builtin = span_skip(builtin,
				    (size_t)(e - builtin.p) + sizeof(end) - 1);
	}
	size = own.n + 32;
	mem = malloc(size);
	if (mem) {
		text_init(&t, mem, size);
		text_u64(&t, n);
		text_str(&t, confd_clock_unset() ? " unset\n" : "\n");
		text_span(&t, own);
		r = ask(CONF_OP_CRYPTO, text_done(&t));
		free(mem);
	} else {
		r = say(E_FULL, "there is not enough memory\n");
	}
	confd_text_unmap(p.blob);
	return r;
}

/* A line whose last word is NAME, then PEM. */
static int import(struct conf_words *w, struct span text)
{
	size_t size = text.n + SECRET_NAME_MAX + 2;
	struct conf_lines lines;
	struct span line = { NULL, 0 };
	struct text t;
	char *mem;
	int r;

	conf_lines_init(&lines, text);
	if (!conf_lines_next(&lines, &line) || conf_words_cut(w, line) != OK)
		return say(E_CONF, "the name of a key must come first\n");
	mem = malloc(size);
	if (!mem)
		return say(E_FULL, "there is not enough memory\n");
	text_init(&t, mem, size);
	r = put_name(&t, w, w->n > 0 ? w->n - 1 : 0);
	text_span(&t, lines.rest);
	if (r == OK)
		r = ask(CONF_OP_KEY_IMPORT, text_done(&t));
	wipe_text(mem, size);
	return r;
}

static int run(enum conf_op op, struct conf_words *w, struct span text)
{
	if (op == CONF_OP_KEY_IMPORT)
		return import(w, text);
	if (conf_words_cut(w, text) != OK) {
		text_str(&C.report, w->why);
		return say(E_CONF, "\n");
	}
	switch ((int)op) {
	case CONF_OP_KEY_GENERATE: return generate(w);
	case CONF_OP_KEY_CSR: return csr(w);
	case CONF_OP_KEY_DELETE: return drop_key(w);
	default: return crypto();
	}
}

bool confd_keys_ask(enum conf_op op, struct span text, int *error)
{
	struct conf_words *w = malloc(sizeof(*w));

	*error = !w		   ? say(E_FULL, "there is not enough memory\n")
		 : R.console_waits ? say(E_AGAIN, "keys has not answered yet\n")
				   : run(op, w, text);
	if (w)
		seal_wipe(w, sizeof(*w));
	free(w);
	return *error == OK && op != CONF_OP_KEY_DELETE;
}

/* --- what keys says --------------------------------------------------------------- */
/* The one key in a table that keys has made. */
static int take_key(enum conf_op op, struct span table)
{
	struct secret_table t;
	struct secret_key k, old;
	int r;

	if (secret_table_open(&t, table) != OK || t.keys_n != 1)
		return say(E_CORRUPT, "keys gave no key\n");
	secret_table_key(&t, 0, &k);
	if (op == CONF_OP_KEY_GENERATE &&
	    secret_table_find_key(&R.keys, k.name, &old))
		return say(E_CONF, "a key of this name has come meanwhile\n");
	if (!secret_table_find_key(&R.keys, k.name, &old) &&
	    R.keys.keys_n >= SECRET_KEYS_MAX)
		return say(E_FULL, "there are 16 keys already\n");
	r = replace(k.name, &k);
	if (r == OK)
		program_log(&C.prog, SEV_NOTICE, "event=%s name=%.*s",
			    op == CONF_OP_KEY_GENERATE ? "key-made"
						       : "certificate-imported",
			    (int)k.name.n, (const char *)k.name.p);
	return r;
}

void confd_on_key_result(const struct ipc_msg *m, int came)
{
	bool answers = R.console_waits && R.op == m->op;
	char *answer = NULL, *table = NULL;
	size_t n = 0, table_n = 0;
	int r = m->error;

	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	if (came != OK)
		r = say(came, "no descriptor is free\n");
	else if (confd_read(m->fd[0], &answer, &n) != OK ||
		 confd_read(m->fd[1], &table, &table_n) != OK)
		r = say(E_FULL, "there is not enough memory\n");
	if (r == OK && table_n > 0)
		r = take_key(m->op, (struct span){ (uint8_t *)table, table_n });
	if (m->op == CONF_OP_KEY_GENERATE)
		R.making = false;
	if (r != OK && !answers) /* who asked was told that it takes long */
		program_log(&C.prog, SEV_WARNING, "event=no-key error=%s",
			    err_name(r));
	if (answers) {
		bool told = came == OK && (r == OK || r == m->error);

		R.console_waits = false;
		confd_reply(r, C.now.number,
			    told ? confd_report_fd((struct span){
					   (uint8_t *)answer, n })
				 : -1);
	}
	free(answer);
	wipe_text(table, table_n);
}

static void give_up(const char *why, int error)
{
	if (!R.console_waits)
		return;
	R.console_waits = false;
	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	confd_reply(say(error, why), C.now.number, -1);
}

void confd_keys_lost(void)
{
	if (R.making && !R.console_waits)
		program_log(&C.prog, SEV_WARNING,
			    "event=no-key why=\"keys stopped\"");
	R.making = false;
	give_up("keys stopped while it worked on this; try again\n",
		E_PEER_GONE);
}

void confd_keys_console_gone(void)
{
	R.console_waits = false;
}

void confd_keys_tick(uint64_t now)
{
	if (!R.console_waits)
		return;
	if (R.op == CONF_OP_KEY_GENERATE && now - R.asked_ms > WAIT_MS)
		give_up("the key is being made, which can take minutes; \"show "
			"crypto\" has it when it is there\n",
			OK);
	else if (now - R.asked_ms > LOST_MS)
		give_up("keys does not answer\n", E_PEER_TIME);
}
