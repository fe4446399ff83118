/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_secret - the passwords of accounts. In every text they are sealed with a
 * key of this device (store/seal_text.h), bound to the kind and name of their
 * account;
 * open they are in the table that goes to the program `keys`, and nowhere else.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "conf/conf_seal.h"
#include "proc/confd/confd.h"
#include "store/seal_text.h"

enum { LINES_AT_ONCE = 20000 };

/* What the password of an account is bound to. A name has no blank. */
static struct span bound_to(const struct secret_account *a,
			    char mem[SECRET_NAME_MAX + 16])
{
	struct text t;

	text_init(&t, mem, SECRET_NAME_MAX + 16);
	text_str(&t, a->partner ? "inbound " : "");
	text_span(&t, a->name);
	return text_done(&t);
}

static int open_one(const struct secret_account *a,
		    uint8_t password[SEAL_TEXT_SECRET], size_t *n)
{
	char mem[SECRET_NAME_MAX + 16];
	uint8_t key[SEAL_SECRET];
	int r = confd_store_account_key(key);

	*n = 0;
	if (r == OK)
		r = seal_text_open(password, n, key, bound_to(a, mem),
				   a->sealed);
	seal_wipe(key, sizeof(key));
	return r;
}

static int shut_one(const struct secret_account *a, char out[SEAL_TEXT_MAX])
{
	char mem[SECRET_NAME_MAX + 16];
	uint8_t key[SEAL_SECRET];
	int r = confd_store_account_key(key);

	out[0] = '\0';
	if (r == OK)
		r = seal_text_shut(out, key, bound_to(a, mem), a->password);
	seal_wipe(key, sizeof(key));
	return r;
}

static void answer(struct conf_seal *j)
{
	uint8_t password[SEAL_TEXT_SECRET];
	char sealed[SEAL_TEXT_MAX] = "";
	struct secret_account a;
	size_t n;
	int r;

	if (!conf_seal_asks(j, &a))
		return;
	if (a.sealed.n > 0) {
		r = open_one(&a, password, &n);
		seal_wipe(password, sizeof(password));
	} else {
		r = shut_one(&a, sealed);
	}
	conf_seal_answer(j, r, span_str(sealed));
}

int confd_seal(struct span text, char **out, size_t *n, struct text *report)
{
	size_t room = conf_seal_room(text);
	struct conf_seal *j;
	void *mem;
	int r;

	*out = NULL;
	*n = 0;
	if (room == 0)
		return OK;
	mem = malloc(conf_seal_size());
	*out = malloc(room);
	if (!mem || !*out) {
		free(mem);
		free(*out);
		*out = NULL;
		return E_FULL;
	}
	j = conf_seal_init(mem, text, (uint8_t *)*out, report);
	while ((r = conf_seal_step(j, LINES_AT_ONCE, n)) == E_AGAIN) {
		answer(j);
		program_alive(&C.prog);
	}
	seal_wipe(mem, conf_seal_size());
	free(mem);
	return r;
}

void confd_open_sealed(struct conf_job *job)
{
	uint8_t password[SEAL_TEXT_SECRET];
	struct secret_account a;
	size_t n;
	int r;

	if (!conf_job_sealed(job, &a))
		return;
	r = open_one(&a, password, &n);
	conf_job_opened(job, r, (struct span){ password, n });
	seal_wipe(password, sizeof(password));
}

/* --- the table ---------------------------------------------------------------- */
int confd_secrets_begin(struct conf_job *job, struct secret_build *b)
{
	uint32_t accounts, keys;
	size_t octets = conf_job_need_secrets(job, &accounts) +
			confd_keys_need(&keys);
	size_t size = secret_build_size(accounts + keys, octets);
	uint8_t *mem = malloc(size);

	*b = (struct secret_build){ .p = mem, .size = size };
	return mem ? secret_build_begin(b, mem, size) : E_FULL;
}

int confd_secrets_end(struct secret_build *b, uint64_t floor_s, bool want)
{
	int fd = -1;

	if (want && confd_keys_add(b, false) == OK)
		fd = confd_sealed_fd("secrets", secret_build_end(b, floor_s));
	seal_wipe(b->p, b->size);
	free(b->p);
	return fd;
}

int confd_secrets_relay(bool inbound)
{
	struct secret_build b;
	uint32_t keys;
	size_t octets = confd_keys_need(&keys);
	int fd = -1, r;

	b.size = secret_build_size(keys, octets);
	b.p = malloc(b.size);
	if (!b.p)
		return -1;
	r = secret_build_begin(&b, b.p, b.size);
	if (r == OK && inbound)
		r = confd_keys_add(&b, true);
	if (r == OK)
		fd = confd_sealed_fd("certificates", secret_build_end(&b, 0));
	seal_wipe(b.p, b.size);
	free(b.p);
	return fd;
}

/* The accounts of s, and the keys as they are now. */
static int renew(struct snapshot *s)
{
	struct secret_table old;
	struct secret_build b;
	struct secret_account a;
	uint32_t keys;
	size_t size;
	int fd = -1, relay_fd = -1, r = confd_secrets_map(s, &old);

	if (r != OK)
		return r;
	size = secret_build_size(old.accounts_n + old.partners_n +
					 SECRET_KEYS_MAX,
				 old.blob.n + confd_keys_need(&keys));
	b.p = malloc(size);
	r = b.p ? secret_build_begin(&b, b.p, size) : E_FULL;
	for (uint32_t i = 0; r == OK && i < old.accounts_n; i++) {
		secret_table_account(&old, i, &a);
		r = secret_build_account(&b, &a);
	}
	for (uint32_t i = 0; r == OK && i < old.partners_n; i++) {
		secret_table_partner(&old, i, &a);
		r = secret_build_account(&b, &a);
	}
	if (b.p)
		fd = confd_secrets_end(&b, old.floor_s, r == OK);
	confd_text_unmap(old.blob);
	if (fd >= 0)
		relay_fd = confd_secrets_relay(s->inbound);
	if (relay_fd < 0) {
		if (fd >= 0)
			close(fd);
		return E_FULL;
	}
	close(s->secrets_fd);
	close(s->relay_fd);
	s->secrets_fd = fd;
	s->relay_fd = relay_fd;
	return OK;
}

void confd_secrets_renew(void)
{
	struct snapshot *all[] = { &C.now, &C.next, &C.before };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->secrets_fd >= 0 && renew(all[i]) != OK)
			program_die(&C.prog, "no memory for the private keys");
	confd_give_secrets();
}

int confd_secrets_map(const struct snapshot *s, struct secret_table *t)
{
	struct stat st;
	void *p;

	*t = (struct secret_table){ .blob = { NULL, 0 } };
	if (fstat(s->secrets_fd, &st) != 0 || st.st_size <= 0)
		return E_CORRUPT;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, s->secrets_fd,
		 0);
	if (p == MAP_FAILED)
		return E_FULL;
	return secret_table_open(t, (struct span){ p, (size_t)st.st_size });
}
