/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbound gate between a client and a server that say anything, with
 * handshakes and log-ons that go any way, at any moment. Each octet of the input
 * picks what happens next. What must hold whatever happened:
 *
 *	P1  the name of a protected domain goes to the server only inside TLS
 *	    (enc.example), TLS with its certificate (listed.example), that and
 *	    after a log-on (login.example), or sealed (seal.example)
 *	    the password goes only to that certificate
 *	P2  a message counts as taken only after all of it has gone to the
 *	    server and a whole 2xx of the server came afterwards
 *	    octet by octet gives the same as in pieces
 *	    nobody waits for ever: there is always a deadline
 */
#include <stdlib.h>
#include "base/bug.h"
#include "conf/conf.h"
#include "proto/smtp_gate_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { PENDING = 65536, STEPS = 400 };

#define PASSWORD "cGFzc3dvcmQ="

static const char config[] = "default may\n"
			     "domain listed.example verify match mx.example\n"
			     "domain enc.example encrypt\n"
			     "resolver 192.0.2.53\n"
			     "domain routed.example may route 192.0.2.9\n"
			     "domain named.example verify match mx.example "
			     "route mx.example:26\n"
			     "domain plain.example clear\n"
			     "domain login.example verify match mx.example "
			     "auth plain account hub\n"
			     "domain seal.example ntlm-seal account hub\n"
			     "account hub user u password sealed x\n";

static const char *const client_says[] = {
	"EHLO client.example\r\n",
	"HELO client.example\r\n",
	"MAIL FROM:<a@client.example>\r\n",
	"MAIL FROM:<> SIZE=1000 BODY=8BITMIME\r\n",
	"RCPT TO:<b@listed.example>\r\n",
	"RCPT TO:<b@ENC.example>\r\n",
	"RCPT TO:<b@plain.example>\r\n",
	"RCPT TO:<b@routed.example> NOTIFY=NEVER\r\n",
	"RCPT TO:<b@named.example>\r\n",
	"RCPT TO:<b@other.example>\r\n",
	"RCPT TO:<@listed.example:b@other.example>\r\n",
	"RCPT TO:<\"b@listed.example\"@other.example>\r\n",
	"DATA\r\n",
	"To: somebody\r\n\r\ntext\r\n",
	".\r\n",
	"..\r\n",
	"\r\n.\r\nMAIL FROM:<x@client.example>\r\n",
	"RSET\r\n",
	"NOOP\r\n",
	"QUIT\r\n",
	"VRFY b@listed.example\r\n",
	"EXPN enc.example\r\n",
	"NOOP listed.example\r\n",
	"HELP enc.example\r\n",
	"STARTTLS\r\n",
	"AUTH PLAIN AGxpc3RlZC5leGFtcGxl\r\n",
	"BDAT 20\r\n",
	"XFOO listed.example\r\n",
	"\n.\n",
	"\r",
	"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@listed.example>\r\n"
	"RCPT TO:<b@plain.example>\r\nDATA\r\n",
	"EHLO listed.example.of.the.client\r\n",
	"RCPT TO:<b@login.example>\r\n",
	"RCPT TO:<b@seal.example>\r\n",
};

static const char *const server_says[] = {
	"220 mx.example ESMTP\r\n",
	"250 ok\r\n",
	"250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n"
	"250-8BITMIME\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n",
	"250-mx.example\r\n250-PIPELINING\r\n250 DSN\r\n",
	"250-mx.example\r\n250 STARTTLS\r\n",
	"354 go\r\n",
	"550 5.1.1 no\r\n",
	"451 4.3.0 later\r\n",
	"421 4.3.2 bye\r\n",
	"221 bye\r\n",
	"454 no TLS\r\n",
	"350 what\r\n",
	"250-half",
	"250 ok\r\n250 ok\r\n",
	"\r\n",
	"garbage\r\n",
	"500 what\r\n",
	"250-mx.example\r\n250-AUTH PLAIN NTLM\r\n250 STARTTLS\r\n",
	"250-mx.example\r\n250-PIPELINING\r\n250 AUTH=PLAIN NTLM\r\n",
	"334 \r\n",
	"334 eHh4\r\n",
	"235 2.7.0 ok\r\n",
	"535 5.7.8 no\r\n",
	"334-eHh4\r\n334 eHh4\r\n",
};

