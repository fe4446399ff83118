/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_flash - the partitions that flashd writes, the key that images are signed
 * with, which slot runs, and what the kernel said last before it fell.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "drivers/flash.h"
#include "proc/boss/boss.h"

#define PSTORE "/sys/fs/pstore"
/* What U-Boot says; the kernel's own command line is part of what is signed. */
#define BOOTARGS "/sys/firmware/devicetree/base/chosen/bootargs"

static enum slot slot_that_runs(void)
{
	char args[256] = "";
	int fd = open(BOOTARGS, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, args, sizeof(args) - 1) < 0)
		args[0] = '\0';
	if (fd >= 0)
		close(fd);
	return strstr(args, "sealwire.slot=b") ? SLOT_B : SLOT_A;
}

/* --- last words --------------------------------------------------------------- */
static bool append(int to, const char *name)
{
	char path[300], part[4096];
	bool fault = false;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), PSTORE "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while ((n = read(fd, part, sizeof(part) - 1)) > 0) {
		part[n] = '\0';
		fault = fault || strstr(part, BOSS_FAULT);
		if (write(to, part, (size_t)n) != n)
			break;
	}
	close(fd);
	unlink(path);
	return fault;
}

/* A record of a fall always counts; what stood on the console only if it says
 * why, or if the watchdog had to end it. */
static int last_words(bool bitten)
{
	static const char bite[] = "The watchdog has restarted the box.\n";
	DIR *dir = opendir(PSTORE);
	bool counts = bitten;
	const struct dirent *e;
	int fd;

	if (!dir && !bitten)
		return -1;
	fd = memfd_create("last", MFD_CLOEXEC);
	if (fd >= 0 && bitten && write(fd, bite, sizeof(bite) - 1) < 0)
		counts = false;
	while (fd >= 0 && dir && (e = readdir(dir)))
		if (e->d_name[0] != '.') {
			bool fault = append(fd, e->d_name);

			counts = counts || fault ||
				 strncmp(e->d_name, "dmesg", 5) == 0;
		}
	if (dir)
		closedir(dir);
	if (fd >= 0 && !counts) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int boss_flash_open(struct boss *b, bool bitten)
{
	b->key_fd = b->last_fd = -1;
	for (enum part p = PART_ENV_A; p < PARTS; p++)
		b->part_fd[p] = -1;
	if (!b->conf.flash)
		return OK;
	for (enum part p = PART_ENV_A; p < PARTS; p++)
		if (flash_open(part_name(p), &b->part_fd[p]) != OK) {
			fprintf(stderr, "boss: flash partition %s: %s\n",
				part_name(p), strerror(errno));
			return E_IO;
		}
	b->key_fd = open(b->conf.key_file, O_RDONLY | O_CLOEXEC);
	if (b->key_fd < 0) {
		fprintf(stderr, "boss: %s: %s\n", b->conf.key_file,
			strerror(errno));
		return E_IO;
	}
	b->runs = slot_that_runs();
	b->last_fd = last_words(bitten);
	if (b->last_fd >= 0)
		boss_log(b, SEV_ALARM,
			 "event=restarted-by-itself see=\"show crash\"");
	return OK;
}

void boss_flash_give(struct boss *b, struct child *c)
{
	struct ipc_msg file = { .type = IPC_FLASH_FILE, .role = ROLE_FLASHD };
	struct ipc_msg runs = { .type = IPC_SLOT_RUNS, .number = b->runs };

	for (file.index = 0; file.index < PARTS; file.index++)
		boss_child_give(b, c, file, b->part_fd[file.index]);
	file.index = FLASH_FILE_KEY;
	boss_child_give(b, c, file, b->key_fd);
	boss_child_say(b, c, &runs);
	if (b->last_fd < 0)
		return;
	/* once: a second flashd must not record it again */
	file.index = FLASH_FILE_LAST;
	boss_child_give(b, c, file, b->last_fd);
	close(b->last_fd);
	b->last_fd = -1;
}
