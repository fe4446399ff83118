/* SPDX-License-Identifier: BSD-2-Clause */
/* The foundations: hash, text, buf, bytes, addr, span, names of errors. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/hash.h"
#include "base/text.h"
#include "packet.h"

/* SipHash-2-4, key 00 01 .. 0f, inputs "", 00, 00 01, ...: the vectors of its
 * authors. */
static const uint64_t sip_vectors[64] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
	0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
	0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
	0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
	0xa129ca6149be45e5, 0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794,
	0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd, 0xbed65cf21aa2ee98,
	0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
	0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3,
	0x2f2e6163076bcfad, 0xde4daaaca71dc9a5, 0xa6a2506687956571,
	0xad87a3535c49ef28, 0x32d892fad841c342, 0x7127512f72f27cce,
	0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
	0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d,
	0x9abfd8766a33735c, 0x0e3ea96b5304a7d0, 0xad0c42d6fc585992,
	0x187306c89bc215a9, 0xd4a60abcf3792b95, 0xf935451de4f21df2,
	0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
	0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72,
	0xa192d576b245165a, 0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f,
	0x7fa8220ba3b2ecea, 0x245731c13ca42499, 0xb78dbfaf3a8d83bd,
	0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
	0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57,
	0x958a324ceb064572,
};

static void siphash_vectors(void **state)
{
	uint8_t key[16], in[64];

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		in[i] = (uint8_t)i;
	memcpy(key, in, 16);
	for (size_t n = 0; n < 64; n++)
		assert_int_equal(siphash(key, pk_guard((struct span){ in, n })),
				 sip_vectors[n]);
	key[15] ^= 0x80;
	assert_int_not_equal(siphash(key, (struct span){ in, 7 }),
			     sip_vectors[7]);
}

static void bytes_are_in_order(void **state)
{
	uint8_t b[8];

	(void)state;
	put_be16(b, 0x0102);
	assert_memory_equal(b, "\x01\x02", 2);
	assert_int_equal(get_be16(b), 0x0102);
	put_be32(b, 0x81828384u);
	assert_memory_equal(b, "\x81\x82\x83\x84", 4);
	assert_int_equal(get_be32(b), 0x81828384u);
	put_le16(b, 0xf102);
	assert_memory_equal(b, "\x02\xf1", 2);
	assert_int_equal(get_le16(b), 0xf102);
	put_le32(b, 0x81828384u);
	assert_memory_equal(b, "\x84\x83\x82\x81", 4);
	assert_int_equal(get_le32(b), 0x81828384u);
	put_le64(b, 0x8182838485868788u);
	assert_memory_equal(b, "\x88\x87\x86\x85\x84\x83\x82\x81", 8);
	assert_true(get_le64(b) == 0x8182838485868788u);
	/* every value there and back */
	for (unsigned v = 0; v <= 0xffff; v++) {
		put_be16(b, (uint16_t)v);
		put_le16(b + 2, (uint16_t)v);
		assert_true(get_be16(b) == v && get_le16(b + 2) == v &&
			    b[0] == b[3]);
	}
}

static void spans(void **state)
{
	struct span a = SPAN_LIT("MAIL"), none = { NULL, 0 };

	(void)state;
	assert_true(span_eq(a, span_str("MAIL")));
	assert_false(span_eq(a, SPAN_LIT("MAIl")));
	assert_false(span_eq(a, SPAN_LIT("MAI")));
	assert_false(span_eq(a, SPAN_LIT("MAILX")));
	assert_true(span_eq(none, SPAN_LIT("")));
	assert_true(span_eq_nocase(a, SPAN_LIT("mAiL")));
	assert_false(span_eq_nocase(a, SPAN_LIT("mail ")));
	assert_true(span_eq_nocase(none, none));
	assert_true(span_eq(span_skip(a, 2), SPAN_LIT("IL")));
	assert_int_equal(span_skip(a, 4).n, 0);
	assert_int_equal(SPAN_LIT("a\0b").n, 3);
	for (unsigned c = 0; c < 256; c++)
		assert_int_equal(ascii_lower((uint8_t)c),
				 c >= 'A' && c <= 'Z' ? c + 32 : c);
	/* not letters: "@" and "`", "[" and "{" differ by 32, too */
	assert_false(span_eq_nocase(SPAN_LIT("@["), SPAN_LIT("`{")));
	assert_false(
		span_eq_nocase(SPAN_LIT("\xc3\x84"), SPAN_LIT("\xc3\xa4")));
}

