/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_commit - a new configuration on all programs, or on none.
 *
 *	IDLE --commit--> PORTS --INTERCEPTED--> AGREED --all acks--> IDLE (new)
 *	                   |                      |
 *	                   |        error, refusal, 2 s without answer
 *	                   |                      v
 *	                   +--> IDLE (old) <--- BACK
 *	                           all acks, or 2 s
 *
 * The ports come first: a port must be taken from the kernel before any
 * program believes that it is. Going back means to send the old snapshot again;
 * the ports stay taken, and wire puts back what the old one does not name. The VLAN
 * of the management address comes with the ports: it is off the wire before it has
 * the address, and goes back to what it was.
 *
 * A program reads what it is sent in order, so one that is late takes the new
 * snapshot, which is not in force any more, and at once the old one. One that cannot
 * take the old one has the new one in force: it is asked again, then hung up on, and
 * begins anew.
 */
#include <string.h>
#include <unistd.h>
#include "proc/confd/confd.h"

/* What a program should have at this moment. */
static const struct snapshot *wanted(void)
{
	return C.phase == PHASE_AGREED ? &C.next : &C.now;
}

static void say(const struct peer *p, const char *what, int error)
{
	text_str(&C.outcome, role_name(p->role));
	text_str(&C.outcome, " ");
	text_u64(&C.outcome, p->index);
	text_str(&C.outcome, " ");
	text_str(&C.outcome, what);
	if (error != OK) {
		text_str(&C.outcome, ": ");
		text_str(&C.outcome, err_name(error));
	}
	text_str(&C.outcome, "\n");
}

/* What p gets of s. */
static struct ipc_msg share(const struct peer *p, const struct snapshot *s)
{
	struct ipc_msg m = { .type = IPC_SNAPSHOT,
			     .number = s->number,
			     .fd = { s->fd },
			     .fd_n = 1 };

	if (p->role == ROLE_KEYS) {
		m.type = IPC_SECRETS;
		m.fd[0] = s->secrets_fd;
		m.may_sign = s->inbound;
	} else if (p->role == ROLE_WIRE) {
		m.fd[0] = s->wire_fd;
	} else if (p->role == ROLE_RELAY) {
		m.type = IPC_SNAPSHOT_KEYS;
		m.fd[1] = s->relay_fd;
		m.fd_n = 2;
	}
	return m;
}

static void give(struct peer *p)
{
	const struct snapshot *s = wanted();
	struct ipc_msg m = share(p, s);
	int r;

	if (p->watch.fd < 0 || s->fd < 0) {
		p->owed = false;
		p->waits_for = 0;
		return;
	}
	r = ipc_send(p->watch.fd, ROLE_CONFD, p->role, &m);
	/* gone: boss brings a new one, which gets it then */
	p->owed = r == E_AGAIN;
	p->again_ms = 0;
	p->waits_for = r == OK || r == E_AGAIN ? s->number : 0;
}

static void give_all(void)
{
	for (size_t i = 0; i < CONFD_PEERS; i++)
		give(&C.peer[i]);
}

void confd_give_secrets(void)
{
	for (size_t i = 0; i < CONFD_PEERS; i++)
		if (C.peer[i].role == ROLE_KEYS ||
		    (C.peer[i].role == ROLE_RELAY && wanted()->inbound))
			give(&C.peer[i]);
}

void confd_keep(void)
{
	struct ipc_msg m = { .type = IPC_CONF_KEEP,
			     .fd = { C.now.text_fd },
			     .fd_n = 1 };

	if (C.now.text_fd < 0)
		return;
	C.keep_owed = ipc_send(C.prog.boss.fd, ROLE_CONFD, ROLE_BOSS, &m) != OK;
	if (C.keep_owed)
		program_log(&C.prog, SEV_WARNING,
			    "event=configuration-not-kept number=%llu",
			    (unsigned long long)C.now.number);
}

static bool all_have_it(void)
{
	for (size_t i = 0; i < CONFD_PEERS; i++)
		if (C.peer[i].watch.fd >= 0 && C.peer[i].waits_for != 0)
			return false;
	return true;
}

