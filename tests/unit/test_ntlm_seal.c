/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sealed blocks: the examples of MS-NLMP 4.2 and a conversation of NT 4's kind,
 * every cut, and everything that somebody on the wire can do to a block.
 * tests/net/test_auth_seal.py compares with Samba.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "auth/ntlm_msg.h"
#include "auth/ntlm_seal.h"
#include "feed.h"
#include "hex.h"

static const struct seal_framing usual;

struct end {
	struct ntlm_seal *s;
};

static struct end open_end(uint32_t flags, const char *key, enum side we,
			   struct seal_framing f)
{
	const struct hex h = hex_of(key);
	struct sasl_outcome o = { .ntlm_flags = flags, .bits = 128 };
	struct end e = { ntlm_seal_init(malloc(ntlm_seal_size()), &o, we, f) };

	/* once more, with the key; the first one only shows that it can */
	memcpy(o.key, h.b, 16);
	e.s = ntlm_seal_init(e.s, &o, we, f);
	assert_non_null(e.s);
	return e;
}

static void close_end(struct end *e)
{
	ntlm_seal_wipe(e->s);
	free(e->s);
}

/* Clear text in, one block out. */
static struct span seal(struct end *e, struct span clear)
{
	struct span out;

	assert_int_equal(ntlm_seal_feed(e->s, SEAL_APP, clear), clear.n);
	out = ntlm_seal_out(e->s, SEAL_NET);
	ntlm_seal_sent(e->s, SEAL_NET, out.n);
	return out;
}

static void opens(struct end *e, struct span block, struct span clear)
{
	struct span out;

	assert_int_equal(ntlm_seal_feed(e->s, SEAL_NET, block), block.n);
	assert_int_equal(ntlm_seal_error(e->s), OK);
	out = ntlm_seal_out(e->s, SEAL_APP);
	assert_true(span_eq(out, clear));
	ntlm_seal_sent(e->s, SEAL_APP, out.n);
}

#define KEY55  "55555555555555555555555555555555"
#define MODERN (NTLM_ESS | NTLM_128 | NTLM_KEY_EXCH | NTLM_SIGN | NTLM_SEAL)

/* 4.2.2.4, 4.2.3.4, 4.2.4.4: "Plaintext" in UTF-16, sealed by the client */
static void examples(void **state)
{
	static const struct {
		uint32_t flags;
		const char *key, *block;
	} all[] = {
		{ NTLM_KEY_EXCH | NTLM_SIGN | NTLM_SEAL, KEY55,
		  "00000022 01000000 45c844e5 09dcd1df 2e459d36"
		  "56fe04d861f9319af0d7238a2e3b4d457fb8" },
		{ NTLM_ESS | NTLM_56 | NTLM_SIGN | NTLM_SEAL,
		  "eb93429a8bd952f8b89c55b87f475edc",
		  "00000022 01000000 ff2aeb52f681793a 00000000"
		  "a02372f6530273f3aa1eb90190ce5200c99d" },
		{ MODERN, KEY55,
		  "00000022 01000000 7fb38ec5c55d4976 00000000"
		  "54e50165bf1936dc996020c1811b0f06fb5f" },
	};
	const struct hex clear = hex_of("50006c00610069006e007400650078007400");
	const struct span text = { clear.b, clear.n };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct hex want = hex_of(all[i].block);
		struct end c = open_end(all[i].flags, all[i].key, CLIENT,
					usual);
		struct end s = open_end(all[i].flags, all[i].key, SERVER,
					usual);
		struct span block = seal(&c, text);

		assert_true(span_eq(block, (struct span){ want.b, want.n }));
		opens(&s, block, text);
		close_end(&c);
		close_end(&s);
	}
}

