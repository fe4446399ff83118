/* SPDX-License-Identifier: BSD-2-Clause */
/* image - see image.h. */
#include "base/bytes.h"
#include "crypto/crypto_signature.h"
#include "image/image.h"

enum {
	FORMAT = 1,
	FIT_MAGIC = 0xd00dfeed, /* of a device tree, which a FIT is */
	AT_FORMAT = 8,
	AT_SCHEMA = 10,
	AT_LENGTH = 12,
	AT_MADE = 16,
	AT_BOARD = 24,
	AT_VERSION = 56,
	AT_SHA256 = 88,
	AT_SIGNATURE_N = 120,
	AT_ZEROS = 124,
	SIGNATURE_MIN = 256,
};

static bool zeros(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return any == 0;
}

/* A word and zeros behind it; nothing that a terminal would obey. */
static bool word(char out[IMAGE_WORD], const uint8_t *p)
{
	size_t n = 0;

	while (n < IMAGE_WORD && p[n] > ' ' && p[n] < 0x7f)
		n++;
	if (n == 0 || n == IMAGE_WORD || !zeros(p + n, IMAGE_WORD - n))
		return false;
	memcpy(out, p, IMAGE_WORD);
	return true;
}

size_t image_size(struct span head)
{
	uint32_t n;

	if (head.n < IMAGE_FIT_HEAD || get_be32(head.p) != FIT_MAGIC)
		return 0;
	n = get_be32(head.p + 4);
	return n < IMAGE_FIT_HEAD || n > IMAGE_MAX - IMAGE_TRAILER
		       ? 0
		       : n + IMAGE_TRAILER;
}

int image_parse_trailer(struct image *m, const uint8_t *trailer, size_t fit_n,
			const char **why)
{
	const uint8_t *t = trailer;
	size_t signature_n = get_le32(t + AT_SIGNATURE_N);

	memset(m, 0, sizeof(*m));
	*why = "not an image of this firmware";
	if (memcmp(t, "sealwire", AT_FORMAT) != 0)
		return E_CORRUPT;
	*why = "its trailer has a format that this firmware does not know";
	if (get_le16(t + AT_FORMAT) != FORMAT)
		return E_CORRUPT;
	*why = "its trailer is damaged";
	if (get_le32(t + AT_LENGTH) != fit_n || signature_n < SIGNATURE_MIN ||
	    signature_n > CRYPTO_SIGNATURE_MAX ||
	    !word(m->board, t + AT_BOARD) ||
	    !word(m->version, t + AT_VERSION) ||
	    !zeros(t + AT_ZEROS, IMAGE_SIGNED - AT_ZEROS) ||
	    !zeros(t + IMAGE_SIGNED + signature_n,
		   IMAGE_TRAILER - IMAGE_SIGNED - signature_n))
		return E_CORRUPT;
	m->schema = get_le16(t + AT_SCHEMA);
	m->made_s = get_le64(t + AT_MADE);
	memcpy(m->sha256, t + AT_SHA256, sizeof(m->sha256));
	m->signed_part = (struct span){ t, IMAGE_SIGNED };
	m->signature = (struct span){ t + IMAGE_SIGNED, signature_n };
	m->fit.n = fit_n;
	return OK;
}

int image_parse(struct image *m, struct span file, const char **why)
{
	int r;

	memset(m, 0, sizeof(*m));
	*why = "not an image of this firmware";
	if (image_size(file) == 0)
		return E_CORRUPT;
	*why = "not whole, or longer than it should be";
	if (image_size(file) != file.n)
		return E_CORRUPT;
	r = image_parse_trailer(m, file.p + file.n - IMAGE_TRAILER,
				file.n - IMAGE_TRAILER, why);
	m->fit.p = file.p;
	return r;
}

