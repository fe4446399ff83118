/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_identity - who the box is to clients outside. Certificates are proved one
 * after the other, between the turns of the loop; what fails is left out, and said.
 * Until the rest is proved, sessions go on with those before, and wait for a while if
 * there were none; so they do while there is not enough memory for it, which is tried
 * again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/hash.h"
#include "proc/relay/relay.h"

enum {
	AGAIN_MS = 1000,
	PATIENCE_MS = 5000, /* of sessions, with keys */
	LOST_MS = 5000,	    /* of us, with an answer of keys */
	DEAF_MS = 100,	    /* and when it could not even be asked */
};

static struct {
	bool known;
	uint64_t hash;		   /* of the table that came last */
	struct secret_table table; /* mapped while it is being proved */
	uint32_t left_out;	   /* of its keys, one bit each */
	struct tls_identity *fresh;
	uint64_t since_ms;  /* when these certificates came */
	uint64_t sign_turn; /* of the signature that keys was asked for; 0 */
	uint64_t sign_ms;   /* when that was */
	uint64_t again_ms;  /* for want of memory: begin anew then; 0: no */
	uint32_t key_of[TLS_CERTS_MAX]; /* of the certificates of fresh */
	size_t n;
} I;

static void unmap(struct span s)
{
	if (s.n > 0)
		munmap((void *)(uintptr_t)s.p, s.n);
}

bool relay_identity_proving(void)
{
	return I.fresh || I.again_ms != 0;
}

bool relay_identity_waited_for(void)
{
	return !R.identity && relay_identity_proving() &&
	       R.now < I.since_ms + PATIENCE_MS;
}

/* Nothing before keys has answered. */
static bool waits(void)
{
	return tls_identity_asks(I.fresh, NULL) &&
	       (R.keys.fd < 0 ||
		R.now - I.sign_ms < (I.sign_turn != 0 ? LOST_MS : DEAF_MS));
}

bool relay_identity_works(void)
{
	return I.fresh && !waits();
}

void relay_identity_signed(uint64_t turn, struct span signature)
{
	if (!I.fresh || I.sign_turn != turn)
		return;
	I.sign_turn = 0;
	tls_identity_signed(I.fresh, signature);
}

void relay_identity_unasked(void)
{
	I.sign_turn = 0;
}

void relay_identity_notice(void)
{
	const struct settings *s = &R.snapshot[R.current].policy.settings;
	bool lacks = s->inbound && !s->inbound_pass && !R.identity && !I.fresh;

	if (R.prog.index == 0) /* the others have the same to say */
		stats_notice(R.prog.stats, 0,
			     lacks ? SPAN_LIT("inbound: no certificate that "
					      "works, STARTTLS is not offered")
				   : SPAN_LIT(""));
}

static void leave_out(uint32_t key, const char *why)
{
	struct secret_key k;
	char line[STATS_TEXT];

	secret_table_key(&I.table, key, &k);
	snprintf(line, sizeof(line), "event=certificate-not-used name=%.*s",
		 (int)k.name.n, (const char *)k.name.p);
	program_log_why(&R.prog, SEV_ALARM, line, span_str(why));
	I.left_out |= 1u << key;
}

/* What is in force from now on; id NULL: nothing. */
static void adopt(struct tls_identity *id)
{
	relay_conn_set_identity(id);
	tls_identity_free(R.identity);
	R.identity = id;
	unmap(I.table.blob);
	I.table = (struct secret_table){ .blob = { NULL, 0 } };
	I.fresh = NULL;
	relay_peers_own(id);
	if (id)
		program_log(&R.prog, SEV_INFO,
			    "event=server-ready certificates=%zu", I.n);
	relay_identity_notice();
	relay_open();
}

/* All keys but those left out. E_FULL: I.fresh is not to be used. */
static int gather(void)
{
	int r = OK;

	I.n = 0;
	I.sign_turn = 0;
	I.fresh = tls_identity_new();
	for (uint32_t i = 0; I.fresh && r != E_FULL && i < I.table.keys_n;
	     i++) {
		struct secret_key k;
		const char *why;

		if (I.left_out & 1u << i)
			continue;
		secret_table_key(&I.table, i, &k);
		r = tls_identity_add(I.fresh, k.chain, &why);
		if (r == OK)
			I.key_of[I.n++] = i;
		else if (r == E_CONF)
			leave_out(i, why);
		program_alive(&R.prog);
	}
	return I.fresh && r != E_FULL ? OK : E_FULL;
}

static void give_up(void)
{
	tls_identity_free(I.fresh);
	I.fresh = NULL;
}

static void forget(void)
{
	give_up();
	I.again_ms = 0;
	unmap(I.table.blob);
	I.table = (struct secret_table){ .blob = { NULL, 0 } };
	I.known = false;
}

/* E_FULL, E_CORRUPT */
static int map(int fd, struct secret_table *t)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	struct stat st;
	void *p;

	*t = (struct secret_table){ .blob = { NULL, 0 } };
	if ((fcntl(fd, F_GET_SEALS) & seals) != seals || fstat(fd, &st) != 0 ||
	    st.st_size <= 0 || st.st_size > SECRET_TABLE_MAX)
		return E_CORRUPT;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return E_FULL;
	if (secret_table_open(t, (struct span){ p, (size_t)st.st_size }) == OK)
		return OK;
	munmap(p, (size_t)st.st_size);
	return E_CORRUPT;
}

int relay_identity_take(int fd)
{
	struct secret_table t;
	uint64_t hash;
	int r = map(fd, &t);

	if (r != OK)
		return r;
	hash = siphash(R.key, t.blob);
	if (I.known && hash == I.hash) {
		unmap(t.blob);
		return OK;
	}
	forget();
	I.table = t;
	I.left_out = 0;
	I.since_ms = now_ms();
	if (t.keys_n == 0)
		adopt(NULL);
	else
		r = gather();
	if (r != OK)
		forget();
	I.known = r == OK;
	I.hash = hash;
	return r;
}

/* The signature that the proof waits for. */
static void ask_keys(void)
{
	struct sign_ask q;

	if (!tls_identity_asks(I.fresh, &q))
		return;
	I.sign_turn = relay_sign_send(RELAY_NO_FLOW, &q);
	I.sign_ms = R.now;
}

/* One handshake. OK: I.fresh is done, or what is left of it begins anew. */
static int step(void)
{
	const char *why;
	size_t which;
	int r = tls_identity_prove(I.fresh, &why, &which);

	if (r == OK)
		adopt(I.fresh);
	else if (r == E_AGAIN)
		ask_keys();
	if (r != E_CONF)
		return r == E_FULL ? r : OK;
	give_up();
	if (I.n == 0) {
		adopt(NULL);
		return OK;
	}
	leave_out(I.key_of[which], why);
	return gather();
}

void relay_identity_turn(void)
{
	int r = OK;

	if (I.again_ms != 0 && R.now >= I.again_ms) {
		I.again_ms = 0;
		r = gather();
	} else if (relay_identity_works()) {
		r = step();
	}
	if (relay_identity_proving())
		relay_open(); /* the patience of sessions may have ended */
	if (r == OK)
		return;
	give_up();
	I.again_ms = R.now + AGAIN_MS;
	program_log(&R.prog, SEV_WARNING,
		    "event=certificates-wait why=\"no memory\"");
	relay_open();
}
