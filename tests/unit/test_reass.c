/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments in every order; those that hosts disagree about; too many. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "packet.h"
#include "proto/reass.h"

/* A TCP segment of 20 + 76 octets, to be cut. */
enum { SEGMENT = 96 };
static uint8_t segment[SEGMENT];

static struct reass *fresh(void)
{
	struct reass *r = calloc(1, sizeof(*r));
	struct packet p = { 0 };

	assert_non_null(r);
	pk_tcp(&p, 40000, 25, TCP_ACK, NULL, 0);
	memcpy(segment, p.b, 20);
	for (int i = 20; i < SEGMENT; i++)
		segment[i] = (uint8_t)i;
	return r;
}

static void empty(struct reass *r)
{
	for (int i = 0; i < REASS_DATAGRAMS; i++)
		assert_false(r->datagram[i].used);
	for (int i = 0; i < REASS_SLOTS; i++)
		assert_false(r->taken[i]);
	free(r);
}

/* The octets from off to end of segment as a frame. */
static struct span cut(struct packet *p, bool v6, uint32_t id, unsigned off,
		       unsigned end)
{
	bool more = end < SEGMENT;

	if (v6) {
		pk_eth(p, 0x86dd);
		pk_ip6(p, 44);
		pk_frag6(p, 6, off, more, id);
	} else {
		pk_eth(p, 0x0800);
		pk_ip4(p, 6, off / 8 | (more ? 0x2000u : 0), NULL, 0);
		put_be16(p->b + 14 + 4, (uint16_t)id);
	}
	pk_put(p, segment + off, end - off);
	return pk_guard(pk_done(p));
}

static enum reass_verdict add(struct reass *r, struct span s, uint64_t now,
			      struct reass_out *out)
{
	struct frame f;

	frame_parse(&f, s);
	assert_int_equal(f.class_, FRAME_FRAGMENT);
	return reass_add(r, INSIDE, &f, now, out);
}

static void whole(const struct reass_out *out, unsigned n)
{
	assert_int_equal(out->frames_n, n);
	assert_int_equal(out->frame.class_, FRAME_TCP);
	assert_int_equal(out->frame.src.port, 40000);
	assert_int_equal(out->frame.dst.port, 25);
	assert_int_equal(out->frame.l4_n, SEGMENT);
	assert_memory_equal(out->frame.all.p + out->frame.l4, segment, SEGMENT);
	assert_int_equal(out->frame.data_n, SEGMENT - 20);
	assert_memory_equal(out->frame.all.p + out->frame.data, segment + 20,
			    SEGMENT - 20);
}

/* Four pieces in all 24 orders, IPv4 and IPv6. */
static void every_order(void **state)
{
	static const unsigned at[5] = { 0, 24, 48, 72, SEGMENT };
	struct reass *r = fresh();
	struct reass_out out;

	(void)state;
	for (unsigned o = 0; o < 256 * 2; o++) {
		unsigned order[4] = { o & 3, o >> 2 & 3, o >> 4 & 3,
				      o >> 6 & 3 };
		unsigned seen = 0;

		for (int i = 0; i < 4; i++)
			seen |= 1u << order[i];
		if (seen != 15)
			continue;
		for (int i = 0; i < 4; i++) {
			struct packet p;
			unsigned k = order[i];
			struct span s = cut(&p, o >= 256, o, at[k], at[k + 1]);

			assert_int_equal(add(r, s, o, &out),
					 i == 3 ? REASS_WHOLE : REASS_WAIT);
		}
		whole(&out, 4);
		/* as they came */
		for (int i = 0; i < 4; i++) {
			struct packet p;
			unsigned k = order[i];

			assert_true(
				span_eq(out.frames[i], cut(&p, o >= 256, o,
							   at[k], at[k + 1])));
		}
	}
	empty(r);
}

