/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that says anything to our server, in lines; the first octets pick the
 * mechanism. It does not know the password ("correct horse", which the fuzzer
 * would have to find), so it is never let in; what is answered is base64; an
 * error is the end; a name is asked for once.
 */
#include "auth/base64.h"
#include "auth/sasl_server.h"
#include "base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void good_text(struct span s)
{
	static uint8_t raw[SASL_MESSAGE_MAX];
	size_t n;

	BUG_ON(s.n > SASL_TEXT_MAX);
	BUG_ON(base64_decode(raw, sizeof(raw), &n, s) != OK);
}

static struct span take_line(struct span *in)
{
	const uint8_t *lf = memchr(in->p, '\n', in->n);
	struct span line = { in->p, lf ? (size_t)(lf - in->p) : in->n };

	*in = span_skip(*in, line.n + (lf != NULL));
	return line;
}

static int serve(struct sasl_server *s, int r, struct buf *out, unsigned *asked)
{
	static const uint8_t salt[16];
	struct sasl_secret who = { .user_n = 1, .password_n = 13 };
	struct logon_terms terms = { .seal = s->ask.seal || s->ask.seal_may,
				     .legacy = s->ask.legacy,
				     .min_bits = s->ask.min_bits };

	memcpy(who.password, "correct horse", 13);
	while (r == E_AGAIN) {
		struct span user = sasl_server_user(s);

		switch (sasl_server_wish(s)) {
		case SASL_ACCOUNT:
			BUG_ON(user.n == 0 || user.n > SASL_USER_MAX);
			for (size_t i = 0; i < user.n; i++)
				BUG_ON(user.p[i] < 0x20);
			++*asked;
			r = sasl_server_account(s, &who, &terms, false, salt,
						out);
			break;
		case SASL_WORK:
			s->u.scram.work.left = 1;
			r = sasl_server_work(s, 1, out);
			break;
		case SASL_NOTHING: BUG_ON(true);
		}
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct sasl_server s;
	static uint8_t mem[SASL_TEXT_MAX];
	struct sasl_ask ask = { .unix_ms = 1800000000000u };
	struct span in = { p + 2, n - 2 };
	unsigned asked = 0;
	bool initial;
	struct buf out;
	int r;

	if (n < 2)
		return 0;
	ask.mech = (enum auth_mech)(AUTH_PLAIN + p[0] % 6);
	ask.seal = (p[0] & 0x80) != 0;
	ask.legacy = (p[0] & 0x40) != 0;
	ask.min_bits = p[1] & 1 ? 128 : 40;
	ask.seal_may = (p[1] & 2) != 0;
	ask.plus = (p[1] & 4) != 0;
	ask.binding.exporter_there = (p[1] & 8) != 0;
	ask.binding.endpoint_n = p[1] & 16 ? 32 : 0;
	initial = (p[1] & 32) != 0;
	BUG_ON(sasl_server_begin(&s, &ask, SPAN_LIT("mx.example")) != OK);
	buf_init(&out, mem, sizeof(mem));
	if (!initial)
		BUG_ON(sasl_server_first(&s, &out) != OK);
	do {
		good_text(buf_span(&out));
		if (buf_span(&out).n > 0)
			BUG_ON(sasl_server_asks(&s, buf_span(&out)) !=
			       !logon_shows_password(s.ask.mech));
		buf_cut(&out, 0);
		r = serve(
			&s,
			sasl_server_response(&s, take_line(&in), initial, &out),
			&out, &asked);
		initial = false;
		BUG_ON(r == 1);
		BUG_ON(r < 0 && buf_span(&out).n != 0);
	} while (r == OK && in.n > 0);
	BUG_ON(asked > 1);
	if (r < 0)
		BUG_ON(sasl_server_response(&s, SPAN_LIT("AHUAcA=="), false,
					    &out) != r);
	sasl_server_wipe(&s);
	return 0;
}