/* LM key of 40 bits, one stream for both, as NT 4: both ends in turn. */
static void one_stream_for_both(void **state)
{
	static const struct {
		bool client;
		const char *clear, *block;
	} all[] = {
		{ true, "EHLO a.example\r\n",
		  "00000020 01000000be6abe849ffffdb3e6f3042c12b8770b87aa9e7c2"
		  "cc7508b71623975" },
		{ false, "250 OK\r\n",
		  "00000018 01000000d69b58449b8d87f7d49270de8eba72d99b6cc6b8" },
		{ true, "QUIT\r\n",
		  "00000016 01000000884e09797289efb5e13765a4143e3334d82d" },
	};
	const uint32_t flags = NTLM_LM_KEY | NTLM_KEY_EXCH;
	const char *key = "000102030405060708090a0b0c0d0e0f";
	struct end c = open_end(flags, key, CLIENT, usual);
	struct end s = open_end(flags, key, SERVER, usual);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct end *from = all[i].client ? &c : &s;
		const struct hex want = hex_of(all[i].block);
		struct span block = seal(from, span_str(all[i].clear));

		assert_true(span_eq(block, (struct span){ want.b, want.n }));
		opens(all[i].client ? &s : &c, block, span_str(all[i].clear));
	}
	close_end(&c);
	close_end(&s);
}

/* What gss-ntlmssp does: zero where others have RC4(0). */
static void the_second_word_is_nobodys(void **state)
{
	struct hex b = hex_of("00000020 01000000 00000000 9ffffdb3e6f3042c"
			      "12b8770b87aa9e7c2cc7508b71623975");
	struct end s = open_end(NTLM_LM_KEY | NTLM_KEY_EXCH,
				"000102030405060708090a0b0c0d0e0f", SERVER,
				usual);

	(void)state;
	opens(&s, (struct span){ b.b, b.n }, SPAN_LIT("EHLO a.example\r\n"));
	close_end(&s);
}

static void framings(void **state)
{
	static const struct {
		struct seal_framing f;
		const char *block;
	} all[] = {
		{ { true, false },
		  "20000000 01000000be6abe849ffffdb3e6f3042c"
		  "12b8770b87aa9e7c2cc7508b71623975" },
		{ { false, true },
		  "00000020 12b8770b87aa9e7c2cc7508b71623975"
		  "01000000be6abe849ffffdb3e6f3042c" },
		{ { true, true },
		  "20000000 12b8770b87aa9e7c2cc7508b71623975"
		  "01000000be6abe849ffffdb3e6f3042c" },
	};
	const char *key = "000102030405060708090a0b0c0d0e0f";

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct hex want = hex_of(all[i].block);
		struct end c = open_end(NTLM_LM_KEY, key, CLIENT, all[i].f);
		struct end s = open_end(NTLM_LM_KEY, key, SERVER, all[i].f);
		struct span block = seal(&c, SPAN_LIT("EHLO a.example\r\n"));

		assert_true(span_eq(block, (struct span){ want.b, want.n }));
		opens(&s, block, SPAN_LIT("EHLO a.example\r\n"));
		close_end(&c);
		close_end(&s);
	}
}

/* --- every cut ------------------------------------------------------------------- */

/* Five blocks of a server, one of them empty, one of the largest size. */
static struct span conversation(uint32_t flags)
{
	static uint8_t mem[SEAL_IN_MAX + 8192], big[SEAL_OUT_MAX];
	static const char *const lines[] = { "220 mx\r\n", "", "250-a\r\n250 b",
					     "\r\n" };
	struct end s = open_end(flags, KEY55, SERVER, usual);
	struct buf b;
	struct span block;

	buf_init(&b, mem, sizeof(mem));
	for (size_t i = 0; i < 4; i++) {
		struct span line = span_str(lines[i]);

		if (line.n == 0)
			continue;
		block = seal(&s, line);
		assert_int_equal(buf_put(&b, block), OK);
	}
	memset(big, 'x', sizeof(big));
	block = seal(&s, (struct span){ big, sizeof(big) });
	assert_int_equal(buf_put(&b, block), OK);
	close_end(&s);
	return buf_span(&b);
}

struct reader {
	uint32_t flags;
	struct end e;
};

static void begin(void *state)
{
	struct reader *r = state;

	if (r->e.s)
		close_end(&r->e);
	r->e = open_end(r->flags, KEY55, CLIENT, usual);
}

static void take(void *state, struct span in, struct feed_log *log)
{
	struct reader *r = state;

	while (in.n > 0) {
		size_t n = ntlm_seal_feed(r->e.s, SEAL_NET, in);
		struct span out = ntlm_seal_out(r->e.s, SEAL_APP);

		feed_bytes(log, out);
		ntlm_seal_sent(r->e.s, SEAL_APP, out.n);
		if (ntlm_seal_error(r->e.s) != OK) {
			feed_mark(log, 'r', ntlm_seal_error(r->e.s));
			return;
		}
		in = span_skip(in, n);
	}
}

