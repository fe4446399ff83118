/* SPDX-License-Identifier: BSD-2-Clause */
/* hello - see hello.h. */
#include "base/buf.h"
#include "base/bytes.h"
#include "probe/hello.h"

enum {
	TLS_1_0 = 0x0301,
	TLS_1_2 = 0x0303,
	TLS_1_3 = 0x0304,
	RECORD_HEAD = 5,
	HANDSHAKE_HEAD = 4,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	CLIENT_HELLO = 1,
	SERVER_HELLO = 2,
	EXT_SNI = 0,
	EXT_PADDING = 21,
	EXT_TICKET = 35,
	EXT_VERSIONS = 43,
	EXT_KEY_SHARE = 51,
};

/* What any server of the last twenty years can choose from. */
static const uint8_t suites[] = {
	0x13, 0x01, 0x13, 0x02, 0x13, 0x03, /* TLS 1.3 */
	0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9, 0xcc, 0xa8,
	0xc0, 0x09, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x9c, 0x00, 0x9d,
	0x00, 0x2f, 0x00, 0x35, 0x00, 0x0a, 0x00, 0x05, 0x00, 0x04
};

/* Groups x25519, P-256, P-384; points; signatures; tickets; EMS. */
static const uint8_t fixed[] = { 0x00, 0x0a, 0x00, 0x08, 0x00, 0x06, 0x00, 0x1d,
				 0x00, 0x17, 0x00, 0x18, 0x00, 0x0b, 0x00, 0x02,
				 0x01, 0x00, 0x00, 0x0d, 0x00, 0x14, 0x00, 0x12,
				 0x04, 0x03, 0x08, 0x04, 0x04, 0x01, 0x05, 0x03,
				 0x08, 0x05, 0x05, 0x01, 0x08, 0x06, 0x06, 0x01,
				 0x02, 0x01, 0x00, 0x23, 0x00, 0x00, 0x00, 0x17,
				 0x00, 0x00 };

/* A buf that remembers that something did not fit. */
struct out {
	struct buf b;
	int err;
};

static void put(struct out *o, struct span s)
{
	if (o->err == OK)
		o->err = buf_put(&o->b, s);
}

static void put8(struct out *o, size_t v)
{
	const uint8_t b = (uint8_t)v;

	put(o, (struct span){ &b, 1 });
}

static void put16(struct out *o, size_t v)
{
	uint8_t b[2];

	put_be16(b, (uint16_t)v);
	put(o, (struct span){ b, 2 });
}

static void put_sni(struct out *o, struct span name)
{
	if (name.n == 0)
		return;
	put16(o, EXT_SNI);
	put16(o, name.n + 5);
	put16(o, name.n + 3);
	put8(o, 0);
	put16(o, name.n);
	put(o, name);
}

/* The share is random: as good a point of x25519 as any. */
static void put_1_3(struct out *o, const struct hello *h)
{
	static const uint8_t versions[] = {
		0, EXT_VERSIONS, 0, 5, 4, 3, 4, 3, 3
	};

	if (h->newest < TLS_1_3)
		return;
	put(o, (struct span){ versions, sizeof(versions) });
	put16(o, EXT_KEY_SHARE);
	put16(o, 2 + 4 + 32);
	put16(o, 4 + 32);
	put16(o, 0x001d);
	put16(o, 32);
	put(o, (struct span){ h->random, 32 });
}

static void put_padding(struct out *o, size_t size)
{
	static const uint8_t zeros[HELLO_LARGE];
	size_t n = buf_span(&o->b).n + 4;

	if (size <= n || size - n > sizeof(zeros))
		return;
	put16(o, EXT_PADDING);
	put16(o, size - n);
	put(o, (struct span){ zeros, size - n });
}

