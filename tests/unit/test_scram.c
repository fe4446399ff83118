/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SCRAM by the examples of RFC 5802 and 7677, our client against our server,
 * and servers and clients that lie.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "auth/base64.h"
#include "auth/scram.h"
#include "packet.h"

#define PENCIL SPAN_LIT("pencil")

static struct sasl_ask ask_for(enum auth_mech m)
{
	struct sasl_ask a = { .mech = m };

	memset(a.random, 0x5a, sizeof(a.random));
	return a;
}

/* A client whose first message is the one of an example. */
static void client_at(struct scram *s, const struct sasl_ask *ask,
		      const char *nonce)
{
	char bare[128];
	uint8_t mem[256];
	struct buf b;

	scram_init(s, ask);
	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(scram_client_first(s, ask, SPAN_LIT("user"), &b), OK);
	snprintf(bare, sizeof(bare), "n=user,r=%s", nonce);
	s->nonce_n = strlen(nonce);
	memcpy(s->nonce, nonce, s->nonce_n);
	s->bare_n = strlen(bare);
	memcpy(s->bare, bare, s->bare_n);
}

static int work(struct scram *s, const struct sasl_ask *ask, struct buf *b)
{
	int r;

	do
		r = scram_client_work(s, ask, PENCIL, 1000, b);
	while (r == E_AGAIN);
	return r;
}

static const struct example {
	enum auth_mech mech;
	const char *nonce, *first, *final, *verdict;
} rfc5802 = {
	AUTH_SCRAM_SHA_1,
	"fyko+d2lbbFgONRv9qkxdawL",
	"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	"s=QSXCR+Q6sek8bf92,i=4096",
	"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
}, rfc7677 = {
	AUTH_SCRAM_SHA_256,
	"rOprNGfwEbeRWgbNEkqO",
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

/* RFC 5802 5, RFC 7677 3 */
static void examples(void **state)
{
	const struct example *all[] = { &rfc5802, &rfc7677 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct sasl_ask ask = ask_for(all[i]->mech);
		uint8_t mem[512];
		struct scram s;
		struct buf b;

		client_at(&s, &ask, all[i]->nonce);
		buf_init(&b, mem, sizeof(mem));
		assert_int_equal(scram_client_challenge(
					 &s, PENCIL, span_str(all[i]->first)),
				 E_AGAIN);
		assert_int_equal(work(&s, &ask, &b), OK);
		assert_true(span_eq(buf_span(&b), span_str(all[i]->final)));
		assert_int_equal(
			scram_client_final(&s, span_str(all[i]->verdict)), OK);
		assert_int_equal(s.state, SCRAM_PROVEN);
	}
}

/* Before it has proved that it knows the password a server gets nowhere. */
static void servers_that_lie_at_the_end(void **state)
{
	static const char *const bad[] = {
		"v=rmF9pqV8S7suAoZWja4dJRkFsKR=", /* not canonical */
		"v=rmF9pqV8S7suAoZWja4dJRkFsKU=",
		"v=",
		"v=AAAA",
		"",
		"e=invalid-proof",
		"V=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ",
		" ",
	};
	const struct sasl_ask ask = ask_for(rfc5802.mech);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t mem[512];
		struct scram s;
		struct buf b;

		client_at(&s, &ask, rfc5802.nonce);
		buf_init(&b, mem, sizeof(mem));
		assert_int_equal(scram_client_challenge(
					 &s, PENCIL, span_str(rfc5802.first)),
				 E_AGAIN);
		assert_int_equal(work(&s, &ask, &b), OK);
		assert_int_equal(
			scram_client_final(&s, pk_guard(span_str(bad[i]))),
			E_PEER_PROOF);
		assert_int_equal(s.state, SCRAM_FAILED);
		assert_int_equal(
			scram_client_final(&s, span_str(rfc5802.verdict)),
			E_PEER_ORDER);
	}
}

#define NONCE "fyko+d2lbbFgONRv9qkxdawL"

