/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay - the mail sessions of one core: a session engine and two sockets each.
 * Sees bytes and sockets, never frames; holds no privilege and no file.
 *
 *	relay.c        start, settings, messages, the loop
 *	relay_conn.c       a session's sockets, statistics and log
 *	relay_domain.c     what came of mail for a domain
 *	relay_explain.c    why a recipient was refused
 *	relay_verify.c     what must not be readable outside
 *	relay_inbound.c    the log of sessions whose client is outside
 *	relay_identity.c   who the box is to them
 *	relay_sign.c       signatures of handshakes
 *	relay_probe.c      what a server has, and what is on the way to it
 *	relay_names.c      where the hosts of routes are
 *	relay_borrow.c     connections for those two
 *	relay_peers.c      other boxes
 *	relay_learn.c      what domains were seen to have
 */
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proc/relay/relay.h"

struct relay R;

/* --- settings ------------------------------------------------------------------ */

static void unmap(struct relay_snapshot *s)
{
	tls_trust_free(s->trust);
	if (s->map)
		munmap(s->map, s->map_n);
	*s = (struct relay_snapshot){ 0 };
}

static int map_snapshot(struct relay_snapshot *s, int fd)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	unsigned bad;
	struct stat st;
	int r;

	*s = (struct relay_snapshot){ 0 };
	if ((fcntl(fd, F_GET_SEALS) & seals) != seals || fstat(fd, &st) != 0)
		return E_CORRUPT;
	s->map_n = (size_t)st.st_size;
	s->map = mmap(NULL, s->map_n, PROT_READ, MAP_SHARED, fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return E_IO;
	}
	r = policy_open(&s->policy, (struct span){ s->map, s->map_n });
	if (r == OK) {
		s->trust = tls_trust_new(s->policy.settings.ca_pem,
					 s->policy.settings.clock_floor_s,
					 &bad);
		r = s->trust ? OK : bad ? E_CONF : E_FULL;
	}
	if (r == E_CONF)
		program_log(&R.prog, SEV_WARNING,
			    "event=ca-unreadable certificate=%u", bad);
	return r;
}

void relay_open(void)
{
	/* What was required of a sender would be refused for want of a TLS
	 * that is there in a moment. */
	bool may = R.have_policy && !relay_identity_waited_for();

	loop_mod(&R.prog.loop, &R.wire, may ? EPOLLIN : 0);
}

static int take_snapshot(const struct ipc_msg *m)
{
	struct relay_snapshot *fresh = &R.snapshot[!R.current];
	int r = map_snapshot(fresh, m->fd[0]);

	if (r == OK)
		r = relay_identity_take(m->fd[1]);
	if (r != OK) {
		unmap(fresh);
		return r;
	}
	/* Sessions go on; recipients from now on see the new settings. */
	relay_conn_set_policy(fresh);
	unmap(&R.snapshot[R.current]);
	R.current = !R.current;
	R.have_policy = true;
	R.prog.stats->snapshot = m->number;
	relay_identity_notice();
	relay_peers_judge();
	relay_open();
	return OK;
}

/* Who has died comes back. But to go on with a policy that is not in force any
 * more, because we missed the next one, would be worse than to begin anew. */
static void lose(struct watch *w, enum role role, int error)
{
	int fd = w->fd;

	if (error != E_PEER_GONE)
		program_die(&R.prog, "message of %s: %s", role_name(role),
			    err_name(error));
	loop_del(&R.prog.loop, w);
	close(fd);
	program_peer_lost(&R.prog, role);
}

static void on_confd(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_CONFD, ROLE_RELAY, &m)) == OK ||
	       r == E_FULL) {
		struct ipc_msg ack = { .type = IPC_SNAPSHOT_ACK,
				       .number = m.number,
				       .error = r };

		if (r == OK && relay_learn_message(&m)) {
			while (m.fd_n > 0)
				close(m.fd[--m.fd_n]);
			continue;
		}
		if (m.type == IPC_LEARNED_ALL) { /* without its descriptor */
			program_log(&R.prog, SEV_WARNING,
				    "event=learned-not-taken error=%s",
				    err_name(r));
			continue;
		}
		if (r == OK) {
			ack.error = take_snapshot(&m);
			close(m.fd[0]);
			close(m.fd[1]);
		}
		r = ipc_send(w->fd, ROLE_RELAY, ROLE_CONFD, &ack);
		if (r != OK)
			break;
	}
	if (r != E_AGAIN)
		lose(w, ROLE_CONFD, r);
}

