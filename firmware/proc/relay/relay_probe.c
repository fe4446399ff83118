/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_probe - a probe at work: one for the whole box, one connection at a time.
 *
 *	console: PROBE -> [resolver: lookup] -> server: probe_talk, several times
 *	        <- PROBED                        with TLS under it where it wishes,
 *	                                         then the next of its MX
 *
 * It has nothing to do with sessions but the trust and the rules that they have.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "dns/dns_lookup.h"
#include "probe/probe_report.h"
#include "probe/probe_talk.h"
#include "proc/relay/relay.h"

enum {
	DNS_PORT = 53,
	DIAL_MS = 20000,
	LOOKUP_MS = 15000,
	TEXT_MAX = 12288 * DNS_HOSTS_MAX,
};

static struct {
	struct watch console;
	bool busy;
	uint64_t until_ms;	/* dial and lookup */
	struct endpoint borrow; /* the address that was asked for */
	struct endpoint server, resolver;
	struct endpoint named; /* the resolver that somebody has named */
	bool seen;	       /* it is the one that is asked inside */
	char domain[DOMAIN_MAX + 1], host[DOMAIN_MAX + 1];
	unsigned level; /* that has to hold, from 1; 0: none */
	size_t at;	/* the next host of lookup */
	bool met, weak; /* some server was talked to; it does not hold there */
	bool looking;
	struct dns_lookup lookup;
	struct probe_talk talk;
	struct probe_facts facts;
	struct tls_engine *tls;
	bool shaken; /* tls is up */
	struct borrow net;
	struct text text;
	char text_mem[TEXT_MAX];
} P;

static struct span name_of(const char *s)
{
	return span_str(s);
}

static void put(const char *s)
{
	text_str(&P.text, s);
}

/* --- what console is told -------------------------------------------------------- */

/* All of the text, in as many messages as it takes. */
static void answer(int error)
{
	struct span rest = text_done(&P.text);

	do {
		size_t n = rest.n < IPC_OCTETS_MAX ? rest.n : IPC_OCTETS_MAX;
		struct ipc_msg m = { .type = IPC_PROBED,
				     .error = error,
				     .number = rest.n > n,
				     .octets = { rest.p, n } };

		if (P.console.fd < 0 ||
		    ipc_send(P.console.fd, ROLE_RELAY, ROLE_CONSOLE, &m) != OK)
			return;
		rest = span_skip(rest, n);
	} while (rest.n > 0);
}

/* --- connections ----------------------------------------------------------------- */

/* orderly: all was said; else the server sees a reset. */
static void hang_up(bool orderly)
{
	relay_borrow_hang_up(&P.net, orderly);
	tls_engine_free(P.tls);
	P.tls = NULL;
	P.shaken = false;
}

static void finish(int error)
{
	hang_up(false);
	P.busy = false;
	answer(error);
}

static void fail(const char *why)
{
	put(why);
	finish(E_PEER_GONE);
}

static void dial(const struct endpoint *to)
{
	P.until_ms = R.now + DIAL_MS;
	if (!relay_borrow_dial(&P.net, &P.borrow, to))
		fail("wire is not there at the moment; try again\n");
}

/* The next host that has an address. False: there is none. */
static bool next_host(void)
{
	const struct dns_lookup *l = &P.lookup;
	size_t i = P.at;

	while (i < l->host_n && l->host[i].ip_n == 0)
		i++;
	if (i >= l->host_n)
		return false;
	put(P.at > 0 ? "\n" : "");
	P.at = i + 1;
	P.facts = (struct probe_facts){ .tried = 0 };
	memcpy(P.host, l->host[i].name, sizeof(P.host));
	memcpy(P.server.ip, l->host[i].ip[0], 16);
	hang_up(false);
	dial(&P.server);
	return true;
}

/* It is as the weakest of those that were met. */
static void go_on(void)
{
	if (!next_host())
		finish(!P.met ? E_PEER_GONE : P.weak ? E_PEER_WEAK : OK);
}

