/* SPDX-License-Identifier: BSD-2-Clause */
/* ntp_msg - see ntp_msg.h. Offsets are those of RFC 5905, figure 8. */
#include <string.h>
#include "base/bytes.h"
#include "ntp/ntp_msg.h"

enum {
	FIRST = 0, /* leap, version, mode: 2, 3 and 3 bits */
	STRATUM = 1,
	ROOT_DELAY = 4,
	ROOT_DISPERSION = 8,
	ORIGIN = 24,
	RECEIVED = 32,
	SENT = 40,

	VERSION = 4 << 3,
	CLIENT = 3,
	SERVER = 4,
	LEAP_UNKNOWN = 3,
	STRATUM_MAX = 15,
};

#define FROM_1900     2208988800u /* to 1970, in seconds */
#define NOT_BEFORE_S  1767225600u /* 2026-01-01: no firmware is older */
#define SECONDS_AGAIN (1ull << 32)

void ntp_ask(uint8_t out[NTP_SIZE], uint64_t cookie)
{
	memset(out, 0, NTP_SIZE);
	out[FIRST] = VERSION | CLIENT;
	put_be32(out + SENT, (uint32_t)(cookie >> 32));
	put_be32(out + SENT + 4, (uint32_t)cookie);
}

static uint64_t get_time(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

/* A difference of two times, 32.32; how many milliseconds. */
static uint64_t span_ms(uint64_t v)
{
	return (v >> 32) * 1000 + ((v & 0xffffffff) * 1000 >> 32);
}

/* 16.16 */
static uint64_t short_ms(const uint8_t *p)
{
	return (uint64_t)get_be32(p) * 1000 >> 16;
}

static uint64_t unix_ms(uint64_t v)
{
	uint64_t s = (uint32_t)((uint32_t)(v >> 32) - FROM_1900);

	if (s < NOT_BEFORE_S)
		s += SECONDS_AGAIN;
	return s * 1000 + span_ms(v & 0xffffffff);
}

/* The time of an answer whose server knows it. */
static void take(const uint8_t *p, uint64_t took_ms, struct ntp_sample *s)
{
	uint64_t sent = get_time(p + SENT);
	uint64_t within = span_ms(sent - get_time(p + RECEIVED));
	/* It may count in other milliseconds than we: one more is none. */
	uint64_t way = within < took_ms ? took_ms - within : 0;
	uint64_t error = way / 2 + short_ms(p + ROOT_DELAY) / 2 +
			 short_ms(p + ROOT_DISPERSION);

	s->state = NTP_UNSURE;
	if (sent == 0 || within > took_ms + 1 || error > NTP_DISTANCE_MS)
		return;
	s->state = NTP_GAVE;
	s->error_ms = (uint32_t)error;
	s->unix_ms = unix_ms(sent) + way / 2;
}

bool ntp_answer(struct span in, uint64_t cookie, uint64_t raw_ms,
		uint64_t took_ms, struct ntp_sample *s)
{
	const uint8_t *p = in.p;

	if (in.n < NTP_SIZE || get_time(p + ORIGIN) != cookie ||
	    (p[FIRST] & 7) != SERVER || (p[FIRST] >> 3 & 7) == 0)
		return false;
	*s = (struct ntp_sample){ .raw_ms = raw_ms };
	if (p[STRATUM] == 0)
		s->state = NTP_REFUSED;
	else if (p[STRATUM] > STRATUM_MAX || p[FIRST] >> 6 == LEAP_UNKNOWN)
		s->state = NTP_UNSURE;
	else
		take(p, took_ms, s);
	return true;
}

void ntp_sample_put(const struct ntp_sample *s, uint8_t out[NTP_SAMPLE_SIZE])
{
	put_le32(out, (uint32_t)s->state);
	put_le32(out + 4, s->error_ms);
	put_le64(out + 8, s->raw_ms);
	put_le64(out + 16, s->unix_ms);
}

bool ntp_sample_get(const uint8_t in[NTP_SAMPLE_SIZE], struct ntp_sample *s)
{
	uint32_t state = get_le32(in);

	if (state >= NTP_STATES)
		return false;
	*s = (struct ntp_sample){ .state = (enum ntp_state)state,
				  .error_ms = get_le32(in + 4),
				  .raw_ms = get_le64(in + 8),
				  .unix_ms = get_le64(in + 16) };
	return s->error_ms <= NTP_DISTANCE_MS;
}
