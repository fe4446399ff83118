/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_GATE_IN_TALK_H
#define TESTS_UNIT_GATE_IN_TALK_H

/*
 * Scripts for the inbound gate: who says what, what the other one hears, and
 * what the gate wishes in between. Each runs whole and in pieces.
 */
#include <stdio.h>
#include <stdlib.h>
#include "policy/policy_build.h"
#include "proto/smtp_gate_in.h"

enum op {
	END,
	C,     /* the client says */
	S,     /* the server says */
	TO_C,  /* the client has heard exactly this since the last TO_C */
	TO_S,  /* the server has heard exactly this */
	TLS,   /* STARTTLS is wished and succeeds: "1.2", "1.3", "pin", "key" */
	FAIL,  /* STARTTLS is wished and the handshake fails */
	WAIT,  /* as many milliseconds pass */
	WISH,  /* the gate wishes "close", "cut", "abort" or "nothing" */
	EOF_,  /* "client" or "server" says it is done */
	GONE,  /* "client" or "server" is gone */
	EVENT, /* the oldest event says so */
	HEARD, /* AUTH is wished: "NTLM[+] text", "NTLM" alone, "text" of a line */
	ASKS, /* the answer is a challenge */
	IN,   /* it is "account", or "account seal" or "account half" sealed */
	OUT,  /* it is nobody: "refused 1000", "weak", "bad", "later", "keys" */
	SLOW, /* who is refused hears of it after so many milliseconds */
	SEAL, /* a seal is wished and made; "no": there is no memory */
};

struct step {
	enum op op;
	const char *text;
};

static const uint8_t pin[32] = { 7 };
static uint8_t memory[5][4096];
/* Rules and STARTTLS; no rules and "inbound tls pass"; no rules; and one with
 * accounts of partners, or with "peers on". */
static struct policy ruled, passing, plain, partners, boxes;

static inline void add(struct policy_build *b, const char *name, uint32_t line,
		       uint16_t min_tls, size_t pins)
{
	struct inbound_rule r = { .name = span_str(name),
				  .line = line,
				  .need = INBOUND_TLS,
				  .min_tls = min_tls,
				  .pin = { pin },
				  .pin_n = pins };
	uint32_t first;

	assert_int_equal(policy_build_inbound(b, &r, &first), OK);
}

static inline void build(struct policy *p, uint8_t *mem, bool rules, bool pass,
			 bool peers)
{
	static const uint8_t key[16] = { 1 };
	struct settings s = { .intercept_n = 1,
			      .inbound_pass = pass,
			      .peers = peers };
	struct policy_build b;
	size_t len;

	assert_int_equal(policy_build_begin(&b, mem, 4096, 0, 3, key), OK);
	if (rules) {
		add(&b, "tls.example", 3, 0x0303, 0);
		add(&b, ".new.example", 4, 0x0304, 0);
		add(&b, "pin.example", 5, 0x0303, 1);
	}
	assert_int_equal(policy_build_end(&b, &s, &len), OK);
	assert_int_equal(policy_open(p, (struct span){ mem, len }), OK);
}

static inline void add_logon(struct policy_build *b, const char *name,
			     enum inbound_need need, const char *account)
{
	struct inbound_rule r = { .name = span_str(name),
				  .line = 6,
				  .need = need,
				  .min_bits = 128,
				  .account = span_str(account) };
	uint32_t first;

	assert_int_equal(policy_build_inbound(b, &r, &first), OK);
}

static inline void build_partners(struct policy *p, uint8_t *mem)
{
	static const uint8_t key[16] = { 1 };
	struct settings s = { .intercept_n = 1,
			      .inbound_mechs = 1u << AUTH_PLAIN |
					       1u << AUTH_CRAM_MD5 |
					       1u << AUTH_SCRAM_SHA_256 |
					       1u << AUTH_NTLM };
	struct policy_build b;
	size_t len;

	assert_int_equal(policy_build_begin(&b, mem, 4096, 0, 3, key), OK);
	add_logon(&b, "auth.example", INBOUND_AUTH, "");
	add_logon(&b, "doug.example", INBOUND_AUTH, "doug");
	add_logon(&b, "seal.example", INBOUND_SEAL, "doug");
	assert_int_equal(policy_build_end(&b, &s, &len), OK);
	assert_int_equal(policy_open(p, (struct span){ mem, len }), OK);
}

static inline int talk_set_up(void **state)
{
	(void)state;
	build(&ruled, memory[0], true, false, false);
	build(&passing, memory[1], false, true, false);
	build(&plain, memory[2], false, false, false);
	build(&boxes, memory[4], false, false, true);
	build_partners(&partners, memory[3]);
	return 0;
}

struct talk {
	struct smtp_gate_in *g;
	size_t piece;
	uint64_t now;
	char heard[SIDES][20000];
	size_t heard_n[SIDES];
};

