/* SPDX-License-Identifier: BSD-2-Clause */
/* One spelling for a domain, or a refusal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/domain.h"
#include "packet.h"
#include "punycode.h"

/* What it becomes, "" when it is refused. */
static const char *key(struct span s)
{
	static struct {
		char out[DOMAIN_MAX + 1];
		char after;
	} m;
	size_t n = 12345;

	memset(&m, '#', sizeof(m));
	if (domain_normalise(m.out, &n, pk_guard(s)) != OK)
		return "";
	assert_int_equal(m.after, '#');
	assert_true(n > 0 && n <= DOMAIN_MAX);
	assert_int_equal(strlen(m.out), n);
	return m.out;
}

static void becomes(const char *in, const char *want)
{
	const char *got = key(span_str(in));

	if (strcmp(got, want) != 0)
		fail_msg("%s is %s, not %s", in, got, want);
}

static void refused(const char *in)
{
	becomes(in, "");
}

/* RFC 3492 7.1. The others of its samples have capitals, marks or characters
 * that are not certain: see below. */
static void punycode_samples(void **state)
{
	(void)state;
	/* (B) */
	becomes("\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587",
		"xn--ihqwcrb4cv8a8dqg056pqjye");
	/* (C) */
	becomes("\u4ed6\u5011\u7232\u4ec0\u9ebd\u4e0d\u8aaa\u4e2d\u6587",
		"xn--ihqwctvzc91f659drss3x8bo0yb");
	/* (E) */
	becomes("\u05dc\u05de\u05d4\u05d4\u05dd\u05e4\u05e9\u05d5\u05d8"
		"\u05dc\u05d0\u05de\u05d3\u05d1\u05e8\u05d9\u05dd\u05e2"
		"\u05d1\u05e8\u05d9\u05ea",
		"xn--4dbcagdahymbxekheh6e0a7fei0b");
	/* (G) */
	becomes("\u306a\u305c\u307f\u3093\u306a\u65e5\u672c\u8a9e\u3092"
		"\u8a71\u3057\u3066\u304f\u308c\u306a\u3044\u306e\u304b",
		"xn--n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa");
	/* (I) */
	becomes("\u043f\u043e\u0447\u0435\u043c\u0443\u0436\u0435\u043e"
		"\u043d\u0438\u043d\u0435\u0433\u043e\u0432\u043e\u0440"
		"\u044f\u0442\u043f\u043e\u0440\u0443\u0441\u0441\u043a"
		"\u0438",
		"xn--b1abfaaepdrnnbgefbadotcwatmq2g4l");
	/* (L) */
	becomes("3\u5e74b\u7d44\u91d1\u516b\u5148\u751f",
		"xn--3b-ww4c5e180e575a65lsy2b");
	/* (P) */
	becomes("\u3072\u3068\u3064\u5c4b\u6839\u306e\u4e0b2",
		"xn--2-u9tlzr9756bt3uc0v");
	/* everyday ones */
	becomes("b\u00fccher", "xn--bcher-kva");
	becomes("\u0142\u00f3d\u017a", "xn--d-uga0v4h");
	becomes("\u03c0\u03b1\u03c1\u03ac\u03b4\u03b5\u03b9\u03b3\u03bc"
		"\u03b1",
		"xn--hxajbheg2az3al");
	becomes("\u0438\u0441\u043f\u044b\u0442\u0430\u043d\u0438\u0435",
		"xn--80akhbyknj4f");
	becomes("\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
		"\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
		"\u00e4\u00e4",
		"xn--4caaaaaaaaaaaaaaaaaaaa");
	becomes("a-\u00e4", "xn--a--wia");
	becomes("m\u00fcnchen-s\u00fcd", "xn--mnchen-sd-q9ah");
	becomes("\ud55c\uad6d", "xn--3e0b707e");
	becomes("\u0645\u062b\u0627\u0644", "xn--mgbh0fb");
	becomes("\u65e5\u672c\u8a9e", "xn--wgv71a119e");
}

static void punycode_samples_that_are_refused(void **state)
{
	(void)state;
	/* (A) ends with a question mark; (H) is longer than a label */
	refused("\u0644\u064a\u0647\u0645\u0627\u0628\u062a\u0643\u0644"
		"\u0645\u0648\u0634\u0639\u0631\u0628\u064a\u061f");
	refused("\uc138\uacc4\uc758\ubaa8\ub4e0\uc0ac\ub78c\ub4e4\uc774"
		"\ud55c\uad6d\uc5b4\ub97c\uc774\ud574\ud55c\ub2e4\uba74"
		"\uc5bc\ub9c8\ub098\uc88b\uc744\uae4c");
	/* (Q), (R): U+30FC; (N), (S): a hyphen at the end, a sign */
	refused("\u30d1\u30d5\u30a3\u30fcde\u30eb\u30f3\u30d0");
	refused("\u305d\u306e\u30b9\u30d4\u30fc\u30c9\u3067");
	refused("Hello-Another-Way-\u305d\u308c\u305e\u308c\u306e\u5834\u6240-");
	refused("-> $1.00 <-");
}

