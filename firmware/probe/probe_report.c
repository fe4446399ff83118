/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe_report - see probe_report.h.
 *
 * Which products are named for what is partly from their makers' documents (Cisco's
 * of PIX and ASA: masked banner, XXXXXXXA, EHLO crossed out), partly what is generally
 * said of them; none of them was tried. A name here is where to look first, not a
 * proof.
 */
#include "probe/probe_report.h"
#include "proto/smtp_ehlo.h"

enum { LABEL = 14 };

static void label(struct text *t, const char *name)
{
	size_t n = strlen(name);

	text_str(t, name);
	do
		text_str(t, " ");
	while (++n < LABEL);
}

static void row(struct text *t, const char *name, const char *value)
{
	label(t, name);
	text_str(t, value);
	text_str(t, "\n");
}

static void code_row(struct text *t, const char *name, uint16_t code,
		     const char *said)
{
	label(t, name);
	text_u64(t, code);
	text_str(t, " ");
	text_str(t, said);
	text_str(t, "\n");
}

/* --- what is on the way --------------------------------------------------------- */

struct middlebox {
	const char *sign;   /* what was seen */
	const char *known;  /* for it */
	const char *change; /* what to do there */
};

static const struct middlebox
	greeting_masked = { "the greeting is masked with asterisks",
			    "Cisco PIX and ASA (SMTP inspection); others that "
			    "filter the banner: Stormshield",
			    "no inspect esmtp (PIX: no fixup protocol smtp 25)" },
	keyword_masked = { "a keyword is crossed out, which was STARTTLS",
			   "Cisco ASA (inspect esmtp without TLS allowed)",
			   "allow-tls in the policy-map of inspect esmtp, or "
			   "no inspect esmtp" },
	ehlo_refused = { "EHLO is refused, HELO is taken",
			 "Cisco PIX (fixup protocol smtp); simple SMTP proxies",
			 "no fixup protocol smtp 25; take the proxy out of the "
			 "way" },
	starttls_hidden = { "STARTTLS works and is not offered: its line is "
			    "taken out on the way",
			    "firewalls and virus scanners that want to read "
			    "mail (FortiGate, Cisco ASA)",
			    "allow TLS in the SMTP profile or inspection" },
	starttls_empty = { "STARTTLS is answered with 220, and then there is "
			   "no TLS",
			   "SMTP proxies that pass commands they do not know",
			   "take the proxy out of the way, or have it remove "
			   "STARTTLS" },
	shake_eaten = { "the handshake is eaten: nothing answers a "
			"ClientHello, by whatever version",
			"firewalls that inspect TLS behind STARTTLS "
			"(FortiGate SSL inspection, Palo Alto decryption)",
			"exempt the mail server from TLS inspection" },
	hello_large = { "a ClientHello of two segments gets no answer, also "
			"if they are small",
			"firewalls that read the name out of one segment (Palo "
			"Alto: partial ClientHello; Cisco Firepower)",
			"update it, or exempt the mail server; today's "
			"handshakes fit, those with new key exchanges will "
			"not" },
	path_mtu = { "full-sized segments are lost: a path MTU hole, DATA "
		     "would hang",
		     "tunnels and PPPoE lines behind firewalls that drop ICMP",
		     "let ICMP \"fragmentation needed\" through, or clamp the "
		     "MSS" };

static void finding(struct text *t, const struct middlebox *m)
{
	row(t, "ON THE WAY", m->sign);
	row(t, "  known for it", m->known);
	row(t, "  to change", m->change);
}

static bool lost(enum probe_shake s)
{
	return s == SHAKE_SILENT || s == SHAKE_HUNG_UP;
}

