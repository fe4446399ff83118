/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe_talk - see probe_talk.h.
 *
 *	GREETING -> EHLO -> [HELO] -> STARTTLS -> SHAKE -> EHLO_TLS -> VOLUME
 *	                                 |   \                           |
 *	                                 |    `-> HELLO (by hand)       QUIT
 *	                                 `-> refused: VOLUME, in clear --^
 *
 * STARTTLS is said even if it is not offered: who answers 220 has it, and somebody
 * on the way hides it. VOLUME is what DATA would be to the network, more octets
 * than a segment holds, made of commands that do nothing.
 */
#include "base/text.h"
#include "probe/probe_talk.h"
#include "proto/smtp_ehlo.h"

enum {
	GREETING_MS = 40000, /* some make strangers wait */
	REPLY_MS = 20000,
	SHAKE_MS = 12000,
	HELLO_MS = 8000,
	VOLUME_MS = 10000,
	QUIT_MS = 5000,
	PIECE = 500, /* of a ClientHello that is cut small */
	PIECE_MS = 200,
	NOOPS = 6, /* Exim takes ten commands that are not mail */
	NOOP_TEXT = 480,
};

enum state {
	S_GREETING,
	S_EHLO,
	S_HELO,
	S_STARTTLS,
	S_SHAKE,
	S_HELLO,
	S_EHLO_TLS,
	S_VOLUME,
	S_QUIT,
	S_DONE,
};

static void enter(struct probe_talk *t, enum state s, uint64_t for_ms)
{
	t->state = (int)s;
	t->until_ms = t->now_ms + for_ms;
}

static void done(struct probe_talk *t)
{
	t->state = S_DONE;
	t->until_ms = UINT64_MAX;
}

static void say(struct probe_talk *t, const char *word, const char *rest)
{
	struct span part[] = { span_str(word), span_str(rest),
			       SPAN_LIT("\r\n") };

	for (size_t i = 0; i < 3; i++)
		if (buf_put(&t->out, part[i]) != OK)
			done(t); /* never: it is empty when we speak */
}

static void quit(struct probe_talk *t)
{
	say(t, "QUIT", "");
	enter(t, S_QUIT, QUIT_MS);
}

static void say_starttls(struct probe_talk *t)
{
	say(t, "STARTTLS", "");
	enter(t, S_STARTTLS, REPLY_MS);
}

/* The first connection ends here, for this reason. */
static void stop(struct probe_talk *t, enum probe_stop why)
{
	if (t->kind == PROBE_ALL)
		t->facts->stop = why;
	done(t);
}

static void copy(char *to, size_t size, struct span from)
{
	struct text x;

	text_init(&x, to, size);
	text_clean(&x, from);
}

/* --- what replies say ---------------------------------------------------------- */

/* A banner of asterisks, but for digits 2 and 0 and blanks, which some leave. */
static bool masked(struct span text)
{
	size_t stars = 0, other = 0;

	for (size_t i = 0; i < text.n; i++) {
		stars += text.p[i] == '*';
		other += text.p[i] != '*' && text.p[i] != ' ' &&
			 text.p[i] != '2' && text.p[i] != '0';
	}
	return stars >= 4 && other == 0;
}

/* A keyword that was overwritten: Xs, the last octet may be another. */
static bool crossed_out(struct span word)
{
	size_t n = 0;

	while (n < word.n && word.p[n] == 'X')
		n++;
	return word.n >= 4 && n + 1 >= word.n;
}

static void keywords(struct probe_talk *t, struct span raw)
{
	struct probe_facts *f = t->facts;
	struct span line;
	struct text x;

	text_init(&x, f->keywords, sizeof(f->keywords));
	if (!smtp_reply_line(&raw, &line))
		return;
	while (smtp_reply_line(&raw, &line)) {
		struct span word = line;

		for (word.n = 0; word.n < line.n && line.p[word.n] != ' ';)
			word.n++;
		text_str(&x, x.n > 0 ? " " : "");
		text_clean(&x, word);
		if (crossed_out(word))
			copy(f->masked, sizeof(f->masked), word);
	}
}

static void greeted(struct probe_talk *t, uint16_t code)
{
	struct span raw = smtp_reply_raw(&t->reply), line;

	if (t->kind == PROBE_ALL && smtp_reply_line(&raw, &line)) {
		t->facts->greeting = code;
		t->facts->greeting_masked = masked(line);
		copy(t->facts->greeting_text, PROBE_TEXT, line);
	}
	if (code / 100 != 2) {
		quit(t);
		return;
	}
	if (t->kind == PROBE_ALL)
		t->facts->step = PROBE_GREETED;
	say(t, "EHLO ", t->name);
	enter(t, S_EHLO, REPLY_MS);
}

