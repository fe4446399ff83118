/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in a capture of frames that are no whole segment of TCP: headers, and nothing
 * that somebody could have logged on with. The rest of witness is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "packet.h"
#include "proc/witness/witness_capture.c"

static const char secret[] = "AUTH PLAIN AGEAc2VjcmV0\r\n";

struct witness W;
static struct stats stats;

uint64_t now_unix_ms(void)
{
	return 1;
}

bool witness_watches(uint16_t port)
{
	return port == 25;
}

bool watch_runs(void)
{
	return false;
}

void watch_frame(enum port p, const struct tap_frame *t, const struct frame *f)
{
	(void)p;
	(void)t;
	(void)f;
}

void program_die(struct program *p, const char *fmt, ...)
{
	(void)p;
	(void)fmt;
	abort();
}

void program_log(struct program *p, enum severity sev, const char *fmt, ...)
{
	(void)p;
	(void)sev;
	(void)fmt;
}

void program_alive(struct program *p)
{
	(void)p;
}

/* How much of it is kept, without the secret; the frame is of this class. */
static size_t kept_of(struct packet *p, enum frame_class class_)
{
	const struct ipc_msg all = { .number = 65536,
				     .flow = 1u << INSIDE | 1u << OUTSIDE };
	struct tap_frame t = { .unix_us = 1 };
	struct record r;
	struct frame f;

	W.prog.stats = &stats;
	W.capture[INSIDE].fd = W.capture[OUTSIDE].fd = -1;
	pk_put(p, secret, sizeof(secret) - 1);
	t.bytes = pk_done(p);
	frame_parse(&f, t.bytes);
	assert_int_equal(f.class_, class_);
	assert_int_equal(start(&all), OK);
	keep(INSIDE, &t);
	assert_int_equal(stats.capture.frames, 1);
	memcpy(&r, cap.mem, sizeof(r));
	assert_int_equal(r.n + r.cut, t.bytes.n);
	assert_null(memmem(cap.mem, cap.n, "c2VjcmV0", 8));
	return r.n;
}

static void a_segment_is_whole(void **state)
{
	struct packet p;

	(void)state;
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 4000, 25, TCP_ACK, NULL, 0);
	assert_int_equal(kept_of(&p, FRAME_TCP),
			 14 + 20 + 20 + sizeof(secret) - 1);
}

static void a_fragment_is_its_headers(void **state)
{
	struct packet p;

	(void)state;
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0x2000, NULL, 0);
	pk_tcp(&p, 4000, 25, TCP_ACK, NULL, 0);
	pk_put(&p, "12345678", 3); /* a fragment is a multiple of 8 */
	pk_put(&p, "1234", 4);
	assert_int_equal(kept_of(&p, FRAME_FRAGMENT), 14 + 20 + 20);
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 100, NULL, 0);
	assert_int_equal(kept_of(&p, FRAME_FRAGMENT), 14 + 20);
}

static void so_is_what_cannot_be_read(void **state)
{
	struct packet p;

	(void)state;
	pk_eth(&p, 0x0800);
	pk_ip4(&p, 6, 0, NULL, 0);
	pk_tcp(&p, 4000, 25, TCP_ACK, NULL, 0);
	p.b[14 + 20 + 12] = 0x10; /* a header of four octets */
	assert_int_equal(kept_of(&p, FRAME_BAD), 14 + 20 + 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_is_whole),
		cmocka_unit_test(a_fragment_is_its_headers),
		cmocka_unit_test(so_is_what_cannot_be_read),
	};

	return cmocka_run_group_tests_name("witness_capture", tests, NULL,
					   NULL);
}
