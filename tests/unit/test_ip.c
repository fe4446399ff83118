/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TCP engine against itself: one side dials out of the port outside, and what
 * it sends comes in at the port inside, where the other side accepts. Between them
 * is a wire that loses, doubles, delays and reorders, on a clock of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "ip/ip_isn.h"
#include "ip/ip_tcp.h"
#include "packet.h"

enum {
	FRAMES = 4096,
	FRAME_MAX = 65536,
	BODY = 300000,
	MINUTE = 60000,
};

/* What the wire does, per thousand frames. */
static struct {
	unsigned loss, twice, late; /* late: overtaken by those behind it */
	unsigned delay_ms;
} wire;

static struct in_flight {
	uint64_t due;
	enum port to;
	size_t n;
	uint8_t *b;
} frames[FRAMES];

static uint64_t now = 1000;
static unsigned largest_cut; /* of the super-segments seen */
static bool deaf;	     /* nothing arrives any more */
static struct ip_side client, server;
static bool server_begun;

static unsigned chance(void)
{
	static uint32_t x = 20250101;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % 1000;
}

static void put(enum port to, const uint8_t *b, size_t n, uint64_t due)
{
	struct in_flight *f = frames;

	while (f < frames + FRAMES && f->b)
		f++;
	assert_true(f < frames + FRAMES);
	*f = (struct in_flight){ due, to, n, malloc(n) };
	memcpy(f->b, b, n);
}

/* One frame, and what becomes of it. */
static void frame_out(const struct ip_segment *s, const uint8_t *tcp, size_t n)
{
	static const uint8_t l2[14] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0
	};
	static uint8_t b[FRAME_MAX];
	uint8_t head[14];
	uint64_t due = now + wire.delay_ms;
	size_t at;

	memcpy(head, l2, 14);
	if (!ip_is_v4(s->src.ip))
		put_be16(head + 12, 0x86dd);
	at = frame_write_ip(b, (struct span){ head, 14 }, false, &s->src,
			    &s->dst, n, 1);
	memcpy(b + at, tcp, n);
	if (chance() < wire.loss)
		return;
	if (chance() < wire.late)
		due += 3 + chance() % 40;
	put(!s->port, b, at + n, due);
	if (chance() < wire.twice)
		put(!s->port, b, at + n, due + 1);
}

/* What goes out of one port comes in at the other. A super-segment is cut as the
 * port would cut it, so each of its segments has a fate of its own. */
