/* SPDX-License-Identifier: BSD-2-Clause */
/* confd_ask - what a console asks for, in the order of enum conf_op. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/domain.h"
#include "proc/confd/confd.h"

enum { TRIAL_S_MAX = 86400, ADMIN_MIN = 8, ADMIN_MAX = 256 };

static int say(int error, const char *why)
{
	text_str(&C.report, why);
	return error;
}

static int busy(void)
{
	return C.phase == PHASE_IDLE
		       ? OK
		       : say(E_AGAIN,
			     "another configuration is being put into force\n");
}

/* A copy of the running text, or an empty one. */
static int running_fd(void)
{
	return C.now.text_fd >= 0 ? fcntl(C.now.text_fd, F_DUPFD_CLOEXEC, 0)
				  : confd_report_fd((struct span){ NULL, 0 });
}

static int compare(uint64_t number, int *fd)
{
	struct span was;
	char *text = NULL;
	size_t n;
	int r;

	if (number == UINT64_MAX) {
		was = confd_text_map(&C.now);
		r = confd_compare(was, fd);
		confd_text_unmap(was);
		return r;
	}
	r = confd_store_load(number, &text, &n);
	if (r == OK)
		r = confd_compare((struct span){ (uint8_t *)text, n }, fd);
	free(text);
	return r;
}

static int check(void)
{
	struct snapshot s;
	int r = confd_compile(&s, confd_candidate(), false);

	return r;
}

/* The answer comes when all programs have it; true: it will. */
static bool commit(uint64_t seconds, int *error)
{
	struct snapshot s;

	*error = busy();
	if (*error == OK && seconds > TRIAL_S_MAX)
		*error = say(E_CONF, "on trial for at most a day\n");
	if (*error == OK)
		*error = confd_compile(&s, confd_candidate(), true);
	if (*error != OK) {
		stats_add(C.prog.stats, CNT_COMMITS_REFUSED, 1);
		return false;
	}
	C.trial_s = (uint32_t)seconds;
	C.console_waits = true;
	confd_commit(&s);
	return true;
}

static bool pin(struct span text, int *error)
{
	*error = busy();
	if (*error == OK)
		*error = confd_pin(text);
	if (*error != OK)
		return false;
	if (commit(0, error))
		return true;
	confd_discard();
	return false;
}

static int confirm(void)
{
	struct span text;
	int r = busy();

	if (r != OK)
		return r;
	if (C.trial_end_ms == 0)
		return say(E_PEER_ORDER, "nothing waits for a confirmation\n");
	text = confd_text_map(&C.now);
	r = confd_store_save(text, "confirmed");
	confd_text_unmap(text);
	if (r != OK)
		return r;
	C.trial_end_ms = 0;
	confd_drop(&C.before);
	confd_keep();
	confd_clock_committed();
	program_log(&C.prog, SEV_NOTICE, "event=configuration-confirmed");
	return OK;
}

/* The trial ends when what was before is in force: until then, again and again. */
void confd_trial_tick(uint64_t now)
{
	struct snapshot s;
	struct span text;
	int r;

	if (C.trial_end_ms == 0 || now < C.trial_end_ms ||
	    C.phase != PHASE_IDLE)
		return;
	program_log(&C.prog, SEV_ALARM,
		    "event=configuration-not-confirmed why=\"the one before "
		    "comes back\"");
	text = confd_text_map(&C.before);
	r = confd_compile(&s, text, true);
	confd_text_unmap(text);
	if (r != OK) /* no memory: it was a configuration before */
		program_die(&C.prog, "the configuration before does not "
				     "compile; started again from the store");
	C.trial_end_ms = now + CONFD_AGAIN_MS;
	s.stored = true;
	confd_commit(&s);
}

static int rollback(uint64_t back)
{
	char *text = NULL;
	size_t n;
	int r = back == UINT64_MAX ? confd_store_rescue_load(&text, &n)
				   : confd_store_load(back, &text, &n);

	if (r == OK)
		r = confd_replace((struct span){ (uint8_t *)text, n });
	free(text);
	return r;
}

/* Why this line and no other. */
static void because(const struct policy_rule *rule, struct span key)
{
	text_str(&C.report, "\n  line ");
	text_u64(&C.report, rule->line);
	if (span_eq(rule->name, key)) {
		text_str(&C.report, ": it names this domain\n");
	} else if (rule->name.n > 0 && rule->name.p[0] == '.') {
		text_str(&C.report, ": it is below ");
		text_span(&C.report, span_skip(rule->name, 1));
		text_str(&C.report, ", and no longer name fits\n");
	} else {
		text_str(&C.report, ": no line names it or a domain above\n");
	}
}

