/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ntlm_client - see ntlm.h.
 *
 *	T2 -> agree on flags -> responses -> session base key
 *	   -> key exchange key -> exported key -> T3, MIC
 */
#include "auth/digest.h"
#include "auth/ntlm.h"
#include "auth/ntlm_crypto.h"
#include "auth/utf16.h"
#include "base/bytes.h"
#include "base/wipe.h"

/* Where the random octets of an exchange go. */
enum { R_CHALLENGE = 0, R_KEY = 8 };

enum {
	T1_MAX = 40,
	V2_FIXED = 28, /* of what the client adds, up to the attributes */
	NT_MAX = 1536, /* a response; T3 has to fit into SASL_MESSAGE_MAX */
};

/* What is being put into T3. */
struct answer {
	uint32_t flags;
	uint8_t lm[NTLM_V1], nt[NT_MAX], key[SASL_KEY];
	size_t lm_n, nt_n, key_n;
	uint8_t base[SASL_KEY], exchange[SASL_KEY];
	uint8_t domain[2 * SASL_NAME_MAX], user[2 * SASL_NAME_MAX];
	size_t domain_n, user_n;
};

static uint32_t offer(const struct sasl_ask *ask)
{
	uint32_t f = NTLM_UNICODE | NTLM_REQUEST_TARGET | NTLM_NTLM |
		     NTLM_ALWAYS_SIGN | NTLM_ESS | NTLM_TARGET_INFO | NTLM_128 |
		     NTLM_KEY_EXCH;

	if (ask->seal)
		f |= NTLM_SIGN | NTLM_SEAL;
	if (ask->min_bits <= 56)
		f |= NTLM_56;
	if (ask->legacy)
		f |= NTLM_OEM | NTLM_LM_KEY;
	return f;
}

int ntlm_client_first(struct ntlm_client *c, const struct sasl_ask *ask,
		      struct buf *out)
{
	const struct ntlm_t1 t1 = { .flags = offer(ask) };

	c->state = NTLM_SENT;
	return ntlm_t1_build(out, &t1);
}

/* What both know; E_PEER_WEAK if that is less than was asked for. */
static int agree(const struct sasl_ask *ask, const struct ntlm_t2 *t2,
		 uint32_t *flags)
{
	const uint32_t modern = NTLM_UNICODE | NTLM_NTLM | NTLM_ESS |
				NTLM_TARGET_INFO |
				(ask->seal ? NTLM_KEY_EXCH : 0u);
	uint32_t f = t2->flags & offer(ask);

	/* The server may say both; extended session security then wins. */
	if (f & NTLM_ESS)
		f &= ~(uint32_t)NTLM_LM_KEY;
	if (f & NTLM_UNICODE)
		f &= ~(uint32_t)NTLM_OEM;
	*flags = f;
	if (!ask->legacy && ((f & modern) != modern || t2->info.n == 0))
		return E_PEER_WEAK;
	if ((f & (NTLM_UNICODE | NTLM_OEM)) == 0 || (f & NTLM_NTLM) == 0)
		return E_PEER_WEAK;
	if (!ask->seal)
		return OK;
	if ((f & NTLM_SIGN) == 0 || (f & NTLM_SEAL) == 0 ||
	    ntlm_bits(f) < ask->min_bits)
		return E_PEER_WEAK;
	return OK;
}

/* The server's attributes with ours: flags, and the binding. */
static int attributes(const struct sasl_ask *ask, struct span theirs,
		      struct buf *out)
{
	uint8_t flags[4] = { 0 }, binding[16] = { 0 };
	enum ntlm_av id;
	struct span v;
	int r = OK;

	while (r == OK && ntlm_av_next(&theirs, &id, &v) == 1) {
		if (id == NTLM_AV_FLAGS && v.n == 4)
			memcpy(flags, v.p, 4);
		else if (id != NTLM_AV_FLAGS && id != NTLM_AV_BINDING)
			r = ntlm_av_put(out, id, v);
	}
	put_le32(flags, get_le32(flags) | NTLM_AV_FLAG_MIC);
	if (r == OK && ask->binding.endpoint_n > 0)
		r = ntlm_binding((struct span){ ask->binding.endpoint,
						ask->binding.endpoint_n },
				 binding);
	if (r == OK)
		r = ntlm_av_put(out, NTLM_AV_FLAGS, (struct span){ flags, 4 });
	if (r == OK)
		r = ntlm_av_put(out, NTLM_AV_BINDING,
				(struct span){ binding, 16 });
	return r == OK ? ntlm_av_put(out, NTLM_AV_EOL, (struct span){ NULL, 0 })
		       : r;
}

