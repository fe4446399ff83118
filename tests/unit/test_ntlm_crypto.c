/* SPDX-License-Identifier: BSD-2-Clause */
/* The examples of MS-NLMP 4.2, function by function. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "auth/digest.h"
#include "auth/ntlm_crypto.h"
#include "auth/ntlm_msg.h"
#include "hex.h"

/* 4.2.1 */
#define USER	 SPAN_LIT("User")
#define DOMAIN	 SPAN_LIT("Domain")
#define PASSWORD SPAN_LIT("Password")
static const uint8_t challenge[8] = { 0x01, 0x23, 0x45, 0x67,
				      0x89, 0xab, 0xcd, 0xef };
static const uint8_t ours[8] = {
	0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa
};
static uint8_t exported[16];

/* The exported key as the server gets it. */
static void wrapped(const uint8_t exchange[16], const char *want)
{
	uint8_t key[16];
	struct rc4 r;

	memset(exported, 0x55, 16);
	memcpy(key, exported, 16);
	rc4_init(&r, (struct span){ exchange, 16 });
	rc4_crypt(&r, key, 16);
	HEX_EQUAL(key, want);
}

/* 4.2.2 */
static void ntlm_v1(void **state)
{
	uint8_t nt[16], lm[16], response[24], lm_response[24], base[16], kx[16];

	(void)state;
	assert_int_equal(ntlm_lm_hash(PASSWORD, lm), OK);
	HEX_EQUAL(lm, "e52cac67419a9a224a3b108f3fa6cb6d");
	assert_int_equal(ntlm_nt_hash(PASSWORD, nt), OK);
	HEX_EQUAL(nt, "a4f49c406510bdcab6824ee7c30fd852");
	assert_int_equal(ntlm_v1_key(nt, base), OK);
	HEX_EQUAL(base, "d87262b0cde4b1cb7499becccdf10784");
	assert_int_equal(ntlm_v1_response(nt, challenge, response), OK);
	HEX_EQUAL(response, "67c43011f30298a2ad35ece64f16331c44bdbed927841f94");
	assert_int_equal(ntlm_v1_response(lm, challenge, lm_response), OK);
	HEX_EQUAL(lm_response,
		  "98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13");
	assert_int_equal(
		ntlm_v1_exchange_key(0, base, lm, lm_response, challenge, kx),
		OK);
	assert_memory_equal(kx, base, 16);
	wrapped(kx, "518822b1b3f350c8958682ecbb3e3cb7");
	assert_int_equal(ntlm_v1_exchange_key(NTLM_LM_KEY, base, lm,
					      lm_response, challenge, kx),
			 OK);
	HEX_EQUAL(kx, "b09e379f7fbecb1eaf0afdcb0383c8a0");
	wrapped(kx, "4cd7bb57d697ef9b549f02b8f9b37864");
}

/* 4.2.3 */
static void ntlm_v1_with_extended_security(void **state)
{
	uint8_t nt[16], lm[24] = { 0 }, both[8], out[24], base[16], kx[16];

	(void)state;
	memcpy(lm, ours, 8);
	assert_int_equal(ntlm_nt_hash(PASSWORD, nt), OK);
	assert_int_equal(ntlm_v1_ess(challenge, ours, both), OK);
	assert_int_equal(ntlm_v1_response(nt, both, out), OK);
	HEX_EQUAL(out, "7537f803ae367128ca458204bde7caf81e97ed2683267232");
	assert_int_equal(ntlm_v1_key(nt, base), OK);
	assert_int_equal(
		ntlm_v1_exchange_key(NTLM_ESS, base, NULL, lm, challenge, kx),
		OK);
	HEX_EQUAL(kx, "eb93429a8bd952f8b89c55b87f475edc");
}

