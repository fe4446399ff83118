/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_decide - rule against channel, in this order:
 *
 *	right server? -> TLS at all? -> its version -> the chain -> the name
 *	                                            or the pinned key
 *	              -> the log-on, and whether it is sealed
 *
 * The first thing that is missing is the answer. Nothing here is remembered (what
 * was learned comes with the rule): one channel is judged afresh for every
 * recipient.
 */
#include "policy/policy.h"

static struct verdict pass(void)
{
	return (struct verdict){ .decision = DECISION_PASS, .why = "" };
}

/* mendable: another try, with nothing changed by an administrator, may give
 * another answer. */
static struct verdict refuse(const struct policy_rule *rule,
			     enum tls_result result, bool mendable,
			     const char *why)
{
	struct verdict v = { .decision = DECISION_REFUSE,
			     .result = result,
			     .permanent = !mendable,
			     .why = why };

	if (rule->on_fail == ON_FAIL_REJECT)
		v.permanent = true;
	if (rule->on_fail == ON_FAIL_DEFER)
		v.permanent = false;
	return v;
}

/* The name to offer to a server that chooses its certificate by it: the first
 * one that is a host's. Empty: the rule names none. */
static struct span sni_of(const struct policy_rule *rule)
{
	if (rule->level == LEVEL_VERIFY)
		for (size_t i = 0; i < rule->match_n; i++)
			if (rule->match[i].n > 0 && rule->match[i].p[0] != '.')
				return rule->match[i];
	return (struct span){ NULL, 0 };
}

static struct verdict dial(const struct policy_rule *rule,
			   const struct endpoint *to, const char *why)
{
	return (struct verdict){ .decision = DECISION_DIAL,
				 .dial = *to,
				 .sni = sni_of(rule),
				 .why = why };
}

static struct verdict no_tls(const struct policy_rule *rule,
			     const struct channel *ch, bool can_starttls)
{
	if (can_starttls)
		return (struct verdict){ .decision = DECISION_STARTTLS,
					 .sni = sni_of(rule),
					 .why = "TLS is not started yet" };
	if (ch->missing == TLS_RESULT_OK ||
	    ch->missing == TLS_STARTTLS_NOT_SUPPORTED)
		return refuse(rule, TLS_STARTTLS_NOT_SUPPORTED, true,
			      "it does not offer STARTTLS");
	return refuse(rule, ch->missing, true, "TLS with it failed");
}

static const char *chain_why(const struct policy_rule *rule, enum tls_result r)
{
	switch (r) {
	case TLS_CERTIFICATE_EXPIRED:
		return rule->clock_unset
			       ? "its certificate has expired or is not valid "
				 "yet, by a clock here that is not set"
			       : "its certificate has expired or is not valid "
				 "yet";
	case TLS_CERTIFICATE_NOT_TRUSTED:
		return "its certificate is not from a trusted CA";
	case TLS_CERTIFICATE_HOST_MISMATCH:
		return "its certificate is for another name";
	case TLS_RESULT_OK:
	case TLS_STARTTLS_NOT_SUPPORTED:
	case TLS_VALIDATION_FAILURE:
	case TLS_LOGON_FAILED:
	case TLS_RESULTS: break;
	}
	return "its certificate is not acceptable";
}

static bool name_ok(const struct policy_rule *rule, const struct channel *ch)
{
	size_t i = 0, end = ch->names_n;

	if (end > sizeof(ch->names))
		return false;
	while (i < end) {
		struct span name = { ch->names + i + 1, ch->names[i] };

		if (name.n > end - i - 1)
			return false;
		for (size_t m = 0; m < rule->match_n; m++)
			if (policy_name_matches(name, rule->match[m]))
				return true;
		i += 1 + name.n;
	}
	return false;
}

/* Level verify. A server with many certificates shows its default one, which
 * may be self-signed, to a client that offered no name or another: one more
 * chance with the right name. */
static struct verdict verify(const struct policy_rule *rule,
			     const struct channel *ch, struct span sni_used)
{
	struct span sni = sni_of(rule);

	if (ch->chain == TLS_RESULT_OK && name_ok(rule, ch))
		return pass();
	if (sni.n > 0 && !span_eq(sni, sni_used))
		return dial(rule, &ch->server,
			    "another certificate may be shown for the name");
	if (ch->chain != TLS_RESULT_OK)
		return refuse(rule, ch->chain,
			      /* it may not be the certificate that is wrong */
			      ch->chain == TLS_CERTIFICATE_EXPIRED &&
				      rule->clock_unset,
			      chain_why(rule, ch->chain));
	return refuse(rule, TLS_CERTIFICATE_HOST_MISMATCH, false,
		      "its certificate is for another name");
}

