/* SPDX-License-Identifier: BSD-2-Clause */
/* watchdog - see watchdog.h. */
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "drivers/watchdog.h"

int watchdog_open(const char *path, int *fd, bool *bitten)
{
	int seconds = WATCHDOG_S, status = 0;

	*bitten = false;
	*fd = open(path, O_WRONLY | O_CLOEXEC);
	if (*fd < 0)
		return E_IO;
	/* some have one time only: then that is the time */
	(void)ioctl(*fd, WDIOC_SETTIMEOUT, &seconds);
	if (ioctl(*fd, WDIOC_GETBOOTSTATUS, &status) == 0)
		*bitten = (status & WDIOF_CARDRESET) != 0;
	watchdog_pat(*fd);
	return OK;
}

void watchdog_pat(int fd)
{
	(void)ioctl(fd, WDIOC_KEEPALIVE, NULL);
}
