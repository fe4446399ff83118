/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secret_table - see secret_table.h.
 *
 *	 0  8  "SWSECRET"
 *	 8  4  format
 *	12  4  entries
 *	16  8  floor of the clock
 *	24     entries, one behind the other, and nothing behind the last:
 *	        u8 kind, u8 number of fields, u16 zero
 *	        u32 length, for each field
 *	        the fields
 */
#include "base/bytes.h"
#include "secret/secret_table.h"

#define MAGIC "SWSECRET"

enum {
	FORMAT = 2,
	HEADER = 24,
	KIND_ACCOUNT = 1,
	KIND_KEY = 2,
	KIND_PARTNER = 3,
	ACCOUNT_FIELDS = 6,
	KEY_FIELDS = 3,
	FIELDS_MAX = 6,
	ENTRY_HEAD = 4,
	/* The last field of an account: u32 mechanisms; of a partner's also
	 * u8 seal, legacy, min_bits, bound. */
	USES = 4,
	TERMS = 8,
};

struct entry {
	uint8_t kind;
	struct span field[FIELDS_MAX];
};

static size_t fields_of(uint8_t kind)
{
	if (kind == KIND_ACCOUNT || kind == KIND_PARTNER)
		return ACCOUNT_FIELDS;
	return kind == KIND_KEY ? KEY_FIELDS : 0;
}

/* --- reading ---------------------------------------------------------------- */
/* Take the entry at the front of *rest; false: there is none that is whole. */
static bool take(struct span *rest, struct entry *e)
{
	struct span s = *rest, lengths;
	size_t n;

	if (s.n < ENTRY_HEAD)
		return false;
	e->kind = s.p[0];
	n = fields_of(e->kind);
	if (n == 0 || s.p[1] != n || get_le16(s.p + 2) != 0 ||
	    s.n - ENTRY_HEAD < 4 * n)
		return false;
	lengths = span_skip(s, ENTRY_HEAD);
	s = span_skip(lengths, 4 * n);
	for (size_t i = 0; i < n; i++) {
		uint32_t len = get_le32(lengths.p + 4 * i);

		if (len > s.n)
			return false;
		e->field[i] = (struct span){ s.p, len };
		s = span_skip(s, len);
	}
	*rest = s;
	return e->field[0].n > 0 && e->field[0].n <= SECRET_NAME_MAX;
}

int secret_table_open(struct secret_table *t, struct span blob)
{
	struct span rest;
	struct entry e;
	uint32_t n;

	*t = (struct secret_table){ .blob = blob };
	if (blob.n < HEADER || blob.n > SECRET_TABLE_MAX ||
	    memcmp(blob.p, MAGIC, 8) != 0 || get_le32(blob.p + 8) != FORMAT)
		return E_CORRUPT;
	n = get_le32(blob.p + 12);
	t->floor_s = get_le64(blob.p + 16);
	rest = span_skip(blob, HEADER);
	for (uint32_t i = 0; i < n; i++) {
		if (!take(&rest, &e))
			return E_CORRUPT;
		if (e.kind == KIND_ACCOUNT)
			t->accounts_n++;
		else if (e.kind == KIND_PARTNER)
			t->partners_n++;
		else
			t->keys_n++;
	}
	return rest.n == 0 && t->accounts_n <= SECRET_ACCOUNTS_MAX &&
			       t->partners_n <= SECRET_ACCOUNTS_MAX &&
			       t->keys_n <= SECRET_KEYS_MAX
		       ? OK
		       : E_CORRUPT;
}

/* The i-th entry of a kind, or with a name the one of that name. */
static bool find(const struct secret_table *t, uint8_t kind, uint32_t i,
		 const struct span *name, struct entry *e)
{
	struct span rest = t->blob;

	if (rest.n < HEADER) /* none was opened */
		return false;
	rest = span_skip(rest, HEADER);
	while (take(&rest, e)) {
		if (e->kind != kind)
			continue;
		if (name ? span_eq(e->field[0], *name) : i-- == 0)
			return true;
	}
	return false;
}

static void account_of(const struct entry *e, struct secret_account *a)
{
	struct span uses = e->field[5];

	*a = (struct secret_account){ .name = e->field[0],
				      .nt_domain = e->field[1],
				      .user = e->field[2],
				      .password = e->field[3],
				      .sealed = e->field[4] };
	a->partner = e->kind == KIND_PARTNER;
	if (!a->partner && uses.n == USES)
		a->uses = get_le32(uses.p);
	if (a->partner && uses.n == TERMS)
		a->terms = (struct logon_terms){ .mechs = get_le32(uses.p),
						 .seal = uses.p[4] != 0,
						 .legacy = uses.p[5] != 0,
						 .min_bits = uses.p[6],
						 .bound = uses.p[7] != 0 };
}

