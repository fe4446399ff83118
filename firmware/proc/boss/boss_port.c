/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_port - the classifier on both ports, and the ports.
 *
 * The first time: attached on both, read back, and only then are the ports
 * brought up. Later lists are added to what is taken: a session on a port that
 * left the list must not suddenly pass the box as it is. wire puts back what
 * the settings no longer name.
 *
 * The VLAN of the management address ends here: frames from inside go up, to the
 * interface that has the address, or to nobody while there is none; frames from
 * outside are dropped. wire does not see them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "drivers/link.h"
#include "drivers/port.h"
#include "drivers/port_name.h"
#include "drivers/tap.h"
#include "proc/boss/boss.h"

static struct link lnk;

void boss_port_find(struct boss *b)
{
	enum { WAIT_MS = 10000, STEP_MS = 50 };
	const struct timespec step = { 0, STEP_MS * 1000000L };
	uint64_t end = now_ms() + WAIT_MS;

	for (enum port p = INSIDE; p < PORTS; p++) {
		char *port = b->conf.port[p];
		char name[IFNAMSIZ];

		if (port[0] != '@')
			continue;
		while (port_name("/sys/class/net", port + 1, name) != OK)
			if (now_ms() >= end ||
			    clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL))
				return;
		memcpy(port, name, strlen(name) + 1);
	}
}

static void add_ports(struct boss *b, const uint16_t *ports, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0;

		while (k < b->intercept_n && b->intercept[k] != ports[i])
			k++;
		if (k == b->intercept_n && k < CLASSIFIER_PORTS_MAX)
			b->intercept[b->intercept_n++] = ports[i];
	}
}

static int failed(struct boss *b, int r)
{
	boss_log(b, SEV_ALARM, "event=ports-failed why=\"%s\"", lnk.why);
	return r;
}

/* The classifier of both ports, as it should be. */
static int build(const struct boss *b, struct classifier tc[PORTS])
{
	static const uint32_t verdict[PORTS] = {
		[INSIDE] = CLASSIFIER_TC_KERNEL, [OUTSIDE] = CLASSIFIER_TC_DROP
	};
	int r = OK;

	for (enum port p = INSIDE; r == OK && p < PORTS; p++) {
		const struct classifier_own own = { b->vlan, verdict[p] };

		r = classifier_build(&tc[p], b->intercept, b->intercept_n, own,
				     CLASSIFIER_TC_TAKE, CLASSIFIER_TC_PASS);
	}
	return r;
}

/* Ports that were up without the classifier (a crash of boss in between, a
 * board that brings them up by itself) go down first. */
static int first_time(struct boss *b, const struct classifier tc[PORTS])
{
	int r = link_open(&lnk, b->conf.port[INSIDE], b->conf.port[OUTSIDE]);

	if (r != OK || link_attached(&lnk, tc))
		return r;
	for (enum port p = INSIDE; r == OK && p < PORTS; p++)
		r = link_down(&lnk, p);
	return r;
}

int boss_port_intercept(struct boss *b, const uint16_t *ports, uint32_t n,
			uint16_t vlan)
{
	static struct classifier tc[PORTS];
	int r;

	add_ports(b, ports, n);
	b->vlan = vlan;
	r = build(b, tc);
	if (r != OK)
		return r;
	if (!b->ports_ready)
		r = first_time(b, tc);
	if (r == OK)
		r = link_attach(&lnk, tc);
	if (r != OK)
		return failed(b, r);
	for (enum port p = INSIDE; p < PORTS && !b->ports_ready; p++) {
		r = link_up(&lnk, p);
		if (r != OK)
			return failed(b, r);
	}
	boss_log(b, SEV_NOTICE, "event=intercepting ports=%u", b->intercept_n);
	return OK;
}

int boss_port_open(struct boss *b, int fd[PORTS + 1])
{
	const struct classifier_own own = { b->vlan, CLASSIFIER_SOCKET_PASS };
	static struct classifier c;
	int n = 0, r = classifier_build(&c, b->intercept, b->intercept_n, own,
					CLASSIFIER_SOCKET_TAKE,
					CLASSIFIER_SOCKET_PASS);

	for (enum port p = INSIDE; r == OK && p < PORTS; p++) {
		r = port_open(lnk.index[p], &c, &fd[n]);
		n += r == OK;
	}
	if (r == OK)
		r = tap_open_asks(lnk.index[INSIDE], &fd[n]);
	if (r == OK)
		return OK;
	boss_log(b, SEV_ALARM, "event=no-packet-socket error=\"%s\"",
		 strerror(errno));
	while (n > 0)
		close(fd[--n]);
	return r;
}

