/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sasl_client - see sasl_client.h. Below: messages of octets, by mechanism; at
 * the end the doors, which put base64 around them.
 */
#include "auth/base64.h"
#include "auth/digest.h"
#include "auth/sasl_client.h"
#include "base/text.h"
#include "base/wipe.h"

static struct span user_of(const struct sasl_client *c)
{
	return (struct span){ c->who.user, c->who.user_n };
}

static struct span password_of(const struct sasl_client *c)
{
	return (struct span){ c->who.password, c->who.password_n };
}

static bool is_scram(const struct sasl_client *c)
{
	return c->ask.mech == AUTH_SCRAM_SHA_1 ||
	       c->ask.mech == AUTH_SCRAM_SHA_256;
}

/* "user", or as a Windows server wants it where there is a domain. */
static int put_user(const struct sasl_client *c, struct buf *out)
{
	int r = OK;

	if (c->who.domain_n > 0) {
		r = buf_put(out,
			    (struct span){ c->who.domain, c->who.domain_n });
		if (r == OK)
			r = buf_put(out, SPAN_LIT("\\"));
	}
	return r == OK ? buf_put(out, user_of(c)) : r;
}

/* RFC 4616 2: nobody else to act for, the user, the password. */
static int plain(struct sasl_client *c, struct buf *out)
{
	const struct span nul = { (const uint8_t *)"", 1 };
	int r = buf_put(out, nul);

	if (r == OK)
		r = put_user(c, out);
	if (r == OK)
		r = buf_put(out, nul);
	return r == OK ? buf_put(out, password_of(c)) : r;
}

/* The user, then the password, whatever the prompts say. */
static int login(struct sasl_client *c, struct buf *out)
{
	switch (c->step) {
	case 0: return put_user(c, out);
	case 1: return buf_put(out, password_of(c));
	}
	return E_PEER_ORDER;
}

/* RFC 2195 2. */
static int cram(struct sasl_client *c, struct span in, struct buf *out)
{
	uint8_t mac[16];
	char hex[2 * sizeof(mac) + 1];
	struct text t;
	int r;

	if (c->step != 0)
		return E_PEER_ORDER;
	if (in.n == 0)
		return E_PEER_SYNTAX; /* nothing to answer: the same for ever */
	r = digest_hmac(DIGEST_MD5, password_of(c), &in, 1, mac);
	text_init(&t, hex, sizeof(hex));
	text_hex(&t, (struct span){ mac, sizeof(mac) });
	if (r == OK)
		r = buf_put(out, user_of(c));
	if (r == OK)
		r = buf_put(out, SPAN_LIT(" "));
	return r == OK ? buf_put(out, text_done(&t)) : r;
}

static int first(struct sasl_client *c, struct buf *out)
{
	c->first_sent = true;
	if (c->ask.mech == AUTH_PLAIN)
		return plain(c, out);
	if (c->ask.mech == AUTH_NTLM)
		return ntlm_client_first(&c->u.ntlm, &c->ask, out);
	return scram_client_first(&c->u.scram, &c->ask, user_of(c), out);
}

static bool speaks_first(const struct sasl_client *c)
{
	return c->ask.mech == AUTH_PLAIN || c->ask.mech == AUTH_NTLM ||
	       is_scram(c);
}

/* A challenge, decoded. */
static int challenge(struct sasl_client *c, struct span in, struct buf *out)
{
	switch (c->ask.mech) {
	case AUTH_LOGIN: return login(c, out);
	case AUTH_CRAM_MD5: return cram(c, in, out);
	case AUTH_SCRAM_SHA_1:
	case AUTH_SCRAM_SHA_256:
		if (c->u.scram.state == SCRAM_FINAL)
			return scram_client_final(&c->u.scram, in);
		return scram_client_challenge(&c->u.scram, password_of(c), in);
	case AUTH_NTLM:
		return ntlm_client_challenge(&c->u.ntlm, &c->ask, &c->who, in,
					     out);
	case AUTH_PLAIN:
	case AUTH_NONE:
	case AUTH_MECHS: break;
	}
	return E_PEER_ORDER;
}

/* --- doors ------------------------------------------------------------------------ */

/* An octet that would end a field of PLAIN, or a line. */
static bool has_control(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return true;
	return n == 0;
}

