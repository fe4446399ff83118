/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What time servers say, up to three of them, any octets behind the number that makes
 * it an answer; and what becomes of it: a time that is taken is within its limits.
 */
#include "base/bug.h"
#include "base/bytes.h"
#include "ntp/ntp_judge.h"
#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { TOOK_MS = 100, RAW_MS = 1000000 };

static const uint64_t floor_s = 1790000000, cookie = 0x1122334455667788;

static void hear(const uint8_t *p, size_t n, struct ntp_sample *s)
{
	uint8_t in[128], pipe[NTP_SAMPLE_SIZE];
	struct ntp_sample again;

	memcpy(in, p, n);
	if (n >= NTP_SIZE) {
		put_be32(in + 24, (uint32_t)(cookie >> 32));
		put_be32(in + 28, (uint32_t)cookie);
	}
	*s = (struct ntp_sample){ .state = NTP_SILENT };
	if (!ntp_answer(pk_guard((struct span){ in, n }), cookie, RAW_MS,
			TOOK_MS, s))
		BUG_ON(s->state != NTP_SILENT);
	BUG_ON(s->state == NTP_GAVE &&
	       (s->error_ms > NTP_DISTANCE_MS || s->unix_ms < 1767225600000));
	ntp_sample_put(s, pipe);
	BUG_ON(!ntp_sample_get(pipe, &again) || again.state != s->state ||
	       again.unix_ms != s->unix_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct ntp_clock set = { true, floor_s, RAW_MS - 500,
				       (floor_s + 1000) * 1000 };
	const struct ntp_clock unset = { .floor_s = floor_s };
	struct ntp_sample s[NTP_SERVERS];
	struct ntp_vote v;
	unsigned k = 0;

	for (size_t at = 0; k < NTP_SERVERS && at < n; at += 64, k++)
		hear(p + at, n - at < 64 ? n - at : 64, &s[k]);
	if (!ntp_agree(s, k, RAW_MS + 50, &v))
		return 0;
	BUG_ON(v.agree > v.gave || v.gave > k || 2 * v.agree <= v.gave);
	if (ntp_judge(&unset, RAW_MS + 50, v.unix_ms) == NTP_TAKE)
		BUG_ON(v.unix_ms / 1000 < floor_s - 600 ||
		       v.unix_ms / 1000 > floor_s + 21ull * 366 * 86400);
	if (ntp_judge(&set, RAW_MS + 50, v.unix_ms) == NTP_TAKE)
		BUG_ON(v.unix_ms < (floor_s + 1000 - 601) * 1000 ||
		       v.unix_ms > (floor_s + 1000 + 602) * 1000);
	return 0;
}
