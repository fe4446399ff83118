/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of every kind, at every length, in front of an unreadable page. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "packet.h"

static struct frame parse(struct packet *p)
{
	struct frame f;

	frame_parse(&f, pk_guard(pk_done(p)));
	return f;
}

static void ip_and_tcp4(struct packet *p)
{
	pk_ip4(p, 6, 0, NULL, 0);
	pk_tcp(p, 40000, 25, TCP_PSH | TCP_ACK, NULL, 0);
	pk_put(p, "QUIT\r\n", 6);
}

static void check_tcp4(const struct frame *f, size_t l2_n)
{
	static const uint8_t src[4] = { 10, 0, 0, 1 };
	static const uint8_t dst[4] = { 198, 51, 100, 2 };

	assert_int_equal(f->class_, FRAME_TCP);
	assert_int_equal(f->l2_n, l2_n);
	assert_true(ip_is_v4(f->src.ip) && ip_is_v4(f->dst.ip));
	assert_memory_equal(f->src.ip + 12, src, 4);
	assert_memory_equal(f->dst.ip + 12, dst, 4);
	assert_int_equal(f->src.port, 40000);
	assert_int_equal(f->dst.port, 25);
	assert_int_equal(f->seq, 0x11223344);
	assert_int_equal(f->ack, 0x55667788);
	assert_int_equal(f->window, 0x2000);
	assert_int_equal(f->flags, TCP_PSH | TCP_ACK);
	assert_int_equal(f->l4, l2_n + 20);
	assert_int_equal(f->data_n, 6);
	assert_memory_equal(f->all.p + f->data, "QUIT\r\n", 6);
}

static void plain4(void **state)
{
	struct packet p;
	struct frame f;

	(void)state;
	pk_eth(&p, 0x0800);
	ip_and_tcp4(&p);
	pk_done(&p);
	/* Ethernet padding is not payload */
	pk_put(&p, "\0\0\0\0\0\0\0", 7);
	frame_parse(&f, pk_guard((struct span){ p.b, p.n }));
	check_tcp4(&f, 14);
	assert_int_equal(f.all.n, 14 + 46);
}

static void tags(void **state)
{
	static const uint16_t type[] = { 0x8100, 0x88a8, 0x9100 };
	struct packet p;
	struct frame f;

	(void)state;
	for (int i = 0; i < 3; i++) {
		pk_eth(&p, type[i]);
		pk_tag(&p, i == 0 ? 0xe000 : 100, 0x0800); /* 0: priority */
		ip_and_tcp4(&p);
		f = parse(&p);
		check_tcp4(&f, 18);
		pk_eth(&p, type[i]);
		pk_tag(&p, 100, 0x8100);
		pk_tag(&p, 7, 0x8864);
		pk_pppoe(&p, 0x21);
		ip_and_tcp4(&p);
		f = parse(&p);
		check_tcp4(&f, 30);
		assert_true(f.pppoe);
	}
}

static void hidden_one(struct packet *p)
{
	struct frame f = parse(p);

	assert_int_equal(f.class_, FRAME_BAD);
	assert_true(f.hidden);
	assert_non_null(f.why);
}

/* Too many tags, whatever is inside them; what is not TCP passes. */
static void many_tags(void **state)
{
	struct packet p;

	(void)state;
	for (unsigned n = 3; n <= 6; n++)
		for (unsigned kind = 0; kind < 4; kind++) {
			pk_eth(&p, 0x8100);
			for (unsigned i = 1; i < n; i++)
				pk_tag(&p, i, 0x88a8);
			pk_tag(&p, n,
			       kind == 1   ? 0x8864
			       : kind == 2 ? 0x8847
					   : 0x0800);
			if (kind == 1)
				pk_pppoe(&p, 0x21);
			if (kind == 2)
				pk_put(&p, "\0\1\1\100", 4);
			if (kind < 3) {
				ip_and_tcp4(&p);
				hidden_one(&p);
				continue;
			}
			pk_ip4(&p, 17, 0, NULL, 0);
			pk_put(&p, "\0\65\0\65\0\10\0\0", 8);
			assert_int_equal(parse(&p).class_, FRAME_OTHER);
		}
	pk_eth(&p, 0x8100);
	for (unsigned i = 0; i < 6; i++)
		pk_tag(&p, i, 0x8100);
	pk_tag(&p, 1, 0x0800);
	ip_and_tcp4(&p);
	hidden_one(&p);
}

