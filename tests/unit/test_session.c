/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: gate, TLS and pump together, with real TLS on the other side, in
 * pieces of any size; and how it ends when one side ends.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "session_talk.h"

#define CANARY "canary in the text"
#define BODY   "Subject: x\r\n\r\n..\r\n" CANARY "\r\n"

static struct pki_cert ca, leaf, other;
static struct talk_policy policy, stricter;

static int set_up(void **state)
{
	struct pki_want w = { .san = "DNS:mx.example" };
	struct pki_want o = { .san = "DNS:other.example" };
	char *pem;

	(void)state;
	ca = pki_ca("the CA", NULL);
	leaf = pki_make(&w, &ca);
	other = pki_make(&o, &ca);
	pem = pki_pem(&ca);
	talk_policy_make(&policy, talk_config, pem);
	talk_policy_make(&stricter,
			 "ca none\ndefault verify match mx.example\n"
			 "ca certificate\n",
			 pem);
	free(pem);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_trust_free(policy.trust);
	tls_trust_free(stricter.trust);
	pki_free(&other);
	pki_free(&leaf);
	pki_free(&ca);
	return 0;
}

static struct talk *begin(const char *const *script,
			  const struct pki_cert *cert)
{
	struct talk *t = calloc(1, sizeof(*t));

	t->script = script;
	t->cert = cert;
	t->cut = 65536;
	talk_begin(t, &policy);
	return t;
}

#define ENVELOPE(to) \
	"EHLO c\r\n", "MAIL FROM:<a@c.example>\r\n", "RCPT TO:<b@" to ">\r\n"

static const char *const to_verified[] = { ENVELOPE("ver.example"), "DATA\r\n",
					   BODY ".\r\n", "QUIT\r\n", NULL };
static const char *const half[] = { ENVELOPE("ver.example"), "DATA\r\n",
				    "Subject: half\r\n", NULL };

#define SHOWN "250-mx\r\n250-LIMITS RCPTDOMAINMAX=1\r\n250 PIPELINING\r\n"
#define TAKEN                                                            \
	"220 mx\r\n" SHOWN "250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n" \
	"221 bye\r\n"

static void a_message_in_any_pieces(void **state)
{
	static const size_t cuts[] = { 1, 2, 3, 5, 7, 100, 1460, 65536 };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		for (int v = 0; v < 2; v++) {
			struct talk *t = begin(to_verified, &leaf);

			t->cut = cuts[i];
			t->version = versions[v];
			talk_run(t);
			assert_string_equal(t->replies, TAKEN);
			assert_int_equal(t->stored, 1);
			assert_string_equal(t->body, BODY);
			assert_string_equal(t->in_clear,
					    "EHLO c\r\nSTARTTLS\r\n");
			assert_true(t->ended && t->end == SESSION_CLOSE);
			talk_free(t);
		}
}

static void another_name_is_refused(void **state)
{
	struct talk *t = begin(to_verified, &other);

	(void)state;
	talk_run(t);
	assert_non_null(strstr(t->replies, "550 ver.example requires verify"));
	assert_int_equal(t->connections, 2); /* once more, with the name */
	assert_int_equal(t->stored, 0);
	assert_null(strstr(t->in_clear, "MAIL"));
	talk_free(t);
}

/* CVE-2011-0411 the other way round: octets in clear behind the 220. */
static void octets_behind_the_220_end_it(void **state)
{
	static const size_t cuts[] = { 9, 100, 65536 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct talk *t = begin(to_verified, &leaf);

		t->after_220 = "250 injected\r\n";
		t->cut = cuts[i];
		talk_run(t);
		assert_null(strstr(t->replies, "injected"));
		assert_int_equal(t->stored, 0);
		assert_null(strstr(t->in_clear, "MAIL"));
		talk_free(t);
	}
}

/* The server ends its side: as said inside TLS, or only below it. */
static void an_end_without_close_notify_is_a_break(void **state)
{
	static const char *const idle[] = { "EHLO c\r\n", NULL };

	(void)state;
	for (int said = 0; said < 2; said++) {
		struct talk *t = begin(idle, &leaf);
		size_t none = 0;

		talk_run(t);
		assert_true(t->tls && !t->ended);
		if (said) {
			SSL_shutdown(t->peer.ssl);
			talk_flush(t);
			talk_move(t, NULL, &none);
		}
		session_eof(t->s, SERVER);
		talk_move(t, NULL, &none);
		assert_true(t->ended);
		assert_int_equal(t->end, said ? SESSION_CLOSE : SESSION_ABORT);
		talk_free(t);
	}
}

