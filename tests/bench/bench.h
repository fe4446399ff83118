/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/*
 * What sink has done, in a file that gen and tools/bench map: gen believes
 * nothing but this. Octets are those of bodies: from behind the empty line
 * after the header to the line with the dot, so a relay that adds header lines
 * stores the same number.
 */
struct bench_stat {
	uint64_t ready; /* sink listens */
	uint64_t messages, octets;
	uint64_t sessions, handshakes, errors;
};

static inline struct bench_stat *bench_map(const char *file, int create)
{
	int fd = open(file, create ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY,
		      0644);
	void *p = MAP_FAILED;

	if (fd >= 0 &&
	    (!create || ftruncate(fd, sizeof(struct bench_stat)) == 0))
		p = mmap(NULL, sizeof(struct bench_stat),
			 create ? PROT_READ | PROT_WRITE : PROT_READ,
			 MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		perror(file);
		exit(2);
	}
	close(fd);
	return p;
}

/* As many descriptors as may be. */
static inline void bench_files(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static inline uint64_t bench_read(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void bench_add(uint64_t *p, uint64_t n)
{
	__atomic_fetch_add(p, n, __ATOMIC_RELEASE);
}

static inline uint64_t bench_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif
