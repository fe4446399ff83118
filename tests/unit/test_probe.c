/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A probe without a network: what a server says in any cut gives the same facts and
 * the same words of ours, and from the facts comes the report.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "feed.h"
#include "hex.h"
#include "probe/probe_report.h"
#include "probe/probe_talk.h"
#include "proto/smtp_ehlo.h"

static struct probe_facts facts;
static struct probe_talk talk;
static enum probe_kind kind;
static uint8_t random_[32];

static void begin(void *state)
{
	(void)state;
	facts = (struct probe_facts){ .tried = 0 };
	probe_talk_init(&talk, kind, &facts, SPAN_LIT("[192.0.2.1]"),
			SPAN_LIT("mx.example"), random_, 0);
}

/* What we say, and that it was all. */
static void take(void *state, struct span in, struct feed_log *log)
{
	enum probe_wish before = probe_talk_wish(&talk);

	(void)state;
	probe_talk_feed(&talk, in);
	while (probe_talk_out(&talk).n > 0) {
		feed_bytes(log, probe_talk_out(&talk));
		probe_talk_sent(&talk, probe_talk_out(&talk).n);
	}
	if (before != PROBE_CLOSE && probe_talk_wish(&talk) == PROBE_CLOSE)
		feed_mark(log, 'w', PROBE_CLOSE);
}

static void gives(const char *in, const char *want)
{
	static const struct feed_engine engine = { NULL, begin, take };
	struct span out;
	long at = feed_every_cut(&engine, span_str(in), &out);

	if (at != FEED_SAME)
		fail_msg("%s: cut at %ld", in, at);
	out = feed_whole(&engine, span_str(in));
	if (!span_eq(out, span_str(want)))
		fail_msg("%s gives %.*s", in, (int)out.n, (const char *)out.p);
}

#define EHLO	 "EHLO [192.0.2.1]\r\n"
#define STARTTLS "STARTTLS\r\n"
#define QUIT	 "QUIT\r\n"

static void the_usual_way(void **state)
{
	(void)state;
	kind = PROBE_ALL;
	gives("220 hi\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n", EHLO STARTTLS);
	assert_int_equal(probe_talk_wish(&talk), PROBE_TLS);
	assert_int_equal(facts.caps, EHLO_STARTTLS);
	assert_string_equal(facts.greeting_text, "hi");
	probe_talk_shaken(&talk, SHAKE_UP);
	assert_true(span_eq(probe_talk_out(&talk), SPAN_LIT(EHLO)));
	probe_talk_sent(&talk, probe_talk_out(&talk).n);
	probe_talk_feed(&talk, SPAN_LIT("250-a\r\n250 AUTH PLAIN\r\n"));
	assert_true(span_eq(probe_talk_out(&talk), SPAN_LIT(QUIT)));
	assert_int_equal(facts.auth_tls, 1u << AUTH_PLAIN);
	assert_int_equal(facts.step, PROBE_FINISHED);
	probe_talk_feed(&talk, SPAN_LIT("221 bye\r\n"));
	assert_int_equal(probe_talk_wish(&talk), PROBE_CLOSE);
}

/* No command that is not one of the five, whatever the server says. */
static void refusals(void **state)
{
	(void)state;
	kind = PROBE_ALL;
	gives("554 no\r\n221 bye\r\n", QUIT "{w2}");
	assert_int_equal(facts.step, PROBE_CONNECTED);
	gives("220 a\r\n500 what\r\n250 a\r\n502 no\r\n221 bye\r\n",
	      EHLO "HELO [192.0.2.1]\r\n" STARTTLS QUIT "{w2}");
	assert_int_equal(facts.ehlo, 500);
	assert_int_equal(facts.helo, 250);
	gives("220 a\r\n421 later\r\n221 bye\r\n", EHLO QUIT "{w2}");
	gives("nonsense\r\n", "{w2}");
	assert_int_equal(facts.stop, PROBE_NOT_SMTP);
	/* octets behind the 220 are not TLS, in whatever segment they came */
	gives("220 a\r\n250 a\r\n220 go\r\n500 what?\r\n",
	      EHLO STARTTLS "{w2}");
	assert_int_equal(facts.shake, SHAKE_NOT_TLS);
}

static void masks(void **state)
{
	(void)state;
	kind = PROBE_ALL;
	gives("220 ****************2****0****\r\n", EHLO);
	assert_true(facts.greeting_masked);
	gives("220 **\r\n", EHLO);
	assert_false(facts.greeting_masked);
	gives("220 **** mx.example ****\r\n", EHLO);
	assert_false(facts.greeting_masked);
	gives("220 a\r\n250-a\r\n250-XXXX\r\n250 XXXXXXXA\r\n", EHLO STARTTLS);
	assert_string_equal(facts.masked, "XXXXXXXA");
	gives("220 a\r\n250-a\r\n250-XXX\r\n250 XEXCH50\r\n", EHLO STARTTLS);
	assert_string_equal(facts.masked, "");
}

