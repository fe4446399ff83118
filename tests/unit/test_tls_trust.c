/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificates, right ones and wrong ones (A07): each is shown by a real
 * server in both versions of TLS, and each level of policy says what it must.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy/policy.h"
#include "tls_peer.h"

/* Who signed the leaf, and what the server sends with it. */
enum chain {
	BY_ROOT,
	BY_ITSELF,
	BY_TRUSTED_ITSELF, /* self-signed, and in the list */
	BY_STRANGER,
	BY_NAMESAKE, /* subject of the root, another key */
	BY_MIDDLE,   /* an ordinary intermediate */
	MIDDLE_MISSING,
	MIDDLE_TWICE,
	MIDDLE_AFTER_JUNK,
	MIDDLE_AND_ROOT,
	MIDDLE_NO_CA,	 /* CA:FALSE */
	MIDDLE_NO_BASIC, /* says nothing about it */
	MIDDLE_V1,
	MIDDLE_NO_SIGN, /* keyUsage without keyCertSign */
	MIDDLE_EXPIRED,
	MIDDLE_FUTURE,
	MIDDLE_SHA1,
	MIDDLE_RSA1024,
	MIDDLE_ODD, /* critical extension that nobody knows */
	MIDDLE_NAMES,
	MIDDLE_NAMES_CRITICAL,
	MIDDLE_OF_STRANGER,
	MIDDLE_TOO_DEEP, /* the root allows no intermediate */
	IN_A_CIRCLE,	 /* two that signed each other */
	CHAINS
};

/* The verdict at level verify. */
enum want {
	GOOD,
	NAME = TLS_CERTIFICATE_HOST_MISMATCH,
	DATE = TLS_CERTIFICATE_EXPIRED,
	TRUST = TLS_CERTIFICATE_NOT_TRUSTED,
	WRONG = TLS_VALIDATION_FAILURE,
	/* the handshake does not even come to an end */
	FAILS = TLS_RESULTS,
};

#define LDH50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MX    "mx.example.com"

/* GeneralNames with one dNSName. */
#define DER(s) (const uint8_t *)(s), sizeof(s) - 1

