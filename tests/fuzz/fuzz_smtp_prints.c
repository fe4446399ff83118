/* SPDX-License-Identifier: BSD-2-Clause */
/* A client that says anything, "=" being a server that asks for the text: the same
 * texts are named in every cut. */
#include "base/bug.h"
#include "feed.h"
#include "policy/policy_build.h"
#include "proto/smtp_prints.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct smtp_prints prints;
static struct policy policy;
static bool tls;

static void make_policy(void)
{
	static const uint8_t key[16];
	static uint8_t mem[65536];
	struct policy_rule rule = { .name = SPAN_LIT("e.example"),
				    .level = LEVEL_ENCRYPT,
				    .min_tls = 0x0303 };
	struct settings settings = { .number = 1 };
	struct policy_build b;
	uint32_t line;
	size_t len;

	BUG_ON(policy_build_begin(&b, mem, sizeof(mem), 4, 0, key) != OK);
	BUG_ON(policy_build_rule(&b, &rule, &line) != OK);
	BUG_ON(policy_build_end(&b, &settings, &len) != OK);
	BUG_ON(policy_open(&policy, (struct span){ mem, len }) != OK);
}

static void begin(void *state)
{
	(void)state;
	memset(&prints, 0, sizeof(prints));
	smtp_prints_key(&prints, 0x9e3779b1);
}

static void say(struct span in, struct feed_log *log)
{
	struct smtp_prints_out out;
	size_t n;

	for (; in.n > 0; in = span_skip(in, n)) {
		n = smtp_prints_feed(&prints, in, tls, &policy, &out);
		BUG_ON(n == 0 || n > in.n || out.n > SMTP_PRINTS_OUT);
		if (out.clear)
			feed_bytes(log, SPAN_LIT("-"));
		for (size_t i = 0; i < out.n; i++)
			feed_bytes(log,
				   (struct span){
					   (uint8_t *)&out.print[i].whole, 8 });
	}
}

static void take(void *state, struct span in, struct feed_log *log)
{
	(void)state;
	while (in.n > 0) {
		const uint8_t *go = memchr(in.p, '=', in.n);
		size_t n = go ? (size_t)(go - in.p) : in.n;

		say((struct span){ in.p, n }, log);
		in = span_skip(in, n + (go != NULL));
		if (go)
			smtp_prints_reply(&prints, SPAN_LIT("354 go\r\n"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct feed_engine engine = { NULL, begin, take };
	struct span in, out;

	if (n < 1 || n > 2048)
		return 0;
	if (!policy.blob.p)
		make_policy();
	tls = p[0] & 1;
	in = (struct span){ p + 1, n - 1 };
	BUG_ON(feed_cuts(&engine, in, 0, 200, &out) != FEED_SAME);
	return 0;
}
