/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log-ons as SMTP sees them: the examples of RFC 2195 and 4616, each mechanism
 * between our two ends, servers that want more or less than the mechanism says,
 * and names and passwords that do not fit.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "sasl_pair.h"

static const enum auth_mech every[] = { AUTH_PLAIN,	    AUTH_LOGIN,
					AUTH_CRAM_MD5,	    AUTH_SCRAM_SHA_1,
					AUTH_SCRAM_SHA_256, AUTH_NTLM };

enum { EVERY = sizeof(every) / sizeof(every[0]) };

static uint8_t mem[SASL_TEXT_MAX];
static struct buf out;

static struct sasl_client client(enum auth_mech m, struct sasl_secret who)
{
	struct sasl_ask ask = { .mech = m, .min_bits = 128 };
	struct sasl_client c;

	buf_init(&out, mem, sizeof(mem));
	assert_int_equal(sasl_client_begin(&c, &ask, &who), OK);
	return c;
}

static bool is(const char *text)
{
	bool r = span_eq(buf_span(&out), span_str(text));

	buf_cut(&out, 0);
	return r;
}

/* RFC 4616 4: "tim", "tanstaaftanstaaf" */
static void plain(void **state)
{
	struct sasl_client c = client(AUTH_PLAIN,
				      sp_who("", "tim", "tanstaaftanstaaf"));
	struct sasl_outcome o;

	(void)state;
	assert_int_equal(sasl_client_first(&c, 490, &out), 1);
	assert_true(is("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"));
	assert_int_equal(sasl_client_done(&c, &o), OK);
	assert_int_equal(o.bits, 0);
	/* without an initial response, as after a long one */
	c = client(AUTH_PLAIN, sp_who("DOM", "tim", "x"));
	assert_int_equal(sasl_client_first(&c, 15, &out), 0);
	assert_int_equal(buf_span(&out).n, 0);
	assert_int_equal(sasl_client_done(&c, &o), E_PEER_PROOF);
	c = client(AUTH_PLAIN, sp_who("DOM", "tim", "x"));
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT(""), &out), OK);
	assert_true(is("AERPTVx0aW0AeA=="));
	/* a second question */
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT(""), &out),
			 E_PEER_ORDER);
	/* a question where none belongs */
	c = client(AUTH_PLAIN, sp_who("", "tim", "x"));
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT("YQ=="), &out),
			 E_PEER_SYNTAX);
	sasl_client_wipe(&c);
}

static void login(void **state)
{
	struct sasl_client c = client(AUTH_LOGIN, sp_who("", "tim", "secret"));
	struct sasl_outcome o;

	(void)state;
	assert_int_equal(sasl_client_first(&c, 490, &out), 0);
	assert_int_equal(
		sasl_client_challenge(&c, SPAN_LIT("VXNlcm5hbWU6"), &out), OK);
	assert_true(is("dGlt"));
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT("say it!"), &out),
			 OK);
	assert_true(is("c2VjcmV0"));
	assert_int_equal(sasl_client_done(&c, &o), OK);
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT(""), &out),
			 E_PEER_ORDER);
	assert_int_equal(sasl_client_done(&c, &o), E_PEER_ORDER);
	sasl_client_wipe(&c);
}

/* RFC 2195 2 */
static void cram_md5(void **state)
{
	struct sasl_client c = client(AUTH_CRAM_MD5,
				      sp_who("D", "tim", "tanstaaftanstaaf"));

	(void)state;
	assert_int_equal(sasl_client_first(&c, 490, &out), 0);
	assert_int_equal(
		sasl_client_challenge(
			&c,
			SPAN_LIT("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9u"
				 "Lm1jaS5uZXQ+"),
			&out),
		OK);
	assert_true(is("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"));
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT("YQ=="), &out),
			 E_PEER_ORDER);
	c = client(AUTH_CRAM_MD5, sp_who("", "tim", "x"));
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT(""), &out),
			 E_PEER_SYNTAX);
	c = client(AUTH_CRAM_MD5, sp_who("", "tim", "x"));
	assert_int_equal(sasl_client_challenge(&c, SPAN_LIT("<1@x>"), &out),
			 E_PEER_SYNTAX);
	sasl_client_wipe(&c);
}

/* --- both of ours ---------------------------------------------------------------- */
static struct sp p;

static void both_ends(void **state)
{
	bool by_client;

	(void)state;
	for (size_t i = 0; i < EVERY; i++) {
		for (int initial = 0; initial < 2; initial++) {
			sp_init(&p, every[i]);
			p.initial = initial;
			if (sp_run(&p, &by_client) != OK)
				fail_msg("%s", auth_mech_name(every[i], false));
			sp_init(&p, every[i]);
			p.known = sp_who("Domain", "User", "Passwore");
			assert_int_equal(sp_run(&p, &by_client), E_PEER_PROOF);
			/* the right password of somebody who is not there */
			sp_init(&p, every[i]);
			p.decoy = true;
			assert_int_equal(sp_run(&p, &by_client), E_PEER_PROOF);
		}
	}
}

