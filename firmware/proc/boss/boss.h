/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_BOSS_BOSS_H
#define PROC_BOSS_BOSS_H

#include <net/if.h>
#include <sys/types.h>
#include "base/text.h"
#include "drivers/carry.h"
#include "drivers/led.h"
#include "drivers/manage.h"
#include "image/parts.h"
#include "image/slot.h"
#include "ipc/ipc.h"
#include "ipc/stats.h"
#include "ntp/ntp_judge.h"
#include "proc/loop.h"

/*
 * boss - the only program with rights: it sets the two ports up, opens their
 * packet sockets, starts the others without rights, joins them with socket
 * pairs, and starts again what dies or hangs. It reads no foreign byte.
 *
 *	board.conf, options ---> boss_conf.c
 *	children, pairs, restart  boss_child.c
 *	classifier and ports      boss_port.c
 *	store, secret, terminals  boss_keep.c
 *	management address        boss_manage.c
 *	clock, clock chip         boss_clock.c
 *	start again               boss_reload.c
 *	what flashd writes        boss_flash.c
 *	lamps, watchdog, restart  boss_health.c
 *	programs for one task     boss_run.c
 *	files by TFTP             boss_fetch.c
 *	time servers              boss_ntp.c
 *	main, messages            boss.c
 */
/* Begins the line that says why the box restarts by itself. */
#define BOSS_FAULT "sealwire fault: "

enum {
	BOSS_CHILDREN = 6 + IPC_RELAYS_MAX,
	/* A program that said nothing for so long is killed. Together with the
	 * start of its successor this stays below two seconds. */
	BOSS_HUNG_MS = 1500,
	/* The same for flashd: some flash takes seconds to erase a block. */
	BOSS_FLASH_MS = 10000,
	/* Time to get ready: self-test, a long domain list. */
	BOSS_START_MS = 20000,
	BOSS_TICK_MS = 100,
	BOSS_WATCH_MS = 500, /* ports, flash */
	BOSS_TTYS = 4,
};

/* Lamps: always on; mail is encrypted where the list says so; look at me. */
enum lamp { LAMP_POWER, LAMP_ENCRYPTING, LAMP_FAULT, LAMPS };

struct boss_conf {
	char port[PORTS][64];	   /* an interface, or "@" and its device */
	char management[IFNAMSIZ]; /* empty: this board has no such port */
	char bin_dir[256], run_dir[256];
	char conf_file[256], ca_file[256];
	char store_dir[256], secret_file[256]; /* empty: nothing is kept */
	char tty[BOSS_TTYS][64];	       /* a device, or "pty" */
	uint32_t ttys;
	char clock[64];	      /* chip, "none"; empty: it is not ours */
	bool flash;	      /* there are slots for images */
	char tftp[256];	      /* BusyBox's */
	char key_file[256];   /* what images are signed with */
	char watchdog[64];    /* empty: none, and no restart by us */
	char lamp[LAMPS][64]; /* as in /sys/class/leds; empty: none */
	uint32_t relays;
	uint32_t uid_base; /* programs run as uid_base + 1, + 2, ... */
};

struct child {
	enum role role;
	uint32_t index;
	pid_t pid;	   /* 0: not running */
	struct watch ctrl; /* our end of its socket */
	int stats_fd;	   /* lives as long as boss: counters survive */
	bool ready;
	uint64_t alive_ms;     /* when it was last heard of */
	uint64_t restart_ms;   /* not running: when to start again */
	uint32_t quick_deaths; /* in a row, to slow down a crash loop */
	struct boss *boss;
};

/* What the settings say of the management address: policy/box.h. */
struct management {
	struct endpoint address, gateway, syslog;
	uint16_t vlan;
};

/* boss_ntp.c: who is asked for the time, and what is known of it. */
struct asked {
	struct endpoint server[NTP_SERVERS]; /* port 0: no more */
	uint64_t
		quiet_ms[NTP_SERVERS]; /* it does not want to be asked before */
	struct ntp_clock clock;
	pid_t pid;			/* of ntp; 0: it does not run */
	int fd;				/* what it says */
	bool stale;			/* that is of other servers */
	unsigned of[NTP_SERVERS], of_n; /* which servers it asks */
	uint64_t start_ms, end_ms;
	uint64_t next_ms, wait_ms;
	uint64_t chip_ms; /* when the clock chip was written */
	unsigned bad;	  /* rounds in a row without a time that is believed */
};

