/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_names - where the hosts of routes are. A session that needs to know waits,
 * and goes on when the resolver has answered, or has not.
 *
 *	session: ROUTE -> dns_names: known, or
 *	                  resolver, from a borrowed address: one name at a time
 *
 * What is believed of the answer stands in dns/dns_names.h. Who is there is proved
 * by TLS: a rule that has such a route verifies (policy/policy.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "dns/dns_names.h"
#include "proc/relay/relay.h"

enum {
	DNS_PORT = 53,
	ANSWER_MS = 10000, /* of the resolver, the connection included */
	BUSY_MS = 300,	   /* until a connection may be free there */
};

static struct {
	struct dns_names names;
	struct dns_name *asking; /* NULL: nothing is asked */
	struct borrow net;
	struct dns_lookup lookup;
	uint64_t until_ms;
	uint64_t again_ms; /* 0: dialled */
	bool wake;	   /* who waits may go on */
} N;

static const struct settings *settings(void)
{
	return &R.snapshot[R.current].policy.settings;
}

/* --- what is told ------------------------------------------------------------------- */
static struct stats_route *row(const struct dns_name *n)
{
	return &R.prog.stats->route[n - N.names.name];
}

/* For show routes: what is known of n, which may have another one's place. */
static struct stats_route *show(const struct dns_name *n)
{
	struct stats_route *s = row(n);

	_Static_assert(sizeof(R.prog.stats->route) ==
				       DNS_NAMES_MAX * sizeof(*s) &&
			       sizeof(s->ip) == sizeof(n->ip),
		       "what is kept is shown");
	if (strcmp(s->name, n->name) != 0 || s->v6 != n->v6)
		memset(s, 0, sizeof(*s));
	memcpy(s->name, n->name, n->name_n + 1);
	s->v6 = n->v6;
	memcpy(s->ip, n->ip, sizeof(s->ip));
	s->ip_n = (uint32_t)n->ip_n;
	s->used = 1;
	return s;
}

static void show_failure(const struct dns_name *n, const char *why)
{
	struct stats_route *s = show(n);

	s->failed_ms = now_unix_ms();
	relay_copy(s->why, sizeof(s->why), why);
}

static void show_answer(const struct dns_name *n)
{
	struct stats_route *s = show(n);

	s->answered_ms = now_unix_ms();
	s->fresh_ms = s->answered_ms + (n->fresh_ms - R.now);
	if (n->ip_n == 0)
		show_failure(n, n->why);
}

static void log_known(const struct dns_name *n)
{
	char ip[48];
	struct text t;

	text_init(&t, ip, sizeof(ip));
	if (n->ip_n > 0 && settings()->log_addresses)
		text_ip(&t, n->ip[0]);
	program_log(&R.prog, SEV_INFO, "event=route-known host=%s address=%s",
		    n->name, ip);
}

static void log_unknown(const struct dns_name *n, const char *why)
{
	char line[DOMAIN_MAX + 40];

	snprintf(line, sizeof(line), "event=route-unknown host=%s", n->name);
	program_log_why(&R.prog, SEV_WARNING, line, span_str(why));
}

/* --- asking ------------------------------------------------------------------------- */
static void stop(void)
{
	relay_borrow_hang_up(&N.net, N.lookup.done);
	N.asking = NULL;
	N.again_ms = 0;
	N.wake = true;
}

/* This name could not be asked for. */
static void fail(const char *why)
{
	log_unknown(N.asking, why);
	dns_names_failed(N.asking, why, R.now);
	show_failure(N.asking, why);
	stop();
}

/* Nor could any other. */
static void fail_all(const char *why)
{
	struct dns_name *n;

	fail(why);
	while ((n = dns_names_next(&N.names)) != NULL) {
		dns_names_failed(n, why, R.now);
		show_failure(n, why);
	}
}

static void dial(void)
{
	static const struct endpoint anybody;
	struct endpoint to = settings()->resolver;

	if (to.port == 0) {
		fail_all("there is no resolver");
		return;
	}
	to.port = DNS_PORT;
	N.again_ms = 0;
	if (!relay_borrow_dial(&N.net, &anybody, &to))
		fail_all("wire is not there at the moment");
}

/* Ask for the next name, if there is one and nothing is asked. */
static void start(void)
{
	while (!N.asking && (N.asking = dns_names_next(&N.names)) != NULL) {
		N.until_ms = R.now + ANSWER_MS;
		if (dns_lookup_init_host(&N.lookup, span_str(N.asking->name),
					 N.asking->v6,
					 (uint16_t)relay_random()) == OK)
			dial();
		else
			fail("not the name of a host");
	}
}

static void answered(void)
{
	if (dns_names_answered(N.asking, &N.lookup, R.now))
		log_known(N.asking);
	if (N.asking->ip_n == 0)
		log_unknown(N.asking, N.asking->why);
	show_answer(N.asking);
	stop();
}

static void flush(void)
{
	struct span s;

	while ((s = dns_lookup_out(&N.lookup)).n > 0) {
		ssize_t n = send(N.net.net.fd, s.p, s.n,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* a socket that has no room for a question */
			return;
		dns_lookup_sent(&N.lookup, (size_t)n);
	}
}

static void on_net(struct watch *w, uint32_t events)
{
	uint8_t b[2048];
	ssize_t n;

	(void)events;
	R.now = now_ms();
	do
		n = recv(w->fd, b, sizeof(b), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		dns_lookup_feed(&N.lookup, (struct span){ b, (size_t)n });
	flush();
	if (N.lookup.done)
		answered();
	else if (N.lookup.error == E_PEER_PROOF)
		fail("the resolver refuses or cannot answer");
	else if (N.lookup.error != OK)
		fail("the resolver says what cannot be understood");
	else if (n <= 0)
		fail_all("the resolver has hung up");
	start();
}

bool relay_names_message(struct ipc_msg *m)
{
	enum borrow_news news = relay_borrow_message(&N.net, m, on_net);

	switch (news) {
	case BORROW_OTHERS: return false;
	case BORROW_OLD:
	case BORROW_WHOSE: break;
	case BORROW_NOBODY:
		if (m->error == E_FULL)
			N.again_ms = R.now + BUSY_MS;
		else
			fail_all("no mail server inside has an address of the "
				 "resolver's kind (IPv4, IPv6)");
		break;
	case BORROW_FAILED:
		fail_all(m->error == E_PEER_GONE
				 ? "the resolver refuses the connection"
				 : "the resolver does not answer");
		break;
	case BORROW_UP: flush(); break;
	}
	start();
	return true;
}

bool relay_names_answer(struct conn *c)
{
	struct span name = session_route(c->session);
	bool v6 = !ip_is_v4(c->server.ip);
	const char *why;
	uint8_t ip[16];
	int r = dns_names_get(&N.names, name, v6, R.now, ip, &why);

	if (r == E_AGAIN) {
		start();
		r = dns_names_get(&N.names, name, v6, R.now, ip, &why);
	}
	if (r == E_AGAIN)
		return false;
	if (r == OK && memcmp(ip, c->client.ip, 16) == 0)
		session_unrouted(c->session, "it is the mail server itself");
	else if (r == OK)
		session_routed(c->session, ip);
	else
		session_unrouted(c->session, why);
	return true;
}

void relay_names_unreached(const struct endpoint *server)
{
	dns_names_unreached(&N.names, server->ip);
	for (size_t i = 0; i < DNS_NAMES_MAX; i++) {
		const struct dns_name *n = &N.names.name[i];
		struct stats_route *s;
		size_t k = 0;

		while (k < n->ip_n && memcmp(n->ip[k], server->ip, 16) != 0)
			k++;
		if (k == n->ip_n)
			continue;
		s = show(n);
		s->unreached_ms = now_unix_ms();
		memcpy(s->unreached, server->ip, 16);
	}
}

void relay_names_init(void)
{
	N.net.net.fd = -1;
	/* What was known before a restart is not any more. */
	memset(R.prog.stats->route, 0, sizeof(R.prog.stats->route));
}

bool relay_names_busy(void)
{
	return N.asking || N.wake;
}

void relay_names_turn(void)
{
	if (N.asking && R.now >= N.until_ms)
		fail_all("the resolver does not answer");
	else if (N.asking && N.again_ms != 0 && R.now >= N.again_ms)
		dial();
	start();
	if (N.wake) {
		N.wake = false;
		relay_conn_routes();
	}
}