int boss_port_vlan(struct boss *b, uint16_t vlan, const char *name,
		   const char **why)
{
	*why = "the ports are not there";
	if (!b->ports_ready)
		return vlan == 0 ? OK : E_IO;
	*why = lnk.why;
	return link_vlan(&lnk, INSIDE, vlan, name);
}

int boss_port_tap(struct boss *b, enum port p, int *fd)
{
	int r = tap_open(lnk.index[p], fd);

	if (r != OK)
		boss_log(b, SEV_ALARM, "event=no-tap error=\"%s\"",
			 strerror(errno));
	return r;
}

/* Ports down or up as carry says. */
static void hold(struct boss *b)
{
	enum { NOTICE = 3 };
	bool held = false;

	for (enum port p = INSIDE; p < PORTS && b->ports_ready; p++) {
		int r = b->carry.held[p] ? link_down(&lnk, p)
					 : link_up(&lnk, p);

		held = held || b->carry.held[p];
		if (r != OK)
			(void)failed(b, r);
	}
	if (!b->carry.held[INSIDE])
		boss_manage_again(b);
	boss_log(b, SEV_NOTICE, "event=link-carried inside=%s outside=%s",
		 b->carry.held[INSIDE] ? "held" : "free",
		 b->carry.held[OUTSIDE] ? "held" : "free");
	stats_notice(b->stats, NOTICE,
		     held ? SPAN_LIT("one port has no link, so the other is "
				     "held down (link-propagation)")
			  : SPAN_LIT(""));
}

void boss_port_carry(struct boss *b, bool on)
{
	bool held = b->carry.held[INSIDE] || b->carry.held[OUTSIDE];

	carry_set(&b->carry, on, now_ms());
	if (held && !on)
		hold(b);
}

/* A port that is without a link for a moment is being plugged in. */
static void port_alarm(struct boss *b, uint32_t up)
{
	static const char *const what[] = {
		[0] = "neither inside nor outside has a link",
		[1u << INSIDE] = "outside has no link",
		[1u << OUTSIDE] = "inside has no link",
	};
	enum { BOTH = 1u << INSIDE | 1u << OUTSIDE, GRACE_MS = 2000 };
	static uint64_t since;
	uint64_t now = now_ms();

	if (up == BOTH || since == 0)
		since = up == BOTH ? 0 : now;
	boss_alarm(b, ALARM_PORT, up != BOTH && now - since >= GRACE_MS,
		   up == BOTH ? "" : what[up]);
}

void boss_port_watch(struct boss *b)
{
	bool link[PORTS] = { false, false };
	uint32_t up = 0;

	for (enum port p = INSIDE; p < PORTS; p++) {
		struct link_state s;

		link[p] = link_state(&lnk, p, &s) == OK && s.up && s.carrier;
		if (link[p])
			up |= 1u << p;
	}
	if (carry_look(&b->carry, link, now_ms()))
		hold(b);
	if (up != b->stats->ports_up)
		boss_log(b, SEV_NOTICE, "event=link inside=%s outside=%s",
			 up & 1u << INSIDE ? "up" : "down",
			 up & 1u << OUTSIDE ? "up" : "down");
	b->stats->ports_up = up;
	port_alarm(b, up);
}

bool boss_port_sound(struct boss *b)
{
	static struct classifier tc[PORTS];
	struct link_state s[PORTS];

	return b->ports_ready && build(b, tc) == OK &&
	       link_attached(&lnk, tc) &&
	       link_state(&lnk, INSIDE, &s[INSIDE]) == OK &&
	       link_state(&lnk, OUTSIDE, &s[OUTSIDE]) == OK && s[INSIDE].up &&
	       s[OUTSIDE].up;
}

void boss_port_down(struct boss *b)
{
	if (!b->ports_ready)
		return;
	for (enum port p = INSIDE; p < PORTS; p++)
		if (link_down(&lnk, p) != OK)
			(void)failed(b, E_IO);
}
