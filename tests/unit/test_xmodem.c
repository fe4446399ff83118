/* SPDX-License-Identifier: BSD-2-Clause */
/* XMODEM: every cut of the input, and a line that loses, doubles and alters. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "feed.h"
#include "xmodem_line.h"

enum { FILE_MAX = 80000 };

static uint8_t file[FILE_MAX], got[FILE_MAX + 2048];

static struct span some_file(size_t n)
{
	uint32_t x = 2463534242u + (uint32_t)n;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		file[i] = (uint8_t)x;
	}
	if (n > 0)
		file[n - 1] = 'x'; /* that padding can be told apart */
	return (struct span){ file, n };
}

static void good(struct line *l, struct span f)
{
	l->got = got;
	l->got_max = sizeof(got);
	assert_true(line_run(l, f));
	assert_int_equal(xmodem_in_end(&l->in), XMODEM_DONE);
	assert_int_equal(xmodem_out_end(&l->out), XMODEM_DONE);
	assert_true(line_same(l, f));
}

/* --- octets --------------------------------------------------------------- */
static void crc(void **state)
{
	(void)state;
	assert_int_equal(xmodem_crc(SPAN_LIT("123456789")), 0x31c3);
	assert_int_equal(xmodem_crc(SPAN_LIT("")), 0);
	assert_int_equal(xmodem_crc(SPAN_LIT("A")), 0x58e5);
}

/* A block as it is on the line. */
static size_t put_block(uint8_t *to, unsigned number, size_t size,
			bool with_crc, uint8_t fill)
{
	size_t n = 3 + size;
	uint16_t c;

	to[0] = size == XMODEM_SHORT ? 0x01 : 0x02;
	to[1] = (uint8_t)number;
	to[2] = (uint8_t)(255 - number);
	memset(to + 3, fill, size);
	c = xmodem_crc((struct span){ to + 3, size });
	if (!with_crc) {
		to[n++] = (uint8_t)(fill * size);
		return n;
	}
	to[n++] = (uint8_t)(c >> 8);
	to[n++] = (uint8_t)(c & 0xff);
	return n;
}

static void first_octets_of_a_sender(void **state)
{
	static struct xmodem_out o;
	uint8_t want[XMODEM_FRAME];
	size_t n;

	(void)state;
	xmodem_out_init(&o, SPAN_LIT("\x1a\x1a\x1a"), 5);
	assert_int_equal(xmodem_out_out(&o).n, 0);
	xmodem_out_feed(&o, SPAN_LIT("xyz\x06"), 5);
	assert_int_equal(xmodem_out_out(&o).n, 0);
	xmodem_out_feed(&o, SPAN_LIT("C"), 5);
	n = put_block(want, 1, 128, true, 0x1a);
	assert_int_equal(xmodem_out_out(&o).n, n);
	assert_memory_equal(xmodem_out_out(&o).p, want, n);
	xmodem_out_init(&o, SPAN_LIT("\x1a"), 5);
	xmodem_out_feed(&o, SPAN_LIT("\x15"), 5);
	n = put_block(want, 1, 128, false, 0x1a);
	assert_int_equal(xmodem_out_out(&o).n, n);
	assert_memory_equal(xmodem_out_out(&o).p, want, n);
}

static void begin_in(void *state)
{
	xmodem_in_init(state, 1000);
	xmodem_in_sent(state, 1);
}

static void take_in(void *state, struct span piece, struct feed_log *log)
{
	struct xmodem_in *x = state;

	while (piece.n > 0 && xmodem_in_end(x) == XMODEM_GOES_ON) {
		struct span data, out;
		size_t n = xmodem_in_feed(x, piece, 1000, &data);

		piece = span_skip(piece, n);
		feed_bytes(log, data);
		out = xmodem_in_out(x);
		for (size_t i = 0; i < out.n; i++)
			feed_mark(log, 'a', out.p[i]);
		xmodem_in_sent(x, out.n);
	}
}

static void every_cut(void **state)
{
	static struct xmodem_in x;
	const struct feed_engine e = { &x, begin_in, take_in };
	static uint8_t in[4000];
	struct span out;
	size_t n;

	(void)state;
	n = put_block(in, 1, 128, true, 'a');
	n += put_block(in + n, 2, 1024, true, 'b');
	n += put_block(in + n, 2, 1024, true, 'b'); /* once more */
	n += put_block(in + n, 3, 128, true, 'c');
	memcpy(in + n, "\x04\x04", 2);
	assert_int_equal(feed_every_cut(&e, (struct span){ in, n + 2 }, &out),
			 FEED_SAME);
	assert_int_equal(out.n, 128 + 1024 + 128 + 5 * strlen("{a6}") +
					strlen("{a21}"));
	assert_memory_equal(out.p + out.n - 13, "{a6}{a21}{a6}", 13);
	assert_int_equal(x.ending, XMODEM_DONE);
	memcpy(in + n, "\x18\x18", 2);
	assert_int_equal(feed_every_cut(&e, (struct span){ in, n + 2 }, &out),
			 FEED_SAME);
	assert_int_equal(x.ending, XMODEM_STOPPED);
	n += put_block(in + n, 5, 128, true, 'e');
	assert_int_equal(feed_every_cut(&e, (struct span){ in, n }, &out),
			 FEED_SAME);
	assert_int_equal(x.ending, XMODEM_ORDER);
}

