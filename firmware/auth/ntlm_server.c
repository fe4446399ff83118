/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ntlm_server - see ntlm.h. T1 and T2 are kept for the MIC; T3 comes twice,
 * because the password is looked up in between.
 */
#include "auth/digest.h"
#include "auth/ntlm.h"
#include "auth/ntlm_crypto.h"
#include "auth/utf16.h"
#include "base/bytes.h"
#include "base/wipe.h"

enum { R_CHALLENGE = 0 };

/* "SEALWIRE" is the name of our domain of one machine; nothing is looked up
 * under it. */
static const uint8_t our_name[16] = "S\0E\0A\0L\0W\0I\0R\0E";

static int fail(struct ntlm_server *s, int error)
{
	s->state = NTLM_FAILED;
	return error;
}

static int attributes(const struct sasl_ask *ask, struct buf *out)
{
	const struct span name = { our_name, sizeof(our_name) };
	uint8_t time[8];
	int r = ntlm_av_put(out, NTLM_AV_DOMAIN, name);

	put_le64(time, (ask->unix_ms + 11644473600000u) * 10000);
	if (r == OK)
		r = ntlm_av_put(out, NTLM_AV_COMPUTER, name);
	if (r == OK)
		r = ntlm_av_put(out, NTLM_AV_TIME, (struct span){ time, 8 });
	return r == OK ? ntlm_av_put(out, NTLM_AV_EOL, (struct span){ NULL, 0 })
		       : r;
}

/* What of a client's offer is taken up. */
static uint32_t choose(const struct sasl_ask *ask, uint32_t offered)
{
	uint32_t f = offered &
		     (NTLM_UNICODE | NTLM_OEM | NTLM_SIGN | NTLM_SEAL |
		      NTLM_LM_KEY | NTLM_NTLM | NTLM_ALWAYS_SIGN | NTLM_ESS |
		      NTLM_128 | NTLM_KEY_EXCH | NTLM_56);

	f |= NTLM_TARGET_DOMAIN | NTLM_REQUEST_TARGET;
	if (f & NTLM_UNICODE)
		f &= ~(uint32_t)NTLM_OEM;
	if (f & NTLM_ESS)
		f &= ~(uint32_t)NTLM_LM_KEY;
	/* A client of before 1998 does not know what to do with them. */
	if ((f & NTLM_ESS) || (offered & NTLM_TARGET_INFO))
		f |= NTLM_TARGET_INFO;
	if (!ask->seal && !ask->seal_may)
		f &= ~(uint32_t)(NTLM_SEAL | NTLM_SIGN);
	return f;
}

/* Is f enough? The same rule for what was offered and for what is taken. */
static bool strong(const struct sasl_ask *ask, uint32_t f)
{
	const uint32_t modern = NTLM_UNICODE | NTLM_ESS |
				(ask->seal ? NTLM_KEY_EXCH : 0u);

	if ((f & NTLM_NTLM) == 0 || (f & (NTLM_UNICODE | NTLM_OEM)) == 0 ||
	    (!ask->legacy && (f & modern) != modern))
		return false;
	return !ask->seal || ((f & NTLM_SIGN) && (f & NTLM_SEAL) &&
			      ntlm_bits(f) >= ask->min_bits);
}

int ntlm_server_first(struct ntlm_server *s, const struct sasl_ask *ask,
		      struct span in, struct buf *out)
{
	uint8_t info[128];
	struct ntlm_t2 t2 = { 0 };
	struct ntlm_t1 t1;
	struct buf b;
	int r;

	if (s->state != NTLM_BEGIN)
		return fail(s, E_PEER_ORDER);
	if (ntlm_t1_parse(&t1, in) != OK)
		return fail(s, E_PEER_SYNTAX);
	if (in.n > sizeof(s->t1))
		return fail(s, E_PEER_LONG);
	memcpy(s->t1, in.p, in.n);
	s->t1_n = in.n;
	t2.flags = s->flags = choose(ask, t1.flags);
	if (!strong(ask, s->flags))
		return fail(s, E_PEER_WEAK);
	memcpy(t2.challenge, ask->random + R_CHALLENGE, 8);
	buf_init(&b, info, sizeof(info));
	r = s->flags & NTLM_TARGET_INFO ? attributes(ask, &b) : OK;
	t2.info = buf_span(&b);
	if (s->flags & NTLM_UNICODE)
		t2.target = (struct span){ our_name, sizeof(our_name) };
	else
		t2.target = SPAN_LIT("SEALWIRE");
	buf_init(&b, s->t2, sizeof(s->t2));
	if (r == OK)
		r = ntlm_t2_build(&b, &t2);
	s->t2_n = buf_span(&b).n;
	if (r == OK)
		r = buf_put(out, buf_span(&b));
	s->state = NTLM_SENT;
	return r == OK ? OK : fail(s, r);
}

