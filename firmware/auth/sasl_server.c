/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sasl_server - see sasl_server.h. Below: messages of octets, by mechanism, in
 * two halves (before the account is known, and after); at the end the doors.
 */
#include "auth/base64.h"
#include "auth/digest.h"
#include "auth/sasl_server.h"
#include "base/text.h"
#include "base/wipe.h"

static struct span said(const struct sasl_server *s)
{
	return (struct span){ s->said, s->said_n };
}

static struct span password_of(const struct sasl_server *s)
{
	return (struct span){ s->who.password, s->who.password_n };
}

static bool is_scram(const struct sasl_server *s)
{
	return s->ask.mech == AUTH_SCRAM_SHA_1 ||
	       s->ask.mech == AUTH_SCRAM_SHA_256;
}

/* The client has said its name: ask for the account. */
static int ask_for(struct sasl_server *s, struct span user)
{
	if (user.n == 0 || user.n > SASL_USER_MAX)
		return E_PEER_SYNTAX;
	for (size_t i = 0; i < user.n; i++)
		if (user.p[i] < 0x20 || user.p[i] == 0x7f)
			return E_PEER_SYNTAX;
	memmove(s->user, user.p, user.n);
	s->user_n = user.n;
	s->wish = SASL_ACCOUNT;
	return E_AGAIN;
}

static int keep(struct sasl_server *s, struct span in)
{
	memcpy(s->said, in.p, in.n);
	s->said_n = in.n;
	return OK;
}

/* Two secrets of any length; how long it takes says nothing of the one that is
 * ours. */
static bool same(struct span a, struct span b)
{
	uint8_t x[32], y[32];
	bool r = digest(DIGEST_SHA256, &a, 1, x) == OK &&
		 digest(DIGEST_SHA256, &b, 1, y) == OK &&
		 digest_equal(x, y, sizeof(x));

	wipe(x, sizeof(x));
	wipe(y, sizeof(y));
	return r;
}

/* --- before the account is known ------------------------------------------------ */

/* authzid NUL authcid NUL password: for itself alone. */
static int plain(struct sasl_server *s, struct span in)
{
	const uint8_t *a = memchr(in.p, 0, in.n), *b;
	struct span user;

	if (!a)
		return E_PEER_SYNTAX;
	user = span_skip(in, (size_t)(a - in.p) + 1);
	b = memchr(user.p, 0, user.n);
	if (!b)
		return E_PEER_SYNTAX;
	s->said_at = (size_t)(b - in.p) + 1;
	user.n = (size_t)(b - user.p);
	if (a != in.p &&
	    !span_eq(user, (struct span){ in.p, (size_t)(a - in.p) }))
		return E_PEER_PROOF;
	if (memchr(in.p + s->said_at, 0, in.n - s->said_at))
		return E_PEER_SYNTAX;
	return ask_for(s, user);
}

static int login(struct sasl_server *s, struct span in, struct buf *out)
{
	if (s->step == 0) {
		if (in.n == 0 || in.n > SASL_USER_MAX)
			return E_PEER_SYNTAX;
		memcpy(s->user, in.p, in.n);
		s->user_n = in.n;
		return buf_put(out, SPAN_LIT("Password:"));
	}
	s->said_at = 0;
	return ask_for(s, (struct span){ s->user, s->user_n });
}

/* "user 0123456789abcdef0123456789abcdef" */
static int cram(struct sasl_server *s, struct span in)
{
	enum { HEX = 32 };

	if (in.n < HEX + 2 || in.p[in.n - HEX - 1] != ' ')
		return E_PEER_SYNTAX;
	s->said_at = in.n - HEX;
	return ask_for(s, (struct span){ in.p, in.n - HEX - 1 });
}

static int ntlm(struct sasl_server *s, struct span in, struct buf *out)
{
	uint8_t user[SASL_USER_MAX];
	size_t n;
	int r;

	if (s->step == 0)
		return ntlm_server_first(&s->u.ntlm, &s->ask, in, out);
	r = ntlm_server_user(&s->u.ntlm, in, user, sizeof(user), &n);
	return r == OK ? ask_for(s, (struct span){ user, n }) : r;
}

static int scram(struct sasl_server *s, struct span in, struct buf *out)
{
	uint8_t user[SASL_USER_MAX];
	size_t n;
	int r;

	switch (s->step) {
	case 0:
		r = scram_server_first(&s->u.scram, &s->ask, in, user,
				       sizeof(user), &n);
		return r == OK ? ask_for(s, (struct span){ user, n }) : r;
	case 1:
		r = scram_server_final(&s->u.scram, &s->ask, in, out);
		return r == OK && s->decoy ? E_PEER_PROOF : r;
	case 2: /* it has read our signature, and says nothing */
		s->proven = in.n == 0;
		return s->proven ? OK : E_PEER_SYNTAX;
	}
	return E_PEER_ORDER;
}

