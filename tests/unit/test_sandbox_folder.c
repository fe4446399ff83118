/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in one folder and nowhere else, in a child that gives up the rest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proc/sandbox.c"

static char base[] = "/tmp/sandbox-XXXXXX";
static int in, out; /* the folder, and one beside it */

static bool makes(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool reads(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* 0: all is as it should be; else the number of the line that is not. */
#define WANT(x)                                    \
	do {                                       \
		if (!(x))                          \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

static void child(void)
{
	WANT(makes(out, "before") && makes(in, "here"));
	WANT(sandbox_folder(in) == OK);
	WANT(makes(in, "new") && reads(in, "new") && reads(in, "here"));
	WANT(unlinkat(in, "new", 0) == 0);
	WANT(reads(in, "."));
	WANT(!makes(out, "new") && errno == EACCES);
	WANT(!reads(out, "before") && errno == EACCES);
	WANT(!reads(in, "../out/before") && errno == EACCES);
	WANT(unlinkat(out, "before", 0) != 0 && errno == EACCES);
	WANT(!reads(AT_FDCWD, "/etc/passwd") && errno == EACCES);
	WANT(!reads(AT_FDCWD, "/proc/self/maps") && errno == EACCES);
	WANT(mkdirat(in, "folder", 0700) != 0 && errno == EACCES);
	WANT(symlinkat("/etc/passwd", in, "link") != 0 && errno == EACCES);
	WANT(renameat(in, "here", out, "there") != 0);
	_exit(0);
}

static void one_folder_and_no_other(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(reads(out, "before"));
}

static int setup(void **state)
{
	int top;

	(void)state;
	if (!mkdtemp(base))
		return -1;
	top = open(base, O_RDONLY | O_DIRECTORY);
	mkdirat(top, "in", 0700);
	mkdirat(top, "out", 0700);
	in = openat(top, "in", O_RDONLY | O_DIRECTORY);
	out = openat(top, "out", O_RDONLY | O_DIRECTORY);
	close(top);
	return in >= 0 && out >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	unlinkat(in, "here", 0);
	unlinkat(out, "before", 0);
	close(in);
	close(out);
	snprintf(path, sizeof(path), "%s/in", base);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/out", base);
	rmdir(path);
	return rmdir(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_folder_and_no_other),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
