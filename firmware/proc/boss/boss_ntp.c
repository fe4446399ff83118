/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_ntp - what time is it, by the servers that the settings name? From time to
 * time the program ntp asks them, with sockets that boss has connected, and ends; what
 * they have to say together is judged (ntp/ntp_judge.h), and boss alone moves the
 * clock. The clock of a PC is compared with them, and left alone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proc/boss/boss.h"

enum {
	NOTICE = 2,
	NTP_UID = 41, /* beside that of boss_fetch.c */
	FIRST_MS =
		16000, /* RFC 4330 10: not less than 15 s, and less and less */
	EVERY_MS = 512000,  /* when all is well */
	QUIET_MS = 3600000, /* for who does not want to be asked */
	CHIP_MS = 3600000,
	RUN_MS = 10000, /* three times what it waits itself */
	BAD = 3,	/* rounds in a row, before somebody is told */
};

static void notice(struct boss *b, const char *what, const char *more)
{
	char line[STATS_NOTICE];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, what[0] ? "ntp: " : "");
	text_str(&t, what);
	text_str(&t, more);
	stats_notice(b->stats, NOTICE, text_done(&t));
}

static unsigned servers(const struct asked *a)
{
	unsigned n = 0;

	while (n < NTP_SERVERS && a->server[n].port != 0)
		n++;
	return n;
}

/* --- what was said ----------------------------------------------------------- */
static const char *const state_name[] = {
	[STATS_NTP_OFF] = "off",       [STATS_NTP_ASKED] = "asked",
	[STATS_NTP_SILENT] = "silent", [STATS_NTP_SPLIT] = "split",
	[STATS_NTP_WRONG] = "wrong",   [STATS_NTP_FINE] = "fine",
};

static void state(struct boss *b, enum stats_ntp_state s,
		  const struct ntp_vote *v, int64_t away_ms)
{
	struct stats_ntp *n = &b->stats->ntp;
	bool news = n->state != s, bad = s != STATS_NTP_FINE;

	*n = (struct stats_ntp){ .state = s,
				 .servers = servers(&b->ntp),
				 .gave = v->gave,
				 .agree = v->agree,
				 .away_ms = away_ms,
				 .at_ms = now_ms() };
	if (news)
		boss_log(b, bad ? SEV_WARNING : SEV_NOTICE,
			 "event=ntp state=%s servers=%u gave=%u agree=%u "
			 "away-ms=%lld",
			 state_name[s], n->servers, n->gave, n->agree,
			 (long long)away_ms);
}

/* How long until they are asked again. */
static void patience(struct asked *a, bool good)
{
	a->bad = good ? 0 : a->bad + 1;
	a->wait_ms = good ? EVERY_MS : a->bad == 1 ? FIRST_MS : 2 * a->wait_ms;
	if (a->wait_ms > EVERY_MS)
		a->wait_ms = EVERY_MS;
}

/* What is not believed is the business of a person at once. */
static void wrong(struct boss *b, enum ntp_verdict why, uint64_t unix_ms)
{
	static const char *const says[] = {
		[NTP_EARLY] = ", before the floor",
		[NTP_LATE] = ", too late for this image",
		[NTP_FAR] = "; if so, \"clock set\"",
	};
	char line[80];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_str(&t, "NOT BELIEVED: ");
	text_time(&t, unix_ms / 1000);
	text_str(&t, says[why]);
	(void)text_done(&t);
	notice(b, line, "");
	for (char *c = line; *c;
	     c++) /* a line of the log has quotes around it */
		if (*c == '"')
			*c = '\'';
	boss_alarm(b, ALARM_CLOCK, true, line);
}

static void right(struct boss *b, const struct ntp_vote *v, int64_t away_ms)
{
	int r = boss_clock_move(b, away_ms);
	bool step = away_ms > NTP_NEAR_MS || away_ms < -NTP_NEAR_MS;
	uint64_t now = now_ms();

	if (r != OK && r != E_PEER_ORDER) {
		patience(&b->ntp, false);
		boss_log(b, SEV_WARNING, "event=clock-not-moved error=\"%s\"",
			 strerror(errno));
		return;
	}
	if (r == OK && (step || now - b->ntp.chip_ms >= CHIP_MS)) {
		boss_clock_keep(b);
		b->ntp.chip_ms = now;
	}
	patience(&b->ntp, true);
	state(b, STATS_NTP_FINE, v, away_ms);
	notice(b, "", "");
	boss_alarm(b, ALARM_CLOCK, false, "");
}

static void judge(struct boss *b, const struct ntp_sample *s, unsigned n)
{
	uint64_t raw = now_raw_ms();
	struct ntp_vote v;
	bool agree = ntp_agree(s, n, raw, &v);
	int64_t away = (int64_t)(v.unix_ms - now_unix_ms());
	enum ntp_verdict verdict = ntp_judge(&b->ntp.clock, raw, v.unix_ms);

	if (v.gave > 0 && agree && verdict == NTP_TAKE) {
		right(b, &v, away);
		return;
	}
	patience(&b->ntp, false);
	if (v.gave > 0 && agree) {
		state(b, STATS_NTP_WRONG, &v, away);
		wrong(b, verdict, v.unix_ms);
	} else {
		state(b, v.gave == 0 ? STATS_NTP_SILENT : STATS_NTP_SPLIT, &v,
		      0);
		if (b->ntp.bad >= BAD)
			notice(b,
			       v.gave == 0 ? "no server gives a time"
					   : "the servers do not agree",
			       "");
	}
}

