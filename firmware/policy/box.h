/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_BOX_H
#define POLICY_BOX_H

#include "base/addr.h"

/*
 * box - settings about the box itself and not about mail: what it is called and
 * where it can be reached. console and boss get them from confd, one by one;
 * they do not see the snapshot.
 */
enum {
	BOX_NAME = 28,	  /* octets; leaves room for "(config)# " */
	BOX_BANNER = 400, /* printable ASCII */
	BOX_NTP = 3,	  /* time servers */
};

struct box {
	char name[BOX_NAME + 1];
	char banner[BOX_BANNER + 1]; /* empty: none */
	uint32_t idle_s;	     /* a terminal without a key */
	/* At the management port, if the board has one. Its port member is the
	 * length of the prefix; 0: no address. */
	struct endpoint management;
	uint32_t vlan;		 /* or in this VLAN of the port inside; 0: no */
	struct endpoint gateway; /* an address; port 1: there is one */
	struct endpoint syslog;	 /* port 0: none */
	struct endpoint ntp[BOX_NTP]; /* addresses; port 123: there is one */
	bool carry; /* the link of one port to the other: drivers/carry.h */
};

#endif