static void hidden_places(void **state)
{
	static const uint8_t lsrr[8] = { 1, 131, 7, 4, 1, 2, 3, 4 };
	static const uint8_t ssrr[8] = { 137, 7, 4, 1, 2, 3, 4, 0 };
	static const uint8_t rr[8] = { 7, 7, 4, 1, 2, 3, 4, 0 };
	struct packet p;

	(void)state;
	pk_eth(&p, 0x8847); /* two MPLS labels */
	pk_put(&p, "\0\1\0\100\0\2\1\100", 8);
	ip_and_tcp4(&p);
	hidden_one(&p);
	pk_eth(&p, 0x8848); /* nine */
	for (int i = 0; i < 9; i++)
		pk_put(&p, i == 8 ? "\0\2\1\100" : "\0\1\0\100", 4);
	ip_and_tcp4(&p);
	hidden_one(&p);
	for (int oui = 0; oui < 2; oui++) {
		pk_eth(&p, 54);
		pk_put(&p, oui ? "\252\252\3\0\0\370" : "\252\252\3\0\0\0", 6);
		pk_16(&p, 0x0800);
		ip_and_tcp4(&p);
		hidden_one(&p);
	}
	pk_eth(&p, 0x8864);
	pk_put(&p, "\21\0\0\7\0\57\41", 7); /* PPP protocol of one octet */
	ip_and_tcp4(&p);
	hidden_one(&p);
	for (int i = 0; i < 3; i++) {
		pk_eth(&p, 0x0800);
		pk_ip4(&p, 6, 0, i == 0 ? lsrr : i == 1 ? ssrr : rr, 8);
		pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
		if (i < 2)
			hidden_one(&p);
		else /* record route is only odd */
			assert_int_equal(parse(&p).class_, FRAME_TCP);
	}
}

static void chain6(void **state)
{
	static const uint8_t ext[] = { 0, 60, 43, 51 };
	struct packet p;
	struct frame f;

	(void)state;
	for (size_t n = 0; n <= 9; n++) {
		pk_eth(&p, 0x86dd);
		pk_ip6(&p, n == 0 ? 6 : ext[0]);
		for (size_t i = 1; i <= n; i++) {
			unsigned next = i == n ? 6 : ext[i % 4];

			pk_ext(&p, next, 16);
			if (ext[(i - 1) % 4] == 51)
				p.b[p.n - 15] = 2; /* AH counts by four */
		}
		pk_tcp(&p, 25, 40000, TCP_SYN | TCP_ACK, NULL, 0);
		f = parse(&p);
		if (n >= 8) {
			assert_int_equal(f.class_, FRAME_BAD);
			assert_true(f.hidden);
			continue;
		}
		assert_int_equal(f.class_, FRAME_TCP);
		assert_true(f.v6);
		assert_int_equal(f.src.port, 25);
		assert_int_equal(f.l4, 54 + 16 * n);
		assert_int_equal(f.src.ip[0], 0xfd);
		assert_int_equal(f.dst.ip[15], 2);
	}
	pk_eth(&p, 0x86dd); /* one more stop to go */
	pk_ip6(&p, 43);
	pk_ext(&p, 6, 8);
	p.b[p.n - 5] = 1;
	pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
	hidden_one(&p);
	pk_eth(&p, 0x86dd); /* and the rest of it in a fragment */
	pk_ip6(&p, 43);
	pk_ext(&p, 44, 8);
	p.b[p.n - 5] = 1;
	pk_frag6(&p, 6, 0, true, 1);
	pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
	hidden_one(&p);
	pk_eth(&p, 0x86dd); /* longer than the packet */
	pk_ip6(&p, 60);
	pk_ext(&p, 6, 8);
	p.b[p.n - 7] = 4;
	pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
	hidden_one(&p);
}

/* ::ffff:198.51.100.2 in an IPv6 header is not that IPv4 host: a flow of the
 * one must never be found by a segment of the other. */
static void mapped6(void **state)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
	static const size_t at[2] = { 14 + 8, 14 + 24 };

	(void)state;
	for (int side = 0; side < 2; side++) {
		for (int frag = 0; frag < 2; frag++) {
			struct packet p;
			struct frame f;

			pk_eth(&p, 0x86dd);
			pk_ip6(&p, frag ? 44 : 6);
			if (frag)
				pk_frag6(&p, 6, 0, true, 7);
			pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
			memcpy(p.b + at[side], prefix, 12);
			frame_parse(&f, pk_guard(pk_done(&p)));
			assert_int_equal(f.class_, FRAME_BAD);
			assert_true(f.hidden);
			assert_string_equal(f.why,
					    "IPv4-mapped address in IPv6");
		}
	}
}

