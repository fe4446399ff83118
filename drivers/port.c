/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port - see port.h. A slot is TAG octets of head room, so that a VLAN tag can
 * be put back by moving the two addresses, and the frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/bytes.h"
#include "drivers/port.h"

enum { TAG = 4, SLOT = TAG + PORT_FRAME_MAX, BUFFER = 8 << 20 };

/* In older headers missing. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

int port_open(int ifindex, const struct classifier *c, int *fd)
{
	struct sock_fprog prog = { c->n, (struct sock_filter *)c->code };
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = ifindex };
	int s, on = 1, size = BUFFER;

	/* Protocol 0: nothing is queued before bind. */
	s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return E_IO;
	if (setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ||
	    setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) ||
	    setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
		       sizeof(on)) ||
	    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    bind(s, (struct sockaddr *)&a, sizeof(a))) {
		int e = errno;

		close(s);
		errno = e;
		return E_IO;
	}
	*fd = s;
	return OK;
}

int port_init(struct port_io *p, int fd)
{
	*p = (struct port_io){ .fd = fd };
	p->in = malloc((size_t)SLOT * PORT_BATCH);
	p->out = malloc((size_t)SLOT * PORT_BATCH);
	return p->in && p->out ? OK : E_FULL;
}

int port_filter(struct port_io *p, const struct classifier *c)
{
	struct sock_fprog prog = { c->n, (struct sock_filter *)c->code };

	return setsockopt(p->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog))
		       ? E_IO
		       : OK;
}

/* Put the tag back that the kernel keeps beside the frame. */
static void untag(struct port_frame *f, uint8_t *slot,
		  const struct tpacket_auxdata *aux)
{
	uint16_t tpid = ETH_P_8021Q;

	if ((aux->tp_status & TP_STATUS_VLAN_VALID) == 0)
		return;
	if (aux->tp_status & TP_STATUS_VLAN_TPID_VALID)
		tpid = aux->tp_vlan_tpid;
	memmove(slot, slot + TAG, 12);
	put_be16(slot + 12, tpid);
	put_be16(slot + 14, aux->tp_vlan_tci);
	f->bytes.p = slot;
	f->bytes.n += TAG;
	if (f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		f->vnet.csum_start = (uint16_t)(f->vnet.csum_start + TAG);
	if (f->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		f->vnet.hdr_len = (uint16_t)(f->vnet.hdr_len + TAG);
}

static void one(struct port_frame *f, uint8_t *slot, struct mmsghdr *m)
{
	size_t n = m->msg_len > sizeof(f->vnet) ? m->msg_len - sizeof(f->vnet)
						: 0;

	f->bytes = (struct span){ slot + TAG, n };
	f->csum_ok = (f->vnet.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM |
				       VIRTIO_NET_HDR_F_DATA_VALID)) != 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr); c;
	     c = CMSG_NXTHDR(&m->msg_hdr, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET ||
		    c->cmsg_type != PACKET_AUXDATA || n < 14)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_CSUM_VALID)
			f->csum_ok = true;
		untag(f, slot, &aux);
	}
}

unsigned port_receive(struct port_io *p)
{
	struct mmsghdr m[PORT_BATCH];
	struct iovec io[PORT_BATCH][2];
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} ctl[PORT_BATCH];
	int got;

	for (int i = 0; i < PORT_BATCH; i++) {
		io[i][0] = (struct iovec){ &p->frame[i].vnet,
					   sizeof(p->frame[i].vnet) };
		io[i][1] = (struct iovec){ p->in + (size_t)i * SLOT + TAG,
					   PORT_FRAME_MAX };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = io[i],
						.msg_iovlen = 2,
						.msg_control = ctl[i].room,
						.msg_controllen = sizeof(
							ctl[i]) };
	}
	got = recvmmsg(p->fd, m, PORT_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < got; i++)
		one(&p->frame[i], p->in + (size_t)i * SLOT, &m[i]);
	return got > 0 ? (unsigned)got : 0;
}

uint8_t *port_room(struct port_io *p)
{
	if (p->out_count == PORT_BATCH)
		port_flush(p);
	return p->out + (size_t)p->out_count * SLOT;
}

void port_push(struct port_io *p, size_t n, const struct virtio_net_hdr *vnet)
{
	p->out_vnet[p->out_count] = *vnet;
	p->out_rest[p->out_count] = (struct span){ NULL, 0 };
	p->out_n[p->out_count++] = n;
}

void port_push_rest(struct port_io *p, size_t n, struct span rest,
		    const struct virtio_net_hdr *vnet)
{
	port_push(p, n, vnet);
	p->out_rest[p->out_count - 1] = rest;
	port_flush(p);
}

void port_forward(struct port_io *to, const struct port_frame *f)
{
	struct virtio_net_hdr vnet = f->vnet;
	uint8_t *p = port_room(to);

	if (f->bytes.n > PORT_FRAME_MAX)
		return;
	vnet.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	memcpy(p, f->bytes.p, f->bytes.n);
	port_push(to, f->bytes.n, &vnet);
}

void port_flush(struct port_io *p)
{
	struct mmsghdr m[PORT_BATCH];
	struct iovec io[PORT_BATCH][3];
	unsigned done = 0, n = p->out_count;

	for (unsigned i = 0; i < n; i++) {
		io[i][0] = (struct iovec){ &p->out_vnet[i],
					   sizeof(p->out_vnet[i]) };
		io[i][1] = (struct iovec){ p->out + (size_t)i * SLOT,
					   p->out_n[i] };
		io[i][2] = (struct iovec){ (void *)p->out_rest[i].p,
					   p->out_rest[i].n };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = io[i],
						.msg_iovlen = 3 };
	}
	while (done < n) {
		int sent = sendmmsg(p->fd, m + done, n - done, MSG_DONTWAIT);

		if (sent > 0) {
			done += (unsigned)sent;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		/* This frame cannot be sent (queue full, too long, port
		 * down): it is lost as on any wire, the next may go. */
		p->dropped++;
		done++;
	}
	p->out_count = 0;
}

struct virtio_net_hdr port_vnet_tcp(bool v6, size_t tcp, size_t data,
				    uint16_t gso_size)
{
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				    .csum_start = (uint16_t)tcp,
				    .csum_offset = 16 };

	if (gso_size > 0) {
		h.gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6
				: VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = gso_size;
		h.hdr_len = (uint16_t)data;
	}
	return h;
}