static void report(void)
{
	struct probe_about about = {
		.domain = name_of(P.domain),
		.host = name_of(P.host),
		.server = P.server,
		.clock_unset = R.snapshot[R.current].policy.settings.clock_unset
	};
	struct policy_rule rule;
	bool holds;

	if (policy_lookup(&R.snapshot[R.current].policy, about.domain, &rule) ==
		    OK &&
	    about.domain.n > 0)
		about.rule = &rule;
	probe_report(&P.text, &P.facts, &about);
	holds = P.level == 0 ? P.facts.step == PROBE_FINISHED
			     : probe_holds(&P.facts, &about,
					   (enum level)(P.level - 1));
	P.met = true;
	P.weak |= !holds;
	go_on();
}

/* The next connection to the server, or the end. */
static void next(void)
{
	hang_up(true);
	if (P.facts.step == PROBE_NO_CONNECTION ||
	    probe_next(&P.facts) == PROBE_KINDS)
		report();
	else
		dial(&P.server);
}

/* --- the resolver ----------------------------------------------------------------- */

static void put_hosts(void)
{
	const struct dns_lookup *l = &P.lookup;

	for (size_t i = 0; i < l->host_n; i++) {
		put(l->mx ? "MX            " : "host          ");
		if (l->mx) {
			text_u64(&P.text, l->host[i].preference);
			put(" ");
		}
		put(l->host[i].name);
		for (size_t k = 0; k < l->host[i].ip_n; k++) {
			put(" ");
			text_ip(&P.text, l->host[i].ip[k]);
		}
		put(l->host[i].ip_n > 0 ? "\n" : " (no address)\n");
	}
}

static void looked_up(void)
{
	const struct dns_lookup *l = &P.lookup;

	hang_up(true);
	P.looking = false;
	if (l->no_name || l->null_mx) {
		fail(l->no_name ? "there is no such name\n"
				: "the domain says that it takes no mail "
				  "(RFC 7505)\n");
		return;
	}
	put_hosts();
	if (!next_host())
		fail("none of them has an address\n");
}

/* Whom we ask, and where we know him from. */
static void put_resolver(const char *from)
{
	put("resolver      ");
	text_ip(&P.text, P.resolver.ip);
	put(from);
}

/* wire says which one is asked inside. */
static void seen_resolver(const struct endpoint *resolver)
{
	P.resolver = *resolver;
	put_resolver("; seen: ");
	text_ip(&P.text, P.net.from.ip);
	put(" asks it\n");
	if (dns_lookup_init(&P.lookup, name_of(P.domain),
			    !ip_is_v4(P.resolver.ip),
			    (uint16_t)relay_random()) != OK)
		fail("not a domain or host\n");
}

static void lookup_failed(const char *why)
{
	put("the resolver ");
	text_ip(&P.text, P.resolver.ip);
	put(why);
	fail("; it is asked over TCP, as if from the server\n");
}

static void lookup_turn(bool eof)
{
	if (P.lookup.done)
		looked_up();
	else if (P.lookup.error == E_PEER_PROOF)
		lookup_failed(" refuses or cannot answer");
	else if (P.lookup.error != OK)
		lookup_failed(" says what cannot be understood");
	else if (eof)
		lookup_failed(" has hung up");
}

/* --- octets ----------------------------------------------------------------------- */

static void tls_state_changed(void)
{
	struct channel *ch = &P.facts.channel;

	if (P.shaken || tls_engine_state(P.tls) == TLS_SHAKING)
		return;
	tls_engine_channel(P.tls, ch);
	if (tls_engine_state(P.tls) == TLS_FAILED) {
		probe_talk_shaken(&P.talk, SHAKE_FAILED);
		return;
	}
	tls_engine_chain(P.tls, P.facts.chain, sizeof(P.facts.chain),
			 &P.facts.until_s);
	P.shaken = true;
	probe_talk_shaken(&P.talk, SHAKE_UP);
}

static void feed_tls(struct span in)
{
	bool moved = true;

	if (!P.shaken)
		probe_talk_feed(&P.talk, in);
	while (moved && probe_talk_wish(&P.talk) != PROBE_CLOSE) {
		size_t n = tls_engine_feed(P.tls, TLS_NET, in);
		struct span out;

		moved = n > 0;
		in = span_skip(in, n);
		tls_state_changed();
		while (P.shaken &&
		       (out = tls_engine_out(P.tls, TLS_APP)).n > 0) {
			probe_talk_feed(&P.talk, out);
			tls_engine_sent(P.tls, TLS_APP, out.n);
			moved = true;
		}
	}
}