enum {
	CLIENT_SAYS = sizeof(client_says) / sizeof(client_says[0]),
	SERVER_SAYS = sizeof(server_says) / sizeof(server_says[0])
};

/* One conversation, and what the harness knows of it by itself. */
struct talk {
	struct smtp_gate_out *g;
	bool by_octet;
	uint8_t in[SIDES][PENDING];
	size_t in_n[SIDES];
	uint64_t sum[SIDES]; /* of all that came out */
	uint64_t body_sum;   /* of a message that is not complete yet */
	uint64_t now;
	/* this connection: it is mx.example's; somebody logged on; sealed */
	bool tls, named, logged, sealed;
	/* what the server has seen, as a server sees it */
	char line[2100];
	size_t line_n;
	bool body, body_ready;
	unsigned whole;	 /* messages that are complete and not yet answered */
	unsigned taken;	 /* of these, answered 2xx */
	char reply[600]; /* the line that the server is saying */
	size_t reply_n;
};

static struct policy policy;

static void make_policy(void)
{
	static uint8_t memory[65536];
	struct conf_input in = { .text = SPAN_LIT(config),
				 .builtin_ca = SPAN_LIT("-"),
				 .number = 1 };
	struct conf_job *job = conf_job_init(malloc(conf_job_size()), &in);
	char report_mem[1000];
	struct secret_account a;
	struct text report;
	size_t len;
	int r;

	text_init(&report, report_mem, sizeof(report_mem));
	BUG_ON(conf_job_measure(job, 100) != OK);
	BUG_ON(conf_job_build(job, memory, sizeof(memory), NULL, &report) !=
	       OK);
	while ((r = conf_job_step(job, 100, &len)) == E_AGAIN)
		if (conf_job_sealed(job, &a))
			conf_job_opened(job, OK, SPAN_LIT("x"));
	BUG_ON(r != OK);
	BUG_ON(policy_open(&policy, (struct span){ memory, len }) != OK);
	free(job);
}

static bool has(const char *line, size_t n, const char *word)
{
	size_t w = strlen(word);

	for (size_t i = 0; i + w <= n; i++)
		if (span_eq_nocase(
			    (struct span){ (const uint8_t *)line + i, w },
			    span_str(word)))
			return true;
	return false;
}

/* A command line as the server gets it. Only RCPT may name a domain. */
static void server_line(struct talk *t)
{
	const char *l = t->line;
	bool rcpt = t->line_n > 8 && memcmp(l, "RCPT TO:", 8) == 0;
	bool at_listed = rcpt && has(l, t->line_n, "@listed.example>");
	bool at_enc = rcpt && has(l, t->line_n, "@enc.example>");
	bool hello = t->line_n > 5 && memcmp(l, "EHLO ", 5) == 0;
	bool quoted = has(l, t->line_n, "\"b@listed.example\"@other.example");

	BUG_ON(rcpt && has(l, t->line_n, "@seal.example>") && !t->sealed);
	BUG_ON(rcpt && has(l, t->line_n, "@login.example>") &&
	       !(t->tls && t->named && t->logged));
	BUG_ON(has(l, t->line_n, PASSWORD) && !(t->tls && t->named));
	BUG_ON(at_enc && !t->tls);
	BUG_ON(at_listed && !(t->tls && t->named));
	BUG_ON(!at_listed && !hello && !quoted &&
	       !(memcmp(l, "HELO", 4) == 0) &&
	       has(l, t->line_n, "listed.example"));
	BUG_ON(!at_enc && has(l, t->line_n, "enc.example"));
	if (t->line_n == 4 && memcmp(l, "DATA", 4) == 0)
		t->body_ready = true;
}

static void server_octet(struct talk *t, char c)
{
	BUG_ON(t->line_n == sizeof(t->line));
	t->line[t->line_n++] = c;
	if (t->line_n < 2 || c != '\n' || t->line[t->line_n - 2] != '\r')
		return;
	t->line_n -= 2;
	if (t->body && t->line_n == 1 && t->line[0] == '.') {
		t->body = false;
		t->sum[SERVER] += t->body_sum;
		t->whole = 1;
	} else if (!t->body) {
		server_line(t);
	}
	t->line_n = 0;
}

static void begin_body(struct talk *t)
{
	t->body = true;
	t->body_sum = 0;
}