/* A name of T3 in UTF-8. */
static int name(const struct ntlm_server *s, struct span in, uint8_t *out,
		size_t max, size_t *n)
{
	if (s->flags & NTLM_UNICODE)
		return utf16_to(out, max, n, in);
	if (in.n > max)
		return E_FULL;
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] >= 0x80)
			return E_PEER_SYNTAX;
	if (in.n > 0)
		memcpy(out, in.p, in.n);
	*n = in.n;
	return OK;
}

/* "domain\user", or "user". */
static int both_names(const struct ntlm_server *s, const struct ntlm_t3 *t3,
		      uint8_t *out, size_t max, size_t *n)
{
	size_t at = 0;
	int r;

	*n = 0;
	r = name(s, t3->domain, out, max, &at);

	if (r == OK && at == max)
		r = E_FULL;
	if (r == OK && at > 0)
		out[at++] = '\\';
	if (r == OK)
		r = name(s, t3->user, out + at, max - at, n);
	if (r == OK && *n == 0)
		r = E_PEER_SYNTAX; /* nobody: a null session */
	*n += at;
	return r;
}

int ntlm_server_user(struct ntlm_server *s, struct span in, uint8_t *user,
		     size_t max, size_t *user_n)
{
	struct ntlm_t3 t3;
	int r;

	if (s->state != NTLM_SENT)
		return fail(s, E_PEER_ORDER);
	r = ntlm_t3_parse(&t3, in);
	if (r == OK)
		r = both_names(s, &t3, user, max, user_n);
	/* The client has the last word, but only among what was agreed on. */
	if (r == OK) {
		s->flags &= t3.flags | NTLM_TARGET_INFO;
		s->state = NTLM_ASKED;
	}
	return r == OK ? OK : fail(s, r);
}

/* One part of a verification: who logs on, with what. */
struct proof {
	struct ntlm_t3 t3;
	uint8_t nt[NTLM_HASH];
	uint8_t user[SASL_NAME_MAX], domain[SASL_NAME_MAX];
	size_t user_n, domain_n;
	uint8_t exchange[SASL_KEY];
	bool mic; /* the client says that it has sent one */
};

/* Under the proof: which certificate has the client seen? An old client says
 * nothing, a careless one zero. */
static bool binding_ok(struct ntlm_server *s, const struct sasl_ask *ask,
		       struct span list)
{
	static const uint8_t zero[16];
	uint8_t want[16];
	struct span v;

	if (!ntlm_av_find(list, NTLM_AV_BINDING, &v) ||
	    (v.n == 16 && memcmp(v.p, zero, 16) == 0))
		return !ask->bound;
	/* There is no TLS of ours that it could be about. */
	s->misbound = true;
	if (ask->binding.endpoint_n == 0 || v.n != 16 ||
	    ntlm_binding((struct span){ ask->binding.endpoint,
					ask->binding.endpoint_n },
			 want) != OK ||
	    memcmp(v.p, want, 16) != 0)
		return false;
	s->misbound = false;
	s->outcome.bound = true;
	return true;
}

static int verify_v2(struct ntlm_server *s, const struct sasl_ask *ask,
		     struct proof *p)
{
	const uint8_t *challenge = s->t2 + 24;
	struct span nt = p->t3.nt, list, v;
	uint8_t hash[NTLM_HASH], have[16];
	int r = ntlm_v2_hash(p->nt, (struct span){ p->user, p->user_n },
			     (struct span){ p->domain, p->domain_n }, hash);

	if (r == OK)
		r = ntlm_v2_proof(hash, challenge, span_skip(nt, 16), have);
	if (r == OK && !digest_equal(have, nt.p, 16))
		r = E_PEER_PROOF;
	if (r == OK)
		r = ntlm_v2_key(hash, have, p->exchange);
	wipe(hash, sizeof(hash));
	if (r != OK)
		return r;
	list = span_skip(nt, 16 + 28);
	p->mic = ntlm_av_find(list, NTLM_AV_FLAGS, &v) && v.n == 4 &&
		 (get_le32(v.p) & NTLM_AV_FLAG_MIC) != 0;
	if (!binding_ok(s, ask, list) || (!p->mic && !ask->legacy))
		return E_PEER_PROOF;
	return OK;
}