static void out(const struct ip_segment *s)
{
	static uint8_t whole[FRAME_MAX], part[FRAME_MAX];
	size_t step = s->gso_size ? s->gso_size : s->n, at = s->data;
	struct span rest;

	if (s->gso_size > largest_cut)
		largest_cut = s->gso_size;
	ip_segment_copy(s, whole, s->n);
	rest = ip_segment_payload(s);
	assert_int_equal(rest.n, s->n - s->data);
	assert_memory_equal(rest.p, whole + s->data, rest.n);
	ip_segment_copy(s, part, s->data);
	assert_memory_equal(part, whole, s->data);
	do {
		size_t n = s->n - at < step ? s->n - at : step;
		bool last = at + n == s->n;

		memcpy(part, whole, s->data);
		put_be32(part + 4,
			 get_be32(part + 4) + (uint32_t)(at - s->data));
		if (!last)
			part[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		memcpy(part + s->data, whole + at, n);
		frame_out(s, part, s->data + n);
		at += n;
	} while (at < s->n);
}

/* As wire does: what was said last is said again. */
static void answer(enum port p, const struct frame *f, const struct ip_tw *tw)
{
	uint8_t b[FRAME_BARE_MAX], l2[FRAME_L2_MAX];
	struct span s = { l2, frame_l2_swap(l2, f) };

	if (f->data_n > 0 || (f->flags & TCP_FIN) != 0)
		put(!p, b,
		    frame_write_bare(b, s, false, &f->dst, &f->src, tw->seq,
				     tw->ack, TCP_ACK),
		    now + wire.delay_ms);
}

static void arrive(const struct in_flight *x)
{
	uint8_t *guarded = malloc(x->n);
	struct tuple *t;
	struct frame f;

	memcpy(guarded, x->b, x->n);
	frame_parse(&f, (struct span){ guarded, x->n });
	assert_int_equal(f.class_, FRAME_TCP);
	t = ip_find(x->to, &f.src, &f.dst);
	if (t && t->kind == TUPLE_TIME_WAIT) {
		answer(x->to, &f, (struct ip_tw *)t);
	} else if (t && t->kind == TUPLE_SIDE) {
		ip_side_input((struct ip_side *)t, &f, true);
	} else if (!t && x->to == INSIDE && !server_begun &&
		   (f.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		server.announce = 1460;
		assert_int_equal(ip_side_accept(&server, INSIDE, &f), OK);
		server_begun = true;
	}
	free(guarded);
}

/* The one that is due first, or NULL. */
static struct in_flight *next_due(void)
{
	struct in_flight *best = NULL;

	for (struct in_flight *f = frames; f < frames + FRAMES; f++)
		if (f->b && f->due <= now && (!best || f->due < best->due))
			best = f;
	return best;
}

static void turn(void)
{
	struct in_flight *f;

	now++;
	ip_tick(now);
	while ((f = next_due()) != NULL) {
		if (!deaf)
			arrive(f);
		free(f->b);
		f->b = NULL;
	}
	while (ip_next_event())
		;
	ip_acknowledge();
}

static void clear_wire(void)
{
	for (struct in_flight *f = frames; f < frames + FRAMES; f++) {
		free(f->b);
		f->b = NULL;
	}
	memset(&wire, 0, sizeof(wire));
	deaf = false;
	largest_cut = 0;
}

static const struct endpoint *who(bool v6, uint16_t port)
{
	static struct endpoint e[2];
	struct endpoint *p = &e[port == 25];

	memset(p, 0, sizeof(*p));
	if (v6)
		p->ip[0] = 0xfd;
	else
		memset(p->ip + 10, 0xff, 2);
	p->ip[15] = port == 25 ? 2 : 1;
	p->ip[12] = v6 ? 0 : 10;
	p->port = port;
	return p;
}

static void dial(bool v6, uint16_t port)
{
	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	server_begun = false;
	client.announce = 1460;
	assert_int_equal(
		ip_side_dial(&client, OUTSIDE, who(v6, port), who(v6, 25)), OK);
}

static void connect_(bool v6, uint16_t port)
{
	uint64_t end = now + MINUTE;

	dial(v6, port);
	while (!(client.up && server_begun && server.up) && now < end)
		turn();
	assert_true(client.up && server.up);
}

static void end(void)
{
	ip_side_end(&client);
	if (server_begun)
		ip_side_end(&server);
	clear_wire();
}

/* Octet i of a stream that goes one way. */
static uint8_t octet(size_t i, bool back)
{
	return (uint8_t)(i * 7 + i / 251 + back * 101);
}

struct flow {
	struct ip_side *from, *to;
	bool back;
	size_t sent, got;
};

/* Write what there is room for, read and compare what has come. */
static void pump(struct flow *f, size_t all)
{
	static uint8_t b[65536];
	size_t room = ip_side_room(f->from), n = all - f->sent;
	struct span in;

	n = n < room ? n : room;
	n = n < sizeof(b) ? n : sizeof(b);
	for (size_t i = 0; i < n; i++)
		b[i] = octet(f->sent + i, f->back);
	if (n > 0) {
		assert_int_equal(ip_side_write(f->from, (struct span){ b, n }),
				 OK);
		f->sent += n;
	}
	while ((in = ip_side_read(f->to)).n > 0) {
		for (size_t i = 0; i < in.n; i++)
			assert_int_equal(in.p[i], octet(f->got + i, f->back));
		f->got += in.n;
		ip_side_read_done(f->to, in.n);
	}
}

/* all octets each way, then both say FIN; within so many milliseconds. */
static void carry(size_t all, uint64_t within)
{
	struct flow there = { &client, &server, false, 0, 0 };
	struct flow back = { &server, &client, true, 0, 0 };
	uint64_t until = now + within;

	while ((there.got < all || back.got < all) && now < until) {
		pump(&there, all);
		pump(&back, all);
		turn();
	}
	assert_int_equal(there.got, all);
	assert_int_equal(back.got, all);
	while (!(ip_side_over(&client) && ip_side_over(&server)) &&
	       now < until) {
		ip_side_finish(&client);
		if (client.fin_out && server.fin_in)
			ip_side_finish(&server);
		turn();
	}
	assert_true(ip_side_over(&client) && ip_side_over(&server));
	assert_int_equal(client.error, OK);
	assert_int_equal(server.error, OK);
}

static int start(void **state)
{
	static const uint8_t key[16] = { 1, 2, 3 };

	(void)state;
	return ip_start(key, 1024, out, now);
}

/* --- tests ----------------------------------------------------------------------- */

static void both_ways_on_a_good_wire(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		connect_(v6, 40000);
		carry(BODY, 1000);
		assert_int_equal(largest_cut, 1460);
		assert_int_equal(ip_rx_total(), 0);
		end();
	}
}

static void on_a_bad_wire(void **state)
{
	static const struct {
		unsigned loss, twice, late, delay_ms;
	} bad[] = {
		{ 0, 0, 0, 100 },    { 10, 0, 0, 5 },  { 30, 0, 0, 20 },
		{ 100, 0, 0, 5 },    { 0, 200, 0, 5 }, { 0, 0, 200, 5 },
		{ 30, 50, 100, 20 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire.loss = bad[i].loss;
		wire.twice = bad[i].twice;
		wire.late = bad[i].late;
		wire.delay_ms = bad[i].delay_ms;
		connect_(false, (uint16_t)(41000 + i));
		carry(BODY, 4 * MINUTE);
		end();
	}
}

/* Who reads nothing gets no more than the window, and all of it later. */
static void a_reader_that_stops(void **state)
{
	struct flow f = { &client, &server, false, 0, 0 };
	uint8_t b[1000] = { 0 };
	size_t room;

	(void)state;
	connect_(false, 42000);
	for (int i = 0; i < 5000; i++) {
		room = ip_side_room(&client);
		room = room < sizeof(b) ? room : sizeof(b);
		for (size_t k = 0; k < room; k++)
			b[k] = octet(f.sent + k, false);
		if (room > 0)
			assert_int_equal(
				ip_side_write(&client,
					      (struct span){ b, room }),
				OK);
		f.sent += room;
		turn();
	}
	assert_true(ip_rx_total() <= 512 * 1024);
	assert_true(f.sent <= 512 * 1024 + 1460);
	for (int i = 0; i < 20000 && f.got < 2 * BODY; i++) {
		pump(&f, 2 * BODY);
		turn();
	}
	assert_int_equal(f.got, 2 * BODY);
	end();
}

/* What has come behind a segment that was lost cannot be read, and takes memory all
 * the same. */
static void what_is_behind_a_hole_is_counted(void **state)
{
	static const uint8_t b[1000];
	uint64_t until = now + MINUTE;
	size_t behind = 0;

	(void)state;
	connect_(false, 40020);
	wire.loss = 1000;
	assert_int_equal(ip_side_write(&client, (struct span){ b, 1000 }), OK);
	wire.loss = 0;
	for (; ip_side_room(&client) >= 1000; behind += 1000)
		assert_int_equal(
			ip_side_write(&client, (struct span){ b, 1000 }), OK);
	turn();
	assert_true(behind > 0);
	assert_int_equal(ip_side_read(&server).n, 0);
	assert_int_equal(ip_rx_total(), behind);
	while (server.rx_n < 1000 + behind && now < until)
		turn();
	assert_int_equal(ip_rx_total(), 1000 + behind);
	end();
	assert_int_equal(ip_rx_total(), 0);
}

static void a_reset_is_told(void **state)
{
	(void)state;
	connect_(false, 43000);
	ip_side_abort(&server);
	for (int i = 0; i < 10; i++)
		turn();
	assert_true(ip_side_over(&client));
	assert_int_equal(client.error, E_PEER_GONE);
	end();
}

static void silence_is_told(void **state)
{
	uint64_t until;

	(void)state;
	/* to a SYN */
	deaf = true;
	dial(false, 44000);
	until = now + 2 * MINUTE;
	while (!ip_side_over(&client) && now < until)
		turn();
	assert_true(ip_side_over(&client));
	assert_int_equal(client.error, E_PEER_TIME);
	end();
	/* to data */
	connect_(false, 44001);
	deaf = true;
	assert_int_equal(ip_side_write(&client, SPAN_LIT("EHLO c\r\n")), OK);
	until = now + 30 * MINUTE;
	while (!ip_side_over(&client) && now < until)
		turn();
	assert_int_equal(client.error, E_PEER_TIME);
	end();
}

/* Path MTU: from now on smaller frames, what is under way as well. */
static void a_lower_mss_is_kept(void **state)
{
	(void)state;
	connect_(false, 45000);
	wire.delay_ms = 10;
	ip_side_lower_mss(&client, 600);
	ip_side_lower_mss(&server, 600);
	ip_side_lower_mss(&client, 1000); /* never up again */
	carry(BODY, MINUTE);
	assert_int_equal(largest_cut, 600);
	end();
}

/* The same tuple again, at once; the record of the last one is in the way until
 * it is forgotten. */
static void a_tuple_is_used_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct tuple *left;

		connect_(false, 46000);
		carry(1000, MINUTE);
		ip_side_end(&client);
		ip_side_end(&server);
		clear_wire();
		left = ip_find(OUTSIDE, who(false, 25), who(false, 46000));
		assert_non_null(left);
		assert_int_equal(left->kind, TUPLE_TIME_WAIT);
		memset(&client, 0, sizeof(client));
		assert_int_equal(ip_side_dial(&client, OUTSIDE,
					      who(false, 46000),
					      who(false, 25)),
				 E_FULL);
		ip_tw_forget((struct ip_tw *)left);
	}
	/* and it goes by itself */
	connect_(false, 46000);
	carry(1000, MINUTE);
	end();
	now += 11000;
	turn();
	assert_null(ip_find(OUTSIDE, who(false, 25), who(false, 46000)));
}

