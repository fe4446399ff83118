/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store - see store.h. What one file is, is in store_file, how one comes and goes
 * in store_bag, the beginning and the end of a store in store_open; here is
 * which file counts, and in which order they come and go:
 *
 *	save	write new, sync, sync folder, read back | remove old ones
 *	reset	the same with the mark | remove all | sync folder | the secrets
 *		| sync folder | the mark
 *
 * The first save of a kind also leaves the empty file "kept" of this kind: its
 * name alone says that a file was acknowledged.
 *
 * A number is higher than that of every file there is, even of those that do
 * not verify: one that can be read again some day must not win over a newer.
 */
#include <stdlib.h>
#include "base/bytes.h"
#include "store/store_bag.h"

/* --- saving ------------------------------------------------------------------ */
/* Was a file of kind k ever acknowledged? Its number is the kind, from 1. */
static int kept(struct store *s, enum store_kind k, bool *yes, struct text *say)
{
	struct bag_numbers l;
	int r = bag_list(s, STORE_KEPT, &l, say);

	*yes = false;
	for (size_t i = 0; i < l.n; i++)
		*yes |= l.number[i] == (uint32_t)k + 1;
	return r;
}

/* Before a file of kind k is acknowledged. */
static int mark_kept(struct store *s, enum store_kind k, struct text *say)
{
	bool yes;
	int r = kept(s, k, &yes, say);

	if (r != OK || yes)
		return r;
	r = s->ops->create(s->dev, STORE_KEPT, (uint32_t)k + 1);
	if (r == OK) {
		r = s->ops->sync(s->dev);
		s->ops->close(s->dev);
	}
	if (r != OK) {
		bag_put_file(say, STORE_KEPT, (uint32_t)k + 1,
			     "cannot be stored", s->ops->why(s->dev));
		return r == E_FULL ? r : E_IO;
	}
	return bag_dirsync(s, say);
}

static void set_comment(struct store_info *info, const char *comment)
{
	struct text t;

	text_init(&t, info->comment, sizeof(info->comment));
	text_clean(&t, span_str(comment));
}

/* After a save: keep the last `keep` whose headers verify, and what is newer
 * than the oldest of them. Marks of a reset that never was go as well. */
static void prune(struct store *s, enum store_kind k, unsigned keep,
		  struct text *say)
{
	struct store_info info;
	struct bag_numbers l;
	const char *why;
	uint64_t size;
	bool any = false;

	if (bag_list(s, k, &l, say) != OK)
		return;
	for (size_t i = 0; i < l.n; i++) {
		if (keep == 0) {
			any = true;
			(void)bag_drop(s, k, l.number[i], say);
		} else if (store_file_head(s, s->key, k, l.number[i], &info,
					   &size, &why) == OK) {
			keep--;
		}
	}
	if (bag_list(s, STORE_RESET, &l, say) == OK)
		for (size_t i = 0; i < l.n; i++) {
			any = true;
			(void)bag_drop(s, STORE_RESET, l.number[i], say);
		}
	if (any)
		(void)bag_dirsync(s, say);
}

static int save(struct store *s, enum store_kind k, unsigned keep,
		struct span text, const char *comment, uint64_t now_s,
		uint32_t *number, struct text *say)
{
	struct store_info info = { .schema = STORE_SCHEMA,
				   .time_s = now_s,
				   .size = text.n };
	int r;

	*number = 0;
	if (!bag_ready(s, say))
		return E_IO;
	if (text.n > STORE_BODY_MAX) {
		bag_put(say, "the text is too long to be stored\n");
		return E_FULL;
	}
	set_comment(&info, comment);
	r = bag_add(s, k, &info, text, say);
	if (r != OK)
		return r;
	r = mark_kept(s, k, say);
	if (r != OK) {
		bag_undo(s, k, info.number, say);
		return r;
	}
	*number = info.number;
	prune(s, k, keep, say);
	return OK;
}

int store_save(struct store *s, struct span text, const char *comment,
	       uint64_t now_s, uint32_t *number, struct text *say)
{
	return save(s, STORE_CONF, STORE_KEEP, text, comment, now_s, number,
		    say);
}

int store_rescue_save(struct store *s, struct span text, const char *comment,
		      uint64_t now_s, struct text *say)
{
	uint32_t number;

	return save(s, STORE_RESCUE, 1, text, comment, now_s, &number, say);
}

int store_password_save(struct store *s, struct span hash, uint64_t now_s,
			struct text *say)
{
	uint32_t number;

	return save(s, STORE_PASSWORD, 1, hash, "", now_s, &number, say);
}

int store_keys_save(struct store *s, struct span keys, uint64_t now_s,
		    struct text *say)
{
	uint32_t number;

	return save(s, STORE_KEYS, 1, keys, "", now_s, &number, say);
}

int store_clock_save(struct store *s, uint64_t unix_s, struct text *say)
{
	uint32_t number;
	uint8_t b[8];

	put_le64(b, unix_s);
	return save(s, STORE_CLOCK, 1, (struct span){ b, sizeof(b) }, "",
		    unix_s, &number, say);
}

