/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_sign - a handshake that needs a signature of ours asks keys, which has the
 * private keys (ipc/ipc_sign.h). Nobody waits in the meantime but that session. What
 * is not answered, because keys was full or has died, is asked again, as long as the
 * session's own deadline lets it.
 */
#include "ipc/ipc_sign.h"
#include "proc/relay/relay.h"

enum { AGAIN_MS = 5000 };

uint64_t relay_sign_send(uint32_t flow, const struct sign_ask *q)
{
	static uint64_t turn;
	uint8_t octets[IPC_SIGN_MAX];
	struct ipc_msg m = { .type = IPC_SIGN,
			     .flow = flow,
			     .number = turn + 1,
			     .octets = { octets, ipc_sign_put(octets, q) } };

	if (R.keys.fd < 0 ||
	    ipc_send(R.keys.fd, ROLE_RELAY, ROLE_KEYS, &m) != OK)
		return 0;
	return ++turn;
}

static bool wanted(const struct conn *c)
{
	return session_wish(c->session) == SESSION_SIGN &&
	       (c->sign_turn == 0 || R.now - c->sign_ms >= AGAIN_MS);
}

bool relay_sign_due(const struct conn *c)
{
	return R.keys.fd >= 0 && wanted(c);
}

void relay_sign_ask(struct conn *c)
{
	struct sign_ask q;

	if (!wanted(c))
		return;
	q = session_sign(c->session);
	c->sign_turn = relay_sign_send(c->flow, &q);
	c->sign_ms = R.now;
}

void relay_sign_reply(const struct ipc_msg *m)
{
	struct conn *c;

	if (m->flow == RELAY_NO_FLOW) {
		relay_identity_signed(m->number, m->octets);
		return;
	}
	c = relay_conn_find(m->flow);
	if (!c || c->dead || c->sign_turn != m->number ||
	    session_wish(c->session) != SESSION_SIGN)
		return;
	c->sign_turn = 0;
	relay_conn_time(c);
	session_signed(c->session, m->octets);
	relay_conn_run(c);
}

void relay_sign_lost(void)
{
	relay_identity_unasked();
	for (struct conn *c = R.conns; c; c = c->next)
		c->sign_turn = 0;
}