/* Any overlap throws all away, whichever comes first; nothing is left. */
static void overlaps(void **state)
{
	static const unsigned row[][2] = {
		{ 0, 24 },  { 24, 56 }, { 16, 40 }, { 40, 56 },
		{ 24, 48 }, { 32, 40 }, { 0, 32 },
	};
	struct reass_out out;
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		for (size_t j = 0; j < sizeof(row) / sizeof(row[0]); j++) {
			struct reass *r = fresh();
			bool over = row[i][0] < row[j][1] &&
				    row[j][0] < row[i][1];
			bool tiny = row[i][0] == 16 || row[j][0] == 16;

			if (tiny) { /* would begin inside the header */
				assert_int_equal(
					add(r, cut(&p, 0, 1, 16, 40), 0, &out),
					REASS_DROP);
				empty(r);
				continue;
			}
			assert_int_equal(
				add(r, cut(&p, 0, 1, row[i][0], row[i][1]), 0,
				    &out),
				REASS_WAIT);
			assert_int_equal(
				add(r, cut(&p, 0, 1, row[j][0], row[j][1]), 0,
				    &out),
				over ? REASS_DROP : REASS_WAIT);
			if (over)
				empty(r);
			else
				free(r);
		}
}

static void tiny_and_odd(void **state)
{
	struct reass *r = fresh();
	struct reass_out out;
	struct packet p;
	struct span s;

	(void)state;
	for (unsigned n = 8; n < 20; n += 8)
		assert_int_equal(add(r, cut(&p, false, n, 0, n), 0, &out),
				 REASS_DROP);
	assert_int_equal(add(r, cut(&p, false, 1, 8, 32), 0, &out), REASS_DROP);
	/* not a multiple of eight, and more to come */
	assert_int_equal(add(r, cut(&p, true, 1, 0, 25), 0, &out), REASS_DROP);
	/* no octets */
	assert_int_equal(add(r, cut(&p, true, 1, 48, 48), 0, &out), REASS_DROP);
	/* two ends; an end before what is there; octets behind the end */
	assert_int_equal(add(r, cut(&p, 0, 2, 48, SEGMENT), 0, &out),
			 REASS_WAIT);
	cut(&p, false, 2, 24, 48);
	p.b[20] &= 0x1f;
	s = pk_guard(pk_done(&p));
	assert_int_equal(add(r, s, 0, &out), REASS_DROP);
	assert_int_equal(add(r, cut(&p, 0, 3, 48, 72), 0, &out), REASS_WAIT);
	cut(&p, false, 3, 24, 48);
	p.b[20] &= 0x1f;
	s = pk_guard(pk_done(&p));
	assert_int_equal(add(r, s, 0, &out), REASS_DROP);
	/* above 64 KiB with its header */
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0x1ffe, NULL, 0);
	pk_put(&p, segment, 8);
	s = pk_guard(pk_done(&p));
	assert_int_equal(add(r, s, 0, &out), REASS_DROP);
	/* a segment whose options run off their end: whole, but no TCP */
	segment[12] = 6 << 4;
	memcpy(segment + 20, "\1\1\1\2", 4);
	assert_int_equal(add(r, cut(&p, 0, 4, 0, 48), 0, &out), REASS_WAIT);
	assert_int_equal(add(r, cut(&p, 0, 4, 48, SEGMENT), 0, &out),
			 REASS_DROP);
	empty(r);
}

/* Identification, addresses, port and version tell datagrams apart. */
static void apart(void **state)
{
	struct reass *r = fresh();
	struct reass_out out;
	struct packet p;
	struct frame f;

	(void)state;
	assert_int_equal(add(r, cut(&p, 0, 1, 0, 48), 0, &out), REASS_WAIT);
	assert_int_equal(add(r, cut(&p, 0, 2, 48, SEGMENT), 0, &out),
			 REASS_WAIT);
	assert_int_equal(add(r, cut(&p, 1, 1, 48, SEGMENT), 0, &out),
			 REASS_WAIT);
	cut(&p, false, 1, 48, SEGMENT);
	p.b[14 + 15] = 77; /* another source */
	assert_int_equal(add(r, pk_guard(pk_done(&p)), 0, &out), REASS_WAIT);
	frame_parse(&f, cut(&p, false, 1, 48, SEGMENT));
	assert_int_equal(reass_add(r, OUTSIDE, &f, 0, &out), REASS_WAIT);
	assert_int_equal(reass_add(r, INSIDE, &f, 0, &out), REASS_WHOLE);
	whole(&out, 2);
	free(r);
}

