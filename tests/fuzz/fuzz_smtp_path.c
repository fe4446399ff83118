/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MAIL (first octet odd) or RCPT. What is sent on for a path that is taken
 * parses back to the same; its domain is what stands behind the only "@" of
 * it; nothing in front of that routes; its parameters are in the input.
 */
#include <stdio.h>
#include "base/bug.h"
#include "packet.h"
#include "proto/smtp_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool equal(const struct smtp_path *a, const struct smtp_path *b)
{
	if (a->null != b->null || a->postmaster != b->postmaster ||
	    a->literal != b->literal || a->utf8 != b->utf8 ||
	    a->text_n != b->text_n || a->domain_n != b->domain_n ||
	    a->param_n != b->param_n)
		return false;
	for (size_t i = 0; i < a->param_n; i++)
		if (!span_eq(a->param[i].key, b->param[i].key) ||
		    !span_eq(a->param[i].value, b->param[i].value))
			return false;
	return memcmp(a->text, b->text, a->text_n + 1) == 0 &&
	       memcmp(a->domain, b->domain, a->domain_n + 1) == 0;
}

/* The command as it is sent on. */
static size_t print(char *to, const struct smtp_path *p, bool from)
{
	int n = sprintf(to, "%s:%s", from ? "FROM" : "TO", p->text);

	for (size_t i = 0; i < p->param_n; i++) {
		const struct smtp_param *q = &p->param[i];

		n += sprintf(to + n, " %.*s", (int)q->key.n,
			     (const char *)q->key.p);
		if (q->value.n > 0)
			n += sprintf(to + n, "=%.*s", (int)q->value.n,
				     (const char *)q->value.p);
	}
	return (size_t)n;
}

static void address(const struct smtp_path *p, bool from)
{
	const char *at = strchr(p->text, '@');
	char key[DOMAIN_MAX + 1];
	size_t n;

	BUG_ON(p->text_n < 2 || p->text_n > SMTP_PATH_MAX);
	BUG_ON(strlen(p->text) != p->text_n || p->text[0] != '<' ||
	       p->text[p->text_n - 1] != '>');
	for (size_t i = 0; i < p->text_n; i++)
		BUG_ON((uint8_t)p->text[i] < 0x20 || p->text[i] == 0x7f);
	BUG_ON(p->null && (!from || p->text_n != 2));
	BUG_ON(p->postmaster && from);
	BUG_ON((at != NULL) == (p->null || p->postmaster));
	BUG_ON((p->domain_n > 0) != (at && !p->literal));
	if (!at)
		return;
	BUG_ON(at != strrchr(p->text, '@') || at == p->text + 1);
	for (const char *c = p->text; c < at; c++)
		BUG_ON(*c == '%' || *c == '!');
	BUG_ON((at[1] == '[') != p->literal);
	if (p->literal)
		return;
	BUG_ON(!from && !strchr(p->domain, '.'));
	BUG_ON(domain_normalise(key, &n,
				(struct span){ (const uint8_t *)at + 1,
					       strlen(at) - 2 }) != OK);
	BUG_ON(n != p->domain_n || memcmp(key, p->domain, n + 1) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static char again[4096];
	struct smtp_path p, q;
	struct span arg;
	bool from;

	if (n < 1 || n > 2048)
		return 0;
	from = in[0] & 1;
	arg = pk_guard((struct span){ in + 1, n - 1 });
	memset(&p, '#', sizeof(p));
	if (smtp_path_parse(&p, arg, from) != PATH_OK)
		return 0;
	address(&p, from);
	for (size_t i = 0; i < p.param_n; i++) {
		BUG_ON(p.param[i].key.p < arg.p ||
		       p.param[i].key.p + p.param[i].key.n > arg.p + arg.n);
		BUG_ON(p.param[i].value.p < arg.p ||
		       p.param[i].value.p + p.param[i].value.n > arg.p + arg.n);
	}
	n = print(again, &p, from);
	BUG_ON(smtp_path_parse(&q, (struct span){ (uint8_t *)again, n },
			       from) != PATH_OK);
	BUG_ON(!equal(&p, &q));
	return 0;
}
