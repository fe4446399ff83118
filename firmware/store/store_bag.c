/* SPDX-License-Identifier: BSD-2-Clause */
/* store_bag - see store_bag.h. */
#include "store/store_bag.h"

enum { TRIES = 8 };

/* --- for a person ------------------------------------------------------------ */
void bag_put(struct text *say, const char *s)
{
	if (say)
		text_str(say, s);
}

static void put_number(struct text *say, uint64_t v)
{
	if (say)
		text_u64(say, v);
}

static void put_line(struct text *say, const char *a, const char *b)
{
	bag_put(say, a);
	bag_put(say, b);
	bag_put(say, "\n");
}

void bag_put_file(struct text *say, enum store_kind k, uint32_t number,
		  const char *what, const char *why)
{
	char name[STORE_FILE_NAME];

	store_file_name(name, k, number);
	bag_put(say, name);
	bag_put(say, ": ");
	bag_put(say, what);
	put_line(say, why[0] ? ": " : "", why);
}

bool bag_ready(const struct store *s, struct text *say)
{
	bag_put(say, s->ready ? "" : "the store is not open\n");
	return s->ready;
}

/* --- the folder -------------------------------------------------------------- */
int bag_list(struct store *s, enum store_kind k, struct bag_numbers *l,
	     struct text *say)
{
	int r = s->ops->list(s->dev, k, l->number, &l->n);

	if (r != OK) {
		l->n = 0;
		put_line(say,
			 "the store cannot be read: ", s->ops->why(s->dev));
		return r == E_FULL ? r : E_IO;
	}
	if (l->n > 0 && l->number[0] > s->last[k])
		s->last[k] = l->number[0];
	return OK;
}

int bag_dirsync(struct store *s, struct text *say)
{
	int r = s->ops->dirsync(s->dev);

	if (r != OK)
		put_line(say,
			 "the store cannot be written: ", s->ops->why(s->dev));
	return r == OK ? OK : E_IO;
}

int bag_drop(struct store *s, enum store_kind k, uint32_t number,
	     struct text *say)
{
	int r = s->ops->unlink(s->dev, k, number);

	if (r != OK)
		bag_put_file(say, k, number, "cannot be removed",
			     s->ops->why(s->dev));
	return r == OK ? OK : E_IO;
}

/* What seals files of kind k. The store's own secret and the mark of a reset
 * must be readable when there is no secret: for them the seal is a checksum. */
static void key_of(const struct store *s, enum store_kind k,
		   uint8_t key[SEAL_SECRET])
{
	memset(key, 0, SEAL_SECRET);
	if (k != STORE_SECRET && k != STORE_RESET)
		memcpy(key, s->key, SEAL_SECRET);
}

static int verify(struct store *s, enum store_kind k, uint32_t number,
		  uint64_t *size, const char **why)
{
	uint8_t key[SEAL_SECRET];
	struct store_info info;
	int r;

	key_of(s, k, key);
	r = store_file_read(s, key, k, number, &info, size, NULL, why);
	seal_wipe(key, sizeof(key));
	return r;
}

uint32_t bag_newest(struct store *s, enum store_kind k,
		    const struct bag_numbers *l, uint32_t below)
{
	const char *why;
	uint64_t size;

	for (size_t i = 0; i < l->n; i++)
		if (l->number[i] < below &&
		    verify(s, k, l->number[i], &size, &why) == OK)
			return l->number[i];
	return 0;
}

/* --- room -------------------------------------------------------------------- */

/* Files that can go when there is no room, worst first. */
struct spare {
	struct {
		uint32_t number;
		uint64_t size;
		bool torn; /* cut short: no secret would make it whole */
	} file[STORE_LIST_MAX];
	size_t n;
	uint64_t size;
};

static void add_spare(struct spare *p, uint32_t number, uint64_t size,
		      bool torn)
{
	p->file[p->n].number = number;
	p->file[p->n].size = size;
	p->file[p->n++].torn = torn;
	p->size += size;
}

/* Without a good one only what was cut short may go: the rest may be good under
 * another secret. */
static void keep_doubtful(struct spare *p)
{
	struct spare all = *p;

	p->n = 0;
	p->size = 0;
	for (size_t i = 0; i < all.n; i++)
		if (all.file[i].torn)
			add_spare(p, all.file[i].number, all.file[i].size,
				  true);
}