static int message(struct sasl_server *s, struct span in, struct buf *out)
{
	int r = keep(s, in);

	switch (s->ask.mech) {
	case AUTH_PLAIN: return plain(s, said(s));
	case AUTH_LOGIN: return login(s, said(s), out);
	case AUTH_CRAM_MD5: return cram(s, said(s));
	case AUTH_SCRAM_SHA_1:
	case AUTH_SCRAM_SHA_256: return scram(s, said(s), out);
	case AUTH_NTLM: return ntlm(s, said(s), out);
	case AUTH_NONE:
	case AUTH_MECHS: break;
	}
	return r == OK ? E_PEER_ORDER : r;
}

/* --- and after -------------------------------------------------------------------- */
static int judge_cram(const struct sasl_server *s)
{
	const struct span challenge = span_str(s->challenge);
	uint8_t mac[16];
	char hex[2 * sizeof(mac) + 1];
	struct text t;
	int r = digest_hmac(DIGEST_MD5, password_of(s), &challenge, 1, mac);

	text_init(&t, hex, sizeof(hex));
	text_hex(&t, (struct span){ mac, sizeof(mac) });
	if (r == OK && !digest_equal((const uint8_t *)hex, s->said + s->said_at,
				     2 * sizeof(mac)))
		r = E_PEER_PROOF;
	return r;
}

static int judge(struct sasl_server *s)
{
	int r = E_PEER_ORDER;

	switch (s->ask.mech) {
	case AUTH_PLAIN:
	case AUTH_LOGIN:
		r = same(span_skip(said(s), s->said_at), password_of(s))
			    ? OK
			    : E_PEER_PROOF;
		break;
	case AUTH_CRAM_MD5: r = judge_cram(s); break;
	case AUTH_NTLM:
		r = ntlm_server_verify(&s->u.ntlm, &s->ask, password_of(s),
				       said(s));
		break;
	case AUTH_SCRAM_SHA_1:
	case AUTH_SCRAM_SHA_256:
		s->wish = SASL_WORK;
		return scram_server_salt(&s->u.scram, password_of(s), s->salt);
	case AUTH_NONE:
	case AUTH_MECHS: break;
	}
	s->proven = r == OK;
	return r;
}

/* --- doors ------------------------------------------------------------------------ */
int sasl_server_begin(struct sasl_server *s, const struct sasl_ask *ask,
		      struct span host)
{
	static const char digit[] = "0123456789abcdef";
	struct text t;

	memset(s, 0, sizeof(*s));
	s->ask = *ask;
	if (is_scram(s))
		scram_init(&s->u.scram, ask);
	text_init(&t, s->challenge, sizeof(s->challenge));
	text_str(&t, "<");
	for (size_t i = 0; i < 12; i++) {
		const char c[] = { digit[ask->random[i] >> 4],
				   digit[ask->random[i] & 15], '\0' };

		text_str(&t, c);
	}
	text_str(&t, ".");
	text_u64(&t, ask->unix_ms / 1000);
	text_str(&t, "@");
	text_clean(&t, (struct span){ host.p, host.n < 32 ? host.n : 32 });
	text_str(&t, ">");
	if (ask->mech == AUTH_NONE || ask->mech >= AUTH_MECHS)
		s->error = E_CONF;
	return s->error;
}

/* A challenge, which is to be known if it comes back. */
static int challenge(struct sasl_server *s, struct span in, struct buf *out)
{
	int r = base64_encode(out, in);
	struct span text = buf_span(out);

	return r == OK ? digest(DIGEST_SHA256, &text, 1, s->asked) : r;
}

/* The result of a step, and its text if there is one. */
static int answer(struct sasl_server *s, int r, struct buf *m, struct buf *out)
{
	if (r == OK && s->proven && s->decoy)
		r = E_PEER_PROOF;
	if (r == OK)
		r = s->proven ? 1 : challenge(s, buf_span(m), out);
	wipe(m->p, m->size);
	if (r < 0 && r != E_AGAIN)
		s->error = r;
	return r;
}

int sasl_server_first(struct sasl_server *s, struct buf *out)
{
	struct span text = { NULL, 0 };

	if (s->error != OK)
		return s->error;
	if (s->ask.mech == AUTH_LOGIN)
		text = SPAN_LIT("Username:");
	if (s->ask.mech == AUTH_CRAM_MD5)
		text = span_str(s->challenge);
	return challenge(s, text, out);
}