static void who_it_is(void **state)
{
	bool by_client;

	(void)state;
	for (size_t i = 0; i < EVERY; i++) {
		bool domain = every[i] == AUTH_PLAIN ||
			      every[i] == AUTH_LOGIN || every[i] == AUTH_NTLM;

		sp_init(&p, every[i]);
		assert_int_equal(sp_run(&p, &by_client), OK);
		assert_true(span_eq(sasl_server_user(&p.s),
				    domain ? SPAN_LIT("Domain\\User")
					   : SPAN_LIT("User")));
	}
}

/* Our own question comes back to us as a client's: it is known, however it was
 * wrapped, and only as long as it is not answered. */
static void reflected(void **state)
{
	(void)state;
	for (size_t i = 0; i < EVERY; i++) {
		static const enum auth_mech other = AUTH_CRAM_MD5;
		struct sasl_ask ask = { .mech = every[i],
					.random = { 1, 2, 3, 4, 5, 6, 7, 8 } };
		bool words = logon_shows_password(every[i]);
		struct sasl_server s, t;
		struct sasl_client c = client(every[i], sp_who("D", "u", "p"));
		uint8_t first_mem[SASL_TEXT_MAX], raw[SASL_MESSAGE_MAX];
		struct buf first;
		size_t n;

		buf_init(&first, first_mem, sizeof(first_mem));
		assert_int_equal(sasl_server_begin(&s, &ask, SPAN_LIT("mx")),
				 OK);
		assert_int_equal(sasl_client_first(&c, 490, &first) >= 0, 1);
		if (every[i] == AUTH_NTLM)
			assert_int_equal(sasl_server_response(&s,
							      buf_span(&first),
							      true, &out),
					 OK);
		else
			assert_int_equal(sasl_server_first(&s, &out), OK);
		assert_int_equal(sasl_server_asks(&s, buf_span(&out)),
				 !words && buf_span(&out).n > 0);
		ask.mech = other;
		ask.random[0] = 9;
		assert_int_equal(sasl_server_begin(&t, &ask, SPAN_LIT("mx")),
				 OK);
		assert_false(sasl_server_asks(&t, buf_span(&out)));
		if (every[i] != AUTH_NTLM)
			continue;
		/* another name in it: the eight octets are what counts */
		assert_int_equal(
			base64_decode(raw, sizeof(raw), &n, buf_span(&out)),
			OK);
		raw[50] ^= 1;
		buf_cut(&out, 0);
		assert_int_equal(base64_encode(&out, (struct span){ raw, n }),
				 OK);
		assert_true(sasl_server_asks(&s, buf_span(&out)));
		raw[24] ^= 1;
		buf_cut(&out, 0);
		assert_int_equal(base64_encode(&out, (struct span){ raw, n }),
				 OK);
		assert_false(sasl_server_asks(&s, buf_span(&out)));
	}
}

/* A server that is content before it has seen that we know the password does not
 * know it either. */
static void content_too_early(void **state)
{
	struct sasl_outcome o;

	(void)state;
	for (size_t i = 0; i < EVERY; i++) {
		struct sasl_client c = client(every[i], sp_who("D", "u", "p"));

		assert_int_equal(sasl_client_done(&c, &o), E_PEER_PROOF);
		/* sticky */
		assert_int_equal(sasl_client_first(&c, 490, &out),
				 E_PEER_PROOF);
		assert_int_equal(sasl_client_challenge(&c, SPAN_LIT(""), &out),
				 E_PEER_PROOF);
		c = client(every[i], sp_who("D", "u", "p"));
		if (sasl_client_first(&c, 490, &out) == 1 &&
		    every[i] != AUTH_PLAIN)
			assert_int_equal(sasl_client_done(&c, &o),
					 E_PEER_PROOF);
		sasl_client_wipe(&c);
	}
}

