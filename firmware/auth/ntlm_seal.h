/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_NTLM_SEAL_H
#define AUTH_NTLM_SEAL_H

#include "auth/sasl.h"
#include "base/addr.h"

/*
 * ntlm_seal - the security layer of NTLM (MS-NLMP 3.4) as an engine: octets in,
 * octets out, no socket.
 *
 *        NET door (blocks)              APP door (clear text)
 *   feed ---------------->  engine  ----------------> out/sent
 *   out/sent <------------          <---------------- feed
 *
 * A block is what RFC 4422 3.7 says: a length of four octets, then (as Active
 * Directory has it) a signature of 16 octets and the sealed data. Incoming
 * blocks may come in any pieces, or many at once; nothing of one is handed out
 * before all of it was there and its signature right. Sequence numbers are
 * counted, not read: a block that is dropped, repeated or moved is as wrong as
 * one that was changed. Errors are sticky; the end of the connection is an end
 * of nothing, since anybody can make one.
 *
 * Two ways of keying:
 *   extended session security: a key stream for each direction
 *   without (NT 4): one key stream for both, so the two ends must take turns.
 *   The caller must not let out what was fed to APP before the other end has
 *   answered what went before (no pipelining).
 *
 * RC4, whatever the bits: what it is worth is in config/README.md.
 */
enum seal_door { SEAL_NET, SEAL_APP };

enum {
	SEAL_LENGTH = 4,
	SEAL_SIGNATURE = 16,
	SEAL_HEAD = SEAL_LENGTH + SEAL_SIGNATURE,
	SEAL_IN_MAX = 65536, /* clear octets in a block that we take */
	SEAL_OUT_MAX = 4096, /* and that we make */
};

struct ntlm_seal;
size_t ntlm_seal_size(void);

/*
 * mem: ntlm_seal_size() octets, aligned for any type. o: of the log-on, with its
 * key; may be wiped afterwards. we: CLIENT or SERVER. NULL: no memory for the
 * digests.
 */
struct ntlm_seal *ntlm_seal_init(void *mem, const struct sasl_outcome *o,
				 enum side we, struct seal_framing framing);

/* Take bytes at a door; returns how many were taken. Fewer than given is
 * back-pressure: give the rest again after something was sent. */
size_t ntlm_seal_feed(struct ntlm_seal *s, enum seal_door d, struct span in);
/* What waits at a door; valid until the next call on s. */
struct span ntlm_seal_out(const struct ntlm_seal *s, enum seal_door d);
void ntlm_seal_sent(struct ntlm_seal *s, enum seal_door d, size_t n);

/* OK; E_PEER_LONG, E_PEER_SYNTAX: a length that no block can have; E_PEER_PROOF:
 * a block that is not the next one of the other end; E_FULL: no memory. */
int ntlm_seal_error(const struct ntlm_seal *s);

/* One key stream for both ways: take turns. */
bool ntlm_seal_half_duplex(const struct sasl_outcome *o);

void ntlm_seal_wipe(struct ntlm_seal *s);

#endif
