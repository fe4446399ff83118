/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_domain - what came of mail for a domain, in the statistics. A fixed
 * number of domains; the one not seen for longest gives way.
 */
#include <string.h>
#include "proc/relay/relay.h"

static uint64_t seen(const struct stats_domain *d)
{
	return d->taken_ms > d->refused_ms ? d->taken_ms : d->refused_ms;
}

/* Its place, or one for it. */
static struct stats_domain *place(const char *domain)
{
	struct stats_domain *all = R.prog.stats->domain, *d = &all[0];

	for (size_t i = 0; i < STATS_DOMAINS; i++) {
		if (all[i].used && strcmp(all[i].domain, domain) == 0)
			return &all[i];
		if (d->used && (!all[i].used || seen(&all[i]) < seen(d)))
			d = &all[i];
	}
	memset(d, 0, sizeof(*d));
	relay_copy(d->domain, sizeof(d->domain), domain);
	d->used = 1;
	return d;
}

void relay_domain_taken(const char *domain, const struct channel *ch)
{
	struct stats_domain *d;

	if (domain[0] == '\0')
		return;
	d = place(domain);
	d->taken_ms = now_unix_ms();
	d->taken_server = ch->server;
	d->tls_version = ch->tls ? ch->version : 0;
	d->chain = (uint16_t)ch->chain;
	relay_copy(d->suite, sizeof(d->suite), ch->tls ? ch->suite : "");
	d->bits = ch->logon.bits;
	relay_logon_text(&ch->logon, d->logon, sizeof(d->logon));
}

void relay_domain_refused(const struct gate_event *ev, const struct channel *ch)
{
	struct stats_domain *d;

	if (ev->domain[0] == '\0')
		return;
	d = place(ev->domain);
	d->refused_ms = now_unix_ms();
	d->refused_n++;
	d->refused_server = ch->server;
	d->code = ev->code;
	d->result = (uint16_t)ev->result;
	relay_copy(d->why, sizeof(d->why), ev->why);
}
