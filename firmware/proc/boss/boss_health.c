/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_health - is the box well? The lamps say so, and the watchdog is patted as
 * long as it is, or has not been unwell for long: a program that dies is back in
 * a second, and that is not worth a restart of the box.
 *
 * An image on trial is well when everything is there that makes a box: programs,
 * classifier, ports, a configuration in force. Well for BOSS_PROOF_MS, it is
 * confirmed; not within BOSS_TRIAL_MS, the box restarts, and after SLOT_BOOTS
 * such starts U-Boot takes the other slot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>
#include "drivers/watchdog.h"
#include "proc/boss/boss.h"

enum {
	BOSS_UNWELL_MS = 60000,
	BOSS_PROOF_MS = 30000,
	BOSS_TRIAL_MS = 240000,
	BOSS_AGAIN_MS = 60000, /* flash that was not written: it wears */
};

void boss_health_open(struct boss *b, bool *bitten)
{
	b->watchdog_fd = -1;
	b->unwell_ms = now_ms();
	*bitten = false;
	for (size_t i = 0; i < LAMPS; i++)
		if (led_open(&b->lamp[i], b->conf.lamp[i]) != OK)
			boss_log(b, SEV_WARNING,
				 "event=no-lamp name=%s error=\"%s\"",
				 b->conf.lamp[i], strerror(errno));
	led_set(&b->lamp[LAMP_POWER], true);
	led_set(&b->lamp[LAMP_FAULT], true);
	if (b->conf.watchdog[0] != '\0' &&
	    watchdog_open(b->conf.watchdog, &b->watchdog_fd, bitten) != OK)
		boss_log(b, SEV_ALARM, "event=no-watchdog error=\"%s\"",
			 strerror(errno));
}

/* The kernel's own log is what is left after a restart. */
static void last_words(const char *why)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "<0>" BOSS_FAULT "%s\n", why);
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, line, (size_t)n) != n)
		fprintf(stderr, "boss: %s", line);
	close(fd);
}

void boss_restart(struct boss *b, bool fault, const char *why)
{
	boss_log(b, fault ? SEV_ALARM : SEV_NOTICE, "event=restart why=\"%s\"",
		 why);
	if (b->conf.watchdog[0] == '\0')
		return; /* somebody's PC */
	if (fault)
		last_words(why);
	boss_port_down(b);
	boss_child_stop_all(b);
	sync();
	reboot(LINUX_REBOOT_CMD_RESTART);
	_exit(1); /* the watchdog does it */
}

/* The first program that is not there; NULL: all are. */
static const struct child *missing(const struct boss *b)
{
	for (uint32_t i = 0; i < b->child_n; i++)
		if (b->child[i].pid == 0 || !b->child[i].ready)
			return &b->child[i];
	return NULL;
}

static void trial(struct boss *b, uint64_t now)
{
	struct child *flashd = boss_child_find(b, ROLE_FLASHD, 0);
	struct ipc_msg healthy = { .type = IPC_HEALTHY };

	if (b->mode != SLOT_TRIAL || !flashd)
		return;
	if (b->well_ms != 0 && now - b->well_ms >= BOSS_PROOF_MS &&
	    b->kept_conf_fd >= 0 && boss_port_sound(b)) {
		if (b->told_ms != 0 && now - b->told_ms < BOSS_AGAIN_MS)
			return;
		b->told_ms = now;
		b->mode = SLOT_STEADY; /* until flashd says otherwise */
		boss_child_say(b, flashd, &healthy);
	} else if (now - b->stats->started_ms > BOSS_TRIAL_MS) {
		boss_restart(b, true, "the image on trial did not get well");
	}
}

void boss_health_tick(struct boss *b, uint64_t now)
{
	const struct child *lost = missing(b);
	bool ports = b->stats->ports_up == (1u << INSIDE | 1u << OUTSIDE);
	bool mail = !lost && b->kept_conf_fd >= 0; /* moves, by a list */
	char why[80];

	if (lost && b->unwell_ms == 0)
		b->unwell_ms = now;
	if (!lost && b->well_ms == 0)
		b->well_ms = now;
	if (lost)
		b->well_ms = 0;
	else
		b->unwell_ms = 0;
	led_set(&b->lamp[LAMP_ENCRYPTING], mail);
	led_set(&b->lamp[LAMP_FAULT],
		!mail || !ports || b->mode == SLOT_TRIAL || b->breach ||
			(b->expiry && led_flash(now)));
	trial(b, now);
	if (!lost || now - b->unwell_ms < BOSS_UNWELL_MS) {
		if (b->watchdog_fd >= 0)
			watchdog_pat(b->watchdog_fd);
		return;
	}
	snprintf(why, sizeof(why), "%s has not been there for %u seconds",
		 role_name(lost->role), BOSS_UNWELL_MS / 1000);
	boss_restart(b, true, why);
	b->unwell_ms =
		now; /* where there is no restart: say so once a minute */
}
