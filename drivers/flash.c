/* SPDX-License-Identifier: BSD-2-Clause */
/* flash - see flash.h. */
#include <errno.h>
#include <fcntl.h>
#include <mtd/mtd-user.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "drivers/flash.h"

/* /proc/mtd:  mtd3: 00040000 00040000 "env-a" */
static int number_of(const char *label)
{
	char line[160], name[64];
	FILE *f = fopen("/proc/mtd", "re");
	int n, found = -1;

	if (!f)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "mtd%d: %*x %*x \"%63[^\"]\"", &n, name) ==
			    2 &&
		    strcmp(name, label) == 0)
			found = n;
	fclose(f);
	errno = ENOENT;
	return found;
}

int flash_open(const char *label, int *fd)
{
	int n = number_of(label);
	char path[32];

	if (n < 0)
		return E_IO;
	snprintf(path, sizeof(path), "/dev/mtd%d", n);
	*fd = open(path, O_RDWR | O_CLOEXEC);
	return *fd < 0 ? E_IO : OK;
}

int flash_init(struct flash *f, int fd)
{
	struct mtd_info_user m;

	if (ioctl(fd, MEMGETINFO, &m) != 0)
		return E_IO;
	if (m.type != MTD_NORFLASH || m.erasesize == 0 || m.writesize != 1)
		return E_CORRUPT;
	*f = (struct flash){ fd, m.size, m.erasesize };
	return OK;
}

int flash_read(const struct flash *f, size_t at, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t r = pread(f->fd, to, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			errno = r == 0 ? EIO : errno;
			return E_IO;
		}
		to += r;
		at += (size_t)r;
		n -= (size_t)r;
	}
	return OK;
}

int flash_erase(const struct flash *f, size_t at)
{
	struct erase_info_user e = { (uint32_t)at, (uint32_t)f->block };

	return ioctl(f->fd, MEMERASE, &e) == 0 ? OK : E_IO;
}

int flash_write(const struct flash *f, size_t at, struct span s)
{
	while (s.n > 0) {
		ssize_t r = pwrite(f->fd, s.p, s.n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			errno = r == 0 ? EIO : errno;
			return E_IO;
		}
		at += (size_t)r;
		s = span_skip(s, (size_t)r);
	}
	return OK;
}
