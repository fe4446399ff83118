/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_ehlo - see smtp_ehlo.h. */
#include "base/text.h"
#include "proto/smtp_ehlo.h"
#include "proto/smtp_reply.h"

static const struct {
	const char *word;
	unsigned bit;
} words[] = {
	{ "STARTTLS", EHLO_STARTTLS },
	{ "SIZE", EHLO_SIZE },
	{ "8BITMIME", EHLO_8BITMIME },
	{ "SMTPUTF8", EHLO_SMTPUTF8 },
	{ "DSN", EHLO_DSN },
	{ "ENHANCEDSTATUSCODES", EHLO_ENHANCED },
	{ "PIPELINING", EHLO_PIPELINING },
	{ "HELP", EHLO_HELP },
	{ "CHUNKING", EHLO_CHUNKING },
	{ "BINARYMIME", EHLO_BINARYMIME },
	{ "AUTH", EHLO_AUTH },
	{ "LIMITS", EHLO_LIMITS },
	{ "REQUIRETLS", EHLO_REQUIRETLS },
	{ EHLO_BOX_WORD, EHLO_BOX },
};

static unsigned bit_of(struct span line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] != ' ')
		n++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_eq_nocase((struct span){ line.p, n },
				   span_str(words[i].word)))
			return words[i].bit;
	return 0;
}

unsigned smtp_ehlo_parse(struct span raw)
{
	struct span line;
	unsigned caps = 0;

	if (!smtp_reply_line(&raw, &line)) /* the greeting */
		return 0;
	while (smtp_reply_line(&raw, &line))
		caps |= bit_of(line);
	return caps;
}

/* The word at the front of s, which moves behind it and the blanks. */
static struct span take_word(struct span *s)
{
	struct span word = *s;

	word.n = 0;
	while (word.n < s->n && s->p[word.n] != ' ')
		word.n++;
	*s = span_skip(*s, word.n);
	while (s->n > 0 && s->p[0] == ' ')
		*s = span_skip(*s, 1);
	return word;
}

unsigned smtp_ehlo_auth(struct span raw)
{
	struct span line;
	unsigned mechs = 0;

	if (!smtp_reply_line(&raw, &line))
		return 0;
	while (smtp_reply_line(&raw, &line)) {
		const struct span key = SPAN_LIT("AUTH");
		bool plus;

		if (line.n <= key.n ||
		    !span_eq_nocase((struct span){ line.p, key.n }, key) ||
		    (line.p[key.n] != ' ' && line.p[key.n] != '='))
			continue;
		for (line = span_skip(line, key.n + 1); line.n > 0;) {
			enum auth_mech m = auth_mech_of(take_word(&line),
							&plus);

			if (m != AUTH_NONE)
				mechs |= 1u << m << (plus ? EHLO_AUTH_PLUS : 0);
		}
	}
	return mechs;
}

static bool clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* One line, "250-"; the last one is mended by the caller. */
static int put(struct buf *b, struct span s)
{
	if (buf_put(b, SPAN_LIT("250-")) != OK || buf_put(b, s) != OK)
		return E_FULL;
	return buf_put(b, SPAN_LIT("\r\n"));
}

int smtp_ehlo_write(struct buf *b, struct span raw, const char *ours)
{
	size_t before = buf_span(b).n;
	struct span line;
	char first[500];
	struct text t;
	int e;

	text_init(&t, first, sizeof(first));
	if (smtp_reply_line(&raw, &line))
		text_clean(&t, line);
	e = put(b, text_done(&t));
	while (e == OK && smtp_reply_line(&raw, &line)) {
		unsigned bit = bit_of(line);

		if ((bit & EHLO_SHOWN) != 0 && bit != EHLO_PIPELINING &&
		    clean(line))
			e = put(b, line);
	}
	while (e == OK && ours) {
		const char *end = strchr(ours, '\n');

		line = span_str(ours);
		line.n = end ? (size_t)(end - ours) : line.n;
		e = put(b, line);
		ours = end ? end + 1 : NULL;
	}
	if (e == OK)
		e = buf_put(b, SPAN_LIT("250 PIPELINING\r\n"));
	if (e != OK)
		buf_cut(b, before);
	return e;
}
