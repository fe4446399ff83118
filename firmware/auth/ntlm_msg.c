/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ntlm_msg - see ntlm_msg.h. A field is u16 length, u16 room, u32 offset from
 * the first octet of the message; what lies at the offsets may overlap and may
 * leave holes, but not point out of the message.
 */
#include "auth/ntlm_msg.h"
#include "base/bytes.h"

static const uint8_t signature[8] = "NTLMSSP";

enum {
	T1_FLAGS = 12,
	T1_SIZE = 40, /* with a version, which is zero */
	T2_TARGET = 12,
	T2_FLAGS = 20,
	T2_CHALLENGE = 24,
	T2_SHORT = 32,
	T2_INFO = 40,
	T2_SIZE = 48,
	T2_OUR_SIZE = 56, /* the same */
	T3_LM = 12,
	T3_NT = 20,
	T3_DOMAIN = 28,
	T3_USER = 36,
	T3_HOST = 44,
	T3_KEY = 52,
	T3_FLAGS = 60,
	T3_SIZE = 64,
};

/* --- parsing ------------------------------------------------------------------ */
static bool is(struct span in, uint32_t type, size_t least)
{
	return in.n >= least && memcmp(in.p, signature, 8) == 0 &&
	       get_le32(in.p + 8) == type;
}

static bool field(struct span in, size_t at, struct span *out)
{
	size_t n = get_le16(in.p + at);
	uint32_t off = get_le32(in.p + at + 4);

	*out = (struct span){ NULL, 0 };
	if (n == 0)
		return true;
	if (off > in.n || n > in.n - off)
		return false;
	*out = (struct span){ in.p + off, n };
	return true;
}

int ntlm_t1_parse(struct ntlm_t1 *m, struct span in)
{
	if (!is(in, 1, T1_FLAGS + 4))
		return E_PEER_SYNTAX;
	m->flags = get_le32(in.p + T1_FLAGS);
	return OK;
}

static bool list_ends(struct span list)
{
	enum ntlm_av id;
	struct span v;
	int r;

	while ((r = ntlm_av_next(&list, &id, &v)) == 1)
		;
	return r == 0;
}

int ntlm_t2_parse(struct ntlm_t2 *m, struct span in)
{
	*m = (struct ntlm_t2){ 0 };
	if (!is(in, 2, T2_SHORT) || !field(in, T2_TARGET, &m->target))
		return E_PEER_SYNTAX;
	m->flags = get_le32(in.p + T2_FLAGS);
	memcpy(m->challenge, in.p + T2_CHALLENGE, 8);
	if ((m->flags & NTLM_TARGET_INFO) == 0)
		return OK;
	if (in.n < T2_SIZE || !field(in, T2_INFO, &m->info) ||
	    !list_ends(m->info))
		return E_PEER_SYNTAX;
	return OK;
}

int ntlm_t3_parse(struct ntlm_t3 *m, struct span in)
{
	static const size_t at[] = { T3_LM,   T3_NT,   T3_DOMAIN,
				     T3_USER, T3_HOST, T3_KEY };
	struct span *const to[] = { &m->lm,   &m->nt,	&m->domain,
				    &m->user, &m->host, &m->key };

	*m = (struct ntlm_t3){ 0 };
	if (!is(in, 3, T3_SIZE))
		return E_PEER_SYNTAX;
	m->flags = get_le32(in.p + T3_FLAGS);
	m->mic = in.n >= NTLM_T3_HEADER;
	for (size_t i = 0; i < 6; i++) {
		if (!field(in, at[i], to[i]))
			return E_PEER_SYNTAX;
		/* What lies where a MIC would be is none. */
		if (to[i]->n > 0 && to[i]->p < in.p + NTLM_T3_HEADER)
			m->mic = false;
	}
	return OK;
}

