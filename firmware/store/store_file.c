/* SPDX-License-Identifier: BSD-2-Clause */
/* store_file - see store_file.h. */
#include <stdlib.h>
#include "base/bytes.h"
#include "store/store_file.h"

enum {
	FORMAT = 1,
	NONCES_AT = 40,
	SEALED_AT = 64,
	TAG_AT = SEALED_AT + STORE_COMMENT,
	PIECE = 16384, /* so much in one turn: a multiple of 16 */
	DIGITS = 8,
};

static const char magic[] = "sealwire";
static const char why_torn[] = "it is not whole";
static const char why_other[] = "it is not a file of this store";
static const char why_newer[] = "newer firmware has written it";
static const char why_bad[] =
	"it does not verify: damaged, or sealed with another secret";
static const char why_memory[] = "not enough memory";
static const char why_worn[] =
	"what is read back is not what was written: the flash is worn";

static const char *const prefix[STORE_KINDS] = {
	[STORE_CONF] = "cfg.",	      [STORE_RESCUE] = "rescue.",
	[STORE_SECRET] = "secret.",   [STORE_RESET] = "reset.",
	[STORE_PASSWORD] = "admin.",  [STORE_KEPT] = "kept.",
	[STORE_KEYS] = "keys.",	      [STORE_CLOCK] = "clock.",
	[STORE_LEARNED] = "learned.",
};

/* --- names ------------------------------------------------------------------- */
void store_file_name(char name[STORE_FILE_NAME], enum store_kind k,
		     uint32_t number)
{
	size_t n = strlen(prefix[k]);

	memcpy(name, prefix[k], n);
	for (size_t i = DIGITS; i-- > 0; number /= 10)
		name[n + i] = (char)('0' + number % 10);
	name[n + DIGITS] = '\0';
}

bool store_file_is(enum store_kind k, const char *name, uint32_t *number)
{
	size_t n = strlen(prefix[k]);

	*number = 0;
	if (strncmp(name, prefix[k], n) != 0 || strlen(name) != n + DIGITS)
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		if (name[n + i] < '0' || name[n + i] > '9')
			return false;
		*number = 10 * *number + (uint32_t)(name[n + i] - '0');
	}
	return *number > 0;
}

/* --- header ------------------------------------------------------------------ */
/* Pack and seal a header; info: all but state and skipped. E_FULL: no memory. */
MUST_CHECK static int pack(uint8_t head[STORE_FILE_HEAD],
			   const uint8_t key[SEAL_SECRET], enum store_kind k,
			   const struct store_info *info,
			   const uint8_t nonces[2 * SEAL_NONCE])
{
	uint8_t comment[STORE_COMMENT] = { 0 };
	struct seal *seal;

	memcpy(head, magic, 8);
	put_le16(head + 8, FORMAT);
	put_le16(head + 10, (uint16_t)k);
	put_le32(head + 12, info->schema);
	put_le64(head + 16, info->number);
	put_le64(head + 24, info->time_s);
	put_le64(head + 32, info->size);
	memcpy(head + NONCES_AT, nonces, 2 * SEAL_NONCE);
	memcpy(comment, info->comment, strnlen(info->comment, STORE_COMMENT));
	seal = seal_new(SEAL_SHUT, key, head + NONCES_AT,
			(struct span){ head, SEALED_AT });
	if (!seal)
		return E_FULL;
	seal_piece(seal, comment, head + SEALED_AT, STORE_COMMENT);
	seal_tag(seal, head + TAG_AT);
	seal_free(seal);
	return OK;
}

/* What can be said without a key. */
static const char *look(const uint8_t head[STORE_FILE_HEAD], enum store_kind k,
			uint32_t number, uint64_t size)
{
	if (memcmp(head, magic, 8) != 0)
		return why_other;
	if (get_le16(head + 8) != FORMAT)
		return why_newer;
	if (get_le16(head + 10) != (uint16_t)k || get_le64(head + 16) != number)
		return why_other;
	/* size is at least FRAME */
	if (get_le64(head + 32) != size - STORE_FILE_FRAME)
		return why_torn;
	return NULL;
}

