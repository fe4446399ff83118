/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session - see session.h.
 *
 *	client socket <-> gate <-> [seal] <-> [TLS engine] <-> server socket, outside
 *	server socket <-> gate <-> [seal] <-> [TLS engine] <-> client socket, outside
 *
 * The pump is move(): whatever can go from the gate into the layers goes, and
 * the other way round, until nothing moves. Where the gate takes less than it
 * is given, the bytes stay where they are and the socket is not read: that is
 * the back-pressure.
 */
#include <stdlib.h>
#include <string.h>
#include "base/wipe.h"
#include "policy/inbound.h"
#include "session/session.h"

struct session {
	struct gate gate;
	enum side outside; /* who TLS is spoken with */
	const struct policy *policy;
	struct tls_trust *trust;       /* outbound */
	struct tls_identity *identity; /* NULL: none */
	bool ask;		       /* inbound: for a certificate */
	struct layers layers;	       /* none: in clear */
	bool shaking;		       /* layers.tls is not up yet */
	bool early; /* the server spoke where TLS had to begin */
	bool told_eof;
	bool bound;		  /* the log-on under way is bound to TLS */
	struct sasl_outcome seal; /* of the gate's GATE_SEAL */
	uint64_t gate_mem[];
};

/* Not calloc: it would touch the gate's buffers, most of which an idle session
 * never uses. */
static struct session *new_with(size_t gate_size, const struct policy *pol,
				enum side outside)
{
	struct session *s = malloc(sizeof(*s) + gate_size);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->policy = pol;
	s->outside = outside;
	return s;
}

struct session *session_new(const struct policy *pol, struct tls_trust *trust,
			    struct tls_identity *id,
			    const struct gate_start *start)
{
	struct session *s = new_with(smtp_gate_out_size(), pol, SERVER);

	if (!s)
		return NULL;
	s->trust = trust;
	s->identity = id;
	s->gate.out = smtp_gate_out_init(s->gate_mem, pol, start);
	return s;
}

struct session *session_new_in(const struct policy *pol,
			       struct tls_identity *id, bool tls_only, bool ask,
			       uint64_t now_ms)
{
	const struct gate_in_start start = { .now_ms = now_ms,
					     .can_tls = id != NULL,
					     .tls_only = tls_only };
	struct session *s = new_with(smtp_gate_in_size(), pol, CLIENT);

	if (!s)
		return NULL;
	s->identity = id;
	s->ask = ask;
	s->gate.in = smtp_gate_in_init(s->gate_mem, pol, &start);
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	layers_drop(&s->layers);
	wipe(&s->seal, sizeof(s->seal));
	free(s);
}

void session_set_policy(struct session *s, const struct policy *pol,
			struct tls_trust *trust)
{
	s->policy = pol;
	s->trust = trust;
	if (s->gate.in)
		smtp_gate_in_set_policy(s->gate.in, pol, s->identity != NULL);
	else
		smtp_gate_out_set_policy(s->gate.out, pol);
}

void session_set_identity(struct session *s, struct tls_identity *id)
{
	s->identity = id;
	if (s->gate.in)
		smtp_gate_in_set_policy(s->gate.in, s->policy, id != NULL);
}

/* Is there something between the gate and the socket, and is it ready? */
static bool layered(const struct session *s)
{
	return layers_any(&s->layers) && !s->shaking;
}

static void drop_layers(struct session *s)
{
	layers_drop(&s->layers);
	s->shaking = false;
}

static struct tls_engine *tls_new(const struct session *s)
{
	if (!s->gate.in)
		return tls_client_new(s->trust, smtp_gate_out_sni(s->gate.out),
				      s->policy->settings.peers ? s->identity
								: NULL);
	/* The last certificate may have gone since it was offered. */
	if (!s->identity)
		return NULL;
	return tls_server_new(s->identity,
			      s->ask || inbound_asks_certificate(s->policy));
}

/* The gate wants TLS, and what it said before has left. */
static void begin_tls(struct session *s)
{
	struct channel ch = { .no_room = true };

	s->layers.tls = tls_new(s);
	if (!s->layers.tls) {
		gate_tls_failed(&s->gate, &ch);
		return;
	}
	s->shaking = true;
}

static void end_shake(struct session *s)
{
	enum tls_state st = tls_engine_state(s->layers.tls);
	struct channel ch;

	if (st == TLS_SHAKING)
		return;
	s->shaking = false;
	tls_engine_channel(s->layers.tls, &ch);
	if (st == TLS_UP || st == TLS_CLOSED) {
		gate_tls_up(&s->gate, &ch, s->early);
		return;
	}
	if (!s->gate.in) /* a client is still told why, by an alert */
		drop_layers(s);
	gate_tls_failed(&s->gate, &ch);
}

/* Clear text between gate and layers. True: something moved. */
static bool exchange(struct session *s)
{
	struct span in = layers_out(&s->layers, LAYERS_APP), out;
	size_t up = 0, down = 0;

	if (in.n > 0) {
		up = gate_feed(&s->gate, s->outside, in);
		layers_sent(&s->layers, LAYERS_APP, up);
	}
	out = gate_out(&s->gate, s->outside);
	if (out.n > 0) {
		down = layers_feed(&s->layers, LAYERS_APP, out);
		gate_sent(&s->gate, s->outside, down);
	}
	return up + down > 0;
}

