/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * learned - see learned.h. Slots are in a hash chain; links are slot numbers, NONE
 * ends them. A slot that was given back is in a chain of its own; those from used on
 * were never touched.
 */
#include "base/bytes.h"
#include "base/domain.h"
#include "base/hash.h"
#include "policy/learned.h"

enum { BUCKETS = 2048, NONE = 0xffff, TLS_MAJOR = 0x0300, FIXED = 8 };

_Static_assert((int)POLICY_DOMAIN_MAX == (int)DOMAIN_MAX, "one length");

struct learned {
	uint8_t key[16];
	size_t n;
	uint16_t bucket[BUCKETS];
	uint16_t used, free; /* free: the first that was given back */
	uint16_t next[LEARNED_SLOTS];
	struct learned_domain slot[LEARNED_SLOTS];
};

size_t learned_size(void)
{
	return sizeof(struct learned);
}

void learned_forget_all(struct learned *l)
{
	memset(l->bucket, 0xff, sizeof(l->bucket));
	l->used = 0;
	l->free = NONE;
	l->n = 0;
}

struct learned *learned_init(void *mem, const uint8_t key[16])
{
	struct learned *l = mem;

	memcpy(l->key, key, 16);
	learned_forget_all(l);
	return l;
}

static struct span name_of(const struct learned_domain *d)
{
	return (struct span){ (const uint8_t *)d->name, d->name_n };
}

static size_t bucket_of(const struct learned *l, struct span domain)
{
	return siphash(l->key, domain) % BUCKETS;
}

static uint16_t find(const struct learned *l, struct span domain)
{
	uint16_t i = l->bucket[bucket_of(l, domain)];

	while (i != NONE && !span_eq(name_of(&l->slot[i]), domain))
		i = l->next[i];
	return i;
}

const struct learned_domain *learned_find(const struct learned *l,
					  struct span domain)
{
	uint16_t i = find(l, domain);

	return i != NONE ? &l->slot[i] : NULL;
}

bool learned_requires(const struct learned *l, const struct policy_rule *rule,
		      struct span domain)
{
	return rule->learn && rule->level == LEVEL_MAY && domain.n > 0 &&
	       learned_find(l, domain) != NULL;
}

size_t learned_n(const struct learned *l)
{
	return l->n;
}

const struct learned_domain *learned_at(const struct learned *l, size_t i)
{
	return i < l->used && l->slot[i].name_n > 0 ? &l->slot[i] : NULL;
}

bool learned_forget(struct learned *l, struct span domain)
{
	uint16_t i = find(l, domain);
	uint16_t *link = &l->bucket[bucket_of(l, domain)];

	if (i == NONE)
		return false;
	while (*link != i)
		link = &l->next[*link];
	*link = l->next[i];
	l->slot[i].name_n = 0;
	l->next[i] = l->free;
	l->free = i;
	l->n--;
	return true;
}

/* --- one more thing that is known ----------------------------------------------- */
static struct learned_domain *add(struct learned *l, struct span domain)
{
	uint16_t i = l->free, *bucket = &l->bucket[bucket_of(l, domain)];
	struct learned_domain *d;

	if (i == NONE && l->used == LEARNED_SLOTS)
		return NULL;
	if (i == NONE)
		i = l->used++;
	else
		l->free = l->next[i];
	d = &l->slot[i];
	l->next[i] = *bucket;
	*bucket = i;
	l->n++;
	*d = (struct learned_domain){ .name_n = (uint8_t)domain.n };
	memcpy(d->name, domain.p, domain.n);
	return d;
}

static enum learned_news more(enum learned_news a, enum learned_news b)
{
	return a > b ? a : b;
}

/* The days from first to last now include those of b; 0 is none. */
static enum learned_news dates(uint16_t *first, uint16_t *last,
			       uint16_t b_first, uint16_t b_last)
{
	enum learned_news news = LEARNED_NOTHING;

	if (b_first != 0 && (*first == 0 || b_first < *first)) {
		*first = b_first;
		news = LEARNED_DATE;
	}
	if (b_last > *last) {
		*last = b_last;
		news = LEARNED_DATE;
	}
	return news;
}

/* Where a key goes that is not there yet; NULL: there is no room. */
static struct learned_key *place(struct learned_domain *d, uint16_t day)
{
	struct learned_key *old = &d->key[0];

	if (d->key_n < LEARNED_KEYS)
		return &d->key[d->key_n++];
	for (size_t i = 1; i < LEARNED_KEYS; i++)
		if (d->key[i].last_day < old->last_day)
			old = &d->key[i];
	return old->last_day < day ? old : NULL;
}

static enum learned_news take_key(struct learned_domain *d,
				  const struct learned_key *k)
{
	struct learned_key *to;
	bool known;

	for (size_t i = 0; i < d->key_n; i++)
		if (memcmp(d->key[i].spki_sha256, k->spki_sha256, 32) == 0)
			return dates(&d->key[i].first_day, &d->key[i].last_day,
				     k->first_day, k->last_day);
	to = place(d, k->last_day);
	if (to) {
		*to = *k;
		return LEARNED_FACT;
	}
	known = d->more;
	d->more = true;
	return known ? LEARNED_NOTHING : LEARNED_FACT;
}

