/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_explain - why a recipient was refused, step by step, for "explain": what
 * happened in its session before, what the server proved, what the rule asks, and
 * what may help. A few of each relay, the oldest gives way.
 */
#include <stdlib.h>
#include "proc/relay/relay.h"

enum { COLUMN = 13 };

static void label(struct text *t, const char *name)
{
	size_t n = strlen(name);

	text_str(t, name);
	for (; n < COLUMN; n++)
		text_str(t, " ");
}

static void line(struct text *t, const char *name, const char *what)
{
	label(t, name);
	text_str(t, what);
	text_str(t, "\n");
}

static void host(struct text *t, const struct endpoint *e)
{
	bool v4 = ip_is_v4(e->ip);

	text_str(t, v4 ? "" : "[");
	text_ip(t, e->ip);
	text_str(t, v4 ? ":" : "]:");
	text_u64(t, e->port);
}

/* --- what happened before ------------------------------------------------------- */
/* NULL: it is nothing that has to be remembered. */
static const char *remembered(const struct gate_event *ev)
{
	switch (ev->type) {
	case GATE_EV_TLS_FAILED: return "TLS failed";
	case GATE_EV_STARTTLS_VANISHED:
		return "STARTTLS was offered at another time, and is not now";
	case GATE_EV_FALLBACK: return "once more, in clear";
	case GATE_EV_LOGON_FAILED: return "the log-on failed";
	case GATE_EV_PROTOCOL:
		return ev->side == SERVER ? "the server broke SMTP"
					  : "the client broke SMTP";
	case GATE_EV_TLS_UP:
	case GATE_EV_LOGON:
	case GATE_EV_MAIL_REFUSED:
	case GATE_EV_BOX_CALLS:
	case GATE_EV_RCPT_REFUSED:
	case GATE_EV_RCPT_PASSED:
	case GATE_EV_MESSAGE:
	case GATE_EV_MESSAGE_REFUSED: break;
	}
	return NULL;
}

void relay_explain_step(struct conn *c, const struct gate_event *ev)
{
	const char *what = remembered(ev);
	struct trail *tr = c->trail;
	struct text t;

	if (what && !tr)
		tr = c->trail = calloc(1, sizeof(*tr));
	if (!what || !tr)
		return;
	text_init(&t, tr->step[tr->n % TRAIL_STEPS], TRAIL_TEXT);
	tr->n++;
	text_str(&t, "at ");
	host(&t, &ev->server);
	text_str(&t, ": ");
	text_str(&t, what);
	if (ev->why[0] != '\0') {
		text_str(&t, ": ");
		text_clean(&t, span_str(ev->why));
	}
}

static void trail(struct text *t, const struct trail *tr)
{
	unsigned from = tr && tr->n > TRAIL_STEPS ? tr->n - TRAIL_STEPS : 0;

	for (unsigned i = from; tr && i < tr->n; i++)
		line(t, i == from ? "before" : "", tr->step[i % TRAIL_STEPS]);
}

/* --- what the server proved ------------------------------------------------------- */
static void names(struct text *t, const struct channel *ch)
{
	size_t i = 0;

	label(t, "its names");
	if (ch->names_n == 0)
		text_str(t, "none");
	while (i < ch->names_n && ch->names_n <= sizeof(ch->names)) {
		size_t n = ch->names[i];

		if (n > ch->names_n - i - 1)
			break;
		text_str(t, i > 0 ? " " : "");
		text_clean(t, (struct span){ ch->names + i + 1, n });
		i += 1 + n;
	}
	text_str(t, "\n");
}

static void certificate(struct text *t, const struct channel *ch)
{
	if (!ch->certificate) {
		line(t, "certificate", "none was shown");
		return;
	}
	label(t, "certificate");
	text_str(t, ch->chain == TLS_RESULT_OK ? "trusted"
					       : tls_result_name(ch->chain));
	if (ch->chain != TLS_RESULT_OK && ch->why[0] != '\0') {
		text_str(t, ": ");
		text_clean(t, span_str(ch->why));
	}
	text_str(t, "\n");
	names(t, ch);
	label(t, "its key");
	text_str(t, "sha256:");
	text_hex(t, (struct span){ ch->spki_sha256, 32 });
	text_str(t, "\n");
}

