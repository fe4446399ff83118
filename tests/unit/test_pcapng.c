/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of a capture, block by block as a reader walks it (tests/net asks a real
 * one); and what must not be in it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "packet.h"
#include "proto/pcapng.h"
#include "proto/redact.h"

static void write_all(struct pcapng *w, size_t frame_n, struct span comment)
{
	static const uint8_t frame[2000] = { 1, 2, 3 };

	w->n = 0;
	pcapng_begin(w, SPAN_LIT("about it"));
	pcapng_frame(w, OUTSIDE, 0x0001020304050607, true,
		     (struct span){ frame, frame_n }, frame_n + 5, comment);
	pcapng_frame(w, INSIDE, 7, false, (struct span){ frame, 60 }, 60,
		     (struct span){ NULL, 0 });
	pcapng_end(w, 1024);
}

/* The options of a block: the value of one; n 0: it has none. */
static struct span option(struct span o, unsigned code)
{
	while (o.n >= 4) {
		unsigned c = get_le16(o.p), n = get_le16(o.p + 2);

		if (c == 0)
			break;
		assert_true(n <= o.n - 4);
		if (c == code)
			return (struct span){ o.p + 4, n };
		o = span_skip(o, 4 + ((n + 3) & ~3u));
	}
	return (struct span){ NULL, 0 };
}

/* The next block: its body with options. */
static struct span block(struct span *file, uint32_t *type)
{
	uint32_t n;
	struct span body;

	assert_true(file->n >= 12);
	*type = get_le32(file->p);
	n = get_le32(file->p + 4);
	assert_true(n >= 12 && n % 4 == 0 && n <= file->n);
	assert_int_equal(get_le32(file->p + n - 4), n);
	body = (struct span){ file->p + 8, n - 12 };
	*file = span_skip(*file, n);
	return body;
}

static void a_reader_finds_what_was_written(void **state)
{
	(void)state;
	for (size_t n = 0; n < 1100; n++) {
		struct span comment = n % 3 ? SPAN_LIT("session 7")
					    : (struct span){ NULL, 0 };
		struct pcapng w = { NULL, 0 };
		struct span file, b;
		uint32_t type;
		size_t size;

		write_all(&w, n, comment);
		size = w.n;
		assert_int_equal(size % 1024, 0);
		w.p = malloc(size);
		write_all(&w, n, comment);
		assert_int_equal(w.n, size);
		file = (struct span){ w.p, w.n };
		b = block(&file, &type);
		assert_int_equal(type, 0x0a0d0d0a);
		assert_int_equal(get_le32(b.p), 0x1a2b3c4d);
		assert_true(span_eq(option(span_skip(b, 16), 1),
				    SPAN_LIT("about it")));
		for (int i = 0; i < 2; i++) {
			b = block(&file, &type);
			assert_int_equal(type, 1);
			assert_int_equal(get_le16(b.p), 1);
			assert_true(
				span_eq(option(span_skip(b, 8), 2),
					span_str(i ? "outside" : "inside")));
		}
		b = block(&file, &type);
		assert_int_equal(type, 6);
		assert_int_equal(get_le32(b.p), OUTSIDE);
		assert_int_equal(get_le32(b.p + 4), 0x00010203);
		assert_int_equal(get_le32(b.p + 8), 0x04050607);
		assert_int_equal(get_le32(b.p + 12), n);
		assert_int_equal(get_le32(b.p + 16), n + 5);
		b = span_skip(b, 20 + ((n + 3) & ~(size_t)3));
		assert_true(span_eq(option(b, 1), comment));
		assert_int_equal(get_le32(option(b, 2).p), 2);
		b = block(&file, &type);
		assert_int_equal(type, 6);
		b = span_skip(b, 20 + 60);
		assert_int_equal(get_le32(option(b, 2).p), 1);
		(void)block(&file, &type);
		assert_int_equal(type, 5);
		assert_int_equal(file.n, 0);
		free(w.p);
	}
}

/* --- what is blotted out ---------------------------------------------------------- */
static struct redact r;
static uint32_t seq[1 << 16]; /* of what a client says next */

/* What stood at `at` of a client's octets, or of a server's. */
static void says_at(bool server, unsigned client, uint32_t at, const char *text,
		    const char *want)
{
	struct packet p;
	struct frame f;

	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, server ? 25 : client, server ? client : 25, 0x18, NULL, 0);
	pk_put(&p, text, strlen(text));
	frame_parse(&f, pk_done(&p));
	if (server) { /* pk_ip4 knows one direction */
		struct endpoint swap = f.src;

		memcpy(f.src.ip, f.dst.ip, 16);
		memcpy(f.dst.ip, swap.ip, 16);
	}
	assert_int_equal(f.data_n, strlen(text));
	f.seq = at;
	redact(&r, &f, server, p.b + f.data);
	if (memcmp(p.b + f.data, want, strlen(want)) != 0 ||
	    strlen(want) != strlen(text))
		fail_msg("%s became %.*s", text, (int)f.data_n,
			 (const char *)p.b + f.data);
}

