/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_probe - "probe": a relay talks to a server, and says what it found. One
 * at a time, for all who ask.
 */
#include <unistd.h>
#include "conf/conf_value.h"
#include "policy/policy.h"
#include "proc/console/console.h"

static struct session *asking;

void probe_forget(const struct session *s)
{
	const struct ipc_msg m = { .type = IPC_PROBE_STOP };

	if (asking != s)
		return;
	asking = NULL;
	if (K.relay.fd >= 0 &&
	    ipc_send(K.relay.fd, ROLE_CONSOLE, ROLE_RELAY, &m) != OK)
		program_log(&K.prog, SEV_WARNING, "event=relay-deaf");
}

static struct span word(struct span *rest)
{
	struct span w;

	while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t'))
		*rest = span_skip(*rest, 1);
	w = (struct span){ rest->p, 0 };
	while (w.n < rest->n && w.p[w.n] != ' ' && w.p[w.n] != '\t')
		w.n++;
	*rest = span_skip(*rest, w.n);
	return w;
}

static bool is(struct span w, const char *name)
{
	return span_eq_nocase(w, span_str(name));
}

/* Those that a probe can judge: a seal needs the log-on itself. */
static bool level_of(struct span w, uint64_t *number)
{
	for (enum level l = LEVEL_CLEAR; l < LEVELS; l++) {
		if (l == LEVEL_NTLM_SEAL || !is(w, level_name(l)))
			continue;
		*number = (uint64_t)l + 1;
		return true;
	}
	return false;
}

/* NULL, or what is wrong. */
static const char *options(struct span rest, struct ipc_msg *q)
{
	for (;;) {
		struct span name = word(&rest), value = word(&rest);

		if (name.n == 0)
			return NULL;
		if (is(name, "port")) {
			uint64_t port;

			if (!conf_number(value, 1, 65535, &port))
				return "port: a number from 1 to 65535\n";
			q->server.port = (uint16_t)port;
		} else if (is(name, "from")) {
			if (!conf_ip(value, q->client.ip))
				return "from: an address, 192.0.2.1 or "
				       "2001:db8::1\n";
		} else if (is(name, "resolver")) {
			if (!conf_ip(value, q->via.ip))
				return "resolver: an address, 192.0.2.1 or "
				       "2001:db8::1\n";
		} else if (is(name, "level")) {
			if (!level_of(value, &q->number))
				return "level: clear, may, encrypt, verify or "
				       "pin\n";
		} else {
			return "port, from, resolver or level can follow\n";
		}
	}
}

void probe_ask(struct session *s, const struct cli_matched *m)
{
	struct ipc_msg q = { .type = IPC_PROBE,
			     .server.port = 25,
			     .octets = m->argument[0] };
	const char *wrong = NULL;
	uint8_t ip[16];

	if (m->argument_n > 1)
		wrong = options(m->argument[1], &q);
	if (conf_ip(q.octets, ip))
		memcpy(q.server.ip, ip, sizeof(ip));
	if (wrong)
		exec_fail(s, wrong);
	else if (asking)
		exec_fail(s, "somebody else has a probe running; try again\n");
	else if (K.relay.fd < 0 ||
		 ipc_send(K.relay.fd, ROLE_CONSOLE, ROLE_RELAY, &q) != OK)
		exec_fail(s, "relay is not there at the moment; try again\n");
	else
		asking = s;
}

static void answered(const struct ipc_msg *m)
{
	struct session *s = asking;

	if (!s)
		return;
	answer_add(s, m->octets);
	if (m->number > 0)
		return;
	asking = NULL;
	answer_done(s, m->error == OK);
}

static void lose(void)
{
	struct session *s = asking;
	int fd = K.relay.fd;

	if (fd < 0)
		return;
	loop_del(&K.prog.loop, &K.relay);
	close(fd);
	asking = NULL;
	if (s)
		exec_fail(s, "relay stopped in the middle of it\n");
}

static void on_relay(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_RELAY, ROLE_CONSOLE, &m)) == OK)
		answered(&m);
	if (r != E_AGAIN)
		lose();
}

void probe_attach(int fd)
{
	lose();
	if (loop_add(&K.prog.loop, &K.relay, fd, EPOLLIN, on_relay) != OK)
		program_die(&K.prog, "cannot watch a relay");
}
