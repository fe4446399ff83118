/* SPDX-License-Identifier: BSD-2-Clause */
/* The primitives of log-ons by the vectors of their own documents; base64 by
 * what is not in it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "auth/base64.h"
#include "auth/digest.h"
#include "auth/utf16.h"
#include "hex.h"
#include "packet.h"

static void hash(enum digest d, const char *in, const char *want)
{
	uint8_t out[DIGEST_MAX];
	size_t half = strlen(in) / 2;
	const struct span whole = span_str(in);
	const struct span two[] = { { whole.p, half }, span_skip(whole, half) };

	assert_int_equal(digest(d, &whole, 1, out), OK);
	HEX_EQUAL(out, want);
	assert_int_equal(digest(d, two, 2, out), OK);
	HEX_EQUAL(out, want);
	assert_int_equal(digest_size(d) * 2, strlen(want));
}

static void digests(void **state)
{
	(void)state;
	/* RFC 1320 A.5 */
	hash(DIGEST_MD4, "", "31d6cfe0d16ae931b73c59d7e0c089c0");
	hash(DIGEST_MD4, "abc", "a448017aaf21d8525fc10ae87aa6729d");
	hash(DIGEST_MD4,
	     "1234567890123456789012345678901234567890123456789012345678901234"
	     "5678901234567890",
	     "e33b4ddc9c38f2199c3e7b164fcc0536");
	/* RFC 1321 A.5 */
	hash(DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e");
	hash(DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0");
	/* RFC 3174 7.3 */
	hash(DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
	/* FIPS 180-2 B.1 */
	hash(DIGEST_SHA256, "abc",
	     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void md4_of_a_long_text(void **state)
{
	static uint8_t text[10000];
	struct span part = { text, sizeof(text) };
	uint8_t whole[16], pieces[16];
	struct span cut[3] = { { text, 4095 }, { text, 2 }, { text, 5903 } };

	(void)state;
	assert_int_equal(digest(DIGEST_MD4, &part, 1, whole), OK);
	assert_int_equal(digest(DIGEST_MD4, cut, 3, pieces), OK);
	assert_memory_equal(whole, pieces, 16);
}

/* RFC 2202, RFC 4231 */
static void hmacs(void **state)
{
	const struct span what = SPAN_LIT("what do ya want for nothing?");
	const struct span none = { NULL, 0 };
	uint8_t out[DIGEST_MAX];

	(void)state;
	assert_int_equal(
		digest_hmac(DIGEST_MD5, SPAN_LIT("Jefe"), &what, 1, out), OK);
	HEX_EQUAL(out, "750c783e6ab0b503eaa86e310a5db738");
	assert_int_equal(
		digest_hmac(DIGEST_SHA1, SPAN_LIT("Jefe"), &what, 1, out), OK);
	HEX_EQUAL(out, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	assert_int_equal(
		digest_hmac(DIGEST_SHA256, SPAN_LIT("Jefe"), &what, 1, out),
		OK);
	HEX_EQUAL(out, "5bdcc146bf60754e6a042426089575c7"
		       "5a003f089d2739839dec58b964ec3843");
	/* an empty key, an empty text */
	assert_int_equal(digest_hmac(DIGEST_MD5, none, &none, 1, out), OK);
	HEX_EQUAL(out, "74e6f7298a9c2d168935f58c001bad88");
}

/* RFC 6070, with any number of rounds at once */
static void pbkdf2_in_pieces(void **state)
{
	const struct span password = SPAN_LIT("password");
	struct pbkdf2 p;
	uint32_t steps = 0;

	(void)state;
	for (uint32_t at_once = 1; at_once < 5000; at_once *= 7) {
		assert_int_equal(pbkdf2_begin(&p, DIGEST_SHA1, password,
					      SPAN_LIT("salt"), 4096),
				 OK);
		steps = 0;
		while (pbkdf2_step(&p, password, at_once) == E_AGAIN)
			steps++;
		assert_int_equal(steps, 4094 / at_once);
		HEX_EQUAL(p.t, "4b007901b765489abead49d926f721d065a429c1");
	}
	assert_int_equal(
		pbkdf2_begin(&p, DIGEST_SHA1, password, SPAN_LIT("salt"), 1),
		OK);
	assert_int_equal(pbkdf2_step(&p, password, 1), OK);
	HEX_EQUAL(p.t, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
}

static void des_and_rc4(void **state)
{
	/* FIPS 81: 0123456789abcdef without its parity bits */
	const struct hex key = hex_of("00451338957377");
	uint8_t out[8], text[] = "Plaintext";
	struct rc4 r;

	(void)state;
	assert_int_equal(des_block(key.b, (const uint8_t *)"Now is t", out),
			 OK);
	HEX_EQUAL(out, "3fa40e8a984d4815");
	rc4_init(&r, SPAN_LIT("Key"));
	rc4_crypt(&r, text, 4);
	rc4_crypt(&r, text + 4, 5);
	HEX_EQUAL(text, "bbf316e8d940af0ad3");
}

/* --- base64 ----------------------------------------------------------------------- */
static void good(const char *clear, const char *text)
{
	uint8_t mem[128];
	size_t n;
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	assert_int_equal(base64_encode(&b, span_str(clear)), OK);
	assert_true(span_eq(buf_span(&b), span_str(text)));
	/* room to the octet, and one too few: nothing */
	buf_init(&b, mem, strlen(text));
	assert_int_equal(base64_encode(&b, span_str(clear)), OK);
	if (text[0]) {
		buf_init(&b, mem, strlen(text) - 1);
		assert_int_equal(base64_encode(&b, span_str(clear)), E_FULL);
		assert_int_equal(buf_span(&b).n, 0);
	}
	assert_int_equal(
		base64_decode(mem, strlen(clear), &n, pk_guard(span_str(text))),
		OK);
	assert_true(span_eq((struct span){ mem, n }, span_str(clear)));
	if (clear[0])
		assert_int_equal(base64_decode(mem, strlen(clear) - 1, &n,
					       span_str(text)),
				 E_FULL);
}

static void base64_vectors(void **state)
{
	(void)state;
	/* RFC 4648 10 */
	good("", "");
	good("f", "Zg==");
	good("fo", "Zm8=");
	good("foo", "Zm9v");
	good("foob", "Zm9vYg==");
	good("fooba", "Zm9vYmE=");
	good("foobar", "Zm9vYmFy");
	good("\xff\xef\xfb\xef\xbe", "/+/7774=");
}

static void base64_is_strict(void **state)
{
	static const char *const bad[] = {
		"Z",	    "Zg",	"Zg=",	 "Zg===",    "====",
		"=",	    "Zg==Zg==", "Zm=9",	 "Z===",     "=Zg=",
		"Zh==",	    "Zm9=",	" Zg==", "Zg== ",    "Zg==\r\n",
		"Zm9v\n",   "Zm-_",	"Zm 9v", "Zm9v\x80", "\xc3\xa4\xc3\xa4",
		"Zm9vYg=a", "Zg==Zm9v", "A=AA",
	};
	uint8_t out[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (base64_decode(out, sizeof(out), &n, span_str(bad[i])) !=
		    E_PEER_SYNTAX)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(n, 0);
	}
	/* NUL is no character either */
	assert_int_equal(
		base64_decode(out, sizeof(out), &n,
			      (struct span){ (const uint8_t *)"Zm\0v", 4 }),
		E_PEER_SYNTAX);
}

/* 256 octets in each place: as many are taken as the alphabet has. */
static void base64_alphabet(void **state)
{
	uint8_t text[4], out[3];
	size_t n;

	(void)state;
	for (size_t at = 0; at < 4; at++) {
		unsigned taken = 0;

		memcpy(text, "AAAA", 4);
		for (unsigned c = 0; c < 256; c++) {
			text[at] = (uint8_t)c;
			taken += base64_decode(out, 3, &n,
					       (struct span){ text, 4 }) == OK;
		}
		assert_int_equal(taken, at == 3 ? 65 : 64);
	}
}

/* --- UTF-16 ----------------------------------------------------------------------- */
static void wide(const char *utf8, bool upper, const char *want)
{
	uint8_t out[64], back[64];
	size_t n, m;

	assert_int_equal(utf16_from(out, sizeof(out), &n,
				    pk_guard(span_str(utf8)), upper),
			 OK);
	assert_int_equal(n * 2, strlen(want));
	HEX_EQUAL(out, want);
	if (n > 0)
		assert_int_equal(
			utf16_from(out, n - 1, &m, span_str(utf8), upper),
			E_FULL);
	if (upper)
		return;
	assert_int_equal(utf16_from(out, n, &n, span_str(utf8), upper), OK);
	assert_int_equal(
		utf16_to(back, strlen(utf8), &m, (struct span){ out, n }), OK);
	assert_true(span_eq((struct span){ back, m }, span_str(utf8)));
}

static void names(void **state)
{
	(void)state;
	wide("", false, "");
	wide("User", false, "5500730065007200");
	wide("User", true, "5500530045005200");
	/* u-umlaut, sharp s (has no single capital), Omega with and without
	 * tonos, final sigma, Cyrillic, an emoji */
	wide("\xc3\xbc\xc3\x9f", true, "dc00df00");
	wide("\xcf\x89\xcf\x8e\xcf\x82", true, "a9038f03c203");
	wide("\xd0\xb6\xd1\x91", true, "16040104");
	wide("\xc3\xbf\xc4\x81\xc5\xbe", true, "780100017d01");
	wide("\xf0\x9f\x93\xa7", true, "3dd8e7dc");
	wide("\xf0\x9f\x93\xa7\xe2\x82\xac\xc3\xa4z", false,
	     "3dd8e7dcac20e4007a00");
}

static void what_is_not_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xff",
		"\xc3",
		"\xc3(",
		"\xc0\xaf",
		"\xe0\x80\xaf",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xf0\x9f\x93",
		"a\xe2\x82",
		"\xf8\x88\x80\x80\x80",
	};
	static const char *const half[] = { "00d8", "00dc", "00d80000",
					    "00d800d8", "410000" };
	uint8_t out[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(utf16_from(out, sizeof(out), &n,
					    pk_guard(span_str(bad[i])), false),
				 E_PEER_SYNTAX);
	for (size_t i = 0; i < sizeof(half) / sizeof(half[0]); i++) {
		const struct hex h = hex_of(half[i]);

		assert_int_equal(utf16_to(out, sizeof(out), &n,
					  pk_guard((struct span){ h.b, h.n })),
				 E_PEER_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(md4_of_a_long_text),
		cmocka_unit_test(hmacs),
		cmocka_unit_test(pbkdf2_in_pieces),
		cmocka_unit_test(des_and_rc4),
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(base64_alphabet),
		cmocka_unit_test(names),
		cmocka_unit_test(what_is_not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
