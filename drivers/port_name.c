/* SPDX-License-Identifier: BSD-2-Clause */
/* port_name - see port_name.h. */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "drivers/port_name.h"

/* Does the way lead over this device, which is a whole step of it? */
static bool leads_over(const char *way, const char *device)
{
	size_t n = strlen(device);

	for (const char *at = way; (at = strstr(at, device)); at++)
		if (at > way && at[-1] == '/' && at[n] == '/')
			return true;
	return false;
}

int port_name(const char *folder, const char *device, char name[IFNAMSIZ])
{
	DIR *dir = opendir(folder);
	const struct dirent *e;
	unsigned found = 0;

	if (!dir)
		return E_IO;
	while ((e = readdir(dir))) {
		char way[PATH_MAX];
		size_t length = strlen(e->d_name);
		ssize_t n = readlinkat(dirfd(dir), e->d_name, way,
				       sizeof(way) - 1);

		if (n < 0 || length >= IFNAMSIZ)
			continue;
		way[n] = '\0';
		if (!leads_over(way, device))
			continue;
		memcpy(name, e->d_name, length + 1);
		found++;
	}
	closedir(dir);
	return found == 1 ? OK : E_IO;
}
