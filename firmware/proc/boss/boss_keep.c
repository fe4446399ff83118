/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_keep - what outlives a start: the folder of the store and the secret of
 * the device; and the terminals. confd and console get descriptors of them and
 * never a path.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <termios.h>
#include <unistd.h>
#include "proc/boss/boss.h"

enum { SECRET = 32 };

static int fail(const char *path)
{
	fprintf(stderr, "boss: %s: %s\n", path, strerror(errno));
	return E_IO;
}

/* --- store ------------------------------------------------------------------ */
/* Written under another name first: half a secret must never be one. The
 * name is free: boss is alone, and what a cut left behind is replaced. */
static int make_secret(const char *path)
{
	char fresh[sizeof(((struct boss_conf *)0)->secret_file) + 8];
	uint8_t secret[SECRET];
	int fd, r = OK;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return fail(fresh);
	if (getrandom(secret, SECRET, 0) != SECRET ||
	    write(fd, secret, SECRET) != SECRET || fsync(fd) != 0)
		r = fail(fresh);
	explicit_bzero(secret, SECRET);
	close(fd);
	if (r == OK && link(fresh, path) != 0)
		r = fail(path);
	unlink(fresh);
	return r;
}

static int open_secret(struct boss *b)
{
	const char *path = b->conf.secret_file;
	struct stat st;

	if (access(path, F_OK) != 0 && make_secret(path) != OK)
		return E_IO;
	b->secret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (b->secret_fd < 0 || fstat(b->secret_fd, &st) != 0)
		return fail(path);
	if (st.st_size == SECRET)
		return OK;
	fprintf(stderr, "boss: %s: not a device secret of 32 octets\n", path);
	return E_CORRUPT;
}

/* On a board with flash the store is there, or it is lost at the next start: then
 * there must be none that looks like that of a new box, whose configuration
 * protects nobody. A secret that is none keeps confd from opening it. */
static int no_flash(struct boss *b)
{
	boss_log(b, SEV_ALARM, "event=no-store why=\"%s is not in flash\"",
		 b->conf.store_dir);
	b->store_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->secret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return b->store_fd < 0 || b->secret_fd < 0 ? fail("/dev/null") : OK;
}

static int open_store(struct boss *b)
{
	const char *path = b->conf.store_dir;
	uint32_t confd = b->conf.uid_base + ROLE_CONFD;
	struct statfs fs;

	if (b->conf.flash) {
		char parent[sizeof(b->conf.store_dir)];

		memcpy(parent, path, sizeof(parent));
		if (statfs(dirname(parent), &fs) != 0 ||
		    fs.f_type != JFFS2_SUPER_MAGIC)
			return no_flash(b);
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fail(path);
	b->store_fd = open(path,
			   O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (b->store_fd < 0 || fchown(b->store_fd, confd, confd) != 0 ||
	    fchmod(b->store_fd, 0700) != 0)
		return fail(path);
	return open_secret(b);
}

/* --- terminals ---------------------------------------------------------------- */
/* 8N1, nothing done to the octets: the line editor is the console's. */
static int raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) != 0)
		return E_IO;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&t, B115200);
	return tcsetattr(fd, TCSANOW, &t) == 0 ? OK : E_IO;
}

/* A pseudo terminal; run-dir/ttyN is the end for a person. Ours of that end
 * stays open, so that the line does not hang up between two people. */
static int open_pty(struct boss *b, uint32_t i)
{
	char link_[sizeof(b->conf.run_dir) + 16], name[64];
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 ||
	    ptsname_r(fd, name, sizeof(name)) != 0)
		return fail("pty");
	b->tty_far[i] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (b->tty_far[i] < 0 || raw(b->tty_far[i]) != OK)
		return fail(name);
	snprintf(link_, sizeof(link_), "%s/tty%u", b->conf.run_dir, i);
	unlink(link_);
	if (symlink(name, link_) != 0)
		return fail(link_);
	b->tty_fd[i] = fd;
	return OK;
}

static int open_tty(struct boss *b, uint32_t i)
{
	const char *name = b->conf.tty[i];

	if (strcmp(name, "pty") == 0)
		return open_pty(b, i);
	b->tty_fd[i] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (b->tty_fd[i] < 0 || raw(b->tty_fd[i]) != OK)
		return fail(name);
	return OK;
}

/* "MemAvailable:   41236 kB" */
static uint64_t memory_free(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[80];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) &&
	       sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
		;
	fclose(f);
	return kib * 1024;
}

void boss_keep_watch(struct boss *b)
{
	struct statvfs v;

	b->stats->memory_free = memory_free();
	if (b->store_fd < 0 || fstatvfs(b->store_fd, &v) != 0)
		return;
	b->stats->flash_size = (uint64_t)v.f_blocks * v.f_frsize;
	b->stats->flash_free = (uint64_t)v.f_bavail * v.f_frsize;
}

int boss_keep_open(struct boss *b)
{
	int r = OK;

	b->store_fd = b->secret_fd = -1;
	for (uint32_t i = 0; i < BOSS_TTYS; i++)
		b->tty_fd[i] = b->tty_far[i] = -1;
	if (b->conf.store_dir[0] != '\0')
		r = open_store(b);
	for (uint32_t i = 0; r == OK && i < b->conf.ttys; i++)
		r = open_tty(b, i);
	return r;
}