/* IDNA 2003 and 2008, or two libraries, make different names of these. */
static void what_is_not_certain_is_refused(void **state)
{
	static const char *const bad[] = {
		"stra\u00dfe.example", /* sharp s: "ss" in IDNA 2003 */
		"fa\u00df",	       /* the same */
		"\u03b2\u03cc\u03bb\u03bf\u03c2.example", /* final sigma */
		"B\u00dcCHER.example",			  /* capital */
		"bu\u0308cher.example",			  /* combining */
		"\uff50artner.example",			  /* full width */
		"partner\u3002example",	 /* ideographic full stop */
		"partner\uff0eexample",	 /* full width full stop */
		"partner\uff61example",	 /* half width full stop */
		"partner\u2024example",	 /* one dot leader */
		"partner.exam\u200bple", /* no width */
		"part\u00adner.example", /* soft hyphen */
		"part\u200dner.example", /* joiner */
		"part\u200cner.example", /* non-joiner */
		"\ufb01sh.example",	 /* ligature */
		"\u0130stanbul.example", /* dotted capital i */
		"\u2460.example",	 /* circled digit */
		"\u00aa.example",	 /* ordinal */
		"\u017fecure.example",	 /* long s */
		"\u212aelvin.example",	 /* Kelvin sign */
		"\u0140.example",	 /* l with dot: two characters */
		"\u0149.example",	 /* n with apostrophe: two */
		"\u0133.example",	 /* ij */
		"\u1100\u1161.example",	 /* Hangul in parts */
		"\u304b\u3099.example",	 /* kana and voice mark */
		"\u0390\u0301.example",
		"\u0660.example",	 /* Arabic digit */
		"\u00b7.example",	 /* only between two l */
		"\u30fb.example",	 /* context */
		"\ufeffpartner.example", /* byte order mark */
		"\u202epartner.example", /* right to left */
		"\U0001f4a9.example",	 /* beyond the first plane */
		"\U00020000.example",
		"\ufffd.example",
		"ab--\u00e4.example", /* RFC 5891 4.2.3.1 */
		"xn--\u00e4.example",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i]);
}