/* Who is logged on, or was not let in and why. */
static void log_on(struct text *t, const struct channel *ch)
{
	const struct channel_logon *failed = &ch->logon_failed;
	char mem[STATS_LOGON];

	relay_logon_text(&ch->logon, mem, sizeof(mem));
	if (mem[0] != '\0')
		line(t, "log-on", mem);
	if (failed->mech == AUTH_NONE)
		return;
	label(t, "log-on");
	text_str(t, auth_mech_word(failed->mech));
	text_str(t, " ");
	text_str(t, failed->account);
	text_str(t, ": ");
	text_str(t, logon_why(failed->result));
	if (ch->why[0] != '\0') {
		text_str(t, " (");
		text_clean(t, span_str(ch->why));
		text_str(t, ")");
	}
	text_str(t, "\n");
}

static void channel(struct text *t, const struct channel *ch)
{
	label(t, "server");
	host(t, &ch->server);
	text_str(t, "\n");
	if (ch->tls) {
		label(t, "TLS");
		text_str(t, ch->version == 0x0304 ? "1.3 " : "1.2 ");
		text_str(t, ch->suite ? ch->suite : "");
		text_str(t, "\n");
		certificate(t, ch);
		return;
	}
	label(t, "TLS");
	text_str(t, ch->missing == TLS_RESULT_OK
			    ? "none"
			    : tls_result_name(ch->missing));
	if (ch->why[0] != '\0') {
		text_str(t, ": ");
		text_clean(t, span_str(ch->why));
	}
	text_str(t, "\n");
}

/* --- what was asked --------------------------------------------------------------- */
static void rule(struct text *t, const struct policy_rule *r)
{
	label(t, "rule");
	if (!span_eq(r->name, SPAN_LIT("default")))
		text_str(t, "domain ");
	text_span(t, r->name);
	text_str(t, " ");
	text_str(t, level_name(r->level));
	if (r->level == LEVEL_PIN) {
		text_str(t, ", ");
		text_u64(t, r->pin_n);
		text_str(t, r->pin_n == 1 ? " key" : " keys");
	}
	for (size_t i = 0; r->level == LEVEL_VERIFY && i < r->match_n; i++) {
		text_str(t, i == 0 ? " match " : " ");
		text_span(t, r->match[i]);
	}
	text_str(t, r->min_tls == 0x0304 ? " min-tls 1.3" : "");
	if (r->logon.mech != AUTH_NONE) {
		if (r->level != LEVEL_NTLM_SEAL) {
			text_str(t, " auth ");
			text_str(t, auth_mech_word(r->logon.mech));
		}
		text_str(t, " account ");
		text_span(t, r->logon.account);
		text_str(t, r->logon.legacy ? " legacy" : "");
	}
	text_str(t, r->learn ? " learn" : "");
	text_str(t, r->has_route ? " route" : "");
	if (r->route_name.n > 0) {
		text_str(t, " ");
		text_span(t, r->route_name);
		text_str(t, " port ");
		text_u64(t, r->route_port);
	}
	for (size_t i = 0; r->has_route && i < 2; i++) {
		if (r->route[i].port == 0)
			continue;
		text_str(t, " ");
		host(t, &r->route[i]);
	}
	text_str(t, "  (line ");
	text_u64(t, r->line);
	text_str(t, ")\n");
}

static void date(struct text *t, uint16_t day)
{
	char mem[24];
	struct text time;

	text_init(&time, mem, sizeof(mem));
	text_time(&time, (uint64_t)day * 86400);
	text_span(t, (struct span){ (uint8_t *)mem, 10 });
}

/* Why a rule that asks for nothing asks for TLS. */
static void learned(struct text *t, const struct gate_event *ev)
{
	const struct learned_domain *d = learned_find(R.learned,
						      span_str(ev->domain));

	if (!ev->learned || !d)
		return;
	label(t, "learned");
	text_str(t, "its mail left in TLS before");
	if (d->first_day != 0) {
		text_str(t, ", from ");
		date(t, d->first_day);
		text_str(t, " to ");
		date(t, d->last_day);
	}
	text_str(t, "; \"clear learned ");
	text_str(t, ev->domain);
	text_str(t, "\" forgets it\n");
}

static const char *help_log_on(enum logon_result r)
{
	switch (r) {
	case LOGON_NOT_OFFERED:
		return "ask the partner which mechanisms it takes, and inside "
		       "TLS or not";
	case LOGON_REFUSED:
	case LOGON_ACCOUNT:
		return "compare user, domain and password with the partner's: "
		       "account";
	case LOGON_WEAK:
		return "ask the partner for more; legacy and min-bits take "
		       "less, and say what that costs";
	case LOGON_UNPROVEN:
		return "the server is not the partner's, or knows another "
		       "password";
	case LOGON_NO_KEYS: return "the program keys is gone or full: show log";
	case LOGON_OK:
	case LOGON_REFUSED_NOW:
	case LOGON_MALFORMED:
	case LOGON_RESULTS: break;
	}
	return "ask the partner what its server says to this log-on";
}