/* The end of what failed. */
static void returned(void)
{
	text_str(&C.outcome, C.now.fd < 0
				     ? "no configuration is in force\n"
				     : "nothing was changed: the configuration "
				       "before is in force again\n");
	if (C.next.erased)
		text_str(&C.outcome,
			 "but what was stored is erased: nothing of "
			 "it is left after a restart\n");
	C.phase = PHASE_IDLE;
	C.trial_s = 0;
	if (C.next.again)
		confd_clock_again();
	confd_drop(&C.next);
	confd_answer(C.error, C.now.number);
}

void confd_intercept(const uint16_t *ports, size_t n, uint32_t vlan)
{
	struct ipc_msg m = { .type = IPC_INTERCEPT,
			     .ports_n = (uint32_t)n,
			     .number = vlan };

	memcpy(m.ports, ports, n * sizeof(ports[0]));
	if (ipc_send(C.prog.boss.fd, ROLE_CONFD, ROLE_BOSS, &m) != OK)
		program_die(&C.prog, "cannot ask boss for the ports");
	C.intercepts++;
}

static void back(int error)
{
	bool sent = C.phase == PHASE_AGREED;

	stats_add(C.prog.stats, CNT_COMMITS_REFUSED, 1);
	program_log(&C.prog, SEV_ALARM,
		    "event=configuration-taken-back number=%llu error=%s",
		    (unsigned long long)C.next.number, err_name(error));
	C.error = error;
	C.phase = PHASE_BACK;
	C.deadline_ms = now_ms() + CONFD_ACK_MS;
	if (C.now.fd >= 0 && C.now.box.vlan != C.next.box.vlan)
		confd_intercept(C.now.ports, C.now.ports_n, C.now.box.vlan);
	if (sent)
		give_all();
	if (all_have_it())
		returned();
}

/* It is in force everywhere; now keep it, unless it is on trial. */
static int store(void)
{
	struct span text;
	int r;

	if (C.next.stored || C.trial_s > 0)
		return OK;
	text = confd_text_map(&C.next);
	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	r = confd_store_save(text, "commit");
	confd_text_unmap(text);
	if (r != OK)
		text_span(&C.outcome, text_done(&C.report));
	return r;
}

/* What was in force until now stays at hand while its successor is on trial;
 * of two trials in a row, what was before the first. */
static void replace(void)
{
	if (C.trial_s == 0) {
		confd_drop(&C.before);
		confd_drop(&C.now);
		C.trial_end_ms = 0;
	} else {
		if (C.before.fd < 0)
			C.before = C.now;
		else
			confd_drop(&C.now);
		C.trial_end_ms = now_ms() + C.trial_s * 1000ull;
	}
	C.now = C.next;
	C.next = NO_SNAPSHOT;
}

static void done(void)
{
	bool again = C.next.again, fresh = !C.next.stored;
	int r = store();

	if (r != OK) {
		back(r);
		return;
	}
	replace();
	if (!again)
		confd_discard();
	C.phase = PHASE_IDLE;
	C.prog.stats->snapshot = C.now.number;
	confd_tell_console();
	confd_tell_boss();
	stats_add(C.prog.stats, CNT_COMMITS, 1);
	program_log(&C.prog, SEV_NOTICE,
		    "event=configuration-in-force number=%llu",
		    (unsigned long long)C.now.number);
	if (now_unix_ms() / 1000 < C.now.clock_floor_s)
		program_log(&C.prog, SEV_WARNING,
			    "event=clock-before-floor why=\"certificates are "
			    "judged at the floor until the clock is set\"");
	if (C.trial_s == 0)
		confd_keep();
	if (C.trial_s == 0 && fresh)
		confd_clock_committed();
	C.trial_s = 0;
	confd_answer(OK, C.now.number);
}

/* Has everybody who is there acknowledged? */
static void look(void)
{
	if (C.phase == PHASE_AGREED && all_have_it())
		done();
	else if (C.phase == PHASE_BACK && all_have_it())
		returned();
}

/* The first time the programs have yet to start. */
static uint64_t patience_ms(void)
{
	return C.now.fd < 0 ? CONFD_START_MS : CONFD_ACK_MS;
}

