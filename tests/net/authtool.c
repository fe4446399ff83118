/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * authtool - our log-on engines on a pipe, for tests that put the other end of
 * somebody else on its other side.
 *
 *	authtool client|server MECH DOMAIN USER PASSWORD [WORD...]
 *	WORD: seal legacy bound bits=56 plus exporter=HEX endpoint=HEX le
 *	      last
 *
 * Lines in, one line out for each:
 *	first            "text ..." or "none"
 *	say TEXT         what came from the other end (server: "initial TEXT" for
 *	                 an initial response): "text ...", "done", "error NAME"
 *	done             client: the server said 235: "done" or "error NAME"
 *	outcome          "flags bits key", hexadecimal
 *	seal HEX         the block; open HEX: what is in it. "error NAME"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "auth/ntlm_seal.h"
#include "auth/sasl_client.h"
#include "auth/sasl_server.h"
#include "base/text.h"

static struct {
	bool server;
	struct sasl_ask ask;
	struct sasl_secret who;
	struct seal_framing framing;
	struct sasl_client c;
	struct sasl_server s;
	struct ntlm_seal *seal;
} T;

static char line[1 << 18];
static uint8_t octets[1 << 17];

static size_t unhex(const char *s, uint8_t *out, size_t max)
{
	size_t n = 0;
	unsigned v;

	for (; n < max && sscanf(s, "%2x", &v) == 1; s += 2)
		out[n++] = (uint8_t)v;
	return n;
}

static void hex(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", s.p[i]);
	printf("\n");
}

static void set(uint8_t *to, uint8_t *n, const char *s)
{
	*n = (uint8_t)strlen(s);
	memcpy(to, s, *n);
}

static void word(const char *w)
{
	T.ask.seal |= strcmp(w, "seal") == 0;
	T.ask.legacy |= strcmp(w, "legacy") == 0;
	T.ask.bound |= strcmp(w, "bound") == 0;
	T.ask.plus |= strcmp(w, "plus") == 0;
	T.framing.little_endian |= strcmp(w, "le") == 0;
	T.framing.signature_last |= strcmp(w, "last") == 0;
	if (strncmp(w, "bits=", 5) == 0)
		T.ask.min_bits = (uint16_t)atoi(w + 5);
	if (strncmp(w, "exporter=", 9) == 0) {
		T.ask.binding.exporter_there = true;
		unhex(w + 9, T.ask.binding.exporter, 32);
	}
	if (strncmp(w, "endpoint=", 9) == 0)
		T.ask.binding.endpoint_n = (uint8_t)unhex(
			w + 9, T.ask.binding.endpoint, 64);
}

static void answer(int r, struct buf *out)
{
	if (r == OK)
		printf("text %.*s\n", (int)buf_span(out).n,
		       (const char *)buf_span(out).p);
	else if (r == 1)
		printf("done\n");
	else
		printf("error %s\n", err_name(r));
}

static int serve(int r, struct buf *out)
{
	static const uint8_t salt[16] = "salt";
	const struct logon_terms terms = { .seal = T.ask.seal,
					   .legacy = T.ask.legacy,
					   .bound = T.ask.bound,
					   .min_bits = T.ask.min_bits };

	while (r == E_AGAIN) {
		struct span user = sasl_server_user(&T.s);
		struct span bare = { T.who.user, T.who.user_n };
		bool decoy = !(
			user.n >= bare.n &&
			span_eq_nocase(span_skip(user, user.n - bare.n), bare));

		if (sasl_server_wish(&T.s) == SASL_ACCOUNT)
			r = sasl_server_account(&T.s, &T.who, &terms, decoy,
						salt, out);
		else
			r = sasl_server_work(&T.s, 10000, out);
	}
	return r;
}

static void say(const char *text, bool initial, struct buf *out)
{
	int r;

	if (T.server) {
		answer(serve(sasl_server_response(&T.s, span_str(text), initial,
						  out),
			     out),
		       out);
		return;
	}
	r = sasl_client_challenge(&T.c, span_str(text), out);
	while (r == E_AGAIN)
		r = sasl_client_work(&T.c, 10000, out);
	answer(r, out);
}

