/* SPDX-License-Identifier: BSD-2-Clause */
/* rtc - see rtc.h. */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "drivers/rtc.h"

enum { DAY = 86400, YEAR_MAX = 2199 };

static bool leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30,
					31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 1 && leap(year));
}

bool rtc_to_unix(const struct rtc_time *t, uint64_t *unix_s)
{
	uint64_t days = 0;
	int year;

	if (t->tm_year < 70 || t->tm_year > YEAR_MAX - 1900 || t->tm_mon < 0 ||
	    t->tm_mon > 11 || t->tm_mday < 1 ||
	    t->tm_mday > month_days(t->tm_year + 1900, t->tm_mon) ||
	    t->tm_hour < 0 || t->tm_hour > 23 || t->tm_min < 0 ||
	    t->tm_min > 59 || t->tm_sec < 0 || t->tm_sec > 59)
		return false;
	year = t->tm_year + 1900;
	for (int y = 1970; y < year; y++)
		days += leap(y) ? 366 : 365;
	for (int m = 0; m < t->tm_mon; m++)
		days += (uint64_t)month_days(year, m);
	days += (uint64_t)t->tm_mday - 1;
	*unix_s = days * DAY + (uint64_t)t->tm_hour * 3600 +
		  (uint64_t)t->tm_min * 60 + (uint64_t)t->tm_sec;
	return true;
}

bool rtc_from_unix(uint64_t unix_s, struct rtc_time *t)
{
	uint64_t days = unix_s / DAY;
	int rest = (int)(unix_s % DAY), year = 1970, month = 0;

	if (days > 366 * 230)
		return false;
	while (days >= (leap(year) ? 366u : 365u))
		days -= leap(year++) ? 366 : 365;
	while (days >= (uint64_t)month_days(year, month))
		days -= (uint64_t)month_days(year, month++);
	memset(t, 0, sizeof(*t));
	t->tm_year = year - 1900;
	t->tm_mon = month;
	t->tm_mday = (int)days + 1;
	t->tm_hour = rest / 3600;
	t->tm_min = rest / 60 % 60;
	t->tm_sec = rest % 60;
	return year <= YEAR_MAX;
}

int rtc_read(const char *path, uint64_t *unix_s)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct rtc_time t;
	int r;

	if (fd < 0)
		return E_IO;
	r = ioctl(fd, RTC_RD_TIME, &t);
	close(fd);
	if (r != 0)
		return E_IO;
	return rtc_to_unix(&t, unix_s) ? OK : E_CORRUPT;
}

int rtc_write(const char *path, uint64_t unix_s)
{
	struct rtc_time t;
	int fd, r;

	if (!rtc_from_unix(unix_s, &t))
		return E_CORRUPT;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return E_IO;
	r = ioctl(fd, RTC_SET_TIME, &t);
	close(fd);
	return r == 0 ? OK : E_IO;
}
