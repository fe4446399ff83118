/* SPDX-License-Identifier: BSD-2-Clause */
/* conf_box - settings about the box itself: see policy/box.h. */
#include "conf/conf_parse.h"
#include "conf/conf_value.h"

static bool is_none(const struct conf_word *w)
{
	return conf_word_is(w, SPAN_LIT("none"));
}

/* RFC 1123 2.1: labels of letters, digits and hyphens, which are not at an end
 * of a label. */
static bool is_name(struct span s)
{
	uint8_t before = '.';

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = ascii_lower(s.p[i]);
		bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!alnum && c != '-' && c != '.')
			return false;
		if ((before == '.' && !alnum) || (before == '-' && c == '.'))
			return false;
		before = c;
	}
	return before != '.' && before != '-';
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static void store_text(char *to, struct span s)
{
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

static const char *prefix(struct span s, struct endpoint *e)
{
	static const char why[] = "not an address with its prefix length; "
				  "192.0.2.5/24 or 2001:db8::5/64";
	const uint8_t *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;
	struct endpoint got = { { 0 }, 25 };
	const char *unused;
	uint64_t length;
	size_t n;

	if (!slash)
		return why;
	n = (size_t)(slash - s.p);
	if (!conf_ip((struct span){ s.p, n }, got.ip) ||
	    !conf_endpoint((struct span){ s.p, n }, 1, &got, &unused) ||
	    !conf_number(span_skip(s, n + 1), 1, ip_is_v4(got.ip) ? 32 : 128,
			 &length))
		return why;
	got.port = (uint16_t)length;
	*e = got;
	return NULL;
}

static const char *address(struct span s, struct endpoint *e)
{
	static const char why[] = "not an address; 192.0.2.1 or 2001:db8::1";
	uint8_t ip[16];
	const char *unused;

	return conf_ip(s, ip) && conf_endpoint(s, 1, e, &unused) ? NULL : why;
}

static const char *vlan(struct span s, uint32_t *v)
{
	uint64_t n;

	/* IEEE 802.1Q 9.6: 0 says that there is none, 4095 is reserved */
	if (!conf_number(s, 1, 4094, &n))
		return "not the number of a VLAN: 1..4094, or none";
	*v = (uint32_t)n;
	return NULL;
}

/* NULL, or why word is not a value of c. */
static const char *take(const struct conf_setting *c, struct span s, void *to)
{
	const char *why = NULL;

	switch ((int)c->type) {
	case CONF_NAME:
		if (s.n == 0 || s.n > c->max || !is_name(s))
			return "not a host name: up to 28 letters, digits, "
			       "hyphens and dots";
		store_text(to, s);
		break;
	case CONF_TEXT:
		if (s.n > c->max || !is_printable(s))
			return "not a text: up to 400 printable ASCII "
			       "characters, in quotes; or none";
		store_text(to, s);
		break;
	case CONF_PREFIX: why = prefix(s, to); break;
	case CONF_VLAN: why = vlan(s, to); break;
	case CONF_ADDRESS: why = address(s, to); break;
	default:
		if (!conf_endpoint(s, (uint16_t)c->max, to, &why))
			return why;
		why = NULL;
		break;
	}
	return why;
}

void conf_box_value(struct conf_parse *p, const struct conf_setting *c,
		    size_t at)
{
	char *to = (char *)&p->settings + c->at;
	const char *why;

	if (at == p->words.n) {
		conf_error_at(p, at, "one word more is needed here");
		return;
	}
	if (c->type != CONF_NAME && is_none(&p->words.word[at])) {
		if (c->type == CONF_TEXT)
			*to = '\0';
		else if (c->type == CONF_VLAN)
			*(uint32_t *)to = 0;
		else
			*(struct endpoint *)to = (struct endpoint){ .port = 0 };
		return;
	}
	why = take(c, p->words.word[at].text, to);
	if (why)
		conf_error_at(p, at, why);
}

static bool is_there(const struct endpoint *all, size_t n,
		     const struct endpoint *e)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(all[i].ip, e->ip, sizeof(e->ip)) == 0)
			return true;
	return false;
}

void conf_box_hosts(struct conf_parse *p, const struct conf_setting *c,
		    size_t at)
{
	struct endpoint *to = (struct endpoint *)(void *)((char *)&p->settings +
							  c->at);
	size_t n = 0;

	for (size_t i = 0; i < BOX_NTP; i++)
		to[i] = (struct endpoint){ .port = 0 };
	if (at == p->words.n) {
		conf_error_at(p, at, "one word more is needed here");
		return;
	}
	if (is_none(&p->words.word[at]) && at + 1 == p->words.n)
		return;
	for (; at < p->words.n; at++) {
		struct endpoint e;
		const char *why = address(p->words.word[at].text, &e);

		e.port = (uint16_t)c->max;
		if (!why && n == BOX_NTP)
			why = "three are as many as there can be";
		else if (!why && is_there(to, n, &e))
			why = "is named twice";
		if (why) {
			conf_error_at(p, at, why);
			return;
		}
		to[n++] = e;
	}
}

/* --- together --------------------------------------------------------------- */
static bool same_kind(const struct endpoint *a, const struct endpoint *b)
{
	return ip_is_v4(a->ip) == ip_is_v4(b->ip);
}

/* Is e within the network of m? */
static bool near(const struct endpoint *e, const struct endpoint *m)
{
	size_t from = ip_is_v4(m->ip) ? 12 : 0;
	unsigned bits = m->port;

	for (size_t i = from; bits > 0; i++) {
		unsigned n = bits < 8 ? bits : 8;

		if ((e->ip[i] ^ m->ip[i]) >> (8 - n) != 0)
			return false;
		bits -= n;
	}
	return true;
}

/* A host that is spoken to from the management address. */
static void check_host(struct conf_parse *p, size_t at,
		       const struct endpoint *host)
{
	const struct box *b = &p->settings.box;

	if (b->management.port == 0)
		conf_error_at_setting(
			p, at,
			"there is no \"management address\" to send from");
	else if (!same_kind(host, &b->management))
		conf_error_at_setting(p, at,
				      "is not of the same kind (IPv4, IPv6) as "
				      "\"management address\"");
	else if (b->gateway.port == 0 && !near(host, &b->management))
		conf_error_at_setting(p, at,
				      "is not in the network of \"management "
				      "address\", and there is no \"management "
				      "gateway\"");
}

void conf_box_check(struct conf_parse *p)
{
	const struct box *b = &p->settings.box;
	const size_t gateway = offsetof(struct settings, box.gateway);

	if (b->vlan != 0 && b->management.port == 0)
		conf_error_at_setting(p, offsetof(struct settings, box.vlan),
				      "there is no \"management address\"");
	if (b->gateway.port != 0 && b->management.port == 0)
		conf_error_at_setting(p, gateway,
				      "there is no \"management address\"");
	else if (b->gateway.port != 0 &&
		 (!same_kind(&b->gateway, &b->management) ||
		  !near(&b->gateway, &b->management)))
		conf_error_at_setting(p, gateway,
				      "is not in the network of \"management "
				      "address\"");
	if (b->syslog.port != 0)
		check_host(p, offsetof(struct settings, box.syslog),
			   &b->syslog);
	for (size_t i = 0; i < BOX_NTP && b->ntp[i].port != 0; i++)
		check_host(p, offsetof(struct settings, box.ntp), &b->ntp[i]);
}