/* What the server says, as the harness reads it. */
static void server_reply_octet(struct talk *t, char c)
{
	if (t->reply_n < sizeof(t->reply))
		t->reply[t->reply_n++] = c;
	if (c != '\n')
		return;
	if (t->reply_n >= 5 && t->reply[3] != '-') {
		if (t->body_ready && memcmp(t->reply, "354", 3) == 0)
			begin_body(t);
		t->body_ready = false;
		if (t->whole) {
			t->taken += t->reply[0] == '2';
			t->whole = 0;
		}
	}
	t->reply_n = 0;
}

static void drain(struct talk *t)
{
	for (enum side s = CLIENT; s < SIDES; s++) {
		struct span o = smtp_gate_out_out(t->g, s);

		for (size_t i = 0; i < o.n; i++) {
			/* how much of a message that is given up had gone
			 * already is nobody's business */
			uint64_t *sum = s == SERVER && t->body ? &t->body_sum
							       : &t->sum[s];

			*sum = *sum * 31 + o.p[i];
			if (s == SERVER)
				server_octet(t, (char)o.p[i]);
		}
		smtp_gate_out_sent(t->g, s, o.n);
	}
}

static void events(struct talk *t)
{
	struct gate_event ev;

	while (smtp_gate_out_event(t->g, &ev)) {
		if (ev.type != GATE_EV_MESSAGE)
			continue;
		BUG_ON(t->taken == 0);
		t->taken--;
		BUG_ON(ev.protected_ != (t->tls || t->sealed));
	}
}

/* Give what waits of one side, as much as is taken. True: some was. Out is
 * taken at once, as by a peer that reads. */
static bool push_side(struct talk *t, enum side s)
{
	bool moved = false;
	size_t took;

	do {
		size_t n = t->by_octet && t->in_n[s] > 1 ? 1 : t->in_n[s];

		took = n == 0 ? 0
			      : smtp_gate_out_feed(
					t->g, s, (struct span){ t->in[s], n });
		BUG_ON(took > n);
		for (size_t i = 0; s == SERVER && i < took; i++)
			server_reply_octet(t, (char)t->in[s][i]);
		t->in_n[s] -= took;
		memmove(t->in[s], t->in[s] + took, t->in_n[s]);
		events(t);
		drain(t);
		moved = moved || took > 0;
	} while (took > 0);
	return moved;
}

static void push(struct talk *t)
{
	drain(t);
	while (push_side(t, CLIENT) || push_side(t, SERVER))
		;
	BUG_ON(smtp_gate_out_deadline(t->g) == UINT64_MAX);
}

static void say(struct talk *t, enum side s, const char *text)
{
	size_t n = strlen(text);

	if (n > PENDING - t->in_n[s])
		return;
	memcpy(t->in[s] + t->in_n[s], text, n);
	t->in_n[s] += n;
}

static void fresh_server(struct talk *t)
{
	t->tls = t->named = t->body = t->body_ready = false;
	t->logged = t->sealed = false;
	t->whole = t->taken = 0;
	t->line_n = t->reply_n = 0;
	t->in_n[SERVER] = 0;
}

static void handshake(struct talk *t, uint8_t how)
{
	static struct channel ch;
	bool pending = t->in_n[SERVER] > 0;

	drain(t);
	memset(&ch, 0, sizeof(ch));
	if (how % 4 == 0) {
		ch.missing = TLS_VALIDATION_FAILURE;
		fresh_server(t);
		smtp_gate_out_tls_failed(t->g, &ch);
		return;
	}
	ch.tls = true;
	ch.version = 0x0303;
	ch.suite = "TLS_X";
	ch.chain = how % 4 == 1 ? TLS_CERTIFICATE_NOT_TRUSTED : TLS_RESULT_OK;
	if (how % 4 == 2) {
		ch.names_n = 11;
		memcpy(ch.names, "\nmx.example", 11);
	}
	t->tls = true;
	t->named = how % 4 == 2;
	t->in_n[SERVER] = 0;
	t->reply_n = 0;
	smtp_gate_out_tls_up(t->g, &ch, pending);
}

