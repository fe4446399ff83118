/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_STORE_FAULT_H
#define TESTS_UNIT_STORE_FAULT_H

/*
 * A flash in memory that loses power, fills up, wears out and rots, behind the
 * operations of the store.
 *
 * What a program sees and what is on the medium are two things. Octets get onto
 * the medium when their file is synced, names when the folder is; until then a
 * cut may keep or lose each of them, in any order, and leave zeros, noise or a
 * part of the octets. Create, each block of a write, sync, unlink and dirsync
 * are operations; a fault can be had at each.
 */
#include <stdlib.h>
#include "store/store.h"

enum { FLASH_FILES = 40, FLASH_BYTES = 1024, FLASH_BLOCK = 64 };

/* What becomes of octets that were written but not synced. */
enum flash_octets {
	OCTETS_LOST,
	OCTETS_KEPT,
	OCTETS_HALF,
	OCTETS_ZEROS,
	OCTETS_NOISE,
	OCTETS_HALF_ZEROS, /* the first half, then zeros */
	OCTETS_RANDOM,	   /* each block as it likes, any length */
	OCTETS_WAYS
};

/* The same for names that came or went. */
enum flash_names { NAMES_LOST, NAMES_KEPT, NAMES_RANDOM, NAMES_WAYS };

struct flash_file {
	bool used, seen, durable; /* its name: for the program, on the medium */
	bool unreadable;
	enum store_kind kind;
	uint32_t number;
	uint64_t born;
	size_t n, synced;
	uint8_t p[FLASH_BYTES];
};

struct flash {
	struct flash_file file[FLASH_FILES];
	struct flash_file *open;
	size_t at;
	uint64_t ops;	   /* done so far */
	uint64_t fault_at; /* 0: never */
	int fault;	   /* E_FULL, E_IO; OK: the power goes */
	bool sticky;	   /* the fault stays */
	bool off;
	bool liar; /* the octets written are not the octets given */
	size_t capacity;
	size_t widest; /* the most that was ever in use */
	uint64_t seed;
	uint64_t births;
	const char *why;
};

static inline uint32_t flash_random(struct flash *f)
{
	f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(f->seed >> 33);
}

static inline void flash_init(struct flash *f, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->capacity = SIZE_MAX;
	f->seed = seed;
	f->why = "no reason";
}

static inline size_t flash_used(const struct flash *f)
{
	size_t n = 0;

	for (size_t i = 0; i < FLASH_FILES; i++)
		if (f->file[i].used && f->file[i].seen)
			n += f->file[i].n;
	return n;
}

static inline struct flash_file *flash_find(struct flash *f, enum store_kind k,
					    uint32_t number)
{
	for (size_t i = 0; i < FLASH_FILES; i++)
		if (f->file[i].used && f->file[i].seen &&
		    f->file[i].kind == k && f->file[i].number == number)
			return &f->file[i];
	return NULL;
}

/* One more operation. OK: do it. E_PEER_GONE: do it, but the power goes now and
 * nothing is reported. Else: do not, and report that. */
static inline int flash_op(struct flash *f)
{
	f->why = "the power is off";
	if (f->off)
		return E_IO;
	f->ops++;
	if (f->fault_at == 0 || f->ops < f->fault_at ||
	    (f->ops > f->fault_at && !f->sticky))
		return OK;
	f->why = f->fault == E_FULL ? "no room" : "the medium fails";
	if (f->fault != OK)
		return f->fault;
	f->off = true;
	return E_PEER_GONE;
}

static inline int flash_list(void *dev, enum store_kind k, uint32_t *number,
			     size_t *n)
{
	struct flash *f = dev;

	*n = 0;
	if (f->off)
		return E_IO;
	for (size_t i = 0; i < FLASH_FILES; i++) {
		size_t at = *n;

		if (!f->file[i].used || !f->file[i].seen ||
		    f->file[i].kind != k)
			continue;
		for (; at > 0 && number[at - 1] < f->file[i].number; at--)
			number[at] = number[at - 1];
		number[at] = f->file[i].number;
		++*n;
	}
	return OK;
}

static inline int flash_create(void *dev, enum store_kind k, uint32_t number)
{
	struct flash *f = dev;
	size_t i = 0;
	int r;

	if (flash_find(f, k, number))
		return E_AGAIN;
	r = flash_op(f);
	if (r != OK && r != E_PEER_GONE)
		return r;
	while (i < FLASH_FILES && f->file[i].used)
		i++;
	if (i == FLASH_FILES)
		abort();
	f->file[i] = (struct flash_file){ .used = true,
					  .seen = true,
					  .kind = k,
					  .number = number,
					  .born = ++f->births };
	f->open = &f->file[i];
	return r == OK ? OK : E_IO;
}

static inline int flash_open(void *dev, enum store_kind k, uint32_t number,
			     uint64_t *size)
{
	struct flash *f = dev;

	if (f->off)
		return E_IO;
	f->open = flash_find(f, k, number);
	f->at = 0;
	f->why = "no such file";
	if (!f->open)
		return E_IO;
	*size = f->open->n;
	return OK;
}

static inline int flash_write(void *dev, struct span s)
{
	struct flash *f = dev;

	while (s.n > 0) {
		size_t n = s.n < FLASH_BLOCK ? s.n : FLASH_BLOCK;
		int r = flash_op(f);

		if (r != OK && r != E_PEER_GONE)
			return r;
		f->why = "no room";
		if (n > f->capacity - flash_used(f))
			return E_FULL;
		if (f->open->n + n > FLASH_BYTES)
			abort();
		memcpy(f->open->p + f->open->n, s.p, n);
		if (f->liar)
			f->open->p[f->open->n + n / 2] ^= 4;
		f->open->n += n;
		if (r != OK)
			return E_IO;
		s = span_skip(s, n);
		if (flash_used(f) > f->widest)
			f->widest = flash_used(f);
	}
	return OK;
}

