/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scram - see scram.h. AuthMessage (RFC 5802 3) is never put together in one
 * piece: it is what HMAC gets as parts.
 */
#include "auth/base64.h"
#include "auth/scram.h"
#include "base/text.h"
#include "base/wipe.h"

enum {
	CB_MAX = SCRAM_GS2_MAX + 32, /* what "c=" says: header, binding */
	/* "c=" in base64, "," and "r=" */
	WANT_MAX = 8 + (CB_MAX + 2) / 3 * 4 + SCRAM_NONCE_MAX,
};

static struct span nonce_of(const struct scram *s)
{
	return (struct span){ (const uint8_t *)s->nonce, s->nonce_n };
}

static int fail(struct scram *s, int error)
{
	s->state = SCRAM_FAILED;
	return error;
}

void scram_init(struct scram *s, const struct sasl_ask *ask)
{
	memset(s, 0, sizeof(*s));
	s->d = ask->mech == AUTH_SCRAM_SHA_1 ? DIGEST_SHA1 : DIGEST_SHA256;
}

/* --- pieces of messages -------------------------------------------------------- */

/* The value of "k=..." at the front of in, up to the comma or the end; both are
 * taken. E_PEER_SYNTAX: something else stands there. */
static int field(struct span *in, char k, struct span *v)
{
	const uint8_t *comma;

	if (in->n < 2 || in->p[0] != (uint8_t)k || in->p[1] != '=')
		return E_PEER_SYNTAX;
	comma = memchr(in->p, ',', in->n);
	*v = span_skip(*in, 2);
	if (comma) {
		v->n = (size_t)(comma - v->p);
		*in = span_skip(*in, (size_t)(comma - in->p) + 1);
	} else {
		*in = span_skip(*in, in->n);
	}
	return OK;
}

/* Printable ASCII without a comma: what a nonce is made of. */
static bool printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return s.n > 0;
}

static int number(struct span s, uint32_t *v)
{
	*v = 0;
	if (s.n == 0 || s.n > 9 || s.p[0] == '0')
		return E_PEER_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return E_PEER_SYNTAX;
		*v = *v * 10 + (s.p[i] - '0');
	}
	return OK;
}

/* RFC 5802 5.1: a comma and an equals sign in a name are written "=2C", "=3D". */
static int put_name(struct buf *b, struct span name)
{
	int r = OK;

	for (size_t i = 0; r == OK && i < name.n; i++) {
		struct span c = { name.p + i, 1 };

		r = name.p[i] == ','   ? buf_put(b, SPAN_LIT("=2C"))
		    : name.p[i] == '=' ? buf_put(b, SPAN_LIT("=3D"))
				       : buf_put(b, c);
	}
	return r;
}

static int take_name(struct span in, uint8_t *out, size_t max, size_t *n)
{
	*n = 0;
	while (in.n > 0) {
		uint8_t c = in.p[0];
		size_t used = 1;

		if (c == '=') {
			if (in.n < 3 ||
			    in.p[1] != (in.p[2] == 'C' ? '2' : '3') ||
			    (in.p[2] != 'C' && in.p[2] != 'D'))
				return E_PEER_SYNTAX;
			c = in.p[2] == 'C' ? ',' : '=';
			used = 3;
		}
		if (*n == max)
			return E_FULL;
		if (c == '\0')
			return E_PEER_SYNTAX;
		out[(*n)++] = c;
		in = span_skip(in, used);
	}
	return *n > 0 ? OK : E_PEER_SYNTAX;
}

/* 18 random octets as characters, behind what nonce has. */
static int own_nonce(struct scram *s, const struct sasl_ask *ask)
{
	struct buf b;

	if (s->nonce_n > SCRAM_NONCE_MAX - SCRAM_NONCE)
		return E_PEER_LONG;
	buf_init(&b, s->nonce + s->nonce_n, SCRAM_NONCE);
	s->nonce_n += SCRAM_NONCE;
	return base64_encode(&b, (struct span){ ask->random, 18 });
}

/* "c=...,r=..." of the client's last message. */
static int final_bare(const struct scram *s, const struct sasl_ask *ask,
		      struct buf *out)
{
	uint8_t cb[CB_MAX];
	struct buf b;
	int r;

	buf_init(&b, cb, sizeof(cb));
	r = buf_put(&b, span_str(s->gs2));
	if (r == OK && s->gs2[0] == 'p')
		r = buf_put(&b, (struct span){ ask->binding.exporter,
					       sizeof(ask->binding.exporter) });
	if (r == OK)
		r = buf_put(out, SPAN_LIT("c="));
	if (r == OK)
		r = base64_encode(out, buf_span(&b));
	if (r == OK)
		r = buf_put(out, SPAN_LIT(",r="));
	return r == OK ? buf_put(out, nonce_of(s)) : r;
}

