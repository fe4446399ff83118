/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_SESSION_TALK_H
#define TESTS_UNIT_SESSION_TALK_H

/*
 * One session between a client that sends a message and a server with real TLS
 * (OpenSSL), without a socket. Pieces of any size go each way; what each side
 * saw is kept.
 */
#include <string.h>
#include "conf/conf.h"
#include "session/session.h"
#include "tls_peer.h"

static const char talk_config[] = "ca none\n"
				  "default may\n"
				  "domain enc.example encrypt\n"
				  "domain ver.example verify match mx.example\n"
				  "domain route.example may route 192.0.2.9\n"
				  "ca certificate\n";

struct talk_policy {
	struct policy policy;
	struct tls_trust *trust;
	uint8_t mem[65536];
};

static inline void talk_policy_make(struct talk_policy *p, const char *text,
				    const char *pem)
{
	static char whole[20000], report_mem[1000];
	struct conf_input in = { .builtin_ca = SPAN_LIT("-"), .number = 1 };
	struct conf_job *job;
	struct text report;
	unsigned bad;
	size_t len;

	strcat(strcpy(whole, text), pem);
	in.text = span_str(whole);
	job = conf_job_init(malloc(conf_job_size()), &in);
	text_init(&report, report_mem, sizeof(report_mem));
	assert_int_equal(conf_job_measure(job, 1000), OK);
	assert_int_equal(
		conf_job_build(job, p->mem, sizeof(p->mem), NULL, &report), OK);
	assert_int_equal(conf_job_step(job, 1000, &len), OK);
	free(job);
	assert_int_equal(policy_open(&p->policy, (struct span){ p->mem, len }),
			 OK);
	p->trust = tls_trust_new(p->policy.settings.ca_pem, 0, &bad);
	assert_non_null(p->trust);
}

enum { TALK_TEXT = 1 << 18 };

/* A script of the client: lines, each said after the answer to the one before.
 * After DATA the text up to the dot is one "line". */
struct talk {
	struct session *s;
	const char *const *script;
	size_t cut;
	/* the server */
	const struct pki_cert *cert; /* NULL: it offers no TLS */
	int version;
	const char *after_220; /* said at once behind the answer to STARTTLS */
	bool tls, in_data, mute;
	struct peer peer;
	char line[4096];
	size_t line_n;
	struct pipe_ to_s; /* what the server has said, on the wire */
	unsigned stored, connections;
	char body[TALK_TEXT];
	size_t body_n;
	/* what was seen */
	char in_clear[TALK_TEXT], replies[TALK_TEXT];
	size_t in_clear_n, replies_n, reply_at;
	bool ended;
	enum session_wish end;
};

/* --- the server ----------------------------------------------------------------- */

static inline void talk_flush(struct talk *t)
{
	static uint8_t b[65536];
	int n;

	while (t->tls && (n = BIO_read(t->peer.out, b, sizeof(b))) > 0)
		pipe_put(&t->to_s, b, (size_t)n);
	ERR_clear_error();
}

static inline void talk_say(struct talk *t, const char *text)
{
	if (t->mute)
		return;
	if (t->tls)
		SSL_write(t->peer.ssl, text, (int)strlen(text));
	else
		pipe_put(&t->to_s, text, strlen(text));
	talk_flush(t);
}

static inline void talk_start_tls(struct talk *t)
{
	struct peer_want w = { .cert = t->cert,
			       .min = t->version,
			       .max = t->version };

	talk_say(t, "220 go\r\n");
	if (t->after_220)
		talk_say(t, t->after_220);
	peer_init(&t->peer, &w);
	t->tls = true;
}

static inline bool talk_is(const struct talk *t, const char *verb)
{
	return strncmp(t->line, verb, strlen(verb)) == 0;
}

static inline void talk_line(struct talk *t)
{
	if (t->in_data) {
		bool dot = strcmp(t->line, ".") == 0;

		assert_true(t->body_n + t->line_n + 2 < TALK_TEXT);
		if (!dot) {
			memcpy(t->body + t->body_n, t->line, t->line_n);
			memcpy(t->body + t->body_n + t->line_n, "\r\n", 3);
			t->body_n += t->line_n + 2;
			return;
		}
		t->in_data = false;
		t->stored++;
		talk_say(t, "250 taken\r\n");
	} else if (talk_is(t, "EHLO")) {
		talk_say(t, t->cert && !t->tls
				    ? "250-mx\r\n250-PIPELINING\r\n"
				      "250 STARTTLS\r\n"
				    : "250-mx\r\n250 PIPELINING\r\n");
	} else if (talk_is(t, "STARTTLS")) {
		talk_start_tls(t);
	} else if (talk_is(t, "DATA")) {
		t->in_data = true;
		talk_say(t, "354 go\r\n");
	} else {
		talk_say(t, talk_is(t, "QUIT") ? "221 bye\r\n" : "250 ok\r\n");
	}
}

static inline void talk_octets(struct talk *t, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(t->line_n + 1 < sizeof(t->line));
		t->line[t->line_n++] = p[i];
		if (p[i] != '\n' || t->line_n < 2 ||
		    t->line[t->line_n - 2] != '\r')
			continue;
		t->line_n -= 2;
		t->line[t->line_n] = '\0';
		talk_line(t);
		t->line_n = 0;
	}
}

