/* SPDX-License-Identifier: BSD-2-Clause */
/* What a time server says, field by field; who agrees with whom; and how far a clock
 * may be moved by it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "ntp/ntp_judge.h"
#include "packet.h"

#define COOKIE	0x0123456789abcdefull
#define TO_UNIX 2208988800u
#define NOW_S	1796000000ull /* 2026-11-29 */
#define FLOOR_S 1790000000ull
#define MINUTE	60000ull
#define DAY	86400000ull

/* What a good server of stratum 2 says, whose clock has NOW_S and half a second. */
static uint8_t answer[NTP_SIZE];

static int fresh(void **state)
{
	static const uint8_t head[] = {
		4 << 3 | 4, 2, 6,    0xec, /* no warning, version, mode */
		0,	    0, 0x19, 0x99, /* root delay: 0.1 s */
		0,	    0, 0x0c, 0xcc, /* root dispersion: 0.05 s */
	};

	(void)state;
	memset(answer, 0, sizeof(answer));
	memcpy(answer, head, sizeof(head));
	put_be32(answer + 24, COOKIE >> 32);
	put_be32(answer + 28, COOKIE & 0xffffffff);
	for (size_t at = 32; at < NTP_SIZE; at += 8) {
		put_be32(answer + at, (uint32_t)(NOW_S + TO_UNIX));
		put_be32(answer + at + 4, 0x80000000);
	}
	return 0;
}

static struct ntp_sample s;

static bool take(uint64_t took_ms)
{
	memset(&s, 0xff, sizeof(s));
	return ntp_answer(pk_guard((struct span){ answer, NTP_SIZE }), COOKIE,
			  777, took_ms, &s);
}

static enum ntp_state state_of(uint64_t took_ms)
{
	assert_true(take(took_ms));
	return s.state;
}