/* The peer's end inside TLS: close_notify, or a broken record or block. */
static void watch_end(struct session *s)
{
	if (s->told_eof)
		return;
	switch (layers_state(&s->layers)) {
	case LAYERS_UP: break;
	case LAYERS_CLOSED:
		s->told_eof = true;
		gate_eof(&s->gate, s->outside);
		break;
	case LAYERS_FAILED:
		s->told_eof = true;
		gate_gone(&s->gate, s->outside);
		break;
	}
}

enum session_wish session_wish(const struct session *s)
{
	switch (gate_wish(&s->gate)) {
	case GATE_STARTTLS:
		return s->shaking && tls_engine_asks(s->layers.tls, NULL)
			       ? SESSION_SIGN
			       : SESSION_NOTHING;
	case GATE_NOTHING:
	case GATE_SEAL: break;
	case GATE_DIAL: return SESSION_DIAL;
	case GATE_ROUTE: return SESSION_ROUTE;
	case GATE_AUTH: return SESSION_AUTH;
	case GATE_CLOSE:
		return gate_cut(&s->gate) ? SESSION_CUT : SESSION_CLOSE;
	case GATE_ABORT: return SESSION_ABORT;
	}
	return SESSION_NOTHING;
}

/* The client has been told that it is in, which was the last word without a seal. */
static void begin_seal(struct session *s)
{
	int r = layers_seal(&s->layers, &s->seal, SERVER,
			    (struct seal_framing){ false, false });

	wipe(&s->seal, sizeof(s->seal));
	smtp_gate_in_sealed(s->gate.in, r == OK);
}

static void move(struct session *s)
{
	bool more = true;

	while (more) {
		more = false;
		if (!s->layers.tls && !s->shaking &&
		    gate_wish(&s->gate) == GATE_STARTTLS &&
		    gate_out(&s->gate, s->outside).n == 0) {
			begin_tls(s);
			more = true;
		}
		if (s->layers.tls && s->shaking) {
			end_shake(s);
			more = !s->shaking;
		}
		if (layered(s) && exchange(s))
			more = true;
		if (gate_wish(&s->gate) == GATE_SEAL &&
		    gate_out(&s->gate, s->outside).n == 0) {
			begin_seal(s);
			more = true;
		}
	}
	if (layered(s)) {
		watch_end(s);
		if (gate_wish(&s->gate) == GATE_CLOSE &&
		    gate_out(&s->gate, s->outside).n == 0)
			layers_close(&s->layers);
	}
}

size_t session_feed(struct session *s, enum side from, struct span in)
{
	size_t n;

	if (from == s->outside && layers_any(&s->layers)) {
		n = layers_feed(&s->layers, LAYERS_NET, in);
	} else {
		n = gate_feed(&s->gate, from, in);
		/* RFC 3207 6: what follows the 220 in clear was put there by
		 * somebody who is not the server. */
		if (from == SERVER && n < in.n && s->gate.out &&
		    gate_wish(&s->gate) == GATE_STARTTLS) {
			s->early = true;
			n = in.n;
		}
	}
	move(s);
	return n;
}

bool session_hungry(const struct session *s, enum side from)
{
	if (from != s->outside)
		return gate_hungry(&s->gate, from);
	if (!layers_any(&s->layers))
		return gate_hungry(&s->gate, from) ||
		       gate_wish(&s->gate) == GATE_STARTTLS;
	if (s->shaking)
		return true;
	return layers_out(&s->layers, LAYERS_APP).n == 0 &&
	       layers_state(&s->layers) == LAYERS_UP &&
	       gate_hungry(&s->gate, from);
}

struct span session_out(const struct session *s, enum side to)
{
	if (to == s->outside && layers_any(&s->layers))
		return layers_out(&s->layers, LAYERS_NET);
	return gate_out(&s->gate, to);
}

void session_sent(struct session *s, enum side to, size_t n)
{
	if (to == s->outside && layers_any(&s->layers))
		layers_sent(&s->layers, LAYERS_NET, n);
	else
		gate_sent(&s->gate, to, n);
	move(s);
}

static void outside_ends(struct session *s, bool orderly)
{
	if (s->told_eof)
		return;
	s->told_eof = true;
	if (s->shaking) {
		struct channel ch = { .missing = TLS_VALIDATION_FAILURE,
				      .why = "handshake: the other end "
					     "closed" };

		drop_layers(s);
		s->told_eof = false; /* the gate dials again, or goes on */
		gate_tls_failed(&s->gate, &ch);
	} else if (layers_any(&s->layers) || !orderly) {
		/* An end that TLS did not announce may be anybody's. */
		gate_gone(&s->gate, s->outside);
	} else {
		gate_eof(&s->gate, s->outside);
	}
	move(s);
}

