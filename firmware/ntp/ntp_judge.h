/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NTP_NTP_JUDGE_H
#define NTP_NTP_JUDGE_H

#include "ntp/ntp_msg.h"

/*
 * ntp_judge - may the clock of the box be moved to what time servers say?
 *
 * NTP is not signed: whoever is on the management network can say what he likes. An
 * old certificate whose key he has would be good again if he could move the clock back
 * far enough, one that is good would be out of date if he could move it forward, and
 * then mail waits. So:
 *
 *	- more than half of the servers that give a time have to agree;
 *	- it is not before the floor of the clock (confd_clock.c), but for the 10
 *	  minutes that who has set it by hand may have been fast, for certificates are
 *	  judged at the floor then; and not more than 20 years after it, when none that
 *	  this image knows can be good;
 *	- a clock that has been set moves by as much as a clock drifts, and no more: 10
 *	  minutes, and 10 seconds for each day since it was set by hand or read from
 *	  its chip. What is further away only a person can set.
 *
 * A clock that nobody has set takes the first time that passes the first two.
 * How far it was moved is told by a clock that NTP does not touch: all of what is
 * called raw here is CLOCK_MONOTONIC_RAW.
 *
 * Pure.
 */
enum {
	NTP_SERVERS = 3,
	NTP_NEAR_MS = 1000, /* who is no further apart agrees */
	NTP_SLACK_MS = 600000,
	NTP_SLACK_DAY_MS = 10000,
};

/* What the servers have to say together. */
struct ntp_vote {
	unsigned gave, agree; /* how many gave a time, and how many this one */
	uint64_t unix_ms;     /* at the moment that was asked for */
};

/* True: more than half of those that gave a time agree on it. */
bool ntp_agree(const struct ntp_sample *s, unsigned n, uint64_t raw_ms,
	       struct ntp_vote *v);

/* What the box knows of its clock. */
struct ntp_clock {
	bool set;	  /* at all */
	uint64_t floor_s; /* no time is before this */
	uint64_t raw_ms;  /* when it was set, and */
	uint64_t unix_ms; /* to what */
};

enum ntp_verdict {
	NTP_TAKE,
	NTP_EARLY, /* before the floor */
	NTP_LATE,  /* 20 years after it */
	NTP_FAR,   /* further away than this clock can have drifted */
};

enum ntp_verdict ntp_judge(const struct ntp_clock *c, uint64_t raw_ms,
			   uint64_t unix_ms);

#endif
