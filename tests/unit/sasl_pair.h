/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_SASL_PAIR_H
#define TESTS_UNIT_SASL_PAIR_H

/*
 * Our client and our server, and whoever is between them. Messages are the text
 * of SMTP; a test may change one before it arrives.
 */
#include <stdio.h>
#include "auth/base64.h"
#include "auth/sasl_client.h"
#include "auth/sasl_server.h"
#include "packet.h"

enum { SP_MESSAGES = 8 };

struct sp {
	struct sasl_ask client_ask, server_ask;
	struct sasl_secret who, known; /* what each believes the password is */
	struct logon_terms terms;
	bool own_terms, decoy, initial;
	struct sasl_client c;
	struct sasl_server s;
	struct sasl_outcome client_got, server_got;
	/* decoded messages in the order they were sent, the client's first */
	uint8_t message[SP_MESSAGES][SASL_MESSAGE_MAX];
	size_t message_n[SP_MESSAGES];
	unsigned sent;
	/* called for each before it arrives, with its number */
	void (*between)(struct sp *p, unsigned i);
	long arg;
};

static inline void sp_set(uint8_t *to, uint8_t *n, const char *s)
{
	*n = (uint8_t)strlen(s);
	memcpy(to, s, *n);
}

static inline struct sasl_secret sp_who(const char *domain, const char *user,
					const char *password)
{
	struct sasl_secret w = { 0 };

	sp_set(w.domain, &w.domain_n, domain);
	sp_set(w.user, &w.user_n, user);
	sp_set(w.password, &w.password_n, password);
	return w;
}

static inline void sp_init(struct sp *p, enum auth_mech mech)
{
	memset(p, 0, sizeof(*p));
	p->client_ask.mech = p->server_ask.mech = mech;
	p->client_ask.min_bits = p->server_ask.min_bits = 128;
	p->client_ask.unix_ms = p->server_ask.unix_ms = 1800000000000u;
	memset(p->client_ask.random, 0xc1, SASL_RANDOM);
	memset(p->server_ask.random, 0x5e, SASL_RANDOM);
	p->initial = true;
	p->who = p->known = sp_who("Domain", "User", "Password");
}

/* What is in text, as the one between sees and changes it; back as text. */
static inline void sp_carry(struct sp *p, struct buf *text)
{
	unsigned i = p->sent++;
	struct span in = buf_span(text);

	if (i >= SP_MESSAGES || base64_decode(p->message[i], SASL_MESSAGE_MAX,
					      &p->message_n[i], in) != OK)
		abort();
	if (p->between)
		p->between(p, i);
	buf_cut(text, 0);
	if (base64_encode(text, (struct span){ p->message[i],
					       p->message_n[i] }) != OK)
		abort();
}

/* Everything that the server wishes until it answers. */
static inline int sp_serve(struct sp *p, int r, struct buf *out)
{
	static const uint8_t salt[16] = "a salt for users";

	while (r == E_AGAIN) {
		if (sasl_server_wish(&p->s) == SASL_ACCOUNT)
			r = sasl_server_account(&p->s, &p->known, &p->terms,
						p->decoy, salt, out);
		else
			r = sasl_server_work(&p->s, 1000, out);
	}
	return r;
}

static inline int sp_answer(struct sp *p, int r, struct buf *out)
{
	while (r == E_AGAIN)
		r = sasl_client_work(&p->c, 1000, out);
	return r;
}

/* OK: both are content. Otherwise the first error, negative; *by_client: it was
 * the client's. */
static inline int sp_run(struct sp *p, bool *by_client)
{
	static uint8_t cm[SASL_TEXT_MAX], sm[SASL_TEXT_MAX];
	struct buf c, s;
	int r;

	buf_init(&c, cm, sizeof(cm));
	buf_init(&s, sm, sizeof(sm));
	*by_client = true;
	r = sasl_client_begin(&p->c, &p->client_ask, &p->who);
	if (r != OK)
		return r;
	r = sasl_client_first(&p->c, p->initial ? 490 : 0, &c);
	if (r < 0)
		return r;
	*by_client = false;
	/* as asked from the start, unless the test has said otherwise */
	if (!p->own_terms)
		p->terms = (struct logon_terms){
			.seal = p->server_ask.seal,
			.legacy = p->server_ask.legacy,
			.min_bits = p->server_ask.min_bits
		};
	if (sasl_server_begin(&p->s, &p->server_ask, SPAN_LIT("mx.example")))
		return p->s.error;
	if (r == 1) {
		sp_carry(p, &c);
		r = sasl_server_response(&p->s, pk_guard(buf_span(&c)), true,
					 &s);
	} else {
		r = sasl_server_first(&p->s, &s);
	}
	for (;;) {
		*by_client = false;
		r = sp_serve(p, r, &s);
		if (r != OK)
			break;
		sp_carry(p, &s);
		*by_client = true;
		buf_cut(&c, 0);
		r = sp_answer(p,
			      sasl_client_challenge(&p->c,
						    pk_guard(buf_span(&s)), &c),
			      &c);
		if (r != OK)
			return r;
		sp_carry(p, &c);
		buf_cut(&s, 0);
		r = sasl_server_response(&p->s, pk_guard(buf_span(&c)), false,
					 &s);
	}
	if (r < 0)
		return r;
	*by_client = true;
	sasl_server_outcome(&p->s, &p->server_got);
	return sasl_client_done(&p->c, &p->client_got);
}

#endif
