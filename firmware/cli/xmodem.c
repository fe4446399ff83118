/* SPDX-License-Identifier: BSD-2-Clause */
/* xmodem - what both directions have in common; see xmodem.h. */
#include "cli/xmodem.h"

const char *xmodem_why(enum xmodem_end e)
{
	switch (e) {
	case XMODEM_GOES_ON: return "it goes on";
	case XMODEM_DONE: return "all of it has passed";
	case XMODEM_NOBODY: return "the other end did not begin";
	case XMODEM_SILENT: return "the other end fell silent";
	case XMODEM_DAMAGED: return "too many damaged blocks";
	case XMODEM_ORDER: return "a block is missing";
	case XMODEM_STOPPED: return "stopped";
	case XMODEM_GAVE_UP: return "it is too long";
	}
	return "?";
}

uint16_t xmodem_crc(struct span s)
{
	unsigned crc = 0;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned)s.p[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
		crc &= 0xffff;
	}
	return (uint16_t)crc;
}
