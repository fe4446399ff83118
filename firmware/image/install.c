/* SPDX-License-Identifier: BSD-2-Clause */
/* install - see install.h. */
#include "image/install.h"

enum { PIECE = 64 << 10 };

static const enum part env_part[] = { PART_ENV_A, PART_ENV_B };

static enum part part_of(enum slot s)
{
	return s == SLOT_B ? PART_SLOT_B : PART_SLOT_A;
}

static void breathe(const struct install *i)
{
	if (i->alive)
		i->alive();
}

static int medium(struct install *i)
{
	i->why = i->ops->why(i->dev);
	return E_IO;
}

static int worn(struct install *i)
{
	i->why = "the flash does not keep what is written to it";
	return E_IO;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- octets -------------------------------------------------------------------- */
static int compare(struct install *i, enum part p, size_t at, struct span want)
{
	static uint8_t got[PIECE];

	while (want.n > 0) {
		size_t n = smaller(want.n, sizeof(got));

		if (i->ops->read(i->dev, p, at, got, n) != OK)
			return medium(i);
		if (memcmp(got, want.p, n) != 0)
			return worn(i);
		want = span_skip(want, n);
		at += n;
		breathe(i);
	}
	return OK;
}

static int write(struct install *i, enum part p, size_t at, struct span s)
{
	while (s.n > 0) {
		size_t n = smaller(s.n, PIECE);

		if (i->ops->write(i->dev, p, at, (struct span){ s.p, n }) != OK)
			return medium(i);
		s = span_skip(s, n);
		at += n;
		breathe(i);
	}
	return OK;
}

/* As many blocks as n octets need, the first one first. */
static int erase(struct install *i, enum part p, size_t n)
{
	size_t block = i->ops->block(i->dev, p);

	for (size_t at = 0; at < n; at += block) {
		if (i->ops->erase(i->dev, p, at) != OK)
			return medium(i);
		breathe(i);
	}
	return OK;
}

/* --- the environment ------------------------------------------------------------ */
int install_open(struct install *i, const struct part_ops *ops, void *dev,
		 enum slot runs, void (*alive)(void))
{
	memset(i, 0, sizeof(*i));
	i->ops = ops;
	i->dev = dev;
	i->runs = runs;
	i->alive = alive;
	for (int c = 0; c < 2; c++)
		if (ops->read(dev, env_part[c], 0, i->copy[c], BOOT_ENV_SIZE) !=
		    OK)
			return medium(i);
	i->current = boot_env_choose(i->copy[0], i->copy[1]);
	boot_env_init(&i->env, i->current < 0 ? NULL : i->copy[i->current]);
	return OK;
}

static int save_env(struct install *i)
{
	static const uint8_t obsolete[] = { BOOT_ENV_OBSOLETE };
	int fresh = i->current == 0 ? 1 : 0;
	enum part p = env_part[fresh];
	struct span raw = { i->env.raw, BOOT_ENV_SIZE };
	int r;

	boot_env_seal(&i->env);
	r = erase(i, p, BOOT_ENV_SIZE);
	if (r == OK)
		r = write(i, p, 0, raw);
	if (r == OK)
		r = compare(i, p, 0, raw);
	if (r == OK && i->current >= 0)
		r = write(i, env_part[i->current], BOOT_ENV_FLAG,
			  (struct span){ obsolete, sizeof(obsolete) });
	if (r == OK)
		i->current = fresh;
	return r;
}

/* What the medium holds after an error is not known: read it again. */
static int finish(struct install *i, int r)
{
	const char *why = i->why;

	if (r == OK)
		return OK;
	if (install_open(i, i->ops, i->dev, i->runs, i->alive) == OK)
		i->why = why;
	return r;
}

static int no_room(struct install *i)
{
	i->why = "no room in the environment of the boot loader";
	return E_FULL;
}

int install_confirm(struct install *i)
{
	int r = slot_confirm(&i->env, i->runs);

	return finish(i, r == OK ? save_env(i) : no_room(i));
}

/* --- the image ------------------------------------------------------------------- */
int install_image(struct install *i, struct span file)
{
	enum slot s = slot_other(i->runs);
	enum part p = part_of(s);
	size_t first = smaller(file.n, i->ops->block(i->dev, p));
	struct slot_plan plan = slot_plan(&i->env);
	int r;

	if (slot_mode(&plan, i->runs) == SLOT_TRIAL) {
		i->why = "what runs is on trial, and would go back to the slot "
			 "that this is for; confirm it first";
		return E_PEER_ORDER;
	}
	if (file.n > i->ops->size(i->dev, p)) {
		i->why = "the image is larger than a slot";
		return E_FULL;
	}
	r = erase(i, p, file.n);
	if (r == OK)
		r = write(i, p, first, span_skip(file, first));
	if (r == OK)
		r = write(i, p, 0, (struct span){ file.p, first });
	if (r == OK)
		r = compare(i, p, 0, file);
	if (r != OK)
		return r;
	r = slot_begin(&i->env, s);
	return finish(i, r == OK ? save_env(i) : no_room(i));
}

int install_look(struct install *i, enum slot s, struct image *m,
		 uint8_t room[IMAGE_TRAILER])
{
	enum part p = part_of(s);
	uint8_t head[IMAGE_FIT_HEAD];
	size_t n;

	i->why = "empty";
	if (i->ops->read(i->dev, p, 0, head, sizeof(head)) != OK)
		return medium(i);
	n = image_size((struct span){ head, sizeof(head) });
	if (n == 0 || n > i->ops->size(i->dev, p))
		return E_CORRUPT;
	if (i->ops->read(i->dev, p, n - IMAGE_TRAILER, room, IMAGE_TRAILER) !=
	    OK)
		return medium(i);
	return image_parse_trailer(m, room, n - IMAGE_TRAILER, &i->why);
}