static void take(struct span in)
{
	if (P.looking)
		dns_lookup_feed(&P.lookup, in);
	else if (P.tls)
		feed_tls(in);
	else
		probe_talk_feed(&P.talk, in);
}

static struct span out(void)
{
	if (P.looking)
		return dns_lookup_out(&P.lookup);
	return P.tls ? tls_engine_out(P.tls, TLS_NET) : probe_talk_out(&P.talk);
}

static void sent(size_t n)
{
	if (P.looking)
		dns_lookup_sent(&P.lookup, n);
	else if (P.tls)
		tls_engine_sent(P.tls, TLS_NET, n);
	else
		probe_talk_sent(&P.talk, n);
}

/* What the talk says, into TLS; and TLS where it wishes for it. */
static void prepare(void)
{
	if (P.looking)
		return;
	if (!P.tls && probe_talk_wish(&P.talk) == PROBE_TLS &&
	    probe_talk_out(&P.talk).n == 0) {
		P.tls = tls_client_new(R.snapshot[R.current].trust,
				       name_of(P.host), NULL);
		if (!P.tls)
			probe_talk_shaken(&P.talk, SHAKE_FAILED);
	}
	if (P.tls && P.shaken)
		probe_talk_sent(&P.talk,
				tls_engine_feed(P.tls, TLS_APP,
						probe_talk_out(&P.talk)));
}