static void every_cut(void **state)
{
	static const uint32_t modes[] = { MODERN, NTLM_ESS | NTLM_56,
					  NTLM_LM_KEY };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct reader r = { .flags = modes[i] };
		const struct feed_engine e = { &r, begin, take };
		struct span in = conversation(modes[i]), out;

		/* cuts in the big block are all alike */
		assert_int_equal(feed_cuts(&e, in, 0, 140, &out), FEED_SAME);
		assert_int_equal(out.n, 8 + 12 + 2 + SEAL_OUT_MAX);
		assert_memory_equal(out.p, "220 mx\r\n250-a\r\n250 b\r\nxxx",
				    25);
		close_end(&r.e);
	}
}

/* Clear text that the gate has not taken yet is not lost. */
static void back_pressure(void **state)
{
	struct end c = open_end(MODERN, KEY55, CLIENT, usual);
	struct span in = conversation(MODERN), out;
	size_t n = ntlm_seal_feed(c.s, SEAL_NET, in);

	(void)state;
	assert_int_equal(n, SEAL_HEAD + 8);
	assert_int_equal(ntlm_seal_feed(c.s, SEAL_NET, span_skip(in, n)), 0);
	ntlm_seal_sent(c.s, SEAL_APP, 3);
	assert_int_equal(ntlm_seal_feed(c.s, SEAL_NET, span_skip(in, n)), 0);
	out = ntlm_seal_out(c.s, SEAL_APP);
	assert_true(span_eq(out, SPAN_LIT(" mx\r\n")));
	ntlm_seal_sent(c.s, SEAL_APP, out.n);
	assert_int_equal(ntlm_seal_feed(c.s, SEAL_NET, span_skip(in, n)),
			 SEAL_HEAD + 12);
	/* one outgoing block at a time, of at most SEAL_OUT_MAX */
	assert_int_equal(ntlm_seal_feed(c.s, SEAL_APP, in), SEAL_OUT_MAX);
	assert_int_equal(ntlm_seal_feed(c.s, SEAL_APP, in), 0);
	ntlm_seal_sent(c.s, SEAL_NET, 1);
	assert_int_equal(ntlm_seal_out(c.s, SEAL_NET).n,
			 SEAL_HEAD + SEAL_OUT_MAX - 1);
	close_end(&c);
}

/* --- attacks (A29) ---------------------------------------------------------------- */
static const uint32_t modes[] = { MODERN, NTLM_ESS | NTLM_128,
				  NTLM_ESS | NTLM_56, NTLM_LM_KEY,
				  NTLM_KEY_EXCH };

/* Three blocks of a server, and where each begins. */
static struct span three(uint32_t flags, uint8_t *mem, size_t at[4])
{
	static const char *const lines[] = { "250 MAIL ok\r\n", "354 go on\r\n",
					     "250 taken it\r\n" };
	struct end s = open_end(flags, KEY55, SERVER, usual);

	at[0] = 0;
	for (size_t i = 0; i < 3; i++) {
		struct span block = seal(&s, span_str(lines[i]));

		memcpy(mem + at[i], block.p, block.n);
		at[i + 1] = at[i] + block.n;
	}
	close_end(&s);
	return (struct span){ mem, at[3] };
}

/* How much clear text a client gets of it; *error is how it ended. */
static size_t opened(uint32_t flags, struct span in, int *error)
{
	static struct feed_log log;
	struct reader r = { .flags = flags };

	begin(&r);
	log.n = 0;
	take(&r, in, &log);
	*error = ntlm_seal_error(r.e.s);
	if (*error != OK) { /* and it stays so */
		assert_int_equal(ntlm_seal_feed(r.e.s, SEAL_NET, in), 0);
		assert_int_equal(ntlm_seal_feed(r.e.s, SEAL_APP, in), 0);
		assert_int_equal(ntlm_seal_out(r.e.s, SEAL_APP).n, 0);
	}
	close_end(&r.e);
	return log.n - (*error != OK ? strlen("{r-100}") : 0);
}