/* A step of a log-on, which goes well or not. */
static void log_on(struct talk *t, uint8_t how)
{
	struct gate_auth a = smtp_gate_out_auth(t->g);
	struct channel_logon l = { .bits = a.seal ? 128 : 0,
				   .half_duplex = a.seal && how % 3 == 0,
				   .ntlm_v2 = how % 5 != 0 };
	bool plain = a.logon.mech == AUTH_PLAIN;

	drain(t);
	if (how % 4 == 0) {
		smtp_gate_out_auth_failed(t->g, how % 8 == 0 ? LOGON_WEAK
							     : LOGON_NO_KEYS);
		return;
	}
	if (a.step != GATE_AUTH_DONE) {
		smtp_gate_out_auth_say(t->g,
				       span_str(plain ? PASSWORD : "dDE="),
				       how % 2 == 0, false);
		return;
	}
	t->logged = true;
	t->sealed = a.seal;
	if (a.seal) /* what came before is no block */
		t->in_n[SERVER] = t->reply_n = 0;
	smtp_gate_out_auth_up(t->g, &l);
}

static void wish(struct talk *t, uint8_t how)
{
	static const uint8_t routed[2][16] = {
		{ [10] = 0xff, [11] = 0xff, 192, 0, 2, 9 },
		{ 0x20, 1, 0xd, 0xb8, [15] = 9 },
	};

	switch (smtp_gate_out_wish(t->g)) {
	case GATE_AUTH: log_on(t, how); break;
	case GATE_STARTTLS: handshake(t, how); break;
	case GATE_DIAL:
		fresh_server(t);
		if (how % 4 == 0)
			smtp_gate_out_dial_failed(t->g);
		else
			smtp_gate_out_dialed(t->g);
		break;
	case GATE_ROUTE:
		BUG_ON(!span_eq(smtp_gate_out_route(t->g),
				SPAN_LIT("mx.example")));
		if (how % 4 == 0)
			smtp_gate_out_unrouted(t->g, "nobody knows");
		else
			smtp_gate_out_routed(t->g, routed[how % 2]);
		break;
	case GATE_SEAL: /* inbound only */
	case GATE_NOTHING:
	case GATE_CLOSE:
	case GATE_ABORT: break;
	}
}

static void step(struct talk *t, uint8_t op)
{
	if (op < 100) {
		say(t, CLIENT, client_says[op % CLIENT_SAYS]);
	} else if (op < 200) {
		say(t, SERVER, server_says[op % SERVER_SAYS]);
	} else if (op < 230) {
		wish(t, op);
	} else if (op < 240) {
		t->now += op % 2 ? 100 : 200000;
		smtp_gate_out_tick(t->g, t->now);
	} else if (op == 250) {
		smtp_gate_out_eof(t->g, SERVER);
		fresh_server(t);
	} else if (op == 251) {
		smtp_gate_out_gone(t->g, SERVER);
		fresh_server(t);
	} else if (op == 252) {
		smtp_gate_out_eof(t->g, CLIENT);
	} else if (op == 253) {
		smtp_gate_out_gone(t->g, CLIENT);
	} else if (op == 254) {
		smtp_gate_out_set_policy(t->g, &policy);
	}
	push(t);
}

static void run(struct talk *t, const uint8_t *p, size_t n, bool by_octet)
{
	static uint64_t memory[2][16384];
	struct gate_start start = { .now_ms = 1000 };

	BUG_ON(smtp_gate_out_size() > sizeof(memory[0]));
	memset(t, 0, offsetof(struct talk, in));
	memset(t->in_n, 0, sizeof(*t) - offsetof(struct talk, in_n));
	start.server.port = 25;
	start.tls_failed_before = (p[0] & 1) != 0;
	start.starttls_before = (p[0] & 2) != 0;
	t->by_octet = by_octet;
	t->now = 1000;
	t->g = smtp_gate_out_init(memory[by_octet], &policy, &start);
	for (size_t i = 1; i < n && i < STEPS; i++)
		step(t, p[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct talk whole, octets;

	if (n < 2)
		return 0;
	if (policy.rules_n == 0)
		make_policy();
	run(&whole, p, n, false);
	run(&octets, p, n, true);
	BUG_ON(whole.sum[CLIENT] != octets.sum[CLIENT]);
	BUG_ON(whole.sum[SERVER] != octets.sum[SERVER]);
	BUG_ON(smtp_gate_out_wish(whole.g) != smtp_gate_out_wish(octets.g));
	return 0;
}