static int domain(struct span name)
{
	char key[DOMAIN_MAX + 1];
	struct policy_rule rule;
	struct policy p;
	size_t n;
	int r;

	if (domain_normalise(key, &n, name) != OK)
		return say(E_CONF, "this is not a domain\n");
	r = confd_policy_map(&C.now, &p);
	if (r != OK)
		return r;
	r = policy_lookup(&p, (struct span){ (uint8_t *)key, n }, &rule);
	if (r == OK) {
		conf_print_rule(&rule, &C.report);
		because(&rule, (struct span){ (uint8_t *)key, n });
		confd_learn_domain(&rule, (struct span){ (uint8_t *)key, n });
	} else {
		text_str(&C.report, "the snapshot is damaged\n");
	}
	confd_text_unmap(p.blob);
	return r;
}

static int rescue(void)
{
	struct span text = confd_text_map(&C.now);
	int r = text.n > 0
			? confd_store_rescue(text)
			: say(E_PEER_ORDER, "no configuration is in force\n");

	confd_text_unmap(text);
	return r;
}

/* Compiled before anything is erased, to know that it can be; and again, since
 * its passwords have to be sealed with the secret that the store has then. */
static bool factory(int *error)
{
	const struct span text = { (uint8_t *)C.factory, C.factory_n };
	struct snapshot s;

	*error = busy();
	if (*error == OK)
		*error = confd_compile(&s, text, false);
	if (*error == OK)
		*error = confd_store_erase();
	if (*error == OK) {
		confd_keys_erased();
		confd_learn_erased();
		*error = confd_compile(&s, text, true);
	}
	if (*error != OK)
		return false;
	s.stored = s.erased = true;
	C.console_waits = true;
	C.trial_s = 0;
	program_log(&C.prog, SEV_ALARM, "event=factory-reset");
	confd_commit(&s);
	return true;
}

static int password(struct span s)
{
	if (s.n < ADMIN_MIN)
		return say(E_CONF, "a password has at least 8 characters\n");
	if (s.n > ADMIN_MAX)
		return say(E_CONF, "a password has at most 256 octets\n");
	return confd_password_set(s);
}

/* True: the answer is given later. */
static bool run(const struct ipc_msg *m, struct span text, int *error, int *fd)
{
	switch (m->op) {
	case CONF_OP_EDIT: *error = confd_edit(text); break;
	case CONF_OP_REPLACE: *error = confd_replace(text); break;
	case CONF_OP_RUNNING: *fd = running_fd(); break;
	case CONF_OP_CANDIDATE: *fd = confd_report_fd(confd_candidate()); break;
	case CONF_OP_COMPARE: *error = compare(m->number, fd); break;
	case CONF_OP_COMMIT_CHECK: *error = check(); break;
	case CONF_OP_COMMIT: return commit(m->number, error);
	case CONF_OP_PIN: return pin(text, error);
	case CONF_OP_CONFIRM: *error = confirm(); break;
	case CONF_OP_ROLLBACK: *error = rollback(m->number); break;
	case CONF_OP_DISCARD: confd_discard(); break;
	case CONF_OP_HISTORY: *error = confd_store_history(&C.report); break;
	case CONF_OP_DOMAIN: *error = domain(text); break;
	case CONF_OP_LEARNED: *error = confd_learn_show(text, fd); break;
	case CONF_OP_FORGET: *error = confd_learn_forget(text); break;
	case CONF_OP_ACCEPT:
		*error = confd_learn_accept(text, m->number == 1, fd);
		break;
	case CONF_OP_RESCUE: *error = rescue(); break;
	case CONF_OP_FACTORY: return factory(error);
	case CONF_OP_LOGIN: *error = confd_password_check(text); break;
	case CONF_OP_PASSWORD: *error = password(text); break;
	case CONF_OP_SECURITY:
		confd_store_security(&C.report);
		confd_clock_security(&C.report);
		break;
	case CONF_OP_KEY_GENERATE:
	case CONF_OP_KEY_CSR:
	case CONF_OP_KEY_IMPORT:
	case CONF_OP_KEY_DELETE:
	case CONF_OP_CRYPTO: return confd_keys_ask(m->op, text, error);
	case CONF_OPS: break;
	}
	return false;
}

void confd_on_ask(const struct ipc_msg *m)
{
	char *text = NULL;
	size_t n = 0;
	int error = OK, fd = -1;
	bool later;

	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	error = confd_read(m->fd[0], &text, &n);
	if (error != OK) {
		text_str(&C.report, "the text cannot be read\n");
		confd_reply(error, 0, -1);
		return;
	}
	later = run(m, (struct span){ (uint8_t *)text, n }, &error, &fd);
	if (text)
		explicit_bzero(text, n); /* it may have been a password */
	free(text);
	if (!later)
		confd_reply(error, C.now.number, fd);
}