static void first_messages(void **state)
{
	static const struct {
		const char *text;
		int want;
	} all[] = {
		{ "r=" NONCE "x,s=QSXC,i=4096", E_AGAIN },
		{ "r=" NONCE "x,s=QSXC,i=4096,x=new", E_AGAIN },
		{ "r=" NONCE "x,s=QSXC,i=100000", E_AGAIN },
		/* nothing of its own; not ours; ours in the middle */
		{ "r=" NONCE ",s=QSXC,i=4096", E_PEER_SYNTAX },
		{ "r=fyko+d2lbbFgONRv9qkxdawl3,s=QSXC,i=4096", E_PEER_SYNTAX },
		{ "r=x" NONCE ",s=QSXC,i=4096", E_PEER_SYNTAX },
		{ "r=" NONCE "\x7f,s=QSXC,i=4096", E_PEER_SYNTAX },
		{ "r=" NONCE " ,s=QSXC,i=4096", E_PEER_SYNTAX },
		/* rounds */
		{ "r=" NONCE "x,s=QSXC,i=4095", E_PEER_WEAK },
		{ "r=" NONCE "x,s=QSXC,i=1", E_PEER_WEAK },
		{ "r=" NONCE "x,s=QSXC,i=100001", E_PEER_WEAK },
		{ "r=" NONCE "x,s=QSXC,i=999999999", E_PEER_WEAK },
		{ "r=" NONCE "x,s=QSXC,i=4000000000", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=QSXC,i=0", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=QSXC,i=04096", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=QSXC,i=-4096", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=QSXC,i=4096x", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=QSXC,i=", E_PEER_SYNTAX },
		/* the salt */
		{ "r=" NONCE "x,s=,i=4096", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=Q,i=4096", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=QSX=,i=4096", E_PEER_SYNTAX },
		/* the form */
		{ "m=x,r=" NONCE "x,s=QSXC,i=4096", E_PEER_SYNTAX },
		{ "s=QSXC,r=" NONCE "x,i=4096", E_PEER_SYNTAX },
		{ "r=" NONCE "x,i=4096,s=QSXC", E_PEER_SYNTAX },
		{ "r=" NONCE "x,s=QSXC", E_PEER_SYNTAX },
		{ "r=" NONCE "x", E_PEER_SYNTAX },
		{ "e=other-error", E_PEER_SYNTAX },
		{ "", E_PEER_SYNTAX },
	};
	const struct sasl_ask ask = ask_for(AUTH_SCRAM_SHA_1);

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct scram s;
		int r;

		client_at(&s, &ask, NONCE);
		r = scram_client_challenge(&s, PENCIL,
					   pk_guard(span_str(all[i].text)));
		if (r != all[i].want)
			fail_msg("%s: %d", all[i].text, r);
	}
}

static void too_long(void **state)
{
	const struct sasl_ask ask = ask_for(AUTH_SCRAM_SHA_256);
	static uint8_t big[SCRAM_FIRST_MAX + 1];
	struct scram s;

	(void)state;
	client_at(&s, &ask, NONCE);
	assert_int_equal(scram_client_challenge(
				 &s, PENCIL, (struct span){ big, sizeof(big) }),
			 E_PEER_LONG);
}

/* --- both of ours ----------------------------------------------------------------- */
struct pair {
	struct sasl_ask client, server;
	struct scram c, s;
	uint8_t mem[4][1024], user[SASL_USER_MAX];
	struct buf m[4];
	size_t user_n;
};

static void pair_init(struct pair *p, enum auth_mech m, bool client_binds,
		      bool server_binds, bool plus)
{
	memset(p, 0, sizeof(*p));
	p->client = p->server = ask_for(m);
	p->server.random[0] = 1;
	p->client.plus = p->server.plus = plus;
	p->client.binding.exporter_there = client_binds;
	p->server.binding.exporter_there = server_binds;
	memset(p->client.binding.exporter, 7, 32);
	memset(p->server.binding.exporter, 7, 32);
	scram_init(&p->c, &p->client);
	scram_init(&p->s, &p->server);
	for (size_t i = 0; i < 4; i++)
		buf_init(&p->m[i], p->mem[i], sizeof(p->mem[i]));
}

/* The first error of three messages, or OK: the fourth is the server's proof. */
static int up_to_proof(struct pair *p, const char *user, struct span password)
{
	static const uint8_t salt[16] = "sixteen octets.";
	int r = scram_client_first(&p->c, &p->client, span_str(user), &p->m[0]);

	if (r == OK)
		r = scram_server_first(&p->s, &p->server,
				       pk_guard(buf_span(&p->m[0])), p->user,
				       sizeof(p->user), &p->user_n);
	if (r == OK)
		r = scram_server_salt(&p->s, PENCIL, salt);
	while (r == E_AGAIN)
		r = scram_server_work(&p->s, PENCIL, 1500, salt, &p->m[1]);
	if (r == OK)
		r = scram_client_challenge(&p->c, password,
					   pk_guard(buf_span(&p->m[1])));
	while (r == E_AGAIN)
		r = scram_client_work(&p->c, &p->client, password, 999,
				      &p->m[2]);
	return r;
}