static void helloed(struct probe_talk *t, uint16_t code)
{
	struct probe_facts *f = t->facts;
	struct span raw = smtp_reply_raw(&t->reply);
	bool ehlo = t->state == S_EHLO;

	if (t->kind == PROBE_ALL && ehlo)
		f->ehlo = code;
	else if (t->kind == PROBE_ALL)
		f->helo = code;
	if (code / 100 != 2 && ehlo && code / 100 == 5) {
		say(t, "HELO ", t->name);
		enter(t, S_HELO, REPLY_MS);
		return;
	}
	if (code / 100 != 2) {
		quit(t);
		return;
	}
	if (t->kind == PROBE_ALL) {
		f->step = PROBE_HELLOED;
		if (ehlo) {
			f->caps = smtp_ehlo_parse(raw);
			f->auth = smtp_ehlo_auth(raw);
			keywords(t, raw);
		}
	}
	say_starttls(t);
}

/* More octets than a segment holds, if the server takes commands in a row. */
static void volume(struct probe_talk *t, unsigned caps)
{
	char text[NOOP_TEXT + 1];

	t->facts->step = PROBE_FINISHED;
	if (!(caps & EHLO_PIPELINING)) {
		quit(t);
		return;
	}
	memset(text, 'x', NOOP_TEXT);
	text[NOOP_TEXT] = '\0';
	for (int i = 0; i < NOOPS; i++)
		say(t, "NOOP ", text);
	enter(t, S_VOLUME, VOLUME_MS);
}

static void say_hello(struct probe_talk *t)
{
	uint8_t b[HELLO_MAX];
	size_t n;

	t->hello.newest = t->kind == PROBE_BIG || t->kind == PROBE_BIG_CUT
				  ? 0x0304
				  : 0x0303;
	t->hello.size = t->hello.newest == 0x0304 ? HELLO_LARGE : 0;
	t->hello.sni = span_str(t->sni);
	if (hello_write(b, &n, &t->hello) != OK ||
	    buf_put(&t->out, (struct span){ b, n }) != OK) {
		done(t);
		return;
	}
	enter(t, S_HELLO, HELLO_MS);
	if (t->kind != PROBE_BIG_CUT)
		return;
	t->released = PIECE;
	t->release_ms = t->now_ms + PIECE_MS;
}

static void answered_starttls(struct probe_talk *t, uint16_t code)
{
	struct probe_facts *f = t->facts;
	struct span raw = smtp_reply_raw(&t->reply), line;

	if (t->kind != PROBE_ALL) {
		if (code == 220)
			say_hello(t);
		else
			quit(t);
		return;
	}
	f->starttls = code;
	if (smtp_reply_line(&raw, &line))
		copy(f->starttls_text, PROBE_TEXT, line);
	if (code == 220) {
		enter(t, S_SHAKE, SHAKE_MS);
		return;
	}
	f->channel.missing = TLS_STARTTLS_NOT_SUPPORTED;
	volume(t, f->caps);
}

static void answered(struct probe_talk *t, uint16_t code)
{
	struct probe_facts *f = t->facts;
	struct span raw = smtp_reply_raw(&t->reply);

	switch ((enum state)t->state) {
	case S_GREETING: greeted(t, code); break;
	case S_EHLO:
	case S_HELO: helloed(t, code); break;
	case S_STARTTLS: answered_starttls(t, code); break;
	case S_EHLO_TLS:
		if (code / 100 == 2) {
			f->caps_tls = smtp_ehlo_parse(raw);
			f->auth_tls = smtp_ehlo_auth(raw);
		}
		volume(t, f->caps_tls);
		break;
	case S_VOLUME:
		/* The first of them is not read before all segments of its
		 * record are there. */
		if (f->volume == VOLUME_UNKNOWN) {
			f->volume = VOLUME_WELL;
			quit(t);
		}
		break;
	case S_QUIT:
		if (code == 221)
			done(t);
		break;
	case S_SHAKE:
	case S_HELLO:
	case S_DONE: break;
	}
}

/* --- what stands in the place of TLS --------------------------------------------- */

static void no_tls(struct probe_talk *t, enum probe_shake how)
{
	struct probe_facts *f = t->facts;

	if (f->channel.missing == TLS_RESULT_OK)
		f->channel.missing = TLS_VALIDATION_FAILURE;
	f->channel.tls = false;
	f->shake = how;
	f->step = PROBE_FINISHED;
	done(t);
}

static void first_octets(struct probe_talk *t, struct span in)
{
	struct hello_answer a;
	size_t n = sizeof(t->answer) - t->answer_n;

	if (n > in.n)
		n = in.n;
	memcpy(t->answer + t->answer_n, in.p, n);
	t->answer_n += n;
	hello_read(&a, (struct span){ t->answer, t->answer_n });
	if (t->state == S_SHAKE) {
		if (a.kind != HELLO_NOT_TLS)
			return;
		copy(t->facts->instead, PROBE_TEXT,
		     (struct span){ t->answer, t->answer_n });
		no_tls(t, SHAKE_NOT_TLS);
		return;
	}
	if (a.kind == HELLO_MORE)
		return;
	t->facts->hello[t->kind] = a;
	t->facts->hello_shake[t->kind] = a.kind == HELLO_NOT_TLS ? SHAKE_NOT_TLS
					 : a.kind == HELLO_ALERT ? SHAKE_FAILED
								 : SHAKE_UP;
	done(t);
}

