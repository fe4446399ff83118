/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_CLI_SECRET_H
#define CLI_CLI_SECRET_H

#include "base/span.h"

/*
 * cli_secret - where in a line a password could stand: behind the first word that
 * begins as "password" does, more or less, wherever that is and whatever else is
 * wrong with the line. "password sealed ..." is none. Pure.
 *
 * Returns its first octet; line.n: there is none.
 */
size_t cli_secret_at(struct span line);

#endif
