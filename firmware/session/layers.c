/* SPDX-License-Identifier: BSD-2-Clause */
/* layers - see layers.h. */
#include <stdlib.h>
#include "session/layers.h"

enum { RECORDS = 16384 }; /* that wait for the socket before more are made */

int layers_seal(struct layers *l, const struct sasl_outcome *o, enum side we,
		struct seal_framing framing)
{
	void *mem = malloc(ntlm_seal_size());

	if (!mem)
		return E_FULL;
	l->seal = ntlm_seal_init(mem, o, we, framing);
	if (!l->seal)
		free(mem);
	return l->seal ? OK : E_FULL;
}

void layers_drop(struct layers *l)
{
	tls_engine_free(l->tls);
	if (l->seal)
		ntlm_seal_wipe(l->seal);
	free(l->seal);
	*l = (struct layers){ NULL, NULL };
}

/* Records are made while there is room for them; what does not fit stays where
 * it is, and who sends it feels it. */
static size_t into_tls(struct layers *l, struct span in)
{
	if (in.n == 0 || tls_engine_out(l->tls, TLS_NET).n >= RECORDS)
		return 0;
	return tls_engine_feed(l->tls, TLS_APP, in);
}

/* Between the two, until nothing moves. */
static void pump(struct layers *l)
{
	size_t up, down;

	if (!l->tls || !l->seal)
		return;
	do {
		up = ntlm_seal_feed(l->seal, SEAL_NET,
				    tls_engine_out(l->tls, TLS_APP));
		tls_engine_sent(l->tls, TLS_APP, up);
		down = into_tls(l, ntlm_seal_out(l->seal, SEAL_NET));
		ntlm_seal_sent(l->seal, SEAL_NET, down);
	} while (up + down > 0);
}

size_t layers_feed(struct layers *l, enum layers_door d, struct span in)
{
	size_t n;

	if (d == LAYERS_NET)
		n = l->tls ? tls_engine_feed(l->tls, TLS_NET, in)
			   : ntlm_seal_feed(l->seal, SEAL_NET, in);
	else
		n = l->seal ? ntlm_seal_feed(l->seal, SEAL_APP, in)
			    : into_tls(l, in);
	pump(l);
	return n;
}

struct span layers_out(const struct layers *l, enum layers_door d)
{
	if (d == LAYERS_NET)
		return l->tls ? tls_engine_out(l->tls, TLS_NET)
			      : ntlm_seal_out(l->seal, SEAL_NET);
	return l->seal ? ntlm_seal_out(l->seal, SEAL_APP)
		       : tls_engine_out(l->tls, TLS_APP);
}

void layers_sent(struct layers *l, enum layers_door d, size_t n)
{
	if (d == LAYERS_NET && l->tls)
		tls_engine_sent(l->tls, TLS_NET, n);
	else if (d == LAYERS_APP && !l->seal)
		tls_engine_sent(l->tls, TLS_APP, n);
	else
		ntlm_seal_sent(l->seal, d == LAYERS_NET ? SEAL_NET : SEAL_APP,
			       n);
	pump(l);
}

enum layers_state layers_state(const struct layers *l)
{
	if (layers_out(l, LAYERS_APP).n > 0)
		return LAYERS_UP;
	if (l->seal && ntlm_seal_error(l->seal) != OK)
		return LAYERS_FAILED;
	if (l->tls && tls_engine_state(l->tls) == TLS_CLOSED)
		return LAYERS_CLOSED;
	if (l->tls && tls_engine_state(l->tls) == TLS_FAILED)
		return LAYERS_FAILED;
	return LAYERS_UP;
}

void layers_close(struct layers *l)
{
	if (l->tls)
		tls_engine_close(l->tls);
}