/* HMAC of AuthMessage, whose last part is given. */
static int sign(const struct scram *s, const uint8_t *key, struct span last,
		uint8_t *out)
{
	const struct span part[] = {
		{ s->bare, s->bare_n }, SPAN_LIT(","), { s->first, s->first_n },
		SPAN_LIT(","),		last,
	};

	return digest_hmac(s->d, (struct span){ key, digest_size(s->d) }, part,
			   5, out);
}

/* SaltedPassword is s->work.t: a key of it by its name. */
static int derive(const struct scram *s, const char *name, uint8_t *out)
{
	const struct span part = span_str(name);

	return digest_hmac(s->d, (struct span){ s->work.t, digest_size(s->d) },
			   &part, 1, out);
}

static int hash(const struct scram *s, const uint8_t *in, uint8_t *out)
{
	const struct span part = { in, digest_size(s->d) };

	return digest(s->d, &part, 1, out);
}

/* --- client --------------------------------------------------------------------- */
int scram_client_first(struct scram *s, const struct sasl_ask *ask,
		       struct span user, struct buf *out)
{
	struct buf b;
	struct text t;
	int r;

	if (s->state != SCRAM_BEGIN)
		return fail(s, E_PEER_ORDER);
	text_init(&t, s->gs2, sizeof(s->gs2));
	/* "y": we could, and you do not offer it. If that is not true, somebody
	 * between us has taken it off the list, and the server will see that. */
	text_str(&t, sasl_plus(ask)		   ? "p=tls-exporter,,"
		     : ask->binding.exporter_there ? "y,,"
						   : "n,,");
	r = own_nonce(s, ask);
	buf_init(&b, s->bare, sizeof(s->bare));
	if (r == OK)
		r = buf_put(&b, SPAN_LIT("n="));
	if (r == OK)
		r = put_name(&b, user);
	if (r == OK)
		r = buf_put(&b, SPAN_LIT(",r="));
	if (r == OK)
		r = buf_put(&b, nonce_of(s));
	s->bare_n = buf_span(&b).n;
	if (r == OK)
		r = buf_put(out, text_done(&t));
	if (r == OK)
		r = buf_put(out, buf_span(&b));
	s->state = SCRAM_FIRST;
	return r == OK ? OK : fail(s, r);
}

/* "r=...,s=...,i=...": anything in front ("m=") is an extension that must be
 * understood, and we do not; anything behind may be ignored. */
static int parse_first(struct scram *s, struct span in, struct span *salt,
		       uint32_t *rounds)
{
	struct span nonce, i;

	if (field(&in, 'r', &nonce) != OK || field(&in, 's', salt) != OK ||
	    field(&in, 'i', &i) != OK || number(i, rounds) != OK ||
	    !printable(nonce) || nonce.n > SCRAM_NONCE_MAX)
		return E_PEER_SYNTAX;
	/* Ours, and something behind it. */
	if (nonce.n <= s->nonce_n || memcmp(nonce.p, s->nonce, s->nonce_n) != 0)
		return E_PEER_SYNTAX;
	memcpy(s->nonce, nonce.p, nonce.n);
	s->nonce_n = nonce.n;
	return OK;
}

int scram_client_challenge(struct scram *s, struct span password,
			   struct span in)
{
	uint8_t salt[SCRAM_FIRST_MAX];
	struct span text;
	uint32_t rounds;
	size_t n = 0;
	int r;

	if (s->state != SCRAM_FIRST)
		return fail(s, E_PEER_ORDER);
	if (in.n > sizeof(s->first))
		return fail(s, E_PEER_LONG);
	memcpy(s->first, in.p, in.n);
	s->first_n = in.n;
	r = parse_first(s, in, &text, &rounds);
	if (r == OK)
		r = base64_decode(salt, sizeof(salt), &n, text);
	if (r == OK && n == 0)
		r = E_PEER_SYNTAX;
	if (r == OK && (rounds < SCRAM_ROUNDS_MIN || rounds > SCRAM_ROUNDS_MAX))
		r = E_PEER_WEAK;
	if (r == OK)
		r = pbkdf2_begin(&s->work, s->d, password,
				 (struct span){ salt, n }, rounds);
	s->state = SCRAM_WORK;
	return r == OK ? E_AGAIN : fail(s, r);
}