int ntlm_av_next(struct span *list, enum ntlm_av *id, struct span *v)
{
	if (list->n < 4)
		return E_PEER_SYNTAX;
	*id = (enum ntlm_av)get_le16(list->p);
	*v = span_skip(*list, 4);
	if (get_le16(list->p + 2) > v->n)
		return E_PEER_SYNTAX;
	v->n = get_le16(list->p + 2);
	*list = span_skip(*list, 4 + v->n);
	if (*id == NTLM_AV_EOL)
		return v->n == 0 ? 0 : E_PEER_SYNTAX;
	return 1;
}

bool ntlm_av_find(struct span list, enum ntlm_av id, struct span *v)
{
	enum ntlm_av have;

	while (ntlm_av_next(&list, &have, v) == 1)
		if (have == id)
			return true;
	return false;
}

int ntlm_av_put(struct buf *out, enum ntlm_av id, struct span v)
{
	uint8_t head[4];

	put_le16(head, (uint16_t)id);
	put_le16(head + 2, (uint16_t)v.n);
	if (v.n > UINT16_MAX || 4 + v.n > buf_left(out) ||
	    buf_put(out, (struct span){ head, 4 }) != OK)
		return E_FULL;
	return buf_put(out, v);
}

/* --- building ------------------------------------------------------------------ */

/* A message being written: header first, then what its fields point to. */
struct build {
	uint8_t *p;
	size_t at;
};

/* Room for a message in one piece, its header zero but for what all have. */
static bool begin(struct build *b, struct buf *out, uint32_t type,
		  size_t header, size_t all)
{
	if (all > buf_left(out))
		return false;
	b->p = buf_room(out);
	b->at = header;
	memset(b->p, 0, header);
	memcpy(b->p, signature, 8);
	put_le32(b->p + 8, type);
	buf_grow(out, all);
	return true;
}

static void put(struct build *b, size_t at, struct span v)
{
	put_le16(b->p + at, (uint16_t)v.n);
	put_le16(b->p + at + 2, (uint16_t)v.n);
	put_le32(b->p + at + 4, (uint32_t)b->at);
	if (v.n > 0)
		memcpy(b->p + b->at, v.p, v.n);
	b->at += v.n;
}

int ntlm_t1_build(struct buf *out, const struct ntlm_t1 *m)
{
	struct build b;

	if (!begin(&b, out, 1, T1_SIZE, T1_SIZE))
		return E_FULL;
	put_le32(b.p + T1_FLAGS, m->flags);
	return OK;
}

int ntlm_t2_build(struct buf *out, const struct ntlm_t2 *m)
{
	struct build b;

	if (m->target.n > UINT16_MAX || m->info.n > UINT16_MAX ||
	    !begin(&b, out, 2, T2_OUR_SIZE,
		   T2_OUR_SIZE + m->target.n + m->info.n))
		return E_FULL;
	put_le32(b.p + T2_FLAGS, m->flags);
	memcpy(b.p + T2_CHALLENGE, m->challenge, 8);
	put(&b, T2_TARGET, m->target);
	put(&b, T2_INFO, m->info);
	return OK;
}

int ntlm_t3_build(struct buf *out, const struct ntlm_t3 *m)
{
	const struct {
		size_t at;
		struct span v;
	} fields[] = {
		{ T3_DOMAIN, m->domain }, { T3_USER, m->user },
		{ T3_HOST, m->host },	  { T3_LM, m->lm },
		{ T3_NT, m->nt },	  { T3_KEY, m->key },
	};
	size_t header = m->mic ? NTLM_T3_HEADER : T3_SIZE, all = header;
	struct build b;

	for (size_t i = 0; i < 6; i++) {
		if (fields[i].v.n > UINT16_MAX)
			return E_FULL;
		all += fields[i].v.n;
	}
	if (!begin(&b, out, 3, header, all))
		return E_FULL;
	put_le32(b.p + T3_FLAGS, m->flags);
	for (size_t i = 0; i < 6; i++)
		put(&b, fields[i].at, fields[i].v);
	return OK;
}