static inline int flash_read(void *dev, uint8_t *p, size_t size, size_t *n)
{
	struct flash *f = dev;

	*n = 0;
	f->why = "the medium fails";
	if (f->off || f->open->unreadable)
		return E_IO;
	*n = size < f->open->n - f->at ? size : f->open->n - f->at;
	if (*n > 0)
		memcpy(p, f->open->p + f->at, *n);
	f->at += *n;
	return OK;
}

static inline int flash_sync(void *dev)
{
	struct flash *f = dev;
	int r = flash_op(f);

	if (r == OK)
		f->open->synced = f->open->n;
	return r == E_PEER_GONE ? E_IO : r;
}

static inline void flash_close(void *dev)
{
	struct flash *f = dev;

	f->open = NULL;
}

static inline int flash_unlink(void *dev, enum store_kind k, uint32_t number)
{
	struct flash *f = dev;
	struct flash_file *file = flash_find(f, k, number);
	int r;

	if (!file)
		return f->off ? E_IO : OK;
	r = flash_op(f);
	if (r != OK && r != E_PEER_GONE)
		return r;
	file->seen = false;
	file->used = file->durable;
	return r == OK ? OK : E_IO;
}

static inline int flash_dirsync(void *dev)
{
	struct flash *f = dev;
	int r = flash_op(f);

	if (r != OK)
		return r == E_PEER_GONE ? E_IO : r;
	for (size_t i = 0; i < FLASH_FILES; i++) {
		f->file[i].durable = f->file[i].seen;
		f->file[i].used &= f->file[i].seen;
	}
	return OK;
}

static inline const char *flash_why(void *dev)
{
	return ((struct flash *)dev)->why;
}

static const struct store_ops flash_ops = {
	.list = flash_list,
	.create = flash_create,
	.open = flash_open,
	.write = flash_write,
	.read = flash_read,
	.sync = flash_sync,
	.close = flash_close,
	.unlink = flash_unlink,
	.dirsync = flash_dirsync,
	.why = flash_why,
};

/* --- cuts -------------------------------------------------------------------- */
static inline void flash_noise(struct flash *f, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)flash_random(f);
}

static inline void flash_tear_blocks(struct flash *f, struct flash_file *file)
{
	for (size_t at = file->synced; at < file->n; at += FLASH_BLOCK) {
		size_t n = file->n - at < FLASH_BLOCK ? file->n - at
						      : FLASH_BLOCK;

		switch (flash_random(f) % 4) {
		case 0: break;
		case 1: memset(file->p + at, 0, n); break;
		case 2: flash_noise(f, file->p + at, n); break;
		case 3: memset(file->p + at + n / 2, 0xff, n - n / 2); break;
		}
	}
	if (flash_random(f) % 2)
		file->n -= flash_random(f) % (file->n - file->synced + 1);
}

static inline void flash_tear(struct flash *f, struct flash_file *file,
			      enum flash_octets how)
{
	uint8_t *p = file->p + file->synced;
	size_t n = file->n - file->synced;

	if (n == 0)
		return;
	switch (how) {
	case OCTETS_KEPT: break;
	case OCTETS_LOST: file->n = file->synced; break;
	case OCTETS_HALF: file->n -= n - n / 2; break;
	case OCTETS_ZEROS: memset(p, 0, n); break;
	case OCTETS_NOISE: flash_noise(f, p, n); break;
	case OCTETS_HALF_ZEROS: memset(p + n / 2, 0, n - n / 2); break;
	case OCTETS_RANDOM: flash_tear_blocks(f, file); break;
	case OCTETS_WAYS: abort();
	}
}

/* Two files of one name cannot come back: the younger one does. */
static inline void flash_one_of_a_name(struct flash *f)
{
	for (size_t i = 0; i < FLASH_FILES; i++)
		for (size_t j = 0; j < FLASH_FILES; j++)
			if (f->file[i].used && f->file[j].used &&
			    f->file[i].kind == f->file[j].kind &&
			    f->file[i].number == f->file[j].number &&
			    f->file[i].born < f->file[j].born)
				f->file[i].used = false;
}

/* The program is started again; the power was never off. */
static inline void flash_restart(struct flash *f)
{
	f->off = false;
	f->open = NULL;
	f->fault_at = f->ops = 0;
}

/* The power comes back; what is there now is on the medium. */
static inline void flash_power_on(struct flash *f, enum flash_octets octets,
				  enum flash_names names)
{
	flash_restart(f);
	for (size_t i = 0; i < FLASH_FILES; i++) {
		struct flash_file *file = &f->file[i];
		bool there = file->seen;

		if (!file->used)
			continue;
		if (names == NAMES_LOST)
			there = file->durable;
		if (names == NAMES_RANDOM && file->seen != file->durable)
			there = flash_random(f) % 2;
		file->used = file->seen = file->durable = there;
		flash_tear(f, file, octets);
		file->synced = file->n;
	}
	flash_one_of_a_name(f);
}

/* Make the power go (fault OK) or an error come at operation n from now. */
static inline void flash_fault(struct flash *f, uint64_t n, int fault,
			       bool sticky)
{
	f->ops = 0;
	f->fault_at = n;
	f->fault = fault;
	f->sticky = sticky;
}

#endif