/* RFC 5905, figure 8: version 4, a client, and a number that says nothing. */
static void question(void **state)
{
	uint8_t out[NTP_SIZE], rest[40] = { 0 };

	(void)state;
	ntp_ask(out, COOKIE);
	assert_int_equal(out[0], 0x23);
	assert_memory_equal(out + 1, rest, 39);
	assert_memory_equal(out + 40, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
}

static void good_answer(void **state)
{
	(void)state;
	assert_int_equal(state_of(40), NTP_GAVE);
	assert_int_equal(s.raw_ms, 777);
	assert_int_equal(s.unix_ms, NOW_S * 1000 + 500 + 20);
	assert_int_equal(s.error_ms, 20 + 49 + 49);
	/* ten milliseconds of it are the server's own */
	put_be32(answer + 44, 0x80000000 + 42949673);
	assert_int_equal(state_of(40), NTP_GAVE);
	assert_int_equal(s.unix_ms, NOW_S * 1000 + 510 + 15);
	/* version 3, more behind it than we know */
	answer[0] = 3 << 3 | 4;
	assert_int_equal(state_of(40), NTP_GAVE);
}

/* Every octet of the number has to come back; nothing shorter; only a server. */
static void no_answer(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 64; bit++) {
		answer[24 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(take(40));
		answer[24 + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < NTP_SIZE; n++)
		assert_false(ntp_answer(pk_guard((struct span){ answer, n }),
					COOKIE, 777, 40, &s));
	for (unsigned first = 0; first < 256; first++) {
		answer[0] = (uint8_t)first;
		assert_int_equal(take(40),
				 (first & 7) == 4 && (first >> 3 & 7) != 0);
	}
}

static void unsure_and_refused(void **state)
{
	(void)state;
	for (unsigned stratum = 0; stratum < 256; stratum++) {
		answer[1] = (uint8_t)stratum;
		assert_int_equal(state_of(40), stratum == 0    ? NTP_REFUSED
					       : stratum <= 15 ? NTP_GAVE
							       : NTP_UNSURE);
	}
	fresh(NULL);
	answer[0] |= 3 << 6; /* it has never been set */
	assert_int_equal(state_of(40), NTP_UNSURE);
	fresh(NULL);
	memset(answer + 40, 0, 8);
	assert_int_equal(state_of(40), NTP_UNSURE);
	/* longer in the server than it was away, or in there before it came */
	fresh(NULL);
	put_be32(answer + 44, 0x80000000 + 4 * 42949673);
	assert_int_equal(state_of(40), NTP_GAVE);
	assert_int_equal(state_of(20), NTP_UNSURE);
	fresh(NULL);
	put_be32(answer + 44, 0x7fffffff - 42949673);
	assert_int_equal(state_of(40), NTP_UNSURE);
	/* too far from who knows it */
	fresh(NULL);
	assert_int_equal(state_of(2 * 1401), NTP_GAVE);
	assert_int_equal(state_of(2 * 1403), NTP_UNSURE);
	for (size_t at = 4; at <= 8; at += 4) {
		fresh(NULL);
		put_be32(answer + at, 0xffffffff);
		assert_int_equal(state_of(40), NTP_UNSURE);
	}
}

/* The seconds begin anew on 2036-02-07; 1980 would come after that. */
static void eras(void **state)
{
	static const struct {
		uint32_t sent;
		uint64_t unix_s;
	} all[] = {
		{ 1767225600u + TO_UNIX, 1767225600 }, /* 2026-01-01 */
		{ 0xffffffff, 2085978495 },
		{ 1, 2085978497 },
		{ 315532800u + TO_UNIX, 315532800 + (1ull << 32) }, /* 1980 */
		{ 1767225599u + TO_UNIX, 1767225599 + (1ull << 32) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		put_be32(answer + 32, all[i].sent);
		put_be32(answer + 40, all[i].sent);
		assert_int_equal(state_of(0), NTP_GAVE);
		assert_int_equal(s.unix_ms, all[i].unix_s * 1000 + 500);
	}
	/* over the edge while it is in the server */
	put_be32(answer + 32, 0xffffffff);
	put_be32(answer + 36, 0xffffff00);
	put_be32(answer + 40, 0);
	put_be32(answer + 44, 0x00ffffff);
	assert_int_equal(state_of(40), NTP_GAVE);
	assert_int_equal(s.unix_ms, 2085978496000ull + 3 + 18);
}

static void sample_over_a_pipe(void **state)
{
	uint8_t b[NTP_SAMPLE_SIZE];
	struct ntp_sample got;

	(void)state;
	assert_int_equal(state_of(40), NTP_GAVE);
	ntp_sample_put(&s, b);
	assert_true(ntp_sample_get(b, &got));
	assert_memory_equal(&got, &s, sizeof(s));
	put_le32(b + 4, NTP_DISTANCE_MS + 1);
	assert_false(ntp_sample_get(b, &got));
	put_le32(b, NTP_STATES);
	assert_false(ntp_sample_get(b, &got));
}

/* --- who agrees ---------------------------------------------------------------- */
#define GAVE(away_ms, error)                                        \
	{                                                           \
		NTP_GAVE, error, 5000,                              \
			NOW_S * 1000 + (uint64_t)(int64_t)(away_ms) \
	}
#define NOTHING(why)         \
	{                    \
		.state = why \
	}

static void votes(void **state)
{
	static const struct {
		struct ntp_sample s[3];
		unsigned n, gave, agree;
		bool yes;
		int64_t away_ms; /* of the time that is taken */
	} all[] = {
		{ { GAVE(0, 10) }, 1, 1, 1, true, 0 },
		{ { NOTHING(NTP_SILENT) }, 1, 0, 0, false, 0 },
		{ { NOTHING(NTP_UNSURE), NOTHING(NTP_REFUSED) },
		  2,
		  0,
		  0,
		  false,
		  0 },
		/* the one that may be least wrong */
		{ { GAVE(0, 30), GAVE(900, 20) }, 2, 2, 2, true, 900 },
		{ { GAVE(0, 30), GAVE(1050, 20) }, 2, 2, 2, true, 1050 },
		{ { GAVE(0, 30), GAVE(1051, 20) }, 2, 2, 1, false, 0 },
		/* one of two is silent */
		{ { NOTHING(NTP_SILENT), GAVE(7, 20) }, 2, 1, 1, true, 7 },
		/* a liar is outvoted, wherever he stands, however sure he is */
		{ { GAVE(0, 30), GAVE(5, 20), GAVE(-86400000, 0) },
		  3,
		  3,
		  2,
		  true,
		  5 },
		{ { GAVE(86400000, 0), GAVE(0, 30), GAVE(5, 20) },
		  3,
		  3,
		  2,
		  true,
		  5 },
		/* three that all say something else */
		{ { GAVE(0, 1), GAVE(9000, 1), GAVE(99000, 1) },
		  3,
		  3,
		  1,
		  false,
		  0 },
		/* one that cannot decide does not decide */
		{ { GAVE(0, 1), GAVE(9000, 1), NOTHING(NTP_UNSURE) },
		  3,
		  2,
		  1,
		  false,
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct ntp_vote v;

		assert_int_equal(ntp_agree(all[i].s, all[i].n, 5250, &v),
				 all[i].yes);
		assert_int_equal(v.gave, all[i].gave);
		assert_int_equal(v.agree, all[i].agree);
		if (all[i].yes) /* a quarter of a second later */
			assert_int_equal((int64_t)v.unix_ms,
					 (int64_t)(NOW_S * 1000) +
						 all[i].away_ms + 250);
	}
}

/* --- how far --------------------------------------------------------------------- */
static void a_clock_that_is_set(void **state)
{
	const struct ntp_clock c = { true, FLOOR_S, 1000, NOW_S * 1000 };
	static const struct {
		uint64_t age_ms, slack_ms;
	} all[] = {
		{ 0, 10 * MINUTE },
		{ MINUTE, 10 * MINUTE },
		{ DAY, 10 * MINUTE + 10000 },
		{ 365 * DAY, 10 * MINUTE + 3650000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint64_t raw = 1000 + all[i].age_ms;
		uint64_t right = NOW_S * 1000 + all[i].age_ms;
		uint64_t slack = all[i].slack_ms;

		assert_int_equal(ntp_judge(&c, raw, right), NTP_TAKE);
		assert_int_equal(ntp_judge(&c, raw, right + slack), NTP_TAKE);
		assert_int_equal(ntp_judge(&c, raw, right - slack), NTP_TAKE);
		assert_int_equal(ntp_judge(&c, raw, right + slack + 1),
				 NTP_FAR);
		assert_int_equal(ntp_judge(&c, raw, right - slack - 1),
				 NTP_FAR);
	}
}

/* What was taken before buys nothing: the slack is counted from where it was set. */
static void small_steps_lead_nowhere(void **state)
{
	const struct ntp_clock c = { true, FLOOR_S, 0, NOW_S * 1000 };
	uint64_t raw = 0, at = NOW_S * 1000;

	(void)state;
	for (unsigned i = 0; i < 24 * 60; i++) { /* a day, a minute each */
		raw += MINUTE;
		at += MINUTE;
		if (ntp_judge(&c, raw, at - MINUTE) == NTP_TAKE)
			at -= MINUTE;
	}
	assert_in_range(at, NOW_S * 1000 + DAY - 11 * MINUTE,
			NOW_S * 1000 + DAY);
}

static void the_first_time(void **state)
{
	const struct ntp_clock c = { .floor_s = FLOOR_S };
	uint64_t end = FLOOR_S + 20ull * 366 * 86400;

	(void)state;
	assert_int_equal(ntp_judge(&c, 5, (FLOOR_S - 600) * 1000), NTP_TAKE);
	assert_int_equal(ntp_judge(&c, 5, (FLOOR_S - 600) * 1000 - 1),
			 NTP_EARLY);
	assert_int_equal(ntp_judge(&c, 5, 315532800000ull), NTP_EARLY);
	assert_int_equal(ntp_judge(&c, 5, end * 1000), NTP_TAKE);
	assert_int_equal(ntp_judge(&c, 5, (end + 1) * 1000), NTP_LATE);
	assert_int_equal(ntp_judge(&c, 5, 4102444800000ull), NTP_LATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question),
		cmocka_unit_test_setup(good_answer, fresh),
		cmocka_unit_test_setup(no_answer, fresh),
		cmocka_unit_test_setup(unsure_and_refused, fresh),
		cmocka_unit_test_setup(eras, fresh),
		cmocka_unit_test_setup(sample_over_a_pipe, fresh),
		cmocka_unit_test(votes),
		cmocka_unit_test(a_clock_that_is_set),
		cmocka_unit_test(small_steps_lead_nowhere),
		cmocka_unit_test(the_first_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
