/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interface is on which device, in a folder like /sys/class/net. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "drivers/port_name.h"

static char folder[] = "/tmp/port_name.XXXXXX";
static const char *const links[][2] = {
	{ "eth0", "../../devices/platform/ff600000.usb/xhci-hcd.0.auto/usb3/"
		  "3-1/3-1:1.0/net/eth0" },
	{ "eth1", "../../devices/platform/ff540000.ethernet/net/eth1" },
	{ "eth2", "../../devices/platform/soc/16030000.ethernet/net/eth2" },
	{ "eth3", "../../devices/platform/soc/16040000.ethernet/net/eth3" },
	{ "lo", "../../devices/virtual/net/lo" },
};
enum { LINKS = sizeof(links) / sizeof(links[0]) };

static const char *at(size_t i)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, links[i][0]);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	for (size_t i = 0; i < LINKS; i++)
		if (symlink(links[i][1], at(i)) != 0)
			return -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < LINKS; i++)
		unlink(at(i));
	return rmdir(folder);
}

static void found(const char *device, const char *want)
{
	char name[IFNAMSIZ];

	assert_int_equal(port_name(folder, device, name), OK);
	assert_string_equal(name, want);
}

static void by_device(void **state)
{
	(void)state;
	found("ff540000.ethernet", "eth1");
	found("ff600000.usb", "eth0");
	found("16030000.ethernet", "eth2");
	found("16040000.ethernet", "eth3");
}

static void none(void **state)
{
	char name[IFNAMSIZ];

	(void)state;
	assert_int_equal(port_name(folder, "ff550000.ethernet", name), E_IO);
	assert_int_equal(port_name("/nowhere", "ff540000.ethernet", name),
			 E_IO);
}

/* Half a step is no step, and an interface is not on itself. */
static void whole_steps(void **state)
{
	char name[IFNAMSIZ];

	(void)state;
	assert_int_equal(port_name(folder, "ff540000", name), E_IO);
	assert_int_equal(port_name(folder, "f540000.ethernet", name), E_IO);
	assert_int_equal(port_name(folder, "eth1", name), E_IO);
}

/* Two interfaces on one device: which one is meant cannot be known. */
static void two(void **state)
{
	char name[IFNAMSIZ];

	(void)state;
	assert_int_equal(port_name(folder, "soc", name), E_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_device),
		cmocka_unit_test(none),
		cmocka_unit_test(whole_steps),
		cmocka_unit_test(two),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
