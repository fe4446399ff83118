/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_GATE_SCRIPT_H
#define TESTS_UNIT_GATE_SCRIPT_H

/*
 * Scripts for the outbound gate: who says what, what the other one hears, and
 * what the gate wishes in between. run() plays one whole, octet by octet, and in
 * sevens.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "conf/conf.h"
#include "conf/conf_value.h"
#include "proto/smtp_gate_out.h"

enum op {
	END,
	C,    /* the client says */
	S,    /* the server says */
	TO_C, /* the client has heard exactly this since the last TO_C */
	TO_S, /* the server has heard exactly this */
	TLS,  /* STARTTLS is wished and succeeds: "good", "other" or "none" */
	FAIL, /* STARTTLS is wished and the handshake fails */
	NO_ROOM, /* the same, for want of memory */
	DIAL,	 /* a dial is wished and succeeds */
	WHERE,	 /* it is to be found out where a host is: "name address" */
	NOWHERE, /* the same, "name", and nobody knows */
	WAIT,	 /* as many milliseconds pass */
	WISH,	 /* the gate wishes "close", "abort" or "nothing" */
	GONE,	 /* the server is gone */
	DEAF,	 /* the server reads nothing from now on */
	EV,	 /* what was told about TLS, and about whom */
	BOX,	 /* does it look as if the server were a box? "yes" or "no" */
	ASK,	 /* keys is asked exactly this: "begin ntlm hub seal", ... */
	SAY,	 /* keys says this; NULL: nothing, the server is to begin */
	SAY_PLUS,
	UP,    /* the log-on is done; text: bits of the seal, or "40 half" */
	NO,    /* keys says why not; text: number of enum logon_result */
	FRESH, /* a new snapshot */
};

struct step {
	enum op op;
	const char *text;
};

#ifndef GATE_CONFIG
#define GATE_CONFIG                                    \
	"default may\n"                                \
	"domain enc.example encrypt\n"                 \
	"domain ver.example verify match mx.example\n" \
	"domain rej.example encrypt on-fail reject\n"  \
	"domain clr.example clear\n"                   \
	"domain route.example may route 192.0.2.9\n"
#endif

static struct policy policy;
static uint8_t policy_mem[65536];

static inline int set_up(void **state)
{
	struct conf_input in = { .text = SPAN_LIT(GATE_CONFIG),
				 .builtin_ca = SPAN_LIT("-"),
				 .number = 1 };
	struct conf_job *job = conf_job_init(malloc(conf_job_size()), &in);
	char mem[1000];
	struct text report;
	size_t len;
	int r;

	(void)state;
	text_init(&report, mem, sizeof(mem));
	r = conf_job_measure(job, 100);
	if (r == OK)
		r = conf_job_build(job, policy_mem, sizeof(policy_mem), NULL,
				   &report);
	while (r == OK && (r = conf_job_step(job, 100, &len)) == E_AGAIN) {
		/* a sealed password, which nobody here needs */
		conf_job_opened(job, OK, SPAN_LIT("x"));
		r = OK;
	}
	free(job);
	return r == OK ? policy_open(&policy, (struct span){ policy_mem, len })
		       : r;
}

struct talk {
	struct smtp_gate_out *g;
	size_t piece;
	uint64_t now;
	bool deaf;
	char heard[SIDES][20000];
	size_t heard_n[SIDES];
};

static inline void hear(struct talk *t)
{
	for (enum side s = CLIENT; s < SIDES; s++) {
		struct span o = smtp_gate_out_out(t->g, s);

		if (s == SERVER && t->deaf)
			continue;
		assert_true(t->heard_n[s] + o.n < sizeof(t->heard[s]));
		if (o.n > 0)
			memcpy(t->heard[s] + t->heard_n[s], o.p, o.n);
		t->heard_n[s] += o.n;
		smtp_gate_out_sent(t->g, s, o.n);
	}
}