static int exchange(struct pair *p, const char *user, struct span password)
{
	int r = up_to_proof(p, user, password);

	if (r == OK)
		r = scram_server_final(&p->s, &p->server,
				       pk_guard(buf_span(&p->m[2])), &p->m[3]);
	if (r == OK)
		r = scram_client_final(&p->c, pk_guard(buf_span(&p->m[3])));
	return r;
}

static void both_ends(void **state)
{
	static const char *const users[] = { "user", "a,b=c", "=2C", "d\\u" };
	struct pair p;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		pair_init(&p, i % 2 ? AUTH_SCRAM_SHA_1 : AUTH_SCRAM_SHA_256,
			  false, false, false);
		assert_int_equal(exchange(&p, users[i], PENCIL), OK);
		assert_true(span_eq((struct span){ p.user, p.user_n },
				    span_str(users[i])));
		assert_int_equal(p.s.state, SCRAM_PROVEN);
	}
	pair_init(&p, AUTH_SCRAM_SHA_256, false, false, false);
	assert_int_equal(exchange(&p, "user", SPAN_LIT("pencils")),
			 E_PEER_PROOF);
}

/* Channel binding: who could, who offers it, what comes of it. */
static void bindings(void **state)
{
	static const struct {
		bool client, server, plus;
		const char *head;
		int want;
	} all[] = {
		{ true, true, true, "p=tls-exporter,,", OK },
		{ false, false, false, "n,,", OK },
		{ true, false, false, "y,,", OK },
		{ false, true, false, "n,,", OK },
		/* it was offered, and did not arrive: somebody took it off */
		{ true, true, false, "y,,", E_PEER_PROOF },
	};
	struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		pair_init(&p, AUTH_SCRAM_SHA_256, all[i].client, all[i].server,
			  all[i].plus);
		assert_int_equal(exchange(&p, "user", PENCIL), all[i].want);
		assert_memory_equal(p.mem[0], all[i].head, strlen(all[i].head));
	}
	/* two connections with somebody between them */
	pair_init(&p, AUTH_SCRAM_SHA_256, true, true, true);
	p.client.binding.exporter[31] ^= 1;
	assert_int_equal(exchange(&p, "user", PENCIL), E_PEER_PROOF);
}

/* The whole exchange of a client that says whom it acts for; gs2: how it begins. */
static int acting(const char *gs2, const char *user)
{
	static const uint8_t salt[16] = "sixteen octets.";
	char mem[1024];
	struct pair p;
	int r;

	pair_init(&p, AUTH_SCRAM_SHA_256, gs2[0] == 'p', gs2[0] == 'p',
		  gs2[0] == 'p');
	assert_int_equal(
		scram_client_first(&p.c, &p.client, span_str(user), &p.m[0]),
		OK);
	snprintf(p.c.gs2, sizeof(p.c.gs2), "%s", gs2);
	snprintf(mem, sizeof(mem), "%s%.*s", gs2, (int)p.c.bare_n,
		 (const char *)p.c.bare);
	r = scram_server_first(&p.s, &p.server, pk_guard(span_str(mem)), p.user,
			       sizeof(p.user), &p.user_n);
	if (r != OK)
		return r;
	r = scram_server_salt(&p.s, PENCIL, salt);
	while (r == E_AGAIN)
		r = scram_server_work(&p.s, PENCIL, 5000, salt, &p.m[1]);
	assert_int_equal(r, OK);
	r = scram_client_challenge(&p.c, PENCIL, buf_span(&p.m[1]));
	while (r == E_AGAIN)
		r = scram_client_work(&p.c, &p.client, PENCIL, 5000, &p.m[2]);
	assert_int_equal(r, OK);
	return scram_server_final(&p.s, &p.server, pk_guard(buf_span(&p.m[2])),
				  &p.m[3]);
}

