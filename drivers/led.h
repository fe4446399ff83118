/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_LED_H
#define DRIVERS_LED_H

#include "base/err.h"
#include "base/span.h"

/*
 * led - one lamp, through Linux's LED class. A board that has not got it has one
 * that does nothing.
 */
struct led {
	int fd; /* -1: there is none */
	bool on, known;
};

/* name as in /sys/class/leds; empty: none. E_IO: errno says why; then it is one
 * that does nothing. */
MUST_CHECK int led_open(struct led *l, const char *name);

void led_set(struct led *l, bool on);

/* For what can wait until somebody has time: is a lamp that flashes, once in two
 * seconds, on at this moment? */
bool led_flash(uint64_t now_ms);

#endif
