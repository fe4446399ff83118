/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_prints - see smtp_prints.h. */
#include "base/domain.h"
#include "proto/smtp_prints.h"

enum { ONE_LINE = 2 /* prints that a line gives at most */ };

void smtp_prints_key(struct smtp_prints *p, uint64_t key)
{
	p->key = key;
	p->have_mail = p->have_sender = false;
	p->rcpt_n = 0;
}

static void name(struct smtp_prints *p, struct smtp_prints_out *out,
		 struct span text)
{
	if (print_of(p->key, text, &out->print[out->n]))
		out->n++;
}

static bool begins(struct span line, const char *word)
{
	struct span w = span_str(word);

	return line.n >= w.n && span_eq_nocase((struct span){ line.p, w.n }, w);
}

/* "RCPT TO:" and the path up to its end, without blanks in between, as the gate
 * and every client write it; parameters are left out. */
static struct span envelope(uint8_t mem[SMTP_PRINTS_LINE], struct span verb,
			    struct span line)
{
	size_t n = verb.n, i = verb.n;
	bool quoted = false;

	memcpy(mem, verb.p, verb.n);
	while (i < line.n && line.p[i] == ' ')
		i++;
	while (i < line.n && (quoted || line.p[i] != '>')) {
		quoted ^= line.p[i] == '"';
		mem[n++] = line.p[i++];
	}
	if (i < line.n)
		mem[n++] = '>';
	return (struct span){ mem, n };
}

/* What stands in < >, with them. */
static struct span address(struct span command, size_t verb_n)
{
	return span_skip(command, verb_n);
}

static bool protected_(const struct policy *pol, struct span path)
{
	char domain[DOMAIN_MAX + 1];
	struct policy_rule rule;
	size_t at = path.n, n;

	while (at > 0 && path.p[at - 1] != '@')
		at--;
	path = span_skip(path, at);
	path.n -= path.n > 0 && path.p[path.n - 1] == '>';
	if (at == 0 || domain_normalise(domain, &n, path) != OK ||
	    policy_lookup(pol, (struct span){ (uint8_t *)domain, n }, &rule))
		return false;
	return rule.level > LEVEL_MAY;
}

static void mail(struct smtp_prints *p, struct span line, bool tls,
		 struct smtp_prints_out *out)
{
	struct span verb = SPAN_LIT("MAIL FROM:");
	uint8_t mem[SMTP_PRINTS_LINE];
	struct span all = envelope(mem, verb, line);

	p->have_mail = print_of(p->key, all, &p->mail);
	p->have_sender = print_of(p->key, address(all, verb.n), &p->sender);
	p->open = false;
	p->rcpt_n = 0;
	if (!tls)
		return;
	name(p, out, all);
	name(p, out, address(all, verb.n));
}

static void rcpt(struct smtp_prints *p, struct span line, bool tls,
		 const struct policy *pol, struct smtp_prints_out *out)
{
	struct span verb = SPAN_LIT("RCPT TO:");
	uint8_t mem[SMTP_PRINTS_LINE];
	struct span all = envelope(mem, verb, line);
	bool hide = protected_(pol, address(all, verb.n));
	size_t before = out->n;

	p->rcpt_n = 0;
	if (tls) {
		name(p, out, all);
		name(p, out, address(all, verb.n));
		for (size_t i = before; i < out->n && !hide; i++)
			p->rcpt[p->rcpt_n++] = out->print[i];
		return;
	}
	if (hide) {
		name(p, out, all);
		if (p->have_mail && !p->open)
			out->print[out->n++] = p->mail;
		return;
	}
	p->open = out->clear = true;
	/* The list may have changed since it was one; and a protected session
	 * before may have had the same port. */
	name(p, out, all);
	name(p, out, address(all, verb.n));
	if (p->have_mail)
		out->print[out->n++] = p->mail;
	if (p->have_sender)
		out->print[out->n++] = p->sender;
}

static void command(struct smtp_prints *p, struct span line, bool tls,
		    const struct policy *pol, struct smtp_prints_out *out)
{
	if (begins(line, "MAIL FROM:"))
		mail(p, line, tls, out);
	else if (begins(line, "RCPT TO:"))
		rcpt(p, line, tls, pol, out);
	else if (begins(line, "DATA"))
		p->data = true;
}