/* Verify a header and take it apart. The file has the name of k and number, and is
 * size octets long. E_CORRUPT: *why says why; E_FULL: no memory. */
MUST_CHECK static int parse(struct store_info *info,
			    const uint8_t head[STORE_FILE_HEAD],
			    const uint8_t key[SEAL_SECRET], enum store_kind k,
			    uint32_t number, uint64_t size, const char **why)
{
	struct seal *seal;
	int r;

	*info = (struct store_info){ .number = number, .state = E_CORRUPT };
	*why = size < STORE_FILE_FRAME ? why_torn : look(head, k, number, size);
	if (*why)
		return E_CORRUPT;
	seal = seal_new(SEAL_OPEN, key, head + NONCES_AT,
			(struct span){ head, SEALED_AT });
	if (!seal) {
		*why = why_memory;
		return E_FULL;
	}
	seal_piece(seal, head + SEALED_AT, (uint8_t *)info->comment,
		   STORE_COMMENT);
	r = seal_check(seal, head + TAG_AT);
	seal_free(seal);
	if (r != OK) {
		seal_wipe(info->comment, sizeof(info->comment));
		*why = why_bad;
		return r;
	}
	info->schema = get_le32(head + 12);
	info->time_s = get_le64(head + 24);
	info->size = get_le64(head + 32);
	if (info->schema > STORE_SCHEMA || info->size > STORE_BODY_MAX) {
		*why = why_newer;
		return E_CORRUPT;
	}
	info->state = OK;
	return OK;
}

/* --- writing ----------------------------------------------------------------- */
static void breathe(struct store *s)
{
	if (s->alive)
		s->alive();
}

static uint8_t piece[PIECE];

static int write_body(struct store *s, struct seal *seal, struct span body,
		      uint64_t *missing)
{
	uint8_t tag[SEAL_TAG];
	int r;

	while (body.n > 0) {
		size_t n = body.n < PIECE ? body.n : PIECE;

		seal_piece(seal, body.p, piece, n);
		r = s->ops->write(s->dev, (struct span){ piece, n });
		if (r != OK)
			return r;
		body = span_skip(body, n);
		*missing -= n;
		breathe(s);
	}
	seal_tag(seal, tag);
	r = s->ops->write(s->dev, (struct span){ tag, SEAL_TAG });
	if (r == OK)
		*missing = 0;
	return r;
}

/* *missing counts down as the octets find room. */
static int write_all(struct store *s, const uint8_t head[STORE_FILE_HEAD],
		     struct seal *seal, enum store_kind k, uint32_t number,
		     struct span body, uint64_t *missing)
{
	int r = s->ops->create(s->dev, k, number);

	if (r != OK)
		return r;
	r = s->ops->write(s->dev, (struct span){ head, STORE_FILE_HEAD });
	if (r == OK) {
		*missing -= STORE_FILE_HEAD;
		r = write_body(s, seal, body, missing);
	}
	if (r == OK)
		r = s->ops->sync(s->dev);
	s->ops->close(s->dev);
	if (r == OK)
		r = s->ops->dirsync(s->dev);
	/* A full medium may say so as late as this. */
	if (r == E_FULL && *missing == 0)
		*missing = 1;
	return r;
}

int store_file_write(struct store *s, const uint8_t key[SEAL_SECRET],
		     enum store_kind k, const struct store_info *info,
		     struct span body, uint64_t *missing, const char **why)
{
	uint8_t nonces[2 * SEAL_NONCE], head[STORE_FILE_HEAD];
	struct store_info again;
	struct seal *seal;
	uint64_t size;
	int r;

	*missing = 0;
	*why = "no random octets";
	r = seal_random(nonces, sizeof(nonces));
	if (r != OK)
		return r;
	*why = why_memory;
	r = pack(head, key, k, info, nonces);
	if (r != OK)
		return r;
	seal = seal_new(SEAL_SHUT, key, nonces + SEAL_NONCE,
			(struct span){ head, sizeof(head) });
	if (!seal)
		return E_FULL;
	*missing = STORE_FILE_FRAME + body.n;
	r = write_all(s, head, seal, k, info->number, body, missing);
	seal_free(seal);
	if (r != OK) {
		*why = s->ops->why(s->dev);
		return r;
	}
	r = store_file_read(s, key, k, info->number, &again, &size, NULL, why);
	if (r != E_CORRUPT)
		return r;
	*why = why_worn;
	return E_IO;
}