int store_learned_save(struct store *s, struct span learned, uint64_t now_s,
		       struct text *say)
{
	uint32_t number;

	return save(s, STORE_LEARNED, 1, learned, "", now_s, &number, say);
}

/* --- loading ----------------------------------------------------------------- */

/* What is used now must be there after a cut, even if the program that wrote it
 * died before it could sync. */
static void settle(struct store *s, enum store_kind k, uint32_t number)
{
	uint64_t size;

	if (s->ops->open(s->dev, k, number, &size) != OK)
		return;
	(void)s->ops->sync(s->dev); /* fails on read-only media: as well */
	s->ops->close(s->dev);
	(void)s->ops->dirsync(s->dev);
}

/* There are files of kind k, but none that verifies. */
static int none_reads(struct store *s, enum store_kind k, struct text *say)
{
	bool yes;
	int r = kept(s, k, &yes, say);

	if (r == OK && yes)
		r = E_CORRUPT;
	bag_put(say, r == OK ? "none was ever stored as a whole\n"
			     : "none of the stored ones can be read\n");
	return r;
}

static int load(struct store *s, enum store_kind k, char **text, size_t *n,
		struct store_info *info, struct text *say)
{
	struct bag_numbers l;
	uint64_t size;
	const char *why;
	int r;

	*info = (struct store_info){ 0 };
	*text = NULL;
	*n = 0;
	if (!bag_ready(s, say))
		return E_IO;
	r = bag_list(s, k, &l, say);
	if (r != OK || l.n == 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		r = store_file_read(s, s->key, k, l.number[i], info, &size,
				    text, &why);
		if (r == OK) {
			*n = (size_t)info->size;
			info->skipped = (unsigned)i;
			settle(s, k, l.number[i]);
			return 1;
		}
		bag_put_file(say, k, l.number[i],
			     r == E_FULL ? "cannot be loaded" : "left out",
			     why);
		if (r == E_FULL)
			return r; /* an older one would be a wrong answer */
	}
	info->skipped = (unsigned)l.n;
	return none_reads(s, k, say);
}

int store_load(struct store *s, char **text, size_t *n, struct store_info *info,
	       struct text *say)
{
	return load(s, STORE_CONF, text, n, info, say);
}

int store_rescue_load(struct store *s, char **text, size_t *n,
		      struct store_info *info, struct text *say)
{
	return load(s, STORE_RESCUE, text, n, info, say);
}

int store_password_load(struct store *s, char **hash, size_t *n,
			struct store_info *info, struct text *say)
{
	return load(s, STORE_PASSWORD, hash, n, info, say);
}

int store_keys_load(struct store *s, char **keys, size_t *n,
		    struct store_info *info, struct text *say)
{
	return load(s, STORE_KEYS, keys, n, info, say);
}

int store_clock_load(struct store *s, uint64_t *unix_s, struct text *say)
{
	struct store_info info;
	char *b;
	size_t n;
	int r = load(s, STORE_CLOCK, &b, &n, &info, say);

	*unix_s = 0;
	if (r == 1 && n == 8)
		*unix_s = get_le64((uint8_t *)b);
	else if (r == 1)
		r = E_CORRUPT;
	free(b);
	return r;
}

int store_learned_load(struct store *s, char **learned, size_t *n,
		       struct store_info *info, struct text *say)
{
	return load(s, STORE_LEARNED, learned, n, info, say);
}

int store_load_number(struct store *s, uint32_t number, char **text, size_t *n,
		      struct store_info *info, struct text *say)
{
	struct bag_numbers l;
	uint64_t size;
	const char *why;
	int r;

	*info = (struct store_info){ 0 };
	*text = NULL;
	*n = 0;
	if (!bag_ready(s, say))
		return E_IO;
	r = bag_list(s, STORE_CONF, &l, say);
	if (r != OK)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		if (l.number[i] != number)
			continue;
		r = store_file_read(s, s->key, STORE_CONF, number, info, &size,
				    text, &why);
		*n = r == OK ? (size_t)info->size : 0;
		if (r == OK)
			return 1;
		bag_put_file(say, STORE_CONF, number, "cannot be loaded", why);
		return r;
	}
	return 0;
}

int store_list(struct store *s, struct store_info *out, size_t *n,
	       struct text *say)
{
	struct bag_numbers l;
	const char *why;
	uint64_t size;
	int r;

	*n = 0;
	if (!bag_ready(s, say))
		return E_IO;
	r = bag_list(s, STORE_CONF, &l, say);
	if (r != OK)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		r = store_file_head(s, s->key, STORE_CONF, l.number[i], &out[i],
				    &size, &why);
		if (r == E_FULL)
			return r;
		if (r != OK)
			bag_put_file(say, STORE_CONF, l.number[i],
				     "cannot be used", why);
	}
	*n = l.n;
	return OK;
}