/* --- a good line ------------------------------------------------------------- */
static void sizes(void **state)
{
	static const size_t all[] = { 0,   1,	 127,  128,  129,  895,	 896,
				      897, 1023, 1024, 1025, 3000, 70000 };
	static struct line l;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		good(&l, some_file(all[i]));
}

static size_t no_crc(struct line *l, enum line_way way, unsigned k, uint8_t *b,
		     size_t n)
{
	(void)l, (void)k;
	return way == LINE_TO_OUT && b[0] == 'C' ? 0 : n;
}

/* A sender that knows only the checksum; block numbers go round. */
static void checksum(void **state)
{
	static struct line l = { .fault = no_crc };

	(void)state;
	good(&l, some_file(70000));
	assert_false(l.in.crc);
	assert_true(l.sent[LINE_TO_IN] > 546);
}

static size_t no_long(struct line *l, enum line_way way, unsigned k, uint8_t *b,
		      size_t n)
{
	(void)l, (void)k;
	return way == LINE_TO_IN && b[0] == 0x02 ? 0 : n;
}

static void receiver_without_long_blocks(void **state)
{
	static struct line l = { .fault = no_long };

	(void)state;
	good(&l, some_file(5000));
	assert_true(l.out.small);
}

/* --- a bad one ------------------------------------------------------------------- */
/* arg: way, message, what, where. */
enum { DROP, LOSE_OCTET, ALTER, ADD_OCTET, CUT, DOUBLE, WHATS };

static size_t once(struct line *l, enum line_way way, unsigned k, uint8_t *b,
		   size_t n)
{
	size_t at = l->arg[3] % n;

	if (way != l->arg[0] || k != l->arg[1])
		return n;
	switch (l->arg[2]) {
	case DROP: return 0;
	case LOSE_OCTET: memmove(b + at, b + at + 1, n - at - 1); return n - 1;
	case ALTER: b[at] ^= 0x80; return n;
	case ADD_OCTET:
		memmove(b + at + 1, b + at, n - at);
		b[at] = 0xaa;
		return n + 1;
	case DOUBLE: memcpy(b + n, b, n); return 2 * n;
	default: return at;
	}
}

/* Only for the last ACK nobody can know: the receiver has all, the sender does
 * not get to know it. */
static void one_fault_is_mended(void **state)
{
	static struct line l = { .fault = once, .got = got };
	struct span f = some_file(4 * 1024 + 300);
	unsigned *way = l.sent;

	(void)state;
	good(&(struct line){ .fault = NULL }, f);
	l.got_max = sizeof(got);
	for (l.arg[0] = 0; l.arg[0] < 2; l.arg[0]++) {
		for (l.arg[1] = 0; l.arg[1] < 10; l.arg[1]++)
			for (l.arg[2] = 0; l.arg[2] < WHATS; l.arg[2]++)
				for (l.arg[3] = 0; l.arg[3] < 1030;
				     l.arg[3] += l.arg[0] ? 1030 : 37) {
					assert_true(line_run(&l, f));
					assert_int_equal(xmodem_in_end(&l.in),
							 XMODEM_DONE);
					assert_true(line_same(&l, f));
					if (way[l.arg[0]] > l.arg[1] + 1)
						assert_int_equal(
							xmodem_out_end(&l.out),
							XMODEM_DONE);
				}
	}
}

/* Each octet of one block, altered in each way. */
static size_t altered(struct line *l, enum line_way way, unsigned k, uint8_t *b,
		      size_t n)
{
	if (way == LINE_TO_IN && k == 1 && l->arg[0] < n)
		b[l->arg[0]] ^= (uint8_t)l->arg[1];
	return n;
}

static void every_altered_octet_is_seen(void **state)
{
	static struct line l = { .fault = altered };
	struct span f = some_file(300);

	(void)state;
	for (l.arg[0] = 0; l.arg[0] < 133; l.arg[0]++)
		for (l.arg[1] = 1; l.arg[1] < 256; l.arg[1] += 2)
			good(&l, f);
}

/* Many faults: it ends, and what was taken whole is right. Answers are only
 * lost: what this protocol cannot see is an ACK too many (a NAK that became one,
 * the second answer to a doubled block), if the block behind it is lost. */