int image_verify(const struct image *m, struct span key, void (*alive)(void),
		 const char **why)
{
	uint8_t digest[CRYPTO_SHA256];
	int r = crypto_signature_check(key, m->signed_part, m->signature);

	*why = r == E_CONF ? "the key of this box cannot be read"
			   : "not signed with the key that this box trusts";
	if (r != OK)
		return E_CORRUPT;
	crypto_sha256(digest, m->fit, alive);
	*why = "damaged: it is not what was signed";
	return memcmp(digest, m->sha256, sizeof(digest)) == 0 ? OK : E_CORRUPT;
}

/* --- versions ------------------------------------------------------------------ */
enum { NUMBERS = 4, DIGITS = 9 };

static bool number(struct span *s, uint32_t *v)
{
	size_t n = 0;

	*v = 0;
	while (n < s->n && n < DIGITS && s->p[n] >= '0' && s->p[n] <= '9')
		*v = *v * 10 + (uint32_t)(s->p[n++] - '0');
	*s = span_skip(*s, n);
	return n > 0;
}

static bool take(struct span *s, struct span word_)
{
	if (s->n < word_.n || memcmp(s->p, word_.p, word_.n) != 0)
		return false;
	*s = span_skip(*s, word_.n);
	return true;
}

static bool version(struct span s, uint32_t v[NUMBERS])
{
	size_t hash = 0;

	v[3] = 0;
	if (!number(&s, &v[0]) || !take(&s, SPAN_LIT(".")) ||
	    !number(&s, &v[1]) || !take(&s, SPAN_LIT(".")) ||
	    !number(&s, &v[2]))
		return false;
	if (s.n > 1 && s.p[0] == '-' && s.p[1] >= '0' && s.p[1] <= '9') {
		s = span_skip(s, 1);
		if (!number(&s, &v[3]))
			return false;
		if (take(&s, SPAN_LIT("-g"))) {
			while (hash < s.n && s.p[hash] != '-')
				hash++;
			if (hash == 0)
				return false;
			s = span_skip(s, hash);
		}
	}
	(void)take(&s, SPAN_LIT("-dirty"));
	return s.n == 0;
}

int image_version_compare(struct span a, struct span b, int *order)
{
	uint32_t va[NUMBERS], vb[NUMBERS];

	*order = 0;
	if (!version(a, va) || !version(b, vb))
		return E_CONF;
	for (size_t i = 0; i < NUMBERS && *order == 0; i++)
		if (va[i] != vb[i])
			*order = va[i] < vb[i] ? -1 : 1;
	return OK;
}

/* --- is it for us --------------------------------------------------------------- */
#define MEAN_IT "; with the word downgrade it is installed\n"

static int refuse(struct text *why, const char *a, const char *b, const char *c,
		  const char *d, const char *end)
{
	text_str(why, a);
	text_str(why, b);
	text_str(why, c);
	text_str(why, d);
	text_str(why, end);
	return E_CONF;
}

static int too_large(const struct image *m, const struct image_rules *r,
		     struct text *why)
{
	text_str(why, "the image has ");
	text_u64(why, m->fit.n + IMAGE_TRAILER);
	text_str(why, " octets, a slot ");
	text_u64(why, r->room);
	text_str(why, "\n");
	return E_CONF;
}

int image_judge(const struct image *m, const struct image_rules *r,
		struct text *why)
{
	int order;

	if (m->fit.n + IMAGE_TRAILER > r->room)
		return too_large(m, r, why);
	if (strcmp(m->board, r->board) != 0)
		return refuse(why, "the image is for the board ", m->board,
			      ", this is ", r->board, "\n");
	if (r->downgrade)
		return OK;
	if (image_version_compare(span_str(m->version), span_str(r->version),
				  &order) != OK)
		return refuse(why, "nobody can say which is newer, version ",
			      m->version, " or, in use, ", r->version, MEAN_IT);
	if (order < 0)
		return refuse(why, "version ", m->version,
			      " is older than the one in use, ", r->version,
			      MEAN_IT);
	if (m->schema < r->schema)
		return refuse(why, "version ", m->version,
			      " cannot read the configuration in use", "",
			      MEAN_IT);
	return OK;
}
