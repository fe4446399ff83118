/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NTLM between our two ends, with somebody in between who wants it weaker (A28),
 * and with ends that know less. tests/net/test_auth_ntlm.py has the ends that
 * are not ours.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "sasl_pair.h"
#include "hex.h"

static struct sp p;

static void set_up(bool seal)
{
	sp_init(&p, AUTH_NTLM);
	p.client_ask.seal = p.server_ask.seal = seal;
}

static void runs(int want)
{
	bool by_client;
	int r = sp_run(&p, &by_client);

	if (r != want)
		fail_msg("%d by the %s, not %d", r,
			 by_client ? "client" : "server", want);
}

static void agreed(uint32_t with, uint32_t without, bool v2, uint16_t bits)
{
	assert_int_equal(p.client_got.ntlm_flags & with, with);
	assert_int_equal(p.client_got.ntlm_flags & without, 0);
	assert_int_equal(p.client_got.ntlm_v2, v2);
	assert_int_equal(p.client_got.bits, bits);
	assert_int_equal(p.server_got.bits, bits);
	assert_int_equal(p.server_got.ntlm_v2, v2);
	assert_memory_equal(p.client_got.key, p.server_got.key, SASL_KEY);
}

static void modern(void **state)
{
	(void)state;
	for (int seal = 0; seal < 2; seal++) {
		for (int initial = 0; initial < 2; initial++) {
			set_up(seal);
			p.initial = initial;
			runs(OK);
			agreed(NTLM_ESS | NTLM_128 | NTLM_KEY_EXCH |
				       NTLM_TARGET_INFO | NTLM_UNICODE,
			       NTLM_LM_KEY | NTLM_OEM, true, seal ? 128 : 0);
		}
	}
	assert_true(span_eq(sasl_server_user(&p.s), SPAN_LIT("Domain\\User")));
}

static void wrong_password_or_nobody(void **state)
{
	(void)state;
	set_up(true);
	p.known = sp_who("Domain", "User", "password");
	runs(E_PEER_PROOF);
	set_up(true);
	p.decoy = true;
	runs(E_PEER_PROOF);
}

/* The user's name in capitals is what counts, the domain as it is sent. */
static void names(void **state)
{
	static const char *const users[] = { "user", "USER", "\xc3\xbcser",
					     "\xd0\xb6" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		set_up(true);
		p.who = p.known = sp_who("", users[i], "p\xc3\xa4ss");
		runs(OK);
		assert_true(
			span_eq(sasl_server_user(&p.s), span_str(users[i])));
	}
}

/* --- somebody in between --------------------------------------------------------- */
static void flip(struct sp *q, unsigned i)
{
	if (i == (unsigned)(q->arg >> 16))
		q->message[i][(q->arg & 0xffff) / 8] ^= (uint8_t)(1 << (q->arg &
									7));
}

/* Each bit of each message: somebody notices, or nobody would have read it. */
static void every_bit(void **state)
{
	unsigned unread = 0;

	(void)state;
	for (long i = 0; i < 3; i++) {
		size_t n;
		bool by_client;

		set_up(true);
		runs(OK);
		n = p.message_n[i];
		for (size_t bit = 0; bit < 8 * n; bit++) {
			set_up(true);
			p.between = flip;
			p.arg = i << 16 | (long)bit;
			unread += sp_run(&p, &by_client) == OK;
		}
	}
	assert_int_equal(unread, 0);
}

static void strip(struct sp *q, unsigned i)
{
	if (i < 2) {
		uint8_t *at = q->message[i] + (i == 0 ? 12 : 20);

		put_le32(at, get_le32(at) & ~(uint32_t)q->arg);
	}
}

static void flags_stripped(void **state)
{
	static const uint32_t all[] = { NTLM_ESS,	    NTLM_128,
					NTLM_SEAL,	    NTLM_SIGN,
					NTLM_KEY_EXCH,	    NTLM_TARGET_INFO,
					NTLM_UNICODE,	    NTLM_NTLM,
					NTLM_ESS | NTLM_128 };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool by_client;

		/* both offer and answer, so that neither looks odd */
		set_up(true);
		p.between = strip;
		p.arg = (long)all[i];
		assert_true(sp_run(&p, &by_client) < 0);
		/* and what the one who strips cannot mend: the MIC */
		set_up(false);
		p.between = strip;
		p.arg = (long)NTLM_ALWAYS_SIGN;
		assert_int_equal(sp_run(&p, &by_client), E_PEER_PROOF);
	}
}