static void every_bit_counts(void **state)
{
	uint8_t mem[256];
	size_t at[4];
	int error;

	(void)state;
	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		struct span in = three(modes[m], mem, at);

		for (size_t bit = 8 * at[1]; bit < 8 * at[2]; bit++) {
			size_t off = bit / 8 - at[1];
			bool length = off < SEAL_LENGTH;
			bool nobodys = (modes[m] & NTLM_ESS) == 0 && off >= 8 &&
				       off < 12;

			mem[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(opened(modes[m], in, &error),
					 nobodys ? 13 + 11 + 14 : 13);
			if (nobodys)
				assert_int_equal(error, OK);
			else if (!length)
				assert_int_equal(error, E_PEER_PROOF);
			mem[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void dropped_repeated_moved(void **state)
{
	uint8_t mem[256], bad[512];
	size_t at[4];
	int error;

	(void)state;
	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		static const char *const orders[] = { "02",  "001", "012012",
						      "102", "20",  "1",
						      "0112" };

		(void)three(modes[m], mem, at);
		for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]);
		     o++) {
			size_t n = 0;

			for (const char *c = orders[o]; *c; c++) {
				size_t i = (size_t)(*c - '0');

				memcpy(bad + n, mem + at[i], at[i + 1] - at[i]);
				n += at[i + 1] - at[i];
			}
			(void)opened(modes[m], (struct span){ bad, n }, &error);
			assert_int_equal(error, E_PEER_PROOF);
		}
	}
}

/* Our own blocks, sent back to us. */
static void reflected(void **state)
{
	(void)state;
	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		struct end c = open_end(modes[m], KEY55, CLIENT, usual);
		struct span block = seal(&c, SPAN_LIT("250 taken\r\n"));

		(void)ntlm_seal_feed(c.s, SEAL_NET, block);
		assert_int_equal(ntlm_seal_error(c.s), E_PEER_PROOF);
		close_end(&c);
	}
}

/* Of a block that is not whole nothing comes out, at any octet. */
static void truncated(void **state)
{
	uint8_t mem[256];
	size_t at[4];
	int error;

	(void)state;
	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		struct span in = three(modes[m], mem, at);

		for (size_t n = at[1]; n < at[2]; n++) {
			assert_int_equal(opened(modes[m],
						(struct span){ in.p, n },
						&error),
					 13);
			assert_int_equal(error, OK);
		}
	}
}

static void impossible_lengths(void **state)
{
	static const struct {
		const char *block;
		int error;
	} all[] = {
		{ "00000000", E_PEER_SYNTAX }, { "0000000f", E_PEER_SYNTAX },
		{ "00010011", E_PEER_LONG },   { "7fffffff", E_PEER_LONG },
		{ "ffffffff", E_PEER_LONG },   { "32353020", E_PEER_LONG },
	};
	int error;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct hex h = hex_of(all[i].block);

		(void)opened(MODERN, (struct span){ h.b, h.n }, &error);
		assert_int_equal(error, all[i].error);
	}
}

static void the_largest_block(void **state)
{
	static const struct hex head = { { 0, 1, 0, 16 }, 4 };
	struct end c = open_end(MODERN, KEY55, CLIENT, usual);
	static uint8_t rest[SEAL_SIGNATURE + SEAL_IN_MAX];

	(void)state;
	assert_int_equal(
		ntlm_seal_feed(c.s, SEAL_NET, (struct span){ head.b, head.n }),
		4);
	assert_int_equal(ntlm_seal_error(c.s), OK);
	assert_int_equal(ntlm_seal_feed(c.s, SEAL_NET,
					(struct span){ rest, sizeof(rest) }),
			 sizeof(rest));
	assert_int_equal(ntlm_seal_error(c.s), E_PEER_PROOF);
	close_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(one_stream_for_both),
		cmocka_unit_test(the_second_word_is_nobodys),
		cmocka_unit_test(framings),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(back_pressure),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(dropped_repeated_moved),
		cmocka_unit_test(reflected),
		cmocka_unit_test(truncated),
		cmocka_unit_test(impossible_lengths),
		cmocka_unit_test(the_largest_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