static void silence_and_ends(void **state)
{
	(void)state;
	kind = PROBE_ALL;
	begin(NULL);
	probe_talk_tick(&talk, probe_talk_deadline(&talk) - 1);
	assert_int_equal(probe_talk_wish(&talk), PROBE_NOTHING);
	probe_talk_tick(&talk, probe_talk_deadline(&talk));
	assert_int_equal(facts.stop, PROBE_SILENT);
	assert_int_equal(probe_talk_wish(&talk), PROBE_CLOSE);
	begin(NULL);
	probe_talk_gone(&talk);
	assert_int_equal(facts.stop, PROBE_HUNG_UP);
	gives("220 a\r\n250 a\r\n220 go\r\n", EHLO STARTTLS);
	probe_talk_tick(&talk, probe_talk_deadline(&talk));
	assert_int_equal(facts.shake, SHAKE_SILENT);
	assert_int_equal(probe_next(&facts), PROBE_OLD);
	gives("220 a\r\n250 a\r\n220 go\r\n", EHLO STARTTLS);
	probe_talk_gone(&talk);
	assert_int_equal(facts.shake, SHAKE_HUNG_UP);
}

/* A ClientHello in small pieces takes its time, and all of it leaves. */
static void small_pieces(void **state)
{
	size_t all = 0;
	unsigned pieces = 0;

	(void)state;
	kind = PROBE_BIG_CUT;
	begin(NULL);
	probe_talk_feed(&talk, SPAN_LIT("220 a\r\n250 a\r\n"));
	probe_talk_sent(&talk, sizeof(EHLO STARTTLS) - 1);
	probe_talk_feed(&talk, SPAN_LIT("220 go\r\n"));
	while (pieces < 100) {
		struct span s = probe_talk_out(&talk);
		uint64_t next;

		assert_true(s.n <= 500);
		all += s.n;
		pieces += s.n > 0;
		probe_talk_sent(&talk, s.n);
		next = probe_talk_deadline(&talk);
		if (probe_talk_out(&talk).n == 0 && all >= HELLO_LARGE)
			break;
		probe_talk_tick(&talk, next);
	}
	assert_int_equal(all, HELLO_LARGE);
	assert_int_equal(pieces, 4);
	assert_int_equal(probe_talk_wish(&talk), PROBE_NOTHING);
}

static void hello_that_is_sent(void **state)
{
	struct hello h = { .newest = 0x0304,
			   .size = HELLO_LARGE,
			   .sni = SPAN_LIT("mx.example") };
	uint8_t b[HELLO_MAX];
	size_t n, at;

	(void)state;
	assert_int_equal(hello_write(b, &n, &h), OK);
	assert_int_equal(n, HELLO_LARGE);
	assert_int_equal(get_be16(b + 3), n - 5);
	assert_int_equal(get_be16(b + 7), n - 9);
	/* the extensions fill it to its end */
	at = 9 + 2 + 32 + 1;
	at += 2 + (size_t)get_be16(b + at);
	at += 2;
	assert_int_equal(get_be16(b + at), n - at - 2);
	for (at += 2; at < n;)
		at += 4 + (size_t)get_be16(b + at + 2);
	assert_int_equal(at, n);
	h.size = 0;
	h.newest = 0x0303;
	assert_int_equal(hello_write(b, &n, &h), OK);
	assert_true(n < 200);
}

static struct hello_answer answer_of(const char *hex)
{
	static const uint8_t none[1];
	struct hex h = hex_of(hex);
	struct hello_answer a;

	hello_read(&a, h.n > 0 ? pk_guard((struct span){ h.b, h.n })
			       : (struct span){ none, 0 });
	return a;
}

#define RANDOM                                                           \
	"00000000000000000000000000000000000000000000000000000000000000" \
	"00"

static void hello_that_answers(void **state)
{
	struct hello_answer a;

	(void)state;
	assert_int_equal(answer_of("").kind, HELLO_MORE);
	assert_int_equal(answer_of("16 03 03").kind, HELLO_MORE);
	assert_int_equal(answer_of("35 30 30").kind, HELLO_NOT_TLS);
	assert_int_equal(answer_of("16 35").kind, HELLO_NOT_TLS);
	a = answer_of("15 0303 0002 02 28");
	assert_int_equal(a.kind, HELLO_ALERT);
	assert_int_equal(a.alert, 40);
	assert_int_equal(answer_of("15 0303 0003 02 28 00").kind,
			 HELLO_NOT_TLS);
	/* TLS 1.0, with a session, without extensions */
	a = answer_of("16 0301 002b 02 000027 0301" RANDOM "01 aa 0035 00");
	assert_int_equal(a.kind, HELLO_SERVER);
	assert_int_equal(a.version, 0x0301);
	assert_int_equal(a.suite, 0x0035);
	assert_true(a.resumable);
	/* TLS 1.3 says so in an extension */
	a = answer_of("16 0303 0032 02 00002e 0303" RANDOM
		      "00 1301 00 0006 002b 0002 0304");
	assert_int_equal(a.version, 0x0304);
	assert_false(a.resumable);
	/* TLS 1.2 with a ticket to come */
	a = answer_of("16 0303 0030 02 00002c 0303" RANDOM
		      "00 c02f 00 0004 0023 0000");
	assert_int_equal(a.version, 0x0303);
	assert_true(a.resumable);
	/* cut in the middle of what it should have */
	assert_int_equal(answer_of("16 0303 0004 02 000027").kind,
			 HELLO_NOT_TLS);
}

