/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classifier against frame_parse: too much may be taken, never too little;
 * and what everybody needs is not taken. The kernel's own checker is asked too.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include "cbpf.h"
#include "drivers/classifier.h"
#include "packet.h"

static const uint16_t ports[] = { 25, 587 };
static const struct classifier_own none = { 0, 0 };
static struct classifier tc, sock_;

static int build(void **state)
{
	(void)state;
	return classifier_build(&tc, ports, 2, none, CLASSIFIER_TC_TAKE,
				CLASSIFIER_TC_PASS) ||
	       classifier_build(&sock_, ports, 2, none, CLASSIFIER_SOCKET_TAKE,
				CLASSIFIER_SOCKET_PASS);
}

/* Both encodings say the same, whatever the frame: 0 would be neither. */
static uint32_t verdict(struct span s)
{
	struct span g = pk_guard(s);
	uint32_t t = cbpf_run(tc.code, tc.n, g);
	uint32_t k = cbpf_run(sock_.code, sock_.n, g);

	assert_true(t == CLASSIFIER_TC_TAKE || t == CLASSIFIER_TC_PASS);
	assert_int_equal(k,
			 t == CLASSIFIER_TC_TAKE ? CLASSIFIER_SOCKET_TAKE : 0);
	return t;
}

static bool listed(uint16_t port)
{
	return port == 25 || port == 587;
}

/* What wire would act on must not get past. */
static bool must_take(const struct frame *f)
{
	switch (f->class_) {
	case FRAME_TCP:
	case FRAME_ICMP: return listed(f->src.port) || listed(f->dst.port);
	case FRAME_FRAGMENT: return true;
	case FRAME_OTHER:
	case FRAME_BAD: return false;
	}
	return false;
}

static void oracle(struct span s)
{
	uint32_t v = verdict(s);
	struct frame f;

	frame_parse(&f, s);
	if (must_take(&f) && v != CLASSIFIER_TC_TAKE) {
		for (size_t i = 0; i < s.n; i++)
			fprintf(stderr, "%02x", s.p[i]);
		fail_msg(" class %d is not taken", (int)f.class_);
	}
}

/* xorshift32: the same frames in every run */
static uint32_t seed = 2463534242u;

static unsigned any(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

static unsigned some_port(void)
{
	static const uint16_t p[] = { 25, 587, 80, 40000, 24, 6400 };

	return p[any(6)];
}

static void l2(struct packet *p, unsigned ip)
{
	static const uint16_t tag[] = { 0x8100, 0x88a8, 0x9100 };
	unsigned tags = any(8), how = any(10);
	unsigned inner = how == 0 ? 0x8864 : how == 1 ? 0x8847 : ip;

	if (how == 2)
		inner = 1000; /* a length: SNAP */
	pk_eth(p, tags ? tag[any(3)] : inner);
	for (unsigned i = 1; i <= tags; i++)
		pk_tag(p, any(4096), i == tags ? inner : tag[any(3)]);
	if (how == 0)
		pk_pppoe(p, ip == 0x0800 ? 0x21 : 0x57);
	for (unsigned left = how == 1 ? any(4) + 1 : 0; left > 0; left--)
		pk_put(p, left == 1 ? "\0\1\1\100" : "\0\1\0\100", 4);
	if (how == 2) {
		pk_put(p, "\252\252\3\0\0\0", 6);
		pk_16(p, ip);
	}
}

static void tcp(struct packet *p)
{
	pk_tcp(p, some_port(), some_port(), any(64), "\2\4\5\264\1\1\1\1",
	       any(3) * 4);
	p->n += any(40);
}

static void make4(struct packet *p)
{
	size_t opt = any(3) * 4;

	l2(p, 0x0800);
	switch (any(4)) {
	case 0:
		pk_ip4(p, 6, any(2) ? 0x2000 + any(50) : any(50),
		       "\1\1\1\1\1\1\1\1", opt);
		break;
	case 1:
		pk_ip4(p, 1, 0, "\1\1\1\1\1\1\1\1", opt);
		p->b[p->n] = (uint8_t)any(14);
		p->n += 8;
		pk_ip4(p, any(4) ? 6 : 17, 0, "\1\1\1\1", any(2) * 4);
		break;
	default: pk_ip4(p, any(8) ? 6 : 17, 0, "\1\1\1\1\1\1\1\1", opt); break;
	}
	tcp(p);
}

static void make6(struct packet *p)
{
	static const uint8_t chain[] = { 0, 43, 60, 51, 44 };
	unsigned n = any(10), last = any(6) ? 6 : any(2) ? 58 : 17;
	unsigned type = n == 0 ? last : chain[any(5)];

	l2(p, 0x86dd);
	pk_ip6(p, type);
	for (unsigned i = 1; i <= n; i++) {
		unsigned next = i == n ? last : chain[any(5)];

		if (type == 44) {
			pk_frag6(p, next, any(3) ? 0 : any(100) * 8,
				 any(4) == 0, any(9));
		} else {
			size_t len = 8 * (1 + any(3));

			pk_ext(p, next, len);
			if (type == 51) /* counts by four */
				p->b[p->n - len + 1] = (uint8_t)(len / 4 - 2);
		}
		type = next;
	}
	if (last == 58) {
		p->b[p->n] = (uint8_t)any(5);
		p->n += 8;
		pk_ip6(p, 6);
	}
	tcp(p);
}

static void random_frames(void **state)
{
	unsigned taken[5] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		struct packet p;
		struct frame f;
		struct span s;

		if (any(2))
			make4(&p);
		else
			make6(&p);
		s = any(2) ? pk_done(&p) : (struct span){ p.b, p.n };
		if (any(4) == 0)
			p.b[12 + any((unsigned)p.n - 12)] = (uint8_t)any(256);
		if (any(8) == 0)
			s.n -= any((unsigned)p.n - 13);
		oracle(s);
		frame_parse(&f, s);
		taken[f.class_] += must_take(&f);
	}
	/* the frames were worth it */
	assert_true(taken[FRAME_TCP] > 5000);
	assert_true(taken[FRAME_FRAGMENT] > 1000);
	assert_true(taken[FRAME_ICMP] > 300);
}

