/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_path - see smtp_path.h. */
#include "proto/smtp_path.h"

static bool is_atext(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c >= 0x80 ||
	       (c != '\0' && strchr("#$&'*+-/=?^_`{|}~", c) != NULL);
}

/* dot-string; 0: none. */
static size_t dot_string(struct span s)
{
	size_t i = 0;

	for (;;) {
		size_t atom = i;

		while (i < s.n && is_atext(s.p[i]))
			i++;
		if (i == atom)
			return 0;
		if (i == s.n || s.p[i] != '.')
			return i;
		i++;
	}
}

/* quoted-string with its quotes; 0: none or not closed. *routes: it holds what
 * some server may take for another address. */
static size_t quoted(struct span s, bool *routes)
{
	for (size_t i = 1; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '"')
			return i + 1;
		if (c == '\\') {
			if (++i == s.n || s.p[i] < 0x20 || s.p[i] > 0x7e)
				return 0;
			c = s.p[i];
		} else if (c < 0x20 || c == 0x7f) {
			return 0;
		}
		if (c == '@' || c == '%' || c == '!')
			*routes = true;
	}
	return 0;
}

/* Shortest form, no surrogates, nothing above U+10FFFF (RFC 3629), and none of
 * the controls that are a line end to some (U+0085). */
static bool is_utf8(struct span s)
{
	while (s.n > 0) {
		size_t more = s.p[0] < 0x80   ? 0
			      : s.p[0] < 0xe0 ? 1
			      : s.p[0] < 0xf0 ? 2
					      : 3;
		uint32_t c = s.p[0];

		if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || more >= s.n)
			return false;
		c &= more == 0 ? 0x7fu : 0x3fu >> more;
		for (size_t i = 1; i <= more; i++) {
			if ((s.p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (s.p[i] & 0x3f);
		}
		if ((more > 0 && c < 0xa0) || (more == 2 && c < 0x800) ||
		    (more == 3 && c < 0x10000) || c > 0x10ffff ||
		    (c >= 0xd800 && c < 0xe000))
			return false;
		s = span_skip(s, more + 1);
	}
	return true;
}

/* 192.0.2.1, no other way to write it. */
static bool literal4(struct span s)
{
	unsigned v = 0, dots = 0;
	size_t digits = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '.') {
			if (digits == 0 || ++dots > 3)
				return false;
			v = 0;
			digits = 0;
			continue;
		}
		if (c < '0' || c > '9' || (digits > 0 && v == 0))
			return false;
		v = v * 10 + (unsigned)(c - '0');
		digits++;
		if (v > 255)
			return false;
	}
	return dots == 3 && digits > 0;
}

/* [192.0.2.1], [IPv6:...]: of the latter only its shape; nothing is decided by
 * it. */
static bool literal(struct span s)
{
	if (s.n < 9 || s.n > SMTP_LITERAL_MAX || s.p[0] != '[' ||
	    s.p[s.n - 1] != ']')
		return false;
	s = (struct span){ s.p + 1, s.n - 2 };
	if (!span_eq_nocase((struct span){ s.p, 5 }, SPAN_LIT("IPv6:")))
		return literal4(s);
	for (size_t i = 5; i < s.n; i++)
		if (s.p[i] == '\0' ||
		    !strchr("0123456789abcdefABCDEF:.", s.p[i]))
			return false;
	return true;
}

static enum smtp_path_error domain(struct smtp_path *p, struct span s,
				   bool from)
{
	if (s.n > 0 && s.p[0] == '[') {
		p->literal = literal(s);
		return p->literal ? PATH_OK : PATH_DOMAIN;
	}
	if (domain_normalise(p->domain, &p->domain_n, s) != OK)
		return PATH_DOMAIN;
	/* Many a server completes a single label with its own domain. */
	return from || strchr(p->domain, '.') ? PATH_OK : PATH_DOMAIN;
}

static void put(struct smtp_path *p, struct span s)
{
	memcpy(p->text + p->text_n, s.p, s.n);
	p->text_n += s.n;
	p->text[p->text_n] = '\0';
	for (size_t i = 0; i < s.n; i++)
		p->utf8 = p->utf8 || s.p[i] >= 0x80;
}

