/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NTP_NTP_MSG_H
#define NTP_NTP_MSG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/span.h"

/*
 * ntp_msg - a client's question to a time server, and what its answer is worth: NTP
 * version 4 (RFC 5905 7.3), used as RFC 4330 5 says (SNTP).
 *
 * A question says nothing of our clock: in place of the time it has a random number,
 * and only what brings that back is an answer to it. So nobody who does not see the
 * questions can answer them. Who sees them can: nothing here is signed, and what a
 * server says is judged in ntp_judge.h.
 *
 * Pure: no I/O, no clock, no allocation.
 */
enum {
	NTP_SIZE = 48,
	NTP_DISTANCE_MS = 1500, /* RFC 5905 A.1.1, MAXDIST: no time beyond it */
};

enum ntp_state {
	NTP_SILENT,  /* nothing came */
	NTP_GAVE,    /* a time */
	NTP_UNSURE,  /* it does not know the time itself, or not well enough */
	NTP_REFUSED, /* it does not want to be asked (RFC 5905 7.4) */
	NTP_STATES
};

/* What one server said. The times count only if it gave one. */
struct ntp_sample {
	enum ntp_state state;
	uint32_t
		error_ms; /* the true time is at most so far away, if it is honest */
	uint64_t raw_ms;  /* when it came, by the caller's clock */
	uint64_t unix_ms; /* what time it was then */
};

void ntp_ask(uint8_t out[NTP_SIZE], uint64_t cookie);

/*
 * A datagram that came at raw_ms, took_ms after the question. False: it is no answer
 * to it, wait on. A time is one of 2026-01-01 to 2162: the seconds of NTP begin anew
 * in 2036, so what would be before is after (RFC 4330 3).
 */
bool ntp_answer(struct span in, uint64_t cookie, uint64_t raw_ms,
		uint64_t took_ms, struct ntp_sample *s);

/* A sample as it goes from one program to another. False: it is none. */
enum { NTP_SAMPLE_SIZE = 24 };
void ntp_sample_put(const struct ntp_sample *s, uint8_t out[NTP_SAMPLE_SIZE]);
bool ntp_sample_get(const uint8_t in[NTP_SAMPLE_SIZE], struct ntp_sample *s);

#endif