static void findings(struct text *t, const struct probe_facts *f)
{
	enum probe_shake big = f->hello_shake[PROBE_BIG];
	enum probe_shake cut = f->hello_shake[PROBE_BIG_CUT];

	if (f->greeting_masked)
		finding(t, &greeting_masked);
	if (f->masked[0] && !(f->caps & EHLO_STARTTLS))
		finding(t, &keyword_masked);
	if (f->ehlo / 100 == 5 && f->helo / 100 == 2)
		finding(t, &ehlo_refused);
	if (f->starttls == 220 && !(f->caps & EHLO_STARTTLS))
		finding(t, &starttls_hidden);
	if (f->shake == SHAKE_NOT_TLS)
		finding(t, &starttls_empty);
	if (lost(f->shake) && lost(f->hello_shake[PROBE_OLD]))
		finding(t, &shake_eaten);
	/* Without the volume, what small segments do tells the two apart. */
	if (f->volume == VOLUME_LOST ||
	    (f->volume == VOLUME_UNKNOWN && lost(big) && !lost(cut) &&
	     cut != SHAKE_NONE))
		finding(t, &path_mtu);
	else if (lost(big) && lost(cut))
		finding(t, &hello_large);
	else if (lost(big) && cut != SHAKE_NONE)
		finding(t, &path_mtu);
}

/* --- what the server has --------------------------------------------------------- */

static const char *version(uint16_t v)
{
	switch (v) {
	case 0x0300: return "SSL 3.0";
	case 0x0301: return "TLS 1.0";
	case 0x0302: return "TLS 1.1";
	case 0x0303: return "TLS 1.2";
	case 0x0304: return "TLS 1.3";
	default: return "an unknown version";
	}
}

static const char *stopped(enum probe_stop s)
{
	switch (s) {
	case PROBE_WENT_ON: return "it wants no mail from here";
	case PROBE_SILENT: return "then nothing more came";
	case PROBE_HUNG_UP: return "then it hung up";
	case PROBE_NOT_SMTP: return "what came then is not SMTP";
	}
	return "?";
}

static void mechanisms(struct text *t, const char *name, unsigned auth)
{
	bool any = false;

	label(t, name);
	for (enum auth_mech m = AUTH_PLAIN; m < AUTH_MECHS; m++)
		for (int plus = 0; plus < 2; plus++) {
			if (!(auth & 1u << (m + (plus ? EHLO_AUTH_PLUS : 0))))
				continue;
			text_str(t, any ? " " : "");
			text_str(t, auth_mech_name(m, plus != 0));
			any = true;
		}
	text_str(t, any ? "\n" : "none that the box knows\n");
}

static void handshake(struct text *t, const struct probe_facts *f)
{
	const struct hello_answer *old = &f->hello[PROBE_OLD];

	switch (f->shake) {
	case SHAKE_NONE: return;
	case SHAKE_UP: break;
	case SHAKE_SILENT:
		row(t, "TLS", "silence behind our ClientHello");
		return;
	case SHAKE_HUNG_UP:
		row(t, "TLS", "it hung up behind our ClientHello");
		return;
	case SHAKE_NOT_TLS:
		row(t, "TLS", "what came is not TLS:");
		row(t, "", f->instead);
		return;
	case SHAKE_FAILED:
		row(t, "TLS",
		    f->channel.why[0] ? f->channel.why
				      : "broken off in the middle");
		if (old->kind == HELLO_SERVER) {
			label(t, "");
			text_str(t, "asked for something older it chooses ");
			text_str(t, version(old->version));
			text_str(t, "\n");
		}
		return;
	}
	label(t, "TLS");
	text_str(t, version(f->channel.version));
	text_str(t, ", ");
	text_str(t, f->channel.suite ? f->channel.suite : "?");
	text_str(t, "\n");
	if (!(f->tried & 1u << PROBE_1_2))
		return;
	row(t, "TLS 1.2",
	    f->hello[PROBE_1_2].kind != HELLO_SERVER
		    ? "not to be had; older clients stay out"
	    : f->hello[PROBE_1_2].version == 0x0303 ? "to be had"
						    : "older than that");
	if (f->hello[PROBE_1_2].kind == HELLO_SERVER)
		row(t, "resumption",
		    f->hello[PROBE_1_2].resumable
			    ? "offered (TLS 1.2); the box does not use it"
			    : "not offered (TLS 1.2)");
}