/* 100 ns since 1601. */
static uint64_t filetime(uint64_t unix_ms)
{
	return (unix_ms + 11644473600000u) * 10000;
}

/* MS-NLMP 3.3.2. Behind the proof, what the client adds ("temp"). */
static int answer_v2(struct answer *a, const struct sasl_ask *ask,
		     const struct sasl_secret *who, const struct ntlm_t2 *t2,
		     const uint8_t nt[NTLM_HASH])
{
	const struct span user = { who->user, who->user_n };
	const struct span domain = { who->domain, who->domain_n };
	const struct span ours = { ask->random + R_CHALLENGE, 8 };
	uint8_t hash[NTLM_HASH], *temp = a->nt + 16;
	struct span time;
	struct buf b;
	int r;

	memset(temp, 0, V2_FIXED);
	temp[0] = temp[1] = 1;
	put_le64(temp + 8, filetime(ask->unix_ms));
	if (ntlm_av_find(t2->info, NTLM_AV_TIME, &time) && time.n == 8)
		memcpy(temp + 8, time.p, 8);
	else
		time.n = 0;
	memcpy(temp + 16, ours.p, 8);
	buf_init(&b, temp + V2_FIXED, NT_MAX - 16 - V2_FIXED - 4);
	r = attributes(ask, t2->info, &b);
	a->nt_n = 16 + V2_FIXED + buf_span(&b).n + 4;
	memset(a->nt + a->nt_n - 4, 0, 4);
	if (r == OK)
		r = ntlm_v2_hash(nt, user, domain, hash);
	if (r == OK)
		r = ntlm_v2_proof(hash, t2->challenge,
				  (struct span){ temp, a->nt_n - 16 }, a->nt);
	if (r == OK)
		r = ntlm_v2_key(hash, a->nt, a->base);
	memcpy(a->exchange, a->base, SASL_KEY);
	/* A server that says the time wants no LM response (3.1.5.1.2). */
	a->lm_n = NTLM_V1;
	memset(a->lm, 0, NTLM_V1);
	if (r == OK && time.n == 0) {
		r = ntlm_v2_proof(hash, t2->challenge, ours, a->lm);
		memcpy(a->lm + 16, ours.p, 8);
	}
	wipe(hash, sizeof(hash));
	return r;
}

/* The LM response is sent only where the key is made of it. */
static int answer_lm(struct answer *a, const struct sasl_secret *who,
		     const struct ntlm_t2 *t2, uint8_t lm[NTLM_HASH])
{
	struct span password = { who->password, who->password_n };
	int r;

	if ((a->flags & NTLM_LM_KEY) == 0) {
		memcpy(a->lm, a->nt, NTLM_V1);
		return OK;
	}
	r = ntlm_lm_hash(password, lm);
	return r == OK ? ntlm_v1_response(lm, t2->challenge, a->lm) : r;
}

/* MS-NLMP 3.3.1. */
static int answer_v1(struct answer *a, const struct sasl_ask *ask,
		     const struct sasl_secret *who, const struct ntlm_t2 *t2,
		     const uint8_t nt[NTLM_HASH])
{
	uint8_t lm[NTLM_HASH] = { 0 }, both[8];
	int r;

	a->lm_n = a->nt_n = NTLM_V1;
	if (a->flags & NTLM_ESS) {
		memset(a->lm, 0, NTLM_V1);
		memcpy(a->lm, ask->random + R_CHALLENGE, 8);
		r = ntlm_v1_ess(t2->challenge, a->lm, both);
		if (r == OK)
			r = ntlm_v1_response(nt, both, a->nt);
	} else {
		r = ntlm_v1_response(nt, t2->challenge, a->nt);
		if (r == OK)
			r = answer_lm(a, who, t2, lm);
	}
	if (r == OK)
		r = ntlm_v1_key(nt, a->base);
	if (r == OK)
		r = ntlm_v1_exchange_key(a->flags, a->base, lm, a->lm,
					 t2->challenge, a->exchange);
	wipe(lm, sizeof(lm));
	return r;
}

