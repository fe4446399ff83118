/* SPDX-License-Identifier: BSD-2-Clause */
/* NTLM's messages: those that two Exchange 5.5 servers once exchanged (Microsoft
 * Q262945), every truncation, and fields that point elsewhere. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "auth/base64.h"
#include "auth/ntlm_msg.h"
#include "hex.h"
#include "packet.h"

#define T1 "TlRMTVNTUAABAAAAt5IAQAcABwAgAAAAAAAAAAAAAABUSU1EVU1QAAAAAAAAAAA="
#define T2                                                             \
	"TlRMTVNTUAACAAAADgAOADAAAAC1ggFAkDTQvqfglJ8AAAAAAAAAAAAAAAA+" \
	"AAAAVABJAE0ARABPAEYAVQA="
#define T3                                                                 \
	"TlRMTVNTUAADAAAAGAAYAHgAAAAYABgAkAAAAA4ADgBAAAAAGgAaAE4AAAAQABAA" \
	"aAAAABAAEACoAAAAtYIBQFQASQBNAEQATwBGAFUAYQBkAG0AaQBuAGkAcwB0AHIA" \
	"YQB0AG8AcgBUAEkATQBOAFQAUwAyADAAY2qLBIf9tVBTxY9/NJ02/bhh87MSMPu+" \
	"qZyHMgS735h75FsyxOlmOLegHnkDN8VFbU99BoofZ3hP6D2cFwsbsQ=="

static struct span decoded(const char *text, uint8_t *mem, size_t max)
{
	struct span s = { mem, 0 };

	assert_int_equal(base64_decode(mem, max, &s.n, span_str(text)), OK);
	return s;
}

static bool is_wide(struct span s, const char *ascii)
{
	if (s.n != 2 * strlen(ascii))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != (i % 2 ? 0 : (uint8_t)ascii[i / 2]))
			return false;
	return true;
}

static void of_exchange(void **state)
{
	uint8_t mem[512];
	struct ntlm_t1 t1;
	struct ntlm_t2 t2;
	struct ntlm_t3 t3;
	struct span in;

	(void)state;
	in = decoded(T1, mem, sizeof(mem));
	assert_int_equal(ntlm_t1_parse(&t1, in), OK);
	assert_int_equal(t1.flags, 0x400092b7);
	in = decoded(T2, mem, sizeof(mem));
	assert_int_equal(in.n, 62);
	assert_int_equal(ntlm_t2_parse(&t2, in), OK);
	assert_int_equal(t2.flags, 0x400182b5);
	HEX_EQUAL(t2.challenge, "9034d0bea7e0949f");
	assert_true(is_wide(t2.target, "TIMDOFU"));
	assert_int_equal(t2.info.n, 0);
	in = decoded(T3, mem, sizeof(mem));
	assert_int_equal(ntlm_t3_parse(&t3, in), OK);
	assert_int_equal(t3.flags, 0x400182b5);
	assert_true(is_wide(t3.domain, "TIMDOFU"));
	assert_true(is_wide(t3.user, "administrator"));
	assert_true(is_wide(t3.host, "TIMNTS20"));
	assert_int_equal(t3.lm.n, 24);
	assert_int_equal(t3.nt.n, 24);
	assert_int_equal(t3.key.n, 16);
	assert_false(t3.mic);
}

/* Never a word of what is not there. */
static void truncated(void **state)
{
	uint8_t mem[512];
	struct ntlm_t1 t1;
	struct ntlm_t2 t2;
	struct ntlm_t3 t3;
	struct span in;

	(void)state;
	in = decoded(T1, mem, sizeof(mem));
	for (size_t n = 0; n < in.n; n++)
		assert_int_equal(
			ntlm_t1_parse(&t1, pk_guard((struct span){ in.p, n })),
			n < 16 ? E_PEER_SYNTAX : OK);
	in = decoded(T2, mem, sizeof(mem));
	for (size_t n = 0; n < in.n; n++)
		assert_int_equal(
			ntlm_t2_parse(&t2, pk_guard((struct span){ in.p, n })),
			E_PEER_SYNTAX);
	in = decoded(T3, mem, sizeof(mem));
	for (size_t n = 0; n < in.n; n++)
		assert_int_equal(
			ntlm_t3_parse(&t3, pk_guard((struct span){ in.p, n })),
			E_PEER_SYNTAX);
}