/* "Drop the MIC": zeros in its place, or a T3 without one. */
static void drop_mic(struct sp *q, unsigned i)
{
	if (i != 2)
		return;
	if (q->arg == 0) {
		memset(q->message[i] + NTLM_MIC_AT, 0, NTLM_MIC);
		return;
	}
	/* All fields 24 octets nearer, as if there were no version and MIC. */
	for (size_t at = 12; at < 60; at += 8)
		put_le32(q->message[i] + at + 4,
			 get_le32(q->message[i] + at + 4) - 24);
	memmove(q->message[i] + 64, q->message[i] + 88, q->message_n[i] - 88);
	q->message_n[i] -= 24;
}

static void mic_dropped(void **state)
{
	(void)state;
	for (long how = 0; how < 2; how++) {
		set_up(true);
		p.between = drop_mic;
		p.arg = how;
		runs(E_PEER_PROOF);
		/* a server that takes old clients sees that this is none */
		set_up(true);
		p.server_ask.legacy = true;
		p.between = drop_mic;
		p.arg = how;
		runs(E_PEER_PROOF);
	}
}

static void binding(void **state)
{
	struct logon_binding tls = { .endpoint_n = 32,
				     .endpoint = "a certificate" };

	(void)state;
	set_up(false);
	p.client_ask.binding = p.server_ask.binding = tls;
	runs(OK);
	/* another certificate: somebody has two connections */
	p.client_ask.binding.endpoint[3] ^= 1;
	p.sent = 0;
	runs(E_PEER_PROOF);
	assert_true(sasl_server_misbound(&p.s));
	/* the same, into a connection of ours that is in clear */
	set_up(false);
	p.client_ask.binding = tls;
	runs(E_PEER_PROOF);
	assert_true(sasl_server_misbound(&p.s));
	/* one that does not know the password: who it is bound to is no matter */
	set_up(false);
	p.client_ask.binding = p.server_ask.binding = tls;
	p.client_ask.binding.endpoint[3] ^= 1;
	p.known.password[0] ^= 1;
	runs(E_PEER_PROOF);
	assert_false(sasl_server_misbound(&p.s));
}

/* A client that says nothing of TLS, or zero, as many do. */
static void without_a_binding(void **state)
{
	const struct logon_binding tls = { .endpoint_n = 32,
					   .endpoint = "a certificate" };

	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		set_up(false);
		p.server_ask.binding = tls;
		p.own_terms = true;
		p.terms = (struct logon_terms){ .bound = asked,
						.min_bits = 128 };
		runs(asked ? E_PEER_PROOF : OK);
		assert_false(sasl_server_misbound(&p.s));
		assert_false(p.server_got.bound);
	}
	/* and one that says it, where it is asked for */
	set_up(false);
	p.client_ask.binding = p.server_ask.binding = tls;
	p.own_terms = true;
	p.terms = (struct logon_terms){ .bound = true, .min_bits = 128 };
	runs(OK);
	assert_true(p.server_got.bound);
	/* NTLMv1 cannot say it */
	set_up(false);
	p.client_ask.binding = p.server_ask.binding = tls;
	p.client_ask.legacy = p.server_ask.legacy = true;
	p.own_terms = true;
	p.terms = (struct logon_terms){ .bound = true,
					.legacy = true,
					.min_bits = 40 };
	p.between = strip;
	p.arg = (long)(NTLM_ESS | NTLM_TARGET_INFO);
	runs(E_PEER_WEAK);
}

/* --- ends that know less ---------------------------------------------------------- */
static void min_bits(void **state)
{
	(void)state;
	/* the server knows 56, the client wants 128 */
	set_up(true);
	p.between = strip;
	p.arg = (long)NTLM_128;
	runs(E_PEER_WEAK);
	set_up(true);
	p.client_ask.min_bits = p.server_ask.min_bits = 56;
	runs(OK);
	agreed(NTLM_128 | NTLM_56, 0, true, 128);
}