/* All of it is taken, in pieces that end where their memory ends. */
static inline void say(struct talk *t, enum side s, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = left < t->piece ? left : t->piece, took;
		uint8_t *copy = malloc(n);

		memcpy(copy, text, n);
		took = smtp_gate_out_feed(t->g, s, (struct span){ copy, n });
		free(copy);
		hear(t);
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

	assert_int_equal(smtp_gate_out_wish(t->g), GATE_STARTTLS);
	memset(&ch, 0, sizeof(ch));
	ch.no_room = how && !*how;
	if (!how || !*how) {
		ch.missing = TLS_VALIDATION_FAILURE;
		memcpy(ch.why, "handshake: alert", 17);
		smtp_gate_out_tls_failed(t->g, &ch);
		return;
	}
	ch.tls = true;
	ch.version = 0x0304;
	ch.suite = "TLS";
	ch.chain = strcmp(how, "none") == 0 ? TLS_CERTIFICATE_NOT_TRUSTED
					    : TLS_RESULT_OK;
	if (strcmp(how, "good") == 0) {
		ch.names_n = 11;
		memcpy(ch.names, "\nmx.example", 11);
	}
	smtp_gate_out_tls_up(t->g, &ch, false);
}

/* To the address that is given, if one is. */
static inline void dial(struct talk *t, const char *where)
{
	struct endpoint to = smtp_gate_out_dial(t->g);
	char ip[48];
	struct text x;

	assert_int_equal(smtp_gate_out_wish(t->g), GATE_DIAL);
	text_init(&x, ip, sizeof(ip));
	text_ip(&x, to.ip);
	if (where)
		assert_string_equal(ip, where);
	smtp_gate_out_dialed(t->g);
}

/* The name of the host, then its address; without one it is not known. */
static inline void route(struct talk *t, const char *text)
{
	const char *blank = strchr(text, ' ');
	size_t n = blank ? (size_t)(blank - text) : strlen(text);
	struct span name = smtp_gate_out_route(t->g);
	uint8_t ip[16];

	assert_int_equal(smtp_gate_out_wish(t->g), GATE_ROUTE);
	assert_true(span_eq(name, (struct span){ (const uint8_t *)text, n }));
	if (!blank) {
		smtp_gate_out_unrouted(t->g, "nobody knows");
		return;
	}
	assert_true(conf_ip(span_str(blank + 1), ip));
	smtp_gate_out_routed(t->g, ip);
}

static inline void wishes(const struct talk *t, const char *what)
{
	enum gate_wish w = smtp_gate_out_wish(t->g);

	assert_string_equal(w == GATE_NOTHING ? "nothing"
			    : w == GATE_CLOSE ? "close"
			    : w == GATE_ABORT ? "abort"
					      : "other",
			    what);
}

/* What happened to TLS, and with whom. */
static const char *tls_events(struct talk *t)
{
	static char said[400];
	struct gate_event ev;
	struct text x;

	text_init(&x, said, sizeof(said));
	while (smtp_gate_out_event(t->g, &ev)) {
		if (ev.type == GATE_EV_TLS_UP)
			text_str(&x, " up ");
		else if (ev.type == GATE_EV_TLS_FAILED)
			text_str(&x, " failed ");
		else if (ev.type == GATE_EV_STARTTLS_VANISHED)
			text_str(&x, " vanished ");
		else if (ev.type == GATE_EV_FALLBACK)
			text_str(&x, " fallback ");
		else
			continue;
		text_ip(&x, ev.server.ip);
	}
	return said;
}

/* What the gate wants to know from keys. */
static inline void asked(struct talk *t, const char *what)
{
	static const char *const steps[] = { "begin", "challenge", "done" };
	struct gate_auth a = smtp_gate_out_auth(t->g);
	char said[400];
	struct text x;

	assert_int_equal(smtp_gate_out_wish(t->g), GATE_AUTH);
	text_init(&x, said, sizeof(said));
	text_str(&x, steps[a.step]);
	if (a.step == GATE_AUTH_BEGIN) {
		text_str(&x, " ");
		text_str(&x, auth_mech_word(a.logon.mech));
		text_str(&x, " ");
		text_span(&x, a.logon.account);
		text_str(&x, a.seal ? " seal" : "");
		text_str(&x, a.plus ? " plus" : "");
	} else if (a.step == GATE_AUTH_CHALLENGE) {
		text_str(&x, " ");
		text_span(&x, a.text);
	}
	assert_string_equal(said, what);
}

static inline void logged_on(struct talk *t, const char *how)
{
	struct channel_logon l = { .ntlm_v2 = true };

	if (how) {
		l.bits = (uint16_t)strtoul(how, NULL, 10);
		l.half_duplex = strstr(how, "half") != NULL;
	}
	smtp_gate_out_auth_up(t->g, &l);
}

static inline void boxed(const struct talk *t, const char *what)
{
	struct gate_status st;

	smtp_gate_out_status(t->g, &st);
	assert_string_equal(st.box ? "yes" : "no", what);
}