/* Rubbish in place of each challenge: an end, no answer. */
static void rubbish(void **state)
{
	static uint8_t long_text[SASL_TEXT_MAX + 4];
	const struct span all[] = { SPAN_LIT("!"),
				    SPAN_LIT("YQ="),
				    SPAN_LIT("YQ==YQ=="),
				    { long_text, sizeof(long_text) } };

	(void)state;
	memset(long_text, 'A', sizeof(long_text));
	for (size_t i = 0; i < EVERY; i++) {
		for (size_t k = 0; k < 4; k++) {
			struct sasl_client c = client(every[i],
						      sp_who("", "u", "p"));
			int r;

			if (every[i] == AUTH_LOGIN)
				continue; /* its prompts are words */
			assert_true(sasl_client_first(&c, 490, &out) >= 0);
			buf_cut(&out, 0);
			if (every[i] == AUTH_NTLM) /* words are taken once */
				assert_int_equal(
					sasl_client_challenge(&c, SPAN_LIT(""),
							      &out),
					OK);
			buf_cut(&out, 0);
			r = sasl_client_challenge(&c, pk_guard(all[k]), &out);
			assert_true(r == E_PEER_SYNTAX || r == E_PEER_LONG ||
				    r == E_PEER_ORDER);
			assert_int_equal(buf_span(&out).n, 0);
			sasl_client_wipe(&c);
		}
	}
}

static void names_that_do_not_fit(void **state)
{
	static const struct {
		const char *domain, *user, *password;
	} all[] = {
		{ "", "", "p" },      { "", "u", "" },	  { "", "u\n", "p" },
		{ "", "u", "p\x01" }, { "\r", "u", "p" }, { "", "u\x7f", "p" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct sasl_secret who = sp_who(all[i].domain, all[i].user,
						all[i].password);
		struct sasl_ask ask = { .mech = AUTH_PLAIN };
		struct sasl_client c;

		assert_int_equal(sasl_client_begin(&c, &ask, &who), E_CONF);
		assert_int_equal(sasl_client_first(&c, 490, &out), E_CONF);
	}
}

/* The longest there can be, in every mechanism: no answer is too long. */
static void longest(void **state)
{
	char name[SASL_NAME_MAX + 1], wide[SASL_NAME_MAX + 1];
	bool by_client;

	(void)state;
	memset(name, 'n', SASL_NAME_MAX);
	name[SASL_NAME_MAX] = '\0';
	for (size_t i = 0; i + 2 < SASL_NAME_MAX; i += 2)
		memcpy(wide + i, "\xc3\xbc", 3);
	for (size_t i = 0; i < EVERY; i++) {
		sp_init(&p, every[i]);
		p.who = p.known = sp_who(name, name, name);
		assert_int_equal(sp_run(&p, &by_client), OK);
		sp_init(&p, every[i]);
		p.who = p.known = sp_who(wide, wide, wide);
		assert_int_equal(sp_run(&p, &by_client), OK);
	}
	/* a comma and an equals sign take three each in SCRAM */
	memset(name, '=', SASL_NAME_MAX);
	sp_init(&p, AUTH_SCRAM_SHA_256);
	p.who = p.known = sp_who("", name, name);
	assert_int_equal(sp_run(&p, &by_client), OK);
}

/* An account that wants its log-ons tied to TLS: the same work for both, and an end
 * as for a wrong password. */
static void bound(void **state)
{
	static const enum auth_mech scram[] = { AUTH_SCRAM_SHA_1,
						AUTH_SCRAM_SHA_256 };
	bool by_client;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		bool plus = i >= 2;

		sp_init(&p, scram[i % 2]);
		p.client_ask.plus = p.server_ask.plus = plus;
		p.client_ask.binding.exporter_there = plus;
		p.server_ask.binding.exporter_there = plus;
		p.own_terms = true;
		p.terms = (struct logon_terms){ .bound = true };
		assert_int_equal(sp_run(&p, &by_client),
				 plus ? OK : E_PEER_PROOF);
		assert_int_equal(p.sent, plus ? 5 : 3);
		assert_int_equal(p.server_got.bound, plus);
		assert_false(sasl_server_misbound(&p.s));
	}
}

/* --- clients that lie ------------------------------------------------------------- */
static int said_to(enum auth_mech m, const char *text, bool initial)
{
	struct sasl_ask ask = { .mech = m };
	static struct sasl_server s;
	int r;

	buf_init(&out, mem, sizeof(mem));
	assert_int_equal(sasl_server_begin(&s, &ask, SPAN_LIT("mx")), OK);
	r = sasl_server_response(&s, span_str(text), initial, &out);
	if (r < 0 && r != E_AGAIN)
		assert_int_equal(sasl_server_response(&s, SPAN_LIT("AHUAcA=="),
						      false, &out),
				 r);
	return r;
}