/* RFC 5802 5.1: for itself, or for nobody that is let in. */
static void for_whom(void **state)
{
	char gs2[SCRAM_GS2_MAX + 32] = "n,a=", user[SCRAM_GS2_MAX + 32] = "";

	(void)state;
	assert_int_equal(acting("n,a=user,", "user"), OK);
	assert_int_equal(acting("p=tls-exporter,a=user,", "user"), OK);
	assert_int_equal(acting("n,a=a=2Cb=3Dc,", "a,b=c"), OK);
	assert_int_equal(acting("n,a=admin,", "user"), E_PEER_PROOF);
	assert_int_equal(acting("n,a=User,", "user"), E_PEER_PROOF);
	assert_int_equal(acting("n,a=use,", "user"), E_PEER_PROOF);
	assert_int_equal(acting("n,a=user2,", "user"), E_PEER_PROOF);
	assert_int_equal(acting("n,a=a,b=c,", "a,b=c"), E_PEER_SYNTAX);
	assert_int_equal(acting("n,a=,", "user"), E_PEER_SYNTAX);
	assert_int_equal(acting("n,a,", "user"), E_PEER_SYNTAX);
	assert_int_equal(acting("n,b=user,", "user"), E_PEER_SYNTAX);
	/* as long as can be kept, and one more */
	memset(user, 'u', SCRAM_GS2_MAX - 5);
	memset(gs2 + 4, 'u', SCRAM_GS2_MAX - 5);
	gs2[SCRAM_GS2_MAX - 1] = ',';
	assert_int_equal(acting(gs2, user), OK);
	user[SCRAM_GS2_MAX - 5] = gs2[SCRAM_GS2_MAX - 1] = 'u';
	gs2[SCRAM_GS2_MAX] = ',';
	assert_int_equal(acting(gs2, user), E_PEER_LONG);
}

/* Every octet of the client's messages but the name counts. */
static void clients_that_lie(void **state)
{
	static const char *const firsts[] = {
		"",
		"n",
		"n,,",
		"n,,n=user",
		"n,,n=user,r=",
		"n,a=admin,n=user,r=abc",
		"n,a=user",
		"n,a=user,",
		"n,a",
		"p=tls-unique,,n=user,r=abc",
		"p=tls-exporter,,n=user,r=abc",
		"n,,r=abc,n=user",
		"n,,n=,r=abc",
		"n,,n=a=b,r=abc",
		"n,,n=a=2,r=abc",
		"n,,n=a=2D,r=abc",
		"n,,m=x,n=user,r=abc",
		"x,,n=user,r=abc",
	};
	struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		pair_init(&p, AUTH_SCRAM_SHA_256, false, false, false);
		assert_int_not_equal(
			scram_server_first(&p.s, &p.server,
					   pk_guard(span_str(firsts[i])),
					   p.user, sizeof(p.user), &p.user_n),
			OK);
		assert_int_equal(p.s.state, SCRAM_FAILED);
	}
	pair_init(&p, AUTH_SCRAM_SHA_256, false, false, false);
	assert_int_equal(up_to_proof(&p, "user", PENCIL), OK);
	for (size_t i = 0; i < buf_span(&p.m[2]).n; i++) {
		struct scram s = p.s;

		p.mem[2][i] ^= 0x02;
		assert_int_not_equal(scram_server_final(&s, &p.server,
							buf_span(&p.m[2]),
							&p.m[3]),
				     OK);
		assert_int_equal(s.state, SCRAM_FAILED);
		assert_int_equal(buf_span(&p.m[3]).n, 0);
		p.mem[2][i] ^= 0x02;
	}
}

static void out_of_order(void **state)
{
	const struct sasl_ask ask = ask_for(AUTH_SCRAM_SHA_256);
	uint8_t mem[512];
	struct scram s;
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	scram_init(&s, &ask);
	assert_int_equal(scram_client_challenge(&s, PENCIL, SPAN_LIT("r=a")),
			 E_PEER_ORDER);
	scram_init(&s, &ask);
	assert_int_equal(scram_client_work(&s, &ask, PENCIL, 1, &b),
			 E_PEER_ORDER);
	scram_init(&s, &ask);
	assert_int_equal(scram_client_final(&s, SPAN_LIT("v=AAAA")),
			 E_PEER_ORDER);
	scram_init(&s, &ask);
	assert_int_equal(scram_server_final(&s, &ask, SPAN_LIT("c=biws"), &b),
			 E_PEER_ORDER);
	scram_init(&s, &ask);
	assert_int_equal(scram_client_first(&s, &ask, SPAN_LIT("u"), &b), OK);
	assert_int_equal(scram_client_first(&s, &ask, SPAN_LIT("u"), &b),
			 E_PEER_ORDER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(servers_that_lie_at_the_end),
		cmocka_unit_test(first_messages),
		cmocka_unit_test(too_long),
		cmocka_unit_test(both_ends),
		cmocka_unit_test(bindings),
		cmocka_unit_test(for_whom),
		cmocka_unit_test(clients_that_lie),
		cmocka_unit_test(out_of_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
