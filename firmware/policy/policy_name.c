/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_name - does the name in a certificate satisfy a name of the list?
 * The name in the certificate is foreign; it must be well formed to match
 * anything at all.
 */
#include "policy/policy.h"

static bool name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* Labels of 1 to 63 octets with single dots between them. */
static bool well_formed(struct span name, unsigned *labels)
{
	size_t label = 0;

	*labels = 1;
	if (name.n == 0 || name.n > POLICY_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '.') {
			if (label == 0 || label > 63)
				return false;
			label = 0;
			++*labels;
		} else if (!name_byte(name.p[i])) {
			return false;
		} else {
			label++;
		}
	}
	return label > 0 && label <= 63;
}

static bool ends_with(struct span s, struct span tail)
{
	return s.n > tail.n && span_eq(span_skip(s, s.n - tail.n), tail);
}

bool policy_name_matches(struct span cert_name, struct span match)
{
	bool wild = cert_name.n > 2 && cert_name.p[0] == '*' &&
		    cert_name.p[1] == '.';
	struct span plain = wild ? span_skip(cert_name, 2) : cert_name;
	unsigned labels;
	size_t dot;

	if (match.n == 0 || !well_formed(plain, &labels) ||
	    (wild && labels < 2))
		return false;
	/* ".example": any name below. "*.example" is one, whatever its first
	 * label stands for. */
	if (match.p[0] == '.')
		return ends_with(wild ? span_skip(cert_name, 1) : cert_name,
				 match) ||
		       (wild && span_eq(span_skip(cert_name, 1), match));
	if (!wild)
		return span_eq(cert_name, match);
	for (dot = 0; dot < match.n && match.p[dot] != '.'; dot++)
		;
	return dot > 0 && dot < match.n &&
	       span_eq(span_skip(match, dot + 1), plain);
}
