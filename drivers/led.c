/* SPDX-License-Identifier: BSD-2-Clause */
/* led - see led.h. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "drivers/led.h"

int led_open(struct led *l, const char *name)
{
	char path[128];

	*l = (struct led){ .fd = -1 };
	if (name[0] == '\0')
		return OK;
	snprintf(path, sizeof(path), "/sys/class/leds/%s/brightness", name);
	l->fd = open(path, O_WRONLY | O_CLOEXEC);
	return l->fd < 0 ? E_IO : OK;
}

void led_set(struct led *l, bool on)
{
	if (l->fd < 0 || (l->known && l->on == on))
		return;
	l->on = on;
	l->known = pwrite(l->fd, on ? "255" : "0", on ? 3 : 1, 0) > 0;
}

bool led_flash(uint64_t now_ms)
{
	return now_ms % 2000 < 200;
}
