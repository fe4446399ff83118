/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_pin - a partner's box becomes the only one: the rule of its domain, as it
 * is, but for level and key; and, where mail from outside is ours to judge, what is
 * required of its senders.
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
	r.match_n = 0;
	r.pin[0] = key;
	r.pin_n = 1;
	conf_print_rule(&r, out);
	text_str(out, "\n");
	return OK;
}

static int coming(const struct policy *p, struct span name,
		  const uint8_t key[32], struct text *out)
{
	struct inbound_rule r;

	if (!p->settings.inbound || p->settings.inbound_pass)
		return OK;
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

/* NAME PIN, taken apart. */
static bool take(struct span text, char name[DOMAIN_MAX + 1], size_t *n,
		 uint8_t key[32])
{
	const uint8_t *blank = memchr(text.p, ' ', text.n);
	size_t at = blank ? (size_t)(blank - text.p) : text.n;

	return domain_normalise(name, n, (struct span){ text.p, at }) == OK &&
	       at < text.n && conf_pin(span_skip(text, at + 1), key);
}

int confd_pin(struct span text)
{
	char name_mem[DOMAIN_MAX + 1], lines_mem[CONF_LINE_MAX];
	struct text lines;
	struct policy p;
	uint8_t key[32];
	size_t n;
	int r;

	if (text.n == 0 || !take(text, name_mem, &n, key))
		return say(E_CONF, "not a domain and a pin\n");
	if (pending())
		return say(E_PEER_ORDER,
			   "the candidate has changes: commit or discard them "
			   "before\n");
	r = confd_policy_map(&C.now, &p);
	if (r != OK)
		return r;
	text_init(&lines, lines_mem, sizeof(lines_mem));
	r = leaving(&p, (struct span){ (uint8_t *)name_mem, n }, key, &lines);
	if (r == OK)
		r = coming(&p, (struct span){ (uint8_t *)name_mem, n }, key,
			   &lines);
	confd_text_unmap(p.blob);
	if (r == OK && lines.cut)
		r = say(E_FULL, "the line would be too long\n");
	return r == OK ? confd_edit(text_done(&lines)) : r;
}