void session_eof(struct session *s, enum side from)
{
	if (from == s->outside) {
		outside_ends(s, true);
		return;
	}
	gate_eof(&s->gate, from);
	move(s);
}

void session_gone(struct session *s, enum side from)
{
	if (from == s->outside) {
		outside_ends(s, false);
		return;
	}
	gate_gone(&s->gate, from);
	move(s);
}

struct endpoint session_dial(const struct session *s)
{
	return smtp_gate_out_dial(s->gate.out);
}

void session_dialed(struct session *s)
{
	drop_layers(s);
	s->told_eof = s->early = false;
	smtp_gate_out_dialed(s->gate.out);
	move(s);
}

void session_dial_failed(struct session *s)
{
	drop_layers(s);
	smtp_gate_out_dial_failed(s->gate.out);
	move(s);
}

struct span session_route(const struct session *s)
{
	return smtp_gate_out_route(s->gate.out);
}

void session_routed(struct session *s, const uint8_t ip[16])
{
	smtp_gate_out_routed(s->gate.out, ip);
	move(s);
}

void session_unrouted(struct session *s, const char *why)
{
	smtp_gate_out_unrouted(s->gate.out, why);
	move(s);
}

struct gate_auth session_auth(const struct session *s,
			      struct logon_binding *binding)
{
	struct gate_status st;

	smtp_gate_out_status(s->gate.out, &st);
	*binding = st.channel->binding;
	return smtp_gate_out_auth(s->gate.out);
}

void session_auth_say(struct session *s, struct span text, bool said)
{
	struct logon_binding binding;
	struct gate_auth a = session_auth(s, &binding);
	bool plus = a.plus && binding.exporter_there;

	s->bound = plus ||
		   (a.logon.mech == AUTH_NTLM && binding.endpoint_n > 0);
	smtp_gate_out_auth_say(s->gate.out, text, said, plus);
	move(s);
}

void session_auth_failed(struct session *s, enum logon_result why)
{
	smtp_gate_out_auth_failed(s->gate.out, why);
	move(s);
}

void session_auth_up(struct session *s, const struct sasl_outcome *o)
{
	struct gate_auth a = smtp_gate_out_auth(s->gate.out);
	struct channel_logon l = { .bound = s->bound,
				   .bits = o->bits,
				   .half_duplex = o->bits > 0 &&
						  ntlm_seal_half_duplex(o),
				   .ntlm_v2 = o->ntlm_v2,
				   .ntlm_flags = o->ntlm_flags };

	if (a.seal != (o->bits > 0) ||
	    smtp_gate_out_wish(s->gate.out) != GATE_AUTH)
		smtp_gate_out_auth_failed(s->gate.out, LOGON_NO_KEYS);
	else if (a.seal &&
		 layers_seal(&s->layers, o, CLIENT, a.logon.framing) != OK)
		smtp_gate_out_auth_failed(s->gate.out, LOGON_NO_KEYS);
	else
		smtp_gate_out_auth_up(s->gate.out, &l);
	move(s);
}

struct gate_heard session_heard(const struct session *s,
				struct logon_binding *binding)
{
	struct gate_status st;

	smtp_gate_in_status(s->gate.in, &st);
	*binding = st.channel->binding;
	return smtp_gate_in_heard(s->gate.in);
}

void session_heard_ask(struct session *s, struct span text)
{
	smtp_gate_in_auth_ask(s->gate.in, text);
	move(s);
}

void session_heard_known(struct session *s, struct span account,
			 const struct sasl_outcome *o)
{
	struct channel_logon l = { .bound = o->bound,
				   .bits = o->bits,
				   .half_duplex = o->bits > 0 &&
						  ntlm_seal_half_duplex(o),
				   .ntlm_v2 = o->ntlm_v2,
				   .ntlm_flags = o->ntlm_flags };

	s->seal = *o;
	smtp_gate_in_auth_known(s->gate.in, account, &l);
	move(s);
}

void session_heard_unknown(struct session *s, enum logon_result why,
			   uint32_t wait_ms)
{
	smtp_gate_in_auth_unknown(s->gate.in, why, wait_ms);
	move(s);
}

void session_slow(struct session *s, uint32_t wait_ms)
{
	smtp_gate_in_slow(s->gate.in, wait_ms);
}

struct sign_ask session_sign(const struct session *s)
{
	struct sign_ask q = { .hash_n = 0 };

	(void)tls_engine_asks(s->layers.tls, &q);
	return q;
}

void session_signed(struct session *s, struct span signature)
{
	if (!s->shaking)
		return;
	tls_engine_signed(s->layers.tls, signature);
	move(s);
}

void session_tick(struct session *s, uint64_t now_ms)
{
	gate_tick(&s->gate, now_ms);
	move(s);
}

uint64_t session_deadline(const struct session *s)
{
	return gate_deadline(&s->gate);
}

bool session_event(struct session *s, struct gate_event *ev)
{
	return gate_event(&s->gate, ev);
}

void session_status(const struct session *s, struct gate_status *st)
{
	gate_status(&s->gate, st);
}