/* ClientProof, and the signature that the server will have to show. */
static int prove(struct scram *s, struct span last, uint8_t *proof)
{
	uint8_t stored[DIGEST_MAX], key[DIGEST_MAX], sig[DIGEST_MAX];
	int r = derive(s, "Client Key", proof);

	if (r == OK)
		r = hash(s, proof, stored);
	if (r == OK)
		r = sign(s, stored, last, sig);
	for (size_t i = 0; r == OK && i < digest_size(s->d); i++)
		proof[i] ^= sig[i];
	if (r == OK)
		r = derive(s, "Server Key", key);
	if (r == OK)
		r = sign(s, key, last, s->signature);
	wipe(stored, sizeof(stored));
	wipe(key, sizeof(key));
	return r;
}

int scram_client_work(struct scram *s, const struct sasl_ask *ask,
		      struct span password, uint32_t rounds, struct buf *out)
{
	uint8_t proof[DIGEST_MAX];
	int r;

	if (s->state != SCRAM_WORK)
		return fail(s, E_PEER_ORDER);
	r = pbkdf2_step(&s->work, password, rounds);
	if (r == E_AGAIN)
		return r;
	if (r == OK)
		r = final_bare(s, ask, out);
	if (r == OK)
		r = prove(s, buf_span(out), proof);
	wipe(&s->work, sizeof(s->work));
	if (r == OK)
		r = buf_put(out, SPAN_LIT(",p="));
	if (r == OK)
		r = base64_encode(out,
				  (struct span){ proof, digest_size(s->d) });
	wipe(proof, sizeof(proof));
	s->state = SCRAM_FINAL;
	return r == OK ? OK : fail(s, r);
}

int scram_client_final(struct scram *s, struct span in)
{
	uint8_t sig[DIGEST_MAX];
	struct span v;
	size_t n;

	if (s->state != SCRAM_FINAL)
		return fail(s, E_PEER_ORDER);
	/* "e=..." is its word for no. */
	if (field(&in, 'v', &v) != OK ||
	    base64_decode(sig, sizeof(sig), &n, v) != OK ||
	    n != digest_size(s->d) || !digest_equal(sig, s->signature, n))
		return fail(s, E_PEER_PROOF);
	s->state = SCRAM_PROVEN;
	return OK;
}

/* --- server --------------------------------------------------------------------- */

/* How the client binds, and up to "," for whom it acts: "n,", "y,",
 * "p=tls-exporter,", then nothing or "a=NAME", then ",". whom: as it stands there,
 * empty if nobody does. */
static int parse_gs2(struct scram *s, const struct sasl_ask *ask,
		     struct span *in, struct span *whom)
{
	static const char *const flags[] = { "n,", "y,", "p=tls-exporter," };
	struct span all = *in, f;
	struct text t;
	size_t i;

	for (i = 0; i < 3; i++) {
		f = span_str(flags[i]);
		if (in->n > f.n && memcmp(in->p, f.p, f.n) == 0)
			break;
	}
	if (i == 3)
		return E_PEER_SYNTAX;
	*in = span_skip(*in, f.n);
	*whom = (struct span){ NULL, 0 };
	if (in->p[0] == ',')
		*in = span_skip(*in, 1);
	else if (field(in, 'a', whom) != OK || in->n == 0)
		return E_PEER_SYNTAX;
	all.n -= in->n;
	if (all.n > SCRAM_GS2_MAX)
		return E_PEER_LONG;
	text_init(&t, s->gs2, sizeof(s->gs2));
	text_span(&t, all);
	if (sasl_plus(ask) != (i == 2))
		return E_PEER_PROOF;
	/* It would have taken -PLUS and did not see it. */
	return i == 1 && ask->binding.exporter_there ? E_PEER_PROOF : OK;
}

/* "a=" and "n=" are the same one, or there is no "a=". */
static int acts_for(struct span whom, struct span user)
{
	uint8_t mem[SCRAM_GS2_MAX];
	size_t n;

	if (whom.p == NULL)
		return OK;
	if (take_name(whom, mem, sizeof(mem), &n) != OK)
		return E_PEER_SYNTAX;
	return span_eq((struct span){ mem, n }, user) ? OK : E_PEER_PROOF;
}

int scram_server_first(struct scram *s, const struct sasl_ask *ask,
		       struct span in, uint8_t *user, size_t max,
		       size_t *user_n)
{
	struct span name, nonce, whom;
	int r;

	if (s->state != SCRAM_BEGIN)
		return fail(s, E_PEER_ORDER);
	r = parse_gs2(s, ask, &in, &whom);
	if (r != OK)
		return fail(s, r);
	if (in.n > sizeof(s->bare))
		return fail(s, E_PEER_LONG);
	memcpy(s->bare, in.p, in.n);
	s->bare_n = in.n;
	if (field(&in, 'n', &name) != OK || field(&in, 'r', &nonce) != OK ||
	    !printable(nonce) || take_name(name, user, max, user_n) != OK)
		return fail(s, E_PEER_SYNTAX);
	if (nonce.n > SCRAM_NONCE_MAX)
		return fail(s, E_PEER_LONG);
	memcpy(s->nonce, nonce.p, nonce.n);
	s->nonce_n = nonce.n;
	r = acts_for(whom, (struct span){ user, *user_n });
	if (r == OK)
		r = own_nonce(s, ask);
	s->state = SCRAM_FIRST;
	return r == OK ? OK : fail(s, r);
}