static inline void hear(struct talk *t)
{
	for (enum side s = CLIENT; s < SIDES; s++) {
		struct span o = smtp_gate_in_out(t->g, s);

		assert_true(t->heard_n[s] + o.n < sizeof(t->heard[s]));
		if (o.n > 0)
			memcpy(t->heard[s] + t->heard_n[s], o.p, o.n);
		t->heard_n[s] += o.n;
		smtp_gate_in_sent(t->g, s, o.n);
	}
}

static inline bool over(const struct talk *t)
{
	enum gate_wish w = smtp_gate_in_wish(t->g);

	return w == GATE_CLOSE || w == GATE_ABORT;
}

/* All of it is taken unless the session ends, in pieces that end where their
 * memory ends. */
static inline void say(struct talk *t, enum side s, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = left < t->piece ? left : t->piece, took;
		uint8_t *copy = malloc(n);

		memcpy(copy, text, n);
		assert_true(smtp_gate_in_hungry(t->g, s) || over(t));
		took = smtp_gate_in_feed(t->g, s, (struct span){ copy, n });
		free(copy);
		hear(t);
		if (took == 0 && over(t))
			return;
		if (took == 0)
			fail_msg("not taken: %s", text);
		text += took;
		left -= took;
	}
}

static inline void heard(struct talk *t, enum side s, const char *text)
{
	hear(t);
	t->heard[s][t->heard_n[s]] = '\0';
	assert_string_equal(t->heard[s], text);
	t->heard_n[s] = 0;
}

static inline void shake(struct talk *t, const char *how)
{
	static struct channel ch;

	assert_int_equal(smtp_gate_in_wish(t->g), GATE_STARTTLS);
	memset(&ch, 0, sizeof(ch));
	if (!how) {
		ch.missing = TLS_VALIDATION_FAILURE;
		memcpy(ch.why, "handshake: alert", 17);
		smtp_gate_in_tls_failed(t->g, &ch);
		return;
	}
	ch.tls = true;
	ch.version = strcmp(how, "1.2") == 0 ? 0x0303 : 0x0304;
	ch.suite = "TLS";
	ch.chain = TLS_CERTIFICATE_NOT_TRUSTED;
	ch.certificate = how[0] != '1';
	ch.binding.exporter_there = ch.version == 0x0304;
	if (strcmp(how, "pin") == 0)
		memcpy(ch.spki_sha256, pin, 32);
	smtp_gate_in_tls_up(t->g, &ch);
}

static inline void wishes(const struct talk *t, const char *what)
{
	enum gate_wish w = smtp_gate_in_wish(t->g);

	assert_string_equal(w == GATE_NOTHING	     ? "nothing"
			    : w == GATE_STARTTLS     ? "starttls"
			    : w == GATE_AUTH	     ? "auth"
			    : w == GATE_SEAL	     ? "seal"
			    : w == GATE_ABORT	     ? "abort"
			    : smtp_gate_in_cut(t->g) ? "cut"
						     : "close",
			    what);
}

static inline void happened(struct talk *t, const char *what)
{
	static const char *const name[] = {
		[GATE_EV_TLS_UP] = "tls up",
		[GATE_EV_TLS_FAILED] = "tls failed",
		[GATE_EV_MAIL_REFUSED] = "mail refused",
		[GATE_EV_BOX_CALLS] = "box calls",
		[GATE_EV_MESSAGE] = "message",
		[GATE_EV_MESSAGE_REFUSED] = "message refused",
		[GATE_EV_PROTOCOL] = "protocol",
		[GATE_EV_LOGON] = "log-on",
		[GATE_EV_LOGON_FAILED] = "log-on failed",
	};
	struct gate_event ev;
	char text[400];

	if (!what) {
		assert_false(smtp_gate_in_event(t->g, &ev));
		return;
	}
	if (!smtp_gate_in_event(t->g, &ev))
		fail_msg("nothing happened, not %s", what);
	snprintf(text, sizeof(text), "%s %s%s%s%s", name[ev.type], ev.domain,
		 ev.type == GATE_EV_PROTOCOL
			 ? ev.side == CLIENT ? "client " : "server "
			 : "",
		 ev.error ? err_name(ev.error) : "",
		 ev.protected_ ? "protected" : "");
	assert_string_equal(text, what);
}

static inline void heard_logon(struct talk *t, const char *what)
{
	struct gate_heard h = smtp_gate_in_heard(t->g);
	char text[5000];

	assert_int_equal(smtp_gate_in_wish(t->g), GATE_AUTH);
	assert_false(smtp_gate_in_hungry(t->g, CLIENT));
	snprintf(text, sizeof(text), "%s%s%.*s",
		 h.first ? auth_mech_name(h.mech, h.plus) : "",
		 h.first && h.initial ? " " : "", (int)h.text.n,
		 (const char *)h.text.p);
	assert_string_equal(text, what);
}

static inline void let_in(struct talk *t, const char *who)
{
	bool half = strstr(who, " half") != NULL;
	bool seal = half || strstr(who, " seal") != NULL;
	struct channel_logon l = { .bits = seal ? 128 : 0,
				   .half_duplex = half };

	smtp_gate_in_auth_known(
		t->g, (struct span){ (const uint8_t *)who, strcspn(who, " ") },
		&l);
}