/* Names as the server wants them. OEM: ASCII alone is the same everywhere. */
static int name(uint8_t *out, size_t *n, struct span s, uint32_t flags)
{
	if (flags & NTLM_UNICODE)
		return utf16_from(out, 2 * SASL_NAME_MAX, n, s, false);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80)
			return E_CONF;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	*n = s.n;
	return OK;
}

/* The key that the session will have, and how the server gets to know it. */
static void export_key(struct answer *a, const struct sasl_ask *ask,
		       uint8_t key[SASL_KEY])
{
	struct rc4 rc4;

	if ((a->flags & NTLM_KEY_EXCH) == 0) {
		memcpy(key, a->exchange, SASL_KEY);
		return;
	}
	memcpy(key, ask->random + R_KEY, SASL_KEY);
	memcpy(a->key, key, SASL_KEY);
	a->key_n = SASL_KEY;
	rc4_init(&rc4, (struct span){ a->exchange, SASL_KEY });
	rc4_crypt(&rc4, a->key, SASL_KEY);
	wipe(&rc4, sizeof(rc4));
}

static int write_t3(const struct answer *a, const struct sasl_ask *ask, bool v2,
		    struct span t2, const uint8_t key[SASL_KEY],
		    struct buf *out)
{
	const struct ntlm_t1 m1 = { .flags = offer(ask) };
	const struct ntlm_t3 m3 = { .flags = a->flags,
				    .lm = { a->lm, a->lm_n },
				    .nt = { a->nt, a->nt_n },
				    .domain = { a->domain, a->domain_n },
				    .user = { a->user, a->user_n },
				    .key = { a->key, a->key_n },
				    .mic = v2 };
	uint8_t t1[T1_MAX], mic[NTLM_MIC];
	struct span t3;
	struct buf b;
	int r = ntlm_t3_build(out, &m3);

	if (r != OK || !v2)
		return r;
	t3 = buf_span(out);
	buf_init(&b, t1, sizeof(t1));
	r = ntlm_t1_build(&b, &m1);
	if (r == OK)
		r = ntlm_mic(key, buf_span(&b), t2, t3, mic);
	if (r == OK)
		memcpy(out->p + out->head + NTLM_MIC_AT, mic, NTLM_MIC);
	return r;
}

static int answer(struct answer *a, struct ntlm_client *c,
		  const struct sasl_ask *ask, const struct sasl_secret *who,
		  struct span in, struct buf *out)
{
	uint8_t nt[NTLM_HASH];
	struct ntlm_t2 t2;
	bool v2;
	int r = ntlm_t2_parse(&t2, in);

	if (r == OK)
		r = agree(ask, &t2, &a->flags);
	if (r != OK)
		return r;
	v2 = (a->flags & NTLM_TARGET_INFO) != 0 && t2.info.n > 0;
	r = ntlm_nt_hash((struct span){ who->password, who->password_n }, nt);
	if (r == OK)
		r = v2 ? answer_v2(a, ask, who, &t2, nt)
		       : answer_v1(a, ask, who, &t2, nt);
	wipe(nt, sizeof(nt));
	if (r == OK)
		r = name(a->user, &a->user_n,
			 (struct span){ who->user, who->user_n }, a->flags);
	if (r == OK)
		r = name(a->domain, &a->domain_n,
			 (struct span){ who->domain, who->domain_n }, a->flags);
	if (r != OK)
		return r;
	c->outcome = (struct sasl_outcome){ .ntlm_flags = a->flags,
					    .ntlm_v2 = v2 };
	c->outcome.bits = ask->seal ? ntlm_bits(a->flags) : 0;
	export_key(a, ask, c->outcome.key);
	return write_t3(a, ask, v2, in, c->outcome.key, out);
}

int ntlm_client_challenge(struct ntlm_client *c, const struct sasl_ask *ask,
			  const struct sasl_secret *who, struct span in,
			  struct buf *out)
{
	struct answer a = { 0 };
	int r = E_PEER_ORDER;

	if (c->state == NTLM_SENT)
		r = answer(&a, c, ask, who, in, out);
	wipe(&a, sizeof(a));
	c->state = r == OK ? NTLM_DONE : NTLM_FAILED;
	return r;
}
