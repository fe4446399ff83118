/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_WATCHDOG_H
#define DRIVERS_WATCHDOG_H

#include "base/err.h"
#include "base/span.h"

/*
 * watchdog - the timer that restarts the box unless it is patted. Once it has
 * begun, nobody can stop it (CONFIG_WATCHDOG_NOWAYOUT), not by ending either.
 */
enum { WATCHDOG_S = 20 };

/* Begin; *bitten: it was this timer that has restarted the box, if the hardware
 * can tell. E_IO: errno says why. */
MUST_CHECK int watchdog_open(const char *path, int *fd, bool *bitten);

void watchdog_pat(int fd);

#endif