int sasl_client_begin(struct sasl_client *c, const struct sasl_ask *ask,
		      const struct sasl_secret *who)
{
	memset(c, 0, sizeof(*c));
	c->ask = *ask;
	c->who = *who;
	if (is_scram(c))
		scram_init(&c->u.scram, ask);
	if (ask->mech == AUTH_NONE || ask->mech >= AUTH_MECHS ||
	    has_control(who->user, who->user_n) ||
	    has_control(who->password, who->password_n) ||
	    (who->domain_n > 0 && has_control(who->domain, who->domain_n)))
		c->error = E_CONF;
	return c->error;
}

/* message as text, which may be empty. */
static int encode(struct sasl_client *c, int r, struct buf *message,
		  struct buf *out)
{
	if (r == OK)
		r = base64_encode(out, buf_span(message));
	wipe(message->p, message->size);
	if (r == OK)
		c->step++;
	else if (r != E_AGAIN)
		c->error = r;
	return r;
}

int sasl_client_first(struct sasl_client *c, size_t max, struct buf *out)
{
	uint8_t mem[SASL_MESSAGE_MAX];
	struct sasl_client before;
	struct buf message;
	int r;

	if (c->error != OK || !speaks_first(c))
		return c->error;
	before = *c;
	buf_init(&message, mem, sizeof(mem));
	r = encode(c, first(c, &message), &message, out);
	if (r == OK && buf_span(out).n > max) {
		/* As if it had not been said. */
		wipe(out->p, out->size);
		buf_cut(out, 0);
		*c = before;
		r = 0;
	} else if (r == OK) {
		c->again = c->ask.mech == AUTH_NTLM;
		r = 1;
	}
	wipe(&before, sizeof(before));
	return r;
}

/* Is it NTLM's challenge, not words in its place? "NTLM" is good base64. */
static bool is_ntlm(int decoded, const uint8_t *in, size_t n)
{
	return decoded == OK && n >= 8 && memcmp(in, "NTLMSSP", 8) == 0;
}

int sasl_client_challenge(struct sasl_client *c, struct span text,
			  struct buf *out)
{
	uint8_t in[SASL_MESSAGE_MAX], mem[SASL_MESSAGE_MAX];
	bool prose = c->ask.mech == AUTH_NTLM || c->ask.mech == AUTH_LOGIN;
	struct buf message;
	size_t n = 0;
	int r;

	if (c->error != OK)
		return c->error;
	buf_init(&message, mem, sizeof(mem));
	r = base64_decode(in, sizeof(in), &n, text);
	/* A server that did not take the initial response answers it with words
	 * (MS-SMTPNTLM 2.2.1.2) and waits for it. */
	if (c->again && !is_ntlm(r, in, n)) {
		c->first_sent = false;
		memset(&c->u, 0, sizeof(c->u));
	}
	c->again = false;
	if (speaks_first(c) && !c->first_sent)
		r = n == 0 || prose ? first(c, &message) : E_PEER_SYNTAX;
	else if (r == OK || c->ask.mech == AUTH_LOGIN)
		r = challenge(c, (struct span){ in, n }, &message);
	else
		r = r == E_FULL ? E_PEER_LONG : r;
	return encode(c, r, &message, out);
}

int sasl_client_work(struct sasl_client *c, uint32_t rounds, struct buf *out)
{
	uint8_t mem[SASL_MESSAGE_MAX];
	struct buf message;
	int r = E_PEER_ORDER;

	if (c->error != OK)
		return c->error;
	buf_init(&message, mem, sizeof(mem));
	if (is_scram(c))
		r = scram_client_work(&c->u.scram, &c->ask, password_of(c),
				      rounds, &message);
	return encode(c, r, &message, out);
}

int sasl_client_done(struct sasl_client *c, struct sasl_outcome *o)
{
	bool all = false;

	*o = (struct sasl_outcome){ 0 };
	if (c->error != OK)
		return c->error;
	switch (c->ask.mech) {
	case AUTH_PLAIN:
	case AUTH_CRAM_MD5: all = c->step == 1; break;
	case AUTH_LOGIN: all = c->step == 2; break;
	case AUTH_SCRAM_SHA_1:
	case AUTH_SCRAM_SHA_256: all = c->u.scram.state == SCRAM_PROVEN; break;
	case AUTH_NTLM:
		all = c->u.ntlm.state == NTLM_DONE;
		if (all)
			*o = c->u.ntlm.outcome;
		break;
	case AUTH_NONE:
	case AUTH_MECHS: break;
	}
	/* Content without having seen what we know: it is not the server that
	 * the account is for. */
	if (!all)
		c->error = E_PEER_PROOF;
	return c->error;
}

void sasl_client_wipe(struct sasl_client *c)
{
	wipe(c, sizeof(*c));
}