void probe_talk_shaken(struct probe_talk *t, enum probe_shake how)
{
	if (t->state != S_SHAKE)
		return;
	if (how != SHAKE_UP) {
		no_tls(t, how);
		return;
	}
	t->facts->shake = SHAKE_UP;
	say(t, "EHLO ", t->name);
	enter(t, S_EHLO_TLS, REPLY_MS);
}

/* --- the engine ---------------------------------------------------------------- */

void probe_talk_init(struct probe_talk *t, enum probe_kind kind,
		     struct probe_facts *f, struct span name, struct span sni,
		     const uint8_t random[32], uint64_t now_ms)
{
	memset(t, 0, sizeof(*t));
	t->kind = kind;
	t->facts = f;
	t->now_ms = now_ms;
	t->released = SIZE_MAX;
	t->release_ms = UINT64_MAX;
	copy(t->name, sizeof(t->name), name);
	copy(t->sni, sizeof(t->sni), sni);
	memcpy(t->hello.random, random, 32);
	smtp_reply_init(&t->reply, t->reply_mem, sizeof(t->reply_mem));
	buf_init(&t->out, t->out_mem, sizeof(t->out_mem));
	f->tried |= 1u << kind;
	if (kind == PROBE_ALL)
		f->step = PROBE_CONNECTED;
	enter(t, S_GREETING, GREETING_MS);
}

void probe_talk_feed(struct probe_talk *t, struct span in)
{
	while (in.n > 0 && t->state != S_DONE) {
		size_t used = 0;
		int r;

		if (t->state == S_SHAKE || t->state == S_HELLO) {
			first_octets(t, in);
			return;
		}
		r = smtp_reply_feed(&t->reply, in, &used);
		in = span_skip(in, used);
		if (r == 1)
			answered(t, t->reply.code);
		else if (r < 0)
			stop(t, PROBE_NOT_SMTP);
	}
}

/* Nothing more comes: why, and what it is called when a handshake had no answer. */
static void no_more(struct probe_talk *t, enum probe_stop why,
		    enum probe_shake unanswered)
{
	enum probe_shake how = t->answer_n > 0 ? SHAKE_FAILED : unanswered;

	switch ((enum state)t->state) {
	case S_SHAKE: no_tls(t, how); break;
	case S_HELLO:
		t->facts->hello_shake[t->kind] = how;
		done(t);
		break;
	case S_VOLUME:
		t->facts->volume = VOLUME_LOST;
		done(t);
		break;
	case S_QUIT:
	case S_DONE: done(t); break;
	case S_GREETING:
	case S_EHLO:
	case S_HELO:
	case S_STARTTLS:
	case S_EHLO_TLS: stop(t, why); break;
	}
}

void probe_talk_gone(struct probe_talk *t)
{
	no_more(t, PROBE_HUNG_UP, SHAKE_HUNG_UP);
}

void probe_talk_tick(struct probe_talk *t, uint64_t now_ms)
{
	t->now_ms = now_ms;
	if (now_ms >= t->until_ms)
		no_more(t, PROBE_SILENT, SHAKE_SILENT);
	if (now_ms < t->release_ms)
		return;
	t->released += PIECE;
	t->release_ms = t->released < buf_span(&t->out).n ? now_ms + PIECE_MS
							  : UINT64_MAX;
}

uint64_t probe_talk_deadline(const struct probe_talk *t)
{
	return t->until_ms < t->release_ms ? t->until_ms : t->release_ms;
}

struct span probe_talk_out(const struct probe_talk *t)
{
	struct span s = buf_span(&t->out);

	if (s.n > t->released)
		s.n = t->released;
	return s;
}

void probe_talk_sent(struct probe_talk *t, size_t n)
{
	buf_drop(&t->out, n);
	if (t->release_ms != UINT64_MAX)
		t->released -= n;
}

enum probe_wish probe_talk_wish(const struct probe_talk *t)
{
	if (t->state == S_DONE)
		return PROBE_CLOSE;
	return t->state == S_SHAKE ? PROBE_TLS : PROBE_NOTHING;
}

/* --- what to try next ------------------------------------------------------------- */

static bool tried(const struct probe_facts *f, enum probe_kind k)
{
	return (f->tried & 1u << k) != 0;
}

enum probe_kind probe_next(const struct probe_facts *f)
{
	if (!tried(f, PROBE_ALL))
		return PROBE_ALL;
	if (f->starttls != 220 || f->shake == SHAKE_NOT_TLS)
		return PROBE_KINDS;
	if (f->shake != SHAKE_UP)
		return tried(f, PROBE_OLD) ? PROBE_KINDS : PROBE_OLD;
	if (!tried(f, PROBE_1_2))
		return PROBE_1_2;
	if (!tried(f, PROBE_BIG))
		return PROBE_BIG;
	if (!tried(f, PROBE_BIG_CUT) &&
	    (f->hello_shake[PROBE_BIG] == SHAKE_SILENT ||
	     f->hello_shake[PROBE_BIG] == SHAKE_HUNG_UP))
		return PROBE_BIG_CUT;
	return PROBE_KINDS;
}
