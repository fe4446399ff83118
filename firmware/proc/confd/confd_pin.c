/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_pin - a partner's box becomes the only one: the rule of its domain, as it
 * is, but for level and key; and, where mail from outside is ours to judge, what is
 * required of its senders. Of a box that has only called, the latter alone.
 */
#include <string.h>
#include "base/domain.h"
#include "conf/conf_value.h"
#include "proc/confd/confd.h"

static int say(int error, const char *why)
{
	text_str(&C.report, why);
	return error;
}

static bool pending(void)
{
	struct span was = confd_text_map(&C.now);
	bool differs = C.candidate && !span_eq(was, confd_candidate());

	confd_text_unmap(was);
	return differs;
}

/* Mail that leaves. What the domain had from a line above it or from default it
 * keeps. */
static int leaving(const struct policy *p, struct span name,
		   const uint8_t key[32], struct text *out)
{
	struct policy_rule r;

	if (policy_lookup(p, name, &r) != OK)
		return say(E_CORRUPT, "the snapshot is damaged\n");
	if (r.level == LEVEL_NTLM_SEAL)
		return say(E_CONF, "its rule is ntlm-seal, which has a log-on "
				   "of its own: change that line by hand\n");
	r.name = name;
	r.level = LEVEL_PIN;
	r.learn = false; /* its key is named */
	r.match_n = 0;
	r.pin[0] = key;
	r.pin_n = 1;
	conf_print_rule(&r, out);
	text_str(out, "\n");
	return OK;
}

static int coming(const struct policy *p, struct span name,
		  const uint8_t key[32], bool from_only, struct text *out)
{
	struct inbound_rule r;

	if (!p->settings.inbound || p->settings.inbound_pass)
		return from_only ? say(E_CONF, "mail from outside is not ours "
					       "to judge: inbound is off, or "
					       "tls pass\n")
				 : OK;
	if (inbound_lookup(p, name, &r) != OK)
		return say(E_CORRUPT, "the snapshot is damaged\n");
	if (r.need == INBOUND_NOTHING)
		r = (struct inbound_rule){ .need = INBOUND_TLS,
					   .min_tls = 0x0303 };
	r.name = name;
	r.pin[0] = key;
	r.pin_n = 1;
	conf_print_inbound(&r, out);
	text_str(out, "\n");
	return OK;
}

struct pin_ask {
	char name[DOMAIN_MAX + 1];
	size_t n;
	uint8_t key[32];
	bool from_only;
};

/* Text up to a blank or its end; text goes on behind it. */
static struct span word(struct span *text)
{
	const uint8_t *blank = memchr(text->p, ' ', text->n);
	struct span w = *text;

	if (blank)
		w.n = (size_t)(blank - text->p);
	*text = span_skip(*text, w.n);
	return w;
}

/* NAME PIN, and perhaps CONF_PIN_FROM, taken apart. */
static bool take(struct span text, struct pin_ask *a)
{
	if (domain_normalise(a->name, &a->n, word(&text)) != OK || text.n == 0)
		return false;
	text = span_skip(text, 1);
	if (!conf_pin(word(&text), a->key))
		return false;
	a->from_only = span_eq(text, span_str(CONF_PIN_FROM));
	return text.n == 0 || a->from_only;
}

int confd_pin(struct span text)
{
	char lines_mem[CONF_LINE_MAX];
	struct text lines;
	struct pin_ask a;
	struct policy p;
	struct span name;
	int r;

	if (text.n == 0 || !take(text, &a))
		return say(E_CONF, "not a domain and a pin\n");
	if (pending())
		return say(E_PEER_ORDER,
			   "the candidate has changes: commit or discard them "
			   "before\n");
	r = confd_policy_map(&C.now, &p);
	if (r != OK)
		return r;
	text_init(&lines, lines_mem, sizeof(lines_mem));
	name = (struct span){ (uint8_t *)a.name, a.n };
	if (!a.from_only)
		r = leaving(&p, name, a.key, &lines);
	if (r == OK)
		r = coming(&p, name, a.key, a.from_only, &lines);
	confd_text_unmap(p.blob);
	if (r == OK && lines.cut)
		r = say(E_FULL, "the line would be too long\n");
	return r == OK ? confd_edit(text_done(&lines)) : r;
}
