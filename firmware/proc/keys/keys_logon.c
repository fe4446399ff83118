/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys_logon - log-ons to servers, for the relays (ipc/ipc_logon.h). What leaves
 * is what a server is to be told: a proof, or of PLAIN and LOGIN the password
 * itself; and the key of a seal, once the server was content and is the right
 * one. An account is used only with a mechanism that some rule uses it with, so
 * nobody gets the password of an account that logs on with proofs.
 *
 * One log-on for a relay's flow. Rounds of SCRAM are done a slice at a time by
 * the main loop, so that the others do not wait.
 */
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "auth/sasl_client.h"
#include "base/wipe.h"
#include "ipc/ipc_logon.h"
#include "proc/keys/keys.h"

enum {
	LOGONS = 512, /* at the same time, of all relays */
	ROUNDS = 1000,
	LINE = 512, /* of a command, RFC 5321 4.5.3.1.4 */
	/* No server takes that long for a step (RFC 5321 4.5.3.2). */
	OVER_MS = 15 * 60000,
};

struct logon_state {
	bool used, works;
	uint32_t relay, flow;
	uint64_t number; /* of the step that waits for an answer */
	uint64_t heard_ms;
	struct sasl_client sasl;
};

static struct logon_state logons[LOGONS];
static uint32_t working; /* how many have rounds to do */
static struct watch relays[IPC_RELAYS_MAX];

static void forget(struct logon_state *l)
{
	working -= l->works;
	sasl_client_wipe(&l->sasl);
	wipe(l, sizeof(*l));
}

static struct logon_state *find(uint32_t relay, uint32_t flow)
{
	for (size_t i = 0; i < LOGONS; i++)
		if (logons[i].used && logons[i].relay == relay &&
		    logons[i].flow == flow)
			return &logons[i];
	return NULL;
}

/* Of the same session, by another connection; or one that is free; or one whose relay
 * was unable to say that it is over. NULL: too many. */
static struct logon_state *fresh(uint32_t relay, uint32_t flow)
{
	struct logon_state *l = find(relay, flow);
	uint64_t now = now_ms();

	for (size_t i = 0; !l && i < LOGONS; i++)
		if (!logons[i].used)
			l = &logons[i];
	for (size_t i = 0; !l && i < LOGONS; i++)
		if (now - logons[i].heard_ms > OVER_MS)
			l = &logons[i];
	if (!l)
		return NULL;
	if (l->used)
		forget(l);
	l->used = true;
	l->relay = relay;
	l->flow = flow;
	return l;
}

static enum logon_result result_of(int error)
{
	switch (error) {
	case E_PEER_WEAK: return LOGON_WEAK;
	case E_PEER_PROOF: return LOGON_UNPROVEN;
	case E_CONF: return LOGON_ACCOUNT;
	case E_FULL:
	case E_IO: return LOGON_NO_KEYS;
	}
	return LOGON_MALFORMED;
}

/* --- answers ---------------------------------------------------------------------- */
void keys_logon_reply(uint32_t relay, uint32_t flow, uint64_t number,
		      const struct ipc_logon_reply *r)
{
	uint8_t octets[IPC_LOGON_MAX];
	struct ipc_msg m = { .type = IPC_LOGON_REPLY,
			     .flow = flow,
			     .number = number,
			     .octets = { octets, 0 } };

	if (relays[relay].fd < 0 ||
	    ipc_logon_reply_put(octets, &m.octets.n, r) != OK)
		return;
	if (ipc_send(relays[relay].fd, ROLE_KEYS, ROLE_RELAY, &m) != OK)
		program_log(&K.prog, SEV_WARNING, "event=relay-deaf index=%u",
			    relay);
	wipe(octets, m.octets.n);
}

/* What came of a step: text if r is OK; E_AGAIN: not yet. */
static void answer(struct logon_state *l, int r, bool said,
		   const struct buf *text)
{
	struct ipc_logon_reply a = { .result = LOGON_OK, .said = said };

	if (r == E_AGAIN) {
		working += !l->works;
		l->works = true;
		return;
	}
	working -= l->works;
	l->works = false;
	if (r == OK && said)
		a.text = buf_span(text);
	else if (r != OK)
		a.result = result_of(r);
	keys_logon_reply(l->relay, l->flow, l->number, &a);
	if (r != OK)
		forget(l);
}

