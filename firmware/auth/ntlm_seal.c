/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ntlm_seal - see ntlm_seal.h. An incoming block is gathered, opened in place and
 * offered from there; an outgoing one is made when the one before has left.
 *
 *	with extended session security
 *		1, HMAC_MD5(sign key, seq, data)[0..7] (RC4 if keys were
 *		exchanged), seq
 *	without
 *		1, RC4(0), RC4(CRC-32), RC4(seq): as all implementations have
 *		it; some leave the second word zero, so it is not looked at
 *	both
 *		the data is sealed first, then the signature, by one key stream
 */
#include "auth/digest.h"
#include "auth/ntlm_crypto.h"
#include "auth/ntlm_msg.h"
#include "auth/ntlm_seal.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/wipe.h"

/* One direction, or both. */
struct stream {
	struct rc4 rc4;
	uint8_t sign_key[16];
	uint32_t seq;
};

struct ntlm_seal {
	bool ess, key_exch;
	struct seal_framing framing;
	int error;
	struct stream to_peer, from_peer; /* without ESS: to_peer is both */
	/* the incoming block: gathered, then its clear text */
	size_t have, clear_at, clear_n;
	/* the outgoing one */
	size_t out_at, out_n;
	uint8_t out[SEAL_HEAD + SEAL_OUT_MAX];
	uint8_t in[SEAL_HEAD + SEAL_IN_MAX];
};

size_t ntlm_seal_size(void)
{
	return sizeof(struct ntlm_seal);
}

bool ntlm_seal_half_duplex(const struct sasl_outcome *o)
{
	return (o->ntlm_flags & NTLM_ESS) == 0;
}

static int stream_init(struct stream *st, const struct sasl_outcome *o,
		       enum ntlm_way way)
{
	uint8_t key[16];
	size_t n;
	int r = ntlm_seal_key(o->ntlm_flags, o->key, way, key, &n);

	if (r == OK) {
		rc4_init(&st->rc4, (struct span){ key, n });
		r = ntlm_sign_key(o->key, way, st->sign_key);
	}
	wipe(key, sizeof(key));
	return r;
}

struct ntlm_seal *ntlm_seal_init(void *mem, const struct sasl_outcome *o,
				 enum side we, struct seal_framing framing)
{
	struct ntlm_seal *s = mem;
	enum ntlm_way out = we == CLIENT ? NTLM_TO_SERVER : NTLM_TO_CLIENT;
	enum ntlm_way in = we == CLIENT ? NTLM_TO_CLIENT : NTLM_TO_SERVER;

	/* The buffers behind are not touched before they are used. */
	memset(s, 0, offsetof(struct ntlm_seal, out));
	s->ess = (o->ntlm_flags & NTLM_ESS) != 0;
	s->key_exch = (o->ntlm_flags & NTLM_KEY_EXCH) != 0;
	s->framing = framing;
	if (stream_init(&s->to_peer, o, out) == OK &&
	    stream_init(&s->from_peer, o, in) == OK)
		return s;
	ntlm_seal_wipe(s);
	return NULL;
}

static struct stream *incoming(struct ntlm_seal *s)
{
	return s->ess ? &s->from_peer : &s->to_peer;
}

/* The signature of clear data that has just gone through the key stream. */
static int sign(const struct ntlm_seal *s, struct stream *st, struct span data,
		uint8_t sig[SEAL_SIGNATURE])
{
	uint8_t seq[4], mac[16];
	const struct span part[] = { { seq, 4 }, data };
	int r = OK;

	put_le32(seq, st->seq++);
	put_le32(sig, 1);
	if (s->ess) {
		r = digest_hmac(DIGEST_MD5, (struct span){ st->sign_key, 16 },
				part, 2, mac);
		memcpy(sig + 4, mac, 8);
		memcpy(sig + 12, seq, 4);
		if (s->key_exch)
			rc4_crypt(&st->rc4, sig + 4, 8);
		return r;
	}
	put_le32(sig + 4, 0);
	put_le32(sig + 8, crc32(0, data));
	memcpy(sig + 12, seq, 4);
	rc4_crypt(&st->rc4, sig + 4, 12);
	return OK;
}

/* --- from the peer --------------------------------------------------------------- */