static void certificate(struct text *t, const struct probe_facts *f)
{
	const struct channel *ch = &f->channel;

	if (f->shake != SHAKE_UP || !ch->certificate)
		return;
	row(t, "chain", f->chain);
	row(t, "",
	    ch->chain == TLS_RESULT_OK ? "valid, from a CA that the box trusts"
				       : tls_result_name(ch->chain));
	label(t, "expires");
	text_time(t, f->until_s);
	text_str(t, "\n");
	label(t, "names");
	for (size_t i = 0; i < ch->names_n; i += 1u + ch->names[i]) {
		text_str(t, i > 0 ? " " : "");
		text_clean(t, (struct span){ ch->names + i + 1, ch->names[i] });
	}
	text_str(t, ch->names_n > 0 ? "\n" : "none\n");
	label(t, "public key");
	text_str(t, "sha256:");
	text_hex(t, (struct span){ ch->spki_sha256, 32 });
	text_str(t, "\n");
}

static void conversation(struct text *t, const struct probe_facts *f)
{
	if (f->step == PROBE_NO_CONNECTION)
		return;
	if (f->greeting != 0)
		code_row(t, "greeting", f->greeting, f->greeting_text);
	if (f->step < PROBE_HELLOED)
		row(t, f->greeting ? "" : "greeting", stopped(f->stop));
	if (f->helo != 0)
		row(t, "EHLO", "is refused; HELO instead");
	else if (f->step >= PROBE_HELLOED)
		row(t, "offers", f->keywords[0] ? f->keywords : "nothing");
	if (f->step == PROBE_HELLOED)
		row(t, "STARTTLS", stopped(f->stop));
	else if (f->starttls != 0)
		code_row(t, "STARTTLS", f->starttls, f->starttls_text);
	handshake(t, f);
	certificate(t, f);
	if (f->step < PROBE_HELLOED)
		return;
	if (f->shake == SHAKE_UP)
		mechanisms(t, "AUTH in TLS", f->auth_tls);
	if (f->auth != 0)
		mechanisms(t, "AUTH in clear", f->auth);
	if (f->volume == VOLUME_WELL)
		row(t, "large segments", "arrive");
}

/* --- which levels would hold ------------------------------------------------------ */

/* Names that verify would be for: the domain's, or with host the server's own. */
static struct policy_rule rule_of(const struct probe_facts *f,
				  const struct probe_about *a, enum level level,
				  bool host, char below[DOMAIN_MAX + 2])
{
	struct policy_rule r = { .name = a->domain,
				 .level = level,
				 .min_tls = 0x0303,
				 .clock_unset = a->clock_unset };

	if (host || a->domain.n == 0) {
		r.match[r.match_n++] = a->host;
	} else {
		struct text x;

		text_init(&x, below, DOMAIN_MAX + 2);
		text_str(&x, ".");
		text_span(&x, a->domain);
		r.match[r.match_n++] = a->domain;
		r.match[r.match_n++] = text_done(&x);
	}
	r.pin[r.pin_n++] = f->channel.spki_sha256;
	return r;
}

static struct span first_host(const struct policy_rule *r)
{
	for (size_t i = 0; i < r->match_n; i++)
		if (r->match[i].n > 0 && r->match[i].p[0] != '.')
			return r->match[i];
	return SPAN_LIT("");
}

