/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_PORT_H
#define DRIVERS_PORT_H

#include <linux/virtio_net.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/span.h"
#include "drivers/classifier.h"

/*
 * port - frames in and out of one network interface, through a packet socket.
 *
 * Frames come and go in batches and with a virtio-net header, so that neither
 * checksums nor segments are made here: a frame may be a super-frame of up to
 * 64 KiB (gso_size says what its segments carry), and its TCP checksum may be
 * left to whoever puts it on a real wire. VLAN tags that the kernel took off
 * are put back before anybody sees the frame.
 */
enum {
	PORT_BATCH = 32,
	PORT_FRAME_MAX = 65536 + 64,
};

/* A received frame; valid until the next port_receive. */
struct port_frame {
	struct span bytes;
	bool csum_ok; /* verified, or it never left a machine: do not check */
	struct virtio_net_hdr vnet; /* as it came, offsets as in bytes */
};

struct port_io {
	int fd;
	uint8_t *in, *out; /* PORT_BATCH slots each */
	struct port_frame frame[PORT_BATCH];
	struct virtio_net_hdr out_vnet[PORT_BATCH];
	size_t out_n[PORT_BATCH];
	struct span out_rest[PORT_BATCH];
	unsigned out_count;
	uint64_t dropped; /* frames that the kernel would not take */
};

/* boss: a socket for the interface, with the classifier on it before the first
 * frame can arrive. E_IO: errno says why. */
MUST_CHECK int port_open(int ifindex, const struct classifier *socket_filter,
			 int *fd);

/* wire: use fd. Allocates the slots, once. E_FULL: no memory. */
MUST_CHECK int port_init(struct port_io *p, int fd);

/* Another list of ports, on a live socket. */
MUST_CHECK int port_filter(struct port_io *p, const struct classifier *c);

/* Up to PORT_BATCH frames into p->frame; how many, 0: none now. */
unsigned port_receive(struct port_io *p);

/* Room for one frame to send: write it at the returned place (PORT_FRAME_MAX
 * octets) and say how long it is. vnet: all zero for a plain frame. */
uint8_t *port_room(struct port_io *p);
void port_push(struct port_io *p, size_t n, const struct virtio_net_hdr *vnet);
/* The same, but what follows these n octets is sent from where it lies; so it
 * goes at once, behind all that was pushed before. */
void port_push_rest(struct port_io *p, size_t n, struct span rest,
		    const struct virtio_net_hdr *vnet);
/* Send a received frame on, as it came. */
void port_forward(struct port_io *to, const struct port_frame *f);
/* Give what was pushed to the kernel. Call once at the end of a turn. */
void port_flush(struct port_io *p);

/* The header of a TCP frame whose checksum (pseudo header sum already in
 * place) and, with gso_size > 0, segmentation are left to the kernel. tcp: the
 * offset of the TCP header in the frame, data: of its payload. */
struct virtio_net_hdr port_vnet_tcp(bool v6, size_t tcp, size_t data,
				    uint16_t gso_size);

#endif
