/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_account - "account NAME [nt-domain D] user U password P", what it shares with
 * "inbound account", and which of both there are. A line with a password is never
 * quoted in a report, from whatever end it is wrong: what stands behind "password"
 * may be a part of it.
 */
#include "conf/conf_parse.h"

/* --- one line ---------------------------------------------------------------- */
/* The value of an attribute at i; empty after an error. */
struct span conf_account_text(struct conf_parse *p, size_t i)
{
	struct span none = { NULL, 0 }, s = none;

	if (i < p->words.n)
		s = p->words.word[i].text;
	if (s.n > 0 && s.n <= SECRET_TEXT_MAX)
		return s;
	conf_error_at(p, i,
		      i == p->words.n ? "a value must follow"
		      : s.n == 0      ? "this cannot be empty"
				      : "longer than 255 octets");
	return none;
}

/* DOMAIN\USER is both. */
static void take_user(struct conf_parse *p, size_t i)
{
	struct secret_account *a = &p->account;
	struct span s = conf_account_text(p, i);
	const uint8_t *slash = s.n > 0 ? memchr(s.p, '\\', s.n) : NULL;
	size_t n;

	a->user = s;
	if (!slash)
		return;
	n = (size_t)(slash - s.p);
	if (a->nt_domain.n > 0)
		conf_error_at(p, i,
			      "this names an NT domain, as nt-domain does");
	else if (n == 0 || n + 1 == s.n || memchr(slash + 1, '\\', s.n - n - 1))
		conf_error_at(p, i, "not DOMAIN\\USER");
	a->nt_domain = (struct span){ s.p, n };
	a->user = span_skip(s, n + 1);
}

/* The word behind the value. */
size_t conf_account_password(struct conf_parse *p, size_t i)
{
	struct secret_account *a = &p->account;
	const struct conf_word *w = p->words.word;

	if (i == p->words.n || !conf_word_is(&w[i], SPAN_LIT("sealed"))) {
		a->password = conf_account_text(p, i);
		if (a->password.n > 0)
			p->password = (struct conf_mark){ p->lines.number,
							  w[i].column,
							  { NULL, 0 } };
		return i + 1;
	}
	if (++i == p->words.n || w[i].text.n == 0 ||
	    w[i].text.n > SECRET_SEALED_MAX) {
		conf_error_at(p, i,
			      i == p->words.n ? "a sealed password must follow"
					      : "not a sealed password");
		return i + 1;
	}
	a->sealed = w[i].text;
	p->password = (struct conf_mark){ p->lines.number, w[i].column,
					  w[i].text };
	return i + 1;
}

static void take_attrs(struct conf_parse *p, size_t i)
{
	struct secret_account *a = &p->account;
	bool have[CONF_ACCOUNT_ATTRS + 1] = { false };

	while (i < p->words.n) {
		enum conf_account_attr attr = (enum conf_account_attr)
			conf_attr_of(&p->words.word[i], conf_account_attrs,
				     CONF_ACCOUNT_ATTRS);

		if (attr == CONF_ACCOUNT_ATTRS && have[CONF_PASSWORD]) {
			conf_error_at(p, i,
				      "nothing more is expected here; a "
				      "password with blanks stands in quotes");
			return;
		}
		if (attr == CONF_ACCOUNT_ATTRS) {
			conf_attr_unknown(p, i, conf_account_attrs,
					  CONF_ACCOUNT_ATTRS);
			return;
		}
		if (have[attr]) {
			conf_error_at(p, i, "twice in one line");
			return;
		}
		have[attr] = true;
		i++;
		switch (attr) {
		case CONF_NT_DOMAIN:
			if (a->nt_domain.n > 0)
				conf_error_at(
					p, i - 1,
					"user names an NT domain already");
			a->nt_domain = conf_account_text(p, i++);
			break;
		case CONF_USER: take_user(p, i++); break;
		case CONF_PASSWORD: i = conf_account_password(p, i); break;
		case CONF_ACCOUNT_ATTRS: break;
		}
	}
	if (!have[CONF_USER])
		conf_error_at(p, p->words.n, "user must follow");
	else if (!have[CONF_PASSWORD])
		conf_error_at(p, p->words.n, "password must follow");
}

bool conf_account_read(struct conf_parse *p, enum conf_whose whose, size_t at)
{
	uint32_t errors = p->errors;
	const char *why;
	size_t n;

	p->account = (struct secret_account){ .partner = whose == CONF_THEIRS };
	for (size_t i = at; i < p->words.n; i++)
		p->secret = p->secret || span_eq_nocase(p->words.word[i].text,
							SPAN_LIT("password"));
	if (at == p->words.n) {
		conf_error_at(p, at, "the name of an account must follow");
		return false;
	}
	why = conf_label(p->words.word[at].text, p->account_name, &n);
	if (why)
		conf_error_at(p, at, why);
	else
		p->account.name = (struct span){ p->account_name, n };
	if (whose == CONF_THEIRS)
		conf_partner_attributes(p, at + 1);
	else
		take_attrs(p, at + 1);
	return p->errors == errors;
}