/* What came over the wire to the server. */
static inline void talk_serve(struct talk *t, struct span in)
{
	char b[4096];
	int n;

	if (!t->tls) {
		assert_true(t->in_clear_n + in.n < TALK_TEXT);
		memcpy(t->in_clear + t->in_clear_n, in.p, in.n);
		t->in_clear_n += in.n;
		talk_octets(t, (const char *)in.p, in.n);
		return;
	}
	BIO_write(t->peer.in, in.p, (int)in.n);
	if (!SSL_is_init_finished(t->peer.ssl))
		SSL_do_handshake(t->peer.ssl);
	talk_flush(t);
	while ((n = SSL_read(t->peer.ssl, b, sizeof(b))) > 0)
		talk_octets(t, b, (size_t)n);
	talk_flush(t);
}

static inline void talk_connect(struct talk *t)
{
	if (t->tls)
		peer_done(&t->peer);
	t->tls = t->in_data = false;
	t->line_n = 0;
	t->to_s.head = t->to_s.tail = 0;
	t->connections++;
	talk_say(t, "220 mx\r\n");
}

/* --- the client ------------------------------------------------------------------ */

/* A whole reply has come since the last line was said. */
static inline bool talk_answered(struct talk *t)
{
	char *end;

	t->replies[t->replies_n] = '\0';
	while ((end = strstr(t->replies + t->reply_at, "\r\n")) != NULL) {
		bool last = t->replies[t->reply_at + 3] == ' ';

		t->reply_at = (size_t)(end - t->replies) + 2;
		if (last)
			return true;
	}
	return false;
}

/* --- both ------------------------------------------------------------------------- */

static inline size_t talk_cut(const struct talk *t, size_t n)
{
	return n < t->cut ? n : t->cut;
}

/* A piece from a side, its end where its memory ends. What was taken. */
static inline size_t talk_feed(struct talk *t, enum side from, const void *p,
			       size_t n)
{
	uint8_t *copy;
	size_t took;

	n = talk_cut(t, n);
	if (n == 0 || !session_hungry(t->s, from))
		return 0;
	copy = malloc(n);
	memcpy(copy, p, n);
	took = session_feed(t->s, from, (struct span){ copy, n });
	free(copy);
	assert_true(took <= n);
	return took;
}

static inline bool talk_out(struct talk *t, enum side to)
{
	struct span o = session_out(t->s, to);
	size_t n = talk_cut(t, o.n);
	uint8_t *copy;

	if (n == 0)
		return false;
	copy = malloc(n);
	memcpy(copy, o.p, n);
	session_sent(t->s, to, n);
	if (to == CLIENT) {
		assert_true(t->replies_n + n < TALK_TEXT);
		memcpy(t->replies + t->replies_n, copy, n);
		t->replies_n += n;
	} else {
		talk_serve(t, (struct span){ copy, n });
	}
	free(copy);
	return true;
}

static inline bool talk_wish(struct talk *t)
{
	enum session_wish w = session_wish(t->s);

	if (w == SESSION_NOTHING)
		return false;
	if (w == SESSION_DIAL) {
		talk_connect(t);
		session_dialed(t->s);
		return true;
	}
	t->end = w;
	t->ended = true;
	return false;
}

/* Let everything move that can. said: how much of *line was taken already. */
static inline void talk_move(struct talk *t, const char *line, size_t *said)
{
	bool moved = true;

	while (moved && !t->ended) {
		size_t a = talk_feed(t, SERVER, t->to_s.b + t->to_s.head,
				     t->to_s.tail - t->to_s.head);
		size_t b = line ? talk_feed(t, CLIENT, line + *said,
					    strlen(line) - *said)
				: 0;

		t->to_s.head += a;
		*said += b;
		moved = a + b > 0;
		moved = talk_out(t, CLIENT) || moved;
		moved = talk_out(t, SERVER) || moved;
		moved = talk_wish(t) || moved;
	}
	while (t->ended && t->end != SESSION_ABORT && talk_out(t, CLIENT))
		;
	t->replies[t->replies_n] = '\0';
	t->in_clear[t->in_clear_n] = '\0';
}

/* Begin: the session is there, the server has greeted. */
static inline void talk_begin(struct talk *t, const struct talk_policy *p)
{
	struct gate_start start = { .now_ms = 1000 };

	start.server.port = 25;
	ip_from_v4(start.server.ip, (const uint8_t[]){ 192, 0, 2, 1 });
	t->s = session_new(&p->policy, p->trust, NULL, &start);
	talk_connect(t);
}

/* The whole script, or as far as it goes. */
static inline void talk_run(struct talk *t)
{
	const char *line = NULL;
	size_t said = 0, next = 0;

	while (t->s && !t->ended) {
		talk_move(t, line, &said);
		if (t->ended || (line && said < strlen(line)) ||
		    !talk_answered(t))
			break;
		line = t->script[next];
		said = 0;
		if (!line)
			break;
		next++;
	}
}

static inline void talk_free(struct talk *t)
{
	session_free(t->s);
	if (t->tls)
		peer_done(&t->peer);
	free(t);
}

#endif