static void says(bool server, unsigned client, const char *text,
		 const char *want)
{
	says_at(server, client, server ? 1 : seq[client], text, want);
	if (!server)
		seq[client] += (uint32_t)strlen(text);
}

static void same(bool server, unsigned client, const char *text)
{
	says(server, client, text, text);
}

static void no_log_on_is_readable(void **state)
{
	(void)state;
	same(false, 4000, "EHLO a\r\n");
	same(true, 4000, "250-mx\r\n250 AUTH PLAIN LOGIN\r\n");
	says(false, 4000, "AUTH PLAIN AGEAYg==\r\n", "AUTH PLAINxxxxxxxxx\r\n");
	says(false, 4000, "auth plain AGEAYg==\r\nMAIL FROM:<a@b>\r\n",
	     "auth plainxxxxxxxxx\r\nMAIL FROM:<a@b>\r\n");
	same(false, 4000, "AUTH LOGIN\r\n");
	same(true, 4000, "334 VXNlcm5hbWU6\r\n");
	same(false, 4001, "somebody else\r\n");
	says(false, 4000, "dXNl", "xxxx");
	same(true, 4000, ""); /* an acknowledgement */
	same(false, 4000, "");
	says(false, 4000, "cg==\r\n", "xxxx\r\n");
	same(true, 4000, "334 UGFzc3dvcmQ6\r\n");
	says(false, 4000, "c2VjcmV0\r\n", "xxxxxxxx\r\n");
	same(true, 4000, "235 ok\r\n");
	same(false, 4000, "MAIL FROM:<a@b>\r\n");
}

/* Wherever it was cut into segments. */
static void no_piece_of_it_is_readable(void **state)
{
	(void)state;
	says(false, 4002, "AUTH PLAIN ", "AUTH PLAINx");
	says(false, 4002, "AGEAYg==", "xxxxxxxx");
	says(false, 4002, "AGEA\r\nQUIT\r\n", "xxxx\r\nQUIT\r\n");
	same(true, 4002, "535 no\r\n");
	same(false, 4002, "NOOP\r\nau");
	same(true, 4002, "250 ok\r\n");
	says(false, 4002, "th plain AGEAYg==\r\n", "xxxxxxxxxxxxxxxxx\r\n");
	same(true, 4002, "535 no\r\n");
	says(false, 4002, "AUTH PLAIN AGEA", "AUTH PLAINxxxxx");
	says(false, 4002, "Yg==\r\n", "xxxx\r\n");
	same(true, 4002, "235 ok\r\n");
	same(false, 4002, "MAIL FROM:<a@b>\r\n");
}

/* The answer to it was lost, so it comes once more. */
static void nor_when_it_is_sent_again(void **state)
{
	uint32_t user, password;

	(void)state;
	seq[4003] = 0xfffffff0;
	same(false, 4003, "AUTH LOGIN\r\n");
	same(true, 4003, "334 VXNlcm5hbWU6\r\n");
	user = seq[4003];
	says(false, 4003, "dXNlcg==\r\n", "xxxxxxxx\r\n");
	same(true, 4003, "334 UGFzc3dvcmQ6\r\n");
	password = seq[4003];
	says(false, 4003, "c2VjcmV0\r\n", "xxxxxxxx\r\n");
	same(true, 4003, "235 ok\r\n");
	says_at(false, 4003, password, "c2VjcmV0\r\n", "xxxxxxxx\r\n");
	same(false, 4003, "MAIL FROM:<a@b>\r\n");
	says_at(false, 4003, user, "dXNlcg==\r\nc2VjcmV0\r\nMAIL",
		"xxxxxxxx\r\nxxxxxxxx\r\nMAIL");
	same(false, 4003, "RCPT TO:<a@b>\r\n");
	/* another session of the same client */
	seq[4003] = 0x10000000;
	same(false, 4003, "EHLO a\r\n");
	says(false, 4003, "AUTH PLAIN AGEA\r\n", "AUTH PLAINxxxxx\r\n");
	says_at(false, 4003, 0x0fffff00, "MAIL", "MAIL");
}

static void many_log_on_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REDACT_ASKED; i++)
		same(true, 5000 + i, "334 \r\n");
	for (unsigned i = 0; i < REDACT_ASKED; i++)
		says(false, 5000 + i, "secret", "xxxxxx");
	for (unsigned i = 0; i < REDACT_ASKED; i++)
		same(true, 5000 + i, "235 ok\r\n");
	for (unsigned i = 0; i < REDACT_ASKED; i++)
		same(false, 5000 + i, "DATA\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_finds_what_was_written),
		cmocka_unit_test(no_log_on_is_readable),
		cmocka_unit_test(no_piece_of_it_is_readable),
		cmocka_unit_test(nor_when_it_is_sent_again),
		cmocka_unit_test(many_log_on_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