/* What does not verify and is newer than a good one, then the oldest. */
static int find_spare(struct store *s, enum store_kind k, struct spare *p,
		      struct text *say)
{
	struct store_info info;
	struct bag_numbers l;
	uint64_t size;
	const char *why;
	size_t i;
	int r = bag_list(s, k, &l, say);

	p->n = 0;
	p->size = 0;
	if (r != OK)
		return r;
	for (i = 0; i < l.n; i++) {
		r = verify(s, k, l.number[i], &size, &why);
		if (r == OK)
			break;
		if (r == E_FULL)
			return r;
		if (r == E_CORRUPT)
			add_spare(p, l.number[i], size, store_file_torn(why));
	}
	if (i == l.n)
		keep_doubtful(p);
	for (size_t j = l.n; j-- > i + 1;) {
		r = store_file_head(s, s->key, k, l.number[j], &info, &size,
				    &why);
		if (r == E_FULL)
			return r;
		add_spare(p, l.number[j], size, false);
	}
	return OK;
}

/* Remove the first of p until *missing octets are free. */
static int give_up(struct store *s, enum store_kind k, const struct spare *p,
		   uint64_t *missing, struct text *say)
{
	for (size_t i = 0; i < p->n && *missing != 0; i++) {
		uint64_t size = p->file[i].size;

		if (bag_drop(s, k, p->file[i].number, say) != OK)
			return E_IO;
		bag_put_file(say, k, p->file[i].number, "removed to make room",
			     "");
		*missing -= size < *missing ? size : *missing;
	}
	return OK;
}

static int make_room(struct store *s, uint64_t missing, struct text *say)
{
	struct spare conf, rescue;
	int r = find_spare(s, STORE_RESCUE, &rescue, say);

	if (r == OK)
		r = find_spare(s, STORE_CONF, &conf, say);
	if (r != OK)
		return r;
	if (conf.n + rescue.n == 0 || conf.size + rescue.size < missing) {
		bag_put(say, "the flash is full: ");
		put_number(say, missing);
		bag_put(say, " octets too few, and old configurations take ");
		put_number(say, conf.size + rescue.size);
		bag_put(say, "\n");
		return E_FULL;
	}
	r = give_up(s, STORE_RESCUE, &rescue, &missing, say);
	if (r == OK)
		r = give_up(s, STORE_CONF, &conf, &missing, say);
	return r == OK ? bag_dirsync(s, say) : r;
}

/* --- adding ------------------------------------------------------------------ */

/* A number that no file has. */
static int fresh(struct store *s, enum store_kind k, uint32_t *number,
		 struct text *say)
{
	struct bag_numbers l;
	int r = bag_list(s, k, &l, say);

	if (r != OK)
		return r;
	if (s->last[k] >= STORE_NUMBER_MAX) {
		bag_put_file(say, k, s->last[k], "no number is left above it",
			     "");
		return E_FULL;
	}
	*number = ++s->last[k];
	return OK;
}

void bag_undo(struct store *s, enum store_kind k, uint32_t number,
	      struct text *say)
{
	if (bag_drop(s, k, number, say) != OK || bag_dirsync(s, say) != OK)
		bag_put_file(say, k, number,
			     "it may be found, and count, at the next start",
			     "");
}

int bag_add(struct store *s, enum store_kind k, struct store_info *info,
	    struct span body, struct text *say)
{
	uint8_t key[SEAL_SECRET];
	unsigned taken = 0;
	int r;

	key_of(s, k, key);
	do {
		uint64_t missing;
		const char *why = "";

		r = fresh(s, k, &info->number, say);
		if (r != OK)
			break;
		r = store_file_write(s, key, k, info, body, &missing, &why);
		if (r == E_AGAIN && ++taken < TRIES)
			continue;
		if (r == E_AGAIN)
			r = E_IO;
		else if (r != OK)
			bag_undo(s, k, info->number, say);
		/* What was learned is worth no older configuration. */
		if (r == E_FULL && missing > 0 && k != STORE_LEARNED) {
			r = make_room(s, missing, say);
			if (r == OK)
				r = E_AGAIN;
		} else if (r != OK) {
			bag_put_file(say, k, info->number, "cannot be stored",
				     why);
		}
	} while (r == E_AGAIN);
	seal_wipe(key, sizeof(key));
	return r;
}
