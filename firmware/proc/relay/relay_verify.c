/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_verify - tell witness, by prints, what must not be readable outside, before
 * the session gets to see it; and what a captured session is. Mail does not wait for
 * witness.
 */
#include <unistd.h>
#include "proc/relay/relay.h"

static void lose(void)
{
	int fd = R.witness.fd;

	R.print_key = 0;
	loop_del(&R.prog.loop, &R.witness);
	close(fd);
}

static void on_witness(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_WITNESS, ROLE_RELAY, &m)) == OK)
		R.print_key = m.number;
	if (r != E_AGAIN)
		lose();
}

void relay_verify_attach(struct ipc_msg *m)
{
	if (R.witness.fd >= 0)
		lose();
	if (loop_add(&R.prog.loop, &R.witness, m->fd[0], EPOLLIN, on_witness) ==
	    OK)
		m->fd_n = 0;
}

static void say(const struct conn *c, const struct channel *ch,
		const struct smtp_prints_out *out)
{
	struct ipc_msg m = { .type = out->clear ? IPC_EXPOSE : IPC_PROTECT,
			     .client = c->client,
			     .server = ch->server,
			     .number = now_unix_us(),
			     .tls_only = ch->tls,
			     .print_n = (uint32_t)out->n };

	_Static_assert((int)SMTP_PRINTS_OUT <= (int)IPC_PRINTS_MAX,
		       "in one message");
	if (R.print_key == 0 || (out->n == 0 && !out->clear))
		return;
	memcpy(m.print, out->print, out->n * sizeof(m.print[0]));
	if (ipc_send(R.witness.fd, ROLE_RELAY, ROLE_WITNESS, &m) == OK)
		return;
	stats_add(R.prog.stats, CNT_PRINTS_LOST, out->n);
	/* What is not named is not looked for. But a connection in clear that
	 * witness takes for a protected one would be a false alarm: rather than
	 * that, it forgets all. */
	if (out->clear &&
	    ipc_send(R.witness.fd, ROLE_RELAY, ROLE_WITNESS, &m) != OK)
		lose();
}

void relay_verify_said(struct conn *c, struct span in)
{
	const struct policy *pol = &R.snapshot[R.current].policy;
	struct smtp_prints_out out;
	struct gate_status st;
	bool hidden;

	if (c->prints.key != R.print_key)
		smtp_prints_key(&c->prints, R.print_key);
	session_status(c->session, &st);
	hidden = st.channel->tls || st.channel->logon.bits > 0;
	while (in.n > 0) {
		in = span_skip(in, smtp_prints_feed(&c->prints, in, hidden, pol,
						    &out));
		say(c, st.channel, &out);
	}
}

void relay_verify_moved(struct conn *c)
{
	struct smtp_prints_out out;
	struct gate_status st;

	session_status(c->session, &st);
	if (smtp_prints_moved(&c->prints, &out))
		say(c, st.channel, &out);
}

void relay_verify_answered(struct conn *c, struct span out)
{
	smtp_prints_reply(&c->prints, out);
}

void relay_verify_judged(const struct conn *c, const struct gate_event *ev)
{
	struct ipc_msg m = { .type = IPC_JUDGED,
			     .flow = c->flow,
			     .client = c->client };
	struct policy_rule r;

	if (R.witness.fd < 0)
		return;
	if (ev && policy_lookup(&R.snapshot[R.current].policy,
				span_str(ev->domain), &r) == OK)
		m.number = (uint64_t)r.line << 8 | (unsigned)r.level << 1 |
			   (ev->type == GATE_EV_RCPT_PASSED);
	/* It is a remark in a file; one that is lost is no harm. */
	(void)!ipc_send(R.witness.fd, ROLE_RELAY, ROLE_WITNESS, &m);
}