static struct verdict pinned(const struct policy_rule *rule,
			     const struct channel *ch)
{
	for (size_t i = 0; i < rule->pin_n; i++)
		if (memcmp(rule->pin[i], ch->spki_sha256, 32) == 0)
			return pass();
	return refuse(rule, TLS_CERTIFICATE_NOT_TRUSTED, false,
		      "its public key is not a pinned one");
}

static bool same_account(const struct logon *l, const struct channel_logon *c)
{
	return c->mech == l->mech && span_eq(span_str(c->account), l->account);
}

/* The channel is good; is it the right account's? */
static struct verdict logon(const struct policy_rule *rule,
			    const struct channel *ch)
{
	const struct logon *l = &rule->logon;
	const struct channel_logon *c = &ch->logon;

	if (l->mech == AUTH_NONE)
		return pass();
	if (c->mech == AUTH_NONE && same_account(l, &ch->logon_failed))
		return refuse(rule, TLS_LOGON_FAILED,
			      logon_mendable(ch->logon_failed.result),
			      logon_why(ch->logon_failed.result));
	if (c->mech == AUTH_NONE)
		return (struct verdict){ .decision = DECISION_AUTH,
					 .why = "the log-on is not done yet" };
	/* One log-on for a connection (RFC 4954 4). */
	if (!same_account(l, c) ||
	    (rule->level == LEVEL_NTLM_SEAL && c->bits < l->min_bits) ||
	    (l->mech == AUTH_NTLM && !c->ntlm_v2 && !l->legacy))
		return dial(rule, &ch->server, "another log-on was made on it");
	return pass();
}

/* Sealed, and inside TLS as well if the server can do that. */
static struct verdict sealed(const struct policy_rule *rule,
			     const struct channel *ch, bool can_starttls)
{
	if (!ch->tls && can_starttls && ch->logon.mech == AUTH_NONE)
		return (struct verdict){ .decision = DECISION_STARTTLS,
					 .why = "TLS is not started yet" };
	if (rule->logon.mech != AUTH_NTLM)
		return refuse(rule, TLS_LOGON_FAILED, false,
			      "its policy names no account");
	if (ch->logon.mech != AUTH_NONE && ch->logon.bits == 0)
		return dial(rule, &ch->server, "it is not sealed");
	return logon(rule, ch);
}

static struct verdict tls(const struct policy_rule *rule,
			  const struct channel *ch, bool can_starttls,
			  struct span sni_used)
{
	/* Sealed in clear: TLS cannot begin inside the seal. */
	if (!ch->tls && ch->logon.mech != AUTH_NONE)
		return dial(rule, &ch->server, "it is sealed without TLS");
	if (!ch->tls)
		return no_tls(rule, ch, can_starttls);
	if (ch->version < 0x0303 || ch->version < rule->min_tls)
		return refuse(rule, TLS_VALIDATION_FAILURE, false,
			      "its TLS version is too low");
	if (rule->level == LEVEL_VERIFY)
		return verify(rule, ch, sni_used);
	if (rule->level == LEVEL_PIN)
		return pinned(rule, ch);
	return pass();
}

const struct endpoint *policy_way(const struct policy_rule *rule,
				  const struct endpoint *original)
{
	bool v6 = !ip_is_v4(original->ip);

	if (!rule->has_route)
		return original;
	return &rule->route[rule->route[v6].port != 0 ? v6 : !v6];
}

struct verdict policy_decide(const struct policy_rule *rule,
			     const struct channel *ch, bool can_starttls,
			     struct span sni_used,
			     const struct endpoint *original)
{
	const struct endpoint *want = policy_way(rule, original);
	struct verdict v;

	if (rule->has_route && want->port == 0) {
		/* Whatever on-fail says: where a name leads is not for this
		 * rule to judge, and may be known at the next try. */
		v = refuse(rule, TLS_VALIDATION_FAILURE, true,
			   "it is not known where the host of its route is");
		v.permanent = false;
		return v;
	}
	if (!endpoint_eq(&ch->server, want))
		return dial(rule, want,
			    rule->has_route ? "its mail has a route"
					    : "its mail has no route");
	switch (rule->level) {
	case LEVEL_CLEAR: return pass();
	case LEVEL_MAY:
		return rule->learned ? tls(rule, ch, can_starttls, sni_used)
				     : pass();
	case LEVEL_NTLM_SEAL: return sealed(rule, ch, can_starttls);
	case LEVEL_ENCRYPT:
	case LEVEL_VERIFY:
	case LEVEL_PIN:
		v = tls(rule, ch, can_starttls, sni_used);
		return v.decision == DECISION_PASS ? logon(rule, ch) : v;
	case LEVELS: break;
	}
	return refuse(rule, TLS_VALIDATION_FAILURE, false,
		      "its policy level is unknown");
}