static const struct row {
	const char *what;
	enum want want;
	enum chain chain;
	const char *match; /* NULL: MX */
	struct pki_want leaf;
} rows[] = {
	/* names */
	{ "the name", GOOD, 0, 0, { .san = "DNS:" MX } },
	{ "in capitals", GOOD, 0, 0, { .san = "DNS:MX.Example.COM" } },
	{ "the second name", GOOD, 0, 0, { .san = "DNS:a.example,DNS:" MX } },
	{ "behind an address", GOOD, 0, 0, { .san = "IP:192.0.2.1,DNS:" MX } },
	{ "another name", NAME, 0, 0, { .san = "DNS:mx.example.net" } },
	{ "a longer name", NAME, 0, 0, { .san = "DNS:mx.example.com.net" } },
	{ "a longer label", NAME, 0, 0, { .san = "DNS:amx.example.com" } },
	{ "below it", NAME, 0, 0, { .san = "DNS:a.mx.example.com" } },
	{ "the domain above", NAME, 0, 0, { .san = "DNS:example.com" } },
	{ "CN alone", NAME, 0, 0, { .cn = MX } },
	{ "CN, and another SAN",
	  NAME,
	  0,
	  0,
	  { .cn = MX, .san = "DNS:a.example" } },
	{ "CN, and an address",
	  NAME,
	  0,
	  0,
	  { .cn = MX, .san = "IP:192.0.2.1" } },
	{ "as a mail address", NAME, 0, 0, { .san = "email:a@" MX } },
	{ "as a URI", NAME, 0, 0, { .san = "URI:smtp://" MX } },
	{ "an address as a name", NAME, 0, 0, { .san = "DNS:192.0.2.1" } },
	{ "an address for an address",
	  NAME,
	  0,
	  "192.0.2.1",
	  { .san = "IP:192.0.2.1" } },
	{ "with a dot behind", NAME, 0, 0, { .san = "DNS:" MX "." } },
	{ "with a dot in front", NAME, 0, 0, { .san = "DNS:.example.com" } },
	{ "with a blank behind",
	  NAME,
	  0,
	  0,
	  { .san_der = DER("\x30\x11\x82\x0fmx.example.com ") } },
	{ "NUL and more",
	  NAME,
	  0,
	  0,
	  { .san_der = DER("\x30\x19\x82\x17mx.example.com\0.evil.ex") } },
	{ "NUL behind",
	  NAME,
	  0,
	  0,
	  { .san_der = DER("\x30\x11\x82\x0fmx.example.com\0") } },
	{ "an empty name", NAME, 0, 0, { .san_der = DER("\x30\x02\x82\0") } },
	{ "no name at all", NAME, 0, 0, { .san_der = DER("\x30\0") } },
	{ "A-labels",
	  GOOD,
	  0,
	  "xn--mnchen-3ya.example",
	  { .san = "DNS:xn--mnchen-3ya.example" } },
	{ "UTF-8 for A-labels",
	  NAME,
	  0,
	  "xn--mnchen-3ya.example",
	  { .san_der = DER("\x30\x12\x82\x10m\xc3\xbcnchen.example") } },
	{ "an underscore",
	  GOOD,
	  0,
	  "_a.example.com",
	  { .san = "DNS:_a.example.com" } },
	{ "longer than any name",
	  NAME,
	  0,
	  0,
	  { .san = "DNS:" LDH50 "." LDH50 "." LDH50 "." LDH50 "." LDH50
		   ".example.com,DNS:mx.example.net" } },
	/* wildcards */
	{ "*.example.com", GOOD, 0, 0, { .san = "DNS:*.example.com" } },
	{ "* for two labels",
	  NAME,
	  0,
	  "a.mx.example.com",
	  { .san = "DNS:*.example.com" } },
	{ "* for none",
	  NAME,
	  0,
	  "example.com",
	  { .san = "DNS:*.example.com" } },
	{ "*.com", NAME, 0, "example.com", { .san = "DNS:*.com" } },
	{ "*", NAME, 0, 0, { .san = "DNS:*" } },
	{ "m*", NAME, 0, 0, { .san = "DNS:m*.example.com" } },
	{ "*x", NAME, 0, 0, { .san = "DNS:*x.example.com" } },
	{ "* in the middle", NAME, 0, 0, { .san = "DNS:mx.*.com" } },
	{ "two of them", NAME, 0, 0, { .san = "DNS:*.*.com" } },
	{ "* within A-labels",
	  NAME,
	  0,
	  "xn--mnchen-3ya.example.com",
	  { .san = "DNS:xn--*.example.com" } },
	/* dates */
	{ "until yesterday",
	  DATE,
	  0,
	  0,
	  { .san = "DNS:" MX, .from = -9 * DAY, .to = -DAY } },
	{ "from tomorrow", DATE, 0, 0, { .san = "DNS:" MX, .from = DAY } },
	{ "for a minute more", GOOD, 0, 0, { .san = "DNS:" MX, .to = 60 } },
	{ "beyond 2049", GOOD, 0, 0, { .san = "DNS:" MX, .to = 12000L * DAY } },
	/* who signed */
	{ "itself", TRUST, BY_ITSELF, 0, { .san = "DNS:" MX } },
	{ "itself, trusted", GOOD, BY_TRUSTED_ITSELF, 0, { .san = "DNS:" MX } },
	{ "a stranger", TRUST, BY_STRANGER, 0, { .san = "DNS:" MX } },
	{ "a namesake", TRUST, BY_NAMESAKE, 0, { .san = "DNS:" MX } },
	{ "an intermediate", GOOD, BY_MIDDLE, 0, { .san = "DNS:" MX } },
	{ "a missing one", TRUST, MIDDLE_MISSING, 0, { .san = "DNS:" MX } },
	{ "sent twice", GOOD, MIDDLE_TWICE, 0, { .san = "DNS:" MX } },
	{ "behind junk", GOOD, MIDDLE_AFTER_JUNK, 0, { .san = "DNS:" MX } },
	{ "with the root", GOOD, MIDDLE_AND_ROOT, 0, { .san = "DNS:" MX } },
	{ "no CA", TRUST, MIDDLE_NO_CA, 0, { .san = "DNS:" MX } },
	{ "no word of a CA", TRUST, MIDDLE_NO_BASIC, 0, { .san = "DNS:" MX } },
	{ "version 1", TRUST, MIDDLE_V1, 0, { .san = "DNS:" MX } },
	{ "may not sign", TRUST, MIDDLE_NO_SIGN, 0, { .san = "DNS:" MX } },
	{ "expired", DATE, MIDDLE_EXPIRED, 0, { .san = "DNS:" MX } },
	{ "not yet valid", DATE, MIDDLE_FUTURE, 0, { .san = "DNS:" MX } },
	{ "by SHA-1", WRONG, MIDDLE_SHA1, 0, { .san = "DNS:" MX } },
	{ "RSA 1024", WRONG, MIDDLE_RSA1024, 0, { .san = "DNS:" MX } },
	{ "odd and critical", FAILS, MIDDLE_ODD, 0, { .san = "DNS:" MX } },
	{ "name constraints", WRONG, MIDDLE_NAMES, 0, { .san = "DNS:" MX } },
	{ "critical ones",
	  FAILS,
	  MIDDLE_NAMES_CRITICAL,
	  0,
	  { .san = "DNS:" MX } },
	{ "of a stranger", TRUST, MIDDLE_OF_STRANGER, 0, { .san = "DNS:" MX } },
	{ "too deep", TRUST, MIDDLE_TOO_DEEP, 0, { .san = "DNS:" MX } },
	{ "in a circle", TRUST, IN_A_CIRCLE, 0, { .san = "DNS:" MX } },
	/* what it is for */
	{ "for servers",
	  GOOD,
	  0,
	  0,
	  { .san = "DNS:" MX, .eku = "serverAuth" } },
	{ "for anything",
	  GOOD,
	  0,
	  0,
	  { .san = "DNS:" MX, .eku = "anyExtendedKeyUsage" } },
	{ "for clients",
	  WRONG,
	  0,
	  0,
	  { .san = "DNS:" MX, .eku = "clientAuth" } },
	{ "for mail",
	  WRONG,
	  0,
	  0,
	  { .san = "DNS:" MX, .eku = "emailProtection" } },
	{ "to sign",
	  GOOD,
	  0,
	  0,
	  { .san = "DNS:" MX, .ku = "critical,digitalSignature" } },
	{ "to encrypt keys",
	  WRONG,
	  0,
	  0,
	  { .san = "DNS:" MX, .ku = "critical,keyEncipherment" } },
	{ "to sign others",
	  WRONG,
	  0,
	  0,
	  { .san = "DNS:" MX, .ku = "critical,keyCertSign" } },
	{ "a CA itself",
	  GOOD,
	  0,
	  0,
	  { .san = "DNS:" MX, .basic = "critical,CA:TRUE" } },
	{ "odd and not critical", GOOD, 0, 0, { .san = "DNS:" MX, .odd = "" } },
	{ "odd and critical",
	  FAILS,
	  0,
	  0,
	  { .san = "DNS:" MX, .odd = "critical" } },
	{ "version 1", NAME, 0, 0, { .cn = MX, .v1 = true } },
	/* how strong */
	{ "RSA 2048", GOOD, 0, 0, { .san = "DNS:" MX, .key = PKI_RSA } },
	{ "RSA 1024", WRONG, 0, 0, { .san = "DNS:" MX, .key = PKI_RSA1024 } },
	{ "Ed25519", FAILS, 0, 0, { .san = "DNS:" MX, .key = PKI_ED } },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct peer peer;
static unsigned wrong;

/* --- chains ------------------------------------------------------------------ */
struct world {
	struct pki_cert root, flat, stranger, middle, junk, leaf;
	const struct pki_cert *sent[2];
	struct tls_trust *trust;
};

static struct pki_want middle_of(enum chain c)
{
	struct pki_want w = { .cn = "the intermediate",
			      .key = PKI_EC2,
			      .basic = "critical,CA:TRUE",
			      .ku = "critical,keyCertSign" };

	if (c == MIDDLE_NO_CA)
		w.basic = "critical,CA:FALSE";
	if (c == MIDDLE_NO_BASIC)
		w.basic = NULL;
	if (c == MIDDLE_V1)
		w.v1 = true;
	if (c == MIDDLE_NO_SIGN)
		w.ku = "critical,digitalSignature";
	if (c == MIDDLE_EXPIRED)
		w.from = -9 * DAY, w.to = -DAY;
	if (c == MIDDLE_FUTURE)
		w.from = DAY;
	if (c == MIDDLE_SHA1)
		w.md = EVP_sha1();
	if (c == MIDDLE_RSA1024)
		w.key = PKI_RSA1024;
	if (c == MIDDLE_ODD)
		w.odd = "critical";
	if (c == MIDDLE_NAMES)
		w.names = "permitted;DNS:example.com";
	if (c == MIDDLE_NAMES_CRITICAL)
		w.names = "critical,permitted;DNS:example.com";
	return w;
}

static const struct pki_cert *signer(struct world *w, enum chain c)
{
	struct pki_want m = middle_of(c);

	if (c == BY_ITSELF || c == BY_TRUSTED_ITSELF)
		return NULL;
	if (c == BY_STRANGER)
		return &w->stranger;
	if (c == BY_ROOT)
		return &w->root;
	if (c == BY_NAMESAKE)
		w->middle = pki_make(&(struct pki_want){ .cn = "the root",
							 .key = PKI_EC2,
							 .basic = "CA:TRUE" },
				     NULL);
	else if (c == MIDDLE_OF_STRANGER || c == IN_A_CIRCLE)
		w->middle = pki_make(&m, &w->stranger);
	else if (c == MIDDLE_TOO_DEEP)
		w->middle = pki_make(&m, &w->flat);
	else
		w->middle = pki_make(&m, &w->root);
	if (c == IN_A_CIRCLE)
		w->junk = pki_make(&(struct pki_want){ .cn = "a stranger",
						       .basic = "CA:TRUE" },
				   &w->middle);
	return &w->middle;
}

static void send_with(struct world *w, enum chain c)
{
	if (c < BY_NAMESAKE || c == MIDDLE_MISSING)
		return;
	w->sent[0] = &w->middle;
	if (c == MIDDLE_TWICE)
		w->sent[1] = &w->middle;
	if (c == MIDDLE_AND_ROOT)
		w->sent[1] = &w->root;
	if (c == IN_A_CIRCLE)
		w->sent[1] = &w->junk;
	if (c == MIDDLE_AFTER_JUNK) {
		w->sent[0] = &w->stranger;
		w->sent[1] = &w->middle;
	}
}

static char *joined(char *a, char *b)
{
	size_t n = strlen(a), m = strlen(b);

	a = realloc(a, n + m + 1);
	memcpy(a + n, b, m + 1);
	free(b);
	return a;
}

static void build(struct world *w, const struct row *r, uint64_t floor_s)
{
	unsigned bad;
	char *list;

	memset(w, 0, sizeof(*w));
	w->root = pki_ca("the root", NULL);
	w->stranger = pki_ca("a stranger", NULL);
	w->flat = pki_make(&(struct pki_want){ .cn = "the flat root",
					       .basic = "CA:TRUE,pathlen:0",
					       .ku = "keyCertSign" },
			   NULL);
	w->leaf = pki_make(&r->leaf, signer(w, r->chain));
	send_with(w, r->chain);
	list = joined(pki_pem(&w->root), pki_pem(&w->flat));
	if (r->chain == BY_TRUSTED_ITSELF)
		list = joined(list, pki_pem(&w->leaf));
	w->trust = tls_trust_new(span_str(list), floor_s, &bad);
	assert_non_null(w->trust);
	free(list);
}

static void destroy(struct world *w)
{
	tls_trust_free(w->trust);
	pki_free(&w->root);
	pki_free(&w->flat);
	pki_free(&w->stranger);
	pki_free(&w->leaf);
	if (w->middle.x)
		pki_free(&w->middle);
	if (w->junk.x)
		pki_free(&w->junk);
}

/* --- verdicts ---------------------------------------------------------------- */
static struct verdict judge(enum level level, const struct channel *ch,
			    const char *match, const uint8_t *pin)
{
	struct policy_rule rule = { .name = SPAN_LIT("p.example"),
				    .level = level,
				    .min_tls = 0x0303,
				    .match = { span_str(match) },
				    .match_n = 1,
				    .pin = { pin },
				    .pin_n = pin ? 1 : 0 };
	struct endpoint mx = ch->server;

	return policy_decide(&rule, ch, false, span_str(match), &mx);
}

static void check(const struct row *r, const struct channel *ch)
{
	const char *match = r->match ? r->match : MX;
	struct verdict v = judge(LEVEL_VERIFY, ch, match, NULL);
	uint8_t other[32];
	bool good = v.decision == DECISION_PASS;

	if (r->want == FAILS) {
		print_error("%s: the handshake went through\n", r->what);
		wrong++;
		return;
	}
	if (good != (r->want == GOOD) ||
	    (!good && v.result != (enum tls_result)r->want))
		wrong++, print_error("%s: %s, chain %s\n", r->what,
				     good ? "accepted"
					  : tls_result_name(v.result),
				     tls_result_name(ch->chain));
	if (!good) {
		assert_int_equal(v.decision, DECISION_REFUSE);
		assert_true(strlen(v.why) > 5);
	}
	/* whoever it is, it is encrypted; and a pin asks for the key alone */
	v = judge(LEVEL_ENCRYPT, ch, match, NULL);
	assert_int_equal(v.decision, DECISION_PASS);
	v = judge(LEVEL_PIN, ch, match, ch->spki_sha256);
	assert_int_equal(v.decision, DECISION_PASS);
	memcpy(other, ch->spki_sha256, 32);
	other[31] ^= 1;
	v = judge(LEVEL_PIN, ch, match, other);
	assert_int_equal(v.decision, DECISION_REFUSE);
}

static void meet(struct world *w, const struct row *r, int version,
		 struct channel *ch)
{
	struct peer_want want = { .min = version,
				  .max = version,
				  .cert = &w->leaf,
				  .via = w->sent[0] };
	struct tls_engine *e = tls_client_new(w->trust, SPAN_LIT(MX), NULL);

	peer_init(&peer, &want);
	if (w->sent[1])
		SSL_add1_chain_cert(peer.ssl, w->sent[1]->x);
	peer_shake(&peer, e, SIZE_MAX);
	memset(ch, 0, sizeof(*ch));
	tls_engine_channel(e, ch);
	/* OpenSSL itself does not use a key for what it is not for */
	if (tls_engine_state(e) != TLS_UP && r->want != FAILS &&
	    !(r->leaf.ku && strstr(ch->why, "alert")))
		wrong++,
			print_error("%s: no handshake: %s\n", r->what, ch->why);
	tls_engine_free(e);
	peer_done(&peer);
}

static void every_row_in_both_versions(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	assert_true(ROWS > 60);
	for (size_t i = 0; i < ROWS; i++) {
		struct world w;

		build(&w, &rows[i], 0);
		for (size_t v = 0; v < 2; v++) {
			struct channel ch;

			meet(&w, &rows[i], versions[v], &ch);
			if (ch.tls)
				check(&rows[i], &ch);
			else
				assert_true(strlen(ch.why) > 10);
		}
		destroy(&w);
	}
	assert_int_equal(wrong, 0);
}

/* A renewed certificate for the old key has the old pin; a new key has not. */
static void a_pin_is_the_key_and_nothing_else(void **state)
{
	static const struct row is[] = {
		{ "first", GOOD, BY_ROOT, NULL, { .san = "DNS:" MX } },
		{ "renewed",
		  GOOD,
		  BY_MIDDLE,
		  NULL,
		  { .san = "DNS:a.example" } },
		{ "new key",
		  GOOD,
		  BY_ROOT,
		  NULL,
		  { .san = "DNS:" MX, .key = PKI_EC2 } },
	};
	struct channel ch[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world w;

		build(&w, &is[i], 0);
		meet(&w, &is[i], TLS1_3_VERSION, &ch[i]);
		destroy(&w);
	}
	assert_memory_equal(ch[0].spki_sha256, ch[1].spki_sha256, 32);
	assert_memory_not_equal(ch[0].spki_sha256, ch[2].spki_sha256, 32);
}

/* Last: the floor of a process only rises. A clock that was set back does not
 * bring an expired certificate to life. */
static void the_floor_is_the_earliest_now(void **state)
{
	static const struct row r = {
		"ninety days", DATE, BY_ROOT, NULL, { .san = "DNS:" MX }
	};
	struct channel ch;
	struct world w;

	(void)state;
	build(&w, &r, (uint64_t)time(NULL) + 100 * DAY);
	meet(&w, &r, TLS1_3_VERSION, &ch);
	assert_int_equal(ch.chain, TLS_CERTIFICATE_EXPIRED);
	destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_in_both_versions),
		cmocka_unit_test(a_pin_is_the_key_and_nothing_else),
		cmocka_unit_test(the_floor_is_the_earliest_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
