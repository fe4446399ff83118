/* SPDX-License-Identifier: BSD-2-Clause */
/* stats - see stats.h. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ipc/stats.h"

#define MAGIC 0x53574c53u /* "SLWS" */

const char *const counter_name[COUNTERS] = {
#define X(id, name, owner) [CNT_##id] = name,
	STATS_COUNTERS(X)
#undef X
};

const char *const alarm_name[ALARMS] = {
#define X(id, name) [ALARM_##id] = name,
	STATS_ALARMS(X)
#undef X
};

const char *severity_name(enum severity s)
{
	switch (s) {
	case SEV_INFO: return "info";
	case SEV_NOTICE: return "notice";
	case SEV_WARNING: return "warning";
	case SEV_ALARM: return "alarm";
	}
	return "?";
}

bool counter_is_level(enum counter c)
{
	const char *dash = strrchr(counter_name[c], '-');

	return dash &&
	       (strcmp(dash, "-now") == 0 || strcmp(dash, "-peak") == 0);
}

static void set_text(char *to, size_t size, struct span line)
{
	size_t n = line.n < size - 1 ? line.n : size - 1;

	if (n > 0)
		memcpy(to, line.p, n);
	to[n] = '\0';
}

void stats_log(struct stats *s, enum severity sev, uint64_t unix_ms,
	       struct span line)
{
	uint64_t seq = s->log_seq + 1;
	struct stats_log *l = &s->log[seq % STATS_EVENTS];

	__atomic_store_n(&l->seq, 0, __ATOMIC_RELEASE);
	l->unix_ms = unix_ms;
	l->severity = sev;
	set_text(l->text, sizeof(l->text), line);
	__atomic_store_n(&l->seq, seq, __ATOMIC_RELEASE);
	__atomic_store_n(&s->log_seq, seq, __ATOMIC_RELEASE);
}

void stats_refusal(struct stats *s, uint64_t unix_ms, struct span line)
{
	uint64_t seq = s->refusal_seq + 1;
	struct stats_refusal *r = &s->refusal[seq % STATS_REFUSALS];

	__atomic_store_n(&r->seq, 0, __ATOMIC_RELEASE);
	r->unix_ms = unix_ms;
	set_text(r->text, sizeof(r->text), line);
	__atomic_store_n(&r->seq, seq, __ATOMIC_RELEASE);
	__atomic_store_n(&s->refusal_seq, seq, __ATOMIC_RELEASE);
}

void stats_notice(struct stats *s, unsigned which, struct span line)
{
	if (which < STATS_NOTICES)
		set_text(s->notice[which], sizeof(s->notice[which]), line);
}

bool stats_alarm(struct stats *s, enum alarm a, uint64_t unix_ms,
		 struct span text)
{
	struct stats_alarm *al = &s->alarm[a];
	bool quiet = al->times == 0 || unix_ms - al->last_ms > STATS_QUIET_MS;

	if (al->times == 0)
		al->first_ms = unix_ms;
	al->last_ms = unix_ms;
	set_text(al->text, sizeof(al->text), text);
	__atomic_store_n(&al->times, al->times + 1, __ATOMIC_RELEASE);
	return quiet;
}

bool stats_alarm_stands(struct stats *s, enum alarm a, bool on,
			uint64_t unix_ms, struct span text)
{
	struct stats_alarm *al = &s->alarm[a];

	if (!on) {
		if (al->standing)
			al->last_ms = unix_ms;
		al->standing = 0;
		return false;
	}
	if (al->standing) {
		set_text(al->text, sizeof(al->text), text);
		return false;
	}
	al->standing = 1;
	(void)stats_alarm(s, a, unix_ms, text);
	return true;
}

int stats_create(int *fd)
{
	*fd = memfd_create("stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return E_IO;
	if (ftruncate(*fd, sizeof(struct stats)) != 0 ||
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
		close(*fd);
		*fd = -1;
		return E_IO;
	}
	return OK;
}

int stats_map(int fd, bool write, struct stats **s)
{
	int prot = write ? PROT_READ | PROT_WRITE : PROT_READ;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	/* A mapping that its owner could shrink would be a bus error in us. */
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) != 0 ||
	    st.st_size < (off_t)sizeof(struct stats))
		return E_CORRUPT;
	p = mmap(NULL, sizeof(struct stats), prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return E_IO;
	*s = p;
	if (write)
		(*s)->magic = MAGIC;
	return OK;
}