/* --- reading ----------------------------------------------------------------- */

/* Exactly n octets. */
static int read_all(struct store *s, uint8_t *p, size_t n, const char **why)
{
	size_t got = 0;
	int r = s->ops->read(s->dev, p, n, &got);

	*why = r == OK ? why_torn : s->ops->why(s->dev);
	if (r != OK)
		return r == E_FULL ? E_IO : r;
	return got == n ? OK : E_CORRUPT;
}

/* text NULL: the pieces are only looked at. */
static int read_body(struct store *s, struct seal *seal, uint8_t *text,
		     uint64_t size, const char **why)
{
	uint8_t tag[SEAL_TAG];
	size_t n;
	int r;

	for (; size > 0; size -= n) {
		uint8_t *to = text ? text : piece;

		n = size < PIECE ? (size_t)size : PIECE;
		r = read_all(s, to, n, why);
		if (r != OK)
			return r;
		seal_piece(seal, to, to, n);
		if (text)
			text += n;
		else
			seal_wipe(piece, n);
		breathe(s);
	}
	r = read_all(s, tag, SEAL_TAG, why);
	if (r != OK)
		return r;
	*why = why_bad;
	return seal_check(seal, tag);
}

/* Open it and verify the header; the file stays open if OK is returned. */
static int begin(struct store *s, const uint8_t key[SEAL_SECRET],
		 enum store_kind k, uint32_t number, struct store_info *info,
		 uint64_t *size, uint8_t head[STORE_FILE_HEAD],
		 const char **why)
{
	int r;

	*info = (struct store_info){ .number = number };
	*size = 0;
	r = s->ops->open(s->dev, k, number, size);
	if (r != OK) {
		*why = s->ops->why(s->dev);
		info->state = r;
		return r;
	}
	r = E_CORRUPT;
	*why = why_torn;
	if (*size >= STORE_FILE_FRAME)
		r = read_all(s, head, STORE_FILE_HEAD, why);
	if (r == OK)
		r = parse(info, head, key, k, number, *size, why);
	info->state = r;
	if (r != OK)
		s->ops->close(s->dev);
	return r;
}

int store_file_head(struct store *s, const uint8_t key[SEAL_SECRET],
		    enum store_kind k, uint32_t number, struct store_info *info,
		    uint64_t *size, const char **why)
{
	uint8_t head[STORE_FILE_HEAD];
	int r = begin(s, key, k, number, info, size, head, why);

	if (r == OK)
		s->ops->close(s->dev);
	return r;
}

int store_file_read(struct store *s, const uint8_t key[SEAL_SECRET],
		    enum store_kind k, uint32_t number, struct store_info *info,
		    uint64_t *size, char **text, const char **why)
{
	uint8_t head[STORE_FILE_HEAD], *body = NULL;
	struct seal *seal;
	int r = begin(s, key, k, number, info, size, head, why);

	if (r != OK)
		return r;
	seal = seal_new(SEAL_OPEN, key, head + NONCES_AT + SEAL_NONCE,
			(struct span){ head, sizeof(head) });
	if (text)
		body = malloc((size_t)info->size + 1);
	if (!seal || (text && !body)) {
		*why = why_memory;
		r = E_FULL;
	} else {
		r = read_body(s, seal, body, info->size, why);
	}
	s->ops->close(s->dev);
	seal_free(seal);
	info->state = r;
	if (r == OK && text) {
		body[info->size] = '\0';
		*text = (char *)body;
		return OK;
	}
	if (body)
		seal_wipe(body, (size_t)info->size);
	free(body);
	return r;
}

bool store_file_torn(const char *why)
{
	return why == why_torn;
}