static void key_of(const struct entry *e, struct secret_key *k)
{
	*k = (struct secret_key){ .name = e->field[0],
				  .key = e->field[1],
				  .chain = e->field[2] };
}

void secret_table_account(const struct secret_table *t, uint32_t i,
			  struct secret_account *a)
{
	struct entry e = { 0 };

	(void)find(t, KIND_ACCOUNT, i, NULL, &e);
	account_of(&e, a);
}

void secret_table_partner(const struct secret_table *t, uint32_t i,
			  struct secret_account *a)
{
	struct entry e = { 0 };

	(void)find(t, KIND_PARTNER, i, NULL, &e);
	account_of(&e, a);
}

void secret_table_key(const struct secret_table *t, uint32_t i,
		      struct secret_key *k)
{
	struct entry e = { 0 };

	(void)find(t, KIND_KEY, i, NULL, &e);
	key_of(&e, k);
}

bool secret_table_find_account(const struct secret_table *t, struct span name,
			       struct secret_account *a)
{
	struct entry e = { 0 };

	if (!find(t, KIND_ACCOUNT, 0, &name, &e))
		return false;
	account_of(&e, a);
	return true;
}

bool secret_table_find_key(const struct secret_table *t, struct span name,
			   struct secret_key *k)
{
	struct entry e = { 0 };

	if (!find(t, KIND_KEY, 0, &name, &e))
		return false;
	key_of(&e, k);
	return true;
}

/* --- writing ---------------------------------------------------------------- */
size_t secret_build_size(uint32_t entries, size_t octets)
{
	return HEADER + entries * (ENTRY_HEAD + 4u * FIELDS_MAX + TERMS) +
	       octets;
}

int secret_build_begin(struct secret_build *b, uint8_t *mem, size_t size)
{
	*b = (struct secret_build){ .p = mem, .size = size, .n = HEADER };
	if (size < HEADER)
		return E_FULL;
	memcpy(mem, MAGIC, 8);
	put_le32(mem + 8, FORMAT);
	return OK;
}

static int add(struct secret_build *b, uint8_t kind, const struct span *field)
{
	size_t n = fields_of(kind), need = ENTRY_HEAD + 4 * n;
	uint8_t *p = b->p + b->n;

	for (size_t i = 0; i < n; i++) {
		if (field[i].n > SECRET_TABLE_MAX)
			return E_FULL;
		need += field[i].n;
	}
	if (need > b->size - b->n)
		return E_FULL;
	p[0] = kind;
	p[1] = (uint8_t)n;
	put_le16(p + 2, 0);
	for (size_t i = 0; i < n; i++)
		put_le32(p + ENTRY_HEAD + 4 * i, (uint32_t)field[i].n);
	p += ENTRY_HEAD + 4 * n;
	for (size_t i = 0; i < n; i++) {
		if (field[i].n > 0)
			memcpy(p, field[i].p, field[i].n);
		p += field[i].n;
	}
	b->n += need;
	b->entries++;
	return OK;
}

int secret_build_account(struct secret_build *b, const struct secret_account *a)
{
	const struct logon_terms *m = &a->terms;
	uint8_t uses[TERMS] = {
		[4] = m->seal, m->legacy, (uint8_t)m->min_bits, m->bound
	};
	const struct span field[ACCOUNT_FIELDS] = {
		a->name,     a->nt_domain, a->user,
		a->password, a->sealed,	   { uses, a->partner ? TERMS : USES }
	};

	put_le32(uses, a->partner ? m->mechs : a->uses);
	return add(b, a->partner ? KIND_PARTNER : KIND_ACCOUNT, field);
}

int secret_build_key(struct secret_build *b, const struct secret_key *k)
{
	const struct span field[KEY_FIELDS] = { k->name, k->key, k->chain };

	return add(b, KIND_KEY, field);
}

struct span secret_build_end(struct secret_build *b, uint64_t floor_s)
{
	put_le32(b->p + 12, b->entries);
	put_le64(b->p + 16, floor_s);
	return (struct span){ b->p, b->n };
}