static size_t often(struct line *l, enum line_way way, unsigned k, uint8_t *b,
		    size_t n)
{
	uint32_t r = (uint32_t)(l->arg[1] * 2654435761u + k * 40503u + way);

	r ^= r >> 15, r *= 2246822519u, r ^= r >> 13;
	if (r % 100 >= l->arg[0])
		return n;
	if (way == LINE_TO_OUT || r % 7 == 0)
		return 0;
	if (r % 7 == 1) {
		memset(b + n, (int)(r >> 8), n); /* noise behind it */
		return 2 * n;
	}
	b[r / 100 % n] ^= (uint8_t)(1 + r / 7 % 255);
	return n;
}

static void a_very_bad_line(void **state)
{
	static struct line l = { .fault = often, .got = got };
	unsigned done = 0;

	(void)state;
	l.got_max = sizeof(got);
	for (l.arg[0] = 5; l.arg[0] < 100; l.arg[0] += 5) {
		for (l.arg[1] = 0; l.arg[1] < 50; l.arg[1]++) {
			struct span f = some_file(9000);

			assert_true(line_run(&l, f));
			if (xmodem_in_end(&l.in) != XMODEM_DONE)
				continue;
			done++;
			assert_true(line_same(&l, f));
		}
	}
	assert_true(done > 200);
}

/* Our answer was taken for that to the block before: the end that follows is
 * none, a block is missing. */
static void end_behind_a_damaged_block(void **state)
{
	static struct xmodem_in x;
	static uint8_t in[2000];
	struct span data;
	size_t n = put_block(in, 1, 128, true, 'a'), m;

	(void)state;
	begin_in(&x);
	assert_int_equal(
		xmodem_in_feed(&x, (struct span){ in, n }, 1000, &data), n);
	xmodem_in_sent(&x, 1);
	m = put_block(in, 2, 128, true, 'b');
	in[50] ^= 1;
	xmodem_in_feed(&x, (struct span){ in, m }, 1001, &data);
	assert_int_equal(data.n, 0);
	xmodem_in_tick(&x, 3000);
	assert_int_equal(xmodem_in_out(&x).p[0], XMODEM_NAK);
	xmodem_in_sent(&x, 1);
	xmodem_in_feed(&x, SPAN_LIT("\x04\x04"), 3100, &data);
	assert_int_equal(x.ending, XMODEM_ORDER);
	/* the same with a block whose first octet is lost */
	begin_in(&x);
	put_block(in, 1, 128, true, 'a');
	xmodem_in_feed(&x, (struct span){ in, n }, 1000, &data);
	xmodem_in_sent(&x, 1);
	put_block(in, 2, 128, true, 'b');
	xmodem_in_feed(&x, (struct span){ in + 1, n - 1 }, 1001, &data);
	xmodem_in_tick(&x, 3000);
	xmodem_in_sent(&x, 1);
	xmodem_in_feed(&x, SPAN_LIT("\x04"), 3100, &data);
	assert_int_equal(x.ending, XMODEM_ORDER);
}

/* --- time ------------------------------------------------------------------------ */
static void nobody_there(void **state)
{
	static struct line l = { .got = got, .got_max = sizeof(got) };

	(void)state;
	l.out_off = true;
	assert_true(line_run(&l, some_file(10)));
	assert_int_equal(xmodem_in_end(&l.in), XMODEM_NOBODY);
	assert_in_range(l.now, XMODEM_BEGIN_MS - 5000, XMODEM_BEGIN_MS + 5000);
	l = (struct line){ .got = got, .got_max = sizeof(got), .in_off = true };
	assert_true(line_run(&l, some_file(10)));
	assert_int_equal(xmodem_out_end(&l.out), XMODEM_NOBODY);
	assert_in_range(l.now, XMODEM_BEGIN_MS - 5000, XMODEM_BEGIN_MS + 5000);
}

/* From message arg[0] on there is nobody at the other end. */
static size_t silent(struct line *l, enum line_way way, unsigned k, uint8_t *b,
		     size_t n)
{
	(void)b;
	return way == l->arg[1] && k >= l->arg[0] ? 0 : n;
}

static void silence_ends(void **state)
{
	static struct line l = { .fault = silent, .got = got };

	(void)state;
	l.got_max = sizeof(got);
	for (l.arg[1] = 0; l.arg[1] < 2; l.arg[1]++) {
		for (l.arg[0] = 1; l.arg[0] < 8; l.arg[0]++) {
			assert_true(line_run(&l, some_file(6000)));
			assert_true(l.now < 300000);
			assert_int_not_equal(xmodem_out_end(&l.out),
					     XMODEM_DONE);
			assert_true(l.arg[1] == LINE_TO_OUT ||
				    xmodem_in_end(&l.in) != XMODEM_DONE);
		}
	}
}

