/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_asks - which resolver the hosts inside ask, so that a probe can ask it too.
 *
 * The questions pass in the kernel like everything that is not mail; we see copies
 * of the first octets, through a socket that holds a few. Looked at are so few of
 * them in a second that a storm costs nothing, and no loss matters: who sends mail
 * asks again and again. What we see can be forged by anybody inside, so it is good
 * for a probe, which decides nothing, and for nothing else.
 */
#include "base/bytes.h"
#include "drivers/tap.h"
#include "proc/wire/wire.h"

enum {
	EVERY_MS = 200,
	AT_ONCE = 8,
	UDP_HEAD = 8,
	/* RFC 1035 4.1.1: the octet of QR, opcode and RD is the third one */
	DNS_FLAGS = 2,
	DNS_ASKS =
		0x01, /* a question (QR 0, opcode 0) that wants recursion (RD) */
	DNS_KIND = 0xf9, /* these bits of the octet */
};

/* Is it for one machine, somewhere else? */
static bool a_host(const uint8_t ip[16])
{
	if (!ip_is_v4(ip))
		return ip[0] != 0xff && ip[0] != 0;
	return ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
}

/* Its row, else the oldest, of those first that are of nobody who sends mail: a
 * network of desktops does not push a mail server out. */
static struct wire_asked *row(const uint8_t ip[16])
{
	struct wire_asked *to = NULL;
	bool of_mail = false;

	for (size_t i = 0; i < ASKED_MAX; i++) {
		struct wire_asked *a = &W.asked[i];
		bool mail = a->when_ms != 0 && wire_probe_knows(a->ip);

		if (a->when_ms != 0 && memcmp(a->ip, ip, 16) == 0)
			return a;
		if (!to || (of_mail && !mail) ||
		    (of_mail == mail && a->when_ms < to->when_ms)) {
			to = a;
			of_mail = mail;
		}
	}
	return to;
}

static void seen(struct span bytes)
{
	struct wire_asked *to;
	struct frame f;

	frame_parse(&f, bytes);
	/* The filter of the socket has looked at protocol and port. */
	if (f.class_ != FRAME_OTHER || f.l4 == 0 || f.pppoe ||
	    f.l4_n <= UDP_HEAD + DNS_FLAGS ||
	    (bytes.p[f.l4 + UDP_HEAD + DNS_FLAGS] & DNS_KIND) != DNS_ASKS ||
	    !a_host(f.src.ip) || !a_host(f.dst.ip))
		return;
	to = row(f.src.ip);
	memcpy(to->ip, f.src.ip, 16);
	memcpy(to->resolver, f.dst.ip, 16);
	memcpy(to->l2, bytes.p, f.l2_n);
	to->l2_n = f.l2_n;
	to->when_ms = W.now;
}

void wire_asks_look(void)
{
	static uint8_t mem[TAP_HEAD + TAP_FRAME_MAX];

	if (W.now - W.asks_ms < EVERY_MS)
		return;
	W.asks_ms = W.now;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct tap_frame f = tap_receive(W.asks_fd, mem);

		if (f.bytes.n == 0)
			return;
		seen(f.bytes);
	}
}

const struct wire_asked *wire_asks_of(const uint8_t ip[16])
{
	for (size_t i = 0; i < ASKED_MAX; i++)
		if (W.asked[i].when_ms != 0 &&
		    memcmp(W.asked[i].ip, ip, 16) == 0)
			return &W.asked[i];
	return NULL;
}