/* False: the socket takes no more for now. */
static bool flush(void)
{
	struct span s;

	for (prepare(); (s = out()).n > 0; prepare()) {
		ssize_t n = send(P.net.net.fd, s.p, s.n,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno != EAGAIN && errno != ENOBUFS;
		sent((size_t)n);
	}
	return true;
}

/* What is there is read, what is to be said is said, and then what follows. */
static void run(void)
{
	static uint8_t b[RELAY_READ];
	bool eof = false;
	ssize_t n;

	while (!eof) {
		n = recv(P.net.net.fd, b, sizeof(b), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		eof = n <= 0;
		if (eof && !P.looking)
			probe_talk_gone(&P.talk);
		else if (!eof)
			take((struct span){ b, (size_t)n });
	}
	loop_mod(&R.prog.loop, &P.net.net,
		 flush() ? EPOLLIN : EPOLLIN | EPOLLOUT);
	if (P.looking)
		lookup_turn(eof);
	else if (probe_talk_wish(&P.talk) == PROBE_CLOSE &&
		 (eof || out().n == 0))
		next();
}

static void on_net(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	R.now = now_ms();
	if (!P.looking)
		probe_talk_tick(&P.talk, R.now);
	run();
}

static void connected(void)
{
	uint64_t random[4];
	char name[64];
	struct text t;

	P.until_ms = R.now + LOOKUP_MS;
	for (size_t i = 0; i < 4; i++)
		random[i] = relay_random();
	text_init(&t, name, sizeof(name));
	text_str(&t, ip_is_v4(P.net.from.ip) ? "[" : "[IPv6:");
	text_ip(&t, P.net.from.ip);
	text_str(&t, "]");
	if (!P.looking)
		probe_talk_init(&P.talk, probe_next(&P.facts), &P.facts,
				text_done(&t), name_of(P.host),
				(const uint8_t *)random, R.now);
	run();
}

/* --- what wire says --------------------------------------------------------------- */

static void put_server(void)
{
	put("server        ");
	text_ip(&P.text, P.server.ip);
	put(" port ");
	text_u64(&P.text, P.server.port);
	put(P.host[0] ? ", " : "");
	put(P.host);
	put("; as if from ");
	text_ip(&P.text, P.net.from.ip);
	put("\n");
}

static void nobody(int error)
{
	if (error == E_CONF)
		fail("which resolver? No server that has sent mail through the box "
		     "was seen to ask one.\nprobe NAME resolver ADDRESS; it is "
		     "remembered. Or configure one\n");
	else if (error == E_PEER_GONE)
		fail("no server that has sent mail through the box has such an "
		     "address, or the other kind of address (IPv4, IPv6)\n");
	else
		fail("no connection is free there at the moment\n");
}

static void not_connected(int error)
{
	const char *why = error == E_PEER_GONE ? " refuses the connection"
					       : " does not answer";

	if (P.looking) {
		lookup_failed(why);
		return;
	}
	if (P.facts.tried != 0) { /* it did before: what is known will do */
		report();
		return;
	}
	put("it");
	put(why);
	put("\n");
	go_on();
}

bool relay_probe_message(struct ipc_msg *m)
{
	switch (relay_borrow_message(&P.net, m, on_net)) {
	case BORROW_OTHERS: return false;
	case BORROW_OLD: break;
	case BORROW_WHOSE:
		if (P.looking && P.seen)
			seen_resolver(&m->server);
		else if (!P.looking && P.facts.tried == 0)
			put_server();
		break;
	case BORROW_NOBODY: nobody(m->error); break;
	case BORROW_FAILED: not_connected(m->error); break;
	case BORROW_UP: connected(); break;
	}
	return true;
}

/* --- what console asks ------------------------------------------------------------ */

/* One that was named, now or before; else that of the settings; else the one that
 * is asked inside, which wire knows. */
static void choose_resolver(void)
{
	static const uint8_t none[16];

	P.resolver = R.snapshot[R.current].policy.settings.resolver;
	if (memcmp(P.named.ip, none, 16) != 0)
		P.resolver = P.named;
	P.resolver.port = DNS_PORT;
	P.seen = memcmp(P.resolver.ip, none, 16) == 0;
}

static void begin(const struct ipc_msg *m)
{
	static const uint8_t none[16];
	size_t n = 0;

	text_init(&P.text, P.text_mem, sizeof(P.text_mem));
	P.facts = (struct probe_facts){ .tried = 0 };
	P.busy = true;
	P.borrow = m->client;
	P.server = m->server;
	P.level = (unsigned)m->number;
	P.domain[0] = P.host[0] = '\0';
	P.lookup.host_n = P.at = 0;
	P.met = P.weak = false;
	if (memcmp(m->via.ip, none, 16) != 0)
		P.named = m->via;
	choose_resolver();
	P.looking = memcmp(m->server.ip, none, 16) == 0;
	if (!R.have_policy || m->number > LEVELS ||
	    (P.looking && domain_normalise(P.domain, &n, m->octets) != OK))
		fail("not a domain or host\n");
	else if (!P.looking)
		dial(&P.server);
	else if (dns_lookup_init(&P.lookup, name_of(P.domain),
				 !ip_is_v4(P.resolver.ip),
				 (uint16_t)relay_random()) != OK)
		fail("not a domain or host\n");
	else {
		if (!P.seen)
			put_resolver(memcmp(P.named.ip, none, 16) != 0
					     ? "; named with probe\n"
					     : "; configured\n");
		dial(&P.resolver);
	}
}

static void on_console(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r, fd;

	(void)events;
	R.now = now_ms();
	while ((r = ipc_recv(w->fd, ROLE_CONSOLE, ROLE_RELAY, &m)) == OK) {
		hang_up(false); /* who asks anew does not want the old one */
		P.busy = false;
		if (m.type == IPC_PROBE)
			begin(&m);
	}
	if (r == E_AGAIN)
		return;
	fd = w->fd;
	loop_del(&R.prog.loop, w);
	close(fd);
	hang_up(false);
	P.busy = false;
}

void relay_probe_init(void)
{
	P.console.fd = P.net.net.fd = -1;
}

void relay_probe_attach(struct ipc_msg *m)
{
	int old = P.console.fd;

	loop_del(&R.prog.loop, &P.console);
	if (old >= 0)
		close(old);
	if (loop_add(&R.prog.loop, &P.console, m->fd[0], EPOLLIN, on_console) ==
	    OK)
		m->fd_n = 0;
}

bool relay_probe_busy(void)
{
	return P.busy;
}

void relay_probe_turn(void)
{
	if (!P.busy)
		return;
	if (P.net.up && !P.looking) {
		if (R.now >= probe_talk_deadline(&P.talk)) {
			probe_talk_tick(&P.talk, R.now);
			run();
		}
	} else if (R.now >= P.until_ms) {
		hang_up(false);
		not_connected(E_PEER_TIME);
	}
}
