/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inbound gate between a client and a server that say anything, with
 * handshakes that go any way, at any moment. Each octet of the input picks what
 * happens next. What must hold whatever happened:
 *
 *	a sender of tls.example reaches the server only from inside TLS, one of
 *	pin.example only with its key, one of doug.example only from doug, one of
 *	seal.example only under a seal
 *	the server never hears STARTTLS, AUTH, BDAT or a verb that we do not
 *	know, unless the session is left to it
 *	what came in clear behind STARTTLS is never heard inside TLS
 *	the secret of a log-on is asked about, and never heard by the server; in
 *	clear it is never that of PLAIN
 *	a client is taken for a box inside TLS alone, and the server is not told so
 *	a message counts as taken only after all of it has gone to the server
 *	and a whole 2xx of the server came afterwards
 *	octet by octet gives the same as in pieces
 *	nobody waits for ever: there is always a deadline
 */
#include <stdlib.h>
#include "base/bug.h"
#include "policy/policy_build.h"
#include "proto/smtp_gate_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { PENDING = 65536, STEPS = 400 };

static const char *const client_says[] = {
	"EHLO client.example\r\n",
	"HELO client.example\r\n",
	"STARTTLS\r\n",
	"STARTTLS\r\nMAIL FROM:<behind@clear.example>\r\n",
	"MAIL FROM:<a@tls.example>\r\n",
	"MAIL FROM:<a@pin.example> XSEALWIRE SIZE=1\r\n",
	"MAIL FROM:<a@o.example>\r\n",
	"MAIL FROM:<>\r\n",
	"MAIL FROM:<@tls.example:a@o.example>\r\n",
	"MAIL FROM:<\"a@tls.example\"@o.example>\r\n",
	"RCPT TO:<b@in.example>\r\n",
	"DATA\r\n",
	"To: somebody\r\n\r\ntext\r\n",
	".\r\n",
	"..\r\n",
	"\r\n.\r\nMAIL FROM:<x@tls.example>\r\n",
	"RSET\r\n",
	"NOOP\r\n",
	"QUIT\r\n",
	"VRFY b\r\n",
	"AUTH PLAIN AGEAc2VjcmV0\r\n",
	"AUTH NTLM\r\n",
	"AUTH CRAM-MD5 \r\n",
	"auth ntlm AGEAc2VjcmV0\r\n",
	"AGEAc2VjcmV0\r\n",
	"*\r\n",
	"MAIL FROM:<a@doug.example> AUTH=<>\r\n",
	"MAIL FROM:<a@seal.example>\r\n",
	"BDAT 20\r\n",
	"XFOO\r\n",
	"\n.\n",
	"\r",
	"GET / HTTP/1.1\r\n",
	"\x16\x03\x01",
	"\x01\x02\r\n",
	"EHLO c\r\nMAIL FROM:<a@o.example>\r\nRCPT TO:<b@in.example>\r\nDATA\r\n",
};

static const char *const server_says[] = {
	"220 in.example ESMTP\r\n",
	"250 ok\r\n",
	"250-in.example\r\n250-SIZE 1000\r\n250-AUTH LOGIN\r\n250-STARTTLS\r\n"
	"250 ENHANCEDSTATUSCODES\r\n",
	"250-in.example\r\n250 SIZE 1000\r\n",
	"354 go\r\n",
	"550 5.1.1 no\r\n",
	"451 4.3.0 later\r\n",
	"421 4.3.2 bye\r\n",
	"221 bye\r\n",
	"500 what\r\n",
	"350 what\r\n",
	"250-half",
	"250 ok\r\n250 ok\r\n",
	"garbage\r\n",
};

enum {
	CLIENT_SAYS = sizeof(client_says) / sizeof(client_says[0]),
	SERVER_SAYS = sizeof(server_says) / sizeof(server_says[0])
};

/* One conversation, and what the harness knows of it by itself. */
struct talk {
	struct smtp_gate_in *g;
	bool by_octet, passing;
	bool raw; /* the session was left to its ends */
	uint8_t in[SIDES][PENDING];
	size_t in_n[SIDES];
	uint64_t sum[SIDES]; /* of all that came out */
	uint64_t body_sum;   /* of a message that is not complete yet */
	uint64_t now;
	bool tls, pinned;
	bool doug, sealed; /* somebody has logged on so */
	bool box;	   /* who sends says that he is one */
	/* what the server has heard, as a server hears it */
	char line[2100];
	size_t line_n;
	bool body, body_ready;
	unsigned whole, taken;
	char reply[600];
	size_t reply_n;
};

static const uint8_t pin[32] = { 9 };
static struct policy ruled, passing;