/* --- steps ------------------------------------------------------------------------ */
static void set(uint8_t *to, uint8_t *n, struct span s)
{
	*n = (uint8_t)(s.n <= SASL_NAME_MAX ? s.n : 0);
	if (*n > 0)
		memcpy(to, s.p, *n);
}

/* The account of that name, if a rule logs on with it in this way. */
static int secret_of(const struct ipc_logon *q, struct sasl_secret *who)
{
	struct secret_account a;

	if (!secret_table_find_account(&K.table, q->account, &a))
		return E_CONF;
	if ((a.uses & 1u << q->mech) == 0) {
		program_log(&K.prog, SEV_ALARM,
			    "event=account-misused account=%.*s mechanism=%s",
			    (int)q->account.n, (const char *)q->account.p,
			    auth_mech_word(q->mech));
		return E_CONF;
	}
	set(who->user, &who->user_n, a.user);
	set(who->domain, &who->domain_n, a.nt_domain);
	set(who->password, &who->password_n, a.password);
	return OK;
}

uint64_t keys_logon_time(void)
{
	uint64_t now = now_unix_ms(), floor = K.table.floor_s * 1000;

	return now < floor ? floor : now;
}

static void begin(struct logon_state *l, const struct ipc_logon *q,
		  struct buf *out)
{
	struct sasl_secret who = { 0 };
	struct sasl_ask ask = { .mech = q->mech,
				.plus = q->plus,
				.seal = q->seal,
				.legacy = q->legacy,
				.min_bits = q->min_bits,
				.binding = q->binding,
				.unix_ms = keys_logon_time() };
	const char *name = auth_mech_name(ask.mech, sasl_plus(&ask));
	int r = secret_of(q, &who);

	if (r == OK && getrandom(ask.random, sizeof(ask.random), 0) !=
			       (ssize_t)sizeof(ask.random))
		r = E_IO;
	if (r == OK)
		r = sasl_client_begin(&l->sasl, &ask, &who);
	/* "AUTH NAME text CRLF" */
	if (r == OK)
		r = sasl_client_first(&l->sasl, LINE - strlen(name) - 8, out);
	wipe(&who, sizeof(who));
	wipe(&ask, sizeof(ask));
	answer(l, r == 1 ? OK : r, r == 1, out);
}

static void challenge(struct logon_state *l, struct span text, struct buf *out)
{
	int r = E_PEER_PROOF;

	/* Who lets us answer our own question would log on here as us. */
	if (keys_serve_asks(text))
		program_log(&K.prog, SEV_ALARM,
			    "event=logon-reflected mechanism=%s",
			    auth_mech_word(l->sasl.ask.mech));
	else
		r = sasl_client_challenge(&l->sasl, text, out);
	answer(l, r, true, out);
}

static void done(struct logon_state *l)
{
	struct ipc_logon_reply a = { .result = LOGON_OK };
	struct sasl_outcome o;
	int r = sasl_client_done(&l->sasl, &o);

	a.result = r == OK ? LOGON_OK : result_of(r);
	a.ntlm_v2 = o.ntlm_v2;
	a.ntlm_flags = o.ntlm_flags;
	a.bits = o.bits;
	/* Without a seal nobody needs it. */
	if (r == OK && o.bits > 0)
		memcpy(a.key, o.key, sizeof(a.key));
	keys_logon_reply(l->relay, l->flow, l->number, &a);
	wipe(&a, sizeof(a));
	wipe(&o, sizeof(o));
	forget(l);
}