/* Segments of somebody who knows the addresses and ports, but no number. */
static void a_blind_attacker_changes_nothing(void **state)
{
	static uint8_t b[200];
	struct flow f = { &client, &server, false, 0, 0 };
	uint64_t until;

	(void)state;
	connect_(false, 47000);
	wire.delay_ms = 2;
	until = now + MINUTE;
	while (f.got < BODY && now < until) {
		struct span l2 = { b, 14 };
		uint32_t seq = (uint32_t)chance() * 4294967, ack = seq * 31;
		uint8_t flags = (uint8_t)(chance() % 64);
		struct endpoint src = *who(false, 47000);
		struct endpoint dst = *who(false, 25);
		size_t n;

		memset(b, 0, sizeof(b));
		put_be16(b + 12, 0x0800);
		n = frame_write_bare(b, l2, false, &src, &dst, seq, ack, flags);
		put(INSIDE, b, n, now);
		n = frame_write_bare(b, l2, false, &dst, &src, seq, ack, flags);
		put(OUTSIDE, b, n, now);
		pump(&f, BODY);
		turn();
	}
	assert_int_equal(f.got, BODY);
	assert_false(ip_side_over(&client) || ip_side_over(&server));
	end();
}

/* A SYN and a data segment with these 40 octets of options, and any data offset. */
static void with_options(const uint8_t options[40], uint8_t offset)
{
	uint8_t b[14 + 20 + 60 + 8] = { 0 };
	struct endpoint src = *who(false, 48001), dst = *who(false, 25);

	for (int syn = 0; syn < 2; syn++) {
		uint8_t *tcp = b + 34;
		struct frame f;
		struct tuple *t;

		memset(b, 0, sizeof(b));
		put_be16(b + 12, 0x0800);
		frame_write_ip(b, (struct span){ b, 14 }, false, &src, &dst, 68,
			       1);
		put_be16(tcp, src.port);
		put_be16(tcp + 2, dst.port);
		put_be32(tcp + 4, 1000);
		put_be32(tcp + 8, 1);
		tcp[12] = (uint8_t)(offset << 4);
		tcp[13] = syn ? TCP_SYN : TCP_ACK | TCP_PSH;
		put_be16(tcp + 14, 1000);
		memcpy(tcp + 20, options, 40);
		frame_parse(&f, pk_guard((struct span){ b, sizeof(b) }));
		if (f.class_ != FRAME_TCP)
			continue; /* never reaches lwIP */
		t = ip_find(INSIDE, &f.src, &f.dst);
		if (t)
			ip_side_input((struct ip_side *)t, &f, true);
		else if (syn) {
			struct ip_side s = { .announce = 1460 };

			if (ip_side_accept(&s, INSIDE, &f) == OK)
				ip_side_input(&s, &f, true);
			ip_side_end(&s);
		}
		clear_wire();
	}
}