/* What a knows is known to l as well. */
static enum learned_news merge(struct learned *l,
			       const struct learned_domain *a)
{
	uint16_t i = find(l, name_of(a));
	struct learned_domain *d = i != NONE ? &l->slot[i] : add(l, name_of(a));
	enum learned_news news = i != NONE ? LEARNED_NOTHING : LEARNED_FACT;

	if (!d)
		return LEARNED_FULL;
	if (i == NONE)
		d->lowest = d->highest = a->lowest;
	if (a->lowest < d->lowest || a->highest > d->highest ||
	    (a->more && !d->more))
		news = LEARNED_FACT;
	if (a->lowest < d->lowest)
		d->lowest = a->lowest;
	if (a->highest > d->highest)
		d->highest = a->highest;
	d->more |= a->more;
	news = more(news, dates(&d->first_day, &d->last_day, a->first_day,
				a->last_day));
	for (size_t k = 0; k < a->key_n; k++)
		news = more(news, take_key(d, &a->key[k]));
	return news;
}

enum learned_news learned_see(struct learned *l, struct span domain,
			      uint16_t version, const uint8_t spki_sha256[32],
			      uint16_t day)
{
	struct learned_domain a = {
		.name_n = (uint8_t)domain.n,
		.lowest = version,
		.highest = version,
		.first_day = day,
		.last_day = day,
		.key = { { .first_day = day, .last_day = day } },
		.key_n = 1,
	};
	enum learned_news news;

	memcpy(a.name, domain.p, domain.n);
	memcpy(a.key[0].spki_sha256, spki_sha256, 32);
	news = merge(l, &a);
	if (news == LEARNED_DATE || news == LEARNED_FACT)
		l->slot[find(l, domain)].unsaid = true;
	return news;
}

/* --- as octets --------------------------------------------------------------------- */
static size_t put(uint8_t *p, const struct learned_domain *d)
{
	size_t n = 0;

	p[n++] = d->name_n;
	memcpy(p + n, d->name, d->name_n);
	n += d->name_n;
	p[n++] = (uint8_t)(d->lowest - TLS_MAJOR);
	p[n++] = (uint8_t)(d->highest - TLS_MAJOR);
	put_le16(p + n, d->first_day);
	put_le16(p + n + 2, d->last_day);
	n += 4;
	p[n++] = d->key_n;
	p[n++] = d->more;
	for (size_t i = 0; i < d->key_n; i++, n += LEARNED_KEY_SIZE) {
		memcpy(p + n, d->key[i].spki_sha256, 32);
		put_le16(p + n + 32, d->key[i].first_day);
		put_le16(p + n + 34, d->key[i].last_day);
	}
	return n;
}

size_t learned_write(const struct learned *l, size_t *at, bool unsaid,
		     uint8_t *to, size_t room)
{
	size_t n = 0;

	for (; *at < LEARNED_SLOTS && room - n >= LEARNED_RECORD_MAX; ++*at) {
		const struct learned_domain *d = learned_at(l, *at);

		if (d && (d->unsaid || !unsaid))
			n += put(to + n, d);
	}
	return n;
}

void learned_mark(struct learned *l, size_t from, size_t to, bool unsaid)
{
	for (size_t i = from; i < to && i < l->used; i++)
		l->slot[i].unsaid = unsaid;
}

static bool version_of(uint8_t octet, uint16_t *version)
{
	*version = (uint16_t)(TLS_MAJOR + octet);
	return octet == 3 || octet == 4;
}

static bool days(uint16_t first, uint16_t last)
{
	return first <= last && (first != 0 || last == 0);
}

/* Names as no rule has them would never be found. */
static bool normal(struct span name)
{
	char out[DOMAIN_MAX + 1];
	size_t n;

	return domain_normalise(out, &n, name) == OK && n == name.n &&
	       memcmp(out, name.p, n) == 0;
}

static bool get_key(const uint8_t *p, struct learned_key *k)
{
	memcpy(k->spki_sha256, p, 32);
	k->first_day = get_le16(p + 32);
	k->last_day = get_le16(p + 34);
	return days(k->first_day, k->last_day);
}

/* The first record of s is taken off it. False: it is none. */
static bool get(struct span *s, struct learned_domain *d)
{
	size_t n = s->n > 0 ? s->p[0] : 0;
	const uint8_t *p;

	*d = (struct learned_domain){ .name_n = (uint8_t)n };
	if (n == 0 || n > POLICY_DOMAIN_MAX || s->n - 1 < n + FIXED ||
	    !normal((struct span){ s->p + 1, n }))
		return false;
	memcpy(d->name, s->p + 1, n);
	p = s->p + 1 + n;
	d->first_day = get_le16(p + 2);
	d->last_day = get_le16(p + 4);
	d->key_n = p[6];
	d->more = p[7] == 1;
	if (!version_of(p[0], &d->lowest) || !version_of(p[1], &d->highest) ||
	    d->lowest > d->highest || p[7] > 1 || d->key_n == 0 ||
	    d->key_n > LEARNED_KEYS || !days(d->first_day, d->last_day))
		return false;
	*s = span_skip(*s, 1 + n + FIXED);
	for (size_t i = 0; i < d->key_n; i++) {
		if (s->n < LEARNED_KEY_SIZE || !get_key(s->p, &d->key[i]))
			return false;
		*s = span_skip(*s, LEARNED_KEY_SIZE);
	}
	return true;
}

int learned_read(struct learned *l, struct span records,
		 enum learned_news *news)
{
	struct span rest = records;
	struct learned_domain d;

	*news = LEARNED_NOTHING;
	while (rest.n > 0)
		if (!get(&rest, &d))
			return E_CORRUPT;
	rest = records;
	while (rest.n > 0 && get(&rest, &d))
		*news = more(*news, merge(l, &d));
	return OK;
}