static void time_is_up(void **state)
{
	struct reass *r = fresh();
	struct reass_out out;
	struct packet p;

	(void)state;
	assert_int_equal(add(r, cut(&p, 0, 1, 0, 48), 1000, &out), REASS_WAIT);
	assert_int_equal(
		add(r, cut(&p, 0, 1, 48, SEGMENT), 1000 + REASS_MS, &out),
		REASS_WHOLE);
	assert_int_equal(add(r, cut(&p, 0, 1, 0, 48), 1000, &out), REASS_WAIT);
	assert_int_equal(
		add(r, cut(&p, 0, 1, 48, SEGMENT), 1001 + REASS_MS, &out),
		REASS_WAIT);
	assert_int_equal(add(r, cut(&p, 0, 1, 0, 48), 1001 + REASS_MS, &out),
			 REASS_WHOLE);
	empty(r);
}

/* A flood of beginnings takes no more than there is, and a datagram that comes
 * after it is still put together. */
static void flood(void **state)
{
	struct reass *r = fresh();
	struct reass_out out;
	struct packet p;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		enum reass_verdict v = add(
			r, cut(&p, true, i, 24 + i % 3 * 8, 64), i / 10, &out);

		assert_true(v == REASS_WAIT || v == REASS_DROP);
	}
	assert_int_equal(add(r, cut(&p, 0, 9, 0, 48), 600, &out), REASS_WAIT);
	assert_int_equal(add(r, cut(&p, 0, 9, 48, SEGMENT), 600, &out),
			 REASS_WHOLE);
	whole(&out, 2);
	free(r);
}

/* The largest datagram, behind the longest headers a fragment can have: the
 * headers of the first one do not push the octets out of the buffer. */
static void largest(void **state)
{
	static uint8_t b[REASS_FRAGMENT];
	struct reass *r = fresh();
	struct reass_out out;
	struct packet p;
	struct frame f;
	size_t chain = 2048;
	uint32_t off = 0;
	enum reass_verdict v = REASS_WAIT;

	(void)state;
	pk_eth(&p, 0x86dd);
	pk_ip6(&p, 60);
	memcpy(b, p.b, 54);
	for (size_t i = 0; i < 4; i++) {
		b[54 + i * chain] = i == 3 ? 44 : 60;
		b[54 + i * chain + 1] = 255;
	}
	off = 54 + 4 * 2048;
	b[off] = 6;
	b[off + 3] = 1; /* more */
	memcpy(b + off + 8, segment, 24);
	put_be16(b + 18, (uint16_t)(off + 8 + 24 - 54));
	frame_parse(&f, (struct span){ b, off + 8 + 24 });
	assert_int_equal(f.class_, FRAME_FRAGMENT);
	assert_int_equal(reass_add(r, INSIDE, &f, 0, &out), REASS_WAIT);
	for (off = 24; off < 65528 - 1024 && v == REASS_WAIT; off += 1184) {
		pk_eth(&p, 0x86dd);
		pk_ip6(&p, 44);
		pk_frag6(&p, 6, off, true, 0);
		p.n += 1184;
		frame_parse(&f, pk_guard(pk_done(&p)));
		v = reass_add(r, INSIDE, &f, 0, &out);
	}
	assert_int_equal(v, REASS_WAIT);
	pk_eth(&p, 0x86dd);
	pk_ip6(&p, 44);
	pk_frag6(&p, 6, off, false, 0);
	p.n += 65535 - 48 - off;
	frame_parse(&f, pk_guard(pk_done(&p)));
	assert_int_equal(reass_add(r, INSIDE, &f, 0, &out), REASS_WHOLE);
	assert_int_equal(out.frame.l4_n, 65535 - 48);
	assert_memory_equal(out.frame.all.p + out.frame.l4, segment, 24);
	empty(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order),	cmocka_unit_test(overlaps),
		cmocka_unit_test(tiny_and_odd), cmocka_unit_test(apart),
		cmocka_unit_test(time_is_up),	cmocka_unit_test(flood),
		cmocka_unit_test(largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