static void wrong_responses(void **state)
{
	static const struct {
		enum auth_mech m;
		const char *text; /* base64 */
		int want;
	} all[] = {
		{ AUTH_PLAIN, "AHUAcA==", E_AGAIN },	   /* ,u,p */
		{ AUTH_PLAIN, "dQB1AHA=", E_AGAIN },	   /* u,u,p */
		{ AUTH_PLAIN, "YQB1AHA=", E_PEER_PROOF },  /* a,u,p */
		{ AUTH_PLAIN, "AHUAcABx", E_PEER_SYNTAX }, /* ,u,p,q */
		{ AUTH_PLAIN, "AHVw", E_PEER_SYNTAX },
		{ AUTH_PLAIN, "dXA=", E_PEER_SYNTAX },
		{ AUTH_PLAIN, "AABw", E_PEER_SYNTAX },	   /* nobody */
		{ AUTH_PLAIN, "AHUKAHA=", E_PEER_SYNTAX }, /* u LF */
		{ AUTH_PLAIN, "", E_PEER_SYNTAX },
		{ AUTH_PLAIN, "AHUAcA=", E_PEER_SYNTAX },
		{ AUTH_LOGIN, "dQ==", OK },
		{ AUTH_LOGIN, "", E_PEER_SYNTAX },
		{ AUTH_CRAM_MD5, "dQ==", E_PEER_SYNTAX },
		{ AUTH_CRAM_MD5, "IA==", E_PEER_SYNTAX },
		{ AUTH_NTLM, "dQ==", E_PEER_SYNTAX },
		{ AUTH_SCRAM_SHA_1, "dQ==", E_PEER_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int r = said_to(all[i].m, all[i].text, false);

		if (r != all[i].want)
			fail_msg("%zu: %d", i, r);
	}
	/* "=" is an empty initial response, and nothing else */
	assert_int_equal(said_to(AUTH_PLAIN, "=", true), E_PEER_SYNTAX);
	assert_int_equal(said_to(AUTH_PLAIN, "=", false), E_PEER_SYNTAX);
	/* the server speaks first */
	assert_int_equal(said_to(AUTH_CRAM_MD5, "dQ==", true), E_PEER_ORDER);
}

/* Every bit of what a client says counts, in every mechanism. */
static void flip(struct sp *q, unsigned i)
{
	if (i == (unsigned)(q->arg >> 16))
		q->message[i][(q->arg & 0xffff) / 8] ^= (uint8_t)(1 << (q->arg &
									7));
}

static void every_bit_of_a_client(void **state)
{
	/* its message that proves something: password, digest, proof */
	static const struct {
		enum auth_mech m;
		long i;
	} all[] = { { AUTH_PLAIN, 0 },
		    { AUTH_LOGIN, 3 },
		    { AUTH_CRAM_MD5, 1 },
		    { AUTH_SCRAM_SHA_256, 2 } };
	bool by_client;

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		size_t n, user = all[k].m == AUTH_CRAM_MD5 ? 5
				 : all[k].m == AUTH_PLAIN  ? 13
							   : 0;

		sp_init(&p, all[k].m);
		assert_int_equal(sp_run(&p, &by_client), OK);
		n = p.message_n[all[k].i];
		/* of the name only that it is another one could be said */
		for (size_t bit = 8 * user; bit < 8 * n; bit += 3) {
			sp_init(&p, all[k].m);
			p.between = flip;
			p.arg = all[k].i << 16 | (long)bit;
			assert_true(sp_run(&p, &by_client) < 0);
			assert_false(by_client);
		}
	}
}

static void mechanism_names(void **state)
{
	bool plus;

	(void)state;
	for (size_t i = 0; i < EVERY; i++) {
		const char *name = auth_mech_name(every[i], false);

		assert_int_equal(auth_mech_of(span_str(name), &plus), every[i]);
		assert_false(plus);
	}
	assert_int_equal(auth_mech_of(SPAN_LIT("scram-sha-256-plus"), &plus),
			 AUTH_SCRAM_SHA_256);
	assert_true(plus);
	assert_int_equal(auth_mech_of(SPAN_LIT("PLAIN-PLUS"), &plus),
			 AUTH_NONE);
	assert_int_equal(auth_mech_of(SPAN_LIT("SCRAM-SHA-512"), &plus),
			 AUTH_NONE);
	assert_int_equal(auth_mech_of(SPAN_LIT(""), &plus), AUTH_NONE);
	assert_string_equal(auth_mech_word(AUTH_SCRAM_SHA_1), "scram-sha-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(login),
		cmocka_unit_test(cram_md5),
		cmocka_unit_test(both_ends),
		cmocka_unit_test(who_it_is),
		cmocka_unit_test(reflected),
		cmocka_unit_test(content_too_early),
		cmocka_unit_test(rubbish),
		cmocka_unit_test(names_that_do_not_fit),
		cmocka_unit_test(longest),
		cmocka_unit_test(bound),
		cmocka_unit_test(wrong_responses),
		cmocka_unit_test(every_bit_of_a_client),
		cmocka_unit_test(mechanism_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
