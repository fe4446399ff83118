/* SPDX-License-Identifier: BSD-2-Clause */
/* keys - see keys.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/wipe.h"
#include "pki/pki_key.h"
#include "proc/keys/keys.h"

struct keys K;

enum {
	LOOK_MS = 3600 * 1000,
	HEAR_MS = 20, /* while a relay is not heard */
};

void keys_forget(uint8_t *mem, size_t n)
{
	if (mem)
		wipe(mem, n);
	free(mem);
}

/* In memory of our own: who made it cannot change it any more. */
int keys_read(int fd, size_t max, uint8_t **mem, size_t *n)
{
	struct stat st;
	size_t have = 0;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return E_IO;
	if (st.st_size <= 0 || (uint64_t)st.st_size > max)
		return E_CORRUPT;
	*n = (size_t)st.st_size;
	*mem = malloc(*n);
	if (!*mem)
		return E_FULL;
	while (have < *n) {
		ssize_t r = pread(fd, *mem + have, *n - have, (off_t)have);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			keys_forget(*mem, *n);
			return E_IO;
		}
		have += (size_t)r;
	}
	return OK;
}

/* The new table, or the one before as it was. */
static int take(int fd, bool may_sign)
{
	struct secret_table table;
	uint8_t *mem;
	size_t n;
	int r = keys_read(fd, SECRET_TABLE_MAX, &mem, &n);

	if (r != OK)
		return r;
	r = secret_table_open(&table, (struct span){ mem, n });
	if (r == OK)
		r = keys_sign_prepare(&table, may_sign);
	if (r != OK) {
		keys_forget(mem, n);
		return r;
	}
	keys_forget(K.mem, K.mem_n);
	K.mem = mem;
	K.mem_n = n;
	K.table = table;
	keys_sign_adopt();
	return OK;
}

/* came: OK, or E_FULL: without its descriptor. */
static int on_secrets(const struct ipc_msg *m, int came)
{
	struct ipc_msg ack = { .type = IPC_SNAPSHOT_ACK, .number = m->number };

	ack.error = came == OK ? take(m->fd[0], m->may_sign) : came;
	if (ack.error == OK) {
		keys_look_at_certificates();
		K.prog.stats->snapshot = m->number;
		program_log(&K.prog, SEV_INFO,
			    "event=secrets number=%llu accounts=%u keys=%u",
			    (unsigned long long)m->number, K.table.accounts_n,
			    K.table.keys_n);
	} else {
		program_log(&K.prog, SEV_ALARM,
			    "event=secrets-refused number=%llu error=%s",
			    (unsigned long long)m->number, err_name(ack.error));
	}
	return ipc_send(K.confd.fd, ROLE_KEYS, ROLE_CONFD, &ack);
}

static void lose_confd(void)
{
	int fd = K.confd.fd;

	if (fd < 0)
		return;
	loop_del(&K.prog.loop, &K.confd);
	close(fd);
}

static void on_confd(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_CONFD, ROLE_KEYS, &m)) == OK ||
	       r == E_FULL) {
		int told = OK;

		if (m.type == IPC_SECRETS)
			told = on_secrets(&m, r);
		else
			keys_ask(&m, r);
		if (r == OK)
			close(m.fd[0]);
		r = told;
		if (r != OK)
			break;
	}
	if (r == E_AGAIN)
		return;
	lose_confd(); /* boss brings the next one */
	program_peer_lost(&K.prog, ROLE_CONFD);
}

static void on_boss(struct program *p, struct ipc_msg *m)
{
	(void)p;
	if (m->type == IPC_PEER && m->role == ROLE_CONFD) {
		lose_confd();
		if (loop_add(&K.prog.loop, &K.confd, m->fd[0], EPOLLIN,
			     on_confd) == OK)
			m->fd_n = 0;
	}
	if (m->type == IPC_PEER && m->role == ROLE_RELAY)
		keys_logon_relay(m);
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

/* Time passes without a new table, too. */
static void look(void)
{
	static uint64_t looked_ms;
	uint64_t now = now_ms();

	if (now - looked_ms < LOOK_MS)
		return;
	looked_ms = now;
	keys_look_at_certificates();
}

void keys_turn(int64_t timeout_ms)
{
	bool busy = keys_logon_work();

	busy = keys_serve_work() || busy;
	if (keys_logon_hear() && timeout_ms < 0)
		timeout_ms = HEAR_MS;
	program_turn(&K.prog, busy ? 0 : timeout_ms);
}

int main(int argc, char **argv)
{
	(void)argc;
	K.confd.fd = -1;
	keys_logon_init();
	keys_serve_init();
	program_start(&K.prog, ROLE_KEYS, argv);
	K.prog.on_boss = on_boss;
	if (pki_init() != OK)
		program_die(&K.prog,
			    "no random octets, or a wrong known answer");
	for (uint32_t i = 0; i < K.prog.given_n; i++)
		on_boss(&K.prog, &K.prog.given[i]);
	program_sandbox(&K.prog);
	for (;;) {
		keys_turn(-1);
		keys_make();
		look();
	}
}
