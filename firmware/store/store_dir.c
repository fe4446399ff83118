/* SPDX-License-Identifier: BSD-2-Clause */
/* store_dir - see store_dir.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store/store_dir.h"
#include "store/store_file.h"

void store_dir_init(struct store_dir *d, int dirfd)
{
	*d = (struct store_dir){ .dirfd = dirfd, .fd = -1 };
}

/* Keep errno for why(); what it means to the store. */
static int fail(struct store_dir *d)
{
	d->error = errno;
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? E_FULL
								    : E_IO;
}

/* The same for what needs memory or descriptors, not room on the medium. */
static int fail_open(struct store_dir *d)
{
	d->error = errno;
	return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? E_FULL
								     : E_IO;
}

static const char *dir_why(void *dev)
{
	const struct store_dir *d = dev;

	return strerror(d->error);
}

/* Put number into the list, which stays sorted; the lowest falls off. */
static void keep(uint32_t *list, size_t *n, uint32_t number)
{
	size_t i = *n < STORE_LIST_MAX ? (*n)++ : STORE_LIST_MAX;

	if (i == STORE_LIST_MAX && number < list[--i])
		return;
	for (; i > 0 && list[i - 1] < number; i--)
		list[i] = list[i - 1];
	list[i] = number;
}

static int dir_list(void *dev, enum store_kind k, uint32_t *number, size_t *n)
{
	struct store_dir *d = dev;
	int fd = openat(d->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *e;
	uint32_t one;
	DIR *dir;

	*n = 0;
	if (fd < 0)
		return fail_open(d);
	dir = fdopendir(fd);
	if (!dir) {
		int r = fail_open(d);

		close(fd);
		return r;
	}
	/* A file system that does not tell types has them told at open. */
	while (errno = 0, (e = readdir(dir)) != NULL)
		if ((e->d_type == DT_REG || e->d_type == DT_UNKNOWN) &&
		    store_file_is(k, e->d_name, &one))
			keep(number, n, one);
	d->error = errno;
	closedir(dir);
	return d->error == 0 ? OK : E_IO;
}

static int dir_create(void *dev, enum store_kind k, uint32_t number)
{
	struct store_dir *d = dev;
	char name[STORE_FILE_NAME];

	store_file_name(name, k, number);
	d->fd = openat(d->dirfd, name,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (d->fd >= 0)
		return OK;
	if (errno == EEXIST) {
		d->error = errno;
		return E_AGAIN;
	}
	return fail(d);
}

static int dir_open(void *dev, enum store_kind k, uint32_t number,
		    uint64_t *size)
{
	struct store_dir *d = dev;
	char name[STORE_FILE_NAME];
	struct stat st;

	store_file_name(name, k, number);
	/* O_NONBLOCK: a pipe of this name must not stop us. */
	d->fd = openat(d->dirfd, name,
		       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (d->fd < 0 && errno == ELOOP) {
		d->error = errno;
		return E_CORRUPT;
	}
	if (d->fd < 0)
		return fail_open(d);
	if (fstat(d->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0) {
		close(d->fd);
		d->fd = -1;
		d->error = EINVAL;
		return E_CORRUPT;
	}
	*size = (uint64_t)st.st_size;
	/* What was written is read from the medium, not from memory. */
	(void)posix_fadvise(d->fd, 0, 0, POSIX_FADV_DONTNEED);
	return OK;
}

static int dir_write(void *dev, struct span s)
{
	struct store_dir *d = dev;

	while (s.n > 0) {
		ssize_t r = write(d->fd, s.p, s.n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = EIO;
		if (r <= 0)
			return fail(d);
		s = span_skip(s, (size_t)r);
	}
	return OK;
}

static int dir_read(void *dev, uint8_t *p, size_t size, size_t *n)
{
	struct store_dir *d = dev;

	*n = 0;
	while (*n < size) {
		ssize_t r = read(d->fd, p + *n, size - *n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fail(d);
		if (r == 0)
			return OK;
		*n += (size_t)r;
	}
	return OK;
}

static int dir_sync(void *dev)
{
	struct store_dir *d = dev;

	return fsync(d->fd) == 0 ? OK : fail(d);
}

static void dir_close(void *dev)
{
	struct store_dir *d = dev;

	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static int dir_unlink(void *dev, enum store_kind k, uint32_t number)
{
	struct store_dir *d = dev;
	char name[STORE_FILE_NAME];

	store_file_name(name, k, number);
	if (unlinkat(d->dirfd, name, 0) == 0 || errno == ENOENT)
		return OK;
	return fail(d);
}

static int dir_dirsync(void *dev)
{
	struct store_dir *d = dev;

	return fsync(d->dirfd) == 0 ? OK : fail(d);
}

const struct store_ops store_dir_ops = {
	.list = dir_list,
	.create = dir_create,
	.open = dir_open,
	.write = dir_write,
	.read = dir_read,
	.sync = dir_sync,
	.close = dir_close,
	.unlink = dir_unlink,
	.dirsync = dir_dirsync,
	.why = dir_why,
};