/* --- in words -------------------------------------------------------------------- */

static char words[16384];

static const char *report(const char *domain, const char *host)
{
	struct probe_about about = { .domain = span_str(domain),
				     .host = span_str(host),
				     .server.port = 25 };
	struct text t;

	text_init(&t, words, sizeof(words));
	probe_report(&t, &facts, &about);
	assert_false(t.cut);
	return words;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in\n%s", part, text);
}

static void good_server(const char *name)
{
	facts = (struct probe_facts){ .tried = 1u << PROBE_ALL,
				      .step = PROBE_FINISHED,
				      .greeting = 220,
				      .ehlo = 250,
				      .starttls = 220,
				      .caps = EHLO_STARTTLS,
				      .shake = SHAKE_UP,
				      .volume = VOLUME_WELL };
	facts.channel = (struct channel){ .tls = true,
					  .version = 0x0304,
					  .certificate = true };
	facts.channel.names[0] = (uint8_t)strlen(name);
	memcpy(facts.channel.names + 1, name, strlen(name));
	facts.channel.names_n = 1 + strlen(name);
}

static void levels_and_lines(void **state)
{
	(void)state;
	good_server("mx.other.example");
	has(report("a.example", "mx.other.example"),
	    "verify        would hold now\n");
	has(words, "  domain a.example verify match mx.other.example\n");
	has(words, "  domain a.example pin sha256:0000");
	good_server("mx.a.example");
	has(report("a.example", "mx.a.example"), "  domain a.example verify\n");
	good_server("elsewhere.example");
	has(report("a.example", "mx.a.example"),
	    "verify        certificate-host-mismatch: ");
	facts.channel.chain = TLS_CERTIFICATE_EXPIRED;
	has(report("a.example", "mx.a.example"),
	    "verify        certificate-expired: ");
	has(words, "encrypt       would hold now\n");
	facts.channel =
		(struct channel){ .missing = TLS_STARTTLS_NOT_SUPPORTED };
	facts.starttls = 502;
	facts.shake = SHAKE_NONE;
	has(report("a.example", "mx.a.example"),
	    "encrypt       starttls-not-supported: ");
	assert_null(strstr(words, "to configure"));
	facts.step = PROBE_GREETED;
	has(report("a.example", "mx.a.example"),
	    "clear         validation-failure: no mail gets there at all\n");
}

/* Of large and small ClientHellos and of the volume, which is which. */
static void hole_or_inspection(void **state)
{
	static const struct {
		enum probe_shake big, cut;
		enum probe_volume volume;
		const char *sign; /* NULL: none */
	} cases[] = {
		{ SHAKE_UP, SHAKE_NONE, VOLUME_WELL, NULL },
		{ SHAKE_UP, SHAKE_NONE, VOLUME_LOST, "full-sized segments" },
		{ SHAKE_SILENT, SHAKE_UP, VOLUME_LOST, "full-sized segments" },
		{ SHAKE_SILENT, SHAKE_UP, VOLUME_UNKNOWN,
		  "full-sized segments" },
		{ SHAKE_SILENT, SHAKE_SILENT, VOLUME_WELL,
		  "a ClientHello of two segments" },
		{ SHAKE_HUNG_UP, SHAKE_HUNG_UP, VOLUME_UNKNOWN,
		  "a ClientHello of two segments" },
		{ SHAKE_FAILED, SHAKE_NONE, VOLUME_WELL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		good_server("mx.a.example");
		facts.hello_shake[PROBE_BIG] = cases[i].big;
		facts.hello_shake[PROBE_BIG_CUT] = cases[i].cut;
		facts.volume = cases[i].volume;
		report("a.example", "mx.a.example");
		if (cases[i].sign)
			has(words, cases[i].sign);
		else
			assert_null(strstr(words, "ON THE WAY"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_way),
		cmocka_unit_test(refusals),
		cmocka_unit_test(masks),
		cmocka_unit_test(silence_and_ends),
		cmocka_unit_test(small_pieces),
		cmocka_unit_test(hello_that_is_sent),
		cmocka_unit_test(hello_that_answers),
		cmocka_unit_test(levels_and_lines),
		cmocka_unit_test(hole_or_inspection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