int hello_write(uint8_t to[HELLO_MAX], size_t *n, const struct hello *h)
{
	struct out o = { .err = OK };
	size_t ext;

	if (h->sni.n > DOMAIN_MAX)
		return E_FULL;
	buf_init(&o.b, to, HELLO_MAX);
	put8(&o, RECORD_HANDSHAKE);
	put16(&o, TLS_1_0);
	put16(&o, 0); /* lengths: below */
	put8(&o, CLIENT_HELLO);
	put8(&o, 0);
	put16(&o, 0);
	put16(&o, TLS_1_2);
	put(&o, (struct span){ h->random, 32 });
	put8(&o, 0); /* no session */
	put16(&o, sizeof(suites));
	put(&o, (struct span){ suites, sizeof(suites) });
	put16(&o, 0x0100); /* no compression */
	ext = buf_span(&o.b).n;
	put16(&o, 0);
	put_sni(&o, h->sni);
	put(&o, (struct span){ fixed, sizeof(fixed) });
	put_1_3(&o, h);
	put_padding(&o, h->size);
	*n = buf_span(&o.b).n;
	if (o.err != OK)
		return o.err;
	put_be16(to + 3, (uint16_t)(*n - RECORD_HEAD));
	put_be16(to + 7, (uint16_t)(*n - RECORD_HEAD - HANDSHAKE_HEAD));
	put_be16(to + ext, (uint16_t)(*n - ext - 2));
	return OK;
}

/* Take n octets off the front; false: they are not there. */
static bool take(struct span *s, size_t n, const uint8_t **p)
{
	if (s->n < n)
		return false;
	*p = s->p;
	*s = span_skip(*s, n);
	return true;
}

/* What it says in extensions: TLS 1.3 has its version there. */
static void extensions(struct hello_answer *a, struct span s)
{
	const uint8_t *head, *body;

	while (take(&s, 4, &head)) {
		size_t n = get_be16(head + 2);

		if (!take(&s, n, &body))
			return;
		if (get_be16(head) == EXT_VERSIONS && n == 2)
			a->version = get_be16(body);
		else if (get_be16(head) == EXT_TICKET)
			a->resumable = true;
	}
}

/* s: a handshake message, which may go on in a record that is not here. */
static void server_hello(struct hello_answer *a, struct span s)
{
	const uint8_t *p;
	size_t id_n, ext_n;

	if (!take(&s, HANDSHAKE_HEAD + 2 + 32 + 1, &p))
		return;
	a->version = get_be16(p + HANDSHAKE_HEAD);
	id_n = p[HANDSHAKE_HEAD + 34];
	if (!take(&s, id_n + 3, &p))
		return;
	a->suite = get_be16(p + id_n);
	a->resumable = id_n > 0;
	a->kind = HELLO_SERVER;
	if (!take(&s, 2, &p))
		return;
	ext_n = get_be16(p);
	extensions(a, (struct span){ s.p, ext_n < s.n ? ext_n : s.n });
	if (a->version >= TLS_1_3)
		a->resumable = false; /* it says so later, if at all */
}

void hello_read(struct hello_answer *a, struct span in)
{
	size_t n;

	*a = (struct hello_answer){ .kind = HELLO_MORE };
	if (in.n > 0 && in.p[0] != RECORD_ALERT && in.p[0] != RECORD_HANDSHAKE)
		a->kind = HELLO_NOT_TLS;
	if (in.n > 1 && in.p[1] != 3)
		a->kind = HELLO_NOT_TLS;
	if (a->kind == HELLO_NOT_TLS || in.n < RECORD_HEAD)
		return;
	n = get_be16(in.p + 3);
	if (in.p[0] == RECORD_ALERT && n != 2)
		a->kind = HELLO_NOT_TLS;
	if (a->kind == HELLO_NOT_TLS ||
	    (in.n - RECORD_HEAD < n && in.n < HELLO_ANSWER_MAX))
		return;
	if (in.p[0] == RECORD_ALERT) {
		a->kind = HELLO_ALERT;
		a->alert = in.p[RECORD_HEAD + 1];
		return;
	}
	if (n > in.n - RECORD_HEAD)
		n = in.n - RECORD_HEAD;
	a->kind = HELLO_NOT_TLS;
	if (n > 0 && in.p[RECORD_HEAD] == SERVER_HELLO)
		server_hello(a, (struct span){ in.p + RECORD_HEAD, n });
}