/* --- wire ------------------------------------------------------------------------ */

static void on_wire(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_WIRE, ROLE_RELAY, &m)) == OK ||
	       r == E_FULL) {
		if (!relay_probe_message(&m) && !relay_names_message(&m))
			relay_conn_message(&m);
		while (m.fd_n > 0)
			close(m.fd[--m.fd_n]);
	}
	if (r == E_AGAIN)
		return;
	lose(w, ROLE_WIRE, r);
	relay_conn_lost();
}

/* --- keys ------------------------------------------------------------------------ */

/* What the one before was asked, the next one has not heard. */
static void keys_lost(void)
{
	relay_logon_lost();
	relay_sign_lost();
}

static void on_keys(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_KEYS, ROLE_RELAY, &m)) == OK) {
		if (m.type == IPC_SIGNED)
			relay_sign_reply(&m);
		else
			relay_logon_reply(&m);
		ipc_forget();
	}
	if (r == E_AGAIN)
		return;
	lose(w, ROLE_KEYS, r);
	keys_lost();
}

static void watch_peer(struct watch *w, struct ipc_msg *m, uint32_t events,
		       void (*ready)(struct watch *, uint32_t))
{
	int old = w->fd;

	loop_del(&R.prog.loop, w);
	if (old >= 0)
		close(old);
	if (loop_add(&R.prog.loop, w, m->fd[0], events, ready) != OK)
		program_die(&R.prog, "cannot watch a peer");
	m->fd_n = 0;
}

static void on_boss(struct program *p, struct ipc_msg *m)
{
	(void)p;
	/* Sessions wait until there is a policy to judge them by. */
	if (m->type == IPC_PEER && m->role == ROLE_WIRE) {
		watch_peer(&R.wire, m, EPOLLET, on_wire);
		relay_conn_lost();
	} else if (m->type == IPC_PEER && m->role == ROLE_CONFD) {
		watch_peer(&R.confd, m, EPOLLIN, on_confd);
		relay_learn_attach();
	} else if (m->type == IPC_PEER && m->role == ROLE_WITNESS)
		relay_verify_attach(m);
	else if (m->type == IPC_PEER && m->role == ROLE_CONSOLE)
		relay_probe_attach(m);
	else if (m->type == IPC_PEER && m->role == ROLE_KEYS) {
		/* That the old one is gone may not have been heard yet. */
		watch_peer(&R.keys, m, EPOLLIN, on_keys);
		keys_lost();
	}
	relay_open();
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

#ifdef M_TRIM_THRESHOLD
/* Sessions come and go: what they had goes back to the system. */
static void give_memory_back(void)
{
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	mallopt(M_MMAP_THRESHOLD, 1 << 18);
}
#else
static void give_memory_back(void)
{
	/* musl does so by itself */
}
#endif

static void start(char **argv)
{
	static uint64_t memory[(1 << 20) / 8];
	const char *why;

	R.wire.fd = R.confd.fd = R.keys.fd = R.witness.fd = -1;
	relay_probe_init();
	R.now = R.ticked = now_ms();
	program_start(&R.prog, ROLE_RELAY, argv);
	relay_names_init();
	if (tls_self_test(&why) != OK)
		program_die(&R.prog, "self-test of %s failed", why);
	if (getrandom(R.key, sizeof(R.key), 0) != (ssize_t)sizeof(R.key))
		program_die(&R.prog, "no randomness");
	if (peer_memory_size() > sizeof(memory))
		program_die(&R.prog, "peer memory");
	R.peers = peer_memory_init(memory, R.key);
	relay_learn_init();
	relay_inbound_init();
	give_memory_back();
	R.prog.on_boss = on_boss;
	for (uint32_t i = 0; i < R.prog.given_n; i++)
		on_boss(&R.prog, &R.prog.given[i]);
	stats_set(R.prog.stats, CNT_SESSIONS_NOW, 0);
	program_sandbox(&R.prog);
}

int main(int argc, char **argv)
{
	(void)argc;
	start(argv);
	for (;;) {
		bool awake = R.conns || relay_probe_busy() ||
			     relay_names_busy() || relay_learn_busy() ||
			     relay_identity_proving();

		program_turn(&R.prog, relay_identity_works() ? 0
				      : awake		     ? RELAY_TICK_MS
							     : -1);
		R.now = now_ms();
		relay_identity_turn();
		relay_probe_turn();
		relay_names_turn();
		relay_conn_turn();
		relay_learn_turn();
	}
}