/* After close_notify nothing of that connection counts. */
static void nothing_after_close_notify_is_read(void **state)
{
	struct talk *t = begin(half, &leaf);
	size_t none = 0;

	(void)state;
	talk_run(t);
	SSL_shutdown(t->peer.ssl);
	talk_flush(t);
	talk_move(t, NULL, &none);
	pipe_put(&t->to_s, "250 taken\r\n", 11);
	talk_move(t, NULL, &none);
	assert_int_equal(t->to_s.tail - t->to_s.head, 11);
	assert_null(strstr(t->replies, "250 taken"));
	session_eof(t->s, SERVER);
	talk_move(t, ".\r\n", &none);
	assert_non_null(strstr(t->replies, "451 "));
	assert_int_equal(t->end, SESSION_CUT);
	talk_free(t);
}

static void a_client_that_breaks_off_cuts_the_server(void **state)
{
	(void)state;
	for (int rst = 0; rst < 2; rst++) {
		struct talk *t = begin(half, &leaf);
		size_t none = 0;

		talk_run(t);
		assert_false(t->ended);
		if (rst)
			session_gone(t->s, CLIENT);
		else
			session_eof(t->s, CLIENT);
		talk_move(t, NULL, &none);
		assert_true(t->ended && t->end == SESSION_ABORT);
		assert_int_equal(t->stored, 0);
		talk_free(t);
	}
}

/* A new snapshot in the middle: from the next recipient on. */
static void a_new_policy_counts_from_the_next_recipient(void **state)
{
	static const char *const one[] = { ENVELOPE("o.example"), NULL };
	static const char next[] = "RCPT TO:<c@o.example>\r\n";
	struct talk *t = begin(one, &other);
	size_t said = 0;

	(void)state;
	talk_run(t);
	session_set_policy(t->s, &stricter.policy, stricter.trust);
	talk_move(t, next, &said);
	assert_non_null(strstr(t->replies, "250 ok\r\n250 ok\r\n4"));
	talk_free(t);
}

/* Who does not read is not read from: what waits is bounded. */
static void a_deaf_server_stops_the_client(void **state)
{
	static char line[1000];
	struct talk *t = begin(half, &leaf);
	size_t all = 0, took;

	(void)state;
	memset(line, 'x', sizeof(line) - 2);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	talk_run(t);
	do {
		took = session_hungry(t->s, CLIENT)
			       ? session_feed(t->s, CLIENT,
					      (struct span){ (uint8_t *)line,
							     sizeof(line) })
			       : 0;
		all += took;
		assert_true(all < 200000);
	} while (took > 0);
	assert_false(session_hungry(t->s, CLIENT));
	assert_int_equal(session_wish(t->s), SESSION_NOTHING);
	talk_free(t);
}

static void a_dial_that_fails_is_told(void **state)
{
	static const char *const route[] = { ENVELOPE("route.example"), NULL };
	struct talk *t = begin(route, NULL);
	size_t said = 0;

	(void)state;
	talk_move(t, NULL, &said);
	for (int i = 0; i < 3; i++) {
		const char *line = route[i];

		said = 0;
		while (said < strlen(line)) {
			said += talk_feed(t, CLIENT, line + said,
					  strlen(line) - said);
			talk_out(t, SERVER);
			t->to_s.head += talk_feed(t, SERVER,
						  t->to_s.b + t->to_s.head,
						  t->to_s.tail - t->to_s.head);
		}
	}
	assert_int_equal(session_wish(t->s), SESSION_DIAL);
	session_dial_failed(t->s);
	assert_int_equal(session_wish(t->s), SESSION_NOTHING);
	while (talk_out(t, CLIENT))
		;
	t->replies[t->replies_n] = '\0';
	assert_non_null(strstr(t->replies, "451 route.example"));
	talk_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_in_any_pieces),
		cmocka_unit_test(another_name_is_refused),
		cmocka_unit_test(octets_behind_the_220_end_it),
		cmocka_unit_test(an_end_without_close_notify_is_a_break),
		cmocka_unit_test(nothing_after_close_notify_is_read),
		cmocka_unit_test(a_client_that_breaks_off_cuts_the_server),
		cmocka_unit_test(a_new_policy_counts_from_the_next_recipient),
		cmocka_unit_test(a_deaf_server_stops_the_client),
		cmocka_unit_test(a_dial_that_fails_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