void confd_commit(struct snapshot *s)
{
	C.next = *s;
	*s = NO_SNAPSHOT;
	C.number = C.next.number;
	text_init(&C.outcome, C.outcome_mem, sizeof(C.outcome_mem));
	C.phase = PHASE_PORTS;
	C.deadline_ms = now_ms() + patience_ms();
	confd_intercept(C.next.ports, C.next.ports_n, C.next.box.vlan);
}

static bool all_taken(const struct ipc_msg *m)
{
	for (size_t i = 0; i < C.next.ports_n; i++) {
		uint32_t k = 0;

		while (k < m->ports_n && m->ports[k] != C.next.ports[i])
			k++;
		if (k == m->ports_n)
			return false;
	}
	return true;
}

void confd_on_intercepted(const struct ipc_msg *m)
{
	C.intercepts -= C.intercepts > 0;
	if (C.phase != PHASE_PORTS || C.intercepts > 0) {
		if (m->error != OK)
			program_log(&C.prog, SEV_ALARM,
				    "event=ports-not-taken error=%s",
				    err_name(m->error));
		return;
	}
	if (m->error != OK || !all_taken(m)) {
		text_str(&C.outcome, "the ports could not be intercepted: ");
		text_str(&C.outcome, m->error != OK
					     ? err_name(m->error)
					     : "more ports than the classifier "
					       "can take since the start");
		text_str(&C.outcome, "\n");
		back(m->error != OK ? m->error : E_FULL);
		return;
	}
	C.phase = PHASE_AGREED;
	C.deadline_ms = now_ms() + patience_ms();
	give_all();
	look();
}

/* What should be in force cannot be: it is asked again. If it has another one, it
 * must not go on with that for ever. */
static void not_taken(struct peer *p, int error)
{
	bool other = p->has != 0 && p->has != wanted()->number;

	if (C.phase == PHASE_BACK)
		say(p, "could not yet take the one before", error);
	if (!other || ++p->refused < CONFD_TRIES) {
		p->again_ms = now_ms() + CONFD_AGAIN_MS;
		return;
	}
	program_log(&C.prog, SEV_ALARM,
		    "event=program-begins-anew program=%s index=%u why=\"it "
		    "cannot go back\"",
		    role_name(p->role), p->index);
	confd_hang_up(p);
}

void confd_on_ack(struct peer *p, const struct ipc_msg *m)
{
	bool waited = m->number == p->waits_for;

	if (m->error == OK) {
		p->has = m->number;
		p->refused = 0;
	}
	if (!waited && (m->error == OK || m->number != wanted()->number))
		return; /* of one that has been replaced meanwhile */
	p->waits_for = 0;
	if (m->error == OK) {
		look();
		return;
	}
	program_log(&C.prog, SEV_ALARM,
		    "event=snapshot-refused by=%s index=%u error=%s",
		    role_name(p->role), p->index, err_name(m->error));
	if (C.phase == PHASE_AGREED) {
		say(p, "did not take it", m->error);
		back(m->error);
		return;
	}
	not_taken(p, m->error);
	look();
}

void confd_on_peer(struct peer *p)
{
	p->waits_for = p->has = p->refused = 0;
	/* before it lets the first session in */
	confd_learn_give(p);
	give(p);
	look();
}

static void late(void)
{
	if (C.phase == PHASE_PORTS)
		text_str(&C.outcome, "boss did not answer\n");
	for (size_t i = 0; i < CONFD_PEERS; i++)
		if (C.phase != PHASE_PORTS && C.peer[i].waits_for != 0)
			say(&C.peer[i],
			    C.phase == PHASE_AGREED
				    ? "did not answer within two seconds"
				    : "has not yet said that it has the one "
				      "before",
			    OK);
	if (C.phase == PHASE_BACK)
		returned();
	else
		back(E_PEER_TIME);
}

void confd_tick(uint64_t now)
{
	if (C.keep_owed)
		confd_keep();
	for (size_t i = 0; i < CONFD_PEERS; i++)
		if (C.peer[i].owed ||
		    (C.peer[i].again_ms != 0 && now >= C.peer[i].again_ms))
			give(&C.peer[i]);
	if (C.phase != PHASE_IDLE && now >= C.deadline_ms)
		late();
}
