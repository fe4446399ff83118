/* SPDX-License-Identifier: BSD-2-Clause */
/* logon - see logon.h. */
#include "base/logon.h"

static const struct {
	const char *word, *name, *plus;
} mechs[AUTH_MECHS] = {
	[AUTH_NONE] = { "none", "", NULL },
	[AUTH_PLAIN] = { "plain", "PLAIN", NULL },
	[AUTH_LOGIN] = { "login", "LOGIN", NULL },
	[AUTH_CRAM_MD5] = { "cram-md5", "CRAM-MD5", NULL },
	[AUTH_SCRAM_SHA_1] = { "scram-sha-1", "SCRAM-SHA-1",
			       "SCRAM-SHA-1-PLUS" },
	[AUTH_SCRAM_SHA_256] = { "scram-sha-256", "SCRAM-SHA-256",
				 "SCRAM-SHA-256-PLUS" },
	[AUTH_NTLM] = { "ntlm", "NTLM", NULL },
};

const char *auth_mech_word(enum auth_mech m)
{
	return m < AUTH_MECHS ? mechs[m].word : "?";
}

const char *auth_mech_name(enum auth_mech m, bool plus)
{
	if (m >= AUTH_MECHS)
		return "?";
	return plus && mechs[m].plus ? mechs[m].plus : mechs[m].name;
}

enum auth_mech auth_mech_of(struct span name, bool *plus)
{
	*plus = false;
	for (enum auth_mech m = AUTH_PLAIN; m < AUTH_MECHS; m++) {
		if (span_eq_nocase(name, span_str(mechs[m].name)))
			return m;
		*plus = mechs[m].plus &&
			span_eq_nocase(name, span_str(mechs[m].plus));
		if (*plus)
			return m;
	}
	return AUTH_NONE;
}

static const struct {
	const char *why;
	bool mendable;
} results[LOGON_RESULTS] = {
	[LOGON_OK] = { "it succeeded", true },
	/* as with STARTTLS: it may have been taken off the list on the way */
	[LOGON_NOT_OFFERED] = { "it does not offer this mechanism", true },
	[LOGON_REFUSED] = { "it refused the account", false },
	[LOGON_REFUSED_NOW] = { "it refused for now", true },
	[LOGON_WEAK] = { "it can do less than the policy asks", false },
	[LOGON_UNPROVEN] = { "it did not prove that it knows the password",
			     true },
	[LOGON_MALFORMED] = { "it broke the protocol of the log-on", true },
	[LOGON_ACCOUNT] = { "the account does not fit the mechanism", false },
	[LOGON_NO_KEYS] = { "the box could not answer it", true },
};

const char *logon_why(enum logon_result r)
{
	return r < LOGON_RESULTS ? results[r].why : "?";
}

bool logon_mendable(enum logon_result r)
{
	return r >= LOGON_RESULTS || results[r].mendable;
}
