/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc_sign - see ipc_sign.h. */
#include "ipc/ipc_sign.h"

enum { HASH = 1 + SIGN_PIN };

size_t ipc_sign_put(uint8_t out[IPC_SIGN_MAX], const struct sign_ask *q)
{
	out[0] = (uint8_t)q->scheme;
	memcpy(out + 1, q->pin, SIGN_PIN);
	memcpy(out + HASH, q->hash, q->hash_n);
	return HASH + (size_t)q->hash_n;
}

int ipc_sign_get(struct sign_ask *q, struct span in)
{
	if (in.n < HASH || !sign_hash_can_be(in.n - HASH) ||
	    in.p[0] >= SIGN_SCHEMES)
		return E_PEER_SYNTAX;
	*q = (struct sign_ask){ .scheme = (enum sign_scheme)in.p[0],
				.hash_n = (uint8_t)(in.n - HASH) };
	memcpy(q->pin, in.p + 1, SIGN_PIN);
	memcpy(q->hash, in.p + HASH, q->hash_n);
	return OK;
}