static const char *help(const struct policy_rule *r, const struct channel *ch,
			enum tls_result result)
{
	if (result == TLS_LOGON_FAILED)
		return help_log_on(ch->logon_failed.result);
	if (r->level == LEVEL_PIN && ch->tls && ch->version >= r->min_tls)
		return "if the partner says that this key is its new one, pin it "
		       "beside the old";
	switch (result) {
	case TLS_STARTTLS_NOT_SUPPORTED:
		return "ask the partner, and who runs firewalls on the way, "
		       "what takes STARTTLS away";
	case TLS_CERTIFICATE_HOST_MISMATCH:
		return "if one of these names is the partner's, put it behind "
		       "match; a wildcard is one label";
	case TLS_CERTIFICATE_EXPIRED:
		return "the partner has to renew it, if the clock here is "
		       "right: show clock";
	case TLS_CERTIFICATE_NOT_TRUSTED:
		return "its CA may be missing (ca certificate); or pin this key "
		       "when the partner has confirmed it";
	case TLS_VALIDATION_FAILURE:
	case TLS_LOGON_FAILED:
	case TLS_RESULT_OK:
	case TLS_RESULTS: break;
	}
	return "ask the partner which TLS versions it has, and who runs "
	       "firewalls on the way what they let through";
}

/* A pinned server that shows another key may be somebody else. */
static void alarms(const struct gate_event *ev, const struct policy_rule *r,
		   const struct channel *ch)
{
	char mem[STATS_TEXT];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_str(&t, ev->domain[0] ? ev->domain : "(no domain)");
	text_str(&t,
		 ev->learned ? ": had TLS before (learned), and now: " : ": ");
	text_str(&t, ev->why);
	if (R.snapshot[R.current].policy.settings.log_addresses) {
		text_str(&t, "; server ");
		text_ip(&t, ch->server.ip);
	}
	program_alarm(&R.prog,
		      ev->result == TLS_LOGON_FAILED ? ALARM_LOGON
						     : ALARM_TLS_REQUIRED,
		      text_done(&t));
	if (ev->learned && ev->result == TLS_STARTTLS_NOT_SUPPORTED)
		program_alarm(&R.prog, ALARM_STARTTLS_VANISHED, text_done(&t));
	if (r->level == LEVEL_PIN && ch->tls &&
	    ev->result == TLS_CERTIFICATE_NOT_TRUSTED)
		program_alarm(&R.prog, ALARM_PIN, text_done(&t));
}

void relay_explain_refused(const struct conn *c, const struct gate_event *ev,
			   const struct channel *ch)
{
	struct stats *s = R.prog.stats;
	struct stats_explain *e = &s->explain[s->explain_seq % STATS_EXPLAINS];
	struct policy_rule r;
	struct text t;

	if (policy_lookup(&R.snapshot[R.current].policy, span_str(ev->domain),
			  &r) != OK)
		return;
	__atomic_store_n(&e->seq, 0, __ATOMIC_RELEASE);
	e->unix_ms = now_unix_ms();
	e->session = c->flow;
	relay_copy(e->domain, sizeof(e->domain), ev->domain);
	text_init(&t, e->text, sizeof(e->text));
	label(&t, "client");
	host(&t, &c->client);
	text_str(&t, ", to ");
	host(&t, &c->server);
	text_str(&t, "\n");
	trail(&t, c->trail);
	channel(&t, ch);
	log_on(&t, ch);
	rule(&t, &r);
	learned(&t, ev);
	label(&t, "refused");
	text_u64(&t, ev->code);
	text_str(&t, " ");
	text_str(&t, tls_result_name(ev->result));
	text_str(&t, ": ");
	text_clean(&t, span_str(ev->why));
	text_str(&t, "\n");
	line(&t, "what helps",
	     ev->unrouted ? "probe that host with the resolver, to see what it "
			    "says; or write the address in place of the name"
			  : help(&r, ch, ev->result));
	__atomic_store_n(&e->seq, ++s->explain_seq, __ATOMIC_RELEASE);
	alarms(ev, &r, ch);
}