static void fields_that_point_elsewhere(void **state)
{
	static const struct {
		uint16_t n;
		uint32_t off;
		int want;
	} all[] = {
		{ 14, 48, OK },
		{ 15, 48, E_PEER_SYNTAX },
		{ 14, 49, E_PEER_SYNTAX },
		{ 0, 0xffffffff, OK },
		{ 1, 0xffffffff, E_PEER_SYNTAX },
		{ 0xffff, 0, E_PEER_SYNTAX },
		{ 14, 0xfffffff2, E_PEER_SYNTAX },
		{ 62, 0, OK }, /* odd, but inside */
		{ 1, 62, E_PEER_SYNTAX },
	};
	uint8_t mem[512];
	struct ntlm_t2 t2;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct span in = decoded(T2, mem, sizeof(mem));

		put_le16(mem + 12, all[i].n);
		put_le32(mem + 16, all[i].off);
		assert_int_equal(ntlm_t2_parse(&t2, pk_guard(in)), all[i].want);
	}
}

static void not_that_message(void **state)
{
	uint8_t mem[512];
	struct ntlm_t1 t1;
	struct ntlm_t2 t2;
	struct ntlm_t3 t3;
	struct span in = decoded(T2, mem, sizeof(mem));

	(void)state;
	assert_int_equal(ntlm_t1_parse(&t1, in), E_PEER_SYNTAX);
	assert_int_equal(ntlm_t3_parse(&t3, in), E_PEER_SYNTAX);
	mem[7] = 'X';
	assert_int_equal(ntlm_t2_parse(&t2, in), E_PEER_SYNTAX);
	mem[7] = 0;
	mem[11] = 1;
	assert_int_equal(ntlm_t2_parse(&t2, in), E_PEER_SYNTAX);
}

static void attributes(void **state)
{
	static const struct {
		const char *list;
		bool good;
	} all[] = {
		{ "00000000", true },
		{ "0100020041000000 0000", true },
		{ "010002004100", false }, /* no end */
		{ "0100020041", false },   /* a value too short */
		{ "01000300410000000000", false },
		{ "", false },
		{ "0000", false },
		{ "00000100ff", false }, /* an end with a value */
		{ "00000000ffffffff", true },
		{ "0100ffff", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct hex h = hex_of(all[i].list);
		uint8_t mem[512] = { 0 };
		struct ntlm_t2 t2 = { .flags = NTLM_TARGET_INFO,
				      .info = { h.b, h.n } };
		struct buf b;

		buf_init(&b, mem, sizeof(mem));
		assert_int_equal(ntlm_t2_build(&b, &t2), OK);
		assert_int_equal(ntlm_t2_parse(&t2, pk_guard(buf_span(&b))),
				 all[i].good ? OK : E_PEER_SYNTAX);
	}
}

/* What is written is read again; without the room nothing is written. */
static void built(void **state)
{
	struct ntlm_t3 m = { .flags = NTLM_UNICODE,
			     .lm = SPAN_LIT("lm"),
			     .nt = SPAN_LIT("nt response"),
			     .domain = SPAN_LIT("D"),
			     .user = SPAN_LIT("user"),
			     .host = SPAN_LIT("host"),
			     .key = SPAN_LIT("key") };
	uint8_t mem[512];

	(void)state;
	for (int mic = 0; mic < 2; mic++) {
		size_t need = (mic ? 88 : 64) + 25;

		m.mic = mic == 1;
		for (size_t room = 0; room <= need; room++) {
			struct ntlm_t3 r;
			struct buf b;

			memset(mem, 0xff, sizeof(mem));
			buf_init(&b, mem, room);
			if (room < need) {
				assert_int_equal(ntlm_t3_build(&b, &m), E_FULL);
				assert_int_equal(buf_span(&b).n, 0);
				continue;
			}
			assert_int_equal(ntlm_t3_build(&b, &m), OK);
			assert_int_equal(ntlm_t3_parse(&r, buf_span(&b)), OK);
			assert_true(span_eq(r.lm, m.lm));
			assert_true(span_eq(r.nt, m.nt));
			assert_true(span_eq(r.domain, m.domain));
			assert_true(span_eq(r.user, m.user));
			assert_true(span_eq(r.host, m.host));
			assert_true(span_eq(r.key, m.key));
			assert_int_equal(r.mic, m.mic);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_exchange),
		cmocka_unit_test(truncated),
		cmocka_unit_test(fields_that_point_elsewhere),
		cmocka_unit_test(not_that_message),
		cmocka_unit_test(attributes),
		cmocka_unit_test(built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
