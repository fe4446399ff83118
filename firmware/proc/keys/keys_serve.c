/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys_serve - log-ons of partners to us, for the relays (ipc/ipc_logon.h). What
 * leaves is a challenge, and once the partner has proved who it is the name of its
 * account and the key of a seal.
 *
 * A name that is nobody's goes the whole way with an account that is made up of
 * it, and fails at the end: neither what is said nor how long it takes tells
 * anybody who is there. Wrong passwords are counted by source (auth/guess.h).
 *
 * One log-on for a relay's flow; where there are too many, the oldest gives way.
 */
#include <string.h>
#include <sys/random.h>
#include "auth/digest.h"
#include "auth/guess.h"
#include "auth/sasl_server.h"
#include "base/wipe.h"
#include "proc/keys/keys.h"

enum { SERVES = 256, ROUNDS = 1000 };

struct serve {
	bool used, works;
	bool named; /* the client has said who it is: it fails alike from now on */
	uint32_t relay, flow;
	uint64_t number; /* of the step that waits for an answer */
	uint64_t since_ms;
	uint8_t source[16];
	char account[SECRET_NAME_MAX + 1];
	struct sasl_server sasl;
};

static struct serve serves[SERVES];
static struct guess guesses;
static uint8_t secret[32]; /* that made-up accounts are made of */
static uint32_t working;

void keys_serve_init(void)
{
	if (getrandom(guesses.key, sizeof(guesses.key), 0) !=
		    (ssize_t)sizeof(guesses.key) ||
	    getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		program_die(&K.prog, "no random octets");
}

static void forget(struct serve *s)
{
	working -= s->works;
	sasl_server_wipe(&s->sasl);
	wipe(s, sizeof(*s));
}

static struct serve *find(uint32_t relay, uint32_t flow)
{
	for (size_t i = 0; i < SERVES; i++)
		if (serves[i].used && serves[i].relay == relay &&
		    serves[i].flow == flow)
			return &serves[i];
	return NULL;
}

static struct serve *fresh(uint32_t relay, uint32_t flow)
{
	struct serve *s = find(relay, flow), *oldest = &serves[0];

	for (size_t i = 0; !s && i < SERVES; i++) {
		if (!serves[i].used)
			s = &serves[i];
		else if (serves[i].since_ms < oldest->since_ms)
			oldest = &serves[i];
	}
	s = s ? s : oldest;
	if (s->used)
		forget(s);
	s->used = true;
	s->relay = relay;
	s->flow = flow;
	s->since_ms = now_ms();
	return s;
}

/* --- whose name it is ------------------------------------------------------------- */
static bool same_name(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || span_eq_nocase(a, b));
}

/* Does the account of a partner go by what a client calls itself? NTLM always
 * names a domain, of which an account need not know. */
static bool goes_by(const struct secret_account *a, enum auth_mech mech,
		    struct span said)
{
	const uint8_t *slash = memchr(said.p, '\\', said.n);
	struct span domain = { said.p, slash ? (size_t)(slash - said.p) : 0 };

	if ((a->terms.mechs & 1u << mech) == 0)
		return false;
	if (slash)
		said = span_skip(said, domain.n + 1);
	if (domain.n > 0 && !(mech == AUTH_NTLM && a->nt_domain.n == 0) &&
	    !same_name(domain, a->nt_domain))
		return false;
	return same_name(said, a->name);
}

/* The account of that name, for that mechanism. All are looked at, whichever it
 * is. */
static bool find_partner(enum auth_mech mech, struct span said,
			 struct secret_account *found)
{
	bool there = false;

	for (uint32_t i = 0; i < K.table.partners_n; i++) {
		struct secret_account a;

		secret_table_partner(&K.table, i, &a);
		if (!goes_by(&a, mech, said))
			continue;
		*found = a;
		there = true;
	}
	return there;
}

/* What a client with that name would be asked for if it were somebody: what one
 * of those with this mechanism is. */
static struct logon_terms terms_like(enum auth_mech mech, uint8_t pick)
{
	struct logon_terms t = { .min_bits = LOGON_BITS };
	uint32_t n = 0, want;

