/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IPC_IPC_SIGN_H
#define IPC_IPC_SIGN_H

#include "base/err.h"
#include "base/sign.h"

/*
 * ipc_sign - the octets of IPC_SIGN: u8 scheme, 32 of pin, then the hash. Those of
 * IPC_SIGNED are the signature.
 */
enum { IPC_SIGN_MAX = 1 + SIGN_PIN + SIGN_HASH_MAX };

/* How many octets it has at out. */
size_t ipc_sign_put(uint8_t out[IPC_SIGN_MAX], const struct sign_ask *q);

/* E_PEER_SYNTAX: it is none. */
MUST_CHECK int ipc_sign_get(struct sign_ask *q, struct span in);

#endif
