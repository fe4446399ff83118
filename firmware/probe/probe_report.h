/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBE_PROBE_REPORT_H
#define PROBE_PROBE_REPORT_H

#include "base/text.h"
#include "policy/policy.h"
#include "probe/probe.h"

/*
 * probe_report - the facts of a probe in words: what the server has, what stands
 * on the way to it, which levels would hold now, and the lines to configure it.
 *
 * Lines of at most 79 columns or so, with LF; what a foreign host said is cleaned.
 * Everything in struct probe_about stays the caller's, and must be there during the
 * call only.
 */
struct probe_about {
	struct span domain; /* of the mail; empty: only an address is known */
	struct span host;   /* the server's name; empty: not known */
	struct endpoint server;
	bool clock_unset; /* dates are judged by a clock that is not set */
	/* The rule that is in force for the domain; NULL: none to show. */
	const struct policy_rule *rule;
};

/* What t has no room for is cut. */
void probe_report(struct text *t, const struct probe_facts *f,
		  const struct probe_about *a);

/* Would mail for the domain leave now, if its rule had this level? verify is for
 * a name of the domain or of the host. */
bool probe_holds(const struct probe_facts *f, const struct probe_about *a,
		 enum level level);

#endif
