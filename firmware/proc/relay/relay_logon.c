/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_logon - a session that has to log on asks keys what to say, one whose
 * client logs on, who it is (ipc/ipc_logon.h). One question at a time; the answer
 * to one that the session does not wait for any more is thrown away.
 */
#include "base/text.h"
#include "base/wipe.h"
#include "ipc/ipc_logon.h"
#include "proc/relay/relay.h"

/* Many times what the most rounds that SCRAM may ask for take. An answer that is not
 * there then was lost, for want of memory; the client may try again. */
enum { LATE_MS = 10000 };

static bool tell(struct ipc_msg *m)
{
	return R.keys.fd >= 0 &&
	       ipc_send(R.keys.fd, ROLE_RELAY, ROLE_KEYS, m) == OK;
}

static void failed(struct conn *c, enum logon_result why, uint32_t wait_ms)
{
	if (c->inbound)
		session_heard_unknown(c->session, why, wait_ms);
	else
		session_auth_failed(c->session, why);
}

static void ask(struct conn *c, const struct ipc_logon *q, uint32_t turn)
{
	uint8_t octets[IPC_LOGON_MAX];
	struct ipc_msg m = { .type = IPC_LOGON,
			     .flow = c->flow,
			     .number = turn,
			     .octets = { octets, 0 } };

	c->asked = turn;
	c->asked_ms = R.now;
	c->logging_on = true;
	if (ipc_logon_put(octets, &m.octets.n, q) != OK)
		failed(c, LOGON_MALFORMED, 0);
	else if (!tell(&m))
		failed(c, LOGON_NO_KEYS, 0);
	wipe(octets, sizeof(octets));
}

/* Of a client outside. */
static bool ask_who(struct conn *c)
{
	struct ipc_logon q = { .step = IPC_LOGON_HEARD };
	struct gate_heard h = session_heard(c->session, &q.binding);

	if (c->asked == h.turn)
		return false;
	if (h.first)
		q.step = IPC_LOGON_SERVE;
	q.mech = h.mech;
	q.plus = h.plus;
	q.initial = h.first && h.initial;
	q.text = h.text;
	memcpy(q.source, c->client.ip, sizeof(q.source));
	ask(c, &q, h.turn);
	wipe(&q.binding, sizeof(q.binding));
	return true;
}

bool relay_logon_ask(struct conn *c)
{
	struct ipc_logon q = { 0 };
	struct gate_auth a;

	if (c->inbound)
		return ask_who(c);
	a = session_auth(c->session, &q.binding);
	if (c->asked == a.turn)
		return false;
	q.step = (enum ipc_logon_step)a.step;
	q.mech = a.logon.mech;
	q.seal = a.seal;
	q.plus = a.plus;
	q.legacy = a.logon.legacy;
	q.min_bits = a.logon.min_bits;
	q.account = a.logon.account;
	if (a.step == GATE_AUTH_CHALLENGE)
		q.text = a.text;
	ask(c, &q, a.turn);
	wipe(&q.binding, sizeof(q.binding));
	return true;
}

void relay_logon_end(struct conn *c)
{
	struct ipc_msg m = { .type = IPC_LOGON_END, .flow = c->flow };

	if (c->logging_on)
		(void)tell(&m);
	c->logging_on = false;
}

static struct sasl_outcome outcome_of(const struct ipc_logon_reply *r)
{
	struct sasl_outcome o = { .ntlm_flags = r->ntlm_flags,
				  .ntlm_v2 = r->ntlm_v2,
				  .bound = r->bound,
				  .bits = r->bits };

	memcpy(o.key, r->key, sizeof(o.key));
	return o;
}

/* Of a client outside. */
static void answer_who(struct conn *c, const struct ipc_logon_reply *r)
{
	struct sasl_outcome o = outcome_of(r);

	if (r->result != LOGON_OK) {
		session_heard_unknown(c->session, r->result, r->wait_ms);
	} else if (r->proven) {
		session_heard_known(c->session, r->text, &o);
		c->logging_on = false; /* keys has forgotten it */
	} else {
		session_heard_ask(c->session, r->text);
	}
	wipe(&o, sizeof(o));
}

/* What keys says to the question that the session waits for. */
static void answer(struct conn *c, const struct ipc_logon_reply *r)
{
	struct logon_binding binding;
	struct gate_auth a = session_auth(c->session, &binding);
	struct sasl_outcome o = outcome_of(r);

	if (r->result != LOGON_OK) {
		session_auth_failed(c->session, r->result);
	} else if (a.step == GATE_AUTH_DONE) {
		session_auth_up(c->session, &o);
		c->logging_on = false; /* keys has forgotten it */
	} else {
		session_auth_say(c->session, r->text, r->said);
	}
	wipe(&o, sizeof(o));
}

void relay_logon_reply(const struct ipc_msg *m)
{
	struct conn *c = relay_conn_find(m->flow);
	struct ipc_logon_reply r;

	if (!c || c->dead || c->asked != m->number ||
	    session_wish(c->session) != SESSION_AUTH)
		return;
	if (ipc_logon_reply_get(&r, m->octets) != OK)
		r = (struct ipc_logon_reply){ .result = LOGON_NO_KEYS };
	relay_conn_time(c);
	if (c->inbound)
		answer_who(c, &r);
	else
		answer(c, &r);
	wipe(&r, sizeof(r));
	relay_conn_run(c);
}

void relay_logon_lost(void)
{
	for (struct conn *c = R.conns; c; c = c->next) {
		c->logging_on = false;
		if (c->dead || session_wish(c->session) != SESSION_AUTH)
			continue;
		relay_conn_time(c);
		failed(c, LOGON_NO_KEYS, 0);
		relay_conn_run(c);
	}
}

bool relay_logon_late(struct conn *c)
{
	if (session_wish(c->session) != SESSION_AUTH ||
	    R.now - c->asked_ms < LATE_MS)
		return false;
	program_log(&R.prog, SEV_WARNING, "event=keys-late");
	relay_conn_time(c);
	failed(c, LOGON_NO_KEYS, 0);
	return true;
}

void relay_logon_text(const struct channel_logon *l, char *to, size_t size)
{
	struct text t;

	text_init(&t, to, size);
	if (l->mech == AUTH_NONE)
		return;
	text_str(&t, auth_mech_word(l->mech));
	text_str(&t, " ");
	text_str(&t, l->account);
	if (l->bits > 0) {
		text_str(&t, ", sealed with ");
		text_u64(&t, l->bits);
		text_str(&t, " bits");
		text_str(&t, l->half_duplex ? ", one key stream" : "");
	}
	if (l->mech == AUTH_NTLM) {
		uint8_t f[4];

		for (size_t i = 0; i < 4; i++)
			f[i] = (uint8_t)(l->ntlm_flags >> (24 - 8 * i));
		text_str(&t, l->ntlm_v2 ? ", NTLMv2" : ", NTLMv1");
		text_str(&t, ", flags ");
		text_hex(&t, (struct span){ f, sizeof(f) });
	}
	text_str(&t, l->bound ? ", bound to TLS" : "");
}
