/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_borrow - a connection of nobody inside, from the address of a server that
 * has sent mail through the box (proc/wire/wire_probe.c).
 *
 *	dial -> wire: PROBE_DIAL
 *	        wire: PROBE_FLOW, whose address it is, or that there is none
 *	        wire: FLOW_DIALED with the stream, or FLOW_DIAL_FAILED
 */
#include <unistd.h>
#include "base/hash.h"
#include "proc/relay/relay.h"

uint64_t relay_random(void)
{
	static uint64_t turns;
	const uint64_t of[] = { ++turns, R.now };

	return siphash(R.key, (struct span){ (const uint8_t *)of, sizeof(of) });
}

bool relay_borrow_dial(struct borrow *b, const struct endpoint *from,
		       const struct endpoint *to)
{
	static uint64_t turns;
	struct ipc_msg m = { .type = IPC_PROBE_DIAL,
			     .number = ++turns,
			     .client = *from,
			     .server = *to };

	b->turn = m.number;
	return R.wire.fd >= 0 &&
	       ipc_send(R.wire.fd, ROLE_RELAY, ROLE_WIRE, &m) == OK;
}

enum borrow_news relay_borrow_message(struct borrow *b, struct ipc_msg *m,
				      void (*ready)(struct watch *, uint32_t))
{
	if (m->type == IPC_PROBE_FLOW) {
		if (b->turn == 0 || m->number != b->turn)
			return BORROW_OTHERS;
		b->turn = 0;
		b->flow = m->flow;
		b->from = m->client;
		return m->error == OK ? BORROW_WHOSE : BORROW_NOBODY;
	}
	if (b->flow == 0 || m->flow != b->flow)
		return BORROW_OTHERS;
	if (m->type == IPC_FLOW_DIAL_FAILED) {
		b->flow = 0;
		return BORROW_FAILED;
	}
	if (m->type != IPC_FLOW_DIALED || m->fd_n != 1 || b->up ||
	    loop_add(&R.prog.loop, &b->net, m->fd[0], EPOLLIN, ready) != OK)
		return BORROW_OLD; /* GONE: the stream ends as well */
	m->fd_n = 0;
	b->up = true;
	return BORROW_UP;
}

void relay_borrow_hang_up(struct borrow *b, bool orderly)
{
	struct ipc_msg m = { .type = IPC_FLOW_FINISH,
			     .flow = b->flow,
			     .side = SERVER };
	int fd = b->net.fd;

	if (b->up) {
		if (orderly && R.wire.fd >= 0 &&
		    ipc_send(R.wire.fd, ROLE_RELAY, ROLE_WIRE, &m) != OK)
			program_log(&R.prog, SEV_WARNING, "event=wire-deaf");
		loop_del(&R.prog.loop, &b->net);
		close(fd);
	}
	b->up = false;
	b->turn = 0;
	b->flow = 0;
}