static void step(struct logon_state *l, const struct ipc_logon *q)
{
	uint8_t mem[SASL_TEXT_MAX];
	struct buf out;

	buf_init(&out, mem, sizeof(mem));
	switch (q->step) {
	case IPC_LOGON_BEGIN: begin(l, q, &out); break;
	case IPC_LOGON_CHALLENGE: challenge(l, q->text, &out); break;
	case IPC_LOGON_DONE: done(l); break;
	case IPC_LOGON_SERVE:
	case IPC_LOGON_HEARD: break; /* keys_serve.c */
	}
	wipe(mem, sizeof(mem));
}

/* False: the relay is not in its right mind. */
static bool take(uint32_t relay, const struct ipc_msg *m)
{
	struct ipc_logon_reply none = { .result = LOGON_NO_KEYS };
	struct logon_state *l;
	struct ipc_logon q;

	if (m->type == IPC_LOGON_END) {
		l = find(relay, m->flow);
		if (l)
			forget(l);
		keys_serve_forget(relay, m->flow);
		return true;
	}
	if (m->type == IPC_SIGN)
		return keys_sign_take(relay, relays[relay].fd, m);
	if (ipc_logon_get(&q, m->octets) != OK)
		return false;
	if (q.step >= IPC_LOGON_SERVE)
		return keys_serve_take(relay, m->flow, m->number, &q);
	l = q.step == IPC_LOGON_BEGIN ? fresh(relay, m->flow)
				      : find(relay, m->flow);
	if (!l) { /* too many, or begun before a restart of ours */
		keys_logon_reply(relay, m->flow, m->number, &none);
		return true;
	}
	if (l->works)
		return false;
	l->number = m->number;
	l->heard_ms = now_ms();
	step(l, &q);
	return true;
}

/* --- relays ----------------------------------------------------------------------- */
static void lose(uint32_t relay)
{
	int fd = relays[relay].fd;

	for (size_t i = 0; i < LOGONS; i++)
		if (logons[i].used && logons[i].relay == relay)
			forget(&logons[i]);
	keys_serve_lose(relay);
	if (fd < 0)
		return;
	loop_del(&K.prog.loop, &relays[relay]);
	close(fd);
}

/* One signature at a turn: they take long, and the other relays want some, too. */
static void on_relay(struct watch *w, uint32_t events)
{
	uint32_t relay = (uint32_t)(w - relays);
	struct ipc_msg m;
	int r = E_AGAIN;

	(void)events;
	while (keys_sign_may(relay) &&
	       (r = ipc_recv(w->fd, ROLE_RELAY, ROLE_KEYS, &m)) == OK) {
		bool good = take(relay, &m);

		ipc_forget();
		if (good && m.type == IPC_SIGN)
			r = E_AGAIN;
		if (!good || r != OK)
			break;
	}
	if (r != E_AGAIN)
		lose(relay);
	else if (!keys_sign_may(relay))
		loop_mod(&K.prog.loop, w, 0);
}

bool keys_logon_hear(void)
{
	bool deaf = false;

	for (uint32_t i = 0; K.mem && i < IPC_RELAYS_MAX; i++)
		if (relays[i].fd >= 0 && keys_sign_may(i))
			loop_mod(&K.prog.loop, &relays[i], EPOLLIN);
		else if (relays[i].fd >= 0)
			deaf = true;
	return deaf;
}

void keys_logon_relay(struct ipc_msg *m)
{
	struct watch *w = &relays[m->index];

	lose(m->index);
	if (loop_add(&K.prog.loop, w, m->fd[0], K.mem ? EPOLLIN : 0,
		     on_relay) == OK)
		m->fd_n = 0;
}

void keys_logon_init(void)
{
	for (size_t i = 0; i < IPC_RELAYS_MAX; i++)
		relays[i].fd = -1;
}

bool keys_logon_work(void)
{
	static size_t at;

	for (size_t i = 0; working > 0 && i < LOGONS; i++) {
		struct logon_state *l = &logons[at++ % LOGONS];
		uint8_t mem[SASL_TEXT_MAX];
		struct buf out;

		if (!l->works)
			continue;
		buf_init(&out, mem, sizeof(mem));
		answer(l, sasl_client_work(&l->sasl, ROUNDS, &out), true, &out);
		wipe(mem, sizeof(mem));
		break;
	}
	return working > 0;
}
