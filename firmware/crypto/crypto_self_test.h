/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CRYPTO_CRYPTO_SELF_TEST_H
#define CRYPTO_CRYPTO_SELF_TEST_H

#include "base/err.h"

/*
 * Known answers of what crypto_driver computes, asked for as TLS asks: through
 * PSA. And wrong signatures, tags and points, which must be refused. After
 * psa_crypto_init. E_CORRUPT: *why names what is wrong; use none of it.
 */
MUST_CHECK int crypto_self_test(const char **why);

#endif