/* Places where mail must not pass although frame_parse would not read it. */
static void hidden(void **state)
{
	struct packet p;

	(void)state;
	for (unsigned n = 0; n < 9; n++)
		for (unsigned how = 0; how < 5; how++) {
			static const uint16_t type[] = { 0x0800, 0x8864, 0x8847,
							 60, 0x8864 };
			struct frame f;
			uint32_t v;

			pk_eth(&p, n ? 0x88a8 : type[how]);
			for (unsigned i = 1; i <= n; i++)
				pk_tag(&p, i, i == n ? type[how] : 0x8100);
			if (how == 1)
				pk_pppoe(&p, 0x21);
			if (how == 2)
				pk_put(&p, "\0\1\0\100\0\1\1\100", 8);
			if (how == 3)
				pk_put(&p, "\252\252\3\0\0\370\10\0", 8);
			if (how == 4)
				pk_put(&p, "\21\0\0\7\0\57\41", 7);
			pk_ip4(&p, 6, 0, NULL, 0);
			pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
			v = verdict(pk_done(&p));
			assert_int_equal(v, CLASSIFIER_TC_TAKE);
			frame_parse(&f, (struct span){ p.b, p.n });
			assert_int_equal(f.class_, n <= 2 && how < 2
							   ? FRAME_TCP
							   : FRAME_BAD);
		}
	pk_eth(&p, 0x8847);
	for (int i = 0; i < 12; i++)
		pk_put(&p, "\0\1\0\100", 4);
	assert_int_equal(verdict((struct span){ p.b, p.n }),
			 CLASSIFIER_TC_TAKE);
}

/* Not mail: goes to the redirect, not to the kernel (0) and not to us. */
static void passes(void **state)
{
	static const uint16_t type[] = { 0x0806, 0x88cc, 0x8809, 0x888e, 0x0842,
					 0x8863, 0x88f7, 0x22f0, 0x0600 };
	static const struct {
		uint8_t v6, proto;
	} ip[] = { { 0, 17 }, { 0, 2 },	 { 0, 47 }, { 0, 50 },
		   { 0, 89 }, { 1, 17 }, { 1, 59 }, { 1, 50 } };
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++)
		for (unsigned n = 0; n < 60; n++) {
			pk_eth(&p, type[i]);
			p.n += n;
			assert_int_equal(verdict((struct span){ p.b, p.n }),
					 CLASSIFIER_TC_PASS);
		}
	/* 802.2: STP, and the shortest there is */
	for (unsigned n = 3; n < 60; n++) {
		pk_eth(&p, n);
		pk_put(&p, "\102\102\3", 3);
		p.n += n - 3;
		assert_int_equal(verdict((struct span){ p.b, p.n }),
				 CLASSIFIER_TC_PASS);
	}
	for (size_t i = 0; i < sizeof(ip) / sizeof(ip[0]); i++) {
		pk_eth(&p, ip[i].v6 ? 0x86dd : 0x0800);
		if (ip[i].v6)
			pk_ip6(&p, ip[i].proto);
		else
			pk_ip4(&p, ip[i].proto, 0, NULL, 0);
		pk_put(&p, "\0\31\0\31\0\0\0\0", 8); /* 25, but not TCP */
		assert_int_equal(verdict(pk_done(&p)), CLASSIFIER_TC_PASS);
	}
	for (unsigned t = 0; t < 256; t++) { /* messages that quote nothing */
		pk_eth(&p, 0x0800);
		pk_ip4(&p, 1, 0, NULL, 0);
		p.b[p.n] = (uint8_t)t;
		p.n += 8;
		assert_int_equal(verdict(pk_done(&p)), CLASSIFIER_TC_PASS);
	}
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0x4000, NULL, 0); /* DF is no fragment */
	pk_tcp(&p, 40000, 80, TCP_SYN, NULL, 0);
	assert_int_equal(verdict(pk_done(&p)), CLASSIFIER_TC_PASS);
	pk_eth(&p, 0x86dd);
	pk_ip6(&p, 0);
	pk_ext(&p, 6, 8);
	pk_tcp(&p, 40000, 443, TCP_SYN, NULL, 0);
	assert_int_equal(verdict(pk_done(&p)), CLASSIFIER_TC_PASS);
}

