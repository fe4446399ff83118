/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CRYPTO_CRYPTO_MEMORY_H
#define CRYPTO_CRYPTO_MEMORY_H

#include <stdbool.h>

/*
 * Has mbedTLS got less memory than it asked for, since this was asked last? What
 * it then says is worth nothing: a signature that could not be verified for want
 * of memory looks like one that is wrong.
 */
bool crypto_memory_failed(void);

#endif