struct boss {
	struct boss_conf conf;
	char **argv;
	struct loop loop;
	struct watch signals;
	struct child child[BOSS_CHILDREN];
	uint32_t child_n;
	struct stats *stats;
	int stats_fd;
	int listen_fd;
	int store_fd, secret_fd; /* -1: none */
	int tty_fd[BOSS_TTYS];
	int tty_far[BOSS_TTYS]; /* of a pty: held open */
	int kept_conf_fd;	/* the text last put into force, -1: none yet */
	uint16_t intercept[16]; /* what the classifier takes */
	uint32_t intercept_n;
	uint16_t vlan; /* of the management address, off the wire; 0: none */
	struct manage manage;
	struct management managed; /* what was asked for last */
	int syslog_fd;		   /* console has it too; -1: none */
	struct carry carry;
	bool ports_ready;
	bool stopping;
	bool breach; /* witness has seen clear text */
	bool expiry; /* a certificate of ours ends soon */
	/* boss_flash.c; -1: none */
	int part_fd[PARTS], key_fd, last_fd;
	enum slot runs;
	/* boss_health.c */
	int watchdog_fd; /* -1: none */
	struct led lamp[LAMPS];
	enum slot_mode mode; /* as flashd says */
	uint64_t well_ms;    /* all is well since then; 0: it is not */
	uint64_t unwell_ms;  /* and since when not; 0: it is */
	uint64_t told_ms;    /* when flashd was told so last; 0: not yet */
	/* boss_fetch.c */
	pid_t fetch_pid; /* 0: nothing is fetched or sent */
	bool sends;
	int fetch_fd, fetch_why_fd; /* the file, what is said about it */
	uint64_t fetch_end_ms;
	struct asked ntp; /* boss_ntp.c */
	uint64_t tick_ms;
};

/* boss_conf.c. 0, or it has said what is wrong and where. */
MUST_CHECK int boss_conf_read(struct boss_conf *c, int argc, char **argv);

/* boss_keep.c: open what the configuration of boss names. E_IO, E_CORRUPT: it
 * has said what is wrong. */
MUST_CHECK int boss_keep_open(struct boss *b);
/* How full flash and memory are, into the statistics. */
void boss_keep_watch(struct boss *b);

/* boss_flash.c: what flashd needs, and why the box was restarted. E_IO: it has
 * said what is wrong. Without flash: nothing. */
MUST_CHECK int boss_flash_open(struct boss *b, bool bitten);
/* Give it. */
void boss_flash_give(struct boss *b, struct child *c);

/* boss_health.c */

/* The watchdog and the lamps; *bitten: the watchdog has restarted the box. */
void boss_health_open(struct boss *b, bool *bitten);
/* Look, and pat or do not. */
void boss_health_tick(struct boss *b, uint64_t now);
/* Restart the box; fault: why is to be recorded. Comes back only on a board
 * that is not ours to restart, one without a watchdog. */
void boss_restart(struct boss *b, bool fault, const char *why);

/* boss_run.c */

enum { RUN_FDS = 8 };

struct run {
	const char *path;
	char **argv;
	uint32_t uid;	   /* above that of the first program */
	int fd[RUN_FDS];   /* what it has as 0, 1, ...; -1: nothing */
	unsigned fd_n;	   /* at least 3 */
	uint64_t file_max; /* octets that it may make a file long */
};

/* Start it; -1: there is no room. What it leaves to wait for is the caller's. */
MUST_CHECK pid_t boss_run(const struct boss *b, const struct run *r);

/* boss_ntp.c */

/* As confd says. */
void boss_ntp_set(struct boss *b, const struct ipc_msg *m);
/* Ways to servers beyond the management network. E_IO: b->manage.why. */
MUST_CHECK int boss_ntp_route(struct boss *b);
/* The clock has a time now that others can be held against. */
void boss_ntp_clock_is_set(struct boss *b);
/* Was it ntp that ended? */
bool boss_ntp_ended(struct boss *b, pid_t pid, int status);
/* UINT64_MAX: never again. */
void boss_ntp_tick(struct boss *b, uint64_t now);