static struct verdict judge(const struct probe_facts *f,
			    const struct probe_about *a,
			    const struct policy_rule *r)
{
	struct channel ch = f->channel;
	struct policy_rule here = *r;

	/* The server that was probed is the one that mail would go to. */
	here.has_route = false;
	ch.server = a->server;
	if (f->step < PROBE_FINISHED)
		return (struct verdict){ .decision = DECISION_REFUSE,
					 .result = TLS_VALIDATION_FAILURE,
					 .why = "no mail gets there at all" };
	/* As if the name that the rule would ask for had been: what was shown
	 * counts. */
	return policy_decide(&here, &ch, false, first_host(r), &a->server);
}

/* verify: with the domain's own names, or else the host's. */
static struct verdict level_verdict(const struct probe_facts *f,
				    const struct probe_about *a,
				    enum level level, bool *by_host)
{
	char below[DOMAIN_MAX + 2];
	struct policy_rule r = rule_of(f, a, level, false, below);
	struct verdict v = judge(f, a, &r);

	*by_host = false;
	if (level != LEVEL_VERIFY || v.decision == DECISION_PASS ||
	    a->host.n == 0)
		return v;
	*by_host = true;
	r = rule_of(f, a, level, true, below);
	return judge(f, a, &r);
}

bool probe_holds(const struct probe_facts *f, const struct probe_about *a,
		 enum level level)
{
	bool by_host;

	return level_verdict(f, a, level, &by_host).decision == DECISION_PASS;
}

static void verdict(struct text *t, const char *name, const struct verdict *v)
{
	label(t, name);
	if (v->decision == DECISION_PASS) {
		text_str(t, "would hold now\n");
		return;
	}
	if (v->decision == DECISION_AUTH) {
		text_str(t, "would hold, if the log-on succeeds\n");
		return;
	}
	text_str(t, tls_result_name(v->result));
	text_str(t, ": ");
	text_str(t, v->why);
	text_str(t, "\n");
}

static void configure(struct text *t, const struct probe_facts *f,
		      const struct probe_about *a, bool encrypt, bool verify,
		      bool by_host)
{
	if (!encrypt || a->domain.n == 0)
		return;
	text_str(t, "to configure it, the best first:\n");
	if (verify) {
		text_str(t, "  domain ");
		text_span(t, a->domain);
		text_str(t, " verify");
		text_str(t, by_host ? " match " : "");
		text_span(t, by_host ? a->host : SPAN_LIT(""));
		text_str(t, "\n");
	}
	if (f->channel.certificate) {
		text_str(t, "  domain ");
		text_span(t, a->domain);
		text_str(t, " pin sha256:");
		text_hex(t, (struct span){ f->channel.spki_sha256, 32 });
		text_str(t, "\n");
	}
	text_str(t, "  domain ");
	text_span(t, a->domain);
	text_str(t, " encrypt\n");
}

static void levels(struct text *t, const struct probe_facts *f,
		   const struct probe_about *a)
{
	static const enum level all[] = { LEVEL_CLEAR, LEVEL_MAY, LEVEL_ENCRYPT,
					  LEVEL_VERIFY, LEVEL_PIN };
	bool holds[LEVELS] = { false }, by_host = false;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool host;
		struct verdict v = level_verdict(f, a, all[i], &host);

		if (all[i] == LEVEL_VERIFY)
			by_host = host;
		holds[all[i]] = v.decision == DECISION_PASS;
		verdict(t, level_name(all[i]), &v);
	}
	if (a->rule && f->step >= PROBE_FINISHED) {
		struct verdict v = judge(f, a, a->rule);

		verdict(t, "in force now", &v);
		label(t, "");
		text_str(t, level_name(a->rule->level));
		text_str(t, ", by line ");
		text_u64(t, a->rule->line);
		text_str(t, " (");
		text_span(t, a->rule->name);
		text_str(t, ")\n");
	}
	configure(t, f, a, holds[LEVEL_ENCRYPT], holds[LEVEL_VERIFY], by_host);
}

void probe_report(struct text *t, const struct probe_facts *f,
		  const struct probe_about *a)
{
	conversation(t, f);
	findings(t, f);
	levels(t, f, a);
}
