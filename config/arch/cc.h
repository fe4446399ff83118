/* SPDX-License-Identifier: BSD-2-Clause */
/* What lwIP asks of the machine it runs on. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_NO_CTYPE_H	     0

#define LWIP_PLATFORM_DIAG(x) \
	do {                  \
	} while (0)

/* A crash is fail-closed: the kernel goes on holding mail, boss restarts us. */
#define LWIP_PLATFORM_ASSERT(x)                                       \
	do {                                                          \
		fprintf(stderr, "lwip: %s at %s:%d\n", (x), __FILE__, \
			__LINE__);                                    \
		abort();                                              \
	} while (0)

#endif