static void build(struct policy *p, uint8_t *mem, bool pass)
{
	static const struct {
		const char *name, *account;
		enum inbound_need need;
		uint16_t min_tls;
		size_t pin_n;
	} rule[] = { { "tls.example", "", INBOUND_TLS, 0x0303, 0 },
		     { "pin.example", "", INBOUND_TLS, 0x0303, 1 },
		     { "doug.example", "doug", INBOUND_AUTH, 0, 0 },
		     { "seal.example", "", INBOUND_SEAL, 0, 0 } };
	struct settings s = {
		.intercept_n = 1,
		.inbound_pass = pass,
		.peers = true,
		.inbound_mechs = pass ? 0 : 1u << AUTH_PLAIN | 1u << AUTH_NTLM
	};
	struct policy_build b;
	uint32_t first;
	size_t len;

	BUG_ON(policy_build_begin(&b, mem, 4096, 0, 4, pin) != OK);
	for (size_t i = 0; i < 4 && !pass; i++) {
		struct inbound_rule r = { .name = span_str(rule[i].name),
					  .account = span_str(rule[i].account),
					  .need = rule[i].need,
					  .min_tls = rule[i].min_tls,
					  .min_bits = 128,
					  .pin = { pin },
					  .pin_n = rule[i].pin_n };

		BUG_ON(policy_build_inbound(&b, &r, &first) != OK);
	}
	BUG_ON(policy_build_end(&b, &s, &len) != OK);
	BUG_ON(policy_open(p, (struct span){ mem, len }) != OK);
}

static bool begins(const struct talk *t, const char *word)
{
	size_t n = strlen(word);

	return t->line_n >= n &&
	       span_eq_nocase((struct span){ (const uint8_t *)t->line, n },
			      span_str(word));
}

static bool has(const struct talk *t, const char *word)
{
	size_t w = strlen(word);

	for (size_t i = 0; i + w <= t->line_n; i++)
		if (memcmp(t->line + i, word, w) == 0)
			return true;
	return false;
}