/* What stands between < and >. */
static enum smtp_path_error mailbox(struct smtp_path *p, struct span s,
				    bool from)
{
	enum smtp_path_error e;
	bool routes = false;
	struct span host;
	size_t n;

	if (s.n == 0)
		return PATH_SYNTAX;
	if (s.p[0] == '@')
		return PATH_ROUTE;
	n = s.p[0] == '"' ? quoted(s, &routes) : dot_string(s);
	if (n < s.n && s.p[0] != '"' && (s.p[n] == '%' || s.p[n] == '!'))
		return PATH_ROUTE;
	if (n == 0)
		return PATH_SYNTAX;
	if (routes)
		return PATH_ROUTE;
	if (!is_utf8((struct span){ s.p, n }))
		return PATH_SYNTAX;
	if (n > SMTP_LOCAL_MAX)
		return PATH_LONG;
	if (n == s.n && !from && span_eq_nocase(s, SPAN_LIT("postmaster"))) {
		p->postmaster = true;
		put(p, s);
		return PATH_OK;
	}
	if (n == s.n || s.p[n] != '@')
		return PATH_SYNTAX;
	host = span_skip(s, n + 1);
	if (memchr(host.p, '@', host.n))
		return PATH_ROUTE;
	e = domain(p, host, from);
	if (e != PATH_OK)
		return e;
	if (host.p[host.n - 1] == '.')
		host.n--;
	if (n + 1 + host.n > SMTP_PATH_MAX - 2)
		return PATH_LONG;
	put(p, (struct span){ s.p, n + 1 });
	put(p, host);
	return PATH_OK;
}

/* esmtp-keyword ["=" esmtp-value] (RFC 5321 4.1.2) */
static bool param(struct smtp_path *p, struct span s)
{
	const uint8_t *eq = memchr(s.p, '=', s.n);
	struct smtp_param *q = &p->param[p->param_n];

	if (p->param_n == SMTP_PARAMS)
		return false;
	q->key = (struct span){ s.p, eq ? (size_t)(eq - s.p) : s.n };
	q->value = eq ? span_skip(s, q->key.n + 1) : (struct span){ s.p, 0 };
	if (q->key.n == 0 || q->key.p[0] == '-' || (eq && q->value.n == 0))
		return false;
	for (size_t i = 0; i < q->key.n; i++) {
		uint8_t c = ascii_lower(q->key.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '-'))
			return false;
	}
	for (size_t i = 0; i < q->value.n; i++)
		if (q->value.p[i] <= 0x20 || q->value.p[i] == '=' ||
		    q->value.p[i] == 0x7f)
			return false;
	for (size_t i = 0; i < p->param_n; i++)
		if (span_eq_nocase(p->param[i].key, q->key))
			return false;
	p->param_n++;
	return true;
}

static enum smtp_path_error params(struct smtp_path *p, struct span s)
{
	while (s.n > 0) {
		const uint8_t *sp;
		size_t n;

		if (s.p[0] != ' ')
			return PATH_PARAM;
		while (s.n > 0 && s.p[0] == ' ')
			s = span_skip(s, 1);
		if (s.n == 0)
			break;
		sp = memchr(s.p, ' ', s.n);
		n = sp ? (size_t)(sp - s.p) : s.n;
		if (!param(p, (struct span){ s.p, n }))
			return PATH_PARAM;
		s = span_skip(s, n);
	}
	return PATH_OK;
}

/* Where the closing > is: not inside quotes. s begins after <. */
static size_t path_end(struct span s)
{
	bool in = false;

	for (size_t i = 0; i < s.n; i++) {
		if (in && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			in = !in;
		else if (!in && s.p[i] == '>')
			return i;
	}
	return s.n;
}

enum smtp_path_error smtp_path_parse(struct smtp_path *p, struct span arg,
				     bool from)
{
	struct span word = from ? SPAN_LIT("FROM:") : SPAN_LIT("TO:");
	enum smtp_path_error e;
	size_t end;

	memset(p, 0, sizeof(*p));
	if (arg.n < word.n ||
	    !span_eq_nocase((struct span){ arg.p, word.n }, word))
		return PATH_SYNTAX;
	arg = span_skip(arg, word.n);
	while (arg.n > 0 && arg.p[0] == ' ') /* many old clients do this */
		arg = span_skip(arg, 1);
	if (arg.n == 0 || arg.p[0] != '<')
		return PATH_SYNTAX;
	arg = span_skip(arg, 1);
	end = path_end(arg);
	if (end == arg.n)
		return PATH_SYNTAX;
	put(p, SPAN_LIT("<"));
	if (end == 0 && from) {
		p->null = true;
	} else {
		e = mailbox(p, (struct span){ arg.p, end }, from);
		if (e != PATH_OK)
			return e;
	}
	put(p, SPAN_LIT(">"));
	return params(p, span_skip(arg, end + 1));
}

struct smtp_path_reply smtp_path_reply(enum smtp_path_error e)
{
	switch (e) {
	case PATH_OK:
	case PATH_SYNTAX: break;
	case PATH_LONG:
		return (struct smtp_path_reply){ 501, "5.1.3",
						 "the address is too long" };
	case PATH_ROUTE:
		return (struct smtp_path_reply){
			553, "5.1.3",
			"an address that routes through another host is not taken"
		};
	case PATH_DOMAIN:
		return (struct smtp_path_reply){
			553, "5.1.2",
			"the domain is not certain; write it whole, and in lower "
			"case or as A-labels (xn--)"
		};
	case PATH_PARAM:
		return (struct smtp_path_reply){
			501, "5.5.4", "a parameter is malformed or repeated"
		};
	}
	return (struct smtp_path_reply){ 501, "5.1.3",
					 "the address is not <local@domain>" };
}
