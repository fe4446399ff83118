/* SPDX-License-Identifier: BSD-2-Clause */
/* ntp_judge - see ntp_judge.h. */
#include "ntp/ntp_judge.h"

static const uint64_t years_s = 20ull * 366 * 86400;
static const uint64_t day_ms = 86400000;

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* What time it is at raw_ms, by what this server said a moment before. */
static uint64_t at(const struct ntp_sample *s, uint64_t raw_ms)
{
	return s->unix_ms + (raw_ms - s->raw_ms);
}

static unsigned with(const struct ntp_sample *s, unsigned n,
		     const struct ntp_sample *one, uint64_t raw_ms)
{
	unsigned agree = 0;

	for (unsigned i = 0; i < n; i++)
		agree += s[i].state == NTP_GAVE &&
			 apart(at(&s[i], raw_ms), at(one, raw_ms)) <=
				 NTP_NEAR_MS + (uint64_t)s[i].error_ms +
					 one->error_ms;
	return agree;
}

bool ntp_agree(const struct ntp_sample *s, unsigned n, uint64_t raw_ms,
	       struct ntp_vote *v)
{
	uint32_t error = 0;

	*v = (struct ntp_vote){ .gave = 0 };
	for (unsigned i = 0; i < n; i++) {
		unsigned agree = 0;

		if (s[i].state != NTP_GAVE)
			continue;
		v->gave++;
		agree = with(s, n, &s[i], raw_ms);
		if (agree < v->agree ||
		    (agree == v->agree && s[i].error_ms >= error))
			continue;
		v->agree = agree;
		v->unix_ms = at(&s[i], raw_ms);
		error = s[i].error_ms;
	}
	return 2 * v->agree > v->gave;
}

enum ntp_verdict ntp_judge(const struct ntp_clock *c, uint64_t raw_ms,
			   uint64_t unix_ms)
{
	uint64_t age = raw_ms - c->raw_ms;

	if ((unix_ms + NTP_SLACK_MS) / 1000 < c->floor_s)
		return NTP_EARLY;
	if (unix_ms / 1000 > c->floor_s + years_s)
		return NTP_LATE;
	if (c->set && apart(unix_ms, c->unix_ms + age) >
			      NTP_SLACK_MS + age / day_ms * NTP_SLACK_DAY_MS)
		return NTP_FAR;
	return NTP_TAKE;
}
