/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_learn - what domains were seen to have, where their rule says learn. Each
 * relay has all of it, since the gate has to know at once; confd keeps it over
 * restarts and brings what other relays have seen.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "proc/relay/relay.h"

enum { DAY_MS = 86400000 };

static uint64_t memory[(1 << 20) / 8];
static bool owed; /* confd has not been told all */

void relay_learn_init(void)
{
	if (learned_size() > sizeof(memory))
		program_die(&R.prog, "memory of what was learned");
	R.learned = learned_init(memory, R.key);
}

static void say(const char *domain, const struct channel *ch)
{
	char line[STATS_TEXT];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, "event=learned domain=");
	text_str(&t, domain);
	text_str(&t, ch->version == 0x0304 ? " tls=1.3 key=" : " tls=1.2 key=");
	text_hex(&t, (struct span){ ch->spki_sha256, 32 });
	program_log(&R.prog, SEV_INFO, "%s", line);
}

void relay_learn_seen(const char *domain, const struct channel *ch)
{
	const struct policy *pol = &R.snapshot[R.current].policy;
	uint16_t day = 0;
	struct policy_rule rule;
	enum learned_news news;

	if (domain[0] == '\0' || !ch->tls || !ch->certificate ||
	    policy_lookup(pol, span_str(domain), &rule) != OK || !rule.learn)
		return;
	if (!pol->settings.clock_unset)
		day = (uint16_t)(now_unix_ms() / DAY_MS);
	news = learned_see(R.learned, span_str(domain), ch->version,
			   ch->spki_sha256, day);
	if (news == LEARNED_FACT)
		say(domain, ch);
	owed |= news == LEARNED_FACT || news == LEARNED_DATE;
}

/* --- confd ------------------------------------------------------------------------- */
/* What another confd knows is what was in flash. */
void relay_learn_attach(void)
{
	learned_mark(R.learned, 0, LEARNED_SLOTS, true);
	owed = learned_n(R.learned) > 0;
}

/* A confd that is deaf now is told later. */
void relay_learn_turn(void)
{
	uint8_t records[IPC_OCTETS_MAX];
	size_t at = 0;

	while (owed && R.confd.fd >= 0) {
		size_t from = at;
		struct ipc_msg m = { .type = IPC_LEARNED };

		m.octets.p = records;
		m.octets.n = learned_write(R.learned, &at, true, records,
					   sizeof(records));
		if (m.octets.n > 0 &&
		    ipc_send(R.confd.fd, ROLE_RELAY, ROLE_CONFD, &m) != OK)
			return;
		learned_mark(R.learned, from, at, false);
		owed = at < LEARNED_SLOTS;
	}
}

bool relay_learn_busy(void)
{
	return owed && R.confd.fd >= 0;
}

static void take_all(int fd)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	enum learned_news news;
	struct stat st;
	int r = E_CORRUPT;
	void *map;

	if ((fcntl(fd, F_GET_SEALS) & seals) != seals || fstat(fd, &st) != 0)
		program_die(&R.prog, "what confd has learned is not sealed");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		r = learned_read(R.learned,
				 (struct span){ map, (size_t)st.st_size },
				 &news);
		munmap(map, (size_t)st.st_size);
	}
	if (r != OK)
		program_log(&R.prog, SEV_ALARM,
			    "event=learned-not-taken error=%s", err_name(r));
}

bool relay_learn_message(const struct ipc_msg *m)
{
	if (m->type == IPC_LEARNED_ALL) {
		take_all(m->fd[0]);
		return true;
	}
	if (m->type != IPC_FORGET)
		return false;
	if (m->octets.n == 0)
		learned_forget_all(R.learned);
	else
		(void)learned_forget(R.learned, m->octets);
	return true;
}