/* A35: whatever the options say, only what is well formed gets to lwIP, and it
 * reads no octet behind them. */
static void a35_any_options(void **state)
{
	static const uint8_t odd[][8] = {
		{ 1, 1, 1, 2 }, { 2, 0 },   { 2, 1 },
		{ 2, 3, 1 },	{ 3, 255 }, { 3, 3, 255 },
		{ 8, 10 },	{ 5, 255 }, { 2, 4, 0, 0, 2, 4, 5 },
		{ 34, 2 },	{ 0, 2 },
	};
	uint8_t o[40];

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		for (size_t at = 0; at < 40; at++) {
			memset(o, 1, sizeof(o));
			memcpy(o + at, odd[i], 40 - at < 8 ? 40 - at : 8);
			with_options(o, 15);
		}
	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < 40; k++)
			o[k] = (uint8_t)(chance() < 500 ? chance() % 10
							: chance());
		with_options(o, (uint8_t)(i % 4 ? 15 : chance() % 16));
	}
	connect_(false, 48000);
	carry(1000, MINUTE);
	end();
}

/* RFC 6528: another tuple, another number; the same tuple, a later one. */
static void initial_numbers(void **state)
{
	static const uint8_t key[16] = { 9 }, other[16] = { 8 };
	const struct span a = SPAN_LIT("tuple a"), b = SPAN_LIT("tuple b");
	uint32_t first = ip_isn(key, a, 1000000);

	(void)state;
	assert_int_equal(ip_isn(key, a, 1000000 + 400) - first, 100);
	assert_int_not_equal(ip_isn(key, b, 1000000), first);
	assert_int_not_equal(ip_isn(other, a, 1000000), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_on_a_good_wire),
		cmocka_unit_test(on_a_bad_wire),
		cmocka_unit_test(a_reader_that_stops),
		cmocka_unit_test(what_is_behind_a_hole_is_counted),
		cmocka_unit_test(a_reset_is_told),
		cmocka_unit_test(silence_is_told),
		cmocka_unit_test(a_lower_mss_is_kept),
		cmocka_unit_test(a_tuple_is_used_again),
		cmocka_unit_test(a_blind_attacker_changes_nothing),
		cmocka_unit_test(a35_any_options),
		cmocka_unit_test(initial_numbers),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