/* ntp is not believed blindly either: it has read foreign octets. */
static void take(struct boss *b)
{
	uint8_t in[NTP_SERVERS * NTP_SAMPLE_SIZE + 1];
	struct ntp_sample s[NTP_SERVERS];
	struct asked *a = &b->ntp;
	ssize_t n = pread(a->fd, in, sizeof(in), 0);
	uint64_t raw = now_raw_ms();

	memset(s, 0, sizeof(s));
	if (n != (ssize_t)(a->of_n * NTP_SAMPLE_SIZE)) {
		boss_log(b, SEV_WARNING, "event=ntp-failed");
		judge(b, s, 0);
		return;
	}
	for (unsigned i = 0; i < a->of_n; i++) {
		if (!ntp_sample_get(in + i * NTP_SAMPLE_SIZE, &s[i]) ||
		    s[i].raw_ms < a->start_ms || s[i].raw_ms > raw)
			s[i].state = NTP_SILENT;
		if (s[i].state == NTP_REFUSED)
			a->quiet_ms[a->of[i]] = now_ms() + QUIET_MS;
	}
	judge(b, s, a->of_n);
}

bool boss_ntp_ended(struct boss *b, pid_t pid, int status)
{
	struct asked *a = &b->ntp;

	if (a->pid == 0 || pid != a->pid)
		return false;
	a->pid = 0;
	if (a->stale) {
		a->wait_ms = 0;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		take(b);
	} else {
		boss_log(b, SEV_WARNING, "event=ntp-failed %s=%d",
			 WIFSIGNALED(status) ? "signal" : "exit",
			 WIFSIGNALED(status) ? WTERMSIG(status)
					     : WEXITSTATUS(status));
		judge(b, NULL, 0);
	}
	close(a->fd);
	a->fd = -1;
	a->stale = false;
	a->next_ms = now_ms() + a->wait_ms;
	return true;
}

/* --- asking ------------------------------------------------------------------ */
/* Sockets to all who may be asked, behind the first three; E_IO: there is no way. */
static int sockets(struct boss *b, struct run *r, uint64_t now)
{
	struct asked *a = &b->ntp;
	int result = OK;

	a->of_n = 0;
	for (unsigned i = 0; result == OK && i < servers(a); i++) {
		if (now < a->quiet_ms[i])
			continue;
		result = manage_socket(&b->manage, &b->managed.address,
				       &a->server[i], false, &r->fd[r->fd_n]);
		if (result != OK)
			continue;
		r->fd_n++;
		a->of[a->of_n++] = i;
	}
	return result;
}

static void start(struct boss *b, uint64_t now)
{
	char path[sizeof(b->conf.bin_dir) + 8], many[2] = { 0 };
	char *argv[] = { (char[]){ "ntp" }, many, NULL };
	struct asked *a = &b->ntp;
	struct run r = { .path = path,
			 .argv = argv,
			 .uid = NTP_UID,
			 .fd = { -1, -1, STDERR_FILENO },
			 .fd_n = 3,
			 .file_max = NTP_SERVERS * NTP_SAMPLE_SIZE };
	bool way = sockets(b, &r, now) == OK;

	a->next_ms = now + FIRST_MS;
	snprintf(path, sizeof(path), "%s/ntp", b->conf.bin_dir);
	many[0] = (char)('0' + a->of_n);
	if (!way)
		notice(b, "cannot ask: ", b->manage.why);
	else if (a->of_n > 0)
		r.fd[1] = a->fd = memfd_create("ntp", MFD_CLOEXEC);
	if (way && a->fd >= 0) {
		a->start_ms = now_raw_ms();
		a->pid = boss_run(b, &r);
		a->end_ms = now + RUN_MS;
	}
	while (r.fd_n > 3)
		close(r.fd[--r.fd_n]);
	if (a->pid > 0)
		return;
	a->pid = 0;
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

void boss_ntp_tick(struct boss *b, uint64_t now)
{
	struct asked *a = &b->ntp;

	if (a->pid != 0 && now >= a->end_ms)
		kill(a->pid, SIGKILL);
	else if (a->pid == 0 && now >= a->next_ms && now != UINT64_MAX &&
		 servers(a) > 0 && b->managed.address.port != 0)
		start(b, now);
}

/* --- settings ------------------------------------------------------------------ */
int boss_ntp_route(struct boss *b)
{
	const struct management *is = &b->managed;
	int r = OK;

	if (is->address.port == 0 || is->gateway.port == 0)
		return OK;
	for (unsigned i = 0; r == OK && i < servers(&b->ntp); i++)
		r = manage_route(&b->manage, &is->gateway, &b->ntp.server[i]);
	return r;
}

void boss_ntp_set(struct boss *b, const struct ipc_msg *m)
{
	const struct endpoint all[NTP_SERVERS] = { m->client, m->server,
						   m->via };
	const struct ntp_vote none = { .gave = 0 };
	struct asked *a = &b->ntp;

	a->clock.floor_s = m->number;
	if (memcmp(all, a->server, sizeof(all)) == 0)
		return;
	memcpy(a->server, all, sizeof(all));
	memset(a->quiet_ms, 0, sizeof(a->quiet_ms));
	a->bad = 0;
	a->stale = a->pid != 0;
	if (a->stale)
		kill(a->pid, SIGKILL);
	state(b, servers(a) > 0 ? STATS_NTP_ASKED : STATS_NTP_OFF, &none, 0);
	a->bad = 0;
	notice(b, "", "");
	boss_alarm(b, ALARM_CLOCK, b->stats->clock == STATS_CLOCK_UNSET,
		   "the clock is not set");
	a->next_ms = 0;
	if (boss_ntp_route(b) != OK)
		notice(b, "", b->manage.why);
}

void boss_ntp_clock_is_set(struct boss *b)
{
	b->ntp.clock.set = true;
	b->ntp.clock.raw_ms = now_raw_ms();
	b->ntp.clock.unix_ms = now_unix_ms();
}
