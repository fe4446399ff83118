/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_BUG_H
#define BASE_BUG_H

/*
 * A condition that only our own mistake can make true. The program dies and
 * boss starts it again: dying is closed, going on is not. No input, however
 * bad, may reach one.
 */
#define BUG_ON(cond)                               \
	do {                                       \
		if (__builtin_expect(!!(cond), 0)) \
			__builtin_trap();          \
	} while (0)

#endif
