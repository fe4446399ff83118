/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_peers - other boxes (show peers), and peer pin: the key that one of them
 * showed becomes the only one that counts. That it is no one else's, only a person
 * can know, who has heard it from the other administrator.
 */
#include "base/domain.h"
#include "conf/conf_value.h"
#include "proc/console/console.h"
#include "proc/console/console_put.h"

enum { ALL = STATS_PROGRAMS * STATS_PEERS, KEY = 32 };

/* --- what is known ---------------------------------------------------------------- */
static bool same(const struct stats_peer *a, const struct stats_peer *b)
{
	return memcmp(a->key, b->key, KEY) == 0 &&
	       strncmp(a->domain, b->domain, sizeof(a->domain)) == 0;
}

/* Into *p what all relays know of what i is, if i is the first of them. */
static bool gather(size_t i, struct stats_peer *p)
{
	const struct source *s = &K.source[i / STATS_PEERS];

	if (s->role != ROLE_RELAY || !s->stats->peer[i % STATS_PEERS].used)
		return false;
	*p = s->stats->peer[i % STATS_PEERS];
	for (size_t k = 0; k < K.source_n * STATS_PEERS; k++) {
		const struct source *o = &K.source[k / STATS_PEERS];
		struct stats_peer q;

		if (k == i || o->role != ROLE_RELAY)
			continue;
		q = o->stats->peer[k % STATS_PEERS];
		if (!q.used || !same(p, &q))
			continue;
		if (k < i)
			return false;
		if (q.first_ms < p->first_ms)
			p->first_ms = q.first_ms;
		if (q.last_ms <= p->last_ms)
			continue;
		q.first_ms = p->first_ms;
		*p = q;
	}
	return true;
}

/* In groups of four, as one reads it out: two lines. */
static void spell(struct text *t, const uint8_t key[KEY])
{
	for (size_t i = 0; i < KEY; i += 2) {
		text_str(t, i == 0	   ? ""
			    : i == KEY / 2 ? "\n             "
					   : " ");
		text_hex(t, (struct span){ key + i, 2 });
	}
	text_str(t, "\n");
}

static void row(const struct stats_peer *p)
{
	text_clean(&K.answer, put_shared(p->domain, sizeof(p->domain)));
	put_str("\n");
	put_label("  key");
	spell(&K.answer, p->key);
	put_label("  pinned");
	put_str(p->pinned ? "yes\n" : "no\n");
	put_label("  server");
	put_endpoint_cell(&p->server, 0);
	put_str(p->tls_version == 0x0304 ? "TLSv1.3\n" : "TLSv1.2\n");
	put_label("  seen");
	put_when(p->first_ms);
	put_str(" to ");
	put_when(p->last_ms);
	put_str("\n");
}

static void own(void)
{
	const struct stats *s = figures_of(ROLE_RELAY);

	put_label("this box");
	if (s && s->own_key_there)
		spell(&K.answer, s->own_key);
	else
		put_str("no certificate that works, or inbound is off\n");
}

void show_peers(void)
{
	struct stats_peer p;
	unsigned n = 0;

	own();
	for (size_t i = 0; i < K.source_n * STATS_PEERS; i++)
		if (gather(i, &p)) {
			put_str("\n");
			row(&p);
			n++;
		}
	if (n == 0)
		put_str("\nmail has met no other box yet\n");
}

/* --- peer pin --------------------------------------------------------------------- */
/* The key that was seen with this domain. NULL, or why there is none. */
static const char *seen(struct span domain, uint8_t key[KEY])
{
	struct stats_peer p;
	unsigned n = 0;

	for (size_t i = 0; i < K.source_n * STATS_PEERS; i++)
		if (gather(i, &p) &&
		    span_eq(put_shared(p.domain, sizeof(p.domain)), domain)) {
			memcpy(key, p.key, KEY);
			n++;
		}
	if (n == 0)
		return "mail for that domain has met no box: send some, or "
		       "name its key\n";
	return n == 1 ? NULL
		      : "there was more than one key (show peers): name the "
			"right one\n";
}

/* NAME and perhaps a key, out of words that were spelled. */
static const char *take(struct span words, char name[DOMAIN_MAX + 1], size_t *n,
			uint8_t key[KEY], bool *named)
{
	const uint8_t *blank = memchr(words.p, ' ', words.n);
	size_t at = blank ? (size_t)(blank - words.p) : words.n;

	*named = at < words.n;
	if (domain_normalise(name, n, (struct span){ words.p, at }) != OK)
		return "this is not a domain\n";
	if (!*named)
		return seen((struct span){ (uint8_t *)name, *n }, key);
	return conf_pin(span_skip(words, at + 1), key)
		       ? NULL
		       : "not a key: sha256: and 64 hexadecimal digits\n";
}

enum wish peers_ask(struct session *s)
{
	struct span words = span_skip(span_str(s->spelled),
				      sizeof("peer pin ") - 1);
	char name[DOMAIN_MAX + 1];
	uint8_t key[KEY];
	struct text t;
	bool named;
	size_t n;
	const char *why = take(words, name, &n, key, &named);

	if (!why && !named && !s->tty)
		why = "nobody can be asked here: name its key\n";
	if (why) {
		exec_fail(s, why);
		return WISH_ANSWER;
	}
	text_init(&t, s->spelled, sizeof(s->spelled));
	text_span(&t, (struct span){ (uint8_t *)name, n });
	text_str(&t, " sha256:");
	text_hex(&t, (struct span){ key, KEY });
	if (s->tty)
		return WISH_YES;
	peers_pin(s);
	return WISH_ANSWER;
}

const char *peers_meant(const struct session *s)
{
	static char mem[DOMAIN_MAX + 400];
	const char *blank = strchr(s->spelled, ' ');
	uint8_t key[KEY] = { 0 };
	struct text t;

	text_init(&t, mem, sizeof(mem));
	if (blank && conf_pin(span_str(blank + 1), key)) {
		text_str(&t, "             ");
		spell(&t, key);
	}
	text_str(&t, "Let the other administrator read out what \"show peers\" "
		     "there calls \"this box\".\n");
	return mem;
}

void peers_pin(struct session *s)
{
	ask_one(s, CONF_OP_PIN, 0, span_str(s->spelled),
		"pinned, and in force\n");
}
