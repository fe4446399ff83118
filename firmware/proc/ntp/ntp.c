/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ntp - asks time servers what time it is, each of them one question, and ends.
 *
 *	ntp N      0        nothing
 *	           1        the answers: N samples of ntp/ntp_msg.h
 *	           3..2+N   datagram sockets, each connected to a server
 *
 * boss starts it when it is time to ask, and judges what it says. It reads foreign
 * octets, so it has no rights: it cannot even name another host than the ones its
 * sockets are connected to, and the clock it cannot set.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>
#include "ntp/ntp_judge.h"
#include "proc/loop.h"
#include "proc/sandbox.h"

enum { REPORT_FD = 1, SOCKET_FD = 3, WAIT_MS = 3000 };

struct question {
	uint64_t cookie, asked_ms;
	struct ntp_sample sample;
	bool open; /* it can still be answered */
};

static int fail(const char *what)
{
	fprintf(stderr, "ntp: %s\n", what);
	return 1;
}

static void ask(struct question *q, int sock)
{
	uint8_t out[NTP_SIZE];

	ntp_ask(out, q->cookie);
	q->asked_ms = now_raw_ms();
	q->open = write(sock, out, sizeof(out)) == (ssize_t)sizeof(out);
}

static void hear(struct question *q, int sock)
{
	uint8_t in
		[256]; /* behind the first 48 octets is nothing that we know */
	ssize_t n = read(sock, in, sizeof(in));
	uint64_t now = now_raw_ms();

	if (n < 0) /* there is no server on that host */
		q->open = false;
	else if (ntp_answer((struct span){ in, (size_t)n }, q->cookie, now,
			    now - q->asked_ms, &q->sample))
		q->open = false;
}

static void wait_for_all(struct question *q, unsigned n)
{
	uint64_t end = now_ms() + WAIT_MS, now;

	while ((now = now_ms()) < end) {
		struct pollfd p[NTP_SERVERS];
		unsigned open = 0;

		for (unsigned i = 0; i < n; i++) {
			p[i] = (struct pollfd){ q[i].open ? SOCKET_FD + (int)i
							  : -1,
						POLLIN, 0 };
			open += q[i].open;
		}
		if (open == 0 || poll(p, n, (int)(end - now)) < 0)
			return;
		for (unsigned i = 0; i < n; i++)
			if (p[i].revents != 0)
				hear(&q[i], SOCKET_FD + (int)i);
	}
}

static int report(const struct question *q, unsigned n)
{
	uint8_t out[NTP_SERVERS * NTP_SAMPLE_SIZE];
	size_t size = n * NTP_SAMPLE_SIZE;

	for (unsigned i = 0; i < n; i++)
		ntp_sample_put(&q[i].sample, out + i * NTP_SAMPLE_SIZE);
	return write(REPORT_FD, out, size) == (ssize_t)size
		       ? 0
		       : fail("nobody takes the answer");
}

int main(int argc, char **argv)
{
	struct question q[NTP_SERVERS] = { { .cookie = 0 } };
	unsigned n = argc == 2 ? (unsigned)(argv[1][0] - '0') : 0;

	if (n < 1 || n > NTP_SERVERS || argv[1][1] != '\0')
		return fail("how many servers? 1 to 3");
	for (unsigned i = 0; i < n; i++)
		if (getrandom(&q[i].cookie, sizeof(q[i].cookie), 0) !=
		    (ssize_t)sizeof(q[i].cookie))
			return fail("no randomness");
	if (sandbox_enter(ROLE_NTP) != OK)
		return fail("this kernel has no seccomp filters");
	for (unsigned i = 0; i < n; i++)
		ask(&q[i], SOCKET_FD + (int)i);
	wait_for_all(q, n);
	return report(q, n);
}