/* 1 to 16 ports, all of them taken, both ways; the kernel accepts the code. */
static void lists(void **state)
{
	uint16_t list[CLASSIFIER_PORTS_MAX + 1];
	struct classifier *c = &(struct classifier){ .n = 0 };
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	for (uint16_t i = 0; i <= CLASSIFIER_PORTS_MAX; i++)
		list[i] = (uint16_t)(25 + 1000 * i);
	assert_int_equal(classifier_build(c, list, 0, none, 1, 0), E_CONF);
	assert_int_equal(
		classifier_build(c, list, CLASSIFIER_PORTS_MAX + 1, none, 1, 0),
		E_CONF);
	for (unsigned n = 1; n <= CLASSIFIER_PORTS_MAX; n++) {
		struct sock_fprog prog;

		assert_int_equal(classifier_build(c, list, n, none, 1, 2), OK);
		prog = (struct sock_fprog){ c->n, c->code };
		assert_int_equal(setsockopt(sv[0], SOL_SOCKET, SO_ATTACH_FILTER,
					    &prog, sizeof(prog)),
				 0);
		for (unsigned i = 0; i <= n && i <= CLASSIFIER_PORTS_MAX; i++)
			for (int way = 0; way < 2; way++) {
				struct packet p;

				pk_eth(&p, 0x0800);
				pk_ip4(&p, 6, 0, NULL, 0);
				pk_tcp(&p, way ? list[i] : 9, way ? 9 : list[i],
				       2, NULL, 0);
				assert_int_equal(
					cbpf_run(c->code, c->n, pk_done(&p)),
					i < n ? 1 : 2);
			}
	}
	close(sv[0]);
	close(sv[1]);
}

/* The box's own VLAN: its number in an IEEE 802.1Q tag that is the outermost one,
 * whatever priority it has and whatever is in it, mail above all. Nothing else. */
static void own_vlan(void **state)
{
	enum { MINE = 77, TAKE = 1, PASS = 2 };
	static const uint16_t vlans[] = { 1, 25, 100, 0x800, 4094 };
	static struct classifier c;
	struct packet mail, other;
	int sv[2];

	(void)state;
	pk_eth(&mail, 0x0800);
	pk_ip4(&mail, 6, 0, NULL, 0);
	pk_tcp(&mail, 40000, 25, TCP_SYN, NULL, 0);
	pk_eth(&other, 0x0806);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	for (size_t i = 0; i < sizeof(vlans) / sizeof(vlans[0]); i++) {
		const struct classifier_own own = { vlans[i], MINE };
		struct sock_fprog prog;

		assert_int_equal(
			classifier_build(&c, ports, 2, own, TAKE, PASS), OK);
		prog = (struct sock_fprog){ c.n, c.code };
		assert_int_equal(setsockopt(sv[0], SOL_SOCKET, SO_ATTACH_FILTER,
					    &prog, sizeof(prog)),
				 0);
		for (uint32_t tci = 0; tci < 65536; tci++) {
			const uint16_t type[] = { 0x8100, 0x88a8 };

			for (int k = 0; k < 2; k++) {
				const struct cbpf_tag tag = { 1, type[k],
							      (uint16_t)tci };
				bool mine = k == 0 && (tci & 0xfff) == vlans[i];

				assert_int_equal(cbpf_run_tagged(c.code, c.n,
								 pk_done(&mail),
								 tag),
						 mine ? MINE : TAKE);
				assert_int_equal(
					cbpf_run_tagged(
						c.code, c.n,
						(struct span){ other.b,
							       other.n },
						tag),
					mine ? MINE : PASS);
			}
		}
		/* no tag, though there is room for its number */
		assert_int_equal(cbpf_run_tagged(c.code, c.n, pk_done(&mail),
						 (struct cbpf_tag){ 0, 0x8100,
								    vlans[i] }),
				 TAKE);
	}
	close(sv[0]);
	close(sv[1]);
}

/* An inner tag with its number is another network's. */
static void own_vlan_within(void **state)
{
	const struct classifier_own own = { 100, 77 };
	static struct classifier c;
	struct packet p;

	(void)state;
	assert_int_equal(classifier_build(&c, ports, 2, own, 1, 2), OK);
	pk_eth(&p, 0x8100);
	pk_tag(&p, 100, 0x0800);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
	assert_int_equal(cbpf_run_tagged(c.code, c.n, pk_done(&p),
					 (struct cbpf_tag){ 1, 0x8100, 5 }),
			 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_vlan),
		cmocka_unit_test(own_vlan_within),
		cmocka_unit_test(random_frames),
		cmocka_unit_test(hidden),
		cmocka_unit_test(passes),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