static struct sasl_outcome outcome(void)
{
	struct sasl_outcome o;

	if (T.server)
		sasl_server_outcome(&T.s, &o);
	else if (sasl_client_done(&T.c, &o) != OK)
		memset(&o, 0, sizeof(o));
	return o;
}

static void through(enum seal_door in, const char *text)
{
	struct sasl_outcome o = outcome();
	size_t n = unhex(text, octets, sizeof(octets));
	struct span left = { octets, n };

	if (!T.seal)
		T.seal = ntlm_seal_init(malloc(ntlm_seal_size()), &o,
					T.server ? SERVER : CLIENT, T.framing);
	while (left.n > 0 && ntlm_seal_error(T.seal) == OK) {
		enum seal_door to = in == SEAL_APP ? SEAL_NET : SEAL_APP;
		struct span s;

		left = span_skip(left, ntlm_seal_feed(T.seal, in, left));
		s = ntlm_seal_out(T.seal, to);
		for (size_t i = 0; i < s.n; i++)
			printf("%02x", s.p[i]);
		ntlm_seal_sent(T.seal, to, s.n);
	}
	if (ntlm_seal_error(T.seal) != OK)
		printf("error %s", err_name(ntlm_seal_error(T.seal)));
	printf("\n");
}

static void run(struct buf *out)
{
	char *arg = strchr(line, ' ');
	int r;

	if (arg)
		*arg++ = '\0';
	else
		arg = line + strlen(line);
	if (strcmp(line, "first") == 0 && !T.server) {
		r = sasl_client_first(&T.c, 490, out);
		if (r == 0)
			printf("none\n");
		else
			answer(r == 1 ? OK : r, out);
	} else if (strcmp(line, "first") == 0) {
		answer(sasl_server_first(&T.s, out), out);
	} else if (strcmp(line, "say") == 0) {
		say(arg, false, out);
	} else if (strcmp(line, "initial") == 0) {
		say(arg, true, out);
	} else if (strcmp(line, "done") == 0) {
		struct sasl_outcome o;

		r = sasl_client_done(&T.c, &o);
		answer(r == OK ? 1 : r, out);
	} else if (strcmp(line, "outcome") == 0) {
		struct sasl_outcome o = outcome();

		printf("%08x %u ", o.ntlm_flags, o.bits);
		hex((struct span){ o.key, sizeof(o.key) });
	} else if (strcmp(line, "seal") == 0) {
		through(SEAL_APP, arg);
	} else if (strcmp(line, "open") == 0) {
		through(SEAL_NET, arg);
	}
}

int main(int argc, char **argv)
{
	static uint8_t mem[SASL_TEXT_MAX];
	bool plus;
	FILE *f;
	int r;

	if (argc < 6)
		return 2;
	T.server = strcmp(argv[1], "server") == 0;
	T.ask.mech = auth_mech_of(span_str(argv[2]), &plus);
	T.ask.min_bits = 128;
	T.ask.unix_ms = 1800000000000u;
	set(T.who.domain, &T.who.domain_n, argv[3]);
	set(T.who.user, &T.who.user_n, argv[4]);
	set(T.who.password, &T.who.password_n, argv[5]);
	for (int i = 6; i < argc; i++)
		word(argv[i]);
	f = fopen("/dev/urandom", "rb");
	if (!f || fread(T.ask.random, 1, SASL_RANDOM, f) != SASL_RANDOM)
		return 2;
	fclose(f);
	r = T.server ? sasl_server_begin(&T.s, &T.ask, SPAN_LIT("box.example"))
		     : sasl_client_begin(&T.c, &T.ask, &T.who);
	if (r != OK)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		struct buf out;

		line[strcspn(line, "\n")] = '\0';
		buf_init(&out, mem, sizeof(mem));
		run(&out);
		fflush(stdout);
	}
	return 0;
}