static void fragments(void **state)
{
	struct packet p;
	struct frame f;

	(void)state;
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0x2000, NULL, 0);
	pk_tcp(&p, 40000, 25, TCP_SYN, "\2\4\5\264", 4);
	f = parse(&p);
	assert_int_equal(f.class_, FRAME_FRAGMENT);
	assert_true(f.frag_more && f.frag_off == 0 && f.frag_n == 24);
	assert_int_equal(f.frag_id, 0x1234);
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 3, NULL, 0);
	pk_put(&p, "abc", 3);
	f = parse(&p);
	assert_int_equal(f.class_, FRAME_FRAGMENT);
	assert_true(!f.frag_more && f.frag_off == 24 && f.frag_n == 3);
	assert_int_equal(f.frag_data, 34);
	pk_eth(&p, 0x0800); /* of UDP: nothing to us */
	pk_ip4(&p, 17, 0x2000, NULL, 0);
	pk_put(&p, "12345678", 8);
	assert_int_equal(parse(&p).class_, FRAME_OTHER);

	pk_eth(&p, 0x86dd);
	pk_ip6(&p, 60);
	pk_ext(&p, 44, 8);
	pk_frag6(&p, 6, 48, true, 0xdeadbeef);
	pk_put(&p, "12345678", 8);
	f = parse(&p);
	assert_int_equal(f.class_, FRAME_FRAGMENT);
	assert_true(f.frag_more && f.frag_off == 48 && f.frag_n == 8);
	assert_int_equal(f.frag_id, 0xdeadbeef);
	pk_eth(&p, 0x86dd); /* atomic (RFC 6946) */
	pk_ip6(&p, 44);
	pk_frag6(&p, 6, 0, false, 1);
	pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
	assert_int_equal(parse(&p).class_, FRAME_TCP);
	pk_eth(&p, 0x86dd); /* the chain goes on where nobody sees it */
	pk_ip6(&p, 44);
	pk_frag6(&p, 60, 0, true, 1);
	pk_ext(&p, 6, 8);
	hidden_one(&p);
	pk_eth(&p, 0x86dd);
	pk_ip6(&p, 44);
	pk_frag6(&p, 17, 0, true, 1);
	pk_put(&p, "12345678", 8);
	assert_int_equal(parse(&p).class_, FRAME_OTHER);
}

