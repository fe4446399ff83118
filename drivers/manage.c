/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage - see manage.h. By ioctl: an address and a route need no netlink.
 * The kernel's IPv6 headers and the C library's do not go together, so the two
 * structures that only the former have are written down here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "drivers/manage.h"

struct in6_ifreq { /* linux/ipv6.h */
	struct in6_addr addr;
	uint32_t prefix;
	int index;
};

static int fail(struct manage *m, const char *what)
{
	snprintf(m->why, sizeof(m->why), "%s on %s: %s", what, m->name,
		 strerror(errno));
	return E_IO;
}

static struct sockaddr_in in4(const struct endpoint *e)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	memcpy(&a.sin_addr, e->ip + 12, 4);
	a.sin_port = htons(e->port);
	return a;
}

static struct sockaddr_in6 in6(const struct endpoint *e)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

	memcpy(&a.sin6_addr, e->ip, 16);
	a.sin6_port = htons(e->port);
	return a;
}

static struct ifreq request(const struct manage *m)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	memcpy(r.ifr_name, m->name, sizeof(r.ifr_name));
	return r;
}

static int flags(struct manage *m, int sock, bool up)
{
	struct ifreq r = request(m);

	if (ioctl(sock, SIOCGIFFLAGS, &r) != 0)
		return fail(m, "no such port");
	r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP
				 : r.ifr_flags & ~IFF_UP);
	return ioctl(sock, SIOCSIFFLAGS, &r) == 0 ? OK : fail(m, "up or down");
}

/* Down: the kernel forgets its routes and IPv6 addresses by itself. */
static int clear(struct manage *m, int sock)
{
	struct sockaddr_in none = { .sin_family = AF_INET };
	struct ifreq r = request(m);
	int result = flags(m, sock, false);

	memcpy(&r.ifr_addr, &none, sizeof(none));
	if (result == OK && ioctl(sock, SIOCSIFADDR, &r) != 0 &&
	    errno != EADDRNOTAVAIL)
		return fail(m, "no address");
	return result;
}

/* No address by itself, no redirect, and no second in which an address may not
 * be used yet. A kernel without IPv6 has no such file. */
static int quiet6(struct manage *m)
{
	static const struct {
		const char *name, *value;
	} all[] = { { "disable_ipv6", "0" },
		    { "accept_ra", "0" },
		    { "autoconf", "0" },
		    { "accept_redirects", "0" },
		    { "accept_dad", "0" } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char path[80 + IFNAMSIZ];
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s",
			 m->name, all[i].name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, all[i].value, 1) != 1) {
			close(fd);
			return fail(m, all[i].name);
		}
		close(fd);
	}
	return OK;
}

static int set4(struct manage *m, int sock, const struct endpoint *address)
{
	struct sockaddr_in a = in4(address);
	struct ifreq r = request(m);

	a.sin_port = 0;
	memcpy(&r.ifr_addr, &a, sizeof(a));
	if (ioctl(sock, SIOCSIFADDR, &r) != 0)
		return fail(m, "address");
	a.sin_addr.s_addr = htonl((uint32_t)(~0ull << (32 - address->port)));
	memcpy(&r.ifr_netmask, &a, sizeof(a));
	return ioctl(sock, SIOCSIFNETMASK, &r) == 0 ? OK : fail(m, "prefix");
}

static int route4(struct manage *m, int sock, const struct endpoint *gateway,
		  const struct endpoint *host)
{
	struct sockaddr_in to = in4(host), via = in4(gateway), all;
	struct rtentry r;

	memset(&r, 0, sizeof(r));
	to.sin_port = via.sin_port = 0;
	all = to;
	all.sin_addr.s_addr = 0xffffffff;
	memcpy(&r.rt_dst, &to, sizeof(to));
	memcpy(&r.rt_gateway, &via, sizeof(via));
	memcpy(&r.rt_genmask, &all, sizeof(all));
	r.rt_flags = RTF_UP | RTF_GATEWAY | RTF_HOST;
	r.rt_dev = m->name;
	return ioctl(sock, SIOCADDRT, &r) == 0 || errno == EEXIST
		       ? OK
		       : fail(m, "route");
}