/* --- people ----------------------------------------------------------------------- */
static void one_ctrl_c_before_it_begins(void **state)
{
	static struct xmodem_in x;
	static struct xmodem_out o;
	struct span data;

	(void)state;
	begin_in(&x);
	xmodem_in_feed(&x, SPAN_LIT("\x03"), 1000, &data);
	assert_int_equal(x.ending, XMODEM_STOPPED);
	assert_int_equal(xmodem_in_out(&x).n, 8);
	assert_int_equal(xmodem_in_end(&x), XMODEM_GOES_ON);
	xmodem_in_tick(&x, 3000);
	assert_int_equal(xmodem_in_end(&x), XMODEM_STOPPED);
	xmodem_out_init(&o, SPAN_LIT("x"), 0);
	xmodem_out_feed(&o, SPAN_LIT("\x03"), 0);
	assert_int_equal(o.ending, XMODEM_STOPPED);
}

/* A file may be full of ^C and CAN. */
static void two_of_them_later(void **state)
{
	static struct xmodem_in x;
	static uint8_t in[200];
	struct span data;
	size_t n = put_block(in, 1, 128, true, 0x18);

	(void)state;
	begin_in(&x);
	xmodem_in_feed(&x, (struct span){ in, n }, 1000, &data);
	assert_int_equal(data.n, 128);
	xmodem_in_sent(&x, 1);
	xmodem_in_feed(&x, SPAN_LIT("\x03\x18\x03"), 1000, &data);
	assert_int_equal(x.state, IN_HEADER);
	xmodem_in_feed(&x, SPAN_LIT("\x03"), 1000, &data);
	assert_int_equal(x.ending, XMODEM_STOPPED);
	/* somebody types it where a block or noise is; a sender does not pause */
	for (unsigned pause = 0; pause < 300; pause += 150) {
		begin_in(&x);
		xmodem_in_feed(&x, SPAN_LIT("\x01\x01\xfe noise\x03\x03"), 1000,
			       &data);
		xmodem_in_feed(&x, SPAN_LIT("\x03"), 1000 + pause, &data);
		assert_int_equal(x.state, pause ? IN_ENDING : IN_BLOCK);
	}
	/* a sender that is stopped in the middle of a block */
	begin_in(&x);
	n = put_block(in, 1, 128, true, 'x');
	memcpy(in + 40, "\x18\x18\x18\x18\x18\x18\b\b\b\b", 10);
	xmodem_in_feed(&x, (struct span){ in, 50 }, 1000, &data);
	xmodem_in_tick(&x, 2500);
	assert_int_equal(x.ending, XMODEM_STOPPED);
}

static void the_rest_is_thrown_away(void **state)
{
	static struct xmodem_in x;
	struct span data;
	uint64_t now = 1000;

	(void)state;
	begin_in(&x);
	xmodem_in_stop(&x, now);
	assert_int_equal(xmodem_in_out(&x).n, 8);
	xmodem_in_sent(&x, 8);
	for (int i = 0; i < 20; i++, now += 1000) {
		xmodem_in_tick(&x, now);
		assert_int_equal(
			xmodem_in_feed(&x, SPAN_LIT("reload\r"), now, &data),
			7);
	}
	xmodem_in_tick(&x, now + 1000);
	assert_int_equal(xmodem_in_end(&x), XMODEM_GAVE_UP);
	/* but not for ever */
	begin_in(&x);
	xmodem_in_stop(&x, now);
	xmodem_in_sent(&x, 8);
	for (int i = 0; i < 40; i++, now += 1000) {
		xmodem_in_feed(&x, SPAN_LIT("noise"), now, &data);
		xmodem_in_tick(&x, now);
	}
	assert_int_equal(xmodem_in_end(&x), XMODEM_GAVE_UP);
}

static void names(void **state)
{
	(void)state;
	for (int e = XMODEM_GOES_ON; e <= XMODEM_GAVE_UP; e++)
		assert_string_not_equal(xmodem_why((enum xmodem_end)e), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc),
		cmocka_unit_test(first_octets_of_a_sender),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(sizes),
		cmocka_unit_test(checksum),
		cmocka_unit_test(receiver_without_long_blocks),
		cmocka_unit_test(one_fault_is_mended),
		cmocka_unit_test(every_altered_octet_is_seen),
		cmocka_unit_test(a_very_bad_line),
		cmocka_unit_test(end_behind_a_damaged_block),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(silence_ends),
		cmocka_unit_test(one_ctrl_c_before_it_begins),
		cmocka_unit_test(two_of_them_later),
		cmocka_unit_test(the_rest_is_thrown_away),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
