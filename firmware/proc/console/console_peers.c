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

enum { KEY = 32 };

/* --- what is known ---------------------------------------------------------------- */
/* Row i of those of all programs; false: there is none. */
static bool row_at(enum stats_way way, size_t i, struct stats_peer *p)
{
	const struct source *s = &K.source[i / STATS_PEERS];

	if (s->role != ROLE_RELAY)
		return false;
	*p = s->stats->peer[way][i % STATS_PEERS];
	return p->used != 0;
}

static bool same_domain(const struct stats_peer *a, const struct stats_peer *b)
{
	return strncmp(a->domain, b->domain, sizeof(a->domain)) == 0;
}

static bool same(const struct stats_peer *a, const struct stats_peer *b)
{
	if (!a->key_there != !b->key_there || !same_domain(a, b))
		return false;
	return a->key_there ? memcmp(a->key, b->key, KEY) == 0
			    : memcmp(a->host.ip, b->host.ip, 16) == 0;
}

/* Into *p what all relays know of what row i is about, if that is the first of them.
 * Who has shown no key is of interest only while nobody has. */
static bool gather(enum stats_way way, size_t i, struct stats_peer *p)
{
	if (!row_at(way, i, p))
		return false;
	for (size_t k = 0; k < K.source_n * STATS_PEERS; k++) {
		struct stats_peer q;

		if (k == i || !row_at(way, k, &q))
			continue;
		if (!p->key_there && q.key_there && same_domain(p, &q))
			return false;
		if (!same(p, &q))
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

static void row(enum stats_way way, const struct stats_peer *p)
{
	text_clean(&K.answer, put_shared(p->domain, sizeof(p->domain)));
	put_str("\n");
	put_label("  key");
	if (p->key_there)
		spell(&K.answer, p->key);
	else
		put_str("not shown yet; it is asked for when it calls again\n");
	put_label("  pinned");
	put_str(p->pinned ? "yes\n" : "no\n");
	put_label(way == STATS_TO ? "  server" : "  client");
	if (way == STATS_TO)
		put_endpoint_cell(&p->host, 0);
	else
		text_ip(&K.answer, p->host.ip);
	put_str(way == STATS_TO ? "" : " ");
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
	for (enum stats_way w = STATS_TO; w < STATS_WAYS; w++)
		for (size_t i = 0; i < K.source_n * STATS_PEERS; i++)
			if (gather(w, i, &p)) {
				put_str("\n");
				row(w, &p);
				n++;
			}
	if (n == 0)
		put_str("\nmail has met no other box yet\n");
}

/* --- peer pin --------------------------------------------------------------------- */
/* Was this key seen with the domain, on this way? */
static bool seen_so(enum stats_way way, struct span domain,
		    const uint8_t key[KEY])
{
	struct stats_peer p;

	for (size_t i = 0; i < K.source_n * STATS_PEERS; i++)
		if (row_at(way, i, &p) && p.key_there &&
		    span_eq(put_shared(p.domain, sizeof(p.domain)), domain) &&
		    memcmp(p.key, key, KEY) == 0)
			return true;
	return false;
}

/* The key that was seen with this domain. NULL, or why there is none. */
static const char *seen(struct span domain, uint8_t key[KEY])
{
	const char *why = "mail for or from that domain has met no box: send "
			  "some, or name its key\n";
	struct stats_peer p;
	bool have = false;

	for (size_t i = 0; i < STATS_WAYS * K.source_n * STATS_PEERS; i++) {
		enum stats_way w = (enum stats_way)(i % STATS_WAYS);

		if (!row_at(w, i / STATS_WAYS, &p) ||
		    !span_eq(put_shared(p.domain, sizeof(p.domain)), domain))
			continue;
		if (!p.key_there)
			why = "the box there has not shown its key yet: it "
			      "will with its next mail, or name it\n";
		else if (have && memcmp(key, p.key, KEY) != 0)
			return "there was more than one key (show peers): "
			       "name the right one\n";
		else
			memcpy(key, p.key, KEY);
		have = have || p.key_there;
	}
	return have ? NULL : why;
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
	/* Who only sends may not be who receives: mail to it goes on as it did. */
	if (seen_so(STATS_FROM, (struct span){ (uint8_t *)name, n }, key) &&
	    !seen_so(STATS_TO, (struct span){ (uint8_t *)name, n }, key))
		text_str(&t, CONF_PIN_FROM);
	if (s->tty)
		return WISH_YES;
	peers_pin(s);
	return WISH_ANSWER;
}

const char *peers_meant(const struct session *s)
{
	static char mem[DOMAIN_MAX + 500];
	const char *blank = strchr(s->spelled, ' ');
	const char *pin = blank ? blank + 1 : "";
	const char *from = strstr(pin, CONF_PIN_FROM);
	uint8_t key[KEY] = { 0 };
	struct text t;

	text_init(&t, mem, sizeof(mem));
	if (conf_pin((struct span){ (const uint8_t *)pin,
				    from ? (size_t)(from - pin) : strlen(pin) },
		     key)) {
		text_str(&t, "             ");
		spell(&t, key);
	}
	text_str(&t, "Let the other administrator read out what \"show peers\" "
		     "there calls \"this box\".\n");
	text_str(&t, from ? "Mail from the domain will come from this key "
			    "alone.\n"
			  : "Mail to the domain will go to this key alone, and "
			    "come from it alone.\n");
	return mem;
}

void peers_pin(struct session *s)
{
	ask_one(s, CONF_OP_PIN, 0, span_str(s->spelled),
		"pinned, and in force\n");
}
