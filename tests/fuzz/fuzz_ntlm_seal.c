/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Octets from a peer that does not have the key: nothing of them comes out, in
 * any cut. And the same octets as clear text: they go through both ends, in
 * blocks of any size and pieces of any size, as they were.
 */
#include "auth/ntlm_msg.h"
#include "auth/ntlm_seal.h"
#include "base/bug.h"
#include "feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static uint8_t memory[2][(SEAL_IN_MAX + 16384)];
static struct sasl_outcome outcome;
static struct seal_framing framing;

static struct ntlm_seal *end(unsigned i, enum side we)
{
	struct ntlm_seal *s;

	BUG_ON(ntlm_seal_size() > sizeof(memory[i]));
	s = ntlm_seal_init(memory[i], &outcome, we, framing);
	BUG_ON(!s);
	return s;
}

static void begin(void *state)
{
	*(struct ntlm_seal **)state = end(0, CLIENT);
}

static void take(void *state, struct span in, struct feed_log *log)
{
	struct ntlm_seal *s = *(struct ntlm_seal **)state;
	bool broken = ntlm_seal_error(s) != OK;
	size_t n = ntlm_seal_feed(s, SEAL_NET, in);

	BUG_ON(n > in.n);
	/* 64 bits of a MAC are not found by trying */
	BUG_ON(ntlm_seal_out(s, SEAL_APP).n != 0);
	if (ntlm_seal_error(s) != OK && !broken)
		feed_mark(log, 'r', ntlm_seal_error(s));
	BUG_ON(ntlm_seal_error(s) == OK && n != in.n);
}

/* All of in from one end to the other, cut as the octets themselves say. */
static void through(struct span in)
{
	struct ntlm_seal *c = end(0, CLIENT), *s = end(1, SERVER);
	struct span left = in, want = in;
	size_t turn = 0;

	while (want.n > 0) {
		size_t cut = 1 + in.p[turn++ % in.n] % 64u;
		struct span piece = { left.p, cut < left.n ? cut : left.n };
		struct span net, app;

		left = span_skip(left, ntlm_seal_feed(c, SEAL_APP, piece));
		net = ntlm_seal_out(c, SEAL_NET);
		net.n = cut < net.n ? cut : net.n;
		ntlm_seal_sent(c, SEAL_NET, ntlm_seal_feed(s, SEAL_NET, net));
		BUG_ON(ntlm_seal_error(s) != OK);
		app = ntlm_seal_out(s, SEAL_APP);
		app.n = cut < app.n ? cut : app.n;
		BUG_ON(app.n > want.n || memcmp(app.p, want.p, app.n) != 0);
		ntlm_seal_sent(s, SEAL_APP, app.n);
		want = span_skip(want, app.n);
	}
	BUG_ON(left.n != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ntlm_seal *s;
	const struct feed_engine engine = { &s, begin, take };
	struct span out;

	if (n < 2 || n > 1024)
		return 0;
	outcome.ntlm_flags = (p[0] & 1 ? NTLM_ESS : 0u) |
			     (p[0] & 2 ? NTLM_128 : 0u) |
			     (p[0] & 4 ? NTLM_KEY_EXCH : 0u) |
			     (p[0] & 8 ? NTLM_LM_KEY : 0u) |
			     (p[0] & 16 ? NTLM_56 : 0u);
	framing.little_endian = (p[0] & 32) != 0;
	framing.signature_last = (p[0] & 64) != 0;
	memset(outcome.key, 0x77, sizeof(outcome.key));
	BUG_ON(feed_cuts(&engine, (struct span){ p + 1, n - 1 }, 0, 60, &out) !=
	       FEED_SAME);
	through((struct span){ p + 1, n - 1 });
	return 0;
}