static int set6(struct manage *m, int sock, const struct endpoint *address)
{
	struct in6_ifreq r = { .prefix = address->port,
			       .index = (int)if_nametoindex(m->name) };

	memcpy(&r.addr, address->ip, 16);
	return ioctl(sock, SIOCSIFADDR, &r) == 0 ? OK : fail(m, "address");
}

static int route6(struct manage *m, int sock, const struct endpoint *gateway,
		  const struct endpoint *host)
{
	struct in6_rtmsg r = { .rtmsg_dst_len = 128,
			       .rtmsg_metric = 1,
			       .rtmsg_flags = RTF_UP | RTF_GATEWAY | RTF_HOST,
			       .rtmsg_ifindex = (int)if_nametoindex(m->name) };

	memcpy(&r.rtmsg_dst, host->ip, 16);
	memcpy(&r.rtmsg_gateway, gateway->ip, 16);
	return ioctl(sock, SIOCADDRT, &r) == 0 || errno == EEXIST
		       ? OK
		       : fail(m, "route");
}

int manage_set(struct manage *m, const struct endpoint *address)
{
	bool v6 = address->port != 0 && !ip_is_v4(address->ip);
	int four = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int six = v6 ? socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	int r = four < 0 || (v6 && six < 0) ? fail(m, "socket") : OK;

	if (r == OK)
		r = clear(m, four);
	if (r == OK && address->port == 0)
		goto out;
	if (r == OK && v6)
		r = quiet6(m);
	if (r == OK && !v6)
		r = set4(m, four, address);
	if (r == OK)
		r = flags(m, four, true);
	if (r == OK && v6)
		r = set6(m, six, address);
	if (r != OK && four >= 0) {
		struct manage other = *m; /* its why is the first one */

		(void)clear(&other, four);
	}
out:
	if (four >= 0)
		close(four);
	if (six >= 0)
		close(six);
	return r;
}

int manage_route(struct manage *m, const struct endpoint *gateway,
		 const struct endpoint *host)
{
	bool v6 = !ip_is_v4(host->ip);
	int sock = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
			  0);
	int r;

	if (sock < 0)
		return fail(m, "socket");
	r = v6 ? route6(m, sock, gateway, host)
	       : route4(m, sock, gateway, host);
	close(sock);
	return r;
}

/* Nothing gets through, and nobody can take that away any more. */
static int deafen(int fd)
{
	struct sock_filter none = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog all = { 1, &none };
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof(all)) !=
	    0)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
}

int manage_socket(struct manage *m, const struct endpoint *address,
		  const struct endpoint *host, bool deaf, int *fd)
{
	bool v6 = !ip_is_v4(address->ip);
	struct sockaddr_in from4 = in4(address), to4 = in4(host);
	struct sockaddr_in6 from6 = in6(address), to6 = in6(host);
	struct sockaddr *from = v6 ? (struct sockaddr *)&from6
				   : (struct sockaddr *)&from4;
	struct sockaddr *to = v6 ? (struct sockaddr *)&to6
				 : (struct sockaddr *)&to4;
	socklen_t n = v6 ? sizeof(from6) : sizeof(from4);
	int on = 1;

	from4.sin_port = from6.sin6_port = 0; /* any */
	*fd = socket(v6 ? AF_INET6 : AF_INET,
		     SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return fail(m, "socket");
	if (setsockopt(*fd, SOL_SOCKET, SO_BINDTODEVICE, m->name,
		       (socklen_t)strlen(m->name)) == 0 &&
	    /* the kernel takes a moment before an IPv6 address may be used */
	    (!v6 || setsockopt(*fd, IPPROTO_IPV6, IPV6_FREEBIND, &on,
			       sizeof(on)) == 0) &&
	    (!deaf || deafen(*fd) == 0) && bind(*fd, from, n) == 0 &&
	    connect(*fd, to, n) == 0)
		return OK;
	(void)fail(m, "socket");
	close(*fd);
	*fd = -1;
	return E_IO;
}