/* What NT 4 and Exchange 5.5 answer (Q262945): no attributes, no extended
 * security, the LM key. */
static int with_nt4(struct sasl_ask ask, const char *password, struct buf *b)
{
	static const char t2[] =
		"TlRMTVNTUAACAAAADgAOADAAAAC1ggFAkDTQvqfglJ8AAAAAAAAAAAAAAAA+"
		"AAAAVABJAE0ARABPAEYAVQA=";
	static uint8_t mem[SASL_TEXT_MAX];
	struct sasl_secret who = sp_who("TIMDOFU", "administrator", password);
	struct sasl_client c;
	int r;

	buf_init(b, mem, sizeof(mem));
	assert_int_equal(sasl_client_begin(&c, &ask, &who), OK);
	assert_int_equal(sasl_client_first(&c, 490, b), 1);
	buf_cut(b, 0);
	r = sasl_client_challenge(&c, span_str(t2), b);
	if (r == OK) {
		struct sasl_outcome o;

		assert_int_equal(sasl_client_done(&c, &o), OK);
		assert_int_equal(o.bits, ask.seal ? 40 : 0);
		assert_false(o.ntlm_v2);
		assert_int_equal(o.ntlm_flags & NTLM_ESS, 0);
	}
	sasl_client_wipe(&c);
	return r;
}

static void exchange_55(void **state)
{
	struct sasl_ask ask = { .mech = AUTH_NTLM, .seal = true };
	uint8_t raw[512];
	struct ntlm_t3 t3;
	struct buf b;
	size_t n;

	(void)state;
	/* only with both words in the settings */
	for (unsigned i = 0; i < 6; i++) {
		static const uint16_t bits[] = { 128, 56, 40 };

		ask.legacy = i < 3;
		ask.min_bits = bits[i % 3];
		assert_int_equal(with_nt4(ask, "Password", &b),
				 i == 2 ? OK : E_PEER_WEAK);
	}
	ask.legacy = true;
	ask.min_bits = 40;
	assert_int_equal(with_nt4(ask, "Password", &b), OK);
	assert_int_equal(base64_decode(raw, sizeof(raw), &n, buf_span(&b)), OK);
	assert_int_equal(ntlm_t3_parse(&t3, (struct span){ raw, n }), OK);
	assert_int_equal(t3.lm.n, 24);
	assert_int_equal(t3.nt.n, 24);
	assert_int_equal(t3.key.n, 16);
	assert_false(t3.mic);
	/* the key would be made of an LM hash, which this one does not have */
	assert_int_equal(with_nt4(ask, "a password of more than 14", &b),
			 E_CONF);
	/* never without a seal on it where none is asked for */
	ask.seal = false;
	ask.legacy = false;
	assert_int_equal(with_nt4(ask, "Password", &b), E_PEER_WEAK);
}