/* 4.2.4: also the keys of the seal */
static void ntlm_v2(void **state)
{
	/* Domain and Server, in UTF-16 */
	const struct hex temp = hex_of("0101000000000000 0000000000000000"
				       "aaaaaaaaaaaaaaaa 00000000"
				       "02000c0044006f006d00610069006e00"
				       "01000c00530065007200760065007200"
				       "00000000 00000000");
	uint8_t nt[16], v2[16], proof[16], lm[16], base[16], key[16];
	size_t n;

	(void)state;
	assert_int_equal(ntlm_nt_hash(PASSWORD, nt), OK);
	assert_int_equal(ntlm_v2_hash(nt, USER, DOMAIN, v2), OK);
	HEX_EQUAL(v2, "0c868a403bfd7a93a3001ef22ef02e3f");
	assert_int_equal(ntlm_v2_proof(v2, challenge,
				       (struct span){ temp.b, temp.n }, proof),
			 OK);
	HEX_EQUAL(proof, "68cd0ab851e51c96aabc927bebef6a1c");
	assert_int_equal(
		ntlm_v2_proof(v2, challenge, (struct span){ ours, 8 }, lm), OK);
	HEX_EQUAL(lm, "86c35097ac9cec102554764a57cccc19");
	assert_int_equal(ntlm_v2_key(v2, proof, base), OK);
	HEX_EQUAL(base, "8de40ccadbc14a82f15cb0ad0de95ca3");
	wrapped(base, "c5dad2544fc9799094ce1ce90bc9d03e");
	assert_int_equal(ntlm_seal_key(NTLM_ESS | NTLM_128, exported,
				       NTLM_TO_SERVER, key, &n),
			 OK);
	assert_int_equal(n, 16);
	HEX_EQUAL(key, "59f600973cc4960a25480a7c196e4c58");
	assert_int_equal(ntlm_sign_key(exported, NTLM_TO_SERVER, key), OK);
	HEX_EQUAL(key, "4788dc861b4782f35d43fd98fe1a2d39");
}

/* 3.4.5.3: what is left of the key */
static void bits(void **state)
{
	uint8_t key[16];
	size_t n;

	(void)state;
	memset(exported, 0x55, 16);
	assert_int_equal(ntlm_bits(NTLM_ESS | NTLM_128 | NTLM_56), 128);
	assert_int_equal(ntlm_bits(NTLM_ESS | NTLM_56), 56);
	assert_int_equal(ntlm_bits(NTLM_ESS), 40);
	assert_int_equal(ntlm_bits(NTLM_LM_KEY | NTLM_128), 40);
	assert_int_equal(ntlm_bits(NTLM_LM_KEY | NTLM_56), 56);
	assert_int_equal(ntlm_bits(NTLM_LM_KEY | NTLM_ESS | NTLM_128), 128);
	assert_int_equal(ntlm_bits(0), 128);
	assert_int_equal(ntlm_seal_key(NTLM_LM_KEY | NTLM_56, exported,
				       NTLM_TO_SERVER, key, &n),
			 OK);
	assert_int_equal(n, 8);
	HEX_EQUAL(key, "55555555555555a0");
	assert_int_equal(
		ntlm_seal_key(NTLM_LM_KEY, exported, NTLM_TO_CLIENT, key, &n),
		OK);
	assert_int_equal(n, 8);
	HEX_EQUAL(key, "5555555555e538b0");
	assert_int_equal(ntlm_seal_key(0, exported, NTLM_TO_CLIENT, key, &n),
			 OK);
	assert_int_equal(n, 16);
	assert_memory_equal(key, exported, 16);
}

static void passwords_without_an_lm_hash(void **state)
{
	uint8_t lm[16];

	(void)state;
	assert_int_equal(ntlm_lm_hash(SPAN_LIT("fourteen-chars"), lm), OK);
	assert_int_equal(ntlm_lm_hash(SPAN_LIT("fifteen--chars!"), lm), E_CONF);
	assert_int_equal(ntlm_lm_hash(SPAN_LIT("\xc3\xa4"), lm), E_CONF);
	assert_int_equal(ntlm_lm_hash(SPAN_LIT(""), lm), OK);
	HEX_EQUAL(lm, "aad3b435b51404eeaad3b435b51404ee");
}

/* RFC 5929 4.1 inside RFC 2744 3.11; the example of Microsoft's "NTLM and
 * Channel Binding Hash" */
static void channel_binding(void **state)
{
	const struct hex hash = hex_of("ea05fefecc6b0bd571dbbc5baa3ed453"
				       "86d0446835f7b74c85621b9983475f95");
	uint8_t out[16];

	(void)state;
	assert_int_equal(ntlm_binding((struct span){ hash.b, hash.n }, out),
			 OK);
	HEX_EQUAL(out, "6586e99d81c2fc984e47172fd4dd0310");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ntlm_v1),
		cmocka_unit_test(ntlm_v1_with_extended_security),
		cmocka_unit_test(ntlm_v2),
		cmocka_unit_test(bits),
		cmocka_unit_test(passwords_without_an_lm_hash),
		cmocka_unit_test(channel_binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