static void message(struct smtp_prints *p, struct span line, bool tls,
		    struct smtp_prints_out *out)
{
	size_t before = out->n;

	if (line.n == 1 && line.p[0] == '.') {
		p->text = false;
		return;
	}
	if (!tls || p->lines == SMTP_PRINTS_LINES)
		return;
	name(p, out, line);
	p->lines += out->n > before;
}

static void whole_line(struct smtp_prints *p, bool tls,
		       const struct policy *pol, struct smtp_prints_out *out)
{
	struct span line = { p->line, p->line_n };

	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	p->line_n = 0;
	if (p->text)
		message(p, line, tls, out);
	else
		command(p, line, tls, pol, out);
}

/* To the line that is not whole yet. */
static void add(struct smtp_prints *p, struct span in)
{
	size_t room = sizeof(p->line) - p->line_n;

	if (in.n > room)
		in.n = room;
	memcpy(p->line + p->line_n, in.p, in.n);
	p->line_n += in.n;
}

/* Is there only the end of the message to be heard? Not in the middle of a line that
 * may be it. */
static bool idle(const struct smtp_prints *p, bool tls)
{
	return p->text && (!tls || p->lines == SMTP_PRINTS_LINES) &&
	       (p->line_n == 0 || p->line[0] != '.');
}

/* Up to the next line that begins with a dot: most text has few dots. */
static struct span skip(struct smtp_prints *p, struct span in)
{
	bool begins = p->line_n == 0;
	struct span at = in;
	const uint8_t *dot;

	while ((dot = memchr(at.p, '.', at.n)) != NULL) {
		size_t n = (size_t)(dot - in.p);

		if (n == 0 ? begins : dot[-1] == '\n') {
			p->line_n = 0;
			return span_skip(in, n);
		}
		at = span_skip(in, n + 1);
	}
	p->line[0] = ' '; /* something that is no dot */
	p->line_n = in.p[in.n - 1] != '\n';
	return span_skip(in, in.n);
}

size_t smtp_prints_feed(struct smtp_prints *p, struct span in, bool tls,
			const struct policy *pol, struct smtp_prints_out *out)
{
	struct span rest = in;

	*out = (struct smtp_prints_out){ .clear = false };
	while (rest.n > 0) {
		const uint8_t *lf;
		size_t n;

		if (idle(p, tls))
			rest = skip(p, rest);
		lf = memchr(rest.p, '\n', rest.n);
		n = lf ? (size_t)(lf - rest.p) : rest.n;
		add(p, (struct span){ rest.p, n });
		rest = span_skip(rest, n);
		if (!lf)
			break;
		/* What is allowed is said by itself. */
		if (out->n > 0 && !p->text && !tls)
			break;
		rest = span_skip(rest, 1);
		whole_line(p, tls, pol, out);
		if (out->clear || out->n + ONE_LINE > SMTP_PRINTS_OUT)
			break;
	}
	return in.n - rest.n;
}

bool smtp_prints_moved(struct smtp_prints *p, struct smtp_prints_out *out)
{
	*out = (struct smtp_prints_out){ .clear = p->rcpt_n > 0 };
	if (!out->clear)
		return false;
	for (size_t i = 0; i < p->rcpt_n; i++)
		out->print[out->n++] = p->rcpt[i];
	if (p->have_mail)
		out->print[out->n++] = p->mail;
	if (p->have_sender)
		out->print[out->n++] = p->sender;
	p->open = true;
	p->rcpt_n = 0;
	return true;
}

void smtp_prints_reply(struct smtp_prints *p, struct span out)
{
	for (size_t i = 0; i < out.n; i++) {
		if (out.p[i] == '\n') {
			p->reply_n = 0;
			continue;
		}
		if (p->reply_n >= sizeof(p->reply))
			continue;
		p->reply[p->reply_n++] = out.p[i];
		/* Of all answers only that to DATA is a 354 (RFC 5321 4.2.3). */
		if (p->reply_n == sizeof(p->reply) && p->data &&
		    memcmp(p->reply, "354", 3) == 0) {
			p->text = true;
			p->data = false;
			p->lines = 0;
			p->line_n = 0;
		}
	}
}