/* A command line as the server hears it. */
static void server_line(struct talk *t)
{
	bool mail = begins(t, "MAIL FROM:");

	BUG_ON(has(t, "AGEAc2VjcmV0"));

	BUG_ON(begins(t, "STARTTLS") || begins(t, "AUTH") ||
	       begins(t, "BDAT") || begins(t, "XFOO") || begins(t, "GET"));
	if (mail && !t->passing) {
		BUG_ON(has(t, "<a@tls.example>") && !t->tls);
		BUG_ON(has(t, "<a@pin.example>") && !(t->tls && t->pinned));
		BUG_ON(has(t, "<@tls.example"));
		BUG_ON(has(t, "<a@doug.example>") && !t->doug);
		BUG_ON(has(t, "<a@seal.example>") && !t->sealed);
		BUG_ON(has(t, " AUTH="));
	}
	BUG_ON(mail && t->box && has(t, " XSEALWIRE"));
	t->box = false;
	t->body_ready = t->line_n == 4 && begins(t, "DATA");
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

/* What the server says, as the harness reads it. */
static void server_reply_octet(struct talk *t, char c)
{
	if (t->reply_n < sizeof(t->reply))
		t->reply[t->reply_n++] = c;
	if (c != '\n')
		return;
	if (t->reply_n >= 5 && t->reply[3] != '-') {
		if (t->body_ready && memcmp(t->reply, "354", 3) == 0) {
			t->body = true;
			t->body_sum = 0;
		}
		t->body_ready = false;
		t->taken += t->whole && t->reply[0] == '2';
		t->whole = 0;
	}
	t->reply_n = 0;
}

static bool left_alone(const struct talk *t)
{
	struct gate_status st;

	smtp_gate_in_status(t->g, &st);
	return strcmp(st.phase, "left alone") == 0;
}

static void drain(struct talk *t)
{
	t->raw = t->raw || left_alone(t);
	BUG_ON(t->raw && !t->passing);
	for (enum side s = CLIENT; s < SIDES; s++) {
		struct span o = smtp_gate_in_out(t->g, s);

		for (size_t i = 0; i < o.n; i++) {
			/* how much of a message that is given up had gone
			 * already is nobody's business */
			uint64_t *sum = s == SERVER && t->body ? &t->body_sum
							       : &t->sum[s];

			*sum = *sum * 31 + o.p[i];
			if (s == SERVER && !t->raw)
				server_octet(t, (char)o.p[i]);
		}
		smtp_gate_in_sent(t->g, s, o.n);
	}
}

static void events(struct talk *t)
{
	struct gate_event ev;

	while (smtp_gate_in_event(t->g, &ev)) {
		BUG_ON(ev.type == GATE_EV_BOX_CALLS && !t->tls);
		t->box = t->box || ev.type == GATE_EV_BOX_CALLS;
		if (ev.type != GATE_EV_MESSAGE)
			continue;
		BUG_ON(t->taken == 0);
		t->taken--;
		BUG_ON(ev.protected_ != (t->tls || t->sealed));
	}
}

/* Give what waits of one side, as much as is taken. True: some was. */
static bool push_side(struct talk *t, enum side s)
{
	bool moved = false;
	size_t took;

	do {
		size_t n = t->by_octet && t->in_n[s] > 1 ? 1 : t->in_n[s];

		took = n == 0 ? 0
			      : smtp_gate_in_feed(t->g, s,
						  (struct span){ t->in[s], n });
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
	BUG_ON(smtp_gate_in_deadline(t->g) == UINT64_MAX);
}

static void say(struct talk *t, enum side s, const char *text)
{
	size_t n = strlen(text);

	if (n > PENDING - t->in_n[s])
		return;
	memcpy(t->in[s] + t->in_n[s], text, n);
	t->in_n[s] += n;
}

static void handshake(struct talk *t, uint8_t how)
{
	static struct channel ch;

	if (smtp_gate_in_wish(t->g) != GATE_STARTTLS)
		return;
	memset(&ch, 0, sizeof(ch));
	if (how % 4 == 0) {
		ch.missing = TLS_VALIDATION_FAILURE;
		smtp_gate_in_tls_failed(t->g, &ch);
		return;
	}
	ch.tls = true;
	ch.version = 0x0303;
	ch.suite = "TLS_X";
	ch.certificate = how % 4 >= 2;
	if (how % 4 == 3)
		memcpy(ch.spki_sha256, pin, 32);
	t->tls = true;
	t->pinned = how % 4 == 3;
	t->doug = false;
	BUG_ON(t->sealed);
	BUG_ON(t->in_n[CLIENT] > 0); /* it would have ended the session */
	smtp_gate_in_tls_up(t->g, &ch);
}

/* Somebody logs on, in a way that the input picks. */
static void logon(struct talk *t, uint8_t how)
{
	struct channel_logon l = { .bits = how % 8 == 2 ? 128 : 0 };
	struct gate_heard h = smtp_gate_in_heard(t->g);

	if (smtp_gate_in_wish(t->g) == GATE_SEAL) {
		t->sealed = how % 8 != 3;
		smtp_gate_in_sealed(t->g, t->sealed);
	}
	if (smtp_gate_in_wish(t->g) != GATE_AUTH)
		return;
	BUG_ON(h.mech == AUTH_PLAIN && !t->tls);
	BUG_ON(smtp_gate_in_hungry(t->g, CLIENT));
	if (how % 8 < 3) {
		t->doug = how % 8 != 1;
		smtp_gate_in_auth_known(
			t->g, t->doug ? SPAN_LIT("doug") : SPAN_LIT("eve"), &l);
	} else if (how % 8 < 5) {
		smtp_gate_in_auth_ask(t->g, SPAN_LIT("QUJD"));
	} else {
		smtp_gate_in_auth_unknown(t->g,
					  (enum logon_result)(1 + how % 8),
					  how % 2 ? 1000 : 0);
	}
}

static void step(struct talk *t, uint8_t op)
{
	if (op < 110) {
		say(t, CLIENT, client_says[op % CLIENT_SAYS]);
	} else if (op < 210) {
		say(t, SERVER, server_says[op % SERVER_SAYS]);
	} else if (op < 220) {
		handshake(t, op);
	} else if (op < 236) {
		logon(t, op);
	} else if (op < 245) {
		t->now += op % 2 ? 100 : 200000;
		smtp_gate_in_tick(t->g, t->now);
	} else if (op == 250) {
		smtp_gate_in_eof(t->g, SERVER);
		t->in_n[SERVER] = 0;
	} else if (op == 251) {
		smtp_gate_in_gone(t->g, SERVER);
		t->in_n[SERVER] = 0;
	} else if (op == 252) {
		smtp_gate_in_eof(t->g, CLIENT);
	} else if (op == 253) {
		smtp_gate_in_gone(t->g, CLIENT);
	} else if (op == 254) {
		smtp_gate_in_set_policy(t->g, t->passing ? &passing : &ruled,
					true);
	}
	push(t);
}

static void run(struct talk *t, const uint8_t *p, size_t n, bool by_octet)
{
	static uint64_t memory[2][16384];
	struct gate_in_start start = { .now_ms = 1000 };

	BUG_ON(smtp_gate_in_size() > sizeof(memory[0]));
	memset(t, 0, offsetof(struct talk, in));
	memset(t->in_n, 0, sizeof(*t) - offsetof(struct talk, in_n));
	start.can_tls = (p[0] & 1) == 0;
	t->passing = (p[0] & 6) == 6;
	t->by_octet = by_octet;
	t->now = 1000;
	t->g = smtp_gate_in_init(memory[by_octet],
				 t->passing ? &passing : &ruled, &start);
	smtp_gate_in_slow(t->g, (p[0] & 8) != 0 ? 3000 : 0);
	for (size_t i = 1; i < n && i < STEPS; i++)
		step(t, p[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct talk whole, octets;
	static uint8_t mem[2][4096];

	if (n < 2)
		return 0;
	if (ruled.inbound_n == 0) {
		build(&ruled, mem[0], false);
		build(&passing, mem[1], true);
	}
	run(&whole, p, n, false);
	run(&octets, p, n, true);
	BUG_ON(whole.sum[CLIENT] != octets.sum[CLIENT]);
	BUG_ON(whole.sum[SERVER] != octets.sum[SERVER]);
	BUG_ON(smtp_gate_in_wish(whole.g) != smtp_gate_in_wish(octets.g));
	return 0;
}