/* --- all of them --------------------------------------------------------------- */
/* The entry of a name, a new one if need be; NULL: there is no room. */
static struct conf_named *named(struct conf_parse *p, enum conf_whose whose,
				struct span name)
{
	struct conf_named *n = p->named[whose];

	for (; n < p->named[whose] + p->named_n[whose]; n++)
		if (span_eq((struct span){ n->name, n->name_n }, name))
			return n;
	if (p->named_n[whose] == SECRET_ACCOUNTS_MAX)
		return NULL;
	p->named_n[whose]++;
	*n = (struct conf_named){ .name_n = name.n };
	memcpy(n->name, name.p, name.n);
	return n;
}

static struct conf_mark mark(const struct conf_parse *p, size_t i,
			     const struct conf_named *n)
{
	return (struct conf_mark){ p->lines.number,
				   p->words.word[i].column,
				   { n->name, n->name_n } };
}

void conf_account(struct conf_parse *p, enum conf_whose whose, size_t at)
{
	struct secret_account *a = &p->account;
	struct conf_named *n;
	struct text *t;

	if (!conf_account_read(p, whose, at))
		return;
	n = named(p, whose, a->name);
	if (!n) {
		conf_error_at(p, at, "more than 256 accounts");
		return;
	}
	if (n->made.line != 0) {
		t = conf_error(p, p->lines.number, p->words.word[at].column,
			       a->name);
		text_str(t, "is already there, in line ");
		text_u64(t, n->made.line);
		conf_error_end(p, t);
		return;
	}
	n->made = mark(p, at, n);
	p->settings.inbound_mechs |= a->terms.mechs;
	p->accounts_n++;
	p->secrets_n += a->name.n + a->nt_domain.n + a->user.n +
			SECRET_TEXT_MAX + a->sealed.n;
	if (!p->build)
		return;
	if (a->sealed.n > 0) {
		p->sealed_waits = true;
		return;
	}
	conf_error_at_mark(p, &p->password, conf_account_no_key);
}

const char conf_account_no_key[] =
	"a password cannot be kept: this box has no store, or it is not usable";

const char *conf_account_why(int error)
{
	if (error == E_CONF)
		return "not a sealed password";
	if (error == E_CORRUPT)
		return "this password was sealed by another box, for another "
		       "account, or was changed; write it as it is";
	return "this password cannot be opened: this box has no store, or it "
	       "is not usable";
}

void conf_account_opened(struct conf_parse *p, int error, struct span password)
{
	p->sealed_waits = false;
	p->secret = false; /* what is sealed may be quoted */
	p->account.password = password;
	if (p->uses && !p->account.partner)
		p->account.uses = p->uses[named(p, CONF_OURS, p->account.name) -
					  p->named[CONF_OURS]];
	if (error == OK) {
		if (p->secrets &&
		    secret_build_account(p->secrets, &p->account) != OK)
			p->full = true;
		return;
	}
	conf_error_at_mark(p, &p->password, conf_account_why(error));
}

struct span conf_account_used(struct conf_parse *p, enum conf_whose whose,
			      size_t i)
{
	struct span none = { NULL, 0 };
	uint8_t name[SECRET_NAME_MAX];
	struct conf_named *n;
	const char *why = "the name of an account must follow";
	size_t len = 0;

	if (i < p->words.n)
		why = conf_label(p->words.word[i].text, name, &len);
	n = why ? NULL : named(p, whose, (struct span){ name, len });
	if (!n) {
		conf_error_at(p, i, why ? why : "more than 256 accounts");
		return none;
	}
	if (n->used.line == 0)
		n->used = mark(p, i, n);
	return (struct span){ n->name, n->name_n };
}

void conf_account_uses(struct conf_parse *p, struct span name,
		       enum auth_mech mech)
{
	struct conf_named *n = named(p, CONF_OURS, name);

	if (n)
		n->mechs |= 1u << mech;
}

void conf_account_check(struct conf_parse *p)
{
	static const char *const why[CONF_WHOSE] = {
		[CONF_OURS] = "there is no account of this name",
		[CONF_THEIRS] = "there is no inbound account of this name",
	};

	for (enum conf_whose w = CONF_OURS; w < CONF_WHOSE; w++)
		for (size_t i = 0; i < p->named_n[w]; i++)
			if (p->named[w][i].made.line == 0)
				conf_error_at_mark(p, &p->named[w][i].used,
						   why[w]);
}