int sasl_server_response(struct sasl_server *s, struct span text, bool initial,
			 struct buf *out)
{
	uint8_t in[SASL_MESSAGE_MAX], mem[SASL_MESSAGE_MAX];
	struct buf m;
	size_t n = 0;
	int r = OK;

	if (s->error != OK)
		return s->error;
	if (s->wish != SASL_NOTHING || s->proven)
		r = E_PEER_ORDER;
	/* RFC 4954 4: no initial response where the server speaks first; for
	 * LOGIN everybody sends one all the same. */
	if (initial && s->ask.mech == AUTH_CRAM_MD5)
		r = E_PEER_ORDER;
	buf_init(&m, mem, sizeof(mem));
	if (r == OK && !(initial && span_eq(text, SPAN_LIT("="))))
		r = base64_decode(in, sizeof(in), &n, text);
	if (r == E_FULL)
		r = E_PEER_LONG;
	if (r == OK)
		r = message(s, (struct span){ in, n }, &m);
	wipe(in, sizeof(in));
	s->step++;
	return answer(s, r, &m, out);
}

bool sasl_server_asks(const struct sasl_server *s, struct span text)
{
	uint8_t in[SASL_MESSAGE_MAX], mark[32];
	struct ntlm_t2 t2;
	size_t n;

	/* What PLAIN and LOGIN ask is what everybody asks. */
	if (s->error != OK || s->proven || logon_shows_password(s->ask.mech))
		return false;
	/* Of NTLM's challenge eight octets matter; what is around them can be
	 * changed by who carries it. */
	if (s->ask.mech == AUTH_NTLM)
		return s->step == 1 &&
		       base64_decode(in, sizeof(in), &n, text) == OK &&
		       ntlm_t2_parse(&t2, (struct span){ in, n }) == OK &&
		       memcmp(t2.challenge, s->ask.random, 8) == 0;
	return text.n > 0 && digest(DIGEST_SHA256, &text, 1, mark) == OK &&
	       memcmp(mark, s->asked, sizeof(mark)) == 0;
}

enum sasl_wish sasl_server_wish(const struct sasl_server *s)
{
	return s->error == OK ? s->wish : SASL_NOTHING;
}

struct span sasl_server_user(const struct sasl_server *s)
{
	return (struct span){ s->user, s->user_n };
}

int sasl_server_account(struct sasl_server *s, const struct sasl_secret *who,
			const struct logon_terms *terms, bool decoy,
			const uint8_t salt[16], struct buf *out)
{
	uint8_t none[1];
	struct buf m;

	if (s->error != OK)
		return s->error;
	buf_init(&m, none, sizeof(none));
	if (s->wish != SASL_ACCOUNT)
		return answer(s, E_PEER_ORDER, &m, out);
	s->wish = SASL_NOTHING;
	s->who = *who;
	s->ask.seal = terms->seal;
	s->ask.legacy = s->ask.legacy && terms->legacy;
	s->ask.min_bits = terms->min_bits;
	s->ask.bound = terms->bound;
	/* What NTLM is bound to is known when its proof is. */
	s->decoy = decoy || (terms->bound && s->ask.mech != AUTH_NTLM &&
			     !(is_scram(s) && sasl_plus(&s->ask)));
	memcpy(s->salt, salt, sizeof(s->salt));
	return answer(s, judge(s), &m, out);
}

int sasl_server_work(struct sasl_server *s, uint32_t rounds, struct buf *out)
{
	uint8_t mem[SCRAM_FIRST_MAX];
	struct buf m;
	int r = E_PEER_ORDER;

	if (s->error != OK)
		return s->error;
	buf_init(&m, mem, sizeof(mem));
	if (s->wish == SASL_WORK)
		r = scram_server_work(&s->u.scram, password_of(s), rounds,
				      s->salt, &m);
	if (r != E_AGAIN)
		s->wish = SASL_NOTHING;
	return answer(s, r, &m, out);
}

void sasl_server_outcome(const struct sasl_server *s, struct sasl_outcome *o)
{
	*o = (struct sasl_outcome){ 0 };
	if (!s->proven || s->error != OK)
		return;
	if (s->ask.mech == AUTH_NTLM)
		*o = s->u.ntlm.outcome;
	else
		o->bound = is_scram(s) && sasl_plus(&s->ask);
}

bool sasl_server_misbound(const struct sasl_server *s)
{
	return s->ask.mech == AUTH_NTLM && s->u.ntlm.misbound;
}

void sasl_server_wipe(struct sasl_server *s)
{
	wipe(s, sizeof(*s));
}
