/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdint.h>

/* Days from 1970-01-01 to a day of the Gregorian calendar, m and d from 1 (H.
 * Hinnant, "chrono-compatible low-level date algorithms"). */
static inline int64_t date_days(int y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

#endif
