/* SPDX-License-Identifier: BSD-2-Clause */
/* conf_name - a domain as a person writes it, as policy keeps it. */
#include "base/domain.h"
#include "conf/conf_parse.h"
#include "conf/conf_value.h"

_Static_assert((int)DOMAIN_MAX == (int)POLICY_DOMAIN_MAX,
	       "a name that can be written must fit into a snapshot");

/* Why it is not a name, for the mistakes that people make. */
static const char *why_not(struct span s)
{
	uint8_t ip[16];

	if (s.n == 0)
		return "an empty name";
	if (s.p[0] == '[' || conf_ip(s, ip))
		return "an address is not a domain";
	if (s.p[0] == '*')
		return "not a domain; all below a domain is written .domain";
	if (memchr(s.p, '@', s.n))
		return "not a domain; only what follows the @";
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80)
			return "not certain how to spell this domain; write "
			       "its A-label form (xn--...)";
	return "not a domain; letters, digits, hyphens and dots, labels up to "
	       "63, in all up to 253";
}

const char *conf_name(struct span word, uint8_t *out, size_t *n)
{
	struct span s = word;
	size_t dot = s.n > 0 && s.p[0] == '.' ? 1 : 0;
	uint8_t ip[16];

	s = span_skip(s, dot);
	if (conf_ip(s, ip) || domain_normalise((char *)out + dot, n, s) != OK)
		return why_not(s);
	out[0] = dot ? '.' : out[0];
	*n += dot;
	if (span_eq((struct span){ out, *n }, SPAN_LIT("default")))
		return "not a domain; its own command is \"default LEVEL\"";
	return NULL;
}

const char *conf_label(struct span word, uint8_t out[SECRET_NAME_MAX],
		       size_t *n)
{
	static const char why[] = "not a name; letters, digits and . _ -, the "
				  "first one a letter or digit, up to 64";

	if (word.n == 0 || word.n > SECRET_NAME_MAX)
		return why;
	for (size_t i = 0; i < word.n; i++) {
		uint8_t c = ascii_lower(word.p[i]);
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!plain && (i == 0 || (c != '.' && c != '_' && c != '-')))
			return why;
		out[i] = c;
	}
	*n = word.n;
	return NULL;
}