	for (uint32_t i = 0; i < K.table.partners_n; i++) {
		struct secret_account a;

		secret_table_partner(&K.table, i, &a);
		n += (a.terms.mechs & 1u << mech) != 0;
	}
	want = n > 0 ? pick % n : 0;
	for (uint32_t i = 0; i < K.table.partners_n; i++) {
		struct secret_account a;

		secret_table_partner(&K.table, i, &a);
		if ((a.terms.mechs & 1u << mech) != 0 && want-- == 0)
			t = a.terms;
	}
	return t;
}

/* A password and a salt that nobody can know, the same for a name every time. */
static int make_up(struct span said, struct sasl_secret *who, uint8_t salt[16],
		   uint8_t *pick)
{
	static const char digit[] = "0123456789abcdef";
	const struct span key = { secret, sizeof(secret) };
	uint8_t mac[32];
	int r = digest_hmac(DIGEST_SHA256, key, &said, 1, mac);

	if (r != OK)
		return r;
	memcpy(salt, mac, 16);
	*pick = mac[16];
	who->password_n = 24;
	for (size_t i = 0; i < 12; i++) {
		who->password[2 * i] = (uint8_t)digit[mac[17 + i] >> 4];
		who->password[2 * i + 1] = (uint8_t)digit[mac[17 + i] & 15];
	}
	wipe(mac, sizeof(mac));
	return OK;
}

static void set(uint8_t *to, uint8_t *n, struct span s)
{
	*n = (uint8_t)(s.n <= SASL_NAME_MAX ? s.n : 0);
	if (*n > 0)
		memcpy(to, s.p, *n);
}

static int give_account(struct serve *s, struct buf *out)
{
	struct span said = sasl_server_user(&s->sasl);
	enum auth_mech mech = s->sasl.ask.mech;
	struct secret_account a = { .name = { NULL, 0 } };
	struct sasl_secret who = { 0 };
	uint8_t salt[16], pick = 0;
	int r = make_up(said, &who, salt, &pick);
	struct logon_terms terms = terms_like(mech, pick);
	bool there = find_partner(mech, said, &a);

	s->named = true;
	if (r != OK)
		return r;
	if (there) {
		set(who.user, &who.user_n, a.name);
		set(who.password, &who.password_n, a.password);
		memcpy(s->account, a.name.p, a.name.n);
		terms = a.terms;
	}
	r = sasl_server_account(&s->sasl, &who, &terms, !there, salt, out);
	wipe(&who, sizeof(who));
	return r;
}

/* --- answers ---------------------------------------------------------------------- */
static enum logon_result result_of(const struct serve *s, int error)
{
	if (error == E_FULL || error == E_IO)
		return LOGON_NO_KEYS;
	if (s->named || error == E_PEER_PROOF)
		return LOGON_REFUSED;
	return error == E_PEER_WEAK ? LOGON_WEAK : LOGON_MALFORMED;
}

static void known(struct serve *s, struct ipc_logon_reply *a)
{
	struct sasl_outcome o;

	sasl_server_outcome(&s->sasl, &o);
	a->proven = true;
	a->text = span_str(s->account);
	a->bound = o.bound;
	a->ntlm_v2 = o.ntlm_v2;
	a->ntlm_flags = o.ntlm_flags;
	a->bits = o.bits;
	if (o.bits > 0)
		memcpy(a->key, o.key, sizeof(a->key));
	wipe(&o, sizeof(o));
}

/* The password is right, and the TLS that it came through another one. */
static void tell_misbound(const struct serve *s)
{
	program_log(&K.prog, SEV_ALARM,
		    "event=logon-misbound account=%s mechanism=%s "
		    "why=\"the client sees another certificate than ours\"",
		    s->account, auth_mech_word(s->sasl.ask.mech));
}