/* Against a plain model: every order of puts, drops and cuts of small sizes. */
static void buf_is_a_queue(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20000; seed++) {
		uint8_t mem[9], want[64], next = 0;
		size_t n = 0;
		unsigned v = seed * 2654435761u;
		struct buf b;

		buf_init(&b, mem, 8);
		mem[8] = '#';
		for (int step = 0; step < 12; step++, v = v * 69069 + 1) {
			size_t k = v >> 20 & 7;
			uint8_t in[8];

			for (size_t i = 0; i < k; i++)
				in[i] = (uint8_t)(next + i);
			if ((v >> 28) % 4 == 0) {
				k = k < n ? k : n;
				buf_drop(&b, k);
				memmove(want, want + k, n - k);
				n -= k;
			} else if ((v >> 28) % 4 == 1) {
				n = k < n ? k : n;
				buf_cut(&b, n);
			} else if ((v >> 28) % 4 == 2) {
				k = k < 8 - n ? k : 8 - n;
				memcpy(buf_room(&b), in, k);
				assert_int_equal(buf_left(&b), 8 - n);
				buf_grow(&b, k);
				memcpy(want + n, in, k);
				n += k;
			} else {
				int e = buf_put(&b, (struct span){ in, k });

				assert_int_equal(e, n + k > 8 ? E_FULL : OK);
				memcpy(want + n, in, k);
				n += e == OK ? k : 0;
			}
			next = (uint8_t)(next + 8);
			assert_int_equal(buf_left(&b), 8 - n);
			assert_true(span_eq(buf_span(&b),
					    (struct span){ want, n }));
		}
		assert_int_equal(mem[8], '#');
	}
}

static void addresses(void **state)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 };
	struct endpoint a = { .port = 25 }, b;

	(void)state;
	memset(a.ip, 0x5a, 16);
	ip_from_v4(a.ip, v4);
	assert_true(ip_is_v4(a.ip));
	assert_memory_equal(a.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	b = a;
	assert_true(endpoint_eq(&a, &b));
	b.port = 26;
	assert_false(endpoint_eq(&a, &b));
	for (int i = 0; i < 16; i++) {
		b = a;
		b.ip[i] ^= 1;
		assert_false(endpoint_eq(&a, &b));
		assert_int_equal(ip_is_v4(b.ip), i >= 12);
	}
}

static void error_names(void **state)
{
	(void)state;
	assert_string_equal(err_name(OK), "ok");
	assert_string_equal(err_name(E_PEER_EOL), "peer-eol");
	assert_string_equal(err_name(E_CONF), "conf");
	assert_string_equal(err_name(-1), "?");
	assert_string_equal(err_name(1), "?");
	for (int a = E_CONF; a <= OK; a++)
		for (int b = a + 1; b <= OK; b++)
			if (err_name(a)[0] != '?')
				assert_string_not_equal(err_name(a),
							err_name(b));
}

/* --- text ------------------------------------------------------------------ */

static const char *number(uint64_t v)
{
	static char mem[32];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_u64(&t, v);
	assert_false(t.cut);
	return mem;
}

static void text_numbers(void **state)
{
	char want[32];

	(void)state;
	assert_string_equal(number(0), "0");
	assert_string_equal(number(UINT64_MAX), "18446744073709551615");
	for (uint64_t v = 1; v < UINT64_MAX / 10; v = v * 10) {
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
		assert_string_equal(number(v), want);
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v - 1);
		assert_string_equal(number(v - 1), want);
	}
}

/* Every size: what fits is there, NUL-terminated, and nothing behind it. */
static void text_is_cut(void **state)
{
	static const char whole[] = "a=18446744073709551615 ff?x";

	(void)state;
	for (size_t size = 1; size < 40; size++) {
		char mem[48];
		struct text t;

		memset(mem, '#', sizeof(mem));
		text_init(&t, mem, size);
		assert_int_equal(text_done(&t).n, 0);
		text_str(&t, "a=");
		text_u64(&t, UINT64_MAX);
		text_span(&t, SPAN_LIT(" "));
		text_hex(&t, SPAN_LIT("\xff"));
		text_clean(&t, SPAN_LIT("\n"));
		text_str(&t, "");
		text_str(&t, "x");
		assert_int_equal(t.cut, size < sizeof(whole));
		assert_int_equal(t.n, size < sizeof(whole) ? size - 1
							   : sizeof(whole) - 1);
		assert_memory_equal(mem, whole, t.n);
		assert_int_equal(mem[t.n], '\0');
		for (size_t i = size; i < sizeof(mem); i++)
			assert_int_equal(mem[i], '#');
	}
}

