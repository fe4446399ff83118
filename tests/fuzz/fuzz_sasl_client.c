/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server that says anything to our client, in lines; the first octet picks the
 * mechanism and how it is asked. It does not know the password, so:
 *
 *	nobody who cannot know it is believed: SCRAM never ends well, and a
 *	    log-on does not before all was said
 *	what is said is base64, and short enough
 *	an error is the end
 *	no memory is asked for that is not wiped by _wipe: the struct is all
 */
#include "auth/base64.h"
#include "auth/sasl_client.h"
#include "base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void good_text(struct span s)
{
	static uint8_t raw[SASL_MESSAGE_MAX];
	size_t n;

	BUG_ON(s.n > SASL_TEXT_MAX);
	BUG_ON(base64_decode(raw, sizeof(raw), &n, s) != OK);
}

static void set(uint8_t *to, uint8_t *n, const char *s)
{
	*n = (uint8_t)strlen(s);
	memcpy(to, s, *n);
}

/* The line at the front of in. */
static struct span take_line(struct span *in)
{
	const uint8_t *lf = memchr(in->p, '\n', in->n);
	struct span line = { in->p, lf ? (size_t)(lf - in->p) : in->n };

	*in = span_skip(*in, line.n + (lf != NULL));
	return line;
}

static int answer(struct sasl_client *c, struct span line, struct buf *out)
{
	int r = sasl_client_challenge(c, line, out);

	/* as many rounds as there may be, but not here */
	if (r == E_AGAIN) {
		BUG_ON(c->u.scram.work.left >= SCRAM_ROUNDS_MAX);
		c->u.scram.work.left = 1;
	}
	while (r == E_AGAIN)
		r = sasl_client_work(c, 1, out);
	return r;
}

static void talk(struct sasl_client *c, struct span in, size_t first)
{
	static uint8_t mem[SASL_TEXT_MAX];
	struct sasl_outcome o;
	unsigned said = 0;
	struct buf out;
	int r;

	buf_init(&out, mem, sizeof(mem));
	r = sasl_client_first(c, first, &out);
	BUG_ON(r < 0);
	if (r == 1) {
		BUG_ON(buf_span(&out).n > first);
		good_text(buf_span(&out));
		said++;
	}
	while (in.n > 0 && r >= 0) {
		buf_cut(&out, 0);
		r = answer(c, take_line(&in), &out);
		if (r < 0)
			BUG_ON(buf_span(&out).n != 0);
		else
			good_text(buf_span(&out));
		said += r >= 0;
		BUG_ON(said > 3);
	}
	if (sasl_client_done(c, &o) != OK) {
		BUG_ON(sasl_client_challenge(c, SPAN_LIT(""), &out) >= 0);
		return;
	}
	BUG_ON(r < 0);
	BUG_ON(c->ask.mech == AUTH_SCRAM_SHA_1 ||
	       c->ask.mech == AUTH_SCRAM_SHA_256);
	BUG_ON(said == 0);
	if (c->ask.mech != AUTH_NTLM)
		return;
	BUG_ON(c->ask.seal && o.bits < c->ask.min_bits);
	BUG_ON(!c->ask.legacy &&
	       (!o.ntlm_v2 || (o.ntlm_flags & NTLM_ESS) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct sasl_client c;
	struct sasl_secret who = { 0 };
	struct sasl_ask ask = { .unix_ms = 1800000000000u };

	if (n < 2)
		return 0;
	ask.mech = (enum auth_mech)(AUTH_PLAIN + p[0] % 6);
	ask.seal = (p[0] & 0x80) != 0;
	ask.legacy = (p[0] & 0x40) != 0;
	ask.min_bits = p[1] & 1 ? 128 : p[1] & 2 ? 56 : 40;
	ask.plus = (p[1] & 4) != 0;
	ask.binding.exporter_there = (p[1] & 8) != 0;
	ask.binding.endpoint_n = p[1] & 16 ? 32 : 0;
	set(who.user, &who.user_n, "user");
	set(who.domain, &who.domain_n, p[1] & 32 ? "DOMAIN" : "");
	set(who.password, &who.password_n, "correct horse");
	BUG_ON(sasl_client_begin(&c, &ask, &who) != OK);
	talk(&c, (struct span){ p + 2, n - 2 }, p[1] & 64 ? 490 : 0);
	sasl_client_wipe(&c);
	for (size_t i = 0; i < sizeof(c); i++)
		BUG_ON(((const uint8_t *)&c)[i] != 0);
	return 0;
}
