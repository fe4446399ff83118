/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_inbound - what is told about a session whose client is outside; and who goes
 * on with what is refused waits for the answer, by where he is. Each relay counts for
 * itself.
 */
#include <stdio.h>
#include "auth/guess.h"
#include "base/text.h"
#include "proc/relay/relay.h"

enum { REFUSED_AT_ONCE = 8 }; /* of GUESS_MAX: 1, 2, then 4 seconds */

static struct guess refusals;

void relay_inbound_init(void)
{
	memcpy(refusals.key, R.key, sizeof(refusals.key));
}

/* A server whose mail is refused by mistake brings many; the first answers are for who
 * looks into it. */
static uint32_t wait_of(const struct endpoint *client)
{
	unsigned n = guess_count(&refusals, client->ip, R.now);

	return n < REFUSED_AT_ONCE ? 0 : guess_wait_ms(n - REFUSED_AT_ONCE);
}

struct session *relay_inbound_session(const struct ipc_msg *m)
{
	struct session *s = session_new_in(
		&R.snapshot[R.current].policy, R.identity, m->tls_only,
		relay_peers_calls(&m->client), R.now);

	if (s)
		session_slow(s, wait_of(&m->client));
	return s;
}

static void count(enum counter c, uint64_t n)
{
	stats_add(R.prog.stats, c, n);
}

/* The client; empty if the log is not to have addresses. */
static const char *client_of(const struct conn *c)
{
	static char ip[48];
	struct text t;

	text_init(&t, ip, sizeof(ip));
	if (R.snapshot[R.current].policy.settings.log_addresses)
		text_ip(&t, c->client.ip);
	return ip;
}

static void refusal(const struct conn *c, const struct gate_event *ev)
{
	const char *client = client_of(c);
	char line[STATS_TEXT];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, "from ");
	text_str(&t, ev->domain);
	text_str(&t, " ");
	text_u64(&t, ev->code);
	text_str(&t, " ");
	text_str(&t, tls_result_name(ev->result));
	text_str(&t, ": ");
	text_str(&t, ev->why);
	text_str(&t, client[0] ? " (client " : "");
	text_str(&t, client);
	text_str(&t, client[0] ? ")" : "");
	stats_refusal(R.prog.stats, now_unix_ms(), text_done(&t));
	count(CNT_SENDERS_REFUSED, 1);
	program_log(&R.prog, SEV_NOTICE,
		    "event=sender-refused domain=%s code=%u result=%s "
		    "client=%s",
		    ev->domain, ev->code, tls_result_name(ev->result), client);
}

static void logon(struct conn *c, const struct gate_event *ev, bool good)
{
	char line[160];

	count(good ? CNT_IN_LOGONS : CNT_IN_LOGONS_FAILED, 1);
	snprintf(line, sizeof(line), "event=%s client=%s",
		 good ? "partner-logon" : "partner-logon-failed", client_of(c));
	program_log_why(&R.prog, good ? SEV_INFO : SEV_NOTICE, line,
			span_str(ev->why));
}

void relay_inbound_told(struct conn *c, const struct gate_event *ev)
{
	struct gate_status st;
	char line[160];

	switch (ev->type) {
	case GATE_EV_TLS_UP: count(CNT_IN_TLS_UP, 1); break;
	case GATE_EV_TLS_FAILED:
		count(CNT_IN_TLS_FAILED, 1);
		snprintf(line, sizeof(line),
			 "event=client-tls-failed client=%s", client_of(c));
		program_log_why(&R.prog, SEV_NOTICE, line, span_str(ev->why));
		break;
	case GATE_EV_MAIL_REFUSED:
		refusal(c, ev);
		(void)guess_wrong(&refusals, c->client.ip, R.now);
		session_slow(c->session, wait_of(&c->client));
		break;
	case GATE_EV_BOX_CALLS:
		session_status(c->session, &st);
		relay_peers_call(ev->domain, st.channel, &c->client);
		break;
	case GATE_EV_MESSAGE:
		count(ev->protected_ ? CNT_IN_PROTECTED : CNT_IN_CLEAR, 1);
		count(CNT_MESSAGE_BYTES, ev->bytes);
		break;
	case GATE_EV_MESSAGE_REFUSED: count(CNT_MESSAGES_REFUSED, 1); break;
	case GATE_EV_PROTOCOL:
		count(ev->side == CLIENT ? CNT_PROTOCOL_CLIENT
					 : CNT_PROTOCOL_SERVER,
		      1);
		snprintf(line, sizeof(line),
			 "event=protocol-error side=%s error=%s client=%s",
			 ev->side == CLIENT ? "client" : "server",
			 err_name(ev->error), client_of(c));
		program_log_why(&R.prog, SEV_NOTICE, line, span_str(ev->why));
		break;
	case GATE_EV_LOGON: logon(c, ev, true); break;
	case GATE_EV_LOGON_FAILED:
		logon(c, ev, false);
		relay_logon_end(c);
		break;
	case GATE_EV_STARTTLS_VANISHED:
	case GATE_EV_FALLBACK:
	case GATE_EV_RCPT_PASSED:
	case GATE_EV_RCPT_REFUSED: break; /* outbound */
	}
}