/* boss_fetch.c */

/* "ADDRESS FILE" in fd is asked for by the console; or file is to be sent there. */
void boss_fetch(struct boss *b, int fd);
void boss_send(struct boss *b, int fd, int file);
/* Was it this one that ended? Then the console is told. */
bool boss_fetch_ended(struct boss *b, pid_t pid, int status);
void boss_fetch_tick(struct boss *b, uint64_t now);

/* boss_child.c */
MUST_CHECK int boss_child_add(struct boss *b, enum role role, uint32_t index);
/* Start it, give it its descriptors, join it with those that run. */
void boss_child_start(struct boss *b, struct child *c);
struct child *boss_child_find(struct boss *b, enum role role, uint32_t index);
/* Collect the dead, kill the hung, start what is due. */
void boss_child_tick(struct boss *b, uint64_t now);
void boss_child_stop_all(struct boss *b);
void boss_child_say(struct boss *b, struct child *c, const struct ipc_msg *m);
/* The same with a descriptor, which stays ours. */
void boss_child_give(struct boss *b, struct child *c, struct ipc_msg m, int fd);

/* boss_port.c: a port that the board names by its device gets the name of its
 * interface; waits for it, ten seconds at most. What is not there then keeps its
 * name, and boss_port_intercept says so. */
void boss_port_find(struct boss *b);
/* The classifier on both ports, then the ports up. Ports that it
 * took before stay taken; the VLAN replaces the one before. OK, or the error of
 * drivers/link.h, which has been logged. */
MUST_CHECK int boss_port_intercept(struct boss *b, const uint16_t *ports,
				   uint32_t n, uint16_t vlan);
/* An interface for this VLAN of inside, or for none: drivers/link.h. E_IO with *why
 * set, until the next call of any of these. */
MUST_CHECK int boss_port_vlan(struct boss *b, uint16_t vlan, const char *name,
			      const char **why);
/* Fresh packet sockets with the classifier on them, and one behind them for questions
 * to resolvers. */
MUST_CHECK int boss_port_open(struct boss *b, int fd[PORTS + 1]);
/* A fresh socket for witness: drivers/tap.h. */
MUST_CHECK int boss_port_tap(struct boss *b, enum port p, int *fd);
/* Link state into the statistics, and from one port to the other. */
void boss_port_watch(struct boss *b);
/* As the settings say: drivers/carry.h. */
void boss_port_carry(struct boss *b, bool on);
/* Is the classifier on both ports what it should be, and are they up? */
bool boss_port_sound(struct boss *b);
void boss_port_down(struct boss *b);

/* boss_manage.c: a failure is logged and stands in show status; mail does not
 * depend on it. */
void boss_manage_set(struct boss *b, const struct management *want);
/* The port inside was down: what the kernel has forgotten of its VLAN. */
void boss_manage_again(struct boss *b);
/* Give the socket of syslog to console, if there is one. */
void boss_manage_give(struct boss *b, struct child *console);

/* boss_clock.c: read the chip; what that gave is in the statistics. */
void boss_clock_open(struct boss *b);
/* E_PEER_ORDER: it is not ours; E_CONF: not a time for a box; E_IO; E_CORRUPT:
 * the clock is set, but the chip is not. */
MUST_CHECK int boss_clock_set(struct boss *b, uint64_t unix_s);
/* As time servers say, who are believed: by so much. E_PEER_ORDER, E_IO. A clock that
 * nobody had set has been set now. */
MUST_CHECK int boss_clock_move(struct boss *b, int64_t by_ms);
/* So that the chip has what the clock has. */
void boss_clock_keep(struct boss *b);
/* Tell confd how it is. */
void boss_clock_give(struct boss *b, struct child *confd);

/* boss_reload.c: in so many seconds; UINT64_MAX: not any more. */
void boss_reload_ask(struct boss *b, uint64_t seconds);
void boss_reload_tick(struct boss *b, uint64_t now);

/* boss.c */
__attribute__((format(printf, 3, 4))) void boss_log(struct boss *b,
						    enum severity sev,
						    const char *fmt, ...);
/* As program_alarm_stands. */
void boss_alarm(struct boss *b, enum alarm a, bool on, const char *what);
void boss_on_message(struct boss *b, struct child *c, struct ipc_msg *m);

#endif