int scram_server_salt(struct scram *s, struct span password,
		      const uint8_t salt[16])
{
	int r;

	if (s->state != SCRAM_FIRST)
		return fail(s, E_PEER_ORDER);
	r = pbkdf2_begin(&s->work, s->d, password, (struct span){ salt, 16 },
			 SCRAM_ROUNDS_MIN);
	s->state = SCRAM_WORK;
	return r == OK ? E_AGAIN : fail(s, r);
}

static int keep_keys(struct scram *s)
{
	uint8_t key[DIGEST_MAX];
	int r = derive(s, "Client Key", key);

	if (r == OK)
		r = hash(s, key, s->stored);
	if (r == OK) /* until the message is there to sign: ServerKey */
		r = derive(s, "Server Key", s->signature);
	wipe(key, sizeof(key));
	wipe(&s->work, sizeof(s->work));
	return r;
}

int scram_server_work(struct scram *s, struct span password, uint32_t rounds,
		      const uint8_t salt[16], struct buf *out)
{
	struct text t;
	struct buf b;
	int r;

	if (s->state != SCRAM_WORK)
		return fail(s, E_PEER_ORDER);
	r = pbkdf2_step(&s->work, password, rounds);
	if (r == E_AGAIN)
		return r;
	if (r == OK)
		r = keep_keys(s);
	text_init(&t, (char *)s->first, sizeof(s->first));
	text_str(&t, "r=");
	text_span(&t, nonce_of(s));
	text_str(&t, ",s=");
	buf_init(&b, s->first + t.n, sizeof(s->first) - t.n);
	if (r == OK)
		r = base64_encode(&b, (struct span){ salt, 16 });
	t.n += buf_span(&b).n;
	text_str(&t, ",i=");
	text_u64(&t, SCRAM_ROUNDS_MIN);
	s->first_n = t.n;
	if (r == OK)
		r = buf_put(out, text_done(&t));
	s->state = SCRAM_FINAL;
	return r == OK ? OK : fail(s, r);
}

/* Does H(proof ^ ClientSignature) be StoredKey? */
static int check(struct scram *s, struct span last, uint8_t *proof)
{
	uint8_t sig[DIGEST_MAX], have[DIGEST_MAX];
	int r = sign(s, s->stored, last, sig);

	for (size_t i = 0; r == OK && i < digest_size(s->d); i++)
		proof[i] ^= sig[i];
	if (r == OK)
		r = hash(s, proof, have);
	if (r == OK && !digest_equal(have, s->stored, digest_size(s->d)))
		r = E_PEER_PROOF;
	if (r == OK)
		r = sign(s, s->signature, last, sig);
	memcpy(s->signature, sig, sizeof(sig));
	return r;
}

int scram_server_final(struct scram *s, const struct sasl_ask *ask,
		       struct span in, struct buf *out)
{
	uint8_t want[WANT_MAX], proof[DIGEST_MAX];
	struct span v, all = in;
	size_t n;
	struct buf b;
	int r;

	if (s->state != SCRAM_FINAL)
		return fail(s, E_PEER_ORDER);
	buf_init(&b, want, sizeof(want));
	if (final_bare(s, ask, &b) != OK)
		return fail(s, E_PEER_LONG);
	/* One way to write it: the binding and the nonce as they must be. */
	if (in.n <= buf_span(&b).n || memcmp(in.p, want, buf_span(&b).n) != 0 ||
	    in.p[buf_span(&b).n] != ',')
		return fail(s, E_PEER_PROOF);
	all.n = buf_span(&b).n;
	in = span_skip(in, all.n + 1);
	if (field(&in, 'p', &v) != OK || in.n > 0 ||
	    base64_decode(proof, sizeof(proof), &n, v) != OK ||
	    n != digest_size(s->d))
		return fail(s, E_PEER_SYNTAX);
	r = check(s, all, proof);
	wipe(proof, sizeof(proof));
	if (r == OK)
		r = buf_put(out, SPAN_LIT("v="));
	if (r == OK)
		r = base64_encode(
			out, (struct span){ s->signature, digest_size(s->d) });
	s->state = SCRAM_PROVEN;
	return r == OK ? OK : fail(s, r);
}
