/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_RTC_H
#define DRIVERS_RTC_H

#include <linux/rtc.h>
#include <stdint.h>
#include "base/err.h"
#include "base/span.h"

/*
 * rtc - the clock chip, which goes on while the box is off. It keeps UTC, as the
 * kernel takes it to. Used by boss alone.
 */

/* Seconds since 1970. E_IO: there is none, errno says why; E_CORRUPT: it says
 * something that is no time, as after its battery was empty. */
MUST_CHECK int rtc_read(const char *path, uint64_t *unix_s);
MUST_CHECK int rtc_write(const char *path, uint64_t unix_s);

/* The same without a chip. False: not a time of the years 1970 to 2199. */
bool rtc_to_unix(const struct rtc_time *t, uint64_t *unix_s);
bool rtc_from_unix(uint64_t unix_s, struct rtc_time *t);

#endif
