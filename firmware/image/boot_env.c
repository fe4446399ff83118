/* SPDX-License-Identifier: BSD-2-Clause */
/* boot_env - see boot_env.h. */
#include "base/bytes.h"
#include "base/crc32.h"
#include "image/boot_env.h"

enum { DATA = BOOT_ENV_SIZE - BOOT_ENV_DATA };

static bool whole(const uint8_t *raw)
{
	struct span data = { raw + BOOT_ENV_DATA, DATA };

	return get_le32(raw) == crc32(0, data);
}

int boot_env_choose(const uint8_t *a, const uint8_t *b)
{
	bool ok_a = whole(a), ok_b = whole(b);

	if (!ok_a && !ok_b)
		return E_CORRUPT;
	if (ok_a != ok_b)
		return ok_a ? 0 : 1;
	return b[BOOT_ENV_FLAG] > a[BOOT_ENV_FLAG];
}

/* Where the entry at ends: its NUL, or the end of the data. */
static size_t entry_end(const struct boot_env *e, size_t at)
{
	const uint8_t *data = e->raw + BOOT_ENV_DATA;

	while (at < DATA && data[at] != 0)
		at++;
	return at;
}

void boot_env_init(struct boot_env *e, const uint8_t *raw)
{
	memset(e, 0, sizeof(*e));
	if (!raw)
		return;
	memcpy(e->raw, raw, BOOT_ENV_SIZE);
	while (e->n < DATA - 1 && e->raw[BOOT_ENV_DATA + e->n] != 0)
		e->n = entry_end(e, e->n) + 1;
	/* the last one without its end: U-Boot never writes that */
	if (e->n > DATA - 1)
		e->n = DATA - 1;
	memset(e->raw + BOOT_ENV_DATA + e->n, 0, DATA - e->n);
}

/* Offset of the entry of name in the data; e->n: there is none. Of several the
 * last one counts, as for U-Boot. */
static size_t find(const struct boot_env *e, const char *name)
{
	const uint8_t *data = e->raw + BOOT_ENV_DATA;
	size_t n = strlen(name), at = 0, found = e->n;

	while (at < e->n) {
		size_t end = entry_end(e, at);

		if (end - at > n && data[at + n] == '=' &&
		    memcmp(data + at, name, n) == 0)
			found = at;
		at = end + 1;
	}
	return found;
}

struct span boot_env_get(const struct boot_env *e, const char *name)
{
	size_t at = find(e, name), value = at + strlen(name) + 1;

	if (at == e->n)
		return (struct span){ NULL, 0 };
	return (struct span){ e->raw + BOOT_ENV_DATA + value,
			      entry_end(e, at) - value };
}

uint32_t boot_env_number(const struct boot_env *e, const char *name,
			 uint32_t missing)
{
	struct span s = boot_env_get(e, name);
	uint32_t v = 0;

	if (s.n == 0 || s.n > 9)
		return missing;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return missing;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	return v;
}

int boot_env_set(struct boot_env *e, const char *name, const char *value)
{
	uint8_t *data = e->raw + BOOT_ENV_DATA;
	size_t at = find(e, name), n = strlen(name), old = 0;
	size_t add = n + 1 + strlen(value) + 1;

	if (at < e->n)
		old = entry_end(e, at) + 1 - at;
	if (add > DATA - 1 - (e->n - old))
		return E_FULL;
	memmove(data + at, data + at + old, e->n - at - old);
	e->n -= old;
	memcpy(data + e->n, name, n);
	data[e->n + n] = '=';
	memcpy(data + e->n + n + 1, value, add - n - 1);
	e->n += add;
	memset(data + e->n, 0, DATA - e->n);
	return OK;
}

void boot_env_seal(struct boot_env *e)
{
	struct span data = { e->raw + BOOT_ENV_DATA, DATA };

	put_le32(e->raw, crc32(0, data));
	e->raw[BOOT_ENV_FLAG] = BOOT_ENV_ACTIVE;
}
