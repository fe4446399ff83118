/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_cmd - see smtp_cmd.h. */
#include "proto/smtp_cmd.h"

static const struct {
	const char *word;
	enum smtp_verb verb;
} words[] = {
	{ "EHLO", VERB_EHLO },	       { "HELO", VERB_HELO },
	{ "MAIL", VERB_MAIL },	       { "RCPT", VERB_RCPT },
	{ "DATA", VERB_DATA },	       { "BDAT", VERB_BDAT },
	{ "RSET", VERB_RSET },	       { "NOOP", VERB_NOOP },
	{ "QUIT", VERB_QUIT },	       { "VRFY", VERB_VRFY },
	{ "EXPN", VERB_EXPN },	       { "HELP", VERB_HELP },
	{ "STARTTLS", VERB_STARTTLS }, { "AUTH", VERB_AUTH },
	{ "GET", VERB_FOREIGN },       { "POST", VERB_FOREIGN },
	{ "PUT", VERB_FOREIGN },       { "HEAD", VERB_FOREIGN },
	{ "OPTIONS", VERB_FOREIGN },   { "CONNECT", VERB_FOREIGN },
	{ "DELETE", VERB_FOREIGN },    { "PATCH", VERB_FOREIGN },
	{ "TRACE", VERB_FOREIGN },     { "PRI", VERB_FOREIGN },
	{ "USER", VERB_FOREIGN },      { "HOST:", VERB_FOREIGN },
};

struct smtp_cmd smtp_cmd_parse(struct span line)
{
	struct smtp_cmd c = { VERB_UNKNOWN, { line.p, 0 } };
	size_t n = 0;

	if (smtp_cmd_is_tls(line)) {
		c.verb = VERB_FOREIGN;
		return c;
	}
	if (line.n >= 4 && memcmp(line.p, "SSH-", 4) == 0) {
		c.verb = VERB_FOREIGN;
		return c;
	}
	for (size_t i = 0; i < line.n; i++)
		if ((line.p[i] < 0x20 && line.p[i] != '\t') ||
		    line.p[i] == 0x7f) {
			c.verb = VERB_GARBAGE;
			return c;
		}
	while (n < line.n && line.p[n] != ' ')
		n++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_eq_nocase((struct span){ line.p, n },
				   span_str(words[i].word)))
			c.verb = words[i].verb;
	while (n < line.n && line.p[n] == ' ')
		n++;
	c.arg = span_skip(line, n);
	while (c.arg.n > 0 && c.arg.p[c.arg.n - 1] == ' ')
		c.arg.n--;
	return c;
}