static void text_octets(void **state)
{
	char mem[600], want[600];
	uint8_t all[256];
	struct text t;
	size_t n = 0;

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		all[c] = (uint8_t)c;
		want[c] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	want[256] = '\0';
	text_init(&t, mem, sizeof(mem));
	text_clean(&t, (struct span){ all, 256 });
	assert_string_equal(mem, want);
	text_init(&t, mem, sizeof(mem));
	text_quoted(&t, SPAN_LIT("a \"b\" \n\\"));
	assert_string_equal(mem, "\"a 'b' ?\\\"");
	for (unsigned c = 0; c < 256; c++)
		n += (size_t)sprintf(want + n, "%02x", c);
	text_init(&t, mem, sizeof(mem));
	text_hex(&t, (struct span){ all, 256 });
	assert_string_equal(mem, want);
}

static void text_addresses(void **state)
{
	/* RFC 5952 4 and 5 */
	static const struct {
		const char *ip, *want;
	} table[] = {
		{ "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "::" },
		{ "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "::1" },
		{ "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", "2001:db8::1" },
		{ "\x20\1\x0d\xb8\0\0\0\1\0\1\0\1\0\1\0\1",
		  "2001:db8:0:1:1:1:1:1" },
		{ "\x20\1\0\0\0\0\0\1\0\0\0\0\0\0\0\1", "2001:0:0:1::1" },
		{ "\x20\1\x0d\xb8\0\0\0\0\0\1\0\0\0\0\0\1",
		  "2001:db8::1:0:0:1" },
		{ "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "fe80::" },
		{ "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\0", "1:2:3:4:5:6:7:0" },
		{ "\0\0\0\0\0\3\0\4\0\5\0\6\0\7\0\0", "::3:4:5:6:7:0" },
		{ "\xab\xcd\xef\1\0\x23\x45\x67\x89\xab\xcd\xef\0\1\0\x23",
		  "abcd:ef01:23:4567:89ab:cdef:1:23" },
		{ "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", "192.0.2.1" },
		{ "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0", "0.0.0.0" },
		{ "\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff",
		  "255.255.255.255" },
		{ "\0\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\0\0", "::fffe:0:0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char mem[64];
		struct text t;

		text_init(&t, mem, sizeof(mem));
		text_ip(&t, (const uint8_t *)table[i].ip);
		assert_string_equal(mem, table[i].want);
	}
}

static const char *when(uint64_t unix_s)
{
	static char mem[64];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_time(&t, unix_s);
	return mem;
}

static void text_times(void **state)
{
	unsigned y = 1970, m = 1, d = 1;

	(void)state;
	assert_string_equal(when(0), "1970-01-01T00:00:00Z");
	assert_string_equal(when(1767225599), "2025-12-31T23:59:59Z");
	assert_string_equal(when(951782399), "2000-02-28T23:59:59Z");
	assert_string_equal(when(951868799), "2000-02-29T23:59:59Z");
	assert_string_equal(when(4107542399), "2100-02-28T23:59:59Z");
	assert_string_equal(when(4107542400), "2100-03-01T00:00:00Z");
	assert_string_equal(when(253402300799), "9999-12-31T23:59:59Z");
	/* every day until then, counted */
	for (uint64_t day = 0; y < 10000; day++) {
		static const unsigned days[] = { 31, 28, 31, 30, 31, 30,
						 31, 31, 30, 31, 30, 31 };
		bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
		char want[64];

		snprintf(want, sizeof(want), "%04u-%02u-%02uT12:34:56Z", y, m,
			 d);
		if (strcmp(when(day * 86400 + 45296), want) != 0)
			fail_msg("%s", want);
		if (d++ < days[m - 1] + (leap && m == 2))
			continue;
		d = 1;
		m = m % 12 + 1;
		y += m == 1;
	}
}

/* The check value of its catalogue entry, whole and in two. */
static void checksum(void **state)
{
	const struct span s = SPAN_LIT("123456789");

	(void)state;
	assert_int_equal(crc32(0, s), 0xcbf43926);
	assert_int_equal(
		crc32(crc32(0, (struct span){ s.p, 4 }), span_skip(s, 4)),
		0xcbf43926);
	assert_int_equal(crc32(0, SPAN_LIT("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vectors),
		cmocka_unit_test(bytes_are_in_order),
		cmocka_unit_test(spans),
		cmocka_unit_test(buf_is_a_queue),
		cmocka_unit_test(addresses),
		cmocka_unit_test(error_names),
		cmocka_unit_test(text_numbers),
		cmocka_unit_test(text_is_cut),
		cmocka_unit_test(text_octets),
		cmocka_unit_test(text_addresses),
		cmocka_unit_test(text_times),
		cmocka_unit_test(checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