/* What came of a step; E_AGAIN: not yet. */
static void answer(struct serve *s, int r, const struct buf *text)
{
	struct ipc_logon_reply a = { .result = LOGON_OK };
	uint64_t now = now_ms();

	if (r == E_AGAIN && sasl_server_wish(&s->sasl) == SASL_WORK) {
		working += !s->works;
		s->works = true;
		return;
	}
	working -= s->works;
	s->works = false;
	if (r < 0 && sasl_server_misbound(&s->sasl))
		tell_misbound(s);
	/* Others may have guessed from there meanwhile. */
	if (s->named && !guess_may(&guesses, s->source, now))
		a.result = LOGON_REFUSED_NOW;
	else if (r < 0)
		a.result = result_of(s, r);
	if (a.result == LOGON_REFUSED)
		a.wait_ms = guess_wrong(&guesses, s->source, now);
	if (a.result == LOGON_OK && r == 1) {
		guess_right(&guesses, s->source);
		known(s, &a);
	} else if (a.result == LOGON_OK) {
		a.said = true;
		a.text = buf_span(text);
	}
	keys_logon_reply(s->relay, s->flow, s->number, &a);
	if (r != OK || a.result != LOGON_OK)
		forget(s);
	wipe(&a, sizeof(a));
}

/* --- steps ------------------------------------------------------------------------ */
static int begin(struct serve *s, const struct ipc_logon *q, struct buf *out)
{
	struct sasl_ask ask = { .mech = q->mech,
				.plus = q->plus,
				.min_bits = 40,
				.binding = q->binding,
				.unix_ms = keys_logon_time() };
	bool offered = false;
	int r;

	for (uint32_t i = 0; i < K.table.partners_n; i++) {
		struct secret_account a;

		secret_table_partner(&K.table, i, &a);
		if ((a.terms.mechs & 1u << q->mech) == 0)
			continue;
		offered = true;
		ask.seal_may = ask.seal_may || a.terms.seal;
		ask.legacy = ask.legacy || a.terms.legacy;
	}
	if (!offered || getrandom(ask.random, sizeof(ask.random), 0) !=
				(ssize_t)sizeof(ask.random))
		return E_IO;
	memcpy(s->source, q->source, sizeof(s->source));
	if (!guess_may(&guesses, s->source, now_ms())) {
		s->named = true; /* whoever it is */
		return E_PEER_PROOF;
	}
	r = sasl_server_begin(&s->sasl, &ask, SPAN_LIT("sealwire"));
	wipe(&ask, sizeof(ask));
	if (r != OK)
		return r;
	return q->initial ? sasl_server_response(&s->sasl, q->text, true, out)
			  : sasl_server_first(&s->sasl, out);
}

bool keys_serve_take(uint32_t relay, uint32_t flow, uint64_t number,
		     const struct ipc_logon *q)
{
	struct ipc_logon_reply none = { .result = LOGON_NO_KEYS };
	struct serve *s = q->step == IPC_LOGON_SERVE ? fresh(relay, flow)
						     : find(relay, flow);
	uint8_t mem[SASL_TEXT_MAX];
	struct buf out;
	int r;

	if (!s) { /* given way to others, or begun before a restart of ours */
		keys_logon_reply(relay, flow, number, &none);
		return true;
	}
	if (s->works)
		return false;
	s->number = number;
	buf_init(&out, mem, sizeof(mem));
	r = q->step == IPC_LOGON_SERVE
		    ? begin(s, q, &out)
		    : sasl_server_response(&s->sasl, q->text, false, &out);
	if (r == E_AGAIN && sasl_server_wish(&s->sasl) == SASL_ACCOUNT)
		r = give_account(s, &out);
	answer(s, r, &out);
	wipe(mem, sizeof(mem));
	return true;
}

void keys_serve_forget(uint32_t relay, uint32_t flow)
{
	struct serve *s = find(relay, flow);

	if (s)
		forget(s);
}

void keys_serve_lose(uint32_t relay)
{
	for (size_t i = 0; i < SERVES; i++)
		if (serves[i].used && serves[i].relay == relay)
			forget(&serves[i]);
}

bool keys_serve_work(void)
{
	static size_t at;

	for (size_t i = 0; working > 0 && i < SERVES; i++) {
		struct serve *s = &serves[at++ % SERVES];
		uint8_t mem[SASL_TEXT_MAX];
		struct buf out;

		if (!s->works)
			continue;
		buf_init(&out, mem, sizeof(mem));
		answer(s, sasl_server_work(&s->sasl, ROUNDS, &out), &out);
		wipe(mem, sizeof(mem));
		break;
	}
	return working > 0;
}

bool keys_serve_asks(struct span text)
{
	for (size_t i = 0; i < SERVES; i++)
		if (serves[i].used && sasl_server_asks(&serves[i].sasl, text))
			return true;
	return false;
}
