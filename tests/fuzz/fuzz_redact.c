/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any segments of a few connections, by turns of server and client: only what
 * clients say is changed, none of it grows, and line ends stay.
 */
#include "base/bug.h"
#include "packet.h"
#include "proto/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void segment(struct redact *r, bool server, uint16_t client,
		    struct span text)
{
	struct frame f = { .class_ = FRAME_TCP, .data_n = (uint32_t)text.n };
	uint8_t *copy = (uint8_t *)(uintptr_t)pk_guard(text).p;

	f.src.port = server ? 25 : client;
	f.dst.port = server ? client : 25;
	redact(r, &f, server, copy);
	for (size_t i = 0; i < text.n; i++) {
		bool end = text.p[i] == '\r' || text.p[i] == '\n';

		BUG_ON(copy[i] != text.p[i] &&
		       (server || end || copy[i] != 'x'));
	}
}

/* The secret of a log-on, whatever was said before on other connections. */
static void no_secret(struct redact *r)
{
	struct span ask = SPAN_LIT("334 \r\n"), secret = SPAN_LIT("c2VjcmV0");
	uint8_t *copy;
	struct frame f = { .class_ = FRAME_TCP, .data_n = (uint32_t)secret.n };

	segment(r, true, 9, ask);
	f.src.port = 9;
	f.dst.port = 25;
	copy = (uint8_t *)(uintptr_t)pk_guard(secret).p;
	redact(r, &f, false, copy);
	BUG_ON(memcmp(copy, "xxxxxxxx", 8) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct redact r;
	size_t at = 0;

	memset(&r, 0, sizeof(r));
	while (at + 2 < n) {
		size_t len = p[at + 1] % 64;

		if (len > n - at - 2)
			len = n - at - 2;
		segment(&r, p[at] & 1, (uint16_t)(100 + (p[at] >> 1 & 3)),
			(struct span){ p + at + 2, len });
		at += 2 + len;
	}
	no_secret(&r);
	return 0;
}
