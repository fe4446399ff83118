/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_lost - octets that a serial line lost or garbled, as its driver counts
 * them: a paste that was faster than the box, a bad cable. A text without one of its
 * lines may be a good text, and the rest of it good commands. So nothing is done with
 * what has a gap, and what comes is thrown away until the line is quiet.
 *
 * The driver has counted before an octet behind the gap can be read. A pseudo
 * terminal counts nothing, and loses nothing.
 */
#include <linux/serial.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "proc/console/console.h"

enum { QUIET_MS = 1000 };

static uint32_t count(const struct tty *t)
{
	struct serial_icounter_struct n;

	if (ioctl(t->fd, TIOCGICOUNT, &n) != 0)
		return 0;
	return (uint32_t)n.frame + (uint32_t)n.parity + (uint32_t)n.overrun +
	       (uint32_t)n.buf_overrun;
}

void lost_forget(struct tty *t)
{
	t->lost = count(t);
}

bool lost_any(const struct tty *t)
{
	return count(t) != t->lost;
}

void lost_deaf(struct tty *t)
{
	program_log(&K.prog, SEV_WARNING,
		    "event=octets-lost terminal=%u errors=%u", t->index,
		    count(t) - t->lost);
	if (t->text_fd >= 0)
		close(t->text_fd);
	t->text_fd = -1;
	explicit_bzero(t->password, sizeof(t->password));
	t->state = TTY_DEAF;
}

void lost_tick(struct tty *t, uint64_t now)
{
	if (now < t->key_ms || now - t->key_ms < QUIET_MS)
		return;
	lost_forget(t);
	tty_say(t, "\n% the line has lost octets: what had a gap was not done, "
		   "and what came\n% after it was thrown away\n");
	if (t->logged_in)
		tty_prompt(t);
	else
		tty_leave(t, NULL);
}