/* The length of the block that is gathered, 0 as long as it is not known. */
static size_t block_size(const struct ntlm_seal *s)
{
	if (s->have < SEAL_LENGTH)
		return 0;
	return SEAL_LENGTH + (size_t)(s->framing.little_endian
					      ? get_le32(s->in)
					      : get_be32(s->in));
}

/* All of it is there. */
static void open_block(struct ntlm_seal *s, size_t size)
{
	struct stream *st = incoming(s);
	size_t n = size - SEAL_HEAD, from;
	uint8_t *data = s->in + SEAL_HEAD, *theirs = s->in + SEAL_LENGTH;
	uint8_t ours[SEAL_SIGNATURE];

	if (s->framing.signature_last) {
		data = s->in + SEAL_LENGTH;
		theirs = data + n;
	}
	rc4_crypt(&st->rc4, data, n);
	s->error = sign(s, st, (struct span){ data, n }, ours);
	/* The second word is nobody's: see above. */
	from = s->ess ? 4 : 8;
	if (s->error == OK &&
	    (!digest_equal(ours, theirs, 4) ||
	     !digest_equal(ours + from, theirs + from, SEAL_SIGNATURE - from)))
		s->error = E_PEER_PROOF;
	s->have = 0;
	if (s->error != OK) {
		wipe(s->in, size);
		return;
	}
	s->clear_at = (size_t)(data - s->in);
	s->clear_n = n;
}

static size_t feed_net(struct ntlm_seal *s, struct span in)
{
	size_t size = block_size(s), want = size ? size : SEAL_LENGTH, n;

	/* What was opened lies where the next one would. */
	if (s->clear_n > 0)
		return 0;
	n = want - s->have < in.n ? want - s->have : in.n;
	memcpy(s->in + s->have, in.p, n);
	s->have += n;
	size = block_size(s);
	if (size == 0)
		return n;
	if (size < SEAL_HEAD)
		s->error = E_PEER_SYNTAX;
	else if (size > sizeof(s->in))
		s->error = E_PEER_LONG;
	else if (s->have == size)
		open_block(s, size);
	return n;
}

/* --- to the peer ------------------------------------------------------------------ */
static size_t feed_app(struct ntlm_seal *s, struct span in)
{
	uint8_t *data = s->out + SEAL_HEAD, *sig = s->out + SEAL_LENGTH;
	size_t n = in.n < SEAL_OUT_MAX ? in.n : SEAL_OUT_MAX;
	uint32_t length = (uint32_t)(SEAL_SIGNATURE + n);

	if (s->out_n > 0)
		return 0;
	if (s->framing.signature_last) {
		data = s->out + SEAL_LENGTH;
		sig = data + n;
	}
	memcpy(data, in.p, n);
	rc4_crypt(&s->to_peer.rc4, data, n);
	s->error = sign(s, &s->to_peer, (struct span){ in.p, n }, sig);
	if (s->error != OK)
		return 0;
	if (s->framing.little_endian)
		put_le32(s->out, length);
	else
		put_be32(s->out, length);
	s->out_at = 0;
	s->out_n = SEAL_HEAD + n;
	return n;
}

/* --- doors ------------------------------------------------------------------------ */
size_t ntlm_seal_feed(struct ntlm_seal *s, enum seal_door d, struct span in)
{
	size_t done = 0, n;

	do {
		struct span rest = span_skip(in, done);

		if (s->error != OK || rest.n == 0)
			break;
		n = d == SEAL_NET ? feed_net(s, rest) : feed_app(s, rest);
		done += n;
	} while (n > 0);
	return done;
}

struct span ntlm_seal_out(const struct ntlm_seal *s, enum seal_door d)
{
	if (d == SEAL_NET)
		return (struct span){ s->out + s->out_at, s->out_n };
	return (struct span){ s->in + s->clear_at, s->clear_n };
}

void ntlm_seal_sent(struct ntlm_seal *s, enum seal_door d, size_t n)
{
	if (d == SEAL_NET) {
		s->out_at += n;
		s->out_n -= n;
		return;
	}
	s->clear_at += n;
	s->clear_n -= n;
}

int ntlm_seal_error(const struct ntlm_seal *s)
{
	return s->error;
}

void ntlm_seal_wipe(struct ntlm_seal *s)
{
	wipe(s, offsetof(struct ntlm_seal, out));
}