static inline void keep_out(struct talk *t, const char *why)
{
	enum logon_result r = why[0] == 'r'   ? LOGON_REFUSED
			      : why[0] == 'w' ? LOGON_WEAK
			      : why[0] == 'b' ? LOGON_MALFORMED
			      : why[0] == 'l' ? LOGON_REFUSED_NOW
					      : LOGON_NO_KEYS;
	const char *wait = strchr(why, ' ');

	smtp_gate_in_auth_unknown(t->g, r,
				  wait ? (uint32_t)strtoul(wait, NULL, 10) : 0);
}

static inline void step(struct talk *t, const struct step *s)
{
	enum side side = s->text && strcmp(s->text, "server") == 0 ? SERVER
								   : CLIENT;

	switch (s->op) {
	case END: break;
	case C: say(t, CLIENT, s->text); break;
	case S: say(t, SERVER, s->text); break;
	case TO_C: heard(t, CLIENT, s->text); break;
	case TO_S: heard(t, SERVER, s->text); break;
	case TLS: shake(t, s->text); break;
	case FAIL: shake(t, NULL); break;
	case WAIT:
		t->now += strtoul(s->text, NULL, 10);
		smtp_gate_in_tick(t->g, t->now);
		break;
	case SLOW:
		smtp_gate_in_slow(t->g, (uint32_t)strtoul(s->text, NULL, 10));
		break;
	case WISH: wishes(t, s->text); break;
	case EOF_: smtp_gate_in_eof(t->g, side); break;
	case GONE: smtp_gate_in_gone(t->g, side); break;
	case EVENT: happened(t, s->text); break;
	case HEARD: heard_logon(t, s->text); break;
	case ASKS: smtp_gate_in_auth_ask(t->g, span_str(s->text)); break;
	case IN: let_in(t, s->text); break;
	case OUT: keep_out(t, s->text); break;
	case SEAL:
		assert_int_equal(smtp_gate_in_wish(t->g), GATE_SEAL);
		smtp_gate_in_sealed(t->g, strcmp(s->text, "no") != 0);
		break;
	}
	hear(t);
}

static bool tls_only;

static inline void run_in(const struct step *s, size_t piece,
			  const struct policy *p, bool can_tls)
{
	static struct talk t;
	struct gate_in_start start = { .now_ms = 1000,
				       .can_tls = can_tls,
				       .tls_only = tls_only };
	void *mem = malloc(smtp_gate_in_size());

	memset(&t, 0, sizeof(t));
	t.piece = piece;
	t.now = 1000;
	t.g = smtp_gate_in_init(mem, p, &start);
	for (; s->op != END; s++)
		step(&t, s);
	free(mem);
}

static inline void run_on(const struct step *s, const struct policy *p,
			  bool can_tls)
{
	static const size_t piece[] = { 65536, 1, 2, 3, 7, 20 };

	for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++)
		run_in(s, piece[i], p, can_tls);
}

static inline void run(const struct step *s)
{
	run_on(s, &ruled, true);
}

#define CAPS                                                         \
	"250-in.example says hello\r\n250-SIZE 1000\r\n250-VRFY\r\n" \
	"250-AUTH LOGIN PLAIN\r\n250-STARTTLS\r\n250-CHUNKING\r\n"   \
	"250 ENHANCEDSTATUSCODES\r\n"
#define SHOWN_CLEAR                                      \
	"250-in.example says hello\r\n250-SIZE 1000\r\n" \
	"250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
#define SHOWN_TLS                                        \
	"250-in.example says hello\r\n250-SIZE 1000\r\n" \
	"250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n"
#define GREETED                                  \
	{ S, "220 in.example ESMTP\r\n" },       \
	{                                        \
		TO_C, "220 in.example ESMTP\r\n" \
	}
#define IN_CLEAR                                                              \
	GREETED, { C, "EHLO c.example\r\n" }, { TO_S, "EHLO c.example\r\n" }, \
		{ S, CAPS },                                                  \
	{                                                                     \
		TO_C, SHOWN_CLEAR                                             \
	}
#define IN_TLS(how)                                                         \
	IN_CLEAR, { C, "STARTTLS\r\n" }, { TO_S, "" },                      \
		{ TO_C, "220 2.0.0 ready to start TLS\r\n" }, { TLS, how }, \
		{ EVENT, "tls up " }, { C, "EHLO c.example\r\n" },          \
		{ TO_S, "EHLO c.example\r\n" }, { S, CAPS },                \
	{                                                                   \
		TO_C, SHOWN_TLS                                             \
	}
#define ASK(question, answer)                               \
	{ C, question }, { TO_S, question }, { S, answer }, \
	{                                                   \
		TO_C, answer                                \
	}
#define ENVELOPE(from)                                                   \
	ASK("MAIL FROM:<a@" from "> SIZE=10\r\n", "250 2.1.0 from\r\n"), \
		ASK("rcpt to: b@in.example  \r\n", "250 2.1.5 to\r\n"),  \
		ASK("DATA\r\n", "354 go\r\n")
#define TEXT "Subject: x\r\n\r\n..\r\ntext\r\n"

#endif