/* past: what is remembered of the server. */
static inline void run_after(const struct step *step, size_t piece,
			     const struct gate_start *past)
{
	static struct talk t;
	struct gate_start start = *past;
	void *mem = malloc(smtp_gate_out_size());

	memset(&t, 0, sizeof(t));
	start.now_ms = 1000;
	start.server.port = 25;
	ip_from_v4(start.server.ip, (const uint8_t[]){ 192, 0, 2, 1 });
	t.piece = piece;
	t.now = 1000;
	t.g = smtp_gate_out_init(mem, &policy, &start);
	for (; step->op != END; step++) {
		switch (step->op) {
		case END: break;
		case C: say(&t, CLIENT, step->text); break;
		case S: say(&t, SERVER, step->text); break;
		case TO_C: heard(&t, CLIENT, step->text); break;
		case TO_S: heard(&t, SERVER, step->text); break;
		case TLS: shake(&t, step->text); break;
		case FAIL: shake(&t, NULL); break;
		case NO_ROOM: shake(&t, ""); break;
		case DIAL: dial(&t, step->text); break;
		case WHERE:
		case NOWHERE: route(&t, step->text); break;
		case WAIT:
			t.now += strtoul(step->text, NULL, 10);
			smtp_gate_out_tick(t.g, t.now);
			break;
		case WISH: wishes(&t, step->text); break;
		case GONE: smtp_gate_out_gone(t.g, SERVER); break;
		case DEAF: t.deaf = true; break;
		case EV: assert_string_equal(tls_events(&t), step->text); break;
		case BOX: boxed(&t, step->text); break;
		case ASK: asked(&t, step->text); break;
		case SAY:
		case SAY_PLUS:
			smtp_gate_out_auth_say(
				t.g, span_str(step->text ? step->text : ""),
				step->text != NULL, step->op == SAY_PLUS);
			break;
		case UP: logged_on(&t, step->text); break;
		case NO:
			smtp_gate_out_auth_failed(
				t.g, (enum logon_result)strtoul(step->text,
								NULL, 10));
			break;
		case FRESH: smtp_gate_out_set_policy(t.g, &policy); break;
		}
		hear(&t);
	}
	free(mem);
}

static inline void run_in(const struct step *step, size_t piece, bool before)
{
	run_after(step, piece,
		  &(struct gate_start){ .starttls_before = before });
}

static inline void run(const struct step *step)
{
	run_in(step, 65536, false);
	run_in(step, 1, false);
	run_in(step, 7, false);
}

#define CAPS_CLEAR "250-mx\r\n250-PIPELINING\r\n250 DSN\r\n"
#define CAPS_TLS   "250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 STARTTLS\r\n"
#define SHOWN                                                 \
	"250-mx\r\n250-DSN\r\n250-LIMITS RCPTDOMAINMAX=1\r\n" \
	"250 PIPELINING\r\n"
#define IN_CLEAR                                                          \
	{ S, "220 mx\r\n" }, { TO_C, "220 mx\r\n" }, { C, "EHLO c\r\n" }, \
		{ TO_S, "EHLO c\r\n" }, { S, CAPS_CLEAR },                \
	{                                                                 \
		TO_C, SHOWN                                               \
	}
#define IN_TLS(how)                                                          \
	{ S, "220 mx\r\n" }, { TO_C, "220 mx\r\n" }, { C, "EHLO c\r\n" },    \
		{ TO_S, "EHLO c\r\n" }, { S, CAPS_TLS },                     \
		{ TO_S, "STARTTLS\r\n" }, { S, "220 go\r\n" }, { TLS, how }, \
		{ TO_S, "EHLO c\r\n" }, { S, CAPS_CLEAR },                   \
	{                                                                    \
		TO_C, SHOWN                                                  \
	}
#define ENVELOPE(to)                                                           \
	{ C, "MAIL FROM:<a@c.example>\r\n" }, { TO_C, "250 ok\r\n" },          \
		{ TO_S, "" }, { C, "RCPT TO:<b@" to ">\r\n" },                 \
		{ TO_S, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@" to ">\r\n" }, \
		{ S, "250 s\r\n" }, { TO_C, "" }, { S, "250 r\r\n" },          \
		{ TO_C, "250 r\r\n" }, { C, "DATA\r\n" },                      \
		{ TO_S, "DATA\r\n" }, { S, "354 go\r\n" },                     \
	{                                                                      \
		TO_C, "354 go\r\n"                                             \
	}
#define TEXT "Subject: x\r\n\r\n..\r\ntext\r\n"

#endif