static void octets_that_are_not_utf8_are_refused(void **state)
{
	static const char *const bad[] = {
		"a\x80.example",
		"a\xbf.example",
		"\xc3.example",
		"a\xc3",
		"\xc0\xaf.example",
		"\xc1\xa1.example", /* "a", too long */
		"\xe0\x81\xa1.example",
		"\xe0\x83\xa4.example",
		"\xed\xa0\x80.example", /* half of a pair */
		"\xf0\x80\x81\xa1.example",
		"\xf0\x82\x80\x80.example",
		"\xf4\x90\x80\x80.example",
		"\xf8\x88\x80\x80\x80.example",
		"\xfe.example",
		"\xff.example",
		"\xe4\xb8.example",
		"\xe4\xb8",
		"\xe4",
		"b\xfcr.example", /* Latin-1 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i]);
}

static void one_spelling(void **state)
{
	(void)state;
	becomes("Partner.EXAMPLE", "partner.example");
	becomes("partner.example.", "partner.example");
	becomes("XN--BCHER-KVA.Example", "xn--bcher-kva.example");
	becomes("b\u00fccher.example", "xn--bcher-kva.example");
	becomes("B\u00fcCHER.EXAMPLE.", "xn--bcher-kva.example");
	becomes("mx1._tcp.a-b.example", "mx1._tcp.a-b.example");
	becomes("3com.example", "3com.example");
	becomes("a.1a", "a.1a");
	becomes("ab--cd.example", "ab--cd.example");
	becomes("localhost", "localhost");
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		".a",
		"a..",
		"a..b",
		".a.b",
		"a.b..",
		"-a.example",
		"a-.example",
		"a.-b",
		"a.b-",
		"-",
		"a.-.b",
		"a b.example",
		" a.example",
		"a.example ",
		"a\t.example",
		"a@b.example",
		"a,b.example",
		"a;b",
		"a:25",
		"a/b",
		"a\\b",
		"a\\.b",
		"*.example",
		"[192.0.2.1]",
		"(a)b.example",
		"\"a\"",
		"a.example\r",
		"a\n.example",
		"a\x7f.example",
		"#1234",
		"a%b.example",
		"a!b.example",
		"a'b.example",
		"a+b.example",
		"<a.example>",
		"a.example>",
		"::1",
		"IPv6:::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i]);
	assert_string_equal(key(SPAN_LIT("a\0b.example")), "");
	assert_string_equal(key(SPAN_LIT("a.example\0")), "");
	assert_string_equal(key(SPAN_LIT("\0")), "");
	/* each octet, in the middle of a label */
	for (unsigned c = 0; c < 256; c++) {
		uint8_t in[] = { 'a', (uint8_t)c, 'b', '.', 'c' };
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '-' || c == '_' ||
			    c == '.';

		if ((*key((struct span){ in, 5 }) != '\0') != good)
			fail_msg("octet %02x", c);
	}
}

/* inet_aton() and what is like it read these as addresses: one server's host
 * is another's literal. RFC 1123 2.1: the last label is never all digits. */
static void numbers_are_no_names(void **state)
{
	static const char *const bad[] = {
		"192.0.2.1", "192.0.2.1.", "192.0.513", "1",	  "2130706433",
		"a.1",	     "a.0",	   "mx.123.",	"0x7f.1", "127.0.0.1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i]);
	refused("0x7f000001");
	refused("192.0.2.0x1");
	becomes("1.2.3.4.example", "1.2.3.4.example");
	becomes("0xa.example", "0xa.example");
	becomes("a.0xg", "a.0xg");
	becomes("a.0a", "a.0a");
}

static void label_limit(void **state)
{
	char in[80];

	(void)state;
	memset(in, 'a', sizeof(in));
	memcpy(in + 63, ".b", 3);
	becomes(in, in);
	memset(in, 'a', 64);
	memcpy(in + 64, ".b", 3);
	refused(in);
	memcpy(in + 62, "\u00e4.b", 5);
	refused(in);
	/* "xn--", 55 letters, "-", three digits: 63 */
	for (int n = 1; n < 63; n++) {
		char got[DOMAIN_MAX + 1];

		memset(in, 'a', sizeof(in));
		memcpy(in + n, "\u00e4.b", 5);
		strcpy(got, key(span_str(in)));
		if (got[0] != '\0' && strchr(got, '.') - got > 63)
			fail_msg("%s", got);
		if ((got[0] != '\0') != (n <= 55))
			fail_msg("%d letters: %s", n, got);
	}
}

/* In all n octets, in labels of 49 and less. */
static struct span name(char *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = i % 50 == 49 && i + 1 < n ? '.' : 'x';
	return (struct span){ (const uint8_t *)to, n };
}

static void name_limit(void **state)
{
	char in[400], u[800];

	(void)state;
	for (size_t n = 240; n <= 260; n++)
		assert_int_equal(strlen(key(name(in, n))),
				 n <= DOMAIN_MAX ? n : 0);
	/* the trailing dot does not count */
	(void)name(in, 254);
	in[253] = '.';
	assert_int_equal(strlen(key((struct span){ (uint8_t *)in, 254 })), 253);
	in[254] = '.';
	assert_string_equal(key((struct span){ (uint8_t *)in, 255 }), "");
	/* short in UTF-8, long as A-labels */
	u[0] = '\0';
	for (int i = 0; i < 31; i++)
		strcat(u, "\u00e4.");
	assert_int_equal(strlen(key(span_str(u))), 31 * 8 - 1);
	strcat(u, "\u00e4.");
	refused(u);
}

/* Every label of certain letters is what its A-label decodes to. */
static void decodes_to_itself(void **state)
{
	static const uint32_t letter[] = { 'a',	   '9',	   0xe4,   0x142,
					   0x3b1,  0x434,  0x5d0,  0x627,
					   0x30a2, 0x4e2d, 0x9fa5, 0xac00,
					   0xd7a3 };
	enum { LETTERS = sizeof(letter) / sizeof(letter[0]) };

	(void)state;
	for (size_t k = 0; k < LETTERS * LETTERS * LETTERS; k++) {
		uint32_t c[3] = { letter[k % LETTERS],
				  letter[k / LETTERS % LETTERS],
				  letter[k / LETTERS / LETTERS] };
		uint32_t back[64];
		uint8_t in[16];
		const char *got;
		size_t n = 0;

		for (int i = 0; i < 3; i++)
			n += puny_utf8(in + n, c[i]);
		got = key((struct span){ in, n });
		if (n == 3) { /* ASCII */
			assert_int_equal(*got == '\0', c[0] == '9' &&
							       c[1] == '9' &&
							       c[2] == '9');
			continue;
		}
		assert_memory_equal(got, "xn--", 4);
		assert_int_equal(puny_decode(back, span_str(got + 4)), 3);
		assert_memory_equal(back, c, sizeof(c));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(punycode_samples),
		cmocka_unit_test(punycode_samples_that_are_refused),
		cmocka_unit_test(what_is_not_certain_is_refused),
		cmocka_unit_test(octets_that_are_not_utf8_are_refused),
		cmocka_unit_test(one_spelling),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(numbers_are_no_names),
		cmocka_unit_test(label_limit),
		cmocka_unit_test(name_limit),
		cmocka_unit_test(decodes_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