static void tcp_options(void **state)
{
	static const struct {
		uint8_t o[8];
		size_t n;
		bool good;
		uint16_t mss;
		uint32_t tfo_n;
	} row[] = {
		{ { 2, 4, 5, 0xb4 }, 4, true, 1460, 0 },
		{ { 1, 1, 1, 2 }, 4, false, 0, 0 },
		{ { 1, 1, 1, 1, 1, 1, 1, 1 }, 8, true, 0, 0 },
		{ { 1, 2, 4, 5 }, 4, false, 0, 0 },
		{ { 3, 0, 0, 0 }, 4, false, 0, 0 },
		{ { 3, 1, 0, 0 }, 4, false, 0, 0 },
		{ { 0, 2, 9, 9 }, 4, true, 0, 0 },
		{ { 34, 2, 1, 1, 2, 4, 2, 0 }, 8, true, 512, 2 },
		{ { 2, 3, 1, 0 }, 4, true, 0, 0 },
		{ { 8, 10, 0, 0, 0, 0, 0, 0 }, 8, false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct packet p;
		struct frame f;

		pk_eth(&p, 0x0800);
		pk_ip4(&p, 6, 0, NULL, 0);
		pk_tcp(&p, 40000, 25, TCP_SYN, row[i].o, row[i].n);
		f = parse(&p);
		assert_int_equal(f.class_, row[i].good ? FRAME_TCP : FRAME_BAD);
		if (!row[i].good)
			continue;
		assert_int_equal(f.mss, row[i].mss);
		assert_int_equal(f.tfo_n, row[i].tfo_n);
		if (f.tfo_n > 0)
			assert_int_equal(f.all.p[f.tfo], 34);
		assert_int_equal(f.data_n, 0);
	}
}

static void bad_offsets(void **state)
{
	struct packet p;

	(void)state;
	for (unsigned off = 0; off < 16; off++) {
		pk_eth(&p, 0x0800);
		pk_ip4(&p, 6, 0, NULL, 0);
		pk_tcp(&p, 40000, 25, TCP_ACK, "\0\0\0\0", 4);
		p.b[14 + 20 + 12] = (uint8_t)(off << 4);
		assert_int_equal(parse(&p).class_,
				 off == 5 || off == 6 ? FRAME_TCP : FRAME_BAD);
	}
}

static void icmp_quotes(void **state)
{
	static const struct {
		uint8_t type;
		bool v6, quotes;
	} row[] = { { 3, false, true },	 { 4, false, true },
		    { 5, false, true },	 { 11, false, true },
		    { 12, false, true }, { 0, false, false },
		    { 8, false, false }, { 1, true, true },
		    { 2, true, true },	 { 3, true, true },
		    { 4, true, true },	 { 128, true, false },
		    { 135, true, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t icmp[8] = { row[i].type, 4, 0, 0, 0, 0, 5, 0 };
		struct packet p;
		struct frame f;
		size_t at, len_at, len_from;

		pk_eth(&p, row[i].v6 ? 0x86dd : 0x0800);
		if (row[i].v6)
			pk_ip6(&p, 58);
		else
			pk_ip4(&p, 1, 0, NULL, 0);
		len_at = p.len_at;
		len_from = p.len_from;
		pk_put(&p, icmp, 8);
		if (row[i].v6)
			pk_ip6(&p, 6);
		else
			pk_ip4(&p, 6, 0x4000, "\1\1\1\1", 4);
		at = p.n;
		pk_tcp(&p, 40000, 25, TCP_ACK, NULL, 0);
		p.n = at + 8; /* RFC 792: eight octets are enough */
		p.len_at = len_at;
		p.len_from = len_from;
		f = parse(&p);
		assert_int_equal(f.class_,
				 row[i].quotes ? FRAME_ICMP : FRAME_OTHER);
		if (!row[i].quotes)
			continue;
		assert_int_equal(f.icmp_type, row[i].type);
		assert_int_equal(f.icmp_code, 4);
		assert_int_equal(f.icmp_mtu, 1280);
		assert_int_equal(f.src.port, 40000);
		assert_int_equal(f.dst.port, 25);
		assert_int_equal(f.seq, 0x11223344);
		p.n = at + 7;
		assert_int_equal(parse(&p).class_, FRAME_OTHER);
	}
}

/* Every length of every kind, with and without the IP length made to fit. */
static void truncation(void **state)
{
	struct packet p;

	(void)state;
	for (unsigned kind = 0; kind < 6; kind++) {
		size_t len_at = 16, len_from = 14; /* of the outer header */

		pk_eth(&p, kind < 3 ? 0x0800 : 0x86dd);
		switch (kind) {
		case 0: ip_and_tcp4(&p); break;
		case 1:
			pk_ip4(&p, 6, 0x2000, "\1\1\1\1", 4);
			pk_tcp(&p, 1, 25, TCP_SYN, "\2\4\1\1", 4);
			break;
		case 2:
			pk_ip4(&p, 1, 0, NULL, 0);
			pk_put(&p, "\3\4\0\0\0\0\0\0", 8);
			ip_and_tcp4(&p);
			break;
		case 3:
			pk_ip6(&p, 0);
			pk_ext(&p, 44, 8);
			pk_frag6(&p, 6, 0, false, 9);
			pk_tcp(&p, 1, 25, TCP_SYN, "\2\4\1\1", 4);
			break;
		case 4:
			pk_ip6(&p, 44);
			pk_frag6(&p, 6, 8, true, 9);
			pk_put(&p, "0123456789", 10);
			break;
		case 5:
			pk_ip6(&p, 58);
			pk_put(&p, "\2\0\0\0\0\0\5\0", 8);
			pk_ip6(&p, 6);
			pk_tcp(&p, 1, 25, TCP_SYN, NULL, 0);
			break;
		}
		if (kind >= 3) {
			len_at = 18;
			len_from = 54;
		}
		p.len_at = len_at;
		p.len_from = len_from;
		pk_done(&p);
		for (size_t n = 0; n <= p.n; n++) {
			struct frame f;

			frame_parse(&f, pk_guard((struct span){ p.b, n }));
			/* IP says more than there is */
			if (n < p.n)
				assert_true(f.class_ == FRAME_OTHER ||
					    f.class_ == FRAME_BAD);
		}
		for (size_t n = p.len_at + 2; n <= p.n; n++) {
			struct packet q = p;

			q.n = n;
			if (n >= q.len_from)
				(void)parse(&q);
		}
	}
}

static void answers(void **state)
{
	uint8_t out[FRAME_BARE_MAX], l2[FRAME_L2_MAX];
	struct packet p;

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		bool v6 = kind & 1, deep = kind & 2;
		struct frame f, a;
		size_t n;

		pk_eth(&p, deep ? 0x88a8 : v6 ? 0x86dd : 0x0800);
		if (deep) {
			pk_tag(&p, 5, 0x8100);
			pk_tag(&p, 6, 0x8864);
			pk_pppoe(&p, v6 ? 0x57 : 0x21);
		}
		if (v6)
			pk_ip6(&p, 6);
		else
			pk_ip4(&p, 6, 0, NULL, 0);
		pk_tcp(&p, 40000, 25, TCP_SYN, NULL, 0);
		f = parse(&p);
		n = frame_l2_swap(l2, &f);
		assert_int_equal(n, deep ? 30 : 14);
		assert_memory_equal(l2, p.b + 6, 6);
		assert_memory_equal(l2 + 6, p.b, 6);
		n = frame_write_bare(out, (struct span){ l2, n }, f.pppoe,
				     &f.dst, &f.src, 7, f.seq + 1,
				     TCP_RST | TCP_ACK);
		assert_true(n >= 60 && n <= FRAME_BARE_MAX);
		frame_parse(&a, pk_guard((struct span){ out, n }));
		assert_int_equal(a.class_, FRAME_TCP);
		assert_true(endpoint_eq(&a.src, &f.dst));
		assert_true(endpoint_eq(&a.dst, &f.src));
		assert_int_equal(a.seq, 7);
		assert_int_equal(a.ack, 0x11223345);
		assert_int_equal(a.flags, TCP_RST | TCP_ACK);
		assert_int_equal(a.data_n, 0);
		assert_int_equal(frame_sum(frame_pseudo_sum(&a.src, &a.dst, 20),
					   (struct span){ a.all.p + a.l4, 20 }),
				 0xffff);
		if (!v6)
			assert_int_equal(
				frame_sum(0, (struct span){ a.all.p + a.l2_n,
							    20 }),
				0xffff);
		if (deep) /* RFC 2516: PPP protocol, IP and TCP */
			assert_int_equal(get_be16(out + 26), v6 ? 62 : 42);
	}
}

/* RFC 1071 3, and sums of every length against the plain way. */
static void sums(void **state)
{
	static const uint8_t rfc[8] = { 0x00, 0x01, 0xf2, 0x03,
					0xf4, 0xf5, 0xf6, 0xf7 };
	uint8_t b[257];

	(void)state;
	assert_int_equal(frame_sum(0, (struct span){ rfc, 8 }), 0xddf2);
	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof(b); n++) {
		uint32_t sum = 0x1234;

		for (size_t i = 0; i < n; i++) {
			sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
			sum = (sum & 0xffff) + (sum >> 16);
		}
		assert_int_equal(
			frame_sum(0x1234, pk_guard((struct span){ b, n })),
			sum);
	}
}

/* What is not ours, in short: nothing of it is BAD. */
static void others(void **state)
{
	static const uint16_t type[] = { 0x0806, 0x88cc, 0x8809, 0x888e, 0x0842,
					 0x8863, 0x86dd, 0x0800, 38,	 1500 };

	(void)state;
	for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++)
		for (size_t n = 0; n < 60; n++) {
			struct packet p;
			struct frame f;

			pk_eth(&p, type[i]);
			p.n += n;
			frame_parse(&f, pk_guard((struct span){ p.b, p.n }));
			assert_int_equal(f.class_, FRAME_OTHER);
			assert_int_equal(f.all.n, p.n);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain4),      cmocka_unit_test(tags),
		cmocka_unit_test(many_tags),   cmocka_unit_test(hidden_places),
		cmocka_unit_test(chain6),      cmocka_unit_test(fragments),
		cmocka_unit_test(tcp_options), cmocka_unit_test(bad_offsets),
		cmocka_unit_test(icmp_quotes), cmocka_unit_test(truncation),
		cmocka_unit_test(answers),     cmocka_unit_test(sums),
		cmocka_unit_test(others),      cmocka_unit_test(mapped6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