static int verify_v1(struct ntlm_server *s, struct span password,
		     struct proof *p)
{
	const uint8_t *challenge = s->t2 + 24;
	uint8_t want[NTLM_V1], both[8], base[SASL_KEY], lm[NTLM_HASH] = { 0 };
	int r = OK;

	if (p->t3.lm.n != NTLM_V1)
		return E_PEER_SYNTAX;
	if (s->flags & NTLM_ESS) {
		r = ntlm_v1_ess(challenge, p->t3.lm.p, both);
		challenge = both;
	}
	if (r == OK)
		r = ntlm_v1_response(p->nt, challenge, want);
	if (r == OK && !digest_equal(want, p->t3.nt.p, NTLM_V1))
		r = E_PEER_PROOF;
	if (r == OK && (s->flags & NTLM_LM_KEY))
		r = ntlm_lm_hash(password, lm);
	if (r == OK)
		r = ntlm_v1_key(p->nt, base);
	if (r == OK)
		r = ntlm_v1_exchange_key(s->flags, base, lm, p->t3.lm.p,
					 s->t2 + 24, p->exchange);
	wipe(base, sizeof(base));
	wipe(lm, sizeof(lm));
	return r;
}

/* The session's key; then nothing of the three messages may be changed. */
static int finish(struct ntlm_server *s, struct proof *p, struct span in)
{
	uint8_t copy[SASL_MESSAGE_MAX], mic[NTLM_MIC], *key = s->outcome.key;
	struct rc4 rc4;
	int r;

	memcpy(key, p->exchange, SASL_KEY);
	if (s->flags & NTLM_KEY_EXCH) {
		if (p->t3.key.n != SASL_KEY)
			return E_PEER_SYNTAX;
		memcpy(key, p->t3.key.p, SASL_KEY);
		rc4_init(&rc4, (struct span){ p->exchange, SASL_KEY });
		rc4_crypt(&rc4, key, SASL_KEY);
		wipe(&rc4, sizeof(rc4));
	}
	if (!p->mic)
		return OK;
	if (!p->t3.mic || in.n > sizeof(copy))
		return E_PEER_PROOF;
	memcpy(copy, in.p, in.n);
	memset(copy + NTLM_MIC_AT, 0, NTLM_MIC);
	r = ntlm_mic(key, (struct span){ s->t1, s->t1_n },
		     (struct span){ s->t2, s->t2_n },
		     (struct span){ copy, in.n }, mic);
	if (r == OK && !digest_equal(mic, in.p + NTLM_MIC_AT, NTLM_MIC))
		r = E_PEER_PROOF;
	return r;
}

int ntlm_server_verify(struct ntlm_server *s, const struct sasl_ask *ask,
		       struct span password, struct span in)
{
	struct proof p = { 0 };
	bool v2;
	int r;

	if (s->state != NTLM_ASKED)
		return fail(s, E_PEER_ORDER);
	r = ntlm_t3_parse(&p.t3, in);
	v2 = p.t3.nt.n >= 16 + 28 + 4;
	if (r == OK && !strong(ask, s->flags))
		r = E_PEER_WEAK;
	if (r == OK && !v2 && (!ask->legacy || p.t3.nt.n != NTLM_V1))
		r = E_PEER_WEAK;
	if (r == OK)
		r = ntlm_nt_hash(password, p.nt);
	if (r == OK)
		r = name(s, p.t3.user, p.user, sizeof(p.user), &p.user_n);
	if (r == OK)
		r = name(s, p.t3.domain, p.domain, sizeof(p.domain),
			 &p.domain_n);
	if (r == OK && !v2 && ask->bound)
		r = E_PEER_WEAK;
	if (r == OK)
		r = v2 ? verify_v2(s, ask, &p) : verify_v1(s, password, &p);
	if (r == OK)
		r = finish(s, &p, in);
	s->outcome.ntlm_flags = s->flags;
	s->outcome.ntlm_v2 = v2;
	s->outcome.bits = ask->seal ? ntlm_bits(s->flags) : 0;
	wipe(&p, sizeof(p));
	s->state = NTLM_DONE;
	return r == OK ? OK : fail(s, r);
}
