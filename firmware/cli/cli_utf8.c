/* SPDX-License-Identifier: BSD-2-Clause */
/* cli_utf8 - see cli_utf8.h. Ranges are those of Unicode that host names and
 * comments may bring; what is in none of them is one column wide. */
#include "cli/cli_utf8.h"

struct range {
	uint32_t from, to;
};

static const struct range unseen[] = {
	{ 0x00ad, 0x00ad },   { 0x061c, 0x061c }, { 0x180e, 0x180e },
	{ 0x200b, 0x200f },   { 0x2028, 0x202e }, { 0x2060, 0x206f },
	{ 0xfeff, 0xfeff },   { 0xfff0, 0xfffb }, { 0xfffe, 0xffff },
	{ 0xe0000, 0xe0fff },
};

static const struct range narrow[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd },
	{ 0x0610, 0x061a }, { 0x064b, 0x065f }, { 0x0900, 0x0902 },
	{ 0x093c, 0x093c }, { 0x0941, 0x0948 }, { 0x094d, 0x094d },
	{ 0x0e31, 0x0e31 }, { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e },
	{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff },
	{ 0x302a, 0x302d }, { 0x3099, 0x309a }, { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f },
};

static const struct range wide[] = {
	{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
	{ 0xa960, 0xa97c },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },   { 0xff01, 0xff60 },   { 0xffe0, 0xffe6 },
	{ 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
	{ 0x20000, 0x3fffd },
};

#define IN(c, list) within(c, list, sizeof(list) / sizeof((list)[0]))

static bool within(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].from && c <= r[i].to)
			return true;
	return false;
}

unsigned cli_utf8_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

unsigned cli_utf8_get(struct span s, uint32_t *c)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n = s.n > 0 ? cli_utf8_length(s.p[0]) : 0;

	if (n == 0 || n > s.n)
		return 0;
	*c = n == 1 ? s.p[0] : s.p[0] & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s.p[i] & 0x3f);
	}
	if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ||
	    *c < 0x20 || (*c >= 0x7f && *c < 0xa0))
		return 0;
	return n;
}

int cli_utf8_width(uint32_t c)
{
	if (c < 0xad)
		return 1;
	if (IN(c, unseen))
		return -1;
	if (IN(c, narrow))
		return 0;
	return IN(c, wide) ? 2 : 1;
}