/* Both ends of ours, one of them of 1997. */
static void legacy_pairs(void **state)
{
	static const struct {
		uint32_t strip, with, without;
		bool v2;
		uint16_t bits;
	} all[] = {
		{ NTLM_ESS | NTLM_TARGET_INFO, NTLM_LM_KEY, NTLM_ESS, false,
		  56 },
		{ NTLM_ESS | NTLM_TARGET_INFO | NTLM_56, NTLM_LM_KEY, NTLM_ESS,
		  false, 40 },
		{ NTLM_ESS | NTLM_LM_KEY | NTLM_TARGET_INFO, 0,
		  NTLM_ESS | NTLM_LM_KEY, false, 128 },
		{ NTLM_ESS | NTLM_TARGET_INFO | NTLM_UNICODE, NTLM_OEM,
		  NTLM_UNICODE, false, 56 },
		{ NTLM_TARGET_INFO | NTLM_128, NTLM_ESS, NTLM_LM_KEY, false,
		  56 },
		/* found out even here where there is a MIC */
		{ NTLM_128, NTLM_ESS, 0, true, 56 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		set_up(true);
		p.client_ask.legacy = p.server_ask.legacy = true;
		p.client_ask.min_bits = p.server_ask.min_bits = 40;
		/* the one in between makes the other one old for each */
		p.between = strip;
		p.arg = (long)all[i].strip;
		if (all[i].v2) {
			runs(E_PEER_PROOF);
			continue;
		}
		runs(OK);
		agreed(all[i].with, all[i].without, all[i].v2, all[i].bits);
	}
}

/* A T3 of NTLMv1 for a server that asks for more. */
static void v1_is_refused(void **state)
{
	(void)state;
	set_up(true);
	p.client_ask.legacy = true;
	p.client_ask.min_bits = 40;
	p.between = strip;
	p.arg = (long)NTLM_TARGET_INFO;
	runs(E_PEER_WEAK);
}

/* What an account may do is known after T1: the offer of a seal was taken up, and
 * it is asked for now, or it was not meant. */
static void terms_of_the_account(void **state)
{
	(void)state;
	for (int seal = 0; seal < 2; seal++) {
		set_up(true);
		p.server_ask.seal = false;
		p.server_ask.seal_may = true;
		p.own_terms = true;
		p.terms = (struct logon_terms){ .seal = seal, .min_bits = 128 };
		/* many a client offers what it does not mean */
		runs(OK);
		assert_int_equal(p.server_got.bits, seal ? 128 : 0);
		/* a client that never asked */
		set_up(true);
		p.client_ask.seal = false;
		p.server_ask.seal = false;
		p.server_ask.seal_may = true;
		p.own_terms = true;
		p.terms = (struct logon_terms){ .seal = seal, .min_bits = 128 };
		runs(seal ? E_PEER_WEAK : OK);
	}
	/* old ways are for the account that has them */
	for (int legacy = 0; legacy < 2; legacy++) {
		set_up(true);
		p.client_ask.legacy = p.server_ask.legacy = true;
		p.client_ask.min_bits = 40;
		p.server_ask.min_bits = 40;
		p.own_terms = true;
		p.terms = (struct logon_terms){ .seal = true,
						.legacy = legacy,
						.min_bits = 56 };
		p.between = strip;
		p.arg = (long)(NTLM_ESS | NTLM_TARGET_INFO);
		runs(legacy ? OK : E_PEER_WEAK);
		p.sent = 0;
		p.terms.min_bits = 128;
		runs(E_PEER_WEAK);
	}
}

/* --- words instead of messages ---------------------------------------------------- */
static void prose(void **state)
{
	static const char *const words[] = {
		"ntlm supported", "NTLM supported", "NTLM", "", "==", "go on",
	};
	struct sasl_ask ask = { .mech = AUTH_NTLM, .min_bits = 128 };
	struct sasl_secret who = sp_who("D", "u", "p");
	uint8_t mem[SASL_TEXT_MAX];
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (int initial = 0; initial < 2; initial++) {
			struct sasl_client c;

			buf_init(&b, mem, sizeof(mem));
			assert_int_equal(sasl_client_begin(&c, &ask, &who), OK);
			assert_int_equal(
				sasl_client_first(&c, initial ? 490 : 0, &b),
				initial);
			buf_cut(&b, 0);
			assert_int_equal(sasl_client_challenge(
						 &c, span_str(words[i]), &b),
					 OK);
			assert_int_equal(buf_span(&b).n, 56);
			/* but once: then it is not a server that knows NTLM */
			buf_cut(&b, 0);
			assert_int_equal(sasl_client_challenge(
						 &c, span_str(words[i]), &b),
					 E_PEER_SYNTAX);
			assert_int_equal(buf_span(&b).n, 0);
			sasl_client_wipe(&c);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modern),
		cmocka_unit_test(wrong_password_or_nobody),
		cmocka_unit_test(names),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(flags_stripped),
		cmocka_unit_test(mic_dropped),
		cmocka_unit_test(binding),
		cmocka_unit_test(without_a_binding),
		cmocka_unit_test(min_bits),
		cmocka_unit_test(exchange_55),
		cmocka_unit_test(legacy_pairs),
		cmocka_unit_test(v1_is_refused),
		cmocka_unit_test(terms_of_the_account),
		cmocka_unit_test(prose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
