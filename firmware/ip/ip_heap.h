/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IP_IP_HEAP_H
#define IP_IP_HEAP_H

#include <stddef.h>

/*
 * ip_heap - memory for lwIP (config/lwipopts.h, MEM_CUSTOM_MALLOC).
 *
 * Super-frames come and go thousands of times a second, each in a block of up to
 * 64 KiB. The heap of either C library gives such blocks back to the kernel and gets
 * them anew, whose pages are cleared and mapped each time: more work than to copy the
 * frame. So a few of them are kept here.
 */
enum {
	IP_HEAP_LEAST = 8192,	   /* smaller ones go to the heap as they are */
	IP_HEAP_KEPT = 4096 * 1024 /* octets in all */
};

/* As malloc and free; what is of the C library may be given, too. What is kept is
 * handed out as it was left. */
void *ip_heap_take(size_t n);
void ip_heap_give(void *p);

/* Octets kept now. */
size_t ip_heap_kept(void);

#endif
