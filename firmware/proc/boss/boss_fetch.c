/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_fetch - a file by TFTP, over the management address: BusyBox's client, with
 * nothing but the memory that it writes the file to, and no more of that than a slot
 * has room for; or the one that it sends. What comes is worth nothing until flashd
 * has verified it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "drivers/flash.h"
#include "proc/boss/boss.h"

enum {
	FETCH_UID = 40, /* above those of the programs */
	FETCH_MS = 600000,
	FETCH_LINE = 512,
	FETCH_WORDS = 65536, /* what the client may say */
};

static void answer(struct boss *b, int error, int fd)
{
	struct child *console = boss_child_find(b, ROLE_CONSOLE, 0);
	struct ipc_msg m = { .type = IPC_FETCHED, .error = error };

	boss_child_give(b, console, m, fd);
}

static void refuse(struct boss *b, const char *why)
{
	int fd = memfd_create("why", MFD_CLOEXEC);

	if (fd < 0 || write(fd, why, strlen(why)) < 0)
		boss_log(b, SEV_WARNING, "event=no-memory");
	if (fd < 0)
		return;
	answer(b, E_CONF, fd);
	close(fd);
}

static pid_t start(const struct boss *b, const char *host, const char *file,
		   size_t room)
{
	char *argv[] = { (char[]){ "tftp" },
			 b->sends ? (char[]){ "-p" } : (char[]){ "-g" },
			 (char[]){ "-b" },
			 (char[]){ "1428" },
			 (char[]){ "-l" },
			 (char[]){ "-" },
			 (char[]){ "-r" },
			 (char *)(uintptr_t)file,
			 (char *)(uintptr_t)host,
			 NULL };
	const struct run r = { .path = b->conf.tftp,
			       .argv = argv,
			       .uid = FETCH_UID,
			       .fd = { b->sends ? b->fetch_fd : -1,
				       b->sends ? -1 : b->fetch_fd,
				       b->fetch_why_fd },
			       .fd_n = 3,
			       .file_max = room };

	return boss_run(b, &r);
}

/* An address and a name: nothing that a program could take for more. */
static bool fine(const char *host, const char *file)
{
	for (const char *c = host; *c; c++)
		if (!isxdigit((unsigned char)*c) && *c != '.' && *c != ':')
			return false;
	for (const char *c = file; *c; c++)
		if (!isgraph((unsigned char)*c))
			return false;
	return host[0] != '\0' && host[0] != '-' && file[0] != '\0' &&
	       file[0] != '-';
}

static void close_both(struct boss *b)
{
	if (b->fetch_fd >= 0)
		close(b->fetch_fd);
	if (b->fetch_why_fd >= 0)
		close(b->fetch_why_fd);
	b->fetch_fd = b->fetch_why_fd = -1;
}

/* Where the file is, or goes. False: the console has been told why not. */
static bool take(struct boss *b, int fd, char line[FETCH_LINE], char **file)
{
	ssize_t n = pread(fd, line, FETCH_LINE - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	*file = strchr(line, ' ');
	if (*file)
		*(*file)++ = '\0';
	if (!*file || !fine(line, *file))
		refuse(b, "an address and a file name are needed\n");
	else if (b->fetch_pid != 0)
		refuse(b, "another file is under way\n");
	else if (b->managed.address.port == 0)
		refuse(b, "there is no management address: \"management "
			  "address\" sets one\n");
	else
		return true;
	return false;
}

/* b->fetch_fd, -1 for want of memory, is what it writes at most room octets to, or
 * reads. */
static void begin(struct boss *b, const char *host, const char *file,
		  size_t room)
{
	pid_t pid = -1;

	b->fetch_why_fd = memfd_create("why", MFD_CLOEXEC);
	if (b->fetch_fd >= 0 && b->fetch_why_fd >= 0)
		pid = start(b, host, file, room);
	if (pid < 0) {
		close_both(b);
		refuse(b, "no memory\n");
		return;
	}
	b->fetch_pid = pid;
	b->fetch_end_ms = now_ms() + FETCH_MS;
	boss_log(b, SEV_NOTICE, "event=%s host=%s file=%s",
		 b->sends ? "send" : "fetch", host, file);
}

void boss_fetch(struct boss *b, int fd)
{
	char line[FETCH_LINE], *file;
	struct flash slot;

	if (!take(b, fd, line, &file))
		return;
	if (flash_init(&slot, b->part_fd[PART_SLOT_A]) != OK) {
		refuse(b, "this board has no slot for an image\n");
		return;
	}
	b->sends = false;
	b->fetch_fd = memfd_create("file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	begin(b, line, file, slot.size);
}

void boss_send(struct boss *b, int fd, int octets)
{
	char line[FETCH_LINE], *file;

	if (!take(b, fd, line, &file))
		return;
	b->sends = true;
	b->fetch_fd = fcntl(octets, F_DUPFD_CLOEXEC, 0);
	if (b->fetch_fd >= 0)
		(void)lseek(b->fetch_fd, 0, SEEK_SET);
	begin(b, line, file, FETCH_WORDS);
}

bool boss_fetch_ended(struct boss *b, pid_t pid, int status)
{
	if (b->fetch_pid == 0 || pid != b->fetch_pid)
		return false;
	b->fetch_pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		answer(b, OK, b->sends ? b->fetch_why_fd : b->fetch_fd);
	} else if (WIFSIGNALED(status)) {
		refuse(b, WTERMSIG(status) == SIGXFSZ && !b->sends
				  ? "the file is larger than an image can be\n"
				  : "it took too long\n");
	} else {
		answer(b, E_IO, b->fetch_why_fd);
	}
	close_both(b);
	return true;
}

void boss_fetch_tick(struct boss *b, uint64_t now)
{
	if (b->fetch_pid != 0 && now >= b->fetch_end_ms)
		kill(b->fetch_pid, SIGKILL);
}
